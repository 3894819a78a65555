"""STOW-RS: images in by HTTP, with an answer for each (PS3.18 section 10.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from isocenter.doors import part10
from isocenter.doors.archive import Archive
from isocenter.doors.commands import comment
from isocenter.errors import Forbidden, IsocenterError, LimitReached, NotWhole, Unavailable
from isocenter.govern.policy import Person

__all__ = ["Storing"]

BATCH_BYTES: Final = 16 * 2**20
BATCH_FILES: Final = 8
"""Few enough that what has come is being kept while the rest is still coming."""
MOST_REFUSED: Final = 1000
"""Parts that are refused before a body that holds hardly anything else is read no further."""


@dataclass
class Storing:
    """One STOW request under way: files go in by batches, answers are collected.

    While one batch is kept by `keep`, the next may be filled by `add`.

    Args:
        site, who, sender: where to, and in whose name.
        base: URL of the DICOMweb root.
        study: UID that the path names; instances of other studies are refused. None for any.
        project: that the path names, where it names one.
    """

    site: Archive
    who: Person
    sender: str
    base: str
    study: str | None
    project: str = ""
    stored: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    unnamed: list[dict[str, Any]] = field(default_factory=list)
    full: bool = False
    _batch: list[bytes | bytearray] = field(default_factory=list)
    _size: int = 0

    def add(self, data: bytes | bytearray) -> bool:
        """Take one file; whether the batch is full and should be kept."""
        self._batch.append(data)
        self._size += len(data)
        return self._size >= BATCH_BYTES or len(self._batch) >= BATCH_FILES

    def batch(self) -> list[bytes | bytearray]:
        """What was taken since this was last asked."""
        batch, self._batch, self._size = self._batch, [], 0
        return batch

    def keep(self, batch: Sequence[bytes | bytearray]) -> None:
        """Store a batch; what fails is noted with its reason, and the rest goes on."""
        fitting = [data for data in batch if self._fits(data)]
        if not fitting:
            return
        try:
            answers = self.site.receive(fitting, sender=self.sender, who=self.who, project=self.project)
        except Forbidden:
            raise
        except (Unavailable, LimitReached) as error:
            self.full = True
            for data in fitting:
                self._fail(data, 0xA700, str(error))
            return
        for data, answer in zip(fitting, answers, strict=True):
            if answer.status in ("stored", "there"):
                self._keep(data)
            else:
                self._fail(data, 0x0111 if answer.status == "conflict" else 0xC000, answer.reason)

    def refuse(self, error: IsocenterError) -> None:
        """Note a part that is no file at all."""
        self.unnamed.append(_item("", "", 0xC000, str(error)))

    def must_be_worth(self) -> None:
        """Go on only while a body holds images; each refusal is written down, and a hundred thousand take minutes.

        Raises:
            LimitReached: of a thousand parts or more, hardly any was one.
        """
        refused = len(self.failed) + len(self.unnamed)
        if refused >= MOST_REFUSED and refused > 9 * len(self.stored):
            raise LimitReached(
                f"{refused} parts of this body were refused", "it holds hardly any image", "send images only"
            )

    def _fits(self, data: bytes | bytearray) -> bool:
        if self.study is None:
            return True
        try:
            found = _uids(data)[0]
        except IsocenterError:
            return True  # the site refuses it with the reason, and writes that down
        if found != self.study:
            self._fail(data, 0xA900, "the instance belongs to another study than the address names")
            return False
        return True

    def _keep(self, data: bytes | bytearray) -> None:
        study, series, sop_class, sop_uid = _uids(data)
        item = _item(sop_class, sop_uid)
        url = f"{self.base}/studies/{study}/series/{series}/instances/{sop_uid}"
        item["00081190"] = {"vr": "UR", "Value": [url]}
        self.stored.append(item)

    def _fail(self, data: bytes | bytearray, reason: int, words: str) -> None:
        try:
            meta = part10.split(data)
        except NotWhole:
            self.unnamed.append(_item("", "", reason, words))
            return
        named = part10.is_uid(meta.sop_uid) and part10.is_uid(meta.sop_class)
        kept = self.failed if named else self.unnamed
        kept.append(_item(meta.sop_class if named else "", meta.sop_uid if named else "", reason, words))

    @property
    def status(self) -> int:
        """200 all stored, 202 some, 409 none, 507 none because the archive has no room."""
        if not self.failed and not self.unnamed:
            return 200
        if self.stored:
            return 202
        return 507 if self.full else 409

    def answer(self) -> dict[str, Any]:
        """The response module (PS3.18 annex I) as DICOM JSON."""
        made: dict[str, Any] = {}
        if self.study is not None and self.stored:
            made["00081190"] = {"vr": "UR", "Value": [f"{self.base}/studies/{self.study}"]}
        for tag, items in (("00081198", self.failed), ("00081199", self.stored), ("0008119A", self.unnamed)):
            if items:
                made[tag] = {"vr": "SQ", "Value": items}
        return made


def _uids(data: bytes | bytearray) -> tuple[str, str, str, str]:
    """Study, series, class and instance that a file names; whether it is whole the site decides."""
    from isocenter.dicom.elements import parse

    file = parse(data, until_pixels=True)
    study, series, sop_class, sop_uid = map(file.ascii, (0x0020000D, 0x0020000E, 0x00080016, 0x00080018))
    return study, series, sop_class, sop_uid


def _item(sop_class: str, sop_uid: str, reason: int | None = None, words: str = "") -> dict[str, Any]:
    item: dict[str, Any] = {}
    if words:
        # Error Comment is what other archives use for the reason in words.
        item["00000902"] = {"vr": "LO", "Value": [comment(words)]}
    if sop_uid:
        item["00081150"] = {"vr": "UI", "Value": [sop_class]}
        item["00081155"] = {"vr": "UI", "Value": [sop_uid]}
    if reason is not None:
        item["00081197"] = {"vr": "US", "Value": [reason]}
    return item
