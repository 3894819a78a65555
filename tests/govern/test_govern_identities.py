"""Certificates: made once, kept apart, and refused for another name, time, purpose or authority."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isocenter.errors import Conflict, Forbidden, NotFound, Refused
from isocenter.govern.identities import (
    AUTHORITY,
    CERTIFICATE,
    KEY,
    checker,
    identity,
    make_authority,
    make_identity,
    must_coordinate,
    must_join,
    signer,
)

NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    make_authority(folder / "ca", "federation", now=NOW)
    make_identity(folder / "boss", "boss", folder / "ca", now=NOW, hosts=["127.0.0.1", "localhost"])
    make_identity(folder / "a", "a", folder / "ca", now=NOW)
    make_authority(folder / "other", "strangers", now=NOW)
    make_identity(folder / "stranger", "a", folder / "other", now=NOW)
    return folder


def test_a_signature_stands_for_one_name_one_time_and_one_purpose(papers: Path) -> None:
    with pytest.raises(NotFound, match=r"it has no key\.pem and no certificate\.pem and no authority\.pem\. Make one"):
        identity(papers / "nobody")
    _, paper = identity(papers / "a")
    said = b"keys"
    signature = signer(papers / "a")(said)
    check = checker((papers / "a" / AUTHORITY).read_bytes(), lambda: NOW)
    check("a", paper, said, signature)
    late = checker((papers / "a" / AUTHORITY).read_bytes(), lambda: NOW + timedelta(days=91))
    _, boss = identity(papers / "boss")
    _, stranger = identity(papers / "stranger")
    for wrong in (
        lambda: check("b", paper, said, signature), lambda: check("a", paper, b"other", signature),
        lambda: late("a", paper, said, signature), lambda: check("a", "no paper", said, signature),
        lambda: check("a", stranger, said, signer(papers / "stranger")(said)),
        lambda: check("boss", boss, said, signer(papers / "boss")(said)),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            wrong()
    with pytest.raises(Conflict):
        make_authority(papers / "ca", "federation", now=NOW)
    with pytest.raises(Refused, match="name"):
        make_authority(papers / "new", "../x", now=NOW)
    with pytest.raises(NotFound):
        make_identity(papers / "new", "d", papers / "nowhere", now=NOW)
    with pytest.raises(NotFound):
        identity(papers / "nowhere")
    assert (papers / "ca" / "key.pem").stat().st_mode & 0o077 == 0


def test_the_identity_of_a_site_does_not_coordinate(papers: Path) -> None:
    must_coordinate(papers / "boss", NOW)
    with pytest.raises(Refused, match=r"'a' in .*identity of a site.*--host"):
        must_coordinate(papers / "a", NOW)
    with pytest.raises(NotFound):
        must_coordinate(papers / "nowhere", NOW)


def test_a_site_does_not_call_with_a_coordinators_identity_nor_with_one_whose_time_is_over(papers: Path) -> None:
    must_join(papers / "a", NOW)
    with pytest.raises(Refused, match=r"'boss' in .*identity of a coordinator.*without --host"):
        must_join(papers / "boss", NOW)
    for must, of in ((must_join, "a"), (must_coordinate, "boss")):
        for when in (NOW + timedelta(days=4000), NOW - timedelta(days=2)):
            with pytest.raises(Refused, match=r"holds from \d{4}-\d\d-\d\d to .*for a new one"):
                must(papers / of, when)


def test_where_a_certificate_cannot_be_written_no_key_is_left_that_stands_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "ca" / CERTIFICATE).mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        make_authority(tmp_path / "ca", "hospital", now=NOW)
    assert not (tmp_path / "ca" / KEY).exists()
    (tmp_path / "ca" / CERTIFICATE).rmdir()
    make_authority(tmp_path / "ca", "hospital", now=NOW)
    assert (tmp_path / "ca" / KEY).stat().st_mode & 0o777 == 0o600
