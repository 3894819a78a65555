"""Writing in the pixels is found, blanked or shown to a person."""

from __future__ import annotations

import io

import made
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from scipy import ndimage

from isocenter.dicom import burned_in
from isocenter.dicom.burned_in import judge, written_lines
from isocenter.dicom.deidentify import HeldBack, deidentify
from isocenter.dicom.elements import parse
from isocenter.dicom.pixels import frames
from isocenter.dicom.pseudonyms import Pseudonyms

BY = Pseudonyms(b"s" * 32)
NAMES = ("QUAXELBERG ANNA", "Petersen, Ole", "ID 0047-1123", "12.05.1960", "Krankenhaus Mitte")


def tissue(rng: np.random.Generator, shape: tuple[int, int] = (256, 256)) -> np.ndarray:
    """Something like a radiograph: smooth, with edges and noise, 0 to 1."""
    coarse = ndimage.gaussian_filter(rng.normal(size=shape), 18)
    coarse = (coarse - coarse.min()) / np.ptp(coarse)
    ribs = 0.15 * np.sin(np.arange(shape[0]) / 9.0)[:, None]
    return np.clip(0.15 + 0.55 * coarse + ribs + rng.normal(0, 0.02, shape), 0, 1)


def inscribed(picture: np.ndarray, words: str, at: tuple[int, int], size: int, level: float, turned: bool) -> tuple:
    """The picture with words on it, and the rows and columns that they take."""
    letters = Image.new("L", (8 * size * len(words), 2 * size))
    drawn = ImageDraw.Draw(letters)
    drawn.text((2, 2), words, fill=255, font=ImageFont.load_default(size))
    mask = np.asarray(letters) / 255.0
    rows, columns = np.nonzero(mask > 0.4)
    mask = mask[: rows.max() + 2, : columns.max() + 2]
    mask = np.rot90(mask) if turned else mask
    mask = mask[: picture.shape[0] - at[0], : picture.shape[1] - at[1]]
    out = picture.copy()
    part = out[at[0] : at[0] + mask.shape[0], at[1] : at[1] + mask.shape[1]]
    part[...] = part * (1 - mask) + level * mask
    whole = np.zeros(picture.shape, bool)
    whole[at[0] : at[0] + mask.shape[0], at[1] : at[1] + mask.shape[1]] = mask > 0.4
    return out, whole


def found_share(picture: np.ndarray, letters: np.ndarray) -> tuple[float, float]:
    """How much of the letters lies in boxes, and how much of the rest does."""
    boxed = np.zeros(picture.shape, bool)
    for top, left, bottom, right in written_lines(picture):
        boxed[top:bottom, left:right] = True
    return float(boxed[letters].mean()), float(boxed[~letters].mean())


@pytest.mark.parametrize(
    ("level", "turned"),
    [
        (0.0, False),
        (1.0, True),
        pytest.param(1.0, False, marks=pytest.mark.nightly),
        pytest.param(0.0, True, marks=pytest.mark.nightly),
    ],
)
def test_lines_of_writing_are_found_on_tissue(turned: bool, level: float) -> None:
    rng = np.random.default_rng(7)
    shares, over = [], []
    for n in range(10):
        size = int(rng.integers(12, 22))
        at = (int(rng.integers(0, 40)), int(rng.integers(0, 40)))
        picture, letters = inscribed(tissue(rng), NAMES[n % len(NAMES)], at, size, level, turned)
        share, more = found_share(picture, letters)
        shares.append(share)
        over.append(more)
    assert np.mean(np.array(shares) > 0.3) >= 0.9 and np.mean(shares) > 0.8 and np.mean(over) < 0.1, (shares, over)


def test_lines_a_little_askew_are_noticed_and_their_boxes_hold_them_to_their_ends() -> None:
    """Blanked without a person's look, half of a name would otherwise leave."""
    rng = np.random.default_rng(5)
    for n, degrees in enumerate((3, 8, 15, 8, 15, 15)):
        slant = Image.new("L", (256, 256))
        ImageDraw.Draw(slant).text((40, 120), NAMES[n % 5], fill=255, font=ImageFont.load_default(13 + n))
        mask = np.asarray(slant.rotate(degrees, resample=Image.Resampling.BICUBIC)) / 255.0
        share, over = found_share(tissue(rng) * (1 - mask) + mask, mask > 0.4)
        assert share > 0.95 and over < 0.15, (n, degrees, share, over)


def test_tissue_alone_is_not_writing() -> None:
    rng = np.random.default_rng(8)
    assert np.mean([bool(written_lines(tissue(rng))) for _ in range(10)]) <= 0.1


def speckle(rng: np.random.Generator, shape: tuple[int, int] = (140, 200)) -> np.ndarray:
    """Something like ultrasound: grain of all sizes, in which fine structure is everywhere, in 8 bits."""
    grain = ndimage.gaussian_filter(rng.rayleigh(size=shape), (0.8, 1.6))
    coarse = ndimage.gaussian_filter(rng.normal(size=shape), 15)
    return (grain * (coarse - coarse.min()) / np.ptp(coarse) * 150).clip(0, 255)


