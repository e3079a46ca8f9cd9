"""Settings of the Telegram channel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.settings import setting, split_at_semicolons

NAME = "telegram"
_BOT = re.compile(r"(\w{1,64})\s*=\s*([0-9]{1,20}:[\w-]+):([\w-]{1,256})", re.ASCII)


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


def _bots(raw: str) -> Mapping[str, TelegramBot]:
    bots: dict[str, TelegramBot] = {}
    for part in split_at_semicolons(raw):
        if not (match := _BOT.fullmatch(part)):
            raise ValueError("write name=token:secret, several with ; between")
        bots[match[1]] = TelegramBot(match[2], match[3])
    return bots


@dataclass(frozen=True)
class TelegramSettings:
    """Settings of Telegram; docs/telegram.md says where to get the values."""

    api_url: str = setting("TELEGRAM_API_URL", "https://api.telegram.org")
    """Address of the Bot API, or of a Bot API server of your own."""
    bots: Mapping[str, TelegramBot] = setting(
        "TELEGRAM_BOTS", dict, secret=True, needed=True, read=_bots
    )
    """Bots by user name: `name=token:secret;…`; Telegram is off without any."""
    keyboard: str = setting("TELEGRAM_KEYBOARD", "inline", words=("inline", "reply"))
    """Where buttons stand: `inline` under the message, or `reply` in place of the keyboard."""
