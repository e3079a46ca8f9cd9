"""The one reader of the environment; docs/settings.md lists every field (a test compares them).

A bad value stops the start and names the key. Defaults work on a laptop.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bot.errors import ConfigurationError


@dataclass(frozen=True)
class Thresholds:
    """Numbers that decide between answer, clarification and handoff; stored with each handoff."""

    confidence: float = 0.7
    """Lowest calibrated confidence (0–1) that is answered; 0 leaves it to the classifier's own."""
    margin: float = 0.08
    """Smallest lead (0–1) of the best entry over the second; below it the bot asks back."""
    failures: int = 2
    """Failures in a row that hand off; 1 hands off at once."""
    negative_message: float = 0.9
    """Probability (0–1) of negative at which one message about ourselves hands off at once."""
    negative_mean: float = 0.55
    """Running mean (0–1) of negativity which hands off."""
    negative_messages: int = 3
    """Messages in the running mean before it may hand off."""


@dataclass(frozen=True)
class TelegramBot:
    """One bot of TELEGRAM_BOTS."""

    token: str = field(repr=False)
    """From BotFather: `<bot id>:<key>`."""
    secret: str = field(repr=False)
    """Sent back by Telegram with every update; 1–256 of A–Z a–z 0–9 _ -."""

    @property
    def id(self) -> int:
        """The bot's own user id."""
        return int(self.token.partition(":")[0])


