"""Which way, and up to how fast, a phase-contrast image encodes velocity.

The standard has a sequence for it in enhanced MR images. Classic images of makers say it in places of their own:
Siemens in the name of the sequence (``fl3d1_v150fh``), GE in private elements (mm/s, and a number for the direction),
Philips in a private triple in cm/s; else the direction stands, if anywhere, in the words of the series, and so does
the VENC of an export that lost its private elements (``4Dflow_v150_rl``). What is not said is not guessed: a direction
of (0, 0, 0) means that velocity is encoded and nobody wrote where to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ENCODING", "direction_in_words", "encoded", "encoding", "stated"]

ENCODING = "encoding"
"""Key of a frame, and name of the axis: (x, y, z, VENC), a direction in the patient (LPS) and cm/s."""

_TOWARDS = {
    "rl": (1.0, 0.0, 0.0), "lr": (-1.0, 0.0, 0.0), "ap": (0.0, 1.0, 0.0), "pa": (0.0, -1.0, 0.0),
    "fh": (0.0, 0.0, 1.0), "hf": (0.0, 0.0, -1.0), "is": (0.0, 0.0, 1.0), "si": (0.0, 0.0, -1.0),
}  # fmt: skip
# GE's flag of vascular collapse (0043,xx30): along the patient, and along the axes of oblique slices.
_GE_MAGNITUDE = (2, 8)
_GE = {3: "rl", 4: "ap", 5: "si", 9: "rl", 10: "ap", 11: "si"}
_GE_OBLIQUE = (9, 10, 11)
_SIEMENS = re.compile(r"(?:^|_)v(\d+(?:\.\d+)?)_?(in|through|thru|th|rl|lr|ap|pa|fh|hf)", re.IGNORECASE)
_SPOKEN = re.compile(r"(?:^|[^a-z])venc[ _=:-]*(\d{2,3})(?![\d.])", re.IGNORECASE)
_PHASE = frozenset({"P", "PHASE", "PHASE MAP", "VELOCITY", "VELOCITY MAP", "P_PCA", "PC_VELOCITY"})
_SAME_VENC = 0.02
_WORD = re.compile(
    r"(?:^|[^a-z])(r[/>-]{0,2}l|l[/>-]{0,2}r|a[/>-]{0,2}p|p[/>-]{0,2}a|f[/>-]{0,2}h|h[/>-]{0,2}f|s[/>-]{0,2}i|i[/>-]{0,2}s)"
    r"(?:[^a-z]|$)",
    re.IGNORECASE,
)
_THROUGH = re.compile(r"through|thru|(?:^|[^a-z])tp(?:[^a-z]|$)", re.IGNORECASE)

Encoding = tuple[float, float, float, float]


def stated(direction: Any, venc_cm_s: Any) -> Encoding | None:
    """From the standard's elements; None unless both are numbers and velocity is encoded at all.

    >>> stated([0, 0, 2], 150.0)
    (0.0, 0.0, 1.0, 150.0)
    """
    try:
        towards = np.array([float(v) for v in direction], np.float64)
        venc = abs(float(venc_cm_s))
    except (TypeError, ValueError):
        return None
    if towards.shape != (3,) or not np.isfinite(towards).all() or not np.isfinite(venc) or venc == 0:
        return None
    length = float(np.linalg.norm(towards))
    unit = towards / length if length > 1e-6 else np.zeros(3)
    x, y, z = (round(float(v), 4) for v in unit)
    return (x, y, z, venc)


def encoding(facts: Mapping[str, Any], orientation: npt.NDArray[np.float64], words: str = "") -> Encoding | None:
    """Of a classic image; None where its header says nothing of velocity.

    Args:
        facts: of series and image.
        orientation: (6,) of the image.
        words: description of the series.
    """
    found = stated(facts.get("VelocityEncodingDirection"), facts.get("VelocityEncodingMaximumValue"))
    if found is not None:
        return found

    def normal() -> npt.NDArray[np.float64]:  # costs more than all else here, and few images encode a velocity
        return np.asarray(np.cross(orientation[:3], orientation[3:]))

    for text in (facts.get("SequenceName"), facts.get("SiemensVelocity")):
        told = _SIEMENS.search(str(text or ""))
        if told:
            way = told.group(2).lower()
            return stated(_TOWARDS[way] if way in _TOWARDS else normal(), told.group(1))
    venc = None
    speed = facts.get("GEVelocityEncoding")
    if isinstance(speed, (int, float)) and speed:
        venc = float(speed) / 10.0
        code = facts.get("GEFlowDirection")
        if code in _GE_MAGNITUDE:
            return None
        if code in _GE:
            towards = np.array(_TOWARDS[_GE[int(code)]])
            if code in _GE_OBLIQUE:
                towards = _nearest(towards, np.stack([orientation[:3], orientation[3:], normal()]))
            return stated(towards, venc)
    triple = facts.get("PhilipsPCVelocity")
    if isinstance(triple, (list, tuple)) and any(triple):
        venc = _of_triple([abs(float(v)) for v in triple if isinstance(v, (int, float))], facts)
    if not venc:
        return _in_words(facts, orientation, words)
    return stated(direction_in_words(words, orientation), venc)


def direction_in_words(words: str, orientation: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Which way the words of a series say that its images encode; zeros where they do not.

    >>> direction_in_words("4D flow AP", np.array([1.0, 0, 0, 0, 1, 0]))
    (0.0, 1.0, 0.0)
    >>> direction_in_words("4D flow R>>L", np.array([1.0, 0, 0, 0, 1, 0]))
    (1.0, 0.0, 0.0)
    """
    if named := _WORD.search(words):
        return _TOWARDS[re.sub("[/>-]", "", named.group(1)).lower()]
    if not _THROUGH.search(words):
        return (0.0, 0.0, 0.0)
    x, y, z = np.cross(orientation[:3], orientation[3:])
    return (float(x), float(y), float(z))


