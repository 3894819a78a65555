"""Choi on outlines and CT, what a person says of non-targets, and outlines that are all gone."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from other_grids import coarser, finer

from isocenter.analysis.need import Dated
from isocenter.analysis.protocol import Answer
from isocenter.catalogue.lesion_response import BEST, CURRENT, LesionResponse, _ball
from isocenter.errors import Refused
from isocenter.record import Finding
from isocenter.space import Geometry, Region, Volume

GRID = Geometry.regular(shape=(40, 50, 50), spacing_mm=(2.0, 2.0, 2.0), frame_of_reference="2.25.7")
LIVER, BONE = (40.0, 50.0, 40.0), (40.0, 50.0, 90.0)


def on(day: int, radius_mm: float, hu: float, agent: str = "iohexol", *, bone: float = 0.0) -> tuple[Dated, Dated]:
    """(outlines, CT) of one day: a lesion of the liver, and one of bone that is too small for a target."""
    values = np.full(GRID.shape, 40.0, np.float32)
    drawn = []
    for at, radius, label in ((LIVER, radius_mm, "liver"), (BONE, bone, "bone")):
        if radius or label == "liver":
            mask = _ball(GRID, at, radius)
            mask &= radius > 0  # a region whose voxels are all gone
            values[mask] = hu
            drawn.append(Region(GRID, mask=mask, label=label))
    facts = {"Modality": "CT", "ContrastBolusAgent": agent}
    scan = Volume(values, GRID, "attenuation", "[hnsf'U]", facts=facts)
    when = date(2026, 1, 1) + timedelta(days=day)
    return Dated(f"2.25.{100 + day}", when, tuple(drawn)), Dated(f"2.25.{100 + day}", when, scan)


def ask(*times: tuple[Dated, Dated], **how: Any) -> Answer:
    outlines, scans = zip(*times, strict=True)
    how = {"criteria": "Choi"} | how
    return LesionResponse().run(outlines[-1], outlines[:-1], scans[-1].volume, scans[:-1], **how)


def the(answer: Answer, what: Any) -> Finding:
    (found,) = [f for f in answer.findings if f.what == what]
    return found


def test_outlines_on_other_voxels_than_the_ct() -> None:
    first, (then, scan) = on(0, 20, 100), on(60, 20, 84)
    given = {name: Dated(then.study_uid, then.day, (change(then.regions[0]),))
             for name, change in (("coarse", coarser), ("fine", finer))}  # fmt: skip
    with pytest.raises(Refused, match=r"'liver': a mask on another grid .*other_grid=nearest"):
        ask(first, (given["coarse"], scan))
    assert ask(first, (given["coarse"], scan), other_grid="nearest").reasons
    fine = ask(first, (given["fine"], scan))
    assert the(fine, CURRENT).words.startswith("Choi: PR")
    assert any(told.startswith(f"{then.day}: 'liver': its mask") for told in fine.reasons)


@pytest.mark.parametrize(
    ("radius", "hu", "response"),
    [(20, 84, "PR"), (20, 88, "SD"), (17, 100, "PR"), (24, 98, "PD"), (24, 80, "PR"), (0, 0, "CR")],
)
def test_size_or_density(radius: float, hu: float, response: str) -> None:
    now = the(ask(on(0, 20, 100), on(60, radius, hu), all_gone=not radius), CURRENT)
    assert now.words.startswith(f"Choi: {response} (Choi 2007")
    if radius:
        said = {m.what.code: m for m in now.measurements}
        assert said["target-attenuation"].value == pytest.approx(hu)
        assert said["target-attenuation"].unit == "[hnsf'U]"
        assert said["target-attenuation-change"].value == pytest.approx(hu - 100)


def test_the_best_response_is_from_before_progression() -> None:
    answer = ask(on(0, 20, 100), on(60, 20, 80), on(120, 24, 100), on(180, 10, 100))
    assert "PR (Choi 2007, partial response): day 60" in the(answer, BEST).words


def test_outlines_in_which_nothing_is_left_are_a_complete_response() -> None:
    for criteria in ("RECIST 1.1", "mRECIST", "iRECIST"):
        answer = ask(on(0, 20, 100), on(60, 0, 0), on(120, 0, 0), criteria=criteria, all_gone=True)
        assert "CR" in the(answer, CURRENT).words and "CR" in the(answer, BEST).words
        assert any("lesion 1 is not outlined now and counts as gone: confirm it" in r for r in answer.reasons)
    with pytest.raises(Refused, match="2026-01-01 has no lesion with voxels"):
        ask(on(0, 0, 0), on(60, 20, 100))
    with pytest.raises(Refused, match="set all_gone=true where nothing is left"):
        ask(on(0, 20, 100), on(60, 0, 0))


def test_a_person_says_what_became_of_the_other_lesions() -> None:
    times = on(0, 20, 100, bone=4), on(60, 12, 100, bone=4)
    assert "PR" in the(ask(*times, criteria="RECIST 1.1"), CURRENT).words
    for criteria in ("RECIST 1.1", "Choi"):
        found = the(ask(*times, criteria=criteria, non_targets="PD"), CURRENT).words
        assert f"{criteria}: PD" in found and "non-targets progress" in found


def test_no_complete_response_while_a_non_target_is_left() -> None:
    first = on(0, 20, 100, bone=4)
    assert the(ask(first, on(60, 0, 60, bone=4)), CURRENT).words.startswith("Choi: PR")
    assert the(ask(first, on(60, 0, 60), all_gone=True), CURRENT).words.startswith("Choi: CR")


def _with(time: tuple[Dated, Dated], **facts: Any) -> tuple[Dated, Dated]:
    drawn, scan = time
    return drawn, replace(scan, given=replace(scan.volume, facts={**scan.volume.facts, **facts}))


def test_another_energy_is_no_change_of_density() -> None:
    first, later = on(0, 20, 100), on(60, 20, 84)
    with pytest.raises(Refused, match="plain CT on 2026-01-01, a virtual image of 40 keV on 2026-03-02"):
        ask(first, _with(later, SeriesDescription="MonoE 40keV[HU]"))
    told = ask(_with(first, KVP=100.0), _with(later, KVP=120.0)).reasons
    assert any("100 kV on 2026-01-01, 120 kV on 2026-03-02: contrast is brighter" in r for r in told)
    assert not any("kV" in r for r in ask(_with(first, KVP=120.0), _with(later, KVP=120.0)).reasons)


def test_choi_declines_without_two_scans_of_one_phase() -> None:
    first, later = on(0, 20, 100), on(60, 20, 80)
    assert isinstance(later[1].volume, Volume)
    with pytest.raises(Refused, match="Choi criteria without a CT of 2026-01-01"):
        LesionResponse().run(later[0], (first[0],), later[1].volume, (), criteria="Choi")
    with pytest.raises(Refused, match="contrast was not given on 2026-03-02"):
        ask(first, on(60, 20, 80, agent=""))
    for baseline, now in (("ABD arterial 3.0", "ABD portal 3.0"), ("Leber nativ", "venös"), ("Art", "PV")):
        described = [
            (drawn, replace(scan, given=replace(scan.volume, facts={**scan.volume.facts, "SeriesDescription": words})))
            for (drawn, scan), words in ((first, baseline), (later, now))
        ]
        with pytest.raises(Refused, match=r"phases \w+ on 2026-01-01, portal venous on 2026-03-02"):
            ask(*described)
        told = ask(*described, criteria="RECIST 1.1").reasons
        assert any("phase at baseline and portal venous phase now" in r for r in told)
    with pytest.raises(Refused, match="Choi without target lesions"):
        ask(on(0, 3, 100), on(60, 3, 80))
    far = Geometry.regular(
        shape=GRID.shape, spacing_mm=GRID.spacing_mm, origin_mm=(500.0, 0.0, 0.0), frame_of_reference="2.25.7"
    )
    off = Dated(first[1].study_uid, first[1].day, replace(first[1].volume, geometry=far))
    with pytest.raises(Refused, match="lesion 'liver' has no voxel on the CT"):
        ask((first[0], off), later)
