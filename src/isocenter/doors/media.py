"""What a DICOMweb client is willing to take: the Accept header with its media types, transfer syntaxes and weights.

PS3.18 section 8.3.3 and 8.7; q-values as in RFC 9110 section 12.5.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from isocenter.doors.multipart import content_type
from isocenter.errors import Refused

__all__ = ["EXPLICIT", "NotAcceptable", "Wish", "frame_type", "frame_wish", "wishes"]

EXPLICIT: Final = "1.2.840.10008.1.2.1"

_TYPES: Final = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.100": "video/mpeg2",
    "1.2.840.10008.1.2.4.102": "video/mp4",
    "1.2.840.10008.1.2.4.103": "video/mp4",
}


class NotAcceptable(Refused):
    """The client takes nothing that we can give (406)."""


@dataclass(frozen=True)
class Wish:
    """One line of an Accept header.

    Args:
        type: the media type asked for; of the parts, where they come in a multipart body.
        many: as multipart/related.
        syntax: Transfer Syntax UID, "*" for whatever is stored, "" where nothing is said.
        weight: q, 0 to 1.
    """

    type: str
    many: bool = False
    syntax: str = ""
    weight: float = 1.0
    params: Mapping[str, str] = field(default_factory=dict)

    def takes(self, media: str) -> bool:
        """Whether a media type fits this wish.

        >>> Wish("image/*").takes("image/png"), Wish("image/png").takes("image/jpeg")
        (True, False)
        """
        kind, _, rest = self.type.partition("/")
        return self.type in ("*/*", media) or (rest == "*" and media.startswith(kind + "/"))


def wishes(header: str | None, query: str | None = None) -> list[Wish]:
    """The wishes of an Accept header, or of the `accept` query parameter, dearest first; anything where none is said.

    >>> [(w.type, w.many, w.syntax) for w in wishes('multipart/related; type=application/dicom; transfer-syntax=*')]
    [('application/dicom', True, '*')]
    """
    said = query or header or "*/*"
    found = []
    for line in _split(said):
        kind, params = content_type(line)
        try:
            weight = min(max(float(params.pop("q", "1")), 0.0), 1.0)
        except ValueError:
            weight = 0.0
        if weight == 0.0 or "/" not in kind:
            continue
        many = kind == "multipart/related"
        inner = params.get("type", "*/*").lower() if many else kind
        found.append(Wish(inner, many, params.get("transfer-syntax", ""), weight, params))
    return sorted(found, key=lambda wish: -wish.weight)


def _split(header: str) -> list[str]:
    """Split at commas that stand outside quotes."""
    parts, quoted, start = [], False, 0
    for at, letter in enumerate(header):
        if letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            parts.append(header[start:at])
            start = at + 1
    parts.append(header[start:])
    return [part.strip() for part in parts if part.strip()]


def frame_type(syntax: str) -> str:
    """The media type of a frame in a transfer syntax; application/octet-stream for uncompressed ones.

    >>> frame_type("1.2.840.10008.1.2.4.80"), frame_type("1.2.840.10008.1.2")
    ('image/jls', 'application/octet-stream')
    """
    return _TYPES.get(syntax, "application/octet-stream")


def frame_wish(said: Sequence[Wish], stored: str) -> tuple[Wish, bool]:
    """The wish by which frames of a stored transfer syntax are given, and whether they are decoded for it.

    An uncompressed frame is what "application/octet-stream" means by default; "*" takes what is stored.

    Raises:
        NotAcceptable: nothing fits.
    """
    stored_type = frame_type(stored)
    for wish in said:
        if wish.type == "*/*" or wish.syntax == "*":
            if wish.type in ("*/*", "application/octet-stream") or wish.takes(stored_type):
                return wish, False
        elif wish.type == "application/octet-stream":
            if wish.syntax in ("", EXPLICIT, "1.2.840.10008.1.2"):
                return wish, stored_type != "application/octet-stream"
            if wish.syntax == stored:
                return wish, False
        elif wish.takes(stored_type) and wish.syntax in ("", stored):
            return wish, False
    raise NotAcceptable(
        "None of the media types asked for",
        f"frames are stored as {stored_type} ({stored}) or can be given as application/octet-stream",
        "ask for application/octet-stream, or for transfer-syntax=*",
    )
