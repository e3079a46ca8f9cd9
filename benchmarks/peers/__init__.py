"""Other language detectors, each run in its own process."""
