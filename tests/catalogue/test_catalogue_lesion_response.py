"""Response from outlines: planted changes, registration between days, a walk from DICOM, and where it must decline."""

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
from isocenter.catalogue.lesion_response import (
    BEST,
    CURRENT,
    DOUBLING,
    FROM_BASELINE,
    FROM_NADIR,
    NEW,
    SUM,
    LesionResponse,
    _ball,
)
from isocenter.errors import Refused
from isocenter.record import Finding, Outcome, codes
from isocenter.site.folder import read_folder
from isocenter.site.loading import Loading
from isocenter.space import Geometry, Reference, Region, Volume
from isocenter.space.outline import filled
from isocenter.testing.phantoms import Person, pet_ct
from isocenter.testing.phantoms.pet_ct import Ball

GRID = Geometry.regular(shape=(50, 70, 70), spacing_mm=(2.0, 2.0, 2.0), frame_of_reference="2.25.7")
Drawn = tuple[tuple[float, float, float], float, str]
LIVER, LUNG, NODE = (30.0, 60.0, 40.0), (80.0, 60.0, 90.0), (60.0, 110.0, 110.0)


def on(day: int, *balls: Drawn, grid: Geometry = GRID) -> Dated:
    regions = tuple(Region(grid, mask=_ball(grid, c, r), label=label) for c, r, label in balls)
    return Dated(f"2.25.{100 + day}", date(2026, 1, 1) + timedelta(days=day), regions)


def ask(*times: Dated, **how: Any) -> Answer:
    return LesionResponse().run(times[-1], times[:-1], None, None, **how)


def the(answer: Answer, what: Any) -> Finding:
    (found,) = [f for f in answer.findings if f.what == what]
    return found


def value(finding: Finding, what: Any) -> float:
    return next(m.value for m in finding.measurements if m.what == what)


def test_sums_and_changes_are_those_that_were_planted() -> None:
    answer = ask(on(0, (LIVER, 20, "liver"), (LUNG, 15, "lung")), on(60, (LIVER, 12, "liver"), (LUNG, 9, "lung")))
    now = the(answer, CURRENT)
    assert now.words.startswith("RECIST 1.1: PR") and "Targets PR (RECIST 1.1 4.3.1, partial response)" in now.words
    assert value(now, SUM) == pytest.approx(2 * (12 + 9), abs=4.0)
    assert value(now, FROM_BASELINE) == pytest.approx(-40, abs=4)
    assert value(now, NEW) == 0
    assert the(answer, BEST).words.startswith("Best overall response SD")  # not yet confirmed
    first = next(f for f in answer.findings if f.where is not None and f.where.label == "liver")
    assert value(first, codes.VOLUME) == pytest.approx(4 / 3 * np.pi * 1.2**3, rel=0.05)
    halving = next(m.value for m in first.measurements if m.unit == "d")
    assert halving == pytest.approx(60 * np.log(2) / np.log((12 / 20) ** 3), rel=0.03)
    assert answer.curves[0].x == (0.0, 60.0)
    assert answer.curves[0].y["sum of targets"][1] == pytest.approx(value(now, SUM))


def test_a_lesion_keeps_its_identity_whichever_study_is_asked() -> None:
    first = on(0, (LIVER, 20, "liver"), (LUNG, 15, "lung"))
    second, third = on(60, (LUNG, 14, "lung"), (LIVER, 16, "liver")), on(120, (LIVER, 15, "liver"), (LUNG, 14, "lung"))
    seen = [
        {f.where.label: f.tracking for f in ask(*times).findings if f.where is not None}
        for times in ((first, second), (first, second, third))
    ]
    assert seen[0] == seen[1]
    assert len(set(seen[0].values())) == 2


def test_a_new_lesion_is_progression_and_a_confirmed_response_stays_the_best() -> None:
    both = [(LIVER, 12, "liver"), (LUNG, 9, "lung")]
    times = [on(0, (LIVER, 20, "liver"), (LUNG, 15, "lung")), on(60, *both), on(100, *both)]
    assert "Best overall response PR" in the(ask(*times), BEST).words
    answer = ask(*times, on(160, *both, ((60.0, 30.0, 110.0), 7, "bone")))
    assert "PD" in the(answer, CURRENT).words and "a new lesion" in the(answer, CURRENT).words
    assert value(the(answer, CURRENT), NEW) == 1
    assert "Best overall response PR" in the(answer, BEST).words
    assert any("a new lesion." in f.words for f in answer.findings if f.where is not None)
    immune = ask(*times, on(160, *both, ((60.0, 30.0, 110.0), 7, "bone")), criteria="iRECIST")
    assert "iUPD" in the(immune, CURRENT).words


def test_nodes_count_by_their_short_axis_and_are_gone_below_ten() -> None:
    first = on(0, (NODE, 10, "lymph node 1"), (LIVER, 15, "liver"))
    answer = ask(first, on(60, (NODE, 3, "lymph node 1")))
    assert "CR" in the(answer, CURRENT).words
    assert value(the(answer, CURRENT), SUM) == pytest.approx(6, abs=2.5)
    assert any("not outlined now and counts as gone" in r for r in answer.reasons)


