"""On a planted problem occlusion passes every check, and an edge detector, which looks like saliency, does not."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import torch

from isocenter.errors import Refused
from isocenter.learn.cascade import cascade
from isocenter.learn.gradients import grad_cam, integrated_gradients
from isocenter.learn.sanity import CHECKS, Subjects, sanity
from isocenter.methods.saliency import alike, moved, occlusion

LESION = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 1]], np.float32)


def planted(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
    """Noise with a pair of bright bars in each quarter; in every second image one pair lies, the others stand."""
    images = rng.normal(0, 0.15, (n, 1, 16, 16)).astype(np.float32)
    masks = np.zeros((n, 16, 16), bool)
    labels = np.arange(n) % 2
    for k in range(n):
        for number, quarter in enumerate(rng.permutation(4)):
            r, c = rng.integers(1, 5, 2) + 8 * np.array(divmod(quarter, 2))
            mine = number == 0
            images[k, 0, r : r + 3, c : c + 3] += LESION if mine and labels[k] else LESION.T
            if mine:
                masks[k, r : r + 3, c : c + 3] = True
    return images, labels, masks


def net_of(width: int, size: int) -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, width, size, padding=size // 2), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 1),
    )  # fmt: skip


def fitted(images: Any, labels: Any, seed: int, width: int = 8, size: int = 3, epochs: int = 60) -> Any:
    torch.manual_seed(seed)
    net = net_of(width, size)
    x, y = torch.from_numpy(images), torch.from_numpy(labels.astype(np.float32))
    steps = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(epochs):
        steps.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(net(x)[:, 0], y).backward()
        steps.step()
    return net.eval()


def as_onnx(net: Any, size: int = 16) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (torch.zeros(2, 1, size, size),), file, input_names=["image"], output_names=["logits"],
            dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}}, dynamo=False,
        )  # fmt: skip
    return file.getvalue()


def session(data: bytes) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def answer(subject: Any, images: Any) -> Any:
    return subject.run(["logits"], {"image": np.ascontiguousarray(images, np.float32)})[0][:, 0]


def asked(subject: Any, _: Any) -> Any:
    return lambda images: answer(subject, images)


def covered(subject: Any, image: Any) -> Any:
    return occlusion(lambda x: answer(subject, x), image, patch=3, step=1)


def edges(_: Any, image: Any) -> Any:
    down, right = np.gradient(image[0])
    return np.hypot(down, right)


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    images, labels, _ = planted(rng, 256)
    shown, told, masks = planted(rng, 24)
    nets = {
        "model": fitted(images, labels, 0), "twin": fitted(images, labels, 1),
        "other": fitted(images, labels, 2, width=6, size=5),
    }  # fmt: skip
    blind = []
    for seed in range(3, 7):  # half of each class has each label: nothing about the lesion can be learnt
        mixed = np.empty(64, int)
        for kind in (0, 1):
            mixed[labels[:64] == kind] = rng.permutation(np.arange(32) % 2)
        blind.append(session(as_onnx(fitted(images[:64], mixed, seed))))
    files = {name: as_onnx(net) for name, net in nets.items()}
    drawn = [[session(d) for d in cascade(files["model"], rng=rng, levels=2)] for _ in range(4)]
    steps = list(zip(*drawn, strict=True))
    held = {name: session(d) for name, d in files.items()}
    torch.set_num_threads(threads)
    subjects = Subjects(held["model"], steps, blind, held["twin"], held["other"])
    return {"subjects": subjects, "net": nets["model"], "file": files["model"], "images": shown[told == 1][:12],
            "masks": masks[told == 1][:12]}  # fmt: skip


@pytest.mark.nightly
def test_occlusion_passes_and_an_edge_detector_fails(world: dict[str, Any]) -> None:
    given = {"images": world["images"], "masks": world["masks"]}
    good = sanity(covered, asked, world["subjects"], **given, name="occlusion", rng=np.random.default_rng(1))
    assert good["passed"], good["checks"]
    assert good["checks"]["localisation"]["auprc"] > 0.5 and tuple(good["checks"]) == CHECKS
    bad = sanity(edges, asked, world["subjects"], **given, name="edges", rng=np.random.default_rng(1))
    assert not bad["passed"] and not bad["checks"]["cascade"]["passed"] and not bad["checks"]["labels"]["passed"]
    assert "cascade, labels" in bad["says"] and bad["checks"]["cascade"]["alike"] == pytest.approx([1.0] * 2)


@pytest.mark.nightly
def test_a_check_that_was_not_made_is_not_passed(world: dict[str, Any]) -> None:
    alone = Subjects(world["subjects"].model)
    told = sanity(covered, asked, alone, world["images"], None, name="occlusion", rng=np.random.default_rng(1))
    assert not told["passed"] and sum("not_made" in c for c in told["checks"].values()) == 5
    with pytest.raises(Refused):
        sanity(covered, asked, alone, world["images"][:3], None, name="x", rng=np.random.default_rng(1))
    with pytest.raises(Refused):
        sanity(covered, asked, alone, world["images"], world["masks"][:3], name="x", rng=np.random.default_rng(1))


@pytest.mark.nightly
def test_gradients_add_up_and_lie_on_the_spot(world: dict[str, Any]) -> None:
    net, image, mask = world["net"], world["images"][0], world["masks"][0]
    base = np.zeros_like(image)
    parts = integrated_gradients(net, image, base=base, steps=256)
    with torch.inference_mode():
        ends = net(torch.from_numpy(np.stack([image, base])))[:, 0].numpy()
    assert parts.sum() == pytest.approx(ends[0] - ends[1], abs=0.02 * abs(float(ends[0] - ends[1])) + 1e-3)
    assert parts[0][mask].mean() > parts[0][~mask].mean()
    seen = grad_cam(net, net[2], image)
    assert seen.shape == (16, 16) and seen.min() >= 0 and seen[mask].mean() > seen[~mask].mean()
    for broken in (
        lambda: integrated_gradients(net, image * np.nan), lambda: integrated_gradients(net, image, base=base[:, :4]),
        lambda: grad_cam(net, net[6], image), lambda: grad_cam(net, net[2], image * np.nan),
    ):  # fmt: skip
        with pytest.raises(Refused):
            broken()


@pytest.mark.nightly
def test_a_cascade_loses_what_was_learnt(world: dict[str, Any]) -> None:
    images = world["images"]
    said = [answer(one, images) for one in (world["subjects"].model, *world["subjects"].cascade[-1])]
    assert said[0].min() > 0 and all(not np.allclose(said[0], later) for later in said[1:])
    for data, levels in ((b"nothing", 1), (world["file"], 99), (world["file"], 0)):
        with pytest.raises(Refused):
            cascade(data, rng=np.random.default_rng(0), levels=levels)
    flat = np.zeros((4, 4), np.float32)
    assert alike(flat, flat) == 0.0


def test_an_edge_detector_fails_whatever_the_weights_are() -> None:
    rng = np.random.default_rng(0)
    images, _, masks = planted(rng, 12)
    torch.manual_seed(0)
    file = as_onnx(net_of(4, 3))
    drawn = [[session(one)] for one in cascade(file, rng=rng, levels=2)]
    subjects = Subjects(session(file), drawn, [drawn[-1][0]])
    told = sanity(edges, asked, subjects, images, masks, name="edges", rng=rng)
    assert not told["passed"] and told["checks"]["cascade"]["alike"] == pytest.approx([1.0] * 2)
    assert not told["checks"]["labels"]["passed"] and "not_made" in told["checks"]["repeatability"]
    with pytest.raises(Refused):
        sanity(edges, asked, subjects, images[:3], None, name="edges", rng=rng)
    with pytest.raises(Refused):
        cascade(b"nothing", rng=rng)


def test_how_rough_an_order_is_does_not_make_it_faithful() -> None:
    """Holes all over a picture lower this answer by themselves, so that any rough order seems better than a smooth."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(5)
    images = np.clip(gaussian_filter(rng.normal(1, 6, (24, 1, 16, 16)), (0, 0, 2, 2)), 0, 3).astype(np.float32)
    wanted = images[:, 0] > np.quantile(images, 0.85)

    def number(image: Any) -> int:
        return int(np.flatnonzero((images == image).all((1, 2, 3)))[0])

    def answered(_: Any, image: Any) -> Any:
        k = number(image)
        return lambda shown: (shown[:, 0] * wanted[k]).mean((1, 2)) - 0.2 * np.abs(np.diff(shown)).mean((1, 2, 3))

    def faithful(method: Any) -> dict[str, Any]:
        return dict(sanity(method, answered, Subjects(None), images, None, name="x", rng=rng)["checks"]["faithfulness"])

    for sigma in (0.0, 0.7, 1.5, 3.0):
        told = faithful(lambda _, image, by=sigma: gaussian_filter(rng.normal(size=(16, 16)), by))
        assert not told["passed"] and min(told["p"].values()) > 0.01, (sigma, told)
    told = faithful(lambda _, image: image[0] * wanted[number(image)])
    assert told["passed"] and told["better_in"] == {"deletion": 24, "insertion": 24}


