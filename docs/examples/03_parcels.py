parcels = al.read_parcels(region.parcels)
print(parcels[["parcel_id", "farm_id", "declared_crop", "area_m2", "status"]].head(3))
