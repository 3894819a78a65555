"""A multi-echo scan put together from its series: complex where phase is there, magnitudes always.

Where each echo came as a series of its own they are put together (`one_scan`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.catalogue import one_scan
from isocenter.catalogue.one_scan import component
from isocenter.errors import Refused
from isocenter.methods import complex_images
from isocenter.space import Reference, Volume

__all__ = ["EchoScan", "gathered", "joined"]


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


def joined(volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    """Volumes of several echoes, and those of one echo each put together where they are of one scan."""
    return one_scan.joined(volumes, "echo")


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
            if same and component(volume) not in group:
                group[component(volume)] = volume
                break
        else:
            groups.append({component(volume): volume})

    def has_phase(group: dict[str, Volume]) -> bool:
        return {"magnitude", "phase"} <= set(group) or {"real", "imaginary"} <= set(group)

    usable = [g for g in groups if has_phase(g) or "magnitude" in g]
    if not usable:
        held = [f"{kind} images of {len(v.axes[0])} echoes" for g in groups for kind, v in g.items() if kind != "phase"]
        if held:
            raise Refused(
                " and ".join(held), "signal needs its real and its imaginary part at every echo", "send what is missing"
            )
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
        phases = [g["phase"] for g in groups if "phase" in g]
        lost = [len(v.axes[0]) for v in phases if v.geometry.same_grid(main.geometry)]
        if lost:
            remarks.append(f"phase images at {max(lost)} of {len(times)} echo times: without the others none was used")
        return EchoScan(main, times, None, np.asarray(main.array), tuple(remarks))
    return EchoScan(main, times, images, np.abs(images), tuple(remarks))
