"""Faces are found, brains are not touched, and what is unsure is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods import defacing
from isocenter.methods.average_head import fits
from isocenter.methods.defacing import Face, face_of, skin_left
from isocenter.methods.trilinear import sampled, shared
from isocenter.site.defacing import average_head
from isocenter.space import Geometry, Volume
from isocenter.testing.phantoms import head

COARSE: dict[str, Any] = {"step_mm": 4.0, "pixel_mm": 3.0}


def cut_from(volume: Volume, face: Face) -> npt.NDArray[np.bool_]:
    step = np.linalg.inv(face.geometry.affine) @ volume.geometry.affine
    mask = face.mask.astype(np.uint8)
    found = ndimage.affine_transform(mask, step[:3, :3], step[:3, 3], output_shape=volume.geometry.shape, order=0)
    return np.asarray(found > 0)


@pytest.mark.parametrize(
    "scan",
    [
        {"kind": "T1"},
        {"kind": "CT", "nose_mm": 24.0},
        {"kind": "T2", "plane": "sagittal", "tilt_deg": (-12.0, 0.0, 0.0)},
        {"kind": "FLAIR", "plane": "coronal", "tilt_deg": (10.0, 4.0, -8.0), "at_mm": (20.0, -50.0, 70.0), "size": 0.9},
    ],
    ids=lambda scan: str(scan["kind"]),
)
def test_a_face_goes_and_the_brain_stays_whatever_the_contrast_and_the_direction(scan: dict[str, Any]) -> None:
    volume, brain = head.volume(**COARSE, **scan)
    face = face_of(volume, average_head())
    assert face is not None and face.skin_cm2 > 80 and face.left == 0.0 and face.depth_mm > 20
    gone = cut_from(volume, face)
    wide = ndimage.binary_dilation(brain)
    assert gone.any() and not (gone & wide).any()
    # All that the definition calls face goes: before and below both planes, in front of the jaw, and no brain.
    own = face.fit.matrix @ face.geometry.affine
    _, y, z = (own[k, :3] @ np.indices(face.mask.shape).reshape(3, -1) + own[k, 3] for k in range(3))
    called = (y < -46.0) & (z > -170.0) & (z < np.minimum(-13.5, -13.5 - 0.62 * (y + 110.0)))
    assert np.array_equal(face.mask.ravel(), called & ~face.brain.ravel())
    # Nose and eyes are where the head has them.
    shape = {"at": scan.get("at_mm", (0, 0, 0)), "tilt": scan.get("tilt_deg", (0, 0, 0)), "size": scan.get("size", 1.0)}
    for part in ((0.0, -112.0, -52.0), (32.0, -95.0, -38.0), (-32.0, -95.0, -38.0), (0.0, -98.0, -112.0)):
        turned = np.linalg.inv(head.turned(shape["tilt"])) @ np.array(part) * shape["size"] + np.array(shape["at"])
        at = tuple(np.rint(face.geometry.to_index(turned)).astype(int))
        assert face.mask[at], part


@pytest.mark.parametrize(
    "turn", [(1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (1.0, -1.0, 1.0)], ids=["crown", "back", "mirror"]
)
def test_a_head_whose_header_turns_it_is_refused(turn: tuple[float, float, float]) -> None:
    volume, _ = head.volume("T2", plane="sagittal", tilt_deg=(-12.0, 0.0, 0.0), **COARSE)
    grid = Geometry(np.diag((*turn, 1.0)) @ volume.geometry.affine, volume.geometry.shape)
    with pytest.raises(Refused, match=r"turned by half.*Look at the images"):
        face_of(Volume(volume.array, grid), average_head())


@pytest.mark.parametrize("mm", [(0.0, 0.0, 0.0), (14.0, -9.0, 31.0), (60.0, 40.0, -80.0)])
def test_of_an_average_head_only_what_is_somewhere_is_asked_and_nothing_is_missed(
    mm: tuple[float, float, float],
) -> None:
    average = average_head()
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = head.turned((9.0, -7.0, 16.0)) * 1.07, mm
    grid = Geometry.regular(shape=(70, 80, 60), spacing_mm=(4.0, 3.5, 4.5), origin_mm=(-130.0, -150.0, -150.0))
    step = np.linalg.inv(average.signal.geometry.affine) @ matrix @ grid.affine
    whole = sampled(average.brain.astype(np.float32), step, grid.shape) >= 0.5
    assert whole.any() and np.array_equal(average.brain_at(matrix, grid), whole)
    rng = np.random.default_rng(1)
    inside = rng.random(grid.shape) < 0.8
    mask = (rng.random(grid.shape) < 0.5) & inside
    expected = shared(average.plain, step, average.border, mask, inside)
    assert average.overlap(matrix, grid, mask, inside) == pytest.approx(expected, abs=1e-5) and expected > 0.01


def test_a_trunk_and_a_speck_are_no_heads() -> None:
    z, y, x = np.ogrid[-100:100:5, -120:120:5, -180:180:5]
    trunk = ((x / 170) ** 2 + (y / 105) ** 2 < 1) & (z > -200)
    image = np.where(trunk, 40.0, -1000.0) + 900.0 * (((x / 16) ** 2 + ((y - 60) / 16) ** 2) < 1)
    grid = Geometry.regular(shape=trunk.shape, spacing_mm=(5.0, 5.0, 5.0))
    assert face_of(Volume(image.astype(np.float32), grid, "attenuation"), average_head()) is None
    speck = Volume(image[:3, :10, :10].astype(np.float32), Geometry.regular(shape=(3, 10, 10)), "attenuation")
    assert face_of(speck, average_head()) is None


def test_the_skin_of_another_scan_tells_whether_a_face_fits_it() -> None:
    volume, _ = head.volume("T1", **COARSE)
    face = face_of(volume, average_head())
    assert face is not None
    _, left, depth = skin_left(head.volume("T2", plane="coronal", **COARSE)[0], face)
    assert left < 0.02 and depth > 20
    spared = replace(face, mask=face.mask & (np.arange(face.mask.shape[2]) > face.mask.shape[2] // 2))
    skin, left, _ = skin_left(volume, spared)
    assert skin > 80 and left > 0.3  # half of a face would be left


@pytest.mark.parametrize(("skin_cm2", "passes"), [(5.7, False), (3.9, True)])
def test_a_shallow_cut_is_refused_also_where_little_of_a_face_is_seen(
    monkeypatch: pytest.MonkeyPatch, skin_cm2: float, passes: bool
) -> None:
    volume, _ = head.volume("T1", **COARSE)
    monkeypatch.setattr(defacing, "_skin", lambda *given: (skin_cm2, 0.0, 4.5))  # as a real head in thick slices had it
    if passes:
        assert face_of(volume, average_head()) is not None
    else:
        with pytest.raises(Refused, match="of facial skin"):
            face_of(volume, average_head())


def flair(data: Path, visit: int, turn: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Volume:
    """A real head in thick slices, its crown cut off and little of its face seen, as it lies or as a header may lie."""
    import nibabel

    file = nibabel.load(data / f"open_ms/longitudinal/raw/patient12/study{visit}_FLAIR.nii.gz")  # type: ignore[attr-defined]
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ file.affine
    affine[:3, :3] = affine[:3, :3][:, ::-1]
    array = np.ascontiguousarray(np.asarray(file.dataobj, np.float32).transpose(2, 1, 0))
    return Volume(array, Geometry(np.diag((*turn, 1.0)) @ affine, array.shape))


def test_a_cut_that_is_refused_is_not_taken_by_a_worse_fit(data: Path) -> None:
    whole = flair(data, 2)
    slices, rows, columns = whole.array.shape
    near = whole.array[:, : rows // 3 * 3, : columns // 3 * 3]
    coarse = near.reshape(slices, rows // 3, 3, columns // 3, 3).mean((2, 4))
    step = np.diag([1.0, 3.0, 3.0, 1.0])
    step[1:3, 3] = 1.0
    with pytest.raises(
        Refused, match=r"of facial skin|turned by half"
    ):  # its fourth fit, 29 degrees askew, once passed
        face_of(Volume(coarse, Geometry(whole.geometry.affine @ step, coarse.shape)), average_head())


@pytest.mark.parametrize("visit", [1, 2])
def test_a_real_head_in_thick_slices_is_laid_rightly_and_held_for_its_shallow_cut(data: Path, visit: int) -> None:
    fit = next(fits(flair(data, visit), average_head()))
    assert fit.outline > 0.88 and fit.turned_deg < 15 and 0.85 < min(fit.scales) < max(fit.scales) < 1.15
    assert fit.similarity > 0.6 and fit.otherwise < 0.98
    with pytest.raises(Refused, match="of facial skin"):
        face_of(flair(data, visit), average_head())


@pytest.mark.parametrize("visit", [1, 2])
@pytest.mark.parametrize("turn", [(-1.0, -1.0, 1.0), (1.0, -1.0, -1.0)], ids=["back", "crown"])
def test_a_real_head_whose_header_turns_it_is_refused_and_never_no_head(
    data: Path, visit: int, turn: tuple[float, float, float]
) -> None:
    with pytest.raises(Refused, match=r"fits turned by 4\d degrees|times as well when it is turned by half"):
        face_of(flair(data, visit, turn), average_head())
