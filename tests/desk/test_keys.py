"""Every action has a key, and the help lists every key: compared as the files stand."""

import re
from pathlib import Path

DESK = Path("bot/desk")
KEYS = (DESK / "static" / "keys.js").read_text("utf-8")
HELP = (DESK / "pages" / "inbox" / "_dialogs.html").read_text("utf-8")
PAGE_INBOX = {"1", "2", "3", "Enter", "Shift", "Esc", "Alt", "/", "@"}
"""Keys of the text field and of suggestions, which are no entries of the table."""


def _table() -> dict[str, str]:
    """Key → what it does, from the table in `keys.js`."""
    body = KEYS.split("const keys = {", 1)[1].split("\n  };", 1)[0]
    return dict(
        re.findall(r'^    "?([^\s":]+)"?: \(\) => (.+?)(?=\n    \S+: \(\)|\Z)', body, re.S | re.M)
    )


def _shown() -> set[str]:
    part = HELP.split('<dl class="keys">', 1)[1].split("</dl>", 1)[0]
    return set(re.findall(r"<kbd>([^<]+)</kbd>", part))


def test_the_help_lists_every_key_and_no_other() -> None:
    table = set(_table()) - {"?"}
    assert len(table) > 20
    assert _shown() - PAGE_INBOX == table | {"g"}


def test_the_help_names_every_list() -> None:
    views = re.findall(r"(\w): \"\w+\"", KEYS.split("const VIEWS = {", 1)[1].split("}", 1)[0])
    named = re.search(r"<kbd>g</kbd></dt><dd>(.+?)</dd>", HELP)
    assert named
    assert sorted(re.findall(r'tag\("kbd", "(\w)"\)', named[1])) == sorted(views)


def test_every_action_of_a_conversation_has_a_key() -> None:
    """Buttons of the head name what they do; some key must press each."""
    head = (DESK / "conversation" / "_head.html").read_text("utf-8")
    actions = set(re.findall(r'data-(?:action|dialog)="(\w+)"', head))
    pressed = set(re.findall(r'data-(?:action|dialog)="(\w+)"', KEYS))
    assert len(actions) > 10
    assert actions - pressed == set()


def test_every_title_with_a_key_names_the_right_one() -> None:
    """`Claim (c)`: the letter in a title is that of the table."""
    texts = (DESK / "locales" / "en.yml").read_text("utf-8")
    told = dict(re.findall(r'^  (\w+)_title: "[^"]*\((\w)\)"', texts, re.M))
    table = _table()
    for action, key in told.items():
        assert key in table, action
