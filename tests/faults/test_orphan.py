"""A killed `serve` leaves its Redis behind; the next start must not depend on an ownerless one."""

from __future__ import annotations

import os
from pathlib import Path

import redis

from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.redis_client import EmbeddedServer


def test_a_server_left_behind_is_replaced_and_its_data_kept(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    left = EmbeddedServer(tmp_path)
    assert left.acquire()
    left.start()
    assert left.process is not None
    with redis.Redis.from_url(redis_client.address(settings)) as client:
        client.set("kept", "yes")
    assert redis_client.ensure_server(settings) is None, "while it has an owner, others attach"
    # The kernel gives the lock of a killed owner back; its child lives on.
    assert left._lock is not None
    left._lock.close()

    server = redis_client.ensure_server(settings)
    assert server is not None
    try:
        assert left.process.wait(10) == 0
        with redis.Redis.from_url(redis_client.address(settings)) as client:
            assert client.get("kept") == b"yes"
        assert redis_client.ensure_server(settings) is None
    finally:
        server.stop()
    assert not redis_client.is_answering(redis_client.address(settings))
    assert not os.path.exists(server.socket)
