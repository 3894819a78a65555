"""A bull's-eye is drawn where segments were measured, and nowhere else."""

from datetime import datetime

import pytest

from isocenter.forms.segments import bullseyes
from isocenter.record import Finding, Measurement, Origin, Outcome, Result, Verdict, codes

NAMES = ("anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral", "anterolateral")


def result(count: int = 6, verdict: Verdict = Verdict.UNDECIDED, outcome: Outcome = Outcome.FOUND) -> Result:
    walls = tuple(
        Measurement(codes.WALL_THICKNESS, 7.0 + n, "mm", definition=f"segment {n + 1}, basal {NAMES[n]}, end-diastole")
        for n in range(count)
    )
    thick = tuple(
        Measurement(codes.WALL_THICKENING, 40.0, "%", definition=f"segment {n + 1}, basal {NAMES[n]}")
        for n in range(count)
    )
    finding = Finding(codes.LEFT_VENTRICLE, measurements=(*walls, *thick), words="Wall.", verdict=verdict)
    declined = outcome is Outcome.DECLINED
    return Result(
        "2.25.1", outcome, Origin("machine", "cardiac_cine"), datetime(2026, 1, 1), ("why",) if declined else (),
        () if declined else (finding,),
    )  # fmt: skip


def test_one_figure_for_each_quantity() -> None:
    thickness, thickening = bullseyes(result())
    assert "Wall Thickness, end-diastole" in thickness and ">12<" in thickness and "mm" in thickness
    assert "thickening" in thickening and ">40<" in thickening
    assert thickness.count("–") == 11  # segments without a value


@pytest.mark.parametrize(
    "other",
    [result(5), result(verdict=Verdict.STRUCK), result(outcome=Outcome.DECLINED)],
    ids=["few", "struck", "declined"],
)
def test_no_figure_without_a_pattern(other: Result) -> None:
    assert bullseyes(other) == ()
