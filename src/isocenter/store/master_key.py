"""The key above all keys, which lies outside of the archive: a file, the environment, or a service behind a command.

It seals the keys of projects and nothing else. So it can be changed without touching an image, and whoever has the
disk of the archive but not this key has sealed bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import shlex
import subprocess
from pathlib import Path
from typing import Protocol

from isocenter import wholly
from isocenter.errors import Refused, Unavailable

__all__ = ["KEY_BYTES", "HeldKey", "KeyService", "MasterKey", "draw", "master_key", "unwrap", "wrap"]

KEY_BYTES = 32
_NONCE = 12
_PATIENCE_S = 30.0


class MasterKey(Protocol):
    """What seals the keys of projects: a key that is held here, or a service that never gives its own away."""

    name: str
    """Tells which key it is without giving anything of it away."""

    def wrap(self, key: bytes, context: str) -> bytes:
        """Seal a key for one purpose. Raises: Unavailable."""

    def unwrap(self, sealed: bytes, context: str) -> bytes:
        """Open what was sealed for this purpose. Raises: Refused (another key sealed it, or it was changed)."""


class HeldKey:
    """A master key of 32 bytes that this process holds."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise Refused(
                f"a master key of {len(key)} bytes", f"it has {KEY_BYTES}", "make one with `isocenter master-key`"
            )
        self._key = key
        self.name = hmac.new(key, b"isocenter master key", hashlib.sha256).hexdigest()[:16]

    def wrap(self, key: bytes, context: str) -> bytes:
        """Seal a key for one purpose."""
        return wrap(self._key, key, context.encode())

    def unwrap(self, sealed: bytes, context: str) -> bytes:
        """Open what was sealed for this purpose.

        Raises:
            Refused: another key sealed it, or it was changed.
        """
        return unwrap(self._key, sealed, context.encode())


class KeyService:
    """A key service (KMS, HSM) behind a command of the site's own.

    The command reads one JSON object from its input, ``{"do": "wrap" | "unwrap", "context": TEXT, "key": BASE64}``,
    and answers with the wrapped or opened key in base64 on its output, exit code 0. The context has to be bound to the
    wrapped key (associated data, encryption context): what was wrapped for one must not open for another.
    """

    def __init__(self, command: str) -> None:
        self._command = shlex.split(command)
        if not self._command:
            raise Refused("a key service without a command", "nobody could be asked", "write command:PROGRAM ARGUMENTS")
        self.name = "service " + hashlib.sha256(command.encode()).hexdigest()[:8]

    def wrap(self, key: bytes, context: str) -> bytes:
        """Have a key sealed.

        Raises:
            Unavailable: the service did not answer.
        """
        return self._asked("wrap", key, context)

    def unwrap(self, sealed: bytes, context: str) -> bytes:
        """Have a key opened.

        Raises:
            Unavailable: the service did not answer, or did not want to.
        """
        return self._asked("unwrap", sealed, context)

    def _asked(self, do: str, key: bytes, context: str) -> bytes:
        asked = json.dumps({"do": do, "context": context, "key": base64.b64encode(key).decode()})
        try:
            # The command is the site's own setting; its errors are not repeated, for they may quote what it was asked.
            done = subprocess.run(  # noqa: S603
                self._command, input=asked.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                timeout=_PATIENCE_S, check=True,
            )  # fmt: skip
            return base64.b64decode(done.stdout.strip(), validate=True)
        except (OSError, subprocess.SubprocessError, binascii.Error) as fault:
            why = f"it did not {do} a key ({type(fault).__name__})"
            raise Unavailable("the key service", why, "see the service's own log") from None


def master_key(said: str, archive: Path) -> MasterKey:
    """The master key that a setting names.

    Args:
        said: ``file:/path`` (its owner's alone, outside of the archive), ``env:NAME``, or ``command:PROGRAM …``.
        archive: folder of the archive.

    Raises:
        Refused: it cannot be used, with what to do.
    """
    way, _, rest = said.partition(":")
    if way == "file" and rest:
        return HeldKey(_decoded(_read(Path(rest).expanduser(), archive), f"the file '{rest}'"))
    if way == "env" and rest:
        text = os.environ.get(rest, "")
        if not text:
            raise Refused(f"the variable {rest}", "it is not set, and the master key should be there", "set it")
        return HeldKey(_decoded(text, f"the variable {rest}"))
    if way == "command" and rest:
        return KeyService(rest)
    raise Refused(
        "the setting `master_key`", "it names no master key",
        "write file:/PATH, env:NAME or command:PROGRAM",
    )  # fmt: skip


def draw(place: Path) -> None:
    """Draw a master key into a new file that only its owner can read.

    Raises:
        Refused: something lies there already. Unavailable: it cannot be written.
    """
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        wholly.write(place, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n", private=True, new=True)
    except FileExistsError:
        raise Refused(f"'{place}'", "something lies there already", "name a new file") from None
    except OSError as error:
        raise Unavailable(f"'{place}'", f"no key can be kept there ({error.strerror})", "name another place") from None


def wrap(by: bytes, key: bytes, context: bytes) -> bytes:
    """Seal a key by another (AES-256-GCM), bound to what it is for: 12 bytes nonce, the sealed key, 16 bytes tag."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(by).encrypt(nonce, key, context)


def unwrap(by: bytes, sealed: bytes, context: bytes) -> bytes:
    """The key that `wrap` sealed.

    Raises:
        Refused: another key sealed it, for something else, or it was changed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(by).decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
    except (InvalidTag, ValueError):
        raise Refused(
            "a sealed key does not open",
            "another key sealed it, or it was changed on disk",
            "set ISOCENTER_MASTER_KEY to the key that sealed it, or restore the folder of keys",
        ) from None


def _read(place: Path, archive: Path) -> str:
    place = place.resolve()
    if place.is_relative_to(archive.resolve()):
        raise Refused(
            f"the master key '{place}'", "it lies in the folder of the archive, and would be stolen with it",
            "move it elsewhere, best to another disk",
        )  # fmt: skip
    try:
        mode = place.stat().st_mode
        if mode & 0o077:
            raise Refused(f"the master key '{place}'", "others may read it", f"chmod 600 {shlex.quote(str(place))}")
        return place.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"the master key '{place}'", f"it cannot be read ({getattr(error, 'strerror', '') or 'it is no text'})",
            "bring the file back; without it what is sealed cannot be opened",
        ) from None  # fmt: skip


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise Refused(what, "it is no key in base64", "make one with `isocenter master-key`") from None
