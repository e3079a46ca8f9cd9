"""A made-up channel: a pager company that posts JSON and takes JSON."""

from channels.base import Channel, Costs
from pager.client import PagerClient
from pager.limits import LIMITS, fit
from pager.routes import add_routes
from pager.settings import NAME, PagerSettings

CHANNEL = Channel(
    name=NAME,
    title="Pager",
    page="tests/channels/made_up/pager/page.md",
    settings=PagerSettings,
    add_routes=add_routes,
    make_client=PagerClient,
    limits=LIMITS,
    fit=fit,
    typing_again_s=5.0,
    costs=Costs(0.01, "EUR", source="the pager company's price list"),
)
