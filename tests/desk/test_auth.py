"""Passwords, lockout, sessions, CSRF, roles."""

import argparse
import asyncio
import threading
import time

import pytest
import sqlalchemy as sa
import structlog
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient
from desk_world import PASSWORD, Browser, Desk, field

from bot.commands import users as users_command
from bot.desk.pages.login import views as login_page
from bot.desk.people import audit, auth
from bot.desk.people import users as people
from bot.desk.web import COOKIE
from bot.errors import BadRequest
from bot.stores.tables import sessions, users


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REFUSAL_S", 0.0)


async def test_only_the_digest_of_a_session_is_stored(desk: Desk) -> None:
    started = await auth.log_in(desk.database, " Asha ", PASSWORD)
    assert started is not None
    stored = desk.database.call(lambda c: list(c.execute(sa.select(sessions.c.digest)).scalars()))
    assert stored == [auth.digest_of(started.token)]
    assert started.token not in stored[0]
    found = desk.database.call(lambda c: auth.find_session(c, started.token))
    assert found is not None
    assert found.user.login == "asha"
    later = time.time() + auth.SESSION_S + 1
    assert desk.database.call(lambda c: auth.find_session(c, started.token, later)) is None


async def test_five_wrong_passwords_lock_the_login_even_for_the_right_one(desk: Desk) -> None:
    for _ in range(auth.FREE_FAILURES):
        assert await auth.log_in(desk.database, "asha", "wrong password") is None
    assert await auth.log_in(desk.database, "asha", PASSWORD) is None
    desk.database.call(lambda c: c.execute(sa.update(users).values(locked_until=time.time() - 1)))
    assert await auth.log_in(desk.database, "asha", PASSWORD) is not None


async def test_four_wrong_passwords_do_not(desk: Desk) -> None:
    for _ in range(auth.FREE_FAILURES - 1):
        await auth.log_in(desk.database, "asha", "wrong password")
    assert await auth.log_in(desk.database, "asha", PASSWORD) is not None


def test_the_lock_doubles_up_to_five_minutes() -> None:
    assert [auth.lock_s(n) for n in (4, 5, 6, 7)] == [0, 30, 60, 120]
    assert auth.lock_s(10_000) == auth.LOCK_LONGEST_S == 300


async def _log_in(desk: Desk, client: TestClient, login: str, password: str = PASSWORD) -> int:
    token = field(await (await client.get("/login")).text(), "csrf")
    data = {"login": login, "password": password, "csrf": token}
    return (await client.post("/login", data=data, allow_redirects=False)).status


async def _forget_session(desk: Desk, client: TestClient) -> None:
    jar, address = client.session.cookie_jar, desk.server.make_url("/")
    jar.clear(lambda cookie: cookie.key == COOKIE)
    assert COOKIE not in jar.filter_cookies(address)


def _client(desk: Desk) -> TestClient:
    return TestClient(desk.server, cookie_jar=CookieJar(unsafe=True))


async def test_strangers_lock_no_browser_out_that_has_logged_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_page, "LIMIT_ATTEMPTS", 8)
    own, stranger = _client(desk), _client(desk)
    assert await _log_in(desk, own, "asha") == 303
    await _forget_session(desk, own)
    for _ in range(8):
        assert await _log_in(desk, stranger, "asha", "wrong password") == 401
    assert await _log_in(desk, stranger, "asha") == 429
    assert await _log_in(desk, own, "asha") == 303, "neither the lock nor the address holds it"
    await _forget_session(desk, own)
    assert await _log_in(desk, own, "ravi") == 429, "it is known for its own login only"


async def test_a_known_browsers_wrong_passwords_are_counted_for_itself(desk: Desk) -> None:
    own = _client(desk)
    assert await _log_in(desk, own, "asha") == 303
    await _forget_session(desk, own)
    for _ in range(auth.FREE_FAILURES - 1):
        assert await _log_in(desk, own, "asha", "wrong password") == 401
    assert await auth.log_in(desk.database, "asha", PASSWORD) is not None, "no lock for others"
    for _ in range(auth.FREE_FAILURES + 2):
        assert await _log_in(desk, own, "asha", "wrong password") == 401
    assert await _log_in(desk, own, "asha") == 401, "from then on it is a stranger"


