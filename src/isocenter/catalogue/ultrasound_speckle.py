"""Ultrasound: what the statistics of speckle say about a tissue, with a map, and a picture with less speckle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.plane_image import frame_drawn_on, grey, on_image
from isocenter.errors import Refused
from isocenter.methods import speckle
from isocenter.record import Code, Finding, Measurement, codes
from isocenter.space import Geometry, Reference, Region, Volume

__all__ = ["UltrasoundSpeckle"]

SHAPE = Code("nakagami-m", "99ISO", "Nakagami m")
RATIO = Code("speckle-ratio", "99ISO", "Mean over standard deviation of the envelope")
LOOKS = Code("equivalent-looks", "99ISO", "Equivalent number of looks")
CNR = Code("contrast-to-noise", "99ISO", "Contrast to noise ratio")
GCNR = Code("gcnr", "99ISO", "Generalised contrast to noise ratio")
_MAP, _CALM = "nakagami_m", "despeckled"
_MOST_DRAWN = 0.005  # of the pixels: text of 1.7 % takes a fifth off m
_MOST_SATURATED = 0.02
_FEWEST = 200  # pixels


class UltrasoundSpeckle:
    """What do the statistics of speckle say about the outlined tissue, and what does the picture show without it?"""

    name, version = "ultrasound_speckle", "7"
    needs: ClassVar[Mapping[str, Need]] = {
        "image": Need(modality="US"),
        "outlines": Need(modality="SEG", gives="regions"),
    }
    yields = (Yield(what=codes.REGION, units=("1", "dB"), maps=(_MAP, _CALM)),)
    limits = Limits(seconds=60.0, memory_mib=3072)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Texture of tissue in research, where the settings of the machine are kept the same.",
        "not_for": "Comparing machines or settings; pictures with adaptive grey maps, edge enhancement or compounding, "
        "which change the statistics; measuring on the picture without speckle.",
        "sources": ("Shankar 2000 (Nakagami)", "Rodriguez-Molares 2020 (gCNR)", "Yu & Acton 2002", "Coupe 2009"),
        "limits": (
            "Adaptive grey maps, edge enhancement and compounding change the statistics: compare only pictures "
            "of one machine and one setting.",
            "It was verified on simulated speckle without correlation between pixels, real speckle has some.",
        ),
        "level": "verified on simulated speckle",
    }

    def run(
        self,
        image: Volume,
        outlines: tuple[Region, ...],
        *,
        dynamic_range_db: float = 0.0,
        window_pixels: int = 15,
        filter: Literal["SRAD", "Lee", "OBNLM"] = "SRAD",
    ) -> Answer:
        """Statistics of each outlined region, and of every pair of them against each other.

        Args:
            image: B-mode picture. outlines: tissue on it, away from vessels and borders.
            dynamic_range_db: of the log compression, as set on the machine; without it nothing is computed.
            window_pixels: side of the window of the map, odd.
            filter: that makes the picture ``despeckled``.

        Raises:
            Refused: without the dynamic range, for a picture compressed with loss, for outlines with colour, text or
                more than 2 % of white or black pixels, or with fewer than 200 pixels.
        """
        if str(image.facts.get("LossyImageCompression") or "") == "01":
            raise Refused(
                "a picture that was compressed with loss (JPEG)",
                "compression changes the statistics of speckle",
                "send it as the machine made it, without loss",
            )
        image = frame_drawn_on(image, outlines)
        picture, coloured = grey(image)
        white = _white(picture, image.facts.get("BitsStored"))
        # A grey of 0 is one that was rounded down to it.
        black = 10.0 ** ((0.5 / white - 1.0) * dynamic_range_db / 20.0)
        amplitude = speckle.envelope(picture, dynamic_range_db, white=white)
        every = [r for r in on_image(outlines, image) if r.mask is not None and r.mask.shape[1:] == picture.shape]
        held = [r for r in every if not r.instance_uid or r.instance_uid in image.instance_uids]
        beside = [r.label or "an outline" for r in every if not any(r is h for h in held)]
        if not held:
            raise Refused("no outline on this picture", "speckle is that of one tissue", "outline homogeneous tissue")
        findings, values = [], []
        for region in held:
            assert region.mask is not None
            inside = np.asarray(region.mask[0])
            _usable(region, picture[inside], white, None if coloured is None else coloured[inside])
            part = amplitude[inside].astype(np.float64)
            _without_text(region, part, black)
            values.append(part)
            spread_db = float(picture[inside].std(dtype=np.float64)) * dynamic_range_db / white
            findings.append(_finding(region, part, black, spread_db, values, held, dynamic_range_db))
        m = speckle.nakagami_map(amplitude, (window_pixels, window_pixels))
        calm = _calmed(amplitude, filter)
        # What is black on the machine has no level of its own: the scale ends where its dynamic range does.
        least = 10.0 ** (-dynamic_range_db / 20.0)
        decibel = 20.0 * np.log10(np.maximum(calm / max(float(calm.max()), 1e-12), least))
        maps = {
            _MAP: _map(image, np.nan_to_num(m, nan=0.0), "Nakagami m", "1"),
            _CALM: _map(image, decibel.astype(np.float32), f"amplitude, {filter}", "dB"),
        }
        told = (f"{', '.join(beside)}: on another picture, not measured",) if beside else ()
        return Answer.found(*findings, maps=maps, reasons=told)

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Fully developed speckle, and the same without its dynamic range: inputs and truth for the check."""
        grid = Geometry.regular(shape=(1, 160, 160), spacing_mm=(1.0, 0.2, 0.2), reference=Reference.PLANE)
        rng = np.random.default_rng(3)
        echo = np.abs(rng.standard_normal(grid.shape) + 1j * rng.standard_normal(grid.shape))
        decibel = 20.0 * np.log10(echo / echo.max())
        image = Volume(np.clip((decibel + 90.0) / 90.0 * 255.0, 0, 255).astype(np.float32), grid)
        mask = np.zeros(grid.shape, bool)
        mask[0, 20:140, 20:140] = True
        regions = (Region(grid, mask=mask, label="liver"),)
        measured = {str(SHAPE): (1.0, 0.03), str(RATIO): (speckle.RAYLEIGH_RATIO, 0.03)}
        asked = {"image": image, "outlines": regions}
        yield {**asked, "dynamic_range_db": 90.0}, {"answer": "found", "findings": 1, "measurements": measured}
        yield asked, {"answer": "declined", "words": "dynamic range"}


