"""Which analyses there are: those in `catalogue/` and those of strangers, found by entry point, in no list of ours."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from isocenter.analysis.protocol import Analysis
from isocenter.errors import NotFound, Refused

__all__ = ["GROUP", "Registry", "address", "discover", "load"]

GROUP = "isocenter.analyses"


Found = tuple[Mapping[str, Analysis], Mapping[str, str]]


class Registry:
    """Analyses by name, and what could not be loaded with its reason (one broken stranger stops nobody else).

    Args:
        analyses, broken: what there is.
        find: looks for both when somebody first asks for either; whoever only stores images never does.
        widest: loads alone the one that fits most images.
    """

    def __init__(
        self,
        analyses: Mapping[str, Analysis] | None = None,
        broken: Mapping[str, str] | None = None,
        *,
        find: Callable[[], Found] | None = None,
        widest: Callable[[], Analysis | None] = lambda: None,
    ) -> None:
        self._find, self._widest = find, widest
        self._found: Found | None = None if find is not None else (analyses or {}, broken or {})
        self._finding = threading.Lock()

    @property
    def analyses(self) -> Mapping[str, Analysis]:
        """Every analysis by its name, sorted."""
        return self._all()[0]

    @property
    def loaded(self) -> bool:
        """Whether all of them are loaded already, so that to ask for them costs nothing more."""
        return self._found is not None

    @property
    def broken(self) -> Mapping[str, str]:
        """What could not be loaded: name and reason."""
        return self._all()[1]

    def each(self) -> Iterator[Analysis]:
        """Every analysis; while none was loaded, that which fits most images comes first and is loaded alone.

        For who stops at the first that will do: all of them with their libraries take half a second.
        """
        widest = self._widest() if self._found is None else None
        if widest is not None:
            yield widest
        yield from (a for name, a in self.analyses.items() if widest is None or name != widest.name)

    def _all(self) -> Found:
        if self._found is None:
            with self._finding:
                if self._found is None:
                    assert self._find is not None
                    self._found = self._find()
        return self._found

    def get(self, name: str) -> Analysis:
        """The analysis of that name.

        Raises:
            NotFound: with the names that there are, and the reason where it is there but broken.
        """
        if name in self.analyses:
            return self.analyses[name]
        if name in self.broken:
            raise NotFound(
                f"analysis '{name}'",
                f"it could not be loaded: {self.broken[name]}",
                "mend that, and `isocenter check FILE` tells what is left",
            )
        raise NotFound(
            f"analysis '{name}'",
            f"there are: {', '.join(sorted(self.analyses)) or 'none'}",
            "take one of these, or name a file: mine.py",
        )


def discover() -> Registry:
    """Every analysis of the entry point group ``isocenter.analyses``: modules, packages or classes.

    They are loaded when the registry is first asked: with the libraries that they compute with, that takes seconds.
    """
    return Registry(find=_discovered, widest=_widest)


@cache
def _points() -> tuple[EntryPoint, ...]:
    """Where analyses are, those that ship first: what is installed is read once in a process, 10 ms each time else."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda p: (p.name != "shipped", p.name)))


def _discovered() -> Found:
    found: dict[str, Analysis] = {}
    broken: dict[str, str] = {}
    for point in _points():
        for name, thing in _things(point, broken):
            if name in found:
                broken[f"{point.name}:{name}"] = "the name is taken by another analysis"
            else:
                found[name] = thing
    return dict(sorted(found.items())), broken


def _widest() -> Analysis | None:
    """The analysis that a package of analyses names as the one that fits most images; None where none does."""
    for point in _points():
        try:
            held = point.load()
            named = getattr(held, "WIDEST", "")
            found = _classes(importlib.import_module(f"{held.__name__}.{named}")) if named else ()
            return next((one() for one in found if one.name == named), None)
        except Exception:  # what is broken is told by whoever asks for all
            return None
    return None


def load(path: str) -> Analysis:
    """One analysis by ``module:Class``, ``module`` or name in the registry; for `isocenter check` and worker processes.

    Raises:
        NotFound: when nothing is there.
        Refused: when the module cannot be imported, or holds several and none was named.
    """
    if ":" not in path and "." not in path:
        return discover().get(path)
    module, _, name = path.partition(":")
    try:
        held = importlib.import_module(module)
    except ImportError as missing:
        raise NotFound(f"module '{module}'", str(missing), "install it or give its import path") from missing
    except Exception as fault:  # whatever a stranger's module raises
        raise Refused(
            f"module '{module}'", f"{type(fault).__name__}: {fault}", "mend it until Python imports it"
        ) from fault
    if name:
        thing = getattr(held, name, None)
        if thing is None:
            raise NotFound(f"'{name}' in module '{module}'")
        made: Any = thing() if inspect.isclass(thing) else thing
        return made  # type: ignore[no-any-return]
    classes = list(_classes(held))
    if len(classes) != 1:
        raise Refused(f"module '{module}' holds {len(classes)} analyses", "one is needed", f"say {module}:ClassName")
    only: Analysis = classes[0]()
    return only


def address(analysis: Analysis) -> str:
    """``module:Class``, by which another process finds the same analysis."""
    kind = type(analysis)
    return f"{kind.__module__}:{kind.__qualname__}"


def _things(point: EntryPoint, broken: dict[str, str]) -> Iterator[tuple[str, Analysis]]:
    try:
        held: Any = point.load()
    except Exception as fault:  # whatever a stranger's module raises, the others go on
        broken[point.name] = f"{type(fault).__name__}: {fault}"
        return
    if inspect.isclass(held):
        kind: Any = held
        yield kind.name, kind()
        return
    for module in _modules(held, broken):
        for each in _classes(module):
            yield each.name, each()


def _modules(held: ModuleType, broken: dict[str, str]) -> Iterator[ModuleType]:
    yield held
    for info in pkgutil.iter_modules(getattr(held, "__path__", [])):
        try:
            yield importlib.import_module(f"{held.__name__}.{info.name}")
        except Exception as fault:
            broken[info.name] = f"{type(fault).__name__}: {fault}"


def _classes(module: ModuleType) -> Iterator[type[Any]]:
    for thing in vars(module).values():
        if not inspect.isclass(thing) or thing.__module__ != module.__name__ or thing.__name__.startswith("_"):
            continue
        if all(hasattr(thing, word) for word in ("name", "version", "needs", "yields", "run")):
            yield thing
