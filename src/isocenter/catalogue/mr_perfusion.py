"""MR perfusion of the brain by susceptibility (DSC): late tissue, low flow, and the maps behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits
from isocenter.catalogue import one_scan, perfusion_answer
from isocenter.catalogue.mask_grid import OtherGrid
from isocenter.space import Region, Volume

__all__ = ["MRPerfusion"]

_CORE = (
    "the core is tissue of low flow; guidelines take the core of MR from diffusion (ADC below 620 um2/s), which was "
    "not looked at here"
)


_ECHO_MS = 30.0  # at which gradient echoes of a bolus are usually read
_SECONDS_MS, _EARLY_ECHO_MS = 0.5, 8.0  # echoes between are those of T1-weighted series
_LEAST_ECHO_MS = 20.0  # below it a bolus hardly darkens


def _tells_a_bolus(facts: Mapping[str, Any]) -> bool:
    """Whether a header is that of magnitudes whose echo is late enough for a bolus to darken them."""
    echo = facts.get("EchoTime")
    return one_scan.is_signal(facts) and not (isinstance(echo, int | float) and echo < _LEAST_ECHO_MS)


def _may_darken(facts: Mapping[str, Any]) -> bool:
    """Whether an echo is late enough for a bolus to darken it at all; one below 0.5 ms may be stated in seconds.

    >>> _may_darken({"EchoTime": 30.0}), _may_darken({"EchoTime": 1.8}), _may_darken({})
    (True, False, True)
    """
    echo = facts.get("EchoTime")
    return not (isinstance(echo, int | float) and _SECONDS_MS <= echo < _EARLY_ECHO_MS)


def _of_one_echo(bolus: Volume) -> tuple[Volume, tuple[str, ...]]:
    """Of a series of several echoes that which is read nearest to 30 ms, and what is to be said of it."""
    if [a.name for a in bolus.axes] != ["time", "echo"]:
        return bolus, ()
    echoes = [float(v) for v in bolus.axis("echo").values]
    chosen = min(range(len(echoes)), key=lambda n: abs(echoes[n] - _ECHO_MS))
    alone = one_scan.on_one_scale(bolus).at("echo", chosen)
    facts = {k: v for k, v in alone.facts.items() if k not in ("PerPhase", "PerImage", "PhilipsScaleSlope")}
    said = f"of the echoes at {', '.join(f'{e:g}' for e in echoes)} ms that at {echoes[chosen]:g} ms was measured"
    return replace(alone, facts={**facts, "EchoTime": echoes[chosen]}), (said,)


def _of_spin_echo(bolus: Volume) -> tuple[str, ...]:
    """What is to be said of a spin echo, whose signal large vessels hardly darken."""
    words = bolus.facts.get("ScanningSequence") or []
    if "SE" not in ([words] if isinstance(words, str) else words):
        return ()
    return ("a spin echo, which shows capillaries more than arteries and veins: flow and volume are lower by that",)


class MRPerfusion:
    """Which brain is hypoperfused on a T2*-weighted MR series while a bolus passes?"""

    name, version = "mr_perfusion", "19"
    needs: ClassVar[Mapping[str, Need]] = {
        "bolus": Need(
            modality="MR",
            body_part=("head", "brain", "skull"),
            axis="time",
            at_least=60,
            better=_tells_a_bolus,
            only=("of an echo time from 8 ms", _may_darken),
        ),
        "vessels": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
    }
    yields = perfusion_answer.YIELDS
    limits = Limits(seconds=120.0, memory_mib=8192)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Show where flow is low and where it is late, with the volumes that trials asked for.",
        "not_for": "Choosing a treatment; tumours whose vessels leak; comparing volumes with those of other programs.",
        "sources": ("Wu 2003 (circular deconvolution)", "Boxerman 2020", "DEFUSE 3", "EXTEND-IA"),
        "limits": (
            "The core is tissue of low flow; diffusion, by which guidelines take the core of MR, is not looked at.",
            "Leakage of agent through broken vessels is not corrected, and arteries on T2* are known to be distorted.",
            "It was not tested on images of patients.",
        ),
        "level": "flow and volume validated on the OSIPI DSC object; volumes verified on phantoms only",
    }

    def run(
        self,
        bolus: Volume,
        vessels: tuple[Region, ...] | None,
        *,
        trial: Literal["all", "none", "DEFUSE 3", "EXTEND-IA", "EXTEND", "DAWN"] = "none",
        hours: float = -1.0,
        nihss: int = -1,
        core_percent: float = 30.0,
        delay_s: float = 6.0,
        smallest_ml: float = 1.0,
        threshold: float = 0.0,
        oscillation: float = 0.0,
        shape: float = 2.0,
        smooth_mm: float = 3.0,
        correct_motion: bool = True,
        most_motion_voxels: float = 2.0,
        artery_mm: str = "",
        vein_mm: str = "",
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Map one DSC series.

        Args:
            bolus: T2*-weighted signal with a time axis; Echo Time must be in the header.
            vessels: regions named artery (AIF) and vein (VOF), to be taken instead of the program's choice.
            trial: whose imaging rule is told, with the core of low flow in place of that of diffusion.
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
        one_scan.must_be_magnitude(bolus)
        bolus, echo = _of_one_echo(bolus)
        found, how, said = perfusion_answer.examined(
            bolus, vessels, {"artery": artery_mm, "vein": vein_mm}, "MR",
            threshold, oscillation, shape, smooth_mm, not correct_motion, most_motion_voxels, core_percent / 100.0,
            delay_s, smallest_ml, other_grid=other_grid,
        )  # fmt: skip
        return perfusion_answer.told(
            found,
            how,
            bolus,
            curve_unit="1/s",
            rule=trial,
            hours=hours,
            nihss=nihss,
            extra=(_CORE, *echo, *_of_spin_echo(bolus), *said),
        )
