"""Data sets as the DICOM JSON model (PS3.18 annex F): read from the wire or a file, and written again.

What worklists and work items carry is kept and compared in this plain form. Values are taken as they come: a query may
hold a wildcard where an identifier belongs, and a message from outside may hold anything; what cannot be read at all
is refused, what merely breaks a rule of its VR is left to whoever compares.
"""

from __future__ import annotations

import base64
import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final

from isocenter.errors import LimitReached, Refused

__all__ = ["Model", "decode", "encode", "first", "items", "read_file", "text"]

Model = dict[str, Any]
"""Tag as eight hexadecimal digits -> {"vr", "Value" or "InlineBinary"}."""

_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_BYTES: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_WHOLE_TEXT: Final = frozenset({"LT", "ST", "UT", "UR"})
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_IMPLICIT: Final = "1.2.840.10008.1.2"
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_DEEPEST: Final = 16
_LARGEST: Final = 16 * 2**20
_CHARSET: Final = "00080005"
_NAMES: Final = ("Alphabetic", "Ideographic", "Phonetic")


def decode(data: bytes, syntax: str) -> Model:
    """Read a data set.

    Args:
        syntax: Transfer Syntax UID of its bytes.

    Raises:
        Refused: it cannot be read.
        LimitReached: more than 16 MiB once inflated, or nested deeper than 16.
    """
    from pydicom.filereader import read_dataset

    if syntax == _DEFLATED:
        opened = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = opened.decompress(data, _LARGEST)
        except zlib.error:
            raise _unreadable("zlib") from None
        if opened.unconsumed_tail:
            raise LimitReached("A data set that inflates to more than 16 MiB", "no worklist needs that", "")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = read_dataset(BytesIO(data), syntax == _IMPLICIT, syntax != _BIG_ENDIAN, bytelength=len(data))
            return _model(read, ["iso8859"], syntax != _BIG_ENDIAN, 0)
    except LimitReached:
        raise
    except Exception as error:
        raise _unreadable(type(error).__name__) from None


def read_file(data: bytes) -> Model:
    """Read a file: one with a Part 10 header, or a bare data set such as a ``.wl`` file that DCMTK's tools wrote.

    Raises:
        Refused: it cannot be read.
    """
    from pydicom import dcmread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = dcmread(BytesIO(data), force=True)
            little = bool(read.original_encoding[1]) if read.original_encoding[1] is not None else True
            made = _model(read, ["iso8859"], little, 0)
    except LimitReached:
        raise
    except Exception as error:
        raise _unreadable(type(error).__name__) from None
    if not made:
        raise _unreadable("nothing in it")
    return made


def _unreadable(why: str) -> Refused:
    return Refused("A data set that cannot be read", why, "look at the sender")


def _model(dataset: Any, encodings: list[str], little: bool, depth: int) -> Model:
    from pydicom.charset import python_encoding
    from pydicom.datadict import dictionary_VR, keyword_for_tag
    from pydicom.dataelem import RawDataElement

    if depth > _DEEPEST:
        raise LimitReached(f"A data set nested deeper than {_DEEPEST}", "no worklist needs that", "look at the sender")
    made: Model = {}
    for tag in sorted(dataset.keys()):
        if not tag & 0xFFFF:
            continue  # group lengths, retired
        element = dataset.get_item(tag)
        vr = element.VR or (dictionary_VR(tag).split(" ")[0] if keyword_for_tag(tag) else "UN")
        name = f"{int(tag):08X}"
        if vr == "SQ":
            inner = [_model(item, encodings, little, depth + 1) for item in dataset[tag].value or ()]
            made[name] = {"vr": "SQ", "Value": inner} if inner else {"vr": "SQ"}
            continue
        raw = element.value if isinstance(element, RawDataElement) else b""
        if name == _CHARSET:
            said = (raw or b"").decode("ascii", "replace").strip(" \0").split("\\")
            encodings = [python_encoding.get(one.strip(), "iso8859") for one in said]
        made[name] = _element(raw or b"", vr, encodings, little)
    return made


def _element(raw: bytes, vr: str, encodings: list[str], little: bool) -> dict[str, Any]:
    if vr in _BYTES:
        return {"vr": vr, "InlineBinary": base64.b64encode(raw).decode()} if raw else {"vr": vr}
    values: list[Any]
    if vr in _NUMBERS:
        values = [v for (v,) in struct.iter_unpack(("<" if little else ">") + _NUMBERS[vr], raw)]
    elif vr == "AT":
        pairs = struct.iter_unpack("<HH" if little else ">HH", raw)
        values = [f"{group:04X}{element:04X}" for group, element in pairs]
    else:
        values = _texts(raw, vr, encodings)
    return {"vr": vr, "Value": values} if values and values not in ([""], [None]) else {"vr": vr}


