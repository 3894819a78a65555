"""A map as a picture: colours lead back to numbers, sides are right, and nothing beyond the bar is hidden."""

import base64
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from forms_samples import SERIES_UID, Archive
from PIL import Image

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header
from isocenter.errors import Refused
from isocenter.forms.anatomy import anatomy
from isocenter.forms.colours import ABOVE, BELOW
from isocenter.forms.montage import montage, shown_slices
from isocenter.record import Map, Threshold
from isocenter.space import Axis, Geometry, Reference, Volume
from isocenter.testing.phantoms import checkerboards

SVG = "{http://www.w3.org/2000/svg}"


def of(volume: Volume, **more: object) -> Map:
    """The record of a map."""
    told = {"name": "Tmax", "quantity": "time to maximum", "unit": "s", **more}
    return Map(geometry=volume.geometry, digest="d", series_uid=SERIES_UID, **told)  # type: ignore[arg-type]


def tiles(svg: str) -> list[npt.NDArray[np.uint8]]:
    """The pixels of the slices, as red, green and blue."""
    found = re.findall(r"base64,([^\"]+)", svg)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")) for data in found]


def placed(svg: str, words: str) -> tuple[float, float]:
    """Where words stand."""
    at = next(e for e in ET.fromstring(svg).iter(f"{SVG}text") if e.text == words)
    return float(str(at.get("x"))), float(str(at.get("y")))


def said(svg: str) -> str:
    """All its words."""
    return " | ".join(e.text or "" for e in ET.fromstring(svg).iter(f"{SVG}text"))


def test_a_colour_leads_back_to_its_number_and_what_is_beyond_is_marked(axial: Geometry) -> None:
    values = np.full(axial.shape, np.nan, np.float32)
    values[2, 4:12, 4:14] = np.linspace(0, 10, 80).reshape(8, 10)
    values[3, 4:12, 4:14] = values[2, 4:12, 4:14]
    values[2, 4, 4], values[2, 5, 4] = 500.0, -70.0
    limit = Threshold("Tmax > 6 s: hypoperfused", low=6.0)
    svg = montage(of(Volume(values, axial), thresholds=(limit,)), Volume(values, axial))
    words = said(svg)
    assert "Tmax (s)" in words and "2 of 6 axial slices" in words and "viridis" in words and "Tmax > 6 s" in words
    assert "0.6 % above 10 (pink)" in words and "0.6 % below 0 (cyan)" in words
    bar = list(ET.fromstring(svg).iter(f"{SVG}rect"))
    colours = np.array([list(bytes.fromhex(str(e.get("fill"))[1:])) for e in bar][::-1], float)
    first, _ = tiles(svg)
    assert {tuple(p) for p in first.reshape(-1, 3)} >= {ABOVE, BELOW, (0, 0, 0)}
    # read every pixel back through the bar that is drawn beside it
    second = tiles(svg)[1].astype(float)
    inside = second[(second.sum(axis=2) > 0)]
    read = np.argmin(np.linalg.norm(inside[:, None] - colours, axis=2), axis=1) / (len(colours) - 1) * 10
    assert np.abs(read - np.linspace(0, 10, 80)).max() < 0.2


@pytest.mark.parametrize(
    ("orientation", "axis", "letters"),
    [
        ((1, 0, 0, 0, 1, 0), "axial", "RLAP"),
        ((1, 0, 0, 0, 0, -1), "coronal", "RLHF"),
        ((0, 1, 0, 0, 0, -1), "sagittal", "APHF"),
    ],
)
@pytest.mark.parametrize("turn", ["as it is", "flipped", "transposed"])
def test_the_patient_lies_as_a_reader_expects_whatever_the_grid(
    orientation: tuple[int, ...], axis: str, letters: str, turn: str
) -> None:
    along, down = np.array(orientation[:3]), np.array(orientation[3:])
    step = 2 * np.cross(along, down)
    grid = Geometry.from_dicom(
        position=(0, 0, 0), orientation=orientation, pixel_spacing=(1, 1), slice_step=step, shape=(3, 20, 24)
    )
    values = np.full(grid.shape, np.nan, np.float32)
    values[:, 3:17, 3:21] = 1.0
    values[:, 4, 5] = 9.0  # on top at the left
    volume = Volume(values, grid)
    if turn == "flipped":
        volume = volume.flipped(1).flipped(2).flipped(0)
    elif turn == "transposed":
        volume = volume.permuted((0, 2, 1))
    svg = montage(of(volume), volume)
    assert axis in said(svg)
    bright = tiles(svg)[0].sum(axis=2)
    row, column = np.unravel_index(bright.argmax(), bright.shape)
    assert row < bright.shape[0] / 3 and column < bright.shape[1] / 3
    left, right, top, bottom = (placed(svg, letter) for letter in letters)
    assert left[0] < top[0] < right[0] and top[1] < left[1] < bottom[1]


