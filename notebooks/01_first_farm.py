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
# # A first farm, by hand
#
# The batch command and this notebook call the same functions. We take the packaged real region (West Flanders, 2018,
# 118 Sentinel-2 acquisitions), look at one field, and follow one farm to its limit.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import acreline as al
from acreline.cubes import reflectance
from acreline.seasons import judged_only, without_guesses

repo = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "configs").is_dir())
region = al.read_region(repo / "configs" / "regions" / "flanders-2018.yaml")
plan = al.plan_run(region)
plan.as_of

# %% [markdown]
# ## Parcels and scenes
# Every row of the farm file is kept with a status; every scene found is used or set aside with a reason.

# %%
parcels = al.read_parcels(region.parcels)
scenes = al.search_scenes(parcels, region.season, plan.provider, as_of=plan.as_of)
parcels = al.place_parcels(parcels, scenes)
print(dict(scenes.completeness))
parcels[["farm_id", "parcel_id", "declared_crop", "area_m2", "status", "reason"]]

# %% [markdown]
# ## One block of pixels
# A cube holds numbers v with reflectance = 0.0001 v - 0.1 for every pass, 0 where there is no data.

# %%
blocks = al.split_blocks(parcels, scenes, region.block_px)
cube = al.load_cube(scenes, blocks[0], plan.provider.read)
cube

# %%
clearest = int(cube["clear"].mean(("y", "x")).argmax("time"))
picture = reflectance(cube.isel(time=[clearest]), ["B04", "B03", "B02"]).isel(time=0)
inside = np.isfinite(picture).all("band")
rows, cols = np.where(inside.any("x"))[0], np.where(inside.any("y"))[0]
picture = picture.isel(y=slice(rows[0], rows[-1] + 1), x=slice(cols[0], cols[-1] + 1))
fig, ax = plt.subplots(figsize=(5, 5))
ax.imshow(np.clip(picture.transpose("y", "x", "band") / 0.2, 0, 1))
ax.set_title(f"clearest pass: {str(cube['time'].values[clearest])[:10]}")
ax.set_axis_off()

# %% [markdown]
# ## One parcel's own cube

# %%
field = parcels.sort_values("area_m2").iloc[-1]
clip = al.clip_cube(cube, field.geometry)
clip

# %% [markdown]
# ## What the network sees, and the looks

# %%
maps = al.segment_cube(cube, plan.model, blocks[0], season=region.season)
looks = al.merge_looks([al.take_looks(cube, maps, blocks[0])])
mine = looks.passes[(looks.passes.parcel_id == field.parcel_id) & (looks.passes.n_clear > 0)]
fig, ax = plt.subplots(figsize=(8, 3))
ax.plot(mine.time, mine.sum_ndvi / mine.n_clear / 1e4, "o-", ms=3)
ax.set_ylabel("NDVI")
ax.set_title(f"{field.parcel_id}: {field.declared_crop} declared")

# %% [markdown]
# ## From parcels to farms to money
# Same order and same weather as in a run (`acreline/run.py`), so the amounts are a run's to the cent.

# %%
weather = al.read_weather(region.weather, as_of=plan.as_of)
promise = plan.model.calibration(simulated=scenes.simulated)  # what the model's card promises for land of this kind
seasons = al.describe_seasons(looks, plan.crops, promise, region.season, as_of=plan.as_of, weather=weather)
parcels = al.judge_parcels(parcels, looks, seasons, {}, region.evidence, as_of=plan.as_of)
judged = judged_only(seasons, parcels)
health = al.score_health(looks, judged)
events = al.detect_events(looks, judged, health, region.events, weather)
growth = al.measure_growth(looks, judged, plan.crops, weather)
seasons = without_guesses(seasons, parcels)
applicants = al.read_applicants(region.applicants)
farms = al.gather_farms(parcels, looks, seasons, health, events, growth, plan.crops, applicants)
farms = al.estimate_yields(farms, plan.crops)
decisions = al.assess_credit(farms, plan.compiled, as_of=plan.as_of)
[(d.farm_id, d.outcome, str(d.limit), d.reasons) for d in decisions]

# %% [markdown]
# The trail of the first automatic limit, step by step.

# %%
first = next(decision for decision in decisions if decision.outcome == "approve")
for step in first.trail:
    print(f"{step.rule:<18} {step.before!s:>12} -> {step.after!s:>12}  {step.text_en}")
assert first.limit is not None
assert first.limit > 0
