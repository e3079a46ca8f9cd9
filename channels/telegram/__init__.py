"""Telegram: receiving by webhook or by polling, sending and setting up; docs/telegram.md."""

from channels.base import Channel, Command
from channels.kit.options import add_show
from channels.telegram import poll, setup
from channels.telegram.client import TelegramClient
from channels.telegram.files import TelegramFiles
from channels.telegram.limits import LIMITS, fit
from channels.telegram.routes import add_routes
from channels.telegram.settings import NAME, TelegramSettings

CHANNEL = Channel(
    name=NAME,
    title="Telegram",
    page="docs/telegram.md",
    settings=TelegramSettings,
    add_routes=add_routes,
    make_client=TelegramClient,
    limits=LIMITS,
    fit=fit,
    files=TelegramFiles,
    commands=(
        Command(
            "setup",
            "set the webhooks; set commands and descriptions in all languages; "
            "shows what is there already",
            lambda settings, options: setup.run(settings, show_only=options.show),
            add_show,
        ),
        Command(
            "poll",
            "fetch updates, without a public address",
            lambda settings, options: poll.run(settings, replace_webhook=options.replace_webhook),
            poll.add_options,
            stays=True,
        ),
    ),
    typing_again_s=4.0,
)
