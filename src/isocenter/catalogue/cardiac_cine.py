"""Short-axis cine MR: how large is the left ventricle, and how much does it eject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.analysis.weights import record_of
from isocenter.catalogue.cardiac_drawn import drawn_ventricle
from isocenter.catalogue.cardiac_orientation import must_be_as_made, must_lie_as_told
from isocenter.catalogue.cardiac_outline import must_be_a_ventricle
from isocenter.catalogue.cardiac_walls import Ring, unseen, walls
from isocenter.errors import Refused
from isocenter.methods import cine as arithmetic
from isocenter.methods.blood_and_muscle import blood_and_muscle
from isocenter.methods.cine_noise import noise_over_phases
from isocenter.methods.cine_order import neighbours_apart
from isocenter.methods.short_axis import SHORT_AXIS, Turned, along_heart, turned
from isocenter.methods.ventricle import Outlined, outline, parts
from isocenter.record import Curve, Finding, Measurement, Model, codes
from isocenter.space import Reference, Region, Volume

__all__ = ["CardiacCine"]

_AXES = ("trigger", "time", "temporal", "phase")
_LEAST_PHASES, _LEAST_SLICES = 8, 6
_SURE = 0.85  # Dice of the windows below which the network does not know what it sees
_APART = 0.35  # of a beat, by which a slice may beat before or after the others: infarcts move late, but not so late
_SEEN = 0.5  # of what is outlined in a slice at end-diastole that the look at every phase must have seen, too
_GRAINY, _NOISY = 0.055, 0.07
"""Noise, of the difference between blood and muscle, above which the reader is told and above which nothing is
measured. Two patients have 1.4 and 4.5 % as they were sent; with noise added that is 5.5 to 7 % they were outlined 6 to
13 mL smaller at end-diastole, at 7 to 9 % 5 to 32 mL, beyond 26 to 67 mL (cardiac_cine.md)."""
_STILL_PERCENT, _FILLS, _BRIGHTEST = 5.0, 2.0, 0.95
"""Ejection fraction below which nothing beats, 0 to 1.2 % where one phase was repeated; and by how many times blood may
become brighter over a beat, 1.0 to 1.2 in two patients and ten virtual hearts, 4 to 7 where contrast arrives."""
_WITHOUT_ORDER = 0.55
"""Difference of neighbouring phases, as a part of that of any two, from which on they are not in order: 0.09 to 0.18 in
two patients and 16 virtual hearts, 0.28 with every second phase alone, 0.62 to 1.1 where phases were shuffled."""
_LEAST_SHOWN, _AROUND_MM = 3, 30.0  # slices that show blood and muscle; of the chest about the ventricle
_LEAST_ML, _SMALL_ML, _MOST_ML = 50.0, 150.0, 700.0
"""End-diastolic volumes below which nothing is measured and the reader is told, and that no left ventricle has. 14
hearts that were made smaller to 50 to 150 mL came out up to 13 points too low in ejection fraction, 14 below that 4 to
73 (cardiac_cine.md)."""
_SHORTEST_MM = 45.0
"""Length of a ventricle of `_LEAST_ML` and more, slices times their distance: 50 to 110 mm in two patients and 36
virtual hearts, 40 in what was found in PET and across long axes."""
_RESTLESS = 0.05  # of the stroke volume; six curves of two patients and three networks had 0.01 to 0.03
_OF_FLOW = (
    "VelocityEncodingDirection", "VelocityEncodingMaximumValue", "SiemensVelocity", "GEVelocityEncoding",
    "PhilipsPCVelocity",
)  # fmt: skip
_DISKS = "disks, no interpolation; papillary muscles in the cavity; basal slice with half a ring of muscle"

Mask = npt.NDArray[np.bool_]


def _looks_like_a_cine(facts: Mapping[str, Any]) -> bool:
    """Whether nothing in the header speaks against a short-axis cine: studies of the heart hold larger series than it,
    of flow in three dimensions, of perfusion, of long axes.
    """
    if facts.get("MRAcquisitionType") == "3D" or any(facts.get(name) for name in _OF_FLOW):
        return False
    try:
        cosines = np.array([float(v) for v in facts["ImageOrientationPatient"]]).reshape(2, 3)
    except (KeyError, TypeError, ValueError):
        return True
    return along_heart(*cosines) >= SHORT_AXIS


class CardiacCine:
    """How large is the left ventricle on a short-axis cine, how much does it eject, how thick is its wall?"""

    name, version = "cardiac_cine", "18"
    weights = "cardiac_cine"
    weights_threads = 1  # several phases are asked at once
    needs: ClassVar[Mapping[str, Need]] = {
        "cine": Need(
            modality="MR",
            body_part=("heart", "cardiac", "chest", "thorax"),
            at_least=48,
            slices_apart=True,
            better=_looks_like_a_cine,
        ),
        "drawn": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
    }
    yields = (
        Yield(what=codes.LEFT_VENTRICLE, units=("mL", "g", "mm", "%")),
        Yield(what=codes.LV_EDV, units=("mL", "mL/m2")),
        Yield(what=codes.LV_ESV, units=("mL", "mL/m2")),
        Yield(what=codes.STROKE_VOLUME, units=("mL", "mL/m2")),
        Yield(what=codes.LV_EF, units=("%",)),
        Yield(what=codes.CARDIAC_OUTPUT, units=("L/min",)),
        Yield(what=codes.LV_MASS, units=("g", "g/m2")),
        Yield(what=codes.PEAK_EJECTION_RATE, units=("mL/s",)),
        Yield(what=codes.PEAK_FILLING_RATE, units=("mL/s",)),
        Yield(what=codes.TIME_TO_PEAK_FILLING, units=("ms",)),
    )
    limits = Limits(seconds=120.0, memory_mib=4096)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Measure the left ventricle on short-axis cine MR; a person checks the outlines.",
        "not_for": "The right ventricle; congenital heart disease; numbers without a look at the outlines.",
        "sources": ("SCMR post-processing 2020 (Schulz-Menger)", "Kawel-Boehm 2020", "AHA segments (Cerqueira 2002)"),
        "limits": (
            "The network's patients are two, of one scanner, each with a large, weak ventricle; others were "
            "learnt from virtual hearts.",
            "Volumes that the network outlines are good to about 20 mL, and a basal slice more or less is 15 to 25 mL.",
            "The apex (segment 17) is not seen by a short axis.",
        ),
        "level": "contours in: validated on Sunnybrook; images in: figures of left-out patients in "
        "docs/know/cardiac_cine.md",
    }

    def run(
        self,
        cine: Volume,
        drawn: tuple[Region, ...] | None,
        *,
        heart_rate_bpm: float = 0.0,
        height_m: float = 0.0,
        weight_kg: float = 0.0,
        bsa_formula: Literal["mosteller", "dubois"] = "mosteller",
        anterior_deg: float = 90.0,
        accept_incomplete: bool = False,
        accept_turned: bool = False,
        weights: Any = None,
    ) -> Answer:
        """Measure the left ventricle.

        Args:
            cine: a stack of parallel short-axis slices over one beat.
            drawn: outlines of a person, named by structure and phase (LV endo ED, LV endo ES, LV epi ED, or LV endo
                phase 1 and so on for every phase); None or none of such a name lets the network outline.
            heart_rate_bpm: beats a minute; 0 takes it from the header. Without one there is no cardiac output.
            height_m, weight_kg: of the patient; 0 takes them from the header. Without them nothing is indexed.
            bsa_formula: of the body surface.
            anterior_deg: direction of the middle of segment 1 in the picture of the textbook, counter-clockwise from
                the right; 90 is up, towards the head.
            accept_incomplete: measure a stack that does not reach beyond base and apex; the answer says so.
            accept_turned: measure pictures that seem to lie otherwise than their header says; the answer says so, and
                segments of the wall may be misnamed.
            weights: an open ONNX session of the model ``cardiac_cine``.

        Raises:
            Refused: when this is no short-axis cine of at least 6 slices and 8 phases, slices do not beat together,
                phases are not in order, base or apex is missing, pictures were turned or mirrored, noise is too strong
                beside the difference between blood and muscle, or the network is not sure of what it sees.
        """
        _must_be_cine(cine)
        reasons: list[str] = []
        person = _Person.of(cine, heart_rate_bpm, height_m, weight_kg, bsa_formula, reasons)
        hand = drawn_ventricle(drawn or (), cine.geometry, phases=len(cine.axes[0]), images=cine.instance_uids)
        if hand is not None:
            said, findings = hand.measured(person.heart_rate, cine, anterior_deg)
            measured = () if said is None else _volumes(said, hand.mass_g, person)
            curves: tuple[Curve, ...] = ()
            if hand.curve_ml is not None:
                phase_ms = _phase_ms(cine, reasons)
                curves = (_curve(np.array(hand.curve_ml), phase_ms),)
                measured += () if phase_ms is None else _rates(np.array(hand.curve_ml), phase_ms, reasons)
            return Answer.found(*findings, measurements=measured, curves=curves, reasons=(*reasons, *hand.remarks))
        if drawn:
            names = ", ".join(dict.fromkeys(r.label or "without a name" for r in drawn))
            reasons.append(
                f"WARNING: what a person drew was not used ({names}): no name says cavity, epicardium or muscle with "
                "ED, ES or a phase, as LV endo ED does"
            )
        if weights is None:
            raise Refused("no weights", "without outlines this analysis is a network", "open the model cardiac_cine")
        reasons += must_be_as_made(cine, accept_turned)
        turn = turned(cine)
        found = outline(turn, *parts(weights))
        reasons += _must_be_clear(turn, found)
        reasons += _must_be_sure(found, turn.geometry.spacing_mm, accept_incomplete)
        reasons += must_be_a_ventricle(turn, found, accept_turned)
        reasons += must_lie_as_told(turn, found, accept_turned)
        said = arithmetic.ejection(found.volumes_ml, heart_rate_bpm=person.heart_rate)
        muscle_ml = float(found.muscle["ed"].sum()) * cine.geometry.voxel_volume_mm3 / 1000.0
        mass = arithmetic.MUSCLE_G_PER_ML * muscle_ml
        measured = _volumes(said, mass, person)
        phase_ms = _phase_ms(cine, reasons)
        if phase_ms is not None:
            measured += _rates(found.volumes_ml, phase_ms, reasons)
        reasons += _doubts(found, record_of(weights))
        reasons.append(
            f"outlined by a network in {len(found.slices['ed'])} slices at end-diastole and {len(found.slices['es'])} "
            f"at end-systole; its windows agree to {found.agreement:.2f} (Dice): check the outlines"
        )
        return Answer.found(
            *_findings(found, turn, cine, said, mass, anterior_deg),
            measurements=measured,
            curves=(_curve(found.volumes_ml, phase_ms),),
            reasons=tuple(reasons),
        )


@dataclass(frozen=True)
class _Person:
    """What the numbers are indexed to."""

    heart_rate: float | None
    surface_m2: float | None
    formula: str

    @classmethod
    def of(cls, cine: Volume, rate: float, height: float, weight: float, formula: Any, reasons: list[str]) -> _Person:
        facts = cine.facts
        rate = rate or _rate_of_header(facts, reasons)
        given = height or weight
        height, weight = height or _number(facts.get("PatientSize")), weight or _number(facts.get("PatientWeight"))
        surface = None
        if height and weight:
            try:
                surface = arithmetic.body_surface_m2(height, weight, formula)
            except Refused as why:
                if given:
                    raise
                reasons.append(f"nothing is indexed to the body surface: by the header {why}")
        else:
            reasons.append("nothing is indexed to the body surface: height or weight is not known")
        return cls(rate or None, surface, {"mosteller": "Mosteller", "dubois": "DuBois"}[formula])


def _rate_of_header(facts: Mapping[str, Any], reasons: list[str]) -> float:
    """Beats a minute; 0 where the header states none that a heart has. Each breath-hold has a rate of its own."""
    beats = [_number(v) for v in facts.get("PerImage", {}).get("NominalInterval", ())]
    interval = _number(facts.get("NominalInterval"))
    stated = _number(facts.get("HeartRate")) or (60_000.0 / interval if interval else 0.0)
    rates = [stated] if stated else [60_000.0 / beat for beat in beats if beat]
    if not rates:
        reasons.append("no cardiac output: neither header nor parameters say the heart rate")
        return 0.0
    slowest, fastest = min(rates), max(rates)
    if slowest < arithmetic.SLOWEST_BPM or fastest > arithmetic.FASTEST_BPM:
        reasons.append(
            f"no cardiac output: the header says a heart rate of {slowest if len(rates) == 1 else fastest:g}/min; give "
            "heart_rate_bpm"
        )
        return 0.0
    if fastest - slowest >= 1.0:
        reasons.append(
            f"the heart rate is the mean of the slices, {slowest:.0f} to {fastest:.0f}/min by the header: each was "
            "taken in a breath-hold of its own"
        )
    return float(np.mean(rates))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _must_be_cine(cine: Volume) -> None:
    if cine.geometry.reference is not Reference.PATIENT:
        raise Refused(
            f"images in {cine.geometry.reference.value} coordinates",
            "volumes need millimetres",
            "send the series with Image Position and Image Orientation (Patient)",
        )
    if len(cine.axes) != 1 or cine.axes[0].name not in _AXES:
        named = ", ".join(f"{len(a)} of {a.name}" for a in cine.axes) or "one image a slice"
        raise Refused(f"a series with {named}", "a cine has one axis, the phases of the beat", "send the cine series")
    if len(cine.axes[0]) < _LEAST_PHASES:
        raise Refused(
            f"{len(cine.axes[0])} phases", f"end-systole would be missed with fewer than {_LEAST_PHASES}", "send all"
        )
    slices, rows, columns = cine.geometry.shape
    if slices < _LEAST_SLICES:
        raise Refused(
            f"{slices} slices", f"a stack over a left ventricle has at least {_LEAST_SLICES}", "send the whole stack"
        )
    _, dy, dx = cine.geometry.spacing_mm
    if min(rows * dy, columns * dx) < 100.0 or max(dy, dx) > 3.0:
        raise Refused(
            f"pictures of {rows * dy:.0f} by {columns * dx:.0f} mm in pixels of {dy:.2f} mm",
            "a heart needs 100 mm, and its wall pixels of at most 3 mm",
            "send the cine as it was acquired, neither cropped nor reduced",
        )
    low, high = float(cine.array.min()), float(cine.array.max())
    if not np.isfinite((low, high)).all():
        raise Refused("images with values that are not numbers", "they cannot be outlined", "send the series again")
    if low == high:
        raise Refused("images of one value everywhere", "there is no heart in them", "send the images again")
    _, down, across = cine.geometry.directions.T  # the plane decides, wherever the slices step
    along = along_heart(down, across)
    if along < SHORT_AXIS:
        raise Refused(
            f"slices {np.degrees(np.arccos(along)):.0f}° off the usual short axis",
            "this looks like a long-axis, axial, sagittal or coronal series",
            "send the short-axis stack",
        )


def _must_be_sure(found: Outlined, spacing_mm: tuple[float, float, float], accept_incomplete: bool) -> list[str]:
    """Refuse what a person should not be shown; say what limits the rest."""
    slice_mm, down, across = spacing_mm
    _must_beat_together(found, down * across)
    edv, esv = (float(found.volumes_ml[phase]) for phase in (found.ed, found.es))
    if esv > (1.0 - _STILL_PERCENT / 100.0) * edv:
        raise Refused(
            f"a cavity of {edv:.0f} mL at end-diastole and {esv:.0f} mL at end-systole",
            f"less than {_STILL_PERCENT:.0f} % is no beat: one phase over and over looks so",
            "send all phases of the beat, or outline by hand",
        )
    if found.agreement < _SURE:
        raise Refused(
            f"looks at these images agree to {found.agreement:.2f} only (Dice)",
            f"below {_SURE} the network is not sure of what it sees",
            "outline by hand",
        )
    if found.cut:
        raise Refused(
            "a ventricle that reaches the edge of what the network sees (144 mm)",
            "what lies outside would not be counted",
            "outline by hand",
        )
    if edv < _LEAST_ML:
        raise Refused(
            f"an end-diastolic volume of {edv:.0f} mL",
            f"below {_LEAST_ML:.0f} mL the cavity at end-systole is too few pixels wide for the network: ejection "
            "fractions came out up to 73 points too low",
            "outline by hand",
        )
    long_mm = len(found.slices["ed"]) * slice_mm
    if long_mm < _SHORTEST_MM:
        raise Refused(
            f"a ventricle of {edv:.0f} mL that is {long_mm:.0f} mm long",
            f"of {_LEAST_ML:.0f} mL and more none is shorter than {_SHORTEST_MM:.0f} mm: a part was not seen",
            "check that this is the short axis from base to apex, or outline by hand",
        )
    if edv > _MOST_ML:
        raise Refused(f"an end-diastolic volume of {edv:.0f} mL", "no left ventricle holds that", "outline by hand")
    missing = [name for name, gone in (("base", found.open_base), ("apex", found.open_apex)) if gone]
    if missing and not accept_incomplete:
        raise Refused(
            f"the stack ends inside the ventricle: {' and '.join(missing)} missing",
            "volume outside the stack would not be counted",
            "scan beyond both ends, or accept_incomplete=True for a number that is too small",
        )
    return [f"INCOMPLETE: {' and '.join(missing)} missing, volumes and mass are too small"] if missing else []


def _must_be_clear(turn: Turned, found: Outlined) -> list[str]:
    """Refuse noise that moves the border, of which the network itself tells nothing; say where it begins to."""
    _, down, across = turn.geometry.spacing_mm
    chosen, box = list(found.slices["ed"]), []
    for axis, mm in ((1, down), (2, across)):
        at = np.flatnonzero((found.cavity["ed"] | found.muscle["ed"]).any(axis=(0, 3 - axis)))
        more = round(_AROUND_MM / mm)
        box.append(slice(max(0, int(at[0]) - more), int(at[-1]) + more + 1))
    near = turn.array[:, chosen, box[0], box[1]]
    # The brightest of it: what the network calls cavity at end-systole is muscle for the most part in a thick heart.
    inside = np.flatnonzero(found.cavity["ed"])
    blood = [float(np.quantile(phase.reshape(-1)[inside], _BRIGHTEST)) for phase in turn.array]
    if max(blood) > _FILLS * max(min(blood), 0.0):
        raise Refused(
            "blood that becomes more than twice as bright and dark again",
            "contrast arrives so, as in perfusion; in a cine the wall moves and blood stays as bright",
            "send the cine series",
        )
    apart = float(np.median(neighbours_apart(near, (down, across))))
    if apart > _WITHOUT_ORDER:
        raise Refused(
            "phases without order in time",
            f"neighbouring ones differ {apart:.2f} times as much as any two, a beat that moves on has 0.1 to 0.3: they "
            "were sorted wrongly, or nothing moves but noise",
            "send each slice with its phases in order",
        )
    cavity, muscle = (mask["ed"][chosen, box[0], box[1]] for mask in (found.cavity, found.muscle))
    greys = blood_and_muscle(near[found.ed], cavity, muscle, (down * across) ** 0.5)
    if len(greys) < _LEAST_SHOWN:
        return [
            f"WARNING: noise was not checked: blood and muscle are wide enough to be compared in {len(greys)} slice(s) "
            f"only, {_LEAST_SHOWN} are needed. A noisy cine is outlined too small: look at the outlines"
        ]
    contrast = float(np.median([blood - flesh for blood, flesh in greys]))
    if contrast <= 0:
        raise Refused(
            "images in which blood is not brighter than muscle",
            "the network learnt balanced steady-state cine, where it is",
            "send the bright-blood cine, or outline by hand",
        )
    least = 0.5 * float(np.median([flesh for _, flesh in greys]))
    part = noise_over_phases(near, (down, across), least) / contrast
    if part > _NOISY:
        raise Refused(
            f"images whose noise is {100 * part:.1f} % of the difference between blood and muscle",
            f"above {100 * _NOISY:.1f} % the ventricle is outlined too small, by up to 30 mL and more, and the network "
            "does not notice",
            "scan again with larger pixels, more averages, less acceleration or a coil nearer to the heart, or outline "
            "by hand",
        )
    if part > _GRAINY:
        return [
            f"WARNING: noise is {100 * part:.1f} % of the difference between blood and muscle; above "
            f"{100 * _GRAINY:.1f} % volumes came out up to 13 mL too small, above {100 * _NOISY:.1f} % nothing is "
            "measured: look at the outlines"
        ]
    return []


def _never_seen(record: Model | None) -> tuple[str, tuple[float, float] | None]:
    """What the model's card says of patients whom the network had not seen, and the sizes (mL) it vouches for."""
    rows = [row for row in record.evidence.get("left_out", ()) if row["found"]] if record is not None else []
    if not rows:
        return "no patient was left out when these weights were made", None
    off, row = max(
        ((row["found"][key] - row["truth"][key], row) for row in rows for key in ("edv_ml", "esv_ml")),
        key=lambda pair: abs(pair[0]),
    )
    said = (
        f"of {len(rows)} patient(s) never seen before, the worst was outlined {abs(off):.0f} mL too "
        f"{'small' if off < 0 else 'large'} with an agreement of {row['agreement']:.2f}"
    )
    checked = record.evidence.get("checked_edv_ml") if record is not None else None
    return said, None if checked is None else (float(checked[0]), float(checked[1]))


