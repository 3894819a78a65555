"""A PET whose beds are series of their own is one image, with one uptake and one volume of a lesion across them."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from enhanced_pet import enhanced
from multi_frame import multi_frame
from pet_beds import BEDS, MM, SLICES, STEP_MM, bed, outlined, scan, uptake
from typer.testing import CliRunner

from isocenter.analysis import run as running
from isocenter.analysis.registry import Registry
from isocenter.catalogue.pet_uptake import PETUptake
from isocenter.cli import app
from isocenter.dicom.header import read_header
from isocenter.govern.policy import HOUSE
from isocenter.record import Kind, Study, codes
from isocenter.site.verbs import Site
from isocenter.store import Blobs, Database, Index, Journal, receive

AS_SENT: dict[str, Callable[[Sequence[bytes]], list[bytes]]] = {"classic": list, "enhanced": enhanced}
each_way = pytest.mark.parametrize("sent", AS_SENT)
TRUE_ML = float(np.count_nonzero(uptake() > 4.0)) * STEP_MM * MM * MM / 1000.0


@pytest.fixture(autouse=True)
def _in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command gives each analysis a process of its own; all but one of these run in this one and say the same."""
    if request.function is not test_beds_corrected_to_the_start_of_the_whole_scan_are_not_corrected_twice:
        monkeypatch.setattr(running, "run_apart", running.run)


def asked(folder: Path, files: Sequence[bytes]) -> dict[str, Any]:
    for n, data in enumerate(files):
        (folder / f"{n:03d}.dcm").write_bytes(data)
    done = CliRunner().invoke(app, ["analyse", str(folder), "--only", "pet_uptake", "--json"])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    return dict(result)


def value(finding: dict[str, Any], name: str, definition: str) -> float:
    return float(next(
        m["value"] for m in finding["measurements"]
        if m["what"]["meaning"] == name and m["definition"].startswith(definition)
    ))  # fmt: skip


@each_way
@pytest.mark.parametrize("drawn", [False, True])
def test_a_lesion_across_beds_has_one_uptake_and_one_volume(tmp_path: Path, drawn: bool, sent: str) -> None:
    files = AS_SENT[sent](scan())
    outline = outlined(scan(), files if sent == "enhanced" else ())
    result = asked(tmp_path, [*files, outline] if drawn else files)
    (found,) = result["findings"]
    assert value(found, "SUVmax", "SUVbw") == pytest.approx(8.0, rel=1e-4)
    assert value(found, "Metabolic Volume", "41") == pytest.approx(TRUE_ML, rel=1e-6)
    assert "edge" not in found["words"]
    (said,) = (r for r in result["reasons"] if "beds" in r)
    assert "2 series are beds of one scan and were joined: in 4 slices" in said and "0.0 %" in said


def test_beds_corrected_to_the_start_of_the_whole_scan_are_not_corrected_twice(tmp_path: Path) -> None:
    files = [pydicom.dcmread(io.BytesIO(f)) for f in scan(wait_s=3600.0)]
    for ds in files[BEDS[0][1] :]:
        ds.AcquisitionTime = "101500"  # taken ten minutes later, Series Time stays that of the scan
    made = []
    for ds in files:
        out = io.BytesIO()
        ds.save_as(out)
        made.append(out.getvalue())
    (found,) = asked(tmp_path, made)["findings"]
    assert value(found, "SUVmax", "SUVbw") == pytest.approx(8.0, rel=1e-4)


@each_way
@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"facts": {"PatientWeight": 82}}, "beds of which one has weight 70.0 and one 82.0"),
        ({"facts": {"RadionuclideTotalDose": 2.0e8}}, "beds of which one has injected activity"),
        ({"shift_mm": 1.6}, "0.40 of a voxel beside each other's"),
        ({"wait_s": 3640.0}, "began 40 s after another that took 180 s"),
        ({"scale": 1.5}, "shows 1.50 times the uptake of the other in the 4 slices that both have"),
    ],
)
def test_beds_that_do_not_fit_are_declined_in_words(
    tmp_path: Path, second: dict[str, Any], words: str, sent: str
) -> None:
    result = asked(tmp_path, AS_SENT[sent](scan(**second)))
    assert result["answer"] == "declined" and words in result["reasons"][0]


@each_way
def test_two_reconstructions_of_one_bed_are_not_chosen_between(tmp_path: Path, sent: str) -> None:
    again = [*scan(), *bed(5, *BEDS[1], wait_s=4200.0, facts={"SeriesDescription": "PET bed 4"})]
    result = asked(tmp_path, AS_SENT[sent](again))
    assert result["answer"] == "declined" and "which of them belongs to the scan is not told" in result["reasons"][0]


