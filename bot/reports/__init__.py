"""Reports for supervisors, computed from events."""
