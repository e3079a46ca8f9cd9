"""Translations for the page: messages as the agent reads them, a reply as the customer will."""

from __future__ import annotations

from aiohttp import web

from bot.desk import app_keys
from bot.desk.conversation import present
from bot.desk.web import CONVERSATION, form, session_of, texts_of
from bot.errors import BadRequest
from bot.handoff.service import MAX_REPLY_CHARS


async def messages(request: web.Request) -> web.StreamResponse:
    """Translate the messages `ids` (with spaces between) into the language of the desk.

    Returns:
        JSON list of `{"id", "text", "note"}`; without a text the note says why.
    """
    fields, texts = await form(request), texts_of(request)
    made = await request.app[app_keys.TRANSLATOR].messages(
        request.match_info["conversation"],
        fields.get("ids", "").split(),
        texts.language,
        session_of(request).user,
    )
    answers = []
    for translated in made:
        named = present.language(texts, translated.source)
        note = (
            texts.say("translation.none", reason=texts.word("translation.why", translated.reason))
            if translated.reason
            else texts.say("translation.from", language=named)
        )
        answers.append({"id": translated.id, "text": translated.text, "note": note})
    return web.json_response(answers)


async def preview(request: web.Request) -> web.StreamResponse:
    """Translate `text` into the customer's language, to be looked at before it is sent.

    Returns:
        JSON `{"text", "note", "language", "provider"}`; without a text the note says why.

    Raises:
        BadRequest: The text is empty or longer than a reply may be.
    """
    fields, texts = await form(request), texts_of(request)
    text = fields.get("text", "").replace("\r\n", "\n").strip()
    if not text or len(text) > MAX_REPLY_CHARS:
        raise BadRequest("text-length", "The text is empty or too long.")
    made = await request.app[app_keys.TRANSLATOR].preview(
        request.match_info["conversation"], text, texts.language
    )
    note = (
        texts.say("translation.send_anyway", reason=texts.word("translation.why", made.reason))
        if made.reason
        else texts.say("translation.send", language=present.language(texts, made.language))
    )
    return web.json_response(
        {"text": made.text, "note": note, "language": made.language, "provider": made.provider}
    )


ROUTES = (
    web.post(CONVERSATION + "/translations", messages),
    web.post(CONVERSATION + "/preview", preview),
)