def test_small_lesions_are_no_targets_and_named_ones_are() -> None:
    first = on(0, (LIVER, 15, "liver"), (LUNG, 3, "lung"))
    answer = ask(first, on(60, (LIVER, 15, "liver"), (LUNG, 3, "lung")))
    assert "non-targets non-CR/non-PD" in the(answer, CURRENT).words
    named = ask(first, on(60, (LIVER, 15, "liver"), (LUNG, 8, "lung")), targets="lung")
    assert "PD" in the(named, CURRENT).words
    with pytest.raises(Refused, match="has liver, lung"):
        ask(first, first, targets="kidney")


def test_labels_without_an_organ_leave_no_target_out() -> None:
    places = ((LIVER, 14), (LUNG, 12), (NODE, 10))
    plain = [on(d, *((p, r, f"Lesion {n}") for n, (p, r) in enumerate(places, 1))) for d in (0, 60)]
    answer = ask(*plain)
    assert value(the(answer, CURRENT), SUM) == pytest.approx(2 * (14 + 12 + 10), abs=6.0)
    assert any(r.startswith("WARNING: Lesion 1, Lesion 2, Lesion 3 name no organ") for r in answer.reasons)
    liver = [on(d, *((p, r, f"liver {n}") for n, (p, r) in enumerate(places, 1))) for d in (0, 60)]
    assert value(the(ask(*liver), CURRENT), SUM) == pytest.approx(2 * (14 + 12), abs=5.0)
    named = ask(*plain, targets="Lesion 1")
    assert value(the(named, CURRENT), SUM) == pytest.approx(28, abs=3.0)
    assert not any("name no organ" in r for r in named.reasons)


def test_mrecist_asks_no_five_millimetres() -> None:
    first, later = on(0, (LIVER, 7, "liver")), on(60, (LIVER, 8.5, "liver"))
    assert "PD" not in the(ask(first, later), CURRENT).words
    viable = the(ask(first, later, criteria="mRECIST"), CURRENT).words
    assert "PD (mRECIST table 1)" in viable and "RECIST 1.1" not in viable


def test_an_outline_that_comes_twice_counts_once() -> None:
    first = on(0, (LIVER, 20, "liver"), (LIVER, 20, "Liver (RTSTRUCT)"))
    assert len([f for f in ask(first, on(60, (LIVER, 20, "liver"))).findings if f.where is not None]) == 1


def test_two_readers_outlines_of_one_lesion_are_no_two_lesions() -> None:
    """They were: a partial response, or progression, of a lesion that is as it was."""
    mine, theirs = (LIVER, 20.0, "liver"), ((31.0, 62.0, 42.0), 19.0, "liver, reader B")
    assert the(ask(on(0, mine), on(60, mine)), CURRENT).words.startswith("RECIST 1.1: SD")
    for times in ((on(0, mine, theirs), on(60, mine)), (on(0, mine), on(60, mine, theirs))):
        with pytest.raises(Refused, match=r"'liver' and 'liver, reader B' of .* holds 94% of the other"):
            ask(*times)
    beside = ((30.0, 60.0, 78.0), 18.0, "liver 2")  # touches it
    assert value(the(ask(on(0, mine, beside), on(60, mine, beside)), CURRENT), NEW) == 0
    answer = ask(on(0, mine, (LIVER, 26.0, "PTV liver")), on(60, mine))
    assert value(the(answer, CURRENT), SUM) == pytest.approx(40, abs=1)
    assert "PTV liver of 2026-01-01 left out: a margin about a lesion is none" in answer.reasons


def test_a_cyst_is_no_lesion_and_what_was_irradiated_no_target() -> None:
    times = [
        on(d, (LIVER, r, "liver"), (LUNG, 15, "liver cyst"), (NODE, 18, "irradiated mass"))
        for d, r in ((0, 20), (60, 12))
    ]
    answer = ask(*times)
    assert any("liver cyst of 2026-01-01 left out: a simple cyst is no malignant lesion" in r for r in answer.reasons)
    assert value(the(answer, CURRENT), SUM) == pytest.approx(24, abs=2.1)  # the liver's alone
    assert "PR" in the(answer, CURRENT).words
    named = ask(*times, targets="liver, irradiated mass")  # it has grown since: a person says so
    assert value(the(named, CURRENT), SUM) == pytest.approx(60, abs=4.1)


