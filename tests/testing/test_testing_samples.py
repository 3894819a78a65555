"""The real samples of the demonstration: whole, readable, and nibabel's head voxel for voxel in its place."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import nibabel as nib
import numpy as np

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header
from isocenter.dicom.whole import check_whole
from isocenter.testing.samples import NAMES, shipped


def test_every_sample_is_whole_and_nothing_is_said_twice() -> None:
    held = list(shipped())
    assert len(held) >= len(NAMES)
    for data in held:
        check_whole(data)
    assert len({read_header(d).series[0].instances[0].sop_uid for d in held}) == len(held)
    assert list(shipped()) == held


def test_the_head_lies_where_nibabel_says() -> None:
    held = {hashlib.sha256(d).hexdigest(): d for d in shipped()}
    (head,) = [s for s in merge(read_header(d) for d in held.values()) if s.patient.id == "SAMPLE-HEAD"]
    volume = assemble(head.series[0], held.__getitem__)[0]
    assert volume.geometry.sides == ("H", "P", "L")
    image = nib.loadsave.load(str(files("nibabel").joinpath("tests", "data", "anatomical.nii")))
    values = np.asarray(image.dataobj, dtype=np.float64)  # type: ignore[attr-defined]
    wanted = np.round(4095 * (values - values.min()) / np.ptp(values))
    for index in np.argwhere(wanted >= 0)[::997]:
        ras = image.affine @ [*index, 1]  # type: ignore[attr-defined]
        ours = np.round(volume.geometry.to_index((-ras[0], -ras[1], ras[2]))).astype(int)
        assert volume.array[tuple(ours)] == wanted[tuple(index)]
