"""A guest's images: taken, analysed, handed back, and gone without a trace."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Yield
from isocenter.analysis.registry import Registry
from isocenter.analysis.run import Request, Run, run
from isocenter.catalogue.volumetry import Volumetry
from isocenter.errors import Forbidden, LimitReached, NotFound, NotWhole, Refused, WrongState
from isocenter.forms import nifti
from isocenter.govern.policy import NOBODY, Person, Role
from isocenter.record import Finding, Measurement, codes
from isocenter.site import segmenting
from isocenter.site.overlays import overlays
from isocenter.site.segmenting import KEPT, Segmenting
from isocenter.space import Geometry, Region, Shape, Volume

ITO, LEE = Person("ito", Role.READER), Person("lee", Role.READER)


class Bright:
    """Everything above a level: one region with its volume."""

    name, version = "bright", "1"
    needs: ClassVar = {"image": Need(modality=("CT", "MR"))}
    yields = (Yield(what=codes.LESION, units=("mL",)),)

    def run(self, image: Volume, *, level: float = 100.0) -> Answer:
        mask = image.array > level
        if not mask.any():
            return Answer.none()
        where = Region(image.geometry, Shape.MASK, mask, series_uid=image.series_uid, label="bright")
        volume = Measurement(codes.VOLUME, where.volume_ml, "mL")
        return Answer.found(Finding(codes.LESION, where=where, measurements=(volume,)))


class Brighter(Bright):
    """The same by another name."""

    name = "brighter"


class Clock:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guests(tmp_path: Path, clock: Clock) -> Iterator[Segmenting]:
    made = Segmenting(Registry({"bright": Bright()}, {}), clock, apart=False, base=tmp_path)
    yield made
    made.close()


def give(guests: Segmenting, *files: tuple[str, bytes], **asked: str) -> str:
    id: str = guests.begin(who=ITO, **asked)["id"]
    for name, data in files:
        with guests.taking(id, name, who=ITO) as take:
            take(data[:100])
            take(data[100:])
    return id


def done(guests: Segmenting, id: str) -> dict[str, object]:
    guests.start(id, who=ITO)
    guests._pool.submit(lambda: None).result(60)
    told: dict[str, object] = guests.state(id, who=ITO)
    return told


def ball() -> tuple[Volume, bytes]:
    """A ball of 10 mm radius on an oblique grid, 1 x 2 x 3 mm."""
    turned = Geometry.regular(shape=(20, 24, 40), spacing_mm=(3.0, 2.0, 1.0), origin_mm=(-30, 5, 100))
    grid = turned.permuted((0, 1, 2)).flipped(1)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    far = np.linalg.norm(grid.to_patient(index) - grid.to_patient([10, 12, 20]), axis=-1)
    volume = Volume(np.where(far <= 10, 300, -50).astype(np.float32), grid, "attenuation", "[hnsf'U]")
    return volume, nifti.write(volume)


def ct() -> bytes:
    return Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()


def left(base: Path) -> list[Path]:
    return [Path(at, name) for at, folders, files in os.walk(base) for name in (*folders, *files)]


def test_dicom_gives_seg_nifti_mesh_and_pictures_and_leaves_nothing(guests: Segmenting, tmp_path: Path) -> None:
    id = give(guests, ("a/b/../../etc/passwd", ct()), ("notes.txt", b"no image"))
    told = done(guests, id)
    assert told["state"] == "done", told
    assert [r["file"] for r in told["rejected"]] == ["notes.txt"]
    assert [(s["patient_id"], s["modalities"]) for s in told["studies"]] == [("1CT1", ["CT"])]
    result = told["results"][0]
    assert result["answer"] == "found"
    assert result["findings"][0]["measurements"][0]["value"] > 0
    kinds = {f["name"].split(".", 1)[1] for f in result["files"]}
    assert {"seg1.dcm", "sr.dcm", "region1.nii.gz", "region1.stl", "region1.glb", "json"} <= kinds
    data, media = guests.file(id, next(f["name"] for f in result["files"] if "seg" in f["name"]), who=ITO)
    assert (data[128:132], media) == (b"DICM", "application/dicom")
    picture, media = guests.file(id, result["pictures"][0]["name"], who=ITO)
    assert (picture[:4], media) == (b"\x89PNG", "image/png")
    files = {p.relative_to(tmp_path).parts for p in left(tmp_path) if p.is_file()}
    assert {parts[-1] for parts in files if parts[1] == "in"} == {"passwd", "notes.txt"}
    assert {parts[1] for parts in files} == {"in", "out"}, "nothing is laid elsewhere"
    guests.remove(id, who=ITO)
    assert left(tmp_path) == [], "nothing remains"
    with pytest.raises(NotFound):
        guests.state(id, who=ITO)


def test_a_nifti_file_keeps_its_place_and_says_why_there_is_no_seg(guests: Segmenting) -> None:
    volume, data = ball()
    told = done(guests, give(guests, ("Ball.NII.GZ", data), modality="CT"))
    result = told["results"][0]
    assert result["findings"][0]["measurements"][0]["value"] == pytest.approx(4 / 3 * np.pi, rel=0.05)
    mask = next(f["name"] for f in result["files"] if f["name"].endswith(".nii.gz"))
    written = nibabel.Nifti1Image.from_bytes(gzip.decompress(guests.file(told["id"], mask, who=ITO)[0]))
    assert np.allclose(written.affine, volume.geometry.ras_affine())
    assert any("NIfTI" in one["why"] for one in result["left"])
    assert [p["slice"] for p in result["pictures"]] == list(range(8, 15))


def test_what_cannot_be_analysed_says_why(guests: Segmenting) -> None:
    _, data = ball()
    told = done(guests, give(guests, ("ball.nii.gz", data)))
    assert (told["state"], told["words"].startswith("ball.nii.gz: a NIfTI file of unknown modality")) == (
        "failed",
        True,
    )
    told = done(guests, give(guests, ("ball.nii.gz", data), modality="PT"))
    assert [(r["answer"], bool(r["reasons"])) for r in told["results"]] == [("declined", True)]
    assert done(guests, give(guests, ("x", b"nothing")))["words"].startswith("x: the file is text, not DICOM")
    guests.remove(told["id"], who=ITO)
    told = done(guests, give(guests, ("x", b"nothing"), ("y", b"nothing")))
    guests.remove(told["id"], who=ITO)
    assert ("no image among the files" in told["words"], [r["file"] for r in told["rejected"]]) == (True, ["x", "y"])
    told = done(guests, give(guests, ("cut.nii", data[:400]), modality="CT"))
    assert (told["state"], "cut off" in told["words"]) == ("failed", True)


def test_what_a_system_left_beside_the_images_is_counted_and_listed(guests: Segmenting) -> None:
    beside = packed(("IM1", ct()), ("__MACOSX/._IM1", b"x"), ("DICOMDIR", b"x"), ("in/Thumbs.db", b"x"))
    told = done(guests, give(guests, (".DS_Store", b"x"), ("a.zip", beside), ("desktop.ini", b"x"), ("IM2", ct())))
    assert told["state"] == "done", told
    said = {r["file"]: r["why"] for r in told["rejected"]}
    assert sorted(said) == [
        ".DS_Store", "a.zip!/DICOMDIR", "a.zip!/__MACOSX/._IM1", "a.zip!/in/Thumbs.db", "desktop.ini",
    ]  # fmt: skip
    assert all("nothing of an image is in it" in why for why in said.values())
    assert told["rejected_in_all"] == 5 and told["files"] == 4
    guests.remove(told["id"], who=ITO)
    told = done(guests, give(guests, (".DS_Store", b"x")))
    assert told["state"] == "failed" and told["words"].startswith(".DS_Store: a system's own file")


def test_a_zip_is_read_without_being_unpacked(guests: Segmenting, tmp_path: Path) -> None:
    data = packed(("study/1.dcm", ct()), ("../../evil.dcm", ct()))
    told = done(guests, give(guests, ("study.zip", data)))
    assert (told["state"], told["results"][0]["answer"]) == ("done", "found")
    assert any("leads out of the archive" in r["why"] for r in told["rejected"])
    assert not (tmp_path.parent / "evil.dcm").exists()


def packed(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def test_whatever_came_together_is_analysed_and_one_bad_file_costs_only_itself(guests: Segmenting) -> None:
    _, data = ball()
    came = [("a.dcm", ct()), ("b.nii.gz", data), ("cut.nii", b"x" * 400), ("c.zip", packed(("in/c.nii.gz", data)))]
    told = done(guests, give(guests, *came, modality="CT"))
    assert told["state"] == "done", told
    assert [(s["patient_id"], s["description"]) for s in told["studies"]] == [
        ("1CT1", "e+1"), ("", "b.nii.gz"), ("", "c.nii.gz")
    ]  # fmt: skip
    assert [(r["study"], r["answer"]) for r in told["results"]] == [(0, "found"), (1, "found"), (2, "found")]
    assert told["results"][0]["on"] == ["CT 1, 1 image"]
    (refused,) = told["rejected"]
    assert (refused["file"], "no whole NIfTI image" in refused["why"]) == ("cut.nii", True)
    changed = bytearray(ct())
    changed[-2] ^= 0xFF
    told = done(guests, give(guests, ("a.dcm", ct()), ("b.dcm", bytes(changed))))
    assert [(r["file"], "two contents" in r["why"]) for r in told["rejected"]] == [("several files", True)]
    told = done(guests, give(guests, ("nothing.zip", packed())))
    assert "empty ZIP archive" in told["words"]


def test_a_nifti_image_with_its_mask_is_measured_there(tmp_path: Path, clock: Clock) -> None:
    volume, data = ball()
    mask = nifti.write(Region(volume.geometry, Shape.MASK, volume.array > 0))
    guests = Segmenting(Registry({"volumetry": Volumetry()}, {}), clock, apart=False, base=tmp_path)
    told = done(guests, give(guests, ("ball.nii.gz", data), ("lesion_mask.nii.gz", mask), modality="CT"))
    (finding,) = told["results"][0]["findings"]
    assert {one["why"].split(",")[0] for one in told["results"][0]["left"]} == {"a DICOM object refers to DICOM images"}
    assert finding["where"]["volume_ml"] == pytest.approx(np.count_nonzero(volume.array > 0) * 6e-3)
    shown, _ = guests.file(told["id"], told["results"][0]["pictures"][0]["name"], who=ITO)
    picture = Image.open(io.BytesIO(shown))
    assert picture.size[0] / picture.size[1] == pytest.approx(40 * 1 / (24 * 2), rel=0.02), "as wide as the patient is"
    told = done(guests, give(guests, ("a.nii.gz", data), ("b.nii.gz", data), ("mask.nii.gz", mask), modality="CT"))
    assert [(r["file"], "belongs to one image" in r["why"]) for r in told["rejected"]] == [("mask.nii.gz", True)]
    guests.close()


def test_pictures_stand_as_a_reader_stands_before_them() -> None:
    """One voxel at the patient's left and front, in two files that keep it in opposite corners."""
    grid = Geometry.regular(shape=(3, 40, 40))
    mask = np.zeros((3, 40, 40), bool)
    mask[1, 4:8, 30:34] = True  # to the front, to the left
    array = np.where(mask, 200, 0).astype(np.int16)
    seen = []
    for turn in (lambda a: a, lambda a: a[:, ::-1, ::-1].copy()):
        here = grid if turn(array)[1, 5, 31] else grid.flipped(1).flipped(2)
        volume = Volume(turn(array), here, "attenuation", "[hnsf'U]")
        ((_, data),) = overlays(volume, [Region(here, Shape.MASK, turn(mask))])
        seen.append(np.asarray(Image.open(io.BytesIO(data)).convert("L")))
    assert np.array_equal(*seen)
    rows, columns = np.nonzero(seen[0][30:-30, 30:-30] > 200)
    assert rows.mean() < seen[0].shape[0] / 2 < columns.mean()