def _doubts(found: Outlined, record: Model | None) -> list[str]:
    """How far the numbers may be off, in words that a reader can act on."""
    unseen, sizes = _never_seen(record)
    (least, most), (few, many) = found.span_ml["ed"], found.span_ml["es"]
    edv, esv = (float(found.volumes_ml[phase]) for phase in (found.ed, found.es))
    fractions = sorted(100.0 * (1.0 - b / a) for a, b in ((least, few), (edv, esv), (most, many)) if a > 0)
    lost = len(set(found.slices["ed"]) - set(found.slices["es"]))
    said = [
        f"UNCERTAIN: where the network is not sure the border could lie elsewhere: EDV {least:.0f} to {most:.0f} mL, "
        f"ESV {few:.0f} to {many:.0f} mL, ejection fraction {fractions[0]:.0f} to {fractions[-1]:.0f} %; agreeing "
        f"windows do not exclude it: {unseen}. Correct the outlines before a number is used"
    ]
    if found.lost_ml > 0:
        said.append(
            f"{lost} slice(s) count at end-diastole and not at end-systole; the base may have come down, or up to "
            f"{found.lost_ml:.0f} mL are missing at end-systole: look at the base"
        )
    if sizes is not None and not sizes[0] <= edv <= sizes[1]:
        said.append(
            f"no patient of this size was checked: the card of the weights vouches for {sizes[0]:.0f} to "
            f"{sizes[1]:.0f} mL at end-diastole"
        )
    if edv < _SMALL_ML:
        said.append(
            f"WARNING: a small ventricle, {edv:.0f} mL at end-diastole: below {_SMALL_ML:.0f} mL ejection fractions "
            "came out up to 13 points too low, for the cavity at end-systole was outlined up to 13 mL too large: look "
            "at the outlines at end-systole"
        )
    if found.restless > _RESTLESS:
        said.append(
            f"the volume curve is not smooth ({100 * found.restless:.0f} % of the stroke volume is no beat): slices "
            "come and go from phase to phase, so end-systole may be another phase"
        )
    return said