def _calmed(amplitude: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
    from isocenter.methods import despeckle  # compiled code, which takes a second to load

    if name == "SRAD":
        return despeckle.srad(amplitude)
    return despeckle.lee(amplitude) if name == "Lee" else despeckle.non_local_means(amplitude)


def _white(picture: npt.NDArray[np.float32], bits: Any) -> float:
    """The value of white: of as many bits as are stored, where the picture fills a quarter of them; else of 8 bits, or
    of as many as the picture needs.
    """
    top = max(float(picture.max()), 1.0)
    stored = float(2 ** int(bits) - 1) if isinstance(bits, int) and 8 < bits <= 16 else 0.0
    return stored if top <= stored < 4.0 * top else float(2 ** max(8, int(np.ceil(np.log2(top + 1.0)))) - 1)


def _usable(region: Region, values: npt.NDArray[Any], white: float, coloured: npt.NDArray[np.bool_] | None) -> None:
    name = region.label or "an outline"
    if values.size < _FEWEST:
        raise Refused(f"{name} of {values.size} pixels", f"statistics of speckle need {_FEWEST}", "outline more tissue")
    if coloured is not None and coloured.any():
        raise Refused(f"{name} with colour in it", "Doppler, text or calipers are no speckle", "outline plain tissue")
    dark, bright = float(np.mean(values <= 0)), float(np.mean(values >= white))
    if dark + bright > _MOST_SATURATED:
        which, turn = ("white", "lower the gain") if bright > dark else ("black", "raise the gain or the dynamic range")
        raise Refused(
            f"{name} with {max(dark, bright):.0%} of {which} pixels",
            f"at most {_MOST_SATURATED:.0%} may lie outside the dynamic range",
            f"{turn}, or outline other tissue",
        )


def _without_text(region: Region, part: npt.NDArray[np.float64], black: float) -> None:
    drawn = speckle.unexplained_at(1.0, part, black=black)
    if drawn > _MOST_DRAWN:
        raise Refused(
            f"{region.label or 'an outline'} with {drawn:.1%} of white pixels that are no speckle",
            "text, calipers or a bright reflector lie within it, and its statistics would be theirs",
            "outline plain tissue beside them",
        )


def _finding(
    region: Region, part: npt.NDArray[np.float64], black: float, spread_db: float,
    values: list[npt.NDArray[np.float64]], held: list[Region], dynamic_range_db: float,
) -> Finding:  # fmt: skip
    fit = speckle.nakagami(part, black=black)
    by = f"log compression of {dynamic_range_db:g} dB undone"
    said = [
        Measurement(SHAPE, fit.m, "1", definition=f"maximum likelihood, {by}"),
        Measurement(RATIO, speckle.signal_ratio(part), "1", definition=by),
        Measurement(LOOKS, speckle.looks(part), "1", definition=f"power, {by}"),
        Measurement(codes.STANDARD_DEVIATION, spread_db, "dB", definition="of the picture; speckle has 5.57"),
    ]  # fmt: skip
    for other, region_before in zip(values[:-1], held, strict=False):
        against = f"against {region_before.label or 'the first outline'}"
        said.append(Measurement(CNR, speckle.contrast_to_noise(part, other), "1", definition=against))
        said.append(Measurement(GCNR, speckle.generalised_contrast(part, other), "1", definition=against))
    kind = "fully developed speckle" if 0.9 <= fit.m <= 1.1 else "fewer scatterers" if fit.m < 0.9 else "more structure"
    return Finding(
        codes.REGION, where=region, measurements=tuple(said),
        words=f"{region.label or 'Outline'}: Nakagami m {fit.m:.2f}, as of {kind} (1 is fully developed speckle).",
    )  # fmt: skip


def _map(image: Volume, values: npt.NDArray[np.float32], quantity: str, unit: str) -> Volume:
    return Volume(
        values.reshape(image.geometry.shape), image.geometry, quantity, unit, (), image.facts, image.series_uid,
        image.instance_uids,
    )  # fmt: skip
