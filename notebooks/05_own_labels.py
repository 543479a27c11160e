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
# # Labels of your own
#
# No figure of ours says how well the network does on your land. This notebook brings labels, scores the packaged
# network on them beside a majority, a random forest and gradient boosting, and looks at where it is wrong. The labels
# here are those of the demo square (West Flanders, 2018), which no training reads; put your own folder or table in
# their place (`data/README.md` has the formats).

# %%
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from acreline.trial import evaluate_data

repo = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "configs").is_dir())
home = tempfile.TemporaryDirectory(prefix="labels-")  # gone when the notebook is closed
out = Path(home.name) / "report"

# %% [markdown]
# ## One call
# The same as `acreline evaluate --data data/flanders-2018 --out DIR`: a page for people, a file of figures for
# machines.

# %%
evaluate_data(repo / "data" / "flanders-2018", out)
metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
print(metrics["task"], metrics["data"]["name"], metrics["n"], metrics["unit"][0])
sorted(metrics)

# %% [markdown]
# ## Is it better than guessing, and than a forest?
# An accuracy without its baseline says nothing. The interval is a bootstrap over places: pixels of one field do not
# count as many.

# %%
low, high = metrics["ci95"]
print(f"network  {metrics['oa']:.3f} ({low:.3f} to {high:.3f}), macro-F1 {metrics['macro_f1']:.3f}")
print(f"forest   {metrics['random_forest']['oa']:.3f}, macro-F1 {metrics['random_forest']['macro_f1']:.3f}")
print(f"boosting {metrics['gradient_boosting']['oa']:.3f}, macro-F1 {metrics['gradient_boosting']['macro_f1']:.3f}")
print(f"majority {metrics['majority_oa']:.3f}")
rival = max(metrics["random_forest"]["oa"], metrics["gradient_boosting"]["oa"])
print("the better rival lies", "inside" if low <= rival <= high else "outside", "the network's interval")
assert metrics["oa"] > metrics["majority_oa"]

# %% [markdown]
# ## By class
# A rare class can be lost whole while the accuracy looks well. The table shows what the number above hides.

# %%
classes = pd.DataFrame(metrics["per_class"]).T
classes

# %% [markdown]
# ## Taken for what?
# Rows are what stands there, columns what was said. A class that is always taken for one other asks for labels of
# both.

# %%
groups = metrics["confusion"]["groups"]
taken = pd.DataFrame(metrics["confusion"]["rows_true_columns_found"], index=groups, columns=groups)
taken[taken.sum(axis=1) > 0]

# %% [markdown]
# ## When does it know?
# The same network, shown only what was there by the end of each month. Beside it each class with its number of
# pixels: what the line on the left is made of.

# %%
months = pd.DataFrame(metrics["by_month"])
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4))
axes[0].plot(months["until"].str[2:7], months["oa"], "o-", color="#3f7d4e", ms=4)
axes[0].axhline(metrics["majority_oa"], color="#b9b2a3", ls="--", lw=1)
axes[0].text(
    len(months) - 1,
    metrics["majority_oa"] - 0.025,
    "always the commonest class",
    fontsize=8,
    color="#7a7368",
    ha="right",
)
axes[0].set_ylabel("accuracy")
axes[0].set_title("shown only what was there by then", fontsize=10)
axes[0].tick_params(axis="x", rotation=45, labelsize=8)
shown = classes[classes["n"] > 0].sort_values("n")
axes[1].barh(shown.index, shown["f1"].astype(float), color="#3f7d4e")
for place, (_, row) in enumerate(shown.iterrows()):
    axes[1].text(float(row["f1"]) + 0.01, place, f"n {int(row['n']):,}", va="center", fontsize=8, color="#7a7368")
axes[1].set_xlim(0, 1.1)
axes[1].set_title("F1 by class", fontsize=10)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
fig.tight_layout()

# %% [markdown]
# ## So
#
# - Believe it for the classes with a long bar and many pixels, from the month on where the line lies well above the
#   dashed one. A class without a bar is told as another crop, however good the accuracy above looks.
# - Few fields make wide intervals: where the better rival lies inside the network's, these labels cannot tell which is
#   better. More fields can, more pixels of the same fields cannot.
# - What the network was not taught it will not learn from this page: `acreline train` teaches it your labels, and land
#   that it never saw then says what that was worth.
