#!/usr/bin/env bash
# Surprise: pycld2 raises "input contains invalid UTF-8" for text that is valid UTF-8: one control
#   character (a vertical tab as word processors put into lines, or U+0085 out of older systems) or
#   one noncharacter is enough, and the whole message gets no language. Tab, line feed, form feed and
#   carriage return, and all invisible marks that Indic and Arabic text needs, are taken.
# Versions: pycld2 0.42; Python 3.11.7 and 3.13.0
# Seen: 2026-11-28, the output below
# Therefore: take control characters out before asking.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pycld2==0.42
cd "$work"

cat >look.py <<'PYTHON'
import pycld2

SENTENCE = "मेरा ऑर्डर नहीं आया"


def taken(code):
    text = SENTENCE + chr(code) + SENTENCE
    assert text.encode().decode() == text
    try:
        return pycld2.detect(text)[2][0][1] == "hi"
    except pycld2.error as error:
        assert "input contains invalid UTF-8" in str(error)
        return False


refused = [c for c in range(0x20000) if not 0xD800 <= c < 0xE000 and not taken(c)]
ranges = []
for code in refused:
    if ranges and ranges[-1][1] == code - 1:
        ranges[-1][1] = code
    else:
        ranges.append([code, code])
print("refused up to 1FFFF:", *(f"{first:04X}-{last:04X}" for first, last in ranges))
PYTHON
venv/bin/python look.py >seen

diff -u - seen <<'SEEN'
refused up to 1FFFF: 0000-0008 000B-000B 000E-001F 007F-009F FDD0-FDEF FFFE-FFFF 1FFFE-1FFFF
SEEN
echo "as seen"
