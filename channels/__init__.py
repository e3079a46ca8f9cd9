"""The ways in and out: ingress, inbox, outbox and one folder a channel."""
