"""What people really have: a folder, a file, a ZIP archive (in another, too), a DICOMDIR. Names and bytes, one by one.

Nothing is written to disk and nothing is held but one file, so an import of a whole CD takes the memory of its
largest image. A member of an archive that cannot be read is told by its name, and the next one is read.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from isocenter.dicom.bare import enveloped, is_bare
from isocenter.dicom.elements import parse
from isocenter.errors import IsocenterError, LimitReached, NotFound, NotWhole, Refused, Unavailable

__all__ = ["files_under", "image_of", "places", "read", "scan"]

_LARGEST = 8 << 30  # bytes of one file; whole-slide images are the largest that exist
_FREE, _RATIO = 64 << 20, 200  # an archive member may inflate to 64 MiB, or to this many times its size
_DEEPEST = 1  # an archive within an archive, as portals send; what is packed deeper was made to do harm
_CHUNK = 1 << 20
_NOTHING = b"PK\x05\x06"  # where a ZIP archive begins that holds no file
_FILE_ID, _RECORDS = 0x00041500, 0x00041220
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OSError, EOFError, ValueError, ArithmeticError,
    LookupError, NotImplementedError, RuntimeError, MemoryError,
)  # fmt: skip
"""What Python's reader of ZIP archives says to bytes that are none, or that lie: of lengths, places and names."""
_NO_PLACE = (OSError, ValueError, RuntimeError)
"""What a system says to a name that is too long, has a NUL in it, or is a link that leads in a circle."""
# What lies beside images on every disc and in every repository, and is no image that was lost.
_BESIDE = {".ds_store", "thumbs.db", "desktop.ini", "autorun.inf"}
Beside = Callable[[str], object]
"""Hears the name of each file that is passed over: a system's own, or a DICOMDIR, whose files are read themselves."""


def _nobody(name: str) -> None:
    """Nobody asks what was passed over."""


def scan(path: Path) -> Iterator[tuple[str, bytes | IsocenterError]]:
    """Every file under a path with its bytes, or with the reason why it could not be read.

    Args:
        path: a folder (searched to its depth, in order of names), a file, a ZIP archive, or a DICOMDIR, whose
            referenced files are read.

    Yields:
        (name, bytes or error). Names are relative to the path, with ``archive.zip!/member`` for archive members.
        The bytes are not judged here: `check_whole` does that.

    Raises:
        NotFound: when the path itself does not exist.
    """
    for name, found in places(path):
        yield name, read(found, name) if isinstance(found, Path) else found


def files_under(
    path: Path, *, wrap: Callable[[bytes, str], bytes] | None = None, beside: Beside = _nobody
) -> Iterator[tuple[str, bytes | IsocenterError]]:
    """Every file under a path, and the reason for each that cannot be read.

    Pictures are wrapped where that is wanted, and a data set that was saved without preamble and meta information is
    given them.
    """
    for name, found in places(path, beside=beside):
        yield name, image_of(name, found, wrap=wrap)


def image_of(
    name: str, found: Path | bytes | IsocenterError, *, wrap: Callable[[bytes, str], bytes] | None = None
) -> bytes | IsocenterError:
    """The bytes of what `places` found, as an image, or why it is none; see `files_under`."""
    given = read(found, name) if isinstance(found, Path) else found
    if isinstance(given, IsocenterError):
        return given
    try:
        if wrap is not None and _is_picture(given):
            return wrap(given, name)
        return enveloped(given) if is_bare(given) else given
    except IsocenterError as refusal:
        return refusal


def _is_picture(data: bytes) -> bool:
    return data[:2] == b"\xff\xd8" or data[:8] == b"\x89PNG\r\n\x1a\n"


def read(place: Path, name: str) -> bytes | IsocenterError:
    """The bytes of what `places` named, or why they cannot be read."""
    try:
        return place.read_bytes()
    except OSError as fault:
        return _unreadable(name, fault)


