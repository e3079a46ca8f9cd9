"""Samvad: multilingual customer service by chatbot; docs/architecture.md draws the flow."""
