"""The suite behind ``isocenter check``: good analyses pass, and each bad one is caught at its own fault."""

from pathlib import Path
from typing import Any

import bad_analyses as bad
import numpy as np
import pytest

from isocenter.catalogue.image_quality import ImageQuality
from isocenter.catalogue.pet_uptake import PETUptake
from isocenter.catalogue.volumetry import Volumetry
from isocenter.dicom import confining
from isocenter.testing.checks import Check, check


def failed(checks: list[Check]) -> dict[str, str]:
    return {c.name: c.words for c in checks if not c.passed}


@pytest.mark.parametrize("analysis", [ImageQuality, PETUptake, Volumetry])
def test_what_ships_is_good(analysis: type[Any]) -> None:
    checks = check(analysis)
    assert failed(checks) == {}
    assert len(checks) >= 20
    assert all(c.words for c in checks)


def test_a_good_stranger_passes_as_class_and_as_instance() -> None:
    assert failed(check(bad.Good)) == {}
    assert failed(check(bad.Good())) == {}
    assert failed(check(bad.GoodOverTime)) == {}


@pytest.mark.parametrize(
    ("analysis", "name", "words"),
    [
        (bad.NeedsSetUp, "is made without arguments", "purpose"),
        (bad.Nameless, "has a name and a version", "Very Good"),
        (bad.Unversioned, "has a name and a version", "version is ''"),
        (bad.Silent, "opens with its question", "one sentence"),
        (bad.Needless, "needs are declared", "mapping"),
        (bad.AlwaysOn, "needs are declared", "optional"),
        (bad.Backward, "needs are declared", "looks back"),
        (bad.TakesOther, "takes what it needs", "run takes image"),
        (bad.TakesAnything, "turns foreign series away", "unknown modality"),
        (bad.Mute, "yields are declared", "may not say anything"),
        (bad.YieldsNothing, "yields are declared", "tuple of Yield"),
        (bad.OwnUnits, "yields are declared", "{spoon}"),
        (bad.WrongMeaning, "yields are declared", "not 'Ulcer'"),
        (bad.NoScheme, "yields are declared", "HOUSE"),
        (bad.EmptyCode, "yields are declared", "without value or meaning"),
        (bad.Untyped, "parameters have types, defaults and words", "needs a type"),
        (bad.NoField, "parameters have types, defaults and words", "no field"),
        (bad.WrongDefault, "parameters have types, defaults and words", "which is no float"),
        (bad.Unexplained, "parameters have types, defaults and words", "does not explain 'mystery'"),
        (bad.DefaultOutside, "parameters have types, defaults and words", "outside its choices"),
        (bad.Changeling, "can be pickled", "came back as Good"),
        (bad.NoWeights, "gives examples with known truth", "weights_of_nobody"),
        (bad.DeclinesWithNumbers, "gives one of three answers", "carries numbers"),
        (bad.DeclinesInSilence, "gives one of three answers", "without a reason"),
        (bad.NoneWithFindings, "gives one of three answers", "'none' carries findings"),
        (bad.FoundNothing, "gives one of three answers", "shows nothing"),
        (bad.Faulty, "leaves its inputs alone", "ValueError: something else"),
        (bad.Burglar, "leaves its inputs alone", "another afterwards"),
        (bad.MapElsewhere, "can be shown on the images", "the map 'heat'"),
        (bad.OneSided, "measures the same when flipped", "found became none"),
        (bad.TellsMore, "measures the same when flipped", "other measurements"),
        (bad.Unlimited, "limits are set", "at most an hour"),
        (bad.NoTruth, "gives examples with known truth", "no examples()"),
        (bad.EmptyTruth, "gives examples with known truth", "empty"),
        (bad.NotAnAnswer, "gives examples with known truth", "returned int"),
        (bad.OffTruth, "tells the truth of its examples", "in truth"),
        (bad.OtherAnswer, "tells the truth of its examples", "the truth is found, it answered none"),
        (bad.OtherCount, "tells the truth of its examples", "2 findings, in truth 1"),
        (bad.OtherWords, "tells the truth of its examples", "'without contrast' is not said"),
        (bad.NeverNo, "gives one of three answers", "one must be declined"),
        (bad.Undeclared, "stays within its yields", "Lesion"),
        (bad.UndeclaredUnit, "stays within its yields", "'mL'"),
        (bad.UndeclaredMap, "stays within its yields", "heat"),
        (bad.OfAnother, "stays with its images", "on series 2.25.99"),
        (bad.Fickle, "is deterministic", "two answers"),
        (bad.Spoiler, "leaves its inputs alone", "writes into its input"),
        (bad.Lefty, "measures the same when flipped", "along axis 2"),
        (bad.Touchy, "declines bad input", "ZeroDivisionError: oops"),
        (bad.Gullible, "declines bad input", "found something"),
        (bad.Slow, "stays within its limits", "its limits are 0.01 s"),
        (bad.Elsewhere, "can be shown on the images", "no input has"),
        (bad.Speechless, "can be shown on the images", "without words"),
    ],
)
def test_each_fault_is_caught(analysis: type[Any], name: str, words: str) -> None:
    found = failed(check(analysis))
    assert name in found, found
    assert words in found[name]


def test_one_fault_is_one_failed_check() -> None:
    for analysis in (bad.Nameless, bad.Unlimited, bad.Unexplained, bad.Slow, bad.Spoiler, bad.Lefty):
        assert len(failed(check(analysis))) == 1, analysis


def test_what_cannot_be_pickled() -> None:
    class Local(bad.Good):
        """Can it travel to another process?"""

    assert "can be pickled" in failed(check(Local))


def test_a_page_for_each_that_ships(tmp_path: Path) -> None:
    name = "has a page in the manual"
    assert "volumetry.md is not among the pages" in failed(check(Volumetry, pages=tmp_path))[name]
    (tmp_path / "volumetry.md").write_text("# volumetry\n\nHow large?\n", "utf-8")
    assert "does not tell of smallest_ml" in failed(check(Volumetry, pages=tmp_path))[name]
    (tmp_path / "volumetry.md").write_text("# volumetry\n\n`smallest_ml`\n", "utf-8")
    assert failed(check(Volumetry, pages=tmp_path)) == {}
    assert name not in {c.name for c in check(bad.Good)}  # strangers keep their manual where they like


def test_something_that_is_no_analysis_at_all() -> None:
    found = failed(check(object))
    assert "needs are declared" in found
    assert "has a name and a version" in found


class Greedy(bad.Good):
    @classmethod
    def examples(cls) -> Any:
        held = np.ones(400_000_000, np.uint8)
        return super().examples() if held.any() else []


def test_an_analysis_that_asks_for_more_memory_than_there_is_fails_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confining, "_available", lambda: 128 << 20)
    failed = [one for one in check(Greedy) if not one.passed]
    assert failed and any("more memory than there is" in one.words for one in failed), failed
    monkeypatch.undo()
    assert np.ones(400_000_000, np.uint8).any(), "the bound ends with each check"
