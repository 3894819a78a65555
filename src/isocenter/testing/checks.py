"""What makes an analysis a good one, as a suite that anyone can run: the substance of ``isocenter check``.

The suite needs inputs with known truth, and asks the analysis itself for them: a class method `examples` that yields
pairs (inputs, truth), made from formulae or phantoms, small enough to run in a second each. `inputs` are the arguments
of `run` by name. `truth` is a mapping:

``answer``
    ``"found"``, ``"none"`` or ``"declined"``; always there.
``findings``
    how many findings there are.
``measurements``
    meaning of a measurement's code -> (value, tolerance); one measurement of that meaning must fit.
``words``
    a text that must stand in the words of a finding or in the reasons.

At least one example should be declined: an analysis that never says no has not been asked. ::

    class Depth:
        ...
        @classmethod
        def examples(cls):
            yield {"image": phantom}, {"answer": "found", "measurements": {"Length": (12.0, 0.5)}}
            yield {"image": blank}, {"answer": "declined", "words": "nothing to measure"}
"""

from __future__ import annotations

import hashlib
import inspect
import pickle
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.analysis.need import Dated, Need
from isocenter.analysis.protocol import Answer, Limits, Yield, parameters
from isocenter.analysis.shown import Shown
from isocenter.dicom.confining import bounded_memory
from isocenter.errors import IsocenterError
from isocenter.record import Code, Instance, Measurement, Outcome, Series, codes, digest_of, to_plain
from isocenter.space import Geometry, Reference, Region, Volume
from isocenter.testing.examples import EXAMPLES

__all__ = ["Check", "check"]

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_PLAIN = (bool, int, float, str)
_PRIVATE = "99"  # schemes of a house's own begin with it (PS3.16 section 8)
_PUBLIC = ("DCM", "SCT", "LN", "RADLEX", "UCUM", "FMA", "MA", "NCIt", "RFC3881", "UMLS", "IBSI")
_FLIP_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: whether it holds, and in words what was seen."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True, eq=False)
class _Case:
    """The analysis under test with everything it was asked, so that no example is run more often than needed."""

    analysis: Any
    examples: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...]
    answers: tuple[Answer, ...]

    @cached_property
    def again(self) -> tuple[_Again, ...]:
        """Each example asked a second time, its arrays locked; three checks look at these same runs."""
        return tuple(_asked_again(self.analysis, inputs, n == 0) for n, (inputs, _) in enumerate(self.examples))


@dataclass(frozen=True)
class _Again:
    """A second run of an example: digest of its answer, whether it wrote into its input, and what it took."""

    digest: str
    wrote: bool
    changed: bool
    seconds: float
    peak_mib: float


class _Fault(Exception):
    """A check does not hold, because …"""


_SHELF: ContextVar[Path | None] = ContextVar("_SHELF", default=None)
"""The site's own folder of models, while an analysis is looked at."""


def check(analysis: Any, *, pages: Path | None = None, models: Path | None = None) -> list[Check]:
    """Look at an analysis from all sides.

    Args:
        analysis: an instance, or its class.
        pages: folder of the manual's pages; each analysis that ships has ``<name>.md`` there. None looks into this
            project's own, where there is one.
        models: a site's own folder of models, of which the analysis may ask one.

    Returns:
        one `Check` for each thing looked at; the analysis is a good one when all passed. Nothing is raised, however
        bad it is: what a check stumbles over is its words.
    """
    shelf = _SHELF.set(models)
    try:
        return _checked(analysis, pages)
    finally:
        _SHELF.reset(shelf)


def _checked(analysis: Any, pages: Path | None) -> list[Check]:
    kind: type[Any] = analysis if inspect.isclass(analysis) else type(analysis)
    done = [_looked("is made without arguments", lambda: _made(analysis))]
    held = None if not done[0].passed else (kind() if inspect.isclass(analysis) else analysis)
    if held is None:
        return done
    done += [_looked(name, look, held, kind) for name, look in _STANDING]
    if pages is not None or kind.__module__.startswith("isocenter.catalogue"):
        folder = pages if pages is not None else Path(__file__).resolve().parents[3] / "docs" / "know"
        if folder.is_dir():
            done.append(_looked("has a page in the manual", _page, held, folder))
    if not all(c.passed for c in done if c.name in ("needs are declared", "takes what it needs")):
        return done
    case: list[_Case] = []
    done.append(_looked("gives examples with known truth", _asked, held, kind, case))
    if case:
        done += [_looked(name, look, case[0]) for name, look in _RUNNING]
    return done


