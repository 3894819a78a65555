"""How often writing in the pixels is noticed, and how often an image without any is held: made-up ones of seven kinds.

    python benchmarks/bench_burned_in.py --images 400
    python benchmarks/bench_burned_in.py --images 0 --data ../shared/data --real 300

Every image is drawn anew: a font (of the machine, or the one that ships with Pillow), a size, a contrast, bright or
dark, upright, turned by a quarter or slightly askew, over anatomy or beside it, sharp, blurred, or compressed as JPEG;
Chinese, Japanese and Korean names where a font has their letters (`--fonts` names a folder with more fonts).
Noticed is an image for which a line is found that lies on the letters; a false alarm is any line on one without. A dose
screen is a page of writing also without a name: of it nothing is counted as held without cause.

`--turned 30` draws every line at up to so many degrees, `--at 30 45` at these alone, either way; `--contrast 0.1 0.25`
with so little of the range.
`--script arabic` writes names whose letters join (DejaVu, with Pillow's Raqm), `--script hand` words of one stroke
each, of loops, arches and stems as a pen joins them; no real hand wrote them.

With `--data` the same writing is drawn on real CT and MR images of at least 128 pixels a side, in the values in which
they are stored, and the whole decision is asked (`judge`), which does not search every image of that kind.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from isocenter.dicom.burned_in import judge, written_lines
from isocenter.dicom.elements import PIXELS, File, parse
from isocenter.dicom.pixels import native
from isocenter.dicom.scan import scan
from isocenter.errors import IsocenterError
from isocenter.methods.intervals import wilson

KINDS = ("ultrasound", "radiograph", "film", "capture", "angiogram", "photograph", "dose screen")
ARABIC = ("محمد علي حسن", "فاطمة الزهراء", "مستشفى المدينة", "المريض: يوسف خليل", "عبد الرحمن ١٩٦٠")
# Of a letter from left to right: x from 0 to 1, y from -1 (below the line) over 1 (low letters) to 2 (tall ones).
_PEN = (
    ((0.5, 0.6), (0.7, 1.0), (0.4, 1.0), (0.3, 0.3), (0.6, 0.0), (1, 0.2)),
    ((0.6, 1.6), (0.5, 2.0), (0.35, 1.2), (0.5, 0.0), (1, 0.2)),
    ((0.2, 1.0), (0.25, 0.0), (0.5, 1.0), (0.7, 0.9), (0.75, 0.0), (1, 0.2)),
    ((0.3, 1.0), (0.35, 0.1), (0.6, 0.1), (0.75, 1.0), (0.8, 0.0), (1, 0.2)),
    ((0.7, 1.0), (0.3, 0.8), (0.4, 0.1), (0.75, 1.0), (0.7, -0.8), (0.45, -0.9), (0.6, -0.2), (1, 0.2)),
)
_OWN_WRITING = "dose screen"
WORDS = ("QUAXELBERG^ANNA", "Petersen, Ole", "ID 0047-1123", "12.05.1960", "Krankenhaus Mitte", "DOB 03/11/48 M",
         "MEIER K", "Acc: A778123", "MULLER-LUDENSCHEIDT, Hans-Georg", "1987-04-09 14:22:07")  # fmt: skip
EASTERN = ("王小明", "山田太郎 様", "김민수 1960-05-12", "患者：李华", "東京中央病院", "病历号 0047-1123")
_LITTLE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
Grey = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Writing:
    """How lines are written: fonts that have western letters, fonts that have eastern ones, and what is asked of them.

    Args:
        western: files, and None for the font that ships with Pillow.
        turned_deg: by up to how much every line is turned; 0 for the mixture of upright, a quarter and slightly askew.
        at_deg: at which angles every line stands, either way; none for as `turned_deg` says.
        contrast: least and most of the range from what is below a line to its letters.
        script: "print", "arabic" or "hand".
    """

    western: list[Path | None]
    eastern: list[Path]
    turned_deg: float = 0.0
    at_deg: tuple[float, ...] = ()
    contrast: tuple[float, float] = (0.25, 1.0)
    script: str = "print"


def fonts(more: Path | None = None) -> Writing:
    """The fonts of the machine, with those of a folder."""
    western: list[Path | None] = [None]
    eastern: list[Path] = []
    folders = ["/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "C:/Windows/Fonts"]
    for folder in [*folders, *([more] if more else [])]:
        for file in sorted(p for p in Path(folder).rglob("*.[to]t[fc]")):
            if "Math" in file.name or "Emoji" in file.name:
                continue
            font = ImageFont.truetype(str(file), 20)
            drawn = {bytes(font.getmask(letter)) for letter in ("王", "山", "明", "\uffff")}
            if len(drawn) == 4:
                eastern.append(file)
            elif len({bytes(font.getmask(letter)) for letter in "Ab7"}) == 3:
                western.append(file)
    return Writing(western, eastern)


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
    if kind == "angiogram":
        return _vessels(rng, shape, coarse)
    if kind == "photograph":
        return _photograph(rng, shape, coarse)
    if kind == "dose screen":
        return _dose_screen(rng, shape)
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


def _vessels(rng: np.random.Generator, shape: tuple[int, int], coarse: Grey) -> Grey:
    """Contrast medium and a catheter, over ribs or subtracted, within a collimator."""
    page = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(page)
    for _ in range(rng.integers(4, 12)):
        at, going = rng.uniform(0, 1, 2) * shape, rng.uniform(0, 2 * np.pi)
        wide, points = rng.uniform(2, 14), []
        for _ in range(rng.integers(20, 60)):
            points.append((float(at[1]), float(at[0])))
            going += rng.normal(0, 0.15)
            at = at + 8 * np.array([np.sin(going), np.cos(going)])
        pen.line(points, fill=int(rng.integers(80, 256)), width=max(1, int(wide)), joint="curve")
    filled = ndimage.gaussian_filter(np.asarray(page) / 255.0, rng.uniform(0.7, 1.5))
    below = 0.55 if rng.random() < 0.5 else 0.4 + 0.35 * coarse
    out: Grey = below - rng.uniform(0.2, 0.5) * filled + rng.normal(0, rng.uniform(0.005, 0.03), shape)
    if rng.random() < 0.5:
        edge = int(rng.integers(5, 60))
        out[:edge] = out[-edge:] = out[:, :edge] = out[:, -edge:] = 0.0
    return out


def _photograph(rng: np.random.Generator, shape: tuple[int, int], coarse: Grey) -> Grey:
    """Skin with pores, hairs and marks in a light from one side, cloth behind it."""
    rows, columns = np.indices(shape)
    light = 0.6 + 0.3 * (rows * rng.uniform(-1, 1) / shape[0] + columns * rng.uniform(-1, 1) / shape[1])
    skin = light + 0.15 * (coarse - 0.5) + 0.03 * ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(1, 3))
    for _ in range(rng.integers(0, 12)):
        at, half = rng.uniform(0, 1, 2) * shape, rng.uniform(2, 25, 2)
        mark = ((rows - at[0]) / half[0]) ** 2 + ((columns - at[1]) / half[1]) ** 2
        skin = skin - rng.uniform(0.1, 0.4) / (1 + mark**3)
    page = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(page)
    for _ in range(rng.integers(0, 40)):  # hairs
        x, y, lean = rng.uniform(0, shape[1]), rng.uniform(0, shape[0]), rng.uniform(-60, 60, 2)
        pen.line([(x, y), (x + lean[0], y + lean[1])], fill=int(rng.integers(60, 200)), width=int(rng.integers(1, 3)))
    skin = skin - 0.5 * ndimage.gaussian_filter(np.asarray(page) / 255.0, 0.7)
    cloth = 0.3 + 0.08 * np.sin(rows / rng.uniform(1.5, 5)) * np.sin(columns / rng.uniform(1.5, 5))
    limb = np.abs(columns - shape[1] / 2 - rng.normal(0, 0.3) * rows) < rng.uniform(0.3, 0.8) * shape[1]
    out: Grey = ndimage.gaussian_filter(np.where(limb, skin, cloth), rng.uniform(0.5, 1.2))
    return out + rng.normal(0, rng.uniform(0.003, 0.015), shape)


def _dose_screen(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """A table of doses: a title, lines of numbers and rules between them."""
    page = Image.new("L", (shape[1], shape[0]))
    pen, size = ImageDraw.Draw(page), int(rng.integers(11, 17))
    for number in range(rng.integers(3, 9)):
        dose, product, voltage = rng.uniform(1, 30), rng.uniform(20, 900), rng.integers(80, 141)
        words = f"{number + 1}  Thorax {dose:.2f} mGy  DLP {product:.1f}  {voltage} kV"
        pen.text((10, shape[0] // 3 + number * (size + 6)), words, fill=220, font=ImageFont.load_default(size))
    pen.line([(5, shape[0] // 3 - 4), (shape[1] - 5, shape[0] // 3 - 4)], fill=150)
    return np.asarray(page) / 255.0


def inscribed(rng: np.random.Generator, empty: Grey, kind: str, some: Writing) -> tuple[Grey, Grey]:
    """The image with one to three lines on it, and where their letters are."""
    out, letters = empty.copy(), np.zeros(empty.shape)
    for _ in range(rng.integers(1, 4)):
        mask = _mask(rng, some, empty.shape)
        top = rng.integers(0, empty.shape[0] - mask.shape[0] + 1)
        left = rng.integers(0, empty.shape[1] - mask.shape[1] + 1)
        part = np.s_[top : top + mask.shape[0], left : left + mask.shape[1]]
        under = float(np.median(out[part]))
        reach = rng.uniform(*some.contrast)
        level = min(under + reach, 1.0) if under < 0.5 else max(under - reach, 0.0)
        if rng.random() < 0.5 and some.contrast[1] == 1.0:
            level = 1.0 if under < 0.5 else 0.0
        out[part] = out[part] * (1 - mask) + level * mask
        letters[part] = np.maximum(letters[part], mask)
    if kind == "film":
        out = ndimage.gaussian_filter(out, rng.uniform(0.3, 0.9)) + rng.normal(0, 0.01, out.shape)
    return np.clip(out, 0, 1), letters


def _mask(rng: np.random.Generator, some: Writing, shape: tuple[int, int]) -> Grey:
    eastern = some.script == "print" and bool(some.eastern) and rng.random() < 0.25
    every: Sequence[str] = ARABIC if some.script == "arabic" else EASTERN if eastern else WORDS
    for tries in range(100):
        words, size = str(rng.choice(every)), int(rng.integers(14 if eastern else 10, 41))
        if tries >= 20:  # a small image: the smallest letters, and of them the words that there is room for
            words, size = min(every, key=len), 14 if eastern else 10
        choice: Sequence[Path | None] = some.eastern if eastern else some.western
        if some.script == "arabic":
            choice = [
                f for f in some.western if f and f.stem in ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansCondensed")
            ]
        chosen = choice[rng.integers(len(choice))]
        font = ImageFont.load_default(size) if chosen is None else ImageFont.truetype(str(chosen), size)
        page = Image.new("L", (2 * size * len(words) + 20, 3 * size))
        if some.script == "hand":
            page = _by_hand(rng, len(words), size)
        else:
            ImageDraw.Draw(page).text((8, size // 2), words, fill=255, font=font)
        angle = float(rng.choice([0, 0, 0, 0, 90, rng.uniform(-4, 4)]))
        if some.turned_deg:
            angle = rng.uniform(-some.turned_deg, some.turned_deg)
        if some.at_deg:
            angle = float(rng.choice(some.at_deg) * rng.choice([-1, 1]))
        mask = np.asarray(page.rotate(angle, Image.Resampling.BICUBIC, expand=True)) / 255.0
        rows, columns = np.nonzero(mask > 0.4)
        mask = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        if mask.shape[0] < shape[0] and mask.shape[1] < shape[1]:
            return mask
    raise SystemExit(f"an image of {shape[0]} x {shape[1]} pixels has no room for writing")


def _by_hand(rng: np.random.Generator, letters: int, size: int) -> Image.Image:
    """Words of one stroke each, low letters half as tall as a line of print of this size."""
    page = Image.new("L", (2 * size * letters + 20, 3 * size))
    pen, low, lean = ImageDraw.Draw(page), size / 2, rng.uniform(0, 0.5)
    at, line, width = 8.0 + size, 1.7 * size, int(rng.integers(1, 4))
    points = [(at, line)]
    for number in range(letters):
        for x, y in _PEN[rng.integers(len(_PEN))]:
            up = low * (y + rng.normal(0, 0.08))
            points.append((at + low * (x + rng.normal(0, 0.05)) + lean * up, line - up))
        at += low
        if number == letters - 1 or rng.random() < 0.15:
            places = ndimage.gaussian_filter1d(ndimage.zoom(np.array(points), (8, 1), order=1), 3, axis=0)
            pen.line([(float(x), float(y)) for x, y in places], fill=255, width=width, joint="curve")
            at += low
            points = [(at, line)]
    return page


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


def real(folder: Path, most: int, seed: int) -> list[tuple[bytes, File]]:
    """So many images of CT and MR, native and grey, drawn from all that lie in a folder."""
    rng, chosen, seen = np.random.default_rng((seed, 98)), list[tuple[bytes, File]](), 0
    for place in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".zip", ".dcm")):
        for _, data in scan(place):
            file = _grey_slice(data)
            if file is None or not isinstance(data, bytes):
                continue
            seen += 1
            at = len(chosen) if len(chosen) < most else int(rng.integers(seen))
            if at < most:
                chosen[at : at + 1] = [(data, file)]
    return chosen


def _grey_slice(data: bytes | IsocenterError) -> File | None:
    if isinstance(data, IsocenterError):
        return None
    try:
        file = parse(data)
        pixels = native(file)
    except IsocenterError:
        return None
    wanted = file.ascii(0x00080060) in ("CT", "MR") and file.syntax in _LITTLE
    if not wanted or pixels is None or pixels.ndim != 3 or pixels.dtype.kind not in "iu":
        return None
    return file if min(pixels.shape[1:]) >= 128 else None


def on_real(folder: Path, most: int, seed: int, some: Writing) -> dict[str, list[float]]:
    """How often writing on real images is noticed and covered, and how often such an image is held without any."""
    counts: dict[str, int] = defaultdict(int)
    images = real(folder, most, seed)
    for number, (data, file) in enumerate(images):
        rng = np.random.default_rng((seed, 99, number))
        counts["held"] += judge(file, data).state != "clean"
        pixels = native(file)
        assert pixels is not None
        low, high = float(pixels[0].min()), float(pixels[0].max())
        grey = (pixels[0] - low) / max(high - low, 1.0)
        drawn, letters = inscribed(rng, grey, "ct-mr", some)
        changed = np.array(pixels)
        changed[0] = np.where(letters > 0, (low + drawn * (high - low)).round().astype(pixels.dtype), pixels[0])
        at = file.dataset[PIXELS][1]
        written = data[:at] + changed.tobytes() + data[at + changed.nbytes :]
        verdict = judge(parse(written), written)
        boxed = np.zeros(letters.shape, bool)
        for _, top, left, bottom, right in verdict.boxes:
            boxed[top:bottom, left:right] = True
        share = float(boxed[letters > 0.4].mean())
        counts["noticed"] += share >= 0.1
        counts["flagged"] += verdict.state != "clean"
        counts["covered"] += share >= 0.95
    return {name: [count, len(images), *_percent(count, len(images))] for name, count in sorted(counts.items())}


def _percent(count: int, of: int) -> list[float]:
    share = wilson(count, of)
    return [round(100 * x, 2) for x in (share.low, share.high)]


def main() -> None:
    """Count, and say it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--images", type=int, default=400, help="of each kind, with writing and without")
    asked.add_argument("--seed", type=int, default=20261126)
    asked.add_argument("--show", type=Path, help="folder that takes pictures of what was missed")
    asked.add_argument("--data", type=Path, help="folder with real images of CT and MR")
    asked.add_argument("--real", type=int, default=300, help="how many of them")
    asked.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    asked.add_argument("--fonts", type=Path, help="folder with more fonts")
    asked.add_argument("--turned", type=float, default=0.0, help="degrees by which lines are turned")
    asked.add_argument("--at", type=float, nargs="*", default=(), help="degrees at which lines stand, either way")
    asked.add_argument("--contrast", type=float, nargs=2, default=(0.25, 1.0), help="of letters, shares of the range")
    asked.add_argument("--script", choices=("print", "arabic", "hand"), default="print")
    given = asked.parse_args()
    some = replace(
        fonts(given.fonts), turned_deg=given.turned, at_deg=tuple(given.at), contrast=tuple(given.contrast),
        script=given.script,
    )  # fmt: skip
    told: dict[str, object] = {}
    started = time.process_time()
    for kind in given.kinds if given.images else ():
        counts: dict[str, int] = defaultdict(int)
        for number in range(given.images):
            rng = np.random.default_rng((given.seed, KINDS.index(kind), number))
            empty = picture(rng, kind)
            if kind != _OWN_WRITING:
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
    if given.images:
        told["processor_s_an_image"] = round((time.process_time() - started) / (2 * given.images * len(given.kinds)), 3)
    if given.data:
        told["ct-mr"] = on_real(given.data, given.real, given.seed, some)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
