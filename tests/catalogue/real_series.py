"""Real studies on the way that an archive goes: bytes, records, Volumes and Regions."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header
from isocenter.dicom.regions import regions
from isocenter.space import Region, Volume


def zipped(archive: Path, part: str = "") -> list[bytes]:
    """DICOM files of a ZIP whose path has a word."""
    with zipfile.ZipFile(archive) as held:
        return [held.read(n) for n in held.namelist() if n.endswith(".dcm") and part in n]


def loaded(files: Iterable[bytes]) -> tuple[list[Volume], tuple[Region, ...]]:
    """Volumes of every image series, and the structures on the first of them."""
    blobs: dict[str, bytes] = {}
    studies = []
    for data in files:
        study = read_header(data)
        blobs[study.series[0].instances[0].digest] = data
        studies.append(study)
    volumes: list[Volume] = []
    drawn = []
    for study in merge(studies):
        for series in study.series:
            if series.modality == "RTSTRUCT":
                drawn.append(series)
            else:
                volumes += assemble(series, blobs.__getitem__)
    found = [r for series in drawn for r in regions(series, blobs.__getitem__, volumes[0])]
    return volumes, tuple(found)
