"""Recognise Indic languages typed in Latin letters by their small words."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

_SMALL_WORDS: Final = {
    word: language
    for language, words in {
        "hi": "hai h nahi nhi nai mera meri mere mujhe kya kab kaise kyu kyun kyo karo kar raha rahi rahe kab tak ho gaya gya aaya aayega milega mila chahiye bhai yaar aap tum hum ko ka ki ke se mein bhi abhi kitna kitne paisa paise wapas bahut accha acha theek thik kuch bolo batao",
        "mr": "aahe ahe nahi mala maza mazi maze majha majhi tumhi amhi kadhi kasa kashi kase kuthe kay ka nahiye zala zali pahije havi hava milel yeil karu shakta ani pan tar mhanje ajun paise parat kiti chi cha che la madhe",
        "ml": "ente enikku ennu entha enthu evide eppol eppo alle undo illa und aanu anu ille cheyyan venam kitti kittiyilla vannilla engane ningal njan nale inganeyanu ethra vare varum aayi",
        "ta": "enna epdi eppadi enga eppo en ennoda enakku illa iruku irukku venum vendum seiya pannunga panna vanthuchu varala vandi naan neenga sollunga ethana romba nalla kidaikum aagum varum inga",
        "bn": "ami amar amake apni apnar ki kobe kothay keno kivabe kibhabe hobe hoyeche hoyni ache nei na korbo korte pabo peyechi taka ferot din ekhono kichu bhalo onek eta",
        "gu": "mane maro maru mari che chhe nathi kyare kem kevi rite shu su tame ame thayu thase joiye malyu malse avyo avse aapo karvu kari paisa pacha pachha hoy ane pan ketla ketlu kyan",
    }.items()
    for word in words.split()
}


@dataclass(frozen=True)
class Romanised:
    """A romanised reading: language, confidence 0.0–1.0, other languages present."""

    language: str
    confidence: float
    mixed: tuple[str, ...]


def recognise(text: str) -> Romanised | None:
    """Return the romanised language of a Latin text, None when it is not romanised."""
    words = [word for word in text.lower().split() if word.isascii()]
    hits = Counter(_SMALL_WORDS[word] for word in words if word in _SMALL_WORDS)
    if not hits:
        return None
    language, count = hits.most_common(1)[0]
    if count < 2 or count / len(words) < 0.25:
        return None
    return Romanised(language, min(0.99, 0.6 + 0.1 * count), ())
