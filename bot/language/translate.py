"""Machine translation that is never in the way: cached, guarded, under a deadline.

The provider runs in a thread of its own; whoever waits goes on at the deadline, and after some
failures in a row nobody waits at all for a while. See docs/translation.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio
import structlog

from bot.errors import StoreUnavailable, TranslationUnavailable
from bot.language.protect import Protected, protect, split
from bot.language.providers import Provider, load_provider
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import guarded

LOG = structlog.get_logger(__name__)

THREADS = 4
"""Requests under way at once in a process; more are refused as `busy`."""
FAILURES = 3
"""Failures in a row after which the provider is left alone."""
PAUSE_S = 30.0
AT_ONCE = frozenset({"rate-limited", "refused"})
"""Reasons that pause at the first failure: asking again makes them worse."""
ABOUT_US = frozenset({"busy", "paused"})
"""Reasons that say nothing about the provider."""
LEAST_SHARE = 0.1
"""A long text whose translation has a smaller share of its characters lost something. Chinese needs
about a third of the characters of English."""
LONG_CHARS = 60


@dataclass(frozen=True)
class Translation:
    """A text in another language, with the one it was made from."""

    text: str
    original: str
    source: str
    target: str
    provider: str
    cached: bool = False


class Breaker:
    """Leaves a provider alone after failures in a row; then lets one request try.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    @property
    def paused_s(self) -> float:
        """Seconds until the provider is asked again; 0 when it is asked now."""
        return max(0.0, self._until - self._clock())

    def admit(self) -> bool:
        """Whether a request may go out; after a pause only one does until it has ended."""
        if self.paused_s:
            return False
        if self._failures >= FAILURES:
            self._until = self._clock() + PAUSE_S
        return True

    def note(self, reason: str = "") -> None:
        """Note how a request ended; an empty reason is success."""
        if not reason:
            self._failures, self._until = 0, 0.0
        elif reason not in ABOUT_US:
            self._failures = FAILURES if reason in AT_ONCE else self._failures + 1
            if self._failures >= FAILURES:
                self._until = self._clock() + PAUSE_S


