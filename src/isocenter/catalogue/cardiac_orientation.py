"""Whether a cine lies in the patient as its header says, told by what lies beside the left ventricle.

The right ventricle lies to the patient's right and front, lung to the left, back and head. One of the two may lie
elsewhere in a person; both together do where pictures were turned or mirrored after they were made, and so does all
that lies about the ventricle. Empty corners with slanted borders tell of it, too, where the header calls the pictures
original.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.catalogue.one_scan import kind_words
from isocenter.errors import Refused
from isocenter.methods.beside_ventricle import Beside, beside_ventricle
from isocenter.methods.beyond_ventricle import beyond_ventricle
from isocenter.methods.short_axis import Turned
from isocenter.methods.slanted_edges import slanted_deg
from isocenter.methods.usual_surroundings import Lie, lie_of
from isocenter.methods.ventricle import Outlined
from isocenter.space import Geometry, Volume

__all__ = ["must_be_as_made", "must_lie_as_told"]

_BLOOD, _TISSUE = np.array([-0.72, -0.69, 0.0]), np.array([-0.72, -0.36, -0.60])
"""Where blood and tissue lie beside the ventricle: right, front, feet."""
_STRONG, _MOVES_MM2 = 0.15, 30.0
"""Strength of a direction that says something, 0.19 to 0.90 in two patients and 62 virtual hearts, 0.12 in another;
and how much blood must move beside the ventricle, 64 to 970 mm² in the mean of the slices of the same."""
_FAR_DEG = 90.0
"""Of both directions together (root of the sum of squares) that no heart is off: 1 to 49 degrees in two patients and 59
virtual hearts, 55 to 71 in four others, and 63 where fluid lies beside the left lung."""
_MIRRORED_DEG, _OFF_DEG, _WORD_DEG = 50.0, 55.0, 40.0
"""By how much both are nearer to each other than usual in a mirrored picture, and off together, to be refused and told.
Of the same 18 mirrored upside down the first is 60 to 125 and the second 46 to 123; without liver in the picture 59 and
53."""
_USUAL_DEG = (-179.4, -139.7)  # of both under the header of the hearts whose surroundings are held as usual
_TURN_DEG, _ALL_TURN_DEG, _FITS = 50.0, 65.0, 0.5
"""Turn of all that lies about the ventricle that a heart may have, where both sides lie off, too, and where it alone
tells: -42 to 36 degrees in two patients and 113 virtual hearts, with a standard deviation of 14. And the least
correlation with the surroundings of usual hearts from which it alone tells: 0.60 to 0.93 in the same, 0.83 and 0.88 in
the patients."""
_BOTH_DEG = 60.0
"""Of both directions together, off in the same sense, from which a turn beyond `_TURN_DEG` tells; 77 and 83 in two of
the same hearts, whose surroundings are turned by 27 and 36 degrees."""
_FITS_BETTER = 0.05
"""By how much the surroundings must fit better mirrored to be believed where one of the sides is hardly stronger than
the others: -0.4 to 0.16 in the same hearts, of which none has both sides `_FAR_DEG` off."""
_FLIPPED, _FLIPPED_DEG, _FITS_FLIPPED = 0.10, 40.0, 0.7
"""By how much they must fit better flipped about rows or columns, by how much both sides must be nearer to each other
than usual, and how well they must fit then, to be refused. The first is up to 0.06 in two patients and 113 virtual
hearts (-0.34 and -0.12 in the patients); flipped upside down it is -0.06 to 0.08 in 6 of them, and more in the others.
The last keeps chests without liver, which fit neither way."""
_ALONE_DEG = 90.0  # off, in one direction where the other says nothing
_RIGHT_ENDS, _WIDER, _LEAST_MM2 = 0.7, 1.2, 50.0
"""Moving blood beside the apical half, as a part of that beside the basal half: 0.0 to 0.85 in the same hearts, 0.8 to
6.4 where slices were reversed; and the widest cavity as a part of the first, which is asked, too, and lies in the
apical half then and in no heart as it is."""
_BLOOD_BEYOND, _RIGHT_REACHES = 0.15, 0.5
"""By how much more blood lies beyond the last slice than beyond the first, and moving blood as above, to be refused
together, and told where the first is so alone: -0.44 and -0.16 in the patients, -1.0 to -0.3 in the virtual hearts; 0.3
to 0.7 where slices were reversed. Where the stack ends with the last slice, moving blood as much beside the apical half
tells with a cavity that is widest beyond the first third: 4 of 113 virtual hearts have the one, none has both."""


def must_be_as_made(cine: Volume, accept_turned: bool) -> list[str]:
    """Refuse pictures that were turned or cut anew while their header calls them original; or only say so.

    Raises:
        Refused: when what is filled in them ends at straight edges that run aslant.
    """
    if "DERIVED" in kind_words(cine) or (aslant := slanted_deg(cine.array)) is None:
        return []
    what = f"pictures with empty corners whose straight edges run {aslant:.0f}° aslant"
    why = (
        "a scanner leaves rows and columns empty, or what lies round about: they were turned or cut anew after they "
        "were made, and their header does not say so (Image Type DERIVED)"
    )
    if not accept_turned:
        raise Refused(what, why, "send the series as the scanner made it, or accept_turned=True for volumes")
    return [f"WARNING: {what}: {why}"]


def must_lie_as_told(turn: Turned, found: Outlined, accept_turned: bool) -> list[str]:
    """Refuse pictures that lie otherwise than their header says; with `accept_turned` only say so.

    Raises:
        Refused: when the right ventricle and lung lie elsewhere, or the slices run from apex to base.
    """
    _, down, across = turn.geometry.spacing_mm
    beside = beside_ventricle(
        turn.array, found.ed, found.cavity["ed"], found.muscle["ed"], found.slices["ed"], (down, across)
    )
    words = _runs_as_told(turn, found, beside, accept_turned)
    blood, tissue = _off(beside, turn.geometry)
    lie, alone = (_lie(beside, turn.geometry, within_deg) for within_deg in (_TURN_DEG, _ALL_TURN_DEG))
    moves = float(beside.moving_mm2.mean()) >= _MOVES_MM2
    told = [abs(blood)] if moves and beside.blood[1] >= _STRONG else []
    told += [abs(tissue)] if beside.tissue[1] >= _STRONG else []
    together, nearer = float(np.hypot(blood, tissue)), blood - tissue
    mirrored = len(told) == 2 and nearer > _MIRRORED_DEG
    flipped = nearer > _FLIPPED_DEG and lie.flipped > _FLIPPED and lie.fit_mirrored > _FITS_FLIPPED
    sides = len(told) == 2 and (together > _FAR_DEG or (mirrored and together > _OFF_DEG) or flipped)
    elsewhere = moves and together > _FAR_DEG and (lie.turned > 0.0 or lie.mirrored > _FITS_BETTER)
    both = together > _BOTH_DEG and blood * tissue > 0.0
    turned_all = moves and lie.fit > _FITS and (alone.turned > 0.0 or (both and lie.turned > 0.0))
    if sides or elsewhere or turned_all:
        what = (
            f"pictures with the right ventricle {abs(blood):.0f}° and lung {abs(tissue):.0f}° from where the header "
            "has the patient's right and left"
            if sides or elsewhere
            else f"pictures in which all that lies about the ventricle is turned by {abs(lie.turn_deg):.0f}° against "
            "the header"
        )
        why = "they were turned or mirrored against their header, and segments of the wall would be misnamed"
        if not accept_turned:
            raise Refused(what, why, "send the series as the scanner made it, or accept_turned=True for volumes")
        return [*words, f"WARNING: {what}: {why}"]
    doubtful = (
        together > (_WORD_DEG if mirrored else _OFF_DEG) if len(told) == 2 else max(told, default=0.0) > _ALONE_DEG
    )
    if doubtful:
        words.append(
            "WARNING: right ventricle or lung lie on another side of the ventricle than usual: the pictures may be "
            "turned or mirrored against their header, and the segments of the wall misnamed"
        )
    return words


def _runs_as_told(turn: Turned, found: Outlined, beside: Beside, accept_turned: bool) -> list[str]:
    """Refuse slices that run from apex to base, by the right ventricle and by the blood beyond both ends."""
    cavity, slices = found.cavity["ed"], found.slices["ed"]
    areas = cavity[list(slices)].sum(axis=(1, 2), dtype=np.float64)
    beyond = beyond_ventricle(turn.array, cavity, found.muscle["ed"], slices)
    open_apex = beyond.last is not None and beyond.first is not None and beyond.last > beyond.first + _BLOOD_BEYOND
    why = "base and apex are exchanged, so that slices would be counted or left out at the wrong end"
    if _reversed(beside.moving_mm2, areas, slices[-1] + 1 == len(cavity)):
        what = "slices whose right ventricle lies beside the apex, where the header has it"
    elif open_apex and _reaches(beside.moving_mm2, _RIGHT_REACHES):
        what = "slices beyond whose last there is more blood than beyond the first, and a right ventricle beside both"
    elif open_apex:
        return [
            "WARNING: more blood, or fat as bright, lies beyond the apex than beyond the base: slices may run from "
            "apex to base, and be counted or left out at the wrong end"
        ]
    else:
        return []
    if not accept_turned:
        raise Refused(what, why, "send the series with the positions of its slices, or accept_turned=True")
    return [f"WARNING: {what}: {why}"]


def _reversed(moving_mm2: npt.NDArray[np.float64], areas: npt.NDArray[np.float64], ends_there: bool) -> bool:
    """Whether both ventricles are larger towards the apex: a wide middle or a base half seen is not enough."""
    if float(areas.max()) <= _WIDER * float(areas[0]):
        return False
    widest, many = int(areas.argmax()), len(areas)
    if ends_there and 3 * widest >= many and _reaches(moving_mm2, _RIGHT_REACHES):
        return True
    return widest >= many // 2 and _reaches(moving_mm2, _RIGHT_ENDS)


def _reaches(moving_mm2: npt.NDArray[np.float64], part: float) -> bool:
    """Whether beside the apical half more blood moves than a part of that beside the basal half."""
    half = len(moving_mm2) // 2
    basal, apical = float(moving_mm2[: len(moving_mm2) - half].mean()), float(moving_mm2[half:].mean())
    return apical > max(part * basal, _LEAST_MM2)


def _off(beside: Beside, geometry: Geometry) -> tuple[float, float]:
    """By how many degrees blood and tissue lie elsewhere, positive in the sense from blood to tissue."""
    usual, sense = _usual(geometry)
    return sense * _turn(beside.blood[0] - usual[0]), sense * _turn(beside.tissue[0] - usual[1])


def _usual(geometry: Geometry) -> tuple[tuple[float, float], float]:
    """Where both lie by the header, and the sense from blood to tissue."""
    _, down, across = geometry.directions.T
    blood, tissue = (float(np.degrees(np.arctan2(-(side @ down), side @ across))) for side in (_BLOOD, _TISSUE))
    return (blood, tissue), float(np.sign(_turn(tissue - blood))) or 1.0


def _lie(beside: Beside, geometry: Geometry, within_deg: float) -> Lie:
    """How all that lies about the ventricle is turned against the header."""
    usual, sense = _usual(geometry)
    other_hand = sense < 0  # of usual hearts tissue lies counter-clockwise of blood
    first, second = (_turn(now - (-then if other_hand else then)) for now, then in zip(usual, _USUAL_DEG, strict=True))
    return lie_of(beside.pattern, first + _turn(second - first) / 2, within_deg, other_hand=other_hand)


def _turn(degrees: float) -> float:
    """Between -180 and 180.

    >>> _turn(350.0)
    -10.0
    """
    return (degrees + 180.0) % 360.0 - 180.0
