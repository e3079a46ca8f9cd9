"""A team's words stay the team's: what other agents read once it no longer has a conversation.

`asha` is in the team of complaints, `ravi` in that of orders, `boss` is an admin.
"""

from __future__ import annotations

import re
from typing import Any

import desk_seed as seed
import pytest
import sqlalchemy as sa
from desk_routes import assert_closed, read_all
from desk_world import Desk
from team_talk import ASHA, BOSS, FILE, RAVI, WORD, begin_anew, give_back, ids, say

from bot.conversation import store
from bot.conversation.states import State
from bot.desk import app_keys
from bot.desk.conversation import merging, suggestions
from bot.desk.people import scope, users
from bot.desk.search import find, index
from bot.handoff.service import Agent
from bot.routing import teams
from bot.routing.model import Team
from bot.stores.tables import team_stints


@pytest.fixture
def desk_database(request: pytest.FixtureRequest) -> str:
    """The conditions are SQL: on both databases."""
    kind = getattr(request, "param", "sqlite")
    return request.getfixturevalue("postgresql_url") if kind == "postgresql" else ""


on_both = pytest.mark.parametrize("desk_database", ["sqlite", "postgresql"], indirect=True)


LEAVES = pytest.mark.parametrize("leave", [give_back, begin_anew], ids=["return", "new-episode"])


def _search(desk: Desk, login: str, words: str) -> list[str]:
    def work(c: sa.Connection) -> list[str]:
        if index.supported(c):
            index.prepare(c)
            while index.catch_up(c):
                pass
        return find.conversations(c, words, scope.of(c, users.get_user(c, f"u-{login}")))

    return desk.database.call(work)


@on_both
@LEAVES
async def test_others_read_nothing_of_a_team_that_had_it(
    desk: Desk, complaints: Team, leave: Any
) -> None:
    ravi = await desk.browser("ravi")
    await assert_closed(desk, ravi, "talk")
    await leave(desk)
    say(desk, "told to the bot afterwards")
    told = await read_all(desk, ravi, "talk", ids=ids(desk))
    assert "told to the bot afterwards" in told
    assert WORD not in told
    for path in (
        "/inbox/open",
        f"/inbox/open?label={WORD}-label",
        "/inbox/mentions",
        "/dead-letters",
    ):
        assert WORD not in (await ravi.text(path)).replace(f"{WORD}-label", "", 1), path
    assert (await ravi.client.get(FILE)).status == 404


@LEAVES
async def test_the_team_and_supervisors_read_all_of_it(
    desk: Desk, complaints: Team, leave: Any
) -> None:
    await leave(desk)
    say(desk, "told to the bot afterwards")
    for login in ("asha", "boss"):
        browser = await desk.browser(login)
        told = await read_all(desk, browser, "talk", ids=ids(desk))
        for words in ("to the bot", "to the team", "noted", "-label", ".pdf"):
            assert re.search(f"{WORD}( told | )?{words}", told), words
        assert (await browser.client.get(FILE)).status == 200
        assert _search(desk, login, "kaleido noted") == ["talk"]


@on_both
@LEAVES
@pytest.mark.parametrize("words", [WORD, "noted", f"{WORD} team", "no te"])
async def test_a_search_finds_what_may_be_read(
    desk: Desk, complaints: Team, leave: Any, words: str
) -> None:
    assert _search(desk, "asha", words) == ["talk"] or words == "no te"
    await leave(desk)
    assert _search(desk, "ravi", words) == []
    assert _search(desk, "ravi", "Zelda") == ["talk"]
    say(desk, "a harmless question")
    assert _search(desk, "ravi", "harmless") == ["talk"]
    assert _search(desk, "ravi", f"harmless {WORD}") == []
    assert _search(desk, "asha", f"harmless {WORD}") == ["talk"]


