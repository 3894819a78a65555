"""Whether an image is none of what a model learnt from, told by a small network of its own that lies beside the model.

A model answers whatever it is shown. So a second network, which never sees a label, has learnt what its images look
like (see `border`). It looks at 40 × 40 pixels; of a volume at its three middle slices and its three shadows. What is
strange to it is declined, whatever the model says. Of outlined organs it may ask for plain measures as well (`likely`),
of pictures for the detail of their grid (`detail`), of what a detector finds for its extent (`extent`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis.self_contained import must_be_self_contained
from isocenter.analysis.weights import read_file
from isocenter.errors import Refused
from isocenter.learn.detail import detail
from isocenter.learn.extent import INPUT as EXTENTS
from isocenter.learn.outline_measures import outline_measures
from isocenter.methods.picture import of_one_grey, resampled

__all__ = [
    "FILE",
    "NAMED",
    "NEAR",
    "NO_BORDER",
    "SIDE",
    "USUAL",
    "canvas",
    "digest_of_usual",
    "doubts",
    "far",
    "must_name",
    "no_border",
    "strangeness",
    "why_declined",
]

FILE, SIDE = "scope.onnx", 40
NAMED, USUAL = "scope", "usual"
"""Under these words the metadata of a model's file name the digest of the network beside it, or of what is usual."""
NEAR = 0.85
"""Share of a model's own images, of those that lay its border, that lie far enough inside to be called normal silently.

Most of the few wrong images that a border does not decline lie close to it, where few right ones do. To decline all
that lies there would cost too many right ones; a word costs little, and nobody takes a wrong image for a healthy one.
"""
NO_BORDER = "no border was taught: that it finds nothing says nothing of what it was not made for"

Array = npt.NDArray[Any]


