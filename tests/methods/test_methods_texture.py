"""Textures against arithmetic done slowly, and the strategies against each other."""

import itertools

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import texture


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    """A ragged region of four grey levels with a hole."""
    rng = np.random.default_rng(7)
    found = rng.integers(1, 5, (4, 6, 7)).astype(np.int32)
    found[rng.random(found.shape) < 0.25] = 0
    return found


def test_cooccurrence_counted_pair_by_pair(levels: np.ndarray) -> None:
    """Contrast, energy and correlation from a list of all neighbours."""
    inside = [tuple(v) for v in np.argwhere(levels)]
    pairs = [
        (levels[a], levels[b])
        for a, b in itertools.permutations(inside, 2)
        if max(abs(i - j) for i, j in zip(a, b, strict=True)) == 1
    ]
    i, j = np.array(pairs, float).T
    found = texture.glcm(levels, dimensions=("3D",))
    assert found["cm_contrast_3D_comb"] == pytest.approx(((i - j) ** 2).mean())
    assert found["cm_corr_3D_comb"] == pytest.approx(np.corrcoef(i, j)[0, 1])
    p = np.bincount((i * 8 + j).astype(int)) / len(i)
    assert found["cm_energy_3D_comb"] == pytest.approx((p**2).sum())
    assert found["cm_inv_diff_3D_comb"] == pytest.approx((1 / (1 + abs(i - j))).mean())
    p_i = np.bincount(i.astype(int)) / len(i)
    h, h_i = (-(q[q > 0] * np.log2(q[q > 0])).sum() for q in (p, p_i))
    assert found["cm_info_corr1_3D_comb"] == pytest.approx((h - 2 * h_i) / h_i)


def test_averages_are_averages(levels: np.ndarray) -> None:
    """By slice is the mean over slices; one slice for itself has the same value in two and two and a half."""
    each = [texture.features(levels[k : k + 1], 4, dimensions=("2D", "2_5D")) for k in range(len(levels))]
    whole = texture.features(levels, 4, dimensions=("2D",))
    for tag in (
        "cm_joint_entr_2D_comb",
        "rlm_lre_2D_avg",
        "szm_sze_2D",
        "dzm_lde_2D",
        "ngt_coarseness_2D",
        "ngl_hde_2D",
    ):
        assert whole[tag] == pytest.approx(np.mean([e[tag] for e in each]))
        if not tag.endswith("avg"):
            assert each[0][tag] == pytest.approx(each[0][tag.replace("2D", "2_5D")])


def test_turning_the_region_changes_nothing_in_space(levels: np.ndarray) -> None:
    before = texture.features(levels, 4, dimensions=("3D",))
    after = texture.features(np.ascontiguousarray(levels.transpose(2, 0, 1)[::-1]), 4, dimensions=("3D",))
    assert before == pytest.approx(after)


def test_families_alone_give_what_all_give(levels: np.ndarray) -> None:
    whole = texture.features(levels)
    alone = [texture.glcm(levels), texture.glrlm(levels), texture.glszm(levels), texture.gldzm(levels)]
    alone += [texture.ngtdm(levels), texture.ngldm(levels)]
    assert whole == pytest.approx({t: v for found in alone for t, v in found.items()})
    assert len(whole) == 6 * (25 + 16) + 3 * (16 + 16 + 5 + 17)


def test_one_grey_level_by_the_manual() -> None:
    found = texture.features(np.ones((2, 3, 3), np.int32), dimensions=("3D",))
    assert found["cm_joint_entr_3D_comb"] == 0.0 and found["cm_corr_3D_comb"] == 1.0
    assert found["ngt_coarseness_3D"] == 1e6 and found["ngt_busyness_3D"] == 0.0
    assert found["szm_lze_3D"] == 18.0**2


def test_distances_are_to_the_outline_as_drawn() -> None:
    levels = np.ones((5, 5, 5), np.int32)
    assert texture.gldzm(levels, dimensions=("3D",))["dzm_sde_3D"] == 1.0
    levels[2, 2, 2] = 2
    outline = np.ones((5, 5, 5), bool)
    hole = np.where(levels == 2, 2, 0).astype(np.int32)
    assert texture.gldzm(hole, outline=outline, dimensions=("3D",))["dzm_lde_3D"] == 9.0


def test_refusals() -> None:
    with pytest.raises(Refused, match="without voxels"):
        texture.features(np.zeros((2, 2, 2), np.int32))
    with pytest.raises(Refused, match="2000 grey levels"):
        texture.features(np.full((2, 2, 2), 2000, np.int32))
    with pytest.raises(Refused, match="no counting numbers"):
        texture.features(np.array([[[1, -1]]], np.int32))
    with pytest.raises(Refused, match="dimensions 4D"):
        texture.features(np.ones((2, 2, 2), np.int32), dimensions=("4D",))


@pytest.mark.parametrize("kind", ["float64", "float32", ">i4", ">f8", "uint8", "strided"])
def test_levels_as_files_give_them_say_the_same_and_are_left_as_they_were(kind: str) -> None:
    levels = np.random.default_rng(1).integers(0, 5, (3, 6, 7))
    wanted = texture.features(levels)
    given = np.repeat(levels, 2, axis=2)[:, :, ::2] if kind == "strided" else levels.astype(kind)
    given.flags.writeable = False
    assert texture.features(given) == pytest.approx(wanted, nan_ok=True)
    for family in (texture.glcm, texture.glrlm):
        assert family(given) == pytest.approx({k: wanted[k] for k in family(levels)}, nan_ok=True)


@pytest.mark.parametrize("beyond", [2**32, 2**32 + 1, -(2**32)])
def test_levels_that_would_fold_into_the_range_are_refused(beyond: int) -> None:
    levels = np.ones((2, 3, 3), np.int64)
    levels[0, 0, 0] = beyond
    with pytest.raises(Refused, match="grey levels"):
        texture.features(levels)


@pytest.mark.parametrize("wrong", [0.5, float("nan"), float("inf")])
def test_levels_that_do_not_count_are_refused(wrong: float) -> None:
    levels = np.ones((2, 3, 3))
    levels[0, 0, 0] = wrong
    with pytest.raises(Refused, match="no counting numbers"):
        texture.features(levels)
