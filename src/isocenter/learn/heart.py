"""One command from outlined hearts to the network of `cardiac_cine`, with its card and its evidence.

Evidence is leave-one-patient-out: the network is fitted again without each patient (of more than five, without each
fifth of them), by the same recipe, where experts draw the border is taken from the others, and that patient's whole
cine is outlined from the images alone, so that the numbers are those that a new patient would see.

What ships learnt from two patients of the Sunnybrook Cardiac Data beside virtual hearts. Other patients, of a folder or
of signed reports, take the place of those two.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit

import isocenter
from isocenter.errors import IsocenterError, Refused, Unavailable
from isocenter.learn.card import for_what, of_groups
from isocenter.learn.examples import made_one
from isocenter.learn.export import COMPARED, exported
from isocenter.learn.heart_border import Outliner, cut_mm
from isocenter.learn.heart_fit import HeartRecipe, drawn_outward, fit_heart, virtual_hearts
from isocenter.learn.hearts import Heart, Hearts, read_hearts, stacked
from isocenter.learn.labelled_cines import LabelledCine, holds_labelled_cines, read_labelled_cines
from isocenter.learn.model_folder import write_record
from isocenter.learn.recipes import DEVELOPER
from isocenter.learn.unread import not_measured
from isocenter.methods import cine
from isocenter.methods.short_axis import turned
from isocenter.methods.ventricle import STEP_MM, WINDOW, Outlined, outline, parts
from isocenter.methods.virtual_heart import VirtualHeart
from isocenter.record import Model, to_plain
from isocenter.space import Axis, Geometry, Volume

__all__ = ["CARD", "compared", "judged", "train"]

Progress = Callable[[str], None]
_NUMBERS = ("edv_ml", "esv_ml", "ef_percent", "mass_g")
_SUNNYBROOK = re.compile("SC-", re.IGNORECASE)  # as its patients are called
_MOST_PARTS = 5
_BESIDE = 1.25  # by which a ventricle may be smaller or larger than those of the patients who were left out
CARD: dict[str, Any] = {
    "title": "Left ventricle on short-axis cine MR",
    "intended_use": "Outline the left ventricle on a short-axis cine, so that volumes, ejection fraction and mass can "
    "be checked and signed by a person who sees the outlines.",
    "intended_patients": "adults with a short-axis cine of the heart",
    "intended_users": "people who see and correct the outlines",
    "developer": DEVELOPER,
    "bias": "nothing was done for a group of people: two patients were in the training",
    "not_for": [
        "right ventricle, atria, other planes, other sequences than balanced steady-state cine",
        "children, congenital heart disease, pacemaker artefacts: never seen in training",
        "numbers without a look at the outlines",
    ],
    "source": "Sunnybrook Cardiac Data (Radau et al., MIDAS J 2009; CC0 1.0), the patients named below; and virtual "
    "hearts in closed form (isocenter.methods.virtual_heart)",
    "licence": "data CC0 1.0; weights Apache-2.0",
    "groups": "two patients: too few for a figure of any group of people, whatever their headers tell",
    "limits": [
        "two patients with heart failure after infarction, one scanner (GE 1.5 T), one group of experts",
        "papillary muscles belong to the cavity, the base is cut by the rule of half a ring of muscle",
        "end-systolic epicardium was learnt from virtual hearts alone",
    ],
}


def train(
    data: Path, out: Path, seed: int, tell: Progress, clock: Callable[[], float] = time.monotonic,
    recipe: HeartRecipe | None = None, *, leave_out: bool = True,
) -> Model:  # fmt: skip
    """Fit, leave out, export and measure; writes ``model.onnx``, ``model.json`` and ``card.md`` into `out`.

    Args:
        data: folder in the layout of the Sunnybrook Cardiac Data (`isocenter.learn.hearts`), or of cines with labels
            (`isocenter.learn.labelled_cines`).
        out: folder for the model; a run that was killed goes on there after its last fifty steps.

        leave_out: fit once more without each patient, to see what a new patient would see; False saves two thirds of
            the time, and the card then says that nobody was left out.

    Raises:
        Refused: when the folder holds no outlined heart, or signed outlines of one person only.
        Unavailable: when `out` cannot be written.
    """
    how, started = recipe or HeartRecipe(), clock()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Unavailable(f"cannot make {out}", str(e), "choose another folder") from e
    patients = _one_person([_Patient.of(one) for one in _cases(data)])
    for one in patients:
        if not one.slices.radius.any():
            tell(f"{one.name} teaches nothing: its cavity covers hardly a pixel of {STEP_MM:g} mm")
    patients = [one for one in patients if one.slices.radius.any()]
    _must_teach(patients, data)
    virtual = virtual_hearts(how.virtual, seed)
    examples = Hearts.together([*(patient.slices for patient in patients), drawn_outward(virtual, how.outward)])
    tell(f"{len(patients)} patients and {how.virtual} virtual hearts, {len(examples)} slices")
    # What saw no patient is the same for every fit, and is made once.
    first = fit_heart(how, virtual, seed, checkpoint=out / "first.checkpoint", progress=tell)
    lined = fit_heart(how, virtual, seed, deep=True, checkpoint=out / "lined.checkpoint", progress=tell)
    cuts = {patient.name: cut_mm(lined, patient.slices, patient.phases) for patient in patients}
    tell(f"experts draw outside of the border: {_outside(cuts)}")
    whole = fit_heart(how, examples, seed, start=first, checkpoint=out / "whole.checkpoint", progress=tell)
    ships = Outliner(whole, lined, _cut(patients, cuts))
    others = dict[str, Outliner]()  # for each patient what saw nobody of that part
    for k, part in enumerate(_parts(patients, seed) if leave_out else ()):
        apart, called = {patient.name for patient in part}, part[0].name if len(part) == 1 else f"part {k + 1}"
        tell(f"without {called}")
        file = out / f"without-{called.replace('/', '_')}.checkpoint"
        net = fit_heart(how, examples.without(*apart), seed, start=first, checkpoint=file, progress=tell)
        rest = [patient for patient in patients if patient.name not in apart]
        others |= dict.fromkeys(apart, Outliner(net, lined, _cut(rest, cuts)))
    left_out = []
    for case in _cases(data) if others else ():
        if _truth(case):
            left_out.append(compared(case, *asked(others[case.name])))
            tell(f"{case.name}, never seen: {_told(left_out[-1])}")
    evidence: dict[str, Any] = {
        "left_out": left_out,
        "virtual": [_virtual(seed * 1000 + 900 + k, ships) for k in range(6)],
        "metrics": _summary(left_out),
        "checked_edv_ml": _checked(left_out),
    }
    random = torch.Generator().manual_seed(seed)

    def shown(k: int, turn: int) -> torch.Tensor:  # any window may be asked for, and none of either part
        slices = k % 3 + turn if k % 4 else (k // 4 + turn) % 2
        return torch.rand(slices, 3, *((72, WINDOW)[(k + turn) % 2],) * 2, generator=random)

    digest, evidence["parity"] = exported(
        ships, (3, WINDOW, WINDOW), out / "model.onnx", ("logits", "depth_mm"), seed=seed, free=True,
        name=("places", "border"), measure=expit, inputs=((shown(k, 0), shown(k, 1)) for k in range(COMPARED)),
    )  # fmt: skip
    card = (
        CARD
        | ({} if all(_SUNNYBROOK.match(one.name) for one in patients) else _of_others(patients, data))
        | {
            "people": [patient.name for patient in patients],
            "training": {
                "command": f"isocenter train {how.task} --data FOLDER --seed {seed}",
                "parameters": sum(p.numel() for p in ships.parameters()),
                "experts draw outside of the border that virtual hearts taught": _outside(cuts),
                "seconds since it was started or taken up again": round(clock() - started),
                "torch": torch.__version__,
                "seed": seed,
                "recipe": json.dumps(to_plain(asdict(how)), sort_keys=True),
            },
        }
    )
    model = Model(
        name=how.task, version="1", digest=digest, examples=examples.digest, code=code_digest(), card=card,
        evidence=evidence, inputs={"window": WINDOW, "step_mm": STEP_MM, "percentiles": [1, 99]},
    )  # fmt: skip
    write_record(out, model, _page(model))
    for file in out.glob("*.checkpoint"):
        file.unlink()
    return model


class _Patient(NamedTuple):
    """What is learnt from one cine.

    Args:
        person: whose it is. phases: that were drawn, of which `slices` are.
    """

    name: str
    person: str
    weight: float
    phases: int
    slices: Hearts

    @classmethod
    def of(cls, case: Heart | LabelledCine) -> _Patient:
        heart = case.heart if isinstance(case, LabelledCine) else case
        return cls(heart.name, heart.person or heart.name, heart.weight, len(heart.phases), stacked(heart))


def _cases(data: Path) -> Iterable[Heart | LabelledCine]:
    """One after another: a cine has some 70 MB."""
    return read_labelled_cines(data) if holds_labelled_cines(data) else read_hearts(data)


def _one_person(patients: Sequence[_Patient]) -> list[_Patient]:
    """The patients, those who share the same cine made one."""
    seen = [hashlib.sha256(patient.slices.pictures.tobytes()).digest() for patient in patients]
    people = made_one([patient.person for patient in patients], seen)
    return [one._replace(person=whom) for one, whom in zip(patients, people, strict=True)]


def _must_teach(patients: Sequence[_Patient], data: Path) -> None:
    """
    Raises:
        Refused: nobody has a cavity that is seen, signed reports are of one person only, or nothing counts.
    """
    if not patients:
        raise Refused(f"no cine in {data.name} shows a cavity", "what is smaller than the pixels teaches nothing",
                      "see whether outlines and images have the same spacing")  # fmt: skip
    if (data / "examples.json").is_file() and len({patient.person for patient in patients}) < 2:
        raise Refused(
            "signed outlines of one person only", "nobody would be left on whom to see what was learnt",
            "wait for reports on two people at least",
        )  # fmt: skip
    if not any(patient.slices.weights.any() for patient in patients):
        raise Refused(f"{len(patients)} cines that count nothing", "their weights are 0", "give some more weight")


def _parts(patients: Sequence[_Patient], seed: int) -> list[list[_Patient]]:
    """Patients by person, each in a part of their own, or in one of five; none where there is but one person."""
    people = list(dict.fromkeys(patient.person for patient in patients))
    if len(people) < 2:
        return []
    if len(people) > _MOST_PARTS:
        people = [people[k] for k in np.random.default_rng([seed, 17]).permutation(len(people))]
    parts = [set(people[k :: min(len(people), _MOST_PARTS)]) for k in range(min(len(people), _MOST_PARTS))]
    return [[patient for patient in patients if patient.person in part] for part in parts]


def _cut(patients: Sequence[_Patient], cuts: Mapping[str, float]) -> float:
    """Where these patients were drawn, by their weights."""
    weights = [patient.weight for patient in patients]
    own = [cuts[patient.name] for patient in patients]
    return fmean(own) if len(set(weights)) == 1 else fmean(own, weights)


def _of_others(patients: Sequence[_Patient], data: Path) -> dict[str, Any]:
    """What the card says otherwise where the patients are not those that what ships learnt from."""
    whose = "what readers signed" if (data / "examples.json").is_file() else f"the folder '{data.name}'"
    people = len({patient.person for patient in patients})
    return {
        "source": f"{len(patients)} cines of {people} people of {whose}, in the place of the Sunnybrook Cardiac Data; "
        "and virtual hearts in closed form (isocenter.methods.virtual_heart)",
        "licence": f"that of {whose}, which whoever trained it knows",
        "groups": "nothing is known of groups of the people whose cines were learnt from",
        "bias": "nothing was done for a group of people",
        "limits": [
            f"cines of {people} people, as whoever outlined them draws",
            CARD["limits"][1],
            "where no epicardium was outlined it was learnt from virtual hearts alone",
        ],
    }


def code_digest() -> str:
    """Version of the package, and a digest of the files that decide the weights."""
    sha = hashlib.sha256()
    folder = Path(__file__).parent
    methods = [folder.parent / "methods" / f"{name}.py" for name in ("short_axis", "virtual_heart", "virtual_lining")]
    for file in (
        *(
            folder / f"{n}.py"
            for n in ("fit", "heart_augment", "heart_border", "heart_fit", "heart_network", "hearts", "labelled_cines")
        ),
        *methods,
    ):
        sha.update(file.read_bytes())
    return f"{isocenter.__version__}+{sha.hexdigest()[:12]}"


Ask = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def asked(net: Outliner) -> tuple[Ask, Ask]:
    """The network as `outline` asks it: for places, and for the border."""

    def places(slices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            said: npt.NDArray[np.float32] = net.seen(torch.from_numpy(slices))[:, :2].numpy()
        return said

    def border(slices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            said: npt.NDArray[np.float32] = net.depth_mm(torch.from_numpy(slices)).numpy()
        return said

    return places, border


def _outside(cuts: Mapping[str, float]) -> str:
    return ", ".join(f"{cut:.2f} mm ({name})" for name, cut in cuts.items())


def compared(patient: Heart | LabelledCine, places: Ask, border: Ask | None) -> dict[str, Any]:
    """What a network finds on the images of one patient, beside what the experts drew."""
    truth = _truth(patient)
    try:
        found = outline(turned(patient.cine), places, border)
    except IsocenterError as why:
        return {"name": patient.name, "truth": truth, "found": None, "why": str(why)}
    return {"name": patient.name, "truth": truth, "found": _measured(found, patient.cine), "agreement": found.agreement}


def _truth(patient: Heart | LabelledCine) -> dict[str, float]:
    """What was drawn, in numbers; nothing where not both ends of the beat were."""
    return patient.truth if isinstance(patient, LabelledCine) else _drawn(patient)


def _drawn(patient: Heart) -> dict[str, float]:
    geometry = patient.cine.geometry

    def placed(points: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.float64]:
        return geometry.to_patient(np.stack([np.full(len(points), k), points[:, 1], points[:, 0]], axis=1))

    inner: dict[int, list[npt.ArrayLike]] = {}
    areas: dict[tuple[str, int, int], float] = {}
    for o in patient.outlines:
        areas[o.kind, o.phase, o.slice] = cine.polygon_area_mm2(placed(o.points, o.slice))
        if o.kind == "i":
            inner.setdefault(o.phase, []).append(placed(o.points, o.slice))
    spacing = geometry.spacing_mm[0]
    found = cine.ejection_of_contours(inner, spacing)
    both = [(p, k) for kind, p, k in areas if kind == "o" and ("i", p, k) in areas]
    mass = cine.mass_g([areas["o", p, k] for p, k in both], [areas["i", p, k] for p, k in both], spacing)
    return {"edv_ml": found.edv_ml, "esv_ml": found.esv_ml, "ef_percent": found.ef_percent, "mass_g": mass}


def _measured(found: Outlined, volume: Volume) -> dict[str, float]:
    edv, esv = float(found.volumes_ml[found.ed]), float(found.volumes_ml[found.es])
    muscle_ml = float(found.muscle["ed"].sum()) * volume.geometry.voxel_volume_mm3 / 1000.0
    return {
        "edv_ml": edv,
        "esv_ml": esv,
        "ef_percent": 100.0 * (1.0 - esv / edv),
        "mass_g": cine.MUSCLE_G_PER_ML * muscle_ml,
    }


def _virtual(seed: int, net: Outliner) -> dict[str, Any]:
    """A virtual heart that was not trained on, as a whole cine of ten phases."""
    heart = VirtualHeart(seed)
    shape, apart = heart.shape, 9.0
    depths = np.arange(-1.4 * apart, shape.length_mm + shape.wall_mm + apart, apart)
    squeeze = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(10) / 10)
    made = heart.rendered(depths, squeeze, size=128, step_mm=1.5)
    geometry = Geometry.regular(shape=(len(depths), 128, 128), spacing_mm=(apart, 1.5, 1.5))
    turn = np.array([[0.62, -0.15, 0.77, 0], [-0.67, 0.41, 0.62, 0], [-0.41, -0.90, 0.16, 0], [0, 0, 0, 1.0]])
    geometry = Geometry(turn @ np.diag([apart, 1.5, 1.5, 1.0]), geometry.shape)
    volume = Volume(made.pictures, geometry, axes=(Axis("trigger", tuple(range(10)), "ms"),))
    ml = apart * 1.5 * 1.5 / 1000.0
    volumes = made.cavity.sum(axis=(1, 2, 3), dtype=np.float64) * ml
    muscle = float((made.epicardium - made.cavity)[int(volumes.argmax())].sum(dtype=np.float64)) * ml
    truth = {"edv_ml": float(volumes.max()), "esv_ml": float(volumes.min()), "mass_g": 1.05 * muscle}
    truth["ef_percent"] = 100.0 * (1.0 - truth["esv_ml"] / truth["edv_ml"])
    try:
        found = outline(turned(volume), *asked(net))
    except IsocenterError as why:
        return {"name": f"virtual {seed}", "truth": truth, "found": None, "why": str(why)}
    return {"name": f"virtual {seed}", "truth": truth, "found": _measured(found, volume), "agreement": found.agreement}


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Largest and mean difference of what was found, and how many were declined."""
    found = [r for r in rows if r["found"] is not None]
    summary: dict[str, Any] = {"n": len(rows), "declined": len(rows) - len(found)}
    for key in _NUMBERS:
        off = [r["found"][key] - r["truth"][key] for r in found if key in r["truth"]]
        summary[key] = {"mean": float(np.mean(off)), "largest": float(np.max(np.abs(off)))} if off else None
    return summary


