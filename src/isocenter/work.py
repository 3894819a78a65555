"""What a house does by itself: jobs that outlive it, and what is looked after again and again.

Jobs are taken by their verb (`start`), the journal says which are owed (`follow`), critical results that nobody was
told of are brought before people (`escalate`), the charts of the models in use are heeded (`watch`), and the end of
the journal is signed as it grows (`sign_ends`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from isocenter.errors import Forbidden, IsocenterError, NoAnswer, NotFound, Refused, WrongState
from isocenter.forms.words import many
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.settings import Settings
from isocenter.site.signing_ends import SigningEnds
from isocenter.site.verbs import Site

if TYPE_CHECKING:
    from isocenter.flow import Follower
    from isocenter.store.jobs import Jobs

__all__ = ["Work"]

LOG = logging.getLogger("isocenter.work")


class Work:
    """The jobs of one archive and its watches.

    Args:
        clock: what time it is.
        stop: set when the house closes.
        closing: what takes all of it down, the newest first.
    """

    def __init__(
        self,
        settings: Settings,
        site: Site,
        clock: Callable[[], datetime],
        stop: threading.Event,
        closing: list[Callable[[], None]],
    ) -> None:
        self._settings, self._site, self._clock = settings, site, clock
        self._stop, self._closing = stop, closing
        self._jobs: Jobs | None = None
        self._follower: Follower | None = None

    @property
    def begun(self) -> bool:
        """Whether jobs are taken here."""
        return self._jobs is not None

    def start(self, executor: str = "") -> None:
        """Take jobs: in this process the waiting, in processes of their own the analyses."""
        from isocenter.analysis.run import preload, warm_up
        from isocenter.site import outlining

        analyses = {type(a).__module__ for a in self._site.registry.analyses.values()}
        reading = ("isocenter.site.loading", "isocenter.dicom.assemble", "isocenter.store.blobs", "obstore.store")
        preload(*reading, *sorted(analyses))
        threading.Thread(target=warm_up, args=(outlining.compiles,), name="warm-up", daemon=True).start()
        self._jobs = self._promised(executor)
        self._jobs.start(concurrency=self._settings.workers)
        self._site.fetching.queue = _Fetches(self._jobs)
        self._site.fetching.owed()
        self._closing.append(self._jobs.close)
        self._closing.append(self._jobs.stop)

    def promise(self) -> Callable[[], bool]:
        """Let studies be promised here and taken by whoever works: for a command beside the server.

        Returns:
            whether anybody works now.
        """
        jobs = self._promised()
        self._site.fetching.queue = _Fetches(jobs)
        self._closing.append(jobs.close)
        return lambda: bool(jobs.leases.alive())

    def _promised(self, executor: str = "") -> Jobs:
        from isocenter.store.jobs import Jobs

        return Jobs(
            self._settings.database_url,
            executor=executor or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
            run={
                "analyse": self._analyse, "match_followups": self._match_followups, "send": self._send,
                "fetch": self._fetch, "ask_again": self._ask_again,
                "research": self._research,
            },
            waits=("fetch", "send"),
        )  # fmt: skip

    def follow(self) -> None:
        """Watch the journal and hand over what `flow.FLOW` says."""
        from isocenter.flow import Follower

        assert self._jobs is not None
        jobs = self._jobs

        def submit(verb: str, study: str, key: str) -> None:
            jobs.submit(verb, study, key=key)

        self._follower = Follower(
            self._site.journal.since,
            submit,
            lambda study: self._site.known(study),
            self._clock,
            self._settings.quiet_s,
            self._settings.folder / "flow.mark",
        )
        for study in self._site.failures():  # a fault that was mended must not leave studies behind
            jobs.submit("analyse", study, key=f"analyse:{study}:again:{secrets.token_hex(8)}")
        self._until_closed("flow", partial(self._follower.follow, self._stop))

    def escalate(self, every_s: float = 30.0) -> None:
        """Look again and again for critical results that nobody was told of in time, and for claims of dead workers."""
        self._site.forward.keep(self._settings.folder / "alerts.mark")

        def look() -> None:
            while not self._stop.wait(every_s):
                self._site.forward.leave_mark()
                with contextlib.suppress(IsocenterError):  # a full disk now is no reason not to look again
                    self._site.calls.escalate()
                with contextlib.suppress(IsocenterError):
                    self._site.alerts.look()
                with contextlib.suppress(IsocenterError):
                    self._site.working.lapse()

        self._until_closed("escalation", look)

    def watch(self, every_s: float = 300.0) -> None:
        """Follow the charts of the models in use while the house is open; what alarms is written down, and obeyed."""

        def look() -> None:
            while not self._stop.wait(every_s):
                with contextlib.suppress(IsocenterError):  # a full disk now is no reason not to look again
                    self._site.watching.heed(who=HOUSE)

        self._until_closed("watch", look)

    def sign_ends(self, every_s: float = 5.0) -> None:
        """Sign the end of the journal as it grows, where a file is set that takes it; the last one when the house
        closes."""
        if self._settings.journal_ends is None:
            return
        ends = SigningEnds(
            self._site.journal, self._clock, lambda: self._site.secret("journal"), self._settings.journal_ends
        )
        silent = False

        def look() -> None:
            nonlocal silent
            while True:
                over = self._stop.wait(every_s)
                try:
                    ends.look() if not over else ends.close()
                    silent = False
                except IsocenterError as refusal:
                    if not silent:  # told once
                        LOG.warning("%s", refusal)
                    silent = True
                if over:
                    break

        self._until_closed("signed ends", look)

    def _until_closed(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()

        def stop() -> None:
            self._stop.set()
            thread.join(5)

        self._closing.append(stop)

    def settled(self) -> bool:
        """Whether nothing is waiting: the follower has read everything and no job is left."""
        assert self._jobs is not None and self._follower is not None
        return self._follower.is_level(self._site.head()) and self._jobs.waiting() == 0

    def waiting(self) -> int:
        """Jobs that are not done."""
        return self._jobs.waiting() if self._jobs is not None else 0

    def ahead(self, study: str) -> int | None:
        """Jobs that run or go before the analysis of a study; None where none of it is promised."""
        return self._jobs.ahead(f"analyse:{study}:") if self._jobs is not None else None

    def running(self) -> dict[str, float]:
        """Studies that are being analysed now: the share of the analyses that run on each that have answered."""
        if self._jobs is None:
            return {}
        return {key.split(":")[1].partition("#")[0]: share for key, share in self._jobs.running("analyse:").items()}

    def again(self, study: str) -> None:
        """Promise a study another plan and analysis, because a person asked for it."""
        assert self._jobs is not None
        self._jobs.submit("analyse", study, key=f"analyse:{study}:asked", again=True)

    def research(self, study: str, analysis: str, name: str) -> None:
        """Promise somebody an analysis for research; people wait for it, so it goes before the others."""
        assert self._jobs is not None
        self._jobs.submit("research", study, analysis, name, key=f"research:{study}:{analysis}", priority=1, again=True)

    def _research(self, study: str, analysis: str, name: str) -> int:
        try:
            return len(self._site.research(study, analysis, who=self._as_now(name))["said"])
        except (Forbidden, NotFound, Refused, WrongState) as refusal:  # what they asked for may not be any more
            self._site.unresearched(study, analysis, str(refusal), name=name)
            return 0
        except Exception as fault:
            self._site.unresearched(study, analysis, f"it failed: {type(fault).__name__}", name=name)
            raise

    def _as_now(self, name: str) -> Person:
        """Somebody as their account is now; no account is called as the house."""
        row = self._site.index.person(name)
        if row is None and name == HOUSE.name:  # by whoever has this machine: a command
            return HOUSE
        return Person(name, Role.NONE if row is None or row["disabled"] else Role(row["role"]))

    def _analyse(self, study: str) -> int:
        try:
            made = self._site.analyse(study, who=HOUSE, told=_answered)
        except Exception as fault:
            self._site.failed(study, f"{type(fault).__name__}: {fault}")
            raise
        for images, digest in self._site.drawn_on(study).items():
            assert self._jobs is not None
            self._jobs.submit("analyse", images, key=f"analyse:{images}:drawn:{digest[:16]}")
        return len(made)

    def _ask_again(self, study: str) -> int:
        """What was computed from older headers, where it can still matter to whoever reads: what is signed is told of
        by `isocenter reread` alone."""
        if self._site.index.reading(study)["state"] in ("signed", "amending"):
            return 0
        return self._analyse(study)

    def _match_followups(self, study: str) -> int:
        return self._site.reviews.match_arrived(study, who=HOUSE)

    def _send(self, study: str, destination: str, what: str = "all") -> int:
        answers = self._site.send(study, destination, who=HOUSE, what=what)
        lost = [reason for _, reason in answers if reason]
        if lost:
            raise NoAnswer(f"{len(lost)} of {many(len(answers), 'object')} not acknowledged", lost[0], "it is retried")
        return len(answers)

    def _fetch(self, study: str, wanted: str, peer: str, name: str) -> int:
        """A study of a peer, for somebody as their account is now."""
        who = self._as_now(name)
        try:
            return self._site.fetching.carry_out(study, wanted, peer=peer, who=who)
        except (Forbidden, NotFound) as refusal:  # their project has let them go, or the study
            self._site.fetching.give_up(study, wanted, peer=peer, why=str(refusal), name=name)
            return 0


def _answered(analysis: str, done: int, of: int) -> None:
    from isocenter.store.jobs import progress

    progress(done / of, f"{done} of {of}")


class _Fetches:
    """Fetching as jobs: a peer may take hours to send a study, so they stand beside analyses and not before them."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def promise(self, key: str, study_uid: str, wanted: str, peer: str, name: str) -> None:
        self._jobs.submit("fetch", study_uid, wanted, peer, name, key=key, again=True, system=peer)

    def standing(self, key: str) -> tuple[str, str]:
        try:
            told = self._jobs.state(key)
        except NotFound:
            return "", ""
        return str(told["state"]), str(told["words"])

    @staticmethod
    def progress(came: int, of: int) -> None:
        from isocenter.store.jobs import progress

        progress(min(came / of, 1.0) if of else 0.0, f"{came} of {of}")