def places(path: Path, *, beside: Beside = _nobody) -> Iterator[tuple[str, Path | bytes | IsocenterError]]:
    """As `scan`, but of a file that lies in a place of its own the place, so that another process can read it.

    Args:
        beside: hears what is passed over.

    Raises:
        NotFound: when the path itself does not exist.
    """
    path = Path(path)
    if path.is_dir():
        yield from _folder(path, beside)
    elif path.exists():
        yield from _file(path, path.name, beside)
    else:
        raise NotFound(f"no file or folder {path}", "", "check the path")


def _folder(root: Path, beside: Beside) -> Iterator[tuple[str, Path | bytes | IsocenterError]]:
    try:
        inside = sorted(root.iterdir())
    except OSError as fault:
        yield root.name, _unreadable(root.name, fault)
        return
    for path in inside:
        if _is_beside(path.name):
            beside(path.name)
            continue
        try:
            leads_out = path.is_symlink() and not path.resolve().is_relative_to(root.resolve())
            is_folder = path.is_dir()
        except _NO_PLACE as fault:
            yield path.name, _nowhere(path.name, fault)
            continue
        if leads_out:
            yield path.name, Refused(f"{path.name} is a link out of the folder", "", "copy the file into the folder")
        elif is_folder:
            if path.is_symlink():
                continue  # its files are found where they lie; a link may also lead in a circle
            for name, found in _folder(path, partial(_within, path.name, beside)):
                yield f"{path.name}/{name}", found
        elif path.name.upper() == "DICOMDIR":
            beside(path.name)  # the files that it lists lie in the same folder and are read themselves
        else:
            yield from _file(path, path.name, beside, follow=False)


def _within(folder: str, beside: Beside, name: str) -> None:
    beside(f"{folder}/{name}")


def _is_beside(name: str) -> bool:
    return name.lower() in _BESIDE or name.startswith("._") or name == "__MACOSX"


def _file(
    path: Path, name: str, beside: Beside, *, follow: bool = True
) -> Iterator[tuple[str, Path | bytes | IsocenterError]]:
    """One file, or what stands in it; `follow` a DICOMDIR to the files that it lists."""
    try:
        if not path.is_file():
            yield name, Refused(f"{name} is no regular file", "a device or a pipe has no end", "leave it out")
            return
        if path.stat().st_size > _LARGEST:
            yield name, LimitReached(f"{name} has more than {_LARGEST >> 30} GiB", "no image is that large")
            return
        with path.open("rb") as handle:
            head = handle.read(132)
            # A preamble may say anything; what has the mark behind it is an image.
            if _is_archive(head):
                yield from _archive(path, name, beside)
                return
            data = b""
            if follow and path.name.upper().startswith("DICOMDIR") and head[128:] == b"DICM":
                handle.seek(0)
                data = handle.read()
    except OSError as fault:
        yield name, _unreadable(name, fault)
        return
    if data:
        yield from _directory(path, data)
    else:
        yield name, path


def _unreadable(name: str, fault: OSError) -> Unavailable:
    return Unavailable(f"{name} cannot be read", fault.strerror or str(fault), "check the disk and the permissions")


def _nowhere(name: str, fault: Exception) -> Unavailable:
    return Unavailable(f"{name} cannot be looked up", str(fault)[:200], "leave it out, or give it another name")


# ---- archives ------------------------------------------------------------------------------------------------------


