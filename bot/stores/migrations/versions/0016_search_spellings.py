"""On PostgreSQL, fold texts for search by the one normaliser, and index them anew.

The function does in SQL what `fold` of the code of that day did; revision 0011 made one that knew
fewer spellings. Where it was not made, because the database is not UTF-8 or does not allow it,
search goes on comparing the texts as written.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TEXTS = {"messages": "text", "desk_notes": "text", "customers": "name"}

ZEROS = (
    0x0660,
    0x06F0,
    0x07C0,
    0x0966,
    0x09E6,
    0x0A66,
    0x0AE6,
    0x0B66,
    0x0BE6,
    0x0C66,
    0x0CE6,
    0x0D66,
    0x0DE6,
    0x0E50,
    0x0ED0,
    0x0F20,
    0x1040,
    0x1090,
    0x17E0,
    0x1810,
    0x1946,
    0x19D0,
    0x1A80,
    0x1A90,
    0x1B50,
    0x1BB0,
    0x1C40,
    0x1C50,
    0xA620,
    0xA8D0,
    0xA900,
    0xA9D0,
    0xA9F0,
    0xAA50,
    0xABF0,
)
DIGITS = "".join(chr(zero + n) for zero in ZEROS for n in range(10))
UNSEEN = (
    "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061"
    "\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufe00\ufe01\ufe02\ufe03\ufe04\ufe05\ufe06"
    "\ufe07\ufe08\ufe09\ufe0a\ufe0b\ufe0c\ufe0d\ufe0e\ufe0f\ufeff"
)
STYLED = (
    "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274"
    "\u1d0f\u1d18\u0280\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22\U0001f150\U0001f151\U0001f152"
    "\U0001f153\U0001f154\U0001f155\U0001f156\U0001f157\U0001f158\U0001f159\U0001f15a"
    "\U0001f15b\U0001f15c\U0001f15d\U0001f15e\U0001f15f\U0001f160\U0001f161\U0001f162"
    "\U0001f163\U0001f164\U0001f165\U0001f166\U0001f167\U0001f168\U0001f169\U0001f170"
    "\U0001f171\U0001f172\U0001f173\U0001f174\U0001f175\U0001f176\U0001f177\U0001f178"
    "\U0001f179\U0001f17a\U0001f17b\U0001f17c\U0001f17d\U0001f17e\U0001f17f\U0001f180"
    "\U0001f181\U0001f182\U0001f183\U0001f184\U0001f185\U0001f186\U0001f187\U0001f188"
    "\U0001f189\u2776\u2777\u2778\u2779\u277a\u277b\u277c\u277d\u277e\u2116\u00b4"
)
PLAIN = "abcdefghijklmnoprtuvwyzABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ123456789#'"
LETTERS = (
    ("\u0905\u094d\u200d\u0945", "ॲ"),
    ("\u0d23\u0d4d\u200d", "ൺ"),
    ("\u0d28\u0d4d\u200d", "ൻ"),
    ("\u0d30\u0d4d\u200d", "ർ"),
    ("\u0d32\u0d4d\u200d", "ൽ"),
    ("\u0d33\u0d4d\u200d", "ൾ"),
    ("\u0d15\u0d4d\u200d", "ൿ"),
    ("\u0d2e\u0d4d\u200d", "ൔ"),
    ("\u0d2f\u0d4d\u200d", "ൕ"),
    ("\u0d34\u0d4d\u200d", "ൖ"),
    ("\u0905\u200d\u0945", "ॲ"),
    ("\u0905\u093e\u0945", "ऑ"),
    ("\u0930\u094d\u200d", "\u0931\u094d"),
    ("\u0d46\u0d46", "\u0d48"),
    ("\u0d07\u0d57", "ഈ"),
    ("\u0d09\u0d57", "ഊ"),
    ("\u0d12\u0d57", "ഔ"),
    ("\u0d12\u0d3e", "ഓ"),
    ("\u0d0e\u0d46", "ഐ"),
    ("\u0905\u0945", "ॲ"),
    ("\u090f\u0945", "ॲ"),
    ("\u0905\u093e", "आ"),
    ("\u0905\u0949", "ऑ"),
    ("\u0905\u094b", "ओ"),
    ("\u0905\u094c", "औ"),
    ("\u090f\u0947", "ऐ"),
    ("\u093e\u0945", "\u0949"),
    ("\u0945\u093e", "\u0949"),
    ("\u093e\u0947", "\u094b"),
    ("\u093e\u0948", "\u094c"),
    ("\u0a85\u0abe", "આ"),
    ("\u0a85\u0ac5", "ઍ"),
    ("\u0a85\u0ac9", "ઑ"),
    ("\u0a85\u0acb", "ઓ"),
    ("\u0abe\u0ac5", "\u0ac9"),
    ("\u0985\u09be", "আ"),
    ("เเ", "แ"),
    ("ເເ", "ແ"),
    ("ฤา", "ฤๅ"),
    ("ൎ", "ർ"),
    ("\u0d4c", "\u0d57"),
    ("ऍ", "ॲ"),
)
"""Encodings of one letter, the longest first."""
RULES = (
    (
        "([\u0e48-\u0e4c]+)([\u0e31\u0e34-\u0e39])",
        "\\2\\1",
    ),
    (
        "\u0e4d([\u0e48-\u0e4b]*)\u0e32",
        "\\1\u0e33",
    ),
    (
        "\u0e33([\u0e48-\u0e4b]+)",
        "\\1\u0e33",
    ),
    (
        "([\u0ec8-\u0ecb]+)([\u0eb1\u0eb4-\u0eb9\u0ebb])",
        "\\2\\1",
    ),
    (
        "\u0ecd([\u0ec8-\u0ecb]*)\u0eb2",
        "\\1\u0eb3",
    ),
    (
        "\u0eb3([\u0ec8-\u0ecb]+)",
        "\\1\u0eb3",
    ),
    (
        "([\u0900-\u0903\u093a-\u093c\u093e-\u094d\u0962\u0963\u0981-\u0983\u09bc\u09be-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d\u0a70\u0a71\u0a81-\u0a83\u0abc\u0abe-\u0acd\u0b01-\u0b03\u0b3c\u0b3e-\u0b4d\u0b82\u0bbe-\u0bcd\u0c00-\u0c03\u0c3e-\u0c4d\u0c81-\u0c83\u0cbc\u0cbe-\u0ccd\u0d00-\u0d03\u0d3e-\u0d4d\u0d57\u0d82\u0d83\u0dca-\u0ddf\u0e31\u0e33-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ecd])\\1+",
        "\\1",
    ),
    (
        "\u0d28\u0d4d\u0d31|\u0d7b\u0d4d?\u0d31",
        "\u0d28\u0d4d\u0d31",
    ),
    (
        "\u0d7b\u0d2e",
        "\u0d28\u0d4d\u0d2e",
    ),
    (
        "\u0d31\u0d31",
        "\u0d31\u0d4d\u0d31",
    ),
    (
        "\u0d41\u0d4d",
        "\u0d4d",
    ),
    (
        "([\u0915\u0916\u0917\u091c\u092b\u0a16\u0a17\u0a1c\u0a2b\u0a38\u0a32])[\u093c\u0a3c]",
        "\\1",
    ),
    (
        "[\u0919\u091e\u0923\u0928]\u094d(?=[\u0915-\u0918\u091a-\u091d\u091f-\u0922\u0924-\u0927\u092a-\u092d\u0938])|\u092e\u094d(?=[\u092a-\u092d])",
        "\u0902",
    ),
    (
        "[\u0a99\u0a9e\u0aa3\u0aa8]\u0acd(?=[\u0a95-\u0a98\u0a9a-\u0a9d\u0a9f-\u0aa2\u0aa4-\u0aa7\u0aaa-\u0aad\u0ab8])|\u0aae\u0acd(?=[\u0aaa-\u0aad])",
        "\u0a82",
    ),
    (
        "[\u0b19\u0b1e\u0b23\u0b28]\u0b4d(?=[\u0b15-\u0b18\u0b1a-\u0b1d\u0b1f-\u0b22\u0b24-\u0b27\u0b2a-\u0b2d\u0b38])|\u0b2e\u0b4d(?=[\u0b2a-\u0b2d])",
        "\u0b02",
    ),
    (
        "[\u0c19\u0c1e\u0c23\u0c28]\u0c4d(?=[\u0c15-\u0c18\u0c1a-\u0c1d\u0c1f-\u0c22\u0c24-\u0c27\u0c2a-\u0c2d\u0c38])|\u0c2e\u0c4d(?=[\u0c2a-\u0c2d])",
        "\u0c02",
    ),
    (
        "[\u0c99\u0c9e\u0ca3\u0ca8]\u0ccd(?=[\u0c95-\u0c98\u0c9a-\u0c9d\u0c9f-\u0ca2\u0ca4-\u0ca7\u0caa-\u0cad\u0cb8])|\u0cae\u0ccd(?=[\u0caa-\u0cad])",
        "\u0c82",
    ),
)
"""Patterns and what they are replaced by, in order."""
POINTS = (
    "\u0640\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u0591\u0592\u0593\u0594"
    "\u0595\u0596\u0597\u0598\u0599\u059a\u059b\u059c\u059d\u059e\u059f\u05a0\u05a1\u05a2"
    "\u05a3\u05a4\u05a5\u05a6\u05a7\u05a8\u05a9\u05aa\u05ab\u05ac\u05ad\u05ae\u05af\u05b0"
    "\u05b1\u05b2\u05b3\u05b4\u05b5\u05b6\u05b7\u05b8\u05b9\u05ba\u05bb\u05bc\u05bd\u05bf"
    "\u05c1\u05c2\u05c4\u05c5\u05c7\u200c\u200d"
)
WRITTEN = (
    "\u06cc\u06d0\u06cd\u06d2\u06d3\u06a9\u06aa\u06c1\u06be\u06d5\u06c0\u06c2\u06c3\u0623"
    "\u0625\u0622\u0671\u0649\u0626\u0624\u0629\u00f8\u0111\u0142\u0131\u0901\u0a81\u0a70"
    "\u03c2"
)
COMPARED = (
    "\u064a\u064a\u064a\u064a\u064a\u0643\u0643\u0647\u0647\u0647\u0647\u0647\u0647\u0627"
    "\u0627\u0627\u0627\u064a\u064a\u0648\u0647odli\u0902\u0a82\u0a02\u03c3"
)
MARKS = "".join(map(chr, (*range(0x0300, 0x0370), 0x093C, 0x0A3C)))

OLD_DROPPED = "".join(
    chr(code)
    for code in (
        0x00AD,
        *range(0x0300, 0x0370),
        0x0640,
        *range(0x064B, 0x0653),
        0x0670,
        0x093C,
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0xFEFF,
    )
)
OLD_WRITTEN = "أإآٱىةؤئیکøđłıς"
OLD_COMPARED = "اااايهوييكodliσ"


def upgrade() -> None:
    _replace(_definition())


def downgrade() -> None:
    _replace(_old_definition())


def _replace(definition: str) -> None:
    """Make the function anew, and the indexes that hold what the one before has made of texts."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql" or not _has_function(connection):
        return
    connection.execute(sa.text(definition))
    extension = "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"
    if connection.exec_driver_sql(extension).first() is None:
        return
    for table, column in TEXTS.items():
        name = f"ix_trigrams_folded_{table}"
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")
        connection.exec_driver_sql(
            f"CREATE INDEX {name} ON {table} USING gin (samvad_fold({column}) gin_trgm_ops)"
        )


