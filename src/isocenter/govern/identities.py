"""Certificates of a federation: an authority of its own, one identity for each site, and proof that a site said it.

The authority is two files that one person keeps. An identity is a folder with the key that never leaves the site, the
certificate, and the authority's certificate by which it knows the others. A site's certificate cannot stand in for the
coordinator's, nor the other way round. Certificates are short-lived; whoever shall not take part any more gets none.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from isocenter import wholly
from isocenter.errors import Conflict, Forbidden, NotFound, Refused

__all__ = [
    "AUTHORITY",
    "CERTIFICATE",
    "KEY",
    "checker",
    "identity",
    "make_authority",
    "make_identity",
    "must_coordinate",
    "must_join",
    "signer",
]

KEY, CERTIFICATE, AUTHORITY = "key.pem", "certificate.pem", "authority.pem"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_EARLY = timedelta(minutes=10)  # clocks of hospitals differ


def make_authority(folder: Path, name: str, *, now: datetime, days: int = 1825) -> None:
    """A fresh authority in a folder: whoever has its key decides who takes part.

    Raises:
        Conflict: there is one already.
        Refused: a name that is none.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    built = (
        _builder(subject, subject, key, now, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
    )
    _written(folder, key, built.sign(key, SHA256()), None)


def make_identity(
    folder: Path, name: str, authority: Path, *, now: datetime, hosts: Sequence[str] = (), days: int = 90
) -> None:
    """A key and a certificate for one site or, where host names are given, for the coordinator under those names.

    Raises:
        NotFound: no authority there.
        Conflict: an identity is there already.
        Refused: a name that is none.
    """
    if not (authority / KEY).exists():
        raise NotFound(f"an authority in '{authority}'", "it holds no key", "make one with `federate authority`")
    root = serialization.load_pem_private_key((authority / KEY).read_bytes(), None)
    issuer = x509.load_pem_x509_certificate((authority / CERTIFICATE).read_bytes())
    if not isinstance(root, ec.EllipticCurvePrivateKey):
        raise Refused(f"the key in '{authority}'", "it is of another kind", "make an authority with this program")
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    built = (
        _builder(_subject(name), issuer.subject, key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
    )
    if hosts:
        built = built.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
    _written(folder, key, built.sign(root, SHA256()), (authority / CERTIFICATE).read_bytes())


def identity(folder: Path) -> tuple[str, str]:
    """The name in an identity's certificate, and the certificate itself.

    Raises:
        NotFound: the folder holds no identity.
    """
    if missing := [f for f in (KEY, CERTIFICATE, AUTHORITY) if not (folder / f).exists()]:
        raise NotFound(f"an identity in '{folder}'", f"it has no {' and no '.join(missing)}",
                       "make one with `federate identity`, or ask whoever keeps the authority")  # fmt: skip
    text = (folder / CERTIFICATE).read_text("ascii")
    return _name(x509.load_pem_x509_certificate(text.encode())), text


def must_coordinate(folder: Path, now: datetime) -> None:
    """An identity under which sites may call.

    Raises:
        NotFound: the folder holds no identity.
        Refused: it is that of a site, which no site would believe to be the coordinator, or its time is over.
    """
    name, uses = _in_time(folder, now)
    if ExtendedKeyUsageOID.SERVER_AUTH not in uses:
        raise Refused(
            f"'{name}' in '{folder}' as the coordinator", "it is the identity of a site: no site would believe it",
            "make one with `federate identity … --host HOST`, the name or address under which sites call",
        )  # fmt: skip


def must_join(folder: Path, now: datetime) -> None:
    """An identity with which a site may call.

    Raises:
        NotFound: the folder holds no identity.
        Refused: it is that of a coordinator, which hangs up on it, or its time is over.
    """
    name, uses = _in_time(folder, now)
    if ExtendedKeyUsageOID.CLIENT_AUTH not in uses:
        raise Refused(
            f"'{name}' in '{folder}' as a site", "it is the identity of a coordinator, made with --host",
            "name the folder of this site's own; `federate identity NAME` without --host makes one",
        )  # fmt: skip


def _in_time(folder: Path, now: datetime) -> tuple[str, x509.ExtendedKeyUsage]:
    """The name in an identity and what it is for, while it holds: a line that is hung up says of neither."""
    name, text = identity(folder)
    certificate = x509.load_pem_x509_certificate(text.encode())
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins <= now <= ends:
        raise Refused(
            f"'{name}' in '{folder}'", f"its certificate holds from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}",
            "ask whoever keeps the authority for a new one (`federate identity`), or set the clock of this machine",
        )  # fmt: skip
    return name, certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value


def signer(folder: Path) -> Callable[[bytes], bytes]:
    """Signs with the key of an identity."""
    key = serialization.load_pem_private_key((folder / KEY).read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Refused(f"the key in '{folder}'", "it is of another kind", "make an identity with this program")
    return lambda said: key.sign(said, ec.ECDSA(SHA256()))


def checker(authority: bytes, clock: Callable[[], datetime]) -> Callable[[str, str, bytes, bytes], None]:
    """Checks that a site said something: (site, its certificate, what it said, signature).

    The check raises `Forbidden` for a certificate of another authority, out of its time, of another name or purpose,
    and for a signature that does not fit.
    """
    root = x509.load_pem_x509_certificate(authority)

    def check(site: str, certificate: str, said: bytes, signature: bytes) -> None:
        try:
            held = x509.load_pem_x509_certificate(certificate.encode("ascii"))
            held.verify_directly_issued_by(root)
            purposes = held.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            key, now = held.public_key(), clock()
            within = held.not_valid_before_utc <= now <= held.not_valid_after_utc
            fits = _name(held) == site and ExtendedKeyUsageOID.CLIENT_AUTH in purposes
            if not (within and fits and isinstance(key, ec.EllipticCurvePublicKey)):
                raise Forbidden(f"the certificate of {site:.64}", "it is out of its time, or another's",
                                "ask whoever keeps the authority")  # fmt: skip
            key.verify(signature, said, ec.ECDSA(SHA256()))
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as wrong:
            if isinstance(wrong, Forbidden):
                raise
            raise Forbidden(f"words under the name of {site:.64}", "this site did not sign them",
                            "somebody on the way changed them: tell the other sites") from wrong  # fmt: skip

    return check


def _subject(name: str) -> x509.Name:
    if not _NAME.fullmatch(name):
        raise Refused(f"the name '{name:.64}'", "letters, digits, dot, dash and underscore make a name",
                      "choose for example 'st-anna'")  # fmt: skip
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else ""


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLY)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=sign_certificates, crl_sign=sign_certificates, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _written(
    folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, authority: bytes | None
) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / KEY).exists():
        raise Conflict(f"a key in '{folder}'", "it would be lost", "name another folder")
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    text = certificate.public_bytes(serialization.Encoding.PEM)
    wholly.write(folder / KEY, secret, private=True, new=True)
    try:
        wholly.write(folder / CERTIFICATE, text)
        wholly.write(folder / AUTHORITY, authority or text)
    except OSError:
        (folder / KEY).unlink()  # it is of no use alone, and a folder with a key is not written again
        raise
