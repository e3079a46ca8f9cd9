"""Only our own, unexpired tokens open a conversation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import stat
import time
from pathlib import Path

import pytest
from webchat_shop import jwt

from bot.errors import ConfigurationError, NotAuthenticated
from bot.settings import Settings
from bot.stores import secrets
from bot.streams.messages import conversation_id
from channels.webchat.server.session import (
    CLOCK_SKEW_S,
    IDENTIFIED_S,
    IDENTITY_S,
    SESSION_S,
    identified_visitor,
    identity_key,
    issue,
    verify,
)
from channels.webchat.server.settings import WebchatSettings

SETTINGS = Settings().with_parts(
    WebchatSettings(sites={"demo": ("*",), "shop": ("https://shop.example",)})
)
SECRET = b"s" * 32
NOW = 1_700_000_000.0


def test_a_token_opens_its_own_conversation() -> None:
    token, visitor = issue(SECRET, "shop", now=NOW)
    session = verify(SECRET, token, SETTINGS, now=NOW + SESSION_S - 1)
    assert (session.site, session.visitor) == ("shop", visitor)
    assert session.conversation == conversation_id("webchat", "shop", visitor)


def test_two_visitors_never_share() -> None:
    assert issue(SECRET, "shop", now=NOW)[1] != issue(SECRET, "shop", now=NOW)[1]


def test_a_renewed_token_keeps_the_visitor() -> None:
    _, visitor = issue(SECRET, "shop", now=NOW)
    token, again = issue(SECRET, "shop", now=NOW + 100, visitor=visitor)
    assert again == visitor
    assert verify(SECRET, token, SETTINGS, now=NOW).visitor == visitor


def test_an_expired_token_says_so() -> None:
    token, _ = issue(SECRET, "shop", now=NOW)
    with pytest.raises(NotAuthenticated) as refused:
        verify(SECRET, token, SETTINGS, now=NOW + SESSION_S)
    assert refused.value.code == "session-expired"


def test_every_changed_character_is_noticed() -> None:
    token, _ = issue(SECRET, "shop", now=NOW)
    # The last character of a part may carry unused bits; the digest still decides.
    for at in range(len(token) - 1):
        other = "A" if token[at] != "A" else "B"
        forged = token[:at] + other + token[at + 1 :]
        with pytest.raises(NotAuthenticated):
            verify(SECRET, forged, SETTINGS, now=NOW)


def test_tokens_are_the_same_in_every_version() -> None:
    """Customers keep their conversation while an update goes from machine to machine."""
    expires_at = int(NOW) + 60
    body = {"v": 1, "s": "shop", "u": "f00d", "e": expires_at, "c": "2"}
    payload = base64.urlsafe_b64encode(json.dumps(body, separators=(",", ":")).encode()).rstrip(
        b"="
    )
    mac = hmac.new(SECRET, payload, hashlib.sha256).digest()
    token = f"{payload.decode()}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    made, _ = issue(SECRET, "shop", now=expires_at - SESSION_S, visitor="f00d", consent="2")
    assert made == token
    session = verify(SECRET, token, SETTINGS, now=NOW)
    assert (session.visitor, session.expires_at, session.consent) == ("f00d", NOW + 60, "2")


def test_a_customers_session_ends_after_hours() -> None:
    token, _ = issue(SECRET, "shop", now=NOW, visitor="u-1234")
    assert verify(SECRET, token, SETTINGS, now=NOW).expires_at == NOW + IDENTIFIED_S
    assert IDENTIFIED_S <= 12 * 3600
    with pytest.raises(NotAuthenticated):
        verify(SECRET, token, SETTINGS, now=NOW + IDENTIFIED_S)


def test_a_customers_long_session_of_former_times_is_over() -> None:
    """It was given out for 30 days, before such sessions ended after hours."""
    token, _ = issue(SECRET, "shop", now=NOW + SESSION_S - IDENTIFIED_S, visitor="u-1234")
    with pytest.raises(NotAuthenticated):
        verify(SECRET, token, SETTINGS, now=NOW)


def test_a_renewed_session_lives_no_longer_than_it_may() -> None:
    token, _ = issue(SECRET, "shop", now=NOW, visitor="u-1234", until=NOW + 60, generation=3)
    session = verify(SECRET, token, SETTINGS, now=NOW)
    assert (session.expires_at, session.generation) == (NOW + 60, 3)


def test_what_is_signed_for_another_purpose_opens_nothing() -> None:
    payload = issue(SECRET, "shop", now=NOW)[0].rpartition(".")[0]
    other = secrets.signer(SECRET, "webchat file").get_signature(payload).decode()
    with pytest.raises(NotAuthenticated):
        verify(SECRET, f"{payload}.{other}", SETTINGS, now=NOW)


def test_another_secret_and_a_closed_site_are_refused() -> None:
    token, _ = issue(SECRET, "shop", now=NOW)
    with pytest.raises(NotAuthenticated):
        verify(b"t" * 32, token, SETTINGS, now=NOW)
    with pytest.raises(NotAuthenticated):
        verify(SECRET, token, Settings(), now=NOW)


@pytest.mark.parametrize(
    "token", ["", ".", "a.b", "x" * 5000, "é.é", "a b.c", "ÿ" * 40, "..", "{}"]
)
def test_nonsense_is_not_a_token(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        verify(SECRET, token, SETTINGS, now=NOW)


KEY = identity_key(SECRET, "shop")
CLAIMS = {"sub": "customer-7", "aud": "shop", "exp": NOW + 3000}


def test_a_site_vouches_for_its_customer() -> None:
    visitor = identified_visitor(SECRET, "shop", jwt(CLAIMS, key=KEY), now=NOW)
    again = identified_visitor(SECRET, "shop", jwt({**CLAIMS, "exp": NOW + 1}, key=KEY), now=NOW)
    assert visitor == again
    assert "customer-7" not in visitor


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "demo"},
        {"aud": None},
        {"sub": ""},
        {"sub": 7},
        {"exp": NOW - 100},
        {"exp": NOW + 4000},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": None},
        {"exp": float("nan")},
        {"sub": "x" * 257},
        {"aud": ["demo"]},
    ],
)
def test_an_identity_for_somebody_else_or_another_time_is_refused(
    changes: dict[str, object],
) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        identified_visitor(SECRET, "shop", jwt({**CLAIMS, **changes}, key=KEY), now=NOW)
    assert refused.value.code == "bad-identity"


def test_an_identity_needs_the_sites_own_key_and_our_algorithm() -> None:
    for token in (
        jwt(CLAIMS, key=identity_key(SECRET, "demo")),
        jwt(CLAIMS, key=KEY, header={"alg": "none"}),
        jwt(CLAIMS, key=KEY, header={"alg": "RS256"}),
        jwt(CLAIMS, key=KEY, header={"alg": "HS512"}),
        jwt(CLAIMS, key=KEY, header={"typ": "JWT"}),
        jwt(CLAIMS, key=KEY).rpartition(".")[0] + ".",
    ):
        with pytest.raises(NotAuthenticated) as refused:
            identified_visitor(SECRET, "shop", token, now=NOW)
        assert refused.value.code == "bad-identity"


@pytest.mark.parametrize("missing", ["sub", "aud", "exp"])
def test_an_identity_says_who_for_whom_and_until_when(missing: str) -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != missing}
    with pytest.raises(NotAuthenticated) as refused:
        identified_visitor(SECRET, "shop", jwt(claims, key=KEY), now=NOW)
    assert refused.value.code == "bad-identity"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["demo", "shop"]},
        {"exp": NOW - CLOCK_SKEW_S + 1},
        {"exp": NOW + IDENTITY_S + CLOCK_SKEW_S},
        {"iat": NOW + 500, "nbf": NOW + 500},
    ],
)
def test_clocks_may_differ_and_a_token_may_be_for_several_sites(claims: dict[str, object]) -> None:
    assert identified_visitor(
        SECRET, "shop", jwt({**CLAIMS, **claims}, key=KEY), now=NOW
    ) == identified_visitor(SECRET, "shop", jwt(CLAIMS, key=KEY), now=NOW)


@pytest.mark.parametrize("part", [0, 1])
def test_json_of_nothing_but_brackets_is_refused(part: int) -> None:
    parts = jwt(CLAIMS, key=KEY).split(".")
    parts[part] = base64.urlsafe_b64encode(b"[" * 2400).rstrip(b"=").decode()
    with pytest.raises(NotAuthenticated) as refused:
        identified_visitor(SECRET, "shop", ".".join(parts), now=NOW)
    assert refused.value.code == "bad-identity"


def test_a_generated_secret_stays_and_is_private(tmp_path: Path) -> None:
    first = secrets.load_or_create(tmp_path, "webchat")
    assert secrets.load_or_create(tmp_path, "webchat") == first
    assert secrets.load_or_create(tmp_path, "session") != first
    kept = tmp_path / "secrets" / "webchat"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert sorted(p.name for p in kept.parent.iterdir()) == ["session", "webchat"]


def test_a_given_secret_wins_and_must_be_long(tmp_path: Path) -> None:
    assert secrets.load_or_create(tmp_path, "webchat", "0123456789abcdef") == b"0123456789abcdef"
    assert not (tmp_path / "secrets").exists()
    with pytest.raises(ConfigurationError, match="WEBCHAT_SECRET"):
        secrets.load_or_create(tmp_path, "webchat", "short")


def test_the_documented_example_signs_what_we_take() -> None:
    page = Path("docs/webchat.md").read_text()
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    example: dict[str, object] = {}
    exec(found[1], example)
    token = example["identity_token"](identity_key(SECRET, "shop"), "shop", "customer-7")  # type: ignore[operator]
    visitor = identified_visitor(SECRET, "shop", token, now=time.time())
    assert visitor.startswith("u-")
    assert "customer-7" not in visitor
