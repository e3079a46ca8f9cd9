"""Reasons why a store cannot answer now: refusals that are no message's fault.

Everything else a server refuses (a wrong type, a missing column, a slot of another shard) is a
mistake of ours or of one row and is raised as it is. The lists follow the servers' own
documentation: PostgreSQL's appendix "Error Codes", SQLite's "Result and Error Codes", and the
error replies that Redis and Valkey document and share between commands.
"""

from __future__ import annotations

import re
import sqlite3

import redis
import sqlalchemy as sa
from redis import exceptions

AWAY = "away"
READ_ONLY = "read-only"
FULL = "disk-full"
MEMORY = "out-of-memory"
BUSY = "busy"
CONNECTIONS = "too-many-connections"
FAILING_OVER = "failing-over"
LOADING = "loading"
STOPPING = "stopping"
DAMAGED = "damaged"
NOT_ALLOWED = "not-allowed"
TIMED_OUT = "timed-out"
SYSTEM = "system-error"
REASONS = (
    AWAY,
    READ_ONLY,
    FULL,
    MEMORY,
    BUSY,
    CONNECTIONS,
    FAILING_OVER,
    LOADING,
    STOPPING,
    DAMAGED,
    NOT_ALLOWED,
    TIMED_OUT,
    SYSTEM,
)
"""Words for the health page, in docs/operations.md."""

LASTING = frozenset({AWAY, READ_ONLY, FAILING_OVER, STOPPING, DAMAGED, NOT_ALLOWED, SYSTEM})
"""Reasons a connection keeps: it leads to the server that said so, however long it lives."""

_SQLSTATES = {
    "25006": READ_ONLY,  # after a switchover, or default_transaction_read_only
    "25P03": TIMED_OUT,  # idle in a transaction for too long
    "25P04": TIMED_OUT,  # transaction_timeout
    "40000": BUSY,
    "40001": BUSY,  # serialization failure
    "40003": AWAY,  # nobody knows whether the statement was completed
    "40P01": BUSY,  # deadlock
    "42501": NOT_ALLOWED,  # a role lost its rights
    "53100": FULL,
    "53200": MEMORY,
    "53300": CONNECTIONS,
    "55006": BUSY,  # somebody else uses the object
    "55P03": BUSY,  # lock_timeout
    "57014": TIMED_OUT,  # statement_timeout, or cancelled by an operator
    "57P01": STOPPING,
    "57P02": STOPPING,
    "57P03": LOADING,  # starting, or recovering
    "57P05": TIMED_OUT,  # idle_session_timeout
    "72000": TIMED_OUT,  # the snapshot is too old
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}
_SQLSTATE_CLASSES = {
    "08": AWAY,  # connection exceptions; poolers send 08P01 for all of theirs
    "28": NOT_ALLOWED,  # invalid authorization: a password was changed
    "53": BUSY,  # insufficient resources
    "57": STOPPING,  # operator intervention
    "58": SYSTEM,  # input and output
    "F0": SYSTEM,  # the server's configuration
}
_WRAPAROUND = "not accepting commands"
"""In PostgreSQL's refusal to give out transaction numbers, which shares its code with others."""

# By primary result code, the lowest byte of SQLite's extended ones.
_SQLITE = {
    sqlite3.SQLITE_PERM: NOT_ALLOWED,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_NOMEM: MEMORY,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_INTERRUPT: TIMED_OUT,
    sqlite3.SQLITE_IOERR: SYSTEM,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_CANTOPEN: AWAY,
    sqlite3.SQLITE_PROTOCOL: BUSY,
    sqlite3.SQLITE_SCHEMA: BUSY,
    sqlite3.SQLITE_NOLFS: FULL,
    sqlite3.SQLITE_AUTH: NOT_ALLOWED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}

