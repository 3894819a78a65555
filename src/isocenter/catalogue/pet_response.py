"""PET: how the tumour answers to treatment by its uptake, PERCIST 1.0 or Lugano with the Deauville score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np

from isocenter.analysis.need import Dated, Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue import in_one_space
from isocenter.catalogue.in_one_space import Drawn
from isocenter.catalogue.lesion_visits import lesions_among, organ_of, out_of_sight
from isocenter.catalogue.mask_grid import OtherGrid
from isocenter.catalogue.uptake_scan import (
    VARIANTS,
    UptakeScan,
    gives_suv,
    hollow,
    is_reference,
    mask_of,
    on_grid,
    reference_of,
)
from isocenter.errors import Refused
from isocenter.methods import lugano, percist, pet_average, pet_header, suv, uptake
from isocenter.methods.lesion_matching import Track, seen_in, tracks
from isocenter.methods.recist import Judged
from isocenter.methods.uptake import ReferenceUptake
from isocenter.record import Code, Curve, Finding, Measurement, codes, digest_of
from isocenter.space import Geometry, Region, Volume

__all__ = ["CURRENT", "DEAUVILLE", "PETResponse"]

CURRENT = Code("112048", "DCM", "Current Response")
DEAUVILLE = Code("deauville-score", "99ISO", "Deauville score")
CHANGE = Code("change-from-baseline", "99ISO", "Change from baseline")
REFERENCE = Code("reference-uptake", "99ISO", "Uptake of the reference organ")
LEAST = Code("measurable-uptake", "99ISO", "Least measurable uptake")
SUM = Code("sum-of-peaks", "99ISO", "Sum of SULpeak")
QPET = Code("qpet", "99ISO", "qPET")
_BW, _LEAN = "{SUVbw}g/ml", "{SUVlbm}g/ml"
_HEADER: Mapping[str, Any] = {
    "Units": "BQML", "DecayCorrection": "START", "CorrectedImage": ["DECY", "ATTN"], "PatientWeight": "70",
    "PatientSize": "1.75", "PatientSex": "F", "RadionuclideTotalDose": "350000000", "RadionuclideHalfLife": "6586",
    "Radionuclide": "^18^Fluorine", "RadiopharmaceuticalStartTime": "100000", "SeriesDate": "20240102",
    "SeriesTime": "110000", "AcquisitionDate": "20240102", "AcquisitionTime": "110000", "Manufacturer": "MAKER",
    "ManufacturerModelName": "One",
}  # fmt: skip


class PETResponse:
    """How does the tumour answer to treatment by its uptake: PERCIST 1.0, or Lugano with the Deauville score?"""

    name, version = "pet_response", "24"
    needs: ClassVar[Mapping[str, Need]] = {
        "pet": Need(modality="PT", dated=True, beds=True, better=gives_suv),
        "drawn": Need(modality=("RTSTRUCT", "SEG"), gives="regions"),
        "pet_before": Need(modality="PT", earlier="all", optional=True, beds=True, better=gives_suv),
        "drawn_before": Need(modality=("RTSTRUCT", "SEG"), gives="regions", earlier="all", optional=True),
    }
    yields = (
        Yield(what=codes.ABNORMAL_UPTAKE, units=(_BW, _LEAN, "%", "mL")),
        Yield(what=CURRENT, units=(_BW, _LEAN, "%", "g", "{counts}")),
        Yield(what=DEAUVILLE, units=(_BW, "{ratio}", "1")),
    )
    limits = Limits(seconds=180.0, memory_mib=6144)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Propose a metabolic response from lesions, liver and aorta that a person has outlined.",
        "not_for": "Deciding whether a new site is tumour, and reading the Deauville score in place of a person.",
        "sources": ("Wahl 2009 (PERCIST 1.0)", "O 2016", "Barrington and Cheson 2014 (Lugano)",
                    "Hasenclever 2014 (qPET)"),
        "limits": (
            "The rules hold for FDG, and are applied to what somebody outlined.",
            "Extravasation at the injection site and glucose are for a person to state.",
            "Lugano gives no figure for a significant change: the 25 % are EORTC's.",
        ),
        "level": "rules verified against their texts; SUV validated (see pet_uptake)",
    }  # fmt: skip

    def run(
        self,
        pet: Dated,
        drawn: tuple[Region, ...],
        pet_before: tuple[Dated, ...] | None,
        drawn_before: tuple[Dated, ...] | None,
        *,
        criteria: Literal["PERCIST 1.0", "Lugano 2014"] = "PERCIST 1.0",
        baseline: Literal["oldest", "last"] = "oldest",
        lean: Literal["james128", "janmahasatian"] = "james128",
        markedly: float = 2.0,
        reach_mm: float = 15.0,
        glucose_mmol_l: float = 0.0,
        glucose_before_mmol_l: float = 0.0,
        extravasated: bool = False,
        minutes: str = "",
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Compare this PET with the baseline.

        Args:
            pet: this study. drawn: its lesions, with regions named liver and aorta (or blood pool, mediastinum).
            pet_before, drawn_before: the same of earlier studies. PERCIST needs them; Deauville does not.
            criteria: the table of rules.
            baseline: which earlier study is compared with.
            lean: formula of lean body mass for SUL.
            markedly: how many times the liver is score 5 of Deauville, 2 to 3.
            reach_mm: how far a lesion may have moved beyond the error of registration.
            glucose_mmol_l, glucose_before_mmol_l: in blood; 0 where it is not known.
            extravasated: whether tracer went beside the vein at either scan. The program does not look for it.
            minutes: which frames of a dynamic PET, now and before, are averaged, such as ``50-60``: those with their
                middle so many minutes after the injection. Of a gated one all gates are.
            other_grid: regions on coarser voxels than their PET: ``nearest`` brings them there.

        Raises:
            Refused: when a reference organ or SUL is missing, a lesion of before lies outside the images of now, or the
                two scans are not comparable; the message has every reason.
        """
        if extravasated:
            raise Refused(
                "tracer beside the vein",
                "the activity that reached the blood is not the one in the header: every SUV comes out too low",
                "repeat the scan, or read it by eye",
            )
        remarks: list[str] = []
        now = _Time.of(pet, drawn, glucose_mmol_l, minutes, other_grid, remarks)
        known = {d.study_uid: d.regions for d in drawn_before or ()}
        earlier = []
        for one in pet_before or ():
            if one.study_uid in known:
                earlier.append(_Time.of(one, known[one.study_uid], glucose_before_mmol_l, minutes, other_grid, remarks))
            else:
                remarks.append(f"the PET of {one.day} has no outlines and was left out")
        times = [*(earlier if baseline == "oldest" else earlier[-1:]), now]
        followed, unseen = _followed(times, reach_mm, remarks) if len(times) > 1 else ((), ())
        last = len(times) - 1
        new = [n for n, t in enumerate(followed) if t.began > 0 and seen_in(followed, n, last) is not None]
        remarks += [word for time in times for word in hollow(time.scan, time.lesions, f" on {time.day}")]
        if followed and not now.lesions:
            remarks.append("no lesion is outlined now: they count as gone, confirm it")
        if criteria == "PERCIST 1.0":
            rose = _rose(times, followed, lean) if followed else ()
            found = [_percist(times, lean, bool(new), rose, remarks)]
            if rose and ": PMD " not in found[0].words:
                remarks.append(
                    f"WARNING: SULpeak of {', '.join(rose)} has risen by 30 % and 0.8 or more since baseline: whether "
                    "that is progression is for a person to say"
                )
        else:
            found = _lugano(times, markedly, bool(new), remarks)
        _must_show_all(found, unseen, now.day)
        peaks = criteria == "PERCIST 1.0"
        found += [_lesion(times, i, followed, lean, peaks=peaks) for i in range(len(now.lesions))]
        return Answer.found(*found, curves=_curve(times, followed, lean, peaks=peaks), reasons=tuple(remarks))

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A hot ball that cools by half beside a liver and an aorta: (inputs, truth) pairs for ``isocenter check``."""
        first, drawn = _made(9.0, 0)
        half, drawn_now = _made(4.5, 60)
        before = {"pet_before": (first,), "drawn_before": (Dated(first.study_uid, first.day, drawn),)}
        yield (
            {"pet": half, "drawn": drawn_now, **before},
            {"answer": "found", "findings": 2, "measurements": {"Change from baseline": (-50.0, 1e-3)}, "words": "PMR"},
        )
        late = replace(half, given=replace(half.volume, facts={**half.volume.facts, "SeriesTime": "113000",
                                                               "AcquisitionTime": "113000"}))  # fmt: skip
        yield (
            {"pet": late, "drawn": drawn_now, **before},
            {"answer": "declined", "words": "uptake times differ by 30 min"},
        )
        yield (
            {"pet": half, "drawn": drawn_now[:1], **before},
            {"answer": "declined", "words": "without a liver"},
        )


@dataclass(frozen=True, eq=False)
class _Time:
    """One PET with its lesions and reference organs."""

    study_uid: str
    day: date
    volume: Volume
    scan: UptakeScan
    lesions: tuple[Region, ...]
    liver: ReferenceUptake | None
    blood: ReferenceUptake | None
    conditions: percist.Conditions

    @classmethod
    def of(
        cls, pet: Dated, regions: Sequence[Region], glucose: float, minutes: str, other_grid: OtherGrid,
        remarks: list[str],
    ) -> _Time:  # fmt: skip
        image = pet_average.averaged(pet.volume, minutes)
        scan = UptakeScan.of(image)
        kept = in_one_space.drawn(Dated(pet.study_uid, pet.day, tuple(regions)), empty=True).regions
        lesions = lesions_among([r for r in kept if not is_reference(r.label)], pet.day, remarks)
        facts = image.facts
        header = pet_header.read(facts)
        remarks += [f"{pet.day}: {r}" for r in scan.remarks]
        known = [str(facts.get(k) or "").strip() for k in ("Manufacturer", "ManufacturerModelName")]
        conditions = percist.Conditions(
            pet_header.uptake_time_s(facts), header.activity_bq, " ".join(k for k in known if k), header.nuclide,
            glucose or None, str(facts.get("Radiopharmaceutical") or "").strip(),
        )  # fmt: skip
        placed = tuple(on_grid(lesions, scan.geometry, remarks, other_grid)) if lesions else ()
        liver, blood = (reference_of(scan, regions, organ, other_grid) for organ in ("liver", "blood pool"))
        return cls(pet.study_uid, pet.day, image, scan, placed, liver, blood, conditions)

    def factor(self, lean: str) -> float:
        """From SUVbw to SUL.

        Raises:
            Refused: when the header does not allow it.
        """
        if lean not in self.scan.factors:
            why = next((r for r in self.scan.remarks if r.startswith("SUL")), "lean body mass is not known")
            raise Refused(f"PERCIST without SUL on {self.day}", why, "complete weight, size and sex of the patient")
        return self.scan.factors[lean]

    def sphere(self, region: Region) -> float | None:
        """SUVpeak (bw) of a lesion; None where the sphere of 1 mL leaves the image everywhere."""
        return uptake.best_mean(self.scan.suvbw, self.scan.geometry, mask_of(region))

    def peak(self, region: Region) -> float:
        """SUVpeak (bw) of a lesion.

        Raises:
            Refused: when the sphere of 1 mL leaves the image everywhere.
        """
        peak = self.sphere(region)
        if peak is None:
            raise Refused(
                f"{region.label or 'a lesion'} at the edge of the image",
                "a sphere of 1 mL does not fit",
                "choose images that hold the whole lesion",
            )
        return peak

    def highest(self) -> float | None:
        """SUVmax (bw) of the hottest lesion; None where there is none."""
        return max((float(self.scan.suvbw[mask_of(r)].max()) for r in self.lesions), default=None)

    def burden(self, lean: str, reference: ReferenceUptake, new: bool) -> percist.Burden:
        """Hottest peak and glycolysis of all lesions in SUL."""
        peak = self.hottest()
        all_of_them = self.glycolysis_g(lean, reference, range(len(self.lesions)))
        return percist.Burden(None if peak is None else peak * self.factor(lean), all_of_them, new)

    def glycolysis_g(self, lean: str, reference: ReferenceUptake, places: Iterable[int]) -> float:
        """Of some lesions, in SUL above PERCIST's threshold; a voxel in two outlines counts once."""
        every = np.zeros(self.scan.geometry.shape, dtype=bool)
        for i in places:
            every |= mask_of(self.lesions[i])
        values = self.scan.suvbw[every].astype(np.float64) * self.factor(lean)
        return float(values[values >= reference.measurable].sum()) * self.scan.voxel_ml

    def measured(self) -> tuple[int, ...]:
        """The lesions of a sum: the hottest, five at most, two in an organ."""
        peaks = {i: p for i, r in enumerate(self.lesions) if (p := self.sphere(r)) is not None}
        places = list(peaks)
        taken = percist.chosen([peaks[i] for i in places], [organ_of(self.lesions[i].label) for i in places])
        return tuple(places[k] for k in taken)

    def hottest(self) -> float | None:
        """SUVpeak (bw) of the hottest lesion; None where there is none.

        A lesion at the edge, without a sphere of its own, is passed over where even its hottest voxel is colder.

        Raises:
            Refused: where such a lesion could be the hottest.
        """
        known = max((p for r in self.lesions if (p := self.sphere(r)) is not None), default=None)
        for region in self.lesions:
            if known is None or float(self.scan.suvbw[mask_of(region)].max()) > known:
                known = max(known or 0.0, self.peak(region))
        return known


