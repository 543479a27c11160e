scenes = al.search_scenes(parcels, region.season, plan.provider, as_of=plan.as_of)
print(len(scenes.items), "scenes,", len(scenes.set_aside), "set aside:", scenes.set_aside[0].reason)
print(dict(scenes.completeness))
