"""A page of the desk is one folder and one row; what the pages share knows none of them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_world import Desk

from bot.desk import rendering
from bot.desk.menu import Place
from bot.desk.pages.registry import MENU, PAGES
from bot.desk.people.users import Role, User
from bot.desk.texts import Catalogue

DESK = Path(rendering.__file__).parent
FOLDERS = sorted(path.parent for path in DESK.glob("pages/*/__init__.py"))
APP = DESK / "app.py"
_TEMPLATE = re.compile(r"\"((?:[\w]+/)*_?[\w]+\.html)\"")


def imported(path: Path) -> Iterator[str]:
    """Names that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign(path: Path, page: str) -> list[str]:
    """What a file takes from pages other than its own."""
    names = list(imported(path)) if path.suffix == ".py" else []
    return [
        f"{path.relative_to(DESK)} takes {name}"
        for name in [*names, *_TEMPLATE.findall(path.read_text("utf-8"))]
        if (found := re.match(r"(?:bot\.desk\.)?pages[./](\w+)", name)) and found[1] != page
    ]


def test_every_folder_has_its_row_and_every_row_its_folder() -> None:
    assert sorted(page.name for page in PAGES) == [folder.name for folder in FOLDERS]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_a_page_has_views_and_shows_every_template_beside_them(folder: Path) -> None:
    assert (folder / "template.html").is_file()
    files = [path for path in folder.iterdir() if path.suffix in {".py", ".html"}]
    shown = {name for path in files for name in _TEMPLATE.findall(path.read_text("utf-8"))}
    beside = {str(path.relative_to(DESK)) for path in folder.glob("*.html")}
    assert beside - shown == set()


def test_no_template_is_named_that_there_is_not() -> None:
    named = {
        name
        for path in [*DESK.rglob("*.py"), *DESK.rglob("*.html")]
        for name in _TEMPLATE.findall(path.read_text("utf-8"))
    }
    assert len(named) > 20
    missing = [
        name
        for name in named
        if not (DESK / name).is_file() and not (DESK / "templates" / name).is_file()
    ]
    assert missing == []


def test_what_pages_share_takes_nothing_of_a_page() -> None:
    shared = [
        path
        for path in [*DESK.rglob("*.py"), *DESK.rglob("*.html")]
        if "pages" not in path.relative_to(DESK).parts and path != APP
    ]
    assert len(shared) > 40
    assert [found for path in shared for found in foreign(path, "")] == []
    assert foreign(APP, "registry") == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_a_page_takes_nothing_of_another(folder: Path) -> None:
    files = [path for path in folder.iterdir() if path.suffix in {".py", ".html"}]
    assert [found for path in files for found in foreign(path, folder.name)] == []


def test_no_two_pages_answer_one_address() -> None:
    addresses = [(route.method, route.path) for page in PAGES for route in page.routes]
    assert len(addresses) > 50
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("place", MENU, ids=lambda place: str(place.address))
def test_an_entry_of_the_menu_has_its_text_and_its_drawing(place: Place) -> None:
    assert Catalogue.load().of("en").has(place.text)
    icons = (DESK / "templates" / "_icons.html").read_text("utf-8")
    assert f'name == "{place.icon}"' in icons


@pytest.mark.parametrize(("login", "role"), [("asha", Role.AGENT), ("boss", Role.ADMIN)])
async def test_the_menu_leads_to_pages_that_open(desk: Desk, login: str, role: Role) -> None:
    """Nobody is shown an entry that refuses them, and each shows where one is."""
    browser = await desk.browser(login)
    user = User("u", login, login, role, (), "", False, 0.0, 0.0)
    inbox = await browser.text("/inbox/waiting")
    for place in MENU:
        shown = f'<a href="{place.address}" title=' in inbox
        assert shown == place.open_to(user)
        response = await browser.client.get(place.address)
        assert (response.status == 200) == shown, place.address
        if shown:
            entry = re.search(
                rf'<a href="{place.address}" title="[^"]+" (\S*?)>', await response.text()
            )
            assert entry
            assert entry[1] == 'aria-current="page"'


def test_a_page_below_an_entry_belongs_to_it() -> None:
    teams = Place("/teams", "nav.teams", "team", Role.ADMIN)
    assert teams.holds("/teams")
    assert teams.holds("/teams/t-1")
    assert not teams.holds("/teams-of-mine")
    assert not teams.holds("/")
    assert Place("/inbox/waiting", "nav.inbox", "inbox").holds("/inbox/mine/webchat-1")


@pytest.mark.parametrize(
    ("least", "shown"),
    [(Role.AGENT, [1, 1, 1]), (Role.SUPERVISOR, [0, 1, 1]), (Role.ADMIN, [0, 0, 1])],
)
def test_an_entry_is_for_its_role_and_those_above(least: Role, shown: list[int]) -> None:
    place = Place("/teams", "nav.teams", "team", least)
    users = [User("u", "u", "U", role, (), "", False, 0.0, 0.0) for role in Role]
    assert [place.open_to(user) for user in users] == [bool(one) for one in shown]