@dataclass(frozen=True)
class Settings:
    """Everything that can be set from outside. Metadata: environment name and meaning."""

    redis_url: str = field(default="", metadata={"env": "REDIS_URL"})
    """Redis-protocol server; empty starts the embedded one."""
    database_url: str = field(default="", metadata={"env": "DATABASE_URL"})
    """SQLAlchemy URL; empty uses a SQLite file in the state folder."""
    state_dir: Path = field(default=Path(".samvad"), metadata={"env": "SAMVAD_STATE_DIR"})
    """Folder for the embedded server, SQLite file, embedding graph, vector cache and secrets."""
    cache_dir: Path = field(default=Path(), metadata={"env": "SAMVAD_CACHE_DIR"})
    """Folder of what can be made again (embedder, vectors, indexes); default `<state>/cache`."""
    data_dir: Path = field(default=Path("data"), metadata={"env": "SAMVAD_DATA_DIR"})
    """Folder of the content pack: faq/, nlu/, sentiment/."""
    host: str = field(default="127.0.0.1", metadata={"env": "SAMVAD_HOST"})
    """Address the ingress, the desk and the health ports listen on."""
    ingress_port: int = field(default=8080, metadata={"env": "INGRESS_PORT"})
    """Port of webhooks, widget and demo page."""
    desk_port: int = field(default=8081, metadata={"env": "DESK_PORT"})
    """Port of the agents' desk."""
    health_port: int = field(default=0, metadata={"env": "HEALTH_PORT"})
    """Port of `/live` and `/ready` of a process without pages that is started alone; 0: none."""
    public_url: str = field(default="", metadata={"env": "PUBLIC_URL"})
    """Address customers reach the ingress at; `https://` makes cookies `Secure`."""
    shards: int = field(default=8, metadata={"env": "SAMVAD_SHARDS"})
    """Inbox shards, 1–1024; the same in every process, changed only on a drained system."""
    engines: int = field(default=1, metadata={"env": "SAMVAD_ENGINES"})
    """Engine processes `serve` starts, 1–64."""
    lease_s: float = field(default=5.0, metadata={"env": "SAMVAD_LEASE_S"})
    """Seconds after which a silent process loses its shards."""
    attempts: int = field(default=3, metadata={"env": "SAMVAD_ATTEMPTS"})
    """Tries at one message before it goes to the dead letters."""
    reorder_hold_ms: int = field(default=150, metadata={"env": "REORDER_HOLD_MS"})
    """Milliseconds a vendor's message waits for earlier ones that it overtook; 0 for none."""
    languages: tuple[str, ...] = field(
        default=("en", "hi", "mr", "ml", "th", "es", "ar"), metadata={"env": "SAMVAD_LANGUAGES"}
    )
    """Languages the content answers in; the first is the default."""
    business_name: str = field(default="Mela", metadata={"env": "BUSINESS_NAME"})
    """Name the bot introduces itself for."""
    episode_idle_s: int = field(default=1800, metadata={"env": "EPISODE_IDLE_S"})
    """Idle seconds after which a bot conversation closes."""
    queue_abandon_s: int = field(default=86400, metadata={"env": "QUEUE_ABANDON_S"})
    """Silent seconds of the team's working time after which a waiting conversation closes."""
    agent_gone_s: int = field(default=900, metadata={"env": "AGENT_GONE_S"})
    """Seconds an agent may be offline before their conversations wait again."""
    keep_messages_days: int = field(default=0, metadata={"env": "KEEP_MESSAGES_DAYS"})
    """Days after which customers' words are deleted; 0 keeps them."""
    keep_events_days: int = field(default=0, metadata={"env": "KEEP_EVENTS_DAYS"})
    """Days after which the facts of the reports are deleted; 0 keeps them."""
    routing_mode: str = field(default="manual", metadata={"env": "ROUTING_MODE"})
    """`manual`: agents claim; `automatic`: waiting conversations are given to who is free."""
    away_after_s: int = field(default=900, metadata={"env": "AWAY_AFTER_S"})
    """Seconds without doing anything at the desk after which an agent counts as away."""
    wait_apology_s: int = field(default=600, metadata={"env": "WAIT_APOLOGY_S"})
    """Seconds in the queue after which a customer is told that it takes longer; 0 for never."""
    callback_keep_s: int = field(default=604800, metadata={"env": "CALLBACK_KEEP_S"})
    """Seconds a conversation left as a message waits for a person; Messenger allows a week."""
    waiting_notice_s: int = field(default=120, metadata={"env": "WAITING_NOTICE_S"})
    """Least seconds between two "still waiting" notices."""
    thresholds: Thresholds = field(default=Thresholds(), metadata={"env": "SAMVAD_THRESHOLD_*"})
    """Each as SAMVAD_THRESHOLD_<FIELD>, such as SAMVAD_THRESHOLD_MARGIN."""
    max_text_chars: int = field(default=4000, metadata={"env": "MAX_TEXT_CHARS"})
    """Longest customer message taken; longer ones get a clear error."""
    max_body_bytes: int = field(default=65536, metadata={"env": "MAX_BODY_BYTES"})
    """Largest request body taken by the ingress."""
    files_dir: Path = field(default=Path(), metadata={"env": "FILES_DIR"})
    """Folder of files people send, shared by all processes; default `<state>/files`."""
    max_file_bytes: int = field(default=20 * 1024 * 1024, metadata={"env": "MAX_FILE_BYTES"})
    """Largest file taken from a customer or an agent; Telegram gives bots no more than 20 MB."""
    file_types: tuple[str, ...] = field(
        default=(
            "image/jpeg",
            "image/png",
            "image/webp",
            "image/gif",
            "image/heif",
            "application/pdf",
            "video/mp4",
            "video/quicktime",
            "audio/ogg",
            "audio/mpeg",
            "audio/mp4",
            "text/plain",
        ),
        metadata={"env": "FILE_TYPES"},
    )
    """MIME types of files that are taken, told by content; see docs/attachments.md."""
    file_hosts: tuple[str, ...] = field(
        default=("fbcdn.net", "fbsbx.com"), metadata={"env": "FILE_HOSTS"}
    )
    """Domains, with those below them, that Messenger's files may be fetched from."""
    keep_files_days: int = field(default=0, metadata={"env": "KEEP_FILES_DAYS"})
    """Days after which files are deleted; 0 keeps them as long as messages."""
    webchat_sites: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"demo": ("*",)}, metadata={"env": "WEBCHAT_SITES"}
    )
    """Site keys and origins that may embed the widget: `key=https://a.example https://b.example;…`.

    `*` allows any origin."""
    webchat_secret: str = field(default="", metadata={"env": "WEBCHAT_SECRET"}, repr=False)
    """Signs widget sessions; generated once into the state folder when empty."""
    webchat_consent: str = field(default="line", metadata={"env": "WEBCHAT_CONSENT"})
    """Before the first message: `off`, a `line` about privacy, or a `click` that agrees to it."""
    webchat_consent_version: str = field(default="1", metadata={"env": "WEBCHAT_CONSENT_VERSION"})
    """Wording customers agree to, 1–32 of A–Z a–z 0–9 . _ -; another one asks them again."""
    webchat_privacy_url: str = field(default="", metadata={"env": "WEBCHAT_PRIVACY_URL"})
    """Address of the privacy policy, linked from the widget; empty links nothing."""
    agent_photos: Path = field(default=Path(), metadata={"env": "AGENT_PHOTOS"})
    """Folder of agents' photos: `<display name>.jpg`, `.png` or `.webp`; empty shows initials."""
    session_secret: str = field(default="", metadata={"env": "SESSION_SECRET"}, repr=False)
    """Signs desk forms; generated once into the state folder when empty."""
    trusted_proxies: tuple[str, ...] = field(default=(), metadata={"env": "TRUSTED_PROXIES"})
    """Addresses or networks whose X-Forwarded-For is believed."""
    facebook_graph_url: str = field(
        default="https://graph.facebook.com/v25.0", metadata={"env": "FACEBOOK_GRAPH_URL"}
    )
    """Address of the Graph API, with its version."""
    facebook_app_secret: str = field(
        default="", metadata={"env": "FACEBOOK_APP_SECRET"}, repr=False
    )
    """Signs Messenger's deliveries and our calls; Messenger is off without it."""
    facebook_verify_token: str = field(
        default="", metadata={"env": "FACEBOOK_VERIFY_TOKEN"}, repr=False
    )
    """The word Messenger must know when the webhook is set up; Messenger is off without it."""
    facebook_page_tokens: Mapping[str, str] = field(
        default_factory=dict, metadata={"env": "FACEBOOK_PAGE_TOKENS"}, repr=False
    )
    """Pages and their access tokens: `page-id=token;…`; Messenger is off without any."""
    facebook_persona_picture: str = field(default="", metadata={"env": "FACEBOOK_PERSONA_PICTURE"})
    """Address of the picture agents are shown with; empty sends their words in the page's name."""
    telegram_api_url: str = field(
        default="https://api.telegram.org", metadata={"env": "TELEGRAM_API_URL"}
    )
    """Address of the Bot API, or of a Bot API server of your own."""
    telegram_bots: Mapping[str, TelegramBot] = field(
        default_factory=dict, metadata={"env": "TELEGRAM_BOTS"}, repr=False
    )
    """Bots by user name: `name=token:secret;…`; Telegram is off without any."""
    telegram_keyboard: str = field(default="inline", metadata={"env": "TELEGRAM_KEYBOARD"})
    """Where buttons stand: `inline` under the message, or `reply` in place of the keyboard."""
    rest_channel: bool = field(default=True, metadata={"env": "REST_CHANNEL"})
    """Loopback-only REST channel for tests and load."""
    romanised_answers: str = field(default="native", metadata={"env": "ROMANISED_ANSWERS"})
    """Script of answers to romanised questions: `native`, or `as-written` where there is one."""
    translation_provider: str = field(default="", metadata={"env": "TRANSLATION_PROVIDER"})
    """`libre`, `deepl`, `google` or `mymemory`; empty translates nothing."""
    translation_url: str = field(default="", metadata={"env": "TRANSLATION_URL"})
    """Address of the LibreTranslate server, or of another region of DeepL."""
    translation_key: str = field(default="", metadata={"env": "TRANSLATION_KEY"}, repr=False)
    """Key of the provider; for MyMemory an e-mail address."""
    translation_timeout_s: float = field(default=2.0, metadata={"env": "TRANSLATION_TIMEOUT_S"})
    """Longest wait for a translation in seconds, 0.1–30; then the original is sent."""
    log_level: str = field(default="INFO", metadata={"env": "LOG_LEVEL"})
    """DEBUG, INFO, WARNING or ERROR."""

    @property
    def made_dir(self) -> Path:
        """Where derived files go."""
        return self.cache_dir if self.cache_dir != Path() else self.state_dir / "cache"

    @property
    def files_folder(self) -> Path:
        """Where files go."""
        return self.files_dir if self.files_dir != Path() else self.state_dir / "files"

    @property
    def default_language(self) -> str:
        return self.languages[0]

    @property
    def sql_url(self) -> str:
        return self.database_url or f"sqlite:///{self.state_dir.resolve() / 'samvad.sqlite3'}"


