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
# # A finished region, reviewed
#
# A run leaves one folder, its publication. Here an analyst opens it and asks: does it add up, where were we blind,
# who was referred and why, how wide are the intervals, and what would another policy have said? Nothing is measured
# again.

# %%
import tempfile
from pathlib import Path

import geopandas as gpd
import matplotlib.pyplot as plt
import pandas as pd
import yaml

import acreline as al
from acreline.credit import reason_words
from acreline.desk import decide_again, decision_rows
from acreline.store import read_manifest

repo = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "configs").is_dir())
run = repo / "runs" / "flanders-2018"
if not (run / "latest").exists():  # what `acreline demo` does, in about ten seconds
    al.run_region(al.read_region(repo / "configs" / "regions" / "flanders-2018.yaml"), al.Store(run))
publication = al.open_publication(run)
al.verify_publication(publication)  # an empty list: every file is as it was published

# %% [markdown]
# ## Does it add up?
# Every parcel in came out with one status, every farm with one decision, every scene used or set aside with a reason.

# %%
manifest = read_manifest(publication)
print(manifest["region"], manifest["season"], "as of", manifest["as_of"])
for notice in manifest["notices"]:
    print("note:", notice["en"])
for what, numbers in manifest["counts"].items():
    print(f"{what}:", ", ".join(f"{number} {name}" for name, number in numbers.items() if number))
for what, first in (("parcels", "in"), ("farms", "in"), ("scenes", "found")):
    numbers = dict(manifest["counts"][what])
    assert numbers.pop(first) == sum(numbers.values())

# %%
scenes = pd.read_parquet(publication / "scenes.parquet")
scenes.groupby(["status", "reason"], dropna=False).size().rename("scenes").reset_index()

# %% [markdown]
# ## Where were we blind?
# A parcel that is too small, or hidden too often, is not judged. It is not counted as smaller or worse: its farm goes
# to a person.

# %%
parcels = gpd.read_parquet(publication / "parcels.parquet")
colours = {
    "ok": "#7fb08a",
    "degraded": "#d9b95b",
    "insufficient": "#c77f3c",
    "failed": "#a8323a",
    "rejected": "#8c8c8c",
}
fig, ax = plt.subplots(figsize=(6.5, 5.5))
for status, rows in parcels.to_crs(32631).groupby("status"):
    rows.plot(ax=ax, color=colours[status], edgecolor="white", linewidth=0.8)
    ax.plot([], [], "s", color=colours[status], label=f"{status}: {len(rows)}")
