"""Outlined short-axis hearts read from disk: cine DICOM with the contours of experts.

The layout is that of the Sunnybrook Cardiac Data (Radau et al., MIDAS J 2009) or of its many copies, such as::

    link.csv                      patient_id,original_id
    dicoms/PATIENT.zip            the cine of one patient, or a folder of that name with its images
    contours/ORIGINAL/i-contours  IM-0001-0048-icontour-manual.txt: endocardium on 48.dcm, or on Instance Number 48
    contours/ORIGINAL/o-contours  the same for the epicardium

A contour is a closed polygon of "column row" in pixels; those of papillary muscles are passed over.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import IsocenterError, Refused
from isocenter.learn.sheet import read_sheet
from isocenter.methods.short_axis import sampled, sampling, turned
from isocenter.methods.ventricle import STEP_MM, WINDOW
from isocenter.record import Series
from isocenter.space import Volume

__all__ = ["LEAST_PHASES", "MARGIN", "OPEN", "Heart", "Hearts", "Outline", "examples_of", "read_hearts", "stacked"]

MARGIN = 144
OPEN = 255
"""Label of slices of which nothing is told."""
LEAST_PHASES = 4  # of a cine
# The contours count pixels from 1: moved so, the step of brightness across them is steepest in both directions.
_FIRST_PIXEL = 1.0
_NAME = re.compile(r"^IM-\d+-(\d+)-([io])contour", re.IGNORECASE)


@dataclass(frozen=True)
class Outline:
    """One contour: where it lies in the cine, and its polygon."""

    phase: int
    slice: int
    kind: str  # "i" endocardium, "o" epicardium
    points: npt.NDArray[np.float64]  # (n, 2) column, row, with the centre of the first pixel at 0


@dataclass(frozen=True, eq=False)
class Heart:
    """A cine with what was drawn on it: outlines of experts, or labels.

    Args:
        labels: phase -> (slices, rows, columns), 1 in the cavity, 2 between it and the epicardium, `OPEN` in slices of
            which nothing is told.
        person: whose heart it is; empty for nobody else's than of this name.
        weight: how much it counts in a training, 0 to 1.
    """

    name: str
    cine: Volume
    outlines: tuple[Outline, ...] = ()
    labels: Mapping[int, npt.NDArray[np.uint8]] = field(default_factory=dict)
    person: str = ""
    weight: float = 1.0

    @property
    def phases(self) -> tuple[int, ...]:
        """On which the endocardium was drawn."""
        return tuple(sorted(self.labels)) or tuple(sorted({o.phase for o in self.outlines if o.kind == "i"}))


@dataclass(frozen=True, eq=False)
class Hearts:
    """Slices to learn from, on a grid of `MARGIN` pixels of `STEP_MM` about the heart, small in memory.

    Args:
        pictures: (n, m, m) half-precision grey values.
        near: (n, 3) rows of the slice towards the base, of the slice itself, of the slice towards the apex.
        masks: (n, 2, m, m) coverage by the endocardial and by the epicardial outline, 0 to 255.
        known: (n,) whether the epicardium was drawn (or the slice holds no ventricle).
        centre, radius: (n, 2) of the ventricle in pixels; radius 0 where there is none.
        weights: (n,) how much each slice counts; 0 where nothing is told of it, which is there for its neighbours.
        names: of the heart that each slice is from.
    """

    pictures: npt.NDArray[np.float16]
    near: npt.NDArray[np.int64]
    masks: npt.NDArray[np.uint8]
    known: npt.NDArray[np.bool_]
    centre: npt.NDArray[np.float32]
    radius: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def digest(self) -> str:
        """SHA-256 over names, pictures and masks."""
        sha = hashlib.sha256("\n".join(self.names).encode())
        for array in (self.pictures, self.near, self.masks, self.known, self.centre, self.radius):
            sha.update(np.ascontiguousarray(array).tobytes())
        if (self.weights != 1).any():
            sha.update(self.weights.tobytes())
        return sha.hexdigest()

    @classmethod
    def together(cls, parts: Sequence[Hearts]) -> Hearts:
        """All slices of some sets, in order."""
        starts = np.cumsum([0] + [len(p) for p in parts])
        joined = {f: np.concatenate([getattr(p, f) for p in parts]) for f in _ARRAYS if f != "near"}
        near = np.concatenate([p.near + start for p, start in zip(parts, starts, strict=False)])
        return cls(near=near, names=tuple(n for p in parts for n in p.names), **joined)

    def without(self, *hearts: str) -> Hearts:
        """All slices but those of some hearts; neighbours are always of the same heart."""
        kept = np.array([n not in hearts for n in self.names])
        place = np.cumsum(kept) - 1
        held = {f: getattr(self, f)[kept] for f in _ARRAYS if f != "near"}
        return Hearts(near=place[self.near[kept]], names=tuple(n for n in self.names if n not in hearts), **held)


_ARRAYS = ("pictures", "near", "masks", "known", "centre", "radius", "weights")


def read_hearts(folder: Path) -> Iterator[Heart]:
    """Every patient of the folder who has both images and contours.

    Contours are files such as ``IM-0001-0048-icontour-manual.txt`` at any depth below a folder of the patient's name;
    the images lie in another folder, or a ZIP, of that name. Where images and contours have different names, a table
    with the columns ``patient_id`` (of the images) and ``original_id`` (of the contours) links them.

    Raises:
        Refused: when no patient has both, a table that links them lacks a column, a cine cannot be read, or a contour
            names an image that is not there.
    """
    drawn = _contours_in(folder)
    images = _images_in(folder)
    pairs = _linked(folder)
    if pairs is None:
        pairs = [(name, name) for name in drawn]
    count, taken = 0, set[Path]()
    for patient, original in pairs:
        files = drawn.get(_plain(original), [])
        sources = [p for p in images.get(_plain(patient), ()) if _holds_images(p)]
        if files and sources and not taken.intersection(files):  # a folder above that of a patient is not another one
            count += 1
            taken.update(files)
            yield _heart(original, sources[0], files)
    if not count:
        raise Refused(
            f"no patient with images and contours in {folder}",
            f"{len(pairs)} names were looked for, of {sum(map(len, images.values()))} folders and archives",
            "give both, below folders of the patient's name, or a link.csv with patient_id, the name of the images, "
            "and original_id, that of the contours",
        )  # fmt: skip


def _plain(name: str) -> str:
    """A name in which ``SC-HF-I-01`` and ``sc-hf-i-1`` are the same."""
    return re.sub(r"\d+", lambda digits: str(int(digits[0])), name.strip().lower())


def _contours_in(folder: Path) -> dict[str, list[Path]]:
    """Contour files by the name of every folder above them, the innermost first."""
    found: dict[str, list[Path]] = {}
    files = [f for f in sorted(folder.rglob("*.txt")) if _NAME.search(f.name) and not f.name.startswith(".")]
    for depth in range(max((len(f.relative_to(folder).parts) for f in files), default=0)):
        for file in files:
            above = file.relative_to(folder).parts[-2::-1]
            if depth < len(above):
                found.setdefault(_plain(above[depth]), []).append(file)
    return found


def _images_in(folder: Path) -> dict[str, list[Path]]:
    """Folders and archives by their name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.suffix.lower() == ".zip":
            found.setdefault(_plain(path.name if path.is_dir() else path.stem), []).append(path)
    return found


