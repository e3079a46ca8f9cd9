"""Translation providers behind one interface; the only file that uses deep-translator.

The library puts text and key into addresses, sets no time limit, and asks DeepL in a way DeepL
refuses by now; `_replace_requests` fixes that underneath it. Its errors may carry the text and the
key, so no foreign error or its message leaves this file. See docs/translation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, Protocol

from bot.errors import ConfigurationError, TranslationUnavailable
from bot.language import codes

HANG_S = 30.0
"""deep-translator sets no time limit; a socket silent for this long is closed, so that an
abandoned thread ends."""
PROVIDERS = ("libre", "deepl", "google", "mymemory")
_REASONS: Mapping[str, str] = {
    "TooManyRequests": "rate-limited",
    "AuthorizationException": "refused",
    "ApiKeyException": "refused",
    "ConnectionError": "unreachable",
    "ConnectTimeout": "unreachable",
    "ReadTimeout": "timeout",
}
_SERVER_SAYS: Mapping[str, str] = {
    "ERR_TOO_MANY_REQUESTS": "rate-limited",
    "ERR_KEY_INVALID": "refused",
    "ERR_KEY_BLOCKED": "refused",
}
_MYMEMORY_ERRORS = ("MYMEMORY WARNING", "QUERY LENGTH LIMIT", "INVALID ", "NO QUERY SPECIFIED")
"""MyMemory answers 200 with the error in place of the translation."""


class Provider(Protocol):
    """Interface of a provider: translates one short text; blocks, and is called from threads."""

    @property
    def name(self) -> str: ...

    @property
    def limit_bytes(self) -> int:
        """Return the longest text of one request, in bytes of UTF-8."""
        ...

    def translate(self, text: str, source: str, target: str) -> str:
        """Translate between our language codes.

        Raises:
            TranslationUnavailable: Any failure, named by a stable word only.
        """
        ...


@dataclass(frozen=True)
class DeepTranslator:
    """Provider over the deep-translator library.

    Args:
        make: Creates the library's translator for a pair of the provider's own codes.
    """

    name: str
    limit_bytes: int
    make: Callable[[str, str], Any]

    def translate(self, text: str, source: str, target: str) -> str:
        pair = (codes.for_translator(source, self.name), codes.for_translator(target, self.name))
        try:
            translated = self.make(*pair).translate(text)
        except Exception as error:
            # `from None`: the error's text holds the words to translate, and the key.
            raise TranslationUnavailable(self.name, _reason(error)) from None
        if (
            not isinstance(translated, str)
            or not translated.strip()
            or translated.startswith(_MYMEMORY_ERRORS)
        ):
            raise TranslationUnavailable(self.name, "damaged")
        return translated


def load_provider(name: str, url: str = "", key: str = "") -> Provider | None:
    """Create the provider of TRANSLATION_PROVIDER; None for an empty name.

    Args:
        url: Address of a LibreTranslate server, or of another region of DeepL.
        key: The provider's API key; LibreTranslate may need none.

    Raises:
        ConfigurationError: A setting the provider needs is missing.
    """
    if not name:
        return None
    if name not in PROVIDERS:
        raise ConfigurationError("TRANSLATION_PROVIDER", f"write one of {', '.join(PROVIDERS)}")
    if name == "libre" and not url:
        raise ConfigurationError("TRANSLATION_URL", "give the address of the LibreTranslate server")
    if name == "deepl" and not key:
        raise ConfigurationError("TRANSLATION_KEY", "DeepL needs a key")
    # Google takes the text in the address: 2,000 bytes are at most 6,000 characters of it, and
    # common servers stop at 8,190. Smaller pieces also fit every limit of a LibreTranslate server.
    limits = {"mymemory": 480}
    return DeepTranslator(
        name, limits.get(name, 2000), lambda a, b: _create_translator(name, url, key, a, b)
    )


def _create_translator(name: str, url: str, key: str, source: str, target: str) -> Any:
    """Create the library's translator.

    Its lists of languages are older than the services, so the pair is set after its own check and
    the service decides.
    """
    import deep_translator

    _replace_requests()
    translator: Any
    if name == "libre":
        translator = deep_translator.LibreTranslator(
            "en", "es", "none", custom_url=f"{url.rstrip('/')}/"
        )
        translator.api_key = key
    elif name == "deepl":
        # https://developers.deepl.com/docs/getting-started/auth: keys of the free API end in :fx.
        translator = deep_translator.DeeplTranslator("en", "de", key, key.endswith(":fx"))
        if url:
            translator._base_url = f"{url.rstrip('/')}/v2/"
    elif name == "google":
        translator = deep_translator.GoogleTranslator("en", "es")
    else:
        translator = deep_translator.MyMemoryTranslator("en-GB", "es-ES", email=key or None)
    translator.source, translator.target = source, target
    return translator


@cache
def _replace_requests() -> None:
    """Replace the library's HTTP calls by safer ones, once per process.

    They have a time limit, carry words in the body where the service takes them there, and are
    encrypted where the service is public.
    """
    import requests
    from deep_translator import deepl, google, libre, mymemory

    def form(url: str, params: Mapping[str, str]) -> Any:
        # https://developers.deepl.com/docs/resources/breaking-changes-change-notices: since 2026
        # DeepL takes POST only, and the key only in this header.
        fields = dict(params)
        key = fields.pop("auth_key", "")
        headers = {"Authorization": f"DeepL-Auth-Key {key}"} if key else {}
        return requests.post(url, data=fields, headers=headers, timeout=HANG_S)

    def address(url: str, params: Mapping[str, str], proxies: Any = None) -> Any:
        return requests.get(
            url.replace("http://", "https://", 1), params=params, proxies=proxies, timeout=HANG_S
        )

    libre.requests = deepl.requests = SimpleNamespace(get=form, post=form)
    google.requests = mymemory.requests = SimpleNamespace(get=address)


def _reason(error: Exception) -> str:
    text = str(error.args[0]) if error.args else ""
    return _SERVER_SAYS.get(text) or _REASONS.get(type(error).__name__, "failed")
