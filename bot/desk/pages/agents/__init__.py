"""Agents' part in routing: capacity and languages."""
