"""Service levels: what is promised to whom."""
