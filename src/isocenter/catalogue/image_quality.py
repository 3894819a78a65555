"""Any image: what is wrong with it, and is it what its header says?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.one_scan import is_made
from isocenter.errors import Refused
from isocenter.methods import greys, pet_header, suv
from isocenter.methods.film_view import as_shown, grows_with_exposure
from isocenter.methods.ghosting import ghosting
from isocenter.methods.noise import signal_to_noise
from isocenter.methods.sharpness import edge_width
from isocenter.record import Code, Finding, Measurement, codes
from isocenter.space import Geometry, Reference, Volume

__all__ = ["ImageQuality"]

NOISE = Code("noise", "99ISO", "Noise")
EDGE_WIDTH = Code("edge-width", "99ISO", "Width of the steepest edges")
GREY_LEVELS = Code("grey-levels", "99ISO", "Number of grey levels")
CLIPPED = Code("clipped-share", "99ISO", "Share of clipped pixels")
GHOST = Code("ghosting", "99ISO", "Ghost signal")
LUNG = Code("lung-share", "99ISO", "Share of lung in the body")
IMAGES = Code("image-count", "99ISO", "Number of images")

_RADIOGRAPHS = ("CR", "DX", "RG")
_RECORDED = (*_RADIOGRAPHS, "CT", "MR", "PT", "NM", "MG", "XA", "RF", "PX", "IO")  # a detector made these, no program
_NO_IMAGE = ("SEG", "RTDOSE", "RTSTRUCT", "PR", "SR", "KO", "RWV", "REG")
_SHARP = (*_RADIOGRAPHS, "CT", "MR", "MG", "XA", "RF", "PX", "IO")  # emission images and ultrasound have soft edges
# What is computed of two signals is noise by nature where there is none: in air.
_NOISE_IN_AIR = frozenset({"P", "PHASE", "PHASE MAP", "ADC", "FA", "T1 MAP", "T2 MAP", "T2_STAR MAP", "R2_STAR MAP"})
_PHOTOMETRIC = "PhotometricInterpretation"
_UNITS = tuple(codes.UNITS)  # an image may be in any
_SAMPLED = 8
_DARKEST_HU, _PADDED = -1024.0, 0.01  # 12-bit CT begins there; share of an image from which one lower value is padding
_LARGEST_SIDE = 1024
_LEAST_SIDE = 32  # pixels of an ultrasound region that is looked at by itself

# Each limit with the room that was seen between good images and planted faults. Good: every sample of pydicom, 15
# series of sarcoma patients (CT, MR, PET), short-axis cine MR, 20 MR phantom series and 200 chest radiographs.
_LEAST_SNR = 4.0  # good 9 and more; radiographs with noise of a fifth of the grey range at most 3
_WIDEST_EDGE_PX = 8.0  # good 6.4 and less; blurred with a Gaussian of 3 pixels: median 9.5
_MOST_GHOST = 0.04  # good 0.022 and less; the ACR accepts 0.025 in a phantom, a living person moves
_MOST_CLIPPED = 0.02  # good 0.004 and less
_LEAST_LEVELS = 16  # good 175 and more
_LEAST_MEDIASTINUM = -0.2  # good 0.2 and more
_METAL_HU, _METAL_ML = 3000.0, 0.1  # 12-bit CT ends at 3071 HU; enamel and cortical bone stay below 3000
_MOST_CT_NOISE_HU = 150.0  # sharp lung kernels reach about 100
_AIR_HU = 50.0  # air is -1000 HU by definition; scanners are held to a few HU
_MUCH_AIR = 0.25  # below that, foam and cushions (-900 HU) may be all the air that a cropped image shows
_MOST_LOSSY = 20.0  # our choice: published limits for radiographs, CT and MR mostly lie below
_LEAST_LUNG, _LONG_CHEST_MM = 0.03, 150.0  # a whole chest holds lung: one third of its voxels


class ImageQuality:
    """What is wrong with this image, and is it what its header says?"""

    name, version = "image_quality", "8"
    needs: ClassVar[Mapping[str, Need]] = {"image": Need(every=True)}
    yields = (
        Yield(what=codes.QUALITY_ISSUE, units=_UNITS),
        Yield(what=codes.HEADER_MISMATCH, units=_UNITS),
        *(
            Yield(what=what, units=_UNITS)
            for what in (
                codes.MEAN, codes.STANDARD_DEVIATION, codes.MINIMUM, codes.MAXIMUM, codes.SIGNAL_TO_NOISE, NOISE,
                EDGE_WIDTH, GREY_LEVELS, CLIPPED, GHOST, IMAGES,
            )
        ),
    )  # fmt: skip
    limits = Limits(seconds=60.0, memory_mib=4096)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Point out images that other analyses and readers should not trust, before they do.",
        "not_for": "Acceptance testing of a scanner; judging whether an examination answers its question.",
        "sources": ("ACR MRI quality control manual 2015", "Donoho and Johnstone 1994", "DICOM PS3.3"),
        "limits": (
            "It does not see swapped sides, the wrong patient, or motion in CT.",
            "Noise that was smoothed away afterwards is estimated too low.",
            "Its bounds are proposals with room around images that were looked at, and no acceptance limits of "
            "a standard.",
        ),
        "level": "verified on planted faults and on real images of five kinds; not validated",
    }

    def run(self, image: Volume, *, strict: bool = False) -> Answer:
        """Look for faults of the pixels and for contradictions between pixels and header.

        Args:
            image: any image: grey or colour, single or many, with or without leading axes.
            strict: complain half as far from the ordinary.

        Raises:
            Refused: for what is no image (segmentation, dose).
        """
        modality = str(image.facts.get("Modality", "")).upper()
        if modality in _NO_IMAGE or image.quantity in ("label", "probability", "dose"):
            raise Refused(
                f"{modality or image.quantity}",
                "it holds no image that a detector made",
                "choose the series that it was made from",
            )
        if image.array.size == 0:
            raise Refused("an image without pixels", "there is nothing to look at", "send the series again")
        image, told = _of_tissue(image)
        look = _Look(image, modality, 2.0 if strict else 1.0)
        findings = list(_numbers(look))
        if not findings:
            for check in (_frames, _grey_scale, _noise, _blur, _ghosts, _ct, _mr, _pet, _inverted, _declared):
                findings += check(look)
        measured = look.measurements() if look.finite else ()
        if findings:
            return Answer.found(*findings, measurements=measured, reasons=told)
        return Answer.none(measurements=measured, reasons=told)

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A sharp quiet object, then the same with planted faults: (inputs, truth) pairs for ``isocenter check``."""
        grid = Geometry.regular(shape=(6, 96, 96), spacing_mm=(4.0, 1.0, 1.0))
        z, y, x = np.indices(grid.shape)
        body = (((y - 47.5) / 36.0) ** 2 + ((x - 47.5) / 28.0) ** 2) <= 1.0
        bone = ((y - 60.0) ** 2 + (x - 47.5) ** 2) <= 49.0
        rng = np.random.default_rng(0)
        ct = np.where(bone, 700.0, np.where(body, 40.0, -1000.0)) + rng.normal(0.0, 12.0, grid.shape) + z
        facts = {"Modality": "CT"}

        def made(array: npt.NDArray[np.floating], **more: Any) -> Mapping[str, Any]:
            volume = Volume(array.astype(np.float32), grid, "attenuation", "[hnsf'U]", facts={**facts, **more})
            return {"image": volume}

        yield made(ct), {"answer": "none", "measurements": {str(NOISE): (12.0, 2.0)}}
        yield made(ct + rng.normal(0.0, 300.0, grid.shape)), {"answer": "found", "words": "noise"}
        yield made(ct + 1024.0), {"answer": "found", "words": "rescale"}
        yield made(np.full(grid.shape, 7.0)), {"answer": "found", "words": "one value"}
        lost = ct.copy()
        lost[3] = -1000.0
        yield made(lost), {"answer": "found", "words": "blank"}
        yield made(ct, BurnedInAnnotation="YES"), {"answer": "found", "words": "burned in"}
        labels = Volume(bone.astype(np.uint8), grid, "label", "1")
        yield {"image": labels}, {"answer": "declined", "words": "no image"}


