"""Secrets that are only ours: given in the environment, or made once and kept."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from itsdangerous import Signer

from bot.errors import ConfigurationError

SECRET_BYTES = 32
SHORTEST_GIVEN = 16


def load_or_create(state_dir: Path, name: str, given: str = "") -> bytes:
    """Return a secret that stays the same over restarts.

    Several processes may ask at once: the file appears complete or not at all, and the first
    one wins. Several machines must be given the same secret instead.

    Args:
        state_dir: The secret lives in `<state_dir>/secrets/<name>`, mode 0600.
        given: What the environment says; wins over the file, which is then not made.

    Raises:
        ConfigurationError: The given secret is shorter than 16 characters, or the kept one is.
    """
    if given:
        if len(given) < SHORTEST_GIVEN:
            raise ConfigurationError(
                f"{name.upper()}_SECRET", f"write at least {SHORTEST_GIVEN} characters"
            )
        return given.encode()
    folder = state_dir / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        fresh = folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # Another process was first; its secret is ours too.
        finally:
            fresh.unlink()
    value = path.read_bytes().strip()
    if len(value) < SHORTEST_GIVEN:
        raise ConfigurationError(str(path), "the file is damaged; delete it to make a new secret")
    return value


def signer(secret: bytes, purpose: str) -> Signer:
    """Make what signs the links and forms we hand out: HMAC-SHA256, one key for each purpose."""
    return Signer(secret, salt=purpose, key_derivation="hmac", digest_method=hashlib.sha256)