async def test_a_new_password_forgets_the_browsers(desk: Desk) -> None:
    own = _client(desk)
    assert await _log_in(desk, own, "asha") == 303
    await _forget_session(desk, own)
    desk.database.call(lambda c: people.set_password(c, "u-asha", "another long password"))
    desk.database.call(lambda c: c.execute(sa.update(users).values(locked_until=time.time() + 60)))
    assert await _log_in(desk, own, "asha", "another long password") == 401


async def test_logins_failures_and_locks_are_logged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with structlog.testing.capture_logs() as told:
        client = _client(desk)
        for _ in range(auth.FREE_FAILURES):
            await _log_in(desk, client, "asha", "wrong password")
        await _log_in(desk, client, "nobody", "wrong password")
        await _log_in(desk, client, "ravi")
    lines = [
        (line["event"], line["user_id"], line["address"])
        for line in told
        if line["event"].startswith("desk.log")
    ]
    here = "127.0.0.1"
    assert lines == [
        *[("desk.login_failed", "u-asha", here)] * auth.FREE_FAILURES,
        ("desk.login_locked", "u-asha", here),
        ("desk.login_failed", "", here),
        ("desk.logged_in", "u-ravi", here),
    ]
    assert "wrong password" not in str(told)
    [row] = desk.database.call(audit.latest)
    assert (row["action"], row["user_id"], row["detail"]) == (
        "user.logged_in",
        "u-ravi",
        {"address": here},
    )


async def test_a_new_login_ends_the_session_before(desk: Desk) -> None:
    client = _client(desk)
    token = field(await (await client.get("/login")).text(), "csrf")
    jar, address = client.session.cookie_jar, desk.server.make_url("/")
    before = jar.filter_cookies(address)[login_page.BROWSER_COOKIE].value
    for login in ("asha", "ravi"):
        jar.update_cookies({login_page.BROWSER_COOKIE: before}, address)
        data = {"login": login, "password": PASSWORD, "csrf": token}
        assert (await client.post("/login", data=data, allow_redirects=False)).status == 303
    rows = desk.database.call(lambda c: c.execute(sa.select(sessions.c.user_id)).scalars().all())
    assert rows == ["u-ravi"]


async def test_cookies_over_https_are_bound_to_the_host(desk: Desk) -> None:
    object.__setattr__(desk.settings, "public_url", "https://desk.example.org")
    shown = await TestClient(desk.server).get("/login")
    assert all(name.startswith("__Host-") for name in shown.cookies)
    for cookie in shown.cookies.values():
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


async def test_unknown_logins_cost_a_hash_and_get_the_same_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    real = auth._verify
    monkeypatch.setattr(auth, "_verify", lambda h, p: checked.append(h) or real(h, p))
    assert await auth.log_in(desk.database, "nobody", PASSWORD) is None
    assert await auth.log_in(desk.database, "asha", "wrong password") is None
    assert len(checked) == 2
    assert all(digest.startswith("$argon2id$") for digest in checked)


async def test_login_page_needs_its_own_token(desk: Desk) -> None:
    client = TestClient(desk.server)
    data = {"login": "asha", "password": PASSWORD, "csrf": "x"}
    refused = await client.post("/login", data=data, allow_redirects=False)
    assert refused.status == 200
    assert COOKIE not in refused.cookies
    data["csrf"] = field(await refused.text(), "csrf")
    taken = await client.post("/login", data=data, allow_redirects=False)
    assert taken.status == 303
    cookie = taken.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["secure"]


async def test_wrong_password_says_no_more_than_needed(desk: Desk) -> None:
    client = TestClient(desk.server)
    answers = []
    for login in ("asha", "nobody"):
        token = field(await (await client.get("/login")).text(), "csrf")
        data = {"login": login, "password": "wrong password", "csrf": token}
        response = await client.post("/login", data=data)
        assert response.status == 401
        answers.append((await response.text()).replace(login, "LOGIN"))
    assert answers[0] == answers[1]


