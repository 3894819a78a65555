"""A small archive in memory behind the doors: what Site does, kept in dicts, with the real readers of headers."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isocenter.dicom.checked import Checked
from isocenter.dicom.header import merge, read_header
from isocenter.dicom.whole import check_whole
from isocenter.errors import IsocenterError, NotFound
from isocenter.govern.policy import Person, Role, must
from isocenter.record.study import Instance, Series, Study

READER = Person("reader", Role.READER)


@dataclass(frozen=True)
class Answer:
    sop_uid: str
    status: str
    digest: str
    reason: str = ""


class Room:
    """A file that is still arriving."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.dropped = 0

    def write(self, piece: bytes | memoryview) -> None:
        self.data += piece

    def drop(self) -> None:
        self.dropped += 1


@dataclass
class Shelf:
    """An archive that holds files in a dict and reads their headers with the real reader."""

    files: dict[str, bytes] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)
    failure: Exception | None = None
    senders: list[str] = field(default_factory=list)
    rooms: list[Room] = field(default_factory=list)

    def incoming(self, *, sender: str, who: Person) -> Room:
        must(who, "receive")
        self.rooms.append(Room())
        return self.rooms[-1]

    def receive(
        self, files: Iterable[bytes | Room | Checked], *, sender: str, who: Person, project: str = ""
    ) -> list[Answer]:
        must(who, "receive")
        if self.failure is not None:
            raise self.failure
        self.senders.append(sender)
        return [self._keep(one if isinstance(one, bytes) else bytes(one.data)) for one in files]

    def _keep(self, data: bytes) -> Answer:
        try:
            check_whole(data)
            uid = read_header(data).series[0].instances[0].sop_uid
        except IsocenterError as error:
            return Answer("", "rejected", "", str(error))
        digest = hashlib.sha256(data).hexdigest()
        held = self.files.get(uid)
        if held is None:
            self.files[uid] = data
            return Answer(uid, "stored", digest)
        if held == data:
            return Answer(uid, "there", digest)
        return Answer(uid, "conflict", digest, f"{uid} is here already with other content")

    def _studies(self) -> list[Study]:
        headers = []
        for data in self.files.values():
            study = read_header(data)
            series = study.series[0]
            instance = replace(series.instances[0], digest=hashlib.sha256(data).hexdigest(), size=len(data))
            headers.append(replace(study, series=(replace(series, instances=(instance,)),)))
        return merge(headers)

    def find(
        self,
        level: str,
        keys: Mapping[str, str],
        *,
        who: Person,
        limit: int | None = None,
        offset: int = 0,
        fuzzy: bool = False,
    ) -> list[dict[str, Any]]:
        must(who, "find")
        seen: dict[str, dict[str, Any]] = {}
        for study in self._studies():
            for series in study.series:
                for instance in series.instances:
                    row = _row(study, series, instance)
                    if all(_fits(str(row.get(word, "")), wanted) for word, wanted in keys.items() if word in row):
                        unique = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID"}
                        seen.setdefault(row[unique.get(level, "SOPInstanceUID")], row)
        rows = list(seen.values())[offset:]
        return rows if limit is None else rows[:limit]

    def found(self, level: str, keys: Mapping[str, str], *, who: Person, most: int, fuzzy: bool = False) -> list[str]:
        unique = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        return [row[unique] for row in self.find(level, keys, who=who, limit=most, fuzzy=fuzzy)]

    def study(self, uid: str, *, who: Person) -> Study:
        must(who, "study")
        for study in self._studies():
            if study.uid == uid:
                return study
        raise NotFound(f"Study {uid}", "it is not here")

    def place_of(self, sop_uid: str, *, who: Person) -> tuple[Study, Series, Instance]:
        must(who, "instance")
        for study in self._studies():
            for series in study.series:
                for instance in series.instances:
                    if instance.sop_uid == sop_uid:
                        return study, series, instance
        raise NotFound(f"Instance {sop_uid}", "it is not here")

    def instance(self, sop_uid: str, *, who: Person) -> bytes:
        must(who, "instance")
        try:
            return self.files[sop_uid]
        except KeyError:
            raise NotFound(f"Instance {sop_uid}", "it is not here") from None

    def peers(self) -> list[dict[str, Any]]:
        return self.listed


def _row(study: Study, series: Series, instance: Instance) -> dict[str, Any]:
    return {
        "PatientID": study.patient.id,
        "PatientName": study.patient.name,
        "StudyInstanceUID": study.uid,
        "StudyDate": study.date.strftime("%Y%m%d") if study.date else "",
        "StudyTime": study.time,
        "StudyDescription": study.description,
        "AccessionNumber": study.accession,
        "ModalitiesInStudy": list(study.modalities),
        "NumberOfStudyRelatedInstances": study.instance_count,
        "NumberOfStudyRelatedSeries": len(study.series),
        "SeriesInstanceUID": series.uid,
        "Modality": series.modality,
        "SeriesNumber": series.number,
        "SOPInstanceUID": instance.sop_uid,
        "SOPClassUID": instance.sop_class,
        "AvailableTransferSyntaxUID": instance.transfer_syntax,
        "InstanceNumber": instance.number,
        "Rows": instance.rows,
        "Columns": instance.columns,
    }


def _fits(value: str, wanted: str) -> bool:
    return not wanted or any(fnmatch.fnmatchcase(value, one) for one in wanted.split("\\"))


def person_behind(aet: str) -> Person:
    return Person(aet, Role.SERVICE)
