"""How a study is hung: which series in which place and window, stage by stage; and which earlier study goes beside it.

Protocols are data (`hanging.json`): for which study one is, which series it wants by need, its window and its stages.
The first that fits is taken, and what it asked for and did not get is told, so that a reader knows why the screen looks
as it does: "hung as *CT of the chest*, 4 of 5 rules".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from isocenter.record import Instance, Series, Study

__all__ = ["PROTOCOLS", "REGIONS", "WINDOWS", "Hanging", "Hung", "Place", "Protocol", "Stage", "Window", "Wish", "hang"]


@dataclass(frozen=True)
class Window:
    """A window preset: centre and width in the unit of the values (HU for CT, SUV for PET)."""

    name: str
    centre: float
    width: float


@dataclass(frozen=True)
class Wish:
    """A series by need.

    Args:
        modality: any of them, the dearest first; empty takes all images.
        words: one of them stands in the description or the protocol's name; the earlier, the dearer.
        view: View Position of a radiograph, any of them.
        side: laterality, R or L.
    """

    modality: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    view: tuple[str, ...] = ()
    side: str = ""


@dataclass(frozen=True)
class Place:
    """What one place of a stage wants: the name of a wish; as a plane; with another series over it; from a prior."""

    show: str
    plane: str = ""
    over: str = ""
    prior: bool = False


@dataclass(frozen=True)
class Stage:
    """One screen of a protocol: 1x1, 1x2, 2x2 or planes, and what stands where."""

    name: str
    layout: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Protocol:
    """For which studies, and how.

    Args:
        name: as it is shown.
        modalities: the study has all of them.
        words: one of them stands in the description, body part or protocol name; empty fits all.
        series: name -> which series is meant; ``second`` to ``fourth`` that are not named are the next best.
        stages: screens, in the order of the keys ``,`` and ``.``.
        window: opens with it; empty leaves it to the image's own.
    """

    name: str
    modalities: tuple[str, ...]
    words: tuple[str, ...] = ()
    series: Mapping[str, Wish] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    window: str = ""


@dataclass(frozen=True)
class Hung:
    """One place with what hangs in it: a series of a study, begun at an image where one is meant."""

    study_uid: str
    series_uid: str
    plane: str = ""
    over_uid: str = ""
    sop_uid: str = ""
    prior: bool = False


@dataclass(frozen=True)
class Hanging:
    """What a protocol makes of one study.

    Args:
        name: of the protocol.
        series: UIDs in the order in which they stand in the list.
        window: to begin with.
        presets: of the first series, for the keys 1 to 9.
        stages: those that can be filled: name, layout, places.
        rules: what the protocol asks for, in words, and whether the study has it.
    """

    name: str
    series: tuple[str, ...]
    window: Window | None
    presets: tuple[Window, ...]
    stages: tuple[tuple[str, str, tuple[Hung, ...]], ...]
    rules: tuple[tuple[str, bool], ...]


_TABLE: dict[str, Any] = json.loads(files("isocenter.reading").joinpath("hanging.json").read_text("utf-8"))

WINDOWS: Mapping[str, tuple[Window, ...]] = MappingProxyType(
    {modality: tuple(Window(*one) for one in many) for modality, many in _TABLE["windows"].items()}
)
"""Presets by modality, in the order of the keys 1 to 9. Other modalities open in the window of the image itself. The CT
windows are customary ones; a site may well have others."""

REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType({name: tuple(w) for name, w in _TABLE["regions"].items()})
"""Region of the body -> words that name it in descriptions and body parts."""

_VOLUME = 3  # so many images at least make planes
_SPARE = ("second", "third", "fourth")
_LAST = ("SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "SR", "PR", "KO", "REG", "DOC", "AU")


def _protocol(told: Mapping[str, Any]) -> Protocol:
    wishes = {
        name: Wish(tuple(w.get("modality", ())), tuple(w.get("words", ())), tuple(w.get("view", ())), w.get("side", ""))
        for name, w in told["series"].items()
    }
    stages = tuple(
        Stage(s["name"], s["layout"], tuple(Place(**p) for p in s["places"])) for s in _TABLE["stages"][told["stages"]]
    )
    return Protocol(
        told["name"], tuple(told["modalities"]), tuple(told.get("words", ())), wishes, stages, told.get("window", "")
    )


PROTOCOLS: tuple[Protocol, ...] = tuple(_protocol(told) for told in _TABLE["protocols"])
"""Tried from above; the last one fits every study."""


def hang(study: Study, priors: Sequence[Study] = (), *, prior_side: str = "left") -> Hanging:
    """Hang a study by the first protocol that fits.

    Series of the preferred modality come first; among them those with more images, then by series number. Objects that
    are no images (segmentations, structured reports) come last. A stage that cannot be filled is left out.

    Args:
        study: whole.
        priors: earlier studies of the same patient and region, whole, the newest first.
        prior_side: left or right: where a prior hangs beside the study of today; one choice for the whole site.
    """
    protocol = next(p for p in PROTOCOLS if _fits(p, study))
    main = protocol.series["main"]
    ranked = sorted(study.series, key=lambda s: _rank(main.modality, s))
    found = _chosen(protocol, study)
    earlier = next(((p, c) for p in priors if (c := _chosen(protocol, p)).get("main")), None)
    stages = [
        (stage.name, stage.layout, places)
        for stage in protocol.stages
        if (places := _filled(stage, study, found, earlier, prior_side)) is not None
    ]
    presets = WINDOWS.get(ranked[0].modality, ()) if ranked else ()
    window = next((w for w in presets if w.name == protocol.window), None)
    series = tuple(s.uid for s in ranked)
    return Hanging(protocol.name, series, window, presets, tuple(stages), _rules(protocol, found, earlier is not None))


# ---- which series


def _chosen(protocol: Protocol, study: Study) -> dict[str, tuple[Series, str]]:
    """Wish -> the series that fits best, and the image in it where one is meant."""
    found: dict[str, tuple[Series, str]] = {}
    for name, wish in protocol.series.items():
        taken = {s.uid for other, (s, sop) in found.items() if not sop and other != "main"}
        best = _best(wish, study.series, taken)
        if best is None and name == "main":  # better another image than none
            best = _best(Wish(wish.modality), study.series) or _best(Wish(), study.series)
        if best is not None:
            found[name] = best
    spare = sorted(study.series, key=lambda s: _rank(protocol.series["main"].modality, s))
    rest = [s for s in spare if _drawable(s) and s.uid not in {f.uid for f, _ in found.values()}]
    for name in _SPARE:
        if name not in protocol.series and rest:
            found[name] = (rest.pop(0), "")
    return found


def _best(wish: Wish, series: Sequence[Series], taken: set[str] | None = None) -> tuple[Series, str] | None:
    fits: list[tuple[tuple[Any, ...], Series, str]] = []
    for one in series:
        if not _drawable(one) or (wish.modality and one.modality not in wish.modality) or one.uid in (taken or ()):
            continue
        text = _text(one)
        word = next((n for n, w in enumerate(wish.words) if w in text), -1) if wish.words else 0
        if word < 0:
            continue
        sop = ""
        if wish.view or wish.side:
            image = next((i for i in one.instances if _is_view(i, one, wish)), None)
            if image is None:
                continue
            sop = image.sop_uid
        fits.append(((word, *_rank(wish.modality, one)), one, sop))
    if not fits:
        return None
    _, chosen, sop = min(fits, key=lambda f: f[0])
    return chosen, sop


def _is_view(image: Instance, series: Series, wish: Wish) -> bool:
    facts = {**series.facts, **image.facts}
    side = str(facts.get("ImageLaterality") or facts.get("Laterality") or series.laterality)
    view = str(facts.get("ViewPosition") or "").upper()
    return (not wish.side or side == wish.side) and (not wish.view or view in wish.view)


def _drawable(series: Series) -> bool:
    return series.modality not in _LAST and any(i.frames or i.rows or i.size for i in series.instances)


def _images(series: Series) -> int:
    return sum(max(i.frames, 1) for i in series.instances)


def _text(series: Series) -> str:
    return f"{series.description} {series.body_part} {series.facts.get('ProtocolName', '')}".casefold()


def _fits(protocol: Protocol, study: Study) -> bool:
    if not set(protocol.modalities) <= {s.modality for s in study.series}:
        return False
    if not protocol.words:
        return True
    text = " ".join([study.description.casefold(), *(_text(s) for s in study.series)])
    return any(word in text for word in protocol.words)


def _rank(modalities: Sequence[str], series: Series) -> tuple[int, int, int, str]:
    if series.modality in modalities:
        rank = modalities.index(series.modality)
    else:
        rank = 90 if series.modality in _LAST else 50
    images = sum(max(1, i.frames) for i in series.instances)
    return rank, -images, series.number if series.number is not None else 10**6, series.uid


# ---- what hangs where


def _filled(
    stage: Stage,
    study: Study,
    found: Mapping[str, tuple[Series, str]],
    earlier: tuple[Study, Mapping[str, tuple[Series, str]]] | None,
    prior_side: str,
) -> tuple[Hung, ...] | None:
    places = []
    for place in stage.places:
        whose = earlier if place.prior else (study, found)
        if whose is None or place.show not in whose[1]:
            return None
        series, sop = whose[1][place.show]
        if place.over and place.over not in whose[1]:
            return None
        above = whose[1][place.over][0] if place.over else None
        if place.plane and not all(_images(one) >= _VOLUME for one in (series, above) if one):
            return None
        over = above.uid if above else ""
        places.append(Hung(whose[0].uid, series.uid, place.plane, over, sop, place.prior))
    if stage.layout == "1x2" and [p.prior for p in places] == [False, True] and prior_side == "left":
        places.reverse()
    return tuple(places)


def _rules(protocol: Protocol, found: Mapping[str, tuple[Series, str]], earlier: bool) -> tuple[tuple[str, bool], ...]:
    """What the protocol asks for, and whether it is there."""
    rules = [(f"{' with '.join(protocol.modalities) or 'any images'}", True)]
    if protocol.words:
        rules.append((f"described as {' or '.join(protocol.words)}", True))
    rules += [(_spoken(name, wish), name in found) for name, wish in protocol.series.items()]
    if any(place.prior for stage in protocol.stages for place in stage.places):
        rules.append(("an earlier study of the region", earlier))
    return tuple(rules)


def _spoken(name: str, wish: Wish) -> str:
    said = [wish.side, " or ".join(wish.view or wish.words), " or ".join(wish.modality) or "image"]
    return f"{name}: {' '.join(part for part in said if part)}"
