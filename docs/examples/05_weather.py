weather = al.read_weather(region.weather, as_of=plan.as_of)
print(None if weather is None else weather.daily.head(3))
