"""The checks of a film's map: partners trained and taken up, lesions planted, refusals, and the verdict that ships."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import onnx
from onnx import numpy_helper

from isocenter.analysis.weights import model as shelved
from isocenter.errors import Refused
from isocenter.govern import showing
from isocenter.learn import partners as party
from isocenter.learn import sanity_films as looked
from isocenter.learn.card import explained
from isocenter.learn.cascade import cascade
from isocenter.learn.examples import Examples, digest_of
from isocenter.learn.planted import planted_opacity
from isocenter.learn.recipes import recipe
from isocenter.learn.sanity_films import METHODS, SHOWN, films_sanity
from isocenter.record import Map, Model
from isocenter.space import Geometry

HOW = replace(recipe("chest_xray_opacity"), size=32, widths=(4, 6, 8, 8), batch=8)


def films(n: int) -> Examples:
    rng = np.random.default_rng(0)
    pictures, labels = rng.integers(40, 120, (n, 224, 224), dtype=np.uint8), np.arange(n) % 2
    pictures[labels == 1, 100:140, 100:140] += 100
    names = tuple(f"film{k}" for k in range(n))
    return Examples(pictures, labels, np.full(n, -1), names, np.arange(n), digest_of(names, labels, pictures))


def test_a_planted_opacity_is_dense_in_one_lung_and_nowhere_else() -> None:
    rng = np.random.default_rng(0)
    film = rng.integers(20, 60, (224, 224), dtype=np.uint8)
    film[:, 100:124], film[180:] = 220, 220
    for _ in range(5):
        shown, mask = planted_opacity(film, rng)
        rows, columns = np.nonzero(mask)
        assert 0.02 < mask.mean() < 0.12 and abs(columns.mean() - 112) > 20 and 50 < rows.mean() < 175
        lung = mask & (film < 100)
        assert shown[lung].mean() > film[lung].mean() + 40
        assert np.array_equal(shown[:20], film[:20]) and shown.dtype == np.uint8


def test_what_is_called_is_told_by_size_and_density(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    clear = rng.integers(20, 60, (3, 64, 64), dtype=np.uint8)
    clear[:, :, 28:36], clear[:, 52:] = 220, 220
    bright = float(clear.mean()) + 12
    monkeypatch.setattr(looked, "_called", lambda model, session, films, size: films.mean((1, 2)) > bright)
    told = looked.called_by_size(Model("x", "1", "0" * 64, inputs={"size": 32}), None, clear)
    assert len(told) == 15 and {one["n"] for one in told} == {3}
    sizes = [one["part_of_film"] for one in told[::3]]
    assert sizes == sorted(sizes) and sizes[0] < 0.02 and 0.1 < sizes[-1] < 0.25
    contrasts = [one["contrast"] for one in told[:3]]
    assert contrasts == sorted(contrasts) and 0.1 < contrasts[0] < 0.3 < contrasts[-1] < 0.8
    assert told[0]["called"] == 0 and told[-1]["called"] == 3
    assert told == looked.called_by_size(Model("x", "1", "0" * 64, inputs={"size": 32}), None, clear)
    rows = explained(Model("x", "1", "0" * 64, evidence={"explanation": [
        {"map": "m", "method": "k", "says": "s", "n": 1, "checks": {}, "cases": {"called by size and density": told}}
    ]}))  # fmt: skip
    assert "| half axis, part of the film's side (of its area) | density 0.3 | density 0.5 | density 0.8 |" in rows
    assert (
        rows[-2].startswith("| 0.24 (") and "| 3 (" in rows[-2] and len([r for r in rows if r.startswith("| 0.")]) == 5
    )


def test_shuffled_labels_say_nothing_of_the_films() -> None:
    made = party.shuffled(films(40), 3, 24)
    true = made.pictures[:, 120, 120] > 130
    assert len(made) == 24 and [int(np.count_nonzero(made.labels[true] == k)) for k in (0, 1)] == [6, 6]
    assert made.labels.mean() == 0.5 and made.digest != films(40).digest
    with pytest.raises(Refused, match="each class"):
        party.shuffled(films(2), 0)


@pytest.mark.nightly
def test_partners_are_trained_once_and_taken_up_only_where_they_are_these(tmp_path: Path) -> None:
    examples, lines = films(24), list[str]()
    short = lambda how, epochs=1: replace(how, epochs=1, threads=1)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(party, "partner", short)
        patch.setattr(party, "memorising", short)
        patch.setattr(party, "_BLIND", 1)
        made = party.partners(HOW, examples, examples, 0, tmp_path, lines.append)
        assert [one.role for one in made] == ["twin", "other", "shuffled0"]
        assert made[1].told["architecture"] == "PlainNet" and len({one.told["digest"] for one in made}) == 3
        assert all(hashlib.sha256(one.data).hexdigest() == one.told["digest"] for one in made)
        assert "right_by_heart" in made[2].told and not list(tmp_path.glob("*.checkpoint"))
        (tmp_path / "twin.onnx").write_bytes(b"another file")
        lines.clear()
        again = party.partners(HOW, examples, examples, 0, tmp_path, lines.append)
        assert sum("taken from" in line for line in lines) == 2, "all but the one that was exchanged"
        assert again[0].told["digest"] == made[0].told["digest"], "the same seed, the same weights"
        with pytest.raises(Refused, match="a batch has 8"):
            party.partners(HOW, examples.take(np.arange(4)), examples, 0, tmp_path / "few")


def test_a_cascade_reaches_only_what_the_map_is_made_from() -> None:
    data = shelved("chest_xray_opacity")[1].read_bytes()
    (all_of_it,), (first, whole) = (
        cascade(data, rng=np.random.default_rng(0), levels=levels, outputs=outputs)
        for levels, outputs in ((1, ()), (2, ("map",)))
    )

    def changed(made: bytes) -> set[str]:
        one, other = (onnx.load_model_from_string(d).graph.initializer for d in (data, made))
        pairs = zip(one, other, strict=True)
        return {a.name for a, b in pairs if not np.array_equal(numpy_helper.to_array(a), numpy_helper.to_array(b))}

    assert changed(first) < changed(whole) < changed(all_of_it), "the gate's weights are left as they are"
    assert not {n for n in changed(whole) if "gate" in n}
    with pytest.raises(Refused, match="no output 'heat'"):
        cascade(data, rng=np.random.default_rng(0), outputs=("heat",))


def test_it_refuses_other_models_methods_and_data(tmp_path: Path) -> None:
    held, path = shelved("chest_xray_opacity")
    for class_ in ("NORMAL", "PNEUMONIA"):
        (tmp_path / class_).mkdir()
        for k in range(2):
            from PIL import Image

            Image.fromarray(films(2).pictures[k]).save(tmp_path / class_ / f"person{k}_x.png")
    data = path.read_bytes()
    for model, methods, why in (
        (Model("breastmnist", "1", "0" * 64), ("class activation",), "come without one"),
        (held, ("crystal ball",), "there are class activation"), (held, ("class activation",), "learnt from 866353cc"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=why):
            films_sanity(model, data, tmp_path, tmp_path / "partners", methods)
    assert not (tmp_path / "partners").exists()


def test_what_ships_is_shown_only_as_its_verdict_says() -> None:
    held, _ = shelved("chest_xray_opacity")
    (verdict,) = held.evidence["explanation"]
    assert verdict["digest"] == held.digest and (verdict["method"], verdict["map"]) == SHOWN and SHOWN[0] in METHODS
    assert set(verdict["checks"]) == set(showing.CHECKS) and not any(
        "not_made" in c for c in verdict["checks"].values()
    )
    assert verdict["passed"] == all(check["passed"] for check in verdict["checks"].values())
    assert {"cascade", "labels"} <= set(verdict["control"]["failed"]), "the planted edge detector fails"
    grid = Geometry(np.eye(4), (1, 8, 8), "1.2.3")
    map_ = Map(SHOWN[1], "where", "1", grid, "0" * 64, "sensitivity")
    assert (SHOWN[1] in showing.withheld([map_], held)) is not verdict["passed"]
    other = replace(held, digest="f" * 64)
    assert "other weights" in showing.withheld([map_], other)[SHOWN[1]]
