"""The desk's texts: the same in every language, none in the code, none unused."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markupsafe import Markup

from bot.desk import texts as module
from bot.desk.texts import Catalogue, Entry, read
from bot.errors import ConfigurationError

LANGUAGES = ("ar", "en", "es", "hi", "ml", "mr", "th")
CATALOGUE = Catalogue.load()
ENGLISH = CATALOGUE.texts["en"].entries
FILES = {language: read(module.FOLDER / f"{language}.yml") for language in LANGUAGES}
DESK = Path(module.__file__).parent
SOURCES = [*DESK.rglob("*.html"), *DESK.glob("static/*.js"), *DESK.rglob("*.py")]
# Texts chosen by a stored value, `word("state", …)` and the like; `meta` is about the file.
CHOSEN = (
    "meta",
    "audit",
    "author",
    "cause",
    "channel",
    "decision",
    "delivery",
    "error",
    "event",
    "failed",
    "file_reason",
    "letters.in",
    "letters.out",
    "list.empty",
    "macro.does_",
    "mood",
    "outcome",
    "reading",
    "reason",
    "role",
    "priority",
    "row.by_",
    "sentiment",
    "sort",
    "state",
    "topic",
    "translation.why",
    "view",
    "presence",
    "sla",
)


def placeholders(entry: Entry) -> set[str]:
    forms = [entry] if isinstance(entry, str) else list(entry.values())
    return {name for form in forms for name in re.findall(r"\{(\w+)\}", form)}


def test_there_are_the_languages_we_promise() -> None:
    assert tuple(sorted(CATALOGUE.texts)) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    own = FILES[language]
    assert sorted(set(ENGLISH) - set(own)) == [], "not translated"
    assert sorted(set(own) - set(ENGLISH)) == [], "not in English"
    wrong = [key for key in own if placeholders(own[key]) != placeholders(ENGLISH[key])]
    assert [key for key in wrong if not plural_without_number(own[key])] == []
    forms = set(str(own["meta.forms"]).split())
    assert {
        key: set(entry)
        for key, entry in own.items()
        if not isinstance(entry, str) and set(entry) != forms
    } == {}
    kinds = [key for key in own if isinstance(own[key], str) != isinstance(ENGLISH[key], str)]
    assert kinds == [], "plural in one of the two only"


def plural_without_number(entry: Entry) -> bool:
    """Forms for one thing may say it in words; only `other` must name the number."""
    return not isinstance(entry, str) and "{n}" in entry["other"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_whole(language: str) -> None:
    for key, entry in FILES[language].items():
        for form in [entry] if isinstance(entry, str) else entry.values():
            assert form, key
            assert form == form.strip(), key
            assert key.startswith("meta.") or "<" not in form, f"{key}: markup is the template's"


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_translations_are_translated(language: str) -> None:
    """Names, signs and a few words that are the same in both may stay."""
    own = FILES[language]
    same = [
        key
        for key, entry in own.items()
        if entry == ENGLISH[key]
        and re.search(r"[A-Za-z]{3}", re.sub(r"\{\w+\}", "", str(entry)))
        and not key.startswith(("meta.", "channel."))
    ]
    # "Error" and "Spam" are Spanish, too.
    assert len(same) <= 6, same


# -- use


def used(folder: str, pattern: str) -> Iterator[tuple[str, str]]:
    for file in sorted(DESK.glob(folder)):
        for call in re.findall(pattern, file.read_text("utf-8")):
            yield file.name, call


def test_every_text_asked_for_exists() -> None:
    asked = list(used("**/*.html", r"\b(?:t|say)\(\"([\w.-]+)\"\s*[,)]"))
    asked += list(used("**/*.py", r"texts\.(?:html|say)\(\s*\"([\w.-]+)\""))
    script = list(used("static/*.js", r"\bt\(\"([\w.-]+)\""))
    assert len(asked) > 100
    assert len(script) > 10
    assert [one for one in asked if one[1] not in ENGLISH] == []
    assert [one for one in script if f"script.{one[1]}" not in ENGLISH] == []


def test_no_text_is_left_over() -> None:
    everything = "\n".join(file.read_text("utf-8") for file in SOURCES)
    words = set(re.findall(r"[\w.-]+", everything))
    unused = [
        key
        for key in ENGLISH
        if not key.startswith(CHOSEN)
        and key not in words
        and key.removeprefix("script.") not in words
    ]
    assert unused == []


def test_every_refusal_has_a_text() -> None:
    codes = set()
    parts = ("bot/desk", "bot/handoff", "bot/routing")
    for file in [
        *(f for part in parts for f in Path(part).rglob("*.py")),
        Path("bot/streams/dead_letters.py"),
    ]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "BadRequest"
                and isinstance(node.args[0], ast.Constant)
            ):
                codes.add(str(node.args[0].value))
    assert len(codes) > 20
    assert sorted(code for code in codes if f"error.{code}" not in ENGLISH) == []


def test_templates_hold_no_words() -> None:
    """Between tags and in read attributes only expressions, signs and the names of keys."""
    found = []
    for file in sorted(DESK.rglob("*.html")):
        text = file.read_text("utf-8")
        text = re.sub(r"\{% block body_\w+ %\}.*?\{% endblock %\}", "", text, flags=re.S)
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", text, flags=re.S)
        text = re.sub(r"<(kbd|script|style)\b.*?</\1>", "", text, flags=re.S)
        read_aloud = re.findall(
            r"\b(?:title|aria-label|placeholder|alt|data-title)=\"([^\"]*)\"", text
        )
        between = re.findall(r">([^<]*)<", f">{text}<")
        for piece in [*read_aloud, *between]:
            if re.search(r"\w{2}", piece.replace("&nbsp;", "")):
                found.append((file.name, piece.strip()))
    # A tooltip names the keys of a suggestion.
    assert [one for one in found if "Alt+" not in one[1]] == []


def test_scripts_hold_no_words() -> None:
    """Strings with a space and a letter of a sentence are texts; code has none."""
    found = []
    for file in sorted(DESK.glob("static/*.js")):
        code = re.sub(r"^\s*//.*$", "", file.read_text("utf-8"), flags=re.M)
        for text in re.findall(r"\"([^\"\n]*)\"", code):
            if re.match(r"[A-Z][a-z]+( [a-z]+|[.!?])", text):
                found.append((file.name, text))
    assert found == []


# -- filling in


def test_values_are_escaped_and_isolated() -> None:
    english = CATALOGUE.of("en")
    shown = english.html("head.theirs", agent="<b>Zoë</b>")
    assert shown == Markup("Assigned to <bdi>&lt;b&gt;Zoë&lt;/b&gt;</bdi>")
    assert english.html("thread.shortcuts", key=Markup("<kbd>?</kbd>")) == Markup(
        "Press <kbd>?</kbd> for the shortcuts."
    )
    assert english.say("head.theirs", agent="Zoë") == "Assigned to Zoë"
    assert english.say("head.theirs", agent="أحمد") == "Assigned to \u2068أحمد\u2069"
    assert CATALOGUE.of("ar").say("head.theirs", agent="أحمد") == "لدى أحمد"
    assert english.say("head.theirs", agent="{n}") == "Assigned to {n}"


@pytest.mark.parametrize(
    ("language", "number", "words"),
    [
        ("en", 1, "failed to help once"),
        ("en", 3, "3 times"),
        ("hi", 1, "1 बार"),
        ("mr", 4, "४ वेळा"),
        ("th", 1, "1 ครั้ง"),
        ("ar", 2, "مرتين"),
        ("ar", 3, "٣ مرات"),
        ("ar", 11, "١١ مرة"),
    ],
)
def test_numbers_choose_their_form_and_digits(language: str, number: int, words: str) -> None:
    assert words in CATALOGUE.of(language).say("reason.failed_times", n=number)


@pytest.mark.parametrize(
    ("wanted", "accepted", "chosen"),
    [
        (("ar", "hi"), "es", "ar"),
        (("", "hi"), "es", "hi"),
        ((), "fr, th;q=0.4, es;q=0.8", "es"),
        (("xx",), "es-MX,es;q=0.9,en;q=0.8", "es"),
        ((), "", "en"),
        ((), ";;q=,,*;q=x,-", "en"),
        (("",), "es;q=0, mr", "mr"),
    ],
)
def test_a_language_is_chosen(wanted: tuple[str, ...], accepted: str, chosen: str) -> None:
    assert CATALOGUE.choose(*wanted, accepted=accepted).language == chosen


def test_what_the_page_gets_cannot_leave_its_element() -> None:
    own = {**ENGLISH, "script.bad": "</script><script>alert(1)</script><!--"}
    texts = module.Texts("en", own, lambda n: "other", "latn", "0123456789")
    assert "<" not in texts.script
    assert "error.other" not in texts.script


@pytest.mark.parametrize("text", ["[]", "a: 1", "a: {b: }", ":", "meta: {plural: 'n'}"])
def test_a_broken_file_stops_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "en.yml").write_text(text)
    with pytest.raises(ConfigurationError):
        Catalogue.load(folder=tmp_path)
    with pytest.raises(ConfigurationError):
        Catalogue.load(folder=tmp_path / "nowhere")
