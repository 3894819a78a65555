"""Change of any segmentation: a walk from DICOM of two times, pairs by name and by place, and where it declines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.analysis.need import Dated
from isocenter.analysis.plan import earlier_of, plan
from isocenter.analysis.protocol import Answer
from isocenter.analysis.run import Request, run
from isocenter.catalogue.structure_change import CHANGE, DOUBLING, SHIFT, StructureChange
from isocenter.errors import Refused
from isocenter.record import Finding, Outcome, codes
from isocenter.site.folder import read_folder
from isocenter.site.loading import Loading
from isocenter.space import Geometry, Reference, Region, Volume
from isocenter.testing.phantoms import followed

GRID = Geometry.regular(shape=(30, 50, 50), spacing_mm=(2.0, 2.0, 2.0), frame_of_reference="2.25.7")
Drawn = tuple[tuple[float, float, float], float, str]
HERE, THERE = (30.0, 50.0, 36.0), (30.0, 50.0, 76.0)


def on(day: int, *balls: Drawn, grid: Geometry = GRID) -> Dated:
    place = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1) * grid.spacing_mm
    regions = tuple(Region(grid, mask=np.linalg.norm(place - c, axis=-1) <= r, label=label) for c, r, label in balls)
    return Dated(f"2.25.{100 + day}", date(2026, 1, 1) + timedelta(days=day), regions)


def ask(then: Dated, now: Dated, scans: tuple[Dated | None, Dated | None] = (None, None), **how: Any) -> Answer:
    return StructureChange().run(now, then, scans[1], scans[0], **how)


def value(finding: Finding, what: Any, unit: str) -> float:
    return next(m.value for m in finding.measurements if m.what == what and m.unit == unit)


def test_fractions_of_voxels_are_compared_by_their_sums() -> None:
    first, second = on(0, (HERE, 4, "a")), on(90, (HERE, 5, "a"))
    then, now = (
        replace(t, given=tuple(r.of_occupancy(ml) for r in t.regions)) for t, ml in ((first, 0.25), (second, 0.5))
    )
    (both,) = ask(then, now).findings
    assert value(both, CHANGE, "%") == pytest.approx(100)
    assert both.measurements[0].definition.startswith("sum of fractions (occupancy)")
    answer = ask(first, now)
    assert value(answer.findings[0], codes.VOLUME, "mL") == pytest.approx(second.regions[0].volume_ml)
    assert any("fractions of voxels at one time only" in r for r in answer.reasons)


def test_what_is_more_than_the_voxels_alone_and_less_than_a_border_off_by_half_of_one_may_be_real() -> None:
    (grown,) = ask(on(0, (HERE, 14, "a")), on(90, (HERE, 14.7, "a"))).findings
    assert "within the error of measurement" in grown.words
    said = grown.words.partition("though more than the voxels alone would move it (")[2]
    # 1.96 √2 · √(0.0667 · surface · h⁴), of a surface with the steps of voxels (8 % more than the ball's)
    surface = 1.08 * 4 * np.pi * 14.35**2
    assert said.endswith(" mL): it may be real.")
    assert float(said.split()[0]) == pytest.approx(1.96e-3 * np.sqrt(2 * 0.0667 * surface * 2.0**4), rel=0.02)
    (steady,) = ask(on(0, (HERE, 14, "a")), on(90, ((31.0, 51.0, 36.5), 14, "a"))).findings
    assert "within the error of measurement" in steady.words and "may be real" not in steady.words


def test_what_bears_one_tracking_uid_is_compared_whatever_its_name_and_place() -> None:
    first, second = on(0, (HERE, 9, "L1"), (THERE, 7, "L2")), on(90, ((30.0, 20.0, 36.0), 9, "L2"), (THERE, 7, "x"))
    first, second = (
        replace(t, given=tuple(replace(r, tracking=u) for r, u in zip(t.regions, ("2.25.1", "2.25.2"), strict=True)))
        for t in (first, second)
    )
    found = {f.words.split(":")[0]: f for f in ask(first, second).findings}
    assert set(found) == {"L2", "x"}
    assert value(found["L2"], CHANGE, "mL") == pytest.approx(0, abs=0.2)
    assert value(found["L2"], SHIFT, "mm") == pytest.approx(30, abs=0.5)


def test_a_folder_of_two_times_says_what_was_planted(tmp_path: Path) -> None:
    made = followed.patient()
    for number, data in enumerate(made.files):
        (tmp_path / f"{number}.dcm").write_bytes(data)
    analysis = StructureChange()
    with read_folder(tmp_path) as held:
        now = next(s for s in held.studies if s.uid == made.truth["study_uids"][1])
        earlier = earlier_of(now, held.studies)
        (binding,) = plan([analysis], now, earlier).bindings
        load = Loading(now, analysis.needs, binding.series, held, earlier)
        done = run(Request("structure_change", now.uid, load, datetime.now(UTC), digests=load.digests), analysis).result
    assert done.answer is Outcome.FOUND, done.reasons
    found = {f.words.split(":")[0]: f for f in done.findings}
    assert set(found) == set(made.truth["structures"])
    for name in ("growing", "shrinking", "steady"):
        truth = made.truth["structures"][name]
        assert value(found[name], codes.VOLUME, "mL") == pytest.approx(truth["now"], rel=0.05)
        assert value(found[name], CHANGE, "mL") == pytest.approx(truth["now"] - truth["then"], abs=0.15)
        assert value(found[name], CHANGE, "[hnsf'U]") == pytest.approx(0.0, abs=8.0)
    assert value(found["growing"], DOUBLING, "d") == pytest.approx(100.0, abs=5.0)
    assert value(found["shrinking"], DOUBLING, "d") < 0
    assert "within the error of measurement" in found["steady"].words
    assert not [m for m in found["steady"].measurements if m.what == DOUBLING]
    assert ", new." in found["new"].words and "not outlined now" in found["gone"].words
    assert done.curves[0].x == (0.0, 100.0)
    volume = next(m for m in found["growing"].measurements if m.what == codes.VOLUME)
    assert volume.smallest_change is not None and 0.1 < volume.smallest_change < 1.5


def test_without_names_place_decides_and_parts_are_counted_together() -> None:
    then = on(0, (HERE, 12.0, ""), (THERE, 8.0, ""))
    answer = ask(then, on(50, (THERE, 8.0, ""), ((30.0, 50.0, 31.0), 4.0, ""), ((30.0, 50.0, 42.0), 4.0, "")))
    words = [f.words for f in answer.findings]
    assert len(words) == 2
    assert any("1 then, 2 now" in w for w in words) and any("within the error" in w for w in words)


def test_small_volumes_are_said_to_three_figures() -> None:
    fine = Geometry.regular(shape=(20, 20, 20), spacing_mm=(0.5, 0.5, 0.5), frame_of_reference="2.25.7")
    ball = (5.0, 5.0, 5.0)
    (met,) = ask(on(0, (ball, 1.5, "met"), grid=fine), on(90, (ball, 2.5, "met"), grid=fine)).findings
    then, now = (on(0, (ball, r, "met"), grid=fine).regions[0].volume_ml for r in (1.5, 2.5))
    assert met.words.startswith(f"met: {now:#.3g} mL, was {then:#.3g} mL on") and then < 0.02 < now


def test_thick_slices_hide_a_part_of_a_long_axis_on_every_grid() -> None:
    """The smallest change was that of the voxels of a slice alone."""
    ball, least = (40.0, 40.0, 40.0), {}
    for name, spacing in (("axial", (5.0, 1.0, 1.0)), ("sagittal", (1.0, 1.0, 5.0))):
        shape = tuple(int(80 / mm) for mm in spacing)
        grid = Geometry.regular(shape=shape, spacing_mm=spacing, frame_of_reference="2.25.7")
        (node,) = ask(on(0, (ball, 5.0, "node"), grid=grid), on(90, (ball, 5.0, "node"), grid=grid)).findings
        long = next(m for m in node.measurements if m.what == codes.LONG_AXIS)
        assert long.smallest_change is not None
        hidden = long.value - np.sqrt(max(0.0, long.value**2 - max(spacing) ** 2))
        least[name] = long.smallest_change - hidden
        assert long.definition.startswith(f"RECIST 1.1, {name}")
    assert least["axial"] == pytest.approx(1.6, abs=0.01) and least["sagittal"] == pytest.approx(1.6, abs=0.01)


def test_the_same_name_twice_is_no_name() -> None:
    then = on(0, (HERE, 10.0, "node"), (THERE, 8.0, "node"))
    answer = ask(then, on(50, (THERE, 8.0, "node"), (HERE, 10.0, "node")))
    assert all("within the error" in f.words for f in answer.findings)
    assert [value(f, SHIFT, "mm") for f in answer.findings] == [0.0, 0.0]


def test_a_variation_of_ones_own_sets_the_smallest_change() -> None:
    then, now = on(0, (HERE, 10.0, "a")), on(50, (HERE, 12.5, "a"))
    (by_border,), (by_test,) = (ask(then, now, variation_percent=v).findings for v in (0.0, 40.0))
    assert "more than the smallest" in by_border.words and "within the error" in by_test.words
    assert "variation of 40 %" in by_test.measurements[0].definition
    with pytest.raises(Refused, match="between 0 and 100"):
        ask(then, now, variation_percent=100.0)


def test_values_are_compared_only_in_units_that_mean_the_same() -> None:
    then, now = on(0, (HERE, 10.0, "a")), on(50, (HERE, 10.0, "a"))

    def scans(unit: str) -> tuple[Dated, Dated]:
        one = [Volume(np.full(GRID.shape, v, np.float32), GRID, "attenuation", unit) for v in (40.0, 70.0)]
        return Dated(then.study_uid, then.day, one[0]), Dated(now.study_uid, now.day, one[1])

    (found,) = ask(then, now, scans("[hnsf'U]")).findings
    assert value(found, CHANGE, "[hnsf'U]") == pytest.approx(30.0)
    for unit in ("{arbitrary}", "Bq/mL"):
        assert not [m for m in ask(then, now, scans(unit)).findings[0].measurements if m.what == codes.MEAN]


def test_an_outline_without_its_empty_slices_has_the_same_values_and_is_the_same_outline() -> None:
    """As a Segmentation comes: cropped to the slices that have voxels."""
    then, now = on(0, (HERE, 10.0, "a")), on(50, (HERE, 10.0, "a"))
    (whole,) = now.regions
    (low, *_), (high, *_) = whole.bounds
    cut = Region(GRID.cropped((low, 0, 0), (high, 50, 50)), mask=whole.mask[low:high], label="a")
    scans = [Volume(np.full(GRID.shape, v, np.float32), GRID, "attenuation", "[hnsf'U]") for v in (40.0, 70.0)]
    dated = tuple(Dated(d.study_uid, d.day, v) for d, v in zip((then, now), scans, strict=True))
    (found,) = ask(then, replace(now, given=(whole, cut)), dated).findings
    assert value(found, CHANGE, "[hnsf'U]") == pytest.approx(30.0)
    (found,) = ask(then, replace(now, given=(cut,)), dated).findings
    assert value(found, CHANGE, "[hnsf'U]") == pytest.approx(30.0)


def test_a_structure_that_was_outlined_on_two_phases_counts_once() -> None:
    """Their volumes were added: a nodule that had grown by 95 % had changed by -2 %."""
    (portal,), (late,) = on(0, (HERE, 10.0, "a")).regions, on(0, ((30.0, 50.0, 46.0), 10.0, "a")).regions
    then = replace(on(0, (HERE, 10.0, "a")), given=(replace(late, series_uid="1.2"), replace(portal, series_uid="1.3")))
    now = on(50, (HERE, 12.5, "a"))
    scan = Dated(then.study_uid, then.day, Volume(np.zeros(GRID.shape, np.float32), GRID, series_uid="1.3"))
    answer = ask(then, now, (scan, None))
    (found,) = answer.findings
    assert value(found, CHANGE, "%") == pytest.approx(95.0, abs=4.0) and value(found, SHIFT, "mm") < 0.1
    assert any("1 outline of 2026-01-01 on another series" in told for told in answer.reasons)
    far = replace(then, given=(*then.regions, replace(on(0, (THERE, 8.0, "b")).regions[0], series_uid="1.2")))
    assert sum("not outlined now" in f.words for f in ask(far, now, (scan, None)).findings) == 1  # b is not a's twin


def test_lesions_that_were_numbered_anew_are_paired_by_place() -> None:
    then = on(0, (HERE, 10.0, "lesion 1"), (THERE, 6.0, "lesion 2"))
    answer = ask(then, on(50, (THERE, 6.0, "lesion 1"), (HERE, 10.0, "lesion 2")))
    assert all("within the error" in f.words for f in answer.findings) and len(answer.findings) == 2
    assert any("'lesion 1', 'lesion 2': now where another structure was" in told for told in answer.reasons)
    moved = ask(on(0, (HERE, 10.0, "stone")), on(50, (THERE, 10.0, "stone")))  # nothing else was there: it moved
    assert value(moved.findings[0], SHIFT, "mm") == pytest.approx(40.0)


def test_a_structure_that_the_images_cut_has_no_change() -> None:
    then, now = on(0, (HERE, 20.0, "liver")), on(50, (HERE, 20.0, "liver"))
    short = GRID.cropped((0, 0, 0), (15, 50, 50))
    mask = np.asarray(now.regions[0].mask)[:15]
    now = replace(now, given=(Region(short, mask=mask, label="liver"),))
    scan = Dated(now.study_uid, now.day, Volume(np.zeros(short.shape, np.float32), short))
    (found,) = ask(then, now, (None, scan)).findings
    assert "reaches the edge of the images of 2026-02-20" in found.words
    assert [m.what for m in found.measurements] == [codes.VOLUME]


def test_coarser_voxels_are_told() -> None:
    thick = Geometry.regular(shape=(12, 50, 50), spacing_mm=(5.0, 2.0, 2.0), frame_of_reference="2.25.7")
    answer = ask(on(0, (HERE, 10.0, "a")), on(50, (HERE, 10.0, "a"), grid=thick))
    assert any("voxels of 2 mm then and 5 mm now" in r for r in answer.reasons)


def test_contrast_at_one_time_only_is_told() -> None:
    then, now = on(0, (HERE, 10.0, "a")), on(50, (HERE, 10.0, "a"))
    plain = Volume(np.full(GRID.shape, 40.0, np.float32), GRID, "attenuation", "[hnsf'U]")
    scans = (
        Dated(then.study_uid, then.day, plain),
        Dated(now.study_uid, now.day, replace(plain, facts={"ContrastBolusAgent": "Iohexol"})),
    )
    assert any("contrast was given now alone" in r for r in ask(then, now, scans).reasons)
    assert not any("contrast" in r for r in ask(then, now, (scans[0], replace(scans[1], given=plain))).reasons)
    phases = tuple(
        replace(one, given=replace(plain, facts={"ContrastBolusAgent": "Iohexol", "SeriesDescription": words}))
        for one, words in zip(scans, ("Liver arterial", "Liver portal venous"), strict=True)
    )
    assert any("arterial phase then and portal venous phase now" in r for r in ask(then, now, phases).reasons)
    assert not any(
        "phase" in r
        for r in ask(then, now, (phases[0], replace(phases[0], study_uid=now.study_uid, day=now.day))).reasons
    )


def test_names_pair_without_a_common_space_and_say_so() -> None:
    other = replace(GRID, frame_of_reference="2.25.8")
    answer = ask(on(0, (HERE, 10.0, "liver"), grid=other), on(50, (HERE, 10.0, "liver")))
    assert any("paired by code and name alone" in r for r in answer.reasons)
    assert not [m for m in answer.findings[0].measurements if m.what == SHIFT]


@pytest.mark.parametrize(
    ("then", "how", "words"),
    [
        (on(0, (HERE, 10.0, "b"), grid=replace(GRID, frame_of_reference="2.25.8")), {}, "no images are here"),
        (on(0), {}, "no lesion with voxels"),
        (on(0, (HERE, 10.0, "a")), {"named": "kidney"}, "no structure named 'kidney'"),
        (
            on(0, (HERE, 10.0, "a"), grid=Geometry.regular(shape=GRID.shape, reference=Reference.PIXEL)),
            {},
            "sizes need millimetres",
        ),
    ],
)
def test_it_declines_where_it_must(then: Dated, how: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        ask(then, on(50, (HERE, 10.0, "a")), **how)


def test_slices_that_lie_tilted_in_the_body_are_told() -> None:
    """An ellipsoid is longer in one cut than in another, though nothing grew."""

    def tilted(degrees: float) -> Dated:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        affine = np.eye(4)
        affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ GRID.affine[:3, :3]
        return on(90, (HERE, 12, "a"), grid=Geometry(affine, GRID.shape, "2.25.7"))

    assert not any("tilted" in r for r in ask(on(0, (HERE, 12, "a")), tilted(8.0)).reasons)
    said = ask(on(0, (HERE, 12, "a")), tilted(20.0)).reasons
    assert any(
        "of 2026-01-01 are measured lies tilted by 20 degrees in the body against that of 2026-04-01" in r for r in said
    )
