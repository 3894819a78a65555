"""Which series comes first, in which window."""

from __future__ import annotations

import pytest

from isocenter.reading.hanging import PROTOCOLS, WINDOWS, hang
from isocenter.record import Instance, Patient, Series, Study


def series(uid: str, modality: str, images: int = 1, description: str = "", number: int | None = None) -> Series:
    many = tuple(Instance(f"{uid}.{n}", "c", "t", "d", 1) for n in range(images))
    return Series(uid, modality, number, description, instances=many)


def study(*many: Series, description: str = "") -> Study:
    return Study("1", Patient("p"), description=description, series=many)


@pytest.mark.parametrize(
    ("given", "description", "name", "window"),
    [
        (("CT", "PT"), "", "PET with CT", "soft tissue"),
        (("CT",), "CT Head without", "CT of the head", "brain"),
        (("CT", "SEG"), "Thorax", "CT of the chest", "lung"),
        (("CT",), "abdomen", "CT", "soft tissue"),
        (("DX",), "CHEST PA", "Radiograph of the chest", None),
        (("CR",), "hand", "Radiograph", None),
        (("US",), "", "Ultrasound", None),
        (("XC",), "", "As it came", None),
    ],
)
def test_the_first_protocol_that_fits(given: tuple[str, ...], description: str, name: str, window: str | None) -> None:
    hung = hang(study(*(series(str(n), m) for n, m in enumerate(given)), description=description))
    assert hung.name == name
    assert (hung.window.name if hung.window else None) == window


def test_preferred_modality_then_more_images_then_number_and_objects_last() -> None:
    hung = hang(
        study(
            series("seg", "SEG", 9),
            series("pet", "PT", 80),
            series("scout", "CT", 2, number=1),
            series("b", "CT", 90, number=4),
            series("a", "CT", 90, number=3),
            series("photo", "XC", 50),
        )
    )
    assert hung.series == ("a", "b", "scout", "pet", "photo", "seg")
    assert hung.presets == WINDOWS["CT"]


def test_a_word_in_a_series_description_counts() -> None:
    assert hang(study(series("1", "MR", 1, "CINE short axis"))).name == "Heart, moving"


def test_an_empty_study_hangs_as_it_came() -> None:
    assert hang(study()) == type(hang(study()))("As it came", "stack", (), None, ())


def test_every_window_that_a_protocol_names_exists_and_presets_fit_nine_keys() -> None:
    for protocol in PROTOCOLS:
        if protocol.window:
            assert protocol.window in {w.name for m in protocol.first for w in WINDOWS.get(m, ())}, protocol.name
    assert all(len(presets) <= 9 and all(w.width > 0 for w in presets) for presets in WINDOWS.values())
    assert PROTOCOLS[-1].modalities == ()
