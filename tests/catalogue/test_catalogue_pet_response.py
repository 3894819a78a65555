"""Metabolic response of in-silico patients: planted change, both tables, a walk from DICOM, and where it declines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from other_grids import coarser
from scipy.ndimage import binary_erosion

from isocenter.analysis.need import Dated
from isocenter.analysis.plan import earlier_of, plan
from isocenter.analysis.protocol import Answer
from isocenter.analysis.run import Request, run
from isocenter.catalogue.pet_response import CURRENT, DEAUVILLE, PETResponse, _made
from isocenter.errors import Refused
from isocenter.methods.percist import of_five
from isocenter.record import Finding, Outcome, codes
from isocenter.site.folder import read_folder
from isocenter.site.loading import Loading
from isocenter.space import Region
from isocenter.testing.phantoms import Person, pet_ct
from isocenter.testing.phantoms.pet_ct import Ball

Visit = tuple[Dated, tuple[Region, ...]]


def ask(*visits: Visit, **how: Any) -> Answer:
    before = [p for p, _ in visits[:-1]]
    drawn = [Dated(p.study_uid, p.day, r) for p, r in visits[:-1]]
    pet, regions = visits[-1]
    return PETResponse().run(pet, regions, tuple(before) or None, tuple(drawn) or None, **how)


def the(answer: Answer, what: Any) -> Finding:
    (found,) = [f for f in answer.findings if f.what == what]
    return found


def with_facts(visit: Visit, **facts: Any) -> Visit:
    pet, regions = visit
    return replace(pet, given=replace(pet.volume, facts={**pet.volume.facts, **facts})), regions


def without(visit: Visit, label: str) -> Visit:
    return visit[0], tuple(r for r in visit[1] if r.label != label)


@pytest.mark.parametrize(("now", "said"), [(4.5, "PMR"), (9.5, "SMD"), (13.0, "PMD")])
def test_percist_says_what_was_planted(now: float, said: str) -> None:
    answer = ask(_made(9.0, 0), _made(now, 60))
    current = the(answer, CURRENT)
    assert current.words.startswith(f"PERCIST 1.0: {said} (PERCIST 1.0") and "James 128" in current.words
    value = {m.definition: m.value for m in current.measurements}
    assert value["SULpeak of the hottest lesion"] == pytest.approx(100 * (now / 9.0 - 1), abs=0.01)
    assert answer.curves[0].x == (0.0, 60.0) and set(answer.curves[0].y) == {"lesion 1", "liver", "blood"}
    lesion = the(answer, codes.ABNORMAL_UPTAKE)
    assert lesion.tracking.startswith("2.25.")


def test_a_planned_margin_is_no_lesion() -> None:
    first, (pet, regions) = _made(9.0, 0), _made(4.5, 60)
    lung = regions[0]
    assert lung.mask is not None
    wide = Region(lung.geometry, mask=np.logical_or(lung.mask, np.roll(lung.mask, 3, axis=2)), label="PTV")
    answer = ask(first, (pet, (*regions, wide)))
    assert [f.where.label for f in answer.findings if f.what == codes.ABNORMAL_UPTAKE and f.where] == [lung.label]
    assert any("PTV of" in r and "left out" in r for r in answer.reasons)


def test_a_lesion_outside_the_images_of_now_is_not_gone() -> None:
    """Until version 13 a PET that ended above a lesion was a complete response of it."""
    first, (pet, regions) = _made(9.0, 0), _made(4.5, 60)
    lung, liver, aorta = first[1]
    assert lung.mask is not None
    low = np.roll(lung.mask, (-8, 26), axis=(0, 2)) & ~np.logical_or(liver.mask, aorta.mask)
    low[5:] = False
    pelvis = Region(lung.geometry, mask=low, label="pelvis")
    whole = (first[0], (*first[1], pelvis))
    short = pet.volume.cropped((6, 0, 0), (20, 40, 40))
    cut = replace(pet, given=short)

    def held(region: Region) -> Region:
        assert region.mask is not None
        return Region(short.geometry, mask=region.mask[6:], label=region.label)

    with pytest.raises(Refused, match="does not reach pelvis"):
        ask(whole, (cut, tuple(held(r) for r in regions)))
    with pytest.raises(Refused, match="does not reach pelvis"):
        ask(whole, (cut, tuple(held(r) for r in regions)), criteria="Lugano 2014")
    # Without it at baseline, or where it is progression whatever was there, the answer stands.
    assert "PMR" in the(ask(first, (cut, tuple(held(r) for r in regions))), CURRENT).words
    # A PET that reaches it and on which nothing is outlined says that it is gone.
    assert "PMR" in the(ask(whole, (pet, regions)), CURRENT).words


def test_a_lesion_at_the_edge_costs_qpet_and_not_the_deauville_score() -> None:
    pet, regions = _made(3.0, 60)
    lung = regions[0]
    assert lung.mask is not None
    top = np.zeros_like(lung.mask)
    top[-1, 4:8, 30:34] = True
    edge = (pet, (*regions, Region(lung.geometry, mask=top, label="neck")))
    answer = ask(edge, criteria="Lugano 2014")
    assert the(answer, DEAUVILLE).words.startswith("Deauville: 4")
    assert any("qPET is not given: a sphere of 1 mL about neck" in r for r in answer.reasons)
    assert not any(m.unit == "{ratio}" for m in the(answer, DEAUVILLE).measurements)
    # PERCIST is made of peaks: a colder lesion at the edge is passed over, a hotter one could be the hottest.
    percist = ask(_made(9.0, 0), edge)
    assert "PERCIST 1.0: PMD" in the(percist, CURRENT).words and "a new FDG-avid lesion" in the(percist, CURRENT).words
    neck = next(f for f in percist.findings if f.words.startswith("neck"))
    assert "SULpeak not given (at the edge of the image), new." in neck.words and codes.SUV_PEAK not in {
        m.what for m in neck.measurements
    }
    array = pet.volume.array.copy()
    array[top] *= 20.0
    hot = (replace(pet, given=replace(pet.volume, array=array)), edge[1])
    with pytest.raises(Refused, match="neck at the edge of the image"):
        ask(_made(9.0, 0), hot)


def test_a_lesion_that_rises_beside_one_that_falls_is_no_partial_response() -> None:
    """Until version 11 the hottest alone was asked: 12 and 3, then 5 and 5, was PMR without a word."""

    def at(hot: float, other: float, day: int) -> Visit:
        pet, (lung, *organs) = _made(hot, day)
        assert lung.mask is not None
        node = np.roll(lung.mask, 20, axis=2) & ~np.logical_or.reduce([r.mask for r in (lung, *organs)])
        array = pet.volume.array.copy()
        array[node] *= other / float(array[node].mean() / array[lung.mask].mean() * hot)
        moved = replace(pet, given=replace(pet.volume, array=array))
        return moved, (lung, Region(lung.geometry, mask=node, label="node"), *organs)

    fell = ask(at(12.0, 4.0, 0), at(5.0, 3.0, 60))
    assert "PERCIST 1.0: PMR" in the(fell, CURRENT).words and not any("WARNING: SULpeak" in r for r in fell.reasons)
    risen = ask(at(12.0, 3.0, 0), at(5.0, 6.0, 60))
    assert "PERCIST 1.0: SMD" in the(risen, CURRENT).words and "node rose by 30 %" in the(risen, CURRENT).words
    assert any(r.startswith("WARNING: SULpeak of node has risen") for r in risen.reasons)
    worse = ask(at(5.0, 3.0, 0), at(12.0, 6.0, 60))  # there is nothing left to say
    assert "PERCIST 1.0: PMD" in the(worse, CURRENT).words and not any("a person to say" in r for r in worse.reasons)


def test_the_formula_of_lean_mass_is_named_and_changes_the_number_not_the_share() -> None:
    answers = [ask(_made(9.0, 0), _made(4.5, 60), lean=lean) for lean in ("james128", "janmahasatian")]
    peaks = [next(m for m in the(a, CURRENT).measurements if m.what == codes.SUV_PEAK) for a in answers]
    assert peaks[0].value != pytest.approx(peaks[1].value, rel=1e-3)
    assert "Janmahasatian" in peaks[1].definition and peaks[1].unit == "{SUVlbm}g/ml"


def test_gone_and_new_lesions() -> None:
    answer = ask(_made(9.0, 0), without(_made(0.6, 60), "lung"))
    assert "CMR" in the(answer, CURRENT).words and any("confirm it" in r for r in answer.reasons)
    pet, regions = _made(9.0, 60)
    lung = regions[0]
    assert lung.mask is not None
    other = Region(lung.geometry, mask=lung.mask[:, ::-1, ::-1].copy() & ~regions[1].mask, label="bone")  # type: ignore[operator]
    far = (pet, (lung, replace(other, mask=lung.mask[:, ::-1]), *regions[1:]))
    assert "a new FDG-avid lesion" in the(ask(_made(9.0, 0), far), CURRENT).words


def test_a_new_lesion_that_has_grown_together_with_an_old_one_is_still_progression() -> None:
    visits = [_made(v, d) for v, d in ((9.0, 0), (6.0, 60), (4.0, 120))]
    lung = visits[0][1][0].mask
    assert lung is not None
    beside = np.roll(lung, int(np.ptp(np.nonzero(lung)[2])) + 2, axis=2) & ~lung
    both = [replace(r, mask=m, label=n) for (r, *_), m, n in (
        (visits[1][1], beside, "hilum"), (visits[2][1], lung | beside | np.roll(beside, -1, axis=2), "lung")
    )]  # fmt: skip
    second = (visits[1][0], (*visits[1][1], both[0]))
    third = (visits[2][0], (both[1], *visits[2][1][1:]))
    assert "a new FDG-avid lesion" in the(ask(visits[0], second), CURRENT).words
    assert "a new FDG-avid lesion" in the(ask(visits[0], second, third, baseline="oldest"), CURRENT).words


def test_the_blood_pool_stands_in_for_an_ill_liver() -> None:
    times = [without(_made(v, d), "liver") for v, d in ((9.0, 0), (4.5, 60))]
    assert any("blood pool, mean" in m.definition for m in the(ask(*times), CURRENT).measurements)


def test_deauville_and_lugano() -> None:
    alone = ask(_made(3.0, 0), criteria="Lugano 2014")
    assert the(alone, DEAUVILLE).words.startswith("Deauville: 4") and not alone.curves
    assert next(m.value for m in the(alone, DEAUVILLE).measurements if m.what == DEAUVILLE) == 4
    both = ask(_made(9.0, 0), _made(3.0, 60), criteria="Lugano 2014")
    assert "Lugano 2014: PMR" in the(both, CURRENT).words
    assert "Deauville: 3" in the(ask(_made(2.0, 0), criteria="Lugano 2014"), DEAUVILLE).words
    assert "Deauville: 1" in the(ask(without(_made(0.6, 0), "lung"), criteria="Lugano 2014"), DEAUVILLE).words


@pytest.mark.parametrize(
    ("visits", "how", "words"),
    [
        ([_made(4.5, 60)], {}, "PERCIST without a baseline"),
        ([_made(9.0, 0), without(without(_made(4.5, 60), "liver"), "aorta")], {}, "without a liver"),
        ([with_facts(_made(9.0, 0), PatientSize=""), _made(4.5, 60)], {}, "without SUL on 2026-01-01"),
        ([_made(9.0, 0), with_facts(_made(4.5, 60), RadionuclideTotalDose="500000000")], {}, "activity differs by"),
        ([_made(9.0, 0), with_facts(_made(4.5, 60), ManufacturerModelName="Two")], {}, "scanner"),
        ([_made(9.0, 0), _made(4.5, 60)], {"glucose_mmol_l": 12.0}, "glucose 12"),
        ([_made(1.0, 0), _made(4.5, 60)], {}, "follows lesions from"),
        ([without(_made(9.0, 0), "aorta")], {"criteria": "Lugano 2014"}, "aorta or mediastinum"),
        ([without(_made(9.0, 0), "liver")], {"criteria": "Lugano 2014"}, "region 'liver'"),
        ([_made(9.0, 0), _made(4.5, 60)], {"extravasated": True}, "tracer beside the vein"),
    ],
)
def test_it_declines_where_it_must(visits: list[Visit], how: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        ask(*visits, **how)


def test_another_tracer_than_at_baseline_is_not_compared() -> None:
    fdg, flt = (with_facts(_made(v, d), Radiopharmaceutical=t) for v, d, t in ((9.0, 0, "FDG"), (4.5, 60, "FLT")))
    with pytest.raises(Refused, match="tracer FDG at baseline, FLT now"):
        ask(fdg, flt)
    assert any("the Deauville score is read on FDG" in r for r in ask(flt, criteria="Lugano 2014").reasons)


def test_a_liver_that_changed_is_no_reference() -> None:
    pet, regions = _made(4.5, 60)
    assert regions[1].mask is not None
    warmer = pet.volume.array * (1 + 0.4 * regions[1].mask)
    with pytest.raises(Refused, match=r"at most 20 % and 0.3"):
        ask(_made(9.0, 0), (replace(pet, given=replace(pet.volume, array=warmer.astype("float32"))), regions))


def test_a_folder_of_two_pets_gives_a_response(tmp_path: Path) -> None:
    who = Person("P1", "PHANTOM^TWICE", "F", "19610214", 1.66, 68.0)
    balls = (Ball("lung 1", (-70.0, 10.0, 70.0), 30.0, 9.0), Ball("pelvis", (30.0, -20.0, -62.0), 30.0, 6.0))
    cooler = tuple(replace(b, suv=0.5 * b.suv) for b in balls)
    for some, at in ((balls, datetime(2026, 1, 5, 9, 5)), (cooler, datetime(2026, 3, 2, 9, 5))):
        for number, data in enumerate(pet_ct.patient(balls=some, organs=True, person=who, at=at).files):
            (tmp_path / f"{at:%m}-{number}.dcm").write_bytes(data)
    analysis = PETResponse()
    with read_folder(tmp_path) as held:
        now = next(s for s in held.studies if s.date == date(2026, 3, 2))
        earlier = earlier_of(now, held.studies)
        (binding,) = plan([analysis], now, earlier).bindings
        load = Loading(now, analysis.needs, binding.series, held, earlier)
        done = run(Request("pet_response", now.uid, load, datetime.now(UTC), digests=load.digests), analysis).result
    assert done.answer is Outcome.FOUND, done.reasons
    current = next(f for f in done.findings if f.what == CURRENT)
    assert "PMR" in current.words
    changes = [m.value for m in current.measurements if m.unit == "%"]
    assert changes == pytest.approx([-50.0], abs=3.0)


def test_outlines_on_coarser_voxels_than_the_pet() -> None:
    first, (pet, regions) = _made(9.0, 0), _made(4.5, 60)
    wide = tuple(coarser(region) for region in regions)
    with pytest.raises(Refused, match=r"'lung': a mask on another grid .*other_grid=nearest"):
        ask(first, (pet, wide))
    assert any("'lung': its mask" in told for told in ask(first, (pet, wide), other_grid="nearest").reasons)


def test_a_lesion_with_a_cold_middle_is_told() -> None:
    """A tumour that died from within has the peak of its rim: SMD was said without a word."""
    assert not [r for r in ask(_made(9.0, 0), _made(9.0, 60)).reasons if "cold middle" in r]
    pet, regions = _made(9.0, 60)
    lesion = next(r for r in regions if r.label == "lung")
    assert lesion.mask is not None
    inner = binary_erosion(lesion.mask, iterations=1)
    array = np.where(inner, pet.volume.array * 0.1, pet.volume.array).astype(np.float32)
    dead = replace(pet, given=replace(pet.volume, array=array)), regions
    (word,) = [r for r in ask(_made(9.0, 0), dead).reasons if "cold middle" in r]
    assert word.startswith("WARNING: lung on 2026-03-02 has a cold middle (mean SUV 0.9")


def test_glycolysis_of_the_hottest_stands_beside_that_of_all() -> None:
    """Of one lesion both are one; where they part at +75 % that is told."""
    answer = ask(_made(9.0, 0), _made(9.0, 60))
    told = {m.definition: m.value for m in the(answer, CURRENT).measurements if m.what == codes.TLG}
    every, few = (next(v for d, v in told.items() if w in d) for w in ("all lesions", "at most 5"))
    assert len(told) == 2 and every == pytest.approx(few)
    assert of_five((100.0, 180.0), (80.0, 100.0))[0].startswith("WARNING: TLG of all lesions has changed by +80%")
    assert of_five((100.0, 180.0), (80.0, 160.0)) == () == of_five((0.0, 10.0), (0.0, 10.0))
