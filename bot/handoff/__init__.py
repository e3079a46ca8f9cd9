"""Handoff: agents' actions on conversations, routing to agents, snoozing, notices to customers."""
