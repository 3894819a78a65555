"""One result becomes all its files, and says which it could not become and why."""

import io
import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import trimesh
from forms_samples import SERIES_UID, STUDY_UID, WHEN, Archive, ball, dciodvfy, found, on_film, radiograph
from pydicom import dcmread

from isocenter.forms import bundle, maps, seg, sr
from isocenter.record import Curve, Map, Origin, Outcome, Result, Verdict
from isocenter.space import Geometry, Region, Volume


def with_map(axial: Geometry, series: str = SERIES_UID) -> tuple[Result, dict[str, bytes]]:
    """A result with a lesion, a map and a curve."""
    values = np.linspace(0, 1, int(np.prod(axial.shape)), dtype=np.float32).reshape(axial.shape)
    of = Map("CBF/../x", "blood flow", "mL/min", axial, "d1", series_uid=series, low=0.0, high=1.0)
    curve = Curve("bolus", (0.0, 1.0), "time", "s", {"artery": (0.0, 1.0)})
    result = replace(found(ball(axial, 5.0, "../../etc/passwd")), maps=(of,), curves=(curve,))
    return result, {"d1": maps.pack(Volume(values, axial))}


@pytest.mark.peer
def test_everything_is_there_and_valid(archive: Archive, axial: Geometry, tmp_path: Path) -> None:
    result, blobs = with_map(axial)
    made = bundle.everything(result, *archive, blobs.__getitem__)
    assert made.left == ()
    kinds = sorted(f.name.split(".", 1)[1] for f in made.files)
    assert kinds == sorted(
        [
            *("json", "seg1.dcm", "sr.dcm", "map.CBF_x.dcm", "map.CBF_x.nii.gz", "map.CBF_x.svg"),
            *("region1.nii.gz", "region1.stl", "region1.glb"),
            *("curve1.svg", "figure1.svg"),
        ]
    )
    for one in made.files:
        assert "/" not in one.name and ".." not in one.name and one.data
        if one.media == bundle.DICOM:
            assert dciodvfy(one.data, tmp_path) == []
    by_end = {f.name.rsplit(".", 1)[1]: f for f in made.files}
    assert json.loads(by_end["json"].data)["answer"] == "found"
    assert trimesh.load(io.BytesIO(by_end["stl"].data), file_type="stl").is_watertight


def test_the_report_cites_the_segments_of_the_same_bundle(archive: Archive, axial: Geometry) -> None:
    result, blobs = with_map(axial)
    made = bundle.dicom(result, *archive, blobs.__getitem__)
    (written,) = [f for f in made.files if ".seg" in f.name]
    (report,) = [f for f in made.files if f.name.endswith(".sr.dcm")]
    assert sr.read(report.data).groups[0].segment == (str(dcmread(io.BytesIO(written.data)).SOPInstanceUID), 1)


def test_a_declined_result_is_only_told(archive: Archive) -> None:
    declined = Result(STUDY_UID, Outcome.DECLINED, Origin("machine", "x"), WHEN, reasons=("no",))
    assert bundle.dicom(declined, *archive, {}.__getitem__).files == ()
    (one,) = bundle.everything(declined, *archive, {}.__getitem__).files
    assert json.loads(one.data)["reasons"] == ["no"]


def test_a_form_that_refuses_does_not_cost_the_others(archive: Archive, axial: Geometry) -> None:
    overlap = found(ball(axial, 5.0), ball(axial, 2.0))
    made = bundle.dicom(overlap, *archive, {}.__getitem__, kind=seg.Kind.LABELMAP)
    assert [f.name.rsplit(".", 2)[1] for f in made.files] == ["sr"]
    (left,) = made.left
    assert "more than one segment" in left.why and left.name.endswith("seg.dcm")


def test_a_radiograph_gives_a_picture_of_its_map() -> None:
    study, sources = radiograph()
    region = on_film(study)
    result, blobs = with_map(region.geometry, region.series_uid)
    result = replace(result, findings=found(region).findings)
    made = bundle.everything(result, study, sources, blobs.__getitem__)
    ends = {f.name.rsplit(".", 1)[1] for f in made.files}
    assert "png" in ends and "gz" not in ends and "stl" not in ends and made.left == ()


def test_struck_findings_are_in_no_file(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial, 5.0, "kept"), ball(axial, 2.0, "gone"), origin=Origin("person", "ito"))
    struck = replace(result, findings=(result.findings[0], replace(result.findings[1], verdict=Verdict.STRUCK)))
    made = bundle.everything(struck, *archive, {}.__getitem__)
    assert not any("gone" in f.name for f in made.files)


def test_the_nifti_is_the_mask(archive: Archive, axial: Geometry) -> None:
    import gzip

    region = ball(axial, 5.0)
    made = bundle.everything(found(region), *archive, {}.__getitem__)
    (one,) = [f for f in made.files if f.name.endswith(".nii.gz")]
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(one.data))
    assert np.array_equal(np.asarray(image.dataobj).T > 0, region.mask)
    assert isinstance(region, Region)
