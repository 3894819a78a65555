"""Two series of one patient are registered when somebody asks, and joined once somebody has accepted it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from pydicom import dcmread

from isocenter.app import open_house
from isocenter.errors import Conflict, Forbidden, NotFound, Refused
from isocenter.govern.policy import Person, Role
from isocenter.settings import Settings
from isocenter.site.loading import volumes_of
from isocenter.site.verbs import HOUSE, Site
from isocenter.testing.phantoms import brain

SHIFT = np.array([6.0, -9.0, 4.5])
READER, NURSE = Person("ito", Role.READER), Person("lee", Role.RESEARCHER)


def elsewhere(data: bytes) -> bytes:
    """The same image, in a series and a frame of reference of its own, lying somewhere else."""
    ds = dcmread(io.BytesIO(data))
    ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.77", "1.2.78"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.77.{ds.InstanceNumber}"
    ds.ImagePositionPatient = [float(v) for v in np.array(ds.ImagePositionPatient, float) + SHIFT]
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path_factory.mktemp("registering")))
    files = brain.patient(seed=3).files
    first = dcmread(io.BytesIO(files[0])).SeriesInstanceUID
    head = [data for data in files if dcmread(io.BytesIO(data), stop_before_pixels=True).SeriesInstanceUID == first]
    house.site.receive([*head, *map(elsewhere, head)], sender="test", who=HOUSE)
    yield house.site
    house.close()


def test_what_is_proposed_is_kept_only_when_it_is_accepted(site: Site) -> None:
    study = site.study(site.index.studies()[0].uid, who=READER)
    fixed = next(s for s in study.series if s.uid != "1.2.77")
    with pytest.raises(Refused, match="one frame of reference"):
        site.register(study.uid, fixed.uid, fixed.uid, who=READER)
    with pytest.raises(NotFound):
        site.register(study.uid, fixed.uid, "1.2.9", who=READER)
    with pytest.raises(Forbidden):
        site.register(study.uid, fixed.uid, "1.2.77", who=NURSE)

    made = site.register(study.uid, fixed.uid, "1.2.77", who=READER)
    assert (made.joined.moving, made.joined.fixed) == ("1.2.78", fixed.frame_of_reference)
    grid = volumes_of(fixed, site.blobs.get)[0].geometry
    middle = grid.to_patient((np.array(grid.shape) - 1) / 2)
    there = made.joined.matrix @ (*(middle + SHIFT), 1.0)
    assert there[:3] == pytest.approx(middle, abs=0.3)
    assert made.residual_mm < 0.7
    assert made.overlap > 0.8
    assert site.registrations(study.uid, who=READER) == []

    with pytest.raises(NotFound, match="no such proposal"):
        site.accept_registration(study.uid, "0" * 32, who=READER)
    (kept,) = site.accept_registration(study.uid, made.id, who=READER)
    assert kept.by == "ito"
    assert kept.residual_mm == pytest.approx(made.residual_mm, abs=0.006)
    assert kept.matrix == pytest.approx(made.joined.matrix, abs=1e-6)
    assert len(site.accept_registration(study.uid, made.id, who=READER)) == 1, "accepted twice, kept once"
    (again,) = site.registrations(study.uid, who=READER)
    assert np.array_equal(again.matrix, kept.matrix)

    by_proposal = site.laid(study.uid, fixed.uid, "1.2.77", by=made.id, who=READER)
    one = site.laid(study.uid, fixed.uid, "1.2.77", who=READER)
    assert one.pictures.tag != site.pictures(study.uid, "1.2.77", who=READER).tag
    assert by_proposal.pictures.series.frame_of_reference == fixed.frame_of_reference
    slices = range(len(one.planes))
    _, values = site.laid_slab(study.uid, fixed.uid, "1.2.77", slices, tag=one.pictures.tag, who=READER)
    _, own = site.slab(
        study.uid, fixed.uid, slices, tag=site.pictures(study.uid, fixed.uid, who=READER).tag, who=READER
    )
    moved, still = (np.stack([np.asarray(v, np.float32) for v in many]) for many in (values, own))
    assert moved.shape == still.shape
    inside = tuple(slice(4, -4) for _ in range(3))
    assert np.corrcoef(moved[inside].ravel(), still[inside].ravel())[0, 1] > 0.98, "the same head, back where it was"
    back = site.laid(study.uid, "1.2.77", fixed.uid, who=READER)
    assert back.pictures.series.frame_of_reference == "1.2.78", "a registration is good for both directions"
    with pytest.raises(Conflict, match="another registration"):
        site.laid_slab(study.uid, fixed.uid, "1.2.77", slices, tag="0" * 32, who=READER)
    with pytest.raises(NotFound, match="no registration"):
        site.laid(study.uid, fixed.uid, fixed.uid, who=READER)
