"""Secrets of this installation: from the environment, or created once and kept in a file."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from itsdangerous import Signer

from bot.errors import ConfigurationError
from bot.stores import state_folder

SECRET_BYTES = 32
LEAST_CHARACTERS = 16


def load_or_create(state_dir: Path, name: str, from_environment: str = "") -> bytes:
    """Return a secret that stays the same over restarts.

    Several processes may call this at once: the file appears complete or not at all, and the first
    one wins. On several machines the environment must set the same secret.

    Args:
        state_dir: The secret is in `<state_dir>/secrets/<name>`, mode 0600.
        from_environment: Value of the environment; wins over the file, which is then not created.

    Raises:
        ConfigurationError: The secret is shorter than 16 characters.
    """
    if from_environment:
        if len(from_environment) < LEAST_CHARACTERS:
            raise ConfigurationError(
                f"{name.upper()}_SECRET", f"write at least {LEAST_CHARACTERS} characters"
            )
        return from_environment.encode()
    folder = state_folder.ensure(state_dir) / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    if not path.exists():
        temporary = folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES))
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # Another process was first; its secret is ours too.
        finally:
            temporary.unlink()
    value = path.read_bytes().strip()
    if len(value) < LEAST_CHARACTERS:
        raise ConfigurationError(str(path), "the file is damaged; delete it to make a new secret")
    return value


def keep(state_dir: Path, name: str, content: str) -> Path:
    """Write a file beside the secrets, mode 0600, in place of an older one; return its path."""
    folder = state_folder.ensure(state_dir) / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(content)
    return path


def signer(secret: bytes, purpose: str) -> Signer:
    """Make what signs the links and forms we hand out: HMAC-SHA256, one key for each purpose."""
    return Signer(secret, salt=purpose, key_derivation="hmac", digest_method=hashlib.sha256)
