cube = al.load_cube(scenes, blocks[0], plan.provider.read)
print(dict(cube.sizes))
field = parcels.sort_values("area_m2").iloc[-1]
print(dict(al.clip_cube(cube, field.geometry).sizes))
