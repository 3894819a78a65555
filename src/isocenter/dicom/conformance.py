"""What the archive takes, finds and gives, as tables: the doors and the conformance statement are made from them.

One line for a SOP class says what kind of object it is and which element it cannot do without: a file that was cut
exactly between two elements is a legal data set, and only the missing pixels or the missing content betray it.
Source: DICOM PS3.4 B.5 (storage classes), PS3.6 annex A (UIDs), PS3.3 (Type 1 attributes).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

__all__ = [
    "ServiceClass",
    "StorageClass",
    "TransferSyntax",
    "native_syntaxes",
    "services",
    "statement",
    "storage_class",
    "storage_classes",
    "transfer_syntaxes",
]

_PIXELS, _CONTENT = "pixels", "content"


@dataclass(frozen=True)
class StorageClass:
    """One kind of object that is stored.

    Args:
        uid: SOP Class UID.
        name: as the standard writes it.
        image: whether it must carry pixels.
        needs: tag of an element that every whole object of the class carries, or carries in place of pixels (dose);
            0 where the class has none.
        multiframe: whether its geometry stands in functional groups (PS3.3 C.7.6.16).
    """

    uid: str
    name: str
    image: bool = True
    needs: int = 0
    multiframe: bool = False


@dataclass(frozen=True)
class TransferSyntax:
    """One encoding of the bytes; `decoder` names the library that opens its pixels, empty for native ones."""

    uid: str
    name: str
    decoder: str = ""
    lossy: bool = False


@dataclass(frozen=True)
class ServiceClass:
    """A service other than storage: its UID, and on which side the archive speaks it."""

    uid: str
    name: str
    kind: str
    scp: bool = True
    scu: bool = False


_ROOT = "1.2.840.10008.5.1.4.1.1."
_SEQUENCE_OF_SR, _DOCUMENT = 0x0040A730, 0x00420011

# uid behind the root | name | what it is: i image, m multi-frame with functional groups, tag of what it needs, - none
_STORAGE = """
1|Computed Radiography Image Storage|i
1.1|Digital X-Ray Image Storage - For Presentation|i
1.1.1|Digital X-Ray Image Storage - For Processing|i
1.2|Digital Mammography X-Ray Image Storage - For Presentation|i
1.2.1|Digital Mammography X-Ray Image Storage - For Processing|i
1.3|Digital Intra-Oral X-Ray Image Storage - For Presentation|i
1.3.1|Digital Intra-Oral X-Ray Image Storage - For Processing|i
2|CT Image Storage|i
2.1|Enhanced CT Image Storage|m
2.2|Legacy Converted Enhanced CT Image Storage|m
3|Ultrasound Multi-frame Image Storage (Retired)|i
3.1|Ultrasound Multi-frame Image Storage|i
4|MR Image Storage|i
4.1|Enhanced MR Image Storage|m
4.2|MR Spectroscopy Storage|56000020
4.3|Enhanced MR Color Image Storage|m
4.4|Legacy Converted Enhanced MR Image Storage|m
5|Nuclear Medicine Image Storage (Retired)|i
6|Ultrasound Image Storage (Retired)|i
6.1|Ultrasound Image Storage|i
6.2|Enhanced US Volume Storage|m
7|Secondary Capture Image Storage|i
7.1|Multi-frame Single Bit Secondary Capture Image Storage|i
7.2|Multi-frame Grayscale Byte Secondary Capture Image Storage|i
7.3|Multi-frame Grayscale Word Secondary Capture Image Storage|i
7.4|Multi-frame True Color Secondary Capture Image Storage|i
9.1.1|12-lead ECG Waveform Storage|54000100
9.1.2|General ECG Waveform Storage|54000100
9.1.3|Ambulatory ECG Waveform Storage|54000100
9.2.1|Hemodynamic Waveform Storage|54000100
11.1|Grayscale Softcopy Presentation State Storage|00700082
11.2|Color Softcopy Presentation State Storage|00700082
11.3|Pseudo-Color Softcopy Presentation State Storage|00700082
11.4|Blending Softcopy Presentation State Storage|00700082
12.1|X-Ray Angiographic Image Storage|i
12.1.1|Enhanced XA Image Storage|m
12.2|X-Ray Radiofluoroscopic Image Storage|i
12.2.1|Enhanced XRF Image Storage|m
13.1.1|X-Ray 3D Angiographic Image Storage|m
13.1.2|X-Ray 3D Craniofacial Image Storage|m
13.1.3|Breast Tomosynthesis Image Storage|m
13.1.4|Breast Projection X-Ray Image Storage - For Presentation|m
13.1.5|Breast Projection X-Ray Image Storage - For Processing|m
14.1|Intravascular Optical Coherence Tomography Image Storage - For Presentation|m
20|Nuclear Medicine Image Storage|i
30|Parametric Map Storage|m
66|Raw Data Storage|-
66.1|Spatial Registration Storage|00700308
66.2|Spatial Fiducials Storage|0070031C
66.3|Deformable Spatial Registration Storage|00640002
66.4|Segmentation Storage|m
66.5|Surface Segmentation Storage|00660002
66.6|Tractography Results Storage|00660101
66.7|Label Map Segmentation Storage|m
67|Real World Value Mapping Storage|00409094
77.1.1|VL Endoscopic Image Storage|i
77.1.1.1|Video Endoscopic Image Storage|i
77.1.2|VL Microscopic Image Storage|i
77.1.2.1|Video Microscopic Image Storage|i
77.1.3|VL Slide-Coordinates Microscopic Image Storage|i
77.1.4|VL Photographic Image Storage|i
77.1.4.1|Video Photographic Image Storage|i
77.1.5.1|Ophthalmic Photography 8 Bit Image Storage|i
77.1.5.2|Ophthalmic Photography 16 Bit Image Storage|i
77.1.5.4|Ophthalmic Tomography Image Storage|m
77.1.6|VL Whole Slide Microscopy Image Storage|i
88.11|Basic Text SR Storage|0040A730
88.22|Enhanced SR Storage|0040A730
88.33|Comprehensive SR Storage|0040A730
88.34|Comprehensive 3D SR Storage|0040A730
88.40|Procedure Log Storage|0040A730
88.50|Mammography CAD SR Storage|0040A730
88.59|Key Object Selection Document Storage|0040A730
88.65|Chest CAD SR Storage|0040A730
88.67|X-Ray Radiation Dose SR Storage|0040A730
88.68|Radiopharmaceutical Radiation Dose SR Storage|0040A730
91.1|Microscopy Bulk Simple Annotations Storage|006A0002
104.1|Encapsulated PDF Storage|00420011
104.2|Encapsulated CDA Storage|00420011
104.3|Encapsulated STL Storage|00420011
104.4|Encapsulated OBJ Storage|00420011
104.5|Encapsulated MTL Storage|00420011
128|Positron Emission Tomography Image Storage|i
128.1|Legacy Converted Enhanced PET Image Storage|m
130|Enhanced PET Image Storage|m
481.1|RT Image Storage|i
481.2|RT Dose Storage|30040050
481.3|RT Structure Set Storage|30060080
481.4|RT Beams Treatment Record Storage|-
481.5|RT Plan Storage|300A0070
481.8|RT Ion Plan Storage|300A0070
"""

_SYNTAXES = (
    TransferSyntax("1.2.840.10008.1.2.1", "Explicit VR Little Endian"),
    TransferSyntax("1.2.840.10008.1.2", "Implicit VR Little Endian"),
    TransferSyntax("1.2.840.10008.1.2.2", "Explicit VR Big Endian (Retired)"),
    TransferSyntax("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian"),
    TransferSyntax("1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)", "GDCM", lossy=True),
    TransferSyntax("1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 and 4)", "GDCM, SimpleITK", lossy=True),
    TransferSyntax("1.2.840.10008.1.2.4.57", "JPEG Lossless, Non-Hierarchical (Process 14)", "GDCM"),
    TransferSyntax("1.2.840.10008.1.2.4.70", "JPEG Lossless, First-Order Prediction", "GDCM"),
    TransferSyntax("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", "GDCM"),
    TransferSyntax("1.2.840.10008.1.2.4.81", "JPEG-LS Lossy (Near-Lossless)", "GDCM", lossy=True),
    TransferSyntax("1.2.840.10008.1.2.4.90", "JPEG 2000 (Lossless Only)", "OpenJPEG, GDCM"),
    TransferSyntax("1.2.840.10008.1.2.4.91", "JPEG 2000", "OpenJPEG, GDCM", lossy=True),
    TransferSyntax("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 (Lossless Only)", "OpenJPEG"),
    TransferSyntax("1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL (Lossless Only)", "OpenJPEG"),
    TransferSyntax("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", "OpenJPEG", lossy=True),
    TransferSyntax("1.2.840.10008.1.2.5", "RLE Lossless", "pylibjpeg-rle"),
)

_SERVICES = (
    ServiceClass("1.2.840.10008.1.1", "Verification", "verification", scu=True),
    ServiceClass("1.2.840.10008.5.1.4.1.2.1.1", "Patient Root Query/Retrieve - FIND", "query", scu=True),
    ServiceClass("1.2.840.10008.5.1.4.1.2.2.1", "Study Root Query/Retrieve - FIND", "query", scu=True),
    ServiceClass("1.2.840.10008.5.1.4.1.2.1.2", "Patient Root Query/Retrieve - MOVE", "retrieve", scu=True),
    ServiceClass("1.2.840.10008.5.1.4.1.2.2.2", "Study Root Query/Retrieve - MOVE", "retrieve", scu=True),
    ServiceClass("1.2.840.10008.5.1.4.1.2.1.3", "Patient Root Query/Retrieve - GET", "retrieve"),
    ServiceClass("1.2.840.10008.5.1.4.1.2.2.3", "Study Root Query/Retrieve - GET", "retrieve"),
    ServiceClass("1.2.840.10008.1.20.1", "Storage Commitment Push Model", "commitment", scu=True),
    ServiceClass("1.2.840.10008.5.1.4.31", "Modality Worklist Information Model - FIND", "worklist"),
    ServiceClass("1.2.840.10008.5.1.4.34.6.1", "Unified Procedure Step - Push", "work item"),
    ServiceClass("1.2.840.10008.5.1.4.34.6.2", "Unified Procedure Step - Watch", "work item"),
    ServiceClass("1.2.840.10008.5.1.4.34.6.3", "Unified Procedure Step - Pull", "work item"),
    ServiceClass("1.2.840.10008.5.1.4.34.6.4", "Unified Procedure Step - Event", "work item"),
    ServiceClass("1.2.840.10008.5.1.4.34.6.5", "Unified Procedure Step - Query", "work item"),
    ServiceClass("1.2.840.10008.3.1.2.3.3", "Modality Performed Procedure Step", "performed step"),
)


@cache
def _by_uid() -> dict[str, StorageClass]:
    found = {}
    for line in _STORAGE.strip().splitlines():
        tail, name, what = line.split("|")
        needs = int(what, 16) if len(what) == 8 else 0
        found[_ROOT + tail] = StorageClass(_ROOT + tail, name, what in "im", needs, what == "m")
    return found


def storage_classes() -> tuple[StorageClass, ...]:
    """Every SOP class that is stored, in the standard's order."""
    return tuple(_by_uid().values())


