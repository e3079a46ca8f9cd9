"""Which passwords are too easy to guess: common ones, rows of keys, and one's own login.

NIST SP 800-63B (5.1.1.2) asks for a comparison with common passwords instead of rules of
composition. The list has the words that lists of leaked passwords begin with; what people put
around them (digits, signs, letters written as digits) does not make them better.
"""

from __future__ import annotations

import re
import unicodedata

LEAST_DIFFERENT = 5
"""Characters that must differ."""
LEAST_BESIDE_NAME = 5
"""Characters that must be there beside the login or name."""
LONGEST_UNIT = 6
"""Of a password that is one piece again and again."""
_WORDS = """
password passwort contrasena motdepasse parola passw pass mypassword passphrase qwerty qwertz
azerty asdfgh zxcvbn qazwsx letmein welcome welcomeback hello hallo hola bonjour admin
administrator root user guest test testing tester demo sample example default master login logon
secret topsecret changeme changeit change temp temporary initial newpassword iloveyou ilovey
loveyou lovely love princess sunshine flower butterfly angel baby babygirl monkey dragon tiger
panther eagle shadow hunter killer ninja samurai phoenix wizard football baseball basketball
soccer hockey cricket golfer liverpool chelsea arsenal barcelona realmadrid juventus yankees
lakers cowboys steelers superman batman spiderman pokemon naruto starwars matrix minecraft
fortnite nintendo playstation xbox google facebook instagram youtube microsoft windows samsung
apple iphone android computer internet server database michael jennifer jessica ashley nicole
daniel jordan thomas robert george charlie andrew joshua matthew anthony william maria carlos
alejandro priya rahul india bharat ganesh krishna summer winter spring autumn january february
march april june july august september october november december monday friday sunday company
office business support helpdesk service customer agent supervisor manager sales samvad chatbot
whatever freedom trustno access money cheese chocolate cookie banana orange pepper ginger coffee
mustang ferrari porsche mercedes harley yamaha honda corvette maverick merlin starfleet blink
metallica nirvana slipknot
"""
_COMMON = frozenset(_WORDS.split())
_ROWS = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "qwertyuiopqwertyuiop",
    "asdfghjklasdfghjkl",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
)
_AS_LETTERS = str.maketrans("0134578@$!", "oleastbasi")


def is_easy(password: str, *names: str) -> bool:
    """Tell whether a password is among the first that anybody would try.

    Args:
        names: Login and name of whom it is for.
    """
    plain = unicodedata.normalize("NFKC", password).casefold()
    if len(set(plain)) < LEAST_DIFFERENT or _repeats(plain):
        return True
    if any(plain in row or plain in row[::-1] for row in _ROWS):
        return True
    return _is_common(plain) or any(_is_name(plain, name) for name in names)


def _repeats(plain: str) -> bool:
    unit = (plain + plain).find(plain, 1)
    return unit < len(plain) and unit <= LONGEST_UNIT


def _is_common(plain: str) -> bool:
    for spelled in (plain, plain.translate(_AS_LETTERS)):
        words = re.findall(r"[^\W\d_]+", spelled)
        # "Password", "password2026!", "12password", "p4ssw0rd!!", "welcomeadmin"
        if words and all(_made_of_common(word) for word in words):
            return True
    # Digits behind a word are no letters: "summer2026", not "summerzoz6".
    core = plain.strip("".join(c for c in plain if not c.isalpha()))
    return _made_of_common(core.translate(_AS_LETTERS)) if core else plain.isdigit()


def _made_of_common(word: str) -> bool:
    """Tell whether a word is a common one, or two."""
    return word in _COMMON or any(
        word[:at] in _COMMON and word[at:] in _COMMON for at in range(3, len(word) - 2)
    )


def _is_name(plain: str, name: str) -> bool:
    own = unicodedata.normalize("NFKC", name).casefold().strip()
    if len(own) < 3 or own not in plain:
        return False
    beside = [c for c in plain.replace(own, "") if c.isalnum()]
    return len(beside) < LEAST_BESIDE_NAME
