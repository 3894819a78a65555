"""One image, stored in many ways, is the same to a network."""

from __future__ import annotations

import struct
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from isocenter.errors import Refused
from isocenter.learn.gridded import fitted, is_picture, opened, span_of
from isocenter.learn.kinds import Classes

sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))
import made

GREY = Classes(task="spots", classes=("clear", "spot"), shape=(28, 28))
RNG = np.random.default_rng(0)


def test_a_whole_array_says_what_is_black_and_white() -> None:
    images = RNG.integers(0, 200, (3, 28, 28), dtype=np.uint8)
    images[1] = images[1] > 100  # a picture that holds nothing but 0 and 1 is black beside its neighbours
    wide, moved = images.astype(np.uint16) * 257, images.astype(np.uint16) << 8
    whole = (images, images.astype(np.float32), images.astype(np.int64), wide, moved)
    for stored in (*whole, images / 255, images / 127.5 - 1):
        span = span_of(stored)
        assert np.array_equal(np.stack([fitted(x, GREY, "x", span=span) for x in stored]), images)
    assert fitted(images[1], GREY, "x").max() == 255, "alone, 0 and 1 are black and white"


@pytest.mark.parametrize(
    "kind", ["png", "gif", "webp", "tif", "npy", "nii", "itk", "columns", "palette", "alpha", "bilevel"]
)
def test_files_hold_the_same_picture(tmp_path: Path, kind: str) -> None:
    picture = RNG.integers(0, 255, (28, 28), dtype=np.uint8)
    if kind == "bilevel":
        picture = np.where(picture > 127, 255, 0).astype(np.uint8)
    ending = {"itk": "nii.gz", "columns": "nii", "palette": "png", "alpha": "png", "bilevel": "png"}.get(kind, kind)
    file, image = tmp_path / f"a.{ending}", Image.fromarray(picture)
    if kind == "npy":
        np.save(file, picture)
    elif kind == "nii":
        nibabel.save(nibabel.Nifti1Image(picture, np.eye(4)), file)
    elif kind == "itk":  # columns first, and both axes against those of NIfTI
        nibabel.save(nibabel.Nifti1Image(picture.T[..., None], np.diag([-0.2, -0.2, 1, 1])), file)
    elif kind == "columns":  # as converters of DICOM write one: its last row comes first
        nibabel.save(nibabel.Nifti1Image(picture.T[:, ::-1, None], np.diag([-0.2, 0.2, 1, 1])), file)
    elif kind == "webp":
        image.save(file, lossless=True)
    else:
        turned = {"palette": "P", "alpha": "LA", "bilevel": "1"}.get(kind)
        (image.convert(turned) if turned else image).save(file)
    assert is_picture(file) and np.array_equal(fitted(opened(file, GREY), GREY, "a"), picture)


def test_a_picture_is_read_as_viewers_show_it(tmp_path: Path) -> None:
    picture = RNG.integers(0, 255, (28, 30), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x112] = 6
    Image.fromarray(np.rot90(picture)).save(tmp_path / "turned.png", exif=turned)
    for depth, most in ((np.uint8, 255), (np.uint16, 65535)):
        Image.fromarray(most - picture.astype(depth) * (most // 255)).save(tmp_path / f"{most}.tif")
        stored, black_is_zero = (tmp_path / f"{most}.tif").read_bytes(), struct.pack("<HHII", 262, 3, 1, 1)
        assert stored.count(black_is_zero) == 1
        (tmp_path / f"{most}.tif").write_bytes(stored.replace(black_is_zero, struct.pack("<HHII", 262, 3, 1, 0)))
    shape = replace(GREY, shape=(28, 30))
    for name in ("turned.png", "255.tif", "65535.tif"):
        assert np.array_equal(fitted(opened(tmp_path / name, shape), shape, "a"), picture), name


def test_several_pictures_in_a_file_are_refused_and_a_preview_is_none(tmp_path: Path) -> None:
    one = Image.fromarray(RNG.integers(0, 255, (28, 28), dtype=np.uint8))
    for ending in ("tif", "gif"):
        one.save(tmp_path / f"a.{ending}", save_all=True, append_images=[one.rotate(90)])
        with pytest.raises(Refused, match=f"cannot read a.{ending}: 2 pictures lie in it"):
            opened(tmp_path / f"a.{ending}", GREY)
    one.save(tmp_path / "b.tif", save_all=True, append_images=[one.resize((14, 14))])
    assert np.array_equal(opened(tmp_path / "b.tif", GREY), np.asarray(one))


def test_a_coarse_image_is_enlarged_only_where_that_is_asked() -> None:
    wide = replace(GREY, shape=(64, 64))
    with pytest.raises(Refused, match="too coarse"):
        fitted(np.zeros((28, 28), np.uint8), wide, "x")
    assert fitted(np.zeros((28, 28), np.uint8), wide, "x", enlarge=True).shape == (64, 64)


def test_an_outline_on_a_finer_grid_stays_one() -> None:
    x, y, z = np.indices((64, 64, 64))
    ball = (x - 30) ** 2 + (y - 33) ** 2 + (z - 31) ** 2 < 400
    how = Classes(task="glands", classes=("one", "other"), shape=(28, 28, 28))
    for given in (ball, ball.astype(np.uint8), ball.astype(np.float32), ball.astype(np.uint8) * 255):
        small = fitted(given, how, "a ball")
        assert set(np.unique(small)) == {0, 255} and abs((small > 0).mean() / ball.mean() - 1) < 0.02
    scan = fitted(np.where(ball, 200, 20 + x).astype(np.uint8), how, "a scan")
    assert len(np.unique(scan)) > 20, "grey values stay what they are"


@pytest.mark.parametrize("form", ["words", "window", "table", "turned", "raw", "wide"])
def test_a_radiograph_of_twelve_bits_is_read_as_it_is_shown(tmp_path: Path, form: str) -> None:
    """Between its own percentiles one stored as a logarithm lost a half of the clear films, and one whose table turns
    it was taken for inverted."""
    picture = RNG.integers(0, 256, (28, 28))
    picture[0, :2] = 0, 255
    words, facts = np.round(picture * 4095 / 255), {"BitsStored": 12, "HighBit": 11}
    if form == "window":
        words, facts = 500 + picture * 8, facts | {"WindowCenter": 1520.5, "WindowWidth": 2041}
    elif form == "wide":  # a window that shows more than there is does not leave a handful of greys
        facts |= {"WindowCenter": 32768, "WindowWidth": 65536}
    elif form == "table":
        table = Dataset()
        table.add_new(0x00283002, "US", [4096, 0, 12])
        table.add_new(0x00283006, "OW", (4095 - np.arange(4096)).astype("<u2").tobytes())
        words, facts = 4095 - words, facts | {"VOILUTSequence": [table]}
    elif form == "turned":
        words, facts = 4095 - words, facts | {"PhotometricInterpretation": "MONOCHROME1"}
    elif form == "raw":
        words = 4095 - words
        facts |= {"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationshipSign": 1}
    file = tmp_path / "a.dcm"
    file.write_bytes(made.made(1, sop_class=made.DX, modality="DX", pixels=words.astype(np.uint16), **facts))
    seen = fitted(opened(file, GREY), GREY, "a").astype(int)
    if form == "wide":
        assert (
            len(np.unique(seen)) > 0.9 * len(np.unique(picture)) and np.corrcoef(seen.flat, picture.flat)[0, 1] > 0.99
        )
    else:
        assert np.array_equal(seen, picture)
