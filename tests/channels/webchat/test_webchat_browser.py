"""The widget in a real headless Chromium, on the demo shop, against a scripted engine."""

from __future__ import annotations

import json
import re
import time

import pytest
from chromium_browser import CHROMIUM
from playwright.async_api import Browser, expect
from webchat_shop import Shop, jwt, reply_to
from webchat_visit import HINDI, Visit, answer, visiting

from bot.stores.redis_keys import LIVE_CHANNEL
from bot.streams.messages import QuickReply
from channels.webchat.server.client import notify
from channels.webchat.server.guard import SECRET
from channels.webchat.server.session import identity_key

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")


async def test_a_hindi_question_is_answered_and_a_quick_reply_tapped(visit: Visit) -> None:
    await visit.open()
    await visit.say(HINDI)
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text(f"उत्तर: {HINDI}")
    assert await visit.chat.locator("html").get_attribute("lang") == "hi"
    await expect(visit.chat.locator(".message.bot .name").last).to_have_text("बॉट")
    await visit.chat.get_by_role("button", name="हाँ").click()
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text("tapped q-yes")
    await expect(visit.chat.locator(".replies")).to_have_count(0)
    assert [i.kind for i in visit.shop.engine.taken] == ["start", "message", "message"]
    assert visit.shop.engine.taken[2].tap == "q-yes"
    assert visit.errors == []


async def test_the_browser_tells_where_it_is(shop: Shop, browser: Browser) -> None:
    shop.engine.script = answer
    async with visiting(shop, browser, timezone_id="America/Denver") as visit:
        await visit.open()
        await visit.say("hello")
        await expect(visit.chat.locator(".message.bot .text").last).to_have_text("Answer: hello")
        assert {i.zone for i in visit.shop.engine.taken} == {"America/Denver"}


async def test_the_conversation_survives_a_reload(visit: Visit) -> None:
    await visit.open()
    await visit.say(HINDI)
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text(f"उत्तर: {HINDI}")
    before = await visit.texts()
    await visit.page.reload()
    # An open chat opens again, in the language of the conversation.
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text(f"उत्तर: {HINDI}")
    assert await visit.texts() == before
    assert await visit.chat.locator("html").get_attribute("lang") == "hi"
    assert len({i.conversation for i in visit.shop.engine.taken}) == 1


async def test_another_browser_sees_nothing_of_it(visit: Visit, browser: Browser) -> None:
    await visit.open()
    await visit.say("my secret")
    await expect(visit.chat.locator(".message.bot .text").last).to_contain_text("my secret")
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(visit.page.url)
    await page.locator("button[aria-expanded]").click()
    chat = page.frame_locator("iframe")
    await expect(chat.locator(".message.bot .text")).to_have_text("Hello! I am a bot.")
    await context.close()


async def test_a_person_is_always_one_button_away_and_is_labelled(visit: Visit) -> None:
    await visit.open()
    await visit.chat.get_by_role("button", name="Talk to a person").click()
    await expect(visit.chat.locator(".notice")).to_have_text("A person will be here soon.")
    await expect(visit.chat.locator("#status")).to_have_text("Waiting for a person")
    inbound = visit.shop.engine.taken[-1]
    assert inbound.text == "I want to talk to a person"
    await visit.say("hello?")
    await visit.shop.engine.say(
        reply_to(inbound, "I am Asha.", 7, author="agent", agent="Asha", state="assigned")
    )
    await expect(visit.chat.locator(".message.agent .name")).to_have_text("Asha · Agent")
    await expect(visit.chat.locator("#status")).to_have_text("Asha is with you")
    typing = {"conversation": inbound.conversation, "what": "typing", "user": "u", "name": "Asha"}
    await visit.shop.redis.publish(LIVE_CHANNEL, json.dumps(typing))
    await expect(visit.chat.locator(".typing .words")).to_have_text("Asha is writing")
    state = {"type": "state", "state": "bot"}
    await notify(visit.shop.redis, visit.shop.settings, inbound.conversation, state)
    await expect(visit.chat.locator(".notice").last).to_contain_text("Asha has left")
    await expect(visit.chat.locator("#status")).to_have_text("You are talking with a bot")


