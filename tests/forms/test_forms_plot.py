"""Figures are well-formed, say their units, and let no text of a file act."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from forms_samples import ball
from PIL import Image

from isocenter.errors import Refused
from isocenter.forms import plot
from isocenter.forms.contours import contours
from isocenter.record import Curve
from isocenter.space import Axis, Geometry, Volume

EVIL = "</text><script>alert(1)</script>\x00\x1b"
SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ET.Element:
    """The figure as XML; nothing in it can act."""
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert not any(e.tag.endswith("script") for e in root.iter())
    assert not any(k.startswith("on") for e in root.iter() for k in e.attrib)
    return root


def words(root: ET.Element) -> list[str]:
    """What the figure says."""
    return [e.text or "" for e in root.iter(f"{SVG}text")]


def test_a_curve_says_its_axes_and_lines() -> None:
    of = Curve(
        "Bolus", (0.0, 1.0, 2.0), "time", "s", {"artery": (0.0, 90.0, 10.0), EVIL: (0.0, 10.0, 50.0)}, "[hnsf'U]"
    )
    root = parsed(plot.curve(of))
    assert {"time (s)", "HU", "Bolus", "artery", "0", "100"} <= set(words(root))
    lines = root.findall(f"{SVG}polyline")
    assert len({e.get("stroke") for e in lines}) == len({e.get("stroke-dasharray") for e in lines}) == 2
    heights = [float(p.split(",")[1]) for p in str(lines[0].get("points")).split()]
    assert heights[1] < heights[2] < heights[0]
    highest = min(heights)
    legend = [float(str(e.get("y"))) for e in root.iter(f"{SVG}text") if e.text in ("artery", "Bolus")]
    assert max(legend) < highest - 5  # the words stand above every line


def test_names_that_do_not_fit_one_row_take_another_and_the_figure_grows() -> None:
    def made(names: int) -> ET.Element:
        lines = {f"a lesion with a long name, number {i}": (0.0, 1.0) for i in range(names)}
        return parsed(plot.curve(Curve("Many", (0.0, 1.0), "t", "s", lines, "mm")))

    few, many = made(2), made(6)
    assert float(str(many.get("height"))) > float(str(few.get("height")))
    for e in many.iter(f"{SVG}text"):
        if "lesion" in (e.text or ""):
            assert float(str(e.get("x"))) + 7 * len(e.text or "") <= 480


def test_a_curve_of_few_visits_marks_each_and_an_axis_of_suv_says_so() -> None:
    of = Curve("SULpeak over time", (0.0, 56.0), "days", "d", {"lesion 1": (6.3, 3.4)}, "{SUVlbm}g/ml")
    root = parsed(plot.curve(of))
    assert len(root.findall(f"{SVG}circle")) == 2 and "SUL, g/mL" in words(root)
    many = tuple(float(n) for n in range(40))
    assert not parsed(plot.curve(Curve("bolus", many, "t", "s", {"a": many}, "1"))).findall(f"{SVG}circle")


def test_curves_without_points_are_refused() -> None:
    for bad in (Curve("x", (), "t", "s"), Curve("x", (1.0,), "t", "s", {"a": (1.0, 2.0)})):
        with pytest.raises(Refused, match="no points"):
            plot.curve(bad)
    with pytest.raises(Refused, match="cannot be drawn"):
        plot.curve(Curve("x", (0.0, 1.0), "t", "s", {"a": (1.0, float("nan"))}))


def test_a_flat_curve_is_drawn() -> None:
    parsed(plot.curve(Curve("flat", (1.0,), "t", "s", {"a": (0.0,)})))


def test_bars_stand_on_zero() -> None:
    root = parsed(plot.bars({"a": 3.0, "b": -1.5, EVIL: 0.0}, title="Volumes", unit="mL"))
    heights = [float(str(e.get("height"))) for e in root.findall(f"{SVG}rect")]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.02) and heights[2] == 0
    with pytest.raises(Refused, match="nothing to draw"):
        plot.bars({}, title="x", unit="mL")
    with pytest.raises(Refused, match="not a number"):
        plot.bars({"a": float("inf")}, title="x", unit="mL")


def test_the_bullseye_has_its_segments_where_the_heart_association_puts_them() -> None:
    root = parsed(plot.bullseye([float(i) for i in range(1, 18)], title="Strain", unit="%", low=0, high=17))
    at = {e.text: (float(str(e.get("x"))), float(str(e.get("y")))) for e in root.iter(f"{SVG}text")}
    centre = at["17"]
    assert at["1"][1] < at["7"][1] < at["13"][1] < centre[1] < at["15"][1] < at["10"][1] < at["4"][1]  # anterior on top
    assert at["2"][0] < centre[0] < at["6"][0] and at["14"][0] < centre[0] < at["16"][0]  # septum left, lateral right
    with pytest.raises(Refused, match="17 segments"):
        plot.bullseye([1.0] * 16, title="x", unit="%", low=0, high=1)
    assert "–" in words(parsed(plot.bullseye([None] * 17, title="x", unit="%", low=0, high=1)))


def test_the_bullseye_has_its_scale() -> None:
    """A bar in the colours of the segments, its ends named with the unit."""
    root = parsed(plot.bullseye([2.0] * 16 + [11.0], title="Thickness", unit="mm", low=2.0, high=11.0))
    bar = sorted(root.iter(f"{SVG}rect"), key=lambda e: float(str(e.get("x"))))
    bar = [e for e in bar if e.get("height") == "10"]
    at = {e.text: float(str(e.get("x"))) for e in root.iter(f"{SVG}text")}
    assert at["2"] < float(str(bar[0].get("x"))) < float(str(bar[-1].get("x"))) < at["11 mm"]
    segments = {e.get("fill") for tag in ("path", "circle") for e in root.iter(f"{SVG}{tag}")}
    ends = [tuple(bytes.fromhex(str(fill)[1:])) for fill in sorted(str(s) for s in segments if str(s).startswith("#"))]
    drawn = [tuple(bytes.fromhex(str(e.get("fill"))[1:])) for e in (bar[0], bar[-1])]
    assert all(min(max(abs(a - b) for a, b in zip(end, one, strict=True)) for one in drawn) < 12 for end in ends)


def test_outlines_lie_on_their_pixels_with_halo_and_dash(axial: Geometry) -> None:
    region = ball(axial)
    png = plot.slice_png(Volume(region.mask.astype(np.float32), axial), 2, 0, 1)  # type: ignore[union-attr]
    lines = contours(region, 2)
    svg = plot.key_image(
        png, axial.shape[1:], [plot.Outlined(EVIL, lines), plot.Outlined("mine", lines, False)], width=360,
        spacing_mm=axial.spacing_mm[1:], caption="Axial, slice 3",
    )  # fmt: skip
    root = parsed(svg)
    image = root.find(f"{SVG}image")
    assert image is not None
    assert float(str(image.get("height"))) == pytest.approx(360 * 16 * 0.7 / (18 * 0.8), abs=1)
    paths = root.findall(f"{SVG}path")
    assert [p.get("stroke") for p in paths] == ["#000000", "#F0A202", "#000000", "#FFFFFF"]
    assert [p.get("stroke-dasharray") for p in paths[1::2]] == ["5 3", "none"]
    first = str(paths[0].get("d"))[1:].split("L")[0].split(",")
    assert float(first[0]) == pytest.approx((lines[0][0][0] + 0.5) * 360 / 18, abs=0.01)
    labels = [float(str(e.get("y"))) for e in root.iter(f"{SVG}text") if (e.text or "")[:1] in "◇●"]
    assert abs(labels[0] - labels[1]) >= 14


@pytest.mark.parametrize(("left", "right"), [(1, 5), (34, 39), (3, 38), (15, 30), (18, 22)])
def test_a_name_stands_whole_within_the_picture(left: int, right: int) -> None:
    png = plot.slice_png(Volume(np.zeros((1, 40, 40)), Geometry.regular(shape=(1, 40, 40))), 0, 0, 1)
    box = np.array([[left, 4], [right, 4], [right, 36], [left, 36]], float)
    name = "Vascular Calcification, left"
    root = parsed(plot.key_image(png, (40, 40), [plot.Outlined(name, [box])], width=420))
    said = next(e for e in root.iter(f"{SVG}text") if name in (e.text or ""))
    start = float(str(said.get("x"))) - (7.0 * (len(name) + 2) if said.get("text-anchor") == "end" else 0.0)
    assert start >= 0 and start + 7.0 * (len(name) + 2) <= 420 and 12 <= float(str(said.get("y"))) <= 420


def test_a_point_is_a_cross() -> None:
    png = plot.slice_png(Volume(np.zeros((1, 4, 4)), Geometry.regular(shape=(1, 4, 4))), 0, 0, 1)
    root = parsed(plot.key_image(png, (4, 4), [plot.Outlined("p", [np.array([[1.0, 1.0]])])]))
    assert "h14" in str(root.findall(f"{SVG}path")[0].get("d"))


def test_pictures_that_are_none_are_refused() -> None:
    with pytest.raises(Refused, match="PNG"):
        plot.key_image(b"GIF89a", (4, 4))
    png = plot.slice_png(Volume(np.zeros((1, 4, 4)), Geometry.regular(shape=(1, 4, 4))), 0, 0, 1)
    with pytest.raises(Refused, match="no size"):
        plot.key_image(png, (4, 4), spacing_mm=(0.0, 1.0))


def test_a_slice_is_windowed() -> None:
    grid = Geometry.regular(shape=(1, 1, 5))
    values = np.array([-2000, -100, 0, 100, np.nan], np.float32).reshape(grid.shape)
    image = Image.open(io.BytesIO(plot.slice_png(Volume(values, grid), 0, -100, 100)))
    assert image.mode == "L" and np.asarray(image).tolist() == [[0, 0, 128, 255, 0]]


def test_a_map_is_clear_where_it_says_nothing() -> None:
    grid = Geometry.regular(shape=(1, 1, 4))
    values = np.array([np.nan, 0.1, 0.5, 1.0], np.float32).reshape(grid.shape)
    image = np.asarray(Image.open(io.BytesIO(plot.map_png(Volume(values, grid), 0, 0.0, 1.0, floor=0.3))))
    assert image[0, :, 3].tolist() == [0, 0, 255, 255]
    assert image[0, 3, :3].tolist() == [252, 255, 164] and image[0, 2, :3].tolist() == [186, 54, 85]


def test_slices_that_are_not_there_are_refused() -> None:
    grid = Geometry.regular(shape=(1, 2, 2))
    with pytest.raises(Refused, match="slice 1"):
        plot.slice_png(Volume(np.zeros(grid.shape), grid), 1, 0, 1)
    with pytest.raises(Refused, match="no width"):
        plot.slice_png(Volume(np.zeros(grid.shape), grid), 0, 1, 1)
    with pytest.raises(Refused, match="one of them"):
        plot.map_png(Volume(np.zeros((1, *grid.shape)), grid, axes=(Axis("time", (0,)),)), 0, 0, 1)


@pytest.mark.parametrize("shape", [(7, 11, 4), (5, 3)])
def test_a_png_is_read_back_by_others_pixel_for_pixel(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(plot.png(pixels))) as image:
        assert image.mode == ("RGBA" if len(shape) == 3 else "L")
        assert np.array_equal(np.asarray(image), pixels)