def _sites(raw: str) -> Mapping[str, tuple[str, ...]]:
    sites: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (p.strip() for p in raw.split(";"))):
        key, sign, origins = part.partition("=")
        if not sign or not key.strip() or not origins.split():
            raise ValueError("write site-key=https://origin, several origins with spaces between")
        sites[key.strip()] = tuple(o.rstrip("/") for o in origins.split())
    return sites


def _tokens(raw: str) -> Mapping[str, str]:
    tokens: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in raw.split(";"))):
        page, _, token = part.partition("=")
        if not re.fullmatch(r"[0-9]{1,32}", page.strip()) or not token.strip():
            raise ValueError("write page-id=token, several with ; between")
        tokens[page.strip()] = token.strip()
    return tokens


def _bots(raw: str) -> Mapping[str, TelegramBot]:
    bots: dict[str, TelegramBot] = {}
    for part in filter(None, (p.strip() for p in raw.split(";"))):
        found = re.fullmatch(
            r"(\w{1,64})\s*=\s*([0-9]{1,20}:[\w-]+):([\w-]{1,256})", part, re.ASCII
        )
        if not found:
            raise ValueError("write name=token:secret, several with ; between")
        bots[found[1]] = TelegramBot(found[2], found[3])
    return bots


def _switch(raw: str) -> bool:
    try:
        return {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}[
            raw.lower()
        ]
    except KeyError:
        raise ValueError("write on or off") from None


