"""A LibreTranslate server on loopback that can misbehave (POST /translate); also DeepL's
POST /v2/translate, without moods. Words in the address are refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class LibreServer:
    """Translates by `translate`, and notes every request.

    `mood` is `well`, or a way to fail: `slow` (until `go_on` is set), `limited`, `refused`,
    `broken` (500), `html`, `other` (JSON without a translation), `empty`, `half` (the connection
    ends within the body) or `lossy` (marks are lost).
    """

    def __init__(self) -> None:
        self.mood = "well"
        self.go_on = threading.Event()
        self.asked: list[dict[str, str]] = []
        self.translate: Callable[[str], str] = lambda text: f"‹{text}›"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, asked: dict[str, str]) -> tuple[int, bytes]:
        self.asked.append(asked)
        if self.mood == "slow":
            self.go_on.wait(20)
        status = {"limited": 429, "refused": 403, "broken": 500}.get(self.mood, 200)
        if status != 200:
            return status, b'{"error": "no"}'
        if self.mood == "html":
            return 200, b"<html>"
        if self.mood == "other":
            return 200, b'{"detail": 1}'
        text = "" if self.mood == "empty" else self.translate(asked["q"])
        if self.mood == "lossy":
            text = text.replace("[[", "").replace("]]", "")
        return 200, json.dumps({"translatedText": text}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                address = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                form = self.rfile.read(length).decode()
                asked = {k: v[0] for k, v in parse_qs(form).items()}
                deepl = address.path == "/v2/translate"
                if address.query or not (deepl or {"q", "source", "target"} <= asked.keys()):
                    self.send_error(400)
                    return
                if deepl:
                    asked = {**asked, "q": asked["text"], "key": self.headers["Authorization"]}
                status, body = server.answer(asked)
                if deepl:
                    text = json.loads(body)["translatedText"]
                    body = json.dumps({"translations": [{"text": text}]}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if server.mood == "half" else body)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        return Handler