def test_what_planning_draws_beside_a_tumour_is_no_lesion() -> None:
    couch = Region.of_unplaced(np.zeros((3, 3)), Refused("its contours lie outside", "it"), frame="", label="CouchTop")
    times = []
    for day, radius in ((0, 10.0), (60, 14.0)):
        visit = on(
            day, (LIVER, radius, "GTV"), (LIVER, 24.0, "PTV"), (LUNG, 20.0, "Heart"), ((50, 70, 70), 48.0, "BODY")
        )
        times.append(replace(visit, given=(*visit.regions, couch)))
    answer = ask(*times)
    assert the(answer, CURRENT).words.startswith("RECIST 1.1: PD")
    assert value(the(answer, CURRENT), SUM) == pytest.approx(28, abs=2.1)
    told = "\n".join(answer.reasons)
    assert "Heart of 2026-01-01 left out: beside a GTV" in told and "'CouchTop' of 2026-03-02 left out" in told
    assert "BODY of 2026-03-02 left out: it is the body" in told
    only = ask(
        on(0, (LIVER, 20.0, "body"), (LUNG, 20.0, "Heart")), on(60, (LIVER, 20.0, "body"), (LUNG, 20.0, "Heart"))
    )
    assert value(the(only, CURRENT), SUM) == pytest.approx(40, abs=2.1)  # no planning: a lesion of the heart
    lost = Region.of_unplaced(np.zeros((3, 3)), Refused("its contours lie outside", "it"), frame="", label="liver 2")
    with pytest.raises(Refused, match="its contours lie outside"):
        ask(times[0], replace(times[1], given=(*times[1].regions[:-1], lost)))


def test_a_core_within_a_lesion_is_told() -> None:
    times = [on(day, (LIVER, 20, "tumour"), (LIVER, 9, "necrosis"), (LUNG, 9, "lung")) for day in (0, 60)]
    told = [r for r in ask(*times).reasons if "lies within" in r]
    assert [r.split(":")[1] for r in told] == [
        f" 'necrosis' of {day} lies within 'tumour' and both count" for day in ("2026-01-01", "2026-03-02")
    ]


def test_fractions_of_voxels_are_told() -> None:
    times = [on(0, (LIVER, 20, "liver")), on(60, (LIVER, 12, "liver"))]
    times = [replace(t, given=tuple(r.of_occupancy(33.3) for r in t.regions)) for t in times]
    assert any("'liver' of 2026-01-01 is given as fractions of voxels" in r for r in ask(*times).reasons)


def test_a_tracking_uid_says_which_lesion_it_is_beyond_reach() -> None:
    """It was progression by a new lesion, and a target that was gone."""
    far = (LUNG[0], LUNG[1] - 28.0, LUNG[2])
    first, second = on(0, (LIVER, 20, "a"), (LUNG, 9, "b")), on(60, (far, 9, "c"), (LIVER, 20, "d"))
    assert the(ask(first, second), CURRENT).words.startswith("RECIST 1.1: PD")
    first, second = (
        replace(t, given=tuple(replace(r, tracking=u) for r, u in zip(t.regions, uids, strict=True)))
        for t, uids in ((first, ("2.25.1", "2.25.2")), (second, ("2.25.2", "2.25.1")))
    )
    answer = ask(first, second)
    assert the(answer, CURRENT).words.startswith("RECIST 1.1: SD")
    assert "'c' of 2026-03-02 lies 28 mm from where it was: known by its Tracking UID" in answer.reasons


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (on(0), on(60, (LIVER, 20, "liver")), "no lesion with voxels"),
        (on(0, (LIVER, 20, "liver")), on(60), "no lesion with voxels"),
        (
            on(0, (LIVER, 20, "liver"), grid=replace(GRID, frame_of_reference="2.25.8")),
            on(60, (LIVER, 20, "liver")),
            "no images are here to register",
        ),
        (
            on(0, (LIVER, 20, "liver"), grid=Geometry.regular(shape=GRID.shape, reference=Reference.PIXEL)),
            on(60, (LIVER, 20, "liver")),
            "sizes need millimetres",
        ),
    ],
)
def test_it_declines_where_it_must(before: Dated, now: Dated, words: str) -> None:
    with pytest.raises(Refused, match=words):
        ask(before, now)


def test_a_registration_that_fails_is_no_basis() -> None:
    rng = np.random.default_rng(1)
    small = Geometry.regular(shape=(20, 30, 30), spacing_mm=(4.0, 4.0, 4.0), frame_of_reference="2.25.7")
    other = replace(small, frame_of_reference="2.25.8")
    noise = [Volume(rng.normal(size=small.shape).astype(np.float32), g) for g in (other, small)]
    first, now = on(0, (LIVER, 12, "liver"), grid=other), on(60, (LIVER, 12, "liver"), grid=small)
    with pytest.raises(Refused, match="nothing in common"):
        LesionResponse().run(now, (first,), noise[1], (Dated(first.study_uid, first.day, noise[0]),))


