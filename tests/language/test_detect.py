"""Detection of one message: scripts, languages, romanised text, and whatever strings exist."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.language import cld2, fasttext, langdetect, ngrams, scripts
from bot.language.detect import LanguageReading, detect, examine


@pytest.mark.parametrize(
    ("text", "tag", "script"),
    [
        ("मेरा ऑर्डर अभी तक नहीं आया", "hi", "Deva"),
        ("माझी ऑर्डर अजून आली नाही", "mr", "Deva"),
        ("मेरो अर्डर अहिलेसम्म आएको छैन", "ne", "Deva"),
        ("എന്റെ ഓർഡർ എവിടെ", "ml", "Mlym"),
        ("ของยังไม่มาเลยค่ะ", "th", "Thai"),
        ("أين طلبي؟ لم يصل بعد", "ar", "Arab"),
        ("سفارش من هنوز نرسیده", "fa", "Arab"),
        ("میرا آرڈر ابھی تک نہیں آیا", "ur", "Arab"),
        ("注文した商品が届きません", "ja", "Jpan"),
        ("返品対応", "ja", "Hani"),
        ("我的订单在哪里", "zh", "Hani"),
        ("제 주문이 아직 안 왔어요", "ko", "Hang"),
        ("где мой заказ", "ru", "Cyrl"),
        ("де моє замовлення", "uk", "Cyrl"),
        ("where is my order", "en", "Latn"),
        ("¿dónde está mi pedido?", "es", "Latn"),
        ("cadê meu pedido, ainda não chegou", "pt", "Latn"),
    ],
)
def test_a_plain_message_is_read(text: str, tag: str, script: str) -> None:
    reading = detect(text)
    assert (reading.tag, reading.script) == (tag, script)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("mera order kab aayega bhai", "hi"),
        ("mje refund chahie paise kt gye h", "hi"),
        ("mazi order ajun aali nahi, kadhi yeil", "mr"),
        ("ente order ithuvare kittiyilla", "ml"),
        ("en order innum varala eppo varum", "ta"),
        ("amar taka ekhono ferot paini", "bn"),
        ("maro order haju sudhi nathi avyo", "gu"),
        ("customer care cha number dya", "mr"),
        ("credit card edukkumo", "ml"),
    ],
)
def test_romanised_messages_are_what_they_are(text: str, language: str) -> None:
    reading = detect(text)
    assert (reading.language, reading.romanised) == (language, True)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("wheres my ordr, i payd 2 days ago", "en"),
        ("u guys r usless plz cal me bak", "en"),
        ("pesanan saya belum sampai juga nih", "id"),
        ("siparişim hala gelmedi nerede kaldi", "tr"),
        ("hindi pa dumarating ang order ko", "tl"),
        ("mzigo wangu haujafika bado", "sw"),
        ("ik heb mijn pakket nog niet gekregen", "nl"),
        ("je n'ai toujours pas recu mon colis", "fr"),
        ("donde esta mi paquete no ha llegado", "es"),
        ("ich warte seit wochen auf mein paket", "de"),
    ],
)
def test_other_languages_do_not_pass_for_romanised(text: str, language: str) -> None:
    assert detect(text).tag == language


@pytest.mark.parametrize(
    ("text", "language", "mixed"),
    [
        ("mera order kab aayega yaar, it's been 10 days", "hi", ("en",)),
        ("मेरा order अभी तक नहीं आया, please do something about it", "hi", ("en",)),
        ("mera order cancel kar do", "hi", ()),
        ("where is my order", "en", ()),
    ],
)
def test_mixed_messages_name_the_matrix_and_the_guest(
    text: str, language: str, mixed: tuple[str, ...]
) -> None:
    reading = detect(text)
    assert (reading.language, reading.mixed) == (language, mixed)


@pytest.mark.parametrize("text", ["", "😀🎉", "123 456", "#A-99", "https://example.com/de", "?!"])
def test_nothing_to_go_on_is_said(text: str) -> None:
    assert detect(text).language == "und"


ODD = ["\ud800", "\udfff hola \ud800", "a" * 100_000, "\u0301" * 1000, "\x00\x1b", "a\u0301" * 1000]


@pytest.mark.parametrize("text", [*ODD, "ก" * 100_000, "x@" * 5000, "\u202e" * 50, "1a" * 5000])
def test_odd_strings_get_a_reading(text: str) -> None:
    assert 0.0 <= detect(text).confidence <= 1.0


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=60))
def test_every_string_gets_a_reading_that_survives_json(text: str) -> None:
    reading = detect(text)
    assert 0.0 <= reading.confidence <= 1.0
    again = LanguageReading.from_dict(reading.to_dict())
    assert (again.tag, again.script, again.mixed) == (reading.tag, reading.script, reading.mixed)


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    beginning = "where is my order " * 56
    assert detect(beginning + "wo ist mein Paket " * 5000) == detect(beginning)


def test_models_are_read_once_however_many_threads_ask() -> None:
    ngrams._load.cache_clear()
    fasttext._model.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        tags = {reading.tag for reading in threads.map(detect, ["wo ist mein paket"] * 64)}
    assert tags == {"de"}
    assert fasttext._model.cache_info().misses == ngrams._load.cache_info().misses == 1


def test_langdetect_is_asked_only_in_doubt_and_always_says_the_same() -> None:
    assert not examine("where is my order, I have been waiting for days")[1]
    assert langdetect.rank("faktura betaling") == langdetect.rank("faktura betaling")


def test_detection_needs_no_network_and_no_heavy_import() -> None:
    code = (
        "import sys, bot.language.detect as d, bot.language.follow\n"
        "assert not {'fasttext', 'langdetect', 'requests', 'sklearn'} & set(sys.modules)\n"
        "import socket; socket.socket = None\n"
        "assert d.detect('mera order kab aayega bhai').tag == 'hi-Latn'\n"
        "assert not {'requests', 'sklearn', 'scipy', 'rasa'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"HOME": "/none"})


def test_accents_speak_against_romanised_text() -> None:
    for text in ("Kokia temperatūra Londone šiuo metu?", "koliko košta dostava"):
        assert not detect(text).romanised


def test_detection_works_without_cld2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cld2, "_library", lambda: None)
    assert detect("wo ist denn mein Paket geblieben").language == "de"


def test_cld2_takes_what_does_not_print() -> None:
    assert set(cld2.rank("wo ist denn mein Paket\x00\u202e geblieben")) == {"de"}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Mae'r parsel wedi cyrraedd ond mae'r cwpan wedi torri yn y blwch", "cy"),
        ("An bhfuil sé ar fáil i ndath eile, agus cathain a bheidh sé anseo", "ga"),
        ("Mutengo webhutsu idzi imarii, uye zvichasvika rini kumba kwangu", "sn"),
        ("Ndicela ukwazi ukuba iya kufika nini impahla yam endiyithengileyo", "xh"),
    ],
)
def test_a_sentence_of_a_language_few_customers_write_is_recognised(
    text: str, language: str
) -> None:
    assert detect(text).tag == language


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("3ayez as2al 3ala el se3r bta3 el shanta", "ar-Latn"),
        ("le7ad delwa2ty mafish 7ad kalemny", "ar-Latn"),
        ("abgha a3raf wain el be9a3a", "ar-Latn"),
        ("enakku innum panam thirumbi varala", "ta-Latn"),
        ("amar jinish ta ekhono pelam na keno", "bn-Latn"),
    ],
)
def test_arabic_tamil_and_bengali_in_latin_letters_are_recognised(text: str, tag: str) -> None:
    assert detect(text).tag == tag


@pytest.mark.parametrize(
    "text", ["is the 3rd one 5kg", "2 b2b h2o mp3 ps5", "iphone15 for 3days please", "covid19 4pm"]
)
def test_units_and_models_are_no_chat_words(text: str) -> None:
    assert not any("x" in word for word in scripts.without_noise(text).split())
