"""People who never lived, with everything in their images that must go and that must stay, and the key to check it.

Each subject has two visits of one kind of image. Names, numbers, addresses and dates stand where hospitals write them
and where they should not (descriptions, comments, private blocks, sequences, the pixels); the answer key says for each
attribute what has to become of it. The ten kinds of answers are those by which public challenges of de-identification
are scored.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["KINDS", "MODALITIES", "Asked", "Subject", "score", "subject"]

KINDS = (
    "tag_retained", "text_notnull", "text_retained", "text_removed", "date_shifted", "uid_changed", "pixels_hidden",
    "pixels_retained", "uid_consistent", "patid_consistent",
)  # fmt: skip
MODALITIES: Mapping[str, str] = {
    "CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4", "PT": "1.2.840.10008.5.1.4.1.1.128",
    "NM": "1.2.840.10008.5.1.4.1.1.20", "DX": "1.2.840.10008.5.1.4.1.1.1.1", "CR": "1.2.840.10008.5.1.4.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2", "US": "1.2.840.10008.5.1.4.1.1.6.1",
}  # fmt: skip
_GIVEN = ("Anneliese", "Bartholomew", "Chidinma", "Dragomir", "Eszter", "Fumiko", "Guillermo", "Hedwig")
_FAMILY = ("Quaxelberg", "Okonkwovic", "Szymborowski", "Tanakamoto", "Vandermeersch", "Ibarguren", "Lindqvistad")
_TOWNS = ("Grossvaldau", "Port Ellerby", "Kirkhamstead", "Villarruz")
_PARTS = {"CT": "CHEST", "MR": "ABDOMEN", "PT": "CHEST", "NM": "CHEST", "DX": "CHEST", "CR": "CHEST", "MG": "BREAST",
          "US": "ABDOMEN"}  # fmt: skip


class Asked(NamedTuple):
    """One line of the key: kind of answer, SOP Instance UID, keyword with its path by ``/``, and what is asked."""

    kind: str
    sop_uid: str
    where: str
    what: Any


@dataclass(frozen=True)
class Subject:
    """One person's files and their key."""

    files: tuple[bytes, ...]
    asked: tuple[Asked, ...]


def subject(number: int, modality: str) -> Subject:
    """A person and two visits; the same number gives the same person.

    Args:
        number: which person.
        modality: one of `MODALITIES`.
    """
    rng = np.random.default_rng(90_000 + number)
    given, family = _GIVEN[rng.integers(len(_GIVEN))], _FAMILY[rng.integers(len(_FAMILY))] + str(number)
    person = {
        "given": given, "family": family, "id": f"MRN{rng.integers(10**8):08}", "town": _TOWNS[number % len(_TOWNS)],
        "phone": f"+49 351 {rng.integers(10**6):06}", "doctor": f"Vogelsanger{rng.integers(100)}",
        "birth": f"19{rng.integers(20, 99)}{rng.integers(1, 13):02}{rng.integers(1, 29):02}",
    }  # fmt: skip
    files: list[bytes] = []
    asked: list[Asked] = []
    day = 1 + int(rng.integers(27))
    for visit in range(2):
        data, more = _visit(person, modality, number, visit, f"2021{1 + 5 * visit:02}{day:02}", rng)
        files.append(data)
        asked += more
    return Subject(tuple(files), tuple(asked))


