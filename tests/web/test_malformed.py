"""What cannot be read is refused as such: with our headers, and without a stack trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from edge_wire import BOT_SECRET, Served, ask, connect, request

from bot.desk.app import make_app as make_desk
from bot.handoff.service import HandoffService
from bot.processes.ingress import make_app as make_ingress
from bot.settings import Settings
from bot.stores.database import Database
from bot.web.serving import serving

URLENCODED = "application/x-www-form-urlencoded"
PART = b'--b\r\nContent-Disposition: form-data; name="login"\r\n\r\nx\r\n'
FORMS = {
    "no boundary": ("multipart/form-data", PART),
    "an empty boundary": ("multipart/form-data; boundary=", PART),
    "another boundary": ("multipart/form-data; boundary=c", PART + b"--b--\r\n"),
    "cut": ("multipart/form-data; boundary=b", PART),
    "cut in a head": ("multipart/form-data; boundary=b", PART[:20]),
    "nothing at all": ("multipart/form-data; boundary=b", b""),
    "a part without a name": (
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
    ),
    "a part without a head": ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n"),
    "a part with an unknown charset": (
        "multipart/form-data; boundary=b",
        PART[:-5] + b"Content-Type: text/plain; charset=klingon\r\n\r\nx\r\n--b--\r\n",
    ),
    "a part that is no text": (
        "multipart/form-data; boundary=b",
        PART[:-3] + b"\xff\xfe\r\n--b--\r\n",
    ),
    "a head that is no text": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\nx\r\n--b',
    ),
    "an unknown charset": (f"{URLENCODED}; charset=klingon", b"login=x"),
    "a charset that is no text": (f"{URLENCODED}; charset=hex", b"login=x"),
    "no UTF-8": (URLENCODED, b"login=\xff\xfe"),
    "no UTF-8 when decoded": (URLENCODED, b"login=%ff%fe"),
    "too many fields": (URLENCODED, b"a=1&" * 2000),
}


@pytest.fixture
async def desk(edge_settings: Settings, redis: object) -> AsyncIterator[Served]:
    """As it is served, behind the same server as a running desk."""
    database = Database.of(edge_settings)
    service = HandoffService(edge_settings, database, redis)  # type: ignore[arg-type]
    app = make_desk(edge_settings, database, redis, service)  # type: ignore[arg-type]
    async with serving(app, edge_settings, 0, "DESK_PORT") as (port, _):
        yield Served(app, port)
    database.close()


@pytest.fixture
async def ingress(edge_settings: Settings, redis: object) -> AsyncIterator[Served]:
    app = make_ingress(edge_settings)
    async with serving(app, edge_settings, 0, "INGRESS_PORT") as (port, _):
        yield Served(app, port)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test here may write a stack trace."""
    with structlog.testing.capture_logs() as told:
        yield
    traces = [line for line in told if line.get("exc_info") or line["log_level"] == "error"]
    assert traces == []
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_form_that_cannot_be_read_is_refused(desk: Served) -> None:
    for form, (kind, body) in FORMS.items():
        for path, status in (("/login", 400), ("/logout", 401)):
            told = await ask(desk.port, request("POST", path, body, Content_Type=kind))
            assert told.status == status, (form, path)
            assert "frame-ancestors 'none'" in told.headers["Content-Security-Policy"], form
            assert told.headers["X-Content-Type-Options"] == "nosniff", form


async def test_a_form_in_parts_is_as_good_as_any(desk: Served) -> None:
    kind = "multipart/form-data; boundary=b"
    told = await ask(desk.port, request("POST", "/login", PART + b"--b--\r\n", Content_Type=kind))
    assert told.status == 200
    assert b'value="x"' in told.body


HEADS = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n",
    "an odd version": b"GET / HTTP/7.7\r\nHost: x\r\n\r\n",
    "a head without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "two lengths": (
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
    ),
    "a length and pieces": (
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "too long an address": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "too long a header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 500 + b"\r\n",
    "a control character": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: \x01\x00\r\n\r\n",
}


async def test_what_is_no_http_is_refused_with_our_headers(ingress: Served, desk: Served) -> None:
    for name, head in HEADS.items():
        for server in (ingress, desk):
            told = await ask(server.port, head)
            assert told.status == 400, name
            assert told.headers["X-Content-Type-Options"] == "nosniff", name
            assert "default-src 'none'" in told.headers["Content-Security-Policy"], name


