"""The web widget: `server/` is what the ingress serves, `static/` what browsers get of it."""

from channels.base import Channel, Command
from channels.kit.fitting import whole
from channels.kit.limits import Limits
from channels.webchat.server import key
from channels.webchat.server.client import make_client
from channels.webchat.server.pages import TEXTS
from channels.webchat.server.routes import add_routes
from channels.webchat.server.settings import NAME, WebchatSettings

CHANNEL = Channel(
    name=NAME,
    title="Web widget",
    page="docs/webchat.md",
    settings=WebchatSettings,
    add_routes=add_routes,
    make_client=make_client,
    limits=Limits(),
    fit=whole,
    commands=(
        Command(
            "key",
            "print the identity key of a site, for its server only",
            key.run,
            key.add_options,
        ),
    ),
    texts=TEXTS,
)
