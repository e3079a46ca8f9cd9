"""The environment: defaults that work, errors that name the key, and a page that lists it all."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
import settings_table

from bot import settings
from bot.errors import ConfigurationError
from bot.settings import Settings, Thresholds
from channels import registry
from channels.facebook.settings import FacebookSettings
from channels.rest.settings import RestSettings
from channels.telegram.settings import TelegramBot, TelegramSettings
from channels.webchat.server.settings import WebchatSettings

PAGE = Path("docs/settings.md")


def test_nothing_set_gives_the_defaults() -> None:
    assert settings.load({}) == Settings()


def test_an_empty_value_is_as_good_as_none() -> None:
    assert settings.load(dict.fromkeys(settings_table.NAMES, "")) == Settings()
    for owner in settings_table.OWNERS:
        assert settings.read(owner, dict.fromkeys(settings_table.NAMES, "")) == owner()


@pytest.mark.parametrize(
    ("key", "raw", "name", "value"),
    [
        ("REDIS_URL", "redis://r:6379/1", "redis_url", "redis://r:6379/1"),
        ("SAMVAD_STATE_DIR", "/var/lib/x", "state_dir", Path("/var/lib/x")),
        ("SAMVAD_SHARDS", "16", "shards", 16),
        ("SAMVAD_LEASE_S", "2.5", "lease_s", 2.5),
        ("SAMVAD_LANGUAGES", "hi, en th", "languages", ("hi", "en", "th")),
        ("TRUSTED_PROXIES", "10.0.0.1,10.1.0.0/16", "trusted_proxies", ("10.0.0.1", "10.1.0.0/16")),
        ("LOG_LEVEL", "debug", "log_level", "debug"),
    ],
)
def test_a_value_is_read(key: str, raw: str, name: str, value: object) -> None:
    assert getattr(settings.load({key: raw}), name) == value


@pytest.mark.parametrize(
    ("key", "raw", "part", "name", "value"),
    [
        ("REST_CHANNEL", "off", RestSettings, "enabled", False),
        ("REST_CHANNEL", "TRUE", RestSettings, "enabled", True),
        (
            "WEBCHAT_SITES",
            "a=https://x.example/ https://y.example; b=*",
            WebchatSettings,
            "sites",
            {"a": ("https://x.example", "https://y.example"), "b": ("*",)},
        ),
        ("FACEBOOK_PAGE_TOKENS", "1=a; 2=b", FacebookSettings, "page_tokens", {"1": "a", "2": "b"}),
        ("TELEGRAM_BOTS", "b=1:k:s", TelegramSettings, "bots", {"b": TelegramBot("1:k", "s")}),
    ],
)
def test_a_value_of_a_channel_is_read(
    key: str, raw: str, part: type[Any], name: str, value: object
) -> None:
    assert getattr(settings.load({key: raw}).of(part), name) == value


def test_a_part_that_is_given_wins_and_another_copy_keeps_its_own() -> None:
    read = settings.load({"REST_CHANNEL": "off"})
    given = read.with_parts(RestSettings(enabled=True))
    assert (read.of(RestSettings).enabled, given.of(RestSettings).enabled) == (False, True)


def test_thresholds_are_read_one_by_one() -> None:
    read = settings.load({"SAMVAD_THRESHOLD_MARGIN": "0.5", "SAMVAD_THRESHOLD_FAILURES": "3"})
    assert read.thresholds == Thresholds(margin=0.5, failures=3)


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("SAMVAD_SHARDS", "many"),
        ("SAMVAD_SHARDS", "0"),
        ("SAMVAD_SHARDS", "1025"),
        ("SAMVAD_ENGINES", "0"),
        ("INGRESS_PORT", "70000"),
        ("DESK_PORT", "-1"),
        ("SAMVAD_LEASE_S", "0"),
        ("SAMVAD_LEASE_S", "nan"),
        ("SAMVAD_ATTEMPTS", "0"),
        ("MAX_TEXT_CHARS", "5"),
        ("MAX_BODY_BYTES", "0"),
        ("EPISODE_IDLE_S", "0"),
        ("QUEUE_ABANDON_S", "-5"),
        ("AGENT_GONE_S", "0"),
        ("WAITING_NOTICE_S", "-1"),
        ("SAMVAD_LANGUAGES", ","),
        ("ROMANISED_ANSWERS", "latin"),
        ("LOG_LEVEL", "loud"),
        ("SAMVAD_THRESHOLD_MARGIN", "1.5"),
        ("SAMVAD_THRESHOLD_MARGIN", "nan"),
        ("SAMVAD_THRESHOLD_NEGATIVE_MEAN", "-0.1"),
        ("SAMVAD_THRESHOLD_FAILURES", "two"),
        ("SAMVAD_THRESHOLD_FAILURES", "0"),
        ("SAMVAD_THRESHOLD_NEGATIVE_MESSAGES", "0"),
    ],
)
def test_a_bad_value_stops_the_start_and_names_the_key(key: str, raw: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings.load({key: raw})
    assert refused.value.key == key
    assert str(refused.value).startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("REST_CHANNEL", "perhaps"),
        ("WEBCHAT_SITES", "demo"),
        ("WEBCHAT_SITES", "=https://x"),
        ("WEBCHAT_SITES", "demo="),
        ("WEBCHAT_CONSENT", "perhaps"),
        ("WEBCHAT_CONSENT_VERSION", "two words"),
        ("WEBCHAT_PRIVACY_URL", "javascript:alert(1)"),
        ("FACEBOOK_PAGE_TOKENS", "page=s3cr3t"),
        ("TELEGRAM_BOTS", "name=s3cr3t"),
        ("TELEGRAM_KEYBOARD", "none"),
    ],
)
def test_a_bad_value_of_a_channel_stops_whoever_walks_the_channels(key: str, raw: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        registry.off(settings.load({key: raw}))
    assert refused.value.key == key
    assert "s3cr3t" not in str(refused.value)


def test_secrets_are_not_printed() -> None:
    read = settings.load({"WEBCHAT_SECRET": "s3cr3t-" * 4, "SESSION_SECRET": "s3cr3t-" * 4})
    assert "s3cr3t" not in repr(read)
    assert "s3cr3t" not in repr(read.of(WebchatSettings))


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().shards = 3  # type: ignore[misc]


def test_folders_and_urls_follow_from_the_state_folder(tmp_path: Path) -> None:
    own = Settings(state_dir=tmp_path)
    assert own.made_dir == tmp_path / "cache"
    assert own.sql_url == f"sqlite:///{tmp_path / 'samvad.sqlite3'}"
    assert Settings(cache_dir=tmp_path / "c").made_dir == tmp_path / "c"
    assert Settings(database_url="postgresql://x/y").sql_url == "postgresql://x/y"
    assert Settings(languages=("hi", "en")).default_language == "hi"


def test_the_page_lists_every_setting_with_its_default_and_meaning() -> None:
    page = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert page == settings_table.rows(), "\n".join(
        ["docs/settings.md should say", *settings_table.rows()]
    )


def test_every_field_has_a_meaning_and_its_own_environment_name() -> None:
    names = [row.split("`")[3] for row in settings_table.rows()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Z][A-Z_]+", name) for name in names)


def test_every_setting_is_used_somewhere() -> None:
    code = "\n".join(
        path.read_text("utf-8")
        for folder in ("bot", "channels", "actions")
        for path in Path(folder).rglob("*.py")
        if path.name != "settings.py"
    )
    derived = {"database_url": "sql_url", "cache_dir": "made_dir", "files_dir": "files_folder"}
    unused = [
        item.name
        for owner in settings_table.OWNERS
        for item in fields(owner)
        if "env" in item.metadata
        and not re.search(rf"\.{derived.get(item.name, item.name)}\b", code)
    ]
    assert unused == []


def test_nothing_else_reads_the_environment() -> None:
    readers = {
        str(path)
        for folder in ("bot", "channels", "actions")
        for path in Path(folder).rglob("*.py")
        if re.search(r"os\.(getenv|environ(\.get|\[))", path.read_text("utf-8"))
    }
    # The command's own file also sets what libraries read when they are imported.
    assert readers <= {"bot/settings.py", "bot/__main__.py"}
