"""A registration goes out as DICOM and comes back as it was; what is not rigid is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from pydicom import dcmread

from isocenter.dicom.header import read_header
from isocenter.errors import IsocenterError, Refused
from isocenter.forms.registration import Joined, read, write
from isocenter.record import Study
from isocenter.testing.phantoms import balls

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)


def turned(degrees: float, shift: tuple[float, float, float]) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    made = np.eye(4)
    made[:3, :3] = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    made[:3, 3] = shift
    return made


@pytest.fixture(scope="module")
def jar() -> tuple[Study, Callable[[str], bytes]]:
    data = balls.patient(seed=3).files[0]
    study = read_header(data)
    return study, lambda uid: data


def test_a_registration_reads_back_as_it_was_written(jar: tuple[Study, Callable[[str], bytes]]) -> None:
    matrix = turned(7.5, (12.25, -3.5, 40.125))
    data = write(Joined("1.2.3", "1.2.4", matrix, "residual 0.42 mm there and back", "reader"), *jar, when=NOW)
    (back,) = read(data)
    assert (back.moving, back.fixed, back.by, back.residual_mm) == ("1.2.3", "1.2.4", "reader", 0.42)
    assert back.matrix == pytest.approx(matrix, abs=1e-7)
    stored = dcmread(io.BytesIO(data))
    assert (stored.Modality, stored.FrameOfReferenceUID) == ("REG", "1.2.4")
    assert len(stored.RegistrationSequence) == 2
    assert read_header(data).uid == jar[0].uid, "it lies in the study of its images"
    assert write(Joined("1.2.3", "1.2.4", matrix, "residual 0.42 mm there and back", "reader"), *jar, when=NOW) == data


def test_two_matrices_in_a_row_are_applied_one_after_the_other(jar: tuple[Study, Callable[[str], bytes]]) -> None:
    first, second = turned(90, (0, 0, 0)), turned(0, (10, 0, 0))
    made = dcmread(io.BytesIO(write(Joined("1.2.3", "1.2.4", first), *jar, when=NOW)))
    other = dcmread(io.BytesIO(write(Joined("1.2.3", "1.2.4", second), *jar, when=NOW)))
    steps = made.RegistrationSequence[1].MatrixRegistrationSequence
    steps.append(other.RegistrationSequence[1].MatrixRegistrationSequence[0])
    out = io.BytesIO()
    made.save_as(out)
    (back,) = read(out.getvalue())
    assert back.matrix @ (1, 0, 0, 1) == pytest.approx((10, 1, 0, 1))


@pytest.mark.parametrize(
    ("moving", "fixed", "matrix"),
    [
        ("", "1.2.4", np.eye(4)),
        ("1.2.4", "1.2.4", np.eye(4)),
        ("1.2.3", "1.2.4", np.diag([2.0, 1, 1, 1])),
        ("1.2.3", "1.2.4", np.diag([-1.0, 1, 1, 1])),
        ("1.2.3", "1.2.4", np.full((4, 4), np.nan)),
    ],
)
def test_what_registers_nothing_is_not_written(
    jar: tuple[Study, Callable[[str], bytes]], moving: str, fixed: str, matrix: np.ndarray
) -> None:
    with pytest.raises(Refused):
        write(Joined(moving, fixed, matrix), *jar, when=NOW)


def test_another_object_is_no_registration(jar: tuple[Study, Callable[[str], bytes]]) -> None:
    with pytest.raises(IsocenterError, match="registers nothing"):
        read(jar[1](""))