def _must_beat_together(found: Outlined, pixel_mm2: float) -> None:
    """Slices that beat strongly, and a third of a beat before or after the others, are of another timing.

    A slice of which the look at every phase misses most at end-diastole, as at the apex, seems to beat against them.
    """
    chosen = list(found.slices["ed"])
    wave = np.fft.fft(found.areas_mm2[:, chosen], axis=0)[1]
    drawn = found.cavity["ed"][chosen].sum(axis=(1, 2)) * pixel_mm2
    told = found.areas_mm2[found.ed, chosen] >= _SEEN * drawn
    strong = told & (np.abs(wave) > 0.4 * np.abs(wave).max(where=told, initial=0.0))
    phase = wave / np.maximum(np.abs(wave), 1e-9)
    together = phase[strong].sum()
    off = np.abs(np.angle(phase * np.conj(together))) / (2 * np.pi) * strong
    if float(off.max()) > _APART:
        raise Refused(
            f"slice {chosen[int(off.argmax())] + 1} from the base beats {100 * float(off.max()):.0f} % of a beat apart "
            "from the others",
            "phases of different times would be added",
            "send each slice with its phases in order",
        )


def _volumes(said: arithmetic.Ejection, mass: float | None, person: _Person) -> tuple[Measurement, ...]:
    sized = [
        (codes.LV_EDV, said.edv_ml, "mL"),
        (codes.LV_ESV, said.esv_ml, "mL"),
        (codes.STROKE_VOLUME, said.sv_ml, "mL"),
        *([(codes.LV_MASS, mass, "g")] if mass is not None else []),
    ]
    measured = [Measurement(what, value, unit, definition=_DISKS) for what, value, unit in sized]
    measured.insert(3, Measurement(codes.LV_EF, said.ef_percent, "%", definition="100 x stroke volume / EDV"))
    if said.co_l_min is not None and person.heart_rate:
        name = f"stroke volume x {person.heart_rate:.0f}/min"
        measured.append(Measurement(codes.CARDIAC_OUTPUT, said.co_l_min, "L/min", definition=name))
    if person.surface_m2:
        name = f"per body surface {person.surface_m2:.2f} m², {person.formula}"
        measured += [
            Measurement(what, value / person.surface_m2, f"{unit}/m2", definition=name) for what, value, unit in sized
        ]
    return tuple(measured)


