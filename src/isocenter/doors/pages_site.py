"""What the pages call: the verbs of a site, as far as a browser needs them.

The pages are written against this shape and not against the site itself, so that their tests can bring a small one of
their own, and so that this list says at a glance what a browser can make the house do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isocenter.errors import IsocenterError
from isocenter.forms.bundle import Written
from isocenter.forms.registration import Joined
from isocenter.govern.oidc import Ended
from isocenter.govern.people import Session
from isocenter.govern.policy import Person, Role
from isocenter.reading.comparison import Compared
from isocenter.reading.confirmed import Confirmed
from isocenter.reading.critical import Communication
from isocenter.reading.cutting import Plane
from isocenter.reading.disclosure import Mode, Modes, Use
from isocenter.reading.laying import Laid
from isocenter.reading.opinion import Opinion
from isocenter.reading.pictures import Pictures
from isocenter.reading.priors import Prior
from isocenter.reading.report import Report
from isocenter.reading.session import Correction, Reading
from isocenter.reading.worklist import Entry
from isocenter.record import Result, Sealed, Study, Urgency
from isocenter.site.fetching import Fetching
from isocenter.site.following import Following
from isocenter.site.marking import Drawn
from isocenter.site.outlining import Edit
from isocenter.site.preferring import Preferences
from isocenter.site.registering import Proposed
from isocenter.site.staff import Staff
from isocenter.space import Geometry

__all__ = ["PagesSite"]


class PagesSite(Protocol):
    """Each verb checks the policy for `who`, acts, and appends what happened; refusals come from `isocenter.errors`."""

    oversight: Any  # `isocenter.site.overseeing.Overseeing`: figures of the department
    reviews: Any  # `isocenter.site.reviewing.Reviewing`: peer learning, double reading, follow-ups, remarks
    hand_outs: Any  # `isocenter.site.hand_outs.HandOuts`: cohorts on their way out
    guests: Any  # `isocenter.site.segmenting.Segmenting`: images that are analysed and not kept
    alerts: Any  # `isocenter.site.alerting.Alerting`: actionable findings that somebody must act on
    projects: Any  # `isocenter.site.projecting.Projects`: which studies somebody may ask for
    ordering: Any  # `isocenter.site.ordering.Ordering`: what is ordered, and what of it was performed
    working: Any  # `isocenter.site.working.Working`: work items of programs
    messaging: Any  # `isocenter.site.messaging.Messaging`: HL7 messages in and out
    committing: Any  # `isocenter.site.committing.Committing`: promises that images are kept
    calls: Any  # `isocenter.site.escalating.Escalating`: critical results that nobody was told of
    keeping: Any  # `isocenter.site.keeping.Keeping`: backups, and when one was last tried
    counting: Any  # `isocenter.site.counting.Counting`: how far a long answer has come
    cohorts: Any  # `isocenter.site.cohorting.Cohorting`: questions to many studies, frozen and taken out
    cataloguing: Any  # `isocenter.site.cataloguing.Cataloguing`: analyses and models, what became of them
    halting: Any  # `isocenter.site.halting.Halting`: stops, taken back, explained, rehearsed
    federation: Any  # `isocenter.site.federating.Federating`: what the journal keeps of federations
    gating: Any  # `isocenter.site.gating.Gating`: models on their way to people
    comparing: Any  # `isocenter.site.comparing.Comparing`: two versions of a model beside each other
    watching: Any  # `isocenter.site.watching.Watching`: models in use, with alarms
    erring: Any  # `isocenter.site.erring.Erring`: signed cases in which a model was wrong
    evidencing: Any  # `isocenter.site.evidencing.Evidencing`: test cases behind the figures of a model
    carding: Any  # `isocenter.site.carding.Carding`: generated cards of models
    showing: Any  # `isocenter.site.showing.Showing`: which maps may be shown
    probing: Any  # `isocenter.site.probing.Probing`: flow through planes that a reader sets
    likening: Any  # `isocenter.site.likening.Likening`: signed cases that look like one in hand
    tickets: Any  # `isocenter.govern.tickets.Tickets`: names for entries of the journal
    audits: Any  # `isocenter.site.auditing.Auditing`: the journal as people read it
    rejecting: Any  # `isocenter.site.rejecting.Rejecting`: images out of use, back, and erased by two persons
    identities: Any  # `isocenter.site.identifying.Identifying`: patients merged, studies moved, and undone
    sharing: Any  # `isocenter.site.sharing.Sharing`: links through which one study is seen
    ledgers: Any  # `isocenter.site.ledgering.Ledgering`: what came and what left
    consents: Any  # `isocenter.site.consenting.Consenting`: what data may be used for
    requesting: Any  # `isocenter.site.requesting.Requesting`: consent that is asked for
    preferences: Preferences
    """What people and the site have set."""
    staff: Staff
    """Who works here."""

    def add_person(self, name: str, role: Role, password: str, *, who: Person) -> None:
        """Give somebody an account."""

    def peers(self) -> list[dict[str, Any]]:
        """DICOM peers that may associate."""

    def add_peer(self, aet: str, host: str, port: int, *, secure: bool = False, who: Person) -> None:
        """Let a DICOM peer associate."""

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
        """Rows by DICOM keyword."""

    def sign_in(self, name: str, password: str, *, address: str) -> str:
        """A session token. Forbidden for a wrong name or password, LimitReached after too many."""

    def sign_in_by_link(self, link: str, *, address: str) -> str:
        """A session token for a one-time link."""

    def sign_in_by_service(self, identity: str, name: str, role: Role, *, address: str, session: str = "") -> str:
        """A session token for somebody whom the site's sign-in service has proven."""

    def signed_out_by_service(self, ended: Ended, *, address: str) -> int:
        """The sign-in service says that a session there has ended; how many ended here."""

    def sign_in_refused(self, cause: str, *, address: str) -> None:
        """A sign-in was not proven."""

    def denied(self, who: Person, refusal: IsocenterError, address: str) -> None:
        """Somebody asked for what they may not."""

    def new_password(self, old: str, new: str, *, who: Person, address: str) -> str:
        """Give one's own account another password; the token of the one session that is left."""

    def my_sessions(self, token: str) -> list[tuple[Session, bool]]:
        """The sessions of whoever holds this token, and which of them is this one."""

    def end_sessions(self, token: str, password: str, *, wanted: Collection[str], address: str) -> int:
        """End sessions of one's own by their ids, all others where none is named; how many ended."""

    def sign_out(self, token: str) -> None:
        """End the session."""

    def person_of(self, token: str, *, touch: bool = True) -> Person:
        """Who holds this token; `NOBODY` when it is unknown or has expired. Without `touch` it is not kept awake."""

    fetching: Fetching
    following: Following

    def worklist(self, *, who: Person, with_ai: bool = True) -> Sequence[Entry]:
        """The rows in their order."""

    def worklist_counts(self, *, who: Person) -> dict[str, int | None]:
        """How many studies of each class wait, None where few."""

    def due(self, study_uid: str, *, who: Person) -> tuple[Urgency, datetime] | None:
        """Its class and when it should be read; None once it is signed."""

    def underway(self, shares: Mapping[str, float], *, who: Person) -> dict[str, float]:
        """Of studies that are being analysed, those of which this person may hear how far that has come."""

    def study(self, study_uid: str, *, who: Person) -> Study:
        """The whole study."""

    def results(self, study_uid: str, *, who: Person) -> list[tuple[str, Result]]:
        """(id, Result): the latest of each chain, newest last."""

    def result(self, digest: str, *, who: Person) -> Result:
        """One result, also one that was replaced."""

    def why(self, study_uid: str, *, who: Person) -> Sequence[Mapping[str, Any]]:
        """For every analysis: analysis, about, answer (found, none, declined, waiting, failed), reasons."""

    def researchable(self, study_uid: str, analysis: str, *, who: Person) -> Any:
        """Go on only if an analysis can be run on a study for research."""

    def researched(self, study_uid: str, *, who: Person) -> Sequence[Mapping[str, Any]]:
        """What was run for research on a study."""

    def priors(self, study_uid: str, *, who: Person) -> tuple[list[Prior], int]:
        """Earlier studies, the best to compare with first, and how many may not be seen."""

    def pictures(self, study_uid: str, series_uid: str, *, tag: str = "", who: Person) -> Pictures:
        """The images of a series as one scrolls through them, without pixels."""

    def slab(
        self, study_uid: str, series_uid: str, which: Sequence[int], *, tag: str, who: Person
    ) -> tuple[Pictures, Iterator[npt.NDArray[Any] | IsocenterError]]:
        """The real values of several of them."""

    def cut(self, study_uid: str, series_uid: str, at: Plane, *, who: Person) -> npt.NDArray[np.float32]:
        """The values of a series on a plane."""

    def geometry_of(self, sop_uid: str, *, frame: int = 0, who: Person) -> Geometry:
        """Of one image: one slice, its step the distance to the next slice or its thickness."""

    def series_of(self, sop_uid: str, *, who: Person) -> str:
        """The series that holds an image."""

    def map_of(self, result: str, name: str, *, who: Person) -> npt.NDArray[np.float32]:
        """The values of a map on its own grid."""

    def reading(self, study_uid: str, *, who: Person) -> Reading:
        """The state of the reading."""

    def open(self, study_uid: str, *, who: Person) -> Reading:
        """Take the study."""

    def assign(self, study_uid: str, to: str, *, who: Person) -> Reading:
        """Ask a colleague to read the study."""

    def lapse(self, study_uid: str, *, version: int, who: Person) -> Reading:
        """Leave the study unsigned."""

    def lock(
        self, study_uid: str, *, version: int, line: str = "", nothing: bool = False, act: str = "", who: Person
    ) -> Reading:
        """Lock one's first opinion."""

    def type_line(self, study_uid: str, line: str, *, who: Person) -> None:
        """Keep the line of one's first opinion as it is typed."""

    def typed_line(self, study_uid: str, *, who: Person) -> str:
        """The line that this person was typing."""

    def modes(self, *, who: Person) -> Modes:
        """How each analysis is used."""

    def propose_mode(self, analysis: str, use: Use, mode: Mode, *, reason: str, who: Person) -> Modes:
        """Ask for another mode."""

    def confirm_mode(self, analysis: str, use: Use, number: int, *, who: Person) -> Modes:
        """Agree to it as a second person."""

    def numbers(self, study_uid: str, *, who: Person) -> Mapping[str, int]:
        """Finding -> its number, which it keeps."""

    def segments(self, study_uid: str, *, who: Person) -> Mapping[str, str]:
        """Finding -> that under which it is answered, where several measure one segment."""

    def correct(
        self, study_uid: str, correction: Correction, *, version: int, also: Sequence[Correction] = (), act: str = "",
        who: Person,
    ) -> Reading:  # fmt: skip
        """Decide on a finding, and on what else measures its segment; the same act sent again is done once."""

    def measure(self, study_uid: str, drawn: Drawn, *, version: int, act: str = "", who: Person) -> Reading:
        """Keep a mark with its numbers; the same act sent again is done once."""

    def segment(self, study_uid: str, edit: Edit, *, version: int, act: str = "", who: Person) -> Reading:
        """One act on a region that the reader outlines; the same act sent again is done once."""

    def take(self, digest: str, tracking: str, form: str, *, who: Person) -> Written:
        """One region of a result as a file of whoever asks."""

    def ready(self, study_uid: str, series_uid: str, *, step: str = "", who: Person) -> None:
        """Make ready what the first click on a series needs."""

    def registrations(self, study_uid: str, *, who: Person) -> Sequence[Joined]:
        """What joins two frames of reference of a study."""

    def register(self, study_uid: str, fixed: str, moving: str, *, run: str = "", who: Person) -> Proposed:
        """Compute where one series lies in another."""

    def registering(self, study_uid: str, run: str, *, who: Person) -> float | None:
        """How far that is, 0 to 1; None where nothing is computed under this word."""

    def stop_registering(self, study_uid: str, run: str, *, who: Person) -> None:
        """End it."""

    def accept_registration(self, study_uid: str, id: str, *, who: Person) -> Sequence[Joined]:
        """Keep a proposal in the study."""

    def laid(self, study_uid: str, fixed: str, moving: str, *, by: str = "", who: Person) -> Laid:
        """A series as a registration lays it onto the grid of another."""

    def laid_slab(
        self, study_uid: str, fixed: str, moving: str, which: Sequence[int], *, tag: str, by: str = "", who: Person
    ) -> tuple[Pictures, Iterator[npt.NDArray[Any] | IsocenterError]]:
        """The real values of several of its slices."""

    def word(
        self,
        study_uid: str,
        sentence_id: str,
        text: str,
        *,
        version: int,
        section: str = "",
        heading: str = "",
        findings: Sequence[str] | None = None,
        act: str = "",
        who: Person,
    ) -> Reading:
        """Change, add or remove a sentence of the report."""

    def use_template(self, study_uid: str, name: str, *, version: int, act: str = "", who: Person) -> Reading:
        """Build the report by another template."""

    def comparison(self, study_uid: str, *, who: Person) -> tuple[Opinion, Sequence[Compared]]:
        """One's own first opinion beside what machines say."""

    def confirmed(self, analysis: str, version: str, certainty: float | None, *, who: Person) -> Confirmed:
        """How often findings like this were confirmed here."""

    def seen(self, study_uid: str, shown: Sequence[Mapping[str, Any]], *, who: Person) -> None:
        """The evidence of findings was on screen."""

    def undo(self, study_uid: str, *, version: int, act: str = "", who: Person) -> tuple[Reading, str]:
        """Take back one's last act; what it was."""

    def sign(
        self,
        study_uid: str,
        *,
        version: int,
        results: Sequence[str] | None = None,
        told: Sequence[Communication] = (),
        untold: str = "",
        urgent: Collection[str] = (),
        shown: Mapping[str, int] | None = None,
        act: str = "",
        who: Person,
    ) -> Reading:
        """Seal and sign the report; `results` are the ids that the reader saw, `told` who heard what is critical,
        `urgent` what the reader says cannot wait."""

    def report(self, study_uid: str, *, who: Person) -> Report:
        """The report as it is being worded, or the latest signed one."""

    def known_since(self, study_uid: str, report: Report, *, who: Person) -> Sequence[str]:
        """What is to be known of a report beyond its words: who was told later, which analyses are stopped."""

    def report_fhir(self, study_uid: str, *, who: Person) -> bytes:
        """The report as FHIR R4."""

    def gone(self, study_uid: str, *, who: Person) -> list[dict[str, str]]:
        """Where the signed report goes, and how far it has come."""

    def report_table(self, study_uid: str, *, who: Person) -> bytes:
        """Every number behind the report as CSV."""

    def report_pdf(self, study_uid: str, *, who: Person) -> bytes:
        """The report for print."""

    def explain(self, id: str, *, who: Person) -> Mapping[str, Any]:
        """The chain behind a result or a report."""

    def events(self, *, since: int, limit: int, who: Person) -> Sequence[Sealed]:
        """What happened after an event's number."""

    def head(self) -> int:
        """Number of the newest event."""

    def counts(self, *, who: Person) -> Mapping[str, int]:
        """How much the archive holds."""
