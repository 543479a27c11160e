farms = al.estimate_yields(farms, plan.crops)
for farm in farms[:3]:
    print(farm.farm_id, farm.value, farm.currency)
