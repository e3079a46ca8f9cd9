"""Samvad: multilingual customer service by chatbot; docs/architecture.md draws the flow."""

import zoneinfo

# Opening hours follow the locked package `tzdata`: a system's own files may be years older, and
# Python would prefer them.
zoneinfo.reset_tzpath(to=())