def _of_tissue(image: Volume) -> tuple[Volume, tuple[str, ...]]:
    """Of an ultrasound picture with calibrated regions the largest, on its own scale: around it stand letters, bars of
    grey, a spectrum, a second picture, whose edges are those of a program.
    """
    _, rows, columns = image.geometry.shape
    held = []
    for x0, y0, x1, y1, across, down, *_ in image.facts.get("UltrasoundRegions") or ():
        left, top, right, bottom = max(int(x0), 0), max(int(y0), 0), min(int(x1) + 1, columns), min(int(y1) + 1, rows)
        if right - left >= _LEAST_SIDE and bottom - top >= _LEAST_SIDE:
            held.append(((right - left) * (bottom - top), left, top, right, bottom, float(across), float(down)))
    if not held:
        return image, ()
    _, left, top, right, bottom, across, down = max(held)
    grid = Geometry.regular(
        shape=(1, bottom - top, right - left), spacing_mm=(1.0, down, across), reference=Reference.PLANE
    )
    part = replace(image, array=image.array[..., top:bottom, left:right], geometry=grid)
    of = f"the largest of {len(held)} ultrasound regions" if len(held) > 1 else "the ultrasound region"
    told = (
        f"looked at in {of} (columns {left + 1} to {right}, rows {top + 1} to {bottom}), without what stands around it"
    )
    return part, (told,)


