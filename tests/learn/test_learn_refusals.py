"""What a person gives by mistake is refused with a sentence, not with a traceback."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.errors import MissingPart, Refused, Unavailable
from isocenter.learn.judge import judge
from isocenter.learn.outside import must_name, why_declined
from isocenter.learn.train import train

BREAST = models()["breastmnist"][1].parent


def some(path: Path, n: int, labels: int = 2) -> Path:
    pictures = np.random.default_rng(0).integers(0, 255, (n, 28, 28), dtype=np.uint8)
    np.savez(path, test_images=pictures, test_labels=np.arange(n) % labels)
    return path


@pytest.mark.parametrize("said", ["{", "[]", '{"name": "a"}', "\x00"])
def test_a_record_that_is_none_is_named(tmp_path: Path, said: str) -> None:
    shutil.copytree(BREAST, tmp_path / "own")
    (tmp_path / "own" / "model.json").write_text(said)
    with pytest.raises(Refused, match=r"own/model\.json is no record of a model"):
        judge(tmp_path / "own", some(tmp_path / "a.npz", 8))
    for folder in ("good", "again"):  # what lies beside it is not opened, whatever it is called
        shutil.copytree(BREAST, tmp_path / folder)
    assert judge(tmp_path / "good", tmp_path / "a.npz")["n"] == 8
    (tmp_path / "again/model.onnx").unlink()
    with pytest.raises(MissingPart, match=r"no model\.onnx in"):
        judge(tmp_path / "again", tmp_path / "a.npz")


def test_no_case_and_one_class(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no labelled image"):
        judge("breastmnist", some(tmp_path / "none.npz", 0))
    with pytest.raises(Refused, match="every label is 0: from one class only nothing is learnt"):
        train("breastmnist", some(tmp_path / "one.npz", 40, 1), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_is_none(tmp_path: Path, seed: int) -> None:
    with pytest.raises(Refused, match="a whole number from 0"):
        train("breastmnist", some(tmp_path / "a.npz", 8), tmp_path / "out", seed=seed)


def test_a_full_disk(tmp_path: Path) -> None:
    data, limits = some(tmp_path / "a.npz", 120), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # less than a checkpoint takes
    try:
        with pytest.raises(Unavailable, match="Make room and give the same command"):
            train("pneumoniamnist", data, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "out").iterdir()), "no half of a file is left"


def test_a_strangeness_that_is_no_number_is_within_no_limit() -> None:
    """Broken weights answer so; above a limit it is not, either."""
    said = {"strangeness": np.array([0.5, np.nan], np.float32)}
    strange, why, _ = why_declined(Path(), {}, said, [np.zeros((4, 4), np.uint8)] * 2)
    assert strange.tolist() == [0.5, np.inf] and not why[0] and "is no number" in why[1]


@pytest.mark.parametrize("scope", ["../scope.onnx", {"file": "x"}, None, []])
def test_a_border_that_is_none_is_refused(scope: object) -> None:
    session = SimpleNamespace(get_modelmeta=lambda: SimpleNamespace(custom_metadata_map={}))
    with pytest.raises(Refused, match="the digest of its file"):
        must_name(session, {"scope": scope})
