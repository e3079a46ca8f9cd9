"""Listens for HTTP: an application behind the limits for connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from bot import remote
from bot.errors import ConfigurationError
from bot.settings import Settings
from bot.web import descriptors
from bot.web.connections import KEEP_ALIVE_S, LINGER_S, Connection, Connections
from bot.web.descriptors import Descriptors
from bot.web.tally import TALLY

LOG = structlog.get_logger(__name__)
LOOK_S = 1.0
"""Between two looks at all connections."""
BACKLOG = 512


class _Site(web.BaseSite):
    """A TCP port whose connections are ours."""

    def __init__(
        self, runner: web.AppRunner, host: str, port: int, connections: Connections
    ) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._host, self._wanted = host, port
        self._connections = connections
        self.port = port

    @property
    def name(self) -> str:
        return f"http://{self._host}:{self.port}"

    async def start(self) -> None:
        await super().start()
        loop = asyncio.get_running_loop()
        made = await loop.create_server(
            self._connection, self._host, self._wanted, backlog=self._backlog
        )
        self._server = made
        self.port = made.sockets[0].getsockname()[1]

    def _connection(self) -> Connection:
        server = self._runner.server
        assert server is not None  # noqa: S101 - a site is made of a runner that is set up
        return Connection(
            self._connections,
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
            # A body is refused when it is compressed; until then it must not unfold.
            auto_decompress=False,
        )


@contextlib.asynccontextmanager
async def serving(
    app: web.Application, settings: Settings, port: int, key: str
) -> AsyncIterator[tuple[int, Connections]]:
    """Serve an application on `SAMVAD_HOST` while the context lasts.

    Args:
        port: 0 takes any that is free.
        key: The setting that names the port.

    Returns:
        The port, and the connections that are open.

    Raises:
        ConfigurationError: The port is taken.
    """
    remote.warn_of_unnamed_proxy(settings.public_url, settings.trusted_proxies)
    connections = Connections(
        settings.connections_per_address,
        settings.trusted_proxies,
        Descriptors(descriptors.limit()),
    )
    runner = web.AppRunner(app, access_log=None, handler_cancellation=False)
    await runner.setup()
    watch = asyncio.create_task(_watch(connections), name="connections")
    try:
        site = _Site(runner, settings.host, port, connections)
        try:
            await site.start()
        except OSError as error:
            where = f"{settings.host}:{port}"
            raise ConfigurationError(
                key, f"cannot listen on {where} ({error.strerror}); choose another port"
            ) from error
        yield site.port, connections
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await runner.cleanup()
        TALLY.write()


async def _watch(connections: Connections) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            connections.look(asyncio.get_running_loop().time())
        except Exception:
            # Without this look every connection may stay for ever.
            LOG.exception("connections.look_failed")