def storage_class(uid: str) -> StorageClass | None:
    """The SOP class of that UID, or None where the table does not know it.

    >>> storage_class("1.2.840.10008.5.1.4.1.1.2").name
    'CT Image Storage'
    """
    return _by_uid().get(uid)


def transfer_syntaxes() -> tuple[TransferSyntax, ...]:
    """Every transfer syntax whose pixels are decoded, preferred first."""
    return _SYNTAXES


def native_syntaxes() -> frozenset[str]:
    """UIDs of the transfer syntaxes whose pixels are not compressed one by one."""
    return frozenset(s.uid for s in _SYNTAXES if not s.decoder)


def services() -> tuple[ServiceClass, ...]:
    """Verification, query and retrieve, with the roles that the archive takes."""
    return _SERVICES


def statement() -> str:
    """The conformance statement's tables, in Markdown.

    >>> statement().splitlines()[0]
    '# DICOM conformance statement'
    """
    said = [
        "# DICOM conformance statement",
        "",
        "Generated from `isocenter.dicom.conformance`; the doors are made from the same tables. Research software.",
        "",
        "## Services",
        "",
        "| SOP class | UID | SCP | SCU |",
        "|---|---|---|---|",
    ]
    said += [f"| {s.name} | {s.uid} | {_yes(s.scp)} | {_yes(s.scu)} |" for s in _SERVICES]
    said += [
        "| every storage class below | | yes | yes |",
        "",
        "## Transfer syntaxes",
        "",
        "Objects are stored and given as they came. Pixels of every syntax below are decoded for analysis and display.",
        "",
        "| transfer syntax | UID | lossy | decoder |",
        "|---|---|---|---|",
    ]
    said += [f"| {t.name} | {t.uid} | {_yes(t.lossy)} | {t.decoder or 'native'} |" for t in _SYNTAXES]
    said += [
        "",
        "## Storage classes",
        "",
        "An object is acknowledged only when every element's length is accounted for and the content named in the "
        "last column is there.",
        "",
        "| SOP class | UID | must carry |",
        "|---|---|---|",
    ]
    said += [f"| {c.name} | {c.uid} | {_carries(c)} |" for c in storage_classes()]
    said += ["", "## Searching", "", *_SEARCHING, *_kept_values()]
    said += ["", "## Pictures by URL", "", *_PICTURES]
    said += [
        "",
        "## Refused",
        "",
        "- truncated files, lengths that do not fit; files without preamble and file meta information (those of a "
        "folder are given both, where they read to their end)",
        "- sequences nested more than 64 deep; deflated data beyond 64 MiB and fifty times its size",
        "- UIDs with other characters than digits and points; AE titles with path characters",
        "",
    ]
    return "\n".join(said)