def _holds_images(path: Path) -> bool:
    """Whether a folder has files other than contours; an archive is opened later."""
    return path.is_file() or any(f.is_file() and f.suffix.lower() != ".txt" for f in path.rglob("*"))


def _linked(folder: Path) -> list[tuple[str, str]] | None:
    """(name of the images, name of the contours) by a table in the folder; None where there is none.

    Raises:
        Refused: a ``link.csv`` lacks a column.
    """
    for file in sorted(folder.glob("*.csv"), key=lambda f: f.name != "link.csv"):
        columns, rows = read_sheet(file)
        known = {"".join(c for c in name.lower() if c.isalnum()): name for name in columns}
        lacks = [name for name in ("patient_id", "original_id") if name.replace("_", "") not in known]
        if not lacks:
            return [(str(row[known["patientid"]]), str(row[known["originalid"]])) for row in rows]
        if file.name == "link.csv":
            raise Refused(f"link.csv has no column '{lacks[0]}'", "it says which contours belong to which images",
                          "give patient_id, the name of the images' folder or archive, and original_id, that of the "
                          "contours' folder")  # fmt: skip
    return None


def _heart(name: str, source: Path, drawn: Sequence[Path]) -> Heart:
    from isocenter.dicom.assemble import assemble
    from isocenter.dicom.header import merge, read_header
    from isocenter.dicom.scan import scan

    blobs, records, files = {}, [], {}
    for file, given in scan(source):
        if isinstance(given, IsocenterError):
            raise given
        if given[128:132] != b"DICM" and not file.lower().endswith(".dcm"):  # notes and tables lie beside images
            continue
        record = read_header(given)
        instance = record.series[0].instances[0]
        blobs[instance.digest] = given
        files[instance.sop_uid] = PurePosixPath(file).stem
        records.append(record)
    studies = merge(records)
    if len(people := {study.patient.id for study in studies}) > 1:
        raise Refused(f"images of {len(people)} patients in {source.name}", f"the contours of {name} are of one",
                      "give each patient a folder")  # fmt: skip
    every = [series for study in studies for series in study.series]
    if not every:
        raise Refused(f"no DICOM images in {source.name}", "a cine is wanted", "give the images of the patient")
    wanted = {int(found[1]): file for file in drawn if (found := _NAME.search(file.name))}
    numbers, series = max(
        ((_numbered(series, files, wanted), series) for series in every),
        key=lambda one: (len(wanted.keys() & one[0].keys()), len(one[1].instances)),
    )
    if missing := sorted(wanted.keys() - numbers.keys()):
        raise Refused(f"{wanted[missing[0]].name}", f"{source.name} has no image {missing[0]}",
                      "give all images of the patient")  # fmt: skip
    cine = assemble(series, blobs.__getitem__)[0]
    slices = cine.geometry.shape[0]
    at = {uid: divmod(n, slices) for n, uid in enumerate(cine.instance_uids)}
    outlines = []
    for contour in drawn:
        found = _NAME.search(contour.name)
        assert found is not None
        phase, k = at[numbers[int(found[1])]]
        points = np.loadtxt(contour, dtype=np.float64).reshape(-1, 2)
        outlines.append(Outline(phase, k, found[2], points - _FIRST_PIXEL))
    return Heart(name, cine, tuple(outlines))


