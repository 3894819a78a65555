"""A root of one's own and what it signs, as OpenSSL's rules judge it."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from isocenter.errors import Refused
from isocenter.govern.certificates import LIFE, issue, root

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def test_a_server_is_verified_by_its_root_for_its_names_and_its_time_alone(tmp_path: Path) -> None:
    authority = root(tmp_path / "tls", NOW)
    assert root(tmp_path / "tls", NOW) == authority, "one root stays"
    leaf = x509.load_pem_x509_certificate(
        issue(tmp_path / "tls", "server", ["pacs", "10.0.0.5"], tmp_path, NOW).read_bytes()
    )
    trusted = x509.load_pem_x509_certificate(authority.read_bytes())

    def verify(name: str, now: datetime = NOW, by: x509.Certificate = trusted) -> None:
        host = x509.DNSName(name)
        PolicyBuilder().store(Store([by])).time(now).build_server_verifier(host).verify(leaf, [])

    verify("pacs")
    other = x509.load_pem_x509_certificate(root(tmp_path / "other", NOW).read_bytes())
    for wrong in (("other.example",), ("pacs", NOW + LIFE * 2), ("pacs", NOW, other)):
        with pytest.raises(VerificationError):
            verify(*wrong)
    assert {stat.S_IMODE(f.stat().st_mode) for f in tmp_path.rglob("*.key")} == {0o600}


def test_names_that_are_no_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="without a root"):
        issue(tmp_path, "CT1", [], tmp_path, NOW)
    root(tmp_path, NOW)
    for name in ("", "../x", ".x", "a/b"):
        with pytest.raises(Refused, match="name"):
            issue(tmp_path, name, [], tmp_path, NOW)