def test_letters_in_speckle_are_noticed_sharp_or_compressed_and_speckle_alone_is_not() -> None:
    rng = np.random.default_rng(3)
    for number, words in enumerate(NAMES[:2]):
        empty = speckle(rng)
        assert written_lines(empty.astype(np.uint8)) == [], number
        drawn, letters = inscribed(empty, words, (40 + 50 * number, 20), 13 + 3 * number, 235.0, False)
        held = io.BytesIO()
        Image.fromarray(drawn.astype(np.uint8)).save(held, "JPEG", quality=80)
        for picture in (drawn.astype(np.uint8), np.asarray(Image.open(held))):
            share, over = found_share(picture, letters)
            assert share >= 0.5 and over <= 0.25, (number, share, over)


def at_an_angle(empty: np.ndarray, degrees: float, size: int, words: str) -> tuple[np.ndarray, np.ndarray]:
    """A made-up image with one line at an angle across its middle, and where its letters are."""
    page, font = Image.new("L", (440, 440)), ImageFont.load_default(size)
    ImageDraw.Draw(page).text((220, 220), words, fill=255, font=font, anchor="mm")
    mask = np.asarray(page.rotate(degrees, Image.Resampling.BICUBIC))[60:380, 60:380] / 255.0
    return empty * (1 - mask) + mask, mask > 0.4


@pytest.mark.parametrize("words", ["QUAXELBERG ANNA", "Petersen, Ole", "MULLER-LUDENSCHEIDT, Hans-Georg"])
@pytest.mark.parametrize("degrees", [5, 17, 20, 28, 39, 45, 60, 73, -5, -17, -30, -39, -45, -70])
def test_a_line_at_any_angle_is_noticed_and_its_boxes_hold_it(degrees: int, words: str) -> None:
    """Long lines between the slants at which rows are sought, and those above the diagonal, were lost once."""
    rng = np.random.default_rng(degrees % 360)
    empty = tissue(rng, (320, 320))
    assert written_lines((empty * 255).astype(np.uint8)) == []
    drawn, letters = at_an_angle(empty, degrees, 22 if len(words) < 20 else 15, words)
    share, over = found_share((drawn * 255).astype(np.uint8), letters)
    assert share >= 0.95 and over <= 0.25, (degrees, share, over)


def test_what_is_left_of_a_picture_when_its_lines_are_blanked_is_searched_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = tissue(np.random.default_rng(33), (320, 320))
    drawn, letters = at_an_angle(empty, 33, 22, NAMES[0])
    data = made.made(sop_class=made.DX, modality="DX", pixels=(drawn * 4000).astype(np.uint16))
    copy = deidentify(data, by=BY, blank=True)
    shown = frames(copy.data)[0]
    assert written_lines(shown) == [] and (shown[letters] == shown.min()).mean() > 0.99
    monkeypatch.setattr(burned_in, "_LOOKS", 1)  # the second look, at which nothing more is found, is not reached
    with pytest.raises(HeldBack, match="more of them after what was found had been blanked"):
        deidentify(data, by=BY, blank=True)


def radiograph(words: str = "") -> bytes:
    picture = tissue(np.random.default_rng(3))
    if words:
        picture, _ = inscribed(picture, words, (12, 20), 18, 1.0, False)
    return made.made(sop_class=made.DX, modality="DX", pixels=(picture * 4000).astype(np.uint16))


def test_a_name_on_a_radiograph_is_blanked_and_the_object_says_so() -> None:
    assert deidentify(radiograph(), by=BY).pixels.state == "clean"
    with pytest.raises(HeldBack, match="look like writing"):
        deidentify(radiograph("QUAXELBERG ANNA"), by=BY)
    copy = deidentify(radiograph("QUAXELBERG ANNA"), by=BY, blank=True)
    assert copy.pixels.state == "writing" and any("misses some" in r for r in copy.risks)
    codes = [c.CodeValue for c in made.pydicom.dcmread(made.io.BytesIO(copy.data)).DeidentificationMethodCodeSequence]
    assert "113101" in codes
    shown, before = frames(copy.data)[0], frames(radiograph("QUAXELBERG ANNA"))[0]
    assert not written_lines(shown[:40]) and np.array_equal(shown[80:], before[80:])


