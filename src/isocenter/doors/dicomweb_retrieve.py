"""WADO-RS: images, headers, frames, large values and pictures by URL (PS3.18 section 10.4).

Answers are streams that hold one instance at a time. A file is given as it is stored where the client takes that, and
decoded to Explicit VR Little Endian, the default of the standard, where it does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.doors import dicom_json
from isocenter.doors.archive import Archive
from isocenter.doors.media import EXPLICIT, NotAcceptable, Wish, frame_type, frame_wish
from isocenter.doors.multipart import Part, new_boundary, write
from isocenter.doors.negotiation import IMPLICIT
from isocenter.doors.part10 import harmless
from isocenter.doors.transcode import transcode
from isocenter.doors.whose import laid_over
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import Person
from isocenter.record.study import Instance, Patient

__all__ = [
    "Body",
    "Target",
    "bulk",
    "find_target",
    "first_image",
    "frame_numbers",
    "frames",
    "in_parts",
    "metadata",
    "whole",
]


@dataclass(frozen=True)
class Target:
    """What a URL names: instances with the URL of each, in the order of the archive, and whose they are now."""

    instances: tuple[tuple[str, Instance], ...]
    patient: Patient

    @property
    def tag(self) -> str:
        """An entity tag that changes with what is named: by its members, since no instance is ever overwritten, and by
        whose they are."""
        together = hashlib.sha256("/".join([repr(self.patient), *(i.sop_uid for _, i in self.instances)]).encode())
        return together.hexdigest()[:32]


@dataclass(frozen=True)
class Body:
    """An answer: its Content-Type and its bytes, piece by piece."""

    type: str
    pieces: Iterator[bytes]


def find_target(
    site: Archive, who: Person, base: str, study: str, series: str | None = None, instance: str | None = None
) -> Target:
    """The instances that a path names.

    Raises:
        NotFound: there is no such study, series or instance.
    """
    found = []
    if series is not None and instance is not None:
        # Viewers ask image by image: the record of the one image is enough, not that of a study of thousands.
        above, within, one = site.place_of(instance, who=who)
        if (above.uid, within.uid) == (study, series):
            found.append((f"{base}/studies/{study}/series/{series}/instances/{instance}", one))
    else:
        above = site.study(study, who=who)
        for part in above.series:
            if series is None or part.uid == series:
                at = f"{base}/studies/{study}/series/{part.uid}/instances"
                found += [(f"{at}/{i.sop_uid}", i) for i in part.instances]
    if not found:
        raise NotFound("nothing of that name", "there is no such study, series or instance", "search for it first")
    return Target(tuple(found), above.patient)


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Make the first piece before the answer begins: what fails there can still be said with a status."""
    first = next(pieces, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from pieces

    return rest()


def whole(site: Archive, who: Person, target: Target, said: Sequence[Wish]) -> Body:
    """Files of instances.

    Raises:
        NotAcceptable: the client takes neither the stored transfer syntaxes nor a native one.
    """
    taken = _dicom_wishes(said, single=len(target.instances) == 1)

    def files() -> Iterator[tuple[bytes, str]]:
        for _, instance in target.instances:
            data = site.instance(instance.sop_uid, who=who)
            wanted = _syntax_for(taken, instance.transfer_syntax)
            if wanted != instance.transfer_syntax:
                try:
                    data = transcode(data, wanted)
                except Refused as error:
                    raise NotAcceptable(error.what, error.why, "ask for transfer-syntax=*") from None
            yield harmless(data), wanted

    if not taken[0].many and taken[0].type == "application/dicom":
        data, syntax = next(files())
        return Body(f"application/dicom; transfer-syntax={syntax}", iter((data,)))
    parts = (Part({"Content-Type": f"application/dicom; transfer-syntax={s}"}, d) for d, s in files())
    return in_parts("application/dicom", parts)


def _dicom_wishes(said: Sequence[Wish], *, single: bool) -> list[Wish]:
    """The wishes that files can fulfil, dearest first; all in one shape, alone or in parts, as the dearest has it."""
    fitting = [w for w in said if w.takes("application/dicom") and (w.many or single or w.type == "*/*")]
    if not fitting:
        raise NotAcceptable(
            "None of the media types asked for",
            'instances are given as multipart/related; type="application/dicom", and one alone as application/dicom',
            "ask for one of these",
        )
    return [w for w in fitting if w.many == fitting[0].many]


def _syntax_for(taken: Sequence[Wish], stored: str) -> str:
    """The stored transfer syntax where any wish takes it, else the dearest one that can be made of it."""
    if any(w.syntax in ("*", stored) or (w.type == "*/*" and not w.syntax) for w in taken):
        return stored
    native = [w.syntax or EXPLICIT for w in taken if w.syntax in ("", EXPLICIT, IMPLICIT)]
    if stored in native:
        return stored
    return native[0] if native else taken[0].syntax


def in_parts(kind: str, parts: Iterator[Part]) -> Body:
    """A multipart answer; its first part is made before the answer begins."""
    boundary = new_boundary()
    return Body(f'multipart/related; type="{kind}"; boundary={boundary}', _begun(write(parts, boundary)))


def metadata(site: Archive, who: Person, target: Target, said: Sequence[Wish]) -> Body:
    """Headers as DICOM JSON, one array over all instances, of the patient whose they are now."""
    if not any(w.takes("application/dicom+json") or w.takes("application/json") for w in said):
        raise NotAcceptable("None of the media types asked for", "metadata are given as application/dicom+json", "")

    def pieces() -> Iterator[bytes]:
        mark = b"["
        for url, instance in target.instances:
            data = site.instance(instance.sop_uid, who=who)
            told = laid_over(dicom_json.header(data, url), target.patient)
            text = json.dumps(told, separators=(",", ":"), ensure_ascii=False, default=str)
            yield mark + text.encode()
            mark = b","
        yield b"]"

    return Body("application/dicom+json", _begun(pieces()))


def frame_numbers(text: str) -> list[int]:
    """A list of frames as the URL writes it, from 1.

    >>> frame_numbers("1,3")
    [1, 3]

    Raises:
        Refused: not a list of whole numbers from 1.
    """
    parts = text.split(",")
    if not parts or len(parts) > 100_000 or not all(p.isascii() and p.isdigit() and 0 < len(p) < 8 for p in parts):
        raise Refused(
            f"frames {text[:40]!a}", "frames are numbers from 1, separated by commas", "ask for e.g. frames/1,2"
        )
    numbers = [int(p) for p in parts]
    if 0 in numbers:
        raise Refused("frame 0", "frames are counted from 1", "ask for frames/1")
    return numbers


def frames(data: bytes, numbers: Sequence[int], stored: str, said: Sequence[Wish]) -> Body:
    """Frames of one instance, as stored or decoded.

    Raises:
        NotFound: a frame that the image does not have, before any byte is sent.
        NotAcceptable: see `frame_wish`.
    """
    from isocenter.dicom.elements import parse
    from isocenter.dicom.pixels import frame_count

    count = frame_count(parse(data, until_pixels=True))
    for number in numbers:
        if number > count:
            raise NotFound(f"frame {number}", f"the image has {count}", "ask for a frame that is there")
    wish, decode = frame_wish(said, stored)
    if wish.many is False and wish.type != "*/*" and len(numbers) > 1:
        raise NotAcceptable(
            "several frames in a body of one part", "one part holds one frame", "ask for multipart/related"
        )
    made = (_frame(data, number - 1, decode) for number in numbers)
    first = next(made)
    if not wish.many and wish.type != "*/*":
        return Body(first[1], iter((first[0],)))

    def parts() -> Iterator[Part]:
        yield Part({"Content-Type": first[1]}, first[0])
        for one, kind in made:
            yield Part({"Content-Type": kind}, one)

    return in_parts(first[1].split(";")[0], parts())


def _frame(data: bytes, place: int, decode: bool) -> tuple[bytes, str]:
    from isocenter.dicom import pixels

    if decode:
        decoded = pixels.frames(data, [place])[0]
        raw = decoded.astype(decoded.dtype.newbyteorder("<"), copy=False).tobytes()
        syntax = EXPLICIT
    else:
        raw, syntax = pixels.raw_frame(data, place)
    return raw, f"{frame_type(syntax)}; transfer-syntax={syntax}"


def bulk(data: bytes, path: str, stored: str, said: Sequence[Wish]) -> Body:
    """A large value by its path; encapsulated pixels come frame by frame."""
    value, encapsulated = dicom_json.bulk(data, path)
    if encapsulated:
        from isocenter.dicom.elements import parse
        from isocenter.dicom.pixels import frame_count

        return frames(data, range(1, frame_count(parse(data, until_pixels=True)) + 1), stored, said)
    for wish in said:
        if wish.takes("application/octet-stream") and wish.syntax in ("", "*", EXPLICIT, stored):
            if wish.many:
                return in_parts(
                    "application/octet-stream", iter([Part({"Content-Type": "application/octet-stream"}, value)])
                )
            return Body("application/octet-stream", iter((value,)))
    raise NotAcceptable("None of the media types asked for", "this value is given as application/octet-stream", "")


def first_image(target: Target) -> Instance:
    """The instance that stands for many in a thumbnail: the middle one of those that have pixels.

    Raises:
        NotFound: none has pixels.
    """
    images: list[Any] = [i for _, i in target.instances if i.rows and i.columns]
    if not images:
        raise NotFound("a picture", "nothing there has pixels", "ask for its metadata")
    chosen: Instance = images[len(images) // 2]
    return chosen
