import acreline as al

region = al.read_region("configs/regions/flanders-2018.yaml", {"block_px": 256})
print(region.name, region.season.start, region.season.end, region.policy, region.block_px)