def _must_show_all(found: Sequence[Finding], unseen: Sequence[str], day: date) -> None:
    """No response but progression can be told of lesions that a PET does not show."""
    told = next((f.words for f in found if f.what == CURRENT), "")
    if unseen and told and ": PMD " not in told:
        raise Refused(
            f"a PET of {day} that does not reach {', '.join(unseen)}",
            "what is outside the images is not gone: its uptake now is not known",
            "send the beds that show it, or leave it out at baseline, too",
        )


def _followed(times: Sequence[_Time], reach_mm: float, remarks: list[str]) -> tuple[tuple[Track, ...], tuple[str, ...]]:
    """The lesions through the times, and the names of those that lie outside the images of the last."""
    outlined = [Drawn(t.study_uid, t.day, t.lesions) for t in times]
    scans = {t.study_uid: t.volume for t in times}
    places = in_one_space.spaces(outlined, scans, remarks)
    reaches = [reach_mm + a[1] + b[1] for a, b in pairwise(places)]
    spotted = in_one_space.spots(outlined, places)
    followed = tracks(spotted, reach_mm=reaches)
    outside = out_of_sight(len(times) - 1, outlined, places, spotted, followed, scans)
    names = (times[followed[n].began].lesions[followed[n].at[followed[n].began][0]].label for n in sorted(outside))
    return followed, tuple(name or "a lesion" for name in names)


