"""What an analysis is given for its needs: of the series that a plan names, the Volumes, Regions and reports.

Everything here can travel to another process: an analysis reads and decodes its images where it runs, so that hostile
pixels harm a child that has limits and not the server.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isocenter.analysis.apart import left_beside
from isocenter.analysis.need import Dated, Need
from isocenter.analysis.plan import dated
from isocenter.errors import NotAVolume, Refused
from isocenter.record import Series, Study
from isocenter.record.machine_report import MachineReport
from isocenter.site.drawn import regions_of
from isocenter.site.gaps import clear_of_its_gaps
from isocenter.site.nifti_study import Get
from isocenter.site.volumes import in_one, joined, over_gaps, volumes_of, with_words
from isocenter.space import Reference, Region, Volume

__all__ = ["Loading"]


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
            return (with_words(given[0], *beside), *given[1:]) if given and beside else given
        if need.gives == "regions":
            return tuple(r for s in chosen for r in regions_of(study, s, self.get))
        if need.gives == "reports":
            return _reports(chosen, self.get)
        if need.beds:
            return _with_beds(chosen, study, need, self.get)
        whole = in_one(chosen)
        try:
            fit = _fit(volumes_of(whole, self.get), need, whole)
            return with_words(fit, *words) if (words := need.also_over_time(chosen, study.series)) else fit
        except NotAVolume as gap:
            if not self._measures_what_is_drawn:
                raise
            return over_gaps(whole, self.get, gap)

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


def _with_beds(chosen: list[Series], study: Study, need: Need, get: Get) -> Volume:
    """One PET, of one series or of beds that came as several, with words on others that show more of the patient."""
    beds = [_of_stacks(volumes_of(s, get), need, s) for s in chosen]
    whole = joined(beds)
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
            return joined(volumes)
        except Refused:
            pass  # they are no beds: one is chosen, and the answer names the others
    return _fit(volumes, need, series)


def _fit(volumes: list[Volume], need: Need, series: Series) -> Volume:
    """Of several stacks of a series the first that the analysis is defined on, else the largest, with words on the
    others.
    """
    if not volumes:
        raise NotAVolume(f"{series.named}", "it gave no volume")
    able = [v for v in volumes if _along(v, need.axis)]
    if not able:
        raise Refused(
            f"{series.named} has no {need.axis} axis", f"the analysis needs {need.sentence()}", "choose another series"
        )
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
    return with_words(chosen, told)


def _along(volume: Volume, axis: str) -> bool:
    return not axis or any(a.name == axis and len(a) > 1 for a in volume.axes)


def _images(volume: Volume) -> int:
    return math.prod((*(len(a) for a in volume.axes), volume.geometry.shape[0]))


def _size(volume: Volume) -> str:
    slices, rows, columns = volume.geometry.shape
    times = "".join(f" x {len(a)} values of {a.name}" for a in volume.axes)
    kind = " ".join(str(w) for w in (volume.facts.get("FrameType") or volume.facts.get("ImageType") or ())[2:] if w)
    kernel, thick = (volume.facts.get(k) for k in ("ConvolutionKernel", "SliceThickness"))
    made = [kind, f"kernel {kernel}" if kernel else "", f"{thick:g} mm" if kernel and thick else ""]
    return ", ".join((f"{slices} slices{times} of {rows} x {columns}", *filter(None, made)))


def _suits(volume: Volume, need: Need, series: Series) -> bool:
    if need.better is None or (series.modality == "CT" and volume.axes and not need.axis):
        return False
    turn = [float(v) for v in np.ravel(volume.geometry.directions[:, [2, 1]].T)]
    return need.better({"ImageOrientationPatient": turn, **volume.facts})


def _dated(study: Study, given: Any) -> Dated:
    day = dated(study).date
    if day is None:
        raise Refused("a study without a date", "it has no place in time", "complete Study Date")
    return Dated(study.uid, day, given)