def _phase_ms(cine: Volume, reasons: list[str]) -> float | None:
    """Time between phases, where the header's times are those of a beat."""
    axis = cine.axes[0]
    scale = {"ms": 1.0, "s": 1000.0}.get(axis.unit)
    if scale is not None:
        times = np.array([_number(v) for v in axis.values]) * scale
        steps = np.diff(times)
        usual = float(np.median(steps))
        if 250.0 <= usual * len(times) <= 3000.0 and np.abs(steps - usual).max() <= 0.2 * usual:
            return usual
    reasons.append("no filling rates: the header's times are not those of one evenly sampled beat")
    return None


def _rates(volumes: npt.NDArray[np.float64], phase_ms: float, reasons: list[str]) -> tuple[Measurement, ...]:
    try:
        found = arithmetic.filling(volumes, phase_ms)
    except Refused as why:
        reasons.append(f"no filling rates: {why}")
        return ()
    name = "slope of the first six harmonics of the volume curve"
    return (
        Measurement(codes.PEAK_EJECTION_RATE, found.peak_ejection_ml_s, "mL/s", definition=name),
        Measurement(codes.PEAK_FILLING_RATE, found.peak_filling_ml_s, "mL/s", definition=name),
        Measurement(codes.TIME_TO_PEAK_FILLING, found.time_to_peak_filling_ms, "ms", definition="from end-systole"),
    )


