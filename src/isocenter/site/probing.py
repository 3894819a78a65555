"""Flow through planes that a reader sets across a vessel of a 4-D flow scan.

The scan is read and corrected in a process of its own, with the limits of the analysis of flow; what comes back is kept
for a while, so that a plane that is moved answers at once. A look at the study, as any other, stands in the journal.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from isocenter.analysis import plan as planning
from isocenter.analysis.registry import Registry
from isocenter.analysis.run import apart
from isocenter.errors import Refused
from isocenter.govern.policy import Person, must
from isocenter.record import Study
from isocenter.site.loading import Loading

if TYPE_CHECKING:
    from isocenter.catalogue.flow_planes import Corrected
    from isocenter.methods.flow_plane import Flow
    from isocenter.store.blobs import Blobs

__all__ = ["Across", "Probing"]

_ANALYSIS = "flow4d"
_KEPT_FOR = timedelta(minutes=15)
_MOST_BYTES = 2 * 2**30  # of corrected scans in all; the newest stays even where it alone has more
_MOST_PLANES = 2


@dataclass(frozen=True)
class Across:
    """A plane: a point of the patient (LPS, mm) in the vessel, and a normal of any length."""

    point_mm: tuple[float, float, float]
    normal: tuple[float, float, float]


@dataclass(frozen=True)
class _Kept:
    scan: Corrected
    until: datetime


@dataclass
class Probing:
    """Planes across vessels, asked by readers; safe to use from many threads.

    Args:
        look: gives a study as somebody may see it, and tells the journal that they looked.
        alone: correct in a process of its own.
    """

    blobs: Blobs
    registry: Registry
    clock: Callable[[], datetime]
    look: Callable[[str, Person], Study]
    alone: bool = True
    _kept: OrderedDict[tuple[Any, ...], _Kept] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def flow(self, study_uid: str, planes: Sequence[Across], *, who: Person, venc_cm_s: float = 0.0) -> dict[str, Any]:
        """Flow of a beat through one plane or two; of two, what is lost from the first to the second.

        Args:
            venc_cm_s: of every direction, where the header is silent; 0 believes it.

        Returns:
            ``{"planes": [{"rate_ml_s", "forward_ml", ...}], "frame_ms", "lost_percent", "remarks"}``; volumes and
            fractions along the flow, the rate positive along it, too.

        Raises:
            Refused: no plane or more than two, no 4-D flow in the study, or a plane through which no flow is known.
        """
        from isocenter.catalogue.flow_planes import lost_percent

        must(who, "correct", study_uid)
        if not 1 <= len(planes) <= _MOST_PLANES:
            raise Refused(f"{len(planes)} planes", "flow is told of one, or compared between two", "set one or two")
        scan = self._corrected(self.look(study_uid, who), venc_cm_s)
        flows = [scan.through(one.point_mm, one.normal) for one in planes]
        return {
            "planes": [_told(one) for one in flows],
            "frame_ms": scan.frame_ms,
            "lost_percent": lost_percent(*flows) if len(flows) == _MOST_PLANES else None,
            "remarks": list(scan.remarks),
        }

    def _corrected(self, study: Study, venc_cm_s: float) -> Corrected:
        load = self._loading(study)
        key = (study.uid, venc_cm_s, *load.digests)
        with self._lock:  # who asks for what is being corrected waits for it
            now = self.clock()
            for old in [k for k, one in self._kept.items() if one.until <= now]:
                del self._kept[old]
            if key not in self._kept:
                self._kept[key] = _Kept(self._made(load, venc_cm_s), now + _KEPT_FOR)
            self._kept[key] = _Kept(self._kept[key].scan, now + _KEPT_FOR)
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and sum(one.scan.nbytes for one in self._kept.values()) > _MOST_BYTES:
                self._kept.popitem(last=False)
            return self._kept[key].scan

    def _loading(self, study: Study) -> Loading:
        """The series that the analysis of flow would read."""
        analysis = self.registry.get(_ANALYSIS)
        plan = planning.plan([analysis], study)
        if not plan.bindings:
            reasons = "; ".join(plan.declined[0].sentences()) if plan.declined else "no series fits"
            raise Refused("a study without 4-D flow", reasons, "set planes on a scan of velocities")
        return Loading(study, analysis.needs, plan.bindings[0].series, self.blobs.kept)

    def _made(self, load: Loading, venc_cm_s: float) -> Corrected:
        from isocenter.catalogue.flow4d import Flow4D

        work = partial(_read, load, venc_cm_s)
        made = apart(work, Flow4D.limits) if self.alone else work()
        if isinstance(made, Refused):
            raise made
        return made


def _read(load: Loading, venc_cm_s: float) -> Corrected | Refused:
    """The corrected scan, or why there is none: a refusal is an answer, no failure of the process."""
    from isocenter.catalogue.flow_planes import corrected

    try:
        given = load()
        return corrected((*given["velocity"], *(given["magnitude"] or ())), venc_cm_s)
    except Refused as why:
        return Refused(why.what, why.why, why.do)


def _told(flow: Flow) -> dict[str, Any]:
    along = -flow.rate_ml_s if flow.turned else flow.rate_ml_s
    return {
        "rate_ml_s": [float(v) for v in along], "forward_ml": flow.forward_ml, "backward_ml": flow.backward_ml,
        "net_ml": flow.net_ml, "regurgitant_percent": flow.regurgitant_percent, "peak_m_s": flow.peak_m_s,
        "p99_m_s": flow.p99_m_s, "area_mm2": float(flow.area_mm2.mean()), "steady": flow.steady, "turned": flow.turned,
    }  # fmt: skip