def _looked(name: str, look: Callable[..., str], *about: Any) -> Check:
    try:
        with bounded_memory():  # a model's file, or a stranger's class, may ask for more than there is
            return Check(name, True, look(*about))
    except _Fault as fault:
        return Check(name, False, str(fault))
    except Exception as fault:  # a stranger's class may do anything; the suite goes on and says what it met
        return Check(name, False, f"{type(fault).__name__}: {fault}")


# ---- what it declares ---------------------------------------------------------------------------------------------


def _made(analysis: Any) -> str:
    if inspect.isclass(analysis):
        analysis()
    return "it has no state to set up"


def _named(held: Any, kind: type[Any]) -> str:
    name, version = getattr(held, "name", None), getattr(held, "version", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _Fault(f"name is {name!r}; it needs small letters, digits and single underscores")
    if not isinstance(version, str) or not version.strip():
        raise _Fault(f"version is {version!r}; it needs a text, so that results can be told apart")
    return f"{name} {version}"


def _question(held: Any, kind: type[Any]) -> str:
    first = (kind.__dict__.get("__doc__") or "").strip().split("\n")[0].strip()
    if len(first.split()) < 3 or not first.endswith((".", "?", ":")):
        raise _Fault(f"the docstring begins {first!r}; it needs the question or statement in one sentence")
    return first


def _needs(held: Any, kind: type[Any]) -> str:
    needs = getattr(held, "needs", None)
    if not isinstance(needs, Mapping) or not needs or not all(isinstance(n, Need) for n in needs.values()):
        raise _Fault(f"needs is {needs!r:.60}; it needs a mapping of names to Need")
    if all(n.optional for n in needs.values()):
        raise _Fault("every need is optional: it would run on every study")
    if next(iter(needs.values())).earlier:
        raise _Fault("its first need looks back; the first need is of the study that is asked about")
    return "; ".join(n.sentence() for n in needs.values())


def _takes(held: Any, kind: type[Any]) -> str:
    taken = [
        p.name
        for p in inspect.signature(held.run).parameters.values()
        if p.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]
    if taken != list(held.needs):
        raise _Fault(f"run takes {', '.join(taken) or 'nothing'}; its needs are {', '.join(held.needs)}")
    return f"run({', '.join(taken)})"


def _yields(held: Any, kind: type[Any]) -> str:
    yields = getattr(held, "yields", None)
    if not isinstance(yields, tuple) or not yields or not all(isinstance(y, Yield) for y in yields):
        raise _Fault(f"yields is {yields!r:.60}; it needs a tuple of Yield")
    if not any(y.what or y.maps for y in yields):
        raise _Fault("it declares no finding, measurement or map: it may not say anything")
    strange = sorted({u for y in yields for u in y.units} - set(codes.UNITS))
    if strange:
        raise _Fault(f"units that the project does not write: {', '.join(strange)}")
    for code in (y.what for y in yields if y.what):
        _resolved(code)
    return ", ".join(str(y.what) if y.what else f"maps {', '.join(y.maps)}" for y in yields)


def _resolved(code: Code) -> None:
    known = codes.known().get((code.scheme, code.code))
    if known is not None and known.meaning != code.meaning:
        raise _Fault(f"({code.code}, {code.scheme}) means '{known.meaning}', not '{code.meaning}'")
    if not code.code.strip() or not code.meaning.strip():
        raise _Fault(f"a code without value or meaning: {code!r}")
    if known is None and code.scheme not in _PUBLIC and not code.scheme.startswith(_PRIVATE):
        raise _Fault(
            f"scheme '{code.scheme}' of '{code}'; known are {', '.join(_PUBLIC)} and {_PRIVATE}… for one's own"
        )


def _parameters(held: Any, kind: type[Any]) -> str:
    found = parameters(held)
    told = inspect.getdoc(held.run) or ""
    for p in found:
        if p.kind not in _PLAIN:
            raise _Fault(f"parameter '{p.name}' is a {getattr(p.kind, '__name__', p.kind)}; a form has no field for it")
        if not isinstance(p.default, (p.kind, int) if p.kind is float else p.kind):
            raise _Fault(f"parameter '{p.name}' has the default {p.default!r}, which is no {p.kind.__name__}")
        if p.choices and p.default not in p.choices:
            raise _Fault(f"parameter '{p.name}' has a default outside its choices")
        if not re.search(rf"\b{p.name}\b", told):
            raise _Fault(f"the docstring of run does not explain '{p.name}'")
    return ", ".join(f"{p.name}={p.default!r}" for p in found) or "none"


def _limits(held: Any, kind: type[Any]) -> str:
    limits = getattr(held, "limits", Limits())
    if not isinstance(limits, Limits) or not 0 < limits.seconds <= 3600 or not 0 < limits.memory_mib <= 65536:
        raise _Fault(f"limits is {limits!r}; it needs Limits of at most an hour and 64 GiB")
    return f"{limits.seconds:g} s, {limits.memory_mib} MiB"


def _pickles(held: Any, kind: type[Any]) -> str:
    back = pickle.loads(pickle.dumps(held))  # noqa: S301  our own bytes of a moment ago
    if type(back) is not kind:
        raise _Fault(f"it came back as {type(back).__name__}")
    return "it travels to a process of its own"


def _turns_away(held: Any, kind: type[Any]) -> str:
    empty = Series("2.25.1", "XX", instances=(Instance("2.25.2", "", "", "", 0),))
    for name, need in held.needs.items():
        if not need.unmet(empty):
            raise _Fault(f"'{name}' would take a series of unknown modality without pixels")
    return "a foreign series without pixels meets no need"


def _page(held: Any, folder: Path) -> str:
    page = folder / f"{held.name}.md"
    if not page.is_file():
        raise _Fault(f"{page.name} is not among the pages")
    text = page.read_text("utf-8")
    missing = [p.name for p in parameters(held) if p.name not in text]
    if missing:
        raise _Fault(f"{page.name} does not tell of {', '.join(missing)}")
    return f"{page.name}, {len(text.split())} words"


# ---- what it does -------------------------------------------------------------------------------------------------


def _asked(held: Any, kind: type[Any], into: list[_Case]) -> str:
    give = getattr(held, "examples", None) or EXAMPLES.get(held.name)
    if give is None:
        raise _Fault(
            "there is no examples(); without inputs of known truth nothing that it says can be checked. Write a class"
            " method that yields pairs of inputs and truth, as docs/do/write-an-analysis.md shows"
        )
    examples = tuple((dict(i), dict(t)) for i, t in give())
    if not examples:
        raise _Fault("examples() is empty")
    started = time.perf_counter()
    answers = tuple(_answer(held, inputs) for inputs, _ in examples)
    seconds = time.perf_counter() - started
    into.append(_Case(held, examples, answers))
    return f"{len(examples)} in {seconds:.1f} s"


def _answer(held: Any, inputs: Mapping[str, Any]) -> Answer:
    given = dict(inputs)
    if getattr(held, "weights", ""):
        from isocenter.analysis.weights import session_for

        given["weights"] = session_for(held, _SHELF.get())
    try:
        answer = held.run(**given)
    except IsocenterError as why:
        return Answer.declined(str(why))
    if not isinstance(answer, Answer):
        raise _Fault(f"run returned {type(answer).__name__}; it must return an Answer")
    return answer


def _true(case: _Case) -> str:
    count = 0
    for number, ((_, truth), answer) in enumerate(zip(case.examples, case.answers, strict=True), start=1):
        where = f"example {number}"
        if answer.outcome.value != truth.get("answer"):
            said = f" ({'; '.join(answer.reasons)})" if answer.reasons else ""
            raise _Fault(f"{where}: the truth is {truth.get('answer')}, it answered {answer.outcome.value}{said}")
        if "findings" in truth and len(answer.findings) != truth["findings"]:
            raise _Fault(f"{where}: {len(answer.findings)} findings, in truth {truth['findings']}")
        for meaning, (value, tolerance) in truth.get("measurements", {}).items():
            said_values = [m.value for m in _measured(answer) if str(m.what) == meaning]
            if not any(abs(v - value) <= tolerance for v in said_values):
                raise _Fault(f"{where}: {meaning} is {said_values or 'not given'}, in truth {value} ± {tolerance}")
            count += 1
        words = " ".join((*answer.reasons, *(f.words for f in answer.findings)))
        if truth.get("words", "").lower() not in words.lower():
            raise _Fault(f"{where}: '{truth['words']}' is not said; it said '{words}'")
    return f"{len(case.answers)} answers and {count} values fit"


def _three_answers(case: _Case) -> str:
    for answer in case.answers:
        if answer.outcome is Outcome.DECLINED and (answer.findings or answer.measurements or answer.maps):
            raise _Fault("a declined answer carries numbers")
        if answer.outcome is Outcome.DECLINED and not any(r.strip() for r in answer.reasons):
            raise _Fault("a declined answer without a reason")
        if answer.outcome is Outcome.NONE and answer.findings:
            raise _Fault("an answer 'none' carries findings")
        if answer.outcome is Outcome.FOUND and not (answer.findings or answer.measurements or answer.maps):
            raise _Fault("an answer 'found' shows nothing")
    shown = {a.outcome for a in case.answers}
    if Outcome.DECLINED not in shown or len(shown) < 2:
        raise _Fault(f"its examples show only {', '.join(sorted(shown))}; one must be declined, one must not")
    return ", ".join(sorted(shown))


def _within_yields(case: _Case) -> str:
    allowed = {y.what for y in case.analysis.yields if y.what}
    units = {u for y in case.analysis.yields for u in y.units}
    maps = {m for y in case.analysis.yields for m in y.maps}
    for answer in case.answers:
        for code in (*(f.what for f in answer.findings), *(m.what for m in answer.measurements)):
            if code not in allowed:
                raise _Fault(f"it says '{code}' and does not declare it")
        for m in _measured(answer):
            _resolved(m.what)
            if m.unit not in units:
                raise _Fault(f"it gives {m.what} in '{m.unit}' and does not declare that unit")
        undeclared = set(answer.maps or {}) - maps
        if undeclared:
            raise _Fault(f"it gives the map {', '.join(sorted(undeclared))} and does not declare it")
    return "it says what it declares"


def _about_its_images(case: _Case) -> str:
    for (inputs, _), answer in zip(case.examples, case.answers, strict=True):
        try:
            Shown.of(inputs).hold(case.analysis.name, answer)
        except IsocenterError as why:
            raise _Fault(str(why)) from why
    return "series, images, places and sizes are those of its inputs"


def _asked_again(held: Any, inputs: Mapping[str, Any], traced: bool) -> _Again:
    """Memory is counted where `traced`: it is the first example, and counting takes time."""
    arrays = [a for value in inputs.values() for a in _arrays(value)]
    before = [_seal(a) for a in arrays]
    locked = [a for a in arrays if a.flags.writeable]
    for a in locked:
        a.setflags(write=False)
    digest, wrote = "", False
    if traced:
        tracemalloc.start()
    started = time.perf_counter()
    try:
        digest = _digest(_answer(held, inputs))
    except ValueError as fault:
        wrote = "read-only" in str(fault)
        if not wrote:
            raise
    finally:
        seconds, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1] / 2**20 if traced else 0.0
        tracemalloc.stop()
        for a in locked:
            a.setflags(write=True)
    return _Again(digest, wrote, before != [_seal(a) for a in arrays], seconds, peak)


