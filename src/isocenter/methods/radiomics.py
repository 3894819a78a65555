"""All IBSI features of a region, by a configuration with a name: the chain from the image to the numbers.

Nearly every step changes every number, so the steps are those of the IBSI reference manual in its order: interpolate
the image on an aligned grid, round intensities that are whole by nature, interpolate the mask and take what is at least
half inside, re-segment, filter where asked, discretise, count.

>>> CONFIGURATIONS["C"].spacing_mm, CONFIGURATIONS["C"].bin_width
(2.0, 25.0)

Source: Zwanenburg et al., Radiology 295 (2020) 328 (configurations A to E); Whybra et al., Radiology 310 (2024) e231319
(filters).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import discretisation, texture
from isocenter.methods.aligned_grid import AlignedGrid
from isocenter.methods.intensity import PEAK_RADIUS_MM, local_peaks, statistics
from isocenter.methods.intensity_histogram import histogram, volume_histogram
from isocenter.methods.masked import Spacing, as_mask, as_spacing
from isocenter.methods.morphology_features import shape, shape_with_intensity
from isocenter.methods.resegmentation import resegmented
from isocenter.methods.response_maps import RESPONSES, response

__all__ = ["CONFIGURATIONS", "FAMILIES", "Configuration", "Prepared", "changed", "extract", "measure", "prepare"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

FAMILIES = ("morph", "loc", "stat", "ih", "ivh", *texture.FAMILIES)
"""The eleven families of IBSI 1, by the beginning of their tags."""


@dataclass(frozen=True)
class Configuration:
    """How features are made, in full: two tables of numbers can be compared only when this is the same.

    Args:
        name: what it is called in answers.
        by_slice: slices are taken for themselves (2D); else the region is taken in space.
        spacing_mm: size of the new voxels (within the slice only, when `by_slice`); None keeps the image's.
        interpolation: of the image; the mask is always interpolated linearly.
        whole: round interpolated intensities, as those of CT are whole HU.
        within: range of intensities that is kept.
        outliers_sd: voxels farther from the mean are left out.
        bin_width: fixed bin size, counted from the lower end of `within`; None for a fixed number.
        bins: fixed number of bins; None with `bin_width`, and both None for an image of grey levels.
        ivh_width, ivh_bins: the same for the intensity-volume histogram; both None for whole intensities as they are.
            With a number of bins its intensities at a volume are numbers of bins, from 1 on.
        merges: of the textures, of `texture.DIMENSIONS`.
        filter: a filter of `response_maps`, by the name of its configuration or as a call with its settings, whose
            response is measured in place of the image; range and outliers are those of the image before it.
        families: which families are given, of `FAMILIES`.
    """

    name: str
    by_slice: bool = False
    spacing_mm: float | None = None
    interpolation: Literal["linear", "cubic"] = "linear"
    whole: bool = True
    within: tuple[float, float] | None = None
    outliers_sd: float | None = None
    bin_width: float | None = None
    bins: int | None = None
    ivh_width: float | None = None
    ivh_bins: int | None = None
    merges: tuple[str, ...] = ("3D",)
    filter: str = ""
    families: tuple[str, ...] = FAMILIES


_LUNG = (-500.0, 400.0)
_WIDE = (-1000.0, 400.0)
_SLICES = ("2D", "2_5D")


def _filtered(name: str) -> Configuration:
    """A configuration of IBSI 2: by slice as the image is (A), or in space on voxels of 1 mm (B)."""
    by_slice = name.endswith("A")
    return Configuration(
        name,
        by_slice=by_slice,
        spacing_mm=None if by_slice else 1.0,
        interpolation="cubic",
        within=_WIDE,
        merges=_SLICES if by_slice else ("3D",),
        filter="" if name[0] == "1" else name,
        families=("stat",),
    )


def _of_phantom(name: str) -> Configuration:
    """A response map of a digital phantom of IBSI 2: of the voxels as they are, with the statistics of the map."""
    return Configuration(name, whole=False, filter=name, families=("stat",))


CONFIGURATIONS: dict[str, Configuration] = {
    c.name: c
    for c in (
        Configuration("digital phantom", merges=texture.DIMENSIONS),
        Configuration("A", by_slice=True, within=_LUNG, bin_width=25.0, merges=_SLICES),
        Configuration("B", by_slice=True, spacing_mm=2.0, within=_LUNG, bins=32, merges=_SLICES),
        Configuration("C", spacing_mm=2.0, within=_WIDE, bin_width=25.0, ivh_width=2.5),
        Configuration("D", spacing_mm=2.0, outliers_sd=3.0, bins=32),
        Configuration(
            "E", spacing_mm=2.0, interpolation="cubic", within=_WIDE, outliers_sd=3.0, bins=32, ivh_bins=1000
        ),
        Configuration("SUV", spacing_mm=4.0, whole=False, within=(0.0, np.inf), bin_width=0.5, ivh_width=0.1),
        Configuration(
            "MR", spacing_mm=2.0, interpolation="cubic", whole=False, outliers_sd=3.0, bins=32, ivh_bins=1000
        ),
        *(_filtered(f"{n}.{kind}") for n in range(1, 10) for kind in "AB"),
        *(_of_phantom(name) for name in RESPONSES if name[-1] not in "AB"),
    )
}
"""By name: the digital phantom's and A to E of IBSI 1, our own choices for SUV and MR, 1.A to 9.B of IBSI 2, and its
response maps 1.a.1 to 10.b.1 of digital phantoms.

