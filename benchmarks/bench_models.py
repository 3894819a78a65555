"""Training and answering beside plain torch and MONAI on the same network, ONNX Runtime beside torch, and the memory of
a sliding window.

    python benchmarks/bench_models.py --data pneumoniamnist.npz     # pictures a second, and latency
    python benchmarks/bench_models.py --window                      # 100 classes at 384³: seconds and memory

Everything runs on one thread. Each is done once to warm up, then by turns `--times` times; processor time is told, best
and median, and the load of the machine beside it.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from isocenter.learn.augment import augmented
from isocenter.learn.export import exported
from isocenter.learn.fit import Schedule, descend
from isocenter.learn.labelled import read_labelled
from isocenter.learn.networks import GridNet, MaskNet
from isocenter.learn.recipes import RECIPES
from isocenter.learn.segment import Chances, outlined

STEPS = 10


def by_turns(ways: Mapping[str, Callable[[], object]], times: int) -> dict[str, list[float]]:
    """Processor seconds of each way, after one turn to warm up."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(times + 1):
        for name, way in ways.items():
            began = time.process_time()
            way()
            if turn:
                found[name].append(time.process_time() - began)
    return found


def told(head: str, found: Mapping[str, list[float]], pictures: int) -> None:
    print(f"{head}, load {os.getloadavg()[0]:.1f}")
    for name, seconds in found.items():
        best, middle = min(seconds), statistics.median(seconds)
        rate = f"{pictures / best:9.0f} a second, median {pictures / middle:.0f}"
        print(f"   {name:<58}{best * 1000 / pictures:9.3f} ms each   {rate}", flush=True)


def training(data: Path, times: int) -> None:
    """Pictures a second: ours, a plain loop, MONAI's data loader, and the plain loop compiled."""
    from monai.data import DataLoader, Dataset
    from monai.transforms import Compose, RandFlip, RandGaussianNoise, RandRotate, RandZoom

    how = RECIPES["pneumoniamnist"]
    examples = read_labelled(data, how)
    pictures = torch.from_numpy(examples.pictures[: STEPS * how.batch])[:, None].float() / 255
    labels = torch.from_numpy(examples.labels[: STEPS * how.batch])

    def net() -> GridNet:
        torch.manual_seed(0)
        return GridNet(how.widths, 2, how.dropout, softened=how.softened).to(memory_format=torch.channels_last)

    def ours(moved: bool) -> Callable[[], object]:
        def loss(own: nn.Module, step: int, random: torch.Generator) -> torch.Tensor:
            some = slice(step % STEPS * how.batch, (step % STEPS + 1) * how.batch)
            x = augmented(pictures[some], how.augmentation, how.shape[0], random) if moved else pictures[some]
            return functional.cross_entropy(own(x.contiguous(memory_format=torch.channels_last)), labels[some])

        return lambda: descend(net, loss, Schedule(STEPS, STEPS, how.rate, STEPS, how.decay, how.average), 0, "")

    def plain(own: nn.Module) -> Callable[[], object]:
        optimiser = torch.optim.AdamW(own.parameters(), lr=how.rate)

        def loop() -> None:
            own.train()
            for x, y in zip(pictures.split(how.batch), labels.split(how.batch), strict=True):
                optimiser.zero_grad(set_to_none=True)
                functional.cross_entropy(own(x.contiguous(memory_format=torch.channels_last)), y).backward()
                optimiser.step()

        return loop

    def monai(moved: bool) -> Callable[[], object]:
        steps = [RandRotate(range_x=0.17, prob=1.0), RandZoom(min_zoom=0.8, max_zoom=1.25, prob=1.0),
                 RandFlip(spatial_axis=1, prob=0.5), RandGaussianNoise(prob=1.0, std=0.04)]  # fmt: skip
        items = [{"image": x, "label": y} for x, y in zip(pictures, labels, strict=True)]
        whole = Compose(steps if moved else [])
        loader = DataLoader(Dataset(items, lambda i: {"image": whole(i["image"]), "label": i["label"]}),
                            batch_size=how.batch, shuffle=True)  # fmt: skip
        own = net()
        optimiser = torch.optim.AdamW(own.parameters(), lr=how.rate)

        def loop() -> None:
            own.train()
            for batch in loader:
                x = torch.as_tensor(batch["image"]).contiguous(memory_format=torch.channels_last)
                optimiser.zero_grad(set_to_none=True)
                functional.cross_entropy(own(x), batch["label"]).backward()
                optimiser.step()

        return loop

    began = time.process_time()
    compiled = plain(torch.compile(net()))
    compiled()
    told(
        f"training, {STEPS * how.batch} pictures of 28 × 28, {sum(p.numel() for p in net().parameters()):,} weights",
        by_turns(
            {
                "plain torch, pictures as they are": plain(net()),
                "plain torch, compiled": compiled,
                "MONAI's loader, pictures as they are": monai(False),
                "Isocenter with its moving average, pictures as they are": ours(False),
                "MONAI's loader, turned, zoomed, mirrored, noise": monai(True),
                "Isocenter, the whole augmentation of the recipe": ours(True),
            },
            times,
        ),
        STEPS * how.batch,
    )
    print(f"   to compile and warm up took {time.process_time() - began:.0f} s of processor time at most")


