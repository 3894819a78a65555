"""What the archive knows of a study, without pixels: Patient, Study, Series, Instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from isocenter.errors import NotFound

__all__ = ["NO_PICTURES", "Instance", "Patient", "Series", "Study", "kind_of", "no_study"]

NO_PICTURES = frozenset({"SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTRECORD", "SR", "PR", "KO", "REG", "DOC", "AU"})
"""Modalities of what is said of images, or made from them: nobody is examined with them."""

_HYBRID = (("PT", "CT", "PET/CT"), ("PT", "MR", "PET/MR"), ("NM", "CT", "SPECT/CT"))
"""Two modalities of one scanner, and what the field calls them. Where both CT and MR are with a PET, the CT is its own.
"""


@dataclass(frozen=True)
class Patient:
    """Who was imaged. `name` is DICOM PN text (family^given); dates are None where the header has none."""

    id: str
    name: str = ""
    birth_date: date | None = None
    sex: str = ""
    issuer: str = ""


@dataclass(frozen=True)
class Instance:
    """One SOP Instance: its identity, its bytes by digest, and what its header says of it alone.

    Args:
        sop_uid: SOP Instance UID.
        sop_class: SOP Class UID.
        transfer_syntax: of the bytes as stored.
        digest: SHA-256 of the stored Part 10 file; the name of its blob.
        size: bytes of the stored file.
        number: Instance Number, or None.
        rows, columns, frames: of the pixels; 0, 0, 0 where there are none.
        facts: header values that differ from instance to instance and that planning, assembling and searching need,
            by DICOM keyword (ImagePositionPatient, ImageOrientationPatient, AcquisitionTime, EchoTime, ...).
    """

    sop_uid: str
    sop_class: str
    transfer_syntax: str
    digest: str
    size: int
    number: int | None = None
    rows: int = 0
    columns: int = 0
    frames: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Series:
    """One series. `facts` holds header values that all instances share, by DICOM keyword."""

    uid: str
    modality: str
    number: int | None = None
    description: str = ""
    body_part: str = ""
    laterality: str = ""
    frame_of_reference: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)
    instances: tuple[Instance, ...] = ()

    @property
    def named(self) -> str:
        """What a sentence calls it.

        >>> Series("1.2", "CT", 4).named, Series("1.2", "RTPLAN").named
        ('series 4', 'the series without number')
        """
        return "the series without number" if self.number is None else f"series {self.number}"


@dataclass(frozen=True)
class Study:
    """One study with its patient and its series; `arrived` is when its last instance came."""

    uid: str
    patient: Patient
    accession: str = ""
    date: date | None = None
    time: str = ""
    description: str = ""
    referring: str = ""
    priority: str = ""
    arrived: datetime | None = None
    series: tuple[Series, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities in the study, sorted, each once."""
        return tuple(sorted({s.modality for s in self.series}))

    @property
    def kind(self) -> str:
        """The kind of examination in the field's words, as `kind_of` says it."""
        return kind_of(self.modalities)

    @property
    def instance_count(self) -> int:
        """Number of instances in all series."""
        return sum(len(s.instances) for s in self.series)

    @property
    def scanner(self) -> str:
        """Maker, model and station of what made it, by the first series whose header tells any of them; or empty."""
        for series in self.series:
            told = [str(series.facts.get(k, "")) for k in ("Manufacturer", "ManufacturerModelName", "StationName")]
            if any(told):
                return " ".join(filter(None, told))
        return ""


def no_study(uid: str) -> NotFound:
    """Said to whoever asks for a study that is not here, or that is none of theirs: the same words for both."""
    return NotFound(f"study {uid:.64}", "the archive has none of that UID", "look it up in the list of studies")


def kind_of(modalities: Iterable[str]) -> str:
    """The kind of an examination by the modalities of its images; empty where it has none.

    Outlines, reports and presentation states come with some studies and not with others of the same kind.

    >>> kind_of(["CT", "PT", "RTSTRUCT"]), kind_of(["MR", "SEG"]), kind_of(["SR"])
    ('PET/CT', 'MR', '')
    >>> kind_of(["CT", "MR", "PT", "RTSTRUCT"]), kind_of("MR+CT".split("+")), kind_of(["PET/CT"]), kind_of(["PT"])
    ('PET/CT+MR', 'CT+MR', 'PET/CT', 'PET')
    """
    left = set(modalities) - NO_PICTURES - {""}
    named = set()
    for first, second, words in _HYBRID:
        if {first, second} <= left:
            named.add(words)
            left -= {first, second}
    named |= {"PET" if one == "PT" else one for one in left}
    return "+".join(sorted(named, key=lambda words: ("/" not in words, words)))
