"""Rendering of templates, and of the fragments sent over the WebSocket."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bot.desk.conversation import present
from bot.desk.conversation.moves import HIGHEST_PRIORITY
from bot.desk.conversation.thread import Item, Thread
from bot.desk.lists.filters import Sort
from bot.desk.lists.rows import Row
from bot.desk.menu import Place
from bot.desk.people.users import User
from bot.desk.template_filters import FILTERS
from bot.desk.texts import Catalogue, Texts
from bot.language import codes
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
    """Jinja environment with our filters; autoescape on, undefined names are errors.

    Every template has `t` (a text as HTML) and `say` (the same as plain text, for attributes whose
    text has placeholders) of the reader's language.

    Templates are named by their path in this folder, such as `pages/teams/team.html`; shared ones
    lie in `templates/` and have a name only.
    """

    def __init__(
        self, settings: Settings, topics: Sequence[str], menu: Sequence[Place] = ()
    ) -> None:
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader([FOLDER / "templates", FOLDER]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters.update(FILTERS)
        # Pages of an older version ask for texts this one may not have: the folder counts too.
        self.assets = f"/static/{_digest_of(STATIC, FOLDER / 'locales')}"
        self.catalogue = Catalogue.load(settings.default_language)
        self._items: dict[str, Any] = {}
        self.environment.globals.update(
            assets=self.assets,
            business=settings.business_name,
            mood_limit=settings.thresholds.negative_mean,
            max_chars=settings.max_text_chars,
            topics=topics,
            menu=menu,
            outcomes=present.OUTCOMES,
            translator=bool(settings.translation_provider),
            priorities=range(HIGHEST_PRIORITY + 1),
            sorts=tuple(Sort),
            content_language=settings.default_language,
            interface_languages={code: codes.name(code) for code in self.catalogue.texts},
            tag=_tag,
            time_tag=_time_tag,
        )

    def page(self, template: str, texts: Texts, **context: Any) -> str:
        return self.environment.get_template(template).render({**_words(texts), **context})

    def row(self, row: Row, texts: Texts) -> str:
        """One line of the list; the same for every reader of a language, the page adds what is
        personal.
        """
        return self.page("lists/_row.html", texts, row=row)

    def pieces(
        self, items: tuple[Item, ...], names: Mapping[str, str], texts: Texts
    ) -> list[Piece]:
        if texts.language not in self._items:
            template = self.environment.get_template("conversation/_items.html")
            self._items[texts.language] = template.make_module(_words(texts))
        macro = self._items[texts.language].item
        made = []
        for item in items:
            html = str(macro(item, names)).strip()
            digest = _short_digest(html)
            marked = html.replace("<li ", f'<li data-digest="{digest}" ', 1)
            # Comes out of an autoescaping template: safe to put into another.
            made.append(Piece(item.id, item.at, digest, Markup(marked)))  # noqa: S704
        return made

    def panels(self, thread: Thread, user: User, csrf: str, texts: Texts) -> dict[str, str]:
        """The parts around the messages that change with the state: `head`, `side`, `tools`."""
        context = {"thread": thread, "user": user, "csrf": csrf}
        return {
            part: self.page(f"conversation/_{part}.html", texts, **context)
            for part in ("head", "side", "tools")
        }


def _words(texts: Texts) -> dict[str, Any]:
    return {
        "texts": texts,
        "t": texts.html,
        "say": texts.say,
        "lang": texts.language,
        "dir": texts.direction,
    }


def _tag(name: str, text: str) -> Markup:
    """An element to fill into a text."""
    return Markup("<{0}>{1}</{0}>").format(Markup(name), text)  # noqa: S704 - a template's word


def _time_tag(at: float) -> Markup:
    return Markup('<time data-at="{}">{}</time>').format(at, present.iso(at))


def _short_digest(text: str) -> str:
    return hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _digest_of(*folders: Path) -> str:
    digest = hashlib.blake2s(digest_size=6)
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
