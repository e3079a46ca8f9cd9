"""FAQ entries as numbered versions: load, validate, publish, serve."""