def test_a_moved_map_is_as_rough_and_knows_nothing() -> None:
    rng = np.random.default_rng(0)
    for grid in ((12, 9), (6, 5, 4)):
        one = rng.normal(size=grid).astype(np.float32)
        spectrum = np.abs(np.fft.fftn(one))
        copies = [moved(one, rng) for _ in range(40)]
        assert all(np.sort(c, None) == pytest.approx(np.sort(one, None)) for c in copies)
        assert all(
            np.allclose(np.sort(np.abs(np.fft.fftn(c)), None), np.sort(spectrum, None), atol=1e-4) for c in copies
        )
        assert len({tuple(np.argwhere(c == one.max())[0]) for c in copies}) > 20, "it may lie anywhere"


# ---- another world, on which nothing of the suite was tuned: other texture, other lesion, other network


def spots(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
    """Stripes of any direction with a spot in each quarter: dark in a bright ring; in every second image one of them
    is bright in a dark ring."""
    r = np.hypot(*np.mgrid[-2:3, -2:3])
    spot = (1.5 * (np.exp(-(r**2)) - 0.55 * np.exp(-((r - 2) ** 2) / 0.5))).astype(np.float32)
    y, x = np.mgrid[:20, :20]
    images, masks, labels = np.empty((n, 1, 20, 20), np.float32), np.zeros((n, 20, 20), bool), np.arange(n) % 2
    for k in range(n):
        angle, phase, wave = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi), rng.uniform(5, 9)
        along = x * np.cos(angle) + y * np.sin(angle)
        images[k, 0] = 0.4 * np.sin(2 * np.pi * along / wave + phase) + rng.normal(0, 0.1, (20, 20))
        for number, quarter in enumerate(rng.permutation(4)):
            row, column = rng.integers(0, 6, 2) + 10 * np.array(divmod(quarter, 2))
            ill = number == 0 and labels[k]
            images[k, 0, row : row + 5, column : column + 5] += spot if ill else -spot
            if number == 0:
                masks[k, row : row + 5, column : column + 5] = True
    return images, labels, masks


