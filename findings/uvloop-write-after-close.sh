#!/usr/bin/env bash
# Surprise: writing on a stream that was closed is ignored by asyncio's own loop and raises a
#   RuntimeError under uvloop. Code that leans on the first (a driver whose connection another task
#   has closed) turns from "connection lost", which its callers handle, into an error that none of
#   them expects, when somebody makes the process faster.
# Versions: uvloop 0.23.0; Python 3.11.7 and 3.13.0
# Seen: 2026-11-28, the output below
# Therefore: where a connection is shared, take this RuntimeError for "the other side is away".
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet uvloop==0.23.0
cd "$work"

cat >look.py <<'PYTHON'
import asyncio

import uvloop


async def write_after_close():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    try:
        writer.write(b"late")
    except RuntimeError as error:
        return "RuntimeError, " + str(error).partition("; ")[2]
    finally:
        server.close()
    return "nothing raised"


print("asyncio:", asyncio.run(write_after_close()))
print("uvloop:", uvloop.run(write_after_close()))
PYTHON
venv/bin/python look.py >seen

diff -u - seen <<'SEEN'
asyncio: nothing raised
uvloop: RuntimeError, the handler is closed
SEEN
echo "as seen"
