"""Where a finding lies, in FHIR and in the structured report alike: numbers, identities, images and outlines."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from forms_samples import FRAME_UID, SERIES_UID, STUDY_UID, WHEN, Archive, ball, found, on_film, radiograph, stack

from isocenter.forms import fhir, fhir_selection, sr
from isocenter.forms.fhir_workflow import as_r5
from isocenter.record import Finding, Measurement, Origin, Outcome, Receipt, Result, Study, Verdict, codes
from isocenter.space import Geometry, Region, Shape

_NUMBERS = (codes.VOLUME, codes.LONG_AXIS)


def told(study: Study, result: Result, **rest: Any) -> dict[str, list[dict[str, Any]]]:
    made: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads(fhir.bundle(study, [], [result], when=WHEN, selections=True, **rest))["entry"]:
        one = as_r5(entry["resource"])
        made.setdefault(one["resourceType"], []).append(one)
    return made


def some_region(draw: random.Random, grid: Geometry) -> Region:
    shape = draw.choice(list(Shape))
    if shape is Shape.MASK:
        mask = np.zeros(grid.shape, bool)
        for _ in range(draw.randint(1, 3)):
            at = [draw.randrange(n - 2) for n in grid.shape]
            to = [a + draw.randint(1, 4) for a in at]
            mask[at[0] : to[0], at[1] : to[1], at[2] : to[2]] = True
        if draw.random() < 0.3 and mask.sum() > 4 * mask[:, 5:7, 5:7].sum():
            mask[:, 5:7, 5:7] = False  # a hole, or what was one is several pieces
        return Region(grid, mask=mask, series_uid=SERIES_UID)
    index = draw.randrange(grid.shape[0])
    count = {Shape.POINT: 1, Shape.BOX: 2, Shape.ELLIPSE: 4}.get(shape, draw.randint(3, 9))
    points = [(index, draw.uniform(1, 8), draw.uniform(1, 8)) for _ in range(count)]
    if shape is Shape.ELLIPSE:
        points = [(index, 5, 2), (index, 5, 8), (index, 3.5, 5), (index, 6.5, 5)]
    return Region(grid, shape, points_mm=grid.to_patient(points), series_uid=SERIES_UID)


def some_result(draw: random.Random, grid: Geometry) -> Result:
    findings = tuple(
        Finding(
            draw.choice((codes.LESION, codes.OPACITY)), None, some_region(draw, grid),
            tuple(
                Measurement(draw.choice(_NUMBERS), draw.gauss(0, 10.0 ** draw.randint(-6, 6)), unit)
                for unit in draw.sample(("mL", "mm", "{SUVbw}g/ml", "[hnsf'U]"), draw.randint(0, 3))
            ),
            tracking=f"{STUDY_UID}.5.{draw.randrange(10**9)}.{n + 1}",
        )
        for n in range(draw.randint(1, 3))
    )  # fmt: skip
    receipt = Receipt(("aa",), (SERIES_UID,), "0.1.0", 1.0)
    return Result(STUDY_UID, Outcome.FOUND, Origin("machine", "a", "2"), WHEN, findings=findings, receipt=receipt)


def of_report(group: sr.Group, grid: Geometry) -> list[tuple[str, Any]]:
    """Image (or frame of reference) and points in patient space of each outline."""
    drawn = []
    for line in group.outlines:
        points = np.asarray(line.points, float)
        if points.shape[1] == 2:
            index = int(line.image.rpartition(".")[2]) - 1
            points = grid.to_patient(np.column_stack([np.full(len(points), index), points[:, 1], points[:, 0]]))
        drawn.append((line.image, points))
    return drawn


@pytest.mark.parametrize("many", [8, pytest.param(1000, marks=pytest.mark.nightly)])
def test_numbers_identities_and_places_are_those_of_the_structured_report(many: int) -> None:
    grid = Geometry.regular(
        shape=(6, 16, 18), spacing_mm=(2.5, 0.7, 0.8), origin_mm=(-10, 5, 30), frame_of_reference=FRAME_UID
    )
    archive, draw = stack(grid), random.Random(52)
    outlines = 0
    for _ in range(many):
        result = some_result(draw, grid)
        made = told(archive[0], result)
        places = {s["identifier"][0]["value"]: s for s in made["ImagingSelection"]}
        groups = {g.finding.tracking: g for g in sr.read(sr.write(result, *archive)).groups}
        assert len(made["Observation"]) == len(groups) == len(result.findings) == len(places)
        for observation in made["Observation"]:
            tracking = observation["identifier"][0]["value"]
            group = groups[tracking.removeprefix("urn:oid:")]
            numbers = [
                (c["code"]["coding"][0]["code"], c["valueQuantity"]["value"], c["valueQuantity"]["code"])
                for c in observation.get("component", ())
            ]
            assert numbers == [
                (m.what.code, pytest.approx(m.value, rel=1e-15), m.unit) for m in group.finding.measurements
            ]
            place = places[tracking]
            assert place["frameOfReferenceUid"] == FRAME_UID and place["seriesUid"] == SERIES_UID
            assert {"reference": f"urn:uuid:{place['id']}"} in observation["derivedFrom"]
            drawn = [
                (i["uid"], np.reshape(r["coordinate"], (-1, 3))) for i in place["instance"] for r in i["imageRegion3D"]
            ]
            theirs = of_report(group, grid)
            assert len(drawn) == len(theirs)
            for (image, points), (where, known) in zip(drawn, theirs, strict=True):
                assert where in (image, FRAME_UID)
                assert np.abs(points - known[: len(points)]).max() < 2e-3
                outlines += 1
    assert outlines > many


def test_a_selection_is_labelled_as_what_is_said_of_it_until_a_person_signs(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial))
    for made, label, agents in (
        (told(archive[0], result), "AIAST", 1),
        (told(archive[0], found(ball(axial), origin=result.origin), by="ito", digest="d" * 64), "AIAST", 1),
    ):
        (place,) = made["ImagingSelection"]
        assert [s["code"] for s in place["meta"]["security"]] == [label] and len(place["performer"]) == agents
        (provenance,) = made["Provenance"]
        assert {t["reference"] for t in provenance["target"]} == {
            f"urn:uuid:{made[kind][0]['id']}" for kind in ("Observation", "ImagingSelection")
        }
    person = Origin("person", "ito", parameters={"of": {"analysis": "a", "version": "1"}})
    decided = tuple(replace(f, verdict=Verdict.KEPT) for f in result.findings)
    kept = replace(result, origin=person, findings=decided, replaces=result.id)
    (place,) = told(archive[0], kept, by="ito", digest="d" * 64)["ImagingSelection"]
    assert [s["code"] for s in place["meta"]["security"]] == ["CLINAST_AIRPT"] and len(place["performer"]) == 2


def test_a_film_has_its_outlines_in_its_pixels_and_what_has_no_image_here_has_no_selection(axial: Geometry) -> None:
    study, _ = radiograph()
    (place,) = told(study, found(on_film(study), study=study.uid))["ImagingSelection"]
    (image,) = place["instance"]
    points = np.reshape(image["imageRegion2D"][0]["coordinate"], (-1, 2))
    assert points.min(axis=0).tolist() == [5.0, 10.0] and points.max(axis=0).tolist() == [12.0, 30.0]
    assert "ImagingSelection" not in told(study, found(ball(axial), study=study.uid))


def test_a_region_of_very_many_points_names_its_images_only(
    archive: Archive, axial: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fhir_selection, "MOST", 10)
    (place,) = told(archive[0], found(ball(axial)))["ImagingSelection"]
    assert len(place["instance"]) > 1 and all("imageRegion3D" not in one for one in place["instance"])


def test_r4_has_none_and_fhir_resources_reads_it(archive: Archive, axial: Geometry) -> None:
    whole = json.loads(fhir.bundle(archive[0], [], [found(ball(axial))], when=WHEN))
    assert "ImagingSelection" not in {e["resource"]["resourceType"] for e in whole["entry"]}
    module = pytest.importorskip("fhir.resources.imagingselection", reason="the extra `test` brings fhir.resources")
    observed = pytest.importorskip("fhir.resources.observation")
    study, _ = radiograph()
    for made in (told(archive[0], found(ball(axial))), told(study, found(on_film(study), study=study.uid))):
        module.ImagingSelection.model_validate(made["ImagingSelection"][0])
        observed.Observation.model_validate(made["Observation"][0])
