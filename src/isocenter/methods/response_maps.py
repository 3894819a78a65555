"""The filters of IBSI 2 by the names of its configurations, so that a response map can be asked for in one word.

Those with a small letter (``3.a.1``) are of the digital phantoms, those with a capital (``3.A``) of CT of the chest, by
slice (A) or on voxels of 1 mm (B).

>>> sorted(RESPONSES)[:3]
['1.a.1', '1.a.2', '1.a.3']

Every other filter is asked for as it is called, and its settings are checked before an image is touched:

>>> response("laplacian_of_gaussian(sigma_mm=2.5, boundary=nearest)").reach_mm
10.0

Source: Depeursinge et al., arXiv:2006.05470, chapter 6; Whybra et al., Radiology 310 (2024) e231319.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.filters import BOUNDARIES, Floats, laplacian_of_gaussian, laws, mean
from isocenter.methods.gabor import gabor
from isocenter.methods.gabor import reach_mm as gabor_reach_mm
from isocenter.methods.masked import Spacing
from isocenter.methods.riesz import riesz_log, riesz_simoncelli
from isocenter.methods.wavelets import low_pass, separable_wavelet, simoncelli

__all__ = ["FILTERS", "RESPONSES", "Response", "response"]


@dataclass(frozen=True)
class Response:
    """A filter with its settings.

    Args:
        name: of the configuration.
        filter: function of the image.
        settings: its arguments.
        spaced: whether it also takes the voxel spacing.
        reach_mm: how far it looks; infinite for filters of the whole image.
        reach_voxels: the same in voxels; the farther of the two holds.
    """

    name: str
    filter: Callable[..., Floats]
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    spaced: bool = False
    reach_mm: float = 0.0
    reach_voxels: int = 0

    def __call__(self, image: npt.NDArray[np.floating], spacing_mm: Spacing) -> Floats:
        """The response map of an image."""
        more = {"spacing_mm": spacing_mm} if self.spaced else {}
        return self.filter(image, **more, **self.settings)


def response(name: str) -> Response:
    """The filter of a configuration, or one that is written as a call of a function of `FILTERS`.

    Args:
        name: with points or, as in the names of files, underlines; or a filter with its settings, such as
            ``mean(size=7, boundary=zero)``.

    >>> response("3_b_2") is response("3.b.2")
    True

    Raises:
        Refused: when IBSI 2 has none of that name, or one without a response map that all agree on, and for a call that
            no filter takes.
    """
    if "(" in name:
        return _called(" ".join(name.split()))
    name = name.replace("_", ".")
    if name in _STEERED:
        raise Refused(
            f"filter configuration '{name}'",
            "it is steered by a structure tensor, and IBSI 2 came to no consensus on its map",
            f"take {name[:-1]}1, the same filter along the axes",
        )
    if name not in RESPONSES:
        raise Refused(
            f"no filter configuration '{name}'",
            f"there are {', '.join(RESPONSES)}",
            f"name one of them, or call {', '.join(FILTERS)} with its settings",
        )
    return RESPONSES[name]


def _mean(name: str, size: int, boundary: str, by_slice: bool = False) -> Response:
    return Response(name, mean, {"size": size, "boundary": boundary, "by_slice": by_slice}, reach_voxels=size // 2)


def _log(name: str, sigma_mm: float, boundary: str, by_slice: bool = False) -> Response:
    settings = {"sigma_mm": sigma_mm, "boundary": boundary, "by_slice": by_slice}
    return Response(name, laplacian_of_gaussian, settings, spaced=True, reach_mm=4.0 * sigma_mm, reach_voxels=1)


def _laws(name: str, kernels: str, boundary: str, turned: bool = False, energy: int | None = None) -> Response:
    settings = {"kernels": kernels, "boundary": boundary, "rotation_invariant": turned, "energy": energy}
    return Response(name, laws, settings, reach_voxels=2 + (energy or 0))


def _gabor(name: str, sigma_mm: float, wavelength_mm: float, gamma: float, boundary: str, **more: Any) -> Response:
    settings = {"sigma_mm": sigma_mm, "wavelength_mm": wavelength_mm, "gamma": gamma, "boundary": boundary, **more}
    return Response(name, gabor, settings, spaced=True, reach_mm=gabor_reach_mm(sigma_mm, gamma), reach_voxels=1)


def _wavelet(name: str, family: str, bands: str, boundary: str, turned: bool = False, level: int = 1) -> Response:
    settings = {"family": family, "bands": bands, "boundary": boundary, "rotation_invariant": turned, "level": level}
    return Response(name, separable_wavelet, settings, reach_voxels=_wavelet_reach(family, level))


def _wavelet_reach(family: str, level: int) -> int:
    return int((len(low_pass(family)) + 2) * 2**level)


FILTERS: dict[str, Callable[..., Floats]] = {
    f.__name__: f
    for f in (mean, laplacian_of_gaussian, laws, gabor, separable_wavelet, simoncelli, riesz_log, riesz_simoncelli)
}
"""Filters that can be called by their own settings, by name."""


@lru_cache(maxsize=64)
def _called(text: str) -> Response:
    """A filter from the text of its call."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        tree = None
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
        raise Refused(f"filter '{text}'", "it is no filter with its settings", "write mean(size=5, boundary=mirror)")
    made = FILTERS.get(tree.func.id)
    if made is None:
        raise Refused(f"filter '{tree.func.id}'", f"known are {', '.join(FILTERS)}", "name one of these")
    takes = {n: p for n, p in inspect.signature(made).parameters.items() if n not in ("image", "spacing_mm")}
    settings = {k.arg or "**": _setting(k.value, text) for k in tree.keywords}
    for name in settings:
        if name not in takes:
            raise Refused(
                f"filter '{text}'", f"{made.__name__} has no '{name}', it has {', '.join(takes)}", "name one of these"
            )
    missing = [n for n, p in takes.items() if p.default is p.empty and n not in settings]
    if missing:
        raise Refused(f"filter '{text}'", f"{made.__name__} needs {', '.join(missing)}", "give them")
    boundary = settings.get("boundary")
    if boundary is not None and boundary not in BOUNDARIES:
        raise Refused(f"boundary condition '{boundary}'", f"there are {', '.join(BOUNDARIES)}", "name one of these")
    mm, voxels = _reach(made, settings)
    spaced = "spacing_mm" in inspect.signature(made).parameters
    found = Response(text, made, settings, spaced=spaced, reach_mm=mm, reach_voxels=voxels)
    width = float(settings.get("sigma_mm", 1.0))
    try:
        found(np.zeros((4, 4, 4)), (width, width, width))  # settings that the filter refuses are told now
    except Refused:
        raise
    except (TypeError, ValueError, AttributeError) as why:
        raise Refused(f"filter '{text}'", f"a setting is of the wrong kind ({why})", "correct it") from why
    return found


