"""Cohorts on their way out by the page: what would leave, copies made while one waits, one file to take, and gone.

The act itself, with its rights, terms of use and entries in the journal, is `isocenter.site.handing_out`; here it is
run for somebody at a screen. Copies lie in a folder of this server until whoever asked has taken them, says that they
may go, a day has passed, or terms of use of one of them ended; a run that is stopped or refused leaves nothing and no
entry.

A server that keeps them (`keep`) finds them again after a restart, also after it was killed. What is ready stays ready,
once terms of use were asked anew. What was half done is made from the beginning, as the journal has no entry of it;
where the journal has, the copies are whole and are only packed, so that nothing leaves twice; and where they are not,
that is said.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from isocenter.dicom.alike import SMALLEST_GROUP, must_say_why
from isocenter.errors import IsocenterError, LimitReached, NotFound, Refused, WrongState
from isocenter.govern.consent import Purpose, Use
from isocenter.govern.policy import Person, Role, must
from isocenter.record import Kind
from isocenter.site import temporary
from isocenter.site.hand_out_ledger import Ledger
from isocenter.site.handing_out import HandingOut

__all__ = ["KEPT", "HandOuts"]

KEPT = timedelta(hours=24)
"""How long copies stay that nobody asks for."""

_PREFIX = "isocenter-hand-out-"
_RUNS = 2  # of one person: each holds the copies of a whole cohort
_SHOWN = 200  # of what stayed
_LOST = (
    "the journal says that these copies were made, and they are not on this server any more: nobody has taken them here"
)
_BEFORE = 1000  # entries of the journal that are looked through


class _Stopped(Exception):
    """Whoever asked for it does not want it any more."""


@dataclass
class _Run:
    """One cohort on its way: whose, how far, and where its copies lie."""

    id: str
    who: Person
    cohort: str
    use: Use
    folder: Path
    touched: datetime
    asked: Mapping[str, Any]
    begun: datetime
    state: str = "waiting"
    words: str = "another cohort is before it"
    done: int = 0
    of: int = 0
    report: dict[str, Any] = field(default_factory=dict)
    left: list[dict[str, str]] = field(default_factory=list)
    file: Path | None = None


class HandOuts:
    """The hand-outs of one server.

    Args:
        site: what makes the copies.
        base: where temporary folders are made; the system's own place where it is not given.
        workers: processes that make copies; one for each processor where it is not given.
    """

    def __init__(
        self, site: HandingOut, clock: Callable[[], datetime], *, base: Path | None = None, workers: int = 0
    ) -> None:
        self._site, self._clock, self._workers = site, clock, workers or os.cpu_count() or 1
        self._base = base or Path(tempfile.gettempdir())
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "hand-out")
        self._swept = threading.Event()
        self._ledger: Ledger | None = None
        temporary.sweep(_PREFIX, self._base)

    def keep(self, folder: Path) -> None:
        """Keep hand-outs in a folder from now on, and go on with those that an earlier server left there.

        Raises:
            Unavailable: another server keeps them there.
        """
        self._ledger = Ledger(folder)
        for id, told in self._ledger.kept():
            run = self._found(id, told)
            self._runs[id] = run
            if run.state in ("waiting", "running"):
                self._again(run)
            else:
                self._put(run)

    def plan(self, cohort: str, purpose: Purpose, *, who: Person, **said: Any) -> dict[str, Any]:
        """What would leave for a use, what would stay and why, and what left before. Asks only; nothing is recorded.

        Args:
            cohort: digest of a frozen cohort.
            said: of the use, as the terms may ask it (`isocenter.govern.consent.Use`).

        Raises:
            NotFound: none of that digest was frozen.
        """
        must(who, "export", cohort)
        use = self._site.consents.use(purpose, who=who, **said)
        made, kept, left = self._site.would_leave(cohort, use, who=who)
        why = Counter(row["why"] for row in left).most_common()
        return {
            "id": cohort, "name": made.name, "purpose": use.purpose.value, "studies": len(kept),
            "of": len(made.members), "people": len({m.patient for m in kept}),
            "left_out": [{"why": w, "studies": n} for w, n in why],
            "smallest_group": SMALLEST_GROUP, "purposes": [p.value for p in Purpose if p is not Purpose.CARE],
            "institution": sorted(use.institutions), "country": sorted(use.countries),
            "running": next((r.id for r in self._runs.values() if r.cohort == cohort and r.who.name == who.name), ""),
            "before": self._before(cohort),
        }  # fmt: skip

    def begin(
        self, cohort: str, purpose: Purpose, *, who: Person, reviewed: Sequence[str] = (), blank: bool = False,
        smallest_group: int = SMALLEST_GROUP, reason: str = "", **said: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Begin to make the copies.

        Args:
            reviewed: SOP Instance UIDs of images that `who` has looked at, and that may leave.
            blank: images with found writing go, the found lines blanked.
            smallest_group, reason: fewest alike patients, and why fewer may leave.

        Raises:
            Refused: nobody of the cohort may be used so, or groups under five are asked for without a reason.
            LimitReached: this person has several on their way.
        """
        must(who, "export", cohort)
        must_say_why(smallest_group, reason)
        use = self._site.consents.use(purpose, who=who, **said)
        self._site.must_have_members(*self._site.would_leave(cohort, use, who=who)[1:])
        self.expire()
        with self._lock:
            if sum(r.who.name == who.name for r in self._runs.values()) >= _RUNS:
                raise LimitReached(
                    f"{_RUNS} cohorts on their way", "each holds its copies", "take one of them, and delete it here"
                )
            id, now = secrets.token_hex(16), self._clock()
            folder = self._ledger.place(id) if self._ledger else temporary.made(_PREFIX, self._base)
            how = {"reviewed": list(reviewed), "blank": blank, "smallest_group": smallest_group, "reason": reason}
            plain = {n: sorted(v) if isinstance(v, frozenset) else v for n, v in said.items()}
            asked = {"purpose": use.purpose.value, "said": plain, "how": how}
            self._runs[id] = run = _Run(id, who, cohort, use, folder, now, asked, now)
        self._put(run)
        self._pool.submit(self._work, run)
        return self.state(id, who=who)

    def state(self, id: str, *, who: Person) -> dict[str, Any]:
        """How far it is, what stayed and why, and the report."""
        run = self._run(id, who)
        return {
            "id": id, "cohort": run.cohort, "state": run.state, "words": run.words, "done": run.done, "of": run.of,
            "report": run.report or None, "left": run.left[:_SHOWN], "left_in_all": len(run.left),
            "bytes": run.file.stat().st_size if run.file else None, "gone_at": (run.touched + KEPT).isoformat(),
        }  # fmt: skip

    def file(self, id: str, *, who: Person) -> Path:
        """The copies, the table and the report as one ZIP.

        Raises:
            WrongState: it is not ready.
        """
        run = self._run(id, who)
        if run.file is None:
            raise WrongState(f"a hand-out that is {run.state}", "there is nothing to take", run.words or "wait for it")
        return run.file

    def remove(self, id: str, *, who: Person) -> None:
        """Stop it, or delete its copies here."""
        self._forget(self._run(id, who))

    def expire(self) -> None:
        """Delete copies for which nobody has asked for a day, and those of studies that may no longer be used so."""
        for run in list(self._runs.values()):
            if run.state == "done":
                self._ask_again(run)
            if run.state in ("done", "refused") and self._clock() - run.touched >= KEPT:
                self._forget(run)

    def watch(self, every_s: float = 600.0) -> None:
        """Expire by itself, until `close`."""
        threading.Thread(target=self._watching, args=(every_s,), name="hand-outs", daemon=True).start()

    def close(self) -> None:
        """Stop; delete everything, or where it is kept leave it to the next server."""
        self._swept.set()
        if self._ledger is None:
            for run in list(self._runs.values()):
                self._forget(run)
        self._runs.clear()  # whoever makes copies hears it, and leaves them
        self._pool.shutdown(wait=self._ledger is not None, cancel_futures=True)
        if self._ledger is not None:
            self._ledger.close()

    # ---- within ----------------------------------------------------------------------------------------------

    def _watching(self, every_s: float) -> None:
        while not self._swept.wait(every_s):
            self.expire()

    def _before(self, cohort: str) -> list[dict[str, Any]]:
        told = self._site.journal.since(kinds=(Kind.COHORT_EXPORTED,), subject=cohort, limit=_BEFORE, newest_first=True)
        each = [(s.event, s.event.details) for s in told if s.event.details.get("form") == "dicom"]
        return [
            {
                "when": event.time.isoformat(), "by": event.who, "purpose": said.get("purpose", ""),
                "studies": said.get("rows", 0), "smallest_group": said.get("smallest_group"),
                "reason": said.get("reason", ""),
            }
            for event, said in each
        ]  # fmt: skip

    def _run(self, id: str, who: Person) -> _Run:
        must(who, "export")
        run = self._runs.get(id)
        if run is None or run.who.name != who.name:
            raise NotFound("no such hand-out", "it was deleted, or it is another person's", "begin another one")
        run.touched = self._clock()
        if run.state == "done":
            self._ask_again(run)
        if run.state in ("done", "refused"):
            self._put(run)  # how long it stays
        return run

    def _forget(self, run: _Run) -> None:
        with self._lock:
            self._runs.pop(run.id, None)
        shutil.rmtree(run.folder, ignore_errors=True)

    def _ask_again(self, run: _Run) -> None:
        """Delete copies that are ready as soon as a study of them may no longer be used so."""
        made, kept, _ = self._site.would_leave(run.cohort, run.use, who=run.who)
        within = set(made.members) - {row["study"] for row in run.left}
        gone = within - {member.study for member in kept}
        if not gone:
            return
        run.state, run.file, run.report = "refused", None, {}
        run.words = f"terms of use of {len(gone)} of the studies ended after the copies were made, which are deleted: "
        run.words += "begin again, and what may still be used will leave"
        (run.folder / "cohort.zip").unlink(missing_ok=True)
        shutil.rmtree(run.folder / "cohort", ignore_errors=True)
        self._put(run)

    # ---- kept -------------------------------------------------------------------------------------------------

    def _put(self, run: _Run) -> None:
        """Keep how it stands, where it is kept at all; what was removed meanwhile is not put again."""
        if self._ledger is None or run.id not in self._runs:
            return
        self._ledger.write(run.id, {
            "who": run.who.name, "cohort": run.cohort, "asked": dict(run.asked), "begun": run.begun.isoformat(),
            "touched": run.touched.isoformat(), "state": run.state, "words": run.words, "done": run.done,
            "of": run.of, "report": run.report, "left": run.left, "file": run.file.name if run.file else "",
        })  # fmt: skip

    def _found(self, id: str, told: Mapping[str, Any]) -> _Run:
        """A hand-out as an earlier server left it, with the rights that whoever asked has now."""
        assert self._ledger is not None
        role = self._role_now(told["who"])
        who, asked, folder = Person(told["who"], role or Role.NONE), told["asked"], self._ledger.place(id)
        said = {n: frozenset(v) if isinstance(v, list) else v for n, v in asked["said"].items()}
        use = self._site.consents.use(Purpose(asked["purpose"]), who=who, **said)
        touched, begun = (datetime.fromisoformat(told[n]) for n in ("touched", "begun"))
        run = _Run(id, who, told["cohort"], use, folder, touched, asked, begun, told["state"], told["words"])
        run.done, run.of, run.report, run.left = told["done"], told["of"], told["report"], told["left"]
        run.file = folder / told["file"] if told["file"] else None
        if run.state == "done" and (run.file is None or not run.file.is_file()):
            run.state, run.file, run.report, run.words = "refused", None, {}, _LOST
        return run

    def _role_now(self, name: str) -> Role | None:
        """What an account may be now; NONE where it is closed, None where there is no such account."""
        row = self._site.index.person(name)
        return None if row is None else Role.NONE if row["disabled"] else Role(row["role"])

    def _must_still(self, run: _Run) -> None:
        """Go on only while whoever asked for copies may still have them: an account may be closed meanwhile."""
        role = self._role_now(run.who.name)
        must(run.who if role is None else Person(run.who.name, role), "export", run.cohort)

    def _again(self, run: _Run) -> None:
        """Go on with what was not done when the server ended."""
        run.state, run.done = "waiting", 0
        run.words = "the server was started anew, and it goes on by itself"
        self._put(run)
        self._pool.submit(self._work, run)

    def _told_before(self, run: _Run) -> bool:
        """Whether the journal has it that these copies left: then none are made again."""
        told = self._site.journal.since(kinds=(Kind.COHORT_EXPORTED,), subject=run.cohort, limit=_BEFORE)
        return any(s.event.details.get("run") == run.id for s in told)

    def _work(self, run: _Run) -> None:
        def told(words: str, done: int, of: int) -> None:
            if run.id not in self._runs:
                raise _Stopped
            self._must_still(run)
            run.state, run.words, run.done, run.of = "running", words, done, of

        out, growing = run.folder / "cohort", run.folder / ".cohort.growing"
        try:
            told("studies", 0, 0)
            if self._told_before(run):
                if growing.is_dir():  # the entry was written, and then the server ended
                    growing.rename(out)
                if not (out / "report.json").is_file():
                    raise Refused(
                        "copies that are not here any more", _LOST, "delete this, and hand the cohort out anew"
                    )
                report = json.loads((out / "report.json").read_text("utf-8"))
                run.left, run.of = run.left or self._site.would_leave(run.cohort, run.use, who=run.who)[2], run.of or 1
            else:
                shutil.rmtree(out, ignore_errors=True)
                report, run.left = self._site.hand_out(
                    run.cohort, out, use=run.use, who=run.who, workers=self._workers, told=told, run=run.id,
                    **run.asked["how"],
                )  # fmt: skip
            run.words = "packing"
            packed = _packed(out, run.folder / "cohort.zip")
            run.report, run.file, run.done = report, packed, run.of
            run.state, run.words = "done", ""
            self._put(run)
            if run.id in self._runs:  # otherwise the server ends, and the next one packs them
                shutil.rmtree(out)
        except _Stopped:
            pass
        except IsocenterError as refusal:
            run.state, run.words = "refused", str(refusal)
            self._put(run)
        except Exception as fault:
            run.state, run.words = "refused", f"a fault of ours: {type(fault).__name__}"
            self._put(run)
        finally:
            if run.id not in self._runs and not (self._ledger and self._swept.is_set()):
                # Removed while it ran: what was written since goes as well.
                shutil.rmtree(run.folder, ignore_errors=True)


def _packed(folder: Path, into: Path) -> Path:
    growing = into.with_name(f".{into.name}")
    with zipfile.ZipFile(growing, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as held:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            held.write(path, path.relative_to(folder))
    return growing.replace(into)
