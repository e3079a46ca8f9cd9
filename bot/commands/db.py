"""`db check|upgrade|backup|restore`: the database, for operators."""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

import redis.asyncio

from bot import health
from bot import settings as settings_module
from bot.errors import ConfigurationError
from bot.processes import prepare
from bot.settings import Settings
from bot.stores import backup, redis_client, redis_keys
from bot.stores.redis_client import guarded


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("db", help="check, upgrade, back up and restore the database")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    checking = verbs.add_parser("check", help="schema and integrity; exit code 1 when not good")
    checking.set_defaults(run=_check)
    upgrading = verbs.add_parser("upgrade", help="bring the tables to the newest schema")
    upgrading.set_defaults(run=_upgrade)
    saving = verbs.add_parser("backup", help="copy the SQLite file while it is in use")
    saving.add_argument("file", type=Path, help="a new file")
    saving.set_defaults(run=_backup)
    restoring = verbs.add_parser("restore", help="put a copy back; the system must be stopped")
    restoring.add_argument("file", type=Path)
    restoring.set_defaults(run=_restore)


def _check(_options: argparse.Namespace) -> int:
    findings = backup.check(settings_module.load())
    for finding in findings:
        print(f"{'ok ' if finding.is_good else 'BAD'}  {finding.check}: {finding.detail}")
    return 0 if all(finding.is_good for finding in findings) else 1


def _upgrade(_options: argparse.Namespace) -> int:
    prepare.database(settings_module.load())
    return 0


def _backup(options: argparse.Namespace) -> int:
    size = backup.backup(settings_module.load(), options.file)
    print(f"{options.file}: {size} bytes")
    return 0


def _restore(options: argparse.Namespace) -> int:
    config = settings_module.load()
    server = redis_client.ensure_server(config)
    try:
        if server is None and not config.redis_url:
            raise ConfigurationError(str(config.state_dir), "a system runs here; stop it first")
        asyncio.run(_refuse_while_running(config))
        replaced = backup.restore(config, options.file)
        prepare.database(config)
        asyncio.run(_forget_copies(config))
    finally:
        if server:
            server.stop()
    print(f"restored; the former file is {replaced}" if replaced else "restored")
    return 0


async def _refuse_while_running(config: Settings) -> None:
    client = redis_client.connect(config)
    try:
        for role in health.ROLES:
            holders = redis_keys.holders(role)
            names = await guarded(client.zrangebyscore(holders, time.time(), "+inf"))
            if names:
                raise ConfigurationError(str(names[0]), "is running; stop every process first")
    finally:
        await client.aclose()


async def _forget_copies(config: Settings) -> None:
    """Delete what Redis copied from the replaced database; it is copied again when needed."""
    client = redis_client.connect(config)
    try:
        await guarded(client.delete(redis_keys.CONTENT_LIVE))
        for pattern in (redis_keys.tracker, redis_keys.owner):
            for shard in range(config.shards):
                await _delete(client, pattern(shard, "*"))
    finally:
        await client.aclose()


async def _delete(client: redis.asyncio.Redis, pattern: str) -> None:
    async for key in client.scan_iter(match=pattern, count=1000):
        await guarded(client.delete(key))
