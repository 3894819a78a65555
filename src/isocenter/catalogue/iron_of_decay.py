"""What R2* says of the iron in the liver: by a calibration, and where magnitudes tell decay and not fat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.contrast_agent import after_contrast
from isocenter.catalogue.echo_scan import EchoScan
from isocenter.errors import Refused
from isocenter.methods import fat_magnitude, liver_iron
from isocenter.methods.decay_alone import decay_alone
from isocenter.record import Curve, Finding, Measurement, codes
from isocenter.space import Region, Volume

__all__ = ["excess", "iron_alone", "iron_of", "signal_curve"]

_KNOWN_DECAY, _MOST_FADED = 0.1, 2.66  # of R2*, between fractions of fat; decays by the second echo: 7 % is left
_SCATTERED = 0.4  # of R2*, in the middle half of its neighbourhoods

Mask = npt.NDArray[np.bool_]


def iron_of(r2_star: float, main: Volume, field: float, calibration: str, remarks: list[str]) -> Measurement | None:
    """Iron of a liver (mg/g dry weight) by its R2* (1/s); none, told among the remarks, where none can be given.

    Args:
        main: the scan, whose header tells a contrast agent.
        field: tesla.
        calibration: name of a line, or ``"by field"`` for the one made nearest to it.
    """
    if agent := after_contrast(main.facts):
        remarks.append(f"WARNING: contrast agent ({agent}) adds to R2*, and to fat by its T1: no iron is given")
        return None
    name = calibration
    if name == "by field":
        fitting = liver_iron.calibrations_at(field)
        if not fitting:
            remarks.append(f"no iron is given: no calibration was made at {field:g} T")
            return None
        name = min(fitting, key=lambda c: abs(c.field_t - field)).name
    chosen = liver_iron.CALIBRATIONS[name]
    try:
        value = liver_iron.iron_mg_g(r2_star, field, name)
    except Refused as why:
        remarks.append(f"no iron is given: {why}")
        return None
    return Measurement(
        codes.LIVER_IRON, value, "mg/g", definition=f"{chosen.source}, {chosen.field_t:g} T: {chosen.rule}"
    )


def excess(label: str, where: Region, iron: Measurement, decay: Measurement) -> list[Finding]:
    """More iron than is normal, where there is."""
    if iron.value <= liver_iron.NORMAL_MG_G:
        return []
    words = (
        f"Iron in the liver ({label}): {iron.value:.1f} mg/g dry weight ({iron.definition}), "
        f"{liver_iron.iron_grade(iron.value)}; R2* {decay.value:.0f} 1/s."
    )
    return [Finding(codes.LIVER_IRON_EXCESS, where=where, site=codes.LIVER, measurements=(iron, decay), words=words)]


def iron_alone(
    scan: EchoScan,
    field: float,
    places: Sequence[tuple[str, Mask, int]],
    fitted: fat_magnitude.Magnitudes,
    calibration: str,
    remarks: Sequence[str],
    *,
    drawn: bool,
) -> Answer:
    """R2* and iron of magnitudes that do not tell fat.

    Raises:
        Refused: where the decay hangs on what fat there is, or leaves too little at the second echo; and without a
            drawn liver, for nothing tells it from other tissue then.
    """
    remarks = list(remarks)
    measured: list[Measurement] = []
    findings: list[Finding] = []
    shown = np.full(scan.main.geometry.shape, np.nan, np.float32)
    for label, mask, _ in places:
        lost = 100 * float(fitted.unsound[mask].mean())
        if not drawn:
            raise Refused(
                f"magnitudes too noisy to tell fat in {lost:.0f} % of a region that nobody drew",
                "; ".join((*scan.remarks, "without its fat the liver is not told from other tissue")),
                "draw the liver, for R2* and iron alone, or send the phase images",
            )
        found = decay_alone(scan.magnitude, scan.times_s, field, mask, fitted.noise)
        faded = found.r2_star * float(scan.times_s[1])
        scattered = found.spread > _SCATTERED * found.r2_star
        if scattered or found.high - found.low > _KNOWN_DECAY * found.r2_star or faded > _MOST_FADED:
            raise Refused(
                f"magnitudes too noisy to tell the fat of {label} in {lost:.0f} % of it, and its decay",
                "; ".join(
                    (
                        *scan.remarks,
                        "without phase these echo times leave fat uncertain by more than 3 points, in neighbourhoods "
                        f"too, and R2* between {found.low:.0f} and {found.high:.0f} 1/s, {100 * math.exp(-faded):.0f} "
                        "% of the signal at the second echo",
                    )
                ),
                "send the phase images, or acquire with less noise, shorter echo times or at 3 T",
            )
        remarks.append(
            f"{label}: no fat fraction is given: without phase these echo times leave it uncertain by more than 3 "
            f"points in {lost:.0f} % of it; R2* is {found.low:.0f} to {found.high:.0f} 1/s, whatever the fat up to half"
        )
        shown[mask] = found.rates
        volume_ml = float(mask.sum()) * scan.main.geometry.voxel_volume_mm3 / 1000.0
        decay = Measurement(codes.R2_STAR, found.r2_star, "1/s", definition=f"{label}: median, fat left open")
        measured += [decay, Measurement(codes.VOLUME, volume_ml, "mL", definition=f"{label}: measured voxels")]
        iron = iron_of(found.r2_star, scan.main, field, calibration, remarks)
        if iron is not None:
            measured.append(iron)
            where = Region(scan.main.geometry, mask=mask, series_uid=scan.main.series_uid, label=label)
            findings += excess(label, where, iron, decay)
    more: dict[str, Any] = {
        "measurements": tuple(measured), "maps": {"R2*": scan.main.like(shown, quantity="R2*", unit="1/s")},
        "reasons": tuple(dict.fromkeys(remarks)), "curves": (signal_curve(scan, places[0][1]),),
    }  # fmt: skip
    return Answer.found(*findings, **more) if findings else Answer.none(**more)


def signal_curve(scan: EchoScan, mask: Mask) -> Curve:
    """Mean magnitude of a region over echo time."""
    return Curve(
        "Signal of the liver over echo time", tuple(float(1000 * t) for t in scan.times_s), "echo time", "ms",
        {"mean magnitude": tuple(float(m[mask].mean()) for m in scan.magnitude)}, "{arbitrary}",
    )  # fmt: skip
