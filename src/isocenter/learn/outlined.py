"""Images with outlines as people hand them over: pairs of files in two folders or in one, or a table.

Volumes are NIfTI; where a recipe is of pictures, these are PNG, TIFF and the like, or NIfTI of one layer.

Folders are found by their names: ``imagesTr`` and ``labelsTr``, ``imagesTs`` and ``labelsTs``, ``images`` and
``masks``, or any two of which one speaks of labels, masks or segmentations. Files belong together by name; the ending
``_0000`` of an image, as nnU-Net wants it, is passed over, and so is a word such as ``_seg`` or ``_label`` at the end
of an outline. Where images and outlines lie in one folder, that word tells them apart; a folder of one image and one
outline is one case. Each structure may have a file of its own, whose name or folder says which (see `parted`). Outlines
of pictures may be polygons of a COCO file (see `coco_outlines`).
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotFound, Refused
from isocenter.learn.coco_outlines import CocoOutline, coco_pairs, is_coco
from isocenter.learn.examples import weights_in
from isocenter.learn.gridded import opened
from isocenter.learn.kinds import Classes, Masks
from isocenter.learn.nearest_file import nearest_files
from isocenter.learn.nifti_file import loaded
from isocenter.learn.parted import Outline, Pieces, in_case_folders, joined, parted_in, unstacked
from isocenter.learn.sheet import read_sheet
from isocenter.learn.splits import must_be_among, of_part
from isocenter.learn.whose import column_of_people, whose

__all__ = ["Case", "digest_of_cases", "names_of", "pairs_in", "people_of", "read_case", "weights_of"]

_MASK_WORDS = ("label", "mask", "seg", "truth", "annotation")
_ENDED = r"labels?|masks?|seg(mentation)?s?|truth|gt|annotations?|outlines?|images?|img"
_NIFTI = (".nii.gz", ".nii")
_LEAST_MM, _MOST_MM = 0.01, 30.0  # of voxels that are believed
_LOSSY = (".jpg", ".jpeg")
_PICTURES = (".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, eq=False)
class Case:
    """One image and its outline, axes from right to left, back to front and foot to head; of a picture rows, columns.

    Args:
        image: (x, y, z) grey values. labels: (x, y, z) 0 background, 1, 2 …
        spacing_mm: of neighbouring voxels. affine: from voxels to RAS millimetres; of a picture the unit one.
        weight: how much it counts in a training, 0 to 1.
    """

    name: str
    image: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, ...]
    affine: npt.NDArray[np.float64]
    weight: float = 1.0


Pair = tuple[Path, Outline]


def pairs_in(
    path: Path, split: str | None = None, *, flat: bool = False, structures: Sequence[str] = ()
) -> tuple[list[Pair], list[str]]:  # fmt: skip
    """Files of images with their outlines, and the names of those that lack the other.

    Args:
        flat: whether pictures are wanted: then files of pictures are taken beside NIfTI.
        structures: names of the labels 1, 2 …, of which each may have a file of its own.

    Raises:
        NotFound: when nothing is there.
        Refused: when no image has an outline.
    """
    if not path.exists():
        raise NotFound(
            f"no data at {path}", "there is nothing to read", "give the path of a file or folder that is there"
        )
    if flat and (tables := _coco_files(path, split)):
        return _of_coco(tables, structures, path)
    if path.is_file() and path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise Refused(f"{path.name} is not a folder or .csv", "images with outlines are wanted in one of these",
                      "give a folder that holds images and labels, or a .csv with image and label")  # fmt: skip
    endings = (*_NIFTI, *_PICTURES) if flat else _NIFTI
    found, alone = list[Pair](), list[str]()
    if path.is_file():
        found += _of_table(path, split)
    else:
        ways = (path, structures, lambda p: _images_in(p, endings), _case, _speaks_of_masks)
        parts, alone = in_case_folders(*ways)
        if not parts:
            parts, alone = parted_in(*ways)
        found += [pair for pair in parts if split is None or _is_of(split.lower(), _above(pair[0], path))]
        for one, other in map(_by_number, _groups(path, split, endings)) if not parts else ():
            drawn = _with_pieces(one, other)
            found += [(one[k], drawn[k]) for k in sorted(one.keys() & drawn.keys())]
            alone += [f"{k}: no outline" for k in sorted(one.keys() - drawn.keys())]
            alone += [f"{k}: no image" for k in sorted(drawn.keys() - one.keys())]
    if not found:
        raise Refused(
            f"no image with an outline in {path.name}",
            "each image needs labels of the same name" + (f"; there are {'; '.join(alone[:3])}" if alone else ""),
            "give a folder that holds imagesTr and labelsTr, or images and labels",
        )  # fmt: skip
    return found, alone


def _coco_files(path: Path, split: str | None) -> list[Path]:
    """The COCO files that a path names; of a folder those of the part that is asked for, where nothing else is there.

    Raises:
        Refused: several of which no name says a part, or none of the part that is asked for.
    """
    if path.is_file():
        return [path] if is_coco(path) else []
    if any(_speaks_of_masks(p.name.lower()) for p in path.iterdir() if p.is_dir() and p.name.lower() != "annotations"):
        return []
    tables = [p for p in sorted(path.rglob("*.json")) if is_coco(p)]
    words = {p: [*p.relative_to(path).parts[:-1], *re.split(r"[^A-Za-z0-9]+", p.stem)] for p in tables}
    wanted = [p for p in tables if split is None or of_part(split, words[p])]
    if tables and not wanted:
        raise Refused(f"no split '{split}' in {path.name}", f"there are {', '.join(p.name for p in tables)}",
                      "name one of them")  # fmt: skip
    return wanted


def _of_coco(tables: Sequence[Path], structures: Sequence[str], path: Path) -> tuple[list[Pair], list[str]]:
    found, alone = list[Pair](), list[str]()
    beside = path.parent.parent if path.parent.name.lower() == "annotations" else path.parent
    for table in tables:
        pairs, lost = coco_pairs(table, path if path.is_dir() else beside, structures, _PICTURES)
        found += pairs
        alone += lost
    if not found:
        raise Refused(f"no picture of {path.name} is there", alone[0] if alone else "it names none",
                      "lay the pictures beside the file")  # fmt: skip
    return found, alone


def _above(file: Path, root: Path) -> str:
    return file.parent.relative_to(root).as_posix().lower()


def names_of(pairs: Sequence[Pair]) -> list[str]:
    """What each case is called: its image's file, or the way to it where another image has that name, too.

    >>> names_of([(Path("set/a/t1.nii"), Path()), (Path("set/b/t1.nii"), Path()), (Path("set/b/t2.nii"), Path())])
    ['a/t1.nii', 'b/t1.nii', 't2.nii']
    """
    # Not resolved: what a link leads to has another name.
    images = [Path(os.path.abspath(image)) for image, _ in pairs]  # noqa: PTH100
    often = Counter(image.name for image in images)
    above = Path(os.path.commonpath([image.parent for image in images]))
    return [i.name if often[i.name] == 1 else i.relative_to(above).as_posix() for i in images]


def _images_in(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.name.lower().endswith(endings) and not p.name.startswith("."))


def _stem(file: Path) -> str:
    ending = next((e for e in (*_NIFTI, *_PICTURES) if file.name.lower().endswith(e)), "")
    return file.name[: len(file.name) - len(ending)]


def _case(file: Path) -> str:
    """Name of the case that an image or an outline belongs to.

    >>> _case(Path("a_0000.nii.gz")), _case(Path("a-seg.nii")), _case(Path("labels.nii"))
    ('a', 'a', 'labels')
    """
    return re.sub(rf"[-_. ]({_ENDED})$", "", _stem(file).removesuffix("_0000"), flags=re.IGNORECASE)


def _speaks_of_masks(name: str) -> bool:
    return any(word in name.lower() for word in _MASK_WORDS) or bool(re.search(r"(?i)(?<![a-z])gts?(?![a-z])", name))


def _groups(
    path: Path, split: str | None, endings: tuple[str, ...]
) -> Iterator[tuple[dict[str, Path], dict[str, Path]]]:
    """(images, outlines) by case: of each two folders, and of each folder that holds both."""
    told = (p for p in (path, *sorted(path.rglob("*"))) if p.is_dir() and _images_in(p, endings))
    inside = [p for p in told if not any(part.startswith(".") for part in p.relative_to(path).parts)]
    masks = [p for p in inside if p != path and (_speaks_of_masks(p.name) or _by_hand(p))]
    rest = [p for p in inside if p not in masks]
    derived = {way: p for p in rest if (way := _derived_of(p.relative_to(path))) is not None}
    for folder in rest:
        if split is not None and not _is_of(split.lower(), folder.relative_to(path).as_posix().lower()):
            continue
        if (way := _derived_of(folder.relative_to(path))) is not None and path / way in rest:
            continue  # its outlines go with the images of that folder
        own = [p for p in _images_in(folder, endings) if _speaks_of_masks(_stem(p))]
        images = [p for p in _images_in(folder, endings) if p not in own]
        if not own and (drawn := derived.get(folder.relative_to(path).as_posix())) is not None:
            own = [p for p in _images_in(drawn, endings) if _speaks_of_masks(_stem(p))]
            if len(own) == len(images) == 1:
                yield {_case(images[0]): images[0]}, {_case(images[0]): own[0]}
                continue
        if (beside := _beside(folder, masks)) is not None:
            yield _by_case(_images_in(folder, endings)), _by_case(_images_in(beside, endings))
        elif len(own) == len(images) == 1:
            yield {folder.name: images[0]}, {folder.name: own[0]}
        elif own:
            yield _by_contrast(images, own)


def _with_pieces(images: Mapping[str, Path], outlines: Mapping[str, Path]) -> dict[str, Outline]:
    """Outlines by case, those with a number behind (``a_mask``, ``a_mask_1``) together with the first of the case."""
    found: dict[str, Outline] = dict(outlines)
    for case in images:
        numbered = re.compile(rf"{re.escape(case)}[-_. ]({_ENDED})[-_. ]?\d+", re.IGNORECASE)
        if more := [name for name in sorted(outlines) if numbered.fullmatch(name)]:
            first = [outlines[case]] if case in outlines else []
            found[case] = Pieces((*first, *(outlines[name] for name in more)))
            for name in more:
                del found[name]
    return found


def _derived_of(folder: Path) -> str | None:
    """The folder of images that one of BIDS's ``derivatives`` was made of.

    >>> _derived_of(Path("derivatives/manual/sub-01/anat")), _derived_of(Path("sub-01/anat"))
    ('sub-01/anat', None)
    """
    parts = folder.parts
    at = next((n for n, part in enumerate(parts) if part.lower() == "derivatives"), None)
    return None if at is None or len(parts) < at + 3 else Path(*parts[:at], *parts[at + 2 :]).as_posix()


def _is_of(split: str, folder: str) -> bool:
    """Whether a folder's name is one of a part; the Decathlon writes Tr and Ts."""
    return split in folder or of_part(split, folder.split("/"))


