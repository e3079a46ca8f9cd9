"""Pages of teams, agents, service levels and the overview: who may, what is kept or refused."""

from __future__ import annotations

import time
from typing import Any

import builders
import desk_seed as seed
import pytest
import sqlalchemy as sa
from desk_world import Browser, Desk

from bot.desk import app_keys
from bot.desk.people import users
from bot.routing import policies, presence, teams
from bot.routing.hours import parse_day, parse_spans
from bot.routing.model import EVERYONE, Presence, Team
from bot.routing.policies import StoredClock
from bot.routing.sla import Clock, ClockState, SlaPolicy
from bot.stores.redis_keys import ACTIVITY


@pytest.fixture
def supervisor(desk: Desk) -> None:
    """ravi is a supervisor."""
    desk.database.call(
        lambda c: c.execute(
            sa.update(users.users).where(users.users.c.id == "u-ravi").values(role="supervisor")
        )
    )


def _team(desk: Desk, name: str = "Refunds") -> Team:
    return desk.database.call(lambda c: teams.save_team(c, Team("", name)))


async def _post(browser: Browser, path: str, fields: list[tuple[str, str]]) -> tuple[int, str]:
    """Post like a plain form does, with repeated fields; gives status and page."""
    response = await browser.client.post(
        path, data=[("csrf", browser.csrf), *fields], allow_redirects=False
    )
    return response.status, await response.text()


FORM = [
    ("name", "Refunds and returns"),
    ("zone", "Asia/Kolkata"),
    ("overflow_min", "10"),
    ("day-0", "09:00-13:00, 14:00-18:00"),
    ("languages", "hi"),
    ("languages", "mr"),
    ("topics", "refunds"),
    ("members", "u-asha"),
    ("overflow_to", EVERYONE),
    ("exceptions", "2026-12-25\n\n2026-12-24 09:00-12:00\n2026-12-23: 10:00-11:00"),
]


async def test_a_team_is_kept_as_its_form_was_filled_in(desk: Desk) -> None:
    boss = await desk.browser("boss")
    status, _ = await _post(boss, "/teams", [("name", "Refunds")])
    assert status == 303
    made = desk.database.call(teams.list_teams)[1]
    status, _ = await _post(boss, f"/teams/{made.id}", FORM)
    assert status == 303
    saved = desk.database.call(lambda c: teams.get_team(c, made.id))
    assert (saved.name, saved.languages, saved.topics) == (
        "Refunds and returns",
        {"hi", "mr"},
        {"refunds"},
    )
    assert (saved.overflow_after_s, saved.overflow_to) == (600, (EVERYONE,))
    assert saved.hours.week[0] == parse_spans("09:00-13:00, 14:00-18:00")
    assert dict(saved.hours.exceptions) == {
        parse_day("2026-12-23"): parse_spans("10:00-11:00"),
        parse_day("2026-12-24"): parse_spans("09:00-12:00"),
        parse_day("2026-12-25"): (),
    }
    assert desk.database.call(teams.members) == {"u-asha": {made.id}}
    shown = await boss.text(f"/teams/{made.id}")
    assert 'value="09:00-13:00, 14:00-18:00"' in shown
    assert "2026-12-24 09:00-12:00" in shown
    assert "Refunds and returns" in await boss.text("/teams")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("day-0", "9 to 5", "09:00-17:30"),
        ("zone", "Mars/Base", "Asia/Kolkata"),
        ("exceptions", "Christmas", "2026-12-25"),
        ("overflow_min", "-1", "10080"),
        ("name", " ", "name"),
        ("overflow_to", "gone", "teams"),
    ],
)
async def test_a_form_that_cannot_be_used_comes_back_with_the_reason(
    desk: Desk, field: str, value: str, said: str
) -> None:
    boss, team = await desk.browser("boss"), _team(desk)
    fields = [(k, v) for k, v in FORM if k != field] + [(field, value)]
    status, html = await _post(boss, f"/teams/{team.id}", fields)
    assert status == 400
    problem = html.partition('role="alert">')[2].partition("<")[0]
    assert said in problem
    assert 'value="Asia/Kolkata"' in html or field == "zone", "what was typed is not lost"
    assert desk.database.call(lambda c: teams.get_team(c, team.id)) == team


