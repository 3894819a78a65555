"""A need says yes, no and why; a plan binds series or says what is missing."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from isocenter.analysis.need import Need
from isocenter.analysis.plan import checked, dated, earlier_of, looks_back, not_compared, plan
from isocenter.analysis.protocol import Answer, Yield, parameters
from isocenter.catalogue.calcium_scan import is_for_calcium
from isocenter.errors import Refused
from isocenter.record import Code, Instance, Patient, Series, Study, Urgency


def series(modality: str = "CT", n: int = 3, uid: str = "1.1", **more: object) -> Series:
    images = tuple(Instance(f"{uid}.{i}", "1.2", "1.2.840.10008.1.2", f"d{i}", 10, i, 4, 4, 1) for i in range(n))
    return Series(uid, modality, 2, instances=images, **more)  # type: ignore[arg-type]


def study(*held: Series) -> Study:
    return Study("1", Patient("P"), series=held)


def placed(uid: str, *heights: float, **facts: object) -> Series:
    held = series("MR", n=len(heights), uid=uid, frame_of_reference="9", facts=facts)
    at = zip(held.instances, heights, strict=True)
    return replace(held, instances=tuple(replace(i, facts={"ImagePositionPatient": [0.0, 0.0, z]}) for i, z in at))


_PLACED = placed("1.1", 0.0, 4.0, 8.0)


def dynamic(uid: str, first: int, last: int, **facts: Any) -> Series:
    """Times of a scan of two slices, 1.5 s each."""
    images = tuple(
        Instance(
            f"{uid}.{n}.{k}", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2", f"d{n}{k}", 10, 2 * n + k, 4, 4, 1,
            facts={"ImagePositionPatient": [0.0, 0.0, 10.0 * k], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                   "AcquisitionDate": "20260101", "AcquisitionTime": f"1000{1.5 * n:05.2f}", **facts},
        )
        for n in range(first, last) for k in range(2)
    )  # fmt: skip
    return Series(uid, "CT", 2, frame_of_reference="9", instances=images)


def test_a_dynamic_scan_that_goes_on_in_another_series_is_one() -> None:
    """Of a scan that was cut after 25 times the 37 s before the cut were declined as too short."""
    bolus = Need(modality="CT", axis="time", at_least=60)
    parts = dynamic("1", 0, 25), dynamic("2", 25, 38)
    assert bolus.joined((parts[1], parts[0], series())) == parts
    assert bolus.joined((parts[0], dynamic("2", 26, 38))) != ()  # one time was lost at the cut
    assert bolus.joined((parts[0], dynamic("2", 30, 38))) == ()  # another scan
    assert bolus.joined((parts[0], dynamic("2", 20, 38))) == ()
    assert bolus.joined((parts[0], dynamic("2", 25, 38, KVP=100))) == ()


def test_of_two_scans_that_are_alike_the_first_is_taken() -> None:
    """A delayed scan lies beside the standard one: which of them was read was for their identifiers to settle."""

    class Uptake:
        """How much?"""

        name, version, yields = "uptake", "1", ()
        needs = {"pet": Need(modality="PT")}  # noqa: RUF012

        def run(self) -> None: ...

    def at(uid: str, **facts: Any) -> Series:
        held = series("PT", uid=uid)
        return replace(held, instances=tuple(replace(i, facts=facts) for i in held.instances))

    def taken(*held: Series) -> str:
        (binding,) = plan([Uptake()], study(*held)).bindings  # type: ignore[list-item]
        return binding.series["pet"][0]

    early = {"AcquisitionDate": "20240301", "AcquisitionTime": "110000.5"}
    for uids in (("1.1", "1.9"), ("1.9", "1.1")):
        first = at(uids[0], **early)
        assert taken(first, at(uids[1], AcquisitionDate="20240301", AcquisitionTime="123000")) == uids[0]
        assert taken(first, at(uids[1], AcquisitionDateTime="20240301123000.00")) == uids[0]
        assert taken(first, at(uids[1], FramesInPatient={"begun": "20240301123000.000000"})) == uids[0]
        assert taken(at(uids[0], SeriesDate="20240301", AcquisitionTime="110000"),
                     at(uids[1], SeriesDate="20240301", AcquisitionTime="123000")) == uids[0]  # fmt: skip
        assert taken(first, at(uids[1])) == uids[0]  # that says no time
    assert taken(at("1.1"), at("1.9")) == "1.9"


@pytest.mark.parametrize(
    ("need", "held", "word"),
    [
        (Need(modality="MR"), series(), "series 2 is CT"),
        (Need(modality="CT", at_least=5), series(), "at least 5 images; series 2 has 3"),
        (Need(modality="CT", at_most=2), series(), "at most 2 images; series 2 has 3"),
        (Need(modality="CT", body_part=("HEAD",)), series(body_part="CHEST"), "series 2 is of CHEST"),
        (Need(modality="CT", slice_mm=(0.5, 1.5)), series(facts={"SliceThickness": 3.0}), "series 2 has 3 mm"),
        (Need(modality="DX", facts={"ViewPosition": ("PA",)}), series("DX", facts={"ViewPosition": "LL"}), "has LL"),
        (Need(modality="MR", axis="echo"), series("MR", facts={"EchoTime": 2.3}), "several echo times; series 2 has 1"),
        (Need(modality="MR", axis="time"), _PLACED, "several times at each place; series 2 has 3 images at 3 places"),
        (Need(), Series("1.2", "SR", 2, instances=(Instance("1", "1", "1", "d", 1),)), "no pixels"),
    ],
)
def test_each_predicate_refuses_once_with_its_value(need: Need, held: Series, word: str) -> None:
    unmet = need.unmet(held)
    assert len(unmet) == 1
    assert word in str(unmet[0])


def test_every_predicate_is_told_met_or_not_with_the_value_seen() -> None:
    class Emphysema:
        """Is there emphysema?"""

        name, version, yields = "emphysema", "1", ()
        needs = {  # noqa: RUF012
            "thin": Need(modality="CT", body_part=("CHEST",), at_least=2, slice_mm=(0.5, 1.5)),
            "lungs": Need(modality="SEG", gives="regions", optional=True),
            "before": Need(modality="CT", earlier="last"),
        }

        def run(self) -> None: ...

    thick = series(body_part="CHEST", facts={"SliceThickness": 3.0})
    thin, lungs, before = checked(Emphysema(), study(series("MR"), thick))  # type: ignore[arg-type]
    assert [(c.predicate, c.found, c.met) for c in thin.checks] == [
        ("modality", "series 2 is CT", True),
        ("pixels", "series 2 has pixels", True),
        ("body part", "series 2 is of CHEST", True),
        ("images", "series 2 has 3", True),
        ("slice thickness", "series 2 has 3 mm", False),
    ]
    assert not thin.met and thin.checks[-1].wanted == "slices of 0.5 to 1.5 mm"
    assert lungs.optional and not lungs.met
    assert [c.found for c in before.checks] == ["no earlier study of this patient is here"]
    silent = checked(Emphysema(), study(series()))[0]  # type: ignore[arg-type]
    assert silent.checks[-1].found == "series 2 does not say; the pixels decide"
    assert silent.met
    assert checked(Emphysema(), study())[0].checks[0].found == "the study has no series"  # type: ignore[arg-type]


def test_a_header_that_says_nothing_refuses_nothing() -> None:
    need = Need(modality="CT", body_part=("HEAD",), slice_mm=(0.5, 1.5), facts={"ViewPosition": ("PA",)})
    assert need.unmet(series(description="routine")) == ()


def test_a_need_reads_as_a_sentence() -> None:
    parts, views = ("CHEST", "THORAX", "LUNG"), {"ViewPosition": ("PA", "AP")}
    need = Need(modality=("CR", "DX"), body_part=parts, at_most=4, facts=views)
    assert need.sentence() == (
        "computed radiograph or digital radiograph of chest, thorax or lung with at most 4 images, "
        "View Position PA or AP"
    )
    assert need.query() == {"Modality": ["CR", "DX"]}
    with pytest.raises(Refused, match="'regions' or 'reports'"):
        Need(gives="dreams")
    with pytest.raises(Refused, match="the 'last' one, or 'all' of them"):
        Need(earlier="next")


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


class _Grave(_Lesions):
    """Anything that cannot wait?"""

    name = "grave"
    needs = {"pet": Need(modality="PT")}  # noqa: RUF012
    yields = (Yield(Code("2", "99X", "Calm")), Yield(Code("1", "99X", "Grave"), urgency=Urgency.NOW))


def test_what_could_raise_the_study_furthest_is_run_first() -> None:
    planned = plan([_Each(), _Lesions(), _Grave()], study(series("PT", uid="1.5")))
    assert [b.analysis for b in planned.bindings] == ["grave", "each", "lesions"]


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


class _Outlines(_Lesions):
    needs = {"drawn": Need(modality="RTSTRUCT", gives="regions")}  # noqa: RUF012


def test_structures_in_series_of_their_own_are_taken_together() -> None:
    organs = [drawn(f"3.{n}", "1.5") for n in (7, 8, 9)]
    planned = plan([_Outlines()], study(series("PT", uid="1.5"), *organs, drawn("2.1", "1.6"), drawn("2.2", "4", "8")))
    assert set(planned.bindings[0].series["drawn"]) == {"3.7", "3.8", "3.9"}


def test_the_best_series_is_bound_and_every_series_where_every_is_wanted() -> None:
    thin = series(uid="1.3", n=9, facts={"SliceThickness": 1.0})
    derived = series(uid="1.4", n=30, facts={"ImageType": ["DERIVED", "SECONDARY"]})
    planned = plan([_Both(), _Each()], study(series("PT", uid="1.5"), series(), thin, derived))
    both, *each = planned.bindings
    assert both.series == {"pet": ("1.5",), "ct": ("1.3",)}
    assert len(each) == 4


def test_what_was_drawn_on_is_measured_and_not_the_series_with_more_images() -> None:
    """Phases of one liver lie in one frame of reference: an outline of the portal one is not measured on another."""
    native, portal = (series(uid=u, n=n, frame_of_reference="9") for u, n in (("1.1", 9), ("1.2", 4)))

    class Texture(_Lesions):
        needs = {"ct": Need(modality="CT"), "drawn": Need(modality="RTSTRUCT", gives="regions")}  # noqa: RUF012

    class Change(_Lesions):
        needs = {  # noqa: RUF012
            "drawn": Need(modality="RTSTRUCT", gives="regions"),
            "ct": Need(modality="CT", optional=True),
            "old": Need(modality="CT", earlier="last", optional=True),
        }

    here = on("20260301", native, portal, drawn("1.8", "1.2"), uid="1")
    (binding,) = plan([Texture()], here).bindings
    assert binding.series == {"ct": ("1.2",), "drawn": ("1.8",)}
    before = on("20260101", *(replace(s, uid=f"{s.uid}.7") for s in (native, portal)), drawn("1.9", "1.2.7"), uid="2")
    (binding,) = plan([Change()], here, [before]).bindings
    assert binding.series == {"drawn": ("1.8",), "ct": ("1.2",), "old": ("1.2.7",)}
    # Outlines on two phases: all are given, and the images compared are those of the phase that was there before.
    portal = replace(portal, description="portal")
    both = on("20260301", native, portal, drawn("1.7", "1.1"), drawn("1.8", "1.2"), uid="1")
    earlier = [replace(s, uid=f"{s.uid}.7") for s in (native, portal)]
    for held, image, old in ((native, "1.1", "1.1.7"), (portal, "1.2", "1.2.7")):
        was = on("20260101", *earlier, drawn("1.9", f"{held.uid}.7"), uid="2")
        (binding,) = plan([Change()], both, [was]).bindings
        assert set(binding.series["drawn"]) == {"1.7", "1.8"}
        assert (binding.series["ct"], binding.series["old"]) == ((image,), (old,))


def test_of_several_reconstructions_that_is_taken_which_the_analysis_is_defined_on() -> None:
    thin = series(uid="1.3", n=9, facts={"SliceThickness": 1.0, "ConvolutionKernel": "Br64"})
    thick = series(uid="1.4", n=4, facts={"SliceThickness": 3.0, "ConvolutionKernel": "Qr36"})

    class Calcium(_Lesions):
        needs = {"ct": Need(modality="CT", better=is_for_calcium)}  # noqa: RUF012

    calcium = Calcium()
    assert plan([calcium], study(thin, thick)).bindings[0].series["ct"] == ("1.4",)
    assert plan([calcium], study(thin)).bindings[0].series["ct"] == ("1.3",)
    assert pickle.loads(pickle.dumps(calcium.needs))["ct"].suits(thick)


class _Phases(_Lesions):
    needs = {"echoes": Need(modality="MR", gives="volumes", axis="echo")}  # noqa: RUF012


def test_every_series_that_fits_in_one_frame_of_reference_is_bound_where_volumes_are_wanted() -> None:
    def echoes(uid: str, times: tuple[float, ...], frame: str = "9") -> Series:
        images = tuple(
            Instance(f"{uid}.{n}", "1.2.840.10008.5.1.4.1.1.4", "1", "d", n, rows=4, columns=4, facts={"EchoTime": t})
            for n, t in enumerate(times)
        )
        return Series(uid, "MR", 2, instances=images, frame_of_reference=frame)

    held = study(
        echoes("1.3", (1.2, 2.4)), echoes("1.4", (1.2, 2.4)), echoes("1.5", (80.0,)), echoes("1.6", (1.2, 2.4), "8")
    )
    (bound,) = plan([_Phases()], held).bindings  # type: ignore[list-item]
    assert sorted(bound.series["echoes"]) in (["1.3", "1.4"], ["1.6"])


def test_series_of_one_echo_each_meet_together_what_none_meets_alone() -> None:
    class Fat:
        """How much fat?"""

        name, version, yields = "fat", "1", ()
        needs = {"echoes": Need(modality="MR", gives="volumes", axis="echo", at_least=2)}  # noqa: RUF012

        def run(self) -> None: ...

    def echo(uid: str, ms: float, **facts: float) -> Series:
        said = {"EchoTime": ms, "RepetitionTime": 10.0, **facts}
        return series("MR", uid=uid, frame_of_reference="9", facts=said)

    apart = (echo("1.1", 1.2), echo("1.2", 2.4), echo("1.3", 3.6), echo("1.9", 80.0, RepetitionTime=4000.0))
    (bound,) = plan([Fat()], study(*apart)).bindings  # type: ignore[list-item]
    assert sorted(bound.series["echoes"]) == ["1.1", "1.2", "1.3"]
    (told,) = checked(Fat(), study(*apart))  # type: ignore[arg-type]
    assert told.met and "3 series of one scan have them" in [c.found for c in told.checks]
    assert not plan([Fat()], study(apart[0], apart[3])).bindings  # type: ignore[list-item]


def test_times_in_series_of_their_own_meet_together_what_none_meets_alone() -> None:
    class Bolus:
        """Does it enhance?"""

        name, version, yields = "bolus", "1", ()
        needs = {"dynamic": Need(modality="MR", axis="time", at_least=15)}  # noqa: RUF012

        def run(self) -> None: ...

    def times(*numbers: int, **facts: object) -> list[Series]:
        return [placed(f"1.{n}", 0.0, 4.0, 8.0, **{"RepetitionTime": 5.0, "FlipAngle": 15.0, **facts}) for n in numbers]

    dynamic = times(1, 2, 3, 4, 5)
    others = [*times(6, 7, ImageType=["DERIVED", "SUB"]), *times(8, FlipAngle=5.0), *times(9, RepetitionTime=500.0)]
    (bound,) = plan([Bolus()], study(*dynamic, *others)).bindings  # type: ignore[list-item]
    assert sorted(bound.series["dynamic"]) == [s.uid for s in dynamic]
    assert not plan([Bolus()], study(*dynamic[:4], *others)).bindings  # type: ignore[list-item]
    one = placed("1.20", *(3 * [0.0] + 3 * [4.0] + 3 * [8.0] + 6 * [12.0]))
    (alone,) = plan([Bolus()], study(*dynamic, one)).bindings  # type: ignore[list-item]
    assert alone.series["dynamic"] == ("1.20",)


@pytest.mark.parametrize(
    ("said", "enough"), [({"SiemensImagesInMosaic": 6}, True), ({"SiemensImagesInMosaic": 2}, False), ({}, True)]
)
def test_a_mosaic_is_as_many_images_as_it_holds_slices(said: dict[str, object], enough: bool) -> None:
    """Fifty mosaics of six slices were fifty images, and too few for a bolus."""
    mosaics = series("MR", n=20, facts={"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"], **said})
    assert (not Need(modality="MR", at_least=60).unmet(mosaics)) is enough
    assert Need(modality="MR", at_least=60).unmet(series("MR", n=20, facts={"ImageType": ["ORIGINAL", "PRIMARY", "M"]}))


def test_objects_of_one_time_in_series_of_their_own_are_one_dynamic_scan() -> None:
    """Each has enough frames for a scan, and none has two times: one of them was taken for the scan, and declined."""

    class Bolus:
        """Does it enhance?"""

        name, version, yields = "bolus", "1", ()
        needs = {  # noqa: RUF012
            "dynamic": Need(modality="MR", axis="time", at_least=20),
            "angles": Need(modality="MR", gives="volumes", axis="flip", optional=True),
        }

        def run(self) -> None: ...

    def held(uid: str, frames: int, said: str = "DCE 1", **facts: object) -> Series:
        one = series("MR", n=1, uid=uid, frame_of_reference="9", description=said)
        told = {"RepetitionTime": 5.0, "FlipAngle": 15.0, **facts}
        return replace(one, facts=told, instances=tuple(replace(i, frames=frames) for i in one.instances))

    dynamic = [held(f"1.{n}", 24, f"DCE {n}") for n in range(1, 7)]
    angles = [held("2.1", 24, "T1 map", FlipAngle=5.0), held("2.2", 24, "T1 map")]  # the last one as the scan is made
    (bound,) = plan([Bolus()], study(*dynamic, *angles)).bindings  # type: ignore[list-item]
    assert sorted(bound.series["dynamic"]) == [s.uid for s in dynamic]
    assert sorted(bound.series["angles"]) == ["2.1", "2.2"]
    whole = held("3.1", 24 * 20, "whole")
    (bound,) = plan([Bolus()], study(*dynamic, whole)).bindings  # type: ignore[list-item]
    assert bound.series["dynamic"] == ("3.1",)
    (bound,) = plan([Bolus()], study(*dynamic[:3])).bindings  # type: ignore[list-item]
    assert len(bound.series["dynamic"]) == 1


def test_slabs_of_one_dynamic_scan_in_series_of_their_own_are_measured_together() -> None:
    """One of two was measured, and nothing said that half of the brain was left."""

    class Bolus:
        """Does it enhance?"""

        name, version, yields = "bolus", "1", ()
        needs = {"dynamic": Need(modality="MR", axis="time", at_least=20)}  # noqa: RUF012

        def run(self) -> None: ...

    def slab(uid: str, *heights: float, begins: int = 0, times: int = 12, **facts: object) -> Series:
        turned = {"ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], **facts}
        one = placed(uid, *sorted(heights * times), **turned)
        clocks = [f"10{(begins + 2 * (n % times)) // 60:02d}{(begins + 2 * (n % times)) % 60:02d}"
                  for n in range(len(one.instances))]  # fmt: skip
        timed = zip(one.instances, clocks, strict=True)
        return replace(one, instances=tuple(replace(i, facts={**i.facts, "AcquisitionTime": c}) for i, c in timed))

    def bound(*held: Series) -> list[str]:
        (one,) = plan([Bolus()], study(*held)).bindings  # type: ignore[list-item]
        return sorted(one.series["dynamic"])

    lower, upper = slab("1.1", 0.0, 8.0), slab("1.2", 16.0, 24.0, begins=1)
    assert bound(lower, upper) == ["1.1", "1.2"]
    assert bound(lower, slab("1.3", 16.0, 24.0, begins=300)) != ["1.1", "1.3"]  # a second bolus
    assert bound(lower, slab("1.4", 40.0, 48.0)) != ["1.1", "1.4"]  # a gap between them
    assert bound(lower, slab("1.5", 8.0, 16.0)) != ["1.1", "1.5"]  # another reconstruction
    assert bound(lower, slab("1.6", 16.0, 24.0, EchoTime=9.0)) != ["1.1", "1.6"]
    assert bound(lower, upper, slab("1.7", *[8.0 * n for n in range(6)])) == ["1.7"]
    assert bound(*(slab(f"2.{n}", 8.0 * n) for n in range(4))) == ["2.0", "2.1", "2.2", "2.3"]
    passes = [slab(f"4.{n}", *((0.0, 8.0), (16.0, 24.0))[n % 2], begins=n, times=1) for n in range(24)]
    assert bound(*passes) == sorted(one.uid for one in passes)  # a table that goes to and fro, a series a pass
    later = [slab(f"5.{n}", 16.0, 24.0, begins=200 + 2 * n, times=1) for n in range(12)]
    assert len(bound(*passes[::2], *later)) == 12  # two boluses
    whole = [
        replace(
            one,
            instances=tuple(
                replace(i, facts={**i.facts, "AcquisitionTime": None,
                                  "AcquisitionDateTime": f"20260101{i.facts['AcquisitionTime']}.25+0100"})
                for i in one.instances
            ),
        )
        for one in (lower, upper)
    ]  # fmt: skip
    assert bound(*whole) == ["1.1", "1.2"]  # half of the ischaemic tissue was told: 66 of 130 mL
    for odd in (["x", 0.0], [1.0, 0.0, 0.0, 0.0, 1.0, "n"], 7.0, None):
        assert len(bound(lower, slab("3.1", 16.0, 24.0, ImageOrientationPatient=odd))) == 1


def test_phases_in_series_of_their_own_are_taken_where_they_are_more_than_one_series() -> None:
    class Beat:
        """How much does it eject?"""

        name, version, yields = "beat", "1", ()
        needs = {"cine": Need(modality="MR", at_least=20, slices_apart=True)}  # noqa: RUF012

        def run(self) -> None: ...

    def phase(uid: str, delay: float | None, *heights: float, **facts: object) -> Series:
        one = placed(uid, *heights, ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], **facts)
        told = [{**i.facts, "TriggerTime": None if delay is None else delay + k} for k, i in enumerate(one.instances)]
        return replace(one, instances=tuple(replace(i, facts=f) for i, f in zip(one.instances, told, strict=True)))

    beat = [phase(f"1.{n}", 40.0 * n, 0.0, 10.0, 20.0) for n in range(8)]
    others = [
        phase("2.1", 500.0, 0.0, 10.0),
        phase("2.2", None, 0.0, 10.0, 20.0),
        phase("2.3", 0, 0, 10, 20, EchoTime=9),
    ]
    (bound,) = plan([Beat()], study(*beat, *others)).bindings  # type: ignore[list-item]
    assert sorted(bound.series["cine"]) == [s.uid for s in beat]
    assert not plan([Beat()], study(*beat, replace(beat[0], uid="3.1"))).bindings  # type: ignore[list-item]
    assert not plan([Beat()], study(*beat[:6])).bindings  # type: ignore[list-item]
    for odd in (["x", 0.0], [1.0, 0.0, 0.0, 0.0, 1.0, "n"], 7.0, None):
        crooked = [replace(one, facts={**one.facts, "ImageOrientationPatient": odd}) for one in beat]
        assert not plan([Beat()], study(*crooked)).bindings  # type: ignore[list-item]


def test_slices_in_series_of_their_own_are_taken_where_they_are_more_than_one_series() -> None:
    class Beat:
        """How much does it eject?"""

        name, version, yields = "beat", "1", ()
        needs = {"cine": Need(modality="MR", at_least=20, slices_apart=True)}  # noqa: RUF012

        def run(self) -> None: ...

    def slices(*heights: float, turn: float = 1.0, phases: int = 8) -> list[Series]:
        turned = {"ImageOrientationPatient": [turn, 0.0, 0.0, 0.0, 1.0, 0.0]}
        return [placed(f"1.{phases}.{h:g}", *[h] * phases, **turned) for h in heights]

    short_axis = slices(0.0, 10.0, 20.0, 30.0)
    others = [*slices(5.0, turn=-1.0), *slices(7.0, phases=9), *slices(8.0, phases=1), placed("1.3", *range(25))]
    (bound,) = plan([Beat()], study(*short_axis, *others)).bindings  # type: ignore[list-item]
    assert sorted(bound.series["cine"]) == [s.uid for s in short_axis]
    mixed = [*slices(0.0, 20.0, 40.0), *slices(10.0, 30.0, phases=10)]
    (bound,) = plan([Beat()], study(*mixed)).bindings  # type: ignore[list-item]
    assert sorted(bound.series["cine"]) == sorted(s.uid for s in mixed)  # one row of slices
    larger = placed("1.4", *range(40))
    (bound,) = plan([Beat()], study(*short_axis, *others, larger)).bindings  # type: ignore[list-item]
    assert bound.series["cine"] == ("1.4",)
    (told,) = plan([Beat()], study(*short_axis[:2])).declined  # type: ignore[list-item]
    assert "at least 20 images" in told.sentences()[0]


def test_beds_of_one_pet_are_bound_together_now_and_before() -> None:
    class Uptake:
        """How much now, and before?"""

        name, version, yields = "uptake", "1", ()
        needs = {  # noqa: RUF012
            "pet": Need(modality="PT", beds=True),
            "before": Need(modality="PT", beds=True, earlier="all", optional=True),
            "drawn": Need(modality="RTSTRUCT", gives="regions", optional=True),
        }

        def run(self) -> None: ...

    def pet(uid: str, low: int, high: int, **said: str) -> Series:
        turned = {"ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], "Units": "BQML"}
        return replace(placed(uid, *range(low, high), **turned), modality="PT", **said)  # type: ignore[arg-type]

    def bound(*held: Series, before: tuple[Series, ...] = ()) -> dict[str, list[str]]:
        past = [replace(study(*before), uid="0")] if before else []
        (one,) = plan([Uptake()], study(*held), past).bindings  # type: ignore[list-item]
        return {name: sorted(uids) for name, uids in one.series.items() if uids}

    beds = (pet("1.1", 0, 20), pet("1.2", 18, 40), pet("1.3", 40, 60))
    assert bound(*beds, before=beds[:2]) == {"pet": ["1.1", "1.2", "1.3"], "before": ["1.1", "1.2"]}
    # A scan twice as long beside them is the scan; one as long as a bed is another picture of that bed.
    assert bound(*beds, pet("1.4", 0, 60)) == {"pet": ["1.4"]}
    assert bound(beds[0], beds[1], pet("1.5", 19, 40)) == {"pet": ["1.1", "1.2", "1.5"]}
    # Two reconstructions go by their descriptions, whatever number the beds bear.
    other = [pet(f"2.{n}", *ends, description=f"PSF {n}") for n, ends in enumerate(((0, 20), (18, 40)), 1)]
    mine = [replace(bed, description=f"OSEM {n}") for n, bed in enumerate(beds[:2], 1)]
    assert bound(*mine, *other) in ({"pet": ["1.1", "1.2"]}, {"pet": ["2.1", "2.2"]})
    # What somebody drew on, and is no bed, is taken as it is.
    lone = replace(pet("3.1", 0, 30), facts={**beds[0].facts, "Units": "GML"})
    drawn = replace(series("RTSTRUCT", uid="4.1", frame_of_reference="9"), facts={"ReferencedSeriesUIDs": ["3.1"]})
    assert bound(*beds, lone, drawn) == {"pet": ["3.1"], "drawn": ["4.1"]}


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


class _Growth:
    """Has it grown?"""

    name, version, yields = "growth", "1", ()
    needs = {  # noqa: RUF012
        "now": Need(modality="CT", dated=True),
        "before": Need(modality="CT", earlier="last"),
        "drawn": Need(modality="RTSTRUCT", gives="regions", earlier="all", optional=True),
    }

    def run(self, now: object, before: object, drawn: object) -> Answer:
        return Answer.none()


def on(day: str, *held: Series, uid: str, patient: Patient = Patient("P")) -> Study:  # noqa: B008
    return Study(uid, patient, date=date.fromisoformat(day), series=held)


def test_earlier_studies_are_those_of_the_same_patient_from_before_the_newest_first() -> None:
    today = on("2026-03-01", uid="3")
    first, second = on("2025-01-01", uid="1"), on("2026-01-01", uid="2")
    others = (
        first, second, today, on("2026-04-01", uid="4"), on("2025-06-01", uid="5", patient=Patient("Q")),
        on("2025-06-01", uid="6", patient=Patient("P", issuer="elsewhere")), Study("7", Patient("P")),
    )  # fmt: skip
    assert earlier_of(today, others) == (second, first)
    assert earlier_of(Study("8", Patient("P")), others) == ()
    assert earlier_of(replace(today, patient=Patient("")), (on("2025-01-01", uid="9", patient=Patient("")),)) == ()


def test_a_study_without_its_date_has_the_first_day_of_its_images() -> None:
    """Such a study was left out of a course of three without a word: the smallest sum was not known."""
    made = replace(series(facts={"SeriesDate": "20260305"}), instances=series().instances)
    marked = Series("1.9", "RTSTRUCT", 3, facts={"SeriesDate": "20260101"}, instances=series(uid="1.9").instances)
    nameless = Study("2", Patient("P"), series=(made, marked))
    assert str(dated(nameless).date) == "2026-03-05"
    assert str(dated(replace(nameless, series=(marked,))).date) == "2026-01-01"
    assert dated(study(series(facts={"SeriesDate": "20269999", "ContentDate": ""}))).date is None
    today = on("2026-04-01", uid="3")
    assert [str(s.date) for s in earlier_of(today, (nameless,))] == ["2026-03-05"]
    assert earlier_of(nameless, (on("2026-03-04", uid="4"), on("2026-03-06", uid="5")))[0].uid == "4"


def test_what_bears_the_number_of_a_patient_and_is_not_compared_is_told() -> None:
    today = replace(on("2026-04-01", uid="3"), time="101500", patient=Patient("P", sex="M"))
    woman = replace(on("2026-03-01", uid="4"), patient=Patient("P", sex="F"))
    later = replace(woman, uid="5", date=date(2026, 5, 1))
    none, twin = Study("6", Patient("P")), replace(today, uid="7")
    others = (today, woman, later, none, twin, on("2026-02-01", uid="8"), Study("9", Patient("Q")))
    told = not_compared(today, others)
    assert [s.split(" ")[0] for s in told] == ["the", "study", "another"]
    assert "2026-03-01" in told[0] and "another date of birth or sex" in told[0]
    assert "has no date" in told[1] and "same day and time" in told[2]
    assert "this study has no date" in not_compared(none, others)[0]
    nameless = replace(none, patient=Patient(""))
    assert "this study has no Patient ID" in not_compared(nameless, others)[0]
    assert not_compared(nameless, (nameless,)) == ()
    assert not_compared(today, (replace(twin, series=(drawn("7.9", "3.1"),)),)) == (), "outlines alone are no visit"
    (declined,) = plan([_Growth()], replace(today, series=(series(uid="3.1"),)), (), told[:1]).declined
    assert declined.sentences()[1:] == told[:1]


def test_one_name_and_date_of_birth_under_another_number_is_told() -> None:
    """'P1' and 'p1' were two people without a word."""
    born = date(1960, 1, 1)
    today = on("2026-04-01", uid="3", patient=Patient("P1", "Test^Case", born))
    then = on("2026-01-01", uid="4", patient=Patient("p1", "TEST^CASE ", born))
    (said,) = not_compared(today, (today, then))
    assert "the study of 2026-01-01 with another Patient ID" in said and "give all studies one Patient ID" in said
    older = replace(then, uid="5", date=date(2025, 1, 1))
    assert not_compared(today, (older, then))[0].startswith("2 studies, the newest of 2026-01-01,")
    strangers = (
        replace(then, patient=replace(then.patient, birth_date=date(1961, 1, 1))),
        replace(then, patient=replace(then.patient, name="Other^One")),
        replace(then, date=date(2026, 5, 1)),
    )
    assert not_compared(today, strangers) == () == not_compared(replace(today, patient=Patient("P1")), (then,))


def test_two_visits_under_one_study_instance_uid_are_told() -> None:
    first, second = (series(uid=f"1.{n}", facts={"SeriesDate": day}) for n, day in enumerate(("20260101", "20260401")))
    (said,) = not_compared(on("2026-01-01", first, second, uid="3"), ())
    assert "series of 2026-01-01 and of 2026-04-01 in one study" in said
    night = replace(second, facts={"SeriesDate": "20260102"})
    outlined = replace(second, modality="SEG")  # later, as outlines are
    assert not_compared(on("2026-01-01", first, night, outlined, uid="3"), ()) == ()


def test_a_need_that_looks_back_is_bound_in_the_newest_study_that_has_it_and_in_all_where_all_are_wanted() -> None:
    like = series(uid="2.1", n=3, description="lung")
    other = series(uid="2.2", n=90, description="scout")
    old = on("2025-01-01", series(uid="1.1"), drawn("1.9", "1.1"), uid="1")
    recent = on("2026-01-01", like, other, drawn("2.9", "2.1"), uid="2")
    empty = on("2026-02-01", series("MR", uid="4.1"), uid="4")
    today = on("2026-03-01", series(uid="3.1", description="lung"), uid="3")
    (binding,) = plan([_Growth()], today, (empty, recent, old)).bindings
    assert binding.series == {"now": ("3.1",), "before": ("2.1",), "drawn": ("1.9", "2.9")}
    assert looks_back([_Growth()]) and not looks_back([_Lesions()])


def test_what_is_missing_in_the_past_is_said() -> None:
    today = on("2026-03-01", series(uid="3.1"), uid="3")
    (declined,) = plan([_Growth()], today).declined
    assert declined.sentences() == (
        "needs CT in an earlier study of the patient; no earlier study of this patient is here",
    )
    (declined,) = plan([_Growth()], today, (on("2026-02-01", series("MR", uid="4.1"), uid="4"),)).declined
    assert declined.sentences() == ("needs CT in an earlier study of the patient; this study has MR",)
