"""Velocities of a phase-contrast scan, corrected: without background and wraps, along the axes of the array."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from isocenter.catalogue.flow_scan import FlowScan
from isocenter.errors import Refused
from isocenter.methods import flow_field, flow_path, flow_phase
from isocenter.record import Measurement, codes

__all__ = ["Moving", "along_axes", "coarse", "fastest", "without_background"]

_COARSE_MS = 40.0
_COARSE_MM = 3.0
_LEAST_TURN = 0.8  # divergence of another arrangement over that of the header's, below which the header is not believed

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def coarse(scan: FlowScan) -> list[str]:
    """What the consensus says against a scan as coarse as this one."""
    said = []
    if scan.frame_ms > _COARSE_MS + 0.5:
        said.append(
            f"WARNING: a frame every {scan.frame_ms:.0f} ms, coarser than the 40 ms of the consensus (Bissell 2023): "
            "peak velocity, kinetic energy and wall shear stress come out too low"
        )
    spacing = scan.main.geometry.spacing_mm
    if scan.velocity.shape[2] > 1 and max(spacing) > _COARSE_MM:
        said.append(f"voxels of {max(spacing):.1f} mm, coarser than the 3 mm of the consensus")
    return said


@dataclass(frozen=True, eq=False)
class Moving:
    """What the correction leaves behind for finding vessels: speed in units of noise, and the residual of tissue."""

    moving: Floats
    measured: tuple[Measurement, ...]


def without_background(scan: FlowScan, order: int, remarks: list[str]) -> tuple[FlowScan, Moving]:
    """Velocities without background and wraps, and what the correction leaves behind.

    Args:
        scan: put together (`flow_scan.gather`).
        order: of the polynomial through stationary tissue; 0 takes nothing off.
        remarks: what is worth saying is added.

    Raises:
        Refused: no magnitudes.
    """
    from scipy.ndimage import binary_dilation

    if scan.magnitude is None:
        raise Refused(
            "no magnitude images of the same grid and beat",
            "tissue that keeps still cannot be told from noise without them",
            "send the magnitude series too",
        )
    still = flow_phase.steadiness(scan.velocity, scan.magnitude.mean(axis=0, dtype=np.float32), scan.venc_m_s)
    velocity, mean = scan.velocity.copy() if not order else scan.velocity, still.mean
    measured: list[Measurement] = []
    if order:
        found = flow_phase.background(still, order)
        velocity, mean = flow_phase.without(velocity, found.field), mean - found.field
        for name, values in (("before", found.before), ("after", found.after)):
            size = 100.0 * float(np.sqrt(np.mean(np.square(values))))
            words = f"root mean square {name} correction, polynomial of order {order}, {found.voxels} voxels"
            measured.append(Measurement(codes.BACKGROUND_VELOCITY, size, "cm/s", definition=words))
    else:
        remarks.append("the background was not corrected: an offset of 1 cm/s over an aorta is about 0.3 L/min")
    moving = flow_path.moving_blood(still, mean)
    around = binary_dilation(moving > 1.5, iterations=2) & still.tissue
    changed = flow_phase.unwrap_all(velocity, scan.venc_m_s, around)
    if changed:
        remarks.append(f"{changed} voxels and frames beyond VENC were unwrapped")
    return replace(scan, velocity=velocity), Moving(moving, tuple(measured))


def along_axes(scan: FlowScan, inside: Mask, arrangement: str, remarks: list[str]) -> Floats:
    """Velocities along the axes of the array, once mass has been asked whether the directions are right.

    Raises:
        Refused: fewer than three directions, or directions that lose mass.
    """
    from scipy.ndimage import binary_erosion

    frame = np.linalg.svd(scan.towards)[1] if len(scan.towards) == 3 else np.zeros(3)
    if len(scan.towards) != 3 or frame.min() < 0.5:
        raise Refused(
            f"{len(scan.towards)} directions of velocity of which {int((np.abs(scan.towards).sum(axis=1) > 0).sum())} "
            "say where they point",
            "flow in a volume needs three that stand across each other",
            "send all three velocity series with their directions",
        )
    turn = scan.directions.T @ np.linalg.inv(scan.towards)  # components -> patient -> axes of the array
    peak = fastest(scan.velocity, inside)
    turned: Floats = np.einsum("ij,j...->i...", turn.astype(np.float32), scan.velocity)
    spacing = scan.main.geometry.spacing_mm
    core = binary_erosion(inside)
    core = core if core.sum() > 50 else inside
    order, signs, best, given = flow_field.arrangement(flow_field.slopes(turned[:, peak], inside, spacing), core)
    if best < _LEAST_TURN * given and (order, signs) != ((0, 1, 2), (1, 1, 1)):
        named = ("slices", "rows", "columns")
        told = ", ".join(
            f"{'-' if s < 0 else ''}{named[o]} along {n}" for o, s, n in zip(order, signs, named, strict=True)
        )
        if arrangement == "as written":
            raise Refused(
                f"directions of velocity that lose mass: divergence {given:.1f} 1/s as written, {best:.1f} with {told}",
                "order or sign of the components is not as the header says",
                "check the scan, or arrangement='conserve mass' to take what fits",
            )
        turned = np.stack([s * turned[o] for o, s in zip(order, signs, strict=True)]).astype(np.float32)
        remarks.append(
            f"directions were taken as mass is conserved, not as written: {told}; the overall sign is not known"
        )
    tilt = float(np.degrees(np.arccos(np.clip(np.abs(turn).max(axis=1).min(), 0, 1))))
    if tilt > 5.0 and np.count_nonzero(np.abs(scan.towards) > 0.99) == 3:
        remarks.append(
            f"slices lie {tilt:.0f}° off the patient's axes, along which the header says velocity is encoded; some "
            "makers write the nearest name of a tilted axis"
        )
    return turned


def fastest(velocity: Floats, inside: Mask) -> int:
    """The frame in which blood moves most."""
    return int(np.argmax([float(np.mean(velocity[:, t][:, inside] ** 2)) for t in range(velocity.shape[1])]))
