#!/usr/bin/env bash
# Surprise: the second Sanic application that is started in a process ends with KeyError, though it
#   has another name and another port. At the first start Sanic compiles some of its own methods anew
#   from their source ("touch up"); at the second it asks for the source of what it has compiled, and
#   gets other lines. A test suite that starts a server for each test passes with one test and fails
#   with two.
# Versions: sanic 25.12.1; Python 3.11.7 and 3.13.0 (22.6.2 does the same)
# Seen: 2026-11-28, the output below
# Therefore: app.config.TOUCHUP = False where a process starts more than one.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet sanic==25.12.1
cd "$work"

cat >look.py <<'PYTHON'
import asyncio
import socket
import sys

from sanic import Sanic
from sanic.response import text


async def status(name, **config):
    app = Sanic(name, configure_logging=False)
    app.config.update(config)

    @app.get("/")
    async def root(request):
        return text("hello")

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = await app.create_server(sock=listening, return_asyncio_server=True)
        await server.startup()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        server.close()
        await server.wait_closed()
        return answer.split()[1].decode()


async def main(config):
    for name in ("first", "second"):
        try:
            print(f"{name}:", await status(name, **config))
        except KeyError:
            print(f"{name}: KeyError")


asyncio.run(main({"TOUCHUP": False} if "off" in sys.argv else {}))
PYTHON
{ echo "as it comes"; venv/bin/python look.py; echo "TOUCHUP off"; venv/bin/python look.py off; } >seen

diff -u - seen <<'SEEN'
as it comes
first: 200
second: KeyError
TOUCHUP off
first: 200
second: 200
SEEN
echo "as seen"