async def test_a_team_that_is_taken_away_leaves_no_one_stranded(desk: Desk) -> None:
    boss, team = await desk.browser("boss"), _team(desk)
    desk.database.call(lambda c: seed.conversation(c, "one", state="waiting", team=team.id))
    assert (await boss.act(f"/teams/{team.id}/remove"))[0] == 200
    ravi = await desk.browser("ravi")
    assert 'data-id="one"' in await ravi.text("/inbox/waiting")
    status, answer = await boss.act(f"/teams/{EVERYONE}/remove")
    assert (status, answer["code"]) == (409, "needed-team")


async def test_agents_have_capacity_and_levels(desk: Desk, supervisor: None) -> None:
    ravi = await desk.browser("ravi")
    status, _ = await ravi.act(
        "/agents/u-asha", **{"capacity": "3", "level-hi": "3", "level-en": "1", "level-th": "0"}
    )
    assert status == 200
    profile = desk.database.call(lambda c: teams.profiles(c, ["u-asha"]))["u-asha"]
    assert (profile.capacity, dict(profile.levels)) == (3, {"hi": 3, "en": 1})
    assert "0 of 3" in (await ravi.text("/agents")).replace("<bdi>", "")
    for bad in ("", "x", "-1", "101", "٣"):
        status, answer = await ravi.act("/agents/u-asha", capacity=bad)
        assert (status, answer["code"]) == (400, "bad-capacity"), bad


async def test_a_status_is_chosen_and_shown(desk: Desk) -> None:
    asha = await desk.browser("asha")
    status, _ = await asha.act("/presence", presence="busy")
    assert status == 200
    profile = desk.database.call(lambda c: teams.profiles(c, ["u-asha"]))["u-asha"]
    assert profile.presence == Presence.BUSY
    menu = (
        (await asha.text("/inbox/mine")).partition('action="/presence"')[2].partition("</form>")[0]
    )
    assert 'value="busy" aria-current="true"' in menu
    status, answer = await asha.act("/presence", presence="asleep")
    assert (status, answer["code"]) == (400, "bad-presence")


async def test_whoever_moves_at_an_open_page_is_not_away(desk: Desk) -> None:
    asha = await desk.browser("asha")
    origin = f"http://{desk.server.host}:{desk.server.port}"
    socket = await asha.client.ws_connect("/socket", headers={"Origin": origin})
    await socket.receive_str()
    await desk.redis.zadd(ACTIVITY, {"u-asha": 1.0})
    (seat,) = desk.server.app[app_keys.HUB]._seats
    seat.active_at -= 60
    assert (await presence.idle_times(desk.redis))["u-asha"] > 10**6
    await socket.send_json({"type": "active"})

    async def noted() -> bool:
        return (await presence.idle_times(desk.redis))["u-asha"] < 60

    await builders.until(noted)
    await socket.close()


async def test_a_policy_is_added_changed_and_removed(desk: Desk) -> None:
    boss = await desk.browser("boss")
    status, _ = await boss.act(
        "/policies", name="Usual", first="10", next="", resolution="0.5", business_hours="1"
    )
    assert status == 200
    (policy,) = desk.database.call(policies.list_policies)
    assert (policy.first_reply_s, policy.next_reply_s, policy.resolution_s) == (600, None, 30)
    assert policy.business_hours
    await boss.act(f"/policies/{policy.id}", name="Usual", next="5", least_priority="2")
    (policy,) = desk.database.call(policies.list_policies)
    assert (policy.first_reply_s, policy.next_reply_s, policy.least_priority) == (None, 300, 2)
    assert "Usual" in await boss.text("/policies")
    await boss.act(f"/policies/{policy.id}/remove")
    assert desk.database.call(policies.list_policies) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "A"}, "at least one"),
        ({"name": "A", "first": "soon"}, "half a minute"),
        ({"name": "A", "first": "nan"}, "half a minute"),
        ({"name": "", "first": "5"}, "name"),
        ({"name": "A", "first": "5", "team": "gone"}, "no such team"),
    ],
)
async def test_a_promise_that_cannot_be_kept_is_refused(
    desk: Desk, fields: dict[str, str], said: str
) -> None:
    boss = await desk.browser("boss")
    status, html = await _post(boss, "/policies", list(fields.items()))
    assert status == 400
    assert said in html.partition('role="alert">')[2].partition("<")[0]
    assert desk.database.call(policies.list_policies) == []


