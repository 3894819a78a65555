"""The Volumes of a series, with words on what of it was left out or met twice.

Everything here can travel to another process: an analysis reads and decodes its images where it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from isocenter.errors import NotAVolume
from isocenter.record import Series
from isocenter.site.nifti_study import Get, holds_nifti, volume_in
from isocenter.space import Volume

__all__ = [
    "Files", "in_one", "joined", "largest", "largest_over_gaps", "of_beds", "over_gaps", "volumes_of", "with_words",
]  # fmt: skip

_FAULTS = 3  # that are told of images that make no stack


@dataclass(frozen=True)
class Files:
    """Read a stored file by its SOP Instance UID or by its digest."""

    get: Get
    digests: Mapping[str, str]

    def __call__(self, key: str) -> bytes:
        return self.get(self.digests.get(key, key))


def volumes_of(series: Series, get: Get) -> list[Volume]:
    """All volumes of a series, best first."""
    from isocenter.dicom.assemble import assemble

    if holds_nifti(series):
        return [volume_in(series, get)]
    volumes = assemble(series, Files(get, {i.sop_uid: i.digest for i in series.instances}))
    told = (
        (
            v,
            (
                *_not_assembled(v, series),
                *_doubled(v, series),
                *_lacking(v, series),
                *_again(v, series),
                *_shared_out(v, series),
            ),
        )
        for v in volumes
    )
    return [with_words(v, *words) if words else v for v, words in told]


def over_gaps(series: Series, get: Get, gap: NotAVolume) -> Volume:
    """A series with missing slices, for structures that keep away from them.

    Raises:
        NotAVolume: the fault that was met, where it is no such gap.
    """
    from isocenter.dicom import assemble

    try:
        found = assemble.over_gaps(series, Files(get, {i.sop_uid: i.digest for i in series.instances}))
    except NotAVolume:
        raise gap from None
    return with_words(found, f"WARNING: {series.named} is not whole ({gap.what}): structures that reach the gap "
                              "are not measured")  # fmt: skip


def largest(series: Series, get: Get) -> Volume:
    """The first volume of a series, its largest.

    Raises:
        NotAVolume: it gives none.
    """
    volumes = volumes_of(series, get)
    if not volumes:
        raise NotAVolume(f"{series.named}", "it gave no volume")
    return volumes[0]


def largest_over_gaps(series: Series, get: Get) -> Volume:
    """The same of a series with missing slices, for structures that keep away from them."""
    return over_gaps(series, get, NotAVolume(series.named, "its slices make no volume", "export it again"))


def in_one(chosen: list[Series]) -> Series:
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


def of_beds(chosen: Sequence[Series], get: Get) -> Volume:
    """The largest volumes of series that are beds of one PET, as one."""
    return joined([largest(s, get) for s in chosen])


def joined(beds: Sequence[Volume]) -> Volume:
    """Beds of one PET as one."""
    from isocenter.methods import pet_beds

    return beds[0] if len(beds) == 1 else pet_beds.joined(beds)


def _doubled(volume: Volume, series: Series) -> list[str]:
    """In words, how many images of a series were copies of others, and read once."""
    many = len(volume.facts.get("DoubledInstances", ()))
    return [f"{series.named} holds {many} image{'s'[: many != 1]} twice, which counted once"] if many else []


def _again(volume: Volume, series: Series) -> list[str]:
    """In words, which slices of a cine were measured once more."""
    slices = volume.facts.get("MeasuredAgain", ())
    which = f"slice{'s'[: len(slices) != 1]} {', '.join(str(n) for n in slices)} of {series.named}"
    return (
        [f"{which} {'was' if len(slices) == 1 else 'were'} measured again: the later images were taken"]
        if slices
        else []
    )


def _shared_out(volume: Volume, series: Series) -> list[str]:
    """In words, that slices of a cine had different numbers of phases."""
    if not (said := volume.facts.get("PhasesAtShares")):
        return []
    many = " and ".join(filter(None, (", ".join(str(n) for n in said[:-1]), str(said[-1]))))
    return [
        f"slices of {series.named} have {many} phases: of each those nearest to {said[0]} even shares of its own beat "
        "were taken"
    ]


def _lacking(volume: Volume, series: Series) -> list[str]:
    """In words, which times of a dynamic scan, or echoes, were left out because images of them are not there."""
    if echoes := volume.facts.get("EchoesLacking"):
        slices = volume.geometry.shape[0]
        each = [f"the echo at {ms:g} ms lacks {many} of {slices} slices" for ms, many in echoes.items()]
        return [f"WARNING: images of {series.named} are missing: {'; '.join(each)} and was left out"]
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


def with_words(volume: Volume, *words: str) -> Volume:
    """A volume with more to tell of it."""
    return replace(volume, facts={**volume.facts, "Told": [*volume.facts.get("Told", ()), *words]})
