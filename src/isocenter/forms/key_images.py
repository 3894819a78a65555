"""Key images of a report: for each finding the image on which it is largest, with its outline.

The outline is that of the screen, so that paper leads back to the image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
        if finding.where is not None and finding.where.voxels and finding.verdict is not Verdict.STRUCK
    ]
    # An observation before what is only measured; of two on the same voxels, the first is enough.
    placed.sort(key=lambda pair: (pair[0].what == codes.STRUCTURE, -(pair[0].where.volume_ml if pair[0].where else 0)))
    pictures: list[Picture] = []
    shown: list[Region | None] = []
    for finding, result in placed:
        if len(pictures) == at_most or finding.where in shown:
            continue
        shown.append(finding.where)
        try:
            pictures.append(_picture(study, finding, result, sources))
        except IsocenterError:
            continue
    return tuple(pictures)


def _picture(study: Study, finding: Finding, result: Result, sources: Sources) -> Picture:
    region = finding.where
    assert region is not None
    assert region.mask is not None
    found = planes(study, region, sources)
    index = max(found, key=lambda k: int(np.count_nonzero(region.mask[k])) if region.mask is not None else 0)
    plane = found[index]
    _, rows, columns = region.geometry.shape
    name = words.name_of(finding)
    said = f"{name}: {region.label or 'outline'}, slice {index + 1} of {region.geometry.shape[0]}"
    svg = plot.key_image(
        rendered(sources(plane.sop_uid), max(0, plane.frame - 1) if plane.frame else 0),
        (rows, columns),
        [plot.Outlined(name, contours(region, index), machine=result.origin.kind == "machine")],
        spacing_mm=region.geometry.spacing_mm[1:],
    )
    return Picture(svg, said)
