"""`users add|unlock|totp-reset`: create logins of the desk, and let their owners in again."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable

from sqlalchemy.engine import Connection

from bot import settings as settings_module
from bot.processes import prepare
from bot.stores.database import Database


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("users", help="agents and admins of the desk")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    adding = verbs.add_parser("add", help="create a login; asks for the password")
    adding.add_argument("login")
    adding.add_argument("--name", default="")
    adding.add_argument("--role", choices=("agent", "supervisor", "admin"), default="agent")
    adding.set_defaults(run=_add)
    unlocking = verbs.add_parser("unlock", help="lift the lock that wrong passwords put on a login")
    unlocking.add_argument("login")
    unlocking.set_defaults(run=_unlock)
    resetting = verbs.add_parser(
        "totp-reset", help="remove a login's second factor: phone and recovery codes are lost"
    )
    resetting.add_argument("login")
    resetting.set_defaults(run=_reset_factor)


def _add(options: argparse.Namespace) -> int:
    from bot.desk.people.users import add_user

    config = settings_module.load()
    prepare.database(config)
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
    store = Database.of(config)
    try:
        store.call(
            lambda c: add_user(
                c,
                login=options.login,
                name=options.name or options.login,
                role=options.role,
                password=password,
            )
        )
    finally:
        store.close()
    print(f"{options.role} {options.login} can log in")
    return 0


def _unlock(options: argparse.Namespace) -> int:
    from bot.desk.people import audit, users

    def work(connection: Connection) -> str:
        user = users.unlock(connection, options.login)
        audit.write(connection, "command", "user.unlocked", user.id)
        return f"{user.login} can log in again"

    print(_run(work))
    return 0


def _reset_factor(options: argparse.Namespace) -> int:
    from bot.desk.people import audit, second_factor, users

    def work(connection: Connection) -> str:
        user = users.find_user(connection, options.login)
        if not second_factor.remove(connection, user.id):
            return f"{user.login} has no second factor"
        audit.write(connection, "command", "user.factor_reset", user.id)
        return f"{user.login} logs in with the password alone"

    print(_run(work))
    return 0


def _run(work: Callable[[Connection], str]) -> str:
    config = settings_module.load()
    prepare.database(config)
    store = Database.of(config)
    try:
        return store.call(work)
    finally:
        store.close()
