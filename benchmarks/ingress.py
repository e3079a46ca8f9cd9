"""Benchmark of the ingress: signed Messenger deliveries in open loop.

`python -m benchmarks.ingress`, about 4 minutes (`--quick`: 1). A thousand deliveries a second, each
with one new message of one of 2,000 customers, begin at random moments whatever the ingress does; a
latency counts from the moment a delivery was due until its 200, and the message is then on disk.
Measured with one ingress process, with two, and with one beside engines that work the messages off.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import figures, results
from benchmarks.deliveries import APP_SECRET, PAGE, TOKEN, deliveries
from benchmarks.results import Options, attempt
from benchmarks.systems import (
    REPO,
    BenchmarkError,
    free_port,
    our_environment,
    process_of,
    run_samvad,
)
from bot.stores.redis_client import EmbeddedServer

RATE = 1000.0
CONNECTIONS = 64
"""Meta keeps some open; a delivery that finds none free waits, its latency running."""
PATH = "/webhooks/facebook/webhook"
READY_S = 30.0


def main() -> None:
    """Measure and write."""
    options = results.read_options(__doc__)
    results.write(options, "ingress", measure(options))


def measure(options: Options) -> dict[str, Any]:
    """Deliver to one process, to two, and to one beside busy engines.

    Returns:
        `rate`, and for `one`, `two` and `busy` the figures of `Driver.figures`.
    """
    rate = options.choose(RATE, 300.0)
    results: dict[str, Any] = {"rate": rate}
    for name, work in (
        ("one", partial(_alone, options, 1, rate)),
        ("two", partial(_alone, options, 2, rate)),
        ("busy", partial(_busy, options, rate)),
    ):
        print(f"ingress: {name} …", flush=True)
        results[name] = attempt(work)
    return results


@dataclass
class Driver:
    """Sender of prepared requests as raw bytes, so that the generator itself costs little."""

    ports: Sequence[int]
    requests: Sequence[bytes]
    rate: float
    warm: int
    """Requests at the beginning that do not count."""
    latencies_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    async def run(self) -> None:
        """Send everything; the answers of the warm part are not counted."""
        free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        for number in range(CONNECTIONS):
            port = self.ports[number % len(self.ports)]
            free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
        chance, tasks = random.Random(1), set[asyncio.Task[None]]()
        due = time.perf_counter()
        for number, request in enumerate(self.requests):
            due += chance.expovariate(self.rate)
            if (wait_s := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait_s)
            task = asyncio.create_task(self._send(free, request, due, number >= self.warm))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        while not free.empty():
            free.get_nowait()[1].close()

    async def _send(
        self,
        free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
        request: bytes,
        due: float,
        counts: bool,
    ) -> None:
        connection = await free.get()
        reader, writer = connection
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if length := _length(head):
            await reader.readexactly(length)
        free.put_nowait(connection)
        if counts:
            self.latencies_s.append(time.perf_counter() - due)
            self.statuses[int(head[9:12])] += 1


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def deliver(
    options: Options, ports: Sequence[int], rate: float, pids: dict[str, int]
) -> dict[str, Any]:
    """Deliver for some time and return the figures.

    Args:
        pids: Name → process whose CPU is counted.

    Returns:
        Latencies, `sent_per_s`, `refused`, `cpu_ms_per_delivery` by process, and what the
        generator itself took.
    """
    seconds, warm_s = options.choose((30, 3), (8, 2))
    requests = deliveries(int(rate * (seconds + warm_s)), PATH)
    driver = Driver(ports, requests, rate, int(rate * warm_s))
    before = {name: figures.cpu_s(pid) for name, pid in pids.items()}
    own, began = time.process_time(), time.perf_counter()
    asyncio.run(driver.run())
    took, own = time.perf_counter() - began, time.process_time() - own
    cpu = {name: figures.cpu_s(pid) - before[name] for name, pid in pids.items()}
    if not driver.latencies_s:
        raise BenchmarkError("no delivery was answered")
    return {
        **figures.latency_ms(driver.latencies_s),
        "sent_per_s": round(len(requests) / took, 1),
        "refused": sum(n for status, n in driver.statuses.items() if status != 200),
        "cpu_ms_per_delivery": {
            name: round(used * 1000 / len(requests), 3) for name, used in sorted(cpu.items())
        },
        "generator_cpu_ms_per_delivery": round(own * 1000 / len(requests), 3),
    }


def vendor() -> dict[str, str]:
    """Return settings of a Messenger page; profiles are requested at a port without a server."""
    return {
        "FACEBOOK_APP_SECRET": APP_SECRET,
        "FACEBOOK_VERIFY_TOKEN": "verify",
        "FACEBOOK_PAGE_TOKENS": f"{PAGE}={TOKEN}",
        "FACEBOOK_GRAPH_URL": f"http://127.0.0.1:{free_port()}/v25.0",
    }


def _alone(options: Options, count: int, rate: float) -> dict[str, Any]:
    folder = options.work / f"ingress-{count}"
    with _redis(folder) as server, contextlib.ExitStack() as stack:
        assert server.process is not None
        environment = our_environment(folder, REDIS_URL=f"unix://{server.socket}", **vendor())
        ports = [free_port() for _ in range(count)]
        pids = {"valkey": server.process.pid}
        for number, port in enumerate(ports):
            command = [sys.executable, "-m", "bot", "ingress", "--port", str(port)]
            output = folder / f"ingress-{number}.out"
            process = stack.enter_context(process_of(command, REPO, environment, output))
            pids[f"ingress-{number}"] = process.pid
        asyncio.run(_listening(ports))
        return deliver(options, ports, rate, pids)


def _busy(options: Options, rate: float) -> dict[str, Any]:
    """Measure one ingress of a whole system, whose engines handle all these messages."""
    folder = options.work / "ingress-busy"
    with run_samvad(folder, **vendor()) as system:
        port = int(system.environment["INGRESS_PORT"])
        pids = {
            name: pid
            for pid in system.pids()
            if (name := figures.name_of(pid)) in ("ingress", "valkey", "engine-0", "sender")
        }
        result = deliver(options, [port], rate, pids)
    return result


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[EmbeddedServer]:
    """Run the embedded server with every delivery on disk, as on a laptop."""
    server = EmbeddedServer(folder)
    if not server.acquire():
        raise BenchmarkError(f"{folder} is in use")
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def _listening(ports: Sequence[int]) -> None:
    deadline = time.monotonic() + READY_S
    for port in ports:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise BenchmarkError(f"nobody listens on {port}") from None
                await asyncio.sleep(0.05)


if __name__ == "__main__":
    main()
