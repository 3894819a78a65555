"""A map as a DICOM Parametric Map: a number for each voxel with its unit, not a screenshot of colours.

Blood flow, T1, SUV or the sensitivity of a model travel as 32-bit floats with a Real World Value Mapping that names
the UCUM unit, so that any workstation reads the same number under the cursor (PS3.3 A.75).
"""

from __future__ import annotations

import numpy as np

from isocenter.errors import LimitReached, Refused
from isocenter.forms import maker, planes
from isocenter.forms.maker import Sources
from isocenter.record import Code, Map, Result, Study
from isocenter.record.result import unit_meaning
from isocenter.space import Geometry, Reference, Region, Shape, Volume
from isocenter.space.regrid import onto

__all__ = ["identity", "read", "write"]

_LARGEST = 2**31  # voxels; a lie in a header must not become an allocation


def identity(result: Result, name: str) -> tuple[str, str]:
    """(Series Instance UID, SOP Instance UID) that `write` gives to the map of that name."""
    return maker.uid(result.id, "map", name, "series"), maker.uid(result.id, "map", name, "instance")


def write(of: Map, values: Volume, result: Result, study: Study, sources: Sources) -> bytes:
    """One map of a result as a Parametric Map; its floats are kept to the bit.

    Args:
        of: the map as its result describes it.
        values: its voxels, as `maps.unpack` gives them.

    Raises:
        Refused: when the map is not on its result's grid, the grid is sheared, or it lies on no image.
    """
    import highdicom as hd
    from highdicom.pm import ParametricMap, RealWorldValueMapping

    maker.must_belong(result, study)
    grid = of.geometry
    if not values.geometry.same_grid(grid) or values.axes:
        raise Refused(
            f"voxels of another grid than map '{of.name}'",
            "numbers would stand at other places",
            "resample them to the grid of the map",
        )
    if grid.reference != Reference.PATIENT:
        raise Refused(
            f"map '{of.name}' on an image without patient space",
            "a DICOM Parametric Map must lie in a frame of reference (PS3.3 A.75.3)",
            "write it as a picture instead",
        )
    if not grid.is_orthogonal:
        raise Refused("a sheared grid (tilted gantry)", "viewers would show the map shifted", "resample it first")
    array = np.ascontiguousarray(values.array, dtype=np.float32)
    finite = array[np.isfinite(array)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    middle = tuple((n - 1) / 2 for n in grid.shape)
    anchor = Region(grid, Shape.POINT, points_mm=grid.to_patient([middle]), series_uid=of.series_uid)
    images = planes.cited(planes.planes(study, anchor, sources))
    pixels = hd.Volume(array, grid.affine, "PATIENT", images[0].FrameOfReferenceUID)
    mapping = RealWorldValueMapping(
        lut_label=_label(of.name),
        lut_explanation=f"{of.quantity}, {of.kind}"[:64],
        unit=maker.coded(Code(of.unit, "UCUM", unit_meaning(of.unit))),
        value_range=(low, high),
        slope=1.0,
        intercept=0.0,
    )
    series_uid, sop_uid = identity(result, of.name)
    made = ParametricMap(
        source_images=images,
        pixel_array=pixels,
        series_instance_uid=series_uid,
        series_number=9003,
        sop_instance_uid=sop_uid,
        instance_number=1,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[
            hd.VOILUTTransformation(
                window_center=(low + high) / 2, window_width=max(high - low, 1e-6), voi_lut_function="LINEAR_EXACT"
            )
        ],
        content_label=_label(of.name),
        content_description=f"{of.quantity}: {of.kind}, research"[:64],
        series_description=f"{result.origin.name[:40]}: {of.name}"[:64],
        content_qualification="RESEARCH",
        **maker.equipment(),
    )
    maker.settle(made, result.made, result.id, "map", of.name)
    made.Laterality = images[0].get("Laterality", "") or ""  # asked for by the series module of this object
    return maker.dump(made)


def read(data: bytes, geometry: Geometry | None = None) -> Volume:
    """The voxels of a Parametric Map in their place; quantity and unit are those of its value mapping.

    Args:
        data: a stored Parametric Map of 32-bit floats.
        geometry: the grid that is wanted, such as that of the source series.

    Raises:
        Refused: when the object is no Parametric Map or its frames make no regular grid.
    """
    from highdicom.image import Image

    with maker.reading("a Parametric Map"):
        found = maker.load(data)
        if found.SOPClassUID != "1.2.840.10008.5.1.4.1.1.30":
            raise Refused(
                f"an object of SOP Class {found.SOPClassUID}", "it is not a Parametric Map", "choose a Parametric Map"
            )
        shared = found.SharedFunctionalGroupsSequence[0]
        mapping = (
            shared if "RealWorldValueMappingSequence" in shared else found.PerFrameFunctionalGroupsSequence[0]
        ).RealWorldValueMappingSequence[0]
        unit = str(mapping.MeasurementUnitsCodeSequence[0].CodeValue)
        quantity = str(mapping.get("LUTExplanation", "")).split(",")[0] or str(mapping.get("LUTLabel", "value"))
        series_uid = (
            str(found.ReferencedSeriesSequence[0].SeriesInstanceUID) if "ReferencedSeriesSequence" in found else ""
        )
        try:
            opened = Image.from_dataset(found, copy=False)
            where = opened.get_volume_geometry()
            if where is None:
                raise Refused(
                    "frames that make no regular grid", "their positions are not evenly spaced", "send all its frames"
                )
            if int(np.prod(where.spatial_shape, dtype=np.int64)) > _LARGEST:
                raise LimitReached(f"a grid of {tuple(where.spatial_shape)} voxels", "no image is that large")
            volume = opened.get_volume(
                apply_real_world_transform=False,
                apply_modality_transform=False,
                apply_voi_transform=False,
                dtype=np.float32,
            )
        except (ValueError, RuntimeError) as bad:
            if isinstance(bad, Refused):
                raise
            raise Refused("frames that make no regular grid", str(bad)[:200], "send all its frames") from bad
        array = np.asarray(volume.array)
        grid = Geometry(volume.affine, array.shape, str(found.FrameOfReferenceUID))
        if geometry is not None:
            array, grid = onto(array, grid, geometry), geometry
        return Volume(array, grid, quantity, unit, series_uid=series_uid)


def _label(name: str) -> str:
    kept = "".join(c if c.isalnum() and c.isascii() else "_" for c in name.upper())
    # A code string that a map bears begins with a letter and ends with a letter or a digit.
    return kept.lstrip("_0123456789")[:16].rstrip("_") or "MAP"
