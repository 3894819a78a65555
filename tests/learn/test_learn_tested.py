"""The cases behind a figure: as many as the figure counts, the most wrong first, known by their image and no name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.errors import NotFound, Refused
from isocenter.learn.answers import answers_of
from isocenter.learn.sealed import digest_of_data, of_groups
from isocenter.learn.tested import FILE, about, counted, digest_of_case, image_digests, kept, laid, picked, read
from isocenter.methods.calibration import reliability
from isocenter.record import Model
from isocenter.store.erasures import digests_in

TWO = Model("m", "1", "a" * 64, inputs={"threshold": 0.5, "positive": 1, "classes": ["no", "yes"]})


def lines(n: int = 300) -> tuple[list[dict[str, Any]], np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, n)
    score = np.clip(label * 0.4 + rng.normal(0.3, 0.2, n), 0, 1)
    sex = np.where(np.arange(n) < 4, "X", rng.choice(["F", "M"], n))
    rows = [
        {"name": f"MEIER/{k}", "label": int(y), "certainty no": 1 - s, "certainty yes": float(s), "declined": k == 7}
        for k, (y, s) in enumerate(zip(label, score, strict=True))
    ]
    images = [hashlib.sha256(b"image %d" % k).hexdigest() for k in range(n)]
    return kept(TWO, rows, answers_of(TWO, rows), images, {"sex": sex}), label, score, {"sex": sex}


def test_each_figure_opens_as_many_cases_as_it_counts() -> None:
    held, label, score, groups = lines()
    called = score >= 0.5
    expected = {
        "all": 300, "ill": (label == 1).sum(), "well": (label == 0).sum(), "called": called.sum(),
        "not called": (~called).sum(), "missed": ((label == 1) & ~called).sum(), "declined": 1,
        "false alarms": ((label == 0) & called).sum(), "wrong": ((label == 1) != called).sum(),
    }  # fmt: skip
    assert {of: len(picked(held, of)) for of in expected} == expected
    assert counted(held) == {of: expected[of] for of in ("missed", "false alarms", "wrong", "declined")}
    for k, (n, _, true) in enumerate(reliability(label, score)):
        some = picked(held, bin=k)
        assert len(some) == n and np.mean([line["ill"] for line in some]) == pytest.approx(true)
    for row in of_groups(answers_of(TWO, _rows(label, score)), groups):
        if row["name"] == "X":
            assert "insufficient" in row and not row["metrics"]
            continue
        assert len(picked(held, "ill", by="sex", group=row["name"])) == row["events"]
        assert len(picked(held, by="sex", group=row["name"])) == row["n"]
    wrong = [abs(line["score"] - line["ill"]) for line in picked(held, "wrong")]
    assert wrong == sorted(wrong, reverse=True), "the most certain of its errors first"


def _rows(label: np.ndarray, score: np.ndarray) -> list[dict[str, Any]]:
    return [
        {"name": f"{k}", "label": int(y), "certainty no": 1 - s, "certainty yes": float(s)}
        for k, (y, s) in enumerate(zip(label, score, strict=True))
    ]


def test_what_is_kept_names_nobody_and_holds_no_image_back() -> None:
    held = lines()[0]
    text = json.dumps(held)
    assert "MEIER" not in text and not list(digests_in(text.encode())), "an erased image must not be held by a test"
    assert digest_of_case(held[5]) == hashlib.sha256(b"image 5").hexdigest()


@pytest.mark.parametrize(
    ("of", "asked", "why"),
    [
        ("everything", {}, "no figure of this test"),
        ("all", {"by": "sex", "group": "X"}, "fewer than 10"),
        ("all", {"by": "sex", "group": "nobody"}, "fewer than 10"),
        ("all", {"bin": 15}, "this test fills"),
    ],
)
def test_what_no_figure_is_about_is_refused(of: str, asked: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        picked(lines()[0], of, **asked)


def test_of_many_classes_and_of_outlines_there_are_no_missed_cases() -> None:
    three = Model("m", "1", "a" * 64, inputs={"classes": ["a", "b", "c"]})
    rows = [
        {"name": f"{k}", "label": k % 3, "said": 1, "certainty a": 0.1, "certainty b": 0.7, "certainty c": 0.2}
        for k in range(6)
    ]
    held = kept(three, rows, answers_of(three, rows), ["0" * 64] * 6, {})
    assert [(x["truth"], x["said"], x["score"]) for x in held[:2]] == [("a", "b", 0.7), ("b", "b", 0.7)]
    assert counted(held) == {"wrong": 4, "declined": 0}
    with pytest.raises(Refused, match="'missed'"):
        picked(held, "missed")
    dice = [{"name": f"{k}", "dice a": 0.5 + k / 10, "declined": ""} for k in range(3)]
    outlined = kept(three, dice, answers_of(three, dice), ["0" * 64] * 3, {})
    assert counted(outlined) == {"declined": 0} and picked(outlined)[0]["right"] == pytest.approx(0.5)
    with pytest.raises(Refused, match="'wrong'"):
        picked(outlined, "wrong")


def test_a_case_is_known_by_its_image_its_file_or_its_place(tmp_path: Path) -> None:
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "a.png").write_bytes(b"picture a")
    (tmp_path / "yes" / "b.dcm").write_bytes(b"picture b")
    image = hashlib.sha256(b"the stored image").hexdigest()
    (tmp_path / "examples.csv").write_text(f"file,label,image\nyes/a.png,yes,{image}\nyes/b.dcm,yes,no digest\n")
    of_b = hashlib.sha256(b"picture b").hexdigest()
    whole = digest_of_data(tmp_path)
    told = image_digests(tmp_path, ["yes/a.png", "yes/b.dcm", "b", "c"], whole)
    assert told[:3] == [image, of_b, of_b] and told[3] not in (image, of_b)
    (tmp_path / "no").mkdir()
    for label in ("yes", "no"):
        (tmp_path / label / "film.dcm").write_bytes(label.encode())
    twins = image_digests(tmp_path, ["yes/film.dcm", "no/film.dcm", "film.dcm"], whole)
    assert twins[:2] == [hashlib.sha256(b"yes").hexdigest(), hashlib.sha256(b"no").hexdigest()]
    assert twins[2] not in twins[:2], "of two files of one name it is not known which is meant"
    (tmp_path / "00000.png").write_bytes(b"not of the array beside it")
    np.savez(tmp_path / "t.npz", images=np.zeros((2, 4, 4)))
    rows = image_digests(tmp_path / "t.npz", ["00000", "00001"], "f" * 64)
    assert len(set(rows)) == 2 and rows == image_digests(tmp_path / "t.npz", ["00000", "00001"], "f" * 64)
    assert rows[0] != image_digests(tmp_path / "t.npz", ["00000"], "e" * 64)[0], "of another set it is another case"
    assert hashlib.sha256(b"not of the array beside it").hexdigest() not in rows


def beside(tmp_path: Path) -> Model:
    (tmp_path / "set.csv").write_text("age,ill\n1,0\n")
    rows = [
        {"name": f"MEIER {k}", "label": k % 2, "certainty no": 0.5, "certainty yes": 0.5 + k / 100} for k in range(30)
    ]
    told = laid(tmp_path, TWO.inputs, rows, tmp_path / "set.csv", {"sex": ["F", "M", "M"] * 10})
    return replace(TWO, evidence=told)


def test_a_training_lays_its_cases_beside_the_model(tmp_path: Path) -> None:
    model = beside(tmp_path)
    held, told = read(tmp_path, model), model.evidence["cases"]
    assert told["n"] == len(held) == 30 and told["errors"] == counted(held)
    assert told["data"] == digest_of_data(tmp_path / "set.csv")
    assert told["digest"] == hashlib.sha256((tmp_path / FILE).read_bytes()).hexdigest()
    assert "MEIER" not in (tmp_path / FILE).read_text() and "set.csv" not in (tmp_path / FILE).read_text()
    assert len(picked(held, "ill", by="sex", group="F")) == 5
    assert [about(one) for one in ("sensitivity", "specificity", "auc", "ppv")] == ["ill", "well", "all", "called"]


def test_cases_of_a_stranger_are_read_only_as_what_they_are(tmp_path: Path) -> None:
    model, file = beside(tmp_path), tmp_path / FILE
    whole = json.loads(file.read_bytes())["cases"]
    with pytest.raises(NotFound, match="kept none"):
        read(tmp_path, TWO)

    def put(lines: Any) -> Model:
        file.write_text(json.dumps(lines))
        told = {**model.evidence["cases"], "digest": hashlib.sha256(file.read_bytes()).hexdigest()}
        return replace(model, evidence={"cases": told})

    assert len(read(tmp_path, put({"cases": whole}))) == 30
    wrong: list[dict[str, Any]] = [
        {"case": "../../etc"}, {"score": "high"}, {"right": float("nan")}, {"declined": "no"}, {"truth": {"a": 1}},
        {"groups": []}, {"groups": {"sex": 3}}, {"ill": "yes"},
    ]  # fmt: skip
    for bad in wrong:
        with pytest.raises(Refused, match="no cases"):
            read(tmp_path, put({"cases": [{**whole[0], **bad}, *whole[1:]]}))
    for text in ([], {"cases": 3}, {"cases": whole[:3]}, "cases"):
        with pytest.raises(Refused, match="no cases"):
            read(tmp_path, put(text))
    file.write_text("{}")
    with pytest.raises(Refused, match="not the file"):
        read(tmp_path, model)
    file.unlink()
    with pytest.raises(NotFound, match="not there"):
        read(tmp_path, model)


def test_too_many_cases_are_counted_and_none_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.learn.tested.MOST", 29)
    told = beside(tmp_path).evidence["cases"]
    assert (told["n"], set(told)) == (30, {"n", "data"}) and not (tmp_path / FILE).exists()
