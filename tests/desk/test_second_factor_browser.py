"""The second factor in a real browser: every state of its page, and the second step of a login."""

from __future__ import annotations

import time

import pytest
from desk_pages import show, signed_in
from desk_world import PASSWORD, Desk
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect
from test_desk_layout import MEASURE, WIDTHS, picture, violations
from test_second_factor import app_code, secret_of

Found = list[tuple[object, ...]]


async def _look(page: Page, name: str) -> Found:
    """What runs over or breaks a rule, at every width."""
    found: Found = [(name, *one) for one in await violations(page)]
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        found += [(name, width, one) for one in await page.evaluate(MEASURE)]
        await picture(page, f"factor-{name}-{width}")
    return found


LIGHT = [(language, "light") for language in ("en", "hi", "mr", "ml", "th", "es", "ar")]


@pytest.mark.parametrize(("language", "scheme"), [*LIGHT, ("en", "dark"), ("ar", "dark")])
async def test_all_states_of_the_page_fit_and_are_accessible(
    desk: Desk, chromium: Chromium, language: str, scheme: str
) -> None:
    page = await signed_in(desk, chromium, "boss", language=language, scheme=scheme)
    name = f"{language}-{scheme}"
    await show(desk, page, "/second-factor")
    found = await _look(page, f"{name}-off")
    await page.fill("[name=current]", PASSWORD)
    await page.locator("main button").click()
    await expect(page.locator(".qr svg")).to_be_visible()
    found += await _look(page, f"{name}-scan")
    await page.fill("[name=code]", app_code(secret_of(desk), time.time()))
    await page.locator("main button").click()
    await expect(page.locator(".recovery-codes li")).to_have_count(10)
    found += await _look(page, f"{name}-codes")
    await page.locator("main section a").click()
    await expect(page.locator("main form")).to_have_count(2)
    found += await _look(page, f"{name}-on")
    await page.context.clear_cookies()
    await show(desk, page, f"/login?language={language}")
    await page.fill("[name=login]", "boss")
    await page.fill("[name=password]", PASSWORD)
    await page.locator("form button").click()
    await expect(page.locator("[name=code]")).to_be_focused()
    found += await _look(page, f"{name}-login")
    await page.fill("[name=code]", "000000")
    await page.keyboard.press("Enter")
    await expect(page.locator("[role=alert]")).to_be_visible()
    # The code of the next half minute: the one of this was used.
    await page.fill("[name=code]", app_code(secret_of(desk), time.time() + 30))
    await page.keyboard.press("Enter")
    await expect(page.locator("#account")).to_be_visible()
    assert found == []
