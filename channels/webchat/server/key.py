"""`webchat key`: what a site's own server needs to say who is logged in (docs/webchat.md)."""

from __future__ import annotations

import argparse

from bot.errors import ConfigurationError
from bot.settings import Settings
from bot.stores import secrets
from channels.webchat.server.session import identity_key
from channels.webchat.server.settings import NAME, WebchatSettings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the site."""
    parser.add_argument("site", help="site key, one of WEBCHAT_SITES")


async def run(settings: Settings, options: argparse.Namespace) -> list[str]:
    """Return the key.

    Raises:
        ConfigurationError: There is no such site.
    """
    own = settings.of(WebchatSettings)
    if options.site not in own.sites:
        sites = ", ".join(own.sites) or "none"
        raise ConfigurationError("WEBCHAT_SITES", f"has no site {options.site!r}; it has: {sites}")
    secret = secrets.load_or_create(settings.state_dir, NAME, own.secret)
    return [identity_key(secret, options.site)]
