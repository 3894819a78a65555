"""A result as the plain JSON that the command line and the browser show: coded, with units, without voxels."""

from __future__ import annotations

from typing import Any

from isocenter.record import Code, Finding, Measurement, Result, to_plain
from isocenter.space import Reference, Region

__all__ = ["answer", "place"]


def answer(result: Result) -> dict[str, Any]:
    """What ``isocenter analyse --json`` prints for one result."""
    return {
        "analysis": result.origin.name,
        "version": result.origin.version,
        "study_uid": result.study_uid,
        "answer": result.outcome.value,
        "reasons": list(result.reasons),
        "findings": [_finding(f) for f in result.findings],
        "measurements": [_measurement(m) for m in result.measurements],
        "maps": [
            {
                "name": m.name, "quantity": m.quantity, "unit": m.unit, "kind": m.kind, "digest": m.digest,
                "series_uid": m.series_uid, "low": m.low, "high": m.high,
            }
            for m in result.maps
        ],
        "curves": to_plain(result.curves),
        "model": result.origin.model or None,
        "origin": {"kind": result.origin.kind, "parameters": to_plain(result.origin.parameters)},
        "inputs": list(result.receipt.inputs),
        "seconds": result.receipt.seconds,
    }  # fmt: skip


def place(region: Region | None) -> dict[str, Any] | None:
    """Where a finding is, in a few numbers: series, image, shape, centre, index box and volume; no voxels."""
    if region is None:
        return None
    patient = region.geometry.reference == Reference.PATIENT
    said: dict[str, Any] = {
        "series_uid": region.series_uid,
        "instance_uid": region.instance_uid,
        "shape": region.shape.value,
        "label": region.label,
        "centre_mm": None,
        "bounds": None,
        "volume_ml": None,
    }
    if region.mask is not None and not region.voxels:
        return said
    said["bounds"] = [list(edge) for edge in region.bounds]
    if patient:
        said["centre_mm"] = [round(x, 4) for x in region.centre_mm]
        said["volume_ml"] = region.volume_ml if region.mask is not None else None
    return said


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "tracking": finding.tracking,
        "what": _code(finding.what),
        "certainty": finding.certainty,
        "words": finding.words,
        "verdict": finding.verdict.value,
        "reason": finding.reason,
        "site": _code(finding.site) if finding.site else None,
        "laterality": _code(finding.laterality) if finding.laterality else None,
        "measurements": [_measurement(m) for m in finding.measurements],
        "where": place(finding.where),
    }


def _code(code: Code) -> dict[str, str]:
    return {"code": code.code, "scheme": code.scheme, "meaning": code.meaning}


def _measurement(number: Measurement) -> dict[str, Any]:
    said: dict[str, Any] = {"what": _code(number.what), "value": number.value, "unit": number.unit}
    if number.low is not None and number.high is not None:
        said["low"], said["high"] = number.low, number.high
    if number.definition:
        said["definition"] = number.definition
    if number.percentile is not None:
        said["percentile"], said["norm"] = number.percentile, number.norm
    if number.smallest_change is not None:
        said["smallest_change"] = number.smallest_change
    return said
