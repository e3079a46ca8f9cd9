"""Restoration of a Sanic function that `rasa shell` needs and Sanic 22.6 removed.

Rasa 3.6's REST channel, through which the shell talks, answers with `sanic.response.stream`; that
function was removed in favour of `ResponseStream`, a class that takes the same arguments:
https://sanic.dev/en/guide/release-notes/2022/v22.6.html
"""

from __future__ import annotations

import sanic.response

from bot.dialogue import late


def restore() -> None:
    """Put the function's successor under its old name; an engine has no shell, nor loads Sanic."""
    if not late.is_late(sanic.response) and not hasattr(sanic.response, "stream"):
        sanic.response.stream = sanic.response.ResponseStream  # type: ignore[attr-defined]
