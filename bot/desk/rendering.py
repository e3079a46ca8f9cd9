"""Templates, and the fragments of them that travel over the WebSocket."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bot.desk import present, reasons
from bot.desk.queries import Row
from bot.desk.thread import Item, Thread
from bot.desk.users import User
from bot.settings import Settings

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


@dataclass(frozen=True)
class Piece:
    """One item of a thread, ready for the page."""

    id: str
    at: float
    digest: str
    """Changes when the HTML does."""
    html: Markup


class Renderer:
    """Jinja with our filters; autoescape on, undefined names are errors."""

    def __init__(self, settings: Settings, topics: tuple[str, ...]) -> None:
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters.update(present.FILTERS)
        self.assets = f"/static/{_digest_of(STATIC)}"
        self.environment.globals.update(
            assets=self.assets,
            business=settings.business_name,
            mood_limit=settings.thresholds.negative_mean,
            max_chars=settings.max_text_chars,
            topics=topics,
            outcomes=present.OUTCOMES,
            reason=reasons.sentence,
        )

    def page(self, template: str, **context: Any) -> str:
        return self.environment.get_template(template).render(context)

    def row(self, row: Row) -> str:
        """One line of the list; the same for every user, the page adds what is personal."""
        return self.page("_row.html", row=row)

    def pieces(self, items: tuple[Item, ...], names: Mapping[str, str]) -> list[Piece]:
        macro = self.environment.get_template("_items.html").module.item  # type: ignore[attr-defined]
        made = []
        for item in items:
            html = str(macro(item, names)).strip()
            digest = _short_digest(html)
            marked = html.replace("<li ", f'<li data-digest="{digest}" ', 1)
            # Comes out of an autoescaping template: safe to put into another.
            made.append(Piece(item.id, item.at, digest, Markup(marked)))  # noqa: S704
        return made

    def panels(self, thread: Thread, user: User, csrf: str) -> dict[str, str]:
        """The parts around the messages that change with the state: `head`, `side`, `tools`."""
        context = {"thread": thread, "user": user, "csrf": csrf}
        return {part: self.page(f"_{part}.html", **context) for part in ("head", "side", "tools")}


def _short_digest(text: str) -> str:
    return hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _digest_of(folder: Path) -> str:
    digest = hashlib.blake2s(digest_size=6)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
