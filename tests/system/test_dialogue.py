"""What happens beyond one answer: asking back, handing off, waiting, coming back, being silent."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import redis
from running import DeskAgent, System, Visitor, until

from bot.content.models import Content
from bot.content.texts import SystemTexts
from bot.settings import Settings
from bot.stores import redis_client, redis_keys
from bot.streams.messages import Inbound, conversation_id

DEFAULTS = Settings()
UNCLEAR = "flibber gromp zanzu wuppel"
STATUS = "where is my order"
ANGRY = (
    "This is an outrage! You are liars and thieves, the worst shop on earth, "
    "I hate you and I am absolutely furious!!!"
)


def conversation(who: str) -> str:
    return conversation_id("rest", "rest", who)


def utters(replies: list[dict[str, Any]]) -> list[str]:
    return [reply["utter"] for reply in replies]


def button(reply: dict[str, Any], **wanted: str) -> dict[str, Any]:
    for found in reply["quick_replies"]:
        if all(found[key] == value for key, value in wanted.items()):
            return dict(found)
    raise AssertionError(f"no button {wanted} in {reply['quick_replies']}")


def test_an_unclear_message_is_asked_back_and_the_second_one_handed_off(
    system: System, who: str
) -> None:
    intro, clarify = system.rest(who, UNCLEAR)
    assert intro["utter"] == "utter_bot_intro"
    assert clarify["utter"] in ("utter_clarify", "utter_out_of_scope")
    assert clarify["quick_replies"][-1]["action"] == "person"
    (handoff,) = system.rest(who, "wuppel zanzu " + UNCLEAR)
    assert handoff["utter"].startswith("utter_handoff")
    assert handoff["state"] == "waiting"
    (requested,) = system.recorded(conversation(who), "handoff.requested")
    assert requested["cause"] == "repeated-fallback"
    assert requested["failures"] == 1
    assert requested["thresholds"]["failures"] == DEFAULTS.thresholds.failures


def test_a_doubtful_question_offers_its_best_entries(
    system: System, published: Content, who: str
) -> None:
    for text in ("I want my money", "the date please", "about the card", "my parcel", "code"):
        clarify = system.rest(f"{who}{text}", text)[-1]
        if clarify["utter"] == "utter_clarify":
            break
    assert clarify["utter"] == "utter_clarify"
    choices = [found for found in clarify["quick_replies"] if found["entry"]]
    assert 1 <= len(choices) <= 3
    for choice in choices:
        assert choice["title"] == published.by_id[choice["entry"]].title["en"]
    (asked,) = system.recorded(conversation(f"{who}{text}"), "clarification.asked")
    assert asked["cause"] in ("low-confidence", "narrow-margin")
    (answer,) = system.rest(f"{who}{text}", quick_reply=choices[-1]["payload"])
    assert answer["entry"] == choices[-1]["entry"]
    assert answer["text"] == published.by_id[choices[-1]["entry"]].answers["en"]


def test_whoever_wants_a_person_gets_one(system: System, texts: SystemTexts, who: str) -> None:
    for language, text in (
        ("en", "I want to talk to a person"),
        ("hi", "इंसान"),
        ("es", "quiero hablar con una persona"),
        ("ar", "موظف"),
        ("th", "เจ้าหน้าที่"),
        ("ml", "ഏജന്റ്"),
        ("mr", "माणूस"),
    ):
        sender = f"{who}{language}"
        replies = system.rest(sender, text)
        assert replies[-1]["state"] == "waiting", (text, replies)
        assert replies[-1]["utter"].startswith("utter_handoff")
        assert replies[-1]["language"] == language, (text, replies[-1]["text"])
        titles = [texts.render(f"utter_title_{one}", language) for one in ("leave", "cancel")]
        assert [found["title"] for found in replies[-1]["quick_replies"]] == titles
        (requested,) = system.recorded(conversation(sender), "handoff.requested")
        assert requested["cause"] == "asked"


def test_anger_is_handed_off_with_its_numbers(system: System, who: str) -> None:
    replies = system.rest(who, ANGRY)
    assert replies[-1]["state"] == "waiting", replies
    (requested,) = system.recorded(conversation(who), "handoff.requested")
    assert requested["cause"] == "negative-sentiment"
    assert requested["negative"] >= requested["thresholds"]["negative_message"]


def test_an_entry_for_people_is_answered_and_handed_off(
    system: System, published: Content, who: str
) -> None:
    entry = next(e for e in published.entries if e.policy == "person")
    replies = system.rest(who, entry.examples["en"][0])
    assert f"utter_faq/{entry.id}" in utters(replies)
    assert replies[-1]["state"] == "waiting"
    (requested,) = system.recorded(conversation(who), "handoff.requested")
    assert requested["cause"] in ("policy", "negative-sentiment")


def test_both_outcomes_of_an_answer_are_recorded(system: System, who: str) -> None:
    answer = system.rest(who, STATUS)[-1]
    (thanks,) = system.rest(who, quick_reply=button(answer, action="helped")["payload"])
    assert thanks["utter"] == "utter_helped"
    answer = system.rest(who, "how long do refunds take")[-1]
    assert answer["entry"] == "refund-time"
    (sorry,) = system.rest(who, quick_reply=button(answer, action="not-helped")["payload"])
    assert sorry["utter"] == "utter_not_helped"
    first, second = system.recorded(conversation(who), "answer.rated", 2)
    assert (first["entry"], first["helped"]) == ("order-status", True)
    assert (second["entry"], second["helped"]) == ("refund-time", False)
    assert first["version"] == answer["content_version"]


def test_an_answer_that_did_not_help_twice_is_handed_off(system: System, who: str) -> None:
    answer = system.rest(who, STATUS)[-1]
    system.rest(who, quick_reply=button(answer, action="not-helped")["payload"])
    replies = system.rest(who, UNCLEAR)
    assert replies[-1]["state"] == "waiting"
    (requested,) = system.recorded(conversation(who), "handoff.requested")
    assert requested["cause"] == "repeated-fallback"


def test_a_tapped_quick_reply_gets_its_entry(system: System, published: Content, who: str) -> None:
    answer = system.rest(who, STATUS)[-1]
    wanted = next(found for found in answer["quick_replies"] if found["entry"])
    (reply,) = system.rest(who, quick_reply=wanted["payload"])
    assert reply["entry"] == wanted["entry"]
    assert reply["text"] == published.by_id[wanted["entry"]].answers["en"]
    (tapped,) = system.recorded(conversation(who), "quick-reply.tapped")
    shown = system.recorded(conversation(who), "quick-reply.shown", 2)
    assert (tapped["entry"], tapped["position"], tapped["typed"]) == (wanted["entry"], 0, False)
    assert shown[0]["replies"][0]["entry"] == wanted["entry"]


def test_a_typed_title_acts_as_a_tap(system: System, published: Content, who: str) -> None:
    answer = system.rest(who, "मेरा ऑर्डर अभी तक कहाँ पहुँचा है?")[-1]
    wanted = next(found for found in answer["quick_replies"] if found["entry"])
    (reply,) = system.rest(who, wanted["title"])
    assert reply["text"] == published.by_id[wanted["entry"]].answers["hi"]
    (tapped,) = system.recorded(conversation(who), "quick-reply.tapped")
    assert tapped["typed"] is True


def test_an_old_button_still_works_after_many_answers(system: System, who: str) -> None:
    first = system.rest(who, STATUS)[-1]
    wanted = next(found for found in first["quick_replies"] if found["entry"])
    for text in ("how long do refunds take", "which payment methods do you take") * 4:
        system.rest(who, text)
    (reply,) = system.rest(who, quick_reply=wanted["payload"])
    assert reply["entry"] == wanted["entry"]


def test_somebody_elses_button_opens_nothing(system: System, who: str) -> None:
    answer = system.rest(who, STATUS)[-1]
    wanted = next(found for found in answer["quick_replies"] if found["entry"])
    reply = system.rest(f"{who}-other", quick_reply=wanted["payload"])[-1]
    assert "entry" not in reply
    assert reply["utter"] == "utter_clarify_none" or reply["utter"] == "utter_clarify"
    (refused,) = system.recorded(conversation(f"{who}-other"), "message.refused")
    assert refused["reason"] == "unknown-quick-reply"


def test_cancelling_returns_to_the_bot_which_says_that_it_is_one(system: System, who: str) -> None:
    handoff = system.rest(who, "I want to talk to a person")[-1]
    intro, cancelled = system.rest(who, quick_reply=button(handoff, action="cancel")["payload"])
    assert (intro["utter"], cancelled["utter"]) == ("utter_bot_intro", "utter_cancelled")
    assert cancelled["state"] == "bot"
    (answer,) = system.rest(who, STATUS)
    assert answer["entry"] == "order-status"
    assert len(system.recorded(conversation(who), "handoff.cancelled")) == 1


def test_the_word_cancel_returns_to_the_bot(system: System, who: str) -> None:
    for language, text in (("en", "cancel"), ("hi", "रद्द करो"), ("es", "cancelar")):
        sender = f"{who}{language}"
        system.rest(sender, {"en": "person", "hi": "इंसान", "es": "persona"}[language])
        replies = system.rest(sender, text)
        assert [r["state"] for r in replies] == ["bot", "bot"], (text, replies)


def test_while_waiting_the_notice_comes_at_most_every_two_minutes(system: System, who: str) -> None:
    system.rest(who, "I want to talk to a person")
    assert system.rest(who, STATUS) == []
    assert system.rest(who, "hello? anybody?") == []
    now = time.time()
    assert later(system, who, "still there?", now + DEFAULTS.waiting_notice_s - 5) == []
    (notice,) = later(system, who, "and now?", now + DEFAULTS.waiting_notice_s + 5)
    assert notice["utter"].startswith("utter_waiting")
    assert notice["state"] == "waiting"
    assert later(system, who, "hello", now + DEFAULTS.waiting_notice_s + 10) == []


def later(system: System, who: str, text: str, received_at: float) -> list[dict[str, Any]]:
    """Put a message of another time into the inbox and return the turn's replies."""
    settings = Settings(state_dir=system.state_dir)
    name = conversation(who)
    inbound = Inbound(
        id=f"m{uuid.uuid4().hex[:24]}",
        conversation=name,
        channel="rest",
        account="rest",
        vendor_user=who,
        text=text,
        sent_at=received_at,
        received_at=received_at,
        awaited=True,
    )
    shard = redis_keys.shard_of(name, settings.shards)
    with redis.Redis.from_url(redis_client.address(settings), decode_responses=True) as client:
        client.xadd(redis_keys.inbox(shard), {"body": json.dumps(inbound.to_dict())})

        def said() -> list[dict[str, Any]]:
            rows = [
                json.loads(fields["body"]) for _, fields in client.xrange(redis_keys.replies(shard))
            ]
            return [row for row in rows if row["in_reply_to"] == inbound.id]

        turn = until(said, within_s=20, what="the turn's replies")
    return [row for row in turn if "text" in row]


