"""Studies in a folder, a file or a ZIP, read without any archive."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from isocenter.errors import IsocenterError
from isocenter.record import Study
from isocenter.site.nifti_study import is_nifti, nifti_files

__all__ = ["Folder", "read_folder", "read_nifti", "safe_name"]


@dataclass(frozen=True)
class Folder:
    """Studies read from a path without any archive: where each file is, by digest.

    Members of a ZIP are laid into a temporary folder, named by digest and never by their own names; it goes away when
    the `with` block ends.
    """

    studies: tuple[Study, ...]
    paths: Mapping[str, str]
    rejected: tuple[tuple[str, str], ...] = ()
    nifti: tuple[tuple[str, Path], ...] = ()
    _spill: Any = field(default=None, repr=False, compare=False)

    def __call__(self, digest: str) -> bytes:
        return Path(self.paths[digest]).read_bytes()

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spill is not None:
            self._spill.cleanup()

    def __reduce__(self) -> tuple[Any, ...]:
        return Folder, ((), dict(self.paths), ())


def read_folder(
    path: Path, *, wrap: Callable[[bytes, str], bytes] | None = None, base: Path | None = None, nifti: bool = False,
    beside: Callable[[str], object] = lambda name: None,
) -> Folder:  # fmt: skip
    """Read a file, folder, ZIP or DICOMDIR: every instance is checked whole before its header is believed.

    Args:
        wrap: makes DICOM of a JPEG or PNG, when images of that kind are wanted.
        base: where what is unpacked is laid for the time being; the system's own place where it is not given.
        nifti: set NIfTI files aside, by name and place, instead of rejecting them.
        beside: hears the name of each file that is passed over because a system wrote it beside the images.
    """
    from isocenter.dicom.header import merge, read_header
    from isocenter.dicom.scan import files_under

    spill = tempfile.TemporaryDirectory(prefix="isocenter-", dir=base)
    records: list[Study] = []
    aside: list[tuple[str, Path]] = []
    paths: dict[str, str] = {}
    rejected: list[tuple[str, str]] = []
    root = path if path.is_dir() else path.parent  # what names are relative to
    with ThreadPoolExecutor(1, thread_name_prefix="digests") as digests:
        for name, given in files_under(path, wrap=wrap, beside=beside):
            if isinstance(given, IsocenterError):
                rejected.append((name, str(given)))
                continue
            if nifti and is_nifti(Path(name)):
                aside.append((name, _laid(root / name, given, name, Path(spill.name) / f"nifti-{len(aside)}")))
                continue
            said = digests.submit(_digest, given)  # while the header is read
            try:
                record = read_header(given, digest=partial(_result, said))
            except IsocenterError as refusal:
                rejected.append((name, str(refusal)))
                continue
            digest = record.series[0].instances[0].digest
            if digest not in paths:
                paths[digest] = _kept(root / name, given, digest, Path(spill.name))
                records.append(record)
    studies = merge(records, refused=lambda clash: rejected.append((path.name, str(clash))))
    # Names of files say nothing of time: a patient's studies are told in the order in which they were made.
    studies.sort(key=lambda study: (str(study.date or ""), study.time, study.uid))
    return Folder(tuple(studies), paths, tuple(rejected), tuple(aside), spill)


def read_nifti(image: Path, masks: Sequence[Path], modality: str) -> Folder:
    """An image in a NIfTI file, with masks of its regions, as a study.

    Raises:
        Refused: as `nifti_files`.
    """
    study, paths = nifti_files(image, masks, modality)
    return Folder((study,), paths)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _result(said: Future[str], _: str) -> str:
    return said.result()


def _kept(here: Path, data: bytes, digest: str, spill: Path) -> str:
    """Where bytes lie: the file that they were read from, or a copy of what was unpacked, wrapped or completed."""
    if _holds(here, data):
        return str(here.resolve())
    (spill / digest).write_bytes(data)
    return str(spill / digest)


def _laid(here: Path, data: bytes, name: str, folder: Path) -> Path:
    """As `_kept`, but by its name, without what a path could mean: a NIfTI file says by nothing else what it is."""
    if _holds(here, data):
        return here.resolve()
    folder.mkdir()
    there = folder / safe_name(name.rpartition("!/")[2])
    there.write_bytes(data)
    return there


def safe_name(name: str) -> str:
    """The last part of a stranger's name of a file, in letters, digits, dots, dashes; at most 60 of them.

    >>> safe_name("a/../../etc/passwd"), safe_name("Leber 1.nii.gz"), safe_name("..")
    ('passwd', 'Leber_1.nii.gz', '_')
    """
    last = re.sub(r"[^\w.-]", "_", name.replace("\\", "/").rpartition("/")[2])[-60:]
    return last if last.strip(".") else "_"


def _holds(here: Path, data: bytes) -> bool:
    return here.is_file() and here.stat().st_size == len(data) and here.read_bytes() == data
