"""Pages of teams, agents, promises and the overview in a browser: accessible, usable by keyboard.

Set SAMVAD_SCREENSHOTS to a folder to keep pictures of them.
"""

from __future__ import annotations

import time

import desk_seed as seed
import pytest
from axe_playwright_python.async_playwright import Axe
from desk_pages import address, show, signed_in
from desk_world import Desk
from playwright.async_api import Browser, Page, expect
from sqlalchemy.engine import Connection
from test_desk_layout import MEASURE, RULES, picture

from bot.routing import policies, presence, teams
from bot.routing.hours import Hours, parse_day, parse_spans
from bot.routing.model import EVERYONE, Presence, Team
from bot.routing.policies import StoredClock
from bot.routing.sla import Clock, ClockState, SlaPolicy

NAMES = ("Priya Sharma", "रोहन", "สมชาย", "ليلى", "Wolfeschlegelsteinhausen", "")
PATHS = ("/overview", "/agents", "/teams", "/teams/{team}", "/policies")


@pytest.fixture
async def team(desk: Desk) -> Team:
    """A desk at work: two teams, three agents, a queue, promises kept and broken."""
    now = time.time()

    def work(c: Connection) -> Team:
        week = (parse_spans("09:00-13:00, 14:00-18:00"),) * 5 + ((), ())
        hours = Hours("Asia/Kolkata", week, {parse_day("2026-12-25"): ()})
        made = teams.save_team(
            c,
            Team(
                "",
                "Refunds and returns",
                languages=frozenset({"hi", "mr"}),
                topics=frozenset({"refunds", "returns"}),
                hours=hours,
                overflow_to=(EVERYONE,),
            ),
        )
        teams.save_team(c, Team("", "ทีมไทย", languages=frozenset({"th"})))
        teams.set_members(c, made.id, ["u-asha", "u-ravi"])
        teams.save_profile(c, "u-asha", levels={"hi": 3, "mr": 3, "en": 2}, capacity=5)
        teams.save_profile(c, "u-ravi", levels={"en": 3}, capacity=3)
        teams.save_presence(c, "u-ravi", Presence.BUSY)
        for number, language in enumerate(("hi", "mr", "th", "ar", "hi", "en")):
            one = seed.conversation(
                c,
                f"w{number}",
                state="waiting",
                language=language,
                priority=number % 3,
                team=made.id if language in ("hi", "mr") else EVERYONE,
                name=NAMES[number],
                waiting_since=now - 60 * 3**number,
                callback_at=now if number == 4 else None,
            )
            seed.message(c, one, "where is my refund?", language=language)
        for number, owner in enumerate(("u-asha", "u-asha", "u-ravi")):
            seed.conversation(c, f"a{number}", state="assigned", owner=owner, team=made.id)
        policy = policies.save_policy(
            c, SlaPolicy("", "Usual", first_reply_s=600, next_reply_s=300)
        )
        policies.save_policy(
            c,
            SlaPolicy(
                "",
                "Urgent refunds",
                team=made.id,
                least_priority=2,
                first_reply_s=120,
                next_reply_s=120,
                resolution_s=14400,
            ),
        )
        policies.write_clocks(
            c,
            [
                StoredClock(
                    "w0",
                    Clock.FIRST,
                    now - 900,
                    "e",
                    policy.id,
                    made.id,
                    "",
                    now - 450,
                    now - 300,
                    ClockState.BREACHED,
                ),
                StoredClock(
                    "a2",
                    Clock.NEXT,
                    now - 5000,
                    "e",
                    policy.id,
                    made.id,
                    "u-ravi",
                    now - 4000,
                    now - 3900,
                    ClockState.LATE,
                    now - 3000,
                ),
            ],
        )
        return made

    made = desk.database.call(work)
    for login in ("u-asha", "u-ravi"):
        await presence.mark_online(desk.redis, login)
    return made


@pytest.mark.parametrize(
    ("language", "width", "scheme"),
    [("en", 1280, "light"), ("ar", 390, "dark"), ("hi", 360, "light")],
)
async def test_the_pages_are_accessible_and_fit(
    desk: Desk, chromium: Browser, team: Team, language: str, width: int, scheme: str
) -> None:
    page = await signed_in(desk, chromium, "boss", language=language, width=width, scheme=scheme)
    for path in PATHS:
        await show(desk, page, path.format(team=team.id))
        name = path.strip("/").partition("/")[0] + ("-one" if "{" in path else "")
        await picture(page, f"{name}-{language}-{width}")
        assert await page.evaluate(MEASURE) == [], path
        results = await Axe().run(page, options=RULES)
        assert results.violations_count == 0, (path, results.generate_report())


async def test_a_team_is_made_by_keyboard_alone(desk: Desk, chromium: Browser, team: Team) -> None:
    page = await signed_in(desk, chromium, "boss")
    await show(desk, page, "/teams")
    await page.locator('input[name="name"]').focus()
    await page.keyboard.type("Night shift")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Night shift")
    await page.locator('input[name="day-0"]').focus()
    await page.keyboard.type("22:00-24:00")
    await page.keyboard.press("Enter")
    await page.wait_for_url(address(desk, "/teams"))
    made = next(t for t in desk.database.call(teams.list_teams) if t.name == "Night shift")
    assert made.hours.week[0] == parse_spans("22:00-24:00")


async def test_the_overview_follows_what_happens(desk: Desk, chromium: Browser, team: Team) -> None:
    page = await signed_in(desk, chromium, "boss")
    await show(desk, page, "/overview")
    figure: Page = page
    await expect(figure.locator(".figures li").first).to_contain_text("6")
    desk.database.call(lambda c: seed.conversation(c, "new", state="waiting", team=team.id))
    await expect(figure.locator(".figures li").first).to_contain_text("7")


async def test_a_status_is_chosen_in_the_menu(desk: Desk, chromium: Browser, team: Team) -> None:
    page = await signed_in(desk, chromium, "asha")
    await show(desk, page, "/inbox/waiting/w0")
    await expect(page.locator('.row[data-id="w0"] .sla.breached')).to_be_visible()
    await picture(page, "overdue")
    await show(desk, page, "/inbox/mine")
    await page.locator("#account summary").click()
    await page.locator('button[name="presence"][value="away"]').click()
    await expect(page.locator("#lamp")).to_have_class("lamp on")
    profile = desk.database.call(lambda c: teams.profiles(c, ["u-asha"]))["u-asha"]
    assert profile.presence == Presence.AWAY
    await page.locator("#account summary").click()
    await picture(page, "account-menu")
    await expect(page.locator('button[value="away"]')).to_have_attribute("aria-current", "true")