async def test_hostile_text_is_only_text(visit: Visit) -> None:
    await visit.open()
    hostile = '<img src=x onerror="document.title=1"><script>alert(1)</script>\u202eabc'
    await visit.say(hostile)
    await expect(visit.chat.locator(".message.customer .text")).to_have_text(hostile)
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(
        reply_to(
            inbound,
            f"{hostile} javascript:alert(1) https://ok.example/a?b=1.",
            7,
            author="agent",
            agent="<b>Asha</b>",
            quick_replies=(QuickReply("q", "<i>tap</i>"),),
        )
    )
    await expect(visit.chat.locator(".message.agent .name")).to_have_text("<b>Asha</b> · Agent")
    assert await visit.chat.locator(".log img, .log script, .log b, .log .text i").count() == 0
    links = visit.chat.locator(".log a")
    assert [await link.get_attribute("href") for link in await links.all()] == [
        "https://ok.example/a?b=1"
    ]
    assert await links.first.get_attribute("rel") == "noopener noreferrer nofollow"
    assert visit.errors == []


async def test_a_link_ends_where_the_sentence_ends_in_every_script(visit: Visit) -> None:
    await visit.open()
    address = "https://shop.example/a?b=1,2;c"
    around = [
        *("यहाँ देखें: {}।", "श्लोक {}॥", "انظر {}، ثم", "هل {}؟", "{}؛", "یہ {}۔"),
        *("{}।फिर", "{}\u200f", "参见{}。", "{}？", "see {}…"),
        *("“{}”", "‘{}’.", "«{}»", "„{}“", "‹{}›,", "({})."),
    ]
    lines = [line.format(address) for line in around]
    lines += ["https://shop.example/हिंदी-पेज।", "write to help@shop.example।"]
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(reply_to(inbound, "\n".join(lines), 7))
    links = visit.chat.locator(".message.bot .text a")
    expected = [address] * len(around)
    expected += ["https://shop.example/हिंदी-पेज", "help@shop.example"]
    await expect(links).to_have_text(expected)
    assert visit.errors == []


async def test_messages_written_offline_arrive_once_and_in_order(visit: Visit) -> None:
    await visit.open()
    await visit.page.context.set_offline(True)
    await expect(visit.chat.locator("#banner")).to_contain_text("No connection")
    for text in ("one", "two", "three"):
        await visit.say(text)
    await expect(visit.chat.locator(".message.customer .delivery").last).to_have_text("Sending…")
    await visit.page.context.set_offline(False)
    await expect(visit.chat.locator(".message.bot")).to_have_count(4)
    assert [i.text for i in visit.shop.engine.taken if i.text] == ["one", "two", "three"]
    assert len(await visit.texts()) == 7


async def test_a_refused_message_says_so_and_can_be_sent_again(visit: Visit) -> None:
    await visit.open()
    visit.shop.engine.is_away = True
    await visit.say("hello")
    await expect(visit.chat.locator(".message.customer .delivery")).to_have_text("Sending…")
    visit.shop.engine.is_away = False
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    assert [i.text for i in visit.shop.engine.taken if i.text] == ["hello"]


async def test_it_works_where_websockets_are_blocked(visit: Visit) -> None:
    await visit.page.add_init_script("delete window.WebSocket")
    await visit.page.reload()
    await visit.open()
    await visit.say(HINDI)
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text(f"उत्तर: {HINDI}")
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(reply_to(inbound, "later", 9))
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text("later")