def judged(
    held: Model, session: Any, data: Path, split: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """How far volumes, ejection fraction and mass lie from those of the experts' outlines, patient by patient.

    A patient in whom the network finds no ventricle that it stands by is declined, and has no part in the figures.
    The mean of the differences and of their amounts is given; of few patients no interval says anything.

    Raises:
        Refused: where the folder holds no outlined heart, a split is asked for, or every patient was declined.
    """
    if split is not None:
        raise Refused(f"no split '{split}'", "this layout has none", "give a folder that holds that part alone")
    asked_of = parts(session)
    hearts = _cases(data)
    rows = [compared(heart, *asked_of) for heart in hearts if not isinstance(heart, LabelledCine) or heart.truth]
    if not rows:
        raise Refused(f"no cine of {data.name} is outlined at both ends of the beat", "no volume can be compared",
                      "outline all slices at end-diastole and at end-systole")  # fmt: skip
    found = [row for row in rows if row["found"] is not None]
    if not found:
        raise Refused(f"all {len(rows)} patients were declined", rows[0]["why"], "mend that, or give other cases")
    metrics: dict[str, Any] = {"difference": {}, "absolute_difference": {}}
    for key in _NUMBERS:
        off = np.array([row["found"][key] - row["truth"][key] for row in found if key in row["truth"]])
        off = off[np.isfinite(off)]
        if len(off):
            metrics["difference"][key] = {"value": float(off.mean()), "patients": len(off)}
            metrics["absolute_difference"][key] = {"value": float(np.abs(off).mean()), "patients": len(off)}
    told = [
        {"name": row["name"], "declined": row.get("why", "")}
        | {f"{key} drawn": row["truth"].get(key, "") for key in _NUMBERS}
        | {f"{key} found": (row["found"] or {}).get(key, "") for key in _NUMBERS}
        for row in rows
    ]
    figures = {"n": len(rows), "metrics": metrics, "calibration": {}, "subgroups": []}
    lost = [f"{row['name']}: {row['why']}" for row in rows if row["found"] is None]
    figures["remarks"] = [not_measured(len(lost), len(rows), lost[0], "patients")] if lost else []
    return figures | {"declined": len(lost)}, told, {}


def _checked(rows: Sequence[dict[str, Any]]) -> list[float] | None:
    """Sizes at end-diastole (mL) that patients who were left out vouch for; outside of them the reader is told so."""
    sizes = [row["truth"]["edv_ml"] for row in rows if row["found"] is not None]
    return [min(sizes) / _BESIDE, max(sizes) * _BESIDE] if sizes else None


def _told(row: dict[str, Any]) -> str:
    if row["found"] is None:
        return f"declined, {row['why']}"
    pairs = (f"{key} {row['found'][key]:.1f} for {row['truth'][key]:.1f}" for key in row["truth"])
    return ", ".join(pairs)


def _page(model: Model) -> str:
    """The card as a page, written from the record."""
    card, shown = model.card, model.evidence
    lines = [
        f"# {card['title']}", "",
        f"Model `{model.name}` version {model.version}, SHA-256 `{model.digest}`, state: {model.state}.",
        "Research software; not a medical device. This page is written by the training; do not edit it.", "",
        *for_what(card),
        "## Limits", "", *[f"- {line}" for line in (*card["limits"], *_vouched(shown))], "",
        "## Data", "", card["source"] + ".", "", *of_groups(card),
        f"Patients: {', '.join(card['people'])}. Licence: {card['licence']}. Digest of the examples "
        f"`{model.examples[:16]}…`.", "", "## Training", "",
        *[f"- {name}: {value}" for name, value in card["training"].items()], "",
        "## Evidence", "",
        "Each patient outlined by a network that was fitted without that patient, from the images alone, beside the "
        "experts' outlines; then virtual hearts that were not trained on."
        + ("" if shown["left_out"] else " NO PATIENT WAS LEFT OUT IN THIS RUN: nothing is shown on a new patient."), "",
        "| heart | EDV mL | ESV mL | EF % | mass g | agreement |", "|---|---|---|---|---|---|",
        *_rows(shown["left_out"]), *_rows(shown["virtual"]), "",
        f"ONNX and torch differ by at most {shown['parity']:.1e} in a probability.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _vouched(shown: Mapping[str, Any]) -> Iterator[str]:
    if shown["checked_edv_ml"] is not None:
        least, most = shown["checked_edv_ml"]
        yield (
            f"checked on patients whose ventricle holds about {least:.0f} to {most:.0f} mL at end-diastole; every "
            "answer outside of that says so"
        )


def _rows(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        truth = row["truth"]
        if row["found"] is None:
            yield f"| {row['name']} | declined: {row['why']} | | | | |"
            continue
        told = {k: f" ({truth[k]:.1f})" if k in truth else "" for k in _NUMBERS}
        cells = [f"{row['found'][k]:.1f}{told[k]}" for k in _NUMBERS]
        yield f"| {row['name']}, found (truth) | {' | '.join(cells)} | {row['agreement']:.3f} |"
