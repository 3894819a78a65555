"""Many objects leave together, and the report tells all but the names."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import made
import numpy as np
import pytest

from isocenter.dicom.aside import Lying
from isocenter.dicom.confidentiality import options_named
from isocenter.dicom.header import read_header
from isocenter.dicom.release import Terms, held_names, release
from isocenter.dicom.scan import places, scan
from isocenter.dicom.visual_features import Cover
from isocenter.errors import Refused, Unavailable


def crowd(folder: Path, patients: int = 3, images: int = 2) -> Path:
    folder.mkdir()
    for p in range(patients):
        for n in range(images):
            ds = made.dataset(
                n + 1, series=f"1.2.{p}.4", study=f"1.2.{p}", PatientSex="F" if p else "M", PatientAge="041Y"
            )
            ds.PatientID, ds.PatientName = f"MRN-{p}", f"Quaxelberg^{p}"
            (folder / f"Quaxelberg-{p}-{n}.dcm").write_bytes(made.written(ds))
    (folder / "notes.txt").write_text("Quaxelberg was here")
    (folder / "Quaxelberg-half.dcm").write_bytes(made.made(7)[:-9])
    capture = made.made(9, sop_class=made.SC, modality="OT", pixels=np.zeros((4, 4), np.uint8))
    (folder / "screen.dcm").write_bytes(capture)
    return folder


def test_a_folder_leaves_without_names_and_with_a_report(tmp_path: Path) -> None:
    found = release(scan(crowd(tmp_path / "in")), tmp_path / "out", secret=b"s" * 32)
    report = found.report()
    assert report["written"] == 6 and report["patients"] == 3
    assert {(r["kind"], r["count"]) for r in report["held_back"]} == {("review", 1), ("rejected", 2)}
    assert {Path(r["file"]).name for r in held_names(found)} == {"notes.txt", "screen.dcm", "Quaxelberg-half.dcm"}
    assert [r["file"] for r in held_names(found, ["review"])] == ["screen.dcm"]
    files = sorted((tmp_path / "out").rglob("*.dcm"))
    studies = {read_header(f.read_bytes()).uid for f in files}
    assert len(files) == 6 and len(studies) == 3
    everything = json.dumps(report) + "".join(str(f.relative_to(tmp_path)) for f in files)
    assert "Quaxelberg" not in everything and "MRN" not in everything
    attributes = {(r["attribute"], r["done"]) for r in report["attributes"]}
    assert ("StudyInstanceUID", "mapped") in attributes and ("StudyDate", "moved") in attributes
    # One man alone, two women alike.
    assert report["risk"]["smallest_group"] == 1 and report["risk"]["patients_alone_in_their_group"] == 1
    assert report["risk"]["unique_rate"] == 0.3333 and report["risk"]["by"] == ["age", "modality", "part", "sex"]


def test_what_a_person_has_looked_at_leaves(tmp_path: Path) -> None:
    uid = "1.2.3.4.9"
    found = release(
        scan(crowd(tmp_path / "in")), tmp_path / "out", secret=b"s" * 32, terms=Terms(reviewed=frozenset({uid}))
    )
    assert found.report()["written"] == 7 and found.pixels["review"] == 1


def test_several_processes_give_the_same_files(tmp_path: Path) -> None:
    folder = crowd(tmp_path / "in", 3, 12)
    for name, given, workers in (("one", scan, 1), ("two", places, 2)):
        found = release(given(folder), tmp_path / name, secret=b"s" * 32, workers=workers)
        assert {Path(r["file"]).name for r in held_names(found)} == {"notes.txt", "screen.dcm", "Quaxelberg-half.dcm"}
    one, two = ({str(f.relative_to(tmp_path / n)): f.read_bytes() for f in (tmp_path / n).rglob("*.dcm")}
                for n in ("one", "two"))  # fmt: skip
    assert len(one) == 36 and one == two


def test_heads_of_several_studies_that_come_mixed_wait_each_for_its_own_face(tmp_path: Path) -> None:
    uids: dict[str, list[str]] = {"1.2.1": [], "1.2.2": []}
    given = []
    for n in range(1, 9):
        study = f"1.2.{1 + n % 2}"
        ds = made.dataset(n, series=f"{study}.4", study=study, BodyPartExamined="HEAD")
        uids[study].append(str(ds.SOPInstanceUID))
        given.append((f"in.zip!/{n}", made.written(ds)))
    asked: dict[str, list[str]] = {}

    def faces(images: Sequence[bytes | Lying]) -> Mapping[str, Cover]:
        records = [read_header(one.read_bytes()) for one in images if not isinstance(one, bytes)]
        (study,) = {r.uid for r in records}
        asked[study] = [r.series[0].instances[0].sop_uid for r in records]
        return {}

    terms = Terms(options_named(["research"]))
    found = release(given, tmp_path / "out", secret=b"s" * 32, terms=terms, faces=faces)
    assert asked == uids
    assert sorted(name for name, _, _ in found.held_back) == sorted(name for name, _ in given)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are looked at through Linux")
def test_no_head_lies_readable_on_the_disk_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    given, pixels = [], np.random.default_rng(5).integers(0, 1000, (64, 64)).astype(np.uint16)
    for n in range(1, 5):
        ds = made.dataset(n, series="1.2.1.4", study="1.2.1", BodyPartExamined="HEAD", pixels=pixels)
        ds.PatientName = "Quaxelberg^Anna"
        given.append((f"in.zip!/{n}", made.written(ds)))
    seen = []

    def faces(images: Sequence[bytes | Lying]) -> Mapping[str, Cover]:
        # All that this process has open or that lies in the temporary folder, as a thief of the disk has it.
        open_here = [p for p in Path("/proc/self/fd").iterdir() if str(tmp_path) in os.path.realpath(p)]
        named = [p for p in tmp_path.rglob("*") if p.is_file()]
        seen.extend(p.read_bytes() for p in [*open_here, *named])
        assert [one.read_bytes() for one in images if not isinstance(one, bytes)] == [data for _, data in given]
        return {}

    terms = Terms(options_named(["research"]))
    release(given, tmp_path / "out", secret=b"s" * 32, terms=terms, faces=faces)
    assert sum(map(len, seen)) > sum(len(data) for _, data in given)  # the place was found
    assert not any(word in lying for lying in seen for word in (b"Quaxelberg", b"DICM", pixels.tobytes()[:64]))
    assert not list((tmp_path / "tmp").iterdir())


def test_a_full_disk_ends_the_release_and_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    folder, real = crowd(tmp_path / "in"), Path.open

    def opened(path: Path, mode: str = "r", *given: object) -> object:
        file = real(path, mode, *given)
        if "x" not in mode:
            return file
        file.close()
        return Full()

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(Unavailable, match="No space left"):
        release(places(folder), tmp_path / "out", secret=b"s" * 32)
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_copies_that_are_written_among_the_originals_are_not_copied_again(tmp_path: Path) -> None:
    folder = crowd(tmp_path / "in")
    found = release(places(folder), folder / "zz", secret=b"s" * 32)
    assert (found.written, len(found.people)) == (6, 3)


def test_a_folder_in_use_and_a_second_copy_are_refused(tmp_path: Path) -> None:
    folder = crowd(tmp_path / "in")
    with pytest.raises(Refused, match="not empty"):
        release(scan(folder), folder, secret=b"s" * 32)
    (folder / "again.dcm").write_bytes((folder / "Quaxelberg-0-0.dcm").read_bytes())
    found = release(scan(folder), tmp_path / "out", secret=b"s" * 32)
    assert any("twice" in why for _, _, why in found.held_back)


@pytest.mark.parametrize("apart", [True, False], ids=["files", "members of an archive"])
def test_heads_in_files_are_asked_in_processes_of_their_own_with_the_same_answers(tmp_path: Path, apart: bool) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for p in range(3):
        for n in range(2):
            ds = made.dataset(n + 1, series=f"1.2.{p}.4", study=f"1.2.{p}", BodyPartExamined="HEAD")
            ds.PatientID, ds.FrameOfReferenceUID = f"MRN-{p}", f"1.2.{p}.9"
            (folder / f"{p}-{n}.dcm").write_bytes(made.written(ds))
    terms, found, asked_by = Terms(options_named(["research"])), [], []
    for workers in (1, 2):
        asked = tmp_path / f"asked{workers}"
        asked.mkdir()
        files = places(folder) if apart else ((f.name, f.read_bytes()) for f in sorted(folder.iterdir()))
        found.append(
            release(
                files, tmp_path / f"out{workers}", secret=b"s" * 32, terms=terms, workers=workers,
                faces=partial(a_face_in_the_second, asked),
            )
        )  # fmt: skip
        asked_by.append({int(f.name.split("-")[0]) for f in asked.iterdir()})
        assert len(list(asked.iterdir())) == 3  # each head once
    # The face of the second is known, and the two others wait for a person.
    assert found[0].report() == found[1].report() and held_names(found[0]) == held_names(found[1])
    copies = [{f.relative_to(o): f.read_bytes() for f in o.rglob("*.dcm")} for o in sorted(tmp_path.glob("out*"))]
    assert copies[0] == copies[1] and len(copies[0]) == 2
    assert found[0].written == 2 and len(held_names(found[0])) == 4 and found[0].heads[1].measured
    assert asked_by[0] == {os.getpid()}
    if not apart:  # what waits sealed is opened by this process alone
        assert asked_by[1] == {os.getpid()}


def a_face_in_the_second(asked: Path, images: Sequence[bytes | Lying]) -> Mapping[str, Cover]:
    series = read_header(images[0].read_bytes() if not isinstance(images[0], bytes) else images[0]).series[0].uid
    (asked / f"{os.getpid()}-{series}").touch()
    found = Cover.of(np.ones((1, 1, 1), bool), np.eye(4), {"skin_cm2": 80.0})
    return {series: found if series == "1.2.1.4" else Cover("unsure", "too thin")}
