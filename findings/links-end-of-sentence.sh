#!/usr/bin/env bash
# Surprise: three libraries that make links of addresses in a text leave the full stop of English out
#   of the link, and take the danda of Hindi, the comma of Arabic, the full stop of Urdu and that of
#   Chinese into it. Who writes "See https://example.com/o/12." in these languages gets a dead link.
# Versions: linkify-it-py 2.2.0, bleach 6.4.0, Jinja2 3.1.6; Python 3.11.7 and 3.13.0
# Seen: 2026-11-28, the output below
# Therefore: cut the marks of Unicode's Sentence_Terminal and the commas of our scripts off a link.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet linkify-it-py==2.2.0 bleach==6.4.0 Jinja2==3.1.6
cd "$work"

cat >look.py <<'PYTHON'
import re

import bleach
from jinja2.utils import urlize
from linkify_it import LinkifyIt

ADDRESS = "https://example.com/o/12"
TEXTS = {
    "full stop": f"See {ADDRESS}. Thanks",
    "danda": f"देखिए {ADDRESS}। धन्यवाद",
    "Arabic comma": f"انظر {ADDRESS}، شكرا",
    "Urdu full stop": f"دیکھیں {ADDRESS}۔ شکریہ",
    "ideographic full stop": f"见 {ADDRESS}。谢谢",
}


def target(html):
    return re.search('href="([^"]*)"', html)[1]


for name, text in TEXTS.items():
    links = LinkifyIt().match(text)[0].url, target(bleach.linkify(text)), target(urlize(text))
    names = ("linkify-it-py", "bleach", "Jinja2")
    right = [library for library, link in zip(names, links) if link == ADDRESS]
    print(f"{name}: right in {', '.join(right) or 'none'}")
PYTHON
venv/bin/python look.py >seen

diff -u - seen <<'SEEN'
full stop: right in linkify-it-py, bleach, Jinja2
danda: right in none
Arabic comma: right in none
Urdu full stop: right in none
ideographic full stop: right in none
SEEN
echo "as seen"
