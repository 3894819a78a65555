"""How large things are on a picture tells a part of it from the whole, in any size, stretch or file; a border asks."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import Refused  # noqa: E402
from isocenter.learn.besides import without_test  # noqa: E402
from isocenter.learn.detail import with_detail  # noqa: E402
from isocenter.learn.export import exported  # noqa: E402
from isocenter.learn.extent import extents, limits_of, with_extent  # noqa: E402
from isocenter.learn.judge import judged  # noqa: E402
from isocenter.learn.judge_boxes import Found  # noqa: E402
from isocenter.learn.outside import strangeness  # noqa: E402
from isocenter.learn.strangers import taught_to_decline  # noqa: E402

BOXES = np.array([[10, 10, 30, 50.0], [40, 20, 60, 60], [70, 5, 90, 45], [0, 30, 80, 99], [30, 30, 35, 35]])
FOUND = Found(BOXES, np.array([0.9, 0.8, 0.7, 0.9, 0.2]), np.array([0, 0, 0, 0, 1]))


def test_the_extent_is_that_of_whole_things_and_no_size_or_stretch_changes_it() -> None:
    told = extents(FOUND, (100, 100), [0.5, 0.5])
    assert np.exp(told[0]) == pytest.approx(np.sqrt(0.2 * 0.4)), "what touches the edge is not counted"
    assert told[1] == -20, "none that is sure enough"
    for wide, tall in ((2, 2), (0.65, 0.867), (3, 1)):
        other = Found(BOXES * [wide, tall, wide, tall], FOUND.scores, FOUND.kinds)
        assert np.allclose(extents(other, (100 * tall, 100 * wide), [0.5, 0.5]), told)
    part = Found((BOXES - [5, 5, 5, 5]) * 2, FOUND.scores, FOUND.kinds)
    assert extents(part, (100, 100), [0.5, 0.5])[0] > told[0] + 0.6, "of a half of each side it is twice as large"


def test_limits_hold_all_but_the_part_given_up_of_the_kind_most_pictures_show() -> None:
    seen = np.stack([np.where(np.arange(400) % 2, -20, -1.0), np.linspace(-2, -1, 400)], 1)
    kind, least, most = limits_of(seen, 0.01)
    assert (kind, least, most) == (1, pytest.approx(-2 + 1 / 399), pytest.approx(-1 - 1 / 399))
    with pytest.raises(Refused, match=r"198 pictures .* take 200"):
        limits_of(seen[:198], 0.01)


class _Still(torch.nn.Module):
    def forward(self, canvas: torch.Tensor) -> torch.Tensor:
        return canvas.mean((1, 2, 3))


def test_a_border_asks_for_extents_in_the_place_of_detail_and_the_higher_counts(tmp_path: Path) -> None:
    import onnxruntime as ort

    exported(_Still(), (1, 40, 40), tmp_path / "scope.onnx", ("strangeness",), name="canvas")
    plain = (tmp_path / "scope.onnx").read_bytes()
    canvas = {"canvas": np.full((4, 1, 40, 40), 0.6, np.float32)}
    both = with_extent(with_detail(plain, -6.0, 0.5), 1, -2.0, -1.0, 2)
    sizes = np.array([[9, -1.5], [9, -1.1], [9, -2.5], [9, -20]], np.float32)
    session = ort.InferenceSession(both, providers=["CPUExecutionProvider"])
    given = canvas | {"extents": sizes, "detail": np.array([-7, -5, -5, -5], np.float32)}
    assert np.allclose(session.run(["strangeness"], given)[0], [3, 0.8, 2, 37], atol=1e-5)
    alone = ort.InferenceSession(without_test(both, "detail"), providers=["CPUExecutionProvider"])
    assert {one.name for one in alone.get_inputs()} == {"canvas", "extents"}
    assert np.allclose(alone.run(["strangeness"], canvas | {"extents": sizes})[0], [0.6, 0.8, 2, 37], atol=1e-5)
    none = ort.InferenceSession(without_test(without_test(both, "extents"), "detail"))
    assert np.allclose(none.run(["strangeness"], canvas)[0], 0.6) and without_test(plain, "detail") == plain
    with pytest.raises(Refused, match="ask for them twice"):
        with_extent(both, 1, -2.0, -1.0, 2)


def test_a_test_is_left_out_of_borders_of_any_age() -> None:
    import onnx

    from isocenter.analysis.weights import models

    file = models()["breastmnist"][1].parent / "scope.onnx"
    left = onnx.load_model_from_string(without_test(file.read_bytes(), "detail"))
    assert [one.name for one in left.graph.input] == ["canvas"]
    assert [one.name for one in onnx.load(file).graph.input] == ["canvas", "detail"]


def test_only_a_detector_knows_extents_and_its_border_must_be_given_them(tmp_path: Path) -> None:
    from isocenter.analysis.weights import models

    np.savez(tmp_path / "a.npz", images=np.random.default_rng(0).integers(0, 255, (4, 28, 28), dtype=np.uint8),
             labels=[0, 1, 0, 1])  # fmt: skip
    with pytest.raises(Refused, match="only a model of boxes"):
        taught_to_decline("breastmnist", tmp_path / "a.npz", tmp_path / "out", magnified=True)
    with pytest.raises(Refused, match="a border of cleveland_heart"):
        taught_to_decline("cleveland_heart", tmp_path, tmp_path / "out", magnified=True)
    held, weights, *_ = models()["bccd"]
    with pytest.raises(Refused, match="asks for the extents"):
        strangeness(weights.parent, held.inputs["scope"], [np.zeros((48, 64, 3), np.uint8)])


FORMS = ("416 × 416, JPEG", "416 × 416", "1.5 times", "3 times, JPEG")


@pytest.mark.slow
@pytest.mark.parametrize("form", [FORMS[0], *(pytest.param(one, marks=pytest.mark.nightly) for one in FORMS[1:])])
def test_whole_smears_are_answered_in_any_size_and_parts_of_them_are_declined(
    form: str, data: Path, tmp_path: Path
) -> None:
    """Notes are written anew in YOLO's form, as shares of the picture."""
    rng, names = np.random.default_rng(5), ["RBC", "WBC", "Platelets"]
    files = sorted((data / "bccd" / "BCCD" / "JPEGImages").glob("*.jpg"))
    for whole in (True, False):
        place = tmp_path / ("whole" if whole else "parts")
        for folder in ("images", "labels"):
            (place / folder).mkdir(parents=True)
        (place / "data.yaml").write_text(f"names: {names}\n")
        for file in (files[k] for k in rng.permutation(len(files))[:8]):
            notes = ElementTree.parse(file.parents[1] / "Annotations" / f"{file.stem}.xml")
            picture, lines = Image.open(file).convert("RGB"), []
            for thing in notes.iter("object"):
                left, top, right, bottom = (
                    float(thing.findtext(f"bndbox/{side}", "0")) / long
                    for side, long in zip(("xmin", "ymin", "xmax", "ymax"), (640, 480, 640, 480), strict=True)
                )
                if left >= right or top >= bottom:
                    continue
                lines.append(f"{names.index(str(thing.findtext('name')))} {(left + right) / 2} {(top + bottom) / 2} "
                             f"{right - left} {bottom - top}")  # fmt: skip
            if not whole:
                picture = picture.crop((100, 90, 100 + 416, 90 + 312))
            made = _brought(picture, form)
            made.save(place / "images" / f"{file.stem}.png")
            (place / "labels" / f"{file.stem}.txt").write_text("\n".join(lines) + "\n")
        report = judged("bccd", place).report
        if whole:
            assert report["declined"] <= 1 and report["metrics"]["map50"]["value"] > 0.85, report
        else:
            assert report["declined"] == 8, report


def _brought(picture: Image.Image, form: str) -> Image.Image:
    wide, tall = picture.size
    factor = {"1.5 times": 1.5, "3 times": 3, "3 times, JPEG": 3, "a quarter": 0.25}.get(form, 1)
    size = (416, 416) if form.startswith("416") else (round(wide * factor), round(tall * factor))
    made = picture.resize(size, Image.Resampling.BICUBIC) if size != picture.size else picture
    if "JPEG" in form:
        held = io.BytesIO()
        made.save(held, "JPEG", quality=80)
        made = Image.open(io.BytesIO(held.getvalue())).convert("RGB")
    return made
