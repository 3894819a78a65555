"""A map of sensitivity is shown, and leaves the house, only where every check was passed for the very weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import NotFound, Refused
from isocenter.forms import bundle, maps
from isocenter.govern import showing
from isocenter.learn import sanity
from isocenter.record import Map, Model, Origin, Outcome, Patient, Result, Study, to_plain
from isocenter.site.showing import Showing
from isocenter.space import Geometry, Volume

GRID = Geometry(np.diag([1.0, 1.0, 1.0, 1.0]), (1, 8, 8), "1.2.3")
PASSED = {
    "method": "occlusion",
    "version": showing.VERSION,
    "passed": True,
    "checks": {c: {"passed": True} for c in showing.CHECKS},
}


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "lung"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"weights")
    model = Model("lung", "1", hashlib.sha256(b"weights").hexdigest())
    (folder / "model.json").write_text(json.dumps(to_plain(model)))
    return tmp_path / "models"


def result_of(digest: str) -> tuple[Result, dict[str, bytes]]:
    blobs, held = {}, []
    for name, kind in (("heat", "sensitivity"), ("flow", "parametric")):
        data = maps.pack(Volume(np.ones(GRID.shape, np.float32), GRID, quantity=name, unit="1"))
        blobs[hashlib.sha256(data).hexdigest()] = data
        held.append(Map(name, name, "1", GRID, hashlib.sha256(data).hexdigest(), kind))
    now = datetime(2026, 11, 26, tzinfo=UTC)
    return Result("1.2", Outcome.NONE, Origin("machine", "lung", "1", digest), now, maps=tuple(held)), blobs


def test_it_is_withheld_until_every_check_was_passed_for_these_weights(shelf: Path) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    here, (told, blobs) = Showing(str(shelf)), result_of(digest)
    assert set(here.withheld(told)) == {"heat"} and "not tested" in here.withheld(told)["heat"]
    with pytest.raises(Refused, match="not tested for the weights of lung"):
        here.must_show(told, "heat")
    here.must_show(told, "flow")
    written = bundle.everything(told, Study("1.2", Patient("P1")), lambda uid: b"", blobs.__getitem__,
                                withheld=here.withheld(told))  # fmt: skip
    assert not any("heat" in f.name for f in written.files) and any(".map.flow." in f.name for f in written.files)
    assert any("heat" in left.name and "not tested" in left.why for left in written.left)
    missing = {**PASSED, "checks": {c: PASSED["checks"][c] for c in showing.CHECKS[1:]}}
    for verdict, why in (
        ({**PASSED, "passed": False}, "did not pass for"), (missing, "did not pass cascade"),
        ({**PASSED, "checks": {**PASSED["checks"], "labels": {"passed": False}}}, "did not pass labels"),
        ({**PASSED, "version": 1}, "version 1 of the checks, and here they are at version 2"),
        ({k: v for k, v in PASSED.items() if k != "version"}, "version 1 of the checks"),
    ):  # fmt: skip
        sanity.kept(shelf / "lung", verdict, map="heat")
        assert why in here.withheld(told)["heat"]
    kept = sanity.kept(shelf / "lung", PASSED, map="heat")
    assert not here.withheld(told) and len(kept.evidence["explanation"]) == 1 and kept.digest == digest
    corrected = replace(told, origin=Origin("person", "ito", parameters={"of": {"model": digest}}))
    assert not here.withheld(corrected), "the same map under a reader's correction"
    assert "not here" in here.withheld(result_of("0" * 64)[0])["heat"], "a verdict on other weights says nothing"


def test_a_verdict_is_of_the_weights_that_it_stands_beside(shelf: Path) -> None:
    sanity.kept(shelf / "lung", PASSED, map="heat")
    file = shelf / "lung" / "model.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "digest": "f" * 64}))
    assert "other weights" in Showing(str(shelf)).withheld(result_of("f" * 64)[0])["heat"]
    with pytest.raises(Refused, match="not those of the record"):
        sanity.kept(shelf / "lung", PASSED, map="heat")
    with pytest.raises(NotFound):
        sanity.kept(shelf, PASSED, map="heat")
    assert (showing.CHECKS, showing.VERSION) == (sanity.CHECKS, sanity.VERSION)
