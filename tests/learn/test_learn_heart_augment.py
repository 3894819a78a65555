"""Changed hearts keep their outlines: where the picture goes, the masks go, by as much as was asked."""

from dataclasses import replace

import pytest
import torch

from isocenter.learn.heart_augment import Bounds, augmented_hearts
from isocenter.learn.heart_network import HeartNet

STILL = Bounds(
    rotate_deg=0.0, zoom=0.0, stretch=0.0, shift=0.0, cavity=0.0, wall=0.0, elastic=0.0, field=0.0, gamma=0.0, gain=0.0,
    tissue=0.0, noise=0.0, sharpness=0.0, alone=0.0, lined=0.0,
)  # fmt: skip


def disks(inner: float = 14.0, outer: float = 20.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    line = torch.arange(144.0) - 71.5
    r = torch.hypot(line[:, None], line[None, :])
    masks = torch.stack([(inner - r).clamp(-0.5, 0.5) + 0.5, (outer - r).clamp(-0.5, 0.5) + 0.5])[None]
    pictures = (masks[:, :1] + 0.3 * masks[:, 1:]).expand(1, 3, 144, 144)
    return pictures, masks, torch.tensor([[71.5, 71.5]]), torch.tensor([[inner, outer]])


def test_nothing_asked_nothing_changed() -> None:
    pictures, masks, centre, radius = disks()
    x, m = augmented_hearts(pictures, masks, centre, radius, STILL, 96, torch.Generator().manual_seed(0))
    assert torch.allclose(m[0], masks[0, :, 24:120, 24:120], atol=1e-4)
    assert torch.allclose(x[0], pictures[0, :, 24:120, 24:120], atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_cavity_and_wall_change_apart_and_mask_follows_picture(seed: int) -> None:
    pictures, masks, centre, radius = disks()
    how = replace(STILL, cavity=0.2, wall=0.2)
    x, m = augmented_hearts(pictures, masks, centre, radius, how, 96, torch.Generator().manual_seed(seed))
    areas = m.sum((2, 3))[0]
    inner, outer = (areas / torch.pi).sqrt().tolist()
    assert abs(inner - 14) > 0.2 and outer > inner + 2
    assert torch.allclose(x[:, 1], m[:, 0] + 0.3 * m[:, 1], atol=0.02)


@pytest.mark.parametrize("spongy", [False, True])
@pytest.mark.parametrize("drawn", [True, False])
def test_a_painted_lining_changes_the_cavity_and_never_the_outline(drawn: bool, spongy: bool) -> None:
    pictures, masks, centre, radius = (t.repeat(40, *[1] * (t.ndim - 1)) for t in disks())
    pictures = pictures + 0.4 * (masks[:, :1] * ((torch.arange(144) % 12) < 2)).mean(2, keepdim=True)  # not even
    given = masks if drawn else torch.stack([masks[:, 0], torch.zeros_like(masks[:, 0])], 1)
    how = replace(STILL, lined=1.0, spongy=spongy)
    x, m = augmented_hearts(pictures, given, centre, radius, how, 96, torch.Generator().manual_seed(1))
    before, outlined = pictures[:, :, 24:120, 24:120], given[:, :, 24:120, 24:120]
    assert torch.allclose(m, outlined, atol=1e-4)
    change, inside = (x - before)[:, 1], outlined[:, 0] > 0.01
    assert float(change[~inside].abs().max()) < 1e-4
    darker, brighter = (change < -0.2).any((1, 2)), (change > 1e-3).any((1, 2))
    assert 15 < int(darker.sum()) < 38 and int((brighter & ~darker).sum()) > (1 if spongy else 3)


def test_everything_at_once_is_finite_and_repeats() -> None:
    pictures, masks, centre, radius = disks()
    one, two = (
        augmented_hearts(pictures, masks, centre, radius, Bounds(), 96, torch.Generator().manual_seed(3)) for _ in "ab"
    )
    assert torch.equal(one[0], two[0]) and torch.isfinite(one[0]).all()
    assert float(one[1].min()) >= 0 and float(one[1].max()) <= 1 + 1e-5


def test_the_network_answers_for_each_pixel_whatever_the_exposure() -> None:
    torch.manual_seed(0)
    net = HeartNet((8, 16, 24)).eval()
    x = torch.rand(2, 3, 96, 96)
    with torch.inference_mode():
        said, brighter = net(x), net(3.0 * x + 2.0)
    assert said.shape == (2, 2, 96, 96)
    assert torch.allclose(said, brighter, atol=0.02)