ODD = "\xff\xfe\x80"
"""As bytes that are no UTF-8."""


PAGES: list[tuple[str, dict[str, str]]] = [
    ("/login", {"Cookie": f"samvad_desk={ODD}"}),
    ("/login", {"Cookie": f"samvad_language={ODD}; samvad_login={ODD}"}),
    ("/login", {"Accept_Language": ODD}),
    ("/login", {"X_Forwarded_For": ODD}),
    ("/login", {"Host": ODD}),
    (f"/login?language={ODD}", {}),
    ("/login?language=%ff%00", {}),
    (f"/{ODD}", {"Cookie": "samvad_desk=x"}),
    ("/%ff%00%0a", {}),
    ("/static/x/%00", {}),
    ("/static/x/%ff/..%2f..", {}),
    ("/conversations/%ff", {}),
]


async def test_odd_bytes_in_a_head_break_no_page_of_the_desk(desk: Served) -> None:
    for path, headers in PAGES:
        told = await ask(desk.port, request("GET", path, **headers))
        assert told.status < 500, (path, headers)
        assert told.headers["X-Content-Type-Options"] == "nosniff", (path, headers)


ASKED: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/", {"Accept_Language": ODD}),
    ("GET", f"/?language={ODD}", {}),
    ("GET", "/", {"If_None_Match": ODD, "Accept_Encoding": ODD}),
    ("GET", f"/webchat/frame?site={ODD}&origin={ODD}", {"Host": ODD}),
    ("GET", "/webchat/frame?site=demo&origin=%00%ff", {}),
    ("GET", f"/webchat/static/{ODD}/{ODD}", {}),
    ("GET", "/webchat/static/x/%00", {}),
    ("GET", "/webhooks/webchat/history", {"Authorization": f"Bearer {ODD}"}),
    ("GET", "/webhooks/webchat/socket", {"Origin": ODD}),
    ("GET", "/webhooks/webchat/files/x?key=%ff&expires=1", {}),
    ("GET", f"/webhooks/webchat/files/x?key={ODD}&expires={ODD}", {}),
    ("POST", f"/webhooks/telegram/{ODD}/webhook", {"X_Telegram_Bot_Api_Secret_Token": ODD}),
    ("POST", "/webhooks/telegram/%ff%0a/webhook", {}),
    ("POST", "/webhooks/facebook/webhook", {"X_Hub_Signature_256": ODD}),
    ("GET", "/webhooks/facebook/webhook?hub.mode=subscribe&hub.verify_token=%ff", {}),
    ("POST", "/webhooks/webchat/session", {"X_Forwarded_For": ODD}),
    ("POST", "/webhooks/webchat/session", {"Content_Type": ODD}),
]


async def test_odd_bytes_in_a_head_break_nothing_of_the_ingress(ingress: Served) -> None:
    for method, path, headers in ASKED:
        told = await ask(ingress.port, request(method, path, **headers))
        assert told.status < 500, (path, headers)


async def test_a_body_that_is_no_object_is_refused(ingress: Served) -> None:
    known = {"X_Telegram_Bot_Api_Secret_Token": BOT_SECRET}
    for body in (b"", b"\x80", b"[" * 50_000, b'{"a":' * 9000, b"NaN", b"1e999"):
        for path in ("webchat/session", "rest/webhook", "telegram/MelaBot/webhook"):
            told = await ask(ingress.port, request("POST", f"/webhooks/{path}", body, **known))
            assert told.status == 400, (path, body[:10])


async def test_pieces_that_are_none_are_refused(ingress: Served) -> None:
    head = request("POST", "/webhooks/webchat/session", Transfer_Encoding="chunked")
    data = head.replace(b"Content-Length: 0\r\n", b"") + b"zz\r\nhello\r\n0\r\n\r\n"
    assert (await ask(ingress.port, data)).status == 400


async def test_a_connection_that_ends_in_a_body_is_no_error(ingress: Served, desk: Served) -> None:
    for port, path in ((desk.port, "/login"), (ingress.port, "/webhooks/webchat/session")):
        for kind in (URLENCODED, "multipart/form-data; boundary=b"):
            wire = await connect(port)
            await wire.send(request("POST", path, Content_Length="1000", Content_Type=kind) + PART)
            wire.writer.transport.abort()
        assert (await ask(port, request("GET", "/health"))).status in (200, 503)
