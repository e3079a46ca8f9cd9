"""Reports: what managers steer by, read from events and facts."""
