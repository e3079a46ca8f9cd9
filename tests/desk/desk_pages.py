"""Pages of the desk in a real browser: sessions without the login form, and a busy desk."""

from __future__ import annotations

import time
from typing import Any

import desk_seed as seed
import pytest
import sqlalchemy as sa
from desk_world import Desk
from playwright.async_api import Browser, Page, expect
from sqlalchemy.engine import Connection

from bot.desk.conversation import labels, notes
from bot.desk.pages.canned import queries as canned
from bot.desk.web import COOKIE
from bot.stores.tables import dead_letters, users

WAITING, MINE = "webchat-wait", "webchat-mine"


async def signed_in(
    desk: Desk,
    chromium: Browser,
    login: str = "asha",
    *,
    language: str = "",
    width: int = 1280,
    scheme: Any = "light",
) -> Page:
    """Open a browser of its own for a user; anything on its console is a failure of the test.

    Args:
        language: What the user chose for the desk; "" leaves it to the browser, which asks for
            English.
    """
    if language:
        desk.database.call(
            lambda c: c.execute(
                sa.update(users).where(users.c.login == login).values(interface_language=language)
            )
        )
    browser = await desk.browser(login)
    token = next(c.value for c in browser.client.session.cookie_jar if c.key == COOKIE)
    await browser.client.session.close()
    context = await chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, locale="en-GB"
    )
    await context.add_cookies([{"name": COOKIE, "value": token, "url": address(desk, "/")}])
    page = await context.new_page()
    page.set_default_timeout(15_000)
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.on("console", lambda m: pytest.fail(m.text) if "Content Security" in m.text else None)
    return page


def address(desk: Desk, path: str) -> str:
    return str(desk.server.make_url(path))


async def show(desk: Desk, page: Page, path: str) -> None:
    """Open a page; one of the inbox is complete when it is live."""
    await page.goto(address(desk, path))
    if path.startswith("/inbox"):
        await expect(page.locator("#lamp")).to_have_class("lamp on")


def pages_of(desk: Desk) -> list[str]:
    """Every page there is, found from the routes; those with a part to fill in are named here."""
    found = {"/inbox/waiting", "/inbox/done", f"/inbox/open/{WAITING}", f"/inbox/mine/{MINE}"}
    for route in desk.server.app.router.routes():
        path = route.resource.canonical if route.resource else ""
        if route.method == "GET" and not any(sign in path for sign in ("{", ".", "/static")):
            found.add(path)
    return sorted(found - {"/", "/health", "/socket", "/login", "/login/code"})


def busy(connection: Connection, *, words: str = "{}") -> None:
    """Fill the desk with one of everything; `words` is put around each text of a customer."""
    now = time.time()

    def say(text: str) -> str:
        return words.format(text)

    arabic = "أريد استرداد المبلغ، الطلب MK-20931 وصل تالفًا ولم يرد أحد حتى الآن"
    seed.conversation(
        connection,
        WAITING,
        name=say("प्रिया शर्मा"),
        state="waiting",
        language="hi",
        priority=2,
        cause="negative-sentiment",
        cause_detail=seed.doubt(negative=0.97),
        sentiment=0.8,
    )
    for number, text in enumerate(("नमस्ते", "मेरा ऑर्डर MK-20931 कहाँ है?", "यह तीसरी बार है! " * 9)):
        seed.message(
            connection,
            WAITING,
            say(text),
            language="hi",
            created_at=now - 300 + 60 * number,
            reading={
                "intent": "faq",
                "entry": "order-status",
                "confidence": 0.31,
                "threshold": 0.5,
                "ranking": [["faq/order-status", 0.31]],
                "negative": 0.3 * number,
                "language": "hi",
                "sentiment": {"label": "negative", "negative": 0.8},
                "decision": "handoff",
                "cause": "negative-sentiment",
                "content_version": 1,
            },
        )
    seed.message(
        connection,
        WAITING,
        say("आप अपने ऑर्डर की स्थिति यहाँ देख सकते हैं।"),
        "bot",
        language="hi",
        entry="order-status",
        content_version=1,
        created_at=now - 200,
        quick_replies=[{"title": say("रिफ़ंड")}, {"title": say("मेरा ऑर्डर कहाँ है?")}],
    )
    seed.event(connection, WAITING, "episode.started", occurred_at=now - 305)
    seed.event(
        connection,
        WAITING,
        "handoff.requested",
        occurred_at=now - 170,
        data=seed.doubt(cause="negative-sentiment", negative=0.97),
    )
    labels.add(connection, WAITING, "late-delivery")
    labels.add(connection, WAITING, "vip")
    seed.conversation(
        connection,
        MINE,
        name=say("María José Núñez de la Peña y Garay-Etxeberria"),
        state="assigned",
        owner="u-asha",
        language="es",
        cause="narrow-margin",
        sentiment=0.5,
        cause_detail=seed.doubt(margin=0.03),
        channel="telegram",
    )
    seed.message(connection, MINE, say("¿Cuándo llega mi pedido?"), language="es")
    seed.message(
        connection, MINE, say("Lo miro."), "agent", agent="Asha", language="es", delivery="read"
    )
    seed.event(
        connection, MINE, "handoff.assigned", actor="agent", actor_id="u-asha", data={"wait_s": 75}
    )
    notes.add(
        connection, MINE, "u-ravi", say("Courier: out for delivery since Tuesday."), key="n" * 8
    )
    for number, (state, language) in enumerate(
        [("bot", "en"), ("waiting", "ar"), ("waiting", "th"), ("resolved", "ml"), ("bot", "mr")]
    ):
        ident = f"webchat-{number:04d}"
        seed.conversation(
            connection,
            ident,
            state=state,
            language=language,
            name=say("أحمد السيد") if number else "",
        )
        seed.message(connection, ident, say(arabic), language=language)
    canned.save(connection, "thanks", say("Thank you, {{customer}}") if words != "{}" else "Thanks")
    connection.execute(
        dead_letters.insert().values(
            id="d:1",
            direction="out",
            conversation=MINE,
            body={},
            created_at=now - 3600,
            error=say("telegram: 403 Forbidden: bot was blocked by the user"),
        )
    )