def _rose(times: Sequence[_Time], followed: Sequence[Track], lean: str) -> tuple[str, ...]:
    """Names of the baseline's lesions that have a higher peak now than then, as far as PERCIST counts it."""
    found = []
    for n, track in enumerate(followed):
        if track.at[0] and track.at[-1]:
            then, now = (_value(times[k], track.at[k], lean, peaks=True) for k in (0, -1))
            if then is not None and now is not None and percist.rose(then, now):
                found.append(times[-1].lesions[track.at[-1][0]].label or f"lesion {n + 1}")
    return tuple(found)


def _percist(times: Sequence[_Time], lean: str, new: bool, rose: tuple[str, ...], remarks: list[str]) -> Finding:
    if len(times) < 2:
        raise Refused("PERCIST without a baseline", "it compares with an earlier PET with outlines", "send that study")
    before, now = times[0], times[-1]
    organ = "liver" if before.liver and now.liver else "blood pool"
    scaled = []
    for time in (before, now):
        reference = time.liver if organ == "liver" else time.blood
        if reference is None:
            raise Refused(
                f"PERCIST without a liver or blood pool on {time.day}",
                "uptake is compared with a sphere of 3 cm in the liver, or with the aorta where the liver is ill",
                "outline 'liver', or 'aorta', in both studies",
            )
        scaled.append(reference.scaled(time.factor(lean)))
    remarks += percist.comparable(before.conditions, now.conditions, scaled[0], scaled[1])
    background = now.blood.scaled(now.factor(lean)) if now.blood else None
    was = before.burden(lean, scaled[0], False)
    is_now = replace(now.burden(lean, scaled[1], new), rose=rose)
    judged = percist.response(was, is_now, scaled[1], background=background, least=scaled[0].measurable)
    name = VARIANTS[lean][0]
    said = [
        Measurement(REFERENCE, scaled[1].mean, _LEAN, definition=f"{name}, {organ}, mean"),
        Measurement(LEAST, scaled[0].measurable, _LEAN, definition=f"PERCIST 1.0 by {organ} at baseline, {name}"),
        Measurement(codes.TLG, is_now.tlg_g, "g", definition=f"{name}, above PERCIST's threshold, all lesions"),
    ]
    if is_now.peak is not None and was.peak:
        said.append(Measurement(codes.SUV_PEAK, is_now.peak, _LEAN, definition=f"{name}, 1 mL sphere, hottest lesion"))
        change = 100.0 * (is_now.peak / was.peak - 1.0)
        said.append(Measurement(CHANGE, change, "%", definition="SULpeak of the hottest lesion"))
    taken = now.measured()
    if taken:
        total = sum(now.peak(now.lesions[i]) for i in taken) * now.factor(lean)
        few = [t.glycolysis_g(lean, r, t.measured()) for t, r in zip((before, now), scaled, strict=True)]
        said.append(
            Measurement(codes.TLG, few[1], "g", definition=f"{name}, above PERCIST's threshold, {len(taken)} "
                        f"lesion{'s'[: len(taken) != 1]}, at most 5, 2 in an organ")
        )  # fmt: skip
        remarks += percist.of_five((was.tlg_g, is_now.tlg_g), (few[0], few[1]))
        if sum(not organ_of(now.lesions[i].label) for i in taken) > 2:
            remarks.append(
                "WARNING: labels of lesions name no organ, so that no more than two in an organ was not kept in the sum"
            )
        said.append(
            Measurement(SUM, total, _LEAN, definition=f"{name}, {len(taken)} lesions, at most 5, 2 in an organ")
        )
    words = f"PERCIST 1.0: {judged.response} ({judged.rule}): {judged.why}. {name}, baseline {before.day}."
    return Finding(CURRENT, measurements=tuple(said), words=words)