def _deterministic(case: _Case) -> str:
    for number, (again, before) in enumerate(zip(case.again, case.answers, strict=True), start=1):
        if not again.wrote and again.digest != _digest(before):
            raise _Fault(f"example {number}: asked twice, it gave two answers")
    return "the same input has the same answer"


def _leaves_inputs(case: _Case) -> str:
    for number, again in enumerate(case.again, start=1):
        if again.wrote:
            raise _Fault(f"example {number}: it writes into its input")
        if again.changed:
            raise _Fault(f"example {number}: its input is another afterwards")
    return "its inputs are as they were"


def _knows_its_place(case: _Case) -> str:
    """All three axes on the first example that lies in the patient, one of them on each other, in turn."""
    tried = 0
    for number, ((inputs, _), before) in enumerate(zip(case.examples, case.answers, strict=True), start=1):
        if before.outcome is Outcome.DECLINED or not all(map(_in_patient, inputs.values())):
            continue
        for axis in (tried % 3,) if tried else (0, 1, 2):
            turned = {name: _flipped(value, axis) for name, value in inputs.items()}
            difference = _differ(before, _answer(case.analysis, turned))
            if difference:
                raise _Fault(f"example {number}, array and affine flipped along axis {axis}: {difference}")
            tried += 1
    return f"{tried} flips change no measurement" if tried else "no example lies in patient space: nothing to flip"


