"""Weights by name and digest: ONNX only, read as bytes, verified before they are opened."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from isocenter.analysis.self_contained import must_be_self_contained
from isocenter.errors import LimitReached, MissingPart, Refused
from isocenter.record import Model, from_plain

__all__ = [
    "model", "model_in", "models", "next_version", "open_session", "placed", "read_file", "record_in", "record_of",
    "session_for", "session_in", "versions",
]  # fmt: skip

_RECORDS: WeakKeyDictionary[Any, Model] = WeakKeyDictionary()
LARGEST = 2**31
"""Bytes of a file of weights that is read at once: a protocol buffer cannot hold more."""
_LONGEST_CARD = 2**24
THREADS = 2
"""Threads that one question is computed with, where nobody asks for others."""


def read_file(path: Path, most: int = LARGEST) -> bytes:
    """All of a file that may have been put there by anybody, in one look.

    What is read is what was opened: a link, a device or a pipe that takes the place of the file in between is asked
    what it is by its descriptor, and nothing is waited for.

    Raises:
        Refused: it is no file, cannot be read, or is cut while it is read. LimitReached: it is larger than `most`.
        FileNotFoundError: nothing is there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise
    except OSError as fault:
        raise Refused(f"{path.name} cannot be read", fault.strerror or str(fault), "look at its folder") from None
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            raise Refused(f"{path.name} is no file", "a device, a pipe or a folder has its name", "put the file there")
        if seen.st_size > most:
            raise LimitReached(f"{path.name} has {seen.st_size} bytes", f"at most {most} are read", "export it smaller")
        parts, size = [], 0
        while piece := os.read(descriptor, min(1 << 24, most + 1 - size)):
            parts.append(piece)
            size += len(piece)
            if size > most:
                raise LimitReached(f"{path.name} grows", f"at most {most} bytes are read", "export it smaller")
        if size < seen.st_size:
            raise Refused(f"{path.name} was cut while it was read", f"{size} of {seen.st_size} bytes", "try again")
    finally:
        os.close(descriptor)
    return b"".join(parts)


def record_in(card: Path) -> Model:
    """What a ``model.json`` says.

    Raises:
        Refused: when it is no record; the message names the file and what is wrong in it.
    """
    try:
        held = _record(read_file(card, _LONGEST_CARD))
    except (ValueError, Refused, LimitReached, RecursionError) as fault:
        raise Refused(
            f"{card} is no record of a model", str(fault).rstrip("."), "restore the file, or move its folder away"
        ) from fault
    return held


@lru_cache(maxsize=64)
def _record(text: bytes) -> Model:
    # Every card is read at every image in which writing is sought: what says the same is understood once.
    held: Model = from_plain(Model, json.loads(text))
    return held


def model_in(folder: Path) -> Model:
    """The record of the model in a folder, whose weights were read and are those that it names.

    Raises:
        MissingPart: it holds no ``model.json``, or no ``model.onnx``.
        Refused: a file that is no model, weights of another record, or weights that are not opened (pickles, archives).
    """
    if folder.is_file() and folder.name != "model.onnx":
        raise Refused(f"{folder.name} is no model", "it is not opened: a pickle could run code",
                      "give a folder with model.onnx and model.json")  # fmt: skip
    place = folder.parent if folder.is_file() else folder
    for name in ("model.json", "model.onnx"):
        if not (place / name).is_file():
            raise MissingPart(f"no {name} in {place}", "a model is model.onnx with model.json beside it",
                              "give another folder")  # fmt: skip
    held = record_in(place / "model.json")
    _opened(held, place / "model.onnx")
    return held


def folders(extra: Path | None = None) -> list[Path]:
    """Where models are looked for: a site's own folder, then those that ship in the wheel or in the checkout."""
    package = Path(__file__).resolve().parents[1]
    return [p for p in (extra, package / "models", package.parents[1] / "models") if p is not None and p.is_dir()]


def models(extra: Path | None = None) -> dict[str, tuple[Model, Path]]:
    """Every model that is there: name -> (record, path of its ONNX file)."""
    found: dict[str, tuple[Model, Path]] = {}
    for folder in reversed(folders(extra)):
        for card in sorted(folder.glob("*/model.json")):
            held = record_in(card)
            found[held.name] = (held, card.with_name("model.onnx"))
    return dict(sorted(found.items()))