@dataclass(frozen=True, eq=False)
class _Look:
    """One image with the numbers that several checks share, each computed when first wanted."""

    image: Volume
    modality: str
    strictness: float

    @cached_property
    def frames(self) -> npt.NDArray[np.generic]:
        """(n, rows, columns), or (n, rows, columns, channels) for colour; a view where that can be."""
        array, axes = self.image.array, self.image.axes
        names = [a.name for a in axes]
        if "channel" in names:
            array = np.moveaxis(array, names.index("channel"), -1)
            return array.reshape(-1, *self.image.geometry.shape[1:], array.shape[-1])
        return array.reshape(-1, *self.image.geometry.shape[1:])

    @cached_property
    def _chosen(self) -> list[npt.NDArray[np.float32]]:
        """A few whole frames in grey, spread evenly and the same from either end; very large ones by their middle."""
        n = len(self.frames)
        # From a quarter to three quarters: the first and last slices of a stack often hold little.
        spread = np.linspace(0.25 * (n - 1), 0.75 * (n - 1), min(n, _SAMPLED // 2))
        chosen = {int(i) for i in np.floor(spread)} | {n - 1 - int(i) for i in np.floor(spread)}
        grey = []
        for i in sorted(chosen):
            frame = np.asarray(self.frames[i], dtype=np.float32)
            frame = frame.mean(axis=-1) if frame.ndim == 3 else frame
            cut = [max(0, (side - _LARGEST_SIDE) // 2) for side in frame.shape]
            frame = frame[cut[0] : frame.shape[0] - cut[0], cut[1] : frame.shape[1] - cut[1]]
            grey.append(frame)
        return grey

    @cached_property
    def sampled(self) -> list[npt.NDArray[np.float32]]:
        """The same, with the padding of a CT as dark as air, so that its edge is none of the picture."""
        return [np.maximum(f, np.float32(_DARKEST_HU)) for f in self._chosen] if self.modality == "CT" else self._chosen

    @cached_property
    def padding(self) -> float | None:
        """What a CT scanner wrote (-2000, -3024) outside its round field of view, where nothing was measured."""
        low, _ = self.extremes
        lowest = float(low.min())
        if self.modality != "CT" or not (lowest < _DARKEST_HU or lowest == self._stated_padding):
            return None
        frame = self.frames[int(low.argmin())]
        return lowest if np.count_nonzero(frame == lowest) >= _PADDED * frame.size else None

    @property
    def _stated_padding(self) -> float | None:
        facts = self.image.facts
        stored, slope, shift = (facts.get(k) for k in ("PixelPaddingValue", "RescaleSlope", "RescaleIntercept"))
        if not (isinstance(stored, int) and isinstance(slope, int | float) and isinstance(shift, int | float)):
            return None
        # In unsigned words a CT's is negative too (see `dicom.assemble`).
        return float((stored - 2**16 if stored >= 2**15 else stored) * slope + shift)

    @cached_property
    def measured(self) -> tuple[float, npt.NDArray[np.float32]]:
        """The least value that was measured, and all sampled pixels that were."""
        values = np.concatenate([f.ravel() for f in self._chosen])
        if self.padding is None:
            return self.ends[0], values
        frames = np.asarray(self.frames)
        least = np.min(frames, where=frames != self.padding, initial=self.ends[1])
        return float(least), values[values != self.padding]

    @cached_property
    def values(self) -> npt.NDArray[np.float32]:
        """All sampled pixels in one row."""
        return np.concatenate([f.ravel() for f in self.sampled])

    @cached_property
    def extremes(self) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Smallest and largest value of each frame: the only look at every voxel, and NaN shows in it."""
        each = self.frames.reshape(len(self.frames), -1)
        return each.min(axis=1), each.max(axis=1)

    @cached_property
    def ends(self) -> tuple[float, float]:
        low, high = self.extremes
        return float(low.min()), float(high.max())

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.ends).all())

    @cached_property
    def signal(self) -> tuple[float, float]:
        """Median (signal-to-noise ratio, noise) of the sampled frames."""
        each = [signal_to_noise(f) for f in self.sampled]
        return float(np.median([e[0] for e in each])), float(np.median([e[1] for e in each]))

    @cached_property
    def edge_px(self) -> float | None:
        widths = [edge_width(f, self.signal[1]) for f in self.sampled]
        known = [w for w in widths if w is not None]
        return float(np.median(known)) if known else None

    @cached_property
    def ghost(self) -> float | None:
        direction = str(self.image.facts.get("InPlanePhaseEncodingDirection", "")).upper()
        if self.modality != "MR" or direction not in ("ROW", "COL", "COLUMN"):
            return None
        each = [ghosting(f, 1 if direction == "ROW" else 0) for f in self.sampled]
        known = [g for g in each if g is not None]
        return float(np.median(known)) if known else None

    @cached_property
    def clipped(self) -> float:
        """Of radiographs without a collimator's margin, which is as bright as can be, and of raw ones without air, in
        which the direct beam fills the detector.
        """
        raw = str(self.image.facts.get("PresentationIntentType") or "").upper() == "FOR PROCESSING"
        if raw and self.modality in (*_RADIOGRAPHS, "MG"):
            return greys.clipped_share(np.concatenate([greys.without_air(f) for f in self.sampled]))
        if self.modality not in _RADIOGRAPHS:
            return greys.clipped_share(self.values)
        return greys.clipped_share(np.concatenate([greys.without_margins(f) for f in self.sampled]))

    @cached_property
    def levels(self) -> int:
        return max(greys.levels(f) for f in (self.sampled[0], self.sampled[-1]))

    @property
    def unit(self) -> str:
        return self.image.unit if self.image.unit in _UNITS else "{arbitrary}"

    def measurements(self) -> tuple[Measurement, ...]:
        low, values = self.measured
        ratio, noise = self.signal
        beside = "" if self.padding is None else f"without padding of {self.padding:g}"
        sampled = f"sampled images{', ' if beside else ''}{beside}"
        said = [
            Measurement(codes.MINIMUM, low, self.unit, definition=beside),
            Measurement(codes.MAXIMUM, self.ends[1], self.unit),
            Measurement(codes.MEAN, float(values.mean(dtype=np.float64)), self.unit, definition=sampled),
            Measurement(codes.STANDARD_DEVIATION, float(values.std(dtype=np.float64)), self.unit, definition=sampled),
            Measurement(NOISE, noise, self.unit, definition="median absolute deviation, finest diagonal detail"),
            Measurement(GREY_LEVELS, self.levels, "{counts}", definition="in one image"),
            Measurement(CLIPPED, 100.0 * self.clipped, "%"),
            Measurement(IMAGES, len(self.frames), "{counts}"),
        ]
        if np.isfinite(ratio):
            said.append(Measurement(codes.SIGNAL_TO_NOISE, ratio, "{ratio}", definition="contrast over noise"))
        if self.edge_px is not None:
            said.append(Measurement(EDGE_WIDTH, self.edge_px, "{pixels}"))
            if self.image.geometry.reference is not Reference.PIXEL:
                step = float(np.mean(self.image.geometry.spacing_mm[1:]))
                said.append(Measurement(EDGE_WIDTH, self.edge_px * step, "mm"))
        if self.ghost is not None:
            said.append(Measurement(GHOST, 100.0 * self.ghost, "%", definition="ACR percent signal ghosting"))
        return tuple(said)


def _issue(words: str, *measurements: Measurement) -> Finding:
    return Finding(codes.QUALITY_ISSUE, words=words, measurements=measurements)


def _mismatch(words: str, *measurements: Measurement) -> Finding:
    return Finding(codes.HEADER_MISMATCH, words=words, measurements=measurements)


def _numbers(look: _Look) -> Iterator[Finding]:
    if not look.finite:
        bad = int(np.count_nonzero(~np.isfinite(look.image.array)))
        yield _issue(f"{bad} pixels are not numbers.", Measurement(codes.COUNT, bad, "{counts}"))
    elif look.ends[0] == look.ends[1]:
        yield _issue(f"Every pixel has one value ({look.ends[0]:g}): there is no image.")


def _frames(look: _Look) -> Iterator[Finding]:
    if len(look.frames) > 2:
        blank = greys.blank_frames(*look.extremes)
        if blank:
            yield _issue(f"{len(blank)} blank between others: {_listed(blank)}.", _count(len(blank)))
        if look.modality in ("CT", "MR", "PT") and not look.image.axes:
            again = greys.repeated_frames(look.frames)
            if again:
                yield _issue(f"{len(again)} repeat the one before: {_listed(again)}.", _count(len(again)))
    told = look.image.facts.get("SpacingBetweenSlices")
    steps = look.image.geometry.spacing_mm[0]
    if look.image.geometry.shape[0] > 2 and isinstance(told, int | float) and told > 0:
        times = steps / abs(float(told))
        if abs(times - round(times)) < 0.05 and round(times) >= 2:
            yield _mismatch(
                f"Slices lie {steps:.2f} mm apart where the header says {float(told):.2f} mm: some may be missing.",
                Measurement(codes.LENGTH, steps, "mm"),
            )


def _grey_scale(look: _Look) -> Iterator[Finding]:
    if look.modality not in _RECORDED or look.image.array.size < 4096:
        return
    if look.clipped > _MOST_CLIPPED / look.strictness:
        yield _issue(
            f"{100 * look.clipped:.1f} % of the pixels are clipped at {look.values.max():g}: bright detail is lost.",
            Measurement(CLIPPED, 100.0 * look.clipped, "%"),
        )
    if look.levels < _LEAST_LEVELS * look.strictness:
        yield _issue(f"Only {look.levels} grey levels.", Measurement(GREY_LEVELS, look.levels, "{counts}"))


def _noise(look: _Look) -> Iterator[Finding]:
    if look.modality not in _RECORDED or look.image.array.size < 4096:
        return
    if look.modality == "MR" and (
        _NOISE_IN_AIR & set(_several(look.image.facts.get("ImageType"))) or is_made(look.image)
    ):
        return
    ratio, noise = look.signal
    if look.modality == "CT":  # muscle beside fat, or a map of iodine, has little contrast by nature
        loud = look.unit == "[hnsf'U]" and noise > _MOST_CT_NOISE_HU / look.strictness
    else:
        loud = 0.0 < ratio < _LEAST_SNR * look.strictness
    if loud:
        yield _issue(
            f"Strong noise: the signal is {ratio:.1f} times the noise ({noise:.3g} {look.unit}).",
            Measurement(codes.SIGNAL_TO_NOISE, ratio, "{ratio}"),
        )


def _blur(look: _Look) -> Iterator[Finding]:
    if look.modality in _SHARP and look.edge_px is not None and look.edge_px > _WIDEST_EDGE_PX / look.strictness:
        yield _issue(
            f"Blurred: even the steepest edges are {look.edge_px:.0f} pixels wide.",
            Measurement(EDGE_WIDTH, look.edge_px, "{pixels}"),
        )


def _ghosts(look: _Look) -> Iterator[Finding]:
    if look.ghost is not None and look.ghost > _MOST_GHOST / look.strictness:
        yield _issue(
            f"Ghosts along the phase direction, {100 * look.ghost:.0f} % of the signal: the patient or blood moved.",
            Measurement(GHOST, 100.0 * look.ghost, "%"),
        )


def _ct(look: _Look) -> Iterator[Finding]:
    if look.modality != "CT" or look.image.axes or "LOCALIZER" in _several(look.image.facts.get("ImageType")):
        return
    if greys.looks_unshifted(look.values):
        yield _mismatch("Soft tissue lies near 1000 and nothing below fat: the rescale to Hounsfield units is missing.")
        return
    air = look.values[(look.values > -1020) & (look.values < -850)]  # padding was brought to -1024
    true_air = np.count_nonzero((look.values > -1020) & (look.values < -970))
    if air.size > _MUCH_AIR * look.values.size and true_air < 0.001 * look.values.size:
        counts, edges = np.histogram(air, bins=34, range=(-1020, -850))
        mode = float(edges[int(counts.argmax())] + 2.5)
        if abs(mode + 1000.0) > _AIR_HU / look.strictness:
            yield _mismatch(f"Air lies at {mode:.0f} HU in place of -1000.", Measurement(codes.MEAN, mode, "[hnsf'U]"))
    if look.ends[1] >= _METAL_HU and look.image.geometry.reference is Reference.PATIENT:
        metal = np.count_nonzero(look.image.array >= _METAL_HU) * look.image.geometry.voxel_volume_mm3 / 1000.0
        if metal > _METAL_ML / look.strictness:
            yield _issue(
                f"{metal:.1f} mL at {_METAL_HU:g} HU or more: metal; values near it are not to be trusted.",
                Measurement(codes.VOLUME, metal, "mL"),
            )
    long_mm = look.image.geometry.spacing_mm[0] * look.image.geometry.shape[0]
    part = str(look.image.facts.get("BodyPartExamined", "")).upper()
    if part in ("CHEST", "THORAX", "LUNG") and long_mm >= _LONG_CHEST_MM:
        share = greys.lung_share(look.values)
        if share < _LEAST_LUNG:
            yield _mismatch(
                f"The header says {part.lower()}, but {100 * share:.1f} % of the body is lung.",
                Measurement(LUNG, 100.0 * share, "%", definition="-950 to -600 HU"),
            )


def _mr(look: _Look) -> Iterator[Finding]:
    if look.modality == "MR" and greys.looks_like_hounsfield(look.values):
        yield _mismatch("The header says MR, but the values are Hounsfield units with air at -1000: this is CT.")


def _pet(look: _Look) -> Iterator[Finding]:
    if look.modality != "PT" or look.image.quantity.startswith("SUV"):
        return
    try:
        known = suv.conversion(pet_header.read(look.image.facts))
    except Refused as why:
        yield _issue(f"SUV cannot be computed. {why}")
        return
    highest = look.ends[1] * known.factor
    if not 0.1 <= highest <= 1000.0:
        yield _mismatch(
            f"The highest SUV would be {highest:.3g}: dose, weight or units in the header are wrong.",
            Measurement(codes.MAXIMUM, highest, "{SUVbw}g/ml"),
        )
    for remark in known.remarks:
        yield _mismatch(f"{remark[0].upper()}{remark[1:]}.")


def _inverted(look: _Look) -> Iterator[Finding]:
    facts = look.image.facts
    said = f"{facts.get('BodyPartExamined', '')} {facts.get('AnatomicRegion', '')}".upper()
    if look.modality not in _RADIOGRAPHS or not ("CHEST" in said or "THORAX" in said):
        return
    if str(facts.get("ViewPosition", "")).upper() in ("LL", "RL", "LATERAL", "LAT") or len(look.frames) > 1:
        return
    if grows_with_exposure(facts):
        return  # a picture for processing, of which the header says that its lungs are bright
    whole = np.asarray(look.frames[0], dtype=np.float32)
    whole = as_shown(whole.mean(axis=-1) if whole.ndim == 3 else whole, facts)
    # A volume from the archive was turned already, so that its largest value is white.
    dark_is_large = facts.get(_PHOTOMETRIC) == "MONOCHROME1" and not facts.get("InvertedFromMonochrome1")
    contrast = greys.mediastinum_contrast(-whole if dark_is_large else whole)
    if contrast < _LEAST_MEDIASTINUM:
        yield _mismatch(
            "The lungs are brighter than the mediastinum: the image is inverted "
            f"({facts.get(_PHOTOMETRIC) or 'Photometric Interpretation'} is wrong).",
        )


def _declared(look: _Look) -> Iterator[Finding]:
    facts = look.image.facts
    if str(facts.get("BurnedInAnnotation", "")).upper() == "YES":
        yield _issue("Text is burned in: it may name the patient.")
    told = facts.get("LossyImageCompressionRatio")
    every = told if isinstance(told, list | tuple) else [told]
    ratio = max((float(r) for r in every if isinstance(r, int | float)), default=0.0)
    if look.modality in _RECORDED and ratio > _MOST_LOSSY / look.strictness:
        yield _issue(
            f"The header tells of compression {ratio:.0f}:1 with loss: fine detail may be gone.",
            Measurement(codes.COUNT, ratio, "{ratio}"),
        )


def _several(value: Any) -> tuple[str, ...]:
    return tuple(str(v).upper() for v in (value if isinstance(value, list | tuple) else [value]))


def _count(n: int) -> Measurement:
    return Measurement(codes.COUNT, n, "{counts}")


def _listed(numbers: list[int]) -> str:
    """Positions counted from one, the first five."""
    said = ", ".join(f"image {i + 1}" for i in numbers[:5])
    return said + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