def _bears_bad_input(case: _Case) -> str:
    tried = 0
    for what, inputs in _bad(case):
        try:
            answer = _answer(case.analysis, inputs)
        except Exception as foreign:
            raise _Fault(f"{what}: it raised {type(foreign).__name__}: {foreign}; it should decline") from foreign
        # Only who judges images may find something in what holds no image.
        about_quality = {codes.QUALITY_ISSUE, codes.HEADER_MISMATCH} & {f.what for f in answer.findings}
        if answer.outcome is Outcome.FOUND and not about_quality:
            raise _Fault(f"{what}: it found something; it should decline")
        tried += 1
    return f"{tried} bad inputs were declined"


def _bad(case: _Case) -> Iterator[tuple[str, Mapping[str, Any]]]:
    inputs = next(i for (i, _), a in zip(case.examples, case.answers, strict=True) if a.outcome is not Outcome.DECLINED)
    optional = [k for k, need in case.analysis.needs.items() if need.optional]
    for name, given in inputs.items():
        value = given.given if isinstance(given, Dated) else given
        if isinstance(value, Volume):
            floats = value.array.astype(np.float32)
            for what, array in (
                ("all zero", np.zeros_like(floats)),
                ("one value", np.full_like(floats, 100.0)),
                ("not a number", np.full_like(floats, np.nan)),
                ("infinite", np.full_like(floats, np.inf)),
            ):
                yield f"{name} {what}", {**inputs, name: _instead(given, replace(value, array=array))}
            one = value.cropped((0, 0, 0), (1, 1, 1))
            alone = {k: v for k, v in inputs.items() if k not in optional} | dict.fromkeys(optional)
            yield f"{name} of one voxel", {**alone, name: _instead(given, one)}
        elif isinstance(value, tuple) and value and all(isinstance(v, Volume) for v in value):
            many = [v for v in value if isinstance(v, Volume)]
            if not case.analysis.needs[name].optional:
                yield f"{name} empty", {**inputs, name: ()}
            for what, fill in (("all zero", 0.0), ("not a number", np.nan), ("infinite", np.inf)):
                bad = tuple(replace(v, array=np.full(v.array.shape, fill, np.float32)) for v in many)
                yield f"{name} {what}", {**inputs, name: bad}
        elif isinstance(value, tuple) and value and all(isinstance(r, Region) for r in value):
            if not case.analysis.needs[name].optional:
                yield f"{name} empty", {**inputs, name: _instead(given, ())}
            blank = tuple(replace(r, mask=np.zeros_like(r.mask)) for r in value if r.mask is not None)
            yield f"{name} without voxels", {**inputs, name: _instead(given, blank)}