def test_a_page_that_was_left_finds_its_runs_again(guests: Segmenting, clock: Clock) -> None:
    gate = threading.Event()
    guests._pool.submit(gate.wait, 20)
    first, second = (give(guests, ("x", ct())) for _ in range(2))
    for id in (first, second):
        guests.start(id, who=ITO)
    assert [(r["id"], r["words"]) for r in guests.runs(who=ITO)] == [
        (second, "1 run is before it"),
        (first, "it is next"),
    ]
    assert guests.runs(who=LEE) == []
    gate.set()
    guests._pool.submit(lambda: None).result(20)
    clock.now += KEPT  # whoever asks too late does not bring it back
    with pytest.raises(NotFound, match="half an hour"):
        guests.state(first, who=ITO)
    assert guests.runs(who=ITO) == []


def test_nobody_sees_another_s_run(guests: Segmenting) -> None:
    id = give(guests, ("x", ct()))
    for act in (
        lambda: guests.state(id, who=LEE),
        lambda: guests.start(id, who=LEE),
        lambda: guests.remove(id, who=LEE),
        lambda: guests.file(id, "x", who=LEE),
    ):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(Forbidden):
        guests.begin(who=NOBODY)
    with pytest.raises(NotFound):
        guests.file(id, "../in/00001", who=ITO)