ax.legend(title="parcels", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
ax.set_axis_off()

# %%
parcels.loc[parcels["status"] != "ok", ["id", "farm_id", "status", "reason", "detail", "metrics:area"]]

# %% [markdown]
# ## Who got what, and who goes to a person?

# %%
decisions = pd.read_parquet(publication / "decisions.parquet")
outcomes = decisions["outcome"].value_counts()
assert outcomes.sum() == manifest["counts"]["farms"]["in"]
outcomes

# %%
why = decisions.explode("reasons").groupby(["outcome", "reasons"]).size().rename("farms").reset_index()
why["in words"] = [reason_words(code) for code in why["reasons"]]
why.sort_values(["outcome", "farms"], ascending=[True, False]).style.hide()

# %% [markdown]
# The limits, per mu of planted land. With seven farms this is a list; with seven thousand look at its two ends first:
# who stands far above the others of the same crop, and who just above nothing.

# %%
farms = pd.read_parquet(publication / "farms.parquet").merge(decisions[["farm_id", "outcome", "limit"]], on="farm_id")
granted = farms[farms["limit"].notna()].copy()
granted["limit"] = granted["limit"].astype(float)
granted["per_mu"] = granted["limit"] / granted["planted_mu"]
fig, ax = plt.subplots(figsize=(8, 0.6 + 0.4 * len(granted)))
ax.barh(granted["farm_id"], granted["per_mu"], height=0.5, color="#7fb08a")
for row in granted.itertuples():
    ax.text(
        row.per_mu, row.farm_id, f"  {row.limit:,.0f} CNY on {row.planted_mu:,.1f} mu, {row.main_crop}", va="center"
    )
ax.set_xlabel("limit per planted mu, CNY")
ax.set_xlim(0, granted["per_mu"].max() * 1.7)
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# ## How wide are the intervals?
# Each harvest is told from its 5 % to its 95 % quantile. The policy lends on the low end, so what we do not know
# makes a limit smaller, never larger. Farms that were not measured whole stand hollow: that is a part of them, no
# statement.

# %%
told = farms[farms["value_mid"].notna()].sort_values("value_mid")
whole = told["status"].isin(["ok", "degraded"])
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.hlines(told["farm_id"], told["value_low"], told["value_high"], color="#c9d3da", lw=6)
ax.plot(told.loc[whole, "value_mid"], told.loc[whole, "farm_id"], "o", color="#22303a", label="measured whole")
ax.plot(told.loc[~whole, "value_mid"], told.loc[~whole, "farm_id"], "o", mfc="white", color="#22303a", label="in part")
ax.plot(granted["limit"], granted["farm_id"], "|", ms=16, mew=2, color="#2f7d4f", label="limit")
ax.set_xscale("log")
ax.set_xlabel("worth of the harvest, CNY (5 %, middle, 95 %)")
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right"]].set_visible(False)

# %%
told[["farm_id", "main_crop", "value_low", "value_mid", "value_high"]].assign(
    high_over_low=told["value_high"] / told["value_low"]
).round(1)

# %% [markdown]
# ## Three farms, looked at
# One line a farm. First the largest approval: chips of clear days, the curve with its looks, and dates as wide as
# their doubt.

# %%
best = granted.sort_values("limit")["farm_id"].iloc[-1]
al.farm(run, best).plot()

# %% [markdown]
# Then the smallest. The card says the same in English and Chinese.

# %%
al.farm(run, granted.sort_values("limit")["farm_id"].iloc[0])

# %% [markdown]
# Last the largest farm that goes to a person. Look at the smaller parcels: a field told with several possible crops
# is named with all of them, and whatever befell one would stand there as a shaded span.

# %%
referred = farms[farms["outcome"] == "refer"].sort_values("area_m2")["farm_id"].iloc[-1]
view = al.farm(run, referred)
view.plot()

# %% [markdown]
# Everything behind the picture is a table or an array: `view.looks`, `view.curve(parcel_id)`, `view.stands`,
# `view.maps()`, and, where the scenes are still there, `view.cube()`.

# %%
view.stands[["parcel_id", "slot", "crop", "crop_confidence", "crop_set", "value_low", "value_mid", "value_high"]].round(
    2
)

# %%
maps = view.maps()
names = {int(code): row[0] for code, row in maps.attrs["classes"]["crop"].items()}
inside = maps["crop"].sel(slot="B").to_numpy()[maps["parcel"].to_numpy() > 0]
pd.Series(inside).map(names).value_counts(normalize=True).head(5).round(3)

# %% [markdown]
# ## What would another policy have said?
# The facts stay, the policy changes: here half the share of the harvest. The run itself is not touched, and a policy
# that is to be used needs a second person's name (`approver`).

# %%
policy = yaml.safe_load((repo / "configs" / "policies" / "demo.yaml").read_text(encoding="utf-8"))
policy["id"], policy["title"] = "demo-careful", "demonstration only: half the share"
next(rule for rule in policy["rules"] if rule["rule"] == "capacity")["settings"]["share"] = 0.2
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "careful.yaml"
    path.write_text(yaml.safe_dump(policy, allow_unicode=True), encoding="utf-8")
    before, after = decide_again(publication, str(path))
both = pd.DataFrame(decision_rows(before)).merge(pd.DataFrame(decision_rows(after)), on="farm_id")
both.columns = ["farm", "demo", "half the share"]
both

# %% [markdown]
# Who was referred stays referred: evidence is asked before money. The small approval falls under the smallest loan;
# since its best harvest could carry one, the machine does not say no but asks a person. Where the request binds, half
# the share changes nothing.

# %%
assert (both.loc[both["demo"] == "refer", "half the share"] == "refer").all()
both[both["demo"] != both["half the share"]]
