"""Law: however the images of a study are written, an analysis gives the same answer and measures the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from multi_frame import multi_frame
from phantom_studies import STUDIES, alike, files_of, prepared

from isocenter.analysis.registry import discover
from isocenter.record import Outcome
from isocenter.testing.encodings import ENCODINGS, differences

EVERY = {**ENCODINGS, "multi-frame": multi_frame}


def test_every_analysis_has_its_study() -> None:
    assert {asked.analysis for asked in STUDIES.values()} == set(discover().analyses)


def law(name: str, encodings: list[str], folder: Path) -> None:
    """Inputs that are the same to the last bit give the same answer; where they are not, both are asked."""
    files = files_of(name)
    plain = prepared(files, STUDIES[name], folder / "plain")
    answers = [p.done() for p in plain]
    assert any(r.outcome is not Outcome.DECLINED for r in answers), [r.reasons for r in answers]
    told = {}
    for number, encoding in enumerate(encodings):
        again = EVERY[encoding](files, random.Random(f"{name} {encoding}"))
        if again is None:
            continue
        other = prepared(again, STUDIES[name], folder / str(number))
        if [p.study_uid for p in plain] == [p.study_uid for p in other] and all(
            alike(a.inputs, b.inputs) for a, b in zip(plain, other, strict=True)
        ):
            continue
        told[encoding] = differences(answers, [p.done() for p in other])
    assert {encoding: said for encoding, said in told.items() if said} == {}


@pytest.mark.nightly
@pytest.mark.parametrize("name", STUDIES)
def test_law_every_encoding_gives_the_same(name: str, tmp_path: Path) -> None:
    law(name, list(EVERY), tmp_path)
