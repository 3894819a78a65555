"""Weights by name and digest: ONNX only, read as bytes, verified before they are opened."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from isocenter.analysis.self_contained import must_be_self_contained
from isocenter.errors import MissingPart, Refused
from isocenter.record import Model, from_plain

__all__ = ["open_session", "models", "model", "record_in", "versions"]


def record_in(card: Path) -> Model:
    """What a ``model.json`` says.

    Raises:
        Refused: when it is no record; the message names the file and what is wrong in it.
    """
    try:
        held: Model = from_plain(Model, json.loads(card.read_text("utf-8")))
    except (ValueError, Refused) as fault:
        raise Refused(
            f"{card} is no record of a model", str(fault).rstrip("."), "restore the file, or move its folder away"
        ) from fault
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


def model(name: str, extra: Path | None = None) -> tuple[Model, Path]:
    """One model.

    Raises:
        MissingPart: when it is not there, with the folders that were looked through.
    """
    held = models(extra).get(name)
    if held is None or not held[1].is_file():
        raise MissingPart(
            f"the weights '{name}' are not there",
            f"looked in {', '.join(p.name for p in folders(extra)) or 'no folder'}",
            f"put model.onnx and model.json into models/{name}",
        )
    return held


def open_session(name: str, extra: Path | None = None) -> Any:
    """An ONNX Runtime session on verified bytes.

    The file is read once, its digest compared with the card, and the session made from those same bytes: a file that
    is changed in between, or one that points to data outside itself, is never opened.

    Raises:
        MissingPart: when it is not there.
        Refused: when it is not the file that its card names, or no ONNX at all.
    """
    held, path = model(name, extra)
    stat = path.stat()
    return _session(str(path), held.digest, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _session(path: str, digest: str, _mtime: int, _size: int) -> Any:
    import onnxruntime as ort

    data = Path(path).read_bytes()
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
    options.intra_op_num_threads = 2
    # Threads that wait do not spin: beside other work that would cost more than it brings.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as fault:
        raise Refused(f"{Path(path).name} cannot be opened as ONNX", str(fault)[:200], "export it again") from fault