def _lugano(times: Sequence[_Time], markedly: float, new: bool, remarks: list[str]) -> list[Finding]:
    now = times[-1]
    if now.liver is None or now.blood is None:
        missing = "liver" if now.liver is None else "aorta or mediastinum"
        raise Refused(
            f"Deauville without a region '{missing}'", "the score compares with mediastinum and liver", "outline both"
        )
    remarks += percist.of_another_tracer(now.conditions.tracer, "the Deauville score is read on")
    hottest = now.highest()
    score = lugano.deauville(hottest, now.blood.highest, now.liver.highest, markedly=markedly, new=new)
    said = [
        Measurement(DEAUVILLE, int(score.response), "1", definition=score.rule),
        Measurement(REFERENCE, now.liver.highest, _BW, definition="SUVbw, liver, maximum"),
        Measurement(REFERENCE, now.blood.highest, _BW, definition="SUVbw, blood pool, maximum"),
    ]
    cut = [r.label or "a lesion" for r in now.lesions if now.sphere(r) is None]
    if cut:
        remarks.append(f"qPET is not given: a sphere of 1 mL about {', '.join(cut)} leaves the image")
    elif now.lesions:
        ratio = lugano.qpet(max(now.peak(r) for r in now.lesions), now.liver.mean)
        said.append(Measurement(QPET, ratio, "{ratio}", definition=f"stands for Deauville {lugano.qpet_score(ratio)}"))
    found = [Finding(DEAUVILLE, measurements=tuple(said), words=_said("Deauville", score))]
    before = times[0].highest() if len(times) > 1 else None
    if len(times) > 1:
        judged = lugano.lugano(score.response, before=before, now=hottest, new=new)
        changed: list[Measurement] = []
        if before and hottest:
            changed = [Measurement(CHANGE, 100.0 * (hottest / before - 1.0), "%", definition="SUVmax of the hottest")]
        found.append(Finding(CURRENT, measurements=tuple(changed), words=_said("Lugano 2014", judged)))
    return found