async def test_unread_messages_show_on_the_button_and_in_the_title(visit: Visit) -> None:
    await visit.open()
    await visit.say("hi")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    await visit.page.keyboard.press("Escape")
    await expect(visit.launcher).to_have_attribute("aria-expanded", "false")
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(reply_to(inbound, "psst", 7))
    await expect(visit.launcher.locator("b")).to_have_text("1")
    await expect(visit.page).to_have_title("(1) Mela")
    await expect(visit.launcher).to_have_attribute("aria-label", re.compile("1$"))
    # Another page of the shop, the chat closed: the badge is there without opening it.
    await visit.page.reload()
    await expect(visit.launcher.locator("b")).to_have_text("1")
    await visit.launcher.click()
    await expect(visit.launcher.locator("b")).to_be_hidden()
    await expect(visit.page).to_have_title("Mela")


async def test_a_clock_that_is_ahead_hides_no_unread_message(visit: Visit) -> None:
    await visit.page.clock.set_fixed_time(time.time() + 86_400)
    await visit.page.reload()
    await visit.open()
    await visit.say("hi")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    await visit.page.keyboard.press("Escape")
    await expect(visit.page.locator("iframe")).to_be_hidden()
    await visit.shop.engine.say(reply_to(visit.shop.engine.taken[-1], "psst", 7))
    await expect(visit.launcher.locator("b")).to_have_text("1")


async def test_everything_works_by_keyboard(visit: Visit) -> None:
    await visit.launcher.focus()
    await visit.page.keyboard.press("Enter")
    await expect(visit.chat.locator("#text")).to_be_focused()
    await visit.page.keyboard.type("hello")
    await visit.page.keyboard.press("Shift+Enter")
    await visit.page.keyboard.type("again")
    await visit.page.keyboard.press("Enter")
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text("Answer: hello\nagain")
    tap = visit.chat.locator(".replies button").first
    await tap.focus()
    await visit.page.keyboard.press("Enter")
    await expect(visit.chat.locator("#text")).to_be_focused()
    await expect(visit.chat.locator(".message.bot .text").last).to_have_text("tapped q-yes")
    await visit.page.keyboard.press("Escape")
    await expect(visit.launcher).to_be_focused()
    await expect(visit.page.locator("iframe")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 360, 480])
async def test_phones_get_the_whole_screen_and_nothing_sticks_out(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 600})
    await visit.open()
    await visit.say("x" * 300 + " ദയവായി എന്റെഓർഡർഎവിടെയാണെന്ന്പറയൂപറയൂപറയൂപറയൂ")
    await expect(visit.chat.locator(".message.bot .text").last).to_contain_text("xxx")
    box = await visit.page.locator("iframe").bounding_box()
    assert box == {"x": 0, "y": 0, "width": width, "height": 600}
    assert await visit.chat.locator("html").evaluate("e => e.scrollWidth <= innerWidth")
    assert await visit.chat.locator("#log").evaluate("e => e.scrollWidth <= e.clientWidth")
    await expect(visit.chat.locator("#person")).to_be_in_viewport()
    await expect(visit.chat.locator("#send")).to_be_in_viewport()


async def test_arabic_is_mirrored_and_codes_keep_their_order(visit: Visit) -> None:
    await visit.open()
    await visit.say("مرحبا")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(reply_to(inbound, "طلبك 4711-AB في الطريق", 7, language="ar"))
    await expect(visit.chat.locator("html")).to_have_attribute("dir", "rtl")
    await expect(visit.chat.locator(".text bdi").last).to_have_text("4711-AB")
    bot = await visit.chat.locator(".message.bot").last.bounding_box()
    own = await visit.chat.locator(".message.customer").last.bounding_box()
    assert bot is not None
    assert own is not None
    assert own["x"] < bot["x"]


async def test_the_language_menu_asks_for_a_language(visit: Visit) -> None:
    await visit.open()
    menu = visit.chat.locator("#language")
    names = await menu.locator("option").all_inner_texts()
    assert names == ["English", "हिन्दी", "मराठी", "മലയാളം", "ไทย", "Español", "العربية"]
    await menu.select_option("th")
    await expect(visit.chat.locator("#person")).to_have_text("คุยกับเจ้าหน้าที่")
    await expect(visit.chat.locator(".message.customer .text")).to_have_text("กรุณาพูดภาษาไทย")


