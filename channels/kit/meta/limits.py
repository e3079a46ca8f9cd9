"""Limits that hold for several of Meta's platforms."""

from __future__ import annotations

from channels.kit.limits import Rule

PLATFORM = "developers.facebook.com/documentation/business-messaging/messenger-platform"
_SEND = f"{PLATFORM}/send-messages"

WINDOW = Rule("window", 24 * 3600, "seconds", _SEND)
# Tag HUMAN_AGENT: people only, and the app needs the review for it.
HUMAN_AGENT_WINDOW = Rule("human agent window", 7 * 86400, "seconds", _SEND)
