"""From the series that a plan names to the Volumes and Regions that an analysis is given.

Everything here can travel to another process: an analysis reads and decodes its images where it runs, so that hostile
pixels harm a child that has limits and not the server.
"""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.analysis.apart import beds_apart, left_beside, slices_apart
from isocenter.analysis.need import Dated, Need
from isocenter.errors import IsocenterError, NotAVolume, Refused
from isocenter.record import Series, Study
from isocenter.record.machine_report import MachineReport
from isocenter.site.gaps import clear_of_gaps, clear_of_its_gaps
from isocenter.site.nifti_study import NIFTI, is_nifti, nifti_files, regions_in, volume_in
from isocenter.site.source_images import SourceImages
from isocenter.space import Geometry, Reference, Region, Shape, Volume

__all__ = ["Folder", "Loading", "read_folder", "read_nifti", "regions_of", "safe_name", "volumes_of"]

Get = Callable[[str], bytes]
"""Digest -> the stored file."""

_FAULTS = 3  # that are told of images that make no stack
_OFF_SLICE = 0.1  # of a slice, that images may lie beside the slices of a mask


@dataclass(frozen=True)
class _Files:
    """Read a stored file by its SOP Instance UID or by its digest."""

    get: Get
    digests: Mapping[str, str]

    def __call__(self, key: str) -> bytes:
        return self.get(self.digests.get(key, key))