async def test_behind_our_proxy_each_address_has_its_own_attempts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_page, "LIMIT_ATTEMPTS", 2)
    object.__setattr__(desk.settings, "trusted_proxies", ("127.0.0.1",))
    client = TestClient(desk.server)

    async def tried(address: str) -> int:
        token = field(await (await client.get("/login")).text(), "csrf")
        data = {"login": "nobody", "password": "wrong password", "csrf": token}
        return (await client.post("/login", data=data, headers={"X-Forwarded-For": address})).status

    assert [await tried("203.0.113.1") for _ in range(3)] == [401, 401, 429]
    assert await tried("203.0.113.2") == 401


async def test_attempts_side_by_side_count_before_their_hash(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_page, "LIMIT_ATTEMPTS", 5)
    checked: list[str] = []
    monkeypatch.setattr(auth, "_verify", lambda h, p: checked.append(p) or False)
    client = TestClient(desk.server)
    token = field(await (await client.get("/login")).text(), "csrf")

    async def guess(number: int) -> int:
        data = {"login": f"user{number}", "password": "wrong password", "csrf": token}
        return (await client.post("/login", data=data)).status

    answers = await asyncio.gather(*(guess(number) for number in range(30)))
    assert sorted(answers) == [401] * 5 + [429] * 25
    assert len(checked) == 5


async def test_the_right_password_uses_no_attempt_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_page, "LIMIT_ATTEMPTS", 2)
    for _ in range(4):
        client = TestClient(desk.server)
        token = field(await (await client.get("/login")).text(), "csrf")
        data = {"login": "asha", "password": PASSWORD, "csrf": token}
        assert (await client.post("/login", data=data, allow_redirects=False)).status == 303


async def test_four_passwords_are_hashed_at_a_time_and_a_crowd_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "MOST_WAITING", 6)
    lock, free, begun = threading.Lock(), threading.Event(), threading.Semaphore(0)
    running: list[int] = []
    now = 0

    def slow(_hash: str, _password: str) -> bool:
        nonlocal now
        with lock:
            now += 1
            running.append(now)
        begun.release()
        assert free.wait(20)
        with lock:
            now -= 1
        return False

    monkeypatch.setattr(auth, "_verify", slow)
    tries = [asyncio.create_task(auth.log_in(desk.database, f"u{n}", "x")) for n in range(30)]
    first = asyncio.as_completed(tries)
    for _ in range(20):
        with pytest.raises(BadRequest, match="Too many attempts"):
            await next(first)
    refused = [task for task in tries if task.done()]
    for _ in range(auth.HASHES_AT_ONCE):
        assert await asyncio.to_thread(begun.acquire, timeout=20)
    free.set()
    await asyncio.wait(tries)
    assert [task.result() for task in tries if task not in refused] == [None] * 10
    assert max(running) == auth.HASHES_AT_ONCE


async def test_without_session_pages_lead_to_the_login(desk: Desk) -> None:
    client = TestClient(desk.server)
    response = await client.get("/inbox/waiting", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, "/login")
    assert (await client.get("/canned.json", headers={"Accept": "application/json"})).status == 401
    assert (await client.get("/socket", allow_redirects=False)).status == 303


async def test_posts_need_csrf_token_and_our_origin(desk: Desk) -> None:
    browser = await desk.browser()
    right = browser.csrf
    browser.csrf = "forged"
    status, answer = await browser.act("/conversations/x/claim")
    assert (status, answer["code"]) == (403, "bad-csrf")
    response = await browser.client.post(
        "/conversations/x/claim",
        data={"key": "k" * 16},
        headers={
            "X-CSRF-Token": right,
            "Origin": "https://evil.example",
            "Accept": "application/json",
        },
    )
    assert (response.status, (await response.json())["code"]) == (403, "bad-origin")


async def test_socket_needs_our_origin(desk: Desk) -> None:
    browser = await desk.browser()
    for origin in ({}, {"Origin": "https://evil.example"}):
        assert (await browser.client.get("/socket", headers=origin)).status == 403