def _in_words(facts: Mapping[str, Any], orientation: npt.NDArray[np.float64], words: str) -> Encoding | None:
    """Of phase images whose header holds no VENC, as a person wrote it (``4Dflow_v150_rl``, ``flow venc 150 AP``)."""
    if not {str(w).strip().upper() for w in facts.get("ImageType") or ()} & _PHASE:
        return None
    if told := _SIEMENS.search(words):
        way = told.group(2).lower()
        return stated(_TOWARDS.get(way, np.cross(orientation[:3], orientation[3:])), told.group(1))
    spoken = _SPOKEN.search(words)
    return stated(direction_in_words(words, orientation), spoken.group(1)) if spoken else None


def _of_triple(speeds: list[float], facts: Mapping[str, Any]) -> float | None:
    """The VENC of an image among those of a scan's three directions, in an order that no open source tells.

    Where they differ, the image's own is the one at which the coding of its values begins; else it is not known.
    """
    each = sorted({speed for speed in speeds if speed > 0})
    begins = facts.get("RescaleIntercept")
    if len(each) > 1 and isinstance(begins, (int, float)):
        each = [speed for speed in each if abs(abs(float(begins)) - speed) <= _SAME_VENC * speed]
    return each[0] if len(each) == 1 else None


def _nearest(towards: npt.NDArray[np.float64], axes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The axis of the slice that lies closest to a direction of the patient, in its sense."""
    along = axes @ towards
    best = int(np.argmax(np.abs(along)))
    return np.asarray(axes[best] * np.sign(along[best]))


_NOT_MAGNITUDE = frozenset({"P", "PHASE", "VELOCITY", "PHASE MAP", "VELOCITY MAP", "PC_VELOCITY"})


def encoded(facts: Mapping[str, Any], words: Any, described: str) -> dict[str, Any]:
    """The key `ENCODING` of an image; images that say they are magnitudes encode no velocity.

    Args:
        facts: of the image. words: of its Image Type. described: Series Description.
    """
    said = {str(w).strip().upper() for w in words}
    if said & {"M", "MAGNITUDE", "M_FFE", "M_PCA"} and not said & _NOT_MAGNITUDE:
        return {}
    orientation = np.array([float(v) for v in facts["ImageOrientationPatient"]])
    found = encoding(facts, orientation, f"{described} {facts.get('ProtocolName', '')}")
    return {} if found is None else {ENCODING: found}
