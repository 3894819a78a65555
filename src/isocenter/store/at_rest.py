"""Whether the disk under a folder is encrypted, as far as the machine can tell; it says so when it cannot.

Sealing covers the files of sealed projects. The index and the journal have to be searched and lie in the clear, so that
what a thief of the disk reads depends on the disk. On Linux the devices under a file system are followed down to the
hardware: where every way passes through dm-crypt (LUKS), it is encrypted.

What cannot be seen from within is not guessed at: a disk that encrypts itself, a hypervisor or cloud that does, a file
system over the network, ZFS and fscrypt, which encrypt above the device.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ENCRYPTED", "OPEN", "UNKNOWN", "AtRest", "at_rest"]

ENCRYPTED, OPEN, UNKNOWN = "encrypted", "not encrypted", "unknown"
_DEEPEST = 16  # devices on top of one another
_ESCAPED = re.compile(r"\\([0-7]{3})")  # how mountinfo writes a space


@dataclass(frozen=True)
class AtRest:
    """What is known of the disk under a folder.

    Args:
        state: "encrypted", "not encrypted" (nothing that this system can see encrypts it) or "unknown".
        why: in words.
    """

    state: str
    why: str


def at_rest(place: Path, *, system: Path = Path("/sys"), mounts: Path = Path("/proc/self/mountinfo")) -> AtRest:
    """Look below a folder, or below the nearest folder above it that is there.

    Args:
        place: the folder.
        system, mounts: where the kernel tells of devices and of what is mounted.
    """
    if not sys.platform.startswith("linux"):
        return AtRest(UNKNOWN, f"nothing is known here of disks under {sys.platform}: ask its own settings")
    try:
        return _below(place, system, mounts, 0)
    except (OSError, ValueError) as fault:
        return AtRest(UNKNOWN, f"the kernel could not be asked ({type(fault).__name__})")


def _below(place: Path, system: Path, mounts: Path, depth: int) -> AtRest:
    kind, source, number = _mounted(_there(place), mounts)
    if kind == "tmpfs":
        return AtRest(UNKNOWN, "it is in memory, and in the swap of this machine")
    if number.startswith("0:"):  # as btrfs has it: the device stands in its source
        number = _number_of(source)
    device = system / "dev" / "block" / number
    if not number or not device.exists():
        return AtRest(UNKNOWN, f"a file system of the kind {kind} is not on a disk of this machine that can be seen")
    return _device(device.resolve(), system, mounts, depth)


def _device(device: Path, system: Path, mounts: Path, depth: int) -> AtRest:
    name = device.name
    if depth > _DEEPEST:
        return AtRest(UNKNOWN, "too many devices lie on top of one another")
    if _text(device / "dm" / "uuid").startswith("CRYPT-"):
        return AtRest(ENCRYPTED, f"by dm-crypt on {_text(device / 'dm' / 'name') or name}")
    backing = _text(device / "loop" / "backing_file")
    if backing:
        return _below(Path(backing), system, mounts, depth + 1)
    under = sorted((device / "slaves").iterdir()) if (device / "slaves").is_dir() else []
    found = [_device(one.resolve(), system, mounts, depth + 1) for one in under]
    if not found:
        return AtRest(
            OPEN, f"nothing that this system can see encrypts {name}; a disk that does so itself would not show"
        )
    worst = {one.state: one for one in found}
    return worst.get(OPEN) or worst.get(UNKNOWN) or found[0]


def _mounted(place: Path, mounts: Path) -> tuple[str, str, str]:
    """Kind of the file system that holds a folder, its source, and its device as MAJOR:MINOR."""
    best: tuple[int, tuple[str, str, str]] = (-1, ("", "", ""))
    for line in mounts.read_text("utf-8", "replace").splitlines():
        before, _, after = line.partition(" - ")
        fields, told = before.split(" "), after.split(" ")
        point = Path(_ESCAPED.sub(lambda m: chr(int(m[1], 8)), fields[4]))
        if len(point.parts) >= best[0] and (place == point or point in place.parents):
            best = len(point.parts), (told[0], told[1], fields[2])
    return best[1]


def _there(place: Path) -> Path:
    place = place.resolve()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _number_of(source: str) -> str:
    try:
        held = Path(source).stat()
    except OSError:
        return ""
    return f"{os.major(held.st_rdev)}:{os.minor(held.st_rdev)}" if stat.S_ISBLK(held.st_mode) else ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
