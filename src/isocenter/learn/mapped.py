"""Maps of where a classifier was sensitive, written for pictures, where a verdict lets them be shown.

They are of sensitivity: not why something is ill, and no outline of it. Beside them stand the known cases that are most
alike, where an index is named; those need no verdict, since they show images and not reasons.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.dicom.confining import bounded_memory
from isocenter.errors import Refused, Unavailable
from isocenter.forms.sensitivity_picture import over_picture
from isocenter.learn.judge import folder_of, kind_of, opened
from isocenter.learn.labelled import unlabelled
from isocenter.learn.likeness import found
from isocenter.learn.sanity_classes import recipe_with_networks
from isocenter.learn.sensitivity import METHODS, TELLS, Asked, images_of, map_name, must_have, said_of_pictures
from isocenter.record import Model

__all__ = ["SAYS", "mapped"]

SAYS = "Where the model was sensitive: no explanation of disease and no outline of it"


@bounded_memory()
def mapped(
    model: str | Path, data: Path, out: Path, against: Callable[[str, Model], str], *, method: str = "occlusion",
    extra: Path | None = None, index: Path | None = None, near: int = 5, progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """A row for each picture; of those that the model calls also ``….sensitivity.npy`` and ``….sensitivity.png``.

    One that cannot be read, or is too coarse, has a row with the reason, and the others are looked at.

    Args:
        model: name or folder of a classifier. data: a picture, a folder or an ``.npz``; no labels are needed.
        out: folder for the maps and ``maps.json``, outside the data.
        against: (name of the map, model) -> why it must not be shown, empty where it may.
        index: folder of known cases, of which the `near` nearest are told with each picture.

    Raises:
        Refused: the map must not be shown for these weights, an unknown method, or another kind of model.
        Unavailable: the folder cannot be written.
    """
    held, session = opened(model, extra)
    if kind_of(held) == "films":
        raise Refused(f"maps of {held.name} by this command", "the analysis of that name draws its map",
                      f"take isocenter analyse FOLDER --only {held.name}")  # fmt: skip
    how = recipe_with_networks(held)
    must_have(method)
    if why := against(map_name(method), held):
        raise Refused(
            f"the map of {held.name} by {method}", why, "where nobody has asked, ask: isocenter sanity "
            f"{model} --data WHAT-IT-LEARNT-FROM; similar cases need no verdict: isocenter similar find",
        )  # fmt: skip
    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise Refused(f"maps in {out}", "they would lie among the pictures, and pass for some", "name another --out")
    place = folder_of(model, held, extra)
    unread = list[tuple[str, str]]()
    names, pictures = unlabelled(data, how, unread)
    like = [] if index is None else found(index, data, model, extra, k=near, aside=[])
    alike = {one["file"]: one["near"] for one in like}
    said = said_of_pictures(held, session, place, how, pictures)
    asked, images = Asked(read_file(place / "model.onnx")), images_of(pictures, how)
    files, rows = _files(names), list[dict[str, Any]]()
    for k, name in enumerate(names):
        kind = how.classes[int(said.kind[k])]
        row: dict[str, Any] = {"file": name, "class": kind, "declined": said.why[k], "map": None}
        if said.why[k]:
            row["why_no_map"] = "the model declines the picture"
        elif not said.called[k]:
            row["why_no_map"] = f"the model does not say '{kind}' of it"
        else:
            values = METHODS[method](asked, images[k], int(said.kind[k]))
            row |= _written(out, files[k], pictures[k], values, method, f"'{kind}', {held.name} {held.version}")
        rows.append(row | ({"near": alike.get(name, [])} if index is not None else {}))
        if progress is not None:
            progress(f"{name}: {row['map'] or row['why_no_map']}")
    for name, why in unread:
        row = {"file": name, "class": None, "declined": why, "map": None, "why_no_map": why}
        rows.append(row | ({"near": []} if index is not None else {}))
        if progress is not None:
            progress(why)
    told = {"model": held.name, "version": held.version, "digest": held.digest, "method": method, "says": SAYS}
    _keep(out / "maps.json", (json.dumps({**told, "pictures": rows}, indent=1) + "\n").encode())
    return rows


def _files(names: list[str]) -> list[str]:
    """Names of the files of maps: those of the pictures, with their endings only where two would have one name.

    >>> _files(["a/1.nii.gz", "a/2.png", "a/2.dcm", "train/00001"])
    ['a/1', 'a/2.png', 'a/2.dcm', 'train/00001']
    """
    short = [str(Path(name.removesuffix(".gz")).with_suffix("")) for name in names]
    return [one if short.count(one) == 1 else name for one, name in zip(short, names, strict=True)]


def _written(
    out: Path, name: str, picture: npt.NDArray[np.uint8], values: npt.NDArray[np.float32], method: str, what: str
) -> Mapping[str, Any]:
    import io

    highest = np.unravel_index(int(values.argmax()), values.shape)
    lines, shown, over = [f"{SAYS}. {method[:1].upper()}{method[1:]}, {what}."], picture, values
    if values.ndim == 3:
        shown, over = picture[highest[0]], values[highest[0]]
        lines.append(f"Slice {highest[0] + 1} of {len(values)}, in which it is highest.")
    if not values.any():
        lines.append("Nothing speaks for the class by this method.")
    else:
        lines.append(f"Bar: {TELLS[method]}, up to {float(values.max()):.2g}.")
    file = io.BytesIO()
    np.save(file, values.astype(np.float32), allow_pickle=False)
    _keep(out / f"{name}.sensitivity.npy", file.getvalue())
    _keep(out / f"{name}.sensitivity.png", over_picture(shown, over, lines))
    return {"map": f"{name}.sensitivity.npy", "picture": f"{name}.sensitivity.png", "highest": float(values.max()),
            "at": [int(i) for i in highest]}  # fmt: skip


def _keep(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        wholly.write(file, data)
    except OSError as e:
        raise Unavailable(f"cannot write {file}", str(e), "choose another --out") from e
