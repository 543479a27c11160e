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
# # A policy, tried on last season
#
# A bank wants to lend more on what a harvest is worth. Before anyone signs that, we decide last season again under
# the new numbers and look at who gains, who loses and why. The farms are those that a run measured; nothing in it
# changes. Numbers of the policies are invented, farms of the demo region too.
#
# It needs a finished run of the demo region in `runs/flanders-2018`. Where `make demo` or `acreline demo` has made one,
# that one is taken; else the next cell makes it, which takes about as long as `acreline demo` does.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import yaml

import acreline as al
from acreline.config import Policy
from acreline.credit import reason_words
from acreline.desk import read_farms

repo = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "configs").is_dir())
run = repo / "runs" / "flanders-2018"
if not (run / "latest").exists():
    print(f"no finished run in {run}: it is made now, as `acreline demo` would")
    al.run_region(al.read_region(repo / "configs" / "regions" / "flanders-2018.yaml"), al.Store(run))
publication = al.open_publication(run)
farms, day = read_farms(publication)
len(farms), day

# %% [markdown]
# ## The policy as it is, and the one that is asked for
# One number moves: the share of the cautious worth of a harvest that may be lent, from 0.4 to 0.6. A policy's version
# comes from its content, so the two cannot be mistaken for each other.

# %%
written = yaml.safe_load((repo / "configs" / "policies" / "demo.yaml").read_text(encoding="utf-8"))
old = al.compile_policy(Policy.model_validate(written))
next(rule for rule in written["rules"] if rule["rule"] == "capacity")["settings"]["share"] = 0.6
new = al.compile_policy(Policy.model_validate(written | {"id": "demo-asked", "title": "asked for: 60 % of the worth"}))
print(old.version[:12], new.version[:12])

# %% [markdown]
# ## Who is moved
# Farms that a person has to see stay with that person: a policy about worth does not make a picture clearer.

# %%
decided = {name: al.assess_credit(farms, policy, as_of=day) for name, policy in {"old": old, "new": new}.items()}
table = pd.DataFrame(
    {
        "farm": [one.farm_id for one in decided["old"]],
        "outcome": [one.outcome for one in decided["old"]],
        "old": [one.limit for one in decided["old"]],
        "new": [one.limit for one in decided["new"]],
        "new outcome": [one.outcome for one in decided["new"]],
        "first reason then": [reason_words(one.reasons[0], "en") if one.reasons else "" for one in decided["new"]],
    }
)
table["moved"] = table["new"].fillna(0).astype(float) - table["old"].fillna(0).astype(float)
table

# %%
assert (table["moved"] >= 0).all(), "a higher share lowers nobody"
gains = table[table["moved"] > 0]
print(f"{len(gains)} of {len(table)} farms gain {gains['moved'].sum():,.0f} {old.policy.currency} together")

# %% [markdown]
# ## Why not more of them
# The steps of an approved farm tell what holds it down: here the farmer asked for less than any cap.

# %%
for name in ("F-004", "F-005"):
    one = next(decision for decision in decided["new"] if decision.farm_id == name)
    print(name)
    for step in one.trail:
        if step.after is not None:
            print(f"  {step.rule:<16} {step.after:>12,}  {step.text_en}")

# %% [markdown]
# ## The picture for the committee
# Each farm's limit now and then, and what each rule takes from a farm that could carry more.

# %%
shown = table[table["old"].notna() | table["new"].notna()]
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4), gridspec_kw={"width_ratios": [1, 1.5]})
for place, (_, row) in enumerate(shown.iterrows()):
    axes[0].plot([row["old"] or 0, row["new"] or 0], [place, place], color="#b9b2a3", lw=3, zorder=1)
    axes[0].scatter(float(row["old"] or 0), place, color="#7a7368", zorder=2, label="now" if place == 0 else None)
    axes[0].scatter(float(row["new"] or 0), place, color="#3f7d4e", zorder=2, label="asked for" if place == 0 else None)
axes[0].set_yticks(range(len(shown)), shown["farm"])
axes[0].set_ylim(-0.6, len(shown) - 0.4)
axes[0].set_xlim(left=0)
axes[0].set_xlabel(f"limit, {old.policy.currency}")
axes[0].legend(frameon=False, loc="upper right", fontsize=8)
steps = [step for step in next(d for d in decided["new"] if d.farm_id == "F-005").trail if step.after is not None]
names = ["rounded down" if step.rule == "policy" else step.rule.replace("_", " ") for step in steps]
after = [float(step.after) for step in steps]
axes[1].bar(
    range(len(steps)), after, color=["#3f7d4e" if k == len(steps) - 1 else "#cfe0d2" for k in range(len(steps))]
)
for place, amount in enumerate(after):
    axes[1].text(place, amount, f"{amount:,.0f}", ha="center", va="bottom", fontsize=8)
axes[1].set_xticks(range(len(steps)), names, rotation=25, ha="right", fontsize=8)
axes[1].set_title("F-005, step by step under the policy asked for", fontsize=10)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
fig.tight_layout()