async def test_log_out_ends_the_session(desk: Desk) -> None:
    browser = await desk.browser()
    token = browser.client.session.cookie_jar.filter_cookies(desk.server.make_url("/"))[COOKIE]
    await browser.client.post("/logout", data={"csrf": browser.csrf})
    assert desk.database.call(lambda c: auth.find_session(c, token.value)) is None


async def test_agents_cannot_reach_the_users(desk: Desk) -> None:
    agent = await desk.browser()
    assert (await agent.client.get("/users")).status == 403
    status, _ = await agent.act("/users", login="x", name="x", role="admin", password="x" * 12)
    assert status == 403


async def test_admin_adds_disables_and_resets(desk: Desk) -> None:
    admin = await desk.browser("boss")
    made = {"login": "neha", "name": "Neha", "role": "agent", "password": PASSWORD}
    assert (await admin.act("/users", **made))[0] == 200
    assert (await admin.act("/users", **made))[0] == 409
    neha: Browser = await desk.browser("neha")
    rows = desk.database.call(people.list_users)
    user = next(row for row in rows if row.login == "neha")
    assert (await admin.act(f"/users/{user.id}/disable"))[0] == 200
    assert (await neha.client.get("/inbox/mine", allow_redirects=False)).status == 303
    assert await auth.log_in(desk.database, "neha", PASSWORD) is None
    assert (await admin.act(f"/users/{user.id}/enable"))[0] == 200
    assert await auth.log_in(desk.database, "neha", PASSWORD) is not None
    new = "another long password"
    assert (await admin.act(f"/users/{user.id}/password", password=new))[0] == 200
    assert await auth.log_in(desk.database, "neha", PASSWORD) is None
    assert await auth.log_in(desk.database, "neha", new) is not None
    assert "a new password" in await admin.text("/users")


async def test_admin_cannot_lock_themselves_out(desk: Desk) -> None:
    admin = await desk.browser("boss")
    boss = next(u for u in desk.database.call(people.list_users) if u.login == "boss")
    assert (await admin.act(f"/users/{boss.id}/disable"))[0] == 409


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Ash\u202ea", "Asha"),
        ("As\x00ha\u2066\u200b", "Asha"),
        ("Asha\n\u2028Kulkarni", "Asha Kulkarni"),
        ("  आशा   कुलकर्णी ", "आशा कुलकर्णी"),
        ("क्\u200dष", "क्\u200dष"),
        ("\u202e\x00", "neha"),
        ("", "neha"),
    ],
)
def test_names_of_users_hold_nothing_invisible(desk: Desk, name: str, kept: str) -> None:
    made = desk.database.call(
        lambda c: people.add_user(c, login="neha", name=name, role="agent", password=PASSWORD)
    )
    assert made.name == kept


def test_passwords_have_a_least_length() -> None:
    with pytest.raises(BadRequest):
        people.hash_password("short")


async def test_a_login_is_unlocked_on_the_command_line(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(auth.FREE_FAILURES):
        await auth.log_in(desk.database, "asha", "wrong password")
    monkeypatch.setattr(users_command.prepare, "database", lambda settings: None)
    monkeypatch.setattr(users_command.settings_module, "load", lambda: desk.settings)
    options = argparse.Namespace(login="asha")
    assert await asyncio.to_thread(users_command._unlock, options) == 0
    assert "asha can log in again" in capsys.readouterr().out
    assert await auth.log_in(desk.database, "asha", PASSWORD) is not None


def test_demo_users_only_into_an_empty_table(desk: Desk) -> None:
    assert people.create_demo_users(desk.database) == []


async def test_demo_users_get_random_passwords(desk: Desk) -> None:
    desk.database.call(lambda c: c.execute(sa.delete(sessions)))
    desk.database.call(lambda c: c.execute(sa.delete(users)))
    made = people.create_demo_users(desk.database)
    assert [login for login, _ in made] == ["agent", "admin"]
    assert made[0][1] != made[1][1]
    for login, password in made:
        started = await auth.log_in(desk.database, login, password)
        assert started is not None
        assert started.session.user.role == login
