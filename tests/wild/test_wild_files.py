"""Crooked files, a story each: none is acknowledged, each is told by its name, and the rest of the batch goes on."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import made
import numpy as np

from isocenter.dicom.header import merge, read_header
from isocenter.dicom.scan import scan
from isocenter.dicom.whole import check_whole
from isocenter.errors import IsocenterError
from isocenter.record import Study


def taken(path: Path) -> tuple[list[Study], dict[str, str]]:
    """What an import would do: whole records, and for every other file the reason."""
    records, reasons = [], {}
    for name, data in scan(path):
        try:
            if isinstance(data, IsocenterError):
                raise data
            check_whole(data)
            records.append(read_header(data))
        except IsocenterError as refusal:
            reasons[name] = str(refusal)
    return merge(records), reasons


def test_a_disc_from_another_hospital(tmp_path: Path) -> None:
    """A CD with a viewer, a licence, thumbnails, one image cut by a scratch, and 20 images."""
    images = tmp_path / "DICOM" / "ST0" / "SE0"
    images.mkdir(parents=True)
    for n, data in enumerate(made.stack(20)):
        (images / f"IM{n}").write_bytes(data)
    (images / "IM20").write_bytes(made.made(21)[:-9])
    (tmp_path / "viewer.exe").write_bytes(b"MZ" + bytes(range(256)) * 10)
    (tmp_path / "LICENCE.TXT").write_bytes(b"You may look at these images.\n" * 10)
    (tmp_path / "thumb.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 400)
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7\n" + b"x" * 400)
    studies, reasons = taken(tmp_path)
    assert [s.instance_count for s in studies] == [20]
    assert len(reasons) == 6
    assert "truncated" in reasons["DICOM/ST0/SE0/IM20"] and "empty" in reasons["empty.dcm"]
    assert "JPEG" in reasons["thumb.jpg"] and "PDF" in reasons["report.pdf"] and "text" in reasons["LICENCE.TXT"]
    assert "not DICOM" in reasons["viewer.exe"]


def test_an_encrypted_backup(tmp_path: Path) -> None:
    """Random bytes with a .dcm name: said to be something else, encrypted or damaged."""
    (tmp_path / "a.dcm").write_bytes(np.random.default_rng(5).bytes(5000))
    _, reasons = taken(tmp_path)
    assert "encrypted" in reasons["a.dcm"]


def test_a_zip_that_tries_to_leave(tmp_path: Path) -> None:
    """An archive member named ../../.ssh/authorized_keys beside a good image."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../.ssh/authorized_keys", b"ssh-rsa evil")
        archive.writestr("good.dcm", made.made())
    studies, reasons = taken(tmp_path)
    assert studies[0].instance_count == 1 and "leads out of the archive" in next(iter(reasons.values()))
    assert not list(tmp_path.parent.rglob("authorized_keys"))


def test_a_gzipped_image_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.dcm.gz").write_bytes(gzip.compress(made.made()))
    _, reasons = taken(tmp_path)
    assert "gzip" in reasons["a.dcm.gz"]


def test_a_uid_that_is_a_path(tmp_path: Path) -> None:
    """The CVE of several archives: a SOP Instance UID that names a file of the server."""
    evil = made.made(series="1.2.3.4.5.6.7.8.9").replace(b"1.2.3.4.5.6.7.8.9.1\0", b"../../../etc/passwd\0")
    (tmp_path / "evil.dcm").write_bytes(evil)
    (tmp_path / "good.dcm").write_bytes(made.made())
    studies, reasons = taken(tmp_path)
    assert [s.instance_count for s in studies] == [1] and "'../../../etc/passwd'" in reasons["evil.dcm"]


def test_seventy_nested_sequences(tmp_path: Path) -> None:
    """pydicom ends this with RecursionError somewhere between 50 and 200."""
    ds = made.dataset()
    ds.ReferencedImageSequence = [made.nested(70)]
    (tmp_path / "deep.dcm").write_bytes(made.written(ds))
    (tmp_path / "good.dcm").write_bytes(made.made())
    studies, reasons = taken(tmp_path)
    assert len(studies) == 1 and "64" in reasons["deep.dcm"]


def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    """A folder disappears between listing and reading, as on a pulled stick: told, and the rest is read."""
    (tmp_path / "good.dcm").write_bytes(made.made())
    (tmp_path / "gone").mkdir()
    found = []
    for name, data in scan(tmp_path):
        found.append((name, data))
        if name == "gone":
            break
        if (tmp_path / "gone").exists():
            (tmp_path / "gone").rmdir()
    assert isinstance(dict(found)["good.dcm"], bytes)


def test_names_that_look_alike_and_scripts_in_text(tmp_path: Path) -> None:
    """Bidirectional marks, markup and SQL in names are data: they are kept as they are and break nothing."""
    for n, name in enumerate(("<script>alert(1)</script>", "Robert'); DROP TABLE--", "\u202egro.live", "=cmd()")):
        (tmp_path / f"{n}.dcm").write_bytes(made.made(PatientName=name, study=f"1.2.{n + 5}", series=f"1.2.{n + 5}.1"))
    studies, reasons = taken(tmp_path)
    assert not reasons and {s.patient.name for s in studies} == {
        "<script>alert(1)</script>", "Robert'); DROP TABLE--", "\u202egro.live", "=cmd()",
    }  # fmt: skip