@each_way
@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"wait_s": 9000.0}, "it is not next to what was measured in place and time"),
        ({"facts": {"Units": "GML"}}, "made otherwise (unit)"),
        ({"facts": {"CorrectedImage": ["DECY"]}}, "made otherwise (corrections)"),
        ({"facts": {"SliceThickness": 5.0}}, "made otherwise (slice thickness)"),
    ],
)
def test_what_is_no_bed_of_the_scan_is_told_where_it_shows_more(
    tmp_path: Path, second: dict[str, Any], why: str, sent: str
) -> None:
    result = asked(tmp_path, AS_SENT[sent](scan(**second)))
    (said,) = (r for r in result["reasons"] if "mm more of the patient and was not measured" in r)
    assert why in said and "series 4" in said and "48 mm" in said
    assert "It reaches the edge of the image." in result["findings"][0]["words"]


@each_way
def test_an_image_of_the_whole_beside_its_beds_is_taken_alone(tmp_path: Path, sent: str) -> None:
    whole = bed(2, 0, SLICES, wait_s=3600.0, facts={"SeriesDescription": "PET whole"})
    (found,) = asked(tmp_path, AS_SENT[sent]([*whole, *scan()]))["findings"]
    assert found["where"]["series_uid"] == str(pydicom.dcmread(io.BytesIO(whole[0])).SeriesInstanceUID)


