result = al.run_region(region, al.Store(Path("runs/flanders-2018")))  # the river above, resumable, published whole
print(result.published, len(result.decisions), "decisions;", len(result.kept_blocks), "blocks kept")
