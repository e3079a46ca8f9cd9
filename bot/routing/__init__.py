"""Routing: teams, working hours, presence, the queue, matching, service levels."""
