"""Which findings are measurements of one outlined segment, so that a reader answers the lesion and not each analysis.

Volumetry, uptake and radiomics each measure the same outline of a lesion: three results, one thing to look at. What
they say stays three findings, each traceable to its analysis; a reader answers them together and once.

Two findings are of one segment only where that is sure: two results that read the same outlines (one SEG or RTSTRUCT),
the same name, and the same place within the coarser grid's voxel. What two people outlined, or a reader has redrawn,
is answered by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from isocenter.errors import Refused
from isocenter.record import Finding, Result, Study, codes

__all__ = ["must_be_one", "segments"]

_OUTLINES = frozenset({"SEG", "RTSTRUCT"})
_MEASURED = (codes.STRUCTURE, codes.REGION)  # what only gives numbers of an outline, and calls it nothing
_ALIKE = 1.5  # volumes of one outline on two grids differ by less than this factor


@dataclass
class _Segment:
    """Findings of one outline while they are gathered."""

    drawn: frozenset[str]  # outlines that every one of them read
    members: list[tuple[str, Finding]] = field(default_factory=list)  # (id of its result, finding)

    def takes(self, result: str, finding: Finding, drawn: frozenset[str]) -> bool:
        if not self.drawn & drawn or any(held == result for held, _ in self.members):
            return False  # what one analysis tells apart stays apart
        return _one_place(self.members[0][1], finding)


def segments(study: Study, latest: Sequence[tuple[str, Result]]) -> Mapping[str, str]:
    """Tracking identity -> that of the finding under which it is answered, where several are of one segment.

    It stands under the one that calls the lesion something (increased uptake) before those that only measure it, and
    never under what is for research.

    Args:
        latest: (id, Result) of the study, the newest of each chain, as the reader may see them.
    """
    outlines = {s.uid for s in study.series if s.modality in _OUTLINES}
    found: list[_Segment] = []
    for id, result in latest:
        drawn = frozenset(outlines.intersection(result.receipt.series))
        if not drawn:
            continue
        for finding in result.findings:
            if not _is_outlined(finding):
                continue
            mine = next((s for s in found if s.takes(id, finding, drawn)), None)
            if mine is None:
                mine = _Segment(drawn)
                found.append(mine)
            mine.drawn &= drawn
            mine.members.append((id, finding))
    under: dict[str, str] = {}
    for segment in (s for s in found if len(s.members) > 1):
        first = min((f for _, f in segment.members), key=lambda f: (f.research, f.what in _MEASURED))
        under |= {f.tracking: first.tracking for _, f in segment.members}
    return under


def must_be_one(study: Study, latest: Sequence[tuple[str, Result]], trackings: Collection[str]) -> None:
    """Go on only with findings of one segment: no finding is decided together with another that it does not show.

    Raises:
        Refused: they are not.
    """
    under = segments(study, latest)
    if len({under.get(tracking, tracking) for tracking in trackings}) > 1:
        raise Refused(
            "one answer for findings of several segments",
            "each finding is looked at and answered by itself; only measurements of one outline go together",
            "answer them one after the other",
        )


def _is_outlined(finding: Finding) -> bool:
    where = finding.where
    return bool(where and where.label and where.mask is not None and where.voxels and finding.tracking)


def _one_place(one: Finding, other: Finding) -> bool:
    assert one.where is not None and other.where is not None
    mine, its = one.where, other.where
    grids = mine.geometry, its.geometry
    frame = grids[0].frame_of_reference
    if mine.label != its.label or not frame or frame != grids[1].frame_of_reference:
        return False
    sizes = sorted((mine.volume_ml, its.volume_ml))
    apart = float(np.linalg.norm(np.asarray(mine.centre_mm) - np.asarray(its.centre_mm)))
    return sizes[1] <= _ALIKE * sizes[0] and apart <= max(max(grid.spacing_mm) for grid in grids)
