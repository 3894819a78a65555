"""The verbs of the house: receive find send | plan analyse | open correct sign | explain.

A verb asks the policy, acts, and appends one event. Doors translate their protocol and call a verb; they decide
nothing. Everything that a verb needs from the world (clock, storage, network) is a value passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.analysis.registry import Registry
from isocenter.errors import IsocenterError, Refused
from isocenter.govern import people
from isocenter.govern.consent import mac_of
from isocenter.govern.oidc import Ended
from isocenter.govern.policy import HOUSE, Person, Role, must
from isocenter.govern.tickets import Tickets
from isocenter.reading.confirmed import Experience
from isocenter.reading.cutting import Cutter
from isocenter.reading.pictures import Shelf
from isocenter.record import (
    Event,
    Kind,
    Model,
    Sealed,
)
from isocenter.site.analysing import Analysing, fingerprint
from isocenter.site.auditing import Auditing
from isocenter.site.carding import Carding
from isocenter.site.cataloguing import Cataloguing
from isocenter.site.cohorting import Cohorting
from isocenter.site.comparing import Comparing
from isocenter.site.consenting import Consenting
from isocenter.site.counting import Counting
from isocenter.site.desk import Desk
from isocenter.site.disclosing import Disclosing, unbound
from isocenter.site.entering import Entrance
from isocenter.site.erring import Erring
from isocenter.site.escalating import Escalating
from isocenter.site.evidencing import Evidencing
from isocenter.site.exchanging import Exchanging
from isocenter.site.federating import Federating
from isocenter.site.fetching import Fetching
from isocenter.site.following import Following
from isocenter.site.gating import Gating
from isocenter.site.halting import Halting
from isocenter.site.hand_outs import HandOuts
from isocenter.site.handing_out import HandingOut
from isocenter.site.identifying import Identifying
from isocenter.site.keeping import Keeping
from isocenter.site.ledgering import Ledgering
from isocenter.site.likening import Likening
from isocenter.site.listing import Listing
from isocenter.site.looking import Looking
from isocenter.site.mending import Mending
from isocenter.site.outlining import Marks
from isocenter.site.overseeing import Overseeing
from isocenter.site.preferring import Preferences
from isocenter.site.probing import Probing
from isocenter.site.projecting import Projects
from isocenter.site.receiving import Receiving
from isocenter.site.registering import Registering
from isocenter.site.rejecting import Rejecting
from isocenter.site.reports_to_learn import ReportsToLearn
from isocenter.site.requesting import Requesting
from isocenter.site.rereading import Rereading
from isocenter.site.researching import Researching
from isocenter.site.reviewing import Reviewing
from isocenter.site.sealing import Sealing
from isocenter.site.segmenting import Segmenting
from isocenter.site.sending import Send
from isocenter.site.sharing import Sharing
from isocenter.site.showing import Showing
from isocenter.site.staff import Staff
from isocenter.site.teaching import Teaching
from isocenter.site.watching import Watching
from isocenter.site.witnessing import Witness
from isocenter.store.homes import Homes

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Send", "Site", "fingerprint"]


@dataclass
class Site(Looking, Analysing, Researching, HandingOut, Desk, Marks, Registering, Exchanging):
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
        self.projects = Projects(self.index, Homes(self.database), self.journal, lambda: self.clock())
        self._receiving = Receiving(self.database, self.blobs, self.journal, lambda: self.clock(), self.projects)
        self._entrance = Entrance(self.index, self.journal, self.clock)
        self._listing = Listing(self.index, self.journal)
        self.reviews = Reviewing(
            self.index, self.journal, self.blobs, self.clock, self.projects.holds, self.projects.together,
            self.registry.get, lambda study_uid, who: self._disclosing.owes(study_uid, who),
            lambda who, study_uid, what: self._witness.look(who, study_uid, what),
        )  # fmt: skip
        self._disclosing = Disclosing(
            self.index, self.journal, self.reviews.blinded, self.projects, self._fitting_one_by_one
        )
        self.cataloguing = Cataloguing(
            self.index, self.journal, self.registry, self._disclosing, self.clock, self.shelf
        )
        self.halting = Halting(
            self.journal, self.registry, self._disclosing, lambda: self.clock(), self._listing.waiting, self.shelf
        )
        self.gating = Gating(
            self.index, self.journal, self.blobs, self.registry, self._disclosing, self.clock, self.shelf
        )
        self.tickets = Tickets(self.secret("journal tickets"))
        self.audits = Auditing(self.journal, self.clock, self._disclosing.hears, self.projects.hears, self.tickets)
        self.preferences, self.staff = Preferences(self.journal, self.clock), Staff(self.index, self.journal)
        self.consents = Consenting(
            self.index,
            self.journal,
            self.blobs,
            self.clock,
            self.preferences.site_wide,
            self._models,
            self.projects.reach,
            mac=self._mac,
        )
        self.showing = Showing(self.shelf)
        self.comparing = Comparing(self.journal, self._disclosing, self.shelf)
        self.watching = Watching(
            self.index, self.journal, self.registry, self._disclosing, lambda: self.clock(),
            lambda name, why: self.halting.stop_model(name, reason=why, who=HOUSE), self.shelf,
        )  # fmt: skip
        self.carding = Carding(self.gating, self.cataloguing, self.watching, self.clock)
        self.counting = Counting()
        self.cohorts = Cohorting(
            self.index, self.journal, self.blobs, self._disclosing, self.clock, self.consents, self.secret,
            lambda who, level, keys: self._witness.search(who, level, keys), self.counting,
        )  # fmt: skip
        self._witness = Witness(self.journal, lambda: self.clock())
        self.projects.look_anew = self._witness.look_anew
        self.erring = Erring(
            self.journal, self.cataloguing, lambda who, study: self._witness.look(who, study, "results")
        )
        self.evidencing = Evidencing(
            self.index, self.blobs, self.gating, self._disclosing, self._witness.test,
            lambda who, study: self._witness.look(who, study, "results"),
        )  # fmt: skip
        self.rejecting = Rejecting(
            self.database, self.index, self.journal, self.blobs, lambda: self.clock(), self._receiving.take,
            lambda uid, images, who: self.rereading.again(uid, images, who=who),
        )  # fmt: skip
        self.identities = Identifying(self.index, self.journal, lambda: self.clock(), self.projects.holds)
        self._open_exchange()
        self.sealing = Sealing(self.database, self.blobs, self.journal, lambda: self.clock(), self.projects, self._mac)
        self.projects.sealing = self.sealing
        self.mending = Mending(self.database, self.blobs, self.index, self.journal, lambda: self.clock())
        self.keeping = Keeping(self.database, self.blobs, self.journal, lambda: self.clock())
        self.rereading = Rereading(self.database, self.blobs, self.journal, lambda: self.clock())
        self.requesting = Requesting(self.index, self.journal, self.clock, self.consents, self.projects.holds)
        self.sharing = Sharing(
            self.index, self.journal, self.blobs, self.clock, self.consents, self.projects.holds, self.secret
        )
        self.ledgers = Ledgering(self.journal, lambda: self.clock(), self._disclosing.hears)
        self.federation = Federating(self.journal, self.clock)
        self.teaching = Teaching(
            self.index,
            self.journal,
            ReportsToLearn(self.index, self.journal, self.blobs),
            self._disclosing,
            self.consents,
            lambda: self.clock(),
            self.registry,
            self.shelf,
        )
        self._shelf, self._cutter = Shelf(), Cutter()
        self.calls = Escalating(self.index, self.journal, self.preferences, self.forward, self.projects.holds)
        self.oversight = Overseeing(
            self.index, self.journal, self.blobs, self.registry, self.clock, self._limits, self.projects.reach,
            self.counting,
        )  # fmt: skip
        self.guests = Segmenting(self.registry, self.clock, shelf=self.shelf, apart=self.apart, stops=self.gating.stops)
        self.hand_outs = HandOuts(self, lambda: self.clock(), workers=0 if self.apart else 1)
        self._fits = {}
        self.following = Following(
            self.index, self.journal, self._disclosing, self.clock,
            registrations=lambda uid, who: self.registrations(uid, who=who),
        )  # fmt: skip
        self.likening = Likening(
            self.index, self.journal, self.blobs, self.registry, self._disclosing, self.projects,
            lambda who, study: self._witness.look(who, study, "results"), self.shelf,
        )  # fmt: skip
        self.fetching = Fetching(
            self.index, self.journal, lambda: self.clock(), lambda uid, who: self.study(uid, who=who),
            holds=lambda uid, who: self.projects.holds(uid, who, "fetch"),
        )  # fmt: skip
        self.probing = Probing(
            self.blobs, self.registry, lambda: self.clock(), lambda uid, who: self.study(uid, who=who), self.apart
        )  # fmt: skip
        self._experience = Experience(self.journal.since, self.head)
        self.projects.guard(
            self, self.alerts, self.calls, self.committing, self.consents, self.fetching, self.following,
            self.identities, self.likening,
            self.ordering, self.oversight, self.probing, self.projects, self.rejecting, self.requesting, self.reviews,
            self.sharing,
        )  # fmt: skip

    # ---- people ----------------------------------------------------------------------------------------------

    def bar_words(self, words: Iterable[str]) -> None:
        """No password may rest on these from now on: names of hospital, town and machines."""
        self._entrance.near = tuple(words)

    def add_person(self, name: str, role: Role, password: str, *, who: Person) -> None:
        """Give somebody an account."""
        must(who, "people", name)
        self._entrance.must_be_free(name)
        if self.index.person(name):
            raise Refused(f"an account '{name}'", "it exists already", "choose another name")
        self._tell(
            Kind.PERSON_ADDED,
            who.name,
            name,
            role=Role(role).value,
            credential=self._entrance.credential(name, password),
        )

    def change_person(
        self, name: str, *, who: Person, role: Role | None = None, password: str = "", closed: bool | None = None
    ) -> None:
        """Give an account another role or password, close it, or open it again; it is signed out everywhere."""
        must(who, "people", name)
        self._entrance.change(name, by=who.name, role=role, password=password, closed=closed)

    def new_password(self, old: str, new: str, *, who: Person, address: str) -> str:
        """Give one's own account another password; the token of the one session that is left."""
        must(who, "me")
        return self._entrance.new_password(who.name, old, new, address=address)

    def sign_in(self, name: str, password: str, *, address: str) -> str:
        """A session token; Forbidden in the same words for every cause, LimitReached after too many tries."""
        return self._entrance.by_password(name, password, address=address)

    def link(self, name: str, life: timedelta | None = None) -> str:
        """A one-time sign-in link's secret for an account; for ten minutes unless another life is given."""
        return self._entrance.link(name, life)

    def sign_in_by_link(self, link: str, *, address: str) -> str:
        """A session token for a one-time link; the link is spent."""
        return self._entrance.by_link(link, address=address)

    def sign_in_by_service(self, identity: str, name: str, role: Role, *, address: str, session: str = "") -> str:
        """A session token for somebody whom the site's sign-in service has proven."""
        return self._entrance.by_service(identity, name, role, address=address, session=session)

    def signed_out_by_service(self, ended: Ended, *, address: str) -> int:
        """The sign-in service says that a session there has ended; how many ended here."""
        return self._entrance.ended_by_service(ended, address=address)

    def sign_in_refused(self, cause: str, *, address: str) -> None:
        """A sign-in was not proven; the journal keeps why."""
        self._entrance.refused(cause, address=address)

    def denied(self, who: Person, refusal: IsocenterError, address: str) -> None:
        """Somebody asked for what they may not; the journal keeps it."""
        self._entrance.denied(who, refusal, address=address)

    def my_sessions(self, token: str) -> list[tuple[people.Session, bool]]:
        """The sessions of whoever holds this token, and which of them is this one."""
        return self._entrance.sessions(token)

    def end_sessions(self, token: str, password: str, *, wanted: Collection[str], address: str) -> int:
        """End sessions of one's own by their ids, all others where none is named; how many ended."""
        return self._entrance.end_others(token, password, wanted=wanted, address=address)

    def sign_out(self, token: str) -> None:
        """End a session."""
        self._entrance.leave(token)

    def person_of(self, token: str, *, touch: bool = True) -> Person:
        """Whose session this is; nobody's when unknown or expired. Without `touch` the idle clock goes on."""
        return self._entrance.person_of(token, touch=touch)

    def add_peer(self, aet: str, host: str, port: int, *, secure: bool = False, who: Person) -> None:
        """Let a DICOM peer associate, and know where to send to it; with `secure` under TLS only, both ways.

        Args:
            port: where it listens; 0 where it only sends.

        Raises:
            Refused: when the title is none (PS3.5: 1 to 16 plain characters, no path), or host or port cannot be.
        """
        from isocenter.dicom.header import ae_title

        must(who, "people", aet)
        aet = ae_title(aet)
        if not host.strip() or not host.isprintable() or not 0 <= port < 65536:
            raise Refused(
                f"peer {aet} at '{host[:64]}:{port}'", "nothing listens there", "give a host and its DICOM port"
            )
        told = {"aet": aet, "host": host, "port": port, "kind": "dicom-tls" if secure else "dicom"}
        self.journal.append(Event(Kind.PEER_ADDED, self.clock(), who.name, aet, told))

    def peers(self) -> list[dict[str, Any]]:
        """DICOM peers that may associate."""
        return self.index.peers()

    # ---- send, explain ---------------------------------------------------------------------------------------

    def refused(self, refusal: IsocenterError) -> None:
        """A door said no before any verb was reached; the journal keeps it."""
        self._tell(Kind.REFUSED, HOUSE.name, "", what=refusal.what, why=refusal.why)

    def turned_away(self, refusal: IsocenterError, address: str) -> None:
        """A device called that may not; the journal keeps it."""
        self._entrance.turned_away(refusal, address=address)

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
            state=lambda digest: self._disclosing.gates().of(digest).state, numbered=unbound(who),
        )  # fmt: skip
        return explain(kept, id)

    def _mac(self, patient: tuple[str, str]) -> str:
        return mac_of(self.secret("consents"), patient)

    def _models(self) -> list[Model]:
        from isocenter.analysis.weights import models

        return [model for model, _ in models(Path(self.shelf) if self.shelf else None).values()]


def _withheld(sealed: Sealed) -> Sealed:
    return replace(sealed, event=Event(Kind.WITHHELD, sealed.event.time, ""))