def _visit(
    who: Mapping[str, str], modality: str, number: int, visit: int, day: str, rng: np.random.Generator
) -> tuple[bytes, list[Asked]]:
    from pydicom import dcmwrite
    from pydicom.dataset import Dataset, FileMetaDataset

    root = f"1.2.826.0.1.{number}.{visit}"
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MODALITIES[modality], f"{root}.3"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = f"{root}.1", f"{root}.2", f"{root}.9"
    ds.SpecificCharacterSet, ds.ImageType, ds.Modality = "ISO_IR 192", ["ORIGINAL", "PRIMARY"], modality
    kept = {
        "Manufacturer": "SIEMENS", "ManufacturerModelName": "Kilo 7", "BodyPartExamined": _PARTS[modality],
        "PatientSex": "F", "PatientAge": "041Y", "PatientWeight": "71", "SliceThickness": "2.5", "KVP": "120",
        "PixelSpacing": [0.7, 0.7], "SeriesNumber": "4", "InstanceNumber": "1", "SoftwareVersions": "VB20A",
    }  # fmt: skip
    gone = {
        "PatientName": f"{who['family']}^{who['given']}", "PatientID": who["id"], "PatientBirthDate": who["birth"],
        "PatientAddress": f"Lindengasse 7, {who['town']}", "PatientTelephoneNumbers": who["phone"],
        "OtherPatientNames": f"{who['family']}^{who['given']}^Maria", "AccessionNumber": f"ACC{number:05}{visit}",
        "ReferringPhysicianName": f"{who['doctor']}^Karl", "OperatorsName": f"{who['doctor']}^Ilse",
        "InstitutionName": f"Spital {who['town']}", "InstitutionAddress": who["town"], "StationName": f"ST{number}X",
        "DeviceSerialNumber": f"SN{rng.integers(10**7)}", "StudyID": f"SID{number}{visit}",
        "PatientComments": f"lives alone in {who['town']}", "RequestingPhysician": f"{who['doctor']}^Karl",
    }  # fmt: skip
    words = {
        "StudyDescription": (f"Thorax follow up {who['family']}", ("Thorax", "follow", "up"), who["family"]),
        "SeriesDescription": (f"AXIAL 3mm soft tissue {who['phone']}", ("AXIAL", "3mm", "soft", "tissue"), "351"),
        "ProtocolName": (f"routine chest Dr. {who['doctor']}", ("routine", "chest"), who["doctor"]),
        "ImageComments": (f"nodule seen, call {who['doctor']}, MRN {who['id']}", ("nodule",), who["id"]),
        "AdditionalPatientHistory": (f"pneumonia; moved from {who['town']}", ("pneumonia",), who["town"].split()[-1]),
    }
    dates = {"StudyDate": day, "SeriesDate": day, "AcquisitionDate": day, "ContentDate": day}
    times = {"StudyTime": "101500", "SeriesTime": "101730", "AcquisitionTime": "101800", "ContentTime": "101801"}
    for keyword, value in {**kept, **gone, **{k: v[0] for k, v in words.items()}, **dates, **times}.items():
        setattr(ds, keyword, value)
    _nested(ds, who, root, day)
    block = ds.private_block(0x0029, "ACME PRIVATE", create=True)
    block.add_new(0x10, "LO", f"{who['family']} {who['id']}")
    pixels, hidden, shown = _picture(ds, modality, f"{who['family'].upper()} {who['id']}", rng)
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    out = io.BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    uid = ds.SOPInstanceUID
    asked = [Asked("tag_retained", uid, k, v) for k, v in {**kept, **times}.items()]
    asked += [Asked("text_notnull", uid, k, None) for k in ("PatientName", "PatientID", "StudyInstanceUID")]
    for keyword, value in gone.items():
        asked.append(Asked("text_removed", uid, keyword, str(value)))
    for keyword, (_, stays, goes) in words.items():
        asked += [Asked("text_retained", uid, keyword, word) for word in stays]
        asked.append(Asked("text_removed", uid, keyword, goes))
    asked.append(Asked("text_removed", uid, "*", who["family"]))
    asked.append(Asked("text_removed", uid, "*", who["id"]))
    asked += [Asked("date_shifted", uid, k, v) for k, v in dates.items()]
    asked.append(Asked("date_shifted", uid, "ReferencedSeriesSequence/SeriesDate", day))
    uids = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
    asked += [Asked("uid_changed", uid, k, ds[k].value) for k in uids]
    asked += [Asked("uid_consistent", uid, k, ds[k].value) for k in uids]
    asked.append(Asked("uid_consistent", uid, "SourceImageSequence/ReferencedSOPInstanceUID", f"{root}.3"))
    asked.append(Asked("patid_consistent", uid, "PatientID", who["id"]))
    if hidden is not None:
        asked.append(Asked("pixels_hidden", uid, "PixelData", (hidden, pixels)))
    asked.append(Asked("pixels_retained", uid, "PixelData", (shown, pixels)))
    return out.getvalue(), asked


def _nested(ds: Any, who: Mapping[str, str], root: str, day: str) -> None:
    from pydicom.dataset import Dataset

    source, person, earlier = Dataset(), Dataset(), Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = ds.SOPClassUID, f"{root}.3"
    person.PatientID, person.TypeOfPatientID = who["id"], "TEXT"
    earlier.SeriesDate, earlier.PatientName = day, f"{who['family']}^{who['given']}"
    ds.SourceImageSequence, ds.OtherPatientIDsSequence = [source], [person]
    ds.ReferencedSeriesSequence = [earlier]


