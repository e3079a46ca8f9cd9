"""Settings, read from the environment here alone; docs/settings.md lists every field.

A bad value stops the start and names the key. Defaults work on a laptop. What only a channel needs
is a dataclass in the channel's folder, whose fields are made by `setting` as those here.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from bot.errors import ConfigurationError

Part = TypeVar("Part")
INF = float("inf")


def setting(
    env: str,
    default: Any,
    *,
    secret: bool = False,
    needed: bool = False,
    between: tuple[float, float] | None = None,
    words: tuple[str, ...] = (),
    pattern: str = "",
    hint: str = "",
    read: Callable[[str], Any] | None = None,
) -> Any:
    """Make a settings field that is read from the environment.

    Args:
        env: Name in the environment.
        default: A value, or a function that returns it.
        secret: Never printed, not even in an error.
        needed: The part with this field is off while it is empty.
        between: Least and greatest number.
        words: All allowed texts.
        pattern: Pattern the whole text must match; `hint` says what to write.
        read: Converts the text; raises ValueError with what to write instead. Without it the
            type of the field decides.
    """
    return field(
        **{"default_factory" if callable(default) else "default": default},
        repr=not secret,
        metadata={
            "env": env,
            "needed": needed,
            "between": between,
            "words": words,
            "pattern": pattern,
            "hint": hint,
            "read": read,
        },
    )


def split_at_semicolons(raw: str) -> list[str]:
    """Split a text at semicolons; empty parts are left out."""
    return [part for part in map(str.strip, raw.split(";")) if part]


def _names(raw: str) -> tuple[str, ...]:
    return tuple(raw.replace(",", " ").split())


def _networks(raw: str) -> tuple[str, ...]:
    for name in (networks := _names(raw)):
        ipaddress.ip_network(name, strict=False)
    return networks


def _languages(raw: str) -> tuple[str, ...]:
    if not (languages := _names(raw)):
        raise ValueError("name at least one language, such as en")
    return languages


@dataclass(frozen=True)
class Thresholds:
    """Numbers that decide between answer, clarification and handoff; stored with each handoff."""

    confidence: float = setting("SAMVAD_THRESHOLD_CONFIDENCE", 0.65, between=(0, 1))
    """Lowest calibrated confidence (0–1) that is answered; 0 leaves it to the classifier's own."""
    margin: float = setting("SAMVAD_THRESHOLD_MARGIN", 0.08, between=(0, 1))
    """Smallest lead (0–1) of the best entry over the second; below it the bot asks back."""
    failures: int = setting("SAMVAD_THRESHOLD_FAILURES", 2, between=(1, INF))
    """Failures in a row after which the conversation is handed off; 1: after the first."""
    negative_message: float = setting("SAMVAD_THRESHOLD_NEGATIVE_MESSAGE", 0.9, between=(0, 1))
    """Probability (0–1) of negative at which one message about ourselves hands off at once."""
    negative_mean: float = setting("SAMVAD_THRESHOLD_NEGATIVE_MEAN", 0.55, between=(0, 1))
    """Running mean (0–1) of negativity from which on the conversation is handed off."""
    negative_messages: int = setting("SAMVAD_THRESHOLD_NEGATIVE_MESSAGES", 3, between=(1, INF))
    """Messages in the running mean before it may hand off."""


