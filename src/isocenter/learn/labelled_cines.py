"""Short-axis cines as NIfTI with labels on two of their phases, in the layouts of ACDC and of M&Ms.

ACDC (Bernard et al., IEEE TMI 2018) gives a patient a folder with ``patient001_4d.nii.gz``, the drawn phases
``patient001_frame01.nii.gz`` with ``patient001_frame01_gt.nii.gz``, and ``Info.cfg`` with the numbers ED and ES. M&Ms
(Campello et al., IEEE TMI 2021) has ``A0S9V9_sa.nii.gz`` beside ``A0S9V9_sa_gt.nii.gz``, whose other phases are empty.

In one 3 is the left ventricle, in the other 1, and copies are numbered anew. So no number is believed: the left
ventricle is what muscle encloses in the slices. The phase with more of it is end-diastole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.forms import nifti
from isocenter.learn.examples import weights_in
from isocenter.learn.hearts import OPEN, Heart
from isocenter.learn.whose import whose
from isocenter.methods.cine import MUSCLE_G_PER_ML
from isocenter.methods.short_axis import APEX
from isocenter.space import Geometry, Volume

__all__ = ["LabelledCine", "holds_labelled_cines", "read_labelled_cines"]

_CINE = re.compile(r"^(?P<name>.+)_(?P<way>4d|sa)\.nii(\.gz)?$", re.IGNORECASE)
_ENCLOSED, _OPEN = 0.75, 0.6
"""Part of a structure's outline in the slices along which muscle lies: of the left ventricle at least, of others at
most. Of the right one it is the septum."""

_ALONG = 0.9999  # cosine between an axis of the file and one of the scanner

Labels = npt.NDArray[Any]


class LabelledCine(NamedTuple):
    """A cine, and what its labels say: volumes of the left ventricle, ejection fraction, mass of its muscle.

    Args:
        truth: lacks what the labels do not tell. heart: the cine with its labels, to learn from.
    """

    name: str
    cine: Volume
    truth: dict[str, float]
    heart: Heart


def _cines_in(folder: Path) -> list[tuple[str, Path, bool]]:
    """(name, file, whether it is laid out as ACDC's) of every cine."""
    found = []
    for file in sorted(folder.rglob("*.nii*")):
        told = _CINE.match(file.name)
        if told and not file.name.startswith("."):
            found.append((told["name"], file, told["way"].lower() == "4d"))
    return found


def holds_labelled_cines(folder: Path) -> bool:
    """Whether a folder has cines in one of these layouts."""
    return folder.is_dir() and bool(_cines_in(folder))


def read_labelled_cines(folder: Path) -> Iterator[LabelledCine]:
    """Every patient of a folder whose cine has labels on two phases.

    Raises:
        Refused: nobody has, labels do not tell the left ventricle, lie on another grid, or contradict ``Info.cfg``.
    """
    count = 0
    cines = _cines_in(folder)
    ways = [file.relative_to(folder).as_posix() for _, file, _ in cines]
    signed, counts = (folder / "examples.json").is_file(), weights_in(folder, ways)
    people, often = whose(ways), Counter(name for name, _, _ in cines)
    for n, (name, file, of_acdc) in enumerate(cines):
        drawn = _frames(name, file) if of_acdc else _phases(name, file)
        if not drawn:  # the published tests come without
            continue
        cine = _read(file)
        if len(cine.axes) != 1 or cine.array.shape[0] < 3:
            raise Refused(f"{file.name} has the shape {cine.array.shape}", "a cine shows the beat in several phases",
                          "give the images of all phases, four axes")  # fmt: skip
        if any(labels.shape != cine.geometry.shape for labels in drawn.values()):
            raise Refused(f"labels of {file.name}", "they lie on another grid than the cine", "resample them onto it")
        count += 1
        called = name if often[name] == 1 else ways[n]
        weight = 1.0 if counts is None else float(counts[n])
        ml = cine.geometry.voxel_volume_mm3 / 1000.0
        if signed:  # labels of signed reports are what they say
            labels = {phase: one.astype(np.uint8) for phase, one in drawn.items()}  # those of M&Ms count from 0
            yield LabelledCine(called, cine, _signed(labels, ml), Heart(called, cine, (), labels, people[n], weight))
            continue
        truth, seen = _told(name, drawn, ml, file.parent)
        laid = _laid(cine, seen, file.name)
        both = np.stack([np.where(one == seen.kinds[0], 1, np.where(one == seen.kinds[1], 2, 0))
                         for one in drawn.values()]).astype(np.float32)  # fmt: skip
        axis = replace(cine.axes[0], values=tuple(range(len(both))))
        turned = _laid(replace(cine, array=both, axes=(axis,)), seen, file.name).array.astype(np.uint8)
        labels = dict(zip((phase - of_acdc for phase in drawn), turned, strict=True))
        yield LabelledCine(called, laid, truth, Heart(called, laid, (), labels, people[n], weight))
    if not count:
        raise Refused(
            f"no cine with labels in {folder.name}", "there are cines, and none has labels beside it",
            "give PATIENT_frameNN_gt.nii.gz beside PATIENT_4d.nii.gz, or NAME_sa_gt.nii.gz beside NAME_sa.nii.gz",
        )  # fmt: skip


def _read(file: Path) -> Volume:
    return nifti.read(file.read_bytes())


def _frames(name: str, cine: Path) -> dict[int, Labels]:
    """Labels of ACDC by the number of their phase, from 1 on."""
    found = {}
    for file in sorted(cine.parent.glob(f"{name}_frame*_gt.nii*")):
        if told := re.search(r"_frame(\d+)_gt\.nii", file.name):
            found[int(told[1])] = np.rint(_read(file).array)
    return found


def _phases(name: str, cine: Path) -> dict[int, Labels]:
    """Labels of M&Ms by the number of their phase, from 0 on; phases without any were not drawn."""
    file = next((f for f in sorted(cine.parent.glob(f"{name}_*_gt.nii*")) if "_sa_gt." in f.name.lower()), None)
    if file is None:
        return {}
    held = _read(file)
    if len(held.axes) != 1:
        raise Refused(f"{file.name} has the shape {held.array.shape}", "labels of two phases are wanted",
                      "give four axes as the cine has them, empty where nothing was drawn")  # fmt: skip
    return {k: np.rint(one) for k, one in enumerate(held.array) if one.any()}


class _Heart(NamedTuple):
    """What labels show at end-diastole: masks of the left ventricle, and of all that is neither it nor its muscle; and
    the numbers of both.
    """

    left: npt.NDArray[np.bool_]
    other: npt.NDArray[np.bool_]
    kinds: tuple[int, int]


def _told(name: str, drawn: dict[int, Labels], voxel_ml: float, folder: Path) -> tuple[dict[str, float], _Heart]:
    if len(drawn) != 2:
        raise Refused(f"{len(drawn)} phases of {name} have labels", "two are wanted: end-diastole and end-systole",
                      "take the others out")  # fmt: skip
    cavity, muscle = _left_ventricle(list(drawn.values()), name)
    sizes = {phase: int(np.count_nonzero(labels == cavity)) for phase, labels in drawn.items()}
    es, ed = sorted(sizes, key=lambda phase: sizes[phase])
    said = _info(folder / "Info.cfg")
    if said and (said.get("ed"), said.get("es")) == (es, ed):
        raise Refused(f"Info.cfg of {name} calls phase {es} end-diastole", f"phase {ed} has the larger left ventricle: "
                      f"{sizes[ed] * voxel_ml:.0f} mL beside {sizes[es] * voxel_ml:.0f}",
                      "repair the numbers or the labels")  # fmt: skip
    edv, esv = sizes[ed] * voxel_ml, sizes[es] * voxel_ml
    mass = MUSCLE_G_PER_ML * int(np.count_nonzero(drawn[ed] == muscle)) * voxel_ml
    heart = _Heart(drawn[ed] == cavity, ~np.isin(drawn[ed], (0, cavity, muscle)), (cavity, muscle))
    return {"edv_ml": edv, "esv_ml": esv, "ef_percent": 100.0 * (1.0 - esv / edv), "mass_g": mass}, heart


def _signed(drawn: dict[int, npt.NDArray[np.uint8]], voxel_ml: float) -> dict[str, float]:
    """What the labels of signed reports tell; nothing where not both ends of the beat are outlined in every slice."""
    if len(drawn) != 2 or any((labels == OPEN).any() for labels in drawn.values()):
        return {}
    ed, es = sorted(drawn.values(), key=lambda labels: -np.count_nonzero(labels == 1))
    edv, esv = (float(np.count_nonzero(labels == 1)) * voxel_ml for labels in (ed, es))
    told = {"edv_ml": edv, "esv_ml": esv, "ef_percent": 100.0 * (1.0 - esv / edv)}
    muscle = float(np.count_nonzero(ed == 2))
    return told | ({"mass_g": MUSCLE_G_PER_ML * muscle * voxel_ml} if muscle else {})


def _laid(cine: Volume, heart: _Heart, file: str) -> Volume:
    """The cine as it is where its file says how it lies; else the base first and the right ventricle on the left.

    A short axis is oblique in every person. A file whose axes are those of the scanner has lost its directions, and
    keeps the pictures as they were shown, or turned: as no mirror image of it.

    Raises:
        Refused: the directions are lost, and no right ventricle is labelled that would tell them.
    """
    if np.abs(cine.geometry.directions).max(axis=0).min() < _ALONG:
        return cine
    if not heart.other.any():
        raise Refused(
            f"the directions of {file}",
            "they are those of the scanner, as no short axis lies, and no right ventricle is labelled that tells them",
            "convert the DICOM images with their directions",
        )
    spacing = cine.geometry.spacing_mm
    right, left = (np.argwhere(mask).mean(axis=0) * spacing for mask in (heart.other, heart.left))
    down, across = (right - left)[1:]
    turns = (1 if down < 0 else 3) if abs(down) > abs(across) else (2 if across > 0 else 0)
    areas = heart.left.sum(axis=(1, 2))
    filled = np.flatnonzero(areas)
    middle = float(np.average(np.arange(len(areas)), weights=areas))
    array = np.rot90(cine.array, turns, axes=(2, 3))
    if middle > (filled[0] + filled[-1]) / 2:  # more of it in the later slices: they are the base
        array = array[:, ::-1]
    apex = APEX / np.linalg.norm(APEX)
    feet = np.array([0.0, 0.0, -1.0]) + apex[2] * apex
    feet /= np.linalg.norm(feet)
    sides = np.array([spacing[0], *(spacing[1:] if turns % 2 == 0 else spacing[:0:-1])])
    affine = np.eye(4)
    affine[:3, :3] = np.stack([apex, feet, np.cross(apex, feet)], axis=1) * sides
    return replace(cine, array=np.ascontiguousarray(array), geometry=Geometry(affine, array.shape[1:]))


def _info(file: Path) -> dict[str, int]:
    """The numbers of phases in an ``Info.cfg``; nothing without one."""
    if not file.is_file():
        return {}
    return {key.lower(): int(value) for key, value in re.findall(r"(?m)^\s*(ED|ES)\s*:\s*(\d+)", file.read_text())}


def _left_ventricle(drawn: list[Labels], name: str) -> tuple[int, int]:
    """The labels of the left ventricle and of its muscle: of all pairs the one of which one encloses the other.

    Raises:
        Refused: no pair is like that, or two are.
    """
    kinds = sorted({int(v) for labels in drawn for v in np.unique(labels)} - {0})
    shares: dict[tuple[int, int], float] = {}
    for cavity in kinds:
        beside = np.concatenate([_beside(labels, cavity) for labels in drawn])
        shares |= {(cavity, wall): float(np.mean(beside == wall)) for wall in kinds if wall != cavity and len(beside)}
    order = sorted(shares, key=lambda pair: -shares[pair])
    rest = [pair for pair in order[1:] if pair[0] != order[0][0]]
    if not order or shares[order[0]] < _ENCLOSED or (rest and shares[rest[0]] > _OPEN):
        told = ", ".join(f"{wall} along {100 * shares[cavity, wall]:.0f} % of {cavity}" for cavity, wall in order[:3])
        raise Refused(f"labels {', '.join(map(str, kinds)) or 'none'} of {name}", "the left ventricle is not told: no "
                      f"label is enclosed by another in the slices ({told or 'there are not two'})",
                      "give labels of the left ventricle and of its muscle")  # fmt: skip
    return order[0]


def _beside(labels: Labels, kind: int) -> Labels:
    """What lies next to a structure within its slices."""
    inside = labels == kind
    found = []
    for axis in (1, 2):
        for step in (1, -1):
            moved = np.roll(inside, step, axis)
            edge = [slice(None)] * 3
            edge[axis] = slice(0, 1) if step == 1 else slice(-1, None)
            moved[tuple(edge)] = False
            found.append(labels[moved & ~inside])
    return np.concatenate(found)
