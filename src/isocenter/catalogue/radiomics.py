"""Any outlined region on CT, MR or PET: its shape, intensities and texture by the IBSI standard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.made_alike import must_be_made_alike
from isocenter.catalogue.mask_grid import OtherGrid, brought, only_its_own
from isocenter.catalogue.one_frame import one_frame
from isocenter.catalogue.one_scan import on_one_scale_in_space
from isocenter.catalogue.virtual_ct import is_map, virtual_image
from isocenter.errors import Refused
from isocenter.methods import ibsi, ibsi_diagnostics, pet_header, suv
from isocenter.methods import radiomics as methods
from isocenter.methods.components import labelled
from isocenter.methods.field_of_view import must_be_measured
from isocenter.methods.radiomics import CONFIGURATIONS, Configuration
from isocenter.methods.response_maps import RESPONSES, response
from isocenter.record import Code, Curve, Finding, Measurement, codes
from isocenter.space import Geometry, Reference, Region, Volume

__all__ = ["Radiomics"]

_HU, _SUV = "[hnsf'U]", "{SUVbw}g/ml"
_NO_ENERGY = (0, 0)  # features of a virtual image of any energy are not those of plain CT
_UNITS: Mapping[str, Mapping[str, str]] = {
    _HU: {"i": _HU, "i2": "[hnsf'U]2", "i.mm3": "[hnsf'U].mm3"},
    "1": {"i": "1", "i2": "1", "i.mm3": "mm3"},  # an image of grey levels
    _SUV: {"i": _SUV, "i2": "{SUVbw}g2/ml2", "i.mm3": "{SUVbw}g.mm3/ml"},
}
_PLAIN = {"mm": "mm", "mm2": "mm2", "mm3": "mm3", "/mm": "1/mm", "1": "1"}
_ANY_UNIT = ("digital phantom", "SUV", "MR")
_PHANTOM_MAPS = tuple(name for name in RESPONSES if name[-1] not in "AB")
_OFFSET = ("stat_cov", "stat_qcod", "morph_com")  # a change of the zero point changes them, though they have no unit
_FEWEST = 64  # voxels: below four in each direction most of a texture is border
_MOST_REGIONS = 20
_MOST_SKEW = 1.01  # of pixel height to width
_THICK_MM = 3.0


Named = Literal[
    "auto", "A", "B", "C", "D", "E", "SUV", "MR", "digital phantom",
    "1.A", "1.B", "2.A", "2.B", "3.A", "3.B", "4.A", "4.B", "5.A", "5.B", "6.A", "6.B", "7.A", "7.B", "8.A", "8.B",
    "9.A", "9.B",
    "1.a.1", "1.a.2", "1.a.3", "1.a.4", "1.b.1", "2.a", "2.b", "2.c", "3.a.1", "3.a.2", "3.a.3", "3.b.1", "3.b.2",
    "3.b.3", "3.c.1", "3.c.2", "3.c.3", "4.a.1", "4.a.2", "4.b.1", "4.b.2", "5.a.1", "5.a.2", "6.a.1", "6.a.2",
    "7.a.1", "7.a.2", "8.a.1", "8.a.2", "8.a.3", "9.a", "9.b.1", "10.a", "10.b.1",
]  # fmt: skip
Kept = Literal["as configured", "yes", "no"]


class Radiomics:
    """What are the shape, intensities and texture of each outlined region, as IBSI defines them?"""

    name, version = "radiomics", "7"
    needs: ClassVar[Mapping[str, Need]] = {
        "image": Need(modality=("CT", "MR", "PT"), every=True),
        "regions": Need(modality=("SEG", "RTSTRUCT"), gives="regions"),
    }
    yields = (
        Yield(
            what=codes.STRUCTURE,
            units=(*_PLAIN.values(), *(u for units in _UNITS.values() for u in units.values())),
            research=True,
        ),
        Yield(maps=("Filter response",)),
    )
    limits = Limits(seconds=600.0, memory_mib=8192)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Features for research on many patients, from regions that were outlined and looked at.",
        "not_for": "Diagnosis or prognosis of one patient; comparing tables made with different configurations.",
        "sources": ("IBSI 1 (Zwanenburg 2020)", "IBSI 2 (Whybra 2024)", "arXiv:1612.07003", "arXiv:2006.05470"),
        "limits": (
            "Features depend on scanner, reconstruction, resampling and binning: compare only one configuration.",
            "Features of small regions are unstable, and many features of few patients find chance.",
            "On MR only what does not change with the scale and zero of intensities is given.",
        ),
        "level": "validated against all consensus values of the IBSI digital phantom and 13 response maps of IBSI 2",
    }

    def run(
        self,
        image: Volume,
        regions: tuple[Region, ...],
        *,
        configuration: Named = "auto",
        structures: str = "",
        voxel_mm: float = -1.0,
        interpolation: Literal["as configured", "linear", "cubic"] = "as configured",
        by_slice: Kept = "as configured",
        within: str = "",
        outliers_sd: float = -1.0,
        bin_width: float = 0.0,
        bins: int = 0,
        ivh_bin_width: float = 0.0,
        ivh_bins: int = 0,
        merges: str = "",
        filter: str = "",
        frame: int = 0,
        minutes: str = "",
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Measure each region.

        Args:
            image: CT in HU, PET that can be brought to SUV, or MR.
            regions: of voxels of the image, all of them or a part.
            configuration: how features are made: A to E of IBSI 1 and 1.A to 9.B of IBSI 2 (filters) for CT, SUV for
                PET, MR; auto takes C, SUV or MR by the image. The digital phantom's and 1.a.1 to 10.b.1 (response maps
                of IBSI 2) are for images of grey levels. What follows changes single settings of it.
            structures: take only those regions whose name has this word.
            voxel_mm: size of the new voxels; 0 takes the image's, below 0 keeps what is configured.
            interpolation: of the image.
            by_slice: slices for themselves, or the region in space.
            within: lowest and highest intensity that are kept, such as "-500 to 400".
            outliers_sd: voxels farther from the mean are left out; 0 keeps all, below 0 keeps what is configured.
            bin_width, bins: of the grey levels, a width from the lower end of the range or a number; 0 keeps what is
                configured.
            ivh_bin_width, ivh_bins: the same of the intensity-volume histogram.
            merges: of the textures, separated by commas: 2D, 2_5D, 3D.
            filter: measured is its response: a name of IBSI 2 (3.B), or a filter with its settings, such as
                "laplacian_of_gaussian(sigma_mm=2.5, boundary=nearest)".
            frame: of an image with several frames the one that is measured, from 1; 0 takes the one on whose images
                alone the regions were drawn, or all gates of a gated PET, averaged.
            minutes: from which to which minute after the injection frames of a dynamic PET are averaged, such as 50-60.
            other_grid: a region whose voxels are not those of the image is refused; nearest brings it there, by which
                its outline moves up to half a voxel, and its shape and texture with it.

        Raises:
            Refused: when the image cannot carry the configuration, or none of the regions can be measured.
        """
        drawn = [r for r in regions if structures.lower() in r.label.lower()]
        image = one_frame(on_one_scale_in_space(image), drawn, frame=frame, minutes=minutes)
        scan = _Scan.of(image)
        chosen = scan.configured(
            configuration,
            spacing_mm=None if voxel_mm < 0 else voxel_mm,
            interpolation="" if interpolation == "as configured" else interpolation,
            by_slice=None if by_slice == "as configured" else by_slice == "yes",
            within=_ends(within),
            outliers_sd=None if outliers_sd < 0 else outliers_sd,
            bin_width=bin_width or None,
            bins=bins or None,
            ivh_width=ivh_bin_width or None,
            ivh_bins=ivh_bins or None,
            merges=tuple(m.strip() for m in merges.split(",") if m.strip()),
            filter=filter,
        )
        if chosen.filter and (lacking := image.facts.get("SlicesLacking")):
            raise Refused(
                f"a filter on {image.geometry.shape[0]} slices of which {len(lacking)} are missing",
                "it reaches beyond what was drawn, and into the gap",
                "send the series again, complete, or measure without a filter",
            )
        if not drawn:
            there = ", ".join(r.label for r in regions) or "none"
            raise Refused(
                f"no region named '{structures}'" if structures else "no region",
                f"there are {there}",
                "name one of these, or outline it",
            )
        findings, curves = [], []
        remarks = [_told(chosen), *image.facts.get("Averaged", ()), *scan.remarks, *_doubts(chosen, scan)]
        shown = np.zeros(scan.geometry.shape, np.float32) if chosen.filter else None
        sizes = {} if chosen.filter else ibsi_diagnostics.of_image(scan.array, scan.geometry.spacing_mm, chosen)
        drawn, left = drawn[:_MOST_REGIONS], drawn[_MOST_REGIONS:]
        if left:
            remarks.append(
                f"only the first {_MOST_REGIONS} regions are measured; {len(left)} are not: name a structure"
            )
        of_regions: dict[str, list[str]] = {}
        for number, region in enumerate(drawn, start=1):
            called = region.label or f"region {number}"
            try:
                on_grid, doubts = scan.region(region, other_grid)
                found, curve = scan.measured(on_grid, chosen, called, sizes, shown)
            except Refused as why:
                of_regions.setdefault(str(why), []).append(called)
                continue
            for doubt in (*doubts, *_elsewhere(region, image)):
                of_regions.setdefault(doubt, []).append(called)
            findings.append(found)
            curves.append(curve)
        remarks += [f"{', '.join(called)}: {said}" for said, called in of_regions.items()]
        if not findings:
            raise Refused("no region can be measured", "; ".join(remarks), "outline it on this image")
        maps = None
        if shown is not None:
            what = f"response to filter {chosen.filter} inside the regions"
            maps = {"Filter response": image.like(shown, quantity=what, unit="{arbitrary}")}
        return Answer.found(*findings, curves=tuple(curves), reasons=tuple(remarks), maps=maps)

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A checkerboard whose texture is arithmetic: (inputs, truth) pairs for ``isocenter check``."""
        grid = Geometry.regular(shape=(14, 16, 18), spacing_mm=(2.0, 2.0, 2.0), frame_of_reference="2.25.1")
        odd = np.indices(grid.shape).sum(axis=0) % 2
        ct = Volume((odd * 100.0 - 30.0).astype(np.float32), grid, "attenuation", _HU)
        mask = np.zeros(grid.shape, dtype=bool)
        mask[3:11, 3:13, 3:15] = True
        lesion = Region(grid, mask=mask, label="checkerboard")
        # 100 HU are four bins of 25; of 13 directions those along faces and corners change the square.
        sides = (8, 10, 12)
        pairs = {d: np.prod([n - abs(s) for n, s in zip(sides, d, strict=True)]) for d in _directions()}
        changed = float(sum(n for d, n in pairs.items() if sum(d) % 2) / sum(pairs.values()))
        measured = {
            "Mean intensity": (20.0, 1e-6),
            "Intensity variance": (2500.0, 1e-6),
            "Contrast (co-occurrence)": (16.0 * changed, 1e-6),
            "Volume (voxel counting)": (8 * 10 * 12 * 8.0, 1e-6),
        }
        yield {"image": ct, "regions": (lesion,)}, {"answer": "found", "findings": 1, "measurements": measured}
        few = np.zeros(grid.shape, dtype=bool)
        few[5:8, 5:8, 5:8] = True
        yield (
            {"image": ct, "regions": (Region(grid, mask=few, label="speck"),)},
            {"answer": "declined", "words": "27 voxels"},
        )


def _elsewhere(region: Region, image: Volume) -> list[str]:
    """That an outline is of another series than the one measured: phases of one scan give results that look alike."""
    if not region.series_uid or not image.series_uid or region.series_uid == image.series_uid:
        return []
    named = image.facts.get("SeriesDescription") or f"series {image.series_uid}"
    return [f"drawn on another series of images; the intensities are those of {named}"]


@dataclass(frozen=True, eq=False)
class _Scan:
    """Intensities on their grid, axes in the patient's sense, with what they mean."""

    array: npt.NDArray[np.float32]
    geometry: Geometry
    unit: str
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, image: Volume) -> _Scan:
        if image.geometry.reference is not Reference.PATIENT:
            raise Refused(
                f"an image in {image.geometry.reference.value} coordinates",
                "features need millimetres",
                "choose a series with Image Position and Image Orientation (Patient)",
            )
        if not image.geometry.is_orthogonal:
            raise Refused(
                "slices that are sheared (tilted gantry)",
                "neighbours would not lie side by side",
                "choose images without gantry tilt, or correct it",
            )
        if image.facts.get("Modality") == "CT":
            must_be_made_alike(image, "one texture would be of two kinds of image")
        array = np.asarray(image.array.reshape(image.geometry.shape), dtype=np.float32)
        unit, remarks = image.unit, tuple[str, ...]()
        if image.facts.get("Modality") == "CT" and (virtual := virtual_image(image.facts, _NO_ENERGY)):
            told = (
                "it is measured as one of arbitrary intensities" if is_map(virtual) else "its HU are those of no tube"
            )
            remarks = (f"WARNING: {virtual}, computed from several energies: {told}; compare only with such ones",)
            unit = "" if is_map(virtual) else unit
        if image.facts.get("Modality") == "PT" or "activity" in image.quantity or image.unit == "Bq/mL":
            known = suv.conversion(pet_header.read(image.facts))
            array, unit, remarks = (array * known.factor).astype(np.float32), _SUV, tuple(known.remarks)
        return cls(array, image.geometry, unit if unit in (_HU, _SUV) else "", remarks)

    def configured(self, name: str, **changes: Any) -> Configuration:
        """The configuration of a name with changes, where this image can carry it."""
        if name == "auto":
            name = {_HU: "C", _SUV: "SUV"}.get(self.unit, "MR")
        chosen = methods.changed(CONFIGURATIONS[name], **changes)
        if name not in (*_ANY_UNIT, *_PHANTOM_MAPS) and self.unit != _HU:
            raise Refused(
                f"configuration {name} on intensities that are not HU",
                "its range and bins are Hounsfield units; on another scale its grey levels mean nothing",
                "take SUV for PET and MR for arbitrary intensities",
            )
        if name == "SUV" and self.unit != _SUV:
            raise Refused(
                "configuration SUV on intensities that are not SUV",
                "its bins are of 0.5 SUV",
                "choose a PET in SUV, or another configuration",
            )
        if not self.unit and any(changes.get(width) for width in ("bin_width", "ivh_width", "within")):
            raise Refused(
                "a range or bins of a width on arbitrary intensities",
                "they mean another thing in every scan",
                "give a number of bins, and outliers_sd",
            )
        spacing = self.geometry.spacing_mm
        if max(spacing[1:]) > _MOST_SKEW * min(spacing[1:]) and chosen.spacing_mm is None:
            raise Refused(
                f"pixels of {spacing[1]:g} x {spacing[2]:g} mm",
                "neighbours in two directions would not be equally far",
                "choose a configuration that interpolates",
            )
        if not chosen.by_slice and chosen.spacing_mm is None and max(spacing) > _MOST_SKEW * min(spacing):
            raise Refused(
                f"voxels of {spacing[0]:g} x {spacing[1]:g} x {spacing[2]:g} mm",
                "texture in space needs neighbours that are equally far",
                "choose a configuration that interpolates, or one by slice",
            )
        return chosen

    def region(self, region: Region, other_grid: OtherGrid) -> tuple[Region, list[str]]:
        """The region on this grid, with what is to be said of it."""
        doubts = []
        region.must_be_placed()
        if region.mask is None:
            raise Refused(f"a {region.shape.value}", "it has no voxels", "outline a region of the image")
        if region.occupied_ml is not None:
            doubts.append(
                f"given as fractions of voxels, of which those that it fills by half and more are measured "
                f"({region.volume_ml:.3g} mL; the fractions add up to {region.occupied_ml:.3g} mL)"
            )
        if other_grid == "refuse":
            region = only_its_own(region, self.geometry, otherwise="other_grid=nearest takes it all the same")
        else:
            region, moved = brought(region, self.geometry)
            doubts += [moved] if moved else []
        if not region.voxels:
            raise Refused(
                "a region without voxels on this image",
                "it was outlined elsewhere, or is empty",
                "outline it on this image",
            )
        assert region.mask is not None
        if self.unit == _HU:
            must_be_measured(self.array, region.mask, "region")
        _, parts = labelled(region.mask)
        if parts > 1:
            doubts.append(f"in {parts} parts; shape is of all together")
        edges = [region.mask.take(i, axis=a).any() for a in range(3) for i in (0, -1)]
        if any(edges) and min(region.geometry.shape) > 1:
            doubts.append("reaches the edge of the image and may go on outside")
        return region, doubts

    def measured(
        self,
        region: Region,
        chosen: Configuration,
        called: str,
        sizes: dict[str, float],
        shown: npt.NDArray[np.float32] | None = None,
    ) -> tuple[Finding, Curve]:
        """The features of one region, and after them the sizes at each step where `sizes` has those of the image.

        The region's voxels of `shown` become the response of the filter.
        """
        assert region.mask is not None
        turned = _against(self.geometry)
        array, mask = np.flip(self.array, turned), np.flip(region.mask, turned)
        made = methods.prepare(array, mask, self.geometry.spacing_mm, chosen)
        count = int(np.count_nonzero(made.held))
        if count < _FEWEST:
            size = " x ".join(f"{s:g}" for s in made.spacing_mm)
            raise Refused(
                f"{count} voxel{'s' * (count != 1)} of {size} mm {'is' if count == 1 else 'are'} left to measure",
                f"below {_FEWEST} most of a texture is border",
                "measure its volume and mean only",
            )
        x = made.image[made.held]
        if float(x.min()) == float(x.max()):
            raise Refused(
                f"one intensity everywhere ({float(x.min()):g})",
                "there is no texture in it",
                "outline a larger region, or send the image again",
            )
        values = methods.measure(made, chosen)
        if shown is not None:
            shown[region.mask] = np.flip(_on_voxels(made, mask), turned)[region.mask]
        measurements = tuple(m for tag, v in values.items() if (m := self._measurement(tag, v, chosen)) is not None)
        steps = sizes | ibsi_diagnostics.of_region(array, mask, made, sizes) if sizes else {}
        told = tuple(m for tag, v in steps.items() if (m := self._diagnostic(tag, v, chosen)) is not None)
        outlined_ml = np.count_nonzero(mask) * self.geometry.voxel_volume_mm3 / 1000.0
        size = " x ".join(f"{s:g}" for s in made.spacing_mm)
        words = (
            f"{called}: {len(measurements)} features by configuration {chosen.name}; "
            f"{count} voxels of {size} mm measured, {outlined_ml:.1f} mL outlined."
        )
        found = Finding(codes.STRUCTURE, where=region, measurements=measurements + told, words=words)
        return found, _curve(x, called, self.unit)

    def _diagnostic(self, tag: str, value: float, chosen: Configuration) -> Measurement | None:
        meaning, unit = ibsi_diagnostics.described(tag)
        if unit == "i":
            unit = "1" if _of_levels(chosen) else self.unit
        if not unit:
            return None
        return Measurement(Code(tag, "99ISO", meaning), value, unit, definition=f"{tag}, configuration {chosen.name}")

    def _measurement(self, tag: str, value: float, chosen: Configuration) -> Measurement | None:
        feature = ibsi.feature(tag)
        # Of a number of bins the intensity-volume histogram gives numbers of bins.
        numbers = _of_levels(chosen) or (feature.tag.startswith("ivh_") and chosen.ivh_bins is not None)
        scale = "1" if numbers else self.unit
        unit = _PLAIN.get(feature.unit) or _UNITS.get(scale, {}).get(feature.unit, "")
        if not unit or (not scale and feature.tag in _OFFSET):
            return None
        said = ", ".join(part for part in (tag, feature.strategy, f"configuration {chosen.name}") if part)
        return Measurement(Code(feature.code, "IBSI", feature.name), value, unit, definition=said)