_SEARCHING = (
    "C-FIND and QIDO-RS ask the same: patients, studies, series and images by the attributes of PS3.4 tables C.6-1 to "
    "C.6-5 and of PS3.18 tables 10.6.1-5 and 10.6.3-3 to 10.6.3-5, by single values, lists, `*` and `?`, ranges of "
    "dates and times; names without regard to case, with `fuzzymatching=true` by the beginnings of their parts. "
    "Attributes of a series that are asked at the level of studies name studies with such a series.",
    "",
    "A key within a sequence is a path, `RequestAttributesSequence.ScheduledProcedureStepID=SPS7` or "
    "`00400275.00400009=SPS7`; all keys of one sequence must fit one and the same item. Of a series whose images "
    "differ one image has to fit. What is not kept is not matched: QIDO-RS names it in a Warning, C-FIND answers "
    "0xFF01. Images that an earlier version stored are found by the values that it kept, and not by those that are "
    "kept since.",
    "",
    "Pages (`limit`, `offset`) of a search stay those of the moment of its first page, for ten minutes and 20,000 "
    "rows, whatever comes in meanwhile: each row is given once.",
    "",
    "A sequence is kept with 64 items at most, values of 64 letters, two sequences deep. Kept beside the attributes "
    "that the standard asks for:",
    "",
)


_PICTURES = (
    "`/rendered` and `/thumbnail` of a study, a series, an image and frames, as `image/jpeg` or `image/png`. One media "
    "type gives one picture: of a study or series the middle image, of an image its first frame; `multipart/related` "
    "gives every frame of every image to `/rendered`. Parameters (PS3.18 section 8.3.5): `window=centre,width,shape` "
    "(linear, linear-exact, sigmoid), `viewport=vw,vh` or `viewport=vw,vh,sx,sy,sw,sh` (a negative `sw` or `sh` "
    "mirrors), `quality`, `annotation=patient,technique`. Colour profiles, presentation states, and pictures of "
    "reports and documents are not offered.",
)


def _kept_values() -> list[str]:
    from isocenter.dicom.kept_sequences import kept_keys

    return [", ".join(sorted(kept_keys())) + "."]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _carries(kind: StorageClass) -> str:
    if kind.image:
        return "pixels"
    return f"({kind.needs >> 16:04X},{kind.needs & 0xFFFF:04X})" if kind.needs else ""
