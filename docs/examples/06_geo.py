parcels = al.place_parcels(parcels, scenes)
blocks = al.split_blocks(parcels, scenes, region.block_px)
print(parcels["status"].value_counts().to_dict())
print(blocks[0].block_id, len(blocks[0].coverage.parcel_ids), "parcels")
