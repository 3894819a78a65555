"""How a study is hung: which series comes first, in which window, with which layout.

Protocols are data. Each says for which studies it is, how series are preferred, and which window opens; the first that
fits is taken, and its name is shown, so that a reader knows why the screen looks as it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from isocenter.record import Series, Study

__all__ = ["PROTOCOLS", "WINDOWS", "Hanging", "Protocol", "Window", "hang"]


@dataclass(frozen=True)
class Window:
    """A window preset: centre and width in the unit of the stored values (HU for CT)."""

    name: str
    centre: float
    width: float


@dataclass(frozen=True)
class Protocol:
    """For which studies, and how.

    Args:
        name: as it is shown.
        modalities: the study has all of them.
        words: one of them stands in the description, body part or protocol name; empty fits all.
        first: modalities of the series, the preferred one first; others follow.
        window: opens with it; empty leaves it to the image's own.
        layout: stack (one viewport), compare (two), planes (three directions).
    """

    name: str
    modalities: tuple[str, ...]
    words: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    window: str = ""
    layout: str = "stack"


@dataclass(frozen=True)
class Hanging:
    """What a protocol makes of one study: series UIDs in their order, and the window to begin with."""

    name: str
    layout: str
    series: tuple[str, ...]
    window: Window | None
    presets: tuple[Window, ...]


WINDOWS: Mapping[str, tuple[Window, ...]] = MappingProxyType(
    {
        # Customary CT windows; a site may well have others.
        "CT": (
            Window("soft tissue", 40, 400),
            Window("lung", -600, 1500),
            Window("bone", 480, 2500),
            Window("brain", 40, 80),
            Window("stroke", 35, 40),
            Window("subdural", 75, 215),
            Window("liver", 60, 160),
            Window("vessels", 300, 600),
            Window("mediastinum", 50, 350),
        ),
        "PT": (Window("SUV 0 to 5", 2.5, 5), Window("SUV 0 to 10", 5, 10), Window("SUV 0 to 20", 10, 20)),
    }
)
"""Presets by modality, in the order of the keys 1 to 9. Other modalities open in the window of the image itself."""

PROTOCOLS: tuple[Protocol, ...] = (
    Protocol("PET with CT", ("CT", "PT"), first=("CT", "PT"), window="soft tissue", layout="compare"),
    Protocol("PET with MR", ("MR", "PT"), first=("MR", "PT"), layout="compare"),
    Protocol("CT of the head", ("CT",), ("head", "brain", "skull", "stroke"), ("CT",), "brain", "planes"),
    Protocol("CT of the chest", ("CT",), ("chest", "thorax", "lung"), ("CT",), "lung", "planes"),
    Protocol(
        "CT of the spine and bones", ("CT",), ("spine", "bone", "knee", "hip", "wrist"), ("CT",), "bone", "planes"
    ),
    Protocol("CT", ("CT",), first=("CT",), window="soft tissue", layout="planes"),
    Protocol("Heart, moving", ("MR",), ("cine", "heart", "cardiac", "short axis"), ("MR",)),
    Protocol("MR", ("MR",), first=("MR",), layout="planes"),
    Protocol("Radiograph of the chest", ("DX",), ("chest", "thorax"), ("DX", "CR")),
    Protocol("Radiograph", ("DX",), first=("DX", "CR")),
    Protocol("Radiograph", ("CR",), first=("CR", "DX")),
    Protocol("Ultrasound", ("US",), first=("US",)),
    Protocol("Mammogram", ("MG",), first=("MG",), layout="compare"),
    Protocol("As it came", ()),
)
"""Tried from above; the last one fits every study."""

_LAST = ("SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "SR", "PR", "KO", "REG", "DOC")


def hang(study: Study) -> Hanging:
    """Hang a study by the first protocol that fits.

    Series of the preferred modality come first; among them those with more images, then by series number. Objects that
    are no images (segmentations, structured reports) come last.
    """
    protocol = next(p for p in PROTOCOLS if _fits(p, study))
    series = sorted(study.series, key=lambda s: _place(protocol, s))
    presets = WINDOWS.get(series[0].modality, ()) if series else ()
    window = next((w for w in presets if w.name == protocol.window), None)
    return Hanging(protocol.name, protocol.layout, tuple(s.uid for s in series), window, presets)


def _fits(protocol: Protocol, study: Study) -> bool:
    if not set(protocol.modalities) <= {s.modality for s in study.series}:
        return False
    if not protocol.words:
        return True
    told = [
        study.description,
        *(f"{s.description} {s.body_part} {s.facts.get('ProtocolName', '')}" for s in study.series),
    ]
    text = " ".join(told).casefold()
    return any(word in text for word in protocol.words)


def _place(protocol: Protocol, series: Series) -> tuple[int, int, int, str]:
    if series.modality in protocol.first:
        rank = protocol.first.index(series.modality)
    else:
        rank = 90 if series.modality in _LAST else 50
    images = sum(max(1, i.frames) for i in series.instances)
    return rank, -images, series.number if series.number is not None else 10**6, series.uid
