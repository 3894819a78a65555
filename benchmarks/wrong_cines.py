"""What the analysis ``cardiac_cine`` says of wrong cines, each under the header of a short-axis stack of one beat.

Right cines are both patients of Sunnybrook and hearts drawn by `isocenter.methods.virtual_heart`; wrong ones are made
of them, or are other parts and modalities that were given a beat. The header of each calls it a proper stack, so that
the pictures alone can tell.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.transform import Rotation

from isocenter.analysis.weights import open_session
from isocenter.catalogue.cardiac_cine import CardiacCine
from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header
from isocenter.errors import Refused
from isocenter.methods.short_axis import turned
from isocenter.methods.virtual_heart import VirtualHeart
from isocenter.space import Axis, Geometry, Volume

Array = npt.NDArray[Any]
Way = Callable[[Volume, int, np.random.Generator], Array]
SLICES, PHASES, SIDE, GAP_MM, STEP_MM, BEAT_MS = 13, 16, 128, 10.0, 1.5, 880.0
USUAL = ("UNCERTAIN", "outlined by a network", "no cardiac output", "nothing is indexed", "no filling rates",
         "the heart rate is")  # fmt: skip
"""How those reasons begin that every answer has, or that a header lacks: they doubt no picture."""


def placed(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Geometry:
    """A grid on a usual short axis: slices from base to apex, rows to the feet, columns to the left."""
    through = np.array([0.62, -0.62, -0.48]) / np.linalg.norm([0.62, -0.62, -0.48])
    across = np.cross(through, [0.0, 0.0, 1.0])
    across *= np.sign(across[0]) / np.linalg.norm(across)
    down = np.cross(through, across)
    down *= np.sign(-down[2])
    affine = np.eye(4)
    affine[:3, :3] = np.stack([through, down, across], 1) * spacing_mm
    return Geometry(affine, shape, "2.25.7")


def cine(array: Array, spacing_mm: tuple[float, float, float] = (GAP_MM, STEP_MM, STEP_MM)) -> Volume:
    """(phases, slices, rows, columns) under the header of a proper stack; greys brought to 0 … 1000."""
    low, high = np.percentile(array, (0.5, 99.8))
    greys = np.round((np.asarray(array, np.float32) - low) * 1000 / (high - low + 1e-9)).clip(0, 4095)
    axis = Axis("trigger", tuple(BEAT_MS / len(array) * k for k in range(len(array))), "ms")
    spaced = placed((array.shape[1], array.shape[2], array.shape[3]), spacing_mm)
    return Volume(
        greys.astype(np.float32),
        spaced,
        axes=(axis,),
        facts={"HeartRate": 68, "ImageType": ["ORIGINAL", "PRIMARY", "M"]},
    )


def drawn(seed: int) -> Volume:
    """A virtual heart of an anatomy that the seed draws."""
    depths = -18.0 + GAP_MM * np.arange(SLICES)
    squeeze = 0.5 - 0.5 * np.cos(2 * np.pi * np.minimum(np.arange(PHASES) / PHASES / 0.8, 1.0))
    made = VirtualHeart(seed).rendered(depths, squeeze, size=SIDE, step_mm=STEP_MM, thickness_mm=8.0)
    return cine(made.pictures)


def patients(data: Path) -> list[Volume]:
    """The cines of Sunnybrook, from base to apex."""
    archives = sorted((data / "sunnybrook_cine" / "dicoms").glob("*.zip"))
    found = [turned(_series(archive, "")[0]) for archive in archives]
    return [cine(one.array, one.geometry.disk_mm) for one in found]


def _series(archive: Path, part: str) -> list[Volume]:
    with zipfile.ZipFile(archive) as held:
        files = [held.read(n) for n in held.namelist() if n.endswith(".dcm") and part in n]
    blobs, studies = {}, []
    for data in files:
        studies.append(read_header(data))
        blobs[studies[-1].series[0].instances[0].digest] = data
    return [v for study in merge(studies) for s in study.series for v in assemble(s, blobs.__getitem__)]


# ---- what is no heart


def still(data: Path) -> dict[str, list[Array]]:
    """Pictures of other parts and modalities, (13, 128, 128) each on 10 by 1.5 by 1.5 mm, still."""
    shape, spacing = (SLICES, SIDE, SIDE), np.array([GAP_MM, STEP_MM, STEP_MM])

    def cut(x: Array, mm: Array) -> Array:
        zoomed = ndimage.zoom(np.asarray(x, np.float32), mm / spacing, order=1)
        found = np.full(shape, zoomed.min(), np.float32)
        spans = []
        for have, want in zip(zoomed.shape, shape, strict=True):
            first = max(0, (have - want) // 2)
            spans.append((slice(first, first + min(have, want)), slice((want - min(have, want)) // 2, None)))
        inner = zoomed[tuple(a for a, _ in spans)]
        found[tuple(slice(b.start, b.start + n) for (_, b), n in zip(spans, inner.shape, strict=True))] = inner
        return found

    heads = []
    for file in sorted((data / "open_ms").rglob("*.nii*")):
        if file.is_file() and any(w in file.name for w in ("FLAIR", "T1", "T2")):
            image = nibabel.load(file)
            x = np.squeeze(np.asarray(image.dataobj, np.float32))
            heads.append(cut(x.transpose(2, 1, 0), np.array(image.header.get_zooms()[:3])[::-1]))
    scans: dict[str, list[Array]] = {"head": heads}
    for part, name in (("CT/image", "CT of a leg"), ("PET/image", "PET of a leg"), ("MR_T1/image", "MR of a leg")):
        found = []
        for archive in sorted((data / "sarcoma_pet_ct_mr").glob("*.zip")):
            for volume in _series(archive, part):
                if volume.geometry.shape[0] >= SLICES:
                    mm = np.array(volume.geometry.spacing_mm)
                    found.append(cut(volume.array, mm))
                    found.append(cut(volume.array.transpose(1, 0, 2), mm[[1, 0, 2]]))
        scans[name] = found
    return scans


def beating(x: Array, k: int, rng: np.random.Generator) -> Array:
    """A still volume over a beat: swelling and shrinking, breathing, filled with contrast, or flickering."""
    time = np.arange(PHASES) / PHASES
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * time)
    if k % 4 == 0:
        middle = np.array([0.0, *rng.uniform(0.35, 0.65, 2) * (SIDE - 1)])
        return np.stack([_scaled(x, 1 + rng.uniform(0.1, 0.3) * w, middle) for w in wave])
    if k % 4 == 1:
        far = rng.uniform(2, 6)
        return np.stack([ndimage.shift(x, (0, far * w, 0.3 * far * w), order=1, mode="nearest") for w in wave])
    if k % 4 == 2:  # the bright parts fill first
        late = ndimage.gaussian_filter(rng.normal(size=x.shape), (1, 8, 8))
        late = (late - late.min()) / np.ptp(late)
        bolus = np.exp(-(((time[:, None, None, None] - 0.3 - 0.3 * late) / 0.15) ** 2))
        return x[None] * (0.6 + 0.8 * bolus)
    return x[None] * (1 + 0.2 * (wave - 0.5))[:, None, None, None] + rng.normal(0, 0.03 * np.ptp(x), (PHASES, *x.shape))


def _scaled(x: Array, by: float, middle: Array) -> Array:
    return np.asarray(
        ndimage.affine_transform(
            x, np.array([1, 1 / by, 1 / by]), middle - middle / [1, by, by], order=1, mode="nearest"
        )
    )


# ---- what is a heart, and wrong


def greys_of(v: Volume) -> Array:
    return np.asarray(v.array, np.float32)


def inverted(v: Volume, k: int, rng: np.random.Generator) -> Array:
    x = greys_of(v)
    return np.percentile(x, 99.8) - np.minimum(x, np.percentile(x, 99.8))


def quarters(v: Volume, k: int, rng: np.random.Generator) -> Array:
    return np.rot90(greys_of(v), 1 + k % 3, (2, 3))


def any_angle(v: Volume, k: int, rng: np.random.Generator) -> Array:
    degrees = rng.uniform(35, 180) * rng.choice([-1, 1])
    return np.asarray(ndimage.rotate(greys_of(v), degrees, (2, 3), reshape=False, order=1, mode="constant"))


def upside_down(v: Volume, k: int, rng: np.random.Generator) -> Array:
    return greys_of(v)[:, :, ::-1] if k % 2 else greys_of(v)[..., ::-1]


def base_for_apex(v: Volume, k: int, rng: np.random.Generator) -> Array:
    return greys_of(v)[:, ::-1]


def axes_exchanged(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """Slices run along the rows, or along the columns, or rows are slices: on the same grid again."""
    x = greys_of(v)
    order = ((0, 2, 1, 3), (0, 3, 2, 1), (0, 2, 3, 1))[k % 3]
    y = x.transpose(order)
    return _on(y, x.shape[1:])


def _on(x: Array, shape: tuple[int, ...]) -> Array:
    zoom = [1.0, *(want / have for want, have in zip(shape, x.shape[1:], strict=True))]
    return np.asarray(ndimage.zoom(x, zoom, order=1, mode="nearest", grid_mode=True))


def shuffled(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """All slices in one wrong order of time, or each in its own."""
    x = greys_of(v).copy()
    if k % 2:
        return x[rng.permutation(len(x))]
    for one in range(x.shape[1]):
        x[:, one] = x[rng.permutation(len(x)), one]
    return x


def frozen(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """One phase over and over: as it is, with noise, or with a slow change of brightness."""
    x = greys_of(v)
    still_ = np.repeat(x[[int(rng.integers(len(x)))]], len(x), 0)
    if k % 3 == 0:
        return still_
    if k % 3 == 1:
        return still_ + rng.normal(0, 0.01 * np.ptp(x), x.shape)
    return still_ * (1 + 0.1 * np.sin(2 * np.pi * np.arange(len(x)) / len(x)))[:, None, None, None]


def noise(v: Volume, k: int, rng: np.random.Generator) -> Array:
    x = greys_of(v)
    if k % 3 == 0:
        return rng.rayleigh(0.2, x.shape)
    if k % 3 == 1:
        return ndimage.gaussian_filter(rng.normal(size=x.shape), (1, 0, 5, 5), mode="wrap")
    return np.abs(x.mean() + rng.normal(0, 2 * x.std(), x.shape) + 0.2 * x)


def without_heart(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """Enlarged pieces beside the heart."""
    return _piece(v, rng, 0.35, (0.0, 0.65))


def half_heart(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """The picture moved by as much as cuts the heart in two, black beyond."""
    x = greys_of(v)
    middle = np.array(x.shape[2:]) / 2
    axis, sign = k % 2, (-1, 1)[k // 2 % 2]
    move = [0.0, 0.0, 0.0, 0.0]
    move[2 + axis] = float(sign * middle[axis])
    return np.asarray(ndimage.shift(x, move, order=0, mode="constant", cval=float(x.min())))


def _piece(v: Volume, rng: np.random.Generator, part: float, corners: tuple[float, float]) -> Array:
    x = greys_of(v)
    tall, wide = (round(s * part) for s in x.shape[2:])
    top = round(x.shape[2] * corners[int(rng.integers(2))])
    left = round(x.shape[3] * corners[int(rng.integers(2))])
    return _on(x[:, :, top : top + tall, left : left + wide], x.shape[1:])


def half_stack(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """Slices of the upper or of the lower half of the ventricle, drawn out over the stack."""
    x = greys_of(v)
    half = x[:, : x.shape[1] // 2] if k % 2 else x[:, x.shape[1] // 2 :]
    return np.repeat(half, 2, 1)[:, : x.shape[1]]


def long_axis(v: Volume, k: int, rng: np.random.Generator) -> Array:
    return _planes(v, 90.0, rng.uniform(0, 360))


def axial(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """Planes between short and long axis, as axial, coronal and sagittal ones lie."""
    return _planes(v, rng.uniform(45, 75), rng.uniform(0, 360))


def _planes(v: Volume, tilt_deg: float, about_deg: float) -> Array:
    """Cut anew, tilted about an axis within the slice, in pixels of the same size."""
    x, mm = greys_of(v), np.array(v.geometry.spacing_mm)
    about = np.deg2rad(about_deg)
    turn = Rotation.from_rotvec(np.deg2rad(tilt_deg) * np.array([0.0, np.cos(about), np.sin(about)])).as_matrix()
    matrix = np.diag(1 / mm) @ turn @ np.diag(mm)
    middle = (np.array(x.shape[1:]) - 1) / 2
    return np.stack([
        ndimage.affine_transform(one, matrix, middle - matrix @ middle, order=1, mode="constant", cval=float(x.min()))
        for one in x
    ])  # fmt: skip


def perfusion(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """Frames of a first pass: no beat; what is bright fills and empties, muscle after it."""
    x = greys_of(v)
    still_, time = x[0], np.arange(len(x)) / len(x)
    limit = np.percentile(still_, 85)
    blood = 1 / (1 + np.exp(-(still_ - limit) / (0.1 * limit)))
    first, late = (np.exp(-(((time - at) / wide) ** 2))[:, None, None, None] for at, wide in ((0.35, 0.15), (0.6, 0.3)))
    frames = still_ * 0.3 * (1 - blood) * (1 + late) + blood * limit * (0.2 + 1.3 * first)
    return frames + rng.normal(0, 0.01 * limit, x.shape)


def dark_blood(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """Blood darker than muscle, and what else is as bright as the blood nearby.

    Half-way between the two is half-way between what pixels are at both ends of the beat over which the border moves.
    """
    x = greys_of(v)
    low, high = x.min(axis=0), x.max(axis=0)
    moving = (high - low > np.percentile(high - low, 97)).astype(np.float32)
    near = [ndimage.gaussian_filter(y, (1, 12, 12)) for y in (moving * (low + high) / 2, moving)]
    limit = near[0] / np.maximum(near[1], 1e-6)
    blood = 1 / (1 + np.exp(-np.clip((x - limit) / (0.06 * limit + 1e-6), -50, 50)))
    return np.asarray(x * (1 - blood) + rng.uniform(0.02, 0.15) * x * blood)


def contrast_reversed(v: Volume, k: int, rng: np.random.Generator) -> Array:
    """Muscle enhanced above blood: what lies between the two changes places."""
    x = greys_of(v)
    low, high = np.percentile(x, 40), np.percentile(x, 99)
    return np.where((x > low) & (x < high), low + high - x, x)


OF_HEARTS: dict[str, Way] = {
    "inverted": inverted, "turned by quarters": quarters, "turned by any angle": any_angle,
    "upside down or mirrored": upside_down, "base for apex": base_for_apex, "axes exchanged": axes_exchanged,
    "time shuffled": shuffled, "frozen": frozen, "noise": noise, "the heart left out": without_heart,
    "half of the heart in the picture": half_heart, "half of the stack drawn out": half_stack,
    "long-axis planes": long_axis, "oblique planes": axial, "perfusion frames": perfusion,
    "blood dark": dark_blood, "contrast reversed": contrast_reversed,
}  # fmt: skip


def made(data: Path, hearts: list[Volume], n: int, rng: np.random.Generator) -> Any:
    """(kind, wrong cine), one by one."""
    others = still(data)
    kinds = [*others, *OF_HEARTS]
    for number, kind in enumerate(kinds):
        for k in range(n // len(kinds) + (number < n % len(kinds))):
            if kind in others:
                pool = others[kind]
                yield kind, cine(beating(pool[int(rng.integers(len(pool)))], k, rng))
            else:
                heart = hearts[int(rng.integers(len(hearts)))]
                yield kind, cine(OF_HEARTS[kind](heart, k, rng), heart.geometry.spacing_mm)


def said(session: Any, one: Volume) -> tuple[str, str]:
    """(declined, doubted or mute; why): doubted is with a reason beyond those that every answer has."""
    try:
        answer = CardiacCine().run(one, None, weights=session)
    except Refused as why:
        return "declined", str(why)
    doubts = [r for r in answer.reasons if not r.startswith(USUAL)]
    return ("doubted" if doubts else "mute"), "; ".join(doubts)


def opened() -> Any:
    return open_session("cardiac_cine", threads=CardiacCine.weights_threads)
