"""A region that a reader outlines on a series, by brush, by a range of values or by clicks, as a correction.

Each act gives the whole region as it is then, so that one step back is the region before. What was clicked is kept
with the result: a later click, also after a reload, keeps to the clicks before it. Volumes that were outlined last stay
in memory, within a bound; the first act on a series waits until its images are decoded.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotFound, Refused
from isocenter.forms.words import number
from isocenter.govern.policy import Person, must
from isocenter.methods import brush
from isocenter.reading.session import Correction, Reading
from isocenter.record import Code, Finding, Measurement, Result, Series, Study, Verdict, codes
from isocenter.site.marking import Drawn, image_of, measured
from isocenter.site.volumes import volumes_of
from isocenter.space import Geometry, Reference, Region, Shape, Volume
from isocenter.space.regrid import onto

if TYPE_CHECKING:
    from isocenter.methods.promptable import Outlined
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index

__all__ = ["HOW", "Edit", "Marks", "Volumes", "compiles", "computes", "outlined"]

HOW = ("brush", "threshold", "click")
Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Edit:
    """One act on one region.

    Args:
        how: one of `HOW`.
        series_uid, instance_uid, frame: on which images; an instance only where they have no place in the patient.
        add: paint, or take away; of a click: inside, or outside.
        points: (n, 3) millimetres of the patient, or (n, 2) column and row of the instance: the way of the brush, the
            clicked place, or (threshold without brush) nothing.
        radius: of the brush, in mm (pixels where the image is not calibrated).
        normal: of the slice on which was painted; None paints a ball.
        values: the range from low to high that is painted, in the unit of the series.
        box: two opposite corners, of a threshold or around what is clicked.
        tracking, result: of the region that is changed; empty for a new one.
        what, words: what it is, in a code and in words.
    """

    how: str
    series_uid: str
    instance_uid: str = ""
    frame: int = 0
    add: bool = True
    points: Points | None = None
    radius: float = 0.0
    normal: tuple[float, float, float] | None = None
    values: tuple[float, float] | None = None
    box: Points | None = None
    tracking: str = ""
    result: str = ""
    what: Code | None = None
    words: str = ""


_Before = tuple[str, Finding, Mapping[str, Any]]
"""The region that is changed: its result, itself, and how it was drawn."""


class Volumes:
    """The series that were outlined last, decoded; safe to use from many threads.

    Args:
        most: bytes of voxels in all. The newest stays even where it alone has more.
    """

    def __init__(self, most: int = 512 * 2**20) -> None:
        self._most, self._held = most, 0
        self._kept: OrderedDict[tuple[str, ...], Volume] = OrderedDict()
        self._lock, self._decoding = threading.Lock(), threading.Lock()

    def of(self, series: Series, get: Callable[[str], bytes]) -> Volume:
        """The largest volume of a series, of one value for each voxel.

        Raises:
            Refused: the series has several values at each place.
        """
        key = (series.uid, *sorted(i.digest for i in series.instances))
        with self._decoding:  # who asks for what is being decoded waits for it, and decodes nothing twice
            return self._known(key) or self._decoded(key, series, get)

    def _known(self, key: tuple[str, ...]) -> Volume | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _decoded(self, key: tuple[str, ...], series: Series, get: Callable[[str], bytes]) -> Volume:
        volume = volumes_of(series, get)[0]
        if volume.axes:
            raise Refused(
                f"a series with {', '.join(a.name for a in volume.axes)}",
                "it has several values at each place, and one outline would not hold for all",
                "outline a series of one time, such as the first or the mean",
            )
        with self._lock:
            self._kept[key] = volume
            self._held += volume.array.nbytes
            while self._held > self._most and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                self._held -= gone.array.nbytes
        return volume


class _Corrects(Protocol):
    """What the verbs of marking need of the site that is made of them."""

    index: Index
    blobs: Blobs

    @property
    def volumes(self) -> Volumes:
        """Series that were outlined last."""

    def results(self, study_uid: str, *, who: Person) -> list[tuple[str, Result]]:
        """Latest of each chain that this person may see."""

    def correct(self, study_uid: str, correction: Correction, *, version: int, act: str = "", who: Person) -> Reading:
        """Keep, change, strike or add one finding."""

    def once(self, study_uid: str, act: str, do: Callable[[], Reading], *, who: Person) -> Reading:
        """Do an act unless it was done already."""


class Marks:
    """The verbs of marking: measure and segment. The site is made of them, and brings what they work on."""

    @cached_property
    def volumes(self) -> Volumes:
        """Series that were outlined last, decoded."""
        return Volumes()

    def measure(self: _Corrects, study_uid: str, drawn: Drawn, *, version: int, act: str = "", who: Person) -> Reading:
        """A mark with its numbers, as a finding that the reader adds or draws anew.

        Args:
            act: a name that the asker draws for this one act; sent again after a lost answer, it is not done twice.
        """
        must(who, "correct", study_uid)

        def drew() -> Reading:
            correction = measured(self.index.study(study_uid), drawn, self.blobs.kept)
            return self.correct(study_uid, correction, version=version, act=act, who=who)

        return self.once(study_uid, act, drew, who=who)

    def ready(self: _Corrects, study_uid: str, series_uid: str, *, step: str = "", who: Person) -> None:
        """A reader has taken the tool in hand: decode the series and load what computes, before the first click comes.

        Args:
            step: "images" or "program" for one of the two, so that whoever waits is told which; both where it is empty.

        Raises:
            NotFound: the study has no such series.
            Refused: the series is no volume of one value for each voxel; a click would be refused likewise.
        """
        must(who, "correct", study_uid)
        study = self.index.study(study_uid)
        if step != "program":
            _volume(study, Edit("click", series_uid), self.volumes, self.blobs.kept)
        if step != "images":
            computes()

    def segment(self: _Corrects, study_uid: str, edit: Edit, *, version: int, act: str = "", who: Person) -> Reading:
        """One act on a region that the reader outlines: painted, chosen by its values, or clicked.

        Args:
            act: a name that the asker draws for this one act; sent again after a lost answer, it is not done twice.
        """
        must(who, "correct", study_uid)

        def drew() -> Reading:
            study, latest = self.index.study(study_uid), self.results(study_uid, who=who)
            correction = outlined(study, edit, latest, self.volumes, self.blobs.kept)
            return self.correct(study_uid, correction, version=version, act=act, who=who)

        return self.once(study_uid, act, drew, who=who)


def compiles() -> None:
    """What outlines is compiled, where it never was on this machine; else there is nothing to do before a click."""
    from isocenter.methods.random_walk import compiled

    if not compiled():
        computes()


@cache
def computes() -> None:
    """Outline a ball once: compiled code takes a second to load, and ten to compile where that was never done on this
    machine, of which no click should have to wait."""
    from isocenter.methods.promptable import Click, outline

    z, y, x = np.ogrid[-8:9, -8:9, -8:9]
    ball = np.where(z * z + y * y + x * x < 16, 100.0, 0.0).astype(np.float32)
    grid = Geometry.regular(shape=ball.shape)
    outline(Volume(ball, grid, "intensity", "{arbitrary}"), [Click((8.0, 8.0, 8.0))])


def outlined(
    study: Study, edit: Edit, latest: Sequence[tuple[str, Result]], volumes: Volumes, get: Callable[[str], bytes]
) -> Correction:
    """The region as it is after one act, as something that the reader adds or changes.

    Raises:
        NotFound: no such series or image, or no such region.
        Refused: an act that changes nothing, that has no place or range, or whose region cannot be outlined.
    """
    if edit.how not in HOW:
        raise Refused(f"outlining by '{edit.how}'", f"known are {', '.join(HOW)}", "choose one of these")
    volume = _volume(study, edit, volumes, get)
    before = _before(edit, latest)
    mask, clicks = _mask(volume, edit, before)
    if not mask.any():
        raise Refused(
            "an act that leaves nothing of the region", "a region without voxels says nothing", "strike the finding"
        )
    region = Region(volume.geometry, Shape.MASK, mask, None, volume.series_uid, edit.instance_uid, _label(edit, before))
    numbers = _size(region, volume)
    words = f"{region.label}: {number(numbers[0].value, numbers[0].unit)}."
    drawn: dict[str, Any] = {"tool": edit.how, "said": words, **({"clicks": clicks} if clicks else {})}
    drawn |= {"frame": edit.frame} if edit.instance_uid else {}
    if before is None:
        return Correction(
            Verdict.ADDED, "", what=edit.what or codes.REGION, words=words, measurements=numbers, where=region,
            drawn=drawn,
        )  # fmt: skip
    return Correction(
        Verdict.CHANGED, edit.tracking, before[0], what=edit.what, words=words, measurements=numbers, where=region,
        drawn=drawn,
    )  # fmt: skip


# ---- on what


def _volume(study: Study, edit: Edit, volumes: Volumes, get: Callable[[str], bytes]) -> Volume:
    series = next((s for s in study.series if s.uid == edit.series_uid), None)
    if series is None:
        raise NotFound("this study has no such series", "a region lies on a series of its study", "load it again")
    if edit.instance_uid:
        image = image_of(study, (series.uid, edit.instance_uid, edit.frame), get)
        if image.volume.axes:
            raise Refused("values of a colour image", "a colour is no range to outline", "measure its area")
        return image.volume
    return volumes.of(series, get)


def _before(edit: Edit, latest: Sequence[tuple[str, Result]]) -> _Before | None:
    if not edit.tracking:
        return None
    for id, result in latest:
        for finding in result.findings:
            if finding.tracking == edit.tracking:
                if finding.where is None or finding.where.mask is None:
                    raise Refused("a finding without a region of voxels", "there is nothing to paint on", "add one")
                drawn = result.origin.parameters.get("drawn", {}).get(edit.tracking, {})
                return edit.result or id, finding, drawn
    raise NotFound("no such region on this study", "it may have been undone", "load the findings again")


def _label(edit: Edit, before: _Before | None) -> str:
    if edit.words:
        return edit.words[:64]
    if before is not None and before[1].where is not None and before[1].where.label:
        return before[1].where.label
    return edit.what.meaning if edit.what else "Region"


# ---- the act


def _mask(volume: Volume, edit: Edit, before: _Before | None) -> tuple[npt.NDArray[np.bool_], list[dict[str, Any]]]:
    mask = np.zeros(volume.geometry.shape, dtype=bool)
    if before is not None:
        assert before[1].where is not None
        mask = _moved(before[1].where, volume.geometry)
    if edit.how == "click":
        return _clicked(volume, edit, before, mask)
    return brush.applied(mask, _part(volume, edit), add=edit.add), []


def _moved(where: Region, images: Geometry) -> npt.NDArray[np.bool_]:
    """The voxels of a region on the grid of images that has their centres; a Segmentation holds fewer slices, and often
    in the other order.

    Raises:
        Refused: its voxels lie between those of the images, or outside.
    """
    assert where.mask is not None
    if where.geometry.same_grid(images):
        return where.mask
    try:
        return np.asarray(onto(where.mask, where.geometry, images), bool)
    except Refused as e:
        raise Refused(
            "a region on another grid than these images", "its voxels are not theirs",
            "paint on the series on which it was outlined",
        ) from e  # fmt: skip


def _part(volume: Volume, edit: Edit) -> brush.Part:
    grid = volume.geometry
    if edit.how == "brush" or edit.radius > 0:
        normal = np.array(edit.normal) if edit.normal is not None else None
        if grid.reference is not Reference.PATIENT:
            normal = grid.directions[:, 0]  # one image has one slice
        part = brush.stroke(grid, _points(volume, edit.points), edit.radius, normal)
    elif edit.box is not None:
        part = brush.box(grid, _points(volume, edit.box))
    else:
        raise Refused("a range without a brush or a box", "the whole image would be meant", "draw where it counts")
    if edit.values is None:
        if edit.how == "threshold":
            raise Refused("a threshold without a range", "every value would be meant", "give the range")
        return part
    return brush.within(part, volume.array, *edit.values)


def _clicked(
    volume: Volume, edit: Edit, before: _Before | None, mask: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], list[dict[str, Any]]]:
    """The first click, or a box, makes a region; every further click corrects it as it is then, whatever else was
    painted on it, and never against the clicks before."""
    said = list(before[2].get("clicks", [])) if before is not None else []
    from isocenter.methods.click_correction import corrected  # numba; no command but this one waits for it
    from isocenter.methods.promptable import Click, outline

    held = [Click((c["mm"][0], c["mm"][1], c["mm"][2]), bool(c["inside"])) for c in said if "mm" in c]
    fresh = [Click((p[0], p[1], p[2]), edit.add) for p in _points(volume, edit.points).tolist()]
    if edit.box is not None:
        corners = _points(volume, edit.box).tolist()
        said.append({"box": corners})
        outside = [click for click in held if not click.inside]  # those inside are in the region already
        found = outline(volume, [*outside, *fresh], (tuple(corners[0]), tuple(corners[1])))
        mask, fresh = mask | _placed(found, mask), []
    elif not mask.any():
        found = outline(volume, [*held, *fresh])
        mask, fresh = _placed(found, mask), []
    for click in fresh:
        mask = corrected(volume, mask, click, held)
        held.append(click)
    said += [{"mm": p, "inside": edit.add} for p in _points(volume, edit.points).tolist()]
    return mask, said


def _placed(found: Outlined, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    made = np.zeros_like(mask)
    made[brush.Part(found.mask, found.start, found.stop).cut] = found.mask
    return made


def _points(volume: Volume, given: Points | None) -> Points:
    points = np.asarray(given if given is not None else np.zeros((0, 3)), dtype=np.float64)
    if points.ndim != 2 or points.shape[1] not in (2, 3) or not np.isfinite(points).all():
        raise Refused("points that are no places", "they have finite numbers, two or three each", "draw it again")
    if not len(points):
        return np.zeros((0, 3))
    if points.shape[1] == 3:
        if volume.geometry.reference is not Reference.PATIENT:
            raise Refused(
                "millimetres of a patient on an image without a place in one",
                "they mean nothing there",
                "give columns and rows of the image",
            )
        return points
    if volume.geometry.shape[0] != 1:
        raise Refused("columns and rows on a volume", "they have no depth", "give points_mm")
    return volume.geometry.to_patient(np.column_stack([np.zeros(len(points)), points[:, 1], points[:, 0]]))


# ---- what is told of it


def _size(region: Region, volume: Volume) -> tuple[Measurement, ...]:
    assert region.mask is not None
    told: list[Measurement] = []
    if region.geometry.reference is Reference.PATIENT:
        told.append(Measurement(codes.VOLUME, region.volume_ml, "mL", definition="voxel counting"))
    else:
        pixel = float(np.prod(region.geometry.spacing_mm[1:]))
        unit = "mm2" if region.geometry.reference is Reference.PLANE else "{pixels}"
        told.append(Measurement(codes.AREA, region.voxels * pixel, unit, definition="pixel counting"))
    start, stop = region.bounds
    cut = brush.Part(region.mask, start, stop).cut
    inside = volume.array[cut][region.mask[cut]].astype(np.float64)
    if np.isfinite(inside).all():
        told.append(Measurement(codes.MEAN, float(inside.mean()), volume.unit))
        if inside.size > 1:
            told.append(
                Measurement(codes.STANDARD_DEVIATION, float(inside.std(ddof=1)), volume.unit, definition="n - 1")
            )
    return tuple(told)
