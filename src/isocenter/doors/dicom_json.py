"""DICOM as JSON (PS3.18 annex F): rows of a search, and whole headers with their large values left out by reference."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any, Final

from isocenter.doors import dicom_json_plain as plain
from isocenter.doors.dicom_json_plain import LARGE
from isocenter.errors import NotFound, Refused

__all__ = ["LARGE", "bulk", "header", "row"]

_NUMBERS: Final = frozenset({"IS", "DS", "FL", "FD", "SL", "SS", "SV", "UL", "US", "UV"})


def row(values: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """A row by keyword as DICOM JSON; a keyword without a value is given empty.

    >>> row({"PatientName": "A^B", "InstanceNumber": 3}, ["PatientName", "InstanceNumber"])["00200013"]
    {'vr': 'IS', 'Value': [3]}
    """
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    made: dict[int, dict[str, Any]] = {}
    for word in wanted:
        tag = tag_for_keyword(word)
        if tag is None:
            continue
        vr = dictionary_VR(tag).split(" ")[0]
        said = values.get(word)
        several = list(said) if isinstance(said, list | tuple) else [] if said in (None, "") else [said]
        made[tag] = {"vr": vr}
        if several:
            made[tag]["Value"] = [_value(one, vr) for one in several]
    return {f"{tag:08X}": made[tag] for tag in sorted(made)}


def _value(value: Any, vr: str) -> Any:
    if isinstance(value, Mapping):
        return row(value, value)
    if vr == "PN":
        names = ("Alphabetic", "Ideographic", "Phonetic")
        return {name: part for name, part in zip(names, str(value).split("="), strict=False) if part}
    if vr in _NUMBERS and isinstance(value, str):
        try:
            return int(value) if vr not in ("DS", "FL", "FD") else float(value)
        except ValueError:
            return value
    if hasattr(value, "strftime"):
        return value.strftime("%Y%m%d")
    return value


def header(data: bytes, base: str) -> dict[str, Any]:
    """The whole header of a file, pixels and other large values by reference.

    Args:
        data: a Part 10 file.
        base: URL of the instance; bulk data stand under ``{base}/bulkdata/``.

    Raises:
        Refused: an element that only a library reads, in a file that it does not read (a zero in its character set).
    """
    from isocenter.dicom.elements import parse

    file, place = parse(data), f"{base}/bulkdata"
    made: dict[str, Any] = {}
    rest: Any = None
    for tag, slot in file.dataset.items():
        if not tag & 0xFFFF:
            continue
        one = plain.element(file, tag, slot, place)
        if one is None:
            rest = _opened(data) if rest is None else rest
            one = _element(rest, tag, place) if tag in rest else None
        if one is not None:
            made[f"{tag:08X}"] = one
    made["00083002"] = {"vr": "UI", "Value": [file.syntax]}
    return dict(sorted(made.items()))


def _opened(data: bytes) -> Any:
    from pydicom import dcmread

    try:
        return dcmread(BytesIO(data))
    except Exception as error:
        raise Refused(
            "a header that cannot be read",
            f"the library that reads it stopped: {type(error).__name__}: {str(error)[:200]}",
            "send the object again, or ask its maker",
        ) from error


def _walk(dataset: Any, base: str) -> dict[str, Any]:
    # Iterating a dataset would decode every element at once.
    tags = [int(tag) for tag in dataset.keys() if int(tag) & 0xFFFF]  # noqa: SIM118
    return {f"{tag:08X}": _element(dataset, tag, base) for tag in tags}


def _element(dataset: Any, tag: int, base: str) -> dict[str, Any]:
    """One element as a library reads it."""
    name = f"{tag:08X}"
    try:
        element = dataset[tag]
        if element.VR == "SQ":
            items = [_walk(item, f"{base}/{name}/{n}") for n, item in enumerate(element.value)]
            return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        if element.VR in plain.BINARY and element.value is not None and len(element.value) > LARGE:
            return {"vr": element.VR, "BulkDataURI": f"{base}/{name}"}
        made: dict[str, Any] = element.to_json_dict(None, 1 << 62)
        return made
    except Exception:
        # A value that does not fit its VR is given as the bytes that were sent, not left out.
        raw = dataset.get_item(tag).value
        inline = base64.b64encode(raw).decode() if isinstance(raw, bytes) and raw else None
        return {"vr": "UN", "InlineBinary": inline} if inline else {"vr": "UN"}


def bulk(data: bytes, path: str) -> tuple[bytes, bool]:
    """A large value by its path (``7FE00010`` or ``54000100/0/54001010``), and whether it is encapsulated pixels.

    Raises:
        NotFound: there is nothing at that path, or it is not binary. Refused: the file cannot be read.
    """
    at = _opened(data)
    steps = path.split("/")
    try:
        for tag, item in zip(steps[:-1:2], steps[1:-1:2], strict=True):
            at = at[int(tag, 16)].value[int(item)]
        element = at[int(steps[-1], 16)]
        value = element.value
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        raise NotFound(
            "bulk data of that path", "the instance has nothing there", "take the URI from its metadata"
        ) from None
    if not isinstance(value, bytes):
        raise NotFound("bulk data of that path", "the value is not binary", "it stands in the metadata")
    return value, len(steps) == 1 and element.tag == 0x7FE00010 and bool(element.is_undefined_length)
