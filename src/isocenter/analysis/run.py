"""Run one analysis: inputs in, a Result with origin and receipt out, inside its limits.

The analysis itself is a plain function. Everything that a site owes to its readers is added here: parameters
checked, refusals turned into *declined, because …*, findings held to what was declared and to the images that were
given, regions written and read back, cost counted, and a process of its own when strangers' code or hostile pixels
must not harm the server.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import multiprocessing
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, TypeVar, cast

import numpy as np

from isocenter import __version__
from isocenter.analysis.need import Dated
from isocenter.analysis.protocol import Analysis, Answer, Limits, parameters
from isocenter.analysis.registry import address, load
from isocenter.analysis.scratch import bound_files, scratch, written_bytes
from isocenter.analysis.shown import Shown
from isocenter.dicom.confining import confine
from isocenter.dicom.patience import Patience, processor_seconds
from isocenter.errors import IsocenterError, LimitReached, Refused
from isocenter.methods.look import look
from isocenter.record import Finding, Map, Measurement, Origin, Outcome, Receipt, Result, Urgency, digest_of
from isocenter.space import Region, Volume

__all__ = ["Inputs", "Request", "Run", "apart", "preload", "run", "run_apart", "warm_up"]

T = TypeVar("T")
_LOOK_S = 0.25  # how often somebody who waits for a process looks whether it shall end
_AGAIN = "Run it again, alone if the machine is busy."
Inputs = Mapping[str, Any]
"""Need name -> Volume, tuple of Region, or None where an optional need found nothing."""


@dataclass(frozen=True)
class Request:
    """What to run, on what, for whom. `load` gives the inputs where they are needed, in the process that runs."""

    analysis: str  # ``module:Class`` or name
    study_uid: str
    load: Callable[[], Inputs]
    now: datetime
    parameters: Mapping[str, Any] | None = None
    digests: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    models: str = ""  # folder of a site's own weights
    told: tuple[str, ...] = ()  # what is said with the answer, whatever it is


@dataclass(frozen=True)
class Run:
    """What a run gives: the Result, and the blobs (digest -> bytes) that it names."""

    result: Result
    blobs: Mapping[str, bytes]


def run(request: Request, analysis: Analysis | None = None, *, alone: bool = False) -> Run:
    """Run in this process.

    Args:
        alone: this process is the analysis' own: once its inputs and weights are there, it has no network any more and
            starts no program, for the rest of its life.

    Returns:
        always a Result: found, none, or declined with its reasons. What goes wrong in an analysis is a declined
        answer that says so; it never stops the study.
    """
    from pathlib import Path

    started = time.monotonic()
    held = analysis if analysis is not None else load(request.analysis)
    blobs: dict[str, bytes] = {}
    model = ""
    seen: tuple[float, ...] = ()
    chosen: dict[str, Any] = {}
    told = request.told
    try:
        chosen = _chosen(held, request.parameters or {})
        inputs = dict(request.load())
        seen, told = _look(inputs), (*request.told, *_told(inputs))
        shown = Shown.of(inputs, request.series)
        if weights := getattr(held, "weights", ""):
            from isocenter.analysis import weights as shelf

            extra = Path(request.models) if request.models else None
            model = shelf.model(weights, extra)[0].digest
            inputs["weights"] = shelf.session_for(held, extra)
        if alone:
            confine()
        answer = held.run(**inputs, **chosen)
        if not isinstance(answer, Answer):
            raise Refused(
                f"{held.name} returned {type(answer).__name__}",
                "run must return an Answer",
                "end `run` with found, none or declined",
            )
        answer = replace(answer, reasons=(*answer.reasons, *told)) if told else answer
        answer = _named(shown.hold(held.name, _held_to_yields(held, answer)), request, held)
        maps = _maps(answer, blobs)
    except IsocenterError as refusal:
        answer, maps = Answer.declined(str(refusal), *told), ()
    except MemoryError:
        answer, maps = Answer.declined(_over_memory(getattr(held, "limits", Limits()).memory_mib), *told), ()
    except Exception as fault:  # a fault in one analysis must not stop the others
        answer, maps = (
            Answer.declined(
                f"it failed: {type(fault).__name__}: {fault}. This is a fault of the analysis, not of the images",
                *told,
            ),
            (),
        )
    origin = Origin("machine", held.name, held.version, model, chosen)
    receipt = Receipt(
        tuple(sorted(request.digests)), request.series, __version__, round(time.monotonic() - started, 3), _peak_mib(),
        seen,
    )  # fmt: skip
    if answer.outcome is Outcome.DECLINED:
        blobs = {}
    result = Result(
        request.study_uid, answer.outcome, origin, request.now, answer.reasons, answer.findings, answer.measurements,
        maps, answer.curves, _urgency(held, answer), receipt,
    )  # fmt: skip
    return Run(result, blobs)


def _told(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """What reading the inputs had to tell, as of stacks of a series that were not taken; each once."""
    words: list[str] = []
    for one in _read(inputs.values()):
        if isinstance(one, Volume):
            words += map(str, one.facts.get("Told", ()))
        elif one.shared_ml:
            words.append(
                f"WARNING: contours of {one.label or 'a structure'} cross, and what they share was left out as a hole: "
                f"if they are parts of it, its volume is {one.shared_ml:.2g} mL larger"
            )
    return tuple(dict.fromkeys(words))


def _read(values: Iterable[Any]) -> Iterator[Volume | Region]:
    for one in values:
        if isinstance(one, Volume | Region):
            yield one
        elif isinstance(one, Dated):
            yield from _read((one.given,))
        elif isinstance(one, list | tuple):
            yield from _read(one)


def _look(inputs: Mapping[str, Any]) -> tuple[float, ...]:
    """How the first image among the inputs of an analysis looks; nothing where there is none."""
    each = (one for value in inputs.values() for one in (value if isinstance(value, list | tuple) else (value,)))
    first = next((one for one in each if isinstance(one, Volume)), None)
    return (first is not None and look(first.array)) or ()


def run_apart(request: Request, *, stopped: Callable[[], bool] = bool) -> Run:
    """Run in a process of its own with the limits of the analysis; whatever happens there, this process goes on.

    Args:
        stopped: asked while it runs; once it says so the process is ended, and the answer is a declined one.
    """
    held = load(request.analysis)
    limits: Limits = getattr(held, "limits", Limits())
    done = _asked(partial(run, replace(request, analysis=address(held)), alone=True), limits, stopped)
    return done if isinstance(done, Run) else _declined(request, held, done, limits.seconds)


def apart(work: Callable[[], T], limits: Limits) -> T:
    """What some work gives, done in a process of its own with limits; whatever happens there, this process goes on.

    Args:
        work: travels to the other process, and so does what it gives.

    Raises:
        Refused: it took too long, too much memory, or failed; with the reason.
    """
    done = _asked(partial(_boxed, work), limits)
    if isinstance(done, str):
        raise Refused("the work in a process of its own", done, "run `isocenter check FILE`, which tells more")
    return cast("T", done[0])


def _boxed(work: Callable[[], Any]) -> tuple[Any]:
    """Tell an answer from a reason."""
    return (work(),)


def _asked(work: Callable[[], Any], limits: Limits, stopped: Callable[[], bool] = bool) -> Any:
    """What some work gives in a process of its own, or in words why it gives nothing."""
    with contextlib.ExitStack() as held:
        try:
            folder = held.enter_context(scratch())
        except OSError as full:
            return f"there is no room for its temporary files ({full.strerror}): free some, or set TMPDIR"
        here, there = _context().Pipe(duplex=False)
        child = _context().Process(target=_apart, args=(there, work, limits, folder), daemon=True)
        child.start()
        there.close()
        try:
            return _awaited(here, child.pid, limits, folder, stopped)
        except EOFError:
            child.join(5)
            code = child.exitcode
            return f"its process ended with code {code}: killed, out of memory, or a fault in a library. {_AGAIN}"
        finally:
            here.close()
            if child.is_alive():
                child.kill()
            child.join(5)


def _awaited(here: Connection, pid: int | None, limits: Limits, folder: str, stopped: Callable[[], bool]) -> Any:
    """What comes back from a process, or why nobody waits any longer."""
    patience = Patience(limits.seconds, lambda: processor_seconds(pid or 0))
    while not here.poll(min(_LOOK_S, max(0.01, patience.left()))):
        if stopped():
            return "it was stopped"
        if written_bytes(pid, folder) > limits.disk_mib * 2**20:
            return f"it wrote more than {limits.disk_mib} MiB to the disk, its limit"
        if patience.left() <= 0 and not here.poll():
            return f"it took more than {limits.seconds:g} s, its limit. {_AGAIN}"
    return here.recv()


def _apart(pipe: Connection, work: Callable[[], Any], limits: Limits, folder: str) -> None:
    _limit_memory(limits.memory_mib)
    bound_files(folder, limits.disk_mib * 2**20)
    try:
        pipe.send(work())
    except MemoryError:
        pipe.send(_over_memory(limits.memory_mib))
    except IsocenterError as refusal:
        pipe.send(str(refusal))
    except Exception as fault:  # such as an analysis that cannot be imported here
        pipe.send(f"it could not be run: {type(fault).__name__}: {fault}")
    finally:
        pipe.close()


_preloaded = ["isocenter.analysis.run", "scipy.ndimage", "onnxruntime"]


def preload(*modules: str) -> None:
    """Modules that the fork server holds ready, so that no run pays for importing them; before the first run."""
    _preloaded.extend(m for m in modules if m not in _preloaded)


def warm_up(*first: Callable[[], object]) -> None:
    """Start the fork server now and not with the first study.

    Args:
        first: what is done once, behind everything else: what it compiles is kept on disk, and nobody waits for it.
    """
    child = _context().Process(target=_behind, args=first, daemon=True)
    child.start()
    child.join()


def _behind(*first: Callable[[], object]) -> None:
    """A child that proves that children can be made, and does what can be done before anybody asks."""
    if hasattr(os, "nice"):
        os.nice(15)
    for act in first:
        act()


def _context() -> Any:
    # A fork server is one quiet process: its children start in milliseconds and inherit no thread or lock of ours.
    context = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
    if sys.platform != "win32":
        context.set_forkserver_preload(_preloaded)
    return context


def _limit_memory(memory_mib: int) -> None:
    """Bound what the child may take beyond what its libraries have mapped at the start."""
    if not sys.platform.startswith("linux"):
        return
    with open("/proc/self/statm", encoding="ascii") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    most = mapped + memory_mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _declined(request: Request, held: Analysis, reason: str, seconds: float) -> Run:
    origin = Origin("machine", held.name, held.version, "", dict(request.parameters or {}))
    receipt = Receipt(tuple(sorted(request.digests)), request.series, __version__, seconds, 0.0)
    return Run(Result(request.study_uid, Outcome.DECLINED, origin, request.now, (reason,), receipt=receipt), {})


def _over_memory(memory_mib: int) -> str:
    return str(LimitReached(f"it needed more than {memory_mib} MiB of memory", "its limit", "crop the series"))


_KINDS: Mapping[type, str] = {bool: "yes or no", int: "a whole number", float: "a number", str: "a word or text"}
_YES, _NO = frozenset({"yes", "true", "on", "1"}), frozenset({"no", "false", "off", "0"})


def _as(kind: type, value: Any) -> Any:
    """A value as a parameter's kind takes it: from a command or a form everything comes as text.

    >>> _as(bool, "false"), _as(int, "12"), _as(float, "1.5"), _as(str, (12, 10))
    (False, 12, 1.5, '12, 10')

    Raises:
        ValueError: for what is none of the kind.
    """
    said = value.strip().casefold() if isinstance(value, str) else value
    if kind is bool and not isinstance(value, bool):
        if str(said) not in _YES | _NO:
            raise ValueError(said)
        return str(said) in _YES
    if kind in (int, float) and isinstance(value, bool):
        raise ValueError(said)
    if kind is int and not isinstance(value, int):
        if not float(said).is_integer():
            raise ValueError(said)
        return int(float(said))
    if kind is float and math.isnan(float(said)):
        raise ValueError(said)
    if kind is str and isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return value if isinstance(value, kind) else kind(value)


def _as_listed(value: Any, choices: Sequence[Any]) -> Any:
    """The one choice that differs from a word in nothing but capitals, spaces, hyphens and underscores; else the word.

    >>> _as_listed("Wider-than-tall", ("not stated", "wider than tall")), _as_listed("solid", ("mixed",))
    ('wider than tall', 'solid')
    """
    if value in choices or not isinstance(value, str):
        return value
    alike = [c for c in choices if isinstance(c, str) and _plain(c) == _plain(value)]
    return alike[0] if len(alike) == 1 else value


def _plain(word: str) -> str:
    return " ".join(word.casefold().replace("-", " ").replace("_", " ").split())


def _chosen(held: Analysis, given: Mapping[str, Any]) -> dict[str, Any]:
    known = {p.name: p for p in parameters(held)}
    for name in given:
        if name not in known:
            raise Refused(
                f"parameter '{name}'", f"{held.name} has {', '.join(known) or 'no parameters'}",
                "give one of these" if known else "leave it out",
            )  # fmt: skip
    chosen: dict[str, Any] = {}
    for name, p in known.items():
        value = given.get(name, p.default)
        try:
            chosen[name] = value if value is None else _as(p.kind, value)
        except (TypeError, ValueError, OverflowError) as wrong:
            do = "correct it" if p.default in (None, "", ()) else f"write it as {name}={p.default}"
            raise Refused(f"{name} = {value!r}", f"it must be {_KINDS.get(p.kind, p.kind.__name__)}", do) from wrong
        if p.choices:
            chosen[name] = _as_listed(chosen[name], p.choices)
        if p.choices and chosen[name] not in p.choices:
            raise Refused(
                f"{name} = {value!r}", f"it must be one of {', '.join(map(str, p.choices))}", "give one of these"
            )
    return chosen


def _held_to_yields(held: Analysis, answer: Answer) -> Answer:
    """What an analysis did not declare, it may not say."""
    codes = {y.what for y in held.yields if y.what}
    units = {u for y in held.yields for u in y.units}
    maps = {m for y in held.yields for m in y.maps}
    for finding in answer.findings:
        if finding.what not in codes:
            raise Refused(
                f"{held.name} found '{finding.what}'",
                "it does not declare that in its yields",
                "add it to `yields` of the analysis",
            )
    said: list[Measurement] = [*answer.measurements, *(m for f in answer.findings for m in f.measurements)]
    for measurement in said:
        if measurement.unit not in units:
            raise Refused(
                f"{held.name} gave {measurement.what} in {measurement.unit}",
                "it does not declare that unit",
                "add the unit to `yields` of the analysis",
            )
    for name in answer.maps or {}:
        if name not in maps:
            raise Refused(
                f"{held.name} gave the map '{name}'",
                "it does not declare that in its yields",
                "add it to `yields` of the analysis",
            )
    return answer


def _named(answer: Answer, request: Request, held: Analysis) -> Answer:
    """Give each finding its tracking identity, the same for the same input, say of what is for research that it is,
    and prove that its region reads back."""
    research = {y.what for y in held.yields if y.research}
    findings: list[Finding] = []
    for number, finding in enumerate(answer.findings):
        if finding.where is not None and Region.from_json(finding.where.to_json()) != finding.where:
            raise Refused(
                f"the region of '{finding.what}'",
                "it did not read back as it was written",
                "give it the grid of the image that it was found on",
            )
        key = digest_of([request.study_uid, held.name, sorted(request.digests), number, finding.what])
        tracking = finding.tracking or f"2.25.{int(key[:31], 16)}"
        findings.append(replace(finding, tracking=tracking, research=finding.what in research))
    return replace(answer, findings=tuple(findings))


_SALIENCY = re.compile(r"(?i)salien|attribution|grad[-_ ]?cam|integrated[-_ ]?gradient|class[-_ ]?activation")
"""What a map is called that shows where a model was sensitive, whether or not its analysis says so: a verdict decides
whether it may be shown, and no slip may go round that."""


def _maps(answer: Answer, blobs: dict[str, bytes]) -> tuple[Map, ...]:
    maps = []
    for name, volume in (answer.maps or {}).items():
        data = _npy(volume)
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        finite = volume.array[np.isfinite(volume.array)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        of_a_model = name in answer.sensitivity or volume.quantity.casefold() == "sensitivity"
        kind = "sensitivity" if of_a_model or _SALIENCY.search(f"{name} {volume.quantity}") else "parametric"
        ranges = answer.thresholds.get(name, ())
        about = (name, volume.quantity, volume.unit, volume.geometry, digest, kind, volume.series_uid)
        maps.append(Map(*about, low, high, ranges))
    return tuple(maps)


def _npy(volume: Volume) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(volume.array, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()


def _urgency(held: Analysis, answer: Answer) -> Urgency:
    found = {f.what for f in answer.findings}
    levels: Sequence[Urgency] = [y.urgency for y in held.yields if y.what in found]
    return min(levels, key=list(Urgency).index, default=Urgency.ROUTINE)


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, 1)