def separable(images: Any, labels: Any, seed: int, width: int = 8, size: int = 5) -> Any:
    """A network of depthwise convolutions with batch normalisation, trained in parts of 64."""
    torch.manual_seed(seed)
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, width, size, padding=size // 2), nn.BatchNorm2d(width), nn.GELU(),
        nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, 2 * width, 1), nn.GELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 1),
    )  # fmt: skip
    x, y = torch.from_numpy(images), torch.from_numpy(labels.astype(np.float32))
    steps = torch.optim.AdamW(net.parameters(), 0.01)
    for _ in range(60):
        for part in torch.split(torch.randperm(len(x)), 64):
            steps.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(net(x[part])[:, 0], y[part]).backward()
            steps.step()
    return net.eval()


@pytest.mark.nightly
def test_in_another_world_occlusion_passes_and_an_edge_detector_fails_too() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(7)
    images, labels, _ = spots(rng, 256)
    shown, told, masks = spots(rng, 40)
    files = [as_onnx(separable(images, labels, seed), 20) for seed in (0, 1)]
    files.append(as_onnx(separable(images, labels, 2, width=6, size=7), 20))
    blind = []
    for seed in range(3, 7):
        mixed = np.empty(64, int)
        for kind in (0, 1):
            mixed[labels[:64] == kind] = rng.permutation(np.arange(32) % 2)
        blind.append(session(as_onnx(separable(images[:64], mixed, seed), 20)))
    drawn = [[session(d) for d in cascade(files[0], rng=rng, levels=2)] for _ in range(4)]
    torch.set_num_threads(threads)
    model, twin, other = (session(f) for f in files)
    assert np.mean((answer(model, shown) > 0) == (told == 1)) > 0.85, "it learnt the spot"
    subjects = Subjects(model, list(zip(*drawn, strict=True)), blind, twin, other)
    given = {"images": shown[told == 1][:12], "masks": masks[told == 1][:12]}

    def wide(subject: Any, image: Any) -> Any:
        return occlusion(lambda x: answer(subject, x), image, patch=5, step=1)

    good = sanity(wide, asked, subjects, **given, name="occlusion", rng=np.random.default_rng(1))
    assert good["passed"], good["checks"]
    bad = sanity(edges, asked, subjects, **given, name="edges", rng=np.random.default_rng(1))
    assert not bad["passed"] and {"cascade", "labels"} <= {c for c in CHECKS if not bad["checks"][c]["passed"]}
