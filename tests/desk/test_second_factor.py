"""The second factor: switching it on, the code at the login, recovery codes, and what locks."""

from __future__ import annotations

import argparse
import asyncio
import base64
import hmac
import re
import struct
import time
from collections.abc import Awaitable
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient
from desk_world import PASSWORD, Browser, Desk, field

from bot.commands import users as users_command
from bot.desk import app_keys, confirming, tables
from bot.desk.pages.login import views as login_page
from bot.desk.people import audit, auth, halfway, second_factor
from bot.desk.people import users as people
from bot.desk.web import COOKIE
from bot.stores.tables import sessions, users

NOW = 1_700_000_000.0


@pytest.fixture
def desk_database(request: pytest.FixtureRequest) -> str:
    """What must happen once is SQL: on both databases."""
    kind = getattr(request, "param", "sqlite")
    return request.getfixturevalue("postgresql_url") if kind == "postgresql" else ""


on_both = pytest.mark.parametrize("desk_database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REFUSAL_S", 0.0)


def app_code(letters: str, now: float) -> str:
    """What an authenticator app shows: RFC 6238 with SHA-1, written out anew."""
    key = base64.b32decode(letters.replace(" ", ""))
    digest = hmac.digest(key, struct.pack(">Q", int(now) // 30), "sha1")
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def test_the_app_shows_what_the_standard_says() -> None:
    """RFC 6238, appendix B."""
    letters = base64.b32encode(b"12345678901234567890").decode()
    assert [app_code(letters, at) for at in (59, 1111111109, 20000000000)] == [
        "287082",
        "081804",
        "353130",
    ]


def secret_of(desk: Desk, login: str = "boss") -> str:
    secret = desk.server.app[app_keys.SECRET]
    return desk.database.call(
        lambda c: second_factor.address(c, secret, f"u-{login}", login=login, issuer="Shop")[0]
    )


def switch_on(desk: Desk, login: str = "boss") -> list[str]:
    """Give a user a factor whose first code was shown long ago; return the recovery codes."""
    secret = desk.server.app[app_keys.SECRET]

    def work(connection: sa.Connection) -> list[str]:
        second_factor.begin(connection, f"u-{login}", NOW)
        letters, _ = second_factor.address(
            connection, secret, f"u-{login}", login=login, issuer="Shop"
        )
        codes = second_factor.confirm(connection, secret, f"u-{login}", app_code(letters, NOW), NOW)
        assert codes is not None
        return codes

    return desk.database.call(work)


def accept(desk: Desk, code: str, now: float, login: str = "boss") -> str:
    secret = desk.server.app[app_keys.SECRET]
    return desk.database.call(lambda c: second_factor.accept(c, secret, f"u-{login}", code, now))


def client_of(desk: Desk) -> TestClient:
    return TestClient(desk.server, cookie_jar=CookieJar(unsafe=True))


async def password_step(desk: Desk, client: TestClient, password: str = PASSWORD) -> Any:
    token = field(await (await client.get("/login")).text(), "csrf")
    data = {"login": "boss", "password": password, "csrf": token}
    return await client.post("/login", data=data, allow_redirects=False)


async def code_step(client: TestClient, code: str) -> Any:
    shown = await client.get("/login/code")
    token = field(await shown.text(), "csrf")
    data = {"code": code, "csrf": token}
    return await client.post("/login/code", data=data, allow_redirects=False)


# -- codes


@on_both
def test_a_code_is_taken_once(desk: Desk) -> None:
    switch_on(desk)
    letters, later = secret_of(desk), NOW + 300
    code = app_code(letters, later)
    assert accept(desk, code, later) == "app"
    assert accept(desk, code, later) == ""
    assert accept(desk, app_code(letters, later - 30), later) == "", "older than the last one"
    assert accept(desk, app_code(letters, later + 30), later) == "app", "its clock is ahead"


@pytest.mark.parametrize(("off_s", "way"), [(-60, ""), (-30, "app"), (30, "app"), (60, "")])
def test_a_clock_may_be_half_a_minute_off(desk: Desk, off_s: int, way: str) -> None:
    switch_on(desk)
    later = NOW + 300
    assert accept(desk, app_code(secret_of(desk), later + off_s), later) == way


def test_digits_of_every_script_and_spaces_are_read(desk: Desk) -> None:
    switch_on(desk)
    later = NOW + 300
    code = app_code(secret_of(desk), later).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert accept(desk, f" {code[:3]} {code[3:]} ", later) == "app"


@pytest.mark.parametrize(
    "code", ["", " ", "12345", "1234567", "²²²²²²", "abcdef", "-" * 16, "\x00"]
)
def test_what_is_no_code_is_refused(desk: Desk, code: str) -> None:
    switch_on(desk)
    assert accept(desk, code, NOW + 300) == ""


@on_both
def test_a_recovery_code_is_taken_once_and_only_its_digest_is_kept(desk: Desk) -> None:
    codes = switch_on(desk)
    assert len(set(codes)) == 10
    stored = desk.database.call(
        lambda c: list(c.execute(sa.select(tables.recovery_codes.c.digest)).scalars())
    )
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)
    assert accept(desk, codes[3].upper().replace("-", " "), NOW + 300) == "recovery"
    assert accept(desk, codes[3], NOW + 300) == ""
    assert accept(desk, codes[3], NOW + 300, "asha") == ""
    found = desk.database.call(lambda c: second_factor.find(c, "u-boss", NOW))
    assert found is not None
    assert found.codes_left == 9


def test_the_secret_is_in_no_table(desk: Desk) -> None:
    """A copy of the database alone makes no codes."""
    switch_on(desk)
    letters = secret_of(desk)
    [row] = desk.database.call(lambda c: c.execute(sa.select(tables.second_factors)).all())
    key = base64.b32decode(letters)
    assert letters not in str(row)
    assert key.hex() not in str(row)
    other = desk.database.call(
        lambda c: second_factor.address(c, b"x" * 32, "u-boss", login="boss", issuer="Shop")[0]
    )
    assert other != letters


def test_the_key_follows_from_salt_and_secret_as_ever(desk: Desk) -> None:
    """Another derivation would lock everybody out who has a phone set up."""
    salt = "5f2c1e9a7b3d4086a1c4e7f90b2d6385"
    row = {"user_id": "u-nok", "salt": salt, "begun_at": NOW, "last_step": 0}
    desk.database.call(lambda c: c.execute(sa.insert(tables.second_factors).values(**row)))
    letters, _ = desk.database.call(
        lambda c: second_factor.address(c, b"s" * 32, "u-nok", login="nok", issuer="S")
    )
    assert letters == "666RIVS2OPAB4EVDJPHE2JPHX6XP3W5D"


def test_a_secret_that_was_never_confirmed_asks_for_no_code(desk: Desk) -> None:
    desk.database.call(lambda c: second_factor.begin(c, "u-boss", NOW))
    assert not desk.database.call(lambda c: second_factor.is_on(c, "u-boss"))
    assert accept(desk, app_code(secret_of(desk), NOW), NOW) == ""
    late = NOW + second_factor.CONFIRM_WITHIN_S + 1
    assert desk.database.call(lambda c: second_factor.find(c, "u-boss", late)) is None


# -- logging in


async def test_the_password_alone_opens_nothing(desk: Desk) -> None:
    switch_on(desk)
    client = client_of(desk)
    answer = await password_step(desk, client)
    assert (answer.status, answer.headers["Location"]) == (303, "/login/code")
    assert COOKIE not in answer.cookies
    assert (await client.get("/inbox/mine", allow_redirects=False)).headers["Location"] == "/login"
    assert desk.database.call(lambda c: c.execute(sa.select(sessions.c.digest)).first()) is None


@on_both
async def test_password_and_code_open_the_desk(desk: Desk) -> None:
    switch_on(desk)
    client = client_of(desk)
    await password_step(desk, client)
    answer = await code_step(client, app_code(secret_of(desk), time.time()))
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert answer.cookies[COOKIE]["httponly"]
    assert answer.cookies[halfway.COOKIE].value == ""
    assert (await client.get("/inbox/mine")).status == 200
    again = client_of(desk)
    await password_step(desk, again)
    used = app_code(secret_of(desk), time.time() - 30)
    assert (await code_step(again, used)).status == 401


async def test_a_recovery_code_opens_it_too_and_is_audited(desk: Desk) -> None:
    codes = switch_on(desk)
    client = client_of(desk)
    await password_step(desk, client)
    assert (await code_step(client, codes[0])).status == 303
    actions = [row["action"] for row in desk.database.call(audit.latest)]
    assert actions[:2] == ["user.logged_in", "user.recovery_code"]
    assert "recovery code" in await (await client.get("/users")).text()


async def test_who_has_no_second_factor_is_asked_for_none(desk: Desk) -> None:
    switch_on(desk, "asha")
    answer = await password_step(desk, client_of(desk))
    assert answer.headers["Location"] == "/"


async def test_the_page_for_the_code_needs_the_password_first(desk: Desk) -> None:
    switch_on(desk)
    client = client_of(desk)
    shown = await client.get("/login/code", allow_redirects=False)
    assert shown.headers["Location"] == "/login"
    token = field(await (await client.get("/login")).text(), "csrf")
    code = app_code(secret_of(desk), time.time())
    data = {"code": code, "csrf": token}
    answer = await client.post("/login/code", data=data, allow_redirects=False)
    assert answer.status == 200
    assert COOKIE not in answer.cookies
    assert "too old" in await answer.text()


async def test_the_form_of_the_code_has_a_token_of_its_own(desk: Desk) -> None:
    switch_on(desk)
    client = client_of(desk)
    await password_step(desk, client)
    data = {"code": app_code(secret_of(desk), time.time()), "csrf": "x"}
    answer = await client.post("/login/code", data=data, allow_redirects=False)
    assert COOKIE not in answer.cookies
    headers = {"Origin": "https://evil.example"}
    answer = await client.post("/login/code", data=data, headers=headers)
    assert answer.status == 403


def test_the_cookie_between_the_steps_is_for_one_browser_user_and_password(desk: Desk) -> None:
    secret = desk.server.app[app_keys.SECRET]

    def read(cookie: str, browser: str = "here", now: float = NOW) -> object:
        return desk.database.call(lambda c: halfway.read(secret, c, cookie, browser, now))

    cookie = desk.database.call(lambda c: halfway.issue(secret, c, "u-boss", "here", NOW))
    assert read(cookie) == halfway.Halfway("u-boss", "boss")
    assert read(cookie, "elsewhere") is None
    assert read(cookie, "") is None
    assert read(cookie, now=NOW + halfway.LIFE_S) is None
    assert read(cookie.replace("u-boss", "u-asha")) is None
    until = cookie.split(".")[1]
    assert read(cookie.replace(until, str(int(until) + 60))) is None
    for nonsense in ("", ".", "..", "u-boss.x.y", "u-boss.²." + cookie.split(".")[2]):
        assert read(nonsense) is None
    desk.database.call(lambda c: people.set_password(c, "u-boss", "another long password"))
    assert read(cookie) is None


@on_both
async def test_wrong_codes_lock_the_login_as_wrong_passwords_do(desk: Desk) -> None:
    switch_on(desk)
    client = client_of(desk)
    await password_step(desk, client)
    for _ in range(auth.FREE_FAILURES - 1):
        assert (await code_step(client, "000000")).status == 401
        assert (await password_step(desk, client)).status == 303, "it forgives no guess"
    assert (await code_step(client, "000000")).status == 401
    code = app_code(secret_of(desk), time.time())
    assert (await code_step(client, code)).status == 401, "locked"
    assert (await password_step(desk, client_of(desk))).status == 401
    desk.database.call(lambda c: c.execute(sa.update(users).values(locked_until=0.0)))
    assert (await code_step(client, code)).status == 303
    query = sa.select(users.c.failed_logins).where(users.c.login == "boss")
    assert desk.database.call(lambda c: c.execute(query).scalar()) == 0


async def test_wrong_codes_use_up_the_attempts_of_an_address(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_page, "LIMIT_ATTEMPTS", 3)
    monkeypatch.setattr(auth, "FREE_FAILURES", 100)
    switch_on(desk)
    client = client_of(desk)
    await password_step(desk, client)
    answers = [(await code_step(client, "000000")).status for _ in range(4)]
    assert answers == [401, 401, 401, 429]


@on_both
async def test_codes_side_by_side_pass_neither_limit_nor_step(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_page, "LIMIT_ATTEMPTS", 5)
    switch_on(desk)
    client = client_of(desk)
    await password_step(desk, client)
    token = field(await (await client.get("/login/code")).text(), "csrf")
    code = app_code(secret_of(desk), time.time())

    async def attempt() -> int:
        data = {"code": code, "csrf": token}
        return (await client.post("/login/code", data=data, allow_redirects=False)).status

    answers = await asyncio.gather(*(attempt() for _ in range(12)))
    assert answers.count(303) == 1, "one code, one session"
    assert set(answers) <= {303, 401, 429, 200}
    assert len(desk.database.call(lambda c: c.execute(sa.select(sessions.c.digest)).all())) == 1


@on_both
@pytest.mark.parametrize("wrong", ["code", "password"])
async def test_no_more_is_tried_side_by_side_than_one_after_another(desk: Desk, wrong: str) -> None:
    switch_on(desk)
    secret = desk.server.app[app_keys.SECRET]

    def guess() -> Awaitable[object]:
        if wrong == "password":
            return auth.log_in(desk.database, "boss", "wrong password")
        return auth.log_in_by_code(desk.database, secret, "u-boss", "000000")

    with structlog.testing.capture_logs() as told:
        assert await asyncio.gather(*(guess() for _ in range(40))) == [None] * 40
    reasons = [line["reason"] for line in told if line["event"] == "desk.login_failed"]
    assert reasons.count(wrong) == auth.FREE_FAILURES
    assert reasons.count("locked") == 40 - auth.FREE_FAILURES


async def test_a_disabled_user_gets_no_further_than_the_password(desk: Desk) -> None:
    switch_on(desk)
    client = client_of(desk)
    await password_step(desk, client)
    desk.database.call(lambda c: people.set_disabled(c, "u-boss", True))
    code = app_code(secret_of(desk), time.time())
    secret = desk.server.app[app_keys.SECRET]
    assert await auth.log_in_by_code(desk.database, secret, "u-boss", code) is None


# -- one's own page


async def _post(browser: Browser, path: str, **fields: str) -> tuple[int, str]:
    data = {"csrf": browser.csrf, **fields}
    answer = await browser.client.post(f"/second-factor{path}", data=data)
    return answer.status, await answer.text()


async def _set_up(desk: Desk, browser: Browser) -> list[str]:
    """Switch it on as a user does; return the recovery codes on the page."""
    status, html = await _post(browser, "/begin", current=PASSWORD)
    assert status == 200
    found = re.search(r'<code dir="ltr">([A-Z2-7 ]+)</code>', html)
    assert found is not None
    assert found[1].replace(" ", "") == secret_of(desk)
    status, html = await _post(browser, "/confirm", code=app_code(found[1], time.time()))
    assert status == 200
    return re.findall(r"<li><code>([a-z0-9-]+)</code></li>", html)


async def test_a_user_switches_it_on(desk: Desk) -> None:
    other, browser = await desk.browser("boss"), await desk.browser("boss")
    codes = await _set_up(desk, browser)
    assert len(codes) == 10
    html = await browser.text("/second-factor")
    assert "Recovery codes left: 10" in html
    assert not any(code in html for code in codes), "shown once"
    assert secret_of(desk) not in html.replace(" ", "")
    assert (await other.client.get("/inbox/mine", allow_redirects=False)).status == 303
    assert accept(desk, codes[0], time.time()) == "recovery"
    assert "user.factor_on" in [row["action"] for row in desk.database.call(audit.latest)]


async def test_the_picture_says_what_the_letters_say(desk: Desk) -> None:
    browser = await desk.browser("boss")
    _, html = await _post(browser, "/begin", current=PASSWORD)
    secret = desk.server.app[app_keys.SECRET]
    _, address = desk.database.call(
        lambda c: second_factor.address(c, secret, "u-boss", login="boss", issuer="Shop & Söhne")
    )
    assert address.startswith("otpauth://totp/Shop%20%26%20S%C3%B6hne:boss?secret=")
    assert html.count("<svg") >= 1
    svg = html[html.index('class="qr"') :]
    svg = svg[svg.index("<svg") : svg.index("</svg>")]
    assert "style=" not in svg, "the page's policy takes no inline style"
    assert "<path" in svg


async def test_it_takes_the_password_to_begin(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirming, "MOST_ATTEMPTS", 2)
    browser = await desk.browser("boss")
    answers = [(await _post(browser, "/begin", current="wrong password"))[0] for _ in range(3)]
    assert answers == [403, 403, 429]
    assert desk.database.call(lambda c: second_factor.find(c, "u-boss", time.time())) is None


async def test_a_wrong_first_code_leaves_it_off(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "MOST_ATTEMPTS", 3)
    browser = await desk.browser("boss")
    await _post(browser, "/begin", current=PASSWORD)
    answers = [await _post(browser, "/confirm", code="000000") for _ in range(3)]
    assert [status for status, _ in answers] == [403, 403, 429]
    assert 'role="alert"' in answers[0][1]
    assert not desk.database.call(lambda c: second_factor.is_on(c, "u-boss"))


async def test_beginning_again_replaces_none_that_is_on(desk: Desk) -> None:
    switch_on(desk)
    before = secret_of(desk)
    browser = await desk.browser("boss")
    assert (await _post(browser, "/begin", current=PASSWORD))[0] == 200
    assert secret_of(desk) == before
    assert desk.database.call(lambda c: second_factor.is_on(c, "u-boss"))


@pytest.mark.parametrize("path", ["/codes", "/off"])
async def test_an_open_desk_alone_changes_nothing(desk: Desk, path: str) -> None:
    codes = switch_on(desk)
    browser = await desk.browser("boss")
    assert (await _post(browser, path, current="wrong password", code=codes[0]))[0] == 403
    assert (await _post(browser, path, current=PASSWORD, code="000000"))[0] == 403
    assert (await _post(browser, path, current=PASSWORD))[0] == 403
    assert accept(desk, codes[0], time.time()) == "recovery"


async def test_new_recovery_codes_end_the_old_ones(desk: Desk) -> None:
    old = switch_on(desk)
    browser = await desk.browser("boss")
    code = app_code(secret_of(desk), time.time())
    status, html = await _post(browser, "/codes", current=PASSWORD, code=code)
    assert status == 200
    new = re.findall(r"<li><code>([a-z0-9-]+)</code></li>", html)
    assert len(set(new) - set(old)) == 10
    assert accept(desk, old[0], time.time()) == ""
    assert accept(desk, new[0], time.time()) == "recovery"


@on_both
async def test_it_is_switched_off_with_password_and_code(desk: Desk) -> None:
    switch_on(desk)
    browser = await desk.browser("boss")
    code = app_code(secret_of(desk), time.time())
    status, html = await _post(browser, "/off", current=PASSWORD, code=code)
    assert (status, "Set it up" in html) == (200, True)
    assert (await password_step(desk, client_of(desk))).headers["Location"] == "/"
    rows = desk.database.call(lambda c: c.execute(sa.select(tables.recovery_codes)).all())
    assert rows == []


# -- the command line


async def test_a_lost_phone_is_reset_on_the_command_line(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    switch_on(desk)
    monkeypatch.setattr(users_command.prepare, "database", lambda settings: None)
    monkeypatch.setattr(users_command.settings_module, "load", lambda: desk.settings)
    options = argparse.Namespace(login=" Boss ")
    assert await asyncio.to_thread(users_command._reset_factor, options) == 0
    assert "boss logs in with the password alone" in capsys.readouterr().out
    assert (await password_step(desk, client_of(desk))).headers["Location"] == "/"
    assert desk.database.call(audit.latest)[1]["action"] == "user.factor_reset"
    assert await asyncio.to_thread(users_command._reset_factor, options) == 0
    assert "has no second factor" in capsys.readouterr().out
