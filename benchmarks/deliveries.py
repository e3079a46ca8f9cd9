"""Signed Messenger deliveries as bytes of HTTP requests."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time
import uuid

from benchmarks.throughput import fresh_traffic

APP_SECRET = "benchmark-secret"
PAGE, TOKEN = "1001", "benchmark-token"
CUSTOMERS = 2000


def deliveries(count: int, path: str, seed: int = 1) -> list[bytes]:
    """Make requests with one new message each; customers and texts depend on the seed."""
    chance = random.Random(seed)
    traffic = fresh_traffic("deliveries")
    texts = [traffic.question().text for _ in range(500)]
    run = uuid.uuid4().hex[:12]
    return [
        request(path, f"{run}-{n}", str(10_000 + chance.randrange(CUSTOMERS)), chance.choice(texts))
        for n in range(count)
    ]


def request(path: str, mid: str, user: str, text: str) -> bytes:
    """Make one delivery with one message."""
    moment = int(time.time() * 1000)
    event = {
        "sender": {"id": user},
        "recipient": {"id": PAGE},
        "timestamp": moment,
        "message": {"mid": f"m_{mid}", "text": text},
    }
    body = json.dumps(
        {"object": "page", "entry": [{"id": PAGE, "time": moment, "messaging": [event]}]}
    ).encode()
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
