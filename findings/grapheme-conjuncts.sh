#!/usr/bin/env bash
# Surprise: how many characters a customer sees in a Hindi, Bengali or Malayalam text depends on which
#   library counts. Since Unicode 15.1 a conjunct (consonant, virama, consonant) is one grapheme
#   cluster where it was two; Thai, Arabic and Tamil are counted as before. A text that fits into
#   a button by one count does not by the other, and is cut in the middle of a letter.
# Versions: regex 2026.11.19, grapheme 0.6.0; Python 3.11.7 and 3.13.0. regex 2022.10.31, the newest
#   that Rasa 3.6 allows, counted as grapheme does (same day, Python 3.11.7 only)
# Seen: 2026-11-28, the output below
# Therefore: count in one place, and let a limit be met by the older, larger count as well.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet regex==2026.11.19 grapheme==0.6.0
cd "$work"

cat >look.py <<'PYTHON'
import grapheme
import regex

TEXTS = {
    "Hindi": "कृपया प्रतीक्षा करें",
    "Bengali": "অনুগ্রহ করে অপেক্ষা করুন",
    "Malayalam": "ക്ഷമിക്കണം",
    "Tamil": "தயவுசெய்து காத்திருங்கள்",
    "Thai": "กรุณารอสักครู่",
    "Arabic": "يُرجى الانتظار",
}
for language, text in TEXTS.items():
    counts = len(regex.findall(r"\X", text)), grapheme.length(text)
    print(f"{language}: regex {counts[0]}, grapheme {counts[1]}")
PYTHON
venv/bin/python look.py >seen

diff -u - seen <<'SEEN'
Hindi: regex 10, grapheme 12
Bengali: regex 15, grapheme 17
Malayalam: regex 4, grapheme 6
Tamil: regex 14, grapheme 14
Thai: regex 10, grapheme 10
Arabic: regex 13, grapheme 13
SEEN
echo "as seen"
