"""Faces of heads, sought in all images of one frame of reference before any of them leaves without its person.

Each series is looked at by itself. What is too thin or too odd to tell takes the face that another series of the same
frame of reference showed, if its own skin agrees; where nothing tells, it stays for a person to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

import numpy as np

from isocenter.dicom.aside import Lying
from isocenter.dicom.header import merge, read_header
from isocenter.dicom.visual_features import Cover
from isocenter.errors import IsocenterError
from isocenter.methods.average_head import AverageHead
from isocenter.methods.defacing import LEFT, LITTLE_CM2, Face, face_of, skin_left
from isocenter.record import Series
from isocenter.site.nifti_study import Get
from isocenter.site.volumes import volumes_of
from isocenter.space import Geometry, Volume

__all__ = ["average_head", "faces"]

_FEWEST = 3  # slices of which skin can be measured
_BEYOND_MM = 20.0  # so far may a PET reach beyond the CT that shows that no head is there
_FAINT = (
    "a PET in which no head was found: skin that takes up little is not seen, and no CT or MR of the same frame of"
    " reference shows that there is none"
)


@cache
def average_head() -> AverageHead:
    """The average head that ships: of T1-weighted MR at 4 mm, as `averaging` makes it; notices lie beside it."""
    with resources.files("isocenter.site").joinpath("average_head.npz").open("rb") as file, np.load(file) as held:
        signal, shape = held["signal"], held["signal"].shape
        brain = np.unpackbits(held["brain"], count=signal.size).reshape(shape).astype(bool)
        at = tuple(float(x) for x in held["origin_mm"])
        grid = Geometry.regular(
            shape=shape, spacing_mm=(float(held["spacing_mm"]),) * 3, origin_mm=(at[0], at[1], at[2])
        )
    return AverageHead(Volume(signal, grid), brain)


def faces(images: Sequence[bytes | Lying]) -> Mapping[str, Cover]:
    """What is known of the face in images of one frame of reference, by Series Instance UID."""
    places: dict[str, bytes | Lying] = {}
    records = []
    for one in images:
        try:
            record = read_header(_bytes(one))
        except IsocenterError:
            continue  # what cannot be read is told when it is to leave
        places[record.series[0].instances[0].digest] = one
        records.append(record)
    studies = merge(records, refused=lambda clash: None)
    return _told([s for study in studies for s in study.series], lambda digest: _bytes(places[digest]))


def _told(every: Sequence[Series], get: Get) -> dict[str, Cover]:
    volumes: dict[str, Volume | None] = {s.uid: _largest(s, get) for s in every}
    found: dict[str, Face | IsocenterError | None] = {}
    for series in every:
        volume = volumes[series.uid]
        if volume is None or volume.geometry.shape[0] < _FEWEST:
            continue
        try:
            found[series.uid] = face_of(volume, average_head())
        except IsocenterError as unsure:
            found[series.uid] = unsure
    seen = [f for f in found.values() if isinstance(f, Face)]
    best = max(seen, key=lambda f: (f.skin_cm2, f.brain_agreement), default=None)
    told = {}
    for series in every:
        own = found.get(series.uid)
        if isinstance(own, Face):
            told[series.uid] = _cover(own)
        elif best is not None:
            told[series.uid] = _borrowed(best, volumes[series.uid])
        elif isinstance(own, IsocenterError):
            told[series.uid] = Cover("unsure", str(own))
        elif series.modality == "PT" and not any(_speaks_for(s, series, volumes, found) for s in every):
            told[series.uid] = Cover("unsure", _FAINT)
        else:
            told[series.uid] = Cover("none", "said to be of a head, and no head was found in it")
    return told


def _speaks_for(
    other: Series, pet: Series, volumes: Mapping[str, Volume | None], found: Mapping[str, Face | IsocenterError | None]
) -> bool:
    """Whether another image was looked through and shows that where this PET lies there is no head."""
    own, its = volumes[pet.uid], volumes[other.uid]
    if other.modality not in ("CT", "MR") or own is None or its is None or found.get(other.uid, ...) is not None:
        return False
    mine, theirs = own.geometry.corners_mm()[:, 2], its.geometry.corners_mm()[:, 2]
    return bool(theirs.min() - _BEYOND_MM <= mine.min() and mine.max() <= theirs.max() + _BEYOND_MM)


def _borrowed(face: Face, volume: Volume | None) -> Cover:
    """The face of another series of the same head, unless the skin of this one contradicts it."""
    if volume is not None and volume.geometry.shape[0] >= _FEWEST:
        skin_cm2, left, _ = skin_left(volume, face)
        if skin_cm2 > LITTLE_CM2 and left > LEFT:
            return Cover("unsure", f"{left:.0%} of the facial skin would be left by the cut of another series")
    return _cover(face)


def _cover(face: Face) -> Cover:
    measured = {
        "skin_cm2": round(face.skin_cm2, 1), "left": round(face.left, 4), "depth_mm": round(face.depth_mm, 1),
        "brain_agreement": round(face.brain_agreement, 3), "outline": round(face.fit.outline, 3),
    }  # fmt: skip
    return Cover.of(face.mask, face.geometry.affine, measured)


def _largest(series: Series, get: Get) -> Volume | None:
    try:
        return max(
            volumes_of(series, get), key=lambda v: v.geometry.voxel_volume_mm3 * float(np.prod(v.geometry.shape))
        )
    except (IsocenterError, ValueError):
        return None


def _bytes(one: bytes | Lying) -> bytes:
    return one if isinstance(one, bytes) else one.read_bytes()