def test_start_over_forgets_failures(system: System, who: str) -> None:
    system.rest(who, UNCLEAR)
    (fresh,) = system.rest(who, "start over")
    assert fresh["utter"] == "utter_restart"
    replies = system.rest(who, UNCLEAR)
    assert replies[-1]["state"] == "bot"


def test_small_talk_thanks_and_goodbye(system: System, who: str) -> None:
    assert utters(system.rest(who, "tell me a joke"))[-1] == "utter_smalltalk"
    assert utters(system.rest(who, "thanks a lot")) == ["utter_thanks"]
    assert utters(system.rest(who, "goodbye")) == ["utter_goodbye"]


def test_an_agent_takes_over_answers_and_gives_back(system: System, texts: SystemTexts) -> None:
    visitor = Visitor(system)
    visitor.ask("मेरा ऑर्डर अभी तक कहाँ पहुँचा है?", 2)
    (handoff,) = visitor.ask("इंसान")
    assert handoff["state"] == "waiting"
    agent = DeskAgent(system)
    assert agent.act(visitor.conversation, "claim").status == 200
    (joined,) = visitor.wait(1)
    assert joined["author"] == "automatic"
    assert joined["language"] == "hi"
    # While an agent owns the conversation the bot is silent, whatever is written.
    visitor.send("ok")
    heard = visitor.send("मेरा पैसा कब वापस मिलेगा?")
    until(
        lambda: system.sql("select reading from messages where id = ?", heard),
        within_s=20,
        what="the desk sees the message",
    )
    words = "नमस्ते, मैं देखती हूँ।"
    assert agent.act(visitor.conversation, "reply", text=words).status == 200
    (reply,) = visitor.wait(1)
    assert (reply["text"], reply["author"]) == (words, "agent")
    assert agent.act(visitor.conversation, "return").status == 200
    (returned,) = visitor.wait(1)
    assert returned["language"] == "hi", "the notice follows the customer's language"
    intro, answer = visitor.ask("मेरा ऑर्डर अभी तक कहाँ पहुँचा है?", 2)
    assert intro["text"] == texts.render("utter_bot_intro", "hi", business=DEFAULTS.business_name)
    assert answer["language"] == "hi"


