"""Benchmarks of speed and quality against other systems; results in docs/speed.md."""