def _instead(given: Any, bad: Any) -> Any:
    """The bad value as it would have come: on its day, where it has one."""
    return replace(given, given=bad) if isinstance(given, Dated) else bad


def _in_limits(case: _Case) -> str:
    limits = getattr(case.analysis, "limits", Limits())
    seconds, peak = max(a.seconds for a in case.again), max(a.peak_mib for a in case.again)
    if seconds > limits.seconds or peak > limits.memory_mib:
        raise _Fault(
            f"{seconds:.1f} s and {peak:.0f} MiB; its limits are {limits.seconds:g} s, {limits.memory_mib} MiB"
        )
    return f"{seconds:.2f} s, {peak:.0f} MiB"


def _can_be_shown(case: _Case) -> str:
    shown = 0
    for number, ((inputs, _), answer) in enumerate(zip(case.examples, case.answers, strict=True), start=1):
        grids = [g for value in inputs.values() for g in _grids(value)]
        for finding in answer.findings:
            if finding.where is None:
                continue
            if not any(finding.where.geometry.same_grid(g) for g in grids):
                raise _Fault(f"example {number}: '{finding.what}' lies on a grid that no input has")
            shown += 1
        for name, made in (answer.maps or {}).items():
            if not any(made.geometry.same_grid(g) for g in grids):
                raise _Fault(f"example {number}: the map '{name}' lies on a grid that no input has")
            shown += 1
        if answer.outcome is Outcome.FOUND and any(not f.words.strip() for f in answer.findings):
            raise _Fault(f"example {number}: a finding without words for the reader")
    return f"{shown} regions and maps lie on the images; every finding has words"


