"""A map travels as floats with its unit and comes back to the bit."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from forms_samples import FRAME_UID, SERIES_UID, Archive, ball, dciodvfy, found, on_film, radiograph, stack
from pydicom import dcmread

from isocenter.errors import Refused
from isocenter.forms import parametric_map
from isocenter.record import Map
from isocenter.space import Geometry, Volume


def a_map(grid: Geometry, series: str = SERIES_UID, unit: str = "{SUVbw}g/ml") -> tuple[Map, Volume]:
    """A map of awkward floats."""
    rng = np.random.default_rng(3)
    array = (rng.normal(size=grid.shape) * 10.0 ** rng.integers(-20, 20, grid.shape)).astype(np.float32)
    array.flat[0], array.flat[1] = -0.0, np.float32(1e-42)
    of = Map("SUV map", "SUVbw", unit, grid, "d" * 64, series_uid=series)
    return of, Volume(array, grid, "SUVbw", unit, series_uid=series)


@pytest.mark.parametrize("turned", [False, True])
def test_every_bit_comes_back(turned: bool, axial: Geometry) -> None:
    grid = axial.flipped(0) if turned else axial
    of, values = a_map(grid)
    back = parametric_map.read(parametric_map.write(of, values, found(), *stack(grid)), grid)
    assert back.array.dtype == np.float32
    assert np.array_equal(back.array.view(np.int32), values.array.view(np.int32))
    assert (back.quantity, back.unit, back.series_uid) == ("SUVbw", "{SUVbw}g/ml", SERIES_UID)


def test_without_a_grid_values_stand_at_their_places(archive: Archive, axial: Geometry) -> None:
    of, values = a_map(axial)
    back = parametric_map.read(parametric_map.write(of, values, found(), *archive))
    at = np.round(axial.to_index(back.geometry.to_patient((1, 2, 3)))).astype(int)
    assert back.array[1, 2, 3] == values.array[tuple(at)]


@pytest.mark.peer
def test_the_validator_finds_no_error(archive: Archive, axial: Geometry, tmp_path: Path) -> None:
    of, values = a_map(axial)
    values = replace(values, array=np.clip(values.array, -100, 100))
    data = parametric_map.write(of, values, found(), *archive)
    assert dciodvfy(data, tmp_path) == []
    made = dcmread(io.BytesIO(data))
    assert made.ContentQualification == "RESEARCH" and made.ImageType[0] == "DERIVED"
    assert (made.SeriesInstanceUID, made.SOPInstanceUID) == parametric_map.identity(found(), "SUV map")


def test_a_map_without_patient_space_is_refused_in_words() -> None:
    study, sources = radiograph()
    region = on_film(study)
    of, values = a_map(region.geometry, region.series_uid, "1")
    with pytest.raises(Refused, match="frame of reference"):
        parametric_map.write(of, values, found(), study, sources)


def test_the_same_map_is_the_same_object(archive: Archive, axial: Geometry) -> None:
    of, values = a_map(axial)
    assert parametric_map.write(of, values, found(), *archive) == parametric_map.write(of, values, found(), *archive)


def test_what_does_not_fit_is_refused(archive: Archive, axial: Geometry) -> None:
    of, values = a_map(axial)
    other = Geometry.regular(shape=axial.shape, frame_of_reference=FRAME_UID)
    with pytest.raises(Refused, match="another grid"):
        parametric_map.write(of, replace(values, geometry=other), found(), *archive)
    affine = axial.affine.copy()
    affine[1, 0] += 1
    tilted = Geometry(affine, axial.shape, FRAME_UID)
    with pytest.raises(Refused, match="tilted"):
        parametric_map.write(*a_map(tilted), found(), *stack(tilted))
    with pytest.raises(Refused, match="wrong patient"):
        parametric_map.write(of, values, found(ball(axial), study="1.2"), *archive)
    with pytest.raises(Refused, match="not a Parametric Map"):
        parametric_map.read(archive[1](f"{SERIES_UID}.1"))


@pytest.mark.parametrize(("name", "label"), [("R2*", "R2"), ("2-point fat", "POINT_FAT"), ("***", "MAP")])
def test_a_map_of_any_name_bears_a_label_that_the_standard_takes(
    name: str, label: str, archive: Archive, axial: Geometry
) -> None:
    of, values = a_map(axial)
    made = dcmread(io.BytesIO(parametric_map.write(replace(of, name=name), values, found(), *archive)))
    assert made.ContentLabel == label
