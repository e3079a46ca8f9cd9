"""The files: small, cacheable, under a strict policy, and in every language."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient
from webchat_shop import Shop

from bot.errors import BadRequest, TooBusy, TooMany
from bot.language.codes import direction, language_named_in
from bot.settings import Settings
from channels.webchat.server.pages import FOLDER, Assets, check_embedding, frame_policy
from channels.webchat.server.settings import WebchatSettings

SITES = {"open": ("*",), "shop": ("https://shop.example", "https://www.shop.example:8443")}
SETTINGS = Settings().with_parts(WebchatSettings(sites=SITES))
OWN = "https://chat.example"
TEXTS = Assets(SETTINGS).texts


@pytest.mark.parametrize(
    ("site", "origin"),
    [
        ("open", "https://anybody.example"),
        ("open", "http://localhost:3000"),
        ("shop", "https://shop.example"),
        ("shop", "https://SHOP.example/"),
        ("shop", "https://www.shop.example:8443"),
        ("shop", OWN),
        ("shop", ""),
    ],
)
def test_allowed_pages_may_embed(site: str, origin: str) -> None:
    check_embedding(SETTINGS, site, origin, OWN)


@pytest.mark.parametrize(
    ("site", "origin"),
    [
        ("shop", "https://evil.example"),
        ("shop", "https://shop.example.evil.example"),
        ("shop", "http://shop.example"),
        ("shop", "https://shop.example:444"),
        ("shop", "null"),
        ("open", "javascript:alert(1)"),
        ("open", "https://x.example; script-src *"),
        ("nowhere", "https://shop.example"),
        ("", ""),
        ("sh\nop", ""),
    ],
)
def test_other_pages_may_not(site: str, origin: str) -> None:
    with pytest.raises(BadRequest):
        check_embedding(SETTINGS, site, origin, OWN)


def test_the_policy_names_who_may_embed() -> None:
    policy = frame_policy(SITES["shop"], "chat.example")
    assert policy.endswith(
        "frame-ancestors 'self' https://shop.example https://www.shop.example:8443"
    )
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    "host", ["x;script-src *", "x y", "x\ty", "", "X,*", "h\u00f6st", "x'y", "a" * 300]
)
def test_a_host_that_is_no_name_does_not_enter_the_policy(host: str) -> None:
    policy = frame_policy(SITES["shop"], host)
    assert "connect-src 'self'; base-uri" in policy
    assert policy.count("script-src") == 1


def test_the_policy_names_our_own_host_for_sockets() -> None:
    policy = frame_policy(SITES["shop"], "chat.example:8080")
    assert "connect-src 'self' ws://chat.example:8080 wss://chat.example:8080;" in policy


async def test_the_frame_is_served_under_its_policy(client: TestClient) -> None:
    answer = await client.get("/webchat/frame", params={"site": "demo"})
    page = await answer.text()
    assert answer.status == 200
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    # What the policy forbids must not be there: inline script, inline style, handlers.
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)


async def test_an_unknown_site_gets_no_frame(client: TestClient) -> None:
    answer = await client.get("/webchat/frame", params={"site": "x"})
    assert answer.status == 404
    assert (await answer.json())["error"]["code"] == "unknown-site"


@pytest.mark.parametrize("language", sorted(TEXTS))
async def test_the_demo_shop_speaks_every_language(client: TestClient, language: str) -> None:
    answer = await client.get("/", params={"language": language})
    page = await answer.text()
    assert "{{" not in page
    assert TEXTS[language]["demo_tagline"] in page
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)


@pytest.mark.parametrize("language", sorted(TEXTS))
async def test_texts_come_with_their_direction(
    client: TestClient, shop: Shop, language: str
) -> None:
    """The widget has no list of right-to-left languages of its own."""
    from channels.webchat.server.routes import ASSETS

    address = f"/webchat/static/{shop.app[ASSETS].version}/{language}.json"
    texts = await (await client.get(address)).json()
    assert texts["direction"] == direction(language)


async def test_the_demo_shop_follows_the_browser(client: TestClient) -> None:
    answer = await client.get("/", headers={"Accept-Language": "xx, mr-IN;q=0.9, en;q=0.5"})
    assert TEXTS["mr"]["demo_tagline"] in await answer.text()
    hostile = await client.get("/", params={"language": '"><script>'})
    assert TEXTS["en"]["demo_tagline"] in await hostile.text()


async def test_files_are_cached_by_version(client: TestClient, shop: Shop) -> None:
    from channels.webchat.server.routes import ASSETS

    version = shop.app[ASSETS].version
    current = await client.get(f"/webchat/static/{version}/frame.js")
    assert "immutable" in current.headers["Cache-Control"]
    assert current.content_type == "text/javascript"
    old = await client.get("/webchat/static/old/frame.js")
    assert old.headers["Cache-Control"] == "no-cache"
    again = await client.get(
        "/webchat/static/old/frame.js", headers={"If-None-Match": old.headers["ETag"]}
    )
    assert again.status == 304
    for name in ("nothing.js", "..%2F..%2Fsession.py", "%2e%2e"):
        assert (await client.get(f"/webchat/static/{version}/{name}")).status == 404


async def test_the_loader_may_be_loaded_and_pinned_by_any_site(client: TestClient) -> None:
    answer = await client.get("/widget.js")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "{{" not in await answer.text()


def test_the_widget_stays_small() -> None:
    """Issue 3: the loader under 5 kB, the page inside under 25 kB gzipped."""
    assets = Assets(Settings())

    def asset(name: str) -> bytes:
        found = assets.file(name)
        assert found is not None
        return found.content

    assert len(asset("widget.js")) < 5000
    largest = max((asset(f"{language}.json") for language in TEXTS), key=len)
    files = [asset("frame.css"), asset("frame.js"), largest, assets.frame().content]
    page = sum(len(gzip.compress(content, 9)) for content in files)
    assert page < 25_000
    assert not re.search(r"parts\.css|view\.js", files[-1].decode()), "all else is in these"


def modules() -> list[Path]:
    return [p for p in FOLDER.glob("*.js") if p.name not in {"widget.js", "demo.js"}]


def test_all_languages_have_all_texts_with_the_same_holes() -> None:
    assert set(Settings().languages) <= TEXTS.keys()
    for language, texts in TEXTS.items():
        assert texts.keys() == TEXTS["en"].keys(), language
        for key, text in texts.items():
            assert text.strip(), (language, key)
            assert sorted(re.findall(r"\{\w+\}", text)) == sorted(
                re.findall(r"\{\w+\}", TEXTS["en"][key])
            ), (language, key)


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    code = "".join(path.read_text() for path in [*modules(), FOLDER / "demo.html"])
    code += (FOLDER / "widget.js").read_text()
    # Families of texts are asked for by their first half, as in `forget_${part}`.
    code += (FOLDER / "frame.html").read_text()
    families = set(re.findall(r"(?<=get\(`)(\w+_)\$\{", code)) | {"consent_", "erased_"}
    unused = {
        key
        for key in TEXTS["en"]
        if not re.search(rf"\b{key}\b", code) and not key.startswith(tuple(families))
    }
    assert unused == set()
    asked = set(re.findall(r'texts\.get\("(\w+)"', code)) | set(
        re.findall(r"\{\{text\.(\w+)\}\}", code)
    )
    assert asked <= TEXTS["en"].keys()


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_the_language_menu_sends_what_the_bot_understands(language: str) -> None:
    assert language_named_in(TEXTS[language]["speak"]) == language


def test_nothing_is_ever_set_as_markup() -> None:
    for path in modules():
        assert "innerHTML" not in path.read_text(), path.name
        assert "insertAdjacentHTML" not in path.read_text(), path.name


def test_the_widget_sends_again_what_the_server_had_no_room_for() -> None:
    source = (FOLDER / "transport.js").read_text("utf-8")
    (listed,) = re.findall(r"RETRIED = new Set\(\[(.*?)\]\)", source)
    refused = {TooMany(1).code, TooBusy(1).code, "unavailable", "too-slow"}
    assert set(re.findall(r'"([^"]+)"', listed)) == refused