def _numbered(series: Series, files: Mapping[str, str], wanted: Mapping[int, Path]) -> dict[int, str]:
    """Number -> SOP Instance UID, by the end of the files' names where all that were drawn on are there, or by headers.

    Contours name the file that they were drawn on: ``IM-0001-0048.dcm``, or ``48.dcm``.
    """
    named = {int(end[0]): i.sop_uid for i in series.instances if (end := re.search(r"\d+$", files[i.sop_uid]))}
    if len(named) == len(series.instances) and wanted.keys() <= named.keys():
        return named
    return {i.number: i.sop_uid for i in series.instances if i.number is not None}


def coverage(points: npt.NDArray[np.float64], shape: tuple[int, int], fine: int = 4) -> npt.NDArray[np.float32]:
    """How much of each pixel a polygon (column, row; pixel centres at whole numbers) covers.

    >>> float(coverage(np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]]), (4, 4)).sum())
    4.0
    """
    from skimage.draw import polygon2mask

    inner = (points[:, ::-1] + 0.5) * fine - 0.5
    mask = polygon2mask((shape[0] * fine, shape[1] * fine), inner)
    return np.asarray(mask.reshape(shape[0], fine, shape[1], fine).mean((1, 3)), np.float32)


def stacked(heart: Heart) -> Hearts:
    """The slices of the phases on which an endocardium was drawn, as examples.

    Slices of such a phase without a contour hold no ventricle by the experts' rule, and are examples as well.
    """
    turn = turned(heart.cine)
    inner = list(heart.phases)
    held, known, told = _of_labels(heart) if heart.labels else _of_outlines(heart)
    held = held.transpose((0, 1, *(2 + a for a in turn.order)))
    for axis, flip in enumerate(turn.flips):
        if flip:
            held = np.flip(held, 2 + axis)
    if turn.flips[0]:
        known, told = known[:, ::-1] if known.ndim == 2 else known, told[:, ::-1]
    _, dy, dx = turn.geometry.spacing_mm
    y, x = np.arange(held.shape[3])[:, None], np.arange(held.shape[4])[None, :]
    cavity = held[:, 0].sum((0, 1))
    row, column = float((cavity * y).sum() / cavity.sum()), float((cavity * x).sum() / cavity.sum())
    rows = sampling(held.shape[3], dy, row, MARGIN, STEP_MM)
    columns = sampling(held.shape[4], dx, column, MARGIN, STEP_MM)
    pictures = sampled(turn.array[inner], rows, columns)
    edge = (MARGIN - WINDOW) // 2
    inside = sampled(turn.array[::4], rows, columns)[:, :, edge:-edge, edge:-edge]
    low, high = np.quantile(inside, (0.01, 0.99), axis=(0, 2, 3))
    pictures = np.clip((pictures - low[None, :, None, None]) / (high - low)[None, :, None, None], -0.2, 2.0)
    masks = sampled(held, rows, columns)
    return replace(examples_of(heart.name, pictures, masks, known), weights=_flat(told) * np.float32(heart.weight))


