"""The verbs of the house: receive find send | plan analyse | open correct sign | explain.

A verb asks the policy, acts, and appends one event. Doors translate their protocol and call a verb; they decide
nothing. Everything that a verb needs from the world (clock, storage, network) is a value passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.analysis import plan as planning
from isocenter.analysis.describing import same_asking, same_question
from isocenter.analysis.registry import Registry, address
from isocenter.analysis.run import Request, run, run_apart
from isocenter.errors import Conflict, Forbidden, IsocenterError, NotFound, Refused
from isocenter.govern import people
from isocenter.govern.consent import Purpose, Use
from isocenter.govern.policy import HOUSE, Person, Role, must
from isocenter.reading.confirmed import Experience
from isocenter.reading.cutting import Cutter, Plane
from isocenter.reading.pictures import Pictures, Shelf, real_values, shown
from isocenter.reading.priors import Prior
from isocenter.reading.priors import priors as ranked
from isocenter.record import (
    Event,
    Instance,
    Kind,
    Model,
    Result,
    Sealed,
    Series,
    Study,
    canonical,
    digest_of,
    to_plain,
)
from isocenter.site.auditing import Auditing
from isocenter.site.carding import Carding
from isocenter.site.cataloguing import Cataloguing
from isocenter.site.cohorting import Cohorting
from isocenter.site.consenting import Consenting
from isocenter.site.desk import Desk
from isocenter.site.disclosing import Disclosing
from isocenter.site.entering import Entrance
from isocenter.site.escalating import Escalating
from isocenter.site.exchanging import Exchanging
from isocenter.site.federating import Federating
from isocenter.site.following import Following
from isocenter.site.gating import Gating
from isocenter.site.identifying import Identifying
from isocenter.site.keeping import Keeping
from isocenter.site.listing import Listing
from isocenter.site.loading import Loading, volumes_of
from isocenter.site.outlining import Marks
from isocenter.site.overseeing import Overseeing
from isocenter.site.preferring import Preferences
from isocenter.site.receiving import Receiving
from isocenter.site.registering import Registering
from isocenter.site.rejecting import Rejecting
from isocenter.site.reviewing import Reviewing
from isocenter.site.segmenting import Segmenting
from isocenter.site.sharing import Sharing
from isocenter.site.staff import Staff
from isocenter.site.teaching import Teaching
from isocenter.site.watching import Watching
from isocenter.site.witnessing import Witness

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from isocenter.space import Geometry
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.incoming import Incoming
    from isocenter.store.index import Index
    from isocenter.store.intake import Stored
    from isocenter.store.journal import Journal
    from isocenter.store.scrubbing import Scrubbed

__all__ = ["HOUSE", "Send", "Site", "fingerprint"]

Send = Callable[[Mapping[str, Any], Sequence[bytes]], Sequence[tuple[str, str]]]
"""A destination and files -> for each file its SOP Instance UID and the reason of failure, empty when acknowledged."""

_PAGE = 2000
_PRIORS = 100  # earlier studies of one patient that are looked at


@dataclass
class Site(Desk, Marks, Registering, Exchanging):
    """One archive with its analyses and its people.

    Args:
        send: network kind ("dicom") -> how to send there.
        shelf: folder of the site's own weights, or empty.
        apart: whether analyses run in a process of their own; False only in a notebook or a test.
        organisation: where people sign; it stands in the DICOM reports that they verified.
        secret: name -> a secret of the archive, which lies apart from the data; by default of this process alone.
    """

    database: Database
    blobs: Blobs
    journal: Journal
    index: Index
    registry: Registry
    clock: Callable[[], datetime]
    send_by: Mapping[str, Send] = field(default_factory=dict)
    shelf: str = ""
    apart: bool = True
    organisation: str = "Isocenter site"
    secret: Callable[[str], bytes] = field(default_factory=people.secrets_of_one_process)

    def __post_init__(self) -> None:
        # The clock is asked through the site: whoever gives it another one means the arrivals, too.
        self._receiving = Receiving(self.database, self.blobs, self.journal, lambda: self.clock())
        self._entrance = Entrance(self.index, self.journal, self.clock)
        self._listing = Listing(self.index, self.journal)
        self.reviews = Reviewing(self.index, self.journal, self.blobs, self.clock)
        self._disclosing = Disclosing(self.index, self.journal, self.reviews.blinded)
        self.cataloguing = Cataloguing(
            self.index, self.journal, self.registry, self._disclosing, self.clock, self.shelf
        )
        self.gating = Gating(self.index, self.journal, self.registry, self._disclosing, self.clock, self.shelf)
        self.audits = Auditing(self.journal, self.clock, self._disclosing.hears)
        self.preferences, self.staff = Preferences(self.journal, self.clock), Staff(self.index, self.journal)
        self.consents = Consenting(
            self.index, self.journal, self.blobs, self.clock, self.preferences.site_wide, self._models
        )
        self.watching = Watching(self.index, self.journal, self.registry, self._disclosing, self.shelf)
        self.carding = Carding(self.gating, self.cataloguing, self.watching, self.clock)
        self.cohorts = Cohorting(
            self.index, self.journal, self.blobs, self._disclosing, self.clock, self.consents, self.secret
        )
        self._witness = Witness(self.journal, lambda: self.clock())
        self.rejecting = Rejecting(
            self.database, self.index, self.journal, self.blobs, lambda: self.clock(), self._receiving.take
        )
        self.identities = Identifying(self.index, self.journal, lambda: self.clock())
        self._open_exchange()
        self.keeping = Keeping(self.database, self.blobs, self.journal, lambda: self.clock())
        self.sharing = Sharing(self.index, self.journal, self.blobs, self.clock, self.consents)
        self.federation = Federating(self.journal, self.clock)
        self.teaching = Teaching(
            self.index, self.journal, self.blobs, self._disclosing, self.consents, lambda: self.clock()
        )
        self._shelf, self._cutter = Shelf(), Cutter()
        self.calls = Escalating(self.index, self.journal, self.preferences, self.clock)
        self.oversight = Overseeing(self.index, self.journal, self.blobs, self.registry, self.clock, self._limits)
        self.guests = Segmenting(
            self.registry, self.clock, shelf=self.shelf, apart=self.apart, stops=self._disclosing.stops
        )
        self._fits = {}
        self.following = Following(self.index, self.journal, self._disclosing, self.clock)
        self._experience = Experience(self.journal.since, self.head)

    # ---- receive, find ---------------------------------------------------------------------------------------

    def incoming(self, *, sender: str, who: Person) -> Incoming:
        """Room for an instance that is still arriving: give it to `receive` when all has come, or `drop` it."""
        must(who, "receive", sender)
        return self.blobs.incoming()

    def receive(self, files: Iterable[bytes | bytearray | Incoming], *, sender: str, who: Person) -> list[Stored]:
        """Take instances in: whole, known, durable, or refused with the reason. Durable when this returns.

        Returns:
            one `Stored` for each file, in order: stored, there, conflict (set aside) or rejected.
        """
        return self._receiving.receive(files, sender=sender, who=who)

    def find(
        self,
        level: str,
        keys: Mapping[str, str],
        *,
        who: Person,
        limit: int | None = None,
        offset: int = 0,
        fuzzy: bool = False,
    ) -> list[dict[str, Any]]:
        """Rows by DICOM keyword for a query of one level: PATIENT, STUDY, SERIES or IMAGE."""
        must(who, "find")
        self._witness.search(who, level, [name for name, value in keys.items() if value])
        return self._disclosing.find(level, keys, who, limit=limit, offset=offset, fuzzy=fuzzy)

    def study(self, uid: str, *, who: Person) -> Study:
        """One study, whole."""
        must(who, "study", uid)
        found = self.index.study(uid)
        self._witness.look(who, uid, "record")
        return self._disclosing.study(found, who)

    def studies(self, *, who: Person, limit: int = 100, offset: int = 0) -> list[Study]:
        """Studies without their series, the newest first."""
        must(who, "find")
        return self.index.studies(limit=limit, offset=offset)

    def instance(self, sop_uid: str, *, who: Person) -> bytes:
        """The stored file of one instance, as it was received."""
        return self.blobs.get(self._image(sop_uid, who)[2].digest)

    def place_of(self, sop_uid: str, *, who: Person) -> tuple[Study, Series, Instance]:
        """The record of one instance with its series and study, these without their other images."""
        return self._image(sop_uid, who)

    def series_of(self, sop_uid: str, *, who: Person) -> str:
        """Series Instance UID of an instance."""
        return self._image(sop_uid, who)[1].uid

    def _image(self, sop_uid: str, who: Person) -> tuple[Study, Series, Instance]:
        must(who, "instance", sop_uid)
        found = self.index.instance(sop_uid)
        if found[1].uid in self._disclosing.withheld(who):
            raise NotFound(f"instance {sop_uid:.64}", "the archive has none of that SOP Instance UID")
        self._witness.look(who, found[0].uid)
        return found

    def geometry_of(self, sop_uid: str, *, frame: int = 0, who: Person) -> Geometry:
        """Where one image lies: a grid of one slice."""
        _, series, instance = self._image(sop_uid, who)
        alone = replace(series, instances=(instance,))
        grid = volumes_of(alone, self.blobs.get)[0].geometry
        slice_ = min(frame, grid.shape[0] - 1)
        return grid.cropped((slice_, 0, 0), (slice_ + 1, grid.shape[1], grid.shape[2]))

    def priors(self, study_uid: str, *, who: Person) -> tuple[list[Prior], int]:
        """Earlier studies of the same patient, whole, the best to compare with first; and how many are withheld."""
        must(who, "study", study_uid)
        study = self.index.study(study_uid)
        others = self.index.studies({"PatientID": study.patient.id}, limit=_PRIORS, order="-date")
        allowed, withheld = [], 0
        for other in planning.earlier_of(study, others):
            try:
                must(who, "study", other.uid)
            except Forbidden:
                withheld += 1
            else:
                allowed.append(self._disclosing.study(self.index.study(other.uid), who))
        return ranked(study, allowed), withheld

    def pictures(self, study_uid: str, series_uid: str, *, tag: str = "", who: Person) -> Pictures:
        """The images of a series as a reader scrolls through them, without their pixels.

        Args:
            tag: of a description that the asker has; Conflict where the series has changed since.
        """
        must(who, "instance", study_uid)
        self._witness.look(who, study_uid)
        hidden = series_uid in self._disclosing.withheld(who)
        kept = self._shelf.get(study_uid, series_uid, tag) if tag and not hidden else None
        if kept is not None and self.index.holds(series_uid, len(kept.series.instances)):
            return kept
        study = self._disclosing.study(self.index.study(study_uid), who)
        series = next((s for s in study.series if s.uid == series_uid), None)
        if series is None:
            raise NotFound(
                "no such series in this study", "it may have been sent with another one", "look at the study"
            )
        found = self._shelf.put(study_uid, shown(series, self.blobs.get))
        if tag and found.tag != tag:
            raise Conflict("this series has grown since", "its images are numbered anew", "load its description again")
        return found

    def slab(
        self, study_uid: str, series_uid: str, which: Sequence[int], *, tag: str, who: Person
    ) -> tuple[Pictures, Iterator[npt.NDArray[Any] | IsocenterError]]:
        """Real values of several images of a series, in the order asked for; one that cannot be read is its refusal."""
        of = self.pictures(study_uid, series_uid, tag=tag, who=who)
        if which and not 0 <= min(which) <= max(which) < len(of.order):
            raise NotFound(f"image {max(which) + 1}", f"the series has {len(of.order)}", "ask for those that it has")
        return of, real_values(of, [of.order[n] for n in which], self.blobs.get)

    def cut(self, study_uid: str, series_uid: str, at: Plane, *, who: Person) -> npt.NDArray[np.float32]:
        """The values of a series on any plane through it, for a browser that cannot cut by itself."""
        of = self.pictures(study_uid, series_uid, who=who)
        return self._cutter(of, at, lambda: volumes_of(of.series, self.blobs.get)[0])

    def counts(self, *, who: Person) -> dict[str, int]:
        """How much the archive holds."""
        must(who, "find")
        return self.index.counts()

    # ---- plan, analyse ---------------------------------------------------------------------------------------

    def analyse(
        self,
        study_uid: str,
        *,
        who: Person,
        only: str = "",
        parameters: Mapping[str, Any] | None = None,
        told: Callable[[str, int, int], None] = lambda name, done, of: None,
    ) -> list[tuple[str, Result]]:
        """Run what the plan binds. What was already answered by the same version on the same bytes is not run again.

        Args:
            only: name of one analysis; empty for all.
            told: progress: name, runs done, runs in all.
        """
        must(who, "analyse", study_uid)
        study = self.index.study(study_uid)
        chosen = [self.registry.get(only)] if only else list(self.registry.analyses.values())
        stops = self._disclosing.stops()
        if only and only in stops:
            raise Refused(f"the analysis '{only}'", stops[only].sentence(), "another person can start it again")
        chosen = [a for a in chosen if a.name not in stops]
        earlier = self._earlier(study, chosen)
        plan = planning.plan(chosen, study, earlier)
        self._tell(
            Kind.PLANNED, who.name, study_uid, fingerprint=fingerprint(study),
            bindings=[{"analysis": b.analysis, "series": to_plain(b.series)} for b in plan.bindings],
            declined=[{"analysis": d.analysis, "reasons": list(d.sentences())} for d in plan.declined],
        )  # fmt: skip
        made: list[tuple[str, Result]] = []
        for number, binding in enumerate(plan.bindings):
            told(binding.analysis, number, len(plan.bindings))
            made.append(self._run(study, earlier, binding, parameters or {}, who))
        return [(i, r) for i, r in made if self._disclosing.sees(r, who)]

    def _run(
        self,
        study: Study,
        earlier: tuple[Study, ...],
        binding: planning.Binding,
        given: Mapping[str, Any],
        who: Person,
    ) -> tuple[str, Result]:
        analysis = self.registry.get(binding.analysis)
        load = Loading(study, analysis.needs, binding.series, self.blobs.get, earlier)
        series = tuple(uid for uids in binding.series.values() for uid in uids)
        said = self.index.results(study.uid, replaced=True)
        after = {r.replaces: r.origin.kind for _, r in said}
        answered = [(d, r) for d, r in said if same_question(r, analysis.name, series) and after.get(d) != "machine"]
        before = [(d, r) for d, r in answered if d not in after]
        for digest, result in answered:  # also one that a person has corrected: it is not asked again behind their back
            if result.receipt.inputs == load.digests and same_asking(result, analysis, given, self.shelf):
                return digest, result
        request = Request(address(analysis), study.uid, load, self.clock(), given, load.digests, series, self.shelf)
        done = run_apart(request) if self.apart else run(request, analysis)
        result = replace(done.result, replaces=before[-1][0] if before else "")
        if done.blobs:
            self.blobs.put_many(list(done.blobs.values()))
        return self._keep(result, who.name), result

    def _keep(self, result: Result, who: str) -> str:
        digest = self.blobs.put(canonical(result))
        self._tell(Kind.RESULT_MADE, who, result.study_uid, result=digest)
        return digest

    def failed(self, study_uid: str, reason: str) -> None:
        """An analysis of this study could not even be tried; the reason is kept and shown."""
        self._tell(Kind.ANALYSIS_FAILED, HOUSE.name, study_uid, reason=reason[:500])

    def failures(self) -> list[str]:
        """Studies whose last attempt at analysis failed."""
        state: dict[str, Kind] = {}
        number = 0
        while page := self.journal.since(number, kinds=(Kind.PLANNED, Kind.ANALYSIS_FAILED), limit=_PAGE):
            state.update((s.event.subject, s.event.kind) for s in page)
            number = page[-1].number
        return [study for study, last in state.items() if last is Kind.ANALYSIS_FAILED]

    def results(self, study_uid: str, *, who: Person) -> list[tuple[str, Result]]:
        """Latest of each chain, newest last; what may not be shown yet is not in it."""
        must(who, "results", study_uid)
        self._witness.look(who, study_uid, "results")
        return self._disclosing.results(study_uid, who)

    def result(self, digest: str, *, who: Person) -> Result:
        """One result by its digest."""
        must(who, "results", digest)
        found = self._disclosing.result(digest, who)
        self._witness.look(who, found.study_uid, "results")
        return found

    def map_of(self, result: str, name: str, *, who: Person) -> npt.NDArray[np.float32]:
        """Values of a map, float32 on its grid."""
        import io

        import numpy as np

        for held in self.result(result, who=who).maps:
            if held.name == name:
                values: npt.NDArray[np.float32] = np.load(io.BytesIO(self.blobs.get(held.digest)), allow_pickle=False)
                return values
        raise NotFound(f"map '{name}'", f"result {result[:12]} has none of that name")

    # ---- people ----------------------------------------------------------------------------------------------

    def add_person(self, name: str, role: Role, password: str, *, who: Person) -> None:
        """Give somebody an account."""
        must(who, "people", name)
        if self.index.person(name):
            raise Refused(f"an account '{name}'", "it exists already", "choose another name")
        self._tell(Kind.PERSON_ADDED, who.name, name, role=Role(role).value, credential=people.hash_password(password))

    def sign_in(self, name: str, password: str, *, address: str) -> str:
        """A session token; Forbidden in the same words for every cause, LimitReached after too many tries."""
        return self._entrance.by_password(name, password, address=address)

    def link(self, name: str) -> str:
        """A one-time sign-in link's secret for an account."""
        return self._entrance.link(name)

    def sign_in_by_link(self, link: str, *, address: str) -> str:
        """A session token for a one-time link; the link is spent."""
        return self._entrance.by_link(link, address=address)

    def sign_in_by_service(self, identity: str, name: str, role: Role, *, address: str) -> str:
        """A session token for somebody whom the site's sign-in service has proven."""
        return self._entrance.by_service(identity, name, role, address=address)

    def sign_in_refused(self, cause: str, *, address: str) -> None:
        """A sign-in was not proven; the journal keeps why."""
        self._entrance.refused(cause, address=address)

    def sign_out(self, token: str) -> None:
        """End a session."""
        self._entrance.leave(token)

    def person_of(self, token: str, *, touch: bool = True) -> Person:
        """Whose session this is; nobody's when unknown or expired. Without `touch` the idle clock goes on."""
        return self._entrance.person_of(token, touch=touch)

    def add_peer(self, aet: str, host: str, port: int, *, secure: bool = False, who: Person) -> None:
        """Let a DICOM peer associate, and know where to send to it; with `secure` under TLS only, both ways."""
        must(who, "people", aet)
        told = {"aet": aet, "host": host, "port": port, "kind": "dicom-tls" if secure else "dicom"}
        self.journal.append(Event(Kind.PEER_ADDED, self.clock(), who.name, aet, told))

    def peers(self) -> list[dict[str, Any]]:
        """DICOM peers that may associate."""
        return self.index.peers()

    # ---- send, explain ---------------------------------------------------------------------------------------

    def scrub(
        self, *, who: Person, copy: str = "", told: Callable[[str, int, int], None] = lambda words, done, of: None
    ) -> Scrubbed:
        """Read every stored byte and hold it against its digest; put back from a copy what is damaged.

        Args:
            copy: folder or address of the blobs of a backup.
        """
        from isocenter.store import Blobs
        from isocenter.store.scrubbing import scrub

        must(who, "site")
        found = scrub(self.blobs, self.index, copy=Blobs(copy) if copy else None, told=told)
        self._tell(
            Kind.SCRUBBED, who.name, "", files=found.files, bytes=found.bytes,
            damaged=[d.digest for d in found.damaged][:1000], mended=len(found.damaged) - len(found.left),
        )  # fmt: skip
        return found

    def refused(self, refusal: IsocenterError) -> None:
        """A door said no before any verb was reached; the journal keeps it."""
        self._tell(Kind.REFUSED, HOUSE.name, "", what=refusal.what, why=refusal.why)

    def send(self, study_uid: str, destination: str, *, who: Person, what: str = "all") -> list[tuple[str, str]]:
        """Send images and results of a study to a peer.

        Returns:
            for each object its SOP Instance UID and, where it was not acknowledged, the reason.
        """
        must(who, "send", study_uid)
        peer = next((p for p in self.index.peers() if p["aet"] == destination), None)
        if peer is None:
            known = ", ".join(p["aet"] for p in self.index.peers()) or "none"
            raise NotFound(f"destination '{destination}'", f"known are: {known}", "add it with `isocenter peer`")
        study = self._disclosing.study(self.index.study(study_uid), who)
        files: list[bytes] = []
        if what in ("all", "images"):
            files += [self.blobs.get(i.digest) for s in study.series for i in s.instances]
        if what in ("all", "results"):
            files += self.objects(study_uid, who=who)
        answers = list(self.send_by[peer["kind"]](peer, files))
        lost = [reason for _, reason in answers if reason]
        self._tell(
            Kind.SEND_FAILED if lost else Kind.SENT, who.name, study_uid, destination=destination,
            objects=len(answers), failed=len(lost), reasons=sorted(set(lost))[:5],
        )  # fmt: skip
        return answers

    def export(
        self,
        study_uid: str,
        *,
        key: bytes,
        who: Person,
        options: Sequence[str] = ("research",),
        reviewed: Sequence[str] = (),
        use: Use | None = None,
    ) -> tuple[list[bytes], list[tuple[str, str]], dict[str, Any]]:
        """The study's images and results without names, under pseudonyms of a secret key.

        Args:
            options: of PS3.15 table E.1-1, by name.
            reviewed: SOP Instance UIDs whose pixels `who` has looked at.
            use: what for; research by this person where nothing is said.

        Raises:
            Refused: the terms of use of the study do not permit it.

        Returns:
            the copies; for each object that cannot go out its SOP Instance UID and why (writing in the pixels, a
            document, an unknown class): what is not surely clean stays here; and the report of what was done.
        """
        from isocenter.site.releasing import released

        must(who, "export", study_uid)
        wanted = use or self.consents.use(Purpose.RESEARCH, who=who)
        permitted = self.consents.allowed(study_uid, wanted, who=who)
        study = self._disclosing.study(self.index.study(study_uid), who)
        images = (self.blobs.get(i.digest) for s in study.series for i in s.instances)
        clean, held_back, report = released([images, self.objects(study_uid, who=who)], key, options, reviewed)
        self._tell(
            Kind.EXPORTED, who.name, study_uid, objects=len(clean), held_back=len(held_back),
            options=report["options"], domain=report["domain"], reviewed=list(reviewed),
            purpose=wanted.purpose.value, project=wanted.project, permitted=permitted.reason,
        )  # fmt: skip
        return clean, held_back, report | {"use": wanted.purpose.value, "permitted": permitted.reason}

    def objects(self, study_uid: str, *, who: Person) -> list[bytes]:
        """The study's results as DICOM objects: SEG and SR of the latest of each chain that the sender may see, and
        nothing of what runs in shadow.

        What a person decided and signed goes out verified by name; what a machine says stays unverified.
        """
        from isocenter.forms.bundle import dicom
        from isocenter.forms.sr import Signature

        must(who, "export", study_uid)
        study, sealed = self.index.study(study_uid), self.index.reading(study_uid)["reports"]
        report = self._kept(sealed[-1]) if sealed else None
        objects: list[bytes] = []
        for id, result in self._disclosing.sent(study_uid, who):
            signed = None
            if report and report.signed and id in report.results and result.origin.kind == "person":
                signed = Signature(report.by, self.organisation, report.signed)
            objects += [f.data for f in dicom(result, study, self._source, self.blobs.get, signed=signed).files]
        return objects

    def events(self, *, since: int, limit: int, who: Person) -> list[Sealed]:
        """The journal from a number on; what a person may not hear of yet has its number and nothing else."""
        must(who, "events")
        found = self.journal.since(since, limit=limit)
        return [sealed if self._disclosing.hears(sealed, who) else _withheld(sealed) for sealed in found]

    def head(self) -> int:
        """Number of the newest event."""
        return self.journal.head()[0]

    def explain(self, id: str, *, who: Person) -> dict[str, Any]:
        """The whole chain of something printed: from signature through finding, result and model to the sender."""
        from isocenter.site.explaining import Kept, explain

        must(who, "explain", id)
        kept = Kept(
            self.index, self.journal, self.blobs, self.shelf,
            sees=lambda result: self._disclosing.sees(result, who),
            hears=lambda sealed: self._disclosing.hears(sealed, who),
            withheld=self._disclosing.withheld(who),
            state=lambda digest: self._disclosing.gates().of(digest).state,
        )  # fmt: skip
        return explain(kept, id)

    def _models(self) -> list[Model]:
        from isocenter.analysis.weights import models

        return [model for model, _ in models(Path(self.shelf) if self.shelf else None).values()]

    # ---- one event -------------------------------------------------------------------------------------------

    def _tell(self, kind: Kind, who: str, subject: str, **details: Any) -> None:
        self.journal.append(Event(kind, self.clock(), who, subject, details))


def _withheld(sealed: Sealed) -> Sealed:
    return replace(sealed, event=Event(Kind.WITHHELD, sealed.event.time, ""))


def fingerprint(study: Study) -> str:
    """Digest of what a study holds: the same bytes give the same, whatever the order of arrival."""
    return digest_of(sorted(i.digest for s in study.series for i in s.instances))
