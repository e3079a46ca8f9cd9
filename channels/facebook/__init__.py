"""Facebook Messenger: receiving, sending and setting up; docs/facebook.md."""
