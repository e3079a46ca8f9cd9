"""Passwords that are easy to guess are refused, and everybody changes their own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from desk_world import PASSWORD, Desk, field

from bot.desk import confirming
from bot.desk.people import audit, auth, users
from bot.desk.people.passwords import is_easy
from bot.desk.web import COOKIE
from bot.errors import BadRequest
from bot.stores.tables import sessions

NEW = "a violet lamp on tuesdays"


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaa",
        "abababababab",
        "abcabcabcabc",
        "1234567890",
        "0987654321",
        "abcdefghijkl",
        "qwertyuiop",
        "poiuytrewq",
        "1q2w3e4r5t6y",
        "password123",
        "Password2026!",
        "p4ssw0rd!!!",
        "passwordpassword",
        "welcomeadmin",
        "changeme2026",
        "summer-2026!",
        "iloveyou!!!",
        "letmein12345",
        "asha.kulkarni",
        "asha.kulkarni1",
        "ASHA.KULKARNI!",
        "31415926535897",
    ],
)
def test_what_anybody_would_try_first_is_easy(password: str) -> None:
    assert is_easy(password, "asha.kulkarni", "Asha")


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        NEW,
        "another long password",
        "tr0ub4dor&3 on ice",
        "xkq7-pw2m-9rtz",
        "हरी खिड़की और चाँद",
        "asha likes green tea",
    ],
)
def test_a_phrase_is_not(password: str) -> None:
    assert not is_easy(password, "asha", "Asha")


def test_a_login_is_no_password(desk: Desk) -> None:
    for login, password in (("neha.sharma", "neha.sharma"), ("neha", "aaaaaaaaaa")):
        with pytest.raises(BadRequest, match="easy to guess"):
            desk.database.call(
                lambda c, name=login, word=password: users.add_user(
                    c, login=name, name="N", role="agent", password=word
                )
            )
    with pytest.raises(BadRequest, match="easy to guess"):
        desk.database.call(lambda c: users.set_password(c, "u-asha", "password123"))


async def _change(desk: Desk, login: str = "asha", **fields: str) -> tuple[int, str, object]:
    browser = await desk.browser(login)
    token = field(await browser.text("/password"), "csrf")
    answer = await browser.client.post(
        "/password", data={"csrf": token, **fields}, allow_redirects=False
    )
    return answer.status, await answer.text(), browser


async def test_everybody_changes_their_own_password(desk: Desk) -> None:
    other = await desk.browser("asha")
    browser = await desk.browser("asha")
    token = field(await browser.text("/password"), "csrf")
    fields = {"csrf": token, "current": PASSWORD, "password": NEW, "again": NEW}
    answer = await browser.client.post("/password", data=fields, allow_redirects=False)
    assert answer.status == 303
    assert COOKIE in answer.cookies
    assert (await browser.client.get("/inbox/mine")).status == 200, "they stay logged in here"
    assert (await other.client.get("/inbox/mine", allow_redirects=False)).status == 303
    assert await auth.log_in(desk.database, "asha", NEW) is not None
    assert await auth.log_in(desk.database, "ravi", PASSWORD) is not None
    lines = [row["action"] for row in desk.database.call(audit.latest)]
    assert "user.own_password" in lines


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"current": "wrong password", "password": NEW, "again": NEW}, 403),
        ({"current": PASSWORD, "password": NEW, "again": NEW + "x"}, 400),
        ({"current": PASSWORD, "password": "short", "again": "short"}, 400),
        ({"current": PASSWORD, "password": "password123", "again": "password123"}, 400),
        ({}, 403),
    ],
)
async def test_a_change_that_is_refused_changes_nothing(
    desk: Desk, fields: dict[str, str], status: int
) -> None:
    answered, html, _ = await _change(desk, **fields)
    assert answered == status
    assert 'role="alert"' in html
    assert await auth.log_in(desk.database, "asha", PASSWORD) is not None
    assert desk.database.call(lambda c: c.execute(sa.select(sessions.c.digest)).first())


async def test_guessing_at_somebodys_open_desk_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "MOST_ATTEMPTS", 2)
    wrong = {"current": "wrong password", "password": NEW, "again": NEW}
    answers = [(await _change(desk, **wrong))[0] for _ in range(3)]
    assert answers == [403, 403, 429]
    assert (await _change(desk, "ravi", **wrong))[0] == 403
