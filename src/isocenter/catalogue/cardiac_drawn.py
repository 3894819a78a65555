"""The left ventricle as a person drew it: regions named by structure and phase, as the answer of `cardiac_cine`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter.catalogue.cardiac_walls import Ring, unseen, walls
from isocenter.catalogue.mask_grid import only_its_own
from isocenter.errors import Refused
from isocenter.methods import cine
from isocenter.methods.short_axis import turned
from isocenter.methods.ventricle_names import is_inner, is_ventricle, named, says_phase
from isocenter.record import Finding, Measurement, codes
from isocenter.space import Geometry, Region, Volume

__all__ = ["Drawn", "drawn_ventricle"]

_BESIDE = 0.05  # overlap of a cavity and the muscle about it


@dataclass(frozen=True)
class Drawn:
    """Regions by kind and phase: ``endo``, ``epi`` or ``myo`` at ``ED`` or ``ES``.

    Args:
        curve_ml: volume of the cavity in every phase, where all were drawn.
        phases: number of the phase, from 1, that each was drawn on, where its name or its images tell.
    """

    regions: dict[tuple[str, str], Region]
    remarks: tuple[str, ...]
    curve_ml: tuple[float, ...] | None = None
    phases: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def mass_g(self) -> float | None:
        """Muscle at end-diastole on slices that carry both outlines; None where there is only one."""
        if ("myo", "ED") in self.regions:
            return cine.MUSCLE_G_PER_ML * _volume_ml(self.regions["myo", "ED"])
        inner, outer = self.regions.get(("endo", "ED")), self.regions.get(("epi", "ED"))
        if inner is None or outer is None:
            return None
        if not inner.geometry.same_grid(outer.geometry):
            raise Refused("outlines on two grids", "mass is taken slice by slice", "draw both on the cine")
        around, within = outer.slice_mm2, inner.slice_mm2
        both = sorted(around.keys() & within.keys())
        return cine.mass_g([around[k] for k in both], [within[k] for k in both], inner.geometry.disk_mm[0])

    def measured(
        self, heart_rate: float | None, stack: Volume, anterior_deg: float
    ) -> tuple[cine.Ejection | None, tuple[Finding, ...]]:
        """Ejection, where both phases were drawn, and a finding for each region; that of the muscle tells its walls.

        Args:
            stack: the cine that was drawn on. anterior_deg: see `cardiac_walls.walls`.
        """
        findings = []
        by_segment = self._walls(stack, anterior_deg)
        around = next((key for key in (("myo", "ED"), ("epi", "ED")) if key in self.regions), None)
        for (kind, phase), region in self.regions.items():
            what = {"endo": "cavity", "epi": "epicardium", "myo": "muscle"}[kind]
            volume = _volume_ml(region)
            at = f" (phase {n})" if (n := self.phases.get((kind, phase))) else ""
            words = f"Left ventricular {what}, {phase}{at}, as drawn: {volume:.1f} mL."
            if (kind, phase) == around:
                words += unseen(by_segment)
            findings.append(
                Finding(
                    codes.LEFT_VENTRICLE,
                    where=region,
                    measurements=(
                        Measurement(codes.VOLUME, volume, "mL", definition=_how(region)),
                        *(by_segment if (kind, phase) == around else ()),
                    ),
                    site=codes.LEFT_VENTRICLE,
                    words=words,
                )
            )
        inner = [self.regions.get(("endo", phase)) for phase in ("ED", "ES")]
        if inner[0] is None or inner[1] is None:
            return None, tuple(findings)
        volumes = [_volume_ml(r) for r in inner if r is not None]
        if volumes[0] < volumes[1]:
            raise Refused(
                f"a cavity of {volumes[0]:.0f} mL at end-diastole and {volumes[1]:.0f} mL at end-systole",
                "the heart would draw blood in when it beats",
                "exchange the names",
            )
        return cine.ejection(volumes, heart_rate_bpm=heart_rate), tuple(findings)

    def _walls(self, stack: Volume, anterior_deg: float) -> tuple[Measurement, ...]:
        """By segment, from the pixels of both outlines; nothing where they lie on another grid than the cine."""
        turn, rings = turned(stack), {}

        def upright(region: Region) -> npt.NDArray[np.bool_]:
            assert region.mask is not None
            mask = region.mask.transpose(turn.order)
            return np.flip(mask, tuple(axis for axis, flip in enumerate(turn.flips) if flip))

        for phase in ("ED", "ES"):
            inner = self.regions.get(("endo", phase))
            outer = self.regions.get(("myo", phase)) or self.regions.get(("epi", phase))
            if inner and outer and all(r.geometry.same_grid(stack.geometry) for r in (inner, outer)):
                cavity = upright(inner)
                rings[phase.lower()] = Ring(cavity, upright(outer) & ~cavity)
        return walls(rings, turn.geometry.spacing_mm, anterior_deg)


def drawn_ventricle(
    drawn: tuple[Region, ...], onto: Geometry, *, phases: int, images: Sequence[str] = ()
) -> Drawn | None:
    """Regions whose names say structure and phase; None when there are none of such a name.

    Args:
        drawn: by name: "LV endo ED", or "LV endo phase 7" with phases counted from 1; of numbered phases the one of the
            largest cavity is end-diastole, that of the smallest end-systole. Where a name says no phase, that of the
            images counts that it was drawn on. "LV" is the cavity beside a muscle that it does not overlap.
        onto: grid of the cine. phases: that it has. images: its images, phase after phase.

    Raises:
        Refused: when one is named twice, lies in another frame of reference, holds no pixel, or there is no cavity.
    """
    found: dict[tuple[str, str], Region] = {}
    at: dict[int, int] = {}  # which region lies at which phase; a region has another key once phases are ends
    other = []
    for region, key in zip(drawn, _keys(drawn, onto, phases, images), strict=True):
        if key is not None:
            region.must_be_placed()
        if key is None or region.mask is None:
            other.append(region.label or "without a name")
            continue
        region.geometry.must_share_frame(onto)
        if not region.voxels:
            raise Refused(f"the region '{region.label}'", "it holds no pixel of the cine", "draw it on these images")
        if key in found:
            raise Refused(f"two regions for {key[0]} at {key[1]}", "which of them counts is not known", "name one each")
        found[key] = _on_cine(region, onto)
        at[id(found[key])] = int(key[1]) if key[1].isdigit() else _phase_of(region, phases, images)
    if not found:
        return None
    curve = _numbered(found, phases)
    if not any(kind == "endo" for kind, _ in found):
        raise Refused("no endocardium among the regions", "volumes are those of the cavity", "draw LV endo ED and ES")
    remarks = [f"measured from outlines that were drawn: {', '.join(dict.fromkeys(_how(r) for r in found.values()))}"]
    if other:
        remarks.append(f"left out: {', '.join(other)}")
    if not all(("endo", phase) in found for phase in ("ED", "ES")):
        remarks.append("no ejection fraction: the cavity was drawn at one phase only")
    if any(not found[key].geometry.same_grid(onto) for key in (("epi", "ED"), ("myo", "ED")) if key in found):
        remarks.append("no wall thickness: the outlines lie on another grid than the cine")
    return Drawn(found, tuple(remarks), curve, {key: n for key, region in found.items() if (n := at[id(region)])})


def _keys(drawn: Sequence[Region], onto: Geometry, phases: int, images: Sequence[str]) -> list[tuple[str, str] | None]:
    """Structure and phase of each region by its name, or its phase by the images that it was drawn on.

    Images tell phases where no name does, and where they tell of two at least. A name that says left ventricle and no
    more is that of the cavity where one such region lies beside the muscle of its phase.
    """
    labels = [r.label for r in drawn]
    if not any(says_phase(w) for w in labels):
        told = [_phase_of(region, phases, images) for region in drawn]
        inner = {n for w, n in zip(labels, told, strict=True) if n and is_inner(w)}
        labels = [f"{w} phase {n}" if n else w for w, n in zip(labels, told, strict=True)] if len(inner) > 1 else labels
    keys = [_key(label) for label in labels]
    bare = {n: key for n, w in enumerate(labels) if keys[n] is None and is_ventricle(w)
            and (key := _key(f"{w} cavity"))}  # fmt: skip
    muscles = {key[1]: r for key, r in zip(keys, drawn, strict=True) if key and key[0] == "myo"}
    if any(key[1] in muscles and _lie_beside(drawn[n], muscles[key[1]], onto) for n, key in bare.items()):
        keys = [bare.get(n, key) for n, key in enumerate(keys)]
    return keys


def _phase_of(region: Region, phases: int, images: Sequence[str]) -> int:
    """The phase, from 1, of all images that a region was drawn on; 0 where they tell none."""
    if not images or len(images) % phases or len(set(images)) < len(images):
        return 0
    place: Mapping[str, int] = {uid: n // (len(images) // phases) + 1 for n, uid in enumerate(images)}
    held = {place.get(uid, 0) for uid in region.images}
    return held.pop() if len(held) == 1 else 0


def _lie_beside(cavity: Region, muscle: Region, onto: Geometry) -> bool:
    one, other = (_on_cine(region, onto) for region in (cavity, muscle))
    if one.mask is None or other.mask is None or not one.geometry.same_grid(other.geometry):
        return False
    return float((one.mask & other.mask).sum()) <= _BESIDE * one.voxels


def _on_cine(region: Region, onto: Geometry) -> Region:
    """A mask of the cine's own voxels on its whole grid: a Segmentation holds the slices alone that it marks."""
    if region.geometry.same_grid(onto) or region.drawn_mm2 is not None:
        return region
    try:
        return only_its_own(region, onto)
    except Refused:
        return region


