"""Numbers go into a structured report with code, unit and place, and come back as they were."""

import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from forms_samples import (
    FRAME_UID,
    SERIES_UID,
    STUDY_UID,
    WHEN,
    Archive,
    ball,
    dciodvfy,
    found,
    letter_f,
    on_film,
    radiograph,
    record,
    sample,
    stack,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from isocenter.errors import NotWhole, Refused
from isocenter.forms import seg, sr
from isocenter.record import Code, Finding, Measurement, Origin, Outcome, Receipt, Result, Verdict, codes
from isocenter.space import Geometry, Region, Shape

NUMBERS = [c for c in codes.known().values() if c != codes.PROBABILITY]
UNITS = sorted(codes.UNITS)
RECEIPT = Receipt(("aa",), (SERIES_UID,))


def kinds(axial: Geometry) -> dict[Shape, Region]:
    """One region of every shape, on the second slice."""
    points = {
        Shape.POINT: [(1, 3, 4)],
        Shape.POLYLINE: [(1, 3, 4), (1, 5, 6), (1, 7, 4)],
        Shape.POLYGON: [(1, 3, 4), (1, 5, 6), (1, 7, 4)],
        Shape.BOX: [(1, 3, 4), (1, 7, 9)],
        Shape.ELLIPSE: [(1, 5, 2), (1, 5, 8), (1, 3, 5), (1, 7, 5)],
    }
    made = {
        shape: Region(axial, shape, points_mm=axial.to_patient(index), series_uid=SERIES_UID)
        for shape, index in points.items()
    }
    return {Shape.MASK: ball(axial), **made}


measurements = st.builds(
    lambda what, value, unit, spread, definition: Measurement(
        what, value, unit, *((value - spread, value + spread) if spread else (None, None)), definition
    ),
    st.sampled_from(NUMBERS),
    st.floats(-1e9, 1e9).filter(lambda v: v == 0 or abs(v) > 1e-9),
    st.sampled_from(UNITS),
    st.sampled_from((0, 1, 2.5)),
    st.sampled_from(("", "EANM 41 %", "James 128")),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    groups=st.lists(
        st.tuples(
            st.sampled_from(NUMBERS),
            st.none() | st.floats(0, 1),
            st.lists(measurements, max_size=4),
            st.sampled_from((None, codes.LUNG, codes.BRAIN)),
            st.sampled_from((None, codes.LEFT, codes.RIGHT)),
            st.text(
                st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cn", "Cc")),
                max_size=40,
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_tree_of_findings_comes_back(groups: list) -> None:  # type: ignore[type-arg]
    grid = Geometry.regular(shape=(2, 4, 4), frame_of_reference=FRAME_UID)
    study, sources = stack(grid)
    findings = tuple(
        Finding(
            what, certainty, None, tuple(numbers), site, side if site else None, words.strip(), f"{STUDY_UID}.5.{i + 1}"
        )
        for i, (what, certainty, numbers, site, side, words) in enumerate(groups)
    )
    result = Result(STUDY_UID, Outcome.FOUND, Origin("machine", "a", "2"), WHEN, findings=findings, receipt=RECEIPT)
    report = sr.read(sr.write(result, study, sources))
    assert [g.algorithm for g in report.groups] == [("a", "2")] * len(findings)
    for back, made in zip(report.findings, findings, strict=True):
        assert (back.what, back.site, back.laterality, back.tracking, back.words) == (
            made.what, made.site, made.laterality, made.tracking, made.words,
        )  # fmt: skip
        assert back.certainty == made.certainty or abs(back.certainty - made.certainty) < 1e-15  # type: ignore[operator]
        for a, b in zip(back.measurements, made.measurements, strict=True):
            assert (a.what, a.unit, a.definition) == (b.what, b.unit, b.definition)
            assert a.value == pytest.approx(b.value, rel=1e-15)
            assert (a.low is None) == (b.low is None)
            assert a.low is None or a.low == pytest.approx(b.low, rel=1e-9)


def test_findings_refer_to_their_segments(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial), Region(axial, mask=letter_f(axial), series_uid=SERIES_UID))
    made = seg.write(result, *archive)
    report = sr.read(sr.write(result, *archive, segmentations=made))
    uid = seg.identity(result, 0)[1]
    assert [g.segment for g in report.groups] == [(uid, 1), (uid, 2)]
    one = replace(result, findings=result.findings[:1])
    alone = sr.read(sr.write(one, *archive, segmentations=seg.write(one, *archive)))
    assert alone.groups[0].segment == (seg.identity(one, 0)[1], 1)


def test_highdicom_reads_the_groups(archive: Archive, axial: Geometry) -> None:
    import highdicom as hd

    result = found(ball(axial))
    data = sr.write(result, *archive, segmentations=seg.write(result, *archive))
    document = hd.sr.srread(io.BytesIO(data))
    (group,) = document.content.get_volumetric_roi_measurement_groups(tracking_uid=f"{STUDY_UID}.77.1")
    (volume,) = group.get_measurements(name=hd.sr.CodedConcept(codes.VOLUME.code, "SCT", "Volume"))
    assert volume.value == pytest.approx(result.findings[0].measurements[0].value)
    assert volume.unit.value == "mL"
    assert group.referenced_segment.referenced_sop_instance_uid == seg.identity(result, 0)[1]


def test_outlines_stand_on_their_images_without_a_segmentation(archive: Archive, axial: Geometry) -> None:
    mask = np.zeros(axial.shape, bool)
    mask[2, 4:7, 5:9] = True
    (group,) = sr.read(sr.write(found(Region(axial, mask=mask, series_uid=SERIES_UID)), *archive)).groups
    (line,) = group.outlines
    assert (line.image, line.frame, line.kind) == (f"{SERIES_UID}.3", 1, "POLYLINE")
    assert np.array_equal(line.points[0], line.points[-1])
    assert line.points.min(axis=0).tolist() == [4.5, 3.5] and line.points.max(axis=0).tolist() == [8.5, 6.5]


@pytest.mark.peer
@pytest.mark.parametrize("shape", list(Shape))
def test_every_shape_has_its_place(shape: Shape, archive: Archive, axial: Geometry, tmp_path: Path) -> None:
    region = kinds(axial)[shape]
    data = sr.write(found(region), *archive)
    (group,) = sr.read(data).groups
    assert group.outlines
    if shape is not Shape.MASK:
        (line,) = group.outlines
        assert line.image == FRAME_UID and region.points_mm is not None
        if shape is not Shape.BOX:
            assert np.abs(line.points[: len(region.points_mm)] - region.points_mm).max() < 1e-4
    assert dciodvfy(data, tmp_path) == []


@pytest.mark.peer
def test_a_radiograph_has_outlines_in_its_pixels(tmp_path: Path) -> None:
    study, sources = radiograph()
    region = on_film(study)
    data = sr.write(found(region), study, sources)
    (group,) = sr.read(data).groups
    (line,) = group.outlines
    assert line.image == region.instance_uid
    assert line.points.min(axis=0).tolist() == [4.5, 9.5] and line.points.max(axis=0).tolist() == [11.5, 29.5]
    assert dciodvfy(data, tmp_path) == []


@pytest.mark.peer
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_palette.dcm", "rtdose.dcm"])
def test_real_images_carry_a_report(name: str, tmp_path: Path) -> None:
    data = sample(name)
    study, sources = record(data)
    number = Measurement(codes.SIGNAL_TO_NOISE, 12.5, "{ratio}")
    result = Result(
        study.uid, Outcome.NONE, Origin("machine", "image_quality", "1"), WHEN, measurements=(number,),
        receipt=Receipt((), (study.series[0].uid,)),
    )  # fmt: skip
    report = sr.write(result, study, sources)
    assert dciodvfy(report, tmp_path) == []
    (group,) = sr.read(report).groups
    assert group.absent and group.finding.measurements == (number,)


@pytest.mark.peer
def test_a_machine_is_preliminary_and_unverified(archive: Archive, axial: Geometry, tmp_path: Path) -> None:
    data = sr.write(found(ball(axial)), *archive)
    made = dcmread(io.BytesIO(data))
    assert (made.PreliminaryFlag, made.VerificationFlag, made.ContentQualification) == (
        "PRELIMINARY", "UNVERIFIED", "RESEARCH",
    )  # fmt: skip
    assert "VerifyingObserverSequence" not in made
    report = sr.read(data)
    assert report.preliminary and report.verified_by == ""
    assert dciodvfy(data, tmp_path) == []


@pytest.mark.peer
def test_a_person_who_signed_is_named(archive: Archive, axial: Geometry, tmp_path: Path) -> None:
    result = found(ball(axial), origin=Origin("person", "ito"), replaces="ab")
    data = sr.write(result, *archive, signed=sr.Signature("Ito^Aiko", "Demo hospital", WHEN))
    made = dcmread(io.BytesIO(data))
    assert made.VerificationFlag == "VERIFIED"
    assert made.VerifyingObserverSequence[0].VerificationDateTime == "20261120093000.000000+0000"
    report = sr.read(data)
    assert report.verified_by == "Ito^Aiko" and not report.preliminary
    assert dciodvfy(data, tmp_path) == []


def test_a_machine_cannot_be_verified(archive: Archive, axial: Geometry) -> None:
    with pytest.raises(Refused, match="stays unverified"):
        sr.write(found(ball(axial)), *archive, signed=sr.Signature("Ito^Aiko", "Demo", WHEN))


@pytest.mark.parametrize(
    ("unit", "code"),
    [("{SUVbw}g/ml", "126401"), ("{SUVlbm}g/ml", "126402"), ("{SUVbsa}cm2/ml", "126403"), ("{SUVibw}g/ml", "126404")],
)
def test_suv_is_told_in_the_words_of_dicom(unit: str, code: str, archive: Archive) -> None:
    numbers = tuple(Measurement(c, 3.5, unit) for c in (codes.SUV_MAX, codes.SUV_PEAK, codes.SUV_MEAN, codes.SUVBW))
    result = Result(
        STUDY_UID, Outcome.FOUND, Origin("machine", "pet", "1"), WHEN, measurements=numbers, receipt=RECEIPT
    )
    data = sr.write(result, *archive)
    assert b"suv-max" not in data and code.encode() in data
    assert sr.read(data).groups[0].finding.measurements == numbers


def test_declined_struck_and_foreign_results(archive: Archive, axial: Geometry) -> None:
    declined = Result(STUDY_UID, Outcome.DECLINED, Origin("machine", "x"), WHEN, reasons=("no",))
    with pytest.raises(Refused, match="declined"):
        sr.write(declined, *archive)
    with pytest.raises(Refused, match="wrong patient"):
        sr.write(found(ball(axial), study="1.2"), *archive)
    with pytest.raises(Refused, match="on no image"):
        sr.write(Result(STUDY_UID, Outcome.NONE, Origin("machine", "x"), WHEN, receipt=Receipt((), ("9.9",))), *archive)
    result = found(ball(axial), ball(axial), origin=Origin("person", "ito"))
    struck = replace(result, findings=(result.findings[0], replace(result.findings[1], verdict=Verdict.STRUCK)))
    assert len(sr.read(sr.write(struck, *archive)).findings) == 1


def test_points_without_a_frame_are_refused(axial: Geometry) -> None:
    grid = replace(axial, frame_of_reference="")
    point = Region(grid, Shape.POINT, points_mm=grid.to_patient([(1, 1, 1)]), series_uid=SERIES_UID)
    with pytest.raises(Refused, match="no known space"):
        sr.write(found(point), *stack(axial))


def test_the_same_result_is_the_same_report(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial))
    assert sr.write(result, *archive) == sr.write(result, *archive)
    assert dcmread(io.BytesIO(sr.write(result, *archive))).SOPInstanceUID == sr.identity(result)[1]


def test_codes_of_strangers_are_kept(archive: Archive) -> None:
    theirs = Code("12345", "99THEM", "Their word")
    finding = Finding(theirs, measurements=(Measurement(theirs, 1.0, "mm"),), tracking=f"{STUDY_UID}.1")
    result = Result(STUDY_UID, Outcome.FOUND, Origin("machine", "x"), WHEN, findings=(finding,), receipt=RECEIPT)
    (back,) = sr.read(sr.write(result, *archive)).findings
    assert back.what == theirs and back.measurements == finding.measurements


@pytest.mark.parametrize("tracking", ["lesion-7", "5f2b", "1.2.3.4", "2.25.1"])
def test_a_tracking_identity_of_any_kind_comes_back(tracking: str, archive: Archive) -> None:
    result = Result(
        STUDY_UID, Outcome.FOUND, Origin("machine", "x"), WHEN, findings=(Finding(codes.LESION, tracking=tracking),),
        receipt=RECEIPT,
    )  # fmt: skip
    (back,) = sr.read(sr.write(result, *archive)).findings
    assert back.tracking == tracking


@pytest.mark.peer
def test_dcmtk_reads_the_tree(archive: Archive, axial: Geometry, tmp_path: Path) -> None:
    program = shutil.which("dsrdump")
    if program is None:
        pytest.skip("dsrdump (Debian package dcmtk) is not installed")
    path = tmp_path / "report.dcm"
    result = found(ball(axial))
    path.write_bytes(sr.write(result, *archive, segmentations=seg.write(result, *archive)))
    said = subprocess.run([program, "+Pu", str(path)], capture_output=True, text=True, check=False)
    assert said.returncode == 0 and "E: " not in said.stderr
    (shown,) = re.findall(r'"Volume"\)="([^"]+)" \(mL,UCUM,"milliliter"\)', said.stdout)
    assert float(shown) == pytest.approx(result.findings[0].measurements[0].value)
    assert '"Procedure reported")=(77477000,SCT,"Computed tomography")' in said.stdout
    assert '"Algorithm Name")="volumetry"' in said.stdout


def test_what_is_no_report_is_refused(archive: Archive) -> None:
    with pytest.raises(NotWhole):
        sr.read(b"x" * 200)
    with pytest.raises(Refused, match="modality CT"):
        sr.read(archive[1](f"{SERIES_UID}.1"))
    with pytest.raises(Refused, match="TID 1500"):
        sr.read(sample("reportsi.dcm"))


@pytest.mark.data
@pytest.mark.parametrize(("name", "groups"), [("sr_document.dcm", 1), ("sr_document_with_multiple_groups.dcm", None)])
def test_reports_of_others_are_read(name: str, groups: int | None, data_folder: Path) -> None:
    path = data_folder / "dicom" / "highdicom" / "data" / "test_files" / name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    report = sr.read(path.read_bytes())
    assert report.groups and (groups is None or len(report.groups) == groups)
    assert any(g.finding.measurements or g.outlines or g.segment for g in report.groups)
