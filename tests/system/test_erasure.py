"""Erasing a customer of a running system: their words are in none of its files afterwards."""

from __future__ import annotations

from pathlib import Path

import redis
from running import System, Visitor, call, until

WORDS = ("Quittenmarder", "लकड़सुँघवा")
TEXTS = (
    f"where is my order {WORDS[0]}?",
    f"{WORDS[1]} कहाँ है",
    f"{WORDS[0]} {WORDS[1]} flibber",
    "I want to talk to a person",
    f"hello? {WORDS[0]}",
)


def _files_with(folder: Path, *words: str) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words)
    }


def test_nothing_of_them_is_left_in_any_file(system: System) -> None:
    who = "customer-wxq-90417"
    for text in TEXTS:
        system.rest(who, text)
    until(
        lambda: len(system.sql("select 1 from messages where text like ?", f"%{WORDS[0]}%")) >= 3,
        within_s=20,
        what="the messages in SQL",
    )
    until(system.drained, within_s=20, what="nothing under way")
    said = _files_with(system.state_dir, *WORDS)
    assert any(name.startswith("samvad.sqlite3") for name in said), said
    assert any(name.startswith("redis/") for name in said), said
    exported = system.run("customer", "export", f"rest:{who}")
    assert WORDS[1] in exported.stdout, exported.stderr
    (conversation,) = {
        row[0] for row in system.sql("select id from conversations where vendor_user = ?", who)
    }

    erased = system.run("customer", "erase", f"rest:{who}")
    assert erased.returncode == 0, erased.stderr

    def gone() -> bool:
        # The server unlinks the log before the last in the background.
        assert _files_with(system.state_dir, *WORDS, who) == set()
        return True

    until(gone, within_s=60, what="no file with their words")
    # Logs name conversations; what the name stood for is kept nowhere.
    named = _files_with(system.state_dir, conversation)
    assert all(name.startswith("logs/") for name in named), named
    socket = system.state_dir / "redis" / "valkey.sock"
    if socket.exists():
        with redis.Redis(unix_socket_path=str(socket), decode_responses=True) as client:
            assert [key for key in client.scan_iter() if conversation in key] == []

    assert system.rest(who, "where is my order"), "a customer who writes again is answered"
    assert system.run("customer", "export", f"rest:{who}").returncode == 0


def test_nothing_of_their_files_is_left(system: System, tmp_path: Path) -> None:
    word, name = "Zwetschgenkobold", "Dingelbrod"
    visitor = Visitor(system)
    sent = call(
        "POST",
        f"{system.ingress}/webhooks/webchat/upload",
        f"my {word}\n".encode(),
        headers={**visitor.headers, "Content-Type": "text/plain", "X-File-Name": f"{name}.txt"},
    )
    assert sent.status == 201, sent.content
    visitor.send(attachments=[sent.json["id"]])  # type: ignore[arg-type]
    visitor.wait(2)
    until(
        lambda: system.sql("select 1 from files where id = ? and message <> ''", sent.json["id"]),
        within_s=20,
        what="the file joins its message",
    )
    assert any(found.startswith("files/") for found in _files_with(system.state_dir, word))
    assert _files_with(system.state_dir, name)
    exported = system.run("customer", "export", visitor.conversation, "--files", str(tmp_path))
    assert name in exported.stdout, exported.stderr
    (copy,) = tmp_path.iterdir()
    assert word in copy.read_text()

    erased = system.run("customer", "erase", visitor.conversation)
    assert erased.returncode == 0, erased.stderr
    assert _files_with(system.state_dir, word, name) == set()
    assert visitor.get(f"files/{sent.json['id']}").status == 401, "their sessions have ended"
    assert system.sql("select 1 from files where id = ?", sent.json["id"]) == []
