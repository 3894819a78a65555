"""From the bytes of one instance to its record, and from many records to whole studies.

This is what runs when an image arrives: `check_whole` decides whether it may be acknowledged, `read_header` says what
it is. A strange value never refuses an image that a radiologist could read; a missing or dangerous identity does,
because an image that cannot be told from another would be filed under the wrong patient.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from isocenter.dicom.elements import File
from isocenter.dicom.facts import all_facts, text
from isocenter.dicom.kept_sequences import kept_sequences
from isocenter.dicom.whole import whole
from isocenter.errors import Conflict, Refused
from isocenter.record import Instance, Patient, Series, Study

__all__ = ["ae_title", "merge", "read_header", "record_of"]

_UID = re.compile(r"[0-9]+(\.[0-9]+)*\Z")
_DATE = re.compile(r"(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})")
_DIRECTORY = "1.2.840.10008.1.3.10"
_IDENTITIES = (
    (0x00080018, "SOP Instance UID"),
    (0x00080016, "SOP Class UID"),
    (0x0020000E, "Series Instance UID"),
    (0x0020000D, "Study Instance UID"),
)


def read_header(data: bytes | bytearray, *, digest: str | Callable[[str], str] = "") -> Study:
    """The record of one instance: a Study with one Series with one Instance.

    The file is held against the same rules as in `check_whole`, for a record of half a file would be believed.

    Args:
        data: a whole Part 10 file.
        digest: its SHA-256 where it was computed from these very bytes already, or what gives it. That is asked last,
            when the file is known to be whole and sound, with its SOP Instance UID: another thread may still compute.

    Raises:
        NotWhole: when the file is not whole.
        Refused: when a UID is missing or carries other characters than digits and points, or an AE title carries a
            path; the message names the attribute and its value.
    """
    return record_of(whole(data), len(data), lambda uid: _digest(uid, digest, data))


def record_of(file: File, size: int, digest: Callable[[str], str]) -> Study:
    """The same of a file that was read already and found whole.

    Raises:
        Refused: as above.
    """
    charsets = tuple(c.strip() for c in file.ascii(0x00080005).split("\\")) if 0x00080005 in file.dataset else ()
    if file.meta_ascii(0x00020002) == _DIRECTORY or 0x00041220 in file.dataset:
        raise Refused("the file is a DICOMDIR", "it lists images and holds none", "give the folder in which it lies")
    ae_title(file.meta_ascii(0x00020016), empty=True)
    if len(file.syntax) > 64 or not _UID.match(file.syntax):
        raise Refused(f"transfer syntax {file.syntax[:80]!r}", "it is no UID", "export it again in one of DICOM's")
    facts, own = all_facts(file, charsets)
    facts |= kept_sequences(file, charsets)
    sop_uid, sop_class, series_uid, study_uid = (_identity(file, tag, name) for tag, name in _IDENTITIES)
    instance = Instance(
        sop_uid=sop_uid,
        sop_class=sop_class,
        transfer_syntax=file.syntax,
        number=_whole_number(file, 0x00200013),
        facts=own,
        **_size(file),
        size=size,
        digest=digest(sop_uid),
    )
    modality = file.ascii(0x00080060)
    if modality == "PT" and instance.frames > 1:
        from isocenter.dicom.pet_frames import pet_frames  # it needs numpy, which taking images in does without

        instance = replace(instance, facts={**own, **pet_frames(instance, file)})
    series = Series(
        uid=series_uid,
        modality=modality,
        number=_whole_number(file, 0x00200011),
        description=text(file, 0x0008103E, charsets),
        body_part=str(facts.get("BodyPartExamined", "")),
        laterality=str(facts.get("Laterality", "") or instance.facts.get("ImageLaterality", "")),
        frame_of_reference=str(facts.get("FrameOfReferenceUID", "")),
        facts=facts,
        instances=(instance,),
    )
    return Study(
        uid=study_uid,
        patient=Patient(
            id=text(file, 0x00100020, charsets),
            name=text(file, 0x00100010, charsets),
            birth_date=_date(file.ascii(0x00100030)),
            sex=file.ascii(0x00100040),
            issuer=text(file, 0x00100021, charsets),
        ),
        accession=text(file, 0x00080050, charsets),
        date=_date(file.ascii(0x00080020)),
        time=file.ascii(0x00080030),
        description=text(file, 0x00081030, charsets),
        referring=text(file, 0x00080090, charsets),
        priority=file.ascii(0x00321031) or file.ascii(0x0040100A),
        series=(series,),
    )


def _digest(sop_uid: str, known: str | Callable[[str], str], data: bytes | bytearray) -> str:
    return (known(sop_uid) if callable(known) else known) or hashlib.sha256(data).hexdigest()


def ae_title(said: str, *, empty: bool = False) -> str:
    """An AE title that is safe to write into a log, a table or a name.

    Raises:
        Refused: when it is empty (unless `empty`), longer than 16 characters, or carries a path or control character.

    >>> ae_title("ISOCENTER")
    'ISOCENTER'
    """
    title = said.strip(" \0")
    if not title and empty:
        return ""
    bad = "/" in title or "\\" in title or ".." in title or not title.isascii() or not title.isprintable()
    if not title or len(title) > 16 or bad:
        raise Refused(
            f"AE title {title[:40]!r}",
            "it has 1 to 16 plain characters and no path (PS3.5 table 6.2-1)",
            "correct the name of the sending system",
        )
    return title


def _identity(file: File, tag: int, name: str) -> str:
    said = file.ascii(tag)
    if not said:
        raise Refused(f"the image has no {name}", "it could not be told from another", "export it again")
    if len(said) > 64 or not _UID.match(said):
        raise Refused(
            f"{name} {said[:80]!r}",
            "a UID has digits and points only, at most 64; other characters can point outside the archive",
            "export it again with a valid UID",
        )
    return said


def _size(file: File) -> dict[str, int]:
    rows, columns = file.integer(0x00280010), file.integer(0x00280011)
    if not rows or not columns:
        return {"rows": 0, "columns": 0, "frames": 0}
    said = file.decimals(0x00280008)
    frames = int(min(said[0], 2**31 - 1)) if said and said[0] == said[0] and said[0] >= 1 else 1
    return {"rows": rows, "columns": columns, "frames": frames}


def _whole_number(file: File, tag: int) -> int | None:
    said = file.decimals(tag)
    return int(said[0]) if said and abs(said[0]) < 2**53 else None


def _date(said: str) -> date | None:
    found = _DATE.match(said)
    if not found:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


# ---- many records to whole studies ---------------------------------------------------------------------------------


def merge(studies: Iterable[Study], *, refused: Callable[[Refused], None] | None = None) -> list[Study]:
    """Instance-wise records to whole studies, in the order in which the studies first appear.

    Series are ordered by number, instances by number and then UID. A fact that not all instances of a series share
    is moved to the instances.

    Args:
        studies: records of single instances, or of studies that grew apart.
        refused: told of each study that cannot be one, and of each instance that appears with two contents, while
            the others are merged; without it the first one raises.

    Raises:
        Conflict: when one instance appears with two contents.
        Refused: when one study or one series carries two patients, or a series stands in two studies: whose image it
            is must not be guessed.
    """
    found: dict[str, list[Study]] = {}
    owner: dict[str, str] = {}
    wrong: dict[str, Refused] = {}
    for study in studies:
        found.setdefault(study.uid, []).append(study)
        for series in study.series:
            if owner.setdefault(series.uid, study.uid) != study.uid:
                wrong[study.uid] = wrong[owner[series.uid]] = Refused(
                    f"series {series.uid} stands in the studies {owner[series.uid]} and {study.uid}",
                    "it cannot belong to both",
                    "ask the sender which is right",
                )
    whole_studies = []
    for uid, parts in found.items():
        try:
            if uid in wrong:
                raise wrong[uid]
            whole_studies.append(_merged(parts, refused))
        except Refused as fault:
            if refused is None:
                raise
            refused(fault)
    return whole_studies


def _merged(parts: list[Study], refused: Callable[[Refused], None] | None) -> Study:
    first = parts[0]
    patients: dict[tuple[str, str], Patient] = {}
    for part in parts:
        patients.setdefault((part.patient.id, part.patient.issuer), part.patient)
    if len(patients) > 1:
        a, b = list(patients)[:2]
        where = next((s.number for p in parts if (p.patient.id, p.patient.issuer) == b for s in p.series), None)
        raise Refused(
            f"study {first.uid}: patient {a[0] or 'without ID'}, and in series {where} patient {b[0] or 'without ID'}",
            "images of one person may have been filed under another",
            "find the wrong patient at the sender and send the study again",
        )
    series: dict[str, list[Series]] = {}
    for part in parts:
        for one in part.series:
            series.setdefault(one.uid, []).append(one)
    whole_series = [_merged_series(many, refused) for many in series.values()]
    whole_series.sort(key=lambda s: (s.number is None, s.number or 0, s.uid))
    return replace(
        first,
        patient=max((p.patient for p in parts), key=lambda p: (bool(p.name), p.birth_date is not None, bool(p.sex))),
        accession=next((p.accession for p in parts if p.accession), ""),
        date=next((p.date for p in parts if p.date), None),
        time=next((p.time for p in parts if p.time), ""),
        description=next((p.description for p in parts if p.description), ""),
        referring=next((p.referring for p in parts if p.referring), ""),
        priority=next((p.priority for p in parts if p.priority), ""),
        arrived=max((p.arrived for p in parts if p.arrived is not None), default=None),
        series=tuple(whole_series),
    )


def _merged_series(many: list[Series], refused: Callable[[Refused], None] | None) -> Series:
    first = many[0]
    modalities = [one.modality for one in many for _ in one.instances]
    modality = max(modalities, key=lambda m: (modalities.count(m), m == first.modality), default=first.modality)
    common = {k: v for k, v in first.facts.items() if all(one.facts.get(k, _ABSENT) == v for one in many[1:])}
    instances: dict[str, Instance] = {}
    for one in many:
        own: dict[str, Any] = {k: v for k, v in one.facts.items() if k not in common}
        if one.modality != modality:
            own["Modality"] = one.modality
        for instance in one.instances:
            there = instances.get(instance.sop_uid)
            if there is not None and there.digest != instance.digest:
                fault = Conflict(
                    f"instance {instance.sop_uid} appears with two contents",
                    "one of them is not what was sent first",
                    "ask the sender which is right",
                )
                if refused is None:
                    raise fault
                refused(fault)  # the first stands, as it does in the archive
                continue
            facts = {**own, **instance.facts} if own else instance.facts
            instances[instance.sop_uid] = replace(instance, facts=facts) if own else instance
    ordered = sorted(instances.values(), key=lambda i: (i.number is None, i.number or 0, i.sop_uid))
    return replace(
        first,
        modality=modality,
        description=next((s.description for s in many if s.description), ""),
        body_part=next((s.body_part for s in many if s.body_part), ""),
        laterality=first.laterality if len({s.laterality for s in many}) == 1 else "",
        frame_of_reference=first.frame_of_reference if len({s.frame_of_reference for s in many}) == 1 else "",
        facts=common,
        instances=tuple(ordered),
    )


_ABSENT = object()