@pytest.mark.nightly
def test_a_folder_of_two_studies_gives_a_response(tmp_path: Path) -> None:
    """Two CTs with structure sets, each in a frame of reference of its own: registered by the CTs."""
    who = Person("P1", "PHANTOM^TWICE", "F", "19610214", 1.66, 68.0)
    balls = (Ball("liver 1", (-62.0, -8.0, 62.0), 26.0, 9.0), Ball("pelvis", (-58.0, -12.0, -62.0), 34.0, 11.0))
    smaller = tuple(replace(b, diameter_mm=0.55 * b.diameter_mm) for b in balls)
    for seed, some, at in ((1, balls, datetime(2026, 1, 5, 9, 0)), (2, smaller, datetime(2026, 3, 2, 9, 0))):
        files = pet_ct.patient(seed=seed, balls=some, person=who, at=at).files
        for number, data in enumerate([*files[:60], files[-1]]):  # the CT and the structure set
            (tmp_path / f"{seed}-{number}.dcm").write_bytes(data)
    analysis = LesionResponse()
    with read_folder(tmp_path) as held:
        now = next(s for s in held.studies if s.date == date(2026, 3, 2))
        earlier = earlier_of(now, held.studies)
        (binding,) = plan([analysis], now, earlier).bindings
        load = Loading(now, analysis.needs, binding.series, held, earlier)
        done = run(Request("lesion_response", now.uid, load, datetime.now(UTC), digests=load.digests), analysis).result
        (first,) = (s for s in held.studies if s is not now)
        (declined,) = plan([analysis], first, earlier_of(first, held.studies)).declined
    assert "no earlier study of this patient is here" in declined.sentences()[0]
    assert done.answer is Outcome.FOUND, done.reasons
    assert "PR" in next(f.words for f in done.findings if f.what == CURRENT)
    assert any("was registered to 2026-03-02 rigidly" in r for r in done.reasons)
    sizes = [m.value for f in done.findings for m in f.measurements if m.what == codes.LONG_AXIS]
    assert sorted(sizes) == pytest.approx([0.55 * 26, 0.55 * 34], abs=3.5)


def test_what_was_not_evaluated_is_not_gone() -> None:
    first, now = on(0, (LIVER, 20, "liver"), (LUNG, 15, "lung")), on(60, (LIVER, 20, "liver"))
    assert "PR" in the(ask(first, now), CURRENT).words
    told = ask(first, now, not_evaluated="lung")
    assert "NE" in the(told, CURRENT).words
    assert any("lesion 2 is not evaluated now, as named" in r for r in told.reasons)
    assert not any("counts as gone" in r for r in told.reasons)
    with pytest.raises(Refused, match="has liver, lung"):
        ask(first, now, not_evaluated="spleen")


def test_a_sum_without_one_of_its_targets_is_none() -> None:
    both = [(LIVER, 15, "liver"), (LUNG, 15, "lung")]
    first, half, whole = on(0, *both), on(60, both[0]), on(120, *both)
    unseen = ask(first, half, not_evaluated="lung")
    assert {m.what for m in the(unseen, CURRENT).measurements} == {NEW}
    assert any("no sum of the targets" in r for r in unseen.reasons)
    scan = Volume(np.zeros(GRID.shape, np.float32), GRID)
    cut = scan.cropped((0, 0, 0), (30, 70, 70))  # without the lung's lesion, at 80 mm
    after = LesionResponse().run(whole, (first, half), scan, (Dated(half.study_uid, half.day, cut),))
    assert value(the(after, CURRENT), FROM_NADIR) == pytest.approx(0.0, abs=1e-9)
    assert "sum of targets" not in after.curves[0].y


def test_what_a_person_said_of_non_targets_at_an_earlier_study_is_held() -> None:
    """Until version 14 a progression that a person had seen was forgotten at the next study: PR was the best again."""
    small = (NODE, 4, "bone")
    times = [on(day, (LIVER, r, "liver"), small) for day, r in ((0, 20), (60, 12), (120, 12), (180, 12))]
    assert the(ask(*times), BEST).words.startswith("Best overall response PR")
    said = ask(*times, non_targets_before="PD on 2026-03-02, non-cr/non-pd on 2026-05-01")
    assert the(said, BEST).words.startswith("Best overall response PD")
    assert "progression on day 60" in the(said, BEST).words
    for words, why in (("PD on 2026-03-03", "no study with outlines after the baseline is of 2026-03-03"),
                       ("bad on 2026-03-02", "they are CR, non-CR/non-PD, PD, NE"),
                       ("PD", "is the study of now")):  # fmt: skip
        with pytest.raises(Refused, match=why):
            ask(*times, non_targets_before=words)


def test_what_an_earlier_scan_could_not_show_makes_no_nadir() -> None:
    """Until version 13 only this scan's could be named: a lesion that came out again was a progression of +100 %."""
    both = [(LIVER, 15, "liver"), (LUNG, 15, "lung")]
    times = on(0, *both), on(60, both[0]), on(120, *both)
    told = ask(*times)
    assert "PD" in the(told, CURRENT).words
    assert any("was not on 2026-03-02" in r and "not_evaluated='lung on 2026-03-02'" in r for r in told.reasons)
    said = ask(*times, not_evaluated="lung on 2026-03-02")
    assert "SD" in the(said, CURRENT).words and value(the(said, CURRENT), FROM_NADIR) == pytest.approx(0.0, abs=1e-9)
    assert not any("not on 2026-03-02" in r for r in said.reasons)
    with pytest.raises(Refused, match="no study with outlines after the baseline is of 2026-03-03"):
        ask(*times, not_evaluated="lung on 2026-03-03")