@dataclass(frozen=True)
class Settings:
    """All settings of the system."""

    redis_url: str = setting("REDIS_URL", "")
    """Redis-protocol server; empty starts the embedded one."""
    database_url: str = setting("DATABASE_URL", "")
    """SQLAlchemy URL; empty uses a SQLite file in the state folder."""
    state_dir: Path = setting("SAMVAD_STATE_DIR", lambda: Path(".samvad"))
    """Folder of the SQLite file, the embedded Redis server's data, secrets, logs and files."""
    cache_dir: Path = setting("SAMVAD_CACHE_DIR", Path)
    """Folder of what can be made again (embedder, vectors, indexes); default `<state>/cache`."""
    data_dir: Path = setting("SAMVAD_DATA_DIR", lambda: Path("data"))
    """Folder of the content pack: faq/, nlu/, sentiment/."""
    host: str = setting("SAMVAD_HOST", "127.0.0.1")
    """Address the ingress, the desk and the health ports listen on."""
    ingress_port: int = setting("INGRESS_PORT", 8080, between=(0, 65535))
    """Port of webhooks, widget and demo page."""
    desk_port: int = setting("DESK_PORT", 8081, between=(0, 65535))
    """Port of the agents' desk."""
    health_port: int = setting("HEALTH_PORT", 0, between=(0, 65535))
    """Port of `/live` and `/ready` of a process without pages that is started alone; 0: none."""
    public_url: str = setting("PUBLIC_URL", "")
    """Address customers reach the ingress at; `https://` makes cookies `Secure`."""
    shards: int = setting("SAMVAD_SHARDS", 8, between=(1, 1024))
    """Inbox shards, 1–1024; the same in every process, changed only on a drained system."""
    engines: int = setting("SAMVAD_ENGINES", 1, between=(1, 64))
    """Engine processes `serve` starts, 1–64."""
    lease_s: float = setting("SAMVAD_LEASE_S", 5.0, between=(0.2, 600))
    """Seconds after which a silent process loses its shards."""
    attempts: int = setting("SAMVAD_ATTEMPTS", 3, between=(1, 100))
    """Tries at one message before it goes to the dead letters."""
    reorder_hold_ms: int = setting("REORDER_HOLD_MS", 150, between=(0, 10_000))
    """Milliseconds a vendor's message waits for earlier ones that it overtook; 0 for none."""
    languages: tuple[str, ...] = setting(
        "SAMVAD_LANGUAGES", ("en", "hi", "mr", "ml", "th", "es", "ar"), read=_languages
    )
    """Languages the content answers in; the first is the default."""
    business_name: str = setting("BUSINESS_NAME", "Mela")
    """Name of the business; the bot says whose assistant it is."""
    episode_idle_s: int = setting("EPISODE_IDLE_S", 1800, between=(1, INF))
    """Idle seconds after which a bot conversation closes."""
    queue_abandon_s: int = setting("QUEUE_ABANDON_S", 86400, between=(1, INF))
    """Silent seconds of the team's working time after which a waiting conversation closes."""
    agent_gone_s: int = setting("AGENT_GONE_S", 900, between=(1, INF))
    """Seconds an agent may be offline before their conversations wait again."""
    keep_messages_days: int = setting("KEEP_MESSAGES_DAYS", 0, between=(0, 36_500))
    """Days after which customers' words are deleted; 0 keeps them."""
    keep_events_days: int = setting("KEEP_EVENTS_DAYS", 0, between=(0, 36_500))
    """Days after which events, and so the figures made of them, are deleted; 0 keeps them."""
    routing_mode: str = setting("ROUTING_MODE", "manual", words=("manual", "automatic"))
    """`manual`: agents claim; `automatic`: free agents are given waiting conversations."""
    away_after_s: int = setting("AWAY_AFTER_S", 900, between=(30, INF))
    """Seconds without any action at the desk after which an agent counts as away."""
    wait_apology_s: int = setting("WAIT_APOLOGY_S", 600, between=(0, INF))
    """Seconds of the team's working time in the queue after which a customer is told that it takes
    longer; 0 for never."""
    callback_keep_s: int = setting("CALLBACK_KEEP_S", 604800, between=(60, INF))
    """Seconds a conversation left as a message waits for a person; Messenger allows a week."""
    waiting_notice_s: int = setting("WAITING_NOTICE_S", 120, between=(0, INF))
    """Least seconds between two "still waiting" notices."""
    thresholds: Thresholds = field(default=Thresholds())
    """Each as SAMVAD_THRESHOLD_<FIELD>, such as SAMVAD_THRESHOLD_MARGIN."""
    max_text_chars: int = setting("MAX_TEXT_CHARS", 4000, between=(100, 100_000))
    """Longest customer message taken; longer ones get a clear error."""
    understanding_s: float = setting("UNDERSTANDING_S", 1.0, between=(0.05, 60.0))
    """Seconds of processor time for understanding one message; beyond, it is not understood."""
    max_body_bytes: int = setting("MAX_BODY_BYTES", 65536, between=(1024, 100_000_000))
    """Largest request body that the widget and the REST channel take."""
    files_dir: Path = setting("FILES_DIR", Path)
    """Folder of files people send, shared by all processes; default `<state>/files`."""
    max_file_bytes: int = setting("MAX_FILE_BYTES", 20 * 1024 * 1024, between=(1024, 2_000_000_000))
    """Largest file taken from a customer or an agent; Telegram gives bots no more than 20 MB."""
    file_types: tuple[str, ...] = setting(
        "FILE_TYPES",
        (
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
    )
    """MIME types of files that are taken, told by content; see docs/attachments.md."""
    keep_files_days: int = setting("KEEP_FILES_DAYS", 0, between=(0, INF))
    """Days after which files are deleted; 0 keeps them as long as messages."""
    session_secret: str = setting("SESSION_SECRET", "", secret=True)
    """Signs desk forms, 16 characters or more; made once in the state folder when empty."""
    connections_per_address: int = setting("CONNECTIONS_PER_ADDRESS", 100, between=(1, INF))
    """Most open connections, and open chats, of one address (IPv6: of one /64)."""
    handoffs_per_address: int = setting("HANDOFFS_PER_ADDRESS", 10, between=(1, INF))
    """Chats of one address that may wait for a person in ten minutes; others become messages."""
    trusted_proxies: tuple[str, ...] = setting("TRUSTED_PROXIES", (), read=_networks)
    """Addresses or networks whose X-Forwarded-For is believed."""
    romanised_answers: str = setting("ROMANISED_ANSWERS", "native", words=("native", "as-written"))
    """Script of answers to romanised questions: `native`, or `as-written` where there is one."""
    translation_provider: str = setting(
        "TRANSLATION_PROVIDER", "", words=("", "libre", "deepl", "google", "mymemory")
    )
    """`libre`, `deepl`, `google` or `mymemory`; empty translates nothing."""
    translation_url: str = setting("TRANSLATION_URL", "")
    """Address of the LibreTranslate server, or of another region of DeepL."""
    translation_key: str = setting("TRANSLATION_KEY", "", secret=True)
    """Key of the provider; for MyMemory an e-mail address."""
    translation_timeout_s: float = setting("TRANSLATION_TIMEOUT_S", 2.0, between=(0.1, 30))
    """Longest wait for a translation in seconds, 0.1–30; then the original is sent."""
    log_level: str = setting(
        "LOG_LEVEL",
        "INFO",
        pattern="(?i)debug|info|warning|error",
        hint="write DEBUG, INFO, WARNING or ERROR",
    )
    """DEBUG, INFO, WARNING or ERROR."""
    parts: dict[type[Any], Any] = field(default_factory=dict, repr=False, compare=False)
    """Settings of parts that have been read or passed, by their dataclass; see `of`."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """The environment parts are read from."""

    @property
    def made_dir(self) -> Path:
        """Return the folder of derived files."""
        return self.cache_dir if self.cache_dir != Path() else self.state_dir / "cache"

    @property
    def files_folder(self) -> Path:
        """Return the folder of customers' and agents' files."""
        return self.files_dir if self.files_dir != Path() else self.state_dir / "files"

    @property
    def default_language(self) -> str:
        return self.languages[0]

    @property
    def sql_url(self) -> str:
        return self.database_url or f"sqlite:///{self.state_dir.resolve() / 'samvad.sqlite3'}"

    def of(self, part: type[Part]) -> Part:
        """Return the settings of a part, such as a channel; read them from the environment if new.

        Args:
            part: A dataclass whose fields are made by `setting`.

        Raises:
            ConfigurationError: A value cannot be used; the message names the key.
        """
        if part not in self.parts:
            self.parts[part] = read(part, self.environ)
        part_settings: Part = self.parts[part]
        return part_settings

    def with_parts(self, *parts: Any) -> Settings:
        """Return a copy with these parts instead of those from the environment."""
        return replace(self, parts={**self.parts, **{type(part): part for part in parts}})


def _switch(raw: str) -> bool:
    try:
        return {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}[
            raw.lower()
        ]
    except KeyError:
        raise ValueError("write on or off") from None


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": _switch,
    "Path": Path,
    "tuple[str, ...]": _names,
}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment.

    Raises:
        ConfigurationError: A value cannot be used; the message names the key.
    """
    env = dict(os.environ if environ is None else environ)
    return replace(read(Settings, env), thresholds=read(Thresholds, env), environ=env)


def set_for_children(name: str, value: object) -> None:
    """Set an environment variable for this process and those it starts."""
    os.environ[name] = str(value)


def read(owner: type[Part], environ: Mapping[str, str]) -> Part:
    """Read a dataclass of settings; an empty variable counts as not set.

    Raises:
        ConfigurationError: A value cannot be used; the message names the key.
    """
    values = {
        item.name: _value(item, environ[item.metadata["env"]])
        for item in _set_from_outside(owner)
        if environ.get(item.metadata["env"], "") != ""
    }
    return owner(**values)


def names(owner: type[Any]) -> list[str]:
    """List the environment names of a dataclass of settings."""
    return [item.metadata["env"] for item in _set_from_outside(owner)]


def missing(part: Any) -> list[str]:
    """List the environment names that a part needs and that are not set."""
    return [
        item.metadata["env"]
        for item in _set_from_outside(type(part))
        if item.metadata["needed"] and not getattr(part, item.name)
    ]


def _set_from_outside(owner: type[Any]) -> list[Field[Any]]:
    return [item for item in fields(owner) if "env" in item.metadata]


def _value(item: Field[Any], raw: str) -> Any:
    rules, name = item.metadata, item.metadata["env"]
    try:
        value = (rules["read"] or _PARSERS[str(item.type)])(raw)
    except ValueError as error:
        shown_value = repr(raw) if item.repr else "its value"
        raise ConfigurationError(name, f"{shown_value} cannot be used: {error}") from error
    low, high = rules["between"] or (-INF, INF)
    if rules["between"] and not low <= value <= high:
        bounds = f"below {low:g}" if high == INF else f"not between {low:g} and {high:g}"
        raise ConfigurationError(name, f"{raw} is {bounds}")
    if rules["words"] and value not in rules["words"]:
        *most, last = filter(None, rules["words"])
        raise ConfigurationError(name, f"write {', '.join(most)} or {last}")
    if rules["pattern"] and not re.fullmatch(rules["pattern"], value):
        raise ConfigurationError(name, rules["hint"])
    return value
