"""Iron of a liver whose echoes tell its decay and not its fat, on a phantom of known truth, and what tells neither."""

from dataclasses import replace

import pytest
from real_series import loaded

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.iron_of_decay import iron_of
from isocenter.catalogue.liver_fat_iron import LiverFatIron
from isocenter.errors import Refused
from isocenter.record import codes
from isocenter.space import Region, Volume
from isocenter.testing.phantoms import abdomen_mr


def magnitudes(*, snr: float, r2_star: float) -> tuple[tuple[Volume, ...], tuple[Region, ...]]:
    """Magnitudes of the echoes that the phantom has at 1.5 T, and the liver outlined."""
    made = {"size": 64, "slices": 2, "snr": snr, "r2_star": r2_star}
    echoes = tuple(loaded(abdomen_mr.patient(kind="magnitude", **made).files)[0])
    return echoes, (Region(echoes[0].geometry, mask=abdomen_mr.images(**made)[1]["liver"], label="segment VI"),)


def said(answer: Answer, what: codes.Code) -> float:
    return next(m.value for m in answer.measurements if m.what == what)


def test_magnitudes_that_tell_no_fat_give_the_iron_of_a_drawn_liver() -> None:
    # Echoes a quarter of a turn off at 1.5 T hardly know fat without phase: 33.9 % for 14 came out without a word.
    noisy, liver = magnitudes(snr=50.0, r2_star=200.0)
    answer = LiverFatIron().run(noisy, liver)
    assert all(m.what != codes.PDFF for m in answer.measurements) and set(answer.maps or {}) == {"R2*"}
    assert said(answer, codes.R2_STAR) == pytest.approx(200.0, rel=0.02)
    assert [f.what for f in answer.findings] == [codes.LIVER_IRON_EXCESS]
    assert said(answer, codes.LIVER_IRON) == pytest.approx(0.02603 * 200 - 0.16, rel=0.02)
    assert any("no fat fraction is given" in r for r in answer.reasons)
    with pytest.raises(Refused, match="that nobody drew"):
        LiverFatIron().run(noisy, None)


def test_magnitudes_that_tell_neither_fat_nor_decay_give_no_number() -> None:
    noisy, liver = magnitudes(snr=50.0, r2_star=1500.0)
    with pytest.raises(Refused, match=r"too noisy to tell the fat of segment VI .*, and its decay"):
        LiverFatIron().run(noisy, liver)


def test_magnitudes_in_which_noise_scatters_the_decay_give_no_number() -> None:
    noisy, liver = magnitudes(snr=6.0, r2_star=500.0)
    with pytest.raises(Refused, match=r"and its decay"):
        LiverFatIron().run(noisy, liver)


def test_after_contrast_and_between_calibrations_no_iron_is_given() -> None:
    (scan, *_), _ = magnitudes(snr=50.0, r2_star=200.0)
    told: list[str] = []
    assert iron_of(200.0, scan, 1.5, "by field", told) is not None and not told
    after = replace(scan, facts={**scan.facts, "ContrastBolusAgent": "Primovist"})
    assert iron_of(200.0, after, 1.5, "by field", told) is None
    assert iron_of(200.0, scan, 7.0, "by field", told) is None
    assert "Primovist" in told[0] and "no calibration was made at 7 T" in told[1]