def over_time(files: Sequence[bytes], sent: str, times: int = 3) -> list[bytes]:
    """Images of one bed as a dynamic scan of it, in one object or image by image."""
    if sent == "enhanced":
        (one,) = enhanced(files)
        ds = pydicom.dcmread(io.BytesIO(one))
        ds.PerFrameFunctionalGroupsSequence = [*ds.PerFrameFunctionalGroupsSequence] * times
        ds.NumberOfFrames *= times
        values = np.frombuffer(ds.PixelData, np.uint16)  # that decay: frames that are alike in all were sent twice
        ds.PixelData = b"".join((values // (time + 1)).astype(np.uint16).tobytes() for time in range(times))
        return [saved(ds)]
    made = []
    for time in range(times):
        for data in files:
            ds = pydicom.dcmread(io.BytesIO(data))
            ds.SeriesType, ds.FrameReferenceTime = ["DYNAMIC", "IMAGE"], 90000 + 180000 * time
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{ds.SOPInstanceUID}.{time + 1}"
            ds.InstanceNumber += time * len(files)
            made.append(saved(ds))
    return made


def saved(ds: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@each_way
def test_a_static_image_is_measured_and_the_dynamic_one_beside_it_is_named(tmp_path: Path, sent: str) -> None:
    dynamic = over_time(bed(4, 0, SLICES, wait_s=600.0), sent)
    static = bed(2, 0, SLICES, wait_s=3600.0, facts={"SeriesDescription": "PET whole"})
    result = asked(tmp_path, [*dynamic, *AS_SENT[sent](static)])
    (found,) = result["findings"]
    assert found["where"]["series_uid"] == str(pydicom.dcmread(io.BytesIO(static[0])).SeriesInstanceUID)
    assert value(found, "SUVmax", "SUVbw") == pytest.approx(8.0, rel=1e-4)
    (said,) = (r for r in result["reasons"] if "at each place" in r)
    assert said.startswith("series 4") and "3 PET images at each place (times or gates) and was not measured" in said


def test_of_enhanced_images_that_with_attenuation_correction_is_taken(tmp_path: Path) -> None:
    raw = bed(3, 0, SLICES, wait_s=3600.0, facts={"CorrectedImage": ["DECY", "SCAT"], "SliceThickness": 3.9})
    corrected = bed(2, 0, SLICES, wait_s=3600.0)
    (found,) = asked(tmp_path, enhanced([*raw, *corrected]))["findings"]
    assert found["where"]["series_uid"] == str(pydicom.dcmread(io.BytesIO(corrected[0])).SeriesInstanceUID)


@each_way
def test_times_of_one_bed_are_no_bed_of_the_scan_beside_it(tmp_path: Path, sent: str) -> None:
    dynamic = over_time(bed(5, *BEDS[1], wait_s=4200.0, facts={"SeriesDescription": "PET bed 5"}), sent)
    result = asked(tmp_path, [*dynamic, *AS_SENT[sent](scan())])
    (found,) = result["findings"]
    assert value(found, "Metabolic Volume", "41") == pytest.approx(TRUE_ML, rel=1e-6)
    assert any("2 series are beds of one scan and were joined" in r for r in result["reasons"])
    assert any("3 PET images at each place" in r for r in result["reasons"])


@each_way
def test_a_dynamic_image_alone_is_declined_in_words(tmp_path: Path, sent: str) -> None:
    result = asked(tmp_path, over_time(bed(4, *BEDS[1], wait_s=600.0), sent))
    assert result["answer"] == "declined" and result["reasons"][0].startswith("a dynamic PET of 3 frames")


def test_beds_without_a_moment_of_their_decay_are_declined(tmp_path: Path) -> None:
    def moment_gone(made: Any) -> None:
        del made.DecayCorrectionDateTime

    result = asked(tmp_path, enhanced(scan(), change=moment_gone))
    assert result["answer"] == "declined" and "Decay Correction 'not stated'" in result["reasons"][0]


def test_beds_that_an_archive_converted_are_one_image(tmp_path: Path) -> None:
    made = multi_frame(scan(), random.Random(1))
    assert made is not None and len(made) == 2
    (found,) = asked(tmp_path, made)["findings"]
    assert value(found, "SUVmax", "SUVbw") == pytest.approx(8.0, rel=1e-4)
    assert value(found, "Metabolic Volume", "41") == pytest.approx(TRUE_ML, rel=1e-6)


@each_way
def test_beds_that_came_before_their_places_were_asked_for_are_joined(tmp_path: Path, sent: str) -> None:
    """An archive of an older version does not know where frames lie: it reads those headers again when it is asked."""
    files = AS_SENT[sent](scan())

    def older(data: bytes) -> Study:
        record = read_header(data)
        (one,) = record.series
        (image,) = one.instances
        known = {name: v for name, v in image.facts.items() if name != "FramesInPatient"}
        return replace(record, series=(replace(one, instances=(replace(image, facts=known),)),))

    database, blobs = Database(f"sqlite:///{tmp_path}/a.sqlite"), Blobs(str(tmp_path / "blobs"))
    journal, index, registry = (
        Journal(database, blobs),
        Index(database, blobs),
        Registry({"pet_uptake": PETUptake()}, {}),
    )
    site = Site(database, blobs, journal, index, registry, lambda: datetime(2026, 3, 3, tzinfo=UTC), apart=False)
    try:
        receive(database, blobs, journal, [(one, older(one)) for one in files], "PET1", site.clock())
        uid = read_header(files[0]).uid
        ((digest, result),) = site.analyse(uid, who=HOUSE)
        (found,) = result.findings
        assert max(m.value for m in found.measurements if m.what == codes.MTV) == pytest.approx(TRUE_ML, rel=1e-6)
        learnt = journal.since(kinds=[Kind.HEADERS_LEARNT])
        assert sum(len(s.event.details["instances"]) for s in learnt) == (2 if sent == "enhanced" else 0)
        assert site.analyse(uid, who=HOUSE) == [(digest, result)], "and only once"
        assert len(journal.since(kinds=[Kind.HEADERS_LEARNT])) == len(learnt)
    finally:
        site.guests.close()
        blobs.close()
        database.close()


@each_way
def test_another_pet_of_the_study_is_named_with_its_time(tmp_path: Path, sent: str) -> None:
    early = bed(2, 0, SLICES, wait_s=3600.0)
    late = bed(3, 0, SLICES, wait_s=7200.0, scale=1.2)
    raw = bed(4, 0, SLICES, wait_s=3600.0, facts={"CorrectedImage": ["DECY", "SCAT"]})
    elsewhere = bed(5, 0, SLICES, wait_s=9000.0, facts={"FrameOfReferenceUID": "2.25.77"})
    result = asked(tmp_path, AS_SENT[sent]([*early, *late, *raw, *elsewhere]))
    told = sorted(r for r in result["reasons"] if "was not measured" in r)
    assert [words.partition(" is ")[0] for words in told] == ["series 3", "series 5"]  # no SUV comes of the fourth
    assert told[0].endswith("is another PET of this study, begun at 11:05, and was not measured")
    assert value(result["findings"][0], "SUVmax", "SUVbw") == pytest.approx(8.0, rel=1e-4)


def test_images_that_came_twice_are_told(tmp_path: Path) -> None:
    again = []
    for n, data in enumerate(files := bed(2, 0, SLICES, wait_s=3600.0)):
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.5{n}"
        again.append(saved(ds))
    result = asked(tmp_path, [*files, *again])
    assert value(result["findings"][0], "SUVmax", "SUVbw") == pytest.approx(8.0, rel=1e-4)
    (told,) = (r for r in result["reasons"] if "twice" in r)
    assert told.startswith("series 2") and told.endswith(f"holds {SLICES} images twice, which counted once")
