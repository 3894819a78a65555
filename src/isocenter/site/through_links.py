"""What whoever holds a link may see, take and measure, and how they say who they are.

Every look is an event, written before anything is shown: where the journal cannot be written, nothing is shown. The
state of all links is what the journal says, so that a link that was ended stays ended after any restart.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt

from isocenter.errors import Conflict, Forbidden, IsocenterError, NotFound
from isocenter.govern import sharing
from isocenter.govern.consent import Purpose
from isocenter.govern.passwords import fits
from isocenter.govern.people import Tries, secret_digest, secrets_of_one_process
from isocenter.govern.policy import Person, Role
from isocenter.govern.sharing import May, Share
from isocenter.reading.pictures import Pictures, real_values, shown
from isocenter.record import Event, Kind, Sealed, Series, Study
from isocenter.site.consenting import Consenting
from isocenter.site.marking import Drawn, measured
from isocenter.site.pseudonymising import Pseudonymising
from isocenter.site.witnessing import Witness
from isocenter.store.follower import Follower

if TYPE_CHECKING:
    from isocenter.reading.session import Correction
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Bearer", "ThroughLinks", "images_of"]

_PREVIEWED = timedelta(minutes=30)
_PREVIEWS = 200
_ASKED_EVERY = 50  # files, after which terms of use are asked again: each time the whole study is looked up


class Bearer(NamedTuple):
    """What whoever opens a link brings.

    Args:
        address: from where. word: where one is asked. code: by which they stated who they are, where that is asked.
    """

    secret: str
    address: str
    word: str = ""
    code: str = ""


class Seen(NamedTuple):
    """A study as a link shows it.

    Args:
        study: as it is called through the link. uid: as it is called here.
        read: digest -> file, as it may be taken. was: UID through the link -> UID here, where they differ.
        held_back: images that are not shown, as they are not surely without the person.
    """

    study: Study
    uid: str
    read: Callable[[str], bytes]
    was: Mapping[str, str]
    held_back: int = 0


@dataclass
class ThroughLinks:
    """The links of one archive, for whoever holds one."""

    index: Index
    journal: Journal
    blobs: Blobs
    clock: Callable[[], datetime]
    consents: Consenting
    holds: Callable[[str, Person, str], bool] = lambda study_uid, who, verb: True
    secret: Callable[[str], bytes] = field(default_factory=secrets_of_one_process)

    def __post_init__(self) -> None:
        self._known = Follower[Mapping[str, Share]](self.journal, sharing.KINDS, dict, sharing.after)
        self._tries = Tries(allowed=20)
        self._witness = Witness(self.journal, lambda: self.clock())
        self._previews: dict[str, tuple[Share, Person, Callable[[], bool]]] = {}
        self._changes = Follower[dict[str, int]](self.journal, (Kind.PERSON_CHANGED,), dict, _changed)
        self._unchanged: dict[str, int] = {}  # digest of a preview -> the last change of its asker's account
        self.pseudonymising = Pseudonymising(self.blobs.kept, lambda: self.secret("pseudonyms"))

    def opens(self, bearer: Bearer) -> Share:
        """The link that somebody holds, as long as it opens.

        Raises:
            Forbidden: it opens nothing (any more), in the same words for every cause; or it is not known yet who holds
                it, which only its holder is told.
        """
        link = self._held(bearer)
        if link.code and (link.identity != "accepted" or not self._right_code(link, bearer)):
            raise Forbidden(
                "who you are is not confirmed yet",
                "this link opens when whoever gave it has confirmed who holds it (rule 'shared.identity')",
                "say your name and the code that you were told",
            )
        return link

    def studies(self, bearer: Bearer) -> tuple[Share, list[Seen]]:
        """What a link shows: of its studies the images; results of machines and reports stay in the house."""
        link = self.opens(bearer)
        seen = self._seen(link)
        for one in seen:
            self._used(link, bearer, one.uid, what="study")
        return link, seen

    def left_s(self, bearer: Bearer) -> float:
        """Seconds for which a link goes on to open; whoever has its study on screen asks, and is shown nothing by it.

        Raises:
            Forbidden: the link opens nothing (any more).
        """
        return (self.opens(bearer).until - self.clock()).total_seconds()

    def instance(self, bearer: Bearer, sop_uid: str) -> bytes:
        """One file of the studies.

        Raises:
            Forbidden: the link opens nothing (any more), or does not let files be taken.
            NotFound: an instance that the link does not show; the same whether it is in the archive or not.
        """
        link = self.opens(bearer)
        link.must(May.DOWNLOAD)
        for seen in self._seen(link):
            for instance in (i for s in seen.study.series for i in s.instances):
                if instance.sop_uid == sop_uid:
                    self._used(link, bearer, seen.uid, what=seen.was.get(sop_uid, sop_uid))
                    return seen.read(instance.digest)
        raise _not_in_it(sop_uid)

    def files(self, bearer: Bearer) -> Iterator[tuple[str, bytes | IsocenterError]]:
        """All files of the studies, each with its place in a folder; written down before the first is read.

        Raises:
            Forbidden: as `instance`.
        """
        link = self.opens(bearer)
        link.must(May.DOWNLOAD)
        seen = self._seen(link)
        for one in seen:
            self._used(link, bearer, one.uid, what="files")
        return self._each_file(link, seen)

    def pictures(self, bearer: Bearer, series_uid: str) -> Pictures:
        """The images of one series for a screen, without their pixels.

        Raises:
            Forbidden: the link opens nothing (any more).
            NotFound: a series that the link does not show.
        """
        return self._pictures(bearer, series_uid)[0]

    def slab(
        self, bearer: Bearer, series_uid: str, wanted: Callable[[Pictures], range], *, tag: str
    ) -> tuple[range, Pictures, Iterator[npt.NDArray[Any] | IsocenterError]]:
        """Real values of several images of a series; which of them, `wanted` says of its description.

        Raises:
            Forbidden, NotFound: as for `pictures`; Conflict: the series has changed since it was described.
        """
        of, read = self._pictures(bearer, series_uid)
        if of.tag != tag:
            raise Conflict("this series has grown since", "its images are numbered anew", "load its description again")
        which = wanted(of)
        return which, of, real_values(of, [of.order[n] for n in which], read)

    def measured(self, bearer: Bearer, drawn: Drawn) -> Correction:
        """What somebody drew on an image behind a link, with its numbers; nothing of it is kept.

        Raises:
            Forbidden: the link opens nothing (any more), or does not let anybody measure.
            NotFound, Refused: as `isocenter.site.marking.measured`.
        """
        link = self.opens(bearer)
        link.must(May.MEASURE)
        seen, series = self._series(link, drawn.series_uid)
        self._used(link, bearer, seen.uid, what=f"measured {drawn.kind}")
        return measured(replace(seen.study, series=(series,)), drawn, seen.read)

    def taken(self, bearer: Bearer, study_uid: str, counts: Mapping[str, int]) -> None:
        """Keep what another archive says that it took of a study.

        Raises:
            Forbidden: as `instance`. NotFound: no study of this link. Refused: counts that do not add up.
        """
        link = self.opens(bearer)
        link.must(May.DOWNLOAD)
        seen = next((one for one in self._seen(link) if one.study.uid == study_uid), None)
        if seen is None:
            raise _not_in_it(study_uid)
        if link.digest not in self._previews:
            self.journal.append(sharing.taken(link, seen.uid, counts, now=self.clock()))

    # ---- who holds it ----------------------------------------------------------------------------------------

    def identity(self, bearer: Bearer) -> str:
        """How far it is known who holds the link: ``not asked``, ``wanted``, ``pending``, ``accepted``, ``refused``."""
        return self._held(bearer).identity

    def state_identity(self, bearer: Bearer, name: str) -> str:
        """Say who holds the link, by its code; whoever gave it answers.

        Raises:
            Forbidden: the link opens nothing (any more), or the code is wrong.
            TooOften: too many wrong codes, or too many statements.
            Refused, WrongState: no name, a link that asks for none, one that was answered or waits.
        """
        link, now = self._held(bearer), self.clock()
        events = sharing.state_identity(link, name, address=bearer.address, now=now)
        if not self._right_code(link, bearer):
            raise Forbidden(
                "this code is not right", "it is told by whoever gave the link (rule 'shared.identity')",
                "ask them for it, by another way than the link",
            )  # fmt: skip
        self._tries.failed(f"code of {link.id}", now)  # a statement after each refusal, but not without end
        self.journal.append(*events)
        return "pending"

    # ---- within ----------------------------------------------------------------------------------------------

    def _held(self, bearer: Bearer) -> Share:
        now = self.clock()
        self._tries.check(bearer.address, now)
        digest = secret_digest(bearer.secret)
        previewed = self._previews.get(digest)
        link = previewed[0] if previewed else self._known.state().get(digest)
        if previewed and not self._still_theirs(digest, *previewed):
            link = None
        right = link is not None and hmac.compare_digest(link.digest, digest) and link.lives(now)
        if link is not None and right and link.credential:
            self._tries.check(f"word of {link.id}", now)  # from however many addresses it is guessed
        closed = not previewed and link is not None and self._closed(link)
        if link is None or not right or closed or (link.credential and not fits(link.credential, bearer.word)):
            self._tries.failed(bearer.address, now)
            if link is not None and right and bearer.word:
                self._tries.failed(f"word of {link.id}", now)
            raise Forbidden(
                "this link opens nothing",
                "it was never given, has ended, or a word has to be said with it (rule 'shared')",
                "ask whoever gave it to you",
            )
        return link

    def _right_code(self, link: Share, bearer: Bearer) -> bool:
        now, key = self.clock(), f"code of {link.id}"
        self._tries.check(key, now)
        if bearer.code and hmac.compare_digest(link.code, sharing.code_digest(bearer.secret, bearer.code)):
            return True
        if bearer.code:
            self._tries.failed(key, now)
            self._tries.failed(bearer.address, now)
        return False

    def _closed(self, link: Share) -> str:
        """Why a link that has not ended opens nothing; empty where it opens some of its studies."""
        shut = [self._shut(link, uid) for uid in link.studies]
        return "" if not all(shut) else shut[0]

    def _shut(self, link: Share, study_uid: str) -> str:
        """Why a link that has not ended does not show one of its studies; empty where it does.

        Terms of use may have been withdrawn after it was given, and links of older versions may show a study of the
        demonstration, which stays here.
        """
        if self.consents.of_demonstration(study_uid):
            return "a study of the demonstration stays here"
        try:
            study = self.index.study(study_uid)
        except NotFound:
            return "it is no longer here"
        if link.purpose is Purpose.CARE:
            return ""
        where = sharing.where(link.institution, link.country)
        use = self.consents.use(link.purpose, who=Person(link.by, Role.SERVICE), **where)
        made = self.consents.decided(study, use)
        return "" if made.allowed else made.reason

    def _seen(self, link: Share) -> list[Seen]:
        """The studies of a link that it shows now, as it shows them."""
        found = []
        previewed = link.digest in self._previews
        for uid in link.studies:
            if not previewed and self._shut(link, uid):
                continue
            study = images_of(self.index.study(uid))
            if not link.pseudonym:
                found.append(Seen(study, uid, self.blobs.kept, {}))
                continue
            copies = self.pseudonymising.of(study, link.to)
            found.append(Seen(copies.study, uid, copies.read, copies.was, copies.held_back.total()))
        return found

    def _series(self, link: Share, series_uid: str) -> tuple[Seen, Series]:
        for seen in self._seen(link):
            for series in seen.study.series:
                if series.uid == series_uid:
                    return seen, series
        raise _not_in_it(series_uid)

    def _pictures(self, bearer: Bearer, series_uid: str) -> tuple[Pictures, Callable[[str], bytes]]:
        link = self.opens(bearer)
        seen, series = self._series(link, series_uid)
        self._used(link, bearer, seen.uid, what=seen.was.get(series_uid, series_uid))
        return shown(series, seen.read), seen.read

    def _used(self, link: Share, bearer: Bearer, study_uid: str, *, what: str) -> None:
        previewed = self._previews.get(link.digest)
        if previewed:  # whoever may give it looks through its eyes: their own look
            self._witness.look(previewed[1], study_uid)
            return
        told = {"share": link.id, "address": bearer.address, "what": what}
        self.journal.append(Event(Kind.SHARE_USED, self.clock(), f"link {link.id}", study_uid, told))

    def _each_file(self, link: Share, seen: list[Seen]) -> Iterator[tuple[str, bytes | IsocenterError]]:
        """The files one by one; whoever takes them slowly gets none any more once the link has ended."""
        for number, one in enumerate(seen, 1):
            for at, series in enumerate(one.study.series, 1):
                for n, instance in enumerate(series.instances):
                    place = f"study-{number}/series-{at}/{instance.sop_uid}.dcm"
                    try:
                        self._must_live(link, one.uid if n % _ASKED_EVERY == 0 else "")
                        yield place, one.read(instance.digest)
                    except IsocenterError as refusal:
                        yield place, refusal

    def _must_live(self, link: Share, study_uid: str) -> None:
        """Go on only while a link that was opened lives, and shows a study where one is named.

        Raises:
            Forbidden: it was ended, its time is over, or terms of use were withdrawn.
        """
        previewed = self._previews.get(link.digest)
        now = previewed[0] if previewed else self._known.state().get(link.digest)
        if previewed and not self._still_theirs(link.digest, *previewed):
            now = None
        shut = bool(study_uid and now and not previewed and self._shut(now, study_uid))
        if now is None or not now.lives(self.clock()) or shut:
            raise Forbidden(
                "this link has ended meanwhile", "what was not taken by then stays here (rule 'shared')",
                "ask whoever gave it to you",
            )  # fmt: skip

    def _still_theirs(self, digest: str, link: Share, who: Person, signed_in: Callable[[], bool]) -> bool:
        """Whether who looks through a link's eyes is signed in and may still give it: their account is as it was, and
        so their reach."""
        if not signed_in():
            return False
        unchanged = self._changes.state().get(who.name, 0) == self._unchanged.get(digest, 0)
        return unchanged and all(self.holds(uid, who, "share") for uid in link.studies)

    def _previewed(self, link: Share, who: Person, signed_in: Callable[[], bool]) -> str:
        """A secret by which whoever may give a link looks through its eyes for a while, and while signed in."""
        secret, now = secrets.token_urlsafe(32), self.clock()
        living = [(d, one) for d, one in self._previews.items() if one[0].lives(now)]
        digest = secret_digest(secret)
        mine = replace(link, digest=digest, until=now + _PREVIEWED, ended=None, credential="", code="")
        self._unchanged = {d: self._unchanged.get(d, 0) for d, _ in living} | {
            digest: self._changes.state().get(who.name, 0)
        }
        self._previews = dict([*living[-_PREVIEWS:], (digest, (mine, who, signed_in))])
        return secret


def images_of(study: Study) -> Study:
    """Of a study what a link can show: not what a machine made of it."""
    return replace(study, series=tuple(s for s in study.series if s.facts.get("MadeBy") != "machine"))


def _changed(state: dict[str, int], page: Sequence[Sealed]) -> dict[str, int]:
    return state | {sealed.event.subject: sealed.number for sealed in page}


def _not_in_it(uid: str) -> NotFound:
    return NotFound(f"instance {uid:.64}", "this link does not show one of that name", "look at what the link shows")