@dataclass(frozen=True)
class Loading:
    """The inputs of one run, made when called.

    Args:
        study: whole, as the index knows it.
        needs: of the analysis.
        series: need name -> Series Instance UIDs, from the plan.
        get: digest -> bytes; must survive pickling.
        earlier: earlier studies of the patient, for needs that look back.
        image: SOP Instance UID of the one radiograph of its series that is read, from the plan; empty for all.
    """

    study: Study
    needs: Mapping[str, Need]
    series: Mapping[str, tuple[str, ...]]
    get: Get
    earlier: tuple[Study, ...] = ()
    image: str = ""

    def __call__(self) -> dict[str, Any]:
        """Need name -> Volume, tuple of Region or of MachineReport, the first two also `Dated`, or None.

        Raises:
            Refused: when a series does not give what was asked; the message says why.
        """
        given: dict[str, Any] = {}
        for name, need in self._in_order():
            wanted = self.series.get(name, ())
            whole = self.earlier if need.earlier else (self.study,)
            parts = [(study, [self._narrowed(s) for s in study.series if s.uid in wanted]) for study in whole]
            found = [(study, chosen) for study, chosen in parts if chosen]
            if not found:
                given[name] = None
            elif need.earlier or need.dated:
                dated = [_dated(study, self._one(study, chosen, need)) for study, chosen in found]
                given[name] = tuple(sorted(dated, key=lambda d: d.day)) if need.earlier == "all" else dated[0]
            else:
                study, chosen = found[0]
                if given.get(need.instead) and not any(
                    isinstance(r, Region) for held in given.values() for r in held or ()
                ):
                    given[name] = None  # what stands for it is here, and nobody drew on it
                    continue
                if need.gives == "volume" and not need.axis and chosen[0].modality == "US":
                    chosen = [_one_picture(s, [r for held in given.values() for r in held or ()]) for s in chosen[:1]]
                given[name] = self._one(study, chosen, need)
        return clear_of_its_gaps(given)

    def _in_order(self) -> list[tuple[str, Need]]:
        """The needs; outlines on ultrasound first, for they tell which picture of an examination is meant."""
        every = list(self.needs.items())
        bound = {uid for uids in self.series.values() for uid in uids}
        if not any(s.modality == "US" for s in self.study.series if s.uid in bound):
            return every
        return sorted(every, key=lambda one: one[1].gives not in ("regions", "reports"))

    def _one(
        self, study: Study, chosen: list[Series], need: Need
    ) -> Volume | tuple[Volume, ...] | tuple[Region, ...] | tuple[MachineReport, ...]:
        if need.gives == "volumes":
            every = tuple(v for s in chosen for v in volumes_of(s, self.get))
            along = tuple(v for v in every if _along(v, need.axis))
            # Where none has several echoes or flip angles, each series is one: the analysis puts them together.
            given = along or (every if need.axis in ("echo", "flip") else ())
            beside = need.left_apart(chosen, study.series)
            return (_with_words(given[0], *beside), *given[1:]) if given and beside else given
        if need.gives == "regions":
            return tuple(r for s in chosen for r in regions_of(study, s, self.get))
        if need.gives == "reports":
            return _reports(chosen, self.get)
        if need.beds:
            return _with_beds(chosen, study, need, self.get)
        whole = _in_one(chosen)
        try:
            return _fit(volumes_of(whole, self.get), need, whole)
        except NotAVolume as gap:
            if not self._measures_what_is_drawn:
                raise
            return _over_gaps(whole, self.get, gap)

    @property
    def _measures_what_is_drawn(self) -> bool:
        """Whether the analysis looks at nothing but structures that somebody drew."""
        return any(need.gives == "regions" and not need.optional for need in self.needs.values())

    def _narrowed(self, series: Series) -> Series:
        mine = tuple(i for i in series.instances if i.sop_uid == self.image)
        return replace(series, instances=mine) if mine else series

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of every instance that is read."""
        used = {uid for uids in self.series.values() for uid in uids}
        every = (s for study in (self.study, *self.earlier) for s in study.series)
        return tuple(sorted(i.digest for s in every if s.uid in used for i in self._narrowed(s).instances))


def _one_picture(series: Series, beside: Sequence[Any]) -> Series:
    """The picture of an ultrasound examination that is analysed: the one that was outlined, else the first still one.

    An examination is often one series of stills and cines, which together take more memory than there is.

    Args:
        beside: regions (or reports) that were given with it.
    """
    images = [i for i in series.instances if i.rows and i.columns]
    if len(images) < 2:
        return series
    drawn = [one.instance_uid for one in beside if isinstance(one, Region)]
    outlined = [i for uid in drawn for i in images if i.sop_uid == uid]
    chosen = (*outlined, *(i for i in images if i.frames < 2), *images)[0]
    return replace(series, instances=(chosen,))


def _reports(chosen: list[Series], get: Get) -> tuple[MachineReport, ...]:
    from isocenter.forms import machine_report

    return tuple(machine_report.read(get(i.digest)) for s in chosen for i in s.instances)


def _in_one(chosen: list[Series]) -> Series:
    """The times of a dynamic scan, or the slices of a stack, that were sent as series of their own, as one series."""
    first = chosen[0]
    if len(chosen) == 1:
        return first
    shared = {k: v for k, v in first.facts.items() if all(k in s.facts and s.facts[k] == v for s in chosen)}
    images = []
    for one in chosen:
        own = {k: v for k, v in one.facts.items() if k not in shared}
        images += [replace(i, facts={**own, **i.facts}) if own else i for i in one.instances]
    return replace(first, instances=tuple(images), facts=shared)


def _with_beds(chosen: list[Series], study: Study, need: Need, get: Get) -> Volume:
    """One PET, of one series or of beds that came as several, with words on others that show more of the patient."""
    beds = [_of_stacks(volumes_of(s, get), need, s) for s in chosen]
    whole = _joined(beds)
    if len(beds) > 1 and (told := [word for bed in beds for word in bed.facts.get("Told", ())]):
        whole = replace(whole, facts={**whole.facts, "Told": told})
    beside = left_beside(chosen, study.series, need.suits)
    if not beside:
        return whole
    return replace(whole, facts={**whole.facts, "Beds": [*whole.facts.get("Beds", ()), *beside]})


def _of_stacks(volumes: list[Volume], need: Need, series: Series) -> Volume:
    """A PET of one series: its stacks as one image where each is a bed of it, as in some multi-frame objects.

    Their decay must be corrected to one stated moment: only then is no bed brighter for having been scanned earlier.
    """
    moments = {v.facts.get("DecayCorrectionDateTime") for v in volumes}
    if len(volumes) > 1 and len(moments) == 1 and None not in moments:
        try:
            return _joined(volumes)
        except Refused:
            pass  # they are no beds: one is chosen, and the answer names the others
    return _fit(volumes, need, series)


def _of_beds(chosen: Sequence[Series], get: Get) -> Volume:
    return _joined([_largest(s, get) for s in chosen])


def _joined(beds: Sequence[Volume]) -> Volume:
    from isocenter.methods import pet_beds

    return beds[0] if len(beds) == 1 else pet_beds.joined(beds)


def _largest(series: Series, get: Get) -> Volume:
    volumes = volumes_of(series, get)
    if not volumes:
        raise NotAVolume(f"{series.named}", "it gave no volume")
    return volumes[0]


def _largest_over_gaps(series: Series, get: Get) -> Volume:
    return _over_gaps(series, get, NotAVolume(series.named, "its slices make no volume", "export it again"))


def _along(volume: Volume, axis: str) -> bool:
    return not axis or any(a.name == axis and len(a) > 1 for a in volume.axes)


def _dated(study: Study, given: Any) -> Dated:
    if study.date is None:
        raise Refused("a study without a date", "it has no place in time", "complete Study Date")
    return Dated(study.uid, study.date, given)


def volumes_of(series: Series, get: Get) -> list[Volume]:
    """All volumes of a series, best first."""
    from isocenter.dicom.assemble import assemble

    if _is_plain(series):
        return [volume_in(series, get)]
    volumes = assemble(series, _Files(get, {i.sop_uid: i.digest for i in series.instances}))
    told = ((v, (*_not_assembled(v, series), *_doubled(v, series), *_lacking(v, series))) for v in volumes)
    return [_with_words(v, *words) if words else v for v, words in told]


def _over_gaps(series: Series, get: Get, gap: NotAVolume) -> Volume:
    """A series with missing slices, for structures that keep away from them.

    Raises:
        NotAVolume: the fault that was met, where it is no such gap.
    """
    from isocenter.dicom.assemble import over_gaps

    try:
        found = over_gaps(series, _Files(get, {i.sop_uid: i.digest for i in series.instances}))
    except NotAVolume:
        raise gap from None
    return _with_words(found, f"WARNING: {series.named} is not whole ({gap.what}): structures that reach the gap "
                              "are not measured")  # fmt: skip


def _doubled(volume: Volume, series: Series) -> list[str]:
    """In words, how many images of a series were copies of others, and read once."""
    many = len(volume.facts.get("DoubledInstances", ()))
    return [f"{series.named} holds {many} image{'s'[: many != 1]} twice, which counted once"] if many else []


def _lacking(volume: Volume, series: Series) -> list[str]:
    """In words, which times of a dynamic scan were left out because images of them are not there."""
    if not (said := volume.facts.get("TimesLacking")):
        return []
    each = [f"time {n} lacks {many} of {said['slices']} slices" for n, many in said["lacking"].items()]
    rest = f", and {len(each) - _FAULTS} more" if len(each) > _FAULTS else ""
    left = f"{len(each)} of {said['of']} times {'was' if len(each) == 1 else 'were'} left out"
    return [f"WARNING: images of {series.named} are missing: {'; '.join(each[:_FAULTS])}{rest}. {left}"]


def _not_assembled(volume: Volume, series: Series) -> list[str]:
    """In words, why images of a series made no stack beside those that did."""
    if not volume.facts.get("NotAssembled"):
        return []
    faults = list(dict.fromkeys(str(fault) for fault in volume.facts["NotAssembled"]))
    rest = f", and {len(faults) - _FAULTS} faults more" if len(faults) > _FAULTS else ""
    return [
        f"WARNING: {series.named} holds images besides that make no stack and were not looked at: "
        f"{'; '.join(faults[:_FAULTS])}{rest}"
    ]


def regions_of(study: Study, series: Series, get: Get) -> tuple[Region, ...]:
    """Regions that an RTSTRUCT or SEG series draws, on the grid on which they were drawn.

    Raises:
        Refused: when the series is neither, or the images that it refers to are not in the study.
    """
    if _is_plain(series):
        return regions_in(series, get)
    files = _Files(get, {i.sop_uid: i.digest for s in study.series for i in s.instances})
    if series.modality == "SEG":
        from isocenter.forms import seg

        images = SourceImages(study, files)
        drawn = (r for i in series.instances for r in seg.read(files(i.sop_uid), seek=images.seek))
        return _among_slices(tuple(_calibrated(r, study, get) for r in drawn), images)
    if series.modality == "RTSTRUCT":
        return _structures(series, files, _drawn_on(study, series, get))
    raise Refused(f"{series.named} is {series.modality}", "it draws no regions", "give an RTSTRUCT or SEG")


def _is_plain(series: Series) -> bool:
    return any(i.transfer_syntax == NIFTI for i in series.instances)


def _calibrated(region: Region, study: Study, get: Get) -> Region:
    """An outline on a single picture (ultrasound, radiograph) with the length of that picture's pixels.

    A Segmentation of a picture without a place in the patient has pixels and no millimetres of its own. Where the
    picture has several calibrated regions the outline has the scale of the one that it lies in; an outline that lies in
    none, or in two, stays without millimetres.
    """
    if region.geometry.reference is not Reference.PIXEL or not region.instance_uid:
        return region
    for series in study.series:
        mine = tuple(i for i in series.instances if i.sop_uid == region.instance_uid)
        if mine:
            (picture, *_) = volumes_of(replace(series, instances=mine), get)
            same = picture.geometry.shape == region.geometry.shape
            return replace(region, geometry=_scaled(region, picture)) if same else region
    return region


def _scaled(region: Region, picture: Volume) -> Geometry:
    from isocenter.dicom.plane import scales_at

    held = picture.facts.get("UltrasoundRegions")
    if not held or region.mask is None or not region.voxels:
        return picture.geometry
    (_, top, left), (_, bottom, right) = region.bounds
    scales = scales_at(held, left, top, right - 1, bottom - 1)
    if len(scales) != 1:
        return region.geometry
    ((across, down),) = scales
    if (1.0, down, across) == tuple(picture.geometry.spacing_mm):
        return picture.geometry
    return Geometry.regular(shape=picture.geometry.shape, spacing_mm=(1.0, down, across), reference=Reference.PLANE)


def _among_slices(regions: tuple[Region, ...], images: SourceImages) -> tuple[Region, ...]:
    """Outlines with one empty slice more at an end where the images that they were drawn on go on.

    A Segmentation leaves out slices without voxels, so that each structure would seem to end where the images do. One
    whose images are not in the study says so (`Region.imageless`).
    """
    kept = []
    for region in regions:
        grid = region.geometry
        if grid.reference is not Reference.PATIENT or region.shape is not Shape.MASK:
            kept.append(region)
            continue
        drawn_on = images.of(region.series_uid)
        if drawn_on is None:
            kept.append(region.without_images())
            continue
        index = grid.to_index(drawn_on.places)[:, 0]
        if lacking := _without_image(region, index):
            kept.append(_unplaced(region, lacking))
            continue
        ends = grid.to_index(drawn_on.corners)[:, 0]
        before, after = bool((ends < -0.5).any()), bool((ends > grid.shape[0] - 0.5).any())
        kept.append(region.padded((int(before), 0, 0), (int(after), 0, 0)))
    return tuple(kept)


def _without_image(region: Region, index: Any) -> int:
    """How many slices within a mask are empty because no image lies there, where the others have one each.

    Args:
        index: where the images lie, in slices of the mask.
    """
    assert region.mask is not None
    at = np.unique(np.rint(index))
    if not region.voxels or len(at) < 3 or np.abs(index - np.rint(index)).max() > _OFF_SLICE:
        return 0  # a mask on a grid of its own
    if np.median(np.diff(at)) != 1:
        return 0
    filled = np.flatnonzero(region.mask.any(axis=(1, 2)))
    empty = np.setdiff1d(np.arange(filled[0], filled[-1]), filled)
    return int(np.count_nonzero(~np.isin(empty, at)))


def _unplaced(region: Region, lacking: int) -> Region:
    """A structure whose images leave gaps: what it has there is not known, and whoever would measure it is told."""
    assert region.mask is not None
    low, high = (region.geometry.to_patient(np.array(end, float)) for end in region.bounds)
    why = Refused(
        f"'{region.label or 'a structure'}' has {lacking} slices between its first and its last of which no image is "
        "there",
        "images are missing, or their distances differ: its volume would be too small",
        "send all images of the series",
    )
    corners = np.array([low, high, (low + high) / 2])
    return Region.of_unplaced(corners, why, frame=region.geometry.frame_of_reference, label=region.label)


def _structures(series: Series, files: _Files, candidates: list[Callable[[], Volume]]) -> tuple[Region, ...]:
    """The structures of a set on the first series that takes them all, else on that which takes most.

    A series in whose slices they were drawn goes before one whose slices they cross.
    """
    from isocenter.dicom.assemble import regions

    try:
        volume, found = _on_most(series, files, candidates, across=False)
    except Refused:
        return _on_most(series, files, candidates, across=True)[1]
    again = any(r.unplaced is not None for r in found)
    return clear_of_gaps(regions(series, files, volume), volume) if again else found


def _on_most(
    series: Series, files: _Files, candidates: list[Callable[[], Volume]], *, across: bool
) -> tuple[Volume, tuple[Region, ...]]:
    from isocenter.dicom.assemble import regions

    best: tuple[int, Volume, tuple[Region, ...]] | None = None
    first: Refused | None = None
    for onto in candidates:
        try:
            volume = onto()
            found = clear_of_gaps(regions(series, files, volume, across=across), volume)
        except Refused as why:
            if first is None or (isinstance(first, NotAVolume) and not isinstance(why, NotAVolume)):
                first = why
            continue
        missing = sum(r.unplaced is not None for r in found)
        if not missing:
            return volume, found
        if best is None or missing < best[0]:
            best = missing, volume, found
    if best is None:
        assert first is not None  # there was a candidate, and it was refused
        raise first
    return best[1:]


def _drawn_on(study: Study, series: Series, get: Get) -> list[Callable[[], Volume]]:
    """The volumes of the series that a structure set names, else of those in its frame of reference.

    Raises:
        Refused: when none is there.
    """
    named = set(series.facts.get("ReferencedSeriesUIDs", ()))
    images = [s for s in study.series if any(i.rows for i in s.instances) and s.modality != "SEG"]
    named_images = [s for s in images if s.uid in named]
    framed = [s for s in images if series.frame_of_reference and s.frame_of_reference == series.frame_of_reference]
    if not (named_images or framed):
        framed = _by_contours(images, series, get)
    if not (named_images or framed):
        raise Refused(
            "the images on which the structures were drawn are not in the study",
            "contours have no grid without them",
            "send the referenced series as well",
        )
    drawn_on = named_images or framed
    # A scan of which each slice or bed is a series of its own holds outlines only as a whole.
    whole = [*(_in_one(list(stack)) for stack in slices_apart(drawn_on)), *drawn_on]
    beds = beds_apart(
        [s for s in images if s.modality == "PT" and s.frame_of_reference == drawn_on[0].frame_of_reference]
    )
    return [
        *(partial(_largest, one, get) for one in whole),
        *(partial(_of_beds, scan, get) for scan in beds),
        *(partial(_largest_over_gaps, one, get) for one in drawn_on),
    ]


def _by_contours(images: list[Series], series: Series, get: Get) -> list[Series]:
    """The series of which contours name images, where their set names none, and no frame of reference."""
    from isocenter.dicom.regions import images_named

    named = frozenset[str]().union(*(images_named(get(i.digest)) for i in series.instances))
    return [s for s in images if any(i.sop_uid in named for i in s.instances)]


def _fit(volumes: list[Volume], need: Need, series: Series) -> Volume:
    """Of several stacks of a series the first that the analysis is defined on, else the largest, with words on the
    others.
    """
    if not volumes:
        raise NotAVolume(f"{series.named}", "it gave no volume")
    able = [v for v in volumes if _along(v, need.axis)]
    if not able:
        raise Refused(f"{series.named} has no {need.axis} axis", f"the analysis needs {need.sentence()}")
    stacks = [v for v in volumes if v.geometry.reference is Reference.PATIENT and v.array.ndim > 2 and _images(v) > 1]
    suited = [v for v in stacks if v in able and _suits(v, need, series)] if len(stacks) > 1 else []
    chosen = (suited or able)[0]
    left = [v for v in stacks if v is not chosen]
    if len(stacks) < 2:
        return chosen
    told = (
        f"WARNING: {series.named} holds {len(stacks)} stacks of images; one of {_size(chosen)} was "
        f"taken{' as the one that is fit for this' if suited else ''}, and {len(left)} not "
        f"({'; '.join(_size(v) for v in left)}). Send each as a series of its own to have it measured"
    )
    return _with_words(chosen, told)


def _images(volume: Volume) -> int:
    return math.prod((*(len(a) for a in volume.axes), volume.geometry.shape[0]))


def _size(volume: Volume) -> str:
    slices, rows, columns = volume.geometry.shape
    times = "".join(f" x {len(a)} values of {a.name}" for a in volume.axes)
    kind = " ".join(str(w) for w in (volume.facts.get("FrameType") or volume.facts.get("ImageType") or ())[2:] if w)
    return f"{slices} slices{times} of {rows} x {columns}{f', {kind}' if kind else ''}"


def _suits(volume: Volume, need: Need, series: Series) -> bool:
    if need.better is None or (series.modality == "CT" and volume.axes):
        return False
    turn = [float(v) for v in np.ravel(volume.geometry.directions[:, [2, 1]].T)]
    return need.better({"ImageOrientationPatient": turn, **volume.facts})


def _with_words(volume: Volume, *words: str) -> Volume:
    return replace(volume, facts={**volume.facts, "Told": [*volume.facts.get("Told", ()), *words]})


@dataclass(frozen=True)
class Folder:
    """Studies read from a path without any archive: where each file is, by digest.

    Members of a ZIP are laid into a temporary folder, named by digest and never by their own names; it goes away when
    the `with` block ends.
    """

    studies: tuple[Study, ...]
    paths: Mapping[str, str]
    rejected: tuple[tuple[str, str], ...] = ()
    nifti: tuple[tuple[str, Path], ...] = ()
    _spill: Any = field(default=None, repr=False, compare=False)

    def __call__(self, digest: str) -> bytes:
        return Path(self.paths[digest]).read_bytes()

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spill is not None:
            self._spill.cleanup()

    def __reduce__(self) -> tuple[Any, ...]:
        return Folder, ((), dict(self.paths), ())


def read_folder(
    path: Path, *, wrap: Callable[[bytes, str], bytes] | None = None, base: Path | None = None, nifti: bool = False,
    beside: Callable[[str], object] = lambda name: None,
) -> Folder:  # fmt: skip
    """Read a file, folder, ZIP or DICOMDIR: every instance is checked whole before its header is believed.

    Args:
        wrap: makes DICOM of a JPEG or PNG, when images of that kind are wanted.
        base: where what is unpacked is laid for the time being; the system's own place where it is not given.
        nifti: set NIfTI files aside, by name and place, instead of rejecting them.
        beside: hears the name of each file that is passed over because a system wrote it beside the images.
    """
    from isocenter.dicom.header import merge, read_header
    from isocenter.dicom.scan import files_under

    spill = tempfile.TemporaryDirectory(prefix="isocenter-", dir=base)
    records: list[Study] = []
    aside: list[tuple[str, Path]] = []
    paths: dict[str, str] = {}
    rejected: list[tuple[str, str]] = []
    root = path if path.is_dir() else path.parent  # what names are relative to
    with ThreadPoolExecutor(1, thread_name_prefix="digests") as digests:
        for name, given in files_under(path, wrap=wrap, beside=beside):
            if isinstance(given, IsocenterError):
                rejected.append((name, str(given)))
                continue
            if nifti and is_nifti(Path(name)):
                aside.append((name, _laid(root / name, given, name, Path(spill.name) / f"nifti-{len(aside)}")))
                continue
            said = digests.submit(_digest, given)  # while the header is read
            try:
                record = read_header(given, digest=partial(_result, said))
            except IsocenterError as refusal:
                rejected.append((name, str(refusal)))
                continue
            digest = record.series[0].instances[0].digest
            if digest not in paths:
                paths[digest] = _kept(root / name, given, digest, Path(spill.name))
                records.append(record)
    studies = merge(records, refused=lambda clash: rejected.append((path.name, str(clash))))
    # Names of files say nothing of time: a patient's studies are told in the order in which they were made.
    studies.sort(key=lambda study: (str(study.date or ""), study.time, study.uid))
    return Folder(tuple(studies), paths, tuple(rejected), tuple(aside), spill)


def read_nifti(image: Path, masks: Sequence[Path], modality: str) -> Folder:
    """An image in a NIfTI file, with masks of its regions, as a study.

    Raises:
        Refused: as `nifti_files`.
    """
    study, paths = nifti_files(image, masks, modality)
    return Folder((study,), paths)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _result(said: Future[str], _: str) -> str:
    return said.result()


def _kept(here: Path, data: bytes, digest: str, spill: Path) -> str:
    """Where bytes lie: the file that they were read from, or a copy of what was unpacked, wrapped or completed."""
    if _holds(here, data):
        return str(here.resolve())
    (spill / digest).write_bytes(data)
    return str(spill / digest)


def _laid(here: Path, data: bytes, name: str, folder: Path) -> Path:
    """As `_kept`, but by its name, without what a path could mean: a NIfTI file says by nothing else what it is."""
    if _holds(here, data):
        return here.resolve()
    folder.mkdir()
    there = folder / safe_name(name.rpartition("!/")[2])
    there.write_bytes(data)
    return there


def safe_name(name: str) -> str:
    """The last part of a stranger's name of a file, in letters, digits, dots, dashes; at most 60 of them.

    >>> safe_name("a/../../etc/passwd"), safe_name("Leber 1.nii.gz"), safe_name("..")
    ('passwd', 'Leber_1.nii.gz', '_')
    """
    last = re.sub(r"[^\w.-]", "_", name.replace("\\", "/").rpartition("/")[2])[-60:]
    return last if last.strip(".") else "_"


def _holds(here: Path, data: bytes) -> bool:
    return here.is_file() and here.stat().st_size == len(data) and here.read_bytes() == data
