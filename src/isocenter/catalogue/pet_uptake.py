"""PET: how much tracer the lesions took up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.mask_grid import OtherGrid
from isocenter.catalogue.uptake_scan import VARIANTS, UptakeScan, gives_suv, hollow, is_reference, on_grid, reference_of
from isocenter.errors import Refused
from isocenter.methods import pet_header, suv, uptake
from isocenter.record import Finding, Measurement, codes
from isocenter.space import Geometry, Region, Volume

__all__ = ["PETUptake"]

_BW, _LEAN = "{SUVbw}g/ml", "{SUVlbm}g/ml"
_UNITS = (_BW, *dict.fromkeys(unit for _, unit in VARIANTS.values()))
_NO_UPTAKE = 0.1  # SUV that no tissue of a body stays below everywhere, by FDG
_MOST_FINDINGS = 20
_HEADER: Mapping[str, Any] = {
    "Units": "BQML", "DecayCorrection": "START", "CorrectedImage": ["DECY", "ATTN"], "PatientWeight": "70",
    "PatientSize": "1.75", "PatientSex": "F", "RadionuclideTotalDose": "350000000", "RadionuclideHalfLife": "6586",
    "Radionuclide": "^18^Fluorine", "RadiopharmaceuticalStartTime": "100000", "SeriesDate": "20240102",
    "SeriesTime": "110000", "AcquisitionDate": "20240102", "AcquisitionTime": "110000",
}  # fmt: skip


class PETUptake:
    """How much tracer did the lesions take up: SUVmax, SUVpeak, SUVmean, metabolic volume and total glycolysis?"""

    name, version = "pet_uptake", "18"
    needs: ClassVar[Mapping[str, Need]] = {
        "pet": Need(modality="PT", beds=True, better=gives_suv),
        "lesions": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
    }
    yields = (
        Yield(what=codes.ABNORMAL_UPTAKE, units=(*_UNITS, "mL", "g", "1")),
        Yield(what=codes.MTV, units=("mL",)),
        Yield(what=codes.TLG, units=("g",)),
    )
    limits = Limits(seconds=60.0, memory_mib=4096)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Measure uptake of lesions that a person has drawn, or list hot spots for a person to look at.",
        "not_for": "Telling disease from physiological uptake; dose planning.",
        "sources": ("QIBA FDG-PET/CT 1.14", "EANM FDG 2.0 (Boellaard 2015)", "PERCIST 1.0 (Wahl 2009)"),
        "limits": (
            "Without outlines it lists hot spots: physiological uptake is not told apart from disease.",
            "SUV depends on scanner, reconstruction and time after injection: compare like with like.",
            "A lesion smaller than two to three times the scanner's resolution reads too low, and this is not "
            "corrected.",
        ),
        "level": "validated against the SUV reference values of IBSI and MIRP for Soft-tissue-Sarcoma",
    }

    def run(
        self,
        pet: Volume,
        lesions: tuple[Region, ...] | None,
        *,
        threshold: Literal["41%", "50%", "4.0", "2.5", "PERCIST"] = "41%",
        find_above: float = 4.0,
        smallest_ml: float = 1.0,
        structures: str = "",
        minutes: str = "",
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Measure drawn lesions, or those that a threshold finds.

        Args:
            pet: a PET in Bq/mL, Philips counts, or SUV: one static image (beds that came as series of their own,
                joined), a gated one, of which all gates are averaged, or a dynamic one.
            lesions: in the same frame of reference, on voxels no coarser than the PET's; None or empty to look for hot
                spots.
            threshold: definition of the metabolic volume: 41 % or 50 % of the lesion's SUVmax, SUV 4.0 or 2.5, or
                PERCIST (1.5 times liver mean plus two standard deviations, in SUL; needs a region named liver. Without
                one, twice the mean plus two standard deviations of a region named aorta or blood pool).
            find_above: SUV from which a hot spot counts, when no lesions are given.
            smallest_ml: hot spots below this volume are left out, when no lesions are given.
            structures: take only those regions whose name has this word.
            minutes: which frames of a dynamic PET are averaged, such as ``50-60``: those with their middle so many
                minutes after the injection. Without it a dynamic PET is declined, with the frames that it has.
            other_grid: lesions on coarser voxels than the PET: ``nearest`` brings them there.

        Raises:
            Refused: when SUV cannot be computed, the lesions lie in another frame of reference, or PERCIST has no
                liver to compare with.
        """
        scan = UptakeScan.of(pet, minutes)
        drawn = tuple(r for r in lesions or () if structures.lower() in r.label.lower())
        if lesions and not drawn:
            raise Refused(
                f"no region named '{structures}'",
                f"there are {', '.join(r.label for r in lesions)}",
                "name one of these",
            )
        cut = _Cut(threshold, scan, lesions or (), other_grid)
        targets = [r for r in drawn if not is_reference(r.label)]
        remarks: list[str] = []
        if targets:
            regions = on_grid(targets, scan.geometry, remarks, other_grid)
            remarks += hollow(scan, regions)
            remarks += [said for region in regions if (said := _cold(scan, region))]
        else:
            regions = _hot_spots(scan, pet, find_above, smallest_ml, remarks)
        reasons = (*scan.remarks, *remarks)
        if not regions:
            return Answer.none(reasons=reasons)
        findings = [_finding(region, scan, cut, drawn=bool(targets)) for region in regions]
        return Answer.found(*findings, measurements=_totals(regions, scan, cut), reasons=reasons)

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Hot balls of known uptake in a warm body: (inputs, truth) pairs for ``isocenter check``."""
        grid = Geometry.regular(shape=(24, 40, 40), spacing_mm=(4.0, 4.0, 4.0), frame_of_reference="2.25.1")
        place = grid.to_patient(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1))
        ball = np.linalg.norm(place - grid.to_patient((12, 16, 22)), axis=-1) <= 14.0
        per_suv = 1.0 / suv.conversion(pet_header.read(_HEADER)).factor
        # A fixed gradient stands for the body: every voxel has a value of its own, without any chance.
        body = 0.5 + 0.4 * np.cos(place / 40.0).prod(axis=-1)
        array = (np.where(ball, 8.0, body) * per_suv).astype(np.float32)
        pet = Volume(array, grid, "activity concentration", "Bq/mL", facts=_HEADER, series_uid="2.25.2")
        volume = float(ball.sum()) * 0.064
        measured = {"SUVmax": (8.0, 1e-4), "SUVpeak": (8.0, 1e-4), str(codes.MTV): (volume, 1e-6)}
        truth = {"answer": "found", "findings": 1, "measurements": measured}
        yield {"pet": pet, "lesions": (Region(grid, mask=ball, label="lesion"),)}, truth
        yield {"pet": pet, "lesions": None}, truth
        cold = Volume((body * per_suv).astype(np.float32), grid, "activity concentration", "Bq/mL", facts=_HEADER)
        yield {"pet": cold, "lesions": None}, {"answer": "none"}
        weightless = {k: v for k, v in _HEADER.items() if k != "PatientWeight"}
        yield (
            {"pet": Volume(array, grid, facts=weightless), "lesions": None},
            {"answer": "declined", "words": "weight missing"},
        )


class _Cut:
    """Which voxels of a lesion make its metabolic volume."""

    def __init__(self, threshold: str, scan: UptakeScan, drawn: Sequence[Region], other_grid: OtherGrid) -> None:
        self.name = "PERCIST" if threshold == "PERCIST" else f"SUVbw {threshold}"
        self.share, self.level, self.scale = 0.0, 0.0, 1.0
        if threshold.endswith("%"):
            self.share = float(threshold[:-1]) / 100.0
            self.name = f"{threshold[:-1]} % of SUVmax"
        elif threshold == "PERCIST":
            organs = (reference_of(scan, drawn, organ, other_grid) for organ in ("liver", "blood pool"))
            reference = next((found for found in organs if found is not None), None)
            if reference is None:
                raise Refused(
                    "PERCIST without a liver",
                    "its threshold is made from the liver, or from the blood pool where the liver is ill",
                    "add a region 'liver' or 'aorta'",
                )
            if "james128" not in scan.factors:
                raise Refused("PERCIST without SUL", "it needs lean body mass", "complete size and sex of the patient")
            self.scale = scan.factors["james128"]
            self.level = reference.scaled(self.scale).measurable
            if reference.organ != "liver":
                self.name = "PERCIST, blood pool"
        else:
            self.level = float(threshold)

    def of(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which of a lesion's values (SUVbw) count."""
        hottest = float(values.max())
        least = self.share * hottest if self.share else self.level / self.scale
        return np.asarray((values >= least) & (hottest > 0.0), dtype=np.bool_)


