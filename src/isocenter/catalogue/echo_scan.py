"""A multi-echo scan put together from its series: complex where phase is there, magnitudes always.

Where each echo came as a series of its own they are put together (`one_scan`), and so are series of several echoes each
that go on where another ends, where geometry, protocol and anatomy are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.catalogue import one_scan
from isocenter.catalogue.one_scan import component
from isocenter.errors import Refused
from isocenter.methods import complex_images
from isocenter.methods.fat_spectrum import must_be_of_gradient_echoes
from isocenter.space import Axis, Reference, Volume

__all__ = ["EchoScan", "gathered", "joined"]

_ROUNDED_MS = 0.005

_PROTOCOL = ("RepetitionTime", "FlipAngle", "MagneticFieldStrength", "ScanningSequence", "MRAcquisitionType")
_BLOCK, _BRIGHT, _TEXTURED = 16, 0.1, 0.1  # voxels of a piece that may have moved; signal and contrast that show it
_LEAST_SHARED, _MOST_ALONE = 3, 0.2  # echoes that two parts have in common; share of them that one may lack
_NEARER, _MOST_MOVED = 0.7, 0.1  # unlikeness left after a step to the side, and share of pieces that want one

_PARTS = "EchoParts"  # fact of a volume that was put together: number of the acquisition of each echo
_LEFT = "EchoesLeft"  # fact of a volume: which of its echoes, or runs, were left out, in words

_Parts = dict[str, Volume]


@dataclass(frozen=True, eq=False)
class EchoScan:
    """One multi-echo acquisition: complex where it can be made, magnitude always."""

    main: Volume
    times_s: npt.NDArray[np.float64]
    images: npt.NDArray[np.complex64] | None
    magnitude: npt.NDArray[Any]
    remarks: tuple[str, ...]

    @property
    def parts(self) -> tuple[int, ...]:
        """Which of the acquisitions that were put together each echo came with; empty where it is but one."""
        return tuple(self.main.facts.get(_PARTS, ()))

    def largest_part(self) -> EchoScan:
        """The echoes of the acquisition that brought most of them, of two alike the one with the shorter times."""
        came = np.array(self.parts)
        numbers, first, many = np.unique(came, return_index=True, return_counts=True)
        kept = came == numbers[np.lexsort((first, -many))[0]]
        axis = self.main.axes[0]
        held = replace(
            self.main,
            array=self.main.array[kept],
            axes=(Axis(axis.name, tuple(float(t) for t in np.asarray(axis.values)[kept]), axis.unit),),
            facts={k: v for k, v in self.main.facts.items() if k != _PARTS},
            instance_uids=tuple(u for keep, uids in zip(kept, _by_echo(self.main), strict=True) if keep for u in uids),
        )
        images = None if self.images is None else self.images[kept]
        return replace(self, main=held, times_s=self.times_s[kept], images=images, magnitude=self.magnitude[kept])

    def upright(self) -> EchoScan:
        """The same scan, its axes in the patient's sense: what is computed does not depend on how it was stored."""

        def turned(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
            held = self.main.like(array, quantity="", unit="", axes=self.main.axes)
            return np.ascontiguousarray(held.upright().array)

        return replace(
            self,
            main=self.main.upright(),
            images=None if self.images is None else turned(self.images),
            magnitude=turned(self.magnitude),
        )


def _same_times(one: Volume, other: Volume) -> bool:
    """Whether two parts of a scan have the same echoes; makers round the times of each by itself."""
    mine, others = (np.array([float(t) for t in v.axes[0].values]) for v in (one, other))
    return len(mine) == len(others) and bool(np.abs(mine - others).max() <= _ROUNDED_MS)


def joined(volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    """Volumes of several echoes, and those of one echo each put together where they are of one scan.

    Of a series that was measured several times the first run is taken, and of an echo that it holds twice the first.
    """
    return one_scan.joined(tuple(_first_run(v) for v in volumes), "echo")


def _first_run(volume: Volume) -> Volume:
    if [a.name for a in volume.axes] not in (["time", "echo"], ["echo"]):
        return volume
    *runs, echo = volume.axes
    times = [float(t) for t in echo.values]
    once = sorted((t, n) for n, t in enumerate(times) if t not in times[:n])
    if not runs and len(once) == len(times):
        return volume
    said = f"the scan was repeated {len(runs[0])} times in its series: the first was measured" if runs else ""
    if len(once) < len(times):
        twice = ", ".join(f"{t:g}" for t in sorted({t for t in times if times.count(t) > 1}))
        said = f"echoes at {twice} ms came more than once: the first was measured"
    return _some(volume, once, said)


def _some(volume: Volume, echoes: Sequence[tuple[float, int]], said: str) -> Volume:
    """Some images of a volume as its echoes.

    Args:
        echoes: the time of each (ms), and its place along the leading axes taken together.
        said: what was left out, in words.
    """
    slices, which = volume.geometry.shape[0], [n for _, n in echoes]
    images = [n * slices + k for n in which for k in range(slices)]
    facts = {**volume.facts, _LEFT: said}
    for keyword, taken in (("PerPhase", which), ("PerImage", images)):
        if held := facts.get(keyword):
            facts[keyword] = {word: [values[n] for n in taken] for word, values in held.items()}
    uids = volume.instance_uids
    return replace(
        volume,
        array=volume.array.reshape(-1, *volume.geometry.shape)[which],
        axes=(Axis("echo", tuple(t for t, _ in echoes), "ms"),),
        facts=facts,
        instance_uids=tuple(uids[n] for n in images) if len(uids) > max(images) else (),
    )


def gathered(volumes: tuple[Volume, ...]) -> EchoScan:
    """The acquisition with most echoes, complex before magnitude; series of one echo each are put together (`joined`).

    Raises:
        Refused: when there is none, or it does not lie in the patient.
    """
    groups: list[dict[str, Volume]] = []
    for volume in joined(volumes):
        if [a.name for a in volume.axes] != ["echo"] or volume.geometry.reference is not Reference.PATIENT:
            continue
        for group in groups:
            first = next(iter(group.values()))
            if (
                first.geometry.same_grid(volume.geometry)
                and _same_times(first, volume)
                and component(volume) not in group
            ):
                group[component(volume)] = volume
                break
        else:
            groups.append({component(volume): volume})
    groups = _with_their_phase(groups)
    groups, remarks = _going_on(groups)
    remarks += dict.fromkeys(said for g in groups for v in g.values() if (said := v.facts.get(_LEFT)))

    def has_phase(group: dict[str, Volume]) -> bool:
        return {"magnitude", "phase"} <= set(group) or {"real", "imaginary"} <= set(group)

    usable = [g for g in groups if has_phase(g) or "magnitude" in g]
    if not usable:
        held = [f"{kind} images of {len(v.axes[0])} echoes" for g in groups for kind, v in g.items() if kind != "phase"]
        if held:
            raise Refused(
                " and ".join(held), "signal needs its real and its imaginary part at every echo", "send what is missing"
            )
        _must_not_be_seconds(volumes)
        raise Refused("no magnitude images at several echo times", "phase alone says nothing of fat", "send them")
    best = max(
        usable, key=lambda g: (len(next(iter(g.values())).axes[0]) > 2, has_phase(g), next(iter(g.values())).array.size)
    )
    main = best.get("magnitude") or best["real"]
    times = np.array([float(v) for v in main.axes[0].values]) / 1000.0
    for part in best.values():
        if not np.isfinite(part.array).all() or sorted(part.geometry.shape)[1] < 16 or not float(np.ptp(part.array)):
            raise Refused(
                f"images of {part.geometry.shape} without content",
                "there is nothing to separate",
                "send the loop again",
            )
    if len(usable) > 1:
        remarks.append(f"one of {len(usable)} multi-echo acquisitions was measured: series {main.series_uid}")
    if {"magnitude", "phase"} <= set(best):
        images = complex_images.from_magnitude_and_phase(best["magnitude"].array, best["phase"].array)
    elif {"real", "imaginary"} <= set(best):
        images = complex_images.from_parts(best["real"].array, best["imaginary"].array)
    else:
        phases = [g["phase"] for g in groups if "phase" in g]
        lost = [len(v.axes[0]) for v in phases if v.geometry.same_grid(main.geometry)]
        if lost:
            remarks.append(f"phase images at {max(lost)} of {len(times)} echo times: without the others none was used")
        return EchoScan(main, times, None, np.asarray(main.array), tuple(remarks))
    return EchoScan(main, times, images, np.abs(images), tuple(remarks))


def _must_not_be_seconds(volumes: tuple[Volume, ...]) -> None:
    """Echo times in seconds lie so near to each other that images of several echoes are read as those of one."""
    for volume in volumes:
        written = volume.facts.get("PerPhase", {}).get("EchoTime", ())
        if times := sorted({float(t) for t in written if isinstance(t, (int, float)) and t > 0}):
            must_be_of_gradient_echoes(np.array(times) / 1000.0)


def _with_their_phase(groups: list[_Parts]) -> list[_Parts]:
    """Magnitudes and phase, or both parts, of which one lacks an echo, at the echoes that both have."""
    for one, other in combinations(groups, 2):
        a, b = _first(one), _first(other)
        if one.keys() & other.keys() or not a.geometry.same_grid(b.geometry):
            continue
        mine, others = (np.array([float(t) for t in v.axes[0].values]) for v in (a, b))
        shared = np.abs(mine[:, None] - others) <= _ROUNDED_MS
        most = max(len(mine), len(others))
        alone = len(mine) + len(others) - 2 * int(shared.sum())
        if shared.sum() < _LEAST_SHARED or alone > max(1, _MOST_ALONE * most):
            continue
        left = ", ".join(f"{t:g}" for t in sorted({*mine[~shared.any(axis=1)], *others[~shared.any(axis=0)]}))
        said = f"the echo at {left} ms has not all of its parts (magnitude and phase) and was left out"
        whole = {
            kind: _some(
                part, [(float(part.axes[0].values[n]), int(n)) for n in np.flatnonzero(shared.any(axis=along))], said
            )
            for group, along in ((one, 1), (other, 0))
            for kind, part in group.items()
        }
        return _with_their_phase([*(g for g in groups if g is not one and g is not other), whole])
    return groups


def _going_on(groups: list[_Parts]) -> tuple[list[_Parts], list[str]]:
    """Acquisitions that hold different echoes of one scan put together, and in words which were, or why not."""
    told: list[str] = []
    while True:
        for one, other in combinations(groups, 2):
            if one.keys() != other.keys() or not _first(one).geometry.same_grid(_first(other).geometry):
                continue
            both = sorted((one, other), key=lambda g: g[min(g)].axes[0].values)
            words = " and ".join(_echoes(g) for g in both)
            if why := _apart(*both):
                told.append(f"echoes at {words}, each in a series of its own, were not put together: {why}")
                continue
            groups = [*(g for g in groups if g is not one and g is not other), _together(*both)]
            told = [f"echoes at {words} came in series of their own and were put together"]
            break
        else:
            return groups, told


def _first(group: _Parts) -> Volume:
    return group[min(group)]


def _echoes(group: _Parts) -> str:
    return ", ".join(f"{float(t):g}" for t in _first(group).axes[0].values) + " ms"


def _apart(one: _Parts, other: _Parts) -> str:
    """Why two acquisitions are not one; empty where they are."""
    a, b = _first(one), _first(other)
    twice = sorted({float(t) for t in a.axes[0].values} & {float(t) for t in b.axes[0].values})
    if twice:
        return f"{' and '.join(f'{t:g}' for t in twice)} ms stands in both"
    for keyword in _PROTOCOL:
        said = [g.facts.get(keyword) for g in (a, b)]
        if said[0] != said[1]:
            return f"{keyword} is {said[0]} and {said[1]}"
    if (share := _moved(one, other)) > _MOST_MOVED:
        return (
            f"what lies in {100 * share:.0f} % of the images has moved between them, as from one breath-hold to another"
        )
    return ""


def _brightness(group: _Parts) -> npt.NDArray[np.float32]:
    """Root of the mean square over the echoes."""
    held = [group["magnitude"]] if "magnitude" in group else [group[k] for k in ("real", "imaginary") if k in group]
    if not held:  # a phase tells nothing of where things lie
        return np.zeros(_first(group).geometry.shape, np.float32)
    squares = sum(np.square(v.array, dtype=np.float32).mean(axis=0) for v in held)
    return np.sqrt(np.asarray(squares, np.float32))


def _moved(one: _Parts, other: _Parts) -> float:
    """Share of textured pieces of the images that fit better a voxel or two to the side, or in the next slice."""
    a, b = _brightness(one), _brightness(other)
    steps = [(0, 0, 0), (-1, 0, 0), (1, 0, 0)]
    steps += [(0, n, 0) for n in (-2, -1, 1, 2)] + [(0, 0, n) for n in (-2, -1, 1, 2)]
    still, *aside = (_likeness(a, np.roll(b, step, axis=(0, 1, 2))) for step in steps if abs(step[0]) < len(a))
    pieces = _pieces(a)
    mean = pieces.mean(axis=(2, 4))
    bright = mean > _BRIGHT * mean.max(initial=0.0)
    seen = bright & (pieces.std(axis=(2, 4)) > _TEXTURED * mean)
    if not seen.any():
        return 0.0
    return float((1.0 - np.max(aside, axis=0) < _NEARER * (1.0 - still))[seen].mean())


def _pieces(a: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(slices, pieces down, voxels, pieces across, voxels); what is left at the edges is left out."""
    down, across = (n // _BLOCK for n in a.shape[1:])
    return a[:, : down * _BLOCK, : across * _BLOCK].reshape(len(a), down, _BLOCK, across, _BLOCK)


def _likeness(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Correlation of each piece of one image with that of the other."""
    one, other = (p - p.mean(axis=(2, 4), keepdims=True) for p in map(_pieces, (a, b)))
    size = np.sqrt(np.square(one).sum(axis=(2, 4)) * np.square(other).sum(axis=(2, 4)))
    return np.asarray((one * other).sum(axis=(2, 4)) / np.maximum(size, np.float32(1e-12)))


def _together(one: _Parts, other: _Parts) -> _Parts:
    """The echoes of both, by their times."""
    whole: _Parts = {}
    for kind in one:
        parts = one_scan.comparable([one[kind], other[kind]])
        times = np.array([float(t) for p in parts for t in p.axes[0].values])
        order = np.argsort(times)
        uids = [u for p in parts for u in _by_echo(p)]
        came = [n for p in parts for n in p.facts.get(_PARTS, [0] * len(p.axes[0]))]
        first = len(parts[0].axes[0])
        came = came[:first] + [n + max(came[:first]) + 1 for n in came[first:]]
        whole[kind] = replace(
            parts[0],
            array=np.concatenate([p.array for p in parts])[order],
            axes=(Axis("echo", tuple(float(t) for t in times[order]), "ms"),),
            facts={**parts[0].facts, _PARTS: [came[n] for n in order]},
            instance_uids=tuple(u for n in order for u in uids[n]) if all(uids) else (),
        )
    return whole


def _by_echo(volume: Volume) -> list[tuple[str, ...]]:
    """The images of each echo."""
    each, rest = divmod(len(volume.instance_uids), len(volume.axes[0]))
    uids = volume.instance_uids
    return [() if rest else uids[n * each : (n + 1) * each] for n in range(len(volume.axes[0]))]
