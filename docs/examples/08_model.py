from pathlib import Path

model = al.load_model("acrenet-s")
maps = al.segment_cube(cube, model, blocks[0], season=region.season)
print(maps)

labels = Path("data/flanders-2018/labels/labels.tif")
metrics, truth = al.evaluate_model(model, cube, blocks[0], labels, season=region.season)
print(sorted(metrics))
