"""The images that a Segmentation was drawn on: where they lie tells where its slices do, and how far apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from isocenter.errors import IsocenterError
from isocenter.record import Study

if TYPE_CHECKING:
    from isocenter.forms.completed import Cited, Drawn

__all__ = ["SourceImages"]


class SourceImages:
    """The images of a study that have a place, series by series, each read once.

    Args:
        study: whole, as the index knows it. files: SOP Instance UID or digest -> bytes.
    """

    def __init__(self, study: Study, files: Callable[[str], bytes]) -> None:
        self._study, self._files = study, files
        self._held: dict[str, Drawn | None] = {}

    def seek(self, cited: Cited) -> Drawn | None:
        """Those that a Segmentation names: its series, else one with an image that it cites; where it names none at
        all, the only ones in its frame of reference.
        """
        here = [s for s in self._study.series if s.modality != "SEG" and any(i.rows for i in s.instances)]
        for uid in cited.series:
            if any(s.uid == uid for s in here):
                return self.of(uid)
        for series in here:
            if any(i.sop_uid in cited.images for i in series.instances):
                return self.of(series.uid)
        framed = [s.uid for s in here if cited.frame and s.frame_of_reference == cited.frame]
        names_none = not cited.series and not cited.images
        return self.of(framed[0]) if len(framed) == 1 and names_none else None

    def of(self, uid: str) -> Drawn | None:
        """Those of one series; None where they are not in the study, or have no place."""
        if uid not in self._held:
            self._held[uid] = self._read(uid)
        return self._held[uid]

    def _read(self, uid: str) -> Drawn | None:
        from isocenter.dicom.assemble import placed_frames
        from isocenter.forms.completed import Drawn

        series = next((s for s in self._study.series if s.uid == uid), None)
        if series is None:
            return None
        try:
            placed = [one for i in series.instances for one in placed_frames(series, i, self._files)]
        except IsocenterError:
            return None
        if not placed:
            return None
        kinds = Counter((one.rows, one.columns, one.spacing) for one in placed)
        ((rows, columns, spacing), _), *_ = kinds.most_common()
        alike = [one for one in placed if (one.rows, one.columns, one.spacing) == (rows, columns, spacing)]
        places = np.array([one.position for one in alike])
        ways = np.array([one.orientation for one in alike])
        return Drawn(uid, places, ways, spacing, (rows, columns), series.frame_of_reference)