def ultrasound(*places: tuple[int, int, int, int], words: tuple[int, int] | None = None) -> bytes:
    rng = np.random.default_rng(5)
    picture = np.zeros((200, 300), np.float64)
    picture[40:180, 60:240] = ndimage.gaussian_filter(rng.random((140, 180)), 3) * 0.8
    picture, _ = inscribed(picture, "QUAXELBERG ANNA", (4, 10), 16, 1.0, False)
    if words:
        picture, _ = inscribed(picture, "Petersen, Ole", words, 16, 1.0, False)
    ds = made.dataset(sop_class="1.2.840.10008.5.1.4.1.1.6.1", modality="US", pixels=(picture * 255).astype(np.uint8))
    ds.SequenceOfUltrasoundRegions = []
    for left, top, right, bottom in places:
        item = Dataset()
        item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
        ds.SequenceOfUltrasoundRegions.append(item)
    return made.written(ds)


def test_an_ultrasound_image_keeps_only_its_declared_regions() -> None:
    data = ultrasound((60, 40, 150, 179), (150, 60, 239, 179))
    out = frames(deidentify(data, by=BY).data)[0]
    before = frames(data)[0]
    assert not out[:40].any() and not out[40:60, 151:].any() and not out[:, :60].any()
    assert np.array_equal(out[40:180, 60:151], before[40:180, 60:151])
    with pytest.raises(HeldBack, match="does not say where"):
        deidentify(ultrasound(), by=BY)
    for outside in ((310, 40, 400, 179), (60, 40, 60, 179), (60, 300, 90, 400)):
        with pytest.raises(HeldBack, match="does not say where"):
            deidentify(ultrasound(outside), by=BY)
    with pytest.raises(HeldBack, match="inside the region"):
        deidentify(ultrasound((60, 40, 239, 179), words=(100, 70)), by=BY)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"sop_class": made.SC, "modality": "OT"}, "a secondary capture"),
        ({"sop_class": made.SC, "modality": "OT", "ConversionType": "DF"}, "film that was digitised"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "of the kind SCREEN SAVE"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.77.1.4", "modality": "XC"}, "a photograph"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.77.1.2", "modality": "GM"}, "a photograph"),
        ({"BurnedInAnnotation": "YES"}, "burned into"),
    ],
)
def test_risky_kinds_wait_for_a_person_whatever_is_seen(facts: dict, why: str) -> None:
    data = made.made(pixels=np.zeros((8, 8), np.uint8), **facts)
    verdict = judge(parse(data), data)
    assert verdict.state == "review" and why in verdict.why
    with pytest.raises(HeldBack):
        deidentify(data, by=BY, keep=["BurnedInAnnotation"])
    assert deidentify(data, by=BY, reviewed=True).pixels.state == "review"


def test_measured_values_are_looked_at_only_where_many_are_brightest() -> None:
    plain = made.made(
        pixels=np.arange(4096, dtype=np.uint16).reshape(64, 64), ImageType=["ORIGINAL", "PRIMARY", "AXIAL"]
    )
    assert judge(parse(plain), plain).why.startswith("measured")
    picture, _ = inscribed(tissue(np.random.default_rng(4)) * 0.7, "QUAXELBERG", (20, 20), 18, 1.0, False)
    written = made.made(pixels=(picture * 4000).astype(np.uint16))
    assert judge(parse(written), written).state == "writing"


def slices(count: int, written: int, rng: np.random.Generator) -> np.ndarray:
    """Slices of 128 by 128 pixels, one of which (from 0) is written on."""
    stack = np.stack([tissue(rng)[:128, :128] for _ in range(count)]) * 0.7
    stack[written], _ = inscribed(stack[written], "QUAXELBERG", (20, 10), 16, 1.0, False)
    return (stack * 4000).astype(np.uint16)


@pytest.mark.parametrize(("sop_class", "modality"), [(made.ENHANCED_CT, "CT"), (f"{made.CT[:-1]}12.1", "XA")])
def test_writing_on_one_of_many_frames_is_found_and_a_stack_without_is_clean(sop_class: str, modality: str) -> None:
    terms = {"sop_class": sop_class, "modality": modality, "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]}
    pixels = slices(7, 2, np.random.default_rng(8))
    data = made.made(pixels=pixels, **terms)
    assert judge(parse(data), data).state == "writing"
    plain = made.made(pixels=np.delete(pixels, 2, axis=0), **terms)
    assert judge(parse(plain), plain).state == "clean"


def test_letters_that_were_scaled_with_a_derived_slice_are_searched_for() -> None:
    picture, _ = inscribed(tissue(np.random.default_rng(4)) * 0.7, "QUAXELBERG ANNA", (20, 20), 30, 1.0, False)
    drawn = Image.fromarray((picture * 4000).astype(np.float32))
    scaled = np.asarray(drawn.resize((170, 170), Image.Resampling.BICUBIC))
    rng = np.random.default_rng(9)
    grainy = (scaled + rng.normal(0, 12, scaled.shape)).clip(0, 4095).astype(np.uint16)
    for facts in (
        {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, {},
        {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "LossyImageCompression": "01"},
    ):  # fmt: skip
        data = made.made(pixels=grainy, **facts)
        assert judge(parse(data), data).state == "writing"
