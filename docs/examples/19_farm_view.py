view = al.farm("runs/flanders-2018", "F-004")
print(view.facts.main_crop, view.facts.planted_m2, view.facts.flags)
print(view.curve(view.measured_ids[0]).tail(2))
view.plot()  # chips of clear days above the curve of the season
