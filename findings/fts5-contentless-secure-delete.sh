#!/usr/bin/env bash
# Surprise: FTS5 takes the option secure-delete for a contentless table with contentless_delete=1,
#   remembers it, and does nothing: the words of a deleted row stay in the index, though no search
#   finds them any more. For an ordinary FTS5 table the same option takes them out at once.
#   PRAGMA secure_delete does not help, since the index still holds them as data of its own.
# Versions: apsw 3.54.1.0 (SQLite 3.54.1); Python 3.11.7 and 3.13.0
# Seen: 2026-11-28, the output below
# Therefore: after an erasure, INSERT INTO index(index) VALUES ('optimize'), then VACUUM.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet apsw==3.54.1.0
cd "$work"

cat >look.py <<'PYTHON'
import apsw

print("SQLite", apsw.sqlite_lib_version())


def look(what, options):
    base = apsw.Connection(":memory:")
    base.execute("PRAGMA secure_delete = ON")
    base.execute(f"CREATE VIRTUAL TABLE search USING fts5(text{options}, tokenize='unicode61')")
    base.execute("INSERT INTO search (search, rank) VALUES ('secure-delete', 1)")
    for row, text in enumerate(("my order", "a secret", "other words"), 1):
        base.execute("INSERT INTO search (rowid, text) VALUES (?, ?)", (row, text))
    base.execute("DELETE FROM search WHERE rowid = 2")

    def state():
        found = base.execute("SELECT count(*) FROM search WHERE search MATCH 'secret'").get
        blocks = base.execute("SELECT block FROM search_data")
        kept = any(b"secret" in (block or b"") for (block,) in blocks)
        return f"found {found}, in the index {'yes' if kept else 'no'}"

    option = base.execute("SELECT v FROM search_config WHERE k = 'secure-delete'").get
    print(f"{what}, secure-delete {option}: {state()}")
    base.execute("INSERT INTO search (search) VALUES ('optimize')")
    print(f"{what}, after optimize: {state()}")


look("ordinary", "")
look("contentless", ", content='', contentless_delete=1")
PYTHON
venv/bin/python look.py >seen

diff -u - seen <<'SEEN'
SQLite 3.54.1
ordinary, secure-delete 1: found 0, in the index no
ordinary, after optimize: found 0, in the index no
contentless, secure-delete 1: found 0, in the index yes
contentless, after optimize: found 0, in the index no
SEEN
echo "as seen"
