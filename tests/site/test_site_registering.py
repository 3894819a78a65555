"""Two series of one patient are registered when somebody asks, and joined once somebody has accepted it: within a
study, and of an earlier study onto the one that is read."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from rejecting_samples import link_in

from isocenter.app import open_house
from isocenter.errors import Conflict, Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.lesions import Match
from isocenter.reading.session import Correction
from isocenter.record import Verdict, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.site.volumes import volumes_of
from isocenter.space import Region, Shape
from isocenter.testing.phantoms import brain

SHIFT = np.array([6.0, -9.0, 4.5])
READER, NURSE = Person("ito", Role.READER), Person("lee", Role.RESEARCHER)
CHIEF, GRAY = Person("chief", Role.ADMIN), Person("gray", Role.READER)
TURN_DEG = 5.0


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


def turned(point: Any) -> Any:
    """Where a point of today's frame lies in that of the earlier study."""
    c, s = np.cos(np.radians(TURN_DEG)), np.sin(np.radians(TURN_DEG))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.asarray(point, float) + SHIFT


def earlier(data: bytes, study: str, patient: str = "", words: str = "") -> bytes:
    """The same head, months before in a study of its own: turned and shifted, in another frame of reference."""
    ds = dcmread(io.BytesIO(data))
    ds.StudyInstanceUID, ds.StudyDate = study, "20250105"
    ds.SeriesInstanceUID, ds.FrameOfReferenceUID = f"{study}.1", f"{study}.2"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{ds.InstanceNumber}"
    along = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
    ds.ImageOrientationPatient = [round(float(v), 9) for one in along for v in turned(one) - SHIFT]
    ds.ImagePositionPatient = [round(float(v), 6) for v in turned(ds.ImagePositionPatient)]
    if patient:
        ds.PatientID, ds.PatientName = patient, "OTHER^PERSON"
    if words:
        ds.StudyDescription, ds.SeriesDescription, ds.BodyPartExamined = words, words, words.upper()
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A head of today; before it the same head, one called a chest, one in a trial, and one of another person."""
    house = open_house(Settings(folder=tmp_path_factory.mktemp("followed")), apart=False)
    site = house.site
    for person in (READER, CHIEF, GRAY):
        link_in(site, person.name, person.role)
    site.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
    site.projects.rule("trial", "TRIAL", who=CHIEF)
    site.projects.join("trial", "gray", Role.READER, who=CHIEF)
    files = brain.patient(seed=3).files
    first = dcmread(io.BytesIO(files[0])).SeriesInstanceUID
    head = [data for data in files if dcmread(io.BytesIO(data), stop_before_pixels=True).SeriesInstanceUID == first]
    site.receive(head, sender="test", who=HOUSE)
    for study, patient, words in (("1.2.81", "", ""), ("1.2.82", "", "Chest"), ("1.2.83", "P-OTHER", "")):
        site.receive([earlier(data, study, patient, words) for data in head], sender="test", who=HOUSE)
    scanner = Person("TRIAL", Role.SERVICE, "aet")
    site.receive([earlier(data, "1.2.84") for data in head], sender="TRIAL", who=scanner)
    yield site
    house.close()


def today(site: Site) -> tuple[str, Any]:
    uid = next(one.uid for one in site.index.studies() if not one.uid.startswith("1.2.8"))
    return uid, site.study(uid, who=READER).series[0]


def test_an_earlier_study_is_registered_kept_with_the_one_that_is_read_and_laid_onto_it(followed: Site) -> None:
    site = followed
    uid, fixed = today(site)
    made = site.register(uid, fixed.uid, "1.2.81.1", who=READER)
    assert (made.joined.moving, made.joined.fixed) == ("1.2.81.2", fixed.frame_of_reference)
    grid = volumes_of(fixed, site.blobs.kept)[0].geometry
    corners = np.array([grid.to_patient(np.array(at) * (np.array(grid.shape) - 1)) for at in np.ndindex(2, 2, 2)])
    for point in corners:  # from the earlier frame to today's, also far from the middle where a turn shows most
        assert (made.joined.matrix @ (*turned(point), 1.0))[:3] == pytest.approx(point, abs=1.0)
    (kept,) = site.accept_registration(uid, made.id, who=READER)
    assert kept.by == "ito" and kept.residual_mm == pytest.approx(made.residual_mm, abs=0.006)
    assert site.registrations("1.2.81", who=READER) == [], "the earlier study is as it was"

    stored = next(s for s in site.study(uid, who=READER).series if s.modality == "REG").instances[0]
    told = dcmread(io.BytesIO(site.blobs.kept(stored.digest)))
    assert (told.StudyInstanceUID, told.PatientID) == (uid, site.study(uid, who=READER).patient.id)
    (own,) = told.ReferencedSeriesSequence
    (other,) = told.StudiesContainingOtherReferencedInstancesSequence
    assert own.SeriesInstanceUID == fixed.uid
    assert other.StudyInstanceUID == "1.2.81"
    assert len(other.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == len(fixed.instances)

    one = site.laid(uid, fixed.uid, "1.2.81.1", who=READER)
    assert one.pictures.series.frame_of_reference == fixed.frame_of_reference
    own_pictures = site.pictures(uid, fixed.uid, who=READER)
    middle = len(own_pictures.order) // 2
    at = min(
        range(len(one.planes)),
        key=lambda k: abs(one.pictures.order[k].position[2] - own_pictures.order[middle].position[2]),
    )
    _, moved = site.laid_slab(uid, fixed.uid, "1.2.81.1", [at], tag=one.pictures.tag, who=READER)
    _, still = site.slab(uid, fixed.uid, [middle], tag=own_pictures.tag, who=READER)
    (over,), (under,) = ([np.asarray(v, np.float32) for v in many] for many in (moved, still))
    step = one.pictures.order[at].spacing_mm[0] / own_pictures.order[middle].spacing_mm[0]
    assert step == pytest.approx(1.0), "this grid is not thinned, so that pixels can be held against each other"
    away = np.subtract(one.pictures.order[at].position, own_pictures.order[middle].position)
    column, row = (round(v / own_pictures.order[middle].spacing_mm[0]) for v in away[:2])
    under = under[row : row + over.shape[0], column : column + over.shape[1]]
    inside = tuple(slice(n // 4, -n // 4) for n in over.shape)
    assert np.corrcoef(over[inside].ravel(), under[inside].ravel())[0, 1] > 0.97


def test_findings_of_two_studies_are_proposed_as_one_by_the_registration_that_is_kept(followed: Site) -> None:
    """Three alike in each study, so that no word tells which is which: places do, and a person confirms."""
    site = followed
    uid, fixed = today(site)
    if not site.registrations(uid, who=READER):
        site.accept_registration(uid, site.register(uid, fixed.uid, "1.2.81.1", who=READER).id, who=READER)
    grid = volumes_of(fixed, site.blobs.kept)[0].geometry
    middle = grid.to_patient((np.array(grid.shape) - 1) / 2)
    places = [middle + off for off in ((0, 0, 0), (40, 0, 0), (0, 40, 0))]

    def seen(study: str, series: Any, points: list[Any]) -> list[str]:
        own = volumes_of(series, site.blobs.kept)[0].geometry
        version = site.open(study, who=READER).version
        for n, point in enumerate(points):
            where = Region(own, Shape.POINT, points_mm=np.array([point], float), series_uid=series.uid)
            one = Correction(Verdict.ADDED, "", words=f"Lesion {n}.", what=codes.LESION, where=where)
            version = site.correct(study, one, version=version, who=READER).version
        held = {f.words: f.tracking for _, r in site.results(study, who=READER) for f in r.findings}
        return [held[f"Lesion {n}."] for n in range(len(points))]

    (before,) = (s for s in site.study("1.2.81", who=READER).series if s.uid == "1.2.81.1")
    then = seen("1.2.81", before, [turned(point) for point in places])
    now = seen(uid, fixed, places[::-1])[::-1]
    _, lesions, _ = site.following.lesions(uid, who=READER)
    points = [[p for p in one.points if p] for one in lesions]
    assert {tuple(p.tracking for p in one) for one in points} == set(zip(then, now, strict=True))
    for one in points:
        assert one[1].match is Match.UNSURE and one[1].apart_mm < 1.0 and 0 < one[1].residual_mm < 1.0
    site.following.match(uid, then[0], now[0], same=True, who=READER)
    sure = [p.match for one in site.following.lesions(uid, who=READER)[1] for p in one.points if p]
    assert sorted(sure) == sorted([Match.FIRST] * 3 + [Match.SAME] + [Match.UNSURE] * 2)


def test_of_another_person_another_project_or_another_part_nothing_is_registered(followed: Site) -> None:
    site = followed
    uid, fixed = today(site)
    for series in ("1.2.83.1", "1.2.84.1"):  # another person's; of a trial in which this person has no part
        with pytest.raises(NotFound, match="that you may see"):
            site.register(uid, fixed.uid, series, who=READER)
        with pytest.raises(NotFound, match="that you may see"):
            site.laid(uid, fixed.uid, series, who=READER)
    with pytest.raises(NotFound, match="that you may see"):
        site.register(uid, "1.2.81.1", "1.2.81.1", who=READER)  # what stays is of the study that is read
    with pytest.raises(Refused, match="images of the head and of the chest"):
        site.register(uid, fixed.uid, "1.2.82.1", who=READER)
    with pytest.raises(Forbidden):
        site.register(uid, fixed.uid, "1.2.81.1", who=NURSE)


def test_a_proposal_is_not_accepted_once_the_earlier_study_is_out_of_sight(
    followed: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isocenter.methods.registration import Rigid

    site = followed
    uid, fixed = today(site)
    monkeypatch.setattr("isocenter.methods.registration.rigid", lambda *of, told: Rigid(np.eye(4), 1.0, 0.9, 1.0))
    made = site.register(uid, fixed.uid, "1.2.84.1", who=GRAY)  # who has a part in the trial
    before = len(site.registrations(uid, who=GRAY))
    with pytest.raises(NotFound, match="that you may see"):
        site.accept_registration(uid, made.id, who=READER)
    with pytest.raises(NotFound, match="that you may see"):
        site.laid(uid, fixed.uid, "1.2.84.1", by=made.id, who=READER)
    assert len(site.registrations(uid, who=GRAY)) == before
    assert len(site.accept_registration(uid, made.id, who=GRAY)) == before + 1
    later = site.register(uid, fixed.uid, "1.2.84.1", who=GRAY)  # the same result, computed and accepted once more
    assert later.id == made.id and later.made > made.made
    assert len(site.accept_registration(uid, later.id, who=GRAY)) == before + 2


def test_it_is_told_how_far_a_registration_is_and_it_can_be_stopped(
    followed: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = followed
    uid, fixed = today(site)
    word, begun, ended = "c" * 32, threading.Event(), threading.Event()
    refused: list[Exception] = []

    def slowly(still: Any, moved: Any, *, told: Any) -> None:
        told(0.25)
        begun.set()
        assert ended.wait(10)
        told(0.5)
        raise AssertionError("it went on")

    def ask() -> None:
        try:
            site.register(uid, fixed.uid, "1.2.81.1", run=word, who=READER)
        except WrongState as why:
            refused.append(why)

    monkeypatch.setattr("isocenter.methods.registration.rigid", slowly)
    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(10)
    assert site.registering(uid, word, who=READER) == 0.25
    with pytest.raises(WrongState, match="being computed"):
        site.register(uid, fixed.uid, "1.2.81.1", run=word, who=READER)
    assert site.registering(uid, word, who=GRAY) is None, "it is another's"
    site.stop_registering(uid, word, who=GRAY)
    assert site.registering(uid, word, who=READER) == 0.25
    site.stop_registering(uid, word, who=READER)
    ended.set()
    asking.join(10)
    (why,) = refused
    assert "stopped" in str(why)
    assert site.registering(uid, word, who=READER) is None
    site.stop_registering(uid, word, who=READER)


def test_a_registration_that_misses_by_much_is_refused(followed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from isocenter.methods.registration import Rigid

    uid, fixed = today(followed)
    monkeypatch.setattr("isocenter.methods.registration.rigid", lambda *of, told: Rigid(np.eye(4), 14.0, 0.9, 1.0))
    with pytest.raises(Refused, match="misses by 14 mm"):
        followed.register(uid, fixed.uid, "1.2.81.1", who=READER)