def test_one_of_two_agents_gets_a_conversation(system: System) -> None:
    visitor = Visitor(system)
    visitor.ask("I want to talk to a person", 2)
    first, second = DeskAgent(system, "agent"), DeskAgent(system, "admin")
    assert first.act(visitor.conversation, "claim").status == 200
    refused = second.act(visitor.conversation, "claim")
    assert refused.status == 409
    assert second.act(visitor.conversation, "reply", text="not mine").status == 409
    assert [message["author"] for message in visitor.wait(1)] == ["automatic"]
    assert visitor.state() == "assigned"


def test_a_resolved_conversation_starts_a_new_episode(system: System, texts: SystemTexts) -> None:
    visitor = Visitor(system)
    visitor.ask("I want to talk to a person", 2)
    agent = DeskAgent(system)
    agent.act(visitor.conversation, "claim")
    visitor.wait(1)
    page = agent.page(f"/inbox/mine/{visitor.conversation}")
    outcome = page.split('name="outcome" value="')[1].split('"')[0]
    done = agent.act(visitor.conversation, "resolve", topic="orders", outcome=outcome)
    assert done.status == 200, done.content
    visitor.wait(1)
    intro, answer = visitor.ask(STATUS, 2)
    assert intro["text"] == texts.render("utter_bot_intro", "en", business=DEFAULTS.business_name)
    assert answer["state"] == "bot"
    started = system.recorded(visitor.conversation, "episode.started", 2)
    assert len(started) == 2


def test_the_use_of_quick_replies_is_reported(system: System, who: str) -> None:
    answer = system.rest(who, STATUS)[-1]
    wanted = next(found for found in answer["quick_replies"] if found["entry"])
    system.rest(who, quick_reply=wanted["payload"])
    system.recorded(conversation(who), "quick-reply.tapped")
    done = system.run("report", "quick-replies", "--json", "--channel", "rest", "--language", "en")
    assert done.returncode == 0, done.stderr
    rows = {row["quick_reply"]: row for row in json.loads(done.stdout)}
    row = rows[wanted["entry"]]
    assert row["tapped"] >= 1
    assert row["shown"] >= row["tapped"]
    assert row["taps_per_showing"] == round(row["tapped"] / row["shown"], 3)
    table = system.run("report", "quick-replies").stdout
    assert "taps_per_showing" in table.splitlines()[0]
    assert system.run("report", "quick-replies", "--csv").stdout.startswith("\ufeffquick_reply,")