async def test_a_log_out_ends_the_conversation(visit: Visit) -> None:
    await visit.open()
    await visit.say("my secret")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    await visit.page.evaluate("Samvad.logout()")
    await expect(visit.chat.locator(".message.customer")).to_have_count(0)
    await expect(visit.chat.locator(".message.bot")).to_have_count(1)
    assert len({i.conversation for i in visit.shop.engine.taken}) == 2


async def test_a_logged_in_customer_has_one_conversation_everywhere(
    visit: Visit, browser: Browser
) -> None:
    key = identity_key(visit.shop.app[SECRET], "demo")
    token = jwt({"sub": "ann", "aud": "demo", "exp": time.time() + 600}, key=key)
    await visit.open()
    await visit.say("before the login")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    await visit.page.evaluate("token => Samvad.identify(token)", token)
    await expect(visit.chat.locator(".message.customer")).to_have_count(0)
    await expect(visit.chat.locator(".message.bot")).to_have_count(1)
    await visit.say("after the login")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    phone = await (await browser.new_context(viewport={"width": 390, "height": 844})).new_page()
    await phone.goto(visit.page.url)
    await phone.evaluate("token => { Samvad.identify(token); Samvad.open(); }", token)
    chat = phone.frame_locator("iframe")
    await expect(chat.locator(".message.customer .text")).to_have_text("after the login")
    await phone.evaluate("Samvad.logout()")
    await expect(chat.locator(".message.customer")).to_have_count(0)
    await expect(chat.locator(".message.bot")).to_have_count(1)
    conversations = [i.conversation for i in visit.shop.engine.taken]
    assert len(set(conversations)) == 3
    await phone.context.close()


async def test_an_expired_login_leaves_a_visitor_with_a_chat(visit: Visit) -> None:
    key = identity_key(visit.shop.app[SECRET], "demo")
    token = jwt({"sub": "ann", "aud": "demo", "exp": time.time() - 600}, key=key)
    await visit.page.evaluate("token => { Samvad.identify(token); Samvad.open(); }", token)
    await expect(visit.chat.locator(".message.bot")).to_have_count(1)
    await visit.say("hi")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)


async def test_the_shops_own_buttons_ask_in_the_chat(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Where is my order?").click()
    await expect(visit.chat.locator(".message.customer .text")).to_have_text("Where is my order?")
    await expect(visit.chat.locator(".message.bot").last).to_contain_text("Where is my order?")


async def test_a_long_answer_is_shown_from_its_beginning(visit: Visit) -> None:
    await visit.open()
    await visit.say("hi")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    inbound = visit.shop.engine.taken[-1]
    await visit.shop.engine.say(reply_to(inbound, "line\n" * 80 + "end", 7, author="agent"))
    await expect(visit.chat.locator(".message.agent .text")).to_contain_text("end")
    await expect(visit.chat.locator(".message.agent .label")).to_be_in_viewport()
    await visit.shop.engine.say(reply_to(inbound, "one more", 8))
    await expect(visit.chat.locator("#newer")).to_be_visible()
    await visit.chat.locator("#newer").click()
    await expect(visit.chat.locator(".message.bot").last).to_be_in_viewport()
    await expect(visit.chat.locator("#newer")).to_be_hidden()


async def test_a_reload_while_an_agent_answers_still_names_the_agent(visit: Visit) -> None:
    await visit.open()
    await visit.say("hi")
    await expect(visit.chat.locator(".message.bot")).to_have_count(2)
    inbound = visit.shop.engine.taken[-1]
    joined = reply_to(
        inbound, "Asha has joined.", 7, author="automatic", agent="Asha", state="assigned"
    )
    await visit.shop.engine.say(joined)
    await expect(visit.chat.locator("#status")).to_have_text("Asha is with you")
    await expect(visit.chat.locator(".notice")).to_have_text("Asha has joined.")
    await visit.shop.engine.assign(inbound, "agent-1")
    await visit.page.reload()
    await expect(visit.chat.locator("#status")).to_have_text("Asha is with you")