def canvas(image: Array) -> npt.NDArray[np.float32]:
    """(channels, 40, 40) in 0 … 1 of a picture (rows, columns), one in colour (rows, columns, 3), or a volume.

    Of a volume (x, y, z) the middle slice across each axis and the mean along it. Grey values between the outermost
    half per cent are spread over 0 … 1, of all channels together.
    """
    x = np.asarray(image, np.float32)
    if x.ndim == 3 and x.shape[-1] == 3:
        seen = [x[..., k] for k in range(3)]
    elif x.ndim == 3:
        low, high = _span(x)
        x = (np.clip(x, low, high) - low) / (high - low)
        seen = [x.take(x.shape[axis] // 2, axis) for axis in range(3)] + [x.mean(axis) for axis in range(3)]
    else:
        seen = [x]
    found = np.stack([resampled(one, SIDE, SIDE) for one in seen])
    low, high = _span(found)
    return np.asarray((np.clip(found, low, high) - low) / (high - low), np.float32)


def _span(x: Array) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(x, (0.5, 99.5)))
    if high <= low:  # a small mask is less than that part
        low, high = float(x.min()), float(x.max())
    return low, max(high, low + 1e-6)


def must_name(session: Any, inputs: Mapping[str, Any]) -> None:
    """Refuse a record and weights that do not agree on what is declined: by which network, or as unlike what is usual.

    Raises:
        Refused: they do not; what a model declines would have been changed without another digest.
    """
    named, scope = session.get_modelmeta().custom_metadata_map, inputs.get("scope", {})
    if "scope" in inputs and not (isinstance(scope, Mapping) and {"digest", "channels"} <= set(scope)):
        raise Refused(f"the border {scope!r:.60} in a record", "it has the digest of its file and its channels",
                      "restore the record")  # fmt: skip
    told = {NAMED: scope.get("digest")}
    told[USUAL] = digest_of_usual(inputs["usual"]) if "usual" in inputs else None
    for word, digest in told.items():
        if named.get(word) != digest:
            raise Refused(
                f"a record with the border {str(digest)[:12]}", f"the weights name {str(named.get(word))[:12]}",
                "restore the record",
            )  # fmt: skip


def digest_of_usual(usual: Any) -> str:
    """SHA-256 of what is usual in the columns of a table (see `plausible`), as it stands in a record."""
    return hashlib.sha256(json.dumps(usual, sort_keys=True).encode()).hexdigest()


def strangeness(
    folder: Path, told: Any, images: Sequence[Array], numbers: Mapping[str, Array] | None = None
) -> npt.NDArray[np.float64]:  # fmt: skip
    """(n,) how strange each image is to the network beside a model: above 1 is to be declined.

    Args:
        folder: of the model. told: ``inputs["scope"]`` of its record. images: as the model reads them.
        numbers: what only the model can tell of each image, by the name under which a border may ask for it.

    Raises:
        Refused: the file is not the one of the record, the images have other channels, or such numbers are not given.
    """
    session = _opened(folder, str(told["digest"]))
    wanted = {one.name for one in session.get_inputs()}
    given = {name: value for name, value in (numbers or {}).items() if name in wanted}
    if EXTENTS in wanted - given.keys():
        raise Refused(f"the border of {folder.name}", f"it asks for the {EXTENTS} of what the model finds",
                      "hand them over with the images")  # fmt: skip
    found = np.zeros(len(images))
    for start in range(0, len(images), 64):
        some = np.stack([canvas(one) for one in images[start : start + 64]])
        if some.shape[1] != told["channels"]:
            raise Refused(
                f"images of {some.shape[1]} channels",
                f"the model looks at {told['channels']}",
                "give images of as many channels",
            )
        asked = {"canvas": some}
        if "measures" in wanted:
            asked["measures"] = np.stack([outline_measures(one) for one in images[start : start + 64]])
        if "detail" in wanted:
            asked["detail"] = np.array([detail(one) for one in images[start : start + 64]], np.float32)
        asked |= {name: np.asarray(value[start : start + 64], np.float32) for name, value in given.items()}
        found[start : start + 64] = session.run(["strangeness"], asked)[0]
    return _or_endless(found)


def no_border(inputs: Mapping[str, Any]) -> str:
    """What is to be said with each negative answer of a model; empty where it was taught what to decline.

    Args:
        inputs: of its record: of a border beside it, a class of what is none of its own, a gate of films, or what is
            usual in the columns of a table.
    """
    return "" if inputs.get("rest") or {"scope", "gate", "usual"} & inputs.keys() else NO_BORDER


def why_declined(
    folder: Path, inputs: Mapping[str, Any], said: Mapping[str, npt.NDArray[Any]], images: Sequence[Array]
) -> tuple[npt.NDArray[np.float64], list[str], list[str]]:
    """How strange images are to a model, why each is declined, and what is to be said where nothing is found in it.

    (n,) of the model and of the border beside it, the higher; n reasons, and n words (see `NEAR`), empty where none
    is due.

    Args:
        folder: of the model. inputs: of its record.
        said: what it answered: ``strangeness`` (n,), and ``certainty`` or ``scope`` (n, …) where it has them.
        images: as the model reads them, for the border.

    Raises:
        Refused: see `strangeness`.
    """
    own = _or_endless(np.asarray(said["strangeness"], np.float64).reshape(len(images)))
    beside = strangeness(folder, inputs["scope"], images) if "scope" in inputs else np.zeros(len(images))
    limit = float(inputs["gate"]["strangeness"]) if "gate" in inputs else 1.0
    kinds = len(inputs.get("classes", ()))
    why = []
    for k in range(len(images)):
        if "gate" in inputs and of_one_grey(images[k]):
            why.append("nothing is to be seen on it: it is of one grey")
        elif "gate" in inputs and said["scope"][k, 1] < inputs["gate"]["child"]:
            why.append("it does not look like an upright frontal chest radiograph of a small child")
        elif inputs.get("rest") and int(said["certainty"][k].argmax()) == kinds:
            why.append("it is none of the kinds that the model knows")
        elif beside[k] > 1:
            why.append(f"it is beyond the border taught to the model (strangeness {beside[k]:.1f}, at most 1)")
        elif own[k] > limit:
            why.append(far(own[k]))
        else:
            why.append("")
    words = doubts(inputs, beside)
    if inputs.get("rest"):
        words = _doubts_of_rest(inputs, np.asarray(said["certainty"], np.float64)[:, kinds])
    return np.maximum(own / limit, beside), why, words


def doubts(inputs: Mapping[str, Any], beside: npt.NDArray[np.float64]) -> list[str]:
    """What is to be said where nothing is found in an image that is not declined, or where it is outlined (see `NEAR`).

    Args:
        inputs: of the model's record. beside: (n,) how strange each image is to the border beside it.
    """
    if unsaid := no_border(inputs):
        return [unsaid] * len(beside)
    inner = float(inputs.get("scope", {}).get("near", np.inf))
    return [
        f"it lies near the border of what the model was made for (strangeness {s:.2f}; "
        f"{100 * NEAR:.0f} in 100 of its own images are within {inner:.2f}): look whether it is such an image"
        if s > inner else ""
        for s in beside
    ]  # fmt: skip


def _doubts_of_rest(inputs: Mapping[str, Any], none: npt.NDArray[np.float64]) -> list[str]:
    """What is to be said with each answer of a model that has a class for what is none of its own (see `NEAR`)."""
    inner = float(inputs.get("near", np.inf))
    return [
        f"it may be none of the kinds that the model knows (chance {chance:.2f}; "
        f"of {100 * NEAR:.0f} in 100 of its own images at most {inner:.2f}): look whether it is such an image"
        if chance > inner else ""
        for chance in none
    ]  # fmt: skip


def _or_endless(strange: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A strangeness that is no number, of broken weights or pixels, lies within no limit, though it is above none."""
    return np.where(np.isnan(strange), np.inf, strange)


def far(strangeness: float) -> str:
    """Why a model itself declines an image, in words."""
    if not np.isfinite(strangeness):
        return "how far it lies from what the model learnt from is no number"
    if strangeness < 1.05:
        return "it lies farther from what the model learnt from than its outermost examples"
    return f"it lies {strangeness:.1f} times as far from what the model learnt from as its outermost examples"


def _opened(folder: Path, digest: str) -> Any:
    import onnxruntime as ort

    try:
        data = read_file(folder / FILE)
    except FileNotFoundError:
        raise Refused(f"no {FILE} in {folder.name}", "its record names one", "restore the file") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise Refused(f"{FILE} in {folder.name}", "it is not the file of the record", "restore the file")
    must_be_self_contained(data, FILE)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