def test_the_anatomy_shows_where_the_map_says_nothing_and_costs_no_figure(archive: Archive, axial: Geometry) -> None:
    study, sources = archive
    values = np.full(axial.shape, np.nan, np.float32)
    values[1:5, 6:10, 6:10] = 5.0
    volume = Volume(values, axial).flipped(1)
    record = of(volume)
    under = anatomy(record, shown_slices(volume), study, sources)
    assert sorted(under) == [1, 2, 3, 4] and under[1].shape == axial.shape[1:]
    marked = {k: np.full_like(grey, 200) for k, grey in under.items()}
    first = tiles(montage(record, volume, marked))[0]
    assert ((first == first[..., :1]).all(axis=2) & (first[..., 0] > 190)).any()
    assert anatomy(replace(record, series_uid="1.2.3"), (1,), study, sources) == {}
    assert len(tiles(montage(record, volume, {}))) == 4


def test_the_anatomy_lies_under_its_own_voxels() -> None:
    made = checkerboards.patient(seed=1)
    held = {read_header(f).series[0].instances[0].sop_uid: f for f in made.files}
    (study,) = merge([read_header(f) for f in made.files])
    blobs = {i.digest: held[i.sop_uid] for s in study.series for i in s.instances}
    series = next(s for s in study.series if s.modality == "CT")
    whole = assemble(series, blobs.__getitem__)[0]
    turned = whole.flipped(2).cropped((0, 5, 7), (whole.geometry.shape[0], *whole.geometry.shape[1:]))
    k = whole.geometry.shape[0] // 2
    (grey,) = anatomy(replace(of(turned), series_uid=series.uid), [k], study, held.__getitem__).values()
    order = np.argsort(turned.array[k], axis=None, kind="stable")
    assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all() and np.ptp(grey) > 100  # darker where there is less


def test_pictures_without_patient_space_have_no_sides_and_faint_maps_leave_the_anatomy() -> None:
    plane = Geometry.regular(shape=(1, 30, 40), reference=Reference.PIXEL)
    values = np.zeros(plane.shape, np.float32)
    values[0, 5:25, 5:35] = 0.001
    values[0, 10:14, 10:20] = 1.0
    svg = montage(of(Volume(values, plane), unit="1"), Volume(values, plane))
    assert not {"R", "L", "A", "P"} & set(said(svg).split(" | ")) and "cm" not in said(svg)
    assert "Below 0.02 the anatomy is shown" in said(svg)


def test_a_map_is_titled_in_words(axial: Geometry) -> None:
    values = np.ones(axial.shape, np.float32)
    assert "Opacity sensitivity" in said(
        montage(of(Volume(values, axial), name="opacity_sensitivity", unit="1"), Volume(values, axial))
    )


def test_an_empty_map_is_refused(axial: Geometry) -> None:
    empty = Volume(np.full(axial.shape, np.nan, np.float32), axial)
    with pytest.raises(Refused, match="nothing to draw"):
        montage(of(empty), empty)
    several = Volume(np.zeros((2, *axial.shape)), axial, axes=(Axis("time", (0, 1), "s"),))
    with pytest.raises(Refused, match="time"):
        montage(of(several), several)
