"""CT perfusion of stroke: core, penumbra and the maps behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits
from isocenter.catalogue import perfusion_answer
from isocenter.catalogue.mask_grid import OtherGrid
from isocenter.methods.calcium import is_sharp
from isocenter.space import Region, Volume

__all__ = ["CTPerfusion"]

_THICK_MM = 5.0  # Wintermark 2008: slices of 5 to 10 mm


def _is_for_flow(facts: Mapping[str, Any]) -> bool:
    """Whether a header is that of images whose noise lets flow be told: of a soft kernel, not thin, as measured.

    >>> [_is_for_flow({"ConvolutionKernel": kernel, "SliceThickness": mm}) for kernel, mm in
    ...  (("H20f", 5.0), ("H60s", 5.0), ("H20f", 1.5))]
    [True, False, False]
    """
    thick = facts.get("SliceThickness")
    return (
        not is_sharp(str(facts.get("ConvolutionKernel") or ""))
        and not (isinstance(thick, int | float) and thick < _THICK_MM - 0.01)
        and "DERIVED" not in (facts.get("ImageType") or ())
    )


class CTPerfusion:
    """Which brain is lost and which can be saved: core, penumbra and mismatch on a CT perfusion series?"""

    name, version = "ct_perfusion", "16"
    needs: ClassVar[Mapping[str, Need]] = {
        "bolus": Need(
            modality="CT", body_part=("head", "brain", "skull"), axis="time", at_least=60, better=_is_for_flow
        ),
        "vessels": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
    }
    yields = perfusion_answer.YIELDS
    limits = Limits(seconds=120.0, memory_mib=8192)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Show where flow is lost and where it is late, with the volumes that trials asked for.",
        "not_for": "Choosing a treatment; the posterior fossa; comparing volumes with those of other programs.",
        "sources": ("Wu 2003 (circular deconvolution)", "Wintermark 2008", "DEFUSE 3", "EXTEND-IA", "DAWN"),
        "limits": (
            "Thresholds of core and delay were found with other programs, and volumes of two programs must not "
            "be compared.",
            "Where transit times are exponential the correction gives too little flow, where they are plug flow "
            "too much.",
            "It was not tested on images of patients.",
        ),
        "level": "flow and volume validated on the OSIPI DSC object; core and penumbra verified on phantoms only",
    }

    def run(
        self,
        bolus: Volume,
        vessels: tuple[Region, ...] | None,
        *,
        trial: Literal["all", "none", "DEFUSE 3", "EXTEND-IA", "EXTEND", "DAWN"] = "all",
        hours: float = -1.0,
        nihss: int = -1,
        core_percent: float = 30.0,
        delay_s: float = 6.0,
        smallest_ml: float = 1.0,
        threshold: float = 0.0,
        oscillation: float = 0.0,
        shape: float = 2.0,
        smooth_mm: float = 5.0,
        correct_motion: bool = True,
        most_motion_voxels: float = 2.0,
        artery_mm: str = "",
        vein_mm: str = "",
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Map one CT perfusion series.

        Args:
            bolus: HU with a time axis.
            vessels: regions named artery (AIF) and vein (VOF), to be taken instead of the program's choice.
            trial: whose imaging rule is told.
            hours: since the patient was last known well; -1 where it is not known.
            nihss: score, for DAWN; -1 where it is not known.
            core_percent: core lies below this share of the flow of normal tissue.
            delay_s: hypoperfused tissue lies above this Tmax.
            smallest_ml: connected parts below this are noise.
            threshold: share of the largest singular value; 0 lets the noise of the study choose between 0.05 and 0.25.
            oscillation: oscillation index up to which each voxel's threshold is raised; 0 for one threshold.
            shape: of the transit times that the correction of the peak supposes; 0 leaves the peak as it is.
            smooth_mm: full width at half maximum of the smoothing in the slice.
            correct_motion: whether frames are brought back to where the first ones lay.
            most_motion_voxels: refuse a head that moved further, in voxels of their longest edge.
            artery_mm: a place in the artery, "x y z" in patient millimetres; overrides the program's choice.
            vein_mm: a place in the vein.
            other_grid: a vessel outlined on coarser voxels than the series: ``nearest`` brings it there.

        Raises:
            Refused: for a scan that cannot be deconvolved; the message says what is missing.
        """
        found, how, said = perfusion_answer.examined(
            bolus, vessels, {"artery": artery_mm, "vein": vein_mm}, "CT",
            threshold, oscillation, shape, smooth_mm, not correct_motion, most_motion_voxels, core_percent / 100.0,
            delay_s, smallest_ml, other_grid=other_grid,
        )  # fmt: skip
        return perfusion_answer.told(
            found, how, bolus, curve_unit="[hnsf'U]", rule=trial, hours=hours, nihss=nihss, extra=said
        )
