"""The chest radiograph analysis: three answers, and a clear reason for each picture that it must not look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.analysis.weights import open_session
from isocenter.catalogue.chest_xray_opacity import ChestXrayOpacity
from isocenter.errors import Refused
from isocenter.methods.roc import auc
from isocenter.record import Outcome, codes
from isocenter.space import Axis, Geometry, Volume
from isocenter.testing.phantoms import chest

look = ChestXrayOpacity()


def film(pixels: Any, **facts: Any) -> Volume:
    return Volume(np.asarray(pixels, np.float32)[None], Geometry.regular(shape=(1, *pixels.shape)), facts=facts)


@pytest.fixture(scope="module")
def weights() -> Any:
    return open_session("chest_xray_opacity")


@pytest.fixture(scope="module")
def filled() -> Volume:
    return film(chest.picture(seed=1, opacity="right lower")[0], ViewPosition="PA", BodyPartExamined="CHEST")


def test_an_opacity_is_found_with_certainty_words_and_a_map(weights: Any, filled: Volume) -> None:
    answer = look.run(filled, weights=weights)
    assert answer.outcome is Outcome.FOUND
    (finding,) = answer.findings
    assert finding.what == codes.OPACITY and finding.site == codes.LUNG
    assert finding.certainty is not None and finding.certainty >= 0.5
    assert f"{100 * finding.certainty:.0f} %" in finding.words
    assert answer.maps is not None and answer.sensitivity == ("opacity_sensitivity",)
    heat = answer.maps["opacity_sensitivity"]
    assert heat.geometry.same_grid(filled.geometry) and heat.quantity == "sensitivity" and heat.unit == "1"
    assert float(heat.array.min()) >= 0 and float(heat.array.max()) == pytest.approx(1.0)


def test_a_clear_chest_gives_none_with_its_number(weights: Any) -> None:
    answer = look.run(film(chest.picture(seed=4)[0]), weights=weights)
    assert answer.outcome is Outcome.NONE and not answer.findings
    (stated,) = answer.measurements
    assert stated.what == codes.PROBABILITY and stated.unit == "1" and stated.value < 0.5


@pytest.mark.nightly
def test_filled_lungs_of_in_silico_children_score_above_clear_ones(weights: Any) -> None:
    scores = [
        [
            look.run(film(chest.picture(seed=s, opacity=zone)[0]), weights=weights).measurements[0].value
            for s in (1, 3, 4)
        ]
        for zone in ("", "right lower", "left lower")
    ]
    assert (np.array(scores[1]) > scores[0]).all() and (np.array(scores[2]) > scores[0]).all()


def test_the_threshold_decides(weights: Any, filled: Volume) -> None:
    sure = look.run(filled, weights=weights).measurements[0].value
    above = min(sure + 0.01, 0.999)
    assert look.run(filled, threshold=above, one_place=False, weights=weights).outcome is Outcome.NONE
    assert look.run(filled, threshold=sure - 0.01, weights=weights).outcome is Outcome.FOUND
    with pytest.raises(Refused, match="threshold 1"):
        look.run(filled, threshold=1.0, weights=weights)


def test_one_place_that_stands_out_is_reported_with_the_certainty_of_the_whole(weights: Any, filled: Volume) -> None:
    sure = look.run(filled, weights=weights).measurements[0].value
    answer = look.run(filled, threshold=min(sure + 0.01, 0.999), weights=weights)
    assert answer.outcome is Outcome.FOUND and answer.findings[0].certainty == sure and answer.maps
    assert answer.findings[0].words.startswith("Part of the film looks like an opacity")
    clear = film(chest.picture(seed=4)[0])
    assert look.run(clear, threshold=0.99, weights=weights).outcome is Outcome.NONE, "nothing stands out there"


def test_a_larger_matrix_and_another_grey_scale_change_little(weights: Any, filled: Volume) -> None:
    fine = film(np.kron(filled.array[0], np.ones((3, 3))) * 11 - 700)
    one, other = (look.run(v, weights=weights).measurements[0].value for v in (filled, fine))
    assert other == pytest.approx(one, abs=0.05)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"ViewPosition": "LL"}, "the view is LL"),
        ({"ViewPosition": "", "SeriesDescription": "Thorax seitl."}, "described as 'Thorax seitl.'"),
        ({"BodyPartExamined": "HAND"}, "the header says HAND"),
        ({"PatientAge": "045Y"}, "45 years old"),
        ({"PatientAge": "010D"}, "0 months old"),
    ],
)
def test_the_header_refuses(weights: Any, filled: Volume, facts: dict[str, str], says: str) -> None:
    answer = look.run(replace(filled, facts=facts), weights=weights)
    assert answer.outcome is Outcome.DECLINED and says in answer.reasons[0]


def test_the_age_of_a_small_child_does_not_refuse(weights: Any, filled: Volume) -> None:
    assert look.run(replace(filled, facts={"PatientAge": "036M"}), weights=weights).outcome is Outcome.FOUND


def test_grey_that_was_stored_in_colour_is_the_same_film(weights: Any, filled: Volume) -> None:
    """An export as RGB with three equal channels was declined as a picture in colour."""
    grey = np.floor(filled.array / 16.0)
    held = replace(filled, array=np.repeat(grey[None], 3, axis=0), axes=(Axis("channel", tuple("RGB")),))
    answers = [look.run(film_, weights=weights) for film_ in (replace(filled, array=grey), held)]
    assert answers[1].outcome is Outcome.FOUND
    assert answers[0].measurements[0].value == pytest.approx(answers[1].measurements[0].value, abs=1e-6)
    assert answers[1].maps is not None and answers[1].maps["opacity_sensitivity"].geometry.same_grid(filled.geometry)


@pytest.mark.parametrize(("turns", "towards"), [(1, ["F", "R"]), (3, ["H", "L"]), (2, ["R", "H"])])
def test_a_film_is_turned_as_its_header_says(weights: Any, filled: Volume, turns: int, towards: list[str]) -> None:
    """A film stored on its side, with Patient Orientation, was declined as turned."""
    turned = film(np.rot90(filled.array[0], turns), **filled.facts, PatientOrientation=towards)
    upright, answer = look.run(filled, weights=weights), look.run(turned, weights=weights)
    assert answer.findings[0].certainty == upright.findings[0].certainty
    assert answer.maps is not None and upright.maps is not None
    heat, plain = (one.maps["opacity_sensitivity"].array[0] for one in (answer, upright))
    assert np.array_equal(heat, np.rot90(plain, turns))


def test_the_matrix_refuses(weights: Any) -> None:
    tinted = np.zeros((3, 1, 200, 200), np.float32)
    tinted[0, 0, 50:60, 50:60] = 200.0
    colour = Volume(
        tinted,
        Geometry.regular(shape=(1, 200, 200)),
        axes=(Axis("channel", tuple("RGB")),),
    )
    stack = Volume(np.zeros((2, 200, 200), np.float32), Geometry.regular(shape=(2, 200, 200)))
    for wrong, says in (
        (colour, "in colour"),
        (stack, "2 pictures"),
        (film(np.zeros((64, 64))), "64 by 64 pixels"),
        (film(np.zeros((600, 200))), "no film of one chest"),
    ):
        answer = look.run(wrong, weights=weights)
        assert answer.outcome is Outcome.DECLINED and says in answer.reasons[0]
    with pytest.raises(Refused, match="one grey"):
        look.run(film(np.zeros((200, 200))), weights=weights)


@pytest.mark.parametrize("how", ["inverted", "upside down", "on the side", "noise", "cropped"])
def test_the_look_refuses(weights: Any, filled: Volume, how: str) -> None:
    p = filled.array[0]
    wrong = {
        "inverted": 4095 - p,
        "upside down": p[::-1],
        "on the side": np.rot90(p),
        "noise": np.random.default_rng(0).random((224, 224)),
        "cropped": p[200:320, 60:180],
    }[how]
    answer = look.run(film(wrong), weights=weights)
    assert answer.outcome is Outcome.DECLINED
    assert not answer.maps and not answer.measurements, "no number is given"


def test_without_weights_it_says_so(filled: Volume) -> None:
    with pytest.raises(Refused, match="no weights"):
        look.run(filled)


@pytest.mark.data
def test_real_films_pass_the_gate_and_are_told_apart(weights: Any, data: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    folder = data / "kermany_cxr" / "train"
    if not folder.is_dir():
        pytest.skip("kermany_cxr is not among the real data")
    truth, score, declined = [], [], 0
    for label, kind in enumerate(("NORMAL", "PNEUMONIA")):
        for path in sorted((folder / kind).iterdir())[::40][:30]:
            answer = look.run(film(np.asarray(image.open(path).convert("L"))), weights=weights)
            declined += answer.outcome is Outcome.DECLINED
            if answer.measurements:
                truth.append(label)
                score.append(answer.measurements[0].value)
    assert declined <= 3
    assert auc(truth, score).value > 0.97


@pytest.mark.data
def test_real_pictures_of_other_kinds_are_declined(weights: Any, data: Path) -> None:
    path = data / "mednist" / "mednist_64.npz"
    if not path.is_file():
        pytest.skip("mednist is not among the real data")
    with np.load(path) as held:
        pictures = held["images"][::12]
    answered = 0
    for picture in pictures:
        if np.ptp(np.percentile(picture, (1, 99))) == 0:
            continue
        answered += look.run(film(np.kron(picture, np.ones((3, 3)))), weights=weights).outcome is not Outcome.DECLINED
    assert answered <= 1


@pytest.mark.parametrize("white", [False, True])
def test_padding_around_a_film_changes_nothing(weights: Any, filled: Volume, white: bool) -> None:
    """It was taken as black, and a clear film in a wide frame of it as one with an opacity."""
    value = float(filled.array.max()) + 1.0 if white else 0.0
    bright = filled.array[0] + 1.0  # no pixel of the film has the value of the padding
    wide = film(np.pad(bright, ((40, 40), (60, 20)), constant_values=value + float(white)), **filled.facts,
                PixelPaddingValue=int(value + float(white)), BitsStored=16)  # fmt: skip
    plain, padded = (look.run(v, weights=weights) for v in (replace(filled, array=bright[None]), wide))
    assert padded.measurements[0].value == pytest.approx(plain.measurements[0].value, abs=1e-6)
    assert plain.maps is not None and padded.maps is not None
    ours, theirs = (a.maps["opacity_sensitivity"].array[0] for a in (plain, padded) if a.maps)
    np.testing.assert_allclose(theirs[40:-40, 60:-20], ours, atol=1e-6)
    assert not theirs[:40].any() and not theirs[:, -20:].any()


def test_a_narrow_film_within_its_padding_is_declined(weights: Any, filled: Volume) -> None:
    strip = np.pad(filled.array[0][:, :120] + 1.0, ((0, 0), (60, 60)))
    answer = look.run(film(strip, **filled.facts, PixelPaddingValue=0, BitsStored=16), weights=weights)
    assert answer.outcome is Outcome.DECLINED


def test_a_raw_film_is_looked_at_the_other_way_round(weights: Any, filled: Volume) -> None:
    """In MONOCHROME2, as a film for processing may be, it was declined as inverted."""
    raw = {"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationshipSign": 1}
    turned = replace(filled, array=filled.array.max() - filled.array, facts={**filled.facts, **raw})
    plain, grown = (look.run(v, weights=weights).measurements[0].value for v in (filled, turned))
    assert grown == pytest.approx(plain, abs=1e-4)


@pytest.mark.parametrize("how", ["logarithm", "turned", "of another picture"])
def test_a_film_is_looked_at_as_its_header_has_it_shown(weights: Any, filled: Volume, how: str) -> None:
    """Its values were spread as they stood: one stored as a logarithm scored 0.2 higher, one turned was declined."""
    top = float(filled.array.max())
    parts, places = filled.array / top, np.linspace(0.0, 1.0, 4096)
    stored, greys = parts, [0.0, 1.0]
    if how == "logarithm":
        stored, greys = np.log1p(255 * parts) / np.log(256), ((256**places - 1) / 255).tolist()
    elif how == "turned":
        stored, greys = 1 - parts, [1.0, 0.0]
    first = -9e4 if how == "of another picture" else 0.0
    curve = {"first": first, "step": 4095.0 / (len(greys) - 1), "greys": greys}
    shown = replace(filled, array=4095 * stored, facts={**filled.facts, "GreyCurve": curve, "BitsStored": 12})
    plain, seen = (look.run(v, weights=weights).measurements[0].value for v in (filled, shown))
    assert seen == pytest.approx(plain, abs=2e-3)


def test_white_padding_around_a_film_that_its_table_turns_is_black(weights: Any, filled: Volume) -> None:
    turned = 1.0 + filled.array[0].max() - filled.array[0]
    top = float(turned.max())
    facts = {**filled.facts, "GreyCurve": {"first": 1.0, "step": top - 1.0, "greys": [1.0, 0.0]}, "BitsStored": 16}
    plain = film(turned, **facts)
    frame = np.pad(turned, ((40, 40), (60, 20)))  # 0 is white by that table
    seen = [look.run(v, weights=weights).measurements[0].value
            for v in (plain, film(frame, **facts, PixelPaddingValue=0))]  # fmt: skip
    assert seen[1] == pytest.approx(seen[0], abs=1e-6)
