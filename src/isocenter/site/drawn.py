"""The Regions that somebody drew (RTSTRUCT, SEG, masks), on the grid on which they were drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from isocenter.analysis.apart import beds_apart, slices_apart
from isocenter.errors import NotAVolume, Refused
from isocenter.record import Series, Study
from isocenter.site.gaps import clear_of_gaps
from isocenter.site.nifti_study import Get, holds_nifti, regions_in
from isocenter.site.source_images import SourceImages
from isocenter.site.volumes import Files, in_one, largest, largest_over_gaps, of_beds, volumes_of
from isocenter.space import Geometry, Reference, Region, Shape, Volume

__all__ = ["regions_of"]

_OFF_SLICE = 0.1  # of a slice, that images may lie beside the slices of a mask


def regions_of(study: Study, series: Series, get: Get) -> tuple[Region, ...]:
    """Regions that an RTSTRUCT or SEG series draws, on the grid on which they were drawn.

    Raises:
        Refused: when the series is neither, or the images that it refers to are not in the study.
    """
    if holds_nifti(series):
        return regions_in(series, get)
    files = Files(get, {i.sop_uid: i.digest for s in study.series for i in s.instances})
    if series.modality == "SEG":
        from isocenter.forms import seg

        images = SourceImages(study, files)
        drawn = (r for i in series.instances for r in seg.read(files(i.sop_uid), seek=images.seek))
        return _among_slices(tuple(_calibrated(r, study, get) for r in drawn), images)
    if series.modality == "RTSTRUCT":
        return _structures(series, files, _drawn_on(study, series, get))
    raise Refused(f"{series.named} is {series.modality}", "it draws no regions", "give an RTSTRUCT or SEG")


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
    """How many slices within a mask are empty because no image lies there, where others next to each other have one.

    Args:
        index: where the images lie, in slices of the mask.
    """
    assert region.mask is not None
    at = np.unique(np.rint(index))
    if not region.voxels or len(at) < 3 or np.abs(index - np.rint(index)).max() > _OFF_SLICE:
        return 0  # a mask on a grid of its own
    if np.diff(at).min() != 1:  # some images lie as the slices do, however uneven the others
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


def _structures(series: Series, files: Files, candidates: list[Callable[[], Volume]]) -> tuple[Region, ...]:
    """The structures of a set on the first series that takes them all, else on that which takes most.

    A series in whose slices they were drawn goes before one whose slices they cross.
    """
    from isocenter.dicom.regions import regions

    try:
        volume, found = _on_most(series, files, candidates, across=False)
    except Refused:
        return _on_most(series, files, candidates, across=True)[1]
    again = any(r.unplaced is not None for r in found)
    return clear_of_gaps(regions(series, files, volume), volume) if again else found


def _on_most(
    series: Series, files: Files, candidates: list[Callable[[], Volume]], *, across: bool
) -> tuple[Volume, tuple[Region, ...]]:
    from isocenter.dicom.regions import regions

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
            "send the referenced series as well, under the same Study Instance UID",
        )
    drawn_on = named_images or framed
    # A scan of which each slice or bed is a series of its own holds outlines only as a whole.
    whole = [*(in_one(list(stack)) for stack in slices_apart(drawn_on)), *drawn_on]
    beds = beds_apart(
        [s for s in images if s.modality == "PT" and s.frame_of_reference == drawn_on[0].frame_of_reference]
    )
    return [
        *(partial(largest, one, get) for one in whole),
        *(partial(of_beds, scan, get) for scan in beds),
        *(partial(largest_over_gaps, one, get) for one in drawn_on),
    ]


def _by_contours(images: list[Series], series: Series, get: Get) -> list[Series]:
    """The series of which contours name images, where their set names none, and no frame of reference."""
    from isocenter.dicom.regions import images_named

    named = frozenset[str]().union(*(images_named(get(i.digest)) for i in series.instances))
    return [s for s in images if any(i.sop_uid in named for i in s.instances)]