def answering(times: int) -> None:
    """Latency of one picture and of one volume: torch, MONAI's inferers, ONNX Runtime, and the file that ships."""
    import onnxruntime as ort
    from monai.inferers import SimpleInferer, SlidingWindowInferer

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    how, masks = RECIPES["pneumoniamnist"], RECIPES["hippocampus"]
    random = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 1, *how.shape, generator=random)
    volume = torch.randn(1, 1, 64, 64, 64, generator=random)
    nets: list[tuple[str, nn.Module, torch.Tensor, object, bool]] = [
        ("one picture of 28 × 28", GridNet(how.widths, 2).eval(), picture, SimpleInferer(), False),
        ("one volume of 64 × 64 × 64", Chances([MaskNet(masks.widths, 3, masks.fine)], ((),)).eval(), volume,
         SlidingWindowInferer(64), True),
    ]  # fmt: skip
    for head, net, x, inferer, free in nets:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            exported(net, tuple(x.shape[1:]), path, ("said",), free=free, inputs=[x])
            session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        grey, repeat = x.numpy(), 1 if free else 100

        def torch_(net: nn.Module = net, x: torch.Tensor = x, repeat: int = repeat) -> None:
            with torch.inference_mode():
                for _ in range(repeat):
                    net(x)

        def monai_(net: nn.Module = net, x: torch.Tensor = x, inferer: object = inferer, repeat: int = repeat) -> None:
            with torch.inference_mode():
                for _ in range(repeat):
                    inferer(x, net)  # type: ignore[operator]

        def onnx_(session: ort.InferenceSession = session, grey: np.ndarray = grey, repeat: int = repeat) -> None:
            for _ in range(repeat):
                session.run(None, {"image": grey})

        ways = {"torch": torch_, "MONAI's inferer": monai_, "ONNX Runtime": onnx_}
        if free:
            ways["Isocenter: ONNX Runtime, greys evened, labels made"] = partial(
                outlined, grey[0, 0], (1, 1, 1), partial(_said, session),
                {"spacing_mm": [1, 1, 1], "step": 8, "window": [64, 64, 64]},
            )  # fmt: skip
        told(f"answering, {head}", by_turns(ways, times), repeat)


def _said(session: object, x: np.ndarray) -> np.ndarray:
    return session.run(None, {"image": x})[0]  # type: ignore[attr-defined]


def window(side: int, classes: int, wide: int) -> None:
    """Memory of this process while it outlines a large volume with many classes."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    torch.manual_seed(0)
    net = Chances([MaskNet((8, 16), 1 + classes, 4)], ((),)).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        exported(net, (1, 16, 16, 16), path, ("chances",), free=True, inputs=[torch.randn(1, 1, 16, 16, 16)])
        session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    volume = np.random.default_rng(0).standard_normal((side,) * 3, np.float32)
    before, began, clock = _most(), time.process_time(), time.perf_counter()
    said = outlined(
        volume, (1, 1, 1), partial(_said, session),
        {"spacing_mm": [1, 1, 1], "step": 4, "window": [wide] * 3},
    )  # fmt: skip
    assert said.shape == volume.shape
    print(
        f"{classes} classes and background at {side}³ in windows of {wide}³: at most {_most():,.0f} MB in the process\n"
        f"({before:,.0f} before it began: volume and libraries), {time.process_time() - began:.0f} s of processor, "
        f"{time.perf_counter() - clock:.0f} s of wall, load {os.getloadavg()[0]:.1f};\n"
        f"the chances of the whole volume would be {(1 + classes) * side**3 * 4 / 1e6:,.0f} MB"
    )


def _most() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path, help="pneumoniamnist.npz")
    asked.add_argument("--window", action="store_true", help="only the memory of a sliding window")
    asked.add_argument("--side", type=int, default=384)
    asked.add_argument("--classes", type=int, default=100)
    asked.add_argument("--wide", type=int, default=48, help="sides of a window")
    asked.add_argument("--times", type=int, default=5)
    given = asked.parse_args()
    torch.set_num_threads(1)
    if given.window:
        window(given.side, given.classes, given.wide)
        return
    if given.data is None:
        asked.error("--data or --window")
    training(given.data, given.times)
    answering(given.times)


if __name__ == "__main__":
    main()
