"""`webchat key`: what a site's own server needs to say who is logged in (docs/webchat.md)."""

from __future__ import annotations

import argparse

from bot import settings as settings_module
from bot.commands.vendors import module_of
from bot.errors import ConfigurationError
from bot.stores import secrets


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("webchat", help="what sites that embed the widget need")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    key = verbs.add_parser("key", help="print the identity key of a site, for its server only")
    key.add_argument("site", help="site key, one of WEBCHAT_SITES")
    key.set_defaults(run=_key)


def _key(options: argparse.Namespace) -> int:
    config = settings_module.load()
    if options.site not in config.webchat_sites:
        known = ", ".join(config.webchat_sites) or "none"
        raise ConfigurationError("WEBCHAT_SITES", f"has no site {options.site!r}; it has: {known}")
    secret = secrets.load_or_create(config.state_dir, "webchat", config.webchat_secret)
    print(module_of("webchat", "session").identity_key(secret, options.site))
    return 0
