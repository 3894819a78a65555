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
    hung = hang(study())
    assert (hung.name, hung.series, hung.window, hung.presets, hung.stages) == ("As it came", (), None, (), ())


def test_every_window_that_a_protocol_names_exists_and_presets_fit_nine_keys() -> None:
    for protocol in PROTOCOLS:
        if protocol.window:
            modalities = protocol.series["main"].modality
            assert protocol.window in {w.name for m in modalities for w in WINDOWS.get(m, ())}, protocol.name
    assert all(len(presets) <= 9 and all(w.width > 0 for w in presets) for presets in WINDOWS.values())
    assert PROTOCOLS[-1].modalities == ()


def test_every_stage_names_series_that_its_protocol_knows_and_fills_its_layout() -> None:
    sizes = {"1x1": 1, "1x2": 2, "2x2": 4, "planes": 4}
    for protocol in PROTOCOLS:
        known = {*protocol.series, "second", "third", "fourth"}
        for stage in protocol.stages:
            assert len(stage.places) == sizes[stage.layout], stage.name
            assert all(p.show in known and (not p.over or p.over in known) for p in stage.places), stage.name


def test_uptake_lies_over_anatomy() -> None:
    hung = hang(study(series("ct", "CT", 60), series("pet", "PT", 60)))
    stages = {name: places for name, _, places in hung.stages}
    assert [p.series_uid for p in stages["anatomy beside uptake"]] == ["ct", "pet"]
    assert [(p.plane, p.over_uid) for p in stages["uptake on anatomy"]] == [
        ("", ""), ("axial", "pet"), ("sagittal", "pet"), ("coronal", "pet")
    ]  # fmt: skip
    assert "with prior" not in stages
    assert next(iter(stages)) == "uptake on anatomy", "a reader sees both at once before pressing a key"


def test_what_makes_no_volume_is_not_cut() -> None:
    """No stage opens with a refusal."""
    hung = hang(study(series("ct", "CT", 60), series("pet", "PT", 2)))
    assert [name for name, _, _ in hung.stages] == ["anatomy beside uptake", "one image"]


def test_the_newest_prior_that_can_be_compared_hangs_on_the_side_of_the_site() -> None:
    today = study(series("now", "CT", 60, "chest"))
    before = Study("0", Patient("p"), series=(series("then", "CT", 60, "chest"),))
    older = Study("00", Patient("p"), series=(series("long ago", "CT", 60, "chest"),))
    for side, wanted in (("left", ["then", "now"]), ("right", ["now", "then"])):
        hung = hang(today, [before, older], prior_side=side)
        stages = {name: places for name, _, places in hung.stages}
        assert [p.series_uid for p in stages["with prior"]] == wanted
        assert [p.study_uid for p in stages["with prior"] if p.prior] == ["0"]
        assert all(met for _, met in hung.rules)


def test_what_was_asked_for_and_is_not_there_is_told() -> None:
    hung = hang(study(series("a", "MR", 30, "T1 SE"), series("b", "MR", 30, "T2 TSE"), description="Brain"))
    met = dict(hung.rules)
    assert sum(met.values()) == len(met) - 2
    assert not met["fourth: dwi or diffusion or trace or adc MR"]
    assert not met["an earlier study of the region"]
    assert "four" not in {name for name, _, _ in hung.stages}


def test_views_and_sides_of_a_mammogram_find_their_places() -> None:
    views = [("L", "MLO"), ("R", "CC"), ("L", "CC"), ("R", "MLO")]
    many = tuple(
        Instance(f"m.{n}", "c", "t", "d", 1, facts={"ImageLaterality": side, "ViewPosition": view})
        for n, (side, view) in enumerate(views)
    )
    hung = hang(study(Series("m", "MG", 1, instances=many)))
    four = next(places for name, _, places in hung.stages if name == "four")
    assert [p.sop_uid for p in four] == ["m.1", "m.2", "m.3", "m.0"]