async def test_common_words_are_searched_like_rare_ones(
    desk: Desk, complaints: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    await give_back(desk)
    monkeypatch.setattr(find, "MOST_OCCURRENCES", 1)
    assert _search(desk, "ravi", WORD) == []
    assert _search(desk, "asha", WORD) == ["talk"]


async def test_a_takeover_gives_the_agents_team(desk: Desk, complaints: Team) -> None:
    await give_back(desk)
    say(desk, "told to the bot afterwards")
    await desk.service.claim("talk", ASHA, key="takeover-by-asha")
    current = desk.database.call(lambda c: store.get(c, "talk"))
    assert current is not None
    assert current.team == complaints.id
    await assert_closed(desk, await desk.browser("ravi"), "talk")
    await desk.service.give_back("talk", ASHA, key="second-return")
    assert "afterwards" not in await read_all(
        desk, await desk.browser("ravi"), "talk", ids=ids(desk)
    )


async def test_another_teams_takeover_hides_its_words_from_the_first(
    desk: Desk, complaints: Team
) -> None:
    await give_back(desk)
    ravi = await desk.browser("ravi")
    status, _ = await ravi.act("/conversations/talk/claim")
    assert status == 200
    say(desk, "told to orders")
    own = await read_all(desk, ravi, "talk", ids=ids(desk))
    assert "told to orders" in own
    assert WORD not in own
    await assert_closed(desk, await desk.browser("asha"), "talk")
    await desk.service.give_back("talk", RAVI, key="return-by-ravi")
    assert "told to orders" not in await read_all(desk, await desk.browser("asha"), "talk")


async def test_an_agent_who_takes_over_at_once_can_answer(desk: Desk, complaints: Team) -> None:
    """The newest message of the customer is one that this agent may not read."""
    await give_back(desk)
    ravi = await desk.browser("ravi")
    await ravi.act("/conversations/talk/claim")
    status, answer = await ravi.act(
        "/conversations/talk/reply", key="reply-by-ravi", text="Hello", last=""
    )
    assert status == 200, answer


async def test_suggestions_come_from_what_may_be_read(desk: Desk, complaints: Team) -> None:
    suggester = suggestions.Suggester("en")
    own = desk.database.call(lambda c: suggester.load(c, "talk", "u-asha"))
    assert own is not None
    assert [one.entry for one in own.suggestions] == ["seed-refunds"]
    await give_back(desk)
    await desk.service.claim("talk", RAVI, key="takeover-by-ravi")
    others = desk.database.call(lambda c: suggester.load(c, "talk", "u-ravi"))
    assert others is not None
    assert others.suggestions == ()


async def test_a_team_that_passed_it_on_reads_up_to_then(desk: Desk, complaints: Team) -> None:
    """The next team was handed what had been said; the first does not hear what follows."""
    orders = next(t for t in desk.database.call(teams.list_teams) if t.name == "Orders")
    asha, ravi = await desk.browser("asha"), await desk.browser("ravi")
    status, _ = await asha.act(
        "/conversations/talk/transfer", to=f"team:{orders.id}", note="for Orders only"
    )
    assert status == 200
    await assert_closed(desk, asha, "talk")
    assert WORD in await read_all(desk, ravi, "talk", ids=ids(desk))
    await desk.service.claim("talk", RAVI, key="claim-by-ravi")
    say(desk, "told to orders")
    await desk.service.give_back("talk", RAVI, key="return-by-ravi")
    first, second = [await read_all(desk, who, "talk", ids=ids(desk)) for who in (asha, ravi)]
    assert WORD in first
    assert "told to orders" not in first
    assert "for Orders only" not in first
    assert WORD in second
    assert "told to orders" in second
    assert "for Orders only" in second


async def test_a_merge_opens_nothing(desk: Desk, complaints: Team) -> None:
    await begin_anew(desk)
    desk.database.call(lambda c: seed.conversation(c, "other", name="Yolanda"))
    await merging.merge(desk.database, desk.server.app[app_keys.CHANGES], "other", "talk", BOSS)
    ravi = await desk.browser("ravi")
    for conversation in ("talk", "other"):
        told = await read_all(desk, ravi, conversation, ids=ids(desk))
        assert WORD not in told
        assert "e-talk" not in told, "the episode is the team's, its topic, too"


async def test_agents_of_no_team_leave_it_to_everyone(desk: Desk) -> None:
    desk.database.call(lambda c: seed.conversation(c, "plain"))
    changed = await desk.service.claim("plain", ASHA, key="claim-by-asha")
    assert changed.team is None
    await desk.service.give_back("plain", ASHA, key="return-by-asha")
    ravi = await desk.browser("ravi")
    assert "plain" in await ravi.text("/inbox/open")


async def _requeued_and_cancelled(desk: Desk, agent: Agent) -> None:
    await desk.service.requeue("talk", agent, note="", key=f"requeue-{agent.id}")

    def cancel(c: sa.Connection) -> None:
        current = store.get(c, "talk")
        assert current is not None
        store.change(c, current, State.BOT, key=f"cancel-{agent.id}")

    desk.database.call(cancel)


async def _returned(desk: Desk, agent: Agent) -> None:
    await desk.service.give_back("talk", agent, key=f"return-{agent.id}")


@pytest.mark.parametrize("leave", [_returned, _requeued_and_cancelled])
async def test_what_an_agent_of_no_team_heard_stays_everyones(
    desk: Desk, complaints: Team, leave: Any
) -> None:
    """The next team has what follows, not what was said before the conversation came back."""
    orders = next(t for t in desk.database.call(teams.list_teams) if t.name == "Orders")
    desk.database.call(lambda c: teams.set_members(c, orders.id, []))
    await give_back(desk)
    for agent, words in ((RAVI, "told to ravi"), (ASHA, "told to asha")):
        await desk.service.claim("talk", agent, key=f"claim-{agent.id}")
        say(desk, words)
        await leave(desk, agent)
    asha, ravi = [
        await read_all(desk, await desk.browser(one), "talk", ids=ids(desk))
        for one in ("asha", "ravi")
    ]
    assert [words in asha for words in ("told to ravi", "told to asha", WORD)] == [True] * 3
    assert [words in ravi for words in ("told to ravi", "told to asha", WORD)] == [
        True,
        False,
        False,
    ]


def _team(desk: Desk, name: str, *members: str, **more: Any) -> str:
    def work(c: sa.Connection) -> str:
        team = teams.save_team(c, Team("", name, **more))
        teams.set_members(c, team.id, members)
        return team.id

    return desk.database.call(work)


async def test_of_several_teams_it_is_the_one_a_handoff_would_wait_for(desk: Desk) -> None:
    first = _team(desk, "Alpha", "u-asha")
    fitting = _team(desk, "Beta", "u-asha", languages=frozenset({"hi"}))
    _team(desk, "Gamma", languages=frozenset({"hi"}), topics=frozenset({"orders"}))
    for name, language, team in (("one", "hi", fitting), ("two", "th", first)):
        desk.database.call(lambda c, n=name, of=language: seed.conversation(c, n, language=of))
        changed = await desk.service.claim(name, ASHA, key=f"claim-{name}")
        assert changed.team == team


async def test_reopening_gives_the_agents_team_too(desk: Desk, complaints: Team) -> None:
    desk.database.call(lambda c: seed.conversation(c, "ended", state="closed"))
    asha = await desk.browser("asha")
    status, _ = await asha.act("/conversations/ended/reopen")
    assert status == 200
    await assert_closed(desk, await desk.browser("ravi"), "ended")


async def test_a_removed_teams_past_is_for_supervisors(desk: Desk, complaints: Team) -> None:
    await give_back(desk)
    desk.database.call(lambda c: seed.conversation(c, "open", state="waiting", team=complaints.id))
    desk.database.call(lambda c: teams.remove_team(c, complaints.id))
    ravi, boss = await desk.browser("ravi"), await desk.browser("boss")
    assert WORD not in await read_all(desk, ravi, "talk", ids=ids(desk))
    assert WORD in await read_all(desk, boss, "talk", ids=ids(desk))
    await read_all(desk, ravi, "open")


# -- what is noted


async def test_stints_note_each_team_until_it_leaves(desk: Desk, complaints: Team) -> None:
    def rows() -> list[tuple[int, str, bool]]:
        s = team_stints.c
        found = desk.database.call(
            lambda c: c.execute(
                sa.select(s.stint, s.team, s.ended_at).order_by(s.stint, s.team)
            ).all()
        )
        return [(row.stint, row.team, row.ended_at is None) for row in found]

    assert rows() == [(1, complaints.id, True)]
    await give_back(desk)
    assert rows() == [(1, complaints.id, False)]
    await desk.service.claim("talk", RAVI, key="takeover-by-ravi")
    orders = next(t for t in desk.database.call(teams.list_teams) if t.name == "Orders")
    assert rows() == [(1, complaints.id, False), (2, orders.id, True)]
    await desk.service.transfer("talk", RAVI, to_team=complaints.id, key="to-complaints")
    await desk.service.claim("talk", ASHA, key="claim-again")
    await desk.service.transfer("talk", ASHA, to_team=orders.id, key="and-back")
    assert sorted(rows()) == sorted(
        [(1, complaints.id, False), (2, complaints.id, False), (2, orders.id, True)]
    )