def _said(table: str, judged: Judged) -> str:
    return f"{table}: {judged.response} ({judged.rule}): {judged.why}."


def _value(time: _Time, places: Sequence[int], lean: str, *, peaks: bool) -> float | None:
    """SULpeak or SUVmax of the hottest part of a lesion; None where a part at the edge has no peak."""
    if not peaks:
        return max(float(time.scan.suvbw[mask_of(time.lesions[i])].max()) for i in places)
    found = [time.sphere(time.lesions[i]) for i in places]
    held = [p * time.factor(lean) for p in found if p is not None]
    return max(held) if len(held) == len(found) else None


def _lesion(times: Sequence[_Time], i: int, followed: Sequence[Track], lean: str, *, peaks: bool) -> Finding:
    now = times[-1]
    region = now.lesions[i]
    value = _value(now, (i,), lean, peaks=peaks)
    name, what, unit = (VARIANTS[lean][0], codes.SUV_PEAK, _LEAN) if peaks else ("SUVbw", codes.SUV_MAX, _BW)
    said = [Measurement(codes.VOLUME, region.volume_ml, "mL", definition="whole contour")]
    if value is not None:
        said.insert(0, Measurement(what, value, unit, definition=f"{name}, 1 mL sphere" if peaks else name))
    track = next((t for t in followed if i in t.at[-1]), None)
    label = region.label or f"Lesion {i + 1}"
    words = f"{label}: {'SULpeak' if peaks else 'SUVmax'} " + _told(value)
    tracking = ""
    if track is not None:
        key = digest_of([times[track.began].study_uid, track.at[track.began][0], "uptake"])
        tracking = f"2.25.{int(key[:31], 16) + track.at[-1].index(i)}"
        before = next((k for k in range(len(times) - 1) if track.at[k]), None)
        if before is None:
            words += ", new"
        else:
            was = _value(times[before], track.at[before], lean, peaks=peaks)
            if was is not None and value is not None:
                share = 100.0 * (value / was - 1.0)
                said.append(Measurement(CHANGE, share, "%", definition=f"of this lesion, {name}"))
            words += f", was {_told(was)} on {times[before].day}" + ("" if track.sure else ", match unsure")
    return Finding(codes.ABNORMAL_UPTAKE, where=region, measurements=tuple(said), words=f"{words}.", tracking=tracking)


