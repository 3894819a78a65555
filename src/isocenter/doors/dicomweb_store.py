"""STOW-RS: images in by HTTP, with an answer for each (PS3.18 section 10.5)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from isocenter.dicom.checked import Checked, check
from isocenter.doors import part10
from isocenter.doors.archive import Archive
from isocenter.doors.commands import comment
from isocenter.errors import Forbidden, IsocenterError, LimitReached, NotWhole, Unavailable
from isocenter.govern.policy import Person
from isocenter.record import Study

__all__ = ["Storing"]

BATCH_BYTES: Final = 16 * 2**20
BATCH_FILES: Final = 32
"""Of one batch at most: what has come while the batch before was being kept."""
BATCH_WORTH: Final = 4
"""Files from which on a batch costs little more than one file."""
MOST_REFUSED: Final = 1000
"""Parts that are refused before a body that holds hardly anything else is read no further."""


@dataclass
class Storing:
    """One STOW request under way: files go in by batches, answers are collected.

    While one batch is kept by `keep`, the next may be filled by `add`, whose files are looked through meanwhile. Used
    in a `with` block, at whose end nothing is looked through any more.

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
    _batch: list[Future[Checked]] = field(default_factory=list)
    _size: int = 0
    _seen: int = 0
    _beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="stow"))

    def __enter__(self) -> Storing:
        return self

    def __exit__(self, *_: object) -> None:
        self._beside.shutdown(wait=False, cancel_futures=True)

    def add(self, data: bytes | bytearray) -> bool:
        """Take one file; whether the batch is full, so that no more should be taken before it is kept."""
        self._batch.append(self._beside.submit(check, data))
        self._size += len(data)
        return self._size >= BATCH_BYTES or len(self._batch) >= BATCH_FILES

    @property
    def worth(self) -> bool:
        """Whether so much was taken that a batch of it is worth its wait for the disk."""
        return len(self._batch) >= BATCH_WORTH

    def batch(self) -> list[Future[Checked]]:
        """What was taken since this was last asked."""
        batch, self._batch, self._size = self._batch, [], 0
        return batch

    def keep(self, batch: Sequence[Future[Checked]]) -> None:
        """Store a batch; what fails is noted with its reason, and the rest goes on."""
        numbered = [(n, checked.result()) for n, checked in enumerate(batch, self._seen + 1)]
        self._seen += len(batch)
        fitting = [(n, file) for n, file in numbered if self._fits(n, file)]
        if not fitting:
            return
        try:
            answers = self.site.receive(
                [file for _, file in fitting], sender=self.sender, who=self.who, project=self.project
            )
        except Forbidden:
            raise
        except (Unavailable, LimitReached) as error:
            self.full = True
            for n, file in fitting:
                self._fail(n, file.data, 0xA700, str(error))
            return
        for (n, file), answer in zip(fitting, answers, strict=True):
            if answer.status in ("stored", "there") and file.study is not None:
                self._keep(file.study)
            else:
                self._fail(n, file.data, 0x0111 if answer.status == "conflict" else 0xC000, answer.reason)

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

    def _fits(self, part: int, file: Checked) -> bool:
        if self.study in (None, file.study.uid if file.study is not None else self.study):
            return True  # a file that is not whole the site refuses, and writes that down
        self._fail(part, file.data, 0xA900, "the instance belongs to another study than the address names")
        return False

    def _keep(self, study: Study) -> None:
        (series,) = study.series
        (instance,) = series.instances
        item = _item(instance.sop_class, instance.sop_uid)
        url = f"{self.base}/studies/{study.uid}/series/{series.uid}/instances/{instance.sop_uid}"
        item["00081190"] = {"vr": "UR", "Value": [url]}
        self.stored.append(item)

    def _fail(self, part: int, data: bytes | bytearray, reason: int, words: str) -> None:
        try:
            meta = part10.split(data)
        except NotWhole:
            self.unnamed.append(_item("", "", reason, words, part))
            return
        named = part10.is_uid(meta.sop_uid) and part10.is_uid(meta.sop_class)
        kept = self.failed if named else self.unnamed
        kept.append(_item(meta.sop_class if named else "", meta.sop_uid if named else "", reason, words, part))

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


def _item(
    sop_class: str, sop_uid: str, reason: int | None = None, words: str = "", part: int = 0
) -> dict[str, Any]:  # fmt: skip
    item: dict[str, Any] = {}
    if words:
        # Error Comment is what other archives use for the reason in words.
        item["00000902"] = {"vr": "LO", "Value": [comment(words)]}
    if sop_uid:
        item["00081150"] = {"vr": "UI", "Value": [sop_class]}
        item["00081155"] = {"vr": "UI", "Value": [sop_uid]}
    if reason is not None:
        item["00081197"] = {"vr": "US", "Value": [reason]}
    if part:
        # Of a file without a UID its sender could not tell which it was, and 64 letters end before what to do.
        item["00990010"] = {"vr": "LO", "Value": ["ISOCENTER"]}
        item["00991001"] = {"vr": "UL", "Value": [part]}
        item["00991002"] = {"vr": "UT", "Value": [words]}
    return item
