"""Key images of a report: for each finding the image on which it is largest, with its outline.

The outline is that of the screen, so that paper leads back to the image. A small finding is enlarged, and its caption
says so: a plaque of three pixels cannot be seen on a picture of the whole chest.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.dicom.pixels import rendered
from isocenter.errors import IsocenterError
from isocenter.forms import plot, words
from isocenter.forms.contours import contours
from isocenter.forms.maker import Sources
from isocenter.forms.pdf import Picture
from isocenter.forms.planes import planes
from isocenter.record import Finding, Result, Study, Verdict, codes
from isocenter.space import Region

__all__ = ["key_images"]


def key_images(study: Study, results: Sequence[Result], sources: Sources, *, at_most: int = 6) -> tuple[Picture, ...]:
    """One picture for each finding that has a place, the largest findings first.

    A finding whose image cannot be drawn (no place on an image, pixels that no decoder takes) has no picture; the
    report's words and numbers are not the worse for it.
    """
    placed = [
        (finding, result)
        for result in results
        for finding in result.findings
        if finding.where is not None
        and finding.where.voxels
        and finding.verdict is not Verdict.STRUCK
        and not finding.research
    ]
    # An observation before what is only measured; of two on the same voxels, the first is enough.
    placed.sort(key=lambda pair: (pair[0].what == codes.STRUCTURE, -(pair[0].where.volume_ml if pair[0].where else 0)))
    names = Counter(words.name_of(finding) for finding, _ in placed)
    pictures: list[Picture] = []
    shown: list[Region | None] = []
    for finding, result in placed:
        if len(pictures) == at_most or finding.where in shown:
            continue
        shown.append(finding.where)
        try:
            alike = names[words.name_of(finding)] > 1
            pictures.append(_picture(study, finding, result, sources, alike=alike))
        except IsocenterError:
            continue
    return tuple(pictures)


def _picture(study: Study, finding: Finding, result: Result, sources: Sources, *, alike: bool) -> Picture:
    region = finding.where
    assert region is not None
    assert region.mask is not None
    found = planes(study, region, sources)
    index = max(found, key=lambda k: int(np.count_nonzero(region.mask[k])) if region.mask is not None else 0)
    plane = found[index]
    _, rows, columns = region.geometry.shape
    name = words.name_of(finding)
    said = f"{name}: {region.label or 'outline'}, slice {index + 1} of {region.geometry.shape[0]}"
    png = rendered(sources(plane.sop_uid), max(0, plane.frame - 1) if plane.frame else 0)
    box = _near(region.mask[index], region.geometry.spacing_mm[1:])
    lines = contours(region, index)
    if box is not None and (cut := _cut(png, (rows, columns), box)) is not None:
        png, (rows, columns) = cut, (box[0].stop - box[0].start, box[1].stop - box[1].start)
        lines = [np.asarray(line) - (box[1].start, box[0].start) for line in lines]
        said += ", enlarged"
    # What is only measured has no name of its own but that of its outline, and five lesions are told apart by theirs.
    shown = region.label if (alike or finding.what == codes.STRUCTURE) and region.label else name
    svg = plot.key_image(
        png,
        (rows, columns),
        [plot.Outlined(shown, lines, machine=result.origin.kind == "machine")],
        spacing_mm=region.geometry.spacing_mm[1:],
    )
    return Picture(svg, said)


def _near(mask: npt.NDArray[np.bool_], mm: tuple[float, float]) -> tuple[slice, slice] | None:
    """Rows and columns about a small outline, a square of four times its extent and at least 100 mm; None where that
    is most of the image anyway.
    """
    edges = [np.flatnonzero(mask.any(axis=1 - axis)) for axis in (0, 1)]
    side_mm = max(100.0, 4.0 * max((e[-1] - e[0] + 1) * s for e, s in zip(edges, mm, strict=True)))
    if side_mm > 0.7 * max(n * s for n, s in zip(mask.shape, mm, strict=True)):
        return None
    cuts = []
    for edge, step, size in zip(edges, mm, mask.shape, strict=True):
        wide = min(size, max(8, round(side_mm / step)))
        first = int(np.clip((edge[0] + edge[-1] + 1) / 2 - wide / 2, 0, size - wide))
        cuts.append(slice(first, first + wide))
    return cuts[0], cuts[1]


def _cut(png: bytes, shape: tuple[int, int], box: tuple[slice, slice]) -> bytes | None:
    """That part of a picture; None where its pixels are not those of the region's grid."""
    from PIL import Image

    whole = Image.open(io.BytesIO(png))
    if whole.size != (shape[1], shape[0]):
        return None
    out = io.BytesIO()
    whole.crop((box[1].start, box[0].start, box[1].stop, box[0].stop)).save(out, "PNG")
    return out.getvalue()
