"""Machine translation with a cache, a deadline, and a pause after failures.

The provider runs in a thread of its own; the caller goes on at the deadline, and after some
failures in a row the provider is not called for a while. See docs/translation.md.
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
"""Requests in progress at once in a process; more are refused as `busy`."""
FAILURES = 3
"""Failures in a row after which the provider is not called for `PAUSE_S`."""
PAUSE_S = 30.0
PAUSING = frozenset({"rate-limited", "refused"})
"""Reasons that pause at the first failure: calling again makes them worse."""
OWN_REASONS = frozenset({"busy", "paused"})
"""Reasons that say nothing about the provider."""
LEAST_SHARE = 0.1
"""A long text whose translation has a smaller share of its characters lost something. Chinese needs
about a third of the characters of English."""
LONG_CHARS = 60


@dataclass(frozen=True)
class Translation:
    """A translated text with its original."""

    text: str
    original: str
    source: str
    target: str
    provider: str
    cached: bool = False


class Breaker:
    """Circuit breaker: pauses a provider after failures in a row; then lets one request try.

    Args:
        clock: Returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    @property
    def paused_s(self) -> float:
        """Return the seconds until the provider is called again; 0 when it is not paused."""
        return max(0.0, self._until - self._clock())

    def admit(self) -> bool:
        """Tell whether a request may go out; after a pause only one may, until it has ended."""
        if self.paused_s:
            return False
        if self._failures >= FAILURES:
            self._until = self._clock() + PAUSE_S
        return True

    def note(self, reason: str = "") -> None:
        """Note the result of a request; an empty reason is success."""
        if not reason:
            self._failures, self._until = 0, 0.0
        elif reason not in OWN_REASONS:
            self._failures = FAILURES if reason in PAUSING else self._failures + 1
            if self._failures >= FAILURES:
                self._until = self._clock() + PAUSE_S


class Translator:
    """Translator of texts, one per process.

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
        """Create the translator of the settings; None when no provider is set.

        Raises:
            ConfigurationError: A setting the provider needs is missing.
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
            keep: Whether the translation may be cached, as an answer of the content may; words from
                or to a customer may not.

        Raises:
            TranslationUnavailable: No whole translation within the deadline; show the original.
        """
        guard = protect(text, self._names)
        if not guard.has_words:
            return Translation(text, text, source, target, self._provider.name)
        key = self._key(text, source, target)
        if keep and (cached_text := await self._read_cache(key)) is not None:
            return Translation(cached_text, text, source, target, self._provider.name, cached=True)
        try:
            if not self._breaker.admit():
                raise TranslationUnavailable(self._provider.name, "paused")
            translated = await self._request(guard, text, source, target)
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
            await self._write_cache(key, translated)
        return Translation(translated, text, source, target, self._provider.name)

    async def _request(self, guard: Protected, text: str, source: str, target: str) -> str:
        if not self._free.acquire(blocking=False):
            raise TranslationUnavailable(self._provider.name, "busy")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str | TranslationUnavailable] = loop.create_future()
        given_up = threading.Event()

        def work() -> None:
            outcome: str | TranslationUnavailable
            try:
                outcome = self._translate_pieces(guard.text, source, target, given_up)
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

    def _translate_pieces(
        self, text: str, source: str, target: str, given_up: threading.Event
    ) -> str:
        translated = []
        for piece in split(text, self._provider.limit_bytes):
            if given_up.is_set():
                raise TranslationUnavailable(self._provider.name, "timeout")
            core = piece.strip()
            leading = piece[: len(piece) - len(piece.lstrip())]
            trailing = piece[len(piece.rstrip()) :] if core else ""
            if Protected(core, ()).has_words:
                core = self._provider.translate(core, source, target).strip()
            translated.append(f"{leading}{core}{trailing}")
        return "".join(translated)

    def _key(self, text: str, source: str, target: str) -> str:
        fields = json.dumps([self._provider.name, *self._names, text])
        return redis_keys.translation(source, target, hashlib.sha256(fields.encode()).hexdigest())

    async def _read_cache(self, key: str) -> str | None:
        """Return the cached translation; None when there is none or Redis is down."""
        try:
            stored = await guarded(self._redis.get(key))
        except StoreUnavailable:
            return None
        await self._count("misses" if stored is None else "hits")
        return None if stored is None else str(json.loads(stored)["text"])

    async def _write_cache(self, key: str, text: str) -> None:
        with contextlib.suppress(StoreUnavailable):
            value = json.dumps({"text": text}, ensure_ascii=False)
            await guarded(self._redis.set(key, value, ex=redis_keys.TRANSLATION_TTL_S))
            await guarded(self._redis.hdel(redis_keys.TRANSLATION_FIGURES, "paused_until"))

    async def _count(self, counter: str, reason: str = "") -> None:
        """Count for the health page; the counts survive the process."""
        with contextlib.suppress(StoreUnavailable):
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hincrby(redis_keys.TRANSLATION_FIGURES, counter, 1)
            if reason and reason not in OWN_REASONS:
                until = time.time() + self._breaker.paused_s if self._breaker.paused_s else 0
                fields: dict[Any, Any] = {"last_failure": reason, "paused_until": round(until, 3)}
                pipeline.hset(redis_keys.TRANSLATION_FIGURES, mapping=fields)
            await guarded(pipeline.execute())


def _settle(
    future: asyncio.Future[str | TranslationUnavailable], outcome: str | TranslationUnavailable
) -> None:
    if not future.done():
        future.set_result(outcome)


async def figures(provider: str, client: redis.asyncio.Redis) -> dict[str, object]:
    """Return what the health page shows about translation.

    Returns:
        `{"provider": name, "state": "ok" or "paused", "hits": n, "misses": n, "failures": n,
        "last_failure": word or None}`, of all processes since Redis was empty.
    """
    stored = await guarded(client.hgetall(redis_keys.TRANSLATION_FIGURES))
    paused = float(stored.get("paused_until", 0)) > time.time()
    return {
        "provider": provider,
        "state": "paused" if paused else "ok",
        **{name: int(stored.get(name, 0)) for name in ("hits", "misses", "failures")},
        "last_failure": stored.get("last_failure"),
    }
