"""The overview of supervisors: the whole desk at a glance."""