async def test_the_overview_shows_queue_agents_and_breaches(desk: Desk, supervisor: None) -> None:
    team, now = _team(desk), time.time()
    kept = StoredClock(
        "late",
        Clock.FIRST,
        now - 900,
        "e",
        "p",
        team.id,
        "u-asha",
        now - 400,
        now - 300,
        ClockState.BREACHED,
    )

    def work(c: Any) -> None:
        seed.conversation(c, "late", state="waiting", team=team.id, language="th", name="Somchai")
        seed.conversation(c, "left", state="waiting", team=team.id, callback_at=now)
        seed.conversation(c, "mine", state="assigned", owner="u-asha")
        policies.write_clocks(c, [kept])

    desk.database.call(work)
    await presence.mark_online(desk.redis, "u-asha")
    ravi = await desk.browser("ravi")
    html = await ravi.text("/overview")
    for words in ("Refunds", "Somchai", "Asha", "ไทย 1", "First reply", "overdue"):
        assert words in html, words
    part = await ravi.text("/overview", **{"X-Fragment": "overview"})
    assert "<html" not in part
    assert "Somchai" in part


async def test_a_row_says_what_is_due_and_what_is_overdue(desk: Desk) -> None:
    now = time.time()

    def work(c: Any) -> None:
        for name, state in (
            ("soon", ClockState.WARNED),
            ("over", ClockState.BREACHED),
            ("calm", ClockState.RUNNING),
        ):
            seed.conversation(c, name, state="waiting")
            policies.write_clocks(
                c,
                [
                    StoredClock(name, clock, now, "e", "p", EVERYONE, "", now, due, state)
                    for clock, due in ((Clock.FIRST, now + 60), (Clock.RESOLUTION, now + 600))
                ],
            )

    desk.database.call(work)
    html = await (await desk.browser()).text("/inbox/waiting")
    rows = {
        name: html.partition(f'data-id="{name}"')[2].partition("</li>")[0]
        for name in ("soon", "over", "calm")
    }
    assert "First reply" in rows["soon"]
    assert f'data-at="{now + 60}"' in rows["soon"]
    assert "overdue" in rows["over"]
    assert "sla" not in rows["calm"]


async def test_a_conversation_names_the_team_and_who_was_given_it(desk: Desk) -> None:
    team = _team(desk)

    def work(c: Any) -> None:
        seed.conversation(
            c, "one", state="assigned", owner="u-ravi", team=team.id, callback_at=time.time()
        )
        seed.event(
            c,
            "one",
            "handoff.assigned",
            actor="agent",
            actor_id="u-asha",
            data={"wait_s": 5, "to": "u-ravi"},
        )

    desk.database.call(work)
    html = await (await desk.browser("ravi")).text("/inbox/open/one")
    row = html.partition('data-id="one"')[2].partition("</li>")[0]
    assert "Refunds" in row
    assert "Left as message" in row
    assert "Refunds" in html.partition('id="side"')[2]
    assert "<bdi>Ravi</bdi> joined after" in html


async def test_hostile_names_stay_text(desk: Desk) -> None:
    name = '<img src=x onerror="alert(1)">\u202etxt'
    team = _team(desk, name)
    desk.database.call(lambda c: policies.save_policy(c, SlaPolicy("", name, first_reply_s=60)))
    desk.database.call(
        lambda c: seed.conversation(c, "one", state="waiting", team=team.id, name=name)
    )
    boss = await desk.browser("boss")
    for path in ("/teams", f"/teams/{team.id}", "/policies", "/overview", "/agents"):
        assert "<img" not in await boss.text(path), path


PAGES = ("/overview", "/agents", "/teams", "/teams/everyone", "/policies")
POSTS = (
    "/agents/u-asha",
    "/teams",
    "/teams/everyone",
    "/teams/everyone/remove",
    "/policies",
    "/policies/p",
    "/policies/p/remove",
)


@pytest.mark.parametrize(("login", "allowed"), [("asha", 0), ("ravi", 2), ("boss", 5)])
async def test_pages_are_for_whom_they_are_for(
    desk: Desk, supervisor: None, login: str, allowed: int
) -> None:
    browser = await desk.browser(login)
    found = [(await browser.client.get(path)).status for path in PAGES]
    assert found == [200] * allowed + [403] * (5 - allowed)
    for path in POSTS[(1 if allowed else 0) :] if login != "boss" else ():
        status, answer = await browser.act(path, capacity="1", name="x")
        assert (status, answer["code"]) in {(403, "admins-only"), (403, "supervisors-only")}, path