def _cold(scan: UptakeScan, region: Region) -> str:
    """Words on an outline in which there is no uptake: empty where there is some."""
    assert region.mask is not None
    hottest = float(scan.suvbw[region.mask].max())
    if hottest >= _NO_UPTAKE:
        return ""
    return (
        f"WARNING: '{region.label or 'a lesion'}' holds no uptake (SUVmax {hottest:.2f}): it lies in air, or its "
        "outline is not of this PET"
    )


def _hot_spots(scan: UptakeScan, pet: Volume, level: float, smallest_ml: float, remarks: list[str]) -> list[Region]:
    least = max(1, int(np.ceil(smallest_ml * 1000.0 / scan.geometry.voxel_volume_mm3)))
    spots = uptake.hot_components(scan.suvbw, level, voxels_at_least=least)
    remarks.append(
        f"no lesions were given: hot spots from SUV {level:g} and {smallest_ml:g} mL were taken. "
        "Physiological uptake (brain, heart, kidneys, bladder, bowel) is not told apart from disease"
    )
    if len(spots) > _MOST_FINDINGS:
        remarks.append(f"{len(spots)} hot spots; the {_MOST_FINDINGS} hottest are listed")
    found = [
        Region(scan.geometry, mask=s.whole(scan.geometry.shape), series_uid=pet.series_uid, label=f"hot spot {i}")
        for i, s in enumerate(spots[:_MOST_FINDINGS], start=1)
    ]
    beds = pet.facts.get("BedSeries")
    return [replace(r, series_uid=_bed_of(r, beds)) for r in found] if beds else found


