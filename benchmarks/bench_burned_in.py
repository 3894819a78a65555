"""How often writing in the pixels is noticed, and how often an image without any is held: made-up images of four kinds.

    python benchmarks/bench_burned_in.py --images 400

Every image is drawn anew: a font (of the machine, or the one that ships with Pillow), a size, a contrast, bright or
dark, upright, turned by a quarter or slightly askew, over anatomy or beside it, sharp, blurred, or compressed as JPEG.
Noticed is an image for which a line is found that lies on the letters; a false alarm is any line on one without.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from isocenter.dicom.burned_in import written_lines
from isocenter.methods.intervals import wilson

KINDS = ("ultrasound", "radiograph", "film", "capture")
WORDS = ("QUAXELBERG^ANNA", "Petersen, Ole", "ID 0047-1123", "12.05.1960", "Krankenhaus Mitte", "DOB 03/11/48 M",
         "MEIER K", "Acc: A778123", "MULLER-LUDENSCHEIDT, Hans-Georg", "1987-04-09 14:22:07")  # fmt: skip
Grey = npt.NDArray[np.float64]


def fonts() -> list[Path | None]:
    """Files of fonts, and None for the one that ships with Pillow."""
    found: list[Path | None] = [None]
    for folder in ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "C:/Windows/Fonts"):
        found += sorted(p for p in Path(folder).rglob("*.[to]tf") if "Math" not in p.name and "Emoji" not in p.name)
    return found


def picture(rng: np.random.Generator, kind: str) -> Grey:
    """An image of a kind without any writing, 0 to 1."""
    drawn: Grey = np.clip(_drawn(rng, kind), 0, 1)
    return drawn


def _drawn(rng: np.random.Generator, kind: str) -> Grey:
    shape = [(256, 256), (480, 640), (512, 512), (600, 500)][rng.integers(4)]
    coarse = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(8, 30))
    coarse = (coarse - coarse.min()) / np.ptp(coarse)
    rows, columns = np.indices(shape)
    if kind == "ultrasound":
        grain = ndimage.gaussian_filter(rng.rayleigh(size=shape), (0.8, 1.6))
        cone = np.abs(columns - shape[1] / 2) < (rows + 20) * rng.uniform(0.5, 0.9)
        depth = np.exp(-rows / shape[0] * rng.uniform(0.5, 1.5))
        bars = (columns > shape[1] - 24) & (columns < shape[1] - 12) & (rows > 30) & (rows < 30 + shape[0] // 3)
        fan: Grey = grain * coarse * depth * cone * 0.6 + bars * (1 - rows / shape[0])
        return fan
    ribs = rng.uniform(0, 0.2) * np.sin(rows / rng.uniform(6, 16) + columns / rng.uniform(30, 200))
    body = ((rows - shape[0] / 2) / (0.46 * shape[0])) ** 2 + ((columns - shape[1] / 2) / (0.42 * shape[1])) ** 2 < 1
    flat = 0.15 + 0.6 * coarse + ribs
    out: Grey
    if kind == "capture":
        out = np.where(body, flat + rng.normal(0, 0.01, shape), rng.choice([0.0, 0.1]))
        top, left = rng.integers(4, shape[0] - 40), rng.integers(4, shape[1] - 60)
        out[top : top + 30, left : left + 1] = out[top : top + 1, left : left + 50] = 0.8  # a scale
        return out
    noise = rng.normal(0, rng.uniform(0.005, 0.03), shape)
    out = flat + noise if rng.random() < 0.5 else np.where(body, flat, 0.03) + noise
    if kind == "film":
        out = ndimage.gaussian_filter(out, 0.7) + rng.normal(0, 0.01, shape)
        for _ in range(rng.integers(0, 4)):  # scratches
            at = rng.integers(shape[1] - 3)
            out[:, at] += rng.uniform(0.05, 0.2)
        out[: rng.integers(1, 12)] = 0.98
    return out


def inscribed(rng: np.random.Generator, empty: Grey, kind: str, some: list[Path | None]) -> tuple[Grey, Grey]:
    """The image with one to three lines on it, and where their letters are."""
    out, letters = empty.copy(), np.zeros(empty.shape)
    for _ in range(rng.integers(1, 4)):
        mask = _mask(rng, some, empty.shape)
        top = rng.integers(0, empty.shape[0] - mask.shape[0] + 1)
        left = rng.integers(0, empty.shape[1] - mask.shape[1] + 1)
        part = np.s_[top : top + mask.shape[0], left : left + mask.shape[1]]
        under = float(np.median(out[part]))
        reach = rng.uniform(0.25, 1.0)
        level = min(under + reach, 1.0) if under < 0.5 else max(under - reach, 0.0)
        if rng.random() < 0.5:
            level = 1.0 if under < 0.5 else 0.0
        out[part] = out[part] * (1 - mask) + level * mask
        letters[part] = np.maximum(letters[part], mask)
    if kind == "film":
        out = ndimage.gaussian_filter(out, rng.uniform(0.3, 0.9)) + rng.normal(0, 0.01, out.shape)
    return np.clip(out, 0, 1), letters


def _mask(rng: np.random.Generator, some: list[Path | None], shape: tuple[int, int]) -> Grey:
    while True:
        words, size = str(rng.choice(WORDS)), int(rng.integers(10, 41))
        chosen = some[rng.integers(len(some))]
        font = ImageFont.load_default(size) if chosen is None else ImageFont.truetype(str(chosen), size)
        page = Image.new("L", (2 * size * len(words) + 20, 3 * size))
        ImageDraw.Draw(page).text((8, size // 2), words, fill=255, font=font)
        angle = float(rng.choice([0, 0, 0, 0, 90, rng.uniform(-4, 4)]))
        mask = np.asarray(page.rotate(angle, Image.Resampling.BICUBIC, expand=True)) / 255.0
        rows, columns = np.nonzero(mask > 0.4)
        mask = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        if mask.shape[0] < shape[0] and mask.shape[1] < shape[1]:
            return mask


def stored(rng: np.random.Generator, grey: Grey, kind: str) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint8]:
    """As the file has it: 8 bits, sometimes through a JPEG, or 12."""
    if kind in ("radiograph", "film") and rng.random() < 0.7:
        return (grey * 4095).round().astype(np.uint16)
    eight = (grey * 255).round().astype(np.uint8)
    if rng.random() < 0.3:
        held = io.BytesIO()
        Image.fromarray(eight).save(held, "JPEG", quality=int(rng.integers(70, 96)))
        return np.asarray(Image.open(held))
    return eight


def _percent(count: int, of: int) -> list[float]:
    share = wilson(count, of)
    return [round(100 * x, 2) for x in (share.low, share.high)]


def main() -> None:
    """Count, and say it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--images", type=int, default=400, help="of each kind, with writing and without")
    asked.add_argument("--seed", type=int, default=20261126)
    asked.add_argument("--show", type=Path, help="folder that takes pictures of what was missed")
    given = asked.parse_args()
    some, told = fonts(), {}
    started = time.process_time()
    for kind in KINDS:
        counts: dict[str, int] = defaultdict(int)
        for number in range(given.images):
            rng = np.random.default_rng((given.seed, KINDS.index(kind), number))
            empty = picture(rng, kind)
            counts["held"] += bool(written_lines(stored(rng, empty, kind)))
            drawn, letters = inscribed(rng, empty, kind, some)
            lines = written_lines(stored(rng, drawn, kind))
            boxed = np.zeros(letters.shape, bool)
            for top, left, bottom, right in lines:
                boxed[top:bottom, left:right] = True
            share = float(boxed[letters > 0.4].mean())
            counts["noticed"] += share >= 0.1
            counts["flagged"] += bool(lines)
            counts["covered"] += share >= 0.95
            if given.show and share < 0.1:
                Image.fromarray((drawn * 255).astype(np.uint8)).save(given.show / f"missed-{kind}-{number}.png")
        told[kind] = {
            name: [count, given.images, *_percent(count, given.images)] for name, count in sorted(counts.items())
        }
    told["processor_s_an_image"] = round((time.process_time() - started) / (2 * given.images * len(KINDS)), 3)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
