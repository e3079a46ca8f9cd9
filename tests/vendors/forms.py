"""Calls as vendors read them: JSON, or a form with a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class SentFile:
    """A file that came with a call."""

    field: str
    name: str
    type: str
    content: bytes


async def read_call(request: web.Request) -> tuple[dict[str, Any], SentFile | None]:
    """Return the parameters, and the file if there is one."""
    if request.content_type != "multipart/form-data":
        return (await request.json() if request.body_exists else {}), None
    body: dict[str, Any] = {}
    file = None
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            file = SentFile(name, value.filename, value.content_type, value.file.read())
        else:
            body[name] = _value(str(value))
    return body, file


def _value(text: str) -> Any:
    """Both vendors take JSON in a form's fields, and plain words."""
    try:
        return json.loads(text)
    except ValueError:
        return text