def _texts(raw: bytes, vr: str, encodings: list[str]) -> list[Any]:
    from pydicom.charset import decode_bytes

    delimiters = {0x5E, 0x3D, 0x5C} if vr == "PN" else {0x5C}
    whole = str(decode_bytes(raw, encodings, delimiters)).rstrip(" \0")
    if vr in _WHOLE_TEXT:
        return [whole]
    parts = [part.strip(" \0") for part in whole.split("\\")]
    if vr == "PN":
        return [{n: p for n, p in zip(_NAMES, part.split("="), strict=False) if p} if part else None for part in parts]
    if vr in ("IS", "DS"):
        return [_number(part) for part in parts]
    return list(parts)


def _number(part: str) -> Any:
    try:
        return int(part)
    except ValueError:
        try:
            return float(part)
        except ValueError:
            return part


def encode(model: Mapping[str, Any], syntax: str, *, charset: str = "") -> bytes:
    """Write a data set; in the peer's own character set where that holds every letter, else in UTF-8.

    Args:
        charset: Specific Character Set that the peer used; empty for none.

    Raises:
        Refused: a value that its VR cannot hold.
    """
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    rest = {tag: element for tag, element in model.items() if tag != _CHARSET}
    chosen = _charset(rest, charset)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = _dataset(rest)
            if chosen:
                made.SpecificCharacterSet = chosen
            out = DicomBytesIO()
            out.is_implicit_VR, out.is_little_endian = syntax == _IMPLICIT, syntax != _BIG_ENDIAN
            write_dataset(out, made)
    except Refused:
        raise
    except Exception as error:
        raise Refused("A data set that cannot be written", type(error).__name__, "look at its values") from None
    data = bytes(out.getvalue())
    if syntax == _DEFLATED:
        packed = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = packed.compress(data) + packed.flush()
        data += b"\0" * (len(data) % 2)
    return data


def _charset(model: Mapping[str, Any], wanted: str) -> str:
    from pydicom.charset import python_encoding

    said = "".join(_letters(model))
    if said.isascii():
        return ""
    if wanted and "\\" not in wanted and wanted in python_encoding:
        try:
            said.encode(python_encoding[wanted])
            return wanted
        except (UnicodeEncodeError, LookupError):
            pass
    return "ISO_IR 192"


def _letters(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [t for one in value.values() for t in _letters(one)]
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [t for one in value for t in _letters(one)]
    return []


def _dataset(model: Mapping[str, Any], depth: int = 0) -> Any:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence as Items

    if depth > _DEEPEST:
        raise Refused(f"A data set nested deeper than {_DEEPEST}", "no worklist needs that", "send the order flatter")
    made = Dataset()
    for name, element in model.items():
        if not isinstance(element, Mapping) or len(name) != 8:
            raise Refused(
                f"'{name:.20}'",
                "it is no element of the DICOM JSON model",
                "name elements by eight hexadecimal digits, such as 00100020",
            )
        tag, vr, values = int(name, 16), str(element.get("vr", "UN")), element.get("Value") or []
        if vr == "SQ":
            value: Any = Items([_dataset(item, depth + 1) for item in values])
        elif "InlineBinary" in element:
            value = base64.b64decode(element["InlineBinary"])
        elif vr == "AT":
            value = [int(v, 16) for v in values]
        else:
            several = [_plain(v, vr) for v in values]
            value = several[0] if len(several) == 1 else several or None
        made.add(DataElement(tag, vr, value, validation_mode=0))
    return made


def _plain(value: Any, vr: str) -> Any:
    if value is None:
        return ""
    if vr == "PN":
        return text(value)
    return str(value) if vr not in _NUMBERS else value


def text(value: Any) -> str:
    """One value as DICOM writes it: a person's name with its groups joined, a number in figures.

    >>> text({"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"})
    'Yamada^Tarou=山田^太郎'
    """
    if isinstance(value, Mapping):
        return "=".join(str(value.get(name, "")) for name in _NAMES).rstrip("=")
    return "" if value is None else str(value)


def first(model: Mapping[str, Any], tag: str) -> str:
    """The first value of an element as text, empty where there is none."""
    values = model.get(tag, {}).get("Value") or [""]
    return text(values[0])


def items(model: Mapping[str, Any], tag: str) -> list[Model]:
    """The items of a sequence."""
    return [item for item in model.get(tag, {}).get("Value") or () if isinstance(item, dict)]
