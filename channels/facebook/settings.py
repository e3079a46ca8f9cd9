"""Settings of the Messenger channel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.settings import setting, split_at_semicolons

NAME = "facebook"


def _tokens(raw: str) -> Mapping[str, str]:
    tokens: dict[str, str] = {}
    for part in split_at_semicolons(raw):
        page, _, token = part.partition("=")
        if not re.fullmatch(r"[0-9]{1,32}", page.strip()) or not token.strip():
            raise ValueError("write page-id=token, several with ; between")
        tokens[page.strip()] = token.strip()
    return tokens


@dataclass(frozen=True)
class FacebookSettings:
    """Settings of Messenger; docs/facebook.md says where to get the values."""

    graph_url: str = setting("FACEBOOK_GRAPH_URL", "https://graph.facebook.com/v25.0")
    """Address of the Graph API, with its version."""
    app_secret: str = setting("FACEBOOK_APP_SECRET", "", secret=True, needed=True)
    """Signs Messenger's deliveries and our calls; Messenger is off without it."""
    verify_token: str = setting("FACEBOOK_VERIFY_TOKEN", "", secret=True, needed=True)
    """The word Messenger must know when the webhook is set up; Messenger is off without it."""
    page_tokens: Mapping[str, str] = setting(
        "FACEBOOK_PAGE_TOKENS", dict, secret=True, needed=True, read=_tokens
    )
    """Pages and their access tokens: `page-id=token;…`; Messenger is off without any."""
    persona_picture: str = setting("FACEBOOK_PERSONA_PICTURE", "")
    """Address of the picture agents are shown with; empty sends their words in the page's name."""
    file_hosts: tuple[str, ...] = setting("FILE_HOSTS", ("fbcdn.net", "fbsbx.com"))
    """Domains, with those below them, that Messenger's files may be fetched from."""
