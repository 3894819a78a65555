"""Opacities drawn into films while a classifier learns, and marks beside them that are none.

A collection that says of a film only *that* there is pneumonia lets a network answer to the look of the whole film.
Here some films get an opacity whose place is known, and the map of the answer is asked to lie there. So that the
drawing itself cannot be what is learnt, films of either label also get the same drawing outside the lungs, and changes
within the lungs that are no opacity: blur, more or less contrast, too much air, thin lines.

An opacity is a heap of puffs, cut at a fissure now and then, with air in its bronchi and within the lungs that the
network of `chest_xray_heart` sees. It adds to what lies before and behind it, as absorption does, so that ribs stay
visible. The shadows by which a map is tested are made otherwise and elsewhere (`planted`), in films of other people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.analysis.weights import open_session
from isocenter.learn.augment import levelled, resized
from isocenter.learn.kinds import Opacities

__all__ = ["Drawn", "drawn", "emptied", "lungs", "pointing"]

_LOOK, _KEPT = 128, 56  # pixels that the network of the lungs looks at, and that are kept of what it says
_LEAST, _MOST = 0.06, 0.6  # of the film, for both lungs; else they were not seen
_PUFFS = 12
_REACH = (0.05, 0.17)  # spread of the puffs, in parts of the film
_DENSITY = (0.5, 1.4)  # exponent of what is let through
_CUT, _MARKS = 0.4, 5


@dataclass(frozen=True, eq=False)
class Drawn:
    """Films after drawing.

    Args:
        films: (n, 1, s, s) in 0 … 1. planted: (n,) which got an opacity. where: (n, 1, s, s) 1 on it.
    """

    films: Tensor
    planted: Tensor
    where: Tensor


def lungs(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """(n, 1, 56, 56) of 0 and 1: both lungs as the shipped network of `chest_xray_heart` sees them; empty where not.

    Args:
        pictures: (n, rows, columns) frontal films, bright where dense.

    Raises:
        MissingPart: when that network is not there.
    """
    session, found = open_session("chest_xray_heart"), []
    for start in range(0, len(pictures), 64):
        some = torch.from_numpy(levelled(pictures[start : start + 64]))[:, None].float() / 255
        said = session.run(None, {"films": resized(some, _LOOK).numpy()})[0]
        both = torch.from_numpy(said[:, :2].max(1, keepdims=True) > 0).float()
        found.append(functional.interpolate(both, (_KEPT, _KEPT), mode="area") >= 0.5)
    seen = torch.cat(found)
    share = seen.float().mean((1, 2, 3), keepdim=True)
    sides = torch.stack([seen[..., : _KEPT // 2].any((1, 2, 3)), seen[..., _KEPT // 2 :].any((1, 2, 3))]).all(0)
    return seen & (share > _LEAST) & (share < _MOST) & sides.view(-1, 1, 1, 1)


def drawn(films: Tensor, within: Tensor, labels: Tensor, how: Opacities, random: torch.Generator) -> Drawn:
    """Films with opacities, and with marks that are none, drawn in by chance.

    Args:
        films: (n, 1, s, s) in 0 … 1, bright where dense. within: (n, 1, m, m) their lungs; without, a film is left.
        labels: (n,) 1 where there is an opacity anyway.
    """
    n, side = len(films), films.shape[-1]
    seen = within.flatten(1).any(1)
    share = torch.where(labels > 0, how.beside, how.clear)
    planted = seen & (torch.rand(n, generator=random) < share)
    marked = seen & (torch.rand(n, generator=random) < how.marked)
    films, where = films.clone(), torch.zeros(n, 1, side, side)
    if bool(marked.any()):
        films[marked] = _marked(films[marked], within[marked].float(), random)
    if bool(planted.any()):
        inside = within[planted].float()
        body = _body(inside, inside, side // 2, random) * _soft(inside, side // 2)
        peak = body.amax((1, 2, 3), keepdim=True)
        where[planted] = _grown(((body >= peak / 2) & (peak > 0.3)).float(), side)
        films[planted] = _denser(films[planted], _grown(_aired(body, random), side), random)
        planted = planted & where.flatten(1).any(1)
    return Drawn(films, planted, where)


def pointing(places: Tensor, where: Tensor, within: Tensor, labels: Tensor) -> Tensor:
    """How far the map of an answer lies beside what was drawn: cross entropy over places, mean over films.

    On a film that is called without the drawing, the rest of the lungs is left out: what lies there may be real.

    Args:
        places: (n, 1, h, w) answer place by place. where, within: (n, 1, s, s) the drawing and the lungs, moved alike.
        labels: (n,) before anything was drawn.
    """
    grid = tuple(places.shape[2:])
    on, lung = (functional.adaptive_avg_pool2d(m, grid).flatten(1) for m in (where, within))
    asked = (labels <= 0)[:, None] | (lung < 0.3) | (on > 0.2)
    aim = on * asked
    kept = aim.sum(1) > 0.5  # the film may have been moved so that it lies outside
    if not bool(kept.any()):
        return places.sum() * 0
    share = torch.log_softmax(places.flatten(1).masked_fill(~asked, -1e4), 1)
    aim = aim / aim.sum(1, keepdim=True).clamp(min=1e-6)
    return -(aim * share).sum(1)[kept].mean()


def emptied(
    films: Tensor, lung: Tensor, where: Tensor, labels: Tensor, share: float, random: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Films of which a part gives way to their mean grey: (films, which got a hole, of which nothing is left to call).

    A map is judged by taking away what it marks and asking again (Petsiuk 2018). A network that never saw a film with
    something taken away may answer to the hole, which says nothing of the map (Hooker 2019; Hase 2021); one that learnt
    that a hole is nothing can be judged so. Holes come with and without an opacity that is left, so that a hole alone
    tells nothing.

    Args:
        films: (n, 1, s, s). lung, where: (n, 1, s, s) 1 on the lungs, and on what was drawn; without lungs a film is
            left as it is.
        labels: (n,) before anything was drawn. Of films that had an opacity all between the lungs' outer borders is
            taken away, or nothing within the lungs, for nobody knows where it lies.
    """
    n, side = len(films), films.shape[-1]
    chosen = (lung > 0.5).flatten(1).any(1) & (torch.rand(n, generator=random) < share)
    taken = torch.rand(n, generator=random) < 0.5
    if not bool(chosen.any()):
        return films, chosen, chosen
    some, inside, drawing = films[chosen], (lung[chosen] > 0.5).float(), where[chosen]
    n = len(some)
    rough = torch.cat([_rough(1, int(cells), side, random) for cells in torch.randint(4, 13, (n,), generator=random)])
    ranks = rough[..., ::4, ::4].flatten(1).sort(1).values
    border = ranks.gather(1, (_draw(random, 0, 1, n, 1) * (ranks.shape[1] - 1)).long())
    hole = rough < border.view(n, 1, 1, 1)
    real = (labels[chosen] > 0).view(n, 1, 1, 1)
    lungs_, drawing_ = (_wider(m, side // 20) > 0 for m in (inside, drawing))
    chest = _between(lungs_.any(2, keepdim=True), 3) & _between(lungs_.any(3, keepdim=True), 2)
    away = taken[chosen].view(n, 1, 1, 1)
    hole = torch.where(away, hole | torch.where(real, chest, drawing_), hole & ~torch.where(real, lungs_, drawing_))
    films = films.clone()
    films[chosen] = torch.where(hole, some.mean((1, 2, 3), keepdim=True), some)
    return films, chosen, chosen & taken


def _wider(some: Tensor, by: int) -> Tensor:
    """The greatest within so many pixels to either side: down, then across, which is the same and less work."""
    down = functional.max_pool2d(some, (2 * by + 1, 1), 1, (by, 0))
    return functional.max_pool2d(down, (1, 2 * by + 1), 1, (0, by))


def _between(some: Tensor, axis: int) -> Tensor:
    """From the first to the last that is true."""
    after = some.int().cummax(axis).values
    return (after & some.int().flip(axis).cummax(axis).values.flip(axis)) > 0


def _draw(random: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    return torch.rand(shape, generator=random) * (high - low) + low


def _rough(n: int, cells: int, side: int, random: torch.Generator) -> Tensor:
    """(n, 1, side, side) smooth noise of spread about 1, with so many bumps across."""
    return _grown(torch.randn(n, 1, cells, cells, generator=random), side) * 1.5


def _grown(some: Tensor, side: int) -> Tensor:
    return functional.interpolate(some, (side, side), mode="bilinear", align_corners=False)


def _coarse(films: Tensor, part: int) -> Tensor:
    """Films without what is finer than so many pixels."""
    side = films.shape[-1]
    return _grown(functional.interpolate(films, (side // part, side // part), mode="area"), side)


def _soft(within: Tensor, side: int) -> Tensor:
    """Lungs on the grid of the film, soft at the border, which an opacity hides a little."""
    wide = functional.avg_pool2d(functional.pad(within, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return (1.6 * _grown(wide, side)).clamp(max=1)


def _body(where: Tensor, other: Tensor, side: int, random: torch.Generator) -> Tensor:
    """(n, 1, side, side) heaps of puffs in 0 … 1, each about a place of `where`; of `other` where that is empty."""
    n, cells = len(where), where.shape[-1]
    weight = where.flatten(1)
    weight = torch.where(weight.any(1, keepdim=True), weight, other.flatten(1) + 1e-6)
    at = torch.multinomial(weight, 1, generator=random)[:, 0]
    centre = (torch.stack([at // cells, at % cells], 1) + 0.5) / cells
    reach = _draw(random, math.log(_REACH[0]), math.log(_REACH[1]), n).exp()[:, None]
    puffs = centre[:, None] + reach[..., None] * 0.7 * torch.randn(n, _PUFFS, 2, generator=random)
    spread = reach * _draw(random, 0.35, 0.8, n, _PUFFS)
    line = (torch.arange(side) + 0.5) / side
    down, across = (torch.exp(-(((line - puffs[..., k : k + 1]) / spread[..., None]) ** 2) / 2) for k in (0, 1))
    heap = torch.einsum("nk,nkr,nkc->nrc", _draw(random, 0.4, 1.0, n, _PUFFS), down, across)[:, None]
    heap = heap / heap.amax((1, 2, 3), keepdim=True).clamp(min=1e-6)
    edge = _draw(random, 0.3, 0.5, n, 1, 1, 1) + 0.06 * _rough(n, 24, side, random) * (heap > 0.02)
    body = torch.sigmoid((heap - edge) / _draw(random, 0.04, 0.12, n, 1, 1, 1)) * (heap > 0.02)
    turn = _draw(random, 0, 2 * math.pi, n, 1, 1, 1)
    off = (line.view(-1, 1) - centre[:, :1, None, None]) * turn.cos() + (line - centre[:, 1:, None, None]) * turn.sin()
    cut = torch.sigmoid((off + 0.3 * reach[..., None, None]) / 0.008)
    return torch.where(_draw(random, 0, 1, n, 1, 1, 1) < _CUT, body * cut, body)


def _aired(body: Tensor, random: torch.Generator) -> Tensor:
    """The same with a grain, and with air in branching lines."""
    n, side = len(body), body.shape[-1]
    bronchi = torch.exp(-((_rough(n, 14, side, random) / 0.15) ** 2)) * _draw(random, 0, 0.7, n, 1, 1, 1)
    grain = 1 + 0.15 * _rough(n, 56, side, random)
    return (body * (1 - bronchi) * grain).clamp(min=0)


def _denser(films: Tensor, body: Tensor, random: torch.Generator) -> Tensor:
    thick = _draw(random, *_DENSITY, len(films), 1, 1, 1)
    return 1 - (1 - films) * torch.exp(-thick * body)


def _marked(films: Tensor, within: Tensor, random: torch.Generator) -> Tensor:
    """One of five changes that are no opacity, each in a heap of puffs: within the lungs, but for the first."""
    n, side = len(films), films.shape[-1]
    kind = torch.randint(0, _MARKS, (n, 1, 1, 1), generator=random)
    outside = 1 - functional.max_pool2d(within, 5, 1, 2)
    body = _body(torch.where(kind == 0, outside, within), within, side // 2, random)
    beside = _grown(_aired(body * _grown(outside, side // 2), random), side)
    lines = torch.exp(-((_rough(n, 5, side // 2, random) / 0.05) ** 2)) * _draw(random, 0.2, 0.6, n, 1, 1, 1)
    inner = body * _soft(within, side // 2)
    inner, lines = _grown(inner, side), _grown(lines * inner, side)
    made = torch.stack([
        _denser(films, beside, random),
        films + inner * (_coarse(films, 4) - films),
        films + inner * (films - _coarse(films, 16)) * _draw(random, -0.6, 0.8, n, 1, 1, 1),
        films * torch.exp(-_draw(random, 0.2, 0.9, n, 1, 1, 1) * inner),
        films + lines * (1 - films),
    ])  # fmt: skip
    return made.gather(0, kind[None].expand(1, *films.shape))[0].clamp(0, 1)
