plan = al.plan_run(region)  # policy, crops, detectors and model are read and checked before the first pixel
print(plan.as_of, plan.policy.id, plan.model.card.name, plan.model.card.version)
print(", ".join(sorted(plan.crops)))
