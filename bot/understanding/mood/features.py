"""Surface features of a message: emoji, capitals, punctuation, in any language.

The embedding reads words; it hardly reads emoji, shouting and drawn-out letters. These counts are
the same for every script: letters, marks and symbols are told apart by Unicode category.
See docs/sentiment.md.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import numpy.typing as npt

FEATURE_NAMES = (
    "positive_emoji",
    "negative_emoji",
    "mocking_emoji",
    "positive_emoticon",
    "negative_emoticon",
    "exclamation",
    "many_exclamations",
    "question",
    "question_and_exclamation",
    "ellipsis",
    "capitals",
    "drawn_out",
    "link_or_handle",
    "hashtag",
    "digits",
    "length",
    "no_words",
)

_POSITIVE_EMOJI = frozenset(
    "😀😃😄😁😆😊🙂😍🥰😘😗😙😚☺🤗🤩🥳😇😋😎🤤😌🥹😻😸😺❤🧡💛💚💙💜🤎🖤🤍💖💗💓💕💞💘💝💟♥❣👍👌👏🙌💪🤝🙏🎉🎊"
    "🥇🏆🏅⭐🌟✨💯💐🌹🌺🌸🌷🌻🌞☀🎂🍀✅🤘✌🫶💃🕺🔥🎁🍾🥂🤟🆒👑💎🌈😽💋🤙🫡✔"
)
_NEGATIVE_EMOJI = frozenset(
    "😠😡🤬😤😞😔😟😕🙁☹😣😖😫😩🥺😢😭😰😥😓😱😨😧😦😪🤢🤮🤧😷🤒🤕💔👎🖕😾🙀😿👿😈☠💀💩🤡😒😑🙄😬😳😵"
    "🥱😶🚫❌⛔⚠🆘🗑🤦🤥😐🫤🥵😮🐍"
)
_MOCKING_EMOJI = frozenset("🙃🙄😏😒🤡👏🤦🤷😂🤣😅🤔")
_POSITIVE_EMOTICON = re.compile(r"(?<!\w)(?:[:;=xX]['^-]?[)\]DdPp*]+|<3+|\^_*\^|[(\[][:;=])(?!\w)")
_NEGATIVE_EMOTICON = re.compile(
    r"(?<!\w)(?:[:;=]['^-]?[(\[/\\|]+|:'\(|D:|-_+-|>_+<|</3|T_+T)(?!\w)"
)
_DRAWN_OUT = re.compile(r"([^\W\d_])\1\1", re.UNICODE)
_LINK = re.compile(r"https?://|www\.|(?<!\w)@\w", re.IGNORECASE)
_QUESTION = "?？؟⁇;"
_LETTERS_SEEN = 600


def surface_features(text: str) -> npt.NDArray[np.float32]:
    """Measure the surface features of a message.

    Returns:
        Shape (len(FEATURE_NAMES),), float32, each value 0–1, in the order of `FEATURE_NAMES`.
    """
    text = text[:_LETTERS_SEEN]
    letters = sum(1 for c in text if unicodedata.category(c)[0] in "LM")
    words = [word for word in re.findall(r"[^\W\d_]{2,}", text)]
    capitalised = sum(1 for word in words if word.isupper())
    exclamations = text.count("!") + text.count("！")
    questions = sum(text.count(mark) for mark in _QUESTION)
    return np.array(
        [
            _share(sum(1 for c in text if c in _POSITIVE_EMOJI), 2),
            _share(sum(1 for c in text if c in _NEGATIVE_EMOJI), 2),
            _share(sum(1 for c in text if c in _MOCKING_EMOJI), 2),
            float(bool(_POSITIVE_EMOTICON.search(text))),
            float(bool(_NEGATIVE_EMOTICON.search(text))),
            float(exclamations > 0),
            _share(exclamations - 1, 3),
            float(questions > 0),
            float(questions > 0 and exclamations > 0) or _share(questions - 1, 3),
            float("..." in text or "…" in text),
            capitalised / len(words) if capitalised and (len(words) > 1 or letters > 4) else 0.0,
            float(bool(_DRAWN_OUT.search(text))),
            float(bool(_LINK.search(text))),
            float("#" in text),
            _share(sum(1 for c in text if c.isdigit()), 10),
            _share(len(text), 200),
            float(letters == 0),
        ],
        dtype=np.float32,
    )


def _share(count: int, full: int) -> float:
    return min(max(count, 0) / full, 1.0)
