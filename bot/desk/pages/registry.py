"""All pages of the desk, one row each, in the order of the menu.

A page is a folder beside this file: `views.py` answers its addresses and lists them as `ROUTES`,
`queries.py` reads what it shows, `template.html` shows it. docs/extending.md says how to add one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from bot.desk.menu import Place
from bot.desk.pages.agents import views as agents
from bot.desk.pages.canned import views as canned
from bot.desk.pages.dead_letters import views as dead_letters
from bot.desk.pages.inbox import views as inbox
from bot.desk.pages.login import views as login
from bot.desk.pages.macros import views as macros
from bot.desk.pages.overview import views as overview
from bot.desk.pages.password import views as password
from bot.desk.pages.policies import views as policies
from bot.desk.pages.second_factor import views as second_factor
from bot.desk.pages.teams import views as teams
from bot.desk.pages.users import views as users
from bot.desk.people.users import Role


@dataclass(frozen=True)
class Page:
    """One page of the desk."""

    name: str
    """Of its folder."""
    routes: Sequence[web.RouteDef]
    place: Place | None = None
    """Its entry in the menu, if it has one."""


PAGES: tuple[Page, ...] = (
    Page("login", login.ROUTES),
    Page("password", password.ROUTES),
    Page("second_factor", second_factor.ROUTES),
    Page("inbox", inbox.ROUTES, Place("/inbox/waiting", "nav.inbox", "inbox")),
    Page("canned", canned.ROUTES, Place("/canned", "nav.canned", "quote")),
    Page("macros", macros.ROUTES),
    Page("dead_letters", dead_letters.ROUTES, Place("/dead-letters", "nav.letters", "alert")),
    Page("overview", overview.ROUTES, Place("/overview", "nav.overview", "gauge", Role.SUPERVISOR)),
    Page("agents", agents.ROUTES, Place("/agents", "nav.agents", "headset", Role.SUPERVISOR)),
    Page("teams", teams.ROUTES, Place("/teams", "nav.teams", "team", Role.ADMIN)),
    Page("policies", policies.ROUTES, Place("/policies", "nav.policies", "clock", Role.ADMIN)),
    Page("users", users.ROUTES, Place("/users", "nav.users", "people", Role.ADMIN)),
)

MENU: tuple[Place, ...] = tuple(page.place for page in PAGES if page.place)