def test_nodes_below_ten_millimetres_are_no_lesions() -> None:
    liver = (LIVER, 15, "liver")
    left = ask(on(0, liver, (NODE, 6, "lymph node 1")), on(60, (NODE, 3, "lymph node 1")))
    assert "targets CR, non-targets CR" in the(left, CURRENT).words
    assert any("lesion 2 is a normal node now" in r for r in left.reasons)
    new = ask(on(0, liver), on(60, liver, (NODE, 3.5, "lymph node 1")))
    assert "SD" in the(new, CURRENT).words and value(the(new, CURRENT), NEW) == 0
    assert any("a node of normal size, which is no new lesion" in f.words for f in new.findings)
    later = ask(on(0, liver), on(60, liver, (NODE, 3.5, "lymph node 1")), on(120, liver, (NODE, 7, "lymph node 1")))
    assert "PD" in the(later, CURRENT).words and value(the(later, CURRENT), NEW) == 1
    was = ask(on(0, liver, (NODE, 3, "lymph node 1")), on(60, (NODE, 3, "lymph node 1")))
    assert "targets CR, non-targets none" in the(was, CURRENT).words
    assert any("lesion 2 was a normal node at baseline" in r for r in was.reasons)
    grown = ask(on(0, liver, (NODE, 3, "lymph node 1")), on(60, liver, (NODE, 7, "lymph node 1")))
    assert "SD" in the(grown, CURRENT).words
    assert any(r.startswith("WARNING: lesion 2 was a normal node") for r in grown.reasons)


def test_a_lesion_outside_the_images_of_now_is_not_evaluated() -> None:
    first = on(0, (LIVER, 20, "liver"), (LUNG, 15, "lung"), (NODE, 4, "bone"))
    now, again = on(60, (LIVER, 20, "liver")), on(120, (LIVER, 20, "liver"), (LUNG, 15, "lung"), (NODE, 4, "bone"))
    whole = Volume(np.zeros(GRID.shape, np.float32), GRID)
    short = whole.cropped((0, 0, 0), (30, 70, 70))  # the lung's lesion lies at 80 mm, the bone's at 60

    def told(image: Volume) -> Answer:
        return LesionResponse().run(now, (first,), image, None)

    assert "PR" in the(told(whole), CURRENT).words
    cut = told(short)
    assert "NE" in the(cut, CURRENT).words
    assert any("lesion 2, 3 lies outside the images" in r for r in cut.reasons), cut.reasons
    assert not any("counts as gone" in r for r in cut.reasons)
    between = LesionResponse().run(again, (first, now), whole, (Dated(now.study_uid, now.day, short),))
    assert "SD" in the(between, CURRENT).words and "SD" in the(between, BEST).words  # no response in between


def test_a_lesion_that_was_outlined_on_two_phases_counts_once() -> None:
    """The phase that was left out now counted as gone: stable disease was a partial response."""
    first, now = on(0, (LIVER, 20, "liver")), on(60, (LIVER, 20, "liver"))
    (arterial,) = on(0, ((LIVER[0], LIVER[1] + 12.0, LIVER[2]), 20, "liver")).regions
    (portal,) = first.regions
    both = replace(first, given=(replace(arterial, series_uid="1.2"), replace(portal, series_uid="1.3")))
    scan = Dated(first.study_uid, first.day, Volume(np.zeros(GRID.shape, np.float32), GRID, series_uid="1.3"))
    answer = LesionResponse().run(now, (both,), None, (scan,))
    assert "SD" in the(answer, CURRENT).words and "+0.0%" in the(answer, CURRENT).words
    assert any("left out: each structure counts once" in told for told in answer.reasons)
    elsewhere = replace(arterial, series_uid="1.2", geometry=replace(GRID, frame_of_reference="2.25.8"))
    answer = LesionResponse().run(now, (replace(both, given=(*both.regions[1:], elsewhere)),), None, (scan,))
    assert any("another frame of reference" in told for told in answer.reasons)


def test_a_non_target_that_has_grown_into_a_target_is_not_gone() -> None:
    z, y, x = LIVER
    first = on(0, ((z, y - 8.0, x), 14, "liver"), ((z, y + 12.0, x), 3, "liver"))
    answer = LesionResponse().run(on(60, ((z, y, x), 16, "liver")), (first,), None, None)
    assert "non-targets non-CR/non-PD" in the(answer, CURRENT).words
    assert "grown together" in answer.findings[0].words