_REPLIES = {
    "BUSY": BUSY,  # a script runs for too long
    "CLUSTERDOWN": FAILING_OVER,
    "DENIED": NOT_ALLOWED,  # protected mode
    "LOADING": LOADING,
    "MASTERDOWN": FAILING_OVER,  # a replica that lost its primary
    "MISCONF": FULL,  # cannot save to disk
    "NOAUTH": NOT_ALLOWED,
    "NOPERM": NOT_ALLOWED,
    "NOREPLICAS": FAILING_OVER,  # fewer replicas than min-replicas-to-write
    "OOM": MEMORY,
    "READONLY": READ_ONLY,
    "REDIRECT": FAILING_OVER,  # Valkey, while it fails over
    "TRYAGAIN": FAILING_OVER,  # a slot is under way to another node
    "UNBLOCKED": FAILING_OVER,  # a blocking read, as the server became a replica
    "WRONGPASS": NOT_ALLOWED,
}
_CLASSES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.BusyLoadingError, LOADING),
    (exceptions.AuthenticationError, NOT_ALLOWED),
    (exceptions.NoPermissionError, NOT_ALLOWED),
    (exceptions.OutOfMemoryError, MEMORY),
    (exceptions.ReadOnlyError, READ_ONLY),
    (exceptions.MaxConnectionsError, CONNECTIONS),
    (redis.ConnectionError, AWAY),
    (redis.TimeoutError, AWAY),
    (exceptions.AskError, FAILING_OVER),
    (exceptions.TryAgainError, FAILING_OVER),
    (exceptions.ClusterError, FAILING_OVER),
    (exceptions.SlotNotCoveredError, FAILING_OVER),
)
_CODE = re.compile(r"(?:^|of pipeline caused error: (?:\([\"'])?)-?([A-Z]{2,24})\b")
"""The reply's first word; in a pipeline the driver writes in front of it which command it was, and
the reply as Python writes a tuple (findings/redis-py-refusals-by-class.sh)."""
_IN_SCRIPT = re.compile(r"@user_script: ?\d{1,9}: ?-?([A-Z]{2,24})\b")
"""How servers before Redis 7 quote what a command in a script was refused for."""
_IN_TRANSACTION = re.compile(r"because of: ?-?([A-Z]{2,24})\b")
_TEXTS = {
    "max number of clients reached": CONNECTIONS,
    "Script killed by user": BUSY,
}


def of_sql(error: BaseException) -> str:
    """Return why a database cannot answer now; empty where the statement is at fault.

    Args:
        error: What SQLAlchemy raised, or a driver.
    """
    if isinstance(error, sa.exc.TimeoutError):
        return CONNECTIONS  # all of the pool's are in use
    if isinstance(error, sa.exc.DBAPIError):
        reason = _of_driver(error.orig)
        return reason or (AWAY if error.connection_invalidated else "")
    return _of_driver(error)


def of_redis(error: BaseException) -> str:
    """Return why Redis cannot answer now; empty where the command is at fault."""
    if isinstance(error.__context__, exceptions.AuthenticationError):
        return NOT_ALLOWED  # the driver calls a login that was refused a lost connection
    for kind, reason in _CLASSES:
        if isinstance(error, kind):
            return _by_text(str(error)) or reason
    if isinstance(error, exceptions.ResponseError):
        return _by_text(str(error))
    if isinstance(error, exceptions.RedisClusterException):
        # The driver's text when no node of a cluster answers.
        return FAILING_OVER if "cannot be connected" in str(error) else ""
    return ""


def _of_driver(error: BaseException | None) -> str:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return "" if code is None else _SQLITE.get(code & 0xFF, "")
    code = getattr(error, "sqlstate", None)
    if code is None:
        # Never reached a server, or lost it; by name, since the driver may not be installed.
        names = {kind.__name__ for kind in type(error).__mro__}
        return AWAY if names & {"OperationalError", "InterfaceError"} else ""
    if code in _SQLSTATES or code[:2] in _SQLSTATE_CLASSES:
        return _SQLSTATES.get(code) or _SQLSTATE_CLASSES[code[:2]]
    if code == "54000" and _WRAPAROUND in str(error):
        return READ_ONLY
    severity = getattr(getattr(error, "diag", None), "severity_nonlocalized", None)
    # Such a refusal ends the connection, whoever sent it, a pooler included.
    return AWAY if severity in ("FATAL", "PANIC") else ""


def _by_text(text: str) -> str:
    """Return the reason for a reply's error code, at its start or quoted from a script."""
    for pattern in (_IN_SCRIPT, _IN_TRANSACTION):
        quoted = pattern.search(text)
        if quoted and quoted[1] in _REPLIES:
            return _REPLIES[quoted[1]]
    begins = _CODE.search(text)
    if begins and begins[1] in _REPLIES:
        return _REPLIES[begins[1]]
    return next((reason for part, reason in _TEXTS.items() if part in text), "")