def test_it_expires_by_the_clock_and_when_the_server_ends(guests: Segmenting, clock: Clock, tmp_path: Path) -> None:
    give(guests, ("x", ct()))
    clock.now += KEPT - timedelta(seconds=1)
    assert guests.expire() == 0
    clock.now += timedelta(seconds=1)
    assert guests.expire() == 1
    assert left(tmp_path) == []
    give(guests, ("x", ct()))
    guests.close()
    assert left(tmp_path) == []


def test_it_expires_by_itself(guests: Segmenting, clock: Clock, tmp_path: Path) -> None:
    give(guests, ("x", ct()))
    clock.now += KEPT
    guests.watch(0.01)
    end = time.monotonic() + 10
    while left(tmp_path) and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert left(tmp_path) == []


def test_what_a_killed_server_left_is_swept_and_a_living_one_s_is_not(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    (tmp_path / f"isocenter-guest-{dead.stdout.strip()}-abc").mkdir()
    living = tmp_path / f"isocenter-guest-{os.getppid()}-abc"
    living.mkdir()
    Segmenting(Registry({}, {}), Clock(), base=tmp_path).close()
    assert left(tmp_path) == [living]


def test_removed_while_it_runs_leaves_nothing(guests: Segmenting, tmp_path: Path) -> None:
    gate = threading.Event()
    guests._pool.submit(gate.wait, 20)
    id = give(guests, ("x", ct()))
    guests.start(id, who=ITO)
    guests.remove(id, who=ITO)
    gate.set()
    guests._pool.submit(lambda: None).result(20)
    assert left(tmp_path) == []


def test_removed_in_the_midst_of_an_analysis_ends_there(
    guests: Segmenting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = give(guests, ("x", ct()))
    asked: list[str] = []

    def leaving(request: Request) -> Run:
        asked.append(request.analysis)
        guests.remove(id, who=ITO)
        return run(request)

    monkeypatch.setattr(segmenting, "run", leaving)
    guests._registry = Registry({"bright": Bright(), "brighter": Brighter()}, {})
    guests.start(id, who=ITO)
    guests._pool.submit(lambda: None).result(20)
    assert (len(asked), left(tmp_path)) == (1, []), "the second was not begun"


def test_limits(guests: Segmenting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(segmenting, "_BYTES", 150)
    id = guests.begin(who=ITO)["id"]
    with pytest.raises(LimitReached, match="one study"), guests.taking(id, "x", who=ITO) as take:
        take(b"x" * 151)
    assert [p for p in left(tmp_path) if p.is_file()] == []
    monkeypatch.setattr(segmenting, "_FILES", 1)
    monkeypatch.setattr(segmenting, "_BYTES", 10_000)
    with guests.taking(id, "x", who=ITO) as take:
        take(b"x")
    with pytest.raises(LimitReached, match="more than 1 files"), guests.taking(id, "y", who=ITO):
        pass
    for _ in range(3):
        guests.begin(who=ITO)
    with pytest.raises(LimitReached, match="more than 4 runs"):
        guests.begin(who=ITO)
    guests.begin(who=LEE)


def test_wrong_steps_are_refused(guests: Segmenting) -> None:
    id = guests.begin(who=ITO)["id"]
    with pytest.raises(Refused, match="without files"):
        guests.start(id, who=ITO)
    with pytest.raises(NotFound):
        guests.begin(who=ITO, analysis="palm_reading")
    with pytest.raises(Refused, match="known are CT, PT, MR"):
        guests.begin(who=ITO, modality="ct; rm")
    id = give(guests, ("x", ct()))
    done(guests, id)
    with pytest.raises(WrongState):
        guests.start(id, who=ITO)
    with pytest.raises(WrongState), guests.taking(id, "y", who=ITO):
        pass


def test_nifti_reads_what_it_wrote_and_refuses_what_has_no_place() -> None:
    volume, data = ball()
    back = nifti.read(data, quantity="attenuation", unit="[hnsf'U]")
    assert np.array_equal(back.array, volume.array)
    assert np.allclose(back.geometry.affine, volume.geometry.affine)
    four = nibabel.Nifti1Image(np.zeros((4, 5, 6, 7), np.int16), np.diag([2.0, 2, 3, 1]))
    four.header["pixdim"][4] = 1.5
    bolus = nifti.read(four.to_bytes())
    assert (bolus.array.shape, bolus.axes[0].name, bolus.axes[0].values[1]) == ((7, 6, 5, 4), "time", 1.5)
    four.header.set_xyzt_units("meter", "msec")
    bolus = nifti.read(four.to_bytes())
    assert (bolus.axes[0].values[1], bolus.geometry.spacing_mm) == (0.0015, (3000.0, 2000.0, 2000.0))
    four.header.set_xyzt_units("mm", "ppm")
    with pytest.raises(Refused, match="counts ppm"):
        nifti.read(four.to_bytes())
    colours = np.zeros((4, 5, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for voxels, what in ((colours, "of colours"), (np.zeros((4, 5, 6), np.complex64), "of complex numbers")):
        with pytest.raises(Refused, match=what):
            nifti.read(nibabel.Nifti1Image(voxels, np.eye(4)).to_bytes())
    nowhere = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
    with pytest.raises(Refused, match="without a place"):
        nifti.read(nowhere.to_bytes())
    for broken in (b"", b"\x1f\x8bxx", data[: len(data) // 2], b"x" * 400):
        with pytest.raises(NotWhole):
            nifti.read(broken)
    with pytest.raises(Refused, match="three sizes"):
        nifti.read(nibabel.Nifti1Image(np.zeros((4, 5), np.int16), np.eye(4)).to_bytes())