def _numbered(found: dict[tuple[str, str], Region], phases: int) -> tuple[float, ...] | None:
    """Exchange numbered phases for both ends of the beat, in place; returns the volumes where every phase was drawn.

    Raises:
        Refused: when the cavity is named by number and by ED or ES, a number is no phase, or only one was drawn.
    """
    numbers = sorted({int(phase) for _, phase in found if phase.isdigit()})
    if not numbers:
        return None
    if not 1 <= numbers[0] <= numbers[-1] <= phases:
        raise Refused(
            f"an outline at phase {numbers[-1] or numbers[0]}",
            f"the cine has phases 1 to {phases}",
            "outline it on a phase of this cine",
        )
    volumes = {n: _volume_ml(found["endo", str(n)]) for n in numbers if ("endo", str(n)) in found}
    if volumes and any(("endo", end) in found for end in ("ED", "ES")):
        raise Refused("a cavity named by ED or ES and by number", "which of them counts is not known", "name one way")
    if len(volumes) == 1:
        raise Refused("a cavity at one numbered phase", "it does not say which end of the beat", "name it ED or ES")
    if volumes:
        ends = {max(volumes, key=volumes.__getitem__): "ED", min(volumes, key=volumes.__getitem__): "ES"}
        for n, end in ends.items():
            found.update(
                {(kind, end): found[kind, str(n)] for kind in ("endo", "epi", "myo") if (kind, str(n)) in found}
            )
    for key in [key for key in found if key[1].isdigit()]:
        del found[key]
    return tuple(volumes[n] for n in range(1, phases + 1)) if len(volumes) == phases else None


def _volume_ml(region: Region) -> float:
    return cine.disk_volume_ml(list(region.slice_mm2.values()), region.geometry.disk_mm[0])


def _how(region: Region) -> str:
    return "pixels counted" if region.drawn_mm2 is None else "area within the contours"


def _key(label: str) -> tuple[str, str] | None:
    """Structure and phase that a name says; None where it lacks one of them."""
    kind, phase = named(label)
    return (kind, phase) if kind and phase else None
