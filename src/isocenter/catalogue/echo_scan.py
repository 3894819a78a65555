"""A multi-echo scan put together from its series: complex where phase is there, magnitudes always.

Some scanners and archives make a series of each echo. Those of one grid, one repetition time, one flip angle and one
kind (magnitude, phase, …) are echoes of one scan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import complex_images
from isocenter.space import Axis, Reference, Volume

__all__ = ["EchoScan", "gathered", "joined"]

_WORDS = {
    "phase": {"P", "PHASE", "PHASE MAP", "PHASE_MAP", "P_FFE", "1", "1.0"},
    "real": {"R", "REAL", "R_FFE", "2", "2.0"},
    "imaginary": {"I", "IMAGINARY", "I_FFE", "3", "3.0"},
    "magnitude": {"M", "MAGNITUDE", "M_FFE", "0", "0.0"},
}
# What a scanner computed of echoes is no echo.
_MADE = {"W", "WATER", "F", "FAT", "FF", "FAT_FRACTION", "R2_STAR", "R2STAR", "T2_STAR", "T2STAR", "T2_STAR_MAP", "MAP"}
_ONE_SCAN = ("RepetitionTime", "FlipAngle", "MagneticFieldStrength")


@dataclass(frozen=True, eq=False)
class EchoScan:
    """One multi-echo acquisition: complex where it can be made, magnitude always."""

    main: Volume
    times_s: npt.NDArray[np.float64]
    images: npt.NDArray[np.complex64] | None
    magnitude: npt.NDArray[Any]
    remarks: tuple[str, ...]

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


def _component(volume: Volume) -> str:
    facts = volume.facts
    said = [str(w).strip().upper() for w in facts.get("ImageType") or []][2:]
    said += [str(facts[k]).upper() for k in ("ComplexImageComponent", "GEImageKind") if k in facts]
    for name in ("phase", "real", "imaginary", "magnitude"):
        words = {w for w in _WORDS[name] if len(w) > 1 or not w.isdigit() or "GEImageKind" in facts}
        if any(w in words for w in said):
            return name
    return "magnitude"


def joined(volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    """Volumes of several echoes, and those of one echo each put together where they are of one scan."""
    whole = [v for v in volumes if [a.name for a in v.axes] == ["echo"]]
    scans: list[dict[float, Volume]] = []
    for volume in volumes:
        echo_ms = volume.facts.get("EchoTime")
        if volume.axes or volume.geometry.reference is not Reference.PATIENT or not isinstance(echo_ms, (int, float)):
            continue
        if {str(w).strip().upper() for w in volume.facts.get("ImageType") or []} & _MADE:
            continue
        scan = next((s for s in scans if echo_ms not in s and _of_one_scan(next(iter(s.values())), volume)), None)
        if scan is None:
            scans.append({float(echo_ms): volume})
        else:
            scan[float(echo_ms)] = volume
    return (*whole, *(_stacked(scan) for scan in scans if len(scan) > 1))


def _of_one_scan(one: Volume, other: Volume) -> bool:
    same = all(one.facts.get(k) == other.facts.get(k) for k in _ONE_SCAN)
    return same and _component(one) == _component(other) and one.geometry.same_grid(other.geometry)


def _stacked(scan: dict[float, Volume]) -> Volume:
    """Volumes by echo time in ms as one."""
    times = sorted(scan)
    parts = [scan[t] for t in times]
    return replace(
        parts[0],
        array=np.stack([p.array for p in parts]),
        axes=(Axis("echo", tuple(times), "ms"),),
        instance_uids=tuple(uid for p in parts for uid in p.instance_uids),
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
            same = first.geometry.same_grid(volume.geometry) and first.axes[0].values == volume.axes[0].values
            if same and _component(volume) not in group:
                group[_component(volume)] = volume
                break
        else:
            groups.append({_component(volume): volume})

    def has_phase(group: dict[str, Volume]) -> bool:
        return {"magnitude", "phase"} <= set(group) or {"real", "imaginary"} <= set(group)

    usable = [g for g in groups if has_phase(g) or "magnitude" in g]
    if not usable:
        raise Refused("no magnitude images at several echo times", "phase alone says nothing of fat", "send them")
    best = max(
        usable, key=lambda g: (len(next(iter(g.values())).axes[0]) > 2, has_phase(g), next(iter(g.values())).array.size)
    )
    main = best.get("magnitude") or best["real"]
    times = np.array([float(v) for v in main.axes[0].values]) / 1000.0
    for part in best.values():
        if not np.isfinite(part.array).all() or sorted(part.geometry.shape)[1] < 16 or not float(np.ptp(part.array)):
            raise Refused(f"images of {part.geometry.shape} without content", "there is nothing to separate")
    remarks = []
    if len(usable) > 1:
        remarks.append(f"one of {len(usable)} multi-echo acquisitions was measured: series {main.series_uid}")
    if {"magnitude", "phase"} <= set(best):
        images = complex_images.from_magnitude_and_phase(best["magnitude"].array, best["phase"].array)
    elif {"real", "imaginary"} <= set(best):
        images = complex_images.from_parts(best["real"].array, best["imaginary"].array)
    else:
        return EchoScan(main, times, None, np.asarray(main.array), tuple(remarks))
    return EchoScan(main, times, images, np.abs(images), tuple(remarks))
