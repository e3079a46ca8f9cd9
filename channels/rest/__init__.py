"""REST channel for tests and load: loopback only; docs/operations.md."""

from channels.base import Channel
from channels.kit.fitting import whole
from channels.kit.limits import Limits
from channels.rest.client import make_client
from channels.rest.routes import add_routes
from channels.rest.settings import NAME, RestSettings

CHANNEL = Channel(
    name=NAME,
    title="REST",
    page="docs/operations.md",
    settings=RestSettings,
    add_routes=add_routes,
    make_client=make_client,
    limits=Limits(),
    fit=whole,
    public=False,
)
