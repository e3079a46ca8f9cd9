"""Facebook Messenger: receiving, sending and setting up; docs/facebook.md."""

from channels.base import Channel, Command
from channels.facebook import setup
from channels.facebook.client import FacebookClient
from channels.facebook.files import FacebookFiles
from channels.facebook.limits import LIMITS, fit
from channels.facebook.routes import add_routes
from channels.facebook.settings import NAME, FacebookSettings
from channels.kit.options import add_show

CHANNEL = Channel(
    name=NAME,
    title="Facebook Messenger",
    page="docs/facebook.md",
    settings=FacebookSettings,
    add_routes=add_routes,
    make_client=FacebookClient,
    limits=LIMITS,
    fit=fit,
    files=FacebookFiles.of,
    commands=(
        Command(
            "setup",
            "subscribe the pages; set greeting, get-started and menu in all languages; "
            "shows what is there already",
            lambda settings, options: setup.run(settings, show_only=options.show),
            add_show,
        ),
    ),
    typing_again_s=4.0,
)
