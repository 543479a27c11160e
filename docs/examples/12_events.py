events = al.detect_events(looks, seasons, health, region.events, weather)
print(len(events), "events; detectors:", ", ".join(region.events))
