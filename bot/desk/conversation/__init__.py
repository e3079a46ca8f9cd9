"""One conversation at the desk: its thread, side panel and agents' actions."""
