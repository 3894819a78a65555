"""Law: however the images of a study are written, an analysis gives the same answer and measures the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from multi_frame import multi_frame
from phantom_studies import STUDIES, answers, files_of

from isocenter.analysis.registry import discover
from isocenter.record import Outcome, Result
from isocenter.testing.encodings import ENCODINGS, differences

EVERY = {**ENCODINGS, "multi-frame": multi_frame}


def test_every_analysis_has_its_study() -> None:
    assert {asked.analysis for asked in STUDIES.values()} == set(discover().analyses)


def law(name: str, encodings: list[str], folder: Path) -> None:
    files = files_of(name)
    plain = answers(files, STUDIES[name], folder / "plain")
    assert any(r.outcome is not Outcome.DECLINED for r in plain), [r.reasons for r in plain]
    told = {}
    for number, encoding in enumerate(encodings):
        again = EVERY[encoding](files, random.Random(f"{name} {encoding}"))
        if again is not None:
            told[encoding] = differences(plain, answers(again, STUDIES[name], folder / str(number)))
    assert {encoding: said for encoding, said in told.items() if said} == {}


@pytest.mark.nightly
@pytest.mark.parametrize("name", STUDIES)
def test_law_every_encoding_gives_the_same(name: str, tmp_path: Path) -> None:
    law(name, list(EVERY), tmp_path)
