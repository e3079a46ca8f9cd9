"""Who gets a waiting conversation: teams, working hours, matching, service levels."""