def _has_function(connection: sa.Connection) -> bool:
    found = connection.exec_driver_sql("SELECT to_regprocedure('samvad_fold(text)')")
    return found.scalar() is not None


def _quoted(text: str) -> str:
    """Write a text as SQL; a colon would be a parameter of ours."""
    return "'" + text.replace("'", "''").replace(":", "\\:") + "'"


def _made(body: str) -> str:
    return (
        "CREATE OR REPLACE FUNCTION samvad_fold(t text) RETURNS text LANGUAGE sql"
        f" IMMUTABLE STRICT PARALLEL SAFE AS $$ {body} $$"
    )


def _definition() -> str:
    digits = "".join(str(n) for _ in ZEROS for n in range(10))
    plain = f"translate(t, {_quoted(DIGITS + STYLED + UNSEEN)}, {_quoted(digits + PLAIN)})"
    spelled = "n"
    for written, letter in LETTERS:
        spelled = f"replace({spelled}, {_quoted(written)}, {_quoted(letter)})"
    for pattern, replacement in RULES:
        spelled = f"regexp_replace({spelled}, {_quoted(pattern)}, {_quoted(replacement)}, 'g')"
    indic = f"CASE WHEN n ~ '[{chr(0x0900)}-{chr(0x0EFF)}]' THEN {spelled} ELSE n END"
    steps = f"replace(lower(translate({indic}, {_quoted(POINTS)}, '')), 'ß', 'ss')"
    steps = _compared(steps)
    steps = f"normalize(translate(normalize({steps}, NFD), {_quoted(MARKS)}, ''), NFC)"
    steps = _compared(steps)
    return _made(f"SELECT {steps} FROM (SELECT normalize({plain}, NFKC) AS n) AS s")  # noqa: S608


def _compared(step: str) -> str:
    return f"translate({step}, {_quoted(WRITTEN)}, {_quoted(COMPARED)})"


def _old_definition() -> str:
    steps = "replace(lower(normalize(t, NFKC)), 'ß', 'ss')"
    steps = f"translate({steps}, '{OLD_WRITTEN}{OLD_DROPPED}', '{OLD_COMPARED}')"
    steps = f"translate(normalize({steps}, NFD), '{OLD_DROPPED}', '')"
    return _made(f"SELECT normalize({steps}, NFC)")