def _by_case(files: Sequence[Path]) -> dict[str, Path]:
    return {_case(p): p for p in files}


def _by_number(both: tuple[dict[str, Path], dict[str, Path]]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and outlines by case; where no two are called alike, by the one number in each name, where none has two.

    >>> one, other = _by_number(({"volume-7": Path("volume-7.nii")}, {"segmentation-7": Path("segmentation-7.nii")}))
    >>> one.keys() == other.keys() == {"7"}
    True
    """
    if not both[0].keys().isdisjoint(both[1]):
        return both
    short = [{str(int(number[0])): file for case, file in side.items() if len(number := re.findall(r"\d+", case)) == 1}
             for side in (_without_ordinals(one) for one in both)]  # fmt: skip
    whole = all(len(by) == len(side) for by, side in zip(short, both, strict=True))
    return (short[0], short[1]) if whole and not short[0].keys().isdisjoint(short[1]) else both


def _without_ordinals(side: dict[str, Path]) -> dict[str, Path]:
    """Cases by names without a last number that all of them have, as in ``21_manual1`` and ``22_manual1``."""
    ends = {found[0] if (found := re.search(r"(?<=\d)[-_ .]?[a-z]+\d*$", case, re.IGNORECASE)) else "" for case in side}
    return {case.removesuffix(next(iter(ends)) if len(ends) == 1 else ""): file for case, file in side.items()}


def _by_contrast(images: Sequence[Path], own: Sequence[Path]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and outlines of one folder by case; where none fit, without the contrast and the ``dseg`` of BIDS."""
    one, other = _by_case(images), _by_case(own)
    plain = {re.sub(r"_(T1w|T2w|T2star|FLAIR|PDw|MR|CT)$", "", case): file for case, file in one.items()}
    drawn = {case.removesuffix("_dseg"): file for case, file in other.items()}
    fits = len(plain) == len(one) and not plain.keys().isdisjoint(drawn)
    return (plain, drawn) if fits and one.keys().isdisjoint(other) else (one, other)


def _beside(folder: Path, masks: Sequence[Path]) -> Path | None:
    """The folder of outlines that belongs to a folder of images; None where there is none."""
    ending = folder.name.lower().removeprefix("images").removeprefix("image")
    near = [m for m in masks if m.parent == folder.parent]
    own = [m for m in near if m.name.lower().endswith(ending)] if ending else near
    if not own and folder.name.lower().startswith("image"):  # imagesTs beside labelsTr: outlines of others
        own = [m for m in near if not (folder.parent / re.sub("(?i)^labels?", "images", m.name)).is_dir()]
        return min(own, key=lambda m: len(m.name), default=None)
    return min(own or near, key=lambda m: (not _by_hand(m), len(m.name), m.name), default=None)


def _by_hand(folder: Path) -> bool:
    """Whether a folder is called after what a person drew: a mask beside it, as in DRIVE, is of the field of view."""
    return "manual" in folder.name.lower()


def people_of(pairs: Sequence[Pair], path: Path, split: str | None = None) -> list[str]:
    """Whose image each is of what `pairs_in` found there, by a column of the table, or by names (see `whose`)."""
    root = path if path.is_dir() else path.parent
    ways = [os.path.relpath(image, root).replace(os.sep, "/") for image, _ in pairs]
    if path.is_dir() or is_coco(path):
        return whose(ways)
    columns, rows = read_sheet(path)
    column = column_of_people(columns)
    return whose(ways, [row[column] for row in _of_part(columns, rows, split)] if column else ())


def weights_of(pairs: Sequence[Pair], path: Path) -> list[float]:
    """How much each of what `pairs_in` found there counts in a training, by ``examples.csv``; all alike without it."""
    if not path.is_dir():
        return [1.0] * len(pairs)
    found = weights_in(path, [os.path.relpath(image, path).replace(os.sep, "/") for image, _ in pairs])
    return [1.0] * len(pairs) if found is None else found.tolist()


def _of_part(columns: Sequence[str], rows: Sequence[dict[str, str]], split: str | None) -> list[dict[str, str]]:
    at = next((c for c in reversed(columns) if c.strip().lower() == "split"), "")
    part = must_be_among(split, [r.get(at, "") for r in rows], "the table")
    return [r for r in rows if split is None or r.get(at, "") == part]


def _of_table(path: Path, split: str | None) -> list[Pair]:
    columns, rows = read_sheet(path)
    names = {c.strip().lower(): c for c in columns}
    image = next((names[c] for c in ("image", "file", "path") if c in names), None)
    mask = next((names[c] for c in ("label", "mask", "labels", "segmentation") if c in names), None)
    if image is None or mask is None:
        raise Refused(
            f"{path.name} has the columns {list(names)}", "one for the image and one for its label are wanted",
            "call them 'image' and 'label'",
        )  # fmt: skip
    return [(_named_in(r[image], path), _named_in(r[mask], path)) for r in _of_part(columns, rows, split)]


def _named_in(cell: str, table: Path) -> Path:
    """The file that a cell names, also as Windows writes it, or the only one of that name in a folder of that name."""
    way = PurePosixPath(cell.strip().replace("\\", "/"))
    if (file := table.parent / way).is_file() or not way.name:
        return file
    near = [p for p in sorted(table.parent.rglob(glob.escape(way.name))) if p.is_file()]
    if way.parent.name:
        near = [p for p in near if p.parent.name.lower() == way.parent.name.lower()]
    near = nearest_files(near, way.parts[:-1], table.parent)
    return near[0] if len(near) == 1 else file  # which is not there: its case is left out, and that is said


def read_case(image: Path, outline: Outline, how: Masks, name: str = "") -> Case:
    """One pair, turned so that its axes run as those of all others; where the recipe is of pictures, as these are.

    Args:
        outline: its file, or one for each structure in the order of the recipe.
        name: of the case; that of the image's file where it is left out.

    Raises:
        Refused: when a file cannot be read, is no single volume, the two have other grids, a label is not of the
            recipe, or a voxel is not finite.
    """
    if len(how.spacing_mm) == 2:
        return _read_picture(image, outline, how, name or image.name)
    assert not isinstance(outline, CocoOutline)  # which pictures alone have
    files = _files_of(outline)
    mask = files[0]
    import nibabel

    read: list[Any] = []
    for file in (image, *files):
        try:
            found = loaded(file)
            array = np.asarray(found.dataobj)
        except Exception as e:
            raise Refused(
                f"cannot read {file.name}", str(e)[:160] or type(e).__name__, "take it out or replace it"
            ) from e
        if array.ndim == 4 and array.shape[3] == 1:
            array = array[..., 0]
        if array.ndim == 4 and file is mask:
            array = unstacked(array, how.classes, file.name)
        if array.ndim != 3 or min(array.shape) < 8:
            raise Refused(
                f"{file.name} has the shape {array.shape}",
                "a volume of 8 voxels a side at least is wanted",
                "give another file, or leave it out",
            )
        affine = np.diag([*[_millimetres(found.header)] * 3, 1.0]) @ found.affine
        read.append(nibabel.as_closest_canonical(nibabel.Nifti1Image(np.asarray(array, np.float32), affine)))
    picture, *drawn = read
    for one in drawn:
        if picture.shape != one.shape:
            raise Refused(
                f"{image.name} is {picture.shape} and its outline {one.shape}",
                "they lie on other grids",
                "resample the outline onto the image",
            )
        if not np.allclose(picture.affine, one.affine, atol=0.05):
            raise Refused(f"{image.name} and its outline lie elsewhere", "their positions in the body differ",
                          "resample the outline onto the image")  # fmt: skip
    grey, arrays = np.asarray(picture.dataobj, np.float32), [np.asarray(one.dataobj) for one in drawn]
    _must_be_finite(grey, image)
    x, y, z = (float(v) for v in picture.header.get_zooms()[:3])
    if not _LEAST_MM <= min(x, y, z) <= max(x, y, z) <= _MOST_MM:
        raise Refused(f"{image.name} has voxels of {x:.3g} × {y:.3g} × {z:.3g} mm", "no scanner makes such ones",
                      "save it with its spacing in millimetres, or with the unit that it has")  # fmt: skip
    if isinstance(outline, tuple):
        kinds = joined(arrays, [file.name for file in outline])
    else:
        kinds = _together(
            [_kinds(_in_our_order(_whole(a), f, how), f, how) for a, f in zip(arrays, files, strict=True)]
        )
    return Case(name or image.name, grey, kinds, (x, y, z), np.asarray(picture.affine, np.float64))


def _millimetres(header: Any) -> float:
    """Of one unit of a file's coordinates; where it tells none, it is taken for a millimetre."""
    unit = header.get_xyzt_units()[0] if hasattr(header, "get_xyzt_units") else "unknown"
    return {"meter": 1000.0, "micron": 0.001}.get(unit, 1.0)


def _must_be_finite(grey: npt.NDArray[np.float32], image: Path) -> None:
    if not np.isfinite(grey).all():
        raise Refused(f"{image.name} holds {int(np.count_nonzero(~np.isfinite(grey)))} voxels that are not finite",
                      "they have no grey value", "repair or remove the image")  # fmt: skip


def _in_our_order(labels: npt.NDArray[Any], mask: Path, how: Masks) -> npt.NDArray[Any]:
    """Labels as the recipe numbers its structures, where a ``dataset.json`` beside names the same ones otherwise.

    Raises:
        Refused: when that file cannot be read.
    """
    file = next((f for f in (above / "dataset.json" for above in mask.parents[:2]) if f.is_file()), None)
    told = _told_in(file) if file is not None else {}
    own = {name.lower(): kind for kind, name in enumerate(how.classes, start=1)}
    moved = {value: kind for name, value in told.items() if (kind := _meant(name, own)) is not None}
    if sorted(moved.values()) != sorted(own.values()) or all(value == kind for value, kind in moved.items()):
        return labels
    found = np.array(labels)
    for value in set(np.unique(labels).tolist()) - {0}:
        found[labels == value] = moved.get(int(value), len(own) + 1)  # what is none of ours is refused later
    return found


def _whole(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Labels as whole numbers: where a slope is stored beside the values, 1.0000001 is left of a 1."""
    if labels.dtype.kind != "f":
        return labels
    near = np.rint(labels)
    return near if np.allclose(labels, near, rtol=0, atol=1e-3) else labels


def _meant(name: str, own: dict[str, int]) -> int | None:
    """The structure of this name, or the only one that it speaks of, as "Anterior hippocampus" of the anterior part."""
    if name in own:
        return own[name]
    spoken = {kind for word, kind in own.items() if re.search(rf"\b{re.escape(word)}\b", name)}
    return spoken.pop() if len(spoken) == 1 else None


def _told_in(file: Path) -> dict[str, int]:
    """Name of a structure -> its number, as the Decathlon (number: name) and nnU-Net (name: number) write it."""
    try:
        labels = json.loads(file.read_text("utf-8"))["labels"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise Refused(f"cannot read the labels in {file.name}", f"{type(e).__name__}: {str(e)[:120]}",
                      "repair it, or take it out where 1, 2 … are numbered as the recipe's classes") from e  # fmt: skip
    pairs = ((str(b), str(a)) if str(a).isdigit() else (str(a), str(b)) for a, b in labels)
    return {name.strip().lower(): int(number) for name, number in pairs if number.isdigit()}


def _kinds(labels: npt.NDArray[Any], mask: Path, how: Masks) -> npt.NDArray[np.uint8]:
    """Labels of the recipe; of one structure alone white, as pictures have it, is taken for 1."""
    values = set(np.unique(labels).tolist())
    if len(how.classes) == 1 and (values <= {0, 255} or values <= {0, 65535}):
        return np.asarray(labels > 1, np.uint8)
    if len(how.classes) == 1 and mask.suffix.lower() in _LOSSY and np.mean(np.abs(labels - 127.5) < 64) < 0.1:
        return np.asarray(labels > 127, np.uint8)  # black and white, and what compression left between
    if values - set(range(len(how.classes) + 1)):
        known = ", ".join(f"{k} {n}" for k, n in enumerate(("background", *how.classes)))
        raise Refused(
            f"labels {sorted(values)[:8]} in {mask.name}",
            f"'{how.task}' knows {known}",
            "correct the outline, or the classes of the recipe",
        )
    return np.asarray(labels, np.uint8)


def _read_picture(image: Path, outline: Outline, how: Masks, name: str) -> Case:
    """A picture and its outline; its spacing is that of the recipe where it is no NIfTI, which tells its own."""
    pictures = Classes(how.task, how.classes, how.window)
    grey = _one_layer(np.asarray(opened(image, pictures), np.float32), image, colours=True)
    if isinstance(outline, CocoOutline):
        layers = [outline.painted()]
    else:
        layers = [_one_layer(_labels_in(mask, pictures), mask, colours=False) for mask in _files_of(outline)]
    for labels in layers:
        if grey.shape != labels.shape:
            raise Refused(
                f"{image.name} is {grey.shape} and its outline {labels.shape}",
                "they lie on other grids",
                "resample the outline onto the image",
            )
    _must_be_finite(grey, image)
    if isinstance(outline, CocoOutline):
        kinds = layers[0]
    elif isinstance(outline, tuple):
        kinds = joined(layers, [file.name for file in outline])
    else:
        drawn = zip(layers, _files_of(outline), strict=True)
        kinds = _together([_kinds(_whole(layer), file, how) for layer, file in drawn])
    return Case(name, grey, kinds, _spacing(image, how), np.eye(4))


def _files_of(outline: Path | tuple[Path, ...] | Pieces) -> tuple[Path, ...]:
    return (outline,) if isinstance(outline, Path) else outline.files if isinstance(outline, Pieces) else outline


def _together(pieces: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Labels of pieces that are one outline; where two lie on each other the later is seen."""
    found = pieces[0]
    for piece in pieces[1:]:
        found = np.where(piece > 0, piece, found)
    return found


def _one_layer(x: npt.NDArray[Any], file: Path, *, colours: bool) -> npt.NDArray[Any]:
    """(rows, columns) of a file; a picture in colour is made grey, an outline in colour says no labels.

    Raises:
        Refused: an outline whose colours differ, or a file of other axes or fewer pixels.
    """
    if x.ndim == 3 and x.shape[-1] in (3, 4):
        if not colours and (x[..., :3] != x[..., :1]).any():
            raise Refused(f"{file.name} is in colour", "no colour says which label it is",
                          "save the outline as numbers, 0 where nothing is")  # fmt: skip
        x = x[..., :3].mean(-1) if colours else x[..., 0]
    while x.ndim > 2 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.ndim != 2 or min(x.shape) < 8:
        raise Refused(
            f"{file.name} has the shape {x.shape}",
            "a picture of 8 pixels a side at least is wanted",
            "give another file, or leave it out",
        )
    return x


def _labels_in(mask: Path, pictures: Classes) -> npt.NDArray[Any]:
    """As they are stored: of a picture with a palette its numbers, not its colours."""
    from PIL import Image

    if mask.name.lower().endswith(_NIFTI):
        return opened(mask, pictures)
    try:
        with Image.open(mask) as held:
            return np.asarray(held).astype(np.int64) if held.mode != "1" else np.asarray(held.convert("L"))
    except Exception as e:
        raise Refused(f"cannot read {mask.name}", str(e)[:160] or type(e).__name__, "take it out or replace it") from e


def _spacing(image: Path, how: Masks) -> tuple[float, ...]:
    if not image.name.lower().endswith(_NIFTI):
        return how.spacing_mm
    held = loaded(image)
    (first, second), affine = (float(v) for v in held.header.get_zooms()[:2]), held.affine
    return (second, first) if affine[0, 0] < 0 and affine[1, 1] < 0 else (first, second)  # as `gridded` turns it


def digest_of_cases(cases: Sequence[Case]) -> str:
    """SHA-256 over names, images and labels, and weights where they differ from 1."""
    sha = hashlib.sha256()
    for case in cases:
        sha.update(case.name.encode())
        sha.update(np.ascontiguousarray(case.image).tobytes())
        sha.update(np.ascontiguousarray(case.labels).tobytes())
        sha.update(b"" if case.weight == 1 else repr(case.weight).encode())
    return sha.hexdigest()