def versions(name: str, extra: Path | None = None) -> list[Model]:
    """Every record of a model that lies in a folder, also those that another of its name stands before; each once."""
    records = [record_in(card) for folder in folders(extra) for card in sorted(folder.glob("*/model.json"))]
    return list({one.digest: one for one in records if one.name == name}.values())


def next_version(known: Iterable[Model], digest: str, also: Iterable[str] = ()) -> str:
    """Version of a new candidate: the one after the highest of its name; of weights that are known already, theirs.

    Args:
        known: records of the same name. digest: of the new weights. also: versions of which no record is left.

    >>> one = Model("lung", "4", "a" * 64)
    >>> next_version([one], "b" * 64, ["2"]), next_version([one], "a" * 64), next_version([], "b" * 64)
    ('5', '4', '1')
    """
    records = list(known)
    if same := next((one.version for one in records if one.digest == digest), ""):
        return same
    return str(max((int(n) for n in (*(one.version for one in records), *also) if n.isdigit()), default=0) + 1)


def placed(digest: str, extra: Path | None = None) -> Path | None:
    """The folder in which the model of these weights lies, whatever stands before it under its name; None: in none."""
    cards = (card for folder in folders(extra) for card in sorted(folder.glob("*/model.json")))
    return next((card.parent for card in cards if record_in(card).digest == digest), None)


def model(name: str, extra: Path | None = None) -> tuple[Model, Path]:
    """One model.

    Raises:
        MissingPart: when it is not there, with where it was looked for.
    """
    held = models(extra).get(name)
    if held is None or not held[1].is_file():
        own = "which ISOCENTER_MODELS names" if extra is not None else "as ISOCENTER_MODELS names none"
        raise MissingPart(
            f"the weights '{name}' are not there",
            f"neither among the models that ship nor in a folder of this site's own, {own}",
            f"put model.onnx and model.json into {name} in that folder, and have the study analysed again",
        )
    return held


def open_session(name: str, extra: Path | None = None, *, threads: int = THREADS) -> Any:
    """An ONNX Runtime session on verified bytes.

    The file is read once, its digest compared with the card, and the session made from those same bytes: a file that
    is changed in between, or one that points to data outside itself, is never opened.

    Args:
        threads: that one question is computed with; 1 for who asks several at once.

    Raises:
        MissingPart: when it is not there.
        Refused: when it is not the file that its card names, or no ONNX at all.
    """
    return _opened(*model(name, extra), threads)


def session_for(analysis: Any, extra: Path | None = None) -> Any:
    """A session on the weights that an analysis names, with the threads that it asks for; None where it names none.

    Raises:
        MissingPart, Refused: as `open_session`.
    """
    name = getattr(analysis, "weights", "")
    return open_session(name, extra, threads=getattr(analysis, "weights_threads", THREADS)) if name else None


def session_in(folder: Path) -> tuple[Model, Any]:
    """The record in a folder, and a session on its file, whatever lies in the folders beside it.

    Raises:
        MissingPart, Refused: as `open_session`.
    """
    held, path = record_in(folder / "model.json"), folder / "model.onnx"
    if not path.is_file():
        raise MissingPart(f"no model.onnx in {folder}", "its record is there without it", "put the file beside it")
    return held, _opened(held, path)


def _opened(held: Model, path: Path, threads: int = THREADS) -> Any:
    seen = path.stat()
    session = _session(str(path), held.digest, seen.st_mtime_ns, seen.st_size, threads)
    _RECORDS[session] = held
    return session


def record_of(session: Any) -> Model | None:
    """The record that a session was opened by, so that an analysis can say what its evidence is; None without one."""
    try:
        return _RECORDS.get(session)
    except TypeError:  # nothing that was opened here
        return None


@lru_cache(maxsize=8)
def _session(path: str, digest: str, _mtime: int, _size: int, threads: int) -> Any:
    import onnxruntime as ort

    data = read_file(Path(path))
    if data[:2] == b"PK" or (data[:1] == b"\x80" and data[1:2] <= b"\x05"):
        raise Refused(
            f"{Path(path).name} is a pickle or an archive", "opening it could run code", "export the model as ONNX"
        )
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise Refused(
            f"weights with digest {found[:12]}…",
            f"the card names {digest[:12]}…: this is not the model whose evidence is shown",
            "restore the file that belongs to the card",
        )
    must_be_self_contained(data, Path(path).name)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # Threads that wait do not spin: beside other work that would cost more than it brings.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as fault:
        raise Refused(f"{Path(path).name} cannot be opened as ONNX", str(fault)[:200], "export it again") from fault
