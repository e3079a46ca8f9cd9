"""Log lines on standard output: `event key=value …`, no customer text at info level.

Some values are strangers' words, such as the address that was asked for. Whatever could end a line
or speak to a terminal is written as an escape, and values are cut, so that one event is one line.
"""

from __future__ import annotations

import copy
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

# Warnings about which nothing can be done: of Rasa 3.6 and its dependencies at each start,
_EXPECTED = (
    "pkg_resources is deprecated as an API",
    "Deprecated call to `pkg_resources.declare_namespace",
    "The ``declarative_base()`` function is now available",
    "Slot auto-fill has been removed in 3.0",
    "the load_module() method is deprecated",
    # aiohttp's, of parts that strangers send: each in words of theirs.
    "BadContentDisposition",
)


MOST_CHARS = 200
"""Of a value."""
MOST_LINE_CHARS = 1000
"""Of a line of the standard library's logging, which has no values of its own."""
_CONTROLS = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u2028\u2029"  # line and paragraph separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # writing directions
    "\ud800-\udfff"  # halves of characters: bytes that were no text
)
_UNSAFE = re.compile(f"[{_CONTROLS}\\\\]")
_UNSAFE_IN_TRACE = re.compile(f"[{_CONTROLS}]")


def configure(level: str, process: str, output: TextIO = sys.stdout) -> None:
    """Set up structlog and the standard library's logging for one process.

    Args:
        output: Where lines go.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            keep_to_one_line,
            structlog.processors.LogfmtRenderer(
                key_order=["timestamp", "level", "event"], drop_missing=True, bool_as_flag=False
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(output)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=number, handlers=[handler])
    for noisy in ("rasa", "aiohttp.access", "apscheduler", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    # Not by a filter of `warnings`: libraries add their own at import, before ours.
    logging.getLogger("py.warnings").addFilter(_is_news)


def keep_to_one_line(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Escape and cut the values of a line, as a processor of structlog.

    Traces keep their lines, but none of them begins where a log line does.
    """
    for key, value in event.items():
        if key == "exception":
            event[key] = _indented(str(value))
        elif value is not None and not isinstance(value, int | float):
            event[key] = escaped(str(value))
    return event


def escaped(text: str, most: int = MOST_CHARS) -> str:
    """Write a text so that it stays within its line, cut to so many characters."""
    if len(text) > most:
        text = text[:most] + "…"
    return _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()


def _indented(trace: str) -> str:
    return "\n".join(f"  {_UNSAFE_IN_TRACE.sub(_escape, line)}" for line in trace.split("\n"))


class _OneLine(logging.Formatter):
    """The same for lines of libraries."""

    def format(self, record: logging.LogRecord) -> str:
        plain = copy.copy(record)
        plain.msg, plain.args = escaped(record.getMessage(), MOST_LINE_CHARS), ()
        plain.exc_text = None  # another handler may have made one
        return super().format(plain)

    def formatException(self, ei: Any) -> str:
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return _indented(super().formatStack(stack_info))


def _is_news(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not any(expected in message for expected in _EXPECTED)


def to_stderr() -> None:
    """Send log lines to standard error, as a command's output goes to standard output."""
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Stderr())))


class _Stderr:
    """Writer to the present standard error, since a logger may outlive a redirection."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()
