"""Files without words: the bot says that it sees none, and a person is one tap away."""

from __future__ import annotations

import pytest
from talk import Talk

from bot.conversation.states import State
from bot.files import rows
from bot.streams.attachments import FETCHING, Attachment
from bot.streams.messages import QuickReply

PHOTO = Attachment("f1", "image", "cat.jpg", "image/jpeg", 10, FETCHING, source="file-id")
TEXT = "utter_cannot_open"


async def test_the_bot_says_that_it_opens_no_files_and_hands_nobody_off(talk: Talk) -> None:
    replies = await talk.say(attachments=(PHOTO,))
    assert replies[-1].text == talk.texts.render(TEXT, "en")
    assert [q.action for q in replies[-1].quick_replies] == ["person"]
    for n in range(2, 6):
        await talk.say(attachments=(Attachment(f"f{n}", "audio"),), after_s=60)
    assert (await talk.state()).state == State.BOT
    (*_, received) = await talk.recorded("message.received")
    assert (received["data"]["kind"], received["data"]["files"]) == ("file", 1)


async def test_in_the_language_of_the_conversation(talk: Talk) -> None:
    await talk.say("मेरा ऑर्डर अभी तक क्यों नहीं आया है")
    (reply,) = await talk.say(attachments=(PHOTO,))
    assert (reply.text, reply.language) == (talk.texts.render(TEXT, "hi"), "hi")


async def test_an_album_is_answered_once(talk: Talk) -> None:
    assert await talk.say(attachments=(PHOTO,))
    assert await talk.say(attachments=(Attachment("f2", "image"),), after_s=0.2) == []
    assert await talk.say(attachments=(Attachment("f3", "image"),), after_s=60)


@pytest.mark.parametrize("said", ["where is my order", "refund time"])
async def test_an_album_with_a_caption_has_the_captions_answer_alone(talk: Talk, said: str) -> None:
    """Also where the caption is the title of a button."""
    await talk.say("where is my order")
    replies = await talk.say(said, attachments=(PHOTO,))
    assert replies[-1].entry in ("order-status", "refund-time")
    assert await talk.say(attachments=(Attachment("f2", "image"),), after_s=0.2) == []
    (told,) = await talk.say(attachments=(Attachment("f3", "image"),), after_s=60)
    assert told.text == talk.texts.render(TEXT, "en")


async def test_words_beside_a_file_are_answered(talk: Talk) -> None:
    replies = await talk.say("where is my order", attachments=(PHOTO,))
    assert replies[-1].entry == "order-status"


async def test_the_button_leads_to_a_person(talk: Talk) -> None:
    replies = await talk.say(attachments=(PHOTO,))
    button: QuickReply = replies[-1].quick_replies[0]
    await talk.tap(button)
    assert (await talk.state()).state == State.WAITING


async def test_the_row_of_a_file_leads_to_its_message_and_where_to_fetch_it(talk: Talk) -> None:
    message = talk.message(attachments=(PHOTO,))
    await talk.handler.handle(message, await talk.arrive(message))
    await talk.state()
    found = talk.database.call(lambda c: rows.of_messages(c, message.conversation, [message.id]))
    assert [a.shown() for a in found[message.id]] == [PHOTO.shown()]
    row = talk.database.call(lambda c: rows.get(c, "f1"))
    assert row is not None
    assert row["source"] == {"channel": "rest", "account": "rest", "at": "file-id"}
    assert row["author"] == "customer"


@pytest.mark.parametrize("said", ["👍", "😡", "🙏🏽"])
async def test_stickers_hand_nobody_off_and_are_not_asked_back(talk: Talk, said: str) -> None:
    for _ in range(4):
        replies = await talk.say(said, after_s=60)
        assert replies[-1].text == talk.texts.render("utter_anything_else", "en")
    assert (await talk.state()).state == State.BOT
    assert await talk.recorded("clarification.asked") == []


async def test_a_sticker_between_two_failures_hands_nobody_off(talk: Talk) -> None:
    for said in ("flibber flabber", "👍", "flibber flabber"):
        await talk.say(said, after_s=60)
    assert (await talk.state()).state == State.BOT
