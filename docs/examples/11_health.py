health = al.score_health(looks, seasons)
print(health[["parcel_id", "slot", "health", "vigour"]].head(3))
