"""A need says yes, no and why; a plan binds series or says what is missing."""

from __future__ import annotations

import pytest

from isocenter.analysis.need import Need
from isocenter.analysis.plan import plan
from isocenter.analysis.protocol import Answer, parameters
from isocenter.errors import Refused
from isocenter.record import Instance, Patient, Series, Study


def series(modality: str = "CT", n: int = 3, uid: str = "1.1", **more: object) -> Series:
    images = tuple(Instance(f"{uid}.{i}", "1.2", "1.2.840.10008.1.2", f"d{i}", 10, i, 4, 4, 1) for i in range(n))
    return Series(uid, modality, 2, instances=images, **more)  # type: ignore[arg-type]


def study(*held: Series) -> Study:
    return Study("1", Patient("P"), series=held)


@pytest.mark.parametrize(
    ("need", "held", "word"),
    [
        (Need(modality="MR"), series(), "series 2 is CT"),
        (Need(modality="CT", at_least=5), series(), "at least 5 images; series 2 has 3"),
        (Need(modality="CT", at_most=2), series(), "at most 2 images; series 2 has 3"),
        (Need(modality="CT", body_part=("HEAD",)), series(body_part="CHEST"), "series 2 is of CHEST"),
        (Need(modality="CT", slice_mm=(0.5, 1.5)), series(facts={"SliceThickness": 3.0}), "series 2 has 3 mm"),
        (Need(modality="DX", facts={"ViewPosition": ("PA",)}), series("DX", facts={"ViewPosition": "LL"}), "has LL"),
        (Need(), Series("1.2", "SR", 2, instances=(Instance("1", "1", "1", "d", 1),)), "no pixels"),
    ],
)
def test_each_predicate_refuses_once_with_its_value(need: Need, held: Series, word: str) -> None:
    unmet = need.unmet(held)
    assert len(unmet) == 1
    assert word in str(unmet[0])


def test_a_header_that_says_nothing_refuses_nothing() -> None:
    need = Need(modality="CT", body_part=("HEAD",), slice_mm=(0.5, 1.5), facts={"ViewPosition": ("PA",)})
    assert need.unmet(series(description="routine")) == ()


def test_a_need_reads_as_a_sentence() -> None:
    need = Need(modality=("CR", "DX"), body_part=("CHEST",), at_most=4, facts={"ViewPosition": ("PA", "AP")})
    assert need.sentence() == (
        "computed radiograph or digital radiograph of chest with at most 4 images, ViewPosition PA or AP"
    )
    assert need.query() == {"Modality": ["CR", "DX"]}
    with pytest.raises(Refused, match="'volume' or 'regions'"):
        Need(gives="dreams")


class _Lesions:
    """What do the lesions take up?"""

    name, version, yields = "lesions", "1", ()
    needs = {  # noqa: RUF012
        "pet": Need(modality="PT"),
        "drawn": Need(modality="RTSTRUCT", gives="regions", optional=True),
    }

    def run(self, pet: object, drawn: object, *, threshold: float = 0.4) -> Answer:
        return Answer.none()


class _Each(_Lesions):
    """Anything wrong with it?"""

    name = "each"
    needs = {"image": Need(every=True)}  # noqa: RUF012


class _Both(_Lesions):
    """Needs both."""

    name = "both"
    needs = {"pet": Need(modality="PT"), "ct": Need(modality="CT")}  # noqa: RUF012


def drawn(uid: str, on: str, frame: str = "9") -> Series:
    object_ = Instance(f"{uid}.1", "1.2", "1.2", "d", 1)
    facts = {"ReferencedSeriesUIDs": [on]}
    return Series(uid, "RTSTRUCT", 5, frame_of_reference=frame, facts=facts, instances=(object_,))


def test_regions_go_with_the_series_on_which_they_were_drawn() -> None:
    pet = series("PT", uid="1.5", frame_of_reference="9")
    other = drawn("1.7", "1.6", frame="9")
    mine = drawn("1.8", "1.5")
    planned = plan([_Lesions()], study(pet, other, mine))
    assert planned.bindings[0].series == {"pet": ("1.5",), "drawn": ("1.8",)}
    planned = plan([_Lesions()], study(pet, other))
    assert planned.bindings[0].series["drawn"] == ("1.7",)
    planned = plan([_Lesions()], study(pet, drawn("1.9", "4", frame="8")))
    assert planned.bindings[0].series["drawn"] == ()


def test_the_best_series_is_bound_and_every_series_where_every_is_wanted() -> None:
    thin = series(uid="1.3", n=9, facts={"SliceThickness": 1.0})
    derived = series(uid="1.4", n=30, facts={"ImageType": ["DERIVED", "SECONDARY"]})
    planned = plan([_Both(), _Each()], study(series("PT", uid="1.5"), series(), thin, derived))
    both, *each = planned.bindings
    assert both.series == {"pet": ("1.5",), "ct": ("1.3",)}
    assert len(each) == 4


def test_what_is_missing_is_said_of_the_nearest_series() -> None:
    planned = plan([_Both()], study(series("PT", uid="1.5")))
    assert planned.bindings == ()
    assert str(planned.declined[0].reasons[0]) == "needs CT; this study has PT"
    planned = plan([_Lesions()], study(series("CT")))
    assert planned.declined[0].sentences() == ("needs PET; this study has CT",)
    assert plan([_Lesions()], study()).declined[0].sentences() == ("needs PET; the study has no series",)


def test_parameters_come_from_the_signature() -> None:
    (p,) = parameters(_Lesions())
    assert (p.name, p.kind, p.default) == ("threshold", float, 0.4)

    class Untyped(_Lesions):
        def run(self, pet: object, drawn: object, *, threshold) -> Answer:  # type: ignore[no-untyped-def, override]
            return Answer.none()

    with pytest.raises(Refused, match="needs a type and a default"):
        parameters(Untyped())
