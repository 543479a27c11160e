# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A new crop
#
# West Flanders grows fibre flax; acreline's list has no flax. A crop is one YAML file, so we add it. What that file
# can do and what it cannot is the point of this notebook: **it teaches words, a price and a yield. It does not teach
# the network to see flax.**

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import yaml

import acreline as al

repo = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "configs").is_dir())
folder = tempfile.TemporaryDirectory(prefix="flax-")  # gone when the notebook is closed
home = Path(folder.name)
demo = repo / "configs" / "regions" / "flanders-2018.yaml"

# %% [markdown]
# ## The file
# For a crop that is to stay, this is `configs/crops/flax.yaml`. Each number says where it comes from: these two are
# orders of magnitude, invented for this notebook, and wide. `modelled_yield: false` says that no satellite index
# scales the yield.

# %%
_ = (home / "flax.yaml").write_text(
    """\
slug: flax
name_en: fibre flax
name_zh: 亚麻
slot: A
colour: "#6a8caf"
sowing: 20 Mar to 15 Apr
harvest: pulled 1 to 31 Jul
modelled_yield: false
yield_kg_per_ha: {value: 6000, cv: 0.35, source: "order of magnitude, for a notebook"}
price_per_kg: {value: 2.0, cv: 0.4, source: "order of magnitude, for a notebook"}
price_currency: CNY
""",
    encoding="utf-8",
)

# %% [markdown]
# ## A region that names it
# The demo region, its paths made absolute, and one invented change: the farmer of F-005 now declares flax on his one
# field. (It is grass; nobody in the packaged square grew flax.)

# %%
parcels = gpd.read_parquet(repo / "data" / "flanders-2018" / "parcels.parquet")
parcels.loc[parcels["farm_id"] == "F-005", "declared_crop"] = "flax"
parcels.to_parquet(home / "parcels.parquet")


def write_region(name: str, crops: list[str]) -> Path:
    """The demo region with other crops, over the parcels of this notebook."""
    raw = yaml.safe_load(demo.read_text(encoding="utf-8"))
    raw |= {key: str((demo.parent / raw[key]).resolve()) for key in ("catalog", "applicants", "weather")}
    raw |= {"crops": crops, "parcels": {**raw["parcels"], "path": "parcels.parquet"}}
    path = home / f"{name}.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


known = list(al.read_region(demo).crops)
without = write_region("without", known)
named = write_region(
    "named", [*known, "flax.yaml"]
)  # a path, counted from the region file; or a name of configs/crops/

# %% [markdown]
# ## `acreline check`
# The file compiles with the region: unknown keys, a missing source or a colour that is none would be refused here,
# before a byte is read.

# %%
checked = subprocess.run(
    [sys.executable, "-m", "acreline", "check", str(named)], capture_output=True, text=True, check=True
)
print(checked.stdout.replace(f"{home}/", ""))

# %%
broken = home / "broken.yaml"
broken.write_text((home / "flax.yaml").read_text(encoding="utf-8").replace("slot: A", "slot: C"), encoding="utf-8")
refused = subprocess.run(
    [sys.executable, "-m", "acreline", "check", str(write_region("refused", [*known, "broken.yaml"]))],
    capture_output=True,
    text=True,
)
print("exit code", refused.returncode)
print(refused.stderr.replace(f"{home}/", ""))
assert refused.returncode == 2

# %% [markdown]
# ## What the network can name
# Its classes were fixed when it was taught, and stand in its card. Check passed, and flax is not among them.

# %%
plan = al.plan_run(al.read_region(named))
print(
    len(plan.crops),
    "crops in the region;",
    len(plan.model.card.crop_codes),
    "classes in the card of",
    plan.model.card.name,
)
print("in the region, not in the card:", sorted(set(plan.crops) - set(plan.model.card.crop_codes)))
assert "flax" not in plan.model.card.crop_codes

# %% [markdown]
# ## What changes, then?
# The region is run twice into one folder, without and with the file. The second run measures no pixel again: a word
# is not pixels.

# %%
store, views = al.Store(home / "run"), {}
for name, path in (("without", without), ("named", named)):
    region = al.read_region(path)
    result = al.run_region(region, store)
    views[name] = al.farm(result.publication, "F-005", region=region)
    print(f"{name}: {len(result.made_blocks)} blocks made, {len(result.kept_blocks)} kept")

# %%
pd.DataFrame(
    {
        name: {
            "crop seen": view.facts.main_crop,
            "set": ", ".join(view.facts.stands[0].crop_set),
            "confidence": round(view.facts.stands[0].crop_confidence, 3),
            "declared, understood as": view.facts.stands[0].declared_crop,
            "flags": ", ".join(view.facts.flags),
            "decision": view.decision.outcome,
        }
        for name, view in views.items()
    }
)

# %% [markdown]
# Without the file the word *flax* meant nothing, and the farm was asked what it meant. With it the word is
# understood, and what is seen contradicts it. Both times a person looks, and no limit was lowered or raised by a word
# alone. What was *seen* is the same to the last digit:

# %%
assert views["without"].stands.equals(views["named"].stands)
assert views["without"].decision.outcome == views["named"].decision.outcome == "refer"
views["named"].plot(chips="ndvi")

# %% [markdown]
# ## What does a network say of a crop that it never learned?
# Two things, and neither is the crop's name.
#
# 1. It may say **unlike anything learned** (`unlike_training`): the energy of its answers lies above that of known
#    land. The card tells how well this separates known from strange series. Those series were *made* (mirrored,
#    shuffled, of the other hemisphere), so this is an upper hope for real crops, not a promise:

# %%
unknown = plan.model.card.unknown
print("strange series told from known ones, area under the curve:", dict(unknown.auroc))
print(f"known land that is called strange all the same: at most {unknown.alpha:.0%}, by design")

# %% [markdown]
# 2. Or it names the **nearest crop it knows**, as sure as ever. That is the dangerous case, and the packaged square
#    shows it for a crop that *is* in its list but that it learned badly: pulses. What truly stood there lies in
#    `labels/`, which a run never reads.

# %%
truth = pd.read_parquet(repo / "data" / "flanders-2018" / "labels" / "labels.parquet").rename(columns={"crop": "truly"})
seasons = pd.read_parquet(store.latest / "seasons.parquet")
told = seasons.merge(truth[["parcel_id", "truly"]], on="parcel_id")
pulses = told[(told["truly"] == "pulses") & (told["crop"] != "unknown")]
pulses[["parcel_id", "truly", "crop", "crop_confidence", "crop_set", "code"]].round(2)

# %%
sure = pulses[pulses["crop_set"].eq(pulses["crop"]) & pulses["crop"].ne("pulses")]
print(f"{len(sure)} of {len(pulses)} judged fields of pulses told as one other crop, without another name beside it")

# %% [markdown]
# A set of one name is right as often as the card promises **for the crops of the card**. Of a crop outside it nothing
# is promised. What stands between such a field and a limit is the declaration: it differs from what was seen, so a
# person looks. A farm that declares what the network wrongly sees would pass.
#
# ## So
#
# - With the YAML file alone: declarations are understood, a policy may name flax, pages print it in both languages,
#   and a normal yield and a price stand ready. No field is ever *seen* as flax; totals by crop hold none of it.
# - To see flax, the network must be taught it: labelled flax of several years and places, a class of its own in
#   `acreline/model/classes.py`, `acreline train`, then `acreline evaluate` on land that it never saw. The new card
#   then says how good it is, and for what.
# - Until then flax farms go to a person. In a region where flax is common, that is most of the region, and it is the
#   honest answer.
