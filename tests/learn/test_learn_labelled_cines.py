"""Cines with labels as ACDC and M&Ms have them: the left ventricle is told by its muscle, whatever its number is."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import Refused
from isocenter.learn import heart
from isocenter.learn.heart_fit import HeartRecipe
from isocenter.learn.hearts import stacked
from isocenter.learn.judge import judged
from isocenter.learn.labelled_cines import read_labelled_cines
from isocenter.methods.virtual_heart import VirtualHeart

APART_MM, STEP_MM = 9.0, 1.5
LPS = np.array([[0.62, -0.15, 0.77], [-0.67, 0.41, 0.62], [-0.41, -0.90, 0.16]])  # slice, row, column


class Case:
    """A virtual heart: its cine, a part that stands for the right ventricle, and what its labels hold, in mL."""

    def __init__(self, seed: int) -> None:
        heart = VirtualHeart(seed)
        depths = np.arange(-1.4 * APART_MM, heart.shape.length_mm + heart.shape.wall_mm + APART_MM, APART_MM)
        squeeze = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(10) / 10)
        made = heart.rendered(depths, squeeze, size=128, step_mm=STEP_MM)
        self.cine = np.asarray(made.pictures, np.float32).transpose(3, 2, 1, 0)  # x, y, z, t as NIfTI has them
        cavity, whole = (np.asarray(one) > 0.5 for one in (made.cavity, made.epicardium))
        beside = np.roll(whole, -24, axis=3) & ~whole
        kinds = np.where(cavity, 1, np.where(whole, 2, np.where(beside, 3, 0))).astype(np.uint8)
        self.kinds = kinds.transpose(3, 2, 1, 0)
        turn = np.diag([-1.0, -1.0, 1.0]) @ LPS[:, ::-1] @ np.diag([STEP_MM, STEP_MM, APART_MM])
        self.affine = np.block([[turn, np.array([[20.0], [-35], [60]])], [np.zeros((1, 3)), np.ones((1, 1))]])
        ml = float(abs(np.linalg.det(turn))) / 1000
        self.edv, self.esv = (np.count_nonzero(cavity[k]) * ml for k in (0, 5))
        self.mass = 1.05 * np.count_nonzero(self.kinds[..., 0] == 2) * ml

    def save(self, file: Path, array: np.ndarray) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        image = nibabel.Nifti1Image(array, self.affine)
        image.header.set_xyzt_units("mm", "sec")
        nibabel.save(image, file)

    def acdc(
        self, place: Path, name: str, info: str = "ED: 1\nES: 6\nGroup: NOR\nHeight: 170.0\nNbFrame: 10\n"
    ) -> None:
        numbers = np.array([0, 3, 2, 1], np.uint8)[self.kinds]
        self.save(place / name / f"{name}_4d.nii.gz", self.cine)
        for phase in (1, 6):
            self.save(place / name / f"{name}_frame{phase:02d}.nii.gz", self.cine[..., phase - 1])
            self.save(place / name / f"{name}_frame{phase:02d}_gt.nii.gz", numbers[..., phase - 1])
        (place / name / "Info.cfg").write_text(info)

    def mms(self, place: Path, name: str, numbers: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        held = np.array(numbers, np.uint8)[self.kinds]
        held[..., [k for k in range(10) if k not in (0, 5)]] = 0
        self.save(place / name / f"{name}_sa.nii.gz", self.cine)
        self.save(place / name / f"{name}_sa_gt.nii.gz", held)


def test_cines_are_judged_as_the_labels_of_either_layout_say(tmp_path: Path) -> None:
    case = Case(901)
    case.acdc(tmp_path / "acdc", "patient001")
    case.mms(tmp_path / "mms", "A0S9V9")
    case.mms(tmp_path / "anew", "B", (0, 2, 3, 1))
    truth = {"edv_ml": case.edv, "esv_ml": case.esv, "ef_percent": 100 * (1 - case.esv / case.edv), "mass_g": case.mass}
    for layout in ("acdc", "mms", "anew"):
        (one,) = read_labelled_cines(tmp_path / layout)
        assert one.truth == pytest.approx(truth), layout
        assert one.cine.array.shape == (10, *case.cine.shape[2::-1])
    report = judged("cardiac_cine", tmp_path / "acdc").report
    assert (report["n"], report["declined"]) == (1, 0)
    assert report["metrics"]["absolute_difference"]["ef_percent"]["value"] < 5
    assert report["metrics"]["absolute_difference"]["edv_ml"]["value"] < 0.1 * case.edv


def test_labels_that_do_not_tell_the_left_ventricle_are_refused(tmp_path: Path) -> None:
    case = Case(902)
    case.acdc(tmp_path / "turned", "patient002", "ED: 6\nES: 1\n")
    with pytest.raises(Refused, match="phase 6 end-diastole: phase 1 has the larger left ventricle"):
        list(read_labelled_cines(tmp_path / "turned"))
    case.mms(tmp_path / "alone", "A", (0, 1, 0, 0))
    with pytest.raises(Refused, match=r"labels 1 of A: the left ventricle is not told.*there are not two"):
        list(read_labelled_cines(tmp_path / "alone"))
    case.mms(tmp_path / "two", "A", (0, 0, 2, 3))
    with pytest.raises(Refused, match=r"labels 2, 3 of A: the left .* along .* % of"):
        list(read_labelled_cines(tmp_path / "two"))
    case.save(tmp_path / "none" / "A_sa.nii.gz", case.cine)
    with pytest.raises(Refused, match="none has labels beside it"):
        list(read_labelled_cines(tmp_path / "none"))
    case.acdc(tmp_path / "three", "p")
    case.save(tmp_path / "three" / "p" / "p_frame03_gt.nii.gz", case.kinds[..., 2])
    with pytest.raises(Refused, match="3 phases of p have labels"):
        list(read_labelled_cines(tmp_path / "three"))
    case.acdc(tmp_path / "small", "p")
    case.save(tmp_path / "small" / "p" / "p_frame01_gt.nii.gz", case.kinds[:100, ..., 0])
    with pytest.raises(Refused, match="another grid than the cine"):
        list(read_labelled_cines(tmp_path / "small"))
    case.acdc(tmp_path / "still", "p")
    case.save(tmp_path / "still" / "p" / "p_4d.nii.gz", case.cine[..., 0])
    with pytest.raises(Refused, match="a cine shows the beat in several phases"):
        list(read_labelled_cines(tmp_path / "still"))


def test_a_cine_without_its_directions_is_turned_by_its_labels_or_refused(tmp_path: Path) -> None:
    case = Case(901)
    case.mms(tmp_path / "told", "A")
    found = {"told": judged("cardiac_cine", tmp_path / "told").predictions[0]}
    lost = np.diag([-STEP_MM, -STEP_MM, APART_MM, 1.0])
    pictures, kinds = case.cine, case.kinds
    for turns, ways in ((1, -1), (2, 1)):
        case.affine = lost
        case.cine, case.kinds = (np.rot90(one, turns)[:, :, ::ways].copy() for one in (pictures, kinds))
        case.mms(tmp_path / f"lost {turns}", "A")
        found[f"lost {turns}"] = judged("cardiac_cine", tmp_path / f"lost {turns}").predictions[0]
    for name, one in found.items():
        for what in ("edv_ml", "esv_ml", "mass_g"):
            assert one[f"{what} found"] == pytest.approx(found["told"][f"{what} found"], rel=0.01), (name, what)
    case.mms(tmp_path / "alone", "A", (0, 1, 2, 0))
    with pytest.raises(Refused, match="no right ventricle is labelled"):
        list(read_labelled_cines(tmp_path / "alone"))


def test_cines_with_labels_train_in_either_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = {"patient001": Case(901), "patient002": Case(903)}
    for name, case in cases.items():
        case.acdc(tmp_path / "acdc", name)
        case.mms(tmp_path / "mms", name, (0, 2, 3, 1))
    for one, other in zip(*(read_labelled_cines(tmp_path / way) for way in ("acdc", "mms")), strict=True):
        assert sorted(one.heart.labels) == sorted(other.heart.labels) == [0, 5]
        assert stacked(one.heart).digest == stacked(other.heart).digest
        kinds = cases[one.name].kinds[..., 0]
        for label, kind in ((1, 1), (2, 2)):
            assert (one.heart.labels[0] == label).sum() == (kinds == kind).sum()
    monkeypatch.setattr(heart, "_virtual", lambda seed, net: {"name": "v", "truth": {}, "found": None, "why": "no"})
    few = HeartRecipe(widths=(4, 8), virtual=2, first=1, deep=1, steps=1, batch=2)
    model = heart.train(tmp_path / "acdc", tmp_path / "model", 0, lambda line: None, recipe=few)
    assert model.card["people"] == list(cases) and "2 cines of 2 people of the folder 'acdc'" in model.card["source"]
    assert [row["name"] for row in model.evidence["left_out"]] == list(cases)
    assert model.evidence["left_out"][0]["truth"]["edv_ml"] == pytest.approx(cases["patient001"].edv)


def test_many_patients_are_left_out_by_fifths() -> None:
    many = [heart._Patient(str(k), f"person{k // 2}", 1.0, 2, None) for k in range(26)]  # type: ignore[arg-type]
    parts = heart._parts(many, 0)
    assert sorted(p.name for part in parts for p in part) == sorted(p.name for p in many) and len(parts) == 5
    people = [{p.person for p in part} for part in parts]
    assert not any(one & other for k, one in enumerate(people) for other in people[:k])
    assert [[p.name for p in part] for part in heart._parts(many[:4], 0)] == [["0", "1"], ["2", "3"]]
    assert not heart._parts(many[:2], 0)