def _bed_of(region: Region, beds: Sequence[str]) -> str:
    """The series that shows the middle of a region, where each bed is one."""
    (low, *_), (high, *_) = region.bounds
    return beds[(low + high - 1) // 2]


def _totals(regions: list[Region], scan: UptakeScan, cut: _Cut) -> tuple[Measurement, ...]:
    """Metabolic volume and glycolysis of all lesions together; where contours overlap, a voxel counts once."""
    every = np.zeros(scan.geometry.shape, dtype=bool)
    for region in regions:
        assert region.mask is not None
        every[region.mask] |= cut.of(scan.suvbw[region.mask].astype(np.float64))
    ml = scan.geometry.voxel_volume_mm3 / 1000.0
    glycolysis = float(scan.suvbw[every].sum(dtype=np.float64)) * cut.scale * ml
    return (
        Measurement(codes.MTV, float(np.count_nonzero(every)) * ml, "mL", definition=f"{cut.name}, all lesions"),
        Measurement(codes.TLG, glycolysis, "g", definition=f"{cut.name}, all lesions"),
    )


def _finding(region: Region, scan: UptakeScan, cut: _Cut, *, drawn: bool) -> Finding:
    assert region.mask is not None
    values = scan.suvbw[region.mask].astype(np.float64)
    (a, b, c), (x, y, z) = region.bounds
    hottest, mean = float(values.max()), float(values.mean())
    peak = uptake.best_mean(scan.suvbw, scan.geometry, region.mask)
    hot = values[cut.of(values)] * cut.scale
    volume = hot.size * scan.geometry.voxel_volume_mm3 / 1000.0
    whole = "whole contour" if drawn else "whole hot spot"
    sul = cut.scale != 1.0
    said = [
        Measurement(codes.SUV_MAX, hottest, _BW, definition="SUVbw"),
        Measurement(codes.SUV_MEAN, mean, _BW, definition=f"SUVbw, {whole}"),
        Measurement(codes.COUNT, region.voxels, "1", definition=f"voxels, {whole}"),
        Measurement(codes.VOLUME, region.volume_ml, "mL", definition=whole),
        Measurement(codes.MTV, volume, "mL", definition=cut.name),
        Measurement(codes.TLG, float(hot.mean()) * volume if hot.size else 0.0, "g", definition=cut.name),
    ]
    if hot.size:
        said.append(
            Measurement(codes.SUV_MEAN, float(hot.mean()), _LEAN if sul else _BW, definition=f"above {cut.name}")
        )
    if peak is not None:
        said.insert(1, Measurement(codes.SUV_PEAK, peak, _BW, definition="SUVbw, 1 mL sphere"))
    for variant, factor in scan.factors.items():
        name, unit = VARIANTS[variant]
        said.append(Measurement(codes.SUV_MAX, hottest * factor, unit, definition=name))
        said.append(Measurement(codes.SUV_MEAN, mean * factor, unit, definition=f"{name}, {whole}"))
        if peak is not None:
            said.append(Measurement(codes.SUV_PEAK, peak * factor, unit, definition=f"{name}, 1 mL sphere"))
    words = f"{region.label or 'Lesion'}: SUVmax {hottest:.1f}, metabolic volume {volume:.1f} mL ({cut.name})."
    edge = min(a, b, c) == 0 or any(stop == n for stop, n in zip((x, y, z), scan.geometry.shape, strict=True))
    return Finding(
        codes.ABNORMAL_UPTAKE,
        where=region,
        measurements=tuple(said),
        words=words + (" It reaches the edge of the image." if edge else ""),
    )
