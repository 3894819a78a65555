"""Transport security of every door: TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers, and nothing older.

The profile is that of BCP 195 (RFC 8996, RFC 9325), which PS3.15 annex B names for DICOM. A DICOM client shows its own
certificate; a browser does not. Beyond loopback no door speaks without TLS unless the site says that it shall.
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

from isocenter.errors import Refused

__all__ = ["client", "is_loopback", "server"]

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all of this kind


def is_loopback(host: str) -> bool:
    """Whether what listens there is heard on this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("::")
    (True, True, False, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def server(certificate: Path, key: Path, clients: Path | None = None) -> ssl.SSLContext:
    """What a door answers with.

    Args:
        certificate: PEM, with the chain up to the root. key: PEM, without a password.
        clients: certificates of the authorities whose clients may come; without it no client is asked who it is.

    Raises:
        Refused: a file that is missing, or no certificate with its key.
    """
    context = _profile(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    _load(context, certificate, key)
    if clients is not None:
        _trust(context, clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client(authorities: Path | None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """What we call others with: their certificate must be signed by an authority that we know, for the name we call.

    Args:
        authorities: PEM; without it those of the system.
        certificate, key: our own, for peers that ask for it.
    """
    context = _profile(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    if authorities is not None:
        _trust(context, authorities)
    else:
        context.load_default_certs()
    if certificate is not None and key is not None:
        _load(context, certificate, key)
    return context


def _profile(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ssl.SSLError, ValueError) as wrong:
        raise Refused(
            f"the certificate '{certificate}' with the key '{key}'", _why(wrong), "see `isocenter certificate --help`"
        ) from None


def _trust(context: ssl.SSLContext, authorities: Path) -> None:
    try:
        context.load_verify_locations(authorities)
    except (OSError, ssl.SSLError) as wrong:
        raise Refused(
            f"the authorities in '{authorities}'", _why(wrong), "give a file with their certificates"
        ) from None


def _why(wrong: Exception) -> str:
    if isinstance(wrong, FileNotFoundError):
        return "there is no such file"
    if getattr(wrong, "reason", None) == "KEY_VALUES_MISMATCH":
        return "the key is that of another certificate"
    return str(getattr(wrong, "reason", None) or getattr(wrong, "strerror", None) or wrong)
