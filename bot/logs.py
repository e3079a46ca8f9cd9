"""Log lines on standard output: `event key=value …`, no customer text at info level."""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog

# Warnings of Rasa 3.6 and its dependencies at each start, about which nothing can be done.
_EXPECTED = (
    "pkg_resources is deprecated as an API",
    "Deprecated call to `pkg_resources.declare_namespace",
    "The ``declarative_base()`` function is now available",
    "Slot auto-fill has been removed in 3.0",
    "the load_module() method is deprecated",
)


def configure(level: str, process: str) -> None:
    """Set up structlog and the standard library's logging for one process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(
                key_order=["timestamp", "level", "event"], drop_missing=True, bool_as_flag=False
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(
        level=number, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    for noisy in ("rasa", "aiohttp.access", "apscheduler", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    # Not by a filter of `warnings`: libraries add their own at import, before ours.
    logging.getLogger("py.warnings").addFilter(_is_news)


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
