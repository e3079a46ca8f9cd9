"""Teams: who they are chosen for, who is in them, when they work."""
