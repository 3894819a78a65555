"""Which of several frames is measured: the one asked for, or the one that was drawn on, else none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dynamic_pet import dynamic
from real_series import loaded

from isocenter.catalogue.one_frame import one_frame
from isocenter.catalogue.radiomics import Radiomics
from isocenter.errors import Refused
from isocenter.space import Region, Volume

LENGTHS, COURSE = (60.0, 120.0, 300.0, 300.0), (2.0, 4.0, 6.0, 8.0)


@pytest.fixture(scope="module", name="pet")
def _pet() -> Volume:
    (image,), _ = loaded(dynamic(LENGTHS, COURSE, begun_s=3000.0))
    return image


def drawn(image: Volume, *frames: int) -> Region:
    """The ball, said to be drawn on the images of some frames, from 1."""
    last = np.asarray(image.array[-1])
    each = np.array(image.instance_uids).reshape(len(COURSE), -1)
    cited = frozenset(str(uid) for n in frames for uid in each[n - 1])
    return Region(image.geometry, mask=last > last.max() / 2, series_uid=image.series_uid, images=cited)


def suv(image: Volume, region: Region, **choice: object) -> float:
    found = one_frame(image, [region], **choice)  # type: ignore[arg-type]
    assert not found.axes
    per_suv = float(image.array[-1].max()) / COURSE[-1]
    return float(found.array.reshape(image.geometry.shape)[region.mask].mean()) / per_suv


def test_the_frame_that_was_drawn_on_or_is_asked_for_is_taken(pet: Volume) -> None:
    assert suv(pet, drawn(pet, 3)) == pytest.approx(6.0, rel=1e-3)
    assert suv(pet, drawn(pet, 3), frame=2) == pytest.approx(4.0, rel=1e-3)
    assert suv(pet, drawn(pet), minutes="53-65") == pytest.approx(7.0, rel=1e-3)
    words = one_frame(pet, [drawn(pet, 3)]).facts["Averaged"]
    assert "frame 3 of 4" in words[0] and "of frame 3 alone" in words[1]


def test_what_does_not_say_its_frame_is_refused(pet: Volume) -> None:
    with pytest.raises(Refused, match=r"name none of them.*--set frame=1, or average some: --set minutes=50-60"):
        one_frame(pet, [drawn(pet)])
    with pytest.raises(Refused, match="name images of 2 of them"):
        one_frame(pet, [drawn(pet, 3), drawn(pet, 4)])
    with pytest.raises(Refused, match="as those do that were drawn on the sum of all"):
        one_frame(pet, [drawn(pet, 1)])
    with pytest.raises(Refused, match=r"frame 5: there are 4 of them\. Name one"):
        one_frame(pet, [], frame=5)
    with pytest.raises(Refused, match="Give one of them"):
        one_frame(pet, [], frame=2, minutes="50-60")
    static = one_frame(pet, [], frame=2)
    assert one_frame(static, []) is static
    with pytest.raises(Refused, match="it is static"):
        one_frame(static, [], frame=2)


def test_gates_are_averaged_unless_one_was_drawn_on() -> None:
    (gates,), _ = loaded(dynamic((60.0,) * 4, COURSE, begun_s=3000.0, kind="GATED"))
    assert suv(gates, drawn(gates)) == pytest.approx(5.0, rel=1e-3)
    assert suv(gates, drawn(gates, 2)) == pytest.approx(4.0, rel=1e-3)


def test_frames_of_other_images_are_taken_too(pet: Volume) -> None:
    ct = replace(pet, unit="[hnsf'U]", facts={"Modality": "CT"})
    assert np.array_equal(one_frame(ct, [drawn(ct, 3)]).array, pet.array[2])
    with pytest.raises(Refused, match=r"--set frame=1\.$"):
        one_frame(ct, [])


def test_radiomics_tells_which_frame_it_measured(pet: Volume) -> None:
    noise = np.random.default_rng(0).normal(1.0, 0.1, pet.array.shape)
    rough = replace(pet, array=(pet.array * noise).astype(np.float32))
    answer = Radiomics().run(rough, (drawn(pet, 3),), configuration="SUV", voxel_mm=3.0)
    assert any("frame 3 of 4" in reason for reason in answer.reasons)
    assert len(answer.findings) == 1
