"""What the archive knows of a study, without pixels: Patient, Study, Series, Instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from isocenter.errors import NotFound

__all__ = ["Instance", "Patient", "Series", "Study", "no_study"]


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
