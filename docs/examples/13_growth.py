growth = al.measure_growth(looks, seasons, plan.crops, weather)
print(growth[["parcel_id", "slot", "index_ratio", "index_error", "code"]].head(3))
