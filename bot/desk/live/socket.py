"""WebSocket handler of a page.

From the page: `look` {conversation, known: {item: digest}}, `list` {rows: ids of the list's rows,
more: they come beside those of the frames before}, `typing` {kind: `reply` or `note`}.
To the page: `hello` {assets, online}, `rows`, `thread`, `people`, `online`, `resync`
(docs/desk.md says what they carry).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from aiohttp import WSMsgType, web

from bot.desk import app_keys
from bot.desk.live.hub import RESYNC, Hub
from bot.desk.live.seats import LOST, Seat
from bot.desk.web import check_origin, session_of, texts_of
from bot.errors import StoreUnavailable
from bot.routing import presence

MOST_FRAME_BYTES = 32768
PING_S = 20.0
SEND_S = 10.0
"""For one frame; a page that takes nothing for so long is gone."""


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Serve one page until it leaves, lags too far behind or the desk stops."""
    check_origin(request, required=True)
    session, hub = session_of(request), request.app[app_keys.HUB]
    # Compression costs a millisecond and 256 KB a page; a frame is a few kilobytes at most.
    ws = web.WebSocketResponse(heartbeat=PING_S, max_msg_size=MOST_FRAME_BYTES, compress=False)
    await ws.prepare(request)
    async with hub.seated(session, texts_of(request)) as seat:
        online = await presence.count_online(request.app[app_keys.REDIS])
        hello = {"type": "hello", "assets": request.app[app_keys.ASSETS], "online": online}
        seat.put(json.dumps(hello))
        writer = asyncio.create_task(_write(request, ws, seat))
        try:
            async for frame in ws:
                if frame.type != WSMsgType.TEXT:
                    continue
                with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                    await _take(hub, seat, json.loads(frame.data))
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
    return ws


async def _take(hub: Hub, seat: Seat, frame: dict[str, Any]) -> None:
    # Pages send what their user does, and nothing by themselves.
    await hub.active(seat)
    if frame["type"] == "look":
        sent_versions = {
            str(k)[:128]: str(v)[:32] for k, v in dict(frame.get("known") or {}).items()
        }
        try:
            await hub.look(seat, str(frame.get("conversation") or "")[:64], sent_versions)
        except StoreUnavailable:
            seat.put(RESYNC)
    elif frame["type"] == "list":
        rows = [str(id_)[:64] for id_ in list(frame["rows"])]
        hub.listed(seat, rows, more=bool(frame.get("more")))
    elif frame["type"] == "typing":
        await hub.typing(seat, str(frame.get("kind", "")))


async def _write(request: web.Request, ws: web.WebSocketResponse, seat: Seat) -> None:
    try:
        while (frame := await seat.frames.get()) != LOST:
            async with asyncio.timeout(SEND_S):
                await ws.send_str(frame)
        await ws.close(code=1012, message=b"fetch again")
    except ConnectionError:
        pass  # The page is gone; its reader notices too.
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