def _is_archive(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", _NOTHING)) and head[128:132] != b"DICM"


def _archive(
    packed: Path | io.BytesIO, name: str, beside: Beside, depth: int = 0
) -> Iterator[tuple[str, bytes | IsocenterError]]:
    try:
        with zipfile.ZipFile(packed) as archive:
            if not archive.infolist():
                yield name, NotWhole(f"{name} is an empty ZIP archive", "no file is in it", "pack it again")
            for member in archive.infolist():
                parts = PurePosixPath(member.filename).parts
                # A DICOMDIR only lists files, and they are members of the same archive.
                if member.is_dir():
                    continue
                if any(map(_is_beside, parts)) or "DICOMDIR" in (p.upper() for p in parts[-1:]):
                    beside(f"{name}!/{member.filename}")
                    continue
                yield from _unpacked(f"{name}!/{member.filename}", _member(archive, member), beside, depth)
    except _DAMAGED as fault:
        yield name, NotWhole(f"{name} is a damaged ZIP archive", str(fault), "pack it again")


def _unpacked(
    name: str, given: bytes | IsocenterError, beside: Beside, depth: int
) -> Iterator[tuple[str, bytes | IsocenterError]]:
    """A member, or where it is an archive itself, the members of that."""
    if isinstance(given, IsocenterError) or not _is_archive(given[:132]):
        yield name, given
    elif depth == _DEEPEST:
        yield (
            name,
            LimitReached(
                f"{name[-80:]} is an archive within {depth + 1} others",
                "no export is packed so deep",
                "unpack it first",
            ),
        )
    else:
        yield from _archive(io.BytesIO(given), name, beside, depth + 1)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | IsocenterError:
    said = member.filename
    parts = PurePosixPath(said.replace("\\", "/")).parts
    if ".." in parts or said.startswith(("/", "\\")) or (len(said) > 1 and said[1] == ":"):
        # Nothing is unpacked, so such a name can do no harm here; but an archive that tries is not from a scanner.
        return Refused(f"archive member {said[:80]!r}", "its name leads out of the archive", "pack it again")
    if member.flag_bits & 1:
        return Refused(f"archive member {said[:80]!r} is encrypted", "it cannot be read", "unpack it with its password")
    most = min(_LARGEST, _FREE + _RATIO * member.compress_size)
    out = io.BytesIO()
    try:
        with archive.open(member) as stream:
            while chunk := stream.read(_CHUNK):
                if out.tell() + len(chunk) > most:
                    return LimitReached(
                        f"archive member {said[:80]!r} grows beyond {most >> 20} MiB",
                        "no image compresses so well; this would fill the memory",
                        "leave it out",
                    )
                out.write(chunk)
    except _DAMAGED as fault:
        return NotWhole(f"archive member {said[:80]!r} is damaged", str(fault), "pack it again")
    return out.getvalue()


# ---- DICOMDIR ------------------------------------------------------------------------------------------------------


def _directory(path: Path, data: bytes) -> Iterator[tuple[str, Path | bytes | IsocenterError]]:
    try:
        directory = parse(data)
    except IsocenterError as fault:
        yield path.name, fault
        return
    root = path.parent.resolve()
    listed: dict[Path, dict[str, str]] = {}
    for record in directory.items(_RECORDS):
        parts = [p for p in directory.ascii(_FILE_ID, record).split("\\") if p]
        if not parts:
            continue
        name = "/".join(p.strip() for p in parts)
        try:
            target = _as_copied(root, [p.strip() for p in parts], listed).resolve()
            there = target.is_file()
        except _NO_PLACE as fault:
            yield name[:80], _nowhere(f"the file {name[:80]!r} of a DICOMDIR", fault)
            continue
        if not target.is_relative_to(root) or any(p.strip() in ("..", ".") or "/" in p for p in parts):
            yield (
                name[:80],
                Refused(
                    f"DICOMDIR names the file {name[:80]!r}",
                    "it lies outside the folder of the DICOMDIR",
                    "leave it out",
                ),
            )
        elif not there:
            yield (
                name[:80],
                NotFound(f"DICOMDIR names {name[:80]!r}, which is not there", "the copy is not complete", "copy again"),
            )
        else:
            yield from _file(target, name, _nobody, follow=False)


def _as_copied(root: Path, parts: list[str], listed: dict[Path, dict[str, str]]) -> Path:
    """Where a file of a disc lies: copying often makes its name small, or leaves a dot or a version behind it.

    Args:
        listed: folder -> its names as they were compared, kept from one call to the next.
    """
    at = root
    for part in parts:
        if not (at / part).exists():
            if at not in listed:
                listed[at] = {_plain(p.name): p.name for p in at.iterdir()} if at.is_dir() else {}
            part = listed[at].get(_plain(part), part)
        at = at / part
    return at


def _plain(name: str) -> str:
    return name.partition(";")[0].rstrip(".").casefold()
