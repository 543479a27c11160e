calibration = plan.model.calibration(simulated=scenes.simulated)
seasons = al.describe_seasons(looks, plan.crops, calibration, region.season, as_of=plan.as_of, weather=weather)
print(seasons[["parcel_id", "slot", "crop", "crop_confidence", "stage", "code"]].head(4))