def _ends(said: str) -> tuple[float, float] | None:
    """Lowest and highest intensity out of a text; None where it is empty."""
    if not said.strip():
        return None
    try:
        low, high = (float(part) for part in re.split(r"\s+to\s+|\s*[,;]\s*|\s*\.\.\s*", said.strip(" ()[]")))
    except ValueError:
        raise Refused(f"within '{said}'", "it is no range of intensities", "write it as -500 to 400") from None
    return low, high


def _on_voxels(made: methods.Prepared, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """What was measured, brought back to the voxels of the image by linear interpolation; zero outside the region."""
    out = np.zeros(mask.shape, np.float32)
    at = np.argwhere(mask)
    index = [np.interp(at[:, k], made.positions[k], np.arange(len(made.positions[k]))) for k in range(3)]
    out[mask] = map_coordinates(made.image, index, order=1, mode="nearest")
    return out


def _against(geometry: Geometry) -> tuple[int, ...]:
    """Array axes that run against the patient's: turned round, a flipped image gives the same numbers."""
    along = geometry.directions
    return tuple(a for a in range(3) if along[np.abs(along[:, a]).argmax(), a] < 0)


def _of_levels(chosen: Configuration) -> bool:
    """Whether the image's intensities are taken as grey levels that need no discretisation."""
    if chosen.filter:
        return chosen.name in _PHANTOM_MAPS
    return chosen.bins is None and chosen.bin_width is None and "ih" in chosen.families


def _told(chosen: Configuration) -> str:
    """The configuration in words."""
    parts = ["by slice" if chosen.by_slice else "in space"]
    if chosen.filter:
        made = response(chosen.filter)
        settings = ", ".join(f"{name} {value}" for name, value in made.settings.items())
        parts.append(f"filter {made.filter.__name__.replace('_', ' ')} ({settings})")
    if chosen.spacing_mm is not None:
        parts.append(f"{chosen.interpolation} interpolation to {chosen.spacing_mm:g} mm")
    if chosen.within is not None:
        low, high = chosen.within
        parts.append(f"intensities from {low:g} to {high:g}" if np.isfinite(high) else f"intensities from {low:g} on")
    if chosen.outliers_sd is not None:
        parts.append(f"without outliers beyond {chosen.outliers_sd:g} standard deviations")
    if chosen.bin_width is not None:
        parts.append(f"bins of {chosen.bin_width:g}")
    elif chosen.bins is not None:
        parts.append(f"{chosen.bins} bins over each region's own range")
    if chosen.ivh_width is not None and not chosen.filter:
        parts.append(f"intensity-volume histogram in bins of {chosen.ivh_width:g}")
    elif chosen.ivh_bins is not None and not chosen.filter:
        parts.append(f"intensity-volume histogram in {chosen.ivh_bins} bins")
    return f"configuration {chosen.name}: {', '.join(parts)}"


def _doubts(chosen: Configuration, scan: _Scan) -> list[str]:
    doubts = []
    if not scan.unit and not _of_levels(chosen):
        doubts.append(
            "intensities are arbitrary and not normalised: only features are given that do not change with their scale"
        )
    elif chosen.bins is not None:
        doubts.append("bins follow each region's own range: compare textures only between like ranges")
    if chosen.spacing_mm is not None and not chosen.by_slice and scan.geometry.spacing_mm[0] > _THICK_MM:
        doubts.append(f"slices lie {scan.geometry.spacing_mm[0]:.3g} mm apart: voxels between them are interpolated")
    return doubts


def _curve(x: npt.NDArray[np.float64], called: str, unit: str) -> Curve:
    """The intensity-volume histogram of what was measured."""
    shares = np.linspace(0.0, 1.0, 101)
    values = np.quantile(x, 1.0 - shares)[::-1]
    return Curve(
        f"intensity-volume histogram of {called}",
        tuple(float(v) for v in values),
        "intensity",
        unit or "{arbitrary}",
        {"volume": tuple(float(s) for s in shares[::-1])},
    )


def _directions() -> list[tuple[int, int, int]]:
    steps = (-1, 0, 1)
    return [(z, y, x) for z in steps for y in steps for x in steps if (z, y, x) > (0, 0, 0)]
