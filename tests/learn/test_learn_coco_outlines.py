"""Outlines of a COCO file: polygons and run lengths, as pycocotools 2.0.11 encodes and decodes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from isocenter.errors import Refused
from isocenter.learn.coco_outlines import CocoOutline
from isocenter.learn.kinds import Masks
from isocenter.learn.outlined import pairs_in, people_of, read_case, weights_of

CELLS = Masks("cells", ("nucleus", "cell"), spacing_mm=(1.0, 1.0), window=(64, 64), widths=(8, 16), piece=())

DRAWN = np.zeros((12, 17), np.uint8)
DRAWN[2:9, 3:11], DRAWN[5:7, 5:8], DRAWN[10, 16] = 1, 0, 1
TEXT = "V17500LMO31MO31MO350000T2JhM"  # pycocotools.mask.encode of it


def outline(said: Any, shape: tuple[int, int] = (12, 17)) -> np.ndarray:
    return CocoOutline("t.json", shape, ((1, said),)).painted()


def test_run_lengths_as_text_and_as_numbers() -> None:
    assert np.array_equal(outline({"size": [12, 17], "counts": TEXT}), DRAWN)
    flat = DRAWN.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    assert np.array_equal(outline({"size": [12, 17], "counts": counts}), DRAWN)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 60))
def test_any_mask_comes_back_from_its_run_lengths(seed: int, rows: int, columns: int) -> None:
    mask = (np.random.default_rng(seed).random((rows, columns)) < 0.4).astype(np.uint8)
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    counts = [0, *counts] if flat[0] else counts
    assert np.array_equal(outline({"size": [rows, columns], "counts": counts}, (rows, columns)), mask)


def test_polygons_hold_the_pixels_whose_middle_lies_in_them() -> None:
    assert np.argwhere(outline([[2, 1, 9, 1, 9, 6, 2, 6]])).min(0).tolist() == [1, 2]
    assert outline([[2.2, 1.2, 8.8, 1.2, 8.8, 5.8, 2.2, 5.8]]).sum() == 7 * 5
    both = CocoOutline("t.json", (12, 17), ((2, [[0, 0, 16, 0, 16, 11, 0, 11]]), (1, [[3, 3, 6, 3, 6, 6, 3, 6]])))
    assert both.painted()[4, 4] == 1 and both.painted()[9, 9] == 2, "the smaller lies on top"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"size": [12, 16], "counts": TEXT}, "each pixel once"),
        ({"size": [12, 17], "counts": [5, 5]}, "each pixel once"),
        ({"size": [12, 17], "counts": "V17\u007f"}, "neither polygons nor run lengths"),
        ([[1, 2, 3]], "neither polygons nor run lengths"),
        ("somewhere", "neither polygons nor run lengths"),
    ],
)
def test_what_is_no_outline_is_refused(said: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        outline(said)


def collection(folder: Path, part: str = "train") -> Path:
    (folder / part).mkdir(parents=True)
    (folder / "annotations").mkdir(exist_ok=True)
    images, notes = [], []
    for k in range(3):
        Image.fromarray(np.random.default_rng(k).integers(0, 255, (12, 17), dtype=np.uint8)).save(
            folder / part / f"patient{k}.png"
        )
        images.append({"id": 10 + k, "file_name": f"patient{k}.png", "height": 12, "width": 17})
    notes.append({"id": 1, "image_id": 10, "category_id": 7, "iscrowd": 1,
                  "segmentation": {"size": [12, 17], "counts": TEXT}, "bbox": [3, 2, 8, 7]})  # fmt: skip
    notes.append({"id": 2, "image_id": 11, "category_id": 3, "iscrowd": 0, "segmentation": [[2, 1, 9, 1, 9, 6, 2, 6]]})
    images.append({"id": 99, "file_name": "gone.png", "height": 12, "width": 17})
    table = folder / "annotations" / f"instances_{part}.json"
    said = [{"id": 1, "name": "things"}, {"id": 3, "name": "Cell"}, {"id": 7, "name": "nucleus"}]
    table.write_text(json.dumps({"images": images, "annotations": notes, "categories": said}))
    return table


def test_a_collection_is_read_by_its_file_and_by_its_folder(tmp_path: Path) -> None:
    collection(tmp_path)
    collection(tmp_path, "val")
    for path, split, n in ((tmp_path, None, 6), (tmp_path, "val", 3), (tmp_path, "train", 3)):
        pairs, alone = pairs_in(path, split, flat=True, structures=CELLS.classes)
        assert len(pairs) == n and all(line == "gone.png: no image" for line in alone)
        assert len(set(people_of(pairs, path))) == 3 and len(weights_of(pairs, path)) == n
    cases = [read_case(*pair, CELLS) for pair in pairs]
    assert np.array_equal(cases[0].labels, DRAWN)
    assert set(np.unique(cases[1].labels)) == {0, 2} and not cases[2].labels.any()
    with pytest.raises(Refused, match="no split 'test'"):
        pairs_in(tmp_path, "test", flat=True, structures=CELLS.classes)
    with pytest.raises(Refused, match=r"category 'Cell' in instances_train\.json: the structures are nucleus"):
        pairs_in(tmp_path, flat=True, structures=("nucleus",))


def test_a_file_whose_pictures_have_another_size_or_are_gone_is_refused(tmp_path: Path) -> None:
    table = collection(tmp_path)
    said = json.loads(table.read_text())
    table.write_text(json.dumps(said | {"images": [one | {"height": 13} for one in said["images"]], "annotations": []}))
    pairs, _ = pairs_in(table.parent.parent, flat=True, structures=CELLS.classes)
    with pytest.raises(Refused, match="lie on other grids"):
        read_case(*pairs[0], CELLS)
    table.write_text(json.dumps(said | {"images": said["images"][-1:], "annotations": []}))
    with pytest.raises(Refused, match=r"gone\.png: no image"):
        pairs_in(table, flat=True, structures=CELLS.classes)
    table.write_text(json.dumps(said | {"annotations": [{"image_id": 10, "category_id": 7}]}))
    with pytest.raises(Refused, match=r"'segmentation' in instances_train\.json"):
        pairs_in(tmp_path, flat=True, structures=CELLS.classes)
