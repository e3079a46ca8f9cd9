#!/usr/bin/env bash
# Surprise: of an index of a partitioned table, PostgreSQL's pg_get_indexdef (and so pg_indexes) does
#   not give the statement that made it: it puts ONLY before the table. Run again, that makes an
#   index of the parent alone, which holds nothing, is marked invalid and never used; no error, no
#   warning, and it is listed like the one before.
# Versions: PostgreSQL 16.2 from the wheel pgserver 0.1.4; Python 3.11.7 and 3.13.0
# Seen: 2026-11-28, the output below
# Therefore: take " ON ONLY " for " ON " before an index is made again from its definition.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The wheel's programs are used by themselves: its Python part adds an account to the system where
# it is called by root. They run with any Python, though the wheel is for some only.
python3 -m pip install --quiet --root-user-action=ignore --target "$work/wheel" --no-deps \
    --only-binary=:all: --python-version 3.11 pgserver==0.1.4
cd "$work"

cat >look.py <<'PYTHON'
import os
import pathlib
import pwd
import subprocess
import time

HERE = pathlib.Path.cwd()
PROGRAMS = HERE / "wheel" / "pgserver" / "pginstall" / "bin"
# PostgreSQL refuses to run as root.
account = {"user": pwd.getpwnam("nobody").pw_uid} if os.getuid() == 0 else {}
(HERE / "server").mkdir()
HERE.chmod(0o755)
if account:
    os.chown(HERE / "server", account["user"], -1)


def run(program, *options):
    command = [PROGRAMS / program, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd="server", **account)
    return done.stdout.strip() if done.returncode == 0 else None


def ask(statements):
    given = ["-h", HERE / "server", "-U", "me", "-d", "postgres", "-qtA", "-v", "ON_ERROR_STOP=1"]
    return run("psql", *given, "-c", statements)


DEFINITION = "SELECT indexdef FROM pg_indexes WHERE indexname = 'by_time'"
PLAN = "SET enable_seqscan = off; EXPLAIN (COSTS off) SELECT * FROM messages WHERE at = 3"


def look(what):
    valid = ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_time'::regclass")
    used = "used" if "Index Scan" in (ask(PLAN) or "") else "not used"
    print(f"{what}: valid {valid}, {used}")


run("initdb", "-D", "data", "-U", "me", "-A", "trust", "-N")
command = [PROGRAMS / "postgres", "-D", "data", "-k", HERE / "server", "-h", ""]
with open("log", "w") as log:
    server = subprocess.Popen(command, cwd="server", stdout=log, stderr=log, **account)
try:
    while ask("SELECT 1") != "1":
        assert server.poll() is None, pathlib.Path("log").read_text()
        time.sleep(0.1)
    print(ask("SHOW server_version"))
    ask(
        "CREATE TABLE messages (at int, text text) PARTITION BY RANGE (at);"
        "CREATE TABLE july PARTITION OF messages FOR VALUES FROM (0) TO (10);"
        "INSERT INTO messages SELECT i % 10, 'नमस्ते' FROM generate_series(1, 1000) i;"
        "CREATE INDEX by_time ON messages (at)"
    )
    look("CREATE INDEX by_time ON messages (at)")
    definition = ask(DEFINITION)
    print(definition)
    ask(f"DROP INDEX by_time; {definition}")
    look("made again from its definition")
    ask(f"DROP INDEX by_time; {definition.replace(' ON ONLY ', ' ON ')}")
    look("made again without ONLY")
finally:
    server.terminate()
    server.wait()
PYTHON
python3 look.py >seen

diff -u - seen <<'SEEN'
16.2
CREATE INDEX by_time ON messages (at): valid t, used
CREATE INDEX by_time ON ONLY public.messages USING btree (at)
made again from its definition: valid f, not used
made again without ONLY: valid t, used
SEEN
echo "as seen"