def _told(value: float | None) -> str:
    return "not given (at the edge of the image)" if value is None else f"{value:.1f}"


def _curve(times: Sequence[_Time], followed: Sequence[Track], lean: str, *, peaks: bool) -> tuple[Curve, ...]:
    """Uptake of the hottest lesions over the days; what is not seen is drawn at zero."""
    if len(times) < 2:
        return ()
    lines: dict[str, tuple[float, ...]] = {}
    for n in range(min(len(followed), 8)):
        seats = [seen_in(followed, n, k) for k in range(len(times))]  # where it has grown together, the whole
        values = [
            0.0 if seat is None else _value(time, followed[seat].at[k], lean, peaks=peaks)
            for k, (time, seat) in enumerate(zip(times, seats, strict=True))
        ]
        if None not in values:
            lines[f"lesion {n + 1}"] = tuple(v for v in values if v is not None)
    for name in ("liver", "blood"):
        held = [getattr(t, name) for t in times]
        if all(h is not None for h in held):
            lines[name] = tuple(h.mean * (t.factor(lean) if peaks else 1.0) for h, t in zip(held, times, strict=True))
    x = tuple(float((t.day - times[0].day).days) for t in times)
    what, unit = ("SULpeak over time", _LEAN) if peaks else ("SUVmax over time", _BW)
    return (Curve(what, x, "days from baseline", "d", lines, unit),)


def _made(hot: float, day: int) -> tuple[Dated, tuple[Region, ...]]:
    """A trunk of tissue with a ball, a liver and an aorta of known uptake."""
    grid = Geometry.regular(shape=(20, 40, 40), spacing_mm=(4.0, 4.0, 4.0), frame_of_reference="2.25.1")
    place = grid.to_patient(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1))

    def ball(centre: tuple[float, float, float], radius: float) -> Any:
        return np.linalg.norm(place - grid.to_patient(centre), axis=-1) <= radius

    lesion, liver, aorta = ball((10, 10, 10), 14.0), ball((10, 26, 26), 26.0), ball((10, 10, 28), 14.0)
    # A fixed ripple stands for noise: every voxel has a value of its own, without any chance.
    body = 0.6 + 0.05 * np.cos(place / 3.0).prod(axis=-1)
    uptake_bw = np.where(lesion, hot, np.where(liver, body + 1.6, np.where(aorta, body + 1.0, body)))
    per_suv = 1.0 / suv.conversion(pet_header.read(_HEADER)).factor
    array = (uptake_bw * per_suv).astype(np.float32)
    volume = Volume(array, grid, "activity concentration", "Bq/mL", facts=_HEADER, series_uid=f"2.25.{50 + day}")
    regions = tuple(
        Region(grid, mask=mask, label=label) for mask, label in ((lesion, "lung"), (liver, "liver"), (aorta, "aorta"))
    )
    return Dated(f"2.25.{day + 1}", date(2026, 1, 1) + timedelta(days=day), volume), regions