def _setting(node: ast.expr, text: str) -> Any:
    """A number, a word, or numbers in brackets; yes and no are what they say."""
    if isinstance(node, ast.Name):
        return {"yes": True, "true": True, "no": False, "false": False, "none": None}.get(node.id.lower(), node.id)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise Refused(
            f"filter '{text}'",
            "a setting is a number, a word, or numbers in brackets",
            "write it so, such as log(sigma_mm=1.5)",
        ) from None


def _reach(made: Callable[..., Floats], settings: Mapping[str, Any]) -> tuple[float, int]:
    """How far a filter looks: (mm, voxels)."""
    for name in ("sigma_mm", "wavelength_mm", "gamma"):
        if name in settings and not (isinstance(settings[name], (int, float)) and settings[name] > 0):
            raise Refused(f"{name} {settings[name]}", "it is a number above zero", "give such a number")
    try:
        if made is mean:
            return 0.0, int(settings["size"]) // 2
        if made is laplacian_of_gaussian:
            return float(settings.get("truncate", 4.0)) * float(settings["sigma_mm"]), 1
        if made is laws:
            return 0.0, 2 + int(settings.get("energy") or 0)
        if made is gabor:
            return gabor_reach_mm(float(settings["sigma_mm"]), float(settings["gamma"])), 1
        if made is separable_wavelet:
            return 0.0, _wavelet_reach(str(settings["family"]), int(settings.get("level", 1)))
    except Refused:
        raise
    except (TypeError, ValueError) as why:
        raise Refused(f"settings {dict(settings)}", f"one is of the wrong kind ({why})", "correct it") from why
    return np.inf, 0