def _seal(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _measured(answer: Answer) -> list[Measurement]:
    return [*answer.measurements, *(m for f in answer.findings for m in f.measurements)]


def _digest(answer: Answer) -> str:
    maps = {n: _seal(v.array) for n, v in (answer.maps or {}).items()}
    plain = [answer.outcome, answer.findings, answer.measurements, answer.curves, answer.reasons, maps]
    return digest_of([to_plain(p) for p in plain])


def _differ(before: Answer, after: Answer) -> str:
    if before.outcome is not after.outcome:
        return f"{before.outcome.value} became {after.outcome.value} {'; '.join(after.reasons)}".strip()
    one, two = (sorted((str(m.what), m.unit, m.definition, m.value) for m in _measured(a)) for a in (before, after))
    if [m[:3] for m in one] != [m[:3] for m in two]:
        return "other measurements are given"
    for a, b in zip(one, two, strict=True):
        if abs(a[3] - b[3]) > _FLIP_TOLERANCE * max(abs(a[3]), abs(b[3]), 1e-6):
            return f"{a[0]} {a[2]} changed from {a[3]:g} to {b[3]:g} {a[1]}"
    return ""


def _held(value: Any) -> Iterator[Volume | Region]:
    """The volumes and regions in an input, also those of other days."""
    if isinstance(value, (Volume, Region)):
        yield value
    elif isinstance(value, Dated):
        yield from _held(value.given)
    elif isinstance(value, tuple):
        for one in value:
            yield from _held(one)


def _arrays(value: Any) -> list[Any]:
    arrays = (one.array if isinstance(one, Volume) else one.mask for one in _held(value))
    return [a for a in arrays if a is not None]


def _grids(value: Any) -> list[Geometry]:
    return [one.geometry for one in _held(value)]


def _in_patient(value: Any) -> bool:
    return all(g.reference is Reference.PATIENT for g in _grids(value))


def _flipped(value: Any, axis: int) -> Any:
    if isinstance(value, Volume | Region):
        return value.flipped(axis)
    if isinstance(value, Dated):
        return replace(value, given=_flipped(value.given, axis))
    return tuple(_flipped(one, axis) for one in value) if isinstance(value, tuple) else value


_STANDING: tuple[tuple[str, Callable[[Any, type[Any]], str]], ...] = (
    ("has a name and a version", _named),
    ("opens with its question", _question),
    ("needs are declared", _needs),
    ("takes what it needs", _takes),
    ("yields are declared", _yields),
    ("parameters have types, defaults and words", _parameters),
    ("limits are set", _limits),
    ("can be pickled", _pickles),
    ("turns foreign series away", _turns_away),
)
_RUNNING: tuple[tuple[str, Callable[[_Case], str]], ...] = (
    ("tells the truth of its examples", _true),
    ("gives one of three answers", _three_answers),
    ("stays within its yields", _within_yields),
    ("stays with its images", _about_its_images),
    ("is deterministic", _deterministic),
    ("leaves its inputs alone", _leaves_inputs),
    ("measures the same when flipped", _knows_its_place),
    ("declines bad input", _bears_bad_input),
    ("stays within its limits", _in_limits),
    ("can be shown on the images", _can_be_shown),
)