def _names(raw: str) -> tuple[str, ...]:
    return tuple(raw.replace(",", " ").split())


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": _switch,
    "Path": Path,
    "tuple[str, ...]": _names,
    "Mapping[str, tuple[str, ...]]": _sites,
    "Mapping[str, str]": _tokens,
    "Mapping[str, TelegramBot]": _bots,
}

_RANGES: Mapping[str, tuple[float, float]] = {
    "shards": (1, 1024),
    "engines": (1, 64),
    "ingress_port": (0, 65535),
    "desk_port": (0, 65535),
    "health_port": (0, 65535),
    "attempts": (1, 100),
    "lease_s": (0.2, 600),
    "reorder_hold_ms": (0, 10_000),
    "max_text_chars": (100, 100_000),
    "max_body_bytes": (1024, 100_000_000),
    "max_file_bytes": (1024, 2_000_000_000),
    "keep_files_days": (0, float("inf")),
    "episode_idle_s": (1, float("inf")),
    "queue_abandon_s": (1, float("inf")),
    "agent_gone_s": (1, float("inf")),
    "waiting_notice_s": (0, float("inf")),
    "away_after_s": (30, float("inf")),
    "wait_apology_s": (0, float("inf")),
    "callback_keep_s": (60, float("inf")),
    "keep_messages_days": (0, 36_500),
    "keep_events_days": (0, 36_500),
    "translation_timeout_s": (0.1, 30),
}


def _read(kind: str, name: str, raw: str, *, secret: bool = False) -> Any:
    try:
        return _PARSERS[kind](raw)
    except ValueError as error:
        shown = "its value" if secret else repr(raw)
        raise ConfigurationError(name, f"{shown} cannot be used: {error}") from error


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment.

    Raises:
        ConfigurationError: A value does not fit; the message names the key.
    """
    env = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for item in fields(Settings):
        name = item.metadata["env"]
        if item.name != "thresholds" and env.get(name, "") != "":
            values[item.name] = _read(str(item.type), name, env[name], secret=not item.repr)
            low, high = _RANGES.get(item.name, (float("-inf"), float("inf")))
            if item.name in _RANGES and not low <= values[item.name] <= high:
                raise ConfigurationError(name, f"{env[name]} is not between {low:g} and {high:g}")
    limits: dict[str, Any] = {}
    for item in fields(Thresholds):
        name = f"SAMVAD_THRESHOLD_{item.name.upper()}"
        if env.get(name, "") != "":
            limits[item.name] = _read(str(item.type), name, env[name])
            if str(item.type) == "float" and not 0 <= limits[item.name] <= 1:
                raise ConfigurationError(name, f"{env[name]} is not between 0 and 1")
            if str(item.type) == "int" and limits[item.name] < 1:
                raise ConfigurationError(name, f"{env[name]} is too small; write 1 or more")
    settings = Settings(**values, thresholds=Thresholds(**limits))
    if not settings.languages:
        raise ConfigurationError("SAMVAD_LANGUAGES", "name at least one language, such as en")
    if settings.romanised_answers not in {"native", "as-written"}:
        raise ConfigurationError("ROMANISED_ANSWERS", "write native or as-written")
    if settings.translation_provider not in {"", "libre", "deepl", "google", "mymemory"}:
        raise ConfigurationError("TRANSLATION_PROVIDER", "write libre, deepl, google or mymemory")
    if settings.webchat_consent not in {"off", "line", "click"}:
        raise ConfigurationError("WEBCHAT_CONSENT", "write off, line or click")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", settings.webchat_consent_version):
        raise ConfigurationError("WEBCHAT_CONSENT_VERSION", "write 1–32 of A–Z a–z 0–9 . _ -")
    if not re.fullmatch(r"(https?://[^\s\"<>]+)?", settings.webchat_privacy_url):
        raise ConfigurationError("WEBCHAT_PRIVACY_URL", "write an address with https://")
    if settings.routing_mode not in {"manual", "automatic"}:
        raise ConfigurationError("ROUTING_MODE", "write manual or automatic")
    if settings.telegram_keyboard not in {"inline", "reply"}:
        raise ConfigurationError("TELEGRAM_KEYBOARD", "write inline or reply")
    if settings.log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ConfigurationError("LOG_LEVEL", "write DEBUG, INFO, WARNING or ERROR")
    return settings