def test_a_lesion_at_the_edge_of_the_images_is_told() -> None:
    first, now = on(0, (LIVER, 20, "liver")), on(60, (LIVER, 20, "liver"))
    short = Volume(np.zeros(GRID.shape, np.float32), GRID).cropped((0, 0, 0), (int(LIVER[0] // 2), 70, 70))
    assert any(
        "may be larger than its outline" in told for told in LesionResponse().run(now, (first,), short, None).reasons
    )


@pytest.mark.parametrize(
    ("began", "words"),
    [("2026-02-10", "40 days before treatment began"), ("2025-12-20", "12 days after treatment"), ("soon", "no day")],
)
def test_a_baseline_that_is_too_old_or_too_late(began: str, words: str) -> None:
    first, now = on(0, (LIVER, 20, "liver")), on(60, (LIVER, 12, "liver"))
    assert "PR" in the(ask(first, now, therapy_began="2026-01-20"), CURRENT).words
    with pytest.raises(Refused, match=words):
        ask(first, now, therapy_began=began)


def test_the_curve_draws_no_lesion_as_gone_that_is_there_or_was_not_seen() -> None:
    """Until version 18 a lesion that had grown into another, or lay outside a scan, fell to 0 mm in the picture."""
    both = [(LIVER, 15, "liver"), (LUNG, 12, "lung")]
    unseen = ask(on(0, *both), on(60, both[0]), on(120, *both), not_evaluated="lung on 2026-03-02").curves[0]
    assert set(unseen.y) == {"lesion 1"}
    near = ((30.0, 60.0, 64.0), 8, "liver 2")
    joined = ((30.0, 60.0, 48.0), 22, "liver 1")
    curve = ask(on(0, (LIVER, 12, "liver 1"), near), on(60, joined)).curves[0]
    assert curve.y["lesion 2"][1] == curve.y["lesion 1"][1] == pytest.approx(44, abs=4)
    gone = ask(on(0, *both), on(60, both[0])).curves[0]
    assert gone.y["lesion 2"][1] == 0.0


def test_the_last_study_before_treatment_is_the_baseline() -> None:
    """Until version 17 outlines of an earlier line of treatment were the baseline, and refused as too old."""
    old, first, now = (on(d, (LIVER, r, "liver")) for d, r in ((0, 10.0), (100, 20.0), (160, 12.0)))
    answer = ask(old, first, now, therapy_began="2026-04-20")
    assert the(answer, CURRENT).words.startswith("RECIST 1.1: PR")
    assert value(the(answer, CURRENT), FROM_BASELINE) == pytest.approx(-40, abs=4)
    assert answer.curves[0].x == (0.0, 60.0)
    assert any("outlines of 2026-01-01 left out" in r for r in answer.reasons)
    assert any("baseline is 2026-04-11, the last study with outlines before treatment" in r for r in answer.reasons)
    with pytest.raises(Refused, match="29 days before treatment"):
        ask(old, first, now, therapy_began="2026-05-10")


def test_scans_made_otherwise_are_told() -> None:
    first, now = on(0, (LIVER, 20, "liver")), on(60, (LIVER, 12, "liver"))
    empty = np.zeros(GRID.shape, np.float32)
    thin = Volume(empty, GRID, "attenuation", "[hnsf'U]", facts={"SliceThickness": 1.0})
    thick = Volume(
        empty, GRID, "attenuation", "[hnsf'U]", facts={"SliceThickness": 5.0, "ContrastBolusAgent": "Iohexol"}
    )
    said = LesionResponse().run(now, (first,), thick, (Dated(first.study_uid, first.day, thin),)).reasons
    assert any("slices of 1 mm at baseline and 5 mm now" in r for r in said)
    assert any("contrast was given now only" in r for r in said)


def boxes(day: int, *drawn: Drawn) -> Dated:
    """Lesions that are so many millimetres long from left to right, and not more than 20 mm wide and high."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij"), axis=-1) * GRID.spacing_mm
    regions = tuple(
        Region(
            GRID, mask=(np.abs(index - np.array(c)) < (10.0, min(10.0, long / 2), long / 2)).all(axis=-1), label=label
        )
        for c, long, label in drawn
    )
    return Dated(f"2.25.{500 + day}", date(2026, 1, 1) + timedelta(days=day), regions)


def test_a_target_that_has_grown_into_a_larger_lesion_is_not_gone() -> None:
    """Until version 12 its diameter left the sum: a target of 22 mm was a complete response."""
    first = boxes(0, ((50, 60, 30), 20, "liver 1"), ((50, 60, 70), 40, "liver 2"))
    now = boxes(60, ((50, 60, 55), 70, "liver 2"))
    answer = ask(first, now, targets="liver 1")
    whole = next(m.value for f in answer.findings if f.where is not None for m in f.measurements if m.unit == "mm")
    assert value(the(answer, CURRENT), SUM) == pytest.approx(whole, abs=0.05) and whole > 60
    assert "PD" in the(answer, CURRENT).words and "liver 2), target" in answer.findings[0].words
    assert any(r.startswith("WARNING: target lesion 1 has grown together with lesion 2") for r in answer.reasons)
    # So it is where the one that took it up is a new one, which stays new.
    before = boxes(60, ((50, 60, 30), 20, "liver 1"), ((50, 60, 70), 40, "liver 2"))
    answer = ask(boxes(0, ((50, 60, 30), 20, "liver 1")), before, boxes(120, ((50, 60, 55), 70, "liver 2")))
    assert "Targets PD" in the(answer, CURRENT).words and value(the(answer, CURRENT), NEW) == 1
    # And a new one that grew into a target is there still.
    before = boxes(60, ((50, 60, 50), 60, "liver 1"), ((50, 60, 95), 10, "liver 2"))
    answer = ask(boxes(0, ((50, 60, 50), 60, "liver 1")), before, boxes(120, ((50, 60, 60), 82, "liver 1")))
    assert value(the(answer, CURRENT), NEW) == 1 and "a new lesion" in the(answer, CURRENT).words


def test_lesions_that_meet_have_doubled_by_what_the_whole_gained() -> None:
    """Two bars of 4 and 3 that are one of 7: nothing grew. One of 14 is twice as much."""

    def bars(day: int, *spans: tuple[int, int, int]) -> Dated:
        regions = []
        for n, (first, last, high) in enumerate(spans):
            mask = np.zeros(GRID.shape, bool)
            mask[20 : 20 + high, 20:30, first:last] = True
            regions.append(Region(GRID, mask=mask, label=f"liver {n + 1}"))
        return Dated(f"2.25.{100 + day}", date(2026, 1, 1) + timedelta(days=day), tuple(regions))

    apart = bars(0, (10, 20, 6), (21, 29, 6))
    (whole,) = [f for f in ask(apart, bars(50, (10, 28, 6))).findings if f.what == codes.LESION]
    assert not [m for m in whole.measurements if m.what == DOUBLING]
    (twice,) = [f for f in ask(apart, bars(50, (10, 28, 12))).findings if f.what == codes.LESION]
    assert "grown together" in twice.words and value(twice, DOUBLING) == pytest.approx(50.0)
    assert value(whole, FROM_BASELINE) == pytest.approx(
        -23.6, abs=5
    )  # 41.2 mm of 28.3 and 25.6 mm; +46 % of the larger
    (smaller,) = [f for f in ask(apart, bars(50, (10, 19, 6))).findings if f.what == codes.LESION]
    assert not [m for m in smaller.measurements if m.what == DOUBLING]  # a tenth less: the border alone may do that
    (half,) = [f for f in ask(bars(0, (10, 20, 6)), bars(50, (10, 20, 8))).findings if f.what == codes.LESION]
    assert value(half, DOUBLING) == pytest.approx(50 * np.log(2) / np.log(8 / 6))  # a third more
    late = ask(apart, bars(20, (10, 20, 6)), bars(50, (10, 28, 12)))
    (mixed,) = [f for f in late.findings if f.what == codes.LESION]
    assert not [m for m in mixed.measurements if m.what == DOUBLING]


def test_a_sum_that_lies_within_the_error_of_a_limit_says_so() -> None:
    """Discs of 20 and 14 mm on voxels of 2 mm are −29 %: that it is no partial response hangs on a tenth of a voxel."""

    def told(*radii: float) -> list[str]:
        answer = ask(*(on(60 * n, (LIVER, r, "liver")) for n, r in enumerate(radii)))
        return [r.rpartition(", ")[0] for r in answer.reasons if "from the limit of" in r]

    (near,) = told(20.0, 14.2)
    assert "partial response" in near
    assert told(20.0, 18.0) == [] and told(20.0, 8.0) == []
    (grown,) = told(20.0, 24.0)
    assert "progression (+20 % of the smallest sum)" in grown
    assert told(20.0, 30.0) == []
    (small,) = told(8.0, 10.0)  # 5 mm decide where they are more than a fifth
    assert "progression (+5 mm, which is more than 20 %, of the smallest sum)" in small


def test_what_is_seen_again_after_a_complete_response_is_progression() -> None:
    """Until version 12 a non-target lesion that came back was a partial response."""
    first = boxes(0, ((50, 60, 30), 20, "lung 1"), ((50, 60, 90), 8, "lung 2"))
    back = ((50, 60, 90), 8, "lung 2")
    times = first, boxes(60), boxes(120, back)
    answer = ask(*times, all_gone=True)
    assert the(answer, CURRENT).words.startswith("RECIST 1.1: PD (RECIST 1.1 table 3, note a)")
    assert "complete response of day 60" in the(answer, CURRENT).words
    assert the(ask(*times, all_gone=True, criteria="iRECIST"), CURRENT).words.startswith("iRECIST: iUPD")
    # Where the response was a partial one, a lesion that comes back is none by itself.
    times = first, boxes(60, ((50, 60, 30), 10, "lung 1")), boxes(120, ((50, 60, 30), 10, "lung 1"), back)
    assert the(ask(*times), CURRENT).words.startswith("RECIST 1.1: PR")


def test_a_node_of_ten_millimetres_is_there_again_and_no_progression_by_that() -> None:
    first = on(0, (NODE, 10, "lymph node"))
    times = first, on(60, (NODE, 4, "lymph node")), on(120, (NODE, 5.7, "lymph node"))
    assert the(ask(*times[:2]), CURRENT).words.startswith("RECIST 1.1: CR")
    assert the(ask(*times), CURRENT).words.startswith("RECIST 1.1: PR")


def test_two_studies_of_one_day_are_told_apart_by_a_person() -> None:
    one = boxes(0, ((50, 60, 30), 20, "lung 1"))
    with pytest.raises(Refused, match=r"two studies with outlines of 2026-01-01.*Leave one of them out"):
        ask(one, replace(one, study_uid="2.25.9"))


def immune(*times: Dated, **how: Any) -> str:
    return the(ask(*times, criteria="iRECIST", **how), CURRENT).words.split(" ")[1]


def test_a_new_lesion_too_small_to_measure_confirms_by_the_growth_that_its_outline_shows() -> None:
    """Until version 15 it took 5 mm of growth, though Seymour 2017 asks any of what is no new target."""

    def at(day: int, *new: Drawn) -> Dated:
        return on(day, (LIVER, 15, "liver"), *new, grid=fine)

    fine = Geometry.regular(shape=(50, 140, 140), spacing_mm=(2.0, 1.0, 1.0), frame_of_reference="2.25.7")
    first, small = at(0), at(60, (LUNG, 3.5, "lung"))
    assert immune(first, small) == "iUPD"
    assert immune(first, small, at(100, (LUNG, 3.5, "lung"))) == "iUPD"
    assert immune(first, small, at(100, (LUNG, 5.0, "lung"))) == "iCPD"
    # One that can be measured takes 5 mm, and two small ones that stay do nothing together.
    large = at(60, (LUNG, 6, "lung"))
    assert immune(first, large, at(100, (LUNG, 7.5, "lung"))) == "iUPD"
    assert immune(first, large, at(100, (LUNG, 9, "lung"))) == "iCPD"
    # The third of an organ is no new target, so that any growth of it counts.
    three = [((80.0, y, 90.0), r, f"lung {n}") for n, (y, r) in enumerate(((30.0, 9.0), (60.0, 8.0), (90.0, 6.0)))]
    grown = [*three[:2], ((80.0, 90.0, 90.0), 7.5, "lung 2")]
    assert immune(first, at(60, *three), at(100, *three)) == "iUPD"
    assert immune(first, at(60, *three), at(100, *grown)) == "iCPD"


def test_targets_that_shrink_beside_a_new_lesion_are_a_response_by_irecist() -> None:
    """The EORTC's scenario B; until version 15 a new lesion that stayed was iUPD at every later visit."""
    new = (LUNG, 7, "lung")
    first, worse, better = (
        on(0, (LIVER, 20, "liver")),
        on(60, (LIVER, 20, "liver"), new),
        on(120, (LIVER, 12, "l"), new),
    )
    assert [immune(first, worse), immune(first, worse, better)] == ["iUPD", "iPR"]
    assert immune(first, worse, on(120, (LIVER, 20, "liver"), new)) == "iUPD"
    further = on(180, (LIVER, 12, "l"), new, (NODE, 8, "bone"))
    assert immune(first, worse, better, further) == "iUPD"


def test_a_response_that_was_not_seen_again_is_no_response() -> None:
    times = [on(d, (LIVER, r, "liver")) for d, r in ((0, 20.0), (60, 13.5), (120, 15.5))]
    answer = ask(*times)
    assert the(answer, CURRENT).words.startswith("RECIST 1.1: SD")
    assert "the response of day 60 is not confirmed" in the(answer, CURRENT).words
    assert the(answer, BEST).words.startswith("Best overall response SD")
    assert the(ask(*times, confirmed=False), BEST).words.startswith("Best overall response PR")


def test_non_targets_that_grow_further_confirm_a_progression() -> None:
    times = [on(d, (LIVER, 20, "liver"), (NODE, 4, "bone")) for d in (0, 60, 120)]
    said = {"non_targets_before": "PD on 2026-03-02"}
    assert immune(*times, **said, non_targets="PD") == "iUPD"
    assert immune(*times, **said, non_targets="grown further") == "iCPD"
    with pytest.raises(Refused, match="nothing says that they had progressed before"):
        ask(*times, non_targets="grown further")


def test_a_sum_that_meets_a_limit_exactly_is_on_it() -> None:
    """Discs whose contours have decimals as DICOM writes them: -30 % is a partial response, +20 % progression."""

    def discs(day: int, *diameters: float) -> Dated:
        grid = Geometry.regular(shape=(3, 120, 220), spacing_mm=(2.0, 1.0, 1.0), frame_of_reference="2.25.7")
        regions = []
        turn = np.linspace(0.0, 2.0 * np.pi, 181) + day
        for n, mm in enumerate(diameters):
            about = mm / 2.0 * np.column_stack([np.cos(turn), np.sin(turn)])
            line = np.round(about + np.array([60.3 + 0.01 * day, 55.2 + 100.4 * n]), 3)
            mask = np.zeros(grid.shape, bool)
            mask[1] = filled([line], (120, 220))
            regions.append(Region.of_contours(grid, mask, None, label=f"liver {n + 1}", outlines={1: [line]}))
        return Dated(f"2.25.{100 + day}", date(2026, 1, 1) + timedelta(days=day), tuple(regions))

    first, less, more = discs(0, 50.0, 50.0), discs(56, 35.0, 35.0), discs(112, 42.0, 42.0)
    now = the(ask(first, less), CURRENT)
    assert now.words.startswith("RECIST 1.1: PR") and value(now, SUM) == pytest.approx(70.0, abs=1e-9)
    assert the(ask(first, less, more), CURRENT).words.startswith("RECIST 1.1: PD")
    almost = discs(56, 35.1, 35.0)
    assert the(ask(first, almost), CURRENT).words.startswith("RECIST 1.1: SD")
