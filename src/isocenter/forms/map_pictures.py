"""The maps of a report: each as slices over the anatomy with its scale, as `montage` draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from isocenter.errors import IsocenterError
from isocenter.forms import maps
from isocenter.forms.anatomy import anatomy
from isocenter.forms.maker import Sources
from isocenter.forms.montage import montage, shown_slices
from isocenter.forms.pdf import Picture
from isocenter.record import Map, Outcome, Result, Study

__all__ = ["map_pictures", "map_svg"]


def map_svg(of: Map, study: Study, sources: Sources, blob: Callable[[str], bytes]) -> str:
    """One map over the anatomy of its series.

    Raises:
        Refused: as `montage`.
    """
    volume = maps.unpack(blob(of.digest), of)
    return montage(of, volume, anatomy(of, shown_slices(volume), study, sources))


def map_pictures(
    study: Study,
    results: Sequence[Result],
    sources: Sources,
    blob: Callable[[str], bytes],
    *,
    withheld: Callable[[Result], Mapping[str, str]],
    at_most: int = 6,
) -> tuple[Picture, ...]:
    """A picture over the whole width for each map, results in their order; a map that cannot be drawn has none.

    Args:
        withheld: the maps of a result that may not be shown, with the reason.
    """
    pictures: list[Picture] = []
    for result in results:
        if result.outcome is Outcome.DECLINED:
            continue
        hidden = withheld(result)
        for of in (m for m in result.maps if m.name not in hidden):
            if len(pictures) == at_most:
                return tuple(pictures)
            try:
                svg = map_svg(of, study, sources, blob)
            except IsocenterError:
                continue
            pictures.append(Picture(svg, f"{of.name}, map of {result.origin.name}", wide=True))
    return tuple(pictures)
