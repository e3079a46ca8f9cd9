"""Other language detectors, each run in a process of its own."""