def _curve(volumes: npt.NDArray[np.float64], phase_ms: float | None) -> Curve:
    x = tuple(float(k * (phase_ms or 1.0)) for k in range(len(volumes)))
    unit, name = ("ms", "time") if phase_ms else ("1", "phase")
    return Curve("Volume of the left ventricle", x, name, unit, {"cavity": tuple(map(float, volumes))}, "mL")


def _findings(
    found: Outlined, turn: Turned, cine: Volume, said: arithmetic.Ejection, mass: float, anterior_deg: float
) -> tuple[Finding, ...]:
    def region(mask: Mask, label: str) -> Region:
        return Region(cine.geometry, mask=turn.back(mask), series_uid=cine.series_uid, label=label)

    cavity = [
        Finding(
            codes.LEFT_VENTRICLE,
            where=region(found.cavity[name], f"LV cavity, {words}"),
            measurements=(Measurement(codes.VOLUME, volume, "mL", definition=_DISKS),),
            site=codes.LEFT_VENTRICLE,
            words=f"Left ventricular cavity, {words} (phase {phase + 1}): {volume:.0f} mL{more}.",
        )
        for name, words, phase, volume, more in (
            ("ed", "end-diastole", said.ed, said.edv_ml, ""),
            ("es", "end-systole", said.es, said.esv_ml, f", ejection fraction {said.ef_percent:.0f} %"),
        )
    ]
    rings = {name: Ring(found.cavity[name], found.muscle[name]) for name in ("ed", "es")}
    by_segment = walls(rings, turn.geometry.spacing_mm, anterior_deg)
    wall = Finding(
        codes.LEFT_VENTRICLE,
        where=region(found.muscle["ed"], "LV myocardium, end-diastole"),
        measurements=(Measurement(codes.LV_MASS, mass, "g"), *by_segment),
        site=codes.LEFT_VENTRICLE,
        words=f"Left ventricular muscle, end-diastole: {mass:.0f} g.{unseen(by_segment)}",
    )
    return (*cavity, wall)