class Translator:
    """Translates texts of one process.

    Args:
        deadline_s: Longest time a caller waits.
        names: Proper names that stay as they are.
    """

    def __init__(
        self,
        provider: Provider,
        client: redis.asyncio.Redis,
        *,
        deadline_s: float,
        names: Sequence[str] = (),
        breaker: Breaker | None = None,
    ) -> None:
        self._provider = provider
        self._redis = client
        self._deadline_s = deadline_s
        self._names = tuple(names)
        self._breaker = breaker or Breaker()
        self._free = threading.Semaphore(THREADS)

    @classmethod
    def of(cls, settings: Settings, client: redis.asyncio.Redis) -> Translator | None:
        """The translator of the settings; None when no provider is set.

        Raises:
            ConfigurationError: Something the provider needs is not set.
        """
        provider = load_provider(
            settings.translation_provider, settings.translation_url, settings.translation_key
        )
        if provider is None:
            return None
        return cls(
            provider,
            client,
            deadline_s=settings.translation_timeout_s,
            names=[settings.business_name],
        )

    async def translate(
        self, text: str, source: str, target: str, *, keep: bool = True
    ) -> Translation:
        """Translate a text.

        Args:
            keep: Whether it may be kept for whoever asks next, as an answer of the content may;
                words of a customer or to one may not.

        Raises:
            TranslationUnavailable: No whole translation within the deadline; show the original.
        """
        guard = protect(text, self._names)
        if not guard.has_words:
            return Translation(text, text, source, target, self._provider.name)
        key = self._key(text, source, target)
        if keep and (known := await self._known(key)) is not None:
            return Translation(known, text, source, target, self._provider.name, cached=True)
        try:
            if not self._breaker.admit():
                raise TranslationUnavailable(self._provider.name, "paused")
            made = await self._ask(guard, text, source, target)
        except TranslationUnavailable as error:
            self._breaker.note(error.reason)
            LOG.warning(
                "translation.failed",
                provider=error.provider,
                reason=error.reason,
                source=source,
                target=target,
                characters=len(text),
            )
            await self._count("failures", error.reason)
            raise
        self._breaker.note()
        if keep:
            await self._keep(key, made)
        return Translation(made, text, source, target, self._provider.name)

    async def _ask(self, guard: Protected, text: str, source: str, target: str) -> str:
        if not self._free.acquire(blocking=False):
            raise TranslationUnavailable(self._provider.name, "busy")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str | TranslationUnavailable] = loop.create_future()
        given_up = threading.Event()

        def work() -> None:
            outcome: str | TranslationUnavailable
            try:
                outcome = self._pieces(guard.text, source, target, given_up)
            except TranslationUnavailable as error:
                outcome = error
            finally:
                self._free.release()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(_settle, future, outcome)

        # A thread that hangs must not keep the process from ending, as a pool's would.
        threading.Thread(target=work, name="translate", daemon=True).start()
        try:
            async with asyncio.timeout(self._deadline_s):
                marked = await future
        except TimeoutError:
            raise TranslationUnavailable(self._provider.name, "timeout") from None
        finally:
            given_up.set()
        if isinstance(marked, TranslationUnavailable):
            raise marked
        restored = guard.restore(marked)
        if restored is None or (
            len(text) >= LONG_CHARS and len(restored) < LEAST_SHARE * len(text)
        ):
            raise TranslationUnavailable(self._provider.name, "damaged")
        return restored

    def _pieces(self, text: str, source: str, target: str, given_up: threading.Event) -> str:
        made = []
        for piece in split(text, self._provider.limit_bytes):
            if given_up.is_set():
                raise TranslationUnavailable(self._provider.name, "timeout")
            core = piece.strip()
            left = piece[: len(piece) - len(piece.lstrip())]
            right = piece[len(piece.rstrip()) :] if core else ""
            if Protected(core, ()).has_words:
                core = self._provider.translate(core, source, target).strip()
            made.append(f"{left}{core}{right}")
        return "".join(made)

    def _key(self, text: str, source: str, target: str) -> str:
        told = json.dumps([self._provider.name, *self._names, text])
        return redis_keys.translation(source, target, hashlib.sha256(told.encode()).hexdigest())

    async def _known(self, key: str) -> str | None:
        """What the cache has; a cache that is away has nothing."""
        try:
            found = await guarded(self._redis.get(key))
        except StoreUnavailable:
            return None
        await self._count("misses" if found is None else "hits")
        return None if found is None else str(json.loads(found)["text"])

    async def _keep(self, key: str, text: str) -> None:
        with contextlib.suppress(StoreUnavailable):
            value = json.dumps({"text": text}, ensure_ascii=False)
            await guarded(self._redis.set(key, value, ex=redis_keys.TRANSLATION_TTL_S))
            await guarded(self._redis.hdel(redis_keys.TRANSLATION_FIGURES, "paused_until"))

    async def _count(self, what: str, reason: str = "") -> None:
        """Figures for the health page; they survive the process."""
        with contextlib.suppress(StoreUnavailable):
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hincrby(redis_keys.TRANSLATION_FIGURES, what, 1)
            if reason and reason not in ABOUT_US:
                until = time.time() + self._breaker.paused_s if self._breaker.paused_s else 0
                told: dict[Any, Any] = {"last_failure": reason, "paused_until": round(until, 3)}
                pipeline.hset(redis_keys.TRANSLATION_FIGURES, mapping=told)
            await guarded(pipeline.execute())


def _settle(
    future: asyncio.Future[str | TranslationUnavailable], outcome: str | TranslationUnavailable
) -> None:
    if not future.done():
        future.set_result(outcome)


async def figures(provider: str, client: redis.asyncio.Redis) -> dict[str, object]:
    """What the health page shows.

    Returns:
        `{"provider": name, "state": "ok" or "paused", "hits": n, "misses": n, "failures": n,
        "last_failure": word or None}`, of all processes since Redis was empty.
    """
    found = await guarded(client.hgetall(redis_keys.TRANSLATION_FIGURES))
    paused = float(found.get("paused_until", 0)) > time.time()
    return {
        "provider": provider,
        "state": "paused" if paused else "ok",
        **{name: int(found.get(name, 0)) for name in ("hits", "misses", "failures")},
        "last_failure": found.get("last_failure"),
    }