def _flat(told: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    return told.reshape(-1).astype(np.float32)


_Held = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]
"""(phases, 2, slices, rows, columns) within both borders; (phases,) or (phases, slices) where the epicardium is known;
(phases, slices) where anything is told."""


def _of_outlines(heart: Heart) -> _Held:
    shape, inner = heart.cine.geometry.shape, heart.phases
    held = np.zeros((len(inner), 2, *shape), np.float32)
    for o in heart.outlines:
        if o.phase in inner:
            held[inner.index(o.phase), "io".index(o.kind), o.slice] = coverage(o.points, (shape[1], shape[2]))
    outer = {o.phase for o in heart.outlines if o.kind == "o"}
    return held, np.array([phase in outer for phase in inner]), np.ones((len(inner), shape[0]), np.bool_)


def _of_labels(heart: Heart) -> _Held:
    """Where a phase has no muscle at all, its slices without a cavity do not say that there is none."""
    labels = np.stack([heart.labels[phase] for phase in heart.phases])
    held = np.stack([labels == 1, (labels == 1) | (labels == 2)], axis=1).astype(np.float32)
    cavity, muscle = (labels == 1).any((2, 3)), (labels == 2).any((2, 3))
    known = muscle | (~cavity & muscle.any(1)[:, None])
    return held, known, (labels != OPEN).all((2, 3))


def examples_of(
    name: str, pictures: npt.NDArray[Any], masks: npt.NDArray[Any], known: Sequence[bool] | npt.NDArray[np.bool_]
) -> Hearts:  # fmt: skip
    """(phases, slices, m, m) pictures and (phases, 2, slices, m, m) masks as one example a slice.

    Args:
        known: whether the epicardium was drawn, of each phase, or of each slice of each phase. Of a phase, slices
            without a ventricle have none.
    """
    phases, slices = pictures.shape[:2]
    one = np.clip(np.arange(slices)[:, None] + np.array([-1, 0, 1]), 0, slices - 1)
    near = (np.arange(phases)[:, None, None] * slices + one[None]).reshape(-1, 3)
    flat = masks.transpose(0, 2, 1, 3, 4).reshape(phases * slices, 2, MARGIN, MARGIN)
    area = flat.sum((2, 3))
    line = np.arange(MARGIN)
    total = np.maximum(area[:, 0], 1e-6)
    rows = (flat[:, 0].sum(2) * line).sum(1) / total
    columns = (flat[:, 0].sum(1) * line).sum(1) / total
    there = area[:, 0] > 4
    centre = np.where(there[:, None], np.stack([rows, columns], 1), (MARGIN - 1) / 2)
    outer = np.where(area[:, 1] > 0, area[:, 1], area[:, 0] * 1.8)
    radius = np.sqrt(np.stack([area[:, 0], outer], 1) / np.pi) * there[:, None]
    return Hearts(
        pictures.reshape(phases * slices, MARGIN, MARGIN).astype(np.float16),
        near.astype(np.int64),
        np.round(np.clip(flat, 0, 1) * 255).astype(np.uint8),
        np.asarray(known, bool).reshape(-1) if np.ndim(known) == 2 else np.repeat(np.asarray(known), slices) | ~there,
        centre.astype(np.float32),
        radius.astype(np.float32),
        np.ones(phases * slices, np.float32),
        (name,) * (phases * slices),
    )