def _picture(
    ds: Any, modality: str, words: str, rng: np.random.Generator
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None, npt.NDArray[np.bool_]]:
    """Pixels; which of them must be hidden, and which must stay."""
    from scipy import ndimage

    size = 192
    smooth = ndimage.gaussian_filter(rng.normal(size=(size, size)), 9)
    tissue = (smooth - smooth.min()) / np.ptp(smooth) * 0.7 + rng.normal(0, 0.01, (size, size)) + 0.1
    letters: npt.NDArray[np.bool_] | None = None
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", size, size
    bits = 8 if modality == "US" else 16
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit, ds.PixelRepresentation = bits - 1, 0
    if modality in ("US", "DX", "CR"):
        letters = _letters(words, size)
        if modality == "US":
            tissue[:40] = 0
            _region(ds, 40, size)
        tissue[letters] = 1.0
    pixels = (np.clip(tissue, 0, 1) * (255 if bits == 8 else 4000)).astype(np.uint8 if bits == 8 else np.uint16)
    shown = np.zeros((size, size), bool)
    shown[100:] = True
    return pixels, letters, shown


def _letters(words: str, size: int) -> npt.NDArray[np.bool_]:
    from PIL import Image, ImageDraw, ImageFont

    board = Image.new("L", (size, size))
    ImageDraw.Draw(board).text((6, 10), words, fill=255, font=ImageFont.load_default(13))
    drawn: npt.NDArray[np.bool_] = np.asarray(board) > 100
    return drawn


def _region(ds: Any, top: int, size: int) -> None:
    from pydicom.dataset import Dataset

    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, top
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = size - 1, size - 1
    ds.SequenceOfUltrasoundRegions = [region]


# ---- scoring -------------------------------------------------------------------------------------------------------


def score(
    subjects: Sequence[Subject], copies: Mapping[str, bytes | None]
) -> tuple[dict[str, tuple[int, int]], list[Asked]]:
    """Right answers and all answers of each kind, and the wrong ones.

    Args:
        subjects: with their keys.
        copies: original SOP Instance UID -> the copy, None where it was held back (then nothing leaks, and nothing
            that should stay is there).
    """
    from pydicom import dcmread

    read = {uid: None if data is None else dcmread(io.BytesIO(data)) for uid, data in copies.items()}
    mapped: dict[tuple[str, str], set[str]] = defaultdict(set)
    shifts: dict[str, set[int]] = defaultdict(set)
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    wrong: list[Asked] = []
    for one in subjects:
        for asked in one.asked:
            total[asked.kind] += 1
            copy = read[asked.sop_uid]
            patient = asked.sop_uid.rsplit(".", 2)[0]
            if copy is None:
                good = asked.kind in ("text_removed", "pixels_hidden", "uid_changed")
            else:
                good = _is_right(asked, copy, copies[asked.sop_uid] or b"", mapped, shifts[patient])
            right[asked.kind] += good
            if not good:
                wrong.append(asked)
    return {kind: (right[kind], total[kind]) for kind in KINDS}, wrong


def _is_right(asked: Asked, copy: Any, data: bytes, mapped: dict[tuple[str, str], set[str]], shifts: set[int]) -> bool:
    kind, _, where, what = asked
    if kind.startswith("pixels"):
        which, before = what
        after = copy.pixel_array
        return bool((after[which] != before[which]).mean() > 0.95 if kind == "pixels_hidden" else
                    np.array_equal(after[which], before[which]))  # fmt: skip
    if where == "*":
        low = data.lower()
        return what.lower().encode() not in low and what.lower().encode("utf-16-le") not in low
    value = _found(copy, where)
    if kind == "text_removed":
        return value is None or what.lower() not in str(value).lower()
    if value is None or value == "":
        return False
    if kind == "text_notnull":
        return True
    if kind == "tag_retained":
        return _many(value) == _many(what)
    if kind == "text_retained":
        return what.lower() in {word.strip(".,;") for word in str(value).lower().split()}
    if kind == "uid_changed":
        return str(value) != what and len(str(value)) <= 64
    if kind == "date_shifted":
        days = int((np.datetime64(_iso(str(value))) - np.datetime64(_iso(what))).astype(int))
        shifts.add(days)
        return days != 0 and len(shifts) == 1
    names = mapped[("uid" if kind == "uid_consistent" else "patient", what)]
    names.add(str(value))
    return len(names) == 1


def _found(copy: Any, where: str) -> Any:
    at = copy
    *path, last = where.split("/")
    for keyword in path:
        items = at.get(keyword)
        if not items:
            return None
        at = items[0]
    return at.get(last)


def _many(value: Any) -> list[str]:
    several = not isinstance(value, str) and hasattr(value, "__iter__")
    return [str(v) for v in value] if several else [str(value)]


def _iso(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:8]}"
