"""What a stranger on the network may try, against a system started for it: what held, what not.

`make attack`. Bounded, on loopback, with harmless inputs: each probe says what was done, what was
seen, and whether that is right. Rights of agents and teams are walked through in tests/desk.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import socket
import stat
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

if __name__ == "__main__":
    here = Path(__file__).resolve()
    sys.path[:0] = [str(here.parents[2]), str(here.parents[1]), str(here.parent)]

from costly_texts import MOST_P99_S, attack, leases_lost, texts
from running import System, Visitor, call, running

SECRET = "a-secret-of-the-bot-1234"
SETTINGS = {
    "FACEBOOK_APP_SECRET": "0123456789abcdef0123456789abcdef",
    "FACEBOOK_VERIFY_TOKEN": "verify-me",
    "FACEBOOK_PAGE_TOKENS": "1001=page-token",
    "TELEGRAM_BOTS": f"shop=12345:token-of-the-bot:{SECRET}",
    # Vendors are not reached: nothing is sent to them here.
    "FACEBOOK_GRAPH_URL": "http://127.0.0.1:9",
    "TELEGRAM_API_URL": "http://127.0.0.1:9",
}
HEADER_S = 10.0
SLACK_S = 20.0
"""A busy machine may be late."""


@dataclass(frozen=True)
class Probe:
    """Something tried."""

    row: str
    """Of the list of weaknesses it comes from."""
    what: str
    try_it: Callable[[System], tuple[bool, str]]


PROBES: list[Probe] = []


def probe(row: str, what: str) -> Callable[[Callable[[System], tuple[bool, str]]], None]:
    """Register a function: held or not, and what was seen."""
    return lambda function: PROBES.append(Probe(row, what, function))


def _statuses(*answers: int, allowed: tuple[int, ...]) -> tuple[bool, str]:
    return all(status in allowed for status in answers), " ".join(map(str, answers))


@contextlib.contextmanager
def _connected(address: str) -> Iterator[socket.socket]:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=60) as wire:
        yield wire


def _closed_after(address: str, sent: bytes) -> float | None:
    """Seconds until the server closes a connection that sent this; None: it did not in time."""
    with _connected(address) as wire:
        wire.settimeout(4 * HEADER_S + SLACK_S)
        began = time.monotonic()
        wire.sendall(sent)
        try:
            while wire.recv(4096):
                pass
        except TimeoutError:
            return None
        except OSError:
            pass
        return time.monotonic() - began


@probe("S1", "forty of the costliest texts among two hundred ordinary conversations")
def _costly(system: System) -> tuple[bool, str]:
    waited = asyncio.run(attack(system.ingress, list(texts(40)), 200, 60.0))
    seen = (
        f"p99 {waited.p(0.99):.2f} s, unanswered {waited.lost}, leases lost {leases_lost(system)}"
    )
    return waited.lost == 0 and waited.p(0.99) < MOST_P99_S, seen


@probe("S3", "a webhook's body in gzip, unsigned, unknown, and without its secret")
def _unsigned(system: System) -> tuple[bool, str]:
    body = gzip.compress(b" " * 1_000_000)
    zipped = {"Content-Encoding": "gzip"}
    hook = f"{system.ingress}/webhooks"
    answers = [
        call("POST", f"{hook}/facebook/webhook", body, headers=zipped).status,
        call("POST", f"{hook}/facebook/webhook", b"{}").status,
        call("POST", f"{hook}/telegram/shop/webhook", b"{}").status,
        call("POST", f"{hook}/telegram/nobody/webhook", b"{}").status,
    ]
    return _statuses(*answers, allowed=(400, 401, 403, 404, 415))


@probe("S3", "a webhook's body larger than a vendor sends")
def _large(system: System) -> tuple[bool, str]:
    url = f"{system.ingress}/webhooks/telegram/shop/webhook"
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    try:
        status = call("POST", url, b" " * 3_000_000, headers=headers).status
    except OSError as error:
        return True, f"closed ({type(error).__name__})"
    return _statuses(status, allowed=(413,))


def _slow(address: Callable[[System], str]) -> Callable[[System], tuple[bool, str]]:
    def look(system: System) -> tuple[bool, str]:
        host = urlsplit(address(system)).netloc
        halves = (
            b"",
            b"GET / HT",
            f"GET /health HTTP/1.1\r\nHost: {host}\r\nX-Half: ".encode(),
            f"POST /login HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99\r\n\r\nhalf".encode(),
        )
        with ThreadPoolExecutor(len(halves)) as threads:
            took = list(threads.map(lambda half: _closed_after(address(system), half), halves))
        seen = ", ".join("open" if s is None else f"{s:.0f} s" for s in took)
        return all(s is not None for s in took), seen

    return look


probe("S4", "half requests at the ingress are closed")(_slow(lambda system: system.ingress))
probe("S4", "half requests at the desk are closed")(_slow(lambda system: system.desk))


@probe("S4", "two hundred idle connections of one address keep nobody else out")
def _idle(system: System) -> tuple[bool, str]:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            with contextlib.suppress(OSError):
                stack.enter_context(_connected(system.ingress))
        other = asyncio.run(_health_from(system, "127.0.9.9"))
    return other in (200, 503), f"another address: {other}"


async def _health_from(system: System, address: str) -> int:
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"{system.ingress}/health") as answer,
    ):
        return answer.status


@probe("S5", "sixty windows of one conversation; the oldest give way")
def _windows(system: System) -> tuple[bool, str]:
    visitor = Visitor(system)

    async def crowd() -> tuple[int, int]:
        async with aiohttp.ClientSession() as session:
            windows = []
            url = f"{system.ingress}/webhooks/webchat/socket"
            for _ in range(60):
                with contextlib.suppress(aiohttp.ClientError):
                    window = await session.ws_connect(url, origin=system.ingress)
                    await window.send_json({"type": "hello", "token": visitor.token})
                    windows.append(window)
            await asyncio.sleep(2)
            closed = 0
            for window in windows:
                with contextlib.suppress(TimeoutError):
                    while not window.closed:
                        async with asyncio.timeout(0.2):
                            await window.receive()
                closed += window.closed
            return len(windows), closed

    opened, closed = asyncio.run(crowd())
    return 0 < opened - closed <= 20, f"{opened} of 60 opened, {closed} of them closed again"


@probe("S6, S7", "sixty wrong passwords side by side")
def _guesses(system: System) -> tuple[bool, str]:
    async def all_of_them() -> list[int]:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            async with session.get(f"{system.desk}/login") as page:
                token = (await page.text()).partition('name="csrf" value="')[2].partition('"')[0]

            async def guess(number: int) -> int:
                fields = {"csrf": token, "login": f"nobody-{number}", "password": "wrong guess 1"}
                headers = {"Origin": system.desk}
                url = f"{system.desk}/login"
                async with session.post(url, data=fields, headers=headers) as answer:
                    return answer.status

            return list(await asyncio.gather(*(guess(n) for n in range(60))))

    answers = asyncio.run(all_of_them())
    tried = answers.count(401)
    return 0 < tried <= 41, f"{tried} of 60 were tried"


@probe("S8", "files of the state folder are its owner's")
def _files(system: System) -> tuple[bool, str]:
    def others(path: Path) -> bool:
        return bool(path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))

    names = ("samvad.sqlite3", "redis/appendonlydir", "logs", "secrets", "files")
    there = [system.state_dir / name for name in names if (system.state_dir / name).exists()]
    opened = [path.name for path in there if path.is_file() and others(path)]
    return not opened, f"open to others: {opened or 'none'}"


@probe("S9", "the REST channel from a page, from a proxy, under a stranger's name")
def _rest(system: System) -> tuple[bool, str]:
    url = f"{system.ingress}/webhooks/rest/webhook"
    body = {"sender": "stranger", "message": "hello"}
    tried = (
        {"Origin": "https://shop.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "shop.example"},
        {"Via": "1.1 proxy"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Host": "shop.example"},
        {"CF-Connecting-IP": "203.0.113.9"},
    )
    return _statuses(
        *(call("POST", url, body, headers=headers).status for headers in tried),
        allowed=(403, 404, 421),
    )


@probe("S11", "line breaks and escapes in an address")
def _log(system: System) -> tuple[bool, str]:
    for mark in ("%0a", "%0d", "%1b%5b31m", "%e2%80%a8"):
        path = f"/webchat/static/x{mark}level=error%20event=forged"
        call("GET", system.ingress + path)
    time.sleep(6)  # refusals are written every few seconds
    lines = [
        line
        for log in system.logs.glob("*.log")
        for line in log.read_text("utf-8", "replace").splitlines()
    ]
    forged = [line for line in lines if line.startswith("level=error event=forged")]
    raw = [line for line in lines if "\x1b" in line]
    return not forged and not raw, f"{len(forged)} forged lines, {len(raw)} with escapes"


@probe("S16", "bodies that are malformed")
def _malformed(system: System) -> tuple[bool, str]:
    multipart = "multipart/form-data"
    form = "application/x-www-form-urlencoded"
    tried = (
        (system.desk + "/login", {"Content-Type": multipart}, b"--x\r\n"),
        (system.desk + "/login", {"Content-Type": f"{multipart}; boundary=x"}, b"--x\r\nContent"),
        (system.desk + "/login", {"Content-Type": f"{form}; charset=no-such"}, b"login=a"),
        (system.desk + "/login", {"Content-Type": form}, b"login=\xff\xfe"),
        (system.desk + "/login", {"Content-Type": form, "Content-Encoding": "gzip"}, b"no gzip"),
        (system.ingress + "/webhooks/webchat/session", {}, b"\xff\xfe{"),
        (system.ingress + "/webhooks/webchat/session", {"Content-Encoding": "gzip"}, b"no gzip"),
        (system.ingress + "/webhooks/webchat/message", {}, b"[" * 50_000),
    )
    answers = [
        call("POST", url, body, headers={"Origin": _origin(url), **headers}).status
        for url, headers, body in tried
    ]
    return all(400 <= status < 500 for status in answers), " ".join(map(str, answers))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@probe("S20", "the name of a host in the frame's policy")
def _host(system: System) -> tuple[bool, str]:
    url = f"{system.ingress}/webchat/frame?site=demo"
    usual = call("GET", url).headers.get("Content-Security-Policy", "")
    answer = call("GET", url, headers={"Host": "x;script-src *"})
    policy = answer.headers.get("Content-Security-Policy", "")
    held = "script-src *" not in policy and (answer.status != 200 or bool(policy))
    return bool(usual) and held, f"{answer.status}, {len(policy)} characters"


@probe("S28", "names of versions in headers")
def _versions(system: System) -> tuple[bool, str]:
    servers = {
        call("GET", f"{base}/health").headers.get("Server", "")
        for base in (system.ingress, system.desk)
    }
    return not any(character.isdigit() for name in servers for character in name), str(servers)


@probe("F1", "a language that is not named is asked for")
def _language(system: System) -> tuple[bool, str]:
    visitor = Visitor(system)
    said = [message["text"] for message in visitor.ask("change language", 2)]
    return not any("{" in text for text in said), said[-1][:60]


@probe("all", "an ordinary customer is answered after all of it")
def _afterwards(system: System) -> tuple[bool, str]:
    async def ask() -> str:
        connector = aiohttp.TCPConnector(local_addr=("127.0.9.8", 0))
        async with aiohttp.ClientSession(connector=connector) as session:
            api = f"{system.ingress}/webhooks/webchat"
            async with session.post(f"{api}/session", json={"site": "demo"}) as answer:
                headers = {"Authorization": f"Bearer {(await answer.json())['token']}"}
            body = {"id": uuid.uuid4().hex, "text": "where is my order"}
            await session.post(f"{api}/message", json=body, headers=headers)
            for _ in range(30):
                async with session.get(f"{api}/history", headers=headers) as answer:
                    found = json.loads(await answer.text())["messages"]
                if found and found[-1]["author"] != "customer":
                    return str(found[-1]["text"])
                await asyncio.sleep(1)
        return ""

    said = asyncio.run(ask())
    return bool(said), said[:60]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="rows to try, such as S4,S9")
    wanted = [row for row in parser.parse_args().only.split(",") if row]
    held = True
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **SETTINGS) as system:
        for one in PROBES:
            if wanted and not any(row in one.row for row in wanted):
                continue
            try:
                is_right, seen = one.try_it(system)
            except Exception as error:
                is_right, seen = False, repr(error)
            held = held and is_right
            print(
                f"{'held' if is_right else 'NOT ':4}  {one.row:7}  {one.what}: {seen}", flush=True
            )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