_STEERED = ("9.b.2", "10.b.2")
_whole = partial(Response, reach_mm=np.inf)
_ORDER_1, _ORDER_2 = (1, 0, 0), (0, 2, 0)

RESPONSES: dict[str, Response] = {
    made.name: made
    for made in (
        *(_mean(f"1.a.{n}", 15, b) for n, b in enumerate(("zero", "nearest", "periodic", "mirror"), 1)),
        _mean("1.b.1", 15, "zero", by_slice=True),
        _log("2.a", 3.0, "zero"),
        _log("2.b", 5.0, "mirror"),
        _log("2.c", 5.0, "mirror", by_slice=True),
        _laws("3.a.1", "E5L5S5", "zero"),
        _laws("3.a.2", "E5L5S5", "zero", turned=True),
        _laws("3.a.3", "E5L5S5", "zero", turned=True, energy=7),
        _laws("3.b.1", "E3W5R5", "mirror"),
        _laws("3.b.2", "E3W5R5", "mirror", turned=True),
        _laws("3.b.3", "E3W5R5", "mirror", turned=True, energy=7),
        _laws("3.c.1", "L5S5", "mirror"),
        _laws("3.c.2", "L5S5", "mirror", turned=True),
        _laws("3.c.3", "L5S5", "mirror", turned=True, energy=7),
        _gabor("4.a.1", 10.0, 4.0, 0.5, "zero", theta_deg=60.0),
        _gabor("4.a.2", 10.0, 4.0, 0.5, "zero", step_deg=45.0, orthogonal=True),
        _gabor("4.b.1", 20.0, 8.0, 2.5, "mirror", theta_deg=225.0),
        _gabor("4.b.2", 20.0, 8.0, 2.5, "mirror", step_deg=22.5, orthogonal=True),
        _wavelet("5.a.1", "db2", "LHL", "zero"),
        _wavelet("5.a.2", "db2", "LHL", "zero", turned=True),
        _wavelet("6.a.1", "coif1", "HHL", "periodic"),
        _wavelet("6.a.2", "coif1", "HHL", "periodic", turned=True),
        _wavelet("7.a.1", "haar", "LLL", "mirror", turned=True, level=2),
        _wavelet("7.a.2", "haar", "HHH", "mirror", turned=True, level=2),
        *(_whole(f"8.a.{n}", simoncelli, {"level": n}) for n in (1, 2, 3)),
        _whole("9.a", riesz_log, {"order": _ORDER_1, "sigma_mm": 3.0, "boundary": "zero"}, spaced=True),
        _whole("9.b.1", riesz_log, {"order": _ORDER_2, "sigma_mm": 3.0, "boundary": "zero"}, spaced=True),
        _whole("10.a", riesz_simoncelli, {"order": _ORDER_1, "level": 1}),
        _whole("10.b.1", riesz_simoncelli, {"order": _ORDER_2, "level": 1}),
        _mean("2.A", 5, "mirror", by_slice=True),
        _mean("2.B", 5, "mirror"),
        _log("3.A", 1.5, "mirror", by_slice=True),
        _log("3.B", 1.5, "mirror"),
        _laws("4.A", "L5E5", "mirror", turned=True, energy=7),
        _laws("4.B", "L5E5E5", "mirror", turned=True, energy=7),
        _gabor("5.A", 5.0, 2.0, 1.5, "mirror", step_deg=22.5),
        _gabor("5.B", 5.0, 2.0, 1.5, "mirror", step_deg=22.5, orthogonal=True),
        _wavelet("6.A", "db3", "LH", "mirror", turned=True),
        _wavelet("6.B", "db3", "LLH", "mirror", turned=True),
        _wavelet("7.A", "db3", "HH", "mirror", turned=True, level=2),
        _wavelet("7.B", "db3", "HHH", "mirror", turned=True, level=2),
        _whole("8.A", simoncelli, {"level": 1, "by_slice": True}),
        _whole("8.B", simoncelli, {"level": 1}),
        _whole("9.A", simoncelli, {"level": 2, "by_slice": True}),
        _whole("9.B", simoncelli, {"level": 2}),
    )
}
"""Name of the configuration -> its filter."""
