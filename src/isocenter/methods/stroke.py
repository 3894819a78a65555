"""From maps of a stroke to volumes: what is lost, what can be saved, and what trials asked.

Core is tissue whose flow lies below 30 % of normal; hypoperfused is tissue whose Tmax is above 6 s; what is
hypoperfused and not core is the mismatch. The cut-offs were found with other programs, and programs differ (Kamalian et
al., AJNR 32 (2011) 1915): a volume has a meaning only with the name of the software that made it.

Trial rules: Albers et al., N Engl J Med 378 (2018) 708 (DEFUSE 3); Campbell et al., N Engl J Med 372 (2015) 1009
(EXTEND-IA); Nogueira et al., N Engl J Med 378 (2018) 11 (DAWN); Ma et al., N Engl J Med 380 (2019) 1795 (EXTEND).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods.components import labelled

__all__ = ["TRIALS", "Mismatch", "Verdict", "mismatch", "trial"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]

TRIALS = ("DEFUSE 3", "EXTEND-IA", "EXTEND", "DAWN")
_NORMAL_S = 4.0  # tissue that the bolus reaches this soon is normal
_SEVERE_S = 10.0
_LEAST_NORMAL = 100  # voxels


@dataclass(frozen=True, eq=False)
class Mismatch:
    """Volumes of a stroke, on one mask of tissue.

    Args:
        core, hypoperfused, severe: masks on the grid of the maps; `severe` is Tmax above 10 s.
        normal_cbf: mean flow of normal tissue, ml/100 g/min, to which the core is relative.
        voxel_ml: of one voxel.
    """

    core: Mask
    hypoperfused: Mask
    severe: Mask
    normal_cbf: float
    voxel_ml: float

    @property
    def penumbra(self) -> Mask:
        """Hypoperfused and not core."""
        return np.asarray(self.hypoperfused & ~self.core)

    @property
    def core_ml(self) -> float:
        """Volume of the core."""
        return float(np.count_nonzero(self.core)) * self.voxel_ml

    @property
    def hypoperfused_ml(self) -> float:
        """Volume of all that is hypoperfused, core included."""
        return float(np.count_nonzero(self.hypoperfused)) * self.voxel_ml

    @property
    def mismatch_ml(self) -> float:
        """Hypoperfused volume less core."""
        return self.hypoperfused_ml - self.core_ml

    @property
    def ratio(self) -> float | None:
        """Hypoperfused volume over core; None without a core, where it is infinite."""
        return self.hypoperfused_ml / self.core_ml if self.core_ml > 0 else None

    @property
    def intensity_ratio(self) -> float | None:
        """Hypoperfusion intensity ratio: volume above 10 s over volume above 6 s; None where nothing is above 6 s."""
        severe = float(np.count_nonzero(self.severe)) * self.voxel_ml
        return severe / self.hypoperfused_ml if self.hypoperfused_ml > 0 else None


def mismatch(
    cbf: Floats,
    tmax_s: Floats,
    tissue: Mask,
    voxel_ml: float,
    *,
    core_share: float = 0.30,
    delay_s: float = 6.0,
    smallest_ml: float = 1.0,
) -> Mismatch:
    """Core, hypoperfused tissue and what lies between.

    A core voxel may have no flow from which a delay could be measured; core therefore counts as hypoperfused. A part of
    low flow that touches no hypoperfused tissue (white matter, an old infarct) is no core.

    Args:
        cbf, tmax_s: maps on one grid, (slices, rows, columns).
        tissue: brain without fluid, skull and large vessels: the mask of both volumes.
        voxel_ml: of one voxel.
        core_share: core lies below this share of normal flow.
        delay_s: hypoperfused lies above this Tmax.
        smallest_ml: connected parts below this are noise.

    Raises:
        Refused: when there is no normal tissue to compare with.
    """
    soon = tissue & (tmax_s <= _NORMAL_S) & (cbf > 0)
    if np.count_nonzero(soon) < _LEAST_NORMAL:
        raise Refused(
            f"{np.count_nonzero(soon)} voxels with Tmax up to {_NORMAL_S:g} s",
            "there is no normal tissue with which the core could be compared",
            "check the arterial input",
        )
    normal = float(cbf[soon].mean())
    least = max(1, int(np.ceil(smallest_ml / voxel_ml)))
    hypoperfused = _solid(tissue & (tmax_s > delay_s), tissue, least)
    low = _solid(tissue & (cbf < core_share * normal), tissue, least)
    core = _touching(low, hypoperfused)
    whole = hypoperfused | core
    severe = whole & (_solid(tissue & (tmax_s > _SEVERE_S), tissue, least) | (core & (tmax_s > _SEVERE_S)))
    return Mismatch(core, whole, severe, normal, voxel_ml)


def _solid(mask: Mask, tissue: Mask, least: int) -> Mask:
    """The mask freed of single voxels, by majority in its slice, and of parts below a size."""
    window = (1, 3, 3)
    share = ndimage.uniform_filter(mask.astype(np.float32), window)
    of = ndimage.uniform_filter(tissue.astype(np.float32), window)
    calm = tissue & (share > 0.5 * of)
    parts, count = labelled(calm)
    if not count:
        return np.asarray(calm, np.bool_)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray((sizes >= least)[parts], np.bool_)


def _touching(low: Mask, hypoperfused: Mask) -> Mask:
    parts, count = labelled(low)
    if not count:
        return np.asarray(low, np.bool_)
    met = np.bincount(parts[hypoperfused].ravel(), minlength=count + 1)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    kept = met >= 0.25 * sizes
    kept[0] = False
    return np.asarray(kept[parts], np.bool_)


@dataclass(frozen=True)
class Verdict:
    """What the imaging rule of a trial says: met or not, or what it needs to know; and why, in words."""

    trial: str
    met: bool | None
    words: str


def trial(
    name: str,
    *,
    core_ml: float,
    mismatch_ml: float,
    ratio: float | None,
    hours: float | None = None,
    age: float | None = None,
    nihss: int | None = None,
) -> Verdict:
    """Whether volumes meet the imaging rule of a trial; nothing but its rule, and never a treatment.

    Args:
        name: one of `TRIALS`.
        ratio: hypoperfused volume over core; None without a core.
        hours: since the patient was last known well.
        age: years.
        nihss: score of the National Institutes of Health Stroke Scale.

    Raises:
        Refused: for a trial that is not among them.

    >>> trial("DEFUSE 3", core_ml=20, mismatch_ml=60, ratio=4.0, hours=8).met
    True
    """
    if name == "DAWN":
        return _dawn(core_ml, hours, age, nihss)
    if name not in TRIALS:
        raise Refused(f"trial '{name}'", f"there are {', '.join(TRIALS)}", "name one of these")
    infinite = ratio is None
    quotient = float("inf") if ratio is None else ratio
    if name == "DEFUSE 3":
        parts = [
            (core_ml < 70.0, "core below 70 mL"),
            (quotient >= 1.8, "ratio at least 1.8"),
            (mismatch_ml >= 15.0, "mismatch at least 15 mL"),
        ]
        window = (6.0, 16.0)
    else:
        parts = [
            (core_ml < 70.0, "core below 70 mL"),
            (quotient > 1.2, "ratio above 1.2"),
            (mismatch_ml > 10.0, "mismatch above 10 mL"),
        ]
        window = (0.0, 6.0) if name == "EXTEND-IA" else (4.5, 9.0)
    said = [f"{words}: {'yes' if met else 'no'}" for met, words in parts]
    if infinite:
        said.append("no core, so the ratio is infinite")
    met = all(m for m, _ in parts)
    inside = _within(hours, window, said)
    return Verdict(name, met and inside if inside is not None or not met else None, _sentence(name, met, inside, said))


def _dawn(core_ml: float, hours: float | None, age: float | None, nihss: int | None) -> Verdict:
    if age is None or nihss is None:
        missing = " and ".join(w for w, v in (("age", age), ("NIHSS", nihss)) if v is None)
        return Verdict("DAWN", None, f"DAWN: {missing} not given; its core limit depends on age and NIHSS")
    # The trial read whole millilitres: up to 20, 30 and 50 are below 21, 31 and 51.
    if age >= 80:
        limit, group = (21.0, "A") if nihss >= 10 else (0.0, "none")
    elif nihss >= 20:
        limit, group = 51.0, "B or C"
    else:
        limit, group = (31.0, "B") if nihss >= 10 else (0.0, "none")
    met = core_ml < limit
    of = f"core {core_ml:.0f} mL, below {limit:g} mL" if limit else "NIHSS at least 10"
    said = [f"group {group}", f"{of}: {'yes' if met else 'no'}"]
    inside = _within(hours, (6.0, 24.0), said)
    return Verdict(
        "DAWN", met and inside if inside is not None or not met else None, _sentence("DAWN", met, inside, said)
    )


def _within(hours: float | None, window: tuple[float, float], said: list[str]) -> bool | None:
    low, high = window
    if hours is None:
        said.append(f"hours since last known well not given; its window is {low:g} to {high:g} h")
        return None
    inside = low <= hours <= high
    said.append(f"{hours:g} h in {low:g} to {high:g} h: {'yes' if inside else 'no'}")
    return inside


def _sentence(name: str, met: bool, inside: bool | None, said: list[str]) -> str:
    if not met or inside is False:
        head = "imaging rule not met"
    else:
        head = "imaging rule met" if inside else "volumes meet the imaging rule"
    return f"{name}: {head} ({'; '.join(said)})"
