"""Speed against named peers, each part one command; results in docs/speed.md."""
