judged = al.judge_parcels(parcels, looks, seasons, {}, region.evidence, as_of=plan.as_of)
applicants = al.read_applicants(region.applicants)
farms = al.gather_farms(judged, looks, seasons, health, events, growth, plan.crops, applicants)
for farm in farms[:3]:
    print(farm.farm_id, farm.status, farm.main_crop, round(farm.planted_m2.mid), "m2 planted", farm.flags)