A to E and 1.A to 9.B are for HU.
"""


def changed(
    configuration: Configuration,
    *,
    spacing_mm: float | None = None,
    interpolation: str = "",
    by_slice: bool | None = None,
    within: tuple[float, float] | None = None,
    outliers_sd: float | None = None,
    bin_width: float | None = None,
    bins: int | None = None,
    ivh_width: float | None = None,
    ivh_bins: int | None = None,
    merges: tuple[str, ...] = (),
    filter: str = "",
) -> Configuration:
    """A configuration with some of its settings changed, all of which stand in its name; None or empty keeps a setting.

    A filter is measured by the statistics of its response, and by its histogram and textures too when a number of
    `bins` is asked for: bins of a width are for the image's own unit.

    Args:
        spacing_mm: 0 for the image's own voxels.
        outliers_sd: 0 for all.
        bin_width, bins: one of them. ivh_width, ivh_bins: one of them, of the intensity-volume histogram.

    Raises:
        Refused: for sizes that are none, both kinds of bins, an unknown merge or filter.

    >>> changed(CONFIGURATIONS["C"], bins=64, spacing_mm=1.0).name
    'C with voxels of 1 mm, 64 bins'
    """
    c, said = configuration, []
    if spacing_mm is not None:
        _positive("voxels of", spacing_mm, "mm", zero=True)
        c = replace(c, spacing_mm=spacing_mm or None)
        said.append(f"voxels of {spacing_mm:g} mm" if spacing_mm else "voxels as they are")
    if interpolation:
        if interpolation not in ("linear", "cubic"):
            raise Refused(f"interpolation '{interpolation}'", "it is linear or cubic", "name one of these")
        c = replace(c, interpolation="cubic" if interpolation == "cubic" else "linear")
        said.append(f"{interpolation} interpolation")
    if by_slice is not None:
        c = replace(c, by_slice=by_slice, merges=("2D", "2_5D") if by_slice else ("3D",))
        said.append("by slice" if by_slice else "in space")
    if within is not None:
        if not within[0] < within[1]:
            raise Refused(
                f"intensities from {within[0]:g} to {within[1]:g}",
                "the lower end lies below the upper one",
                "exchange them",
            )
        c = replace(c, within=within)
        said.append(f"from {within[0]:g} to {within[1]:g}")
    if outliers_sd is not None:
        _positive("outliers beyond", outliers_sd, "standard deviations", zero=True)
        c = replace(c, outliers_sd=outliers_sd or None)
        said.append(f"outliers beyond {outliers_sd:g} SD left out" if outliers_sd else "outliers kept")
    if bin_width is not None or bins is not None:
        said.append(_bins(bin_width, bins))
        c = replace(c, bin_width=bin_width, bins=bins)
    if ivh_width is not None or ivh_bins is not None:
        said.append(f"{_bins(ivh_width, ivh_bins)} of the intensity-volume histogram")
        c = replace(c, ivh_width=ivh_width, ivh_bins=ivh_bins)
    if merges:
        unknown = [m for m in merges if m not in texture.DIMENSIONS]
        if unknown:
            raise Refused(f"merge '{unknown[0]}'", f"there are {', '.join(texture.DIMENSIONS)}", "name one of these")
        c = replace(c, merges=merges)
        said.append(f"merges {' and '.join(merges)}")
    if filter:
        response(filter)
        families = ("stat",) if bins is None else ("stat", "ih", *texture.FAMILIES)
        c = replace(c, filter=filter, families=families)
        said.append(filter)
    return replace(c, name=f"{c.name} with {', '.join(said)}") if said else c


def _bins(width: float | None, count: int | None) -> str:
    if width is not None and count is not None:
        raise Refused(f"bins of {width:g} and {count} bins", "one of them divides the range", "give one")
    if width is None:
        return f"{count} bins"
    _positive("bins of", width, "")
    return f"bins of {width:g}"


def _positive(what: str, value: float, unit: str, *, zero: bool = False) -> None:
    if not (0 < value < np.inf or (zero and value == 0)):
        raise Refused(f"{what} {value:g} {unit}".rstrip(), "it is a number above zero", "give such a number")


@dataclass(frozen=True, eq=False)
class Prepared:
    """A region ready to be measured.

    Args:
        image: (slices, rows, columns) intensities around the region.
        outline: the region as drawn, on the same voxels; `held`: what re-segmentation left of it.
        spacing_mm: of (slices, rows, columns).
        positions: for each axis, where these voxels lie as indices of the voxels that were given.
    """

    image: Floats
    outline: Mask
    held: Mask
    spacing_mm: Spacing
    positions: tuple[Floats, Floats, Floats]


def prepare(
    image: npt.NDArray[np.floating],
    mask: Mask,
    spacing_mm: Spacing,
    configuration: Configuration,
    *,
    margin_mm: float = PEAK_RADIUS_MM,
) -> Prepared:
    """Interpolate, round, re-segment, and filter where the configuration says so.

    Args:
        image: (slices, rows, columns) intensities.
        mask: the region on the same voxels.
        spacing_mm: of (slices, rows, columns).
        margin_mm: how much of the image around the region is wanted too.

    Raises:
        Refused: when mask and image do not fit, or the region is empty at some step.
    """
    mask, spacing_mm = as_mask(mask), as_spacing(spacing_mm)
    if image.ndim != 3 or image.shape != mask.shape:
        raise Refused(
            f"image {image.shape} and mask {mask.shape}",
            "they must be of the same voxels",
            "outline the region on this image, or resample one of them",
        )
    wanted = configuration.spacing_mm
    new = spacing_mm if wanted is None else (spacing_mm[0] if configuration.by_slice else wanted, wanted, wanted)
    chosen = response(configuration.filter) if configuration.filter else None
    if chosen is not None:
        margin_mm = max(margin_mm, chosen.reach_mm, chosen.reach_voxels * max(new))
    grid = AlignedGrid.around(mask, spacing_mm, new, margin_mm)
    around = grid.image(image, configuration.interpolation)
    if configuration.whole and wanted is not None:
        around = np.rint(around)
    outline = grid.mask(mask)
    if not outline.any():
        raise Refused(
            f"no voxel of {' x '.join(f'{s:g}' for s in new)} mm lies half within the region",
            "the region is smaller than the voxels it is brought to",
            "choose a configuration with smaller voxels",
        )
    held = resegmented(around, outline, within=configuration.within, outliers_sd=configuration.outliers_sd)
    return Prepared(around if chosen is None else chosen(around, new), outline, held, new, grid.positions)


def extract(
    image: npt.NDArray[np.floating],
    mask: Mask,
    spacing_mm: Spacing,
    configuration: Configuration | str,
    *,
    families: tuple[str, ...] | None = None,
) -> dict[str, float]:
    """Every feature of a region by its IBSI tag, merge strategy included (see `ibsi.feature` for code and name).

    Args:
        image: (slices, rows, columns) intensities: HU, SUV or arbitrary.
        mask: the region on the same voxels.
        spacing_mm: of (slices, rows, columns).
        configuration: one of `CONFIGURATIONS` by name, or one's own.
        families: which, of `FAMILIES`; None for those of the configuration.

    Returns:
        tag -> value; features that have no value here (a quotient by zero) are left out.

    Raises:
        Refused: when the region is empty, too small, or of one intensity.
    """
    chosen = _named(configuration)
    return measure(prepare(image, mask, spacing_mm, chosen), chosen, families=families)


def measure(
    made: Prepared, configuration: Configuration, *, families: tuple[str, ...] | None = None
) -> dict[str, float]:
    """The features of a prepared region; see `extract`.

    Raises:
        Refused: when the region is too small, or of one intensity.
    """
    families = configuration.families if families is None else families
    found: dict[str, float] = {}
    if "morph" in families:
        found |= shape(made.outline, made.spacing_mm)
        found |= shape_with_intensity(made.image, made.outline, made.held, made.spacing_mm, found["morph_volume"])
    if "loc" in families:
        found |= local_peaks(made.image, made.held, made.spacing_mm)
    found |= _of_intensities(made, configuration, families)
    return {tag: value for tag, value in found.items() if np.isfinite(value)}


def _of_intensities(made: Prepared, configuration: Configuration, families: tuple[str, ...]) -> dict[str, float]:
    """The families that are made of intensities and grey levels alone."""
    x = made.image[made.held]
    found: dict[str, float] = {}
    if "stat" in families:
        found |= statistics(x)
    textures = tuple(f for f in families if f in texture.FAMILIES)
    if "ivh" in families:
        found |= volume_histogram(*_volume_grid(x, configuration))
    if not textures and "ih" not in families:
        return found
    binned, count = _levels(x, configuration)
    if "ih" in families:
        found |= histogram(binned, count)
    if textures:
        levels = np.zeros(made.held.shape, np.int32)
        levels[made.held] = binned
        box = _box(made.outline)
        found |= texture.features(
            levels[box], count, families=textures, dimensions=configuration.merges, outline=made.outline[box]
        )
    return found


def _named(configuration: Configuration | str) -> Configuration:
    if isinstance(configuration, Configuration):
        return configuration
    if configuration not in CONFIGURATIONS:
        raise Refused(
            f"no configuration '{configuration}'", f"there are {', '.join(CONFIGURATIONS)}", "name one of these"
        )
    return CONFIGURATIONS[configuration]


def _levels(x: Floats, configuration: Configuration) -> tuple[discretisation.Levels, int]:
    if configuration.bin_width is not None:
        low, _ = _range(x, configuration)
        levels = discretisation.fixed_bin_size(x, configuration.bin_width, low)
        return levels, int(levels.max())
    if configuration.bins is not None:
        return discretisation.fixed_bin_number(x, configuration.bins), configuration.bins
    levels = discretisation.whole_numbers(x)
    return levels, int(levels.max())


def _volume_grid(x: Floats, configuration: Configuration) -> tuple[Floats, Floats]:
    """Intensities for the intensity-volume histogram, and every intensity that there could be."""
    if configuration.ivh_bins is not None:
        levels = discretisation.fixed_bin_number(x, configuration.ivh_bins)
        return levels.astype(np.float64), np.arange(1.0, configuration.ivh_bins + 1.0)
    if configuration.ivh_width is not None:
        width = configuration.ivh_width
        low, high = _range(x, configuration)
        levels = discretisation.fixed_bin_size(x, width, low)
        bins = max(int(np.ceil((high - low) / width)), int(levels.max()))
        centres = np.asarray(low + (np.arange(1, bins + 1) - 0.5) * width, dtype=np.float64)
        return centres[levels - 1], centres
    low, high = _range(x, configuration)
    return x, np.arange(low, high + 1.0)


def _range(x: Floats, configuration: Configuration) -> tuple[float, float]:
    """The range that is kept; where it has no end, that of the region."""
    low, high = configuration.within or (-np.inf, np.inf)
    return low if np.isfinite(low) else float(x.min()), high if np.isfinite(high) else float(x.max())


def _box(mask: Mask) -> tuple[slice, ...]:
    hits = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    return tuple(slice(int(h[0]), int(h[-1]) + 1) for h in hits)
