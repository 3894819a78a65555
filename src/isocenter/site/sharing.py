"""Links through which one study is seen without an account: given, listed, extended, ended, and opened.

Every look is an event, written before anything is shown: where the journal cannot be written, nothing is shown. The
state of all links is what the journal says, so that a link that was ended stays ended after any restart.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from isocenter.errors import Conflict, Forbidden, IsocenterError, NotFound
from isocenter.govern import sharing
from isocenter.govern.consent import Purpose
from isocenter.govern.passwords import fits
from isocenter.govern.people import Tries, secret_digest
from isocenter.govern.policy import Person, Role, must
from isocenter.govern.sharing import Share
from isocenter.reading.pictures import Pictures, real_values, shown
from isocenter.record import Event, Kind, Series, Study
from isocenter.site.consenting import Consenting
from isocenter.store.follower import Follower

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Sharing"]


@dataclass
class Sharing:
    """The links of one archive."""

    index: Index
    journal: Journal
    blobs: Blobs
    clock: Callable[[], datetime]
    consents: Consenting
    holds: Callable[[str, Person, str], bool] = lambda study_uid, who, verb: True

    def __post_init__(self) -> None:
        self._known = Follower[Mapping[str, Share]](self.journal, sharing.KINDS, dict, sharing.after)
        self._tries = Tries(allowed=20)

    def share(
        self, study_uid: str, *, who: Person, hours: float = 72.0, to: str = "", word: str = "",
        purpose: Purpose = Purpose.CARE,
    ) -> tuple[str, dict[str, Any]]:  # fmt: skip
        """A secret that opens one study, and the link as lists show it.

        Args:
            purpose: care of the patient, or sharing for the research of another house.

        Raises:
            NotFound: no such study.
            Refused: a life that is too long, a word that can be guessed, or terms of use that do not permit it.
        """
        must(who, "share", study_uid)
        self.consents.allowed(study_uid, purpose, who=who)
        self.consents.leaving(study_uid)
        now = self.clock()
        secret, event = sharing.share(
            study_uid, who=who.name, now=now, life=timedelta(hours=hours), to=to, word=word, purpose=purpose
        )
        self.journal.append(event)
        return secret, self._known.state()[secret_digest(secret)].told(now)

    def shares(self, *, who: Person, study_uid: str = "") -> list[dict[str, Any]]:
        """Links that were given, the newest first; ``closed`` says why one opens nothing though it has not ended."""
        must(who, "share", study_uid)
        now = self.clock()
        held = [s for s in self._known.state().values() if self.holds(s.study_uid, who, "share")]
        found = sorted((s for s in held if not study_uid or s.study_uid == study_uid), key=lambda s: s.given)
        return [s.told(now) | {"closed": self._closed(s) if s.lives(now) else ""} for s in reversed(found)]

    def end(self, id: str, *, who: Person, reason: str = "") -> None:
        """End a link now."""
        must(who, "share")
        self.journal.append(sharing.end(self._mine(who), id, who=who.name, now=self.clock(), reason=reason))

    def extend(self, id: str, *, who: Person, hours: float, reason: str = "") -> dict[str, Any]:
        """Let a link open for so many hours from now on; the link as lists show it.

        Raises:
            NotFound: none of that name that lives. Refused: an end that is too far off or before the one that it has,
                terms of use that do not permit it (any more), or a study of the demonstration.
        """
        must(who, "share")
        mine, now = self._mine(who), self.clock()
        link = sharing.living(mine, id, now)
        self.consents.allowed(link.study_uid, link.purpose, who=who)
        self.consents.leaving(link.study_uid)
        self.journal.append(sharing.extend(mine, id, who=who.name, now=now, life=timedelta(hours=hours), reason=reason))
        return self._known.state()[link.digest].told(now)

    def preview(self, study_uid: str, *, who: Person) -> Study:
        """What a link to this study would show, for whoever may give one; it is not counted as a look of theirs.

        Raises:
            NotFound: no such study.
        """
        must(who, "share", study_uid)
        return _through_a_link(self.index.study(study_uid))

    def _mine(self, who: Person) -> dict[str, Share]:
        return {d: s for d, s in self._known.state().items() if self.holds(s.study_uid, who, "share")}

    def study(self, secret: str, *, address: str, word: str = "") -> Study:
        """What a link shows: one study, of it the images; results of machines and reports stay in the house."""
        link = self._opened(secret, address, word)
        study = self.index.study(link.study_uid)
        self._used(link, address, what="study")
        return _through_a_link(study)

    def left_s(self, secret: str, *, address: str, word: str = "") -> float:
        """Seconds for which a link goes on to open; whoever has its study on screen asks, and is shown nothing by it.

        Raises:
            Forbidden: the link opens nothing (any more).
        """
        return (self._opened(secret, address, word).until - self.clock()).total_seconds()

    def instance(self, secret: str, sop_uid: str, *, address: str, word: str = "") -> bytes:
        """One stored file of the study.

        Raises:
            Forbidden: the link opens nothing (any more), in the same words for every cause.
            NotFound: an instance that is not of this study; the same whether it is in the archive or not.
        """
        link = self._opened(secret, address, word)
        try:
            study, series, instance = self.index.instance(sop_uid)
        except NotFound:
            raise _not_in_it(sop_uid) from None
        if study.uid != link.study_uid or not _is_shown(series):
            raise _not_in_it(sop_uid)
        self._used(link, address, what=sop_uid)
        return self.blobs.kept(instance.digest)

    def pictures(self, secret: str, series_uid: str, *, address: str, word: str = "") -> Pictures:
        """The images of one series of the study for a screen, without their pixels.

        Raises:
            Forbidden: the link opens nothing (any more).
            NotFound: a series that the link does not show.
        """
        return self._pictures(self._opened(secret, address, word), series_uid, address)

    def slab(
        self,
        secret: str,
        series_uid: str,
        wanted: Callable[[Pictures], range],
        *,
        tag: str,
        address: str,
        word: str = "",
    ) -> tuple[range, Pictures, Iterator[npt.NDArray[Any] | IsocenterError]]:
        """Real values of several images of a series; which of them, `wanted` says of its description.

        Raises:
            Forbidden, NotFound: as for `pictures`; Conflict: the series has changed since it was described.
        """
        of = self._pictures(self._opened(secret, address, word), series_uid, address)
        if of.tag != tag:
            raise Conflict("this series has grown since", "its images are numbered anew", "load its description again")
        which = wanted(of)
        return which, of, real_values(of, [of.order[n] for n in which], self.blobs.kept)

    def _pictures(self, link: Share, series_uid: str, address: str) -> Pictures:
        study = self.index.study(link.study_uid)
        series = next((s for s in study.series if s.uid == series_uid and _is_shown(s)), None)
        if series is None:
            raise _not_in_it(series_uid)
        self._used(link, address, what=series_uid)
        return shown(series, self.blobs.kept)

    def _opened(self, secret: str, address: str, word: str) -> Share:
        now = self.clock()
        self._tries.check(address, now)
        digest = secret_digest(secret)
        link = self._known.state().get(digest)
        right = link is not None and hmac.compare_digest(link.digest, digest) and link.lives(now)
        if link is not None and right and link.credential:
            self._tries.check(f"word of {link.id}", now)  # from however many addresses it is guessed
        if link is None or not right or self._closed(link) or (link.credential and not fits(link.credential, word)):
            self._tries.failed(address, now)
            if link is not None and right and word:
                self._tries.failed(f"word of {link.id}", now)
            raise Forbidden(
                "this link opens nothing",
                "it was never given, has ended, or a word has to be said with it (rule 'shared')",
                "ask whoever gave it to you",
            )
        return link

    def _closed(self, link: Share) -> str:
        """Why a link that has not ended opens nothing; empty where it opens.

        Terms of use may have been withdrawn after it was given, and links of older versions may show a study of the
        demonstration, which stays here.
        """
        if self.consents.of_demonstration(link.study_uid):
            return "a study of the demonstration stays here"
        if link.purpose is Purpose.CARE:
            return ""
        study = self.index.study(link.study_uid)
        made = self.consents.decided(study, self.consents.use(link.purpose, who=Person(link.by, Role.SERVICE)))
        return "" if made.allowed else made.reason

    def _used(self, link: Share, address: str, *, what: str) -> None:
        told = {"share": link.id, "address": address, "what": what}
        self.journal.append(Event(Kind.SHARE_USED, self.clock(), f"link {link.id}", link.study_uid, told))


def _through_a_link(study: Study) -> Study:
    return replace(study, series=tuple(s for s in study.series if _is_shown(s)))


def _is_shown(series: Series) -> bool:
    return series.facts.get("MadeBy") != "machine"


def _not_in_it(sop_uid: str) -> NotFound:
    return NotFound(f"instance {sop_uid:.64}", "this link does not show one of that name")
