part = al.take_looks(cube, maps, blocks[0])
looks = al.merge_looks([part])  # of all blocks; what comes after reads no pixel
print(looks.passes[["parcel_id", "time", "n_clear", "sum_ndvi"]].tail(2))
