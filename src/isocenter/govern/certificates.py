"""Certificates of a house that has no authority of its own: one root made here, and what it signs.

For a hospital with its own authority this file is not needed: name its files in the settings. Keys are ECDSA on P-256;
a certificate of a server or a device holds for 397 days, the root for ten years. Nothing secret is returned in words:
files are written for their owner's eyes only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter import wholly
from isocenter.errors import Refused

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["LIFE", "issue", "root"]

LIFE = timedelta(days=397)
"""Of a certificate; browsers take no longer one."""

_ROOT_LIFE = timedelta(days=3653)
_BEFORE = timedelta(minutes=5)  # clocks that go behind


def root(folder: Path, now: datetime) -> Path:
    """The root certificate in a folder (``ca.pem``), with its key beside it; made where there is none."""
    place = folder / "ca.pem"
    if place.exists():
        return place
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Isocenter root of this archive")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = _begun(name, name, key, now, _ROOT_LIFE).add_extension(x509.BasicConstraints(True, 0), True)
    made = made.add_extension(usage, True)
    wholly.write(folder / "ca.key", _pem_key(key), private=True)
    wholly.write(place, _signed(made, key))
    return place


def issue(folder: Path, name: str, hosts: Sequence[str], out: Path, now: datetime, life: timedelta = LIFE) -> Path:
    """A certificate for a server (with hosts) or a device (without), signed by the root of a folder.

    Args:
        folder: of the root.
        name: what it is called: a host name or an AE title.
        hosts: names and addresses under which it is reached.
        out: folder that takes ``NAME.pem`` and ``NAME.key``.

    Raises:
        Refused: a name that cannot be the name of a file, or no root.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509.oid import ExtendedKeyUsageOID

    if not name or set(name) & set("/\\:\0") or name.startswith("."):
        raise Refused(f"the name '{name:.30}'", "a file is called by it", "take letters, digits and dashes")
    if not (folder / "ca.key").exists():
        raise Refused("a certificate without a root", "nobody could check it", "make the root first")
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signer = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
    made = _begun(_name(name), authority.subject, key, now, life)
    made = made.add_extension(x509.BasicConstraints(False, None), True)
    made = made.add_extension(x509.ExtendedKeyUsage(uses), False)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    if hosts:
        made = made.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), False)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    wholly.write(out / f"{name}.key", _pem_key(key), private=True)
    wholly.write(out / f"{name}.pem", _signed(made, signer))
    return out / f"{name}.pem"


def _begun(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    from cryptography import x509

    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - _BEFORE).not_valid_after(now + life)
    return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)


def _signed(made: x509.CertificateBuilder, signer: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    return made.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)


def _name(text: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _host(text: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem_key(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
