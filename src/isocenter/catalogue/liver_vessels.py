"""Vessels of an outlined liver: how much of it they take, and what their tree looks like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.contrast_agent import after_contrast, contrast_agent
from isocenter.catalogue.liver_outline import livers_among, whole_liver
from isocenter.catalogue.made_alike import must_be_made_alike
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.catalogue.one_scan import on_one_scale_in_space
from isocenter.catalogue.virtual_ct import virtual_image
from isocenter.errors import Refused
from isocenter.methods.bright_masses import Masses, masses
from isocenter.methods.field_of_view import must_be_measured
from isocenter.methods.vessel_calibre import calibre, noise_share, standing_out
from isocenter.methods.vessel_tree import box_dimension, tree_of
from isocenter.methods.vesselness import vesselness
from isocenter.record import Finding, Measurement, codes
from isocenter.space import Geometry, Reference, Region, Volume, resample, resample_region

__all__ = ["LiverVessels"]

_THICKEST_MM, _LEAST_ML, _STEP_MM = 3.0, 50.0, 1.0
_SURFACE_MM = 4.0  # the liver's own edge is a ridge to any filter
_LEAST_VOXELS = 30
_NOISY, _SMOOTH_MM = 0.2, 0.8  # noise in parts of the contrast of vessels; above, what the filter looks at is smoothed
_NO_BLOOD_HU = 600.0  # blood with contrast stays below, at 80 kV too

Mask = npt.NDArray[np.bool_]


_CONTRAST_OUT = ("a virtual image without contrast", "an image without a material")


def _has_contrast(facts: Mapping[str, Any]) -> bool:
    """Whether a contrast agent is stated, or a phase after one, and was not taken out of the images again."""
    return bool(after_contrast(facts)) and virtual_image(facts) not in _CONTRAST_OUT


class LiverVessels:
    """Which share of an outlined liver is vessels, and how long, branched and winding is their tree?"""

    name, version = "liver_vessels", "11"
    needs: ClassVar[Mapping[str, Need]] = {
        "image": Need(
            modality=("CT", "MR"),
            at_least=20,
            slice_mm=(0.3, _THICKEST_MM),
            better=_has_contrast,
        ),
        "drawn": Need(modality=("SEG", "RTSTRUCT"), gives="regions"),
    }
    yields = (
        Yield(what=codes.BLOOD_VESSEL, units=("mL", "%")),
        Yield(what=codes.VESSEL_FRACTION, units=("%",)),
        Yield(what=codes.CENTRE_LINE, units=("mm", "mm/mL")),
        Yield(what=codes.BRANCH_POINTS, units=("{counts}", "{counts}/mL")),
        Yield(what=codes.VESSEL_RADIUS, units=("mm",)),
        Yield(what=codes.TORTUOSITY, units=("{ratio}",)),
        Yield(what=codes.FRACTAL_DIMENSION, units=("1",)),
        Yield(maps=("Vesselness",)),
    )
    limits = Limits(seconds=300.0, memory_mib=8192)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Describe vessels of an outlined liver after contrast, for research.",
        "not_for": "Planning a resection; telling portal from hepatic veins; grading a disease or telling an age.",
        "sources": ("Frangi 1998", "Lee 1994"),
        "limits": (
            "Portal and hepatic veins are not told apart.",
            "Values depend on threshold, phase and resolution: compare only scans of one protocol.",
            "A lesion that takes up contrast and touches a vessel is taken for a part of it.",
            "Vessels of 1 to 1.5 mm in radius come out 0.1 to 0.4 mm too wide, and wider where slices are thick.",
            "No reference of an age or disease group is at hand: none is compared.",
        ),
        "level": "verified on planted tubes; no reference of any age or disease group is at hand, so none is compared",
    }

    def run(
        self,
        image: Volume,
        drawn: tuple[Region, ...],
        *,
        smallest_radius_mm: float = 1.5,
        largest_radius_mm: float = 6.0,
        scales: int = 5,
        threshold: float = 0.12,
        smallest_ml: float = 0.1,
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Measure the vessels.

        Args:
            image: CT after contrast or bright-blood MR, slices of up to 3 mm.
            drawn: a region named liver.
            smallest_radius_mm, largest_radius_mm: of the vessels that are looked for.
            scales: how many radii between them, evenly in the logarithm.
            threshold: vesselness from which a voxel is vessel, 0 to 1.
            smallest_ml: connected parts below this are noise.
            other_grid: a liver whose voxels are not those of the image: ``nearest`` brings it there.

        Raises:
            Refused: when the liver is not outlined, or vessels would not stand out in it.
        """
        if not 0.3 <= smallest_radius_mm < largest_radius_mm <= 20 or not 2 <= scales <= 12 or not 0 < threshold < 0.7:
            raise Refused(
                f"radii {smallest_radius_mm:g} to {largest_radius_mm:g} mm in {scales} scales, threshold {threshold:g}",
                "radii rise from 0.3 to 20 mm, scales are 2 to 12, the threshold lies between 0 and 0.7",
                "give numbers within these",
            )
        image = on_one_scale_in_space(image)
        doubts = _must_show_vessels(image)
        cubes, liver, told = _cubes(image, drawn, other_grid)
        depth = ndimage.distance_transform_edt(np.pad(liver, 1), sampling=cubes.geometry.spacing_mm)
        where = depth[1:-1, 1:-1, 1:-1] > _SURFACE_MM
        ml = cubes.geometry.voxel_volume_mm3 / 1000.0
        if where.sum() * ml < _LEAST_ML:
            raise Refused(
                f"a liver of {liver.sum() * ml:.0f} mL",
                f"less than {_LEAST_ML:g} mL lie away from its edge",
                "outline the whole liver",
            )
        values = np.asarray(cubes.array, np.float32)
        # Outside the liver other organs are brighter or darker: their edge would be the strongest ridge.
        values = np.where(liver, values, np.float32(np.median(values[where])))
        radii = np.geomspace(smallest_radius_mm, largest_radius_mm, scales)
        beside = masses(
            values, liver, cubes.geometry.spacing_mm, widest_mm=largest_radius_mm,
            never=_NO_BLOOD_HU if image.unit == "[hnsf'U]" else np.inf,
        )  # fmt: skip
        values = np.where(beside.both, np.float32(beside.ground), values)
        sides = cubes.geometry.spacing_mm

        def looked(at: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], Mask, Mask]:
            strong, _ = vesselness(at, sides, tuple(radii / np.sqrt(2)), where)
            answers = _parts(strong >= threshold, smallest_ml / ml)
            return strong, answers, standing_out(values, answers, sides, inside=liver)

        strength, answering, vessels = looked(values)
        noisy = noise_share(values, vessels, sides, inside=liver)
        if noisy > _NOISY:
            # Noise roughens the border of a vessel, and thinning makes a branch of every bump.
            strength, answering, vessels = looked(ndimage.gaussian_filter(values, [_SMOOTH_MM / mm for mm in sides]))
        back = resample(cubes.like(strength, quantity="vesselness", unit="1"), image.geometry)
        maps = {"Vesselness": image.like(np.asarray(back.array, np.float32), quantity="vesselness", unit="1")}
        remarks: tuple[str, ...] = (
            *told,
            *doubts,
            *_smoothed(noisy),
            *_left_out(beside, answering & ~vessels, ml),
            f"radii of {smallest_radius_mm:g} to {largest_radius_mm:g} mm; vesselness from {threshold:g}; portal and "
            "hepatic veins are not told apart; no reference by age or disease is applied",
        )
        if vessels.sum() < _LEAST_VOXELS:
            return Answer.none(maps=maps, reasons=remarks)
        tree = tree_of(vessels, cubes.geometry.spacing_mm)
        voxel_mm = float(np.cbrt(image.geometry.voxel_volume_mm3))
        size = calibre(values, vessels, tree, cubes.geometry.spacing_mm, inside=liver, counted=where, voxel_mm=voxel_mm)
        if not size.resolved:
            thin = "no vessel is wide enough to show how bright blood is: thin ones may come out too wide"
            remarks = (*remarks, f"{thin}, and their share too high, by what the kernel blurs")
        inside_ml = float(where.sum()) * ml
        fraction = 100.0 * size.volume_mm3 / 1000.0 / inside_ml
        share = Measurement(
            codes.VESSEL_FRACTION,
            fraction,
            "%",
            definition=f"of the liver {_SURFACE_MM:g} mm and more from its surface, by brightness",
        )
        measured: tuple[Measurement, ...] = (
            share,
            Measurement(codes.CENTRE_LINE, tree.length_mm, "mm", definition="whole"),
            Measurement(codes.CENTRE_LINE, tree.length_mm / inside_ml, "mm/mL", definition="by volume of liver"),
            Measurement(codes.BRANCH_POINTS, tree.branch_points, "{counts}", definition="three ways or more"),
            Measurement(codes.BRANCH_POINTS, tree.branch_points / inside_ml, "{counts}/mL", definition="by volume"),
            Measurement(
                codes.VESSEL_RADIUS, size.radius_mm, "mm", definition="mean over the centre line, by brightness"
            ),
            Measurement(codes.TORTUOSITY, tree.tortuosity, "{ratio}", definition="path / chord, weighted by path"),
        )
        try:
            measured += (Measurement(codes.FRACTAL_DIMENSION, box_dimension(tree.line), "1", definition="box count"),)
        except Refused as why:
            remarks = (*remarks, f"no fractal dimension: {why}")
        region = Region(cubes.geometry, mask=size.lumen, series_uid=image.series_uid, label="vessels")
        shown = resample_region(region, image.geometry)
        words = (
            f"Vessels take {fraction:.1f} % of the liver: {tree.length_mm:.0f} mm of centre line, "
            f"{tree.branch_points} branch points, radius {size.radius_mm:.1f} mm, tortuosity {tree.tortuosity:.2f}."
        )
        finding = Finding(codes.BLOOD_VESSEL, where=shown, site=codes.LIVER, measurements=(share,), words=words)
        return Answer.found(finding, measurements=measured, maps=maps, reasons=remarks)

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A block of liver with one straight vessel of 3 mm, the same without, and without contrast."""
        grid = Geometry.regular(shape=(60, 60, 60), spacing_mm=(1.0, 1.0, 1.0), frame_of_reference="2.25.1")
        _, y, x = np.meshgrid(*(np.arange(60) - 29.5 for _ in range(3)), indexing="ij")
        plain = np.full(grid.shape, 100.0, np.float32)
        tube = np.where(y**2 + x**2 <= 9.0, 180.0, 100.0).astype(np.float32)
        facts = {"Modality": "CT", "ContrastBolusAgent": "Iomeprol", "SliceThickness": 1.0}
        mask = np.zeros(grid.shape, bool)
        mask[3:57, 3:57, 3:57] = True
        drawn = (Region(grid, mask=mask, label="Liver"),)

        def ct(array: npt.NDArray[np.float32], **more: Any) -> Volume:
            return Volume(array, grid, "attenuation", "[hnsf'U]", facts={**facts, **more})

        truth = {"answer": "found", "findings": 1, "measurements": {str(codes.TORTUOSITY): (1.0, 0.03)}}
        yield {"image": ct(tube), "drawn": drawn}, truth
        yield {"image": ct(tube, ContrastBolusAgent=""), "drawn": drawn}, {"answer": "declined", "words": "no contrast"}
        yield {"image": ct(plain), "drawn": drawn}, {"answer": "declined", "words": "without content"}


def _smoothed(noisy: float) -> Iterator[str]:
    if noisy > _NOISY:
        yield (
            f"the noise is {noisy:.0%} of what vessels stand out by: the tree was sought on images smoothed by "
            f"{_SMOOTH_MM:g} mm; thin vessels may be missing, and single branch points may be those of noise"
        )


def _left_out(beside: Masses, noise: Mask, ml: float) -> Iterator[str]:
    """What was bright in the liver and is counted as no vessel."""
    if beside.too_bright.any():
        yield (
            f"{beside.too_bright.sum() * ml:.1f} mL left out: brighter than blood in the vessels, as clips, calcium "
            "and lipiodol are, with 2.5 mm about it"
        )
    if beside.too_broad.any():
        yield (
            f"{beside.too_broad.sum() * ml:.1f} mL left out: bright, and as wide as long or wider than any vessel that "
            "is looked for, as a lesion with contrast is"
        )
    if noise.any():
        yield f"{noise.sum() * ml:.1f} mL left out: the filter answers, and it stands no further out than noise does"


def _must_show_vessels(image: Volume) -> list[str]:
    """What header and values must not say; what they say that limits the numbers."""
    facts = image.facts
    virtual = virtual_image(facts, (0, 0)) if facts.get("Modality") == "CT" else ""
    if virtual in _CONTRAST_OUT:
        raise Refused(
            virtual, "contrast was taken out, and vessels do not stand out of the liver", "send the plain images"
        )
    if image.axes or image.geometry.reference is not Reference.PATIENT:
        raise Refused(
            f"images with {[a.name for a in image.axes]}", "one phase of the liver is measured", "choose one phase"
        )
    if not np.isfinite(image.array).all() or min(image.geometry.shape) < 16 or not float(np.ptp(image.array)) > 0:
        raise Refused(
            f"images of {image.geometry.shape} without content",
            "no vessel can be seen in them",
            "send the series again",
        )
    if image.geometry.spacing_mm[0] > _THICKEST_MM + 0.01:
        raise Refused(
            f"slices {image.geometry.spacing_mm[0]:g} mm apart",
            "vessels break between them",
            "reconstruct thinner slices",
        )
    if image.unit == "[hnsf'U]" and not _has_contrast(facts):
        raise Refused(
            "a CT of which no contrast agent is stated",
            "no contrast, no vessels to be seen",
            "send a phase after contrast",
        )
    if facts.get("Modality") == "CT":
        must_be_made_alike(image, "vessels differ from liver by another amount in each")
    told = []
    if image.unit == "[hnsf'U]" and not contrast_agent(facts):
        told.append(f"no contrast agent is stated: {after_contrast(facts)}")
    if virtual:
        told.append(
            f"{virtual}: vessels differ from liver by another amount than on plain images; compare only with such ones"
        )
    return told


def _cubes(image: Volume, drawn: tuple[Region, ...], other_grid: OtherGrid) -> tuple[Volume, Mask, tuple[str, ...]]:
    """Image and liver on cubes of about a millimetre, cropped to the liver."""
    livers = livers_among(drawn)
    moved = [laid(one, image.geometry, other_grid) for one in livers]
    told = [words for _, several in moved for words in several]
    whole = whole_liver(livers, [np.asarray(one.mask) for one, _ in moved], told)
    on = replace(moved[0][0], mask=whole)
    if not on.voxels:
        raise Refused("a liver outside the images", "there is nothing to look at", "outline the liver on this series")
    if image.unit == "[hnsf'U]":
        must_be_measured(
            np.asarray(image.array), whole, "liver", most=0.0
        )  # one voxel of it would be the strongest edge
    start, stop = on.bounds
    cut = image.cropped(start, stop).upright()
    edge = max(_STEP_MM, min(image.geometry.spacing_mm))
    grid = (
        cut.geometry.respaced((edge, edge, edge)) if cut.geometry.is_orthogonal else _right_angled(cut.geometry, edge)
    )
    if min(grid.shape) < 8:
        raise Refused(
            f"a liver of {grid.shape} voxels", "it is too thin to hold vessels", "choose images of the whole liver"
        )
    assert on.mask is not None
    inside = Volume(on.mask, on.geometry).cropped(start, stop).upright()
    part = Region(inside.geometry, mask=np.ascontiguousarray(inside.array))
    mask = resample_region(part, grid).mask
    assert mask is not None
    return resample(cut, grid), mask, tuple(told)


def _right_angled(sheared: Geometry, edge: float) -> Geometry:
    """Cubes along the rows, the columns and the normal of slices that a tilted gantry moved against one another."""
    down, across = sheared.directions[:, 1], sheared.directions[:, 2]
    axes = np.stack([np.cross(across, down), down, across], axis=1)
    if axes[:, 0] @ sheared.directions[:, 0] < 0:
        axes[:, 0] *= -1
    corners = sheared.corners_mm() @ axes
    low, high = corners.min(axis=0), corners.max(axis=0)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes * edge, axes @ low
    z, y, x = (int(n) + 1 for n in np.ceil((high - low) / edge))
    return Geometry(affine, (z, y, x), sheared.frame_of_reference)


def _parts(mask: Mask, least: float) -> Mask:
    """Connected parts (26 neighbours) of a size."""
    labels, count = ndimage.label(mask, np.ones((3, 3, 3), bool))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray((sizes >= max(least, 1.0))[labels])
