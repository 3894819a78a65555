"""A rejection note says what it was made from, to us, to pydicom and to DCMTK."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from isocenter.dicom.header import merge, read_header
from isocenter.dicom.whole import check_whole
from isocenter.errors import NotWhole, Refused
from isocenter.forms import rejection
from isocenter.record import Study
from isocenter.testing.crooked import Elements, image, plain, uid, written

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def study(count: int = 3) -> tuple[Study, Mapping[str, bytes]]:
    rng = random.Random(7)
    first = image(rng)
    files: list[bytes] = []
    for n in range(count):
        one: Elements = {**first, 0x00080018: ("UI", plain(uid(rng), pad=b"\0")), 0x00200013: ("IS", plain(str(n)))}
        files.append(written(one))
    (whole,) = merge(read_header(data) for data in files)
    held = {read_header(data).series[0].instances[0].sop_uid: data for data in files}
    return whole, held


@pytest.mark.parametrize("code", rejection.CODES)
def test_what_is_written_is_read_again(code: str) -> None:
    whole, held = study()
    chosen = list(held)[:2]
    data = rejection.write(whole, chosen, code, held.__getitem__, words="she moved", by="ito", when=NOON)
    check_whole(data)
    note = rejection.read(data)
    assert note is not None
    assert (note.code, note.study_uid, note.words) == (code, whole.uid, "she moved")
    assert set(note.instances) == set(chosen)
    theirs = pydicom.dcmread(BytesIO(data))
    assert theirs.ConceptNameCodeSequence[0].CodeMeaning == rejection.CODES[code]
    assert theirs.PatientID == whole.patient.id and theirs.SOPInstanceUID == note.sop_uid


def test_a_code_that_rejects_nothing_and_images_of_another_study_are_refused() -> None:
    whole, held = study()
    with pytest.raises(Refused, match="a rejection says one of"):
        rejection.write(whole, list(held), "113000", held.__getitem__, words="", by="ito", when=NOON)
    for some in ([], ["1.2.3"]):
        with pytest.raises(Refused):
            rejection.write(whole, some, "113001", held.__getitem__, words="", by="ito", when=NOON)


def test_other_key_objects_reject_nothing_and_a_note_about_nothing_is_refused() -> None:
    whole, held = study()
    data = rejection.write(whole, list(held), "113001", held.__getitem__, words="x", by="ito", when=NOON)
    assert rejection.read(data.replace(b"113001", b"113000")) is None
    assert rejection.read(next(iter(held.values()))) is None
    empty = pydicom.dcmread(BytesIO(data))
    del empty.CurrentRequestedProcedureEvidenceSequence
    out = BytesIO()
    empty.save_as(out)
    with pytest.raises(Refused, match="rejects images of one"):
        rejection.read(out.getvalue())
    with pytest.raises(NotWhole):
        rejection.read(b"no note")


@pytest.mark.peer
@pytest.mark.skipif(not shutil.which("dsrdump"), reason="DCMTK is not installed")
def test_dcmtk_reads_it(tmp_path: Path) -> None:
    whole, held = study()
    data = rejection.write(whole, list(held), "113037", held.__getitem__, words="wrong side", by="ito", when=NOON)
    (tmp_path / "note.dcm").write_bytes(data)
    said = subprocess.run(["dsrdump", str(tmp_path / "note.dcm")], capture_output=True, text=True, check=True)
    assert "Rejected for Patient Safety Reasons" in said.stdout and "wrong side" in said.stdout
