"""A file that was looked through beforehand is kept, or refused, as one that comes as bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydicom.data import get_testdata_file

from isocenter.dicom.checked import check
from isocenter.dicom.header import read_header
from isocenter.site.receiving import Receiving
from isocenter.store import Blobs, Database, Journal


def test_what_was_looked_through_has_the_same_fate_as_its_bytes(tmp_path: Path) -> None:
    ct = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
    found, cut = check(bytearray(ct)), check(ct[:-7])
    assert found.study == read_header(ct) and not found.refusal
    assert cut.study is None and cut.refusal
    answers = []
    for name, files in (("checked", [found, cut, found]), ("bytes", [ct, ct[:-7], ct])):
        database, blobs = Database(f"sqlite:///{tmp_path}/{name}.sqlite"), Blobs(str(tmp_path / name))
        taking = Receiving(database, blobs, Journal(database, blobs), lambda: datetime(2026, 11, 20, tzinfo=UTC))
        answers.append(taking.take(files, "S"))
        database.close()
        blobs.close()
    assert answers[0] == answers[1]
    assert [one.status for one in answers[0]] == ["stored", "rejected", "there"]
    assert answers[0][1].reason == cut.refusal
