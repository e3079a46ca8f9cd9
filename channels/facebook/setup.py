"""`python -m bot facebook setup`: subscribe, and set greeting, get-started and menu everywhere.

Shows first what is there already. Setting it again changes nothing.
"""

from __future__ import annotations

from typing import Any

from bot.content.texts import SystemTexts
from bot.errors import ConfigurationError, DeliveryFailed, SamvadError
from bot.settings import Settings
from bot.settings import missing as missing_of
from channels.facebook.limits import LIMITS
from channels.facebook.pages import pages
from channels.facebook.payload import GET_STARTED, MENU
from channels.facebook.settings import FacebookSettings
from channels.kit import menu
from channels.kit.meta.graph import Account
from channels.kit.reading import object_at, objects_at, text_at
from channels.kit.vendor_http import VendorHttp

SUBSCRIBED = (
    "messages",
    "messaging_postbacks",
    "messaging_referrals",
    "message_reactions",
    "message_echoes",
    "message_deliveries",
    "message_reads",
)
PROFILE = ("get_started", "greeting", "persistent_menu")
LOCALES = {
    "ar": ("ar_AR",),
    "bn": ("bn_IN",),
    "de": ("de_DE",),
    "en": ("en_US", "en_GB"),
    "es": ("es_LA", "es_ES"),
    "fr": ("fr_FR", "fr_CA"),
    "gu": ("gu_IN",),
    "hi": ("hi_IN",),
    "id": ("id_ID",),
    "it": ("it_IT",),
    "ja": ("ja_JP",),
    "kn": ("kn_IN",),
    "ko": ("ko_KR",),
    "ml": ("ml_IN",),
    "mr": ("mr_IN",),
    "pa": ("pa_IN",),
    "pt": ("pt_BR", "pt_PT"),
    "ru": ("ru_RU",),
    "ta": ("ta_IN",),
    "te": ("te_IN",),
    "th": ("th_TH",),
    "tr": ("tr_TR",),
    "ur": ("ur_PK",),
    "vi": ("vi_VN",),
    "zh": ("zh_CN", "zh_TW"),
}
"""Messenger's locales of a language
(developers.facebook.com/docs/messenger-platform/messenger-profile/supported-locales)."""


async def run(settings: Settings, *, show_only: bool = False) -> list[str]:
    """Set all pages up; return what to tell the operator, a line each.

    Raises:
        ConfigurationError: Secrets are missing.
        SamvadError: A page refused; the message says which and why.
    """
    if missing := missing_of(settings.of(FacebookSettings)):
        raise ConfigurationError(missing[0], "is empty, so Messenger is off; see docs/facebook.md")
    http = VendorHttp()
    lines: list[str] = []
    try:
        for page in pages(settings, http).values():
            lines += await _page(settings, page, show_only)
    finally:
        await http.aclose()
    return lines


async def _page(settings: Settings, page: Account, show_only: bool) -> list[str]:
    try:
        named = await page.get(page.id, {"fields": "name"})
        title = f"page {page.id} ({text_at(named, 'name', 100)})"
        lines = [title, *(f"  has  {line}" for line in await _present(page))]
        if show_only:
            return lines
        await page.post(f"{page.id}/subscribed_apps", {"subscribed_fields": ",".join(SUBSCRIBED)})
        await page.post("me/messenger_profile", profile(settings))
        return [*lines, *(f"  now  {line}" for line in await _present(page))]
    except DeliveryFailed as error:
        raise SamvadError(
            f"page {page.id}: the Graph API answered “{error.reason}”; check its token's "
            "permissions (pages_messaging, pages_manage_metadata) and FACEBOOK_APP_SECRET"
        ) from None


def profile(settings: Settings) -> dict[str, Any]:
    """Shape greeting, get-started and menu in all languages for the Messenger Profile API."""
    texts = SystemTexts.load(settings.default_language)
    greetings, menus = [], []
    default = settings.default_language
    for locale, language in [("default", default), *_locales(settings)]:
        words = texts.render("utter_bot_intro", language, business=settings.business_name)
        greetings.append({"locale": locale, "text": LIMITS.within("greeting", words)})
        actions = [
            {
                "type": "postback",
                "title": LIMITS.within("menu title", item.title),
                "payload": f"{MENU}{item.key}",
            }
            for item in menu.items(settings, language)
        ]
        menus.append(
            {
                "locale": locale,
                "composer_input_disabled": False,
                "call_to_actions": actions[: LIMITS.most("menu items")],
            }
        )
    return {
        "get_started": {"payload": GET_STARTED},
        "greeting": greetings,
        "persistent_menu": menus,
    }


def _locales(settings: Settings) -> list[tuple[str, str]]:
    return [
        (locale, language)
        for language in settings.languages
        for locale in LOCALES.get(language, ())
    ]


async def _present(page: Account) -> list[str]:
    """Tell what a page is set to."""
    apps = await page.get(f"{page.id}/subscribed_apps", {})
    answer = await page.get("me/messenger_profile", {"fields": ",".join(PROFILE)})
    profile: dict[str, Any] = {}
    for part in objects_at(answer, "data"):
        profile.update(part)
    lines = [
        "subscription: " + ", ".join(str(f) for f in app.get("subscribed_fields") or ())
        for app in objects_at(apps, "data")
    ]
    payload = text_at(object_at(profile, "get_started"), "payload", 100)
    greeting = [text_at(g, "locale", 20) for g in objects_at(profile, "greeting")]
    menus = [
        f"{text_at(m, 'locale', 20)} ({len(objects_at(m, 'call_to_actions'))})"
        for m in objects_at(profile, "persistent_menu")
    ]
    return [
        *(lines or ["subscription: none"]),
        f"get started: {payload or 'none'}",
        f"greeting: {', '.join(greeting) or 'none'}",
        f"menu (items): {', '.join(menus) or 'none'}",
    ]
