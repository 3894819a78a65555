"""The heart's network is judged by `isocenter judge` like every other: differences from what experts drew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.errors import Refused
from isocenter.learn import heart
from isocenter.learn.hearts import read_hearts
from isocenter.learn.judge import judged

KEYS = ("edv_ml", "esv_ml", "ef_percent", "mass_g")


def row(name: str, off: float | None) -> dict[str, Any]:
    truth = dict.fromkeys(KEYS, 100.0)
    if off is None:
        return {"name": name, "truth": truth, "found": None, "why": "no ventricle"}
    return {"name": name, "truth": truth, "found": dict.fromkeys(KEYS, 100.0 + off), "agreement": 1.0}


def test_differences_are_those_of_the_patients_who_were_not_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"a": row("a", 3.0), "b": row("b", -5.0), "c": row("c", None)}
    asked: list[str] = []
    monkeypatch.setattr(heart, "read_hearts", lambda folder: asked)
    monkeypatch.setattr(heart, "parts", lambda session: (None, None))
    monkeypatch.setattr(heart, "compared", lambda patient, places, border: rows[patient])
    held = models()["cardiac_cine"][0]
    asked[:] = ["a", "b", "c"]
    figures, told, _ = heart.judged(held, None, Path(), None)
    assert (figures["n"], figures["declined"]) == (3, 1)
    assert figures["metrics"]["difference"]["edv_ml"] == {"value": -1.0, "patients": 2}
    assert figures["metrics"]["absolute_difference"]["mass_g"] == {"value": 4.0, "patients": 2}
    assert told[2]["declined"] == "no ventricle" and told[0]["esv_ml found"] == 103.0
    asked[:] = ["c"]
    with pytest.raises(Refused, match="all 1 patients were declined"):
        heart.judged(held, None, Path(), None)
    with pytest.raises(Refused, match="no split 'test'"):
        heart.judged(held, None, Path(), "test")


@pytest.mark.data
@pytest.mark.nightly
def test_a_folder_without_what_links_images_and_contours_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    for text, why in (
        (None, "no link.csv in .*give the folder that holds link.csv, dicoms and contours"),
        ("", "link.csv has no column 'patient_id'"),
        ("patient_id,name\n1,2\n", "link.csv has no column 'original_id'"),
        ("patient_id,original_id\n1,2\n", "none of 1 rows of link.csv names an archive"),
    ):
        if text is not None:
            link.write_text(text)
        with pytest.raises(Refused, match=f"(?i){why}"):
            list(read_hearts(tmp_path))


def test_two_patients_of_sunnybrook(data: Path) -> None:
    found = judged("cardiac_cine", data / "sunnybrook_cine").report
    assert found["n"] == 2 and found["metrics"]["absolute_difference"]["ef_percent"]["value"] < 3
