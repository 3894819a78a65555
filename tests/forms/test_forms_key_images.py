"""A report's pictures: the slice on which a finding is largest, with its outline; struck findings have none."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header
from isocenter.dicom.pixels import rendered
from isocenter.forms.key_images import key_images
from isocenter.forms.planes import planes
from isocenter.record import Finding, Origin, Outcome, Result, Verdict, codes
from isocenter.space import Region
from isocenter.testing.phantoms import Person, pet_ct


@pytest.fixture(scope="module")
def trunk() -> tuple[object, dict[str, bytes], Result]:
    files = pet_ct.patient(person=Person("P", "PHANTOM^TRUNK", "F", "19610214", 1.66, 68.0)).files
    records = [(data, read_header(data)) for data in files]
    (study,) = merge(r for _, r in records)
    by_uid = {r.series[0].instances[0].sop_uid: d for d, r in records}
    by_digest = {hashlib.sha256(d).hexdigest(): d for d in files}
    ct = next(s for s in study.series if s.modality == "CT")
    grid = assemble(ct, by_digest.__getitem__)[0].geometry
    mask = np.zeros(grid.shape, bool)
    mask[20:30, 60:80, 60:80] = True
    mask[24, 50:90, 50:90] = True
    where = Region(grid, mask=mask, series_uid=ct.uid, label="ball")
    made = datetime(2026, 1, 1, tzinfo=UTC)
    result = Result(
        study.uid,
        Outcome.FOUND,
        Origin("machine", "volumetry", "1"),
        made,
        findings=(Finding(codes.LESION, where=where),),
    )
    return study, by_uid, result


def test_the_picture_is_of_the_slice_on_which_the_finding_is_largest(trunk: tuple) -> None:  # type: ignore[type-arg]
    study, files, result = trunk
    (picture,) = key_images(study, [result], files.__getitem__)
    assert picture.caption == "Lesion: ball, slice 25 of 60, enlarged"
    assert picture.svg.startswith("<svg")
    assert "<image" in picture.svg


def test_a_small_finding_is_enlarged_about_its_place(trunk: tuple) -> None:  # type: ignore[type-arg]
    study, files, result = trunk
    grid = result.findings[0].where.geometry
    mask = np.zeros(grid.shape, bool)
    mask[24, 70:74, 100:104] = True
    where = Region(grid, mask=mask, series_uid=result.findings[0].where.series_uid, label="spot")
    (picture,) = key_images(
        study, [replace(result, findings=(Finding(codes.STRUCTURE, where=where),))], files.__getitem__
    )
    assert picture.caption.endswith("spot, slice 25 of 60, enlarged") and "◇ spot" in picture.svg
    data = base64.b64decode(re.search(r'base64,([^"]+)', picture.svg)[1])  # type: ignore[index]
    part = np.asarray(Image.open(io.BytesIO(data)))
    (plane,) = planes(study, where, files.__getitem__).keys() & {24}
    uid = planes(study, where, files.__getitem__)[plane].sop_uid
    whole = np.asarray(Image.open(io.BytesIO(rendered(files[uid]))))
    wide = round(100 / grid.spacing_mm[2])
    assert part.shape == (round(100 / grid.spacing_mm[1]), wide)
    row, column = 72 - part.shape[0] // 2, 102 - wide // 2
    assert np.array_equal(part, whole[row : row + part.shape[0], column : column + wide])
    x = [float(v) for v in re.findall(r"[ML]([0-9.]+),", picture.svg)]
    assert min(x) == pytest.approx((100 - column) * 420 / wide, abs=1.0)  # the outline stands on its pixels


def test_lesions_of_one_kind_are_told_apart_by_their_labels(trunk: tuple) -> None:  # type: ignore[type-arg]
    study, files, result = trunk
    (ball,) = result.findings
    mask = np.roll(ball.where.mask, 60, axis=2)
    other = replace(ball, where=Region(ball.where.geometry, mask=mask, series_uid=ball.where.series_uid, label="node"))
    pictures = key_images(study, [replace(result, findings=(ball, other))], files.__getitem__)
    assert [name in p.svg for name, p in zip(("◇ ball", "◇ node"), pictures, strict=True)] == [True, True]
    (alone,) = key_images(study, [result], files.__getitem__)
    assert "◇ Lesion" in alone.svg


def test_a_struck_finding_and_one_without_a_place_have_no_picture(trunk: tuple) -> None:  # type: ignore[type-arg]
    study, files, result = trunk
    struck = replace(result.findings[0], verdict=Verdict.STRUCK)
    nowhere = replace(result.findings[0], where=None)
    assert key_images(study, [replace(result, findings=(struck, nowhere))], files.__getitem__) == ()


def test_an_image_that_cannot_be_drawn_costs_only_its_picture(trunk: tuple) -> None:  # type: ignore[type-arg]
    study, files, result = trunk
    cut = {uid: data[:3000] for uid, data in files.items()}
    assert key_images(study, [result], cut.__getitem__) == ()
