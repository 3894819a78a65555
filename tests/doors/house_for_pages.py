"""A small house in memory, in the shape that the pages call: real records, real readings, real rights; no database.

It holds one chest radiograph without patient space and one CT with a lesion on slices 3 to 5.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Conflict, Forbidden, IsocenterError, NotAVolume, NotFound, Refused, WrongState
from isocenter.forms.bundle import Written
from isocenter.forms.registration import Joined
from isocenter.govern.consent import Decision
from isocenter.govern.oidc import Ended
from isocenter.govern.passwords import fits, hash_password
from isocenter.govern.people import Links, Session, Sessions, Tries, secret_digest
from isocenter.govern.policy import Person, Role, may, must
from isocenter.govern.sharing import Share
from isocenter.govern.tickets import Tickets
from isocenter.reading import disclosure, opinion, session
from isocenter.reading import report as reports
from isocenter.reading.comparison import Compared, compare
from isocenter.reading.confirmed import Confirmed
from isocenter.reading.cutting import Plane, cut
from isocenter.reading.disclosure import Mode, Modes, Use
from isocenter.reading.laying import Laid, laid
from isocenter.reading.numbering import numbers
from isocenter.reading.one_segment import segments
from isocenter.reading.opinion import Opinion
from isocenter.reading.pictures import Pictures, real_values, shown
from isocenter.reading.priors import Prior, priors
from isocenter.reading.report import Report
from isocenter.reading.session import Correction, Reading
from isocenter.reading.undoing import undo
from isocenter.reading.worklist import Entry, Raise, Waiting, order
from isocenter.record import (
    Event,
    Finding,
    Instance,
    Kind,
    Map,
    Measurement,
    Origin,
    Outcome,
    Patient,
    Result,
    Sealed,
    Series,
    Study,
    Urgency,
    Verdict,
    codes,
)
from isocenter.record.event import GENESIS
from isocenter.record.states import READING, step
from isocenter.site.keeping import Keeping
from isocenter.site.marking import Drawn
from isocenter.site.outlining import Edit
from isocenter.site.preferring import Preferences
from isocenter.site.registering import Proposed
from isocenter.site.through_links import Seen
from isocenter.space import Geometry, Reference, Region, Shape, Volume

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CT, DX = "1.2.3.1", "1.2.3.2"
CT_SERIES, DX_SERIES = "1.2.3.1.1", "1.2.3.2.1"
FRAME = "1.2.3.1.9"
PASSWORD = "a long sentence to sign in"
_CREDENTIAL = hash_password(PASSWORD)

GRID = Geometry.regular(
    shape=(8, 20, 30), spacing_mm=(5.0, 1.0, 1.0), origin_mm=(-15, -10, 40), frame_of_reference=FRAME
)
FILM = Geometry.regular(shape=(1, 12, 10), reference=Reference.PIXEL)


def _ct() -> Study:
    instances = tuple(
        Instance(
            f"{CT_SERIES}.{k}", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", f"{k:064x}", 1000, k + 1, 20, 30, 1,
            {
                "ImagePositionPatient": [-15.0, -10.0, 40.0 + 5 * k],
                "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
                "PixelSpacing": [1.0, 1.0],
            },
        )
        for k in reversed(range(8))
    )  # fmt: skip
    series = Series(CT_SERIES, "CT", 2, "thorax 5.0", "CHEST", frame_of_reference=FRAME, instances=instances)
    seg = Series("1.2.3.1.2", "SEG", 9, "segments", instances=(Instance("1.2.3.1.2.1", "x", "y", "e" * 64, 10),))
    return Study(CT, Patient("ISO-1", "PHANTOM^Anna", date(1960, 1, 1), "F"), "A1", date(2026, 11, 20),
                 description="CT chest", arrived=NOON - timedelta(minutes=50), series=(seg, series))  # fmt: skip


def _dx() -> Study:
    instance = Instance(
        f"{DX_SERIES}.1", "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.1.2.1", "d" * 64, 500, 1, 12, 10, 1
    )
    series = Series(DX_SERIES, "DX", 1, "PA", "CHEST", instances=(instance,))
    return Study(DX, Patient("ISO-2", "PHANTOM^Bert"), "A2", date(2026, 11, 20), description="chest pa",
                 arrived=NOON - timedelta(minutes=5), series=(series,))  # fmt: skip


def lesion() -> Finding:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[3:6, 5:9, 10:16] = True
    return Finding(
        codes.LESION,
        0.8,
        Region(GRID, Shape.MASK, mask, series_uid=CT_SERIES),
        (Measurement(codes.LONG_AXIS, 6.0, "mm"),),
        codes.LUNG,
        codes.LEFT,
        "A lesion of 6 mm in the left lung.",
        "2.25.1",
    )


def opacity() -> Finding:
    mask = np.zeros(FILM.shape, dtype=bool)
    mask[0, 2:5, 3:7] = True
    where = Region(FILM, Shape.MASK, mask, series_uid=DX_SERIES, instance_uid=f"{DX_SERIES}.1")
    return Finding(codes.OPACITY, 0.9, where, words="An opacity.", tracking="2.25.2")


class _Told:
    """The journal of the house, as far as settings ask it."""

    def __init__(self, house: House) -> None:
        self.house = house

    def head(self) -> tuple[int, str]:
        return len(self.house.journal), ""

    def append(self, *events: Event) -> None:
        self.house.append(*events)

    def since(
        self, number: int = 0, *, kinds: Any = (), subject: str = "", limit: int = 1000, newest_first: bool = False
    ) -> list[Sealed]:
        told = [s for s in self.house.journal if s.number > number and s.event.kind in kinds]
        told = [s for s in told if not subject or s.event.subject == subject]
        return (told[::-1] if newest_first else told)[:limit]


class _Staff:
    """The people of the house: one for each role, named after it."""

    def __init__(self, house: House) -> None:
        self.house = house

    def people(self, *, who: Person) -> list[dict[str, Any]]:
        must(who, "people")
        added = NOON.isoformat()
        return [{"name": p.name, "role": p.role.value, "added": added, "disabled": False} for p in self._all()]

    def colleagues(self, *, who: Person) -> list[Person]:
        must(who, "assign")
        return [p for p in self._all() if may(p, "open")]

    def first_steps(self, *, who: Person) -> dict[str, bool]:
        must(who, "reading")
        opened = any(s.event.kind is Kind.READING_OPENED and s.event.who == who.name for s in self.house.journal)
        return {"take": opened, "opinion": False, "strike": False, "sign": False}

    def _all(self) -> list[Person]:
        return sorted(self.house.people.values(), key=lambda p: p.name)


class Quiet:
    """Stands for a part of the site that is tested on a real archive: it has every verb and says nothing."""

    def __getattr__(self, verb: str) -> Any:
        if verb.startswith("__"):
            raise AttributeError(verb)
        says: dict[str, Any] = {
            "blind": False, "taking": nullcontext(len), "file": (b"", "text/plain"), "lesions": ((), (), ()),
            "timeline": {"patient": _ct().patient}, "stops": [], "share": ("secret", {"id": "1"}), "study": _ct(),
            "instance": b"", "export": (b"case", "0" * 64), "preview": "secret", "preview_of": "secret",
            "studies": (_link(), [Seen(_ct(), CT, bytes, {})]), "files": (), "state_identity": "pending",
            "measured": Correction(Verdict.ADDED, ""), "identity": "not asked", "left_s": 1.0,
            "paper": b"%PDF", "receipt": b"{}", "allowed": Decision(True, "permitted", "permitted"),
        }  # fmt: skip
        return lambda *given, **named: says.get(verb, {})


def _link() -> Share:
    return Share("1", "d" * 64, (CT,), "chief", NOON, NOON + timedelta(days=1))


class _Projects(Quiet):
    """One project, in which everybody is but the researcher."""

    def at(self, study_uid: str, who: Person) -> Person:
        return replace(who, only=frozenset()) if who.role is Role.RESEARCHER else who

    def those(self, rows: Any, *given: Any, **named: Any) -> list[Any]:
        return list(rows)

    def to_review(self, *, who: Person) -> list[dict[str, Any]]:
        must(who, "glass_review")
        return []


class _HandOuts(Quiet):
    """No copies are ready."""

    def file(self, id: str, **named: Any) -> Any:
        raise WrongState("a hand-out that is waiting", "there is nothing to take", "wait for it")


class _Links(Quiet):
    """Links to a series that has grown since it was described."""

    def pictures(self, *given: Any, **named: Any) -> Any:
        raise Conflict("this series has grown since", "its images are numbered anew", "load its description again")

    slab = pictures


class _Catalogue(Quiet):
    """The catalogue of the house: one analysis, two models, nothing stopped."""

    def analyses(self, *, who: Person) -> list[dict[str, Any]]:
        must(who, "catalogue")
        return [{"name": "volumetry", "version": "1", "needs": ["any segmentation"]}]

    def limits(self, name: str, version: str) -> tuple[str, ...]:
        return ("not for patients",) if name == "volumetry" else ()

    def models(self, *, who: Person) -> list[dict[str, Any]]:
        must(who, "models")
        return [{"name": "chest_xray_opacity", "digest": "c" * 64}, {"name": "lung_nodule", "digest": "d" * 64}]


class _Alerts(Quiet):
    """No alert is open."""

    def all(self, *, who: Person, state: str = "open", glass: bool = True) -> list[dict[str, Any]]:
        must(who, "report")
        return []


class House:
    """Everything that `PagesSite` asks for; `now` is set by the tests."""

    def __init__(self) -> None:
        self.now = NOON
        self.tickets = Tickets(b"of a test")
        self.oversight = self.reviews = self.audits = self.guests = self.following = self.consents = Quiet()
        self.alerts = _Alerts()
        self.gating = self.watching = self.carding = self.likening = self.comparing = self.federation = self.ledgers = (
            Quiet()
        )
        self.ordering = self.working = self.messaging = self.committing = Quiet()
        self.projects, self.requesting = _Projects(), Quiet()
        self.showing = SimpleNamespace(withheld=lambda result: {})
        self.halting = self.erring = self.evidencing = self.probing = self.fetching = self.counting = Quiet()
        self.cataloguing, self.calls, self.sharing, self.cohorts = _Catalogue(), Quiet(), _Links(), Quiet()
        self.hand_outs = _HandOuts()
        self.sessions, self.links, self.tries = Sessions(), Links(), Tries()
        self.people = {role.value: Person(role.value, role) for role in Role if role is not Role.NONE}
        self.journal: list[Sealed] = []
        self.denials: list[tuple[str, str, str]] = []
        self.studies = {s.uid: s for s in (_ct(), _dx())}
        self.kept: dict[str, Result] = {}
        self.rows: dict[str, dict[str, Any]] = {uid: {} for uid in self.studies}
        self.drafts: dict[str, Report] = {}
        self.values = {"sensitivity": np.arange(120, dtype=np.float32).reshape(1, 12, 10)}
        self.files: dict[str, bytes] = {}
        self.lock_ = threading.Lock()
        self.serial = itertools.count(100)
        self.rejecting = self.identities = Quiet()
        self.preferences: Any = Preferences(_Told(self), lambda: self.now)  # type: ignore[arg-type]
        self.keeping = Keeping(None, None, _Told(self), lambda: self.now)  # type: ignore[arg-type]
        self.staff: Any = _Staff(self)
        self.opinions: dict[tuple[str, str], Opinion] = {}
        self.looked: set[tuple[str, str]] = set()
        self.signings: list[dict[str, Any]] = []
        self._result(Result(CT, Outcome.FOUND, Origin("machine", "volumetry", "1"), NOON, findings=(lesion(),)))
        heat = Map("sensitivity", "sensitivity", "1", FILM, "b" * 64, "sensitivity", DX_SERIES, 0.0, 119.0)
        self._result(
            Result(DX, Outcome.FOUND, Origin("machine", "chest_xray_opacity", "1", "c" * 64), NOON,
                   findings=(opacity(),), maps=(heat,), urgency=Urgency.NOW)
        )  # fmt: skip
        self._result(Result(DX, Outcome.DECLINED, Origin("machine", "pet_uptake", "1"), NOON, reasons=("no PET",)))

    # ---- what the tests use

    def token(self, role: str) -> str:
        return self.sessions.begin(self.people[role], self.now)[0]

    def peers(self) -> list[dict[str, Any]]:
        return [{"name": "sensitivity", "aet": "PACS", "host": "192.0.2.7", "port": 104, "kind": "dicom"}]

    def add_peer(self, aet: str, host: str, port: int, *, secure: bool = False, who: Person) -> None:
        must(who, "people")

    def result_of(self, study_uid: str, analysis: str) -> str:
        return next(i for i, r in self._latest(study_uid) if r.machine.analysis == analysis)

    def append(self, *events: Event) -> None:
        for event in events:
            previous = self.journal[-1].hash if self.journal else GENESIS
            self.journal.append(Sealed.after(len(self.journal) + 1, previous, event))
            row = self.rows.get(event.subject)
            if event.kind is Kind.READING_ASSIGNED and row is not None:
                row["assigned"] = event.details["to"]
            taken = {Kind.READING_OPENED: "open", Kind.READING_CLOSED: "lapse", Kind.REPORT_SIGNED: "sign",
                     Kind.REPORT_AMENDED: "sign"}.get(event.kind)  # fmt: skip
            if row is None or (taken is None and event.who == "isocenter"):
                continue
            if taken:
                row["state"] = step(READING, row.get("state", "waiting"), taken)
                row["by"] = {"lapse": ""}.get(taken, event.who)
                row["opened" if taken == "open" else "signed"] = event.time.isoformat()
            row["version"] = len(self.journal)

    def _result(self, result: Result, **details: Any) -> None:
        self.kept[result.id] = result
        who = result.origin.name if result.origin.kind == "person" else "isocenter"
        self.append(Event(Kind.RESULT_MADE, self.now, who, result.study_uid, {"result": result.id, **details}))

    def _latest(self, uid: str) -> list[tuple[str, Result]]:
        gone = {r.replaces for r in self.kept.values()}
        return [(i, r) for i, r in self.kept.items() if r.study_uid == uid and i not in gone]

    def _reading(self, uid: str) -> Reading:
        if uid not in self.rows:
            raise NotFound("no such study")
        return replace(Reading.of(uid, self.rows[uid]), locked=self.rows[uid].get("locked"))

    # ---- people

    def sign_in(self, name: str, password: str, *, address: str) -> str:
        self.tries.check(name, self.now)
        if not fits(_CREDENTIAL if name in self.people else None, password):
            self.tries.failed(name, self.now)
            raise Forbidden("name or password is wrong", "nobody is signed in (rule 'sign_in')", "try again")
        return self.token(name)

    def sign_in_by_service(self, identity: str, name: str, role: Role, *, address: str, session: str = "") -> str:
        raise Forbidden("a service", "this house has none", "use a password")

    def signed_out_by_service(self, ended: Ended, *, address: str) -> int:
        raise Forbidden("a service", "this house has none", "use a password")

    def sign_in_refused(self, cause: str, *, address: str) -> None:
        pass

    def denied(self, who: Person, refusal: IsocenterError, address: str) -> None:
        self.denials.append((who.name, refusal.what, address))

    def sign_in_by_link(self, link: str, *, address: str) -> str:
        return self.token(self.links.redeem(link, self.now))

    def new_password(self, old: str, new: str, *, who: Person, address: str) -> str:
        if not fits(_CREDENTIAL, old):
            raise Forbidden("the old password", "it does not belong to this account", "try again")
        self.sessions.end_all(who.name)
        return self.token(who.name)

    def my_sessions(self, token: str) -> list[tuple[Session, bool]]:
        mine = self.person_of(token, touch=False)
        living = self.sessions.living(mine.name, self.now)
        return [(one, one.digest == secret_digest(token)) for one in living]

    def end_sessions(self, token: str, password: str, *, wanted: Collection[str], address: str) -> int:
        over = [one.digest for one, here in self.my_sessions(token) if (one.id in wanted if wanted else not here)]
        self.sessions.end_some(over)
        return len(over)

    def sign_out(self, token: str) -> None:
        self.sessions.end(token)

    def person_of(self, token: str, *, touch: bool = True) -> Person:
        return self.sessions.of(token, self.now, touch=touch)

    def add_person(self, name: str, role: Role, password: str, *, who: Person) -> None:
        must(who, "people", name)
        if name in self.people:
            raise Refused(f"an account '{name}'", "it exists already", "choose another name")
        hash_password(password)
        self.people[name] = Person(name, role)

    # ---- studies

    def find(
        self, level: str, keys: Any, *, who: Person, limit: int | None = None, offset: int = 0, fuzzy: bool = False
    ) -> list[dict[str, Any]]:
        must(who, "find")
        wanted = {k: str(v).rstrip("*").casefold() for k, v in keys.items()}
        rows = [
            {
                "StudyInstanceUID": s.uid, "PatientID": s.patient.id, "PatientName": s.patient.name,
                "PatientBirthDate": f"{s.patient.birth_date:%Y%m%d}" if s.patient.birth_date else "",
                "PatientSex": s.patient.sex, "StudyDate": f"{s.date:%Y%m%d}" if s.date else "",
                "AccessionNumber": s.accession, "StudyDescription": s.description,
                "ModalitiesInStudy": list(s.modalities),
            }
            for s in self.studies.values()
        ]  # fmt: skip
        return [r for r in rows if all(w in str(r[k]).casefold().replace("^", " ") for k, w in wanted.items())][:limit]

    def worklist(self, *, who: Person, with_ai: bool = True) -> list[Entry]:
        must(who, "worklist")
        waiting = []
        for uid, study in self.studies.items():
            found = [f for _, r in self._latest(uid) if r.urgency is Urgency.NOW for f in r.findings]
            state = self._reading(uid)
            assert study.arrived is not None
            waiting.append(
                Waiting(
                    study, study.arrived, study.modalities, study.instance_count, state.state, state.by,
                    tuple(Raise(Urgency.NOW, "opacity", "chest_xray_opacity") for _ in found) if with_ai else (),
                    "found" if with_ai else "off", assigned=state.assigned,
                )
            )  # fmt: skip
        return order(waiting, self.now, with_ai=with_ai)

    def worklist_counts(self, *, who: Person) -> dict[str, int | None]:
        must(who, "worklist_counts")
        return {level.value: 12 if level is Urgency.NOW else None for level in Urgency}

    def underway(self, shares: Mapping[str, float], *, who: Person) -> dict[str, float]:
        must(who, "worklist")
        return dict(shares)

    def study(self, study_uid: str, *, who: Person) -> Study:
        must(who, "study", study_uid)
        if study_uid not in self.studies:
            raise NotFound("no such study", "it was never received", "look into the worklist")
        return self.studies[study_uid]

    def results(self, study_uid: str, *, who: Person) -> list[tuple[str, Result]]:
        must(who, "results", study_uid)
        return self._latest(study_uid)

    def result(self, digest: str, *, who: Person) -> Result:
        must(who, "results", digest)
        if digest not in self.kept:
            raise NotFound("no such result")
        return self.kept[digest]

    def why(self, study_uid: str, *, who: Person) -> Sequence[dict[str, Any]]:
        must(who, "plan", study_uid)
        return [
            {"analysis": "pet_uptake", "version": "1", "about": "Uptake", "answer": "declined", "reasons": ["no PET"]}
        ]

    def researchable(self, study_uid: str, analysis: str, *, who: Person) -> None:
        must(who, "analyse", study_uid)

    def researched(self, study_uid: str, *, who: Person) -> list[dict[str, Any]]:
        return []

    def priors(self, study_uid: str, *, who: Person) -> tuple[list[Prior], int]:
        return priors(self.study(study_uid, who=who), self.studies.values()), 0

    def pictures(self, study_uid: str, series_uid: str, *, tag: str = "", who: Person) -> Pictures:
        must(who, "instance", study_uid)
        series = next((s for s in self.study(study_uid, who=who).series if s.uid == series_uid), None)
        if series is None:
            raise NotFound("no such series in this study")
        found = shown(series, self.file)
        if tag and tag != found.tag:
            raise Conflict("this series has grown since")
        return found

    def slab(
        self, study_uid: str, series_uid: str, which: Sequence[int], *, tag: str, who: Person
    ) -> tuple[Pictures, Iterator[npt.NDArray[Any] | IsocenterError]]:
        of = self.pictures(study_uid, series_uid, tag=tag, who=who)
        return of, real_values(of, [of.order[n] for n in which], self.file)

    def cut(self, study_uid: str, series_uid: str, at: Plane, *, who: Person) -> npt.NDArray[np.float32]:
        of = self.pictures(study_uid, series_uid, who=who)
        if of.no_volume:
            raise NotAVolume(of.no_volume)
        return cut(Volume(np.arange(4800, dtype=np.float32).reshape(GRID.shape), GRID, "intensity", "1"), at)

    def file(self, digest: str) -> bytes:
        if digest not in self.files:
            raise NotFound("its file is not in this house")
        return self.files[digest]

    def geometry_of(self, sop_uid: str, *, frame: int = 0, who: Person) -> Geometry:
        must(who, "instance", sop_uid)
        if sop_uid == f"{DX_SERIES}.1":
            return FILM
        images = [f"{CT_SERIES}.{k}" for k in range(8)]
        if sop_uid not in images:
            raise NotFound("no such image")
        slice_number = images.index(sop_uid)
        return GRID.cropped((slice_number, 0, 0), (slice_number + 1, 20, 30))

    def series_of(self, sop_uid: str, *, who: Person) -> str:
        must(who, "instance", sop_uid)
        for study in self.studies.values():
            for series in study.series:
                if any(i.sop_uid == sop_uid for i in series.instances):
                    return series.uid
        raise NotFound("no such image")

    def ready(self, study_uid: str, series_uid: str, *, step: str = "", who: Person) -> None:
        must(who, "correct", study_uid)

    def take(self, digest: str, tracking: str, form: str, *, who: Person) -> Written:
        must(who, "send", digest)
        return Written("region.stl", "model/stl", f"{tracking} {form}".encode())

    def registrations(self, study_uid: str, *, who: Person) -> list[Joined]:
        must(who, "study", study_uid)
        return [Joined("1.2.1", "1.2.2", np.eye(4), "residual 0.40 mm", "reader")]

    def register(self, study_uid: str, fixed: str, moving: str, *, run: str = "", who: Person) -> Proposed:
        must(who, "correct", study_uid)
        joined = Joined("1.2.1", "1.2.2", np.eye(4))
        return Proposed("b" * 32, study_uid, joined, 0.4, 0.9, self.now, (fixed, moving))

    def registering(self, study_uid: str, run: str, *, who: Person) -> float:
        must(who, "correct", study_uid)
        return 0.5

    def stop_registering(self, study_uid: str, run: str, *, who: Person) -> None:
        must(who, "correct", study_uid)

    def accept_registration(self, study_uid: str, id: str, *, who: Person) -> list[Joined]:
        must(who, "correct", study_uid)
        return self.registrations(study_uid, who=who)

    def laid(self, study_uid: str, fixed: str, moving: str, *, by: str = "", who: Person) -> Laid:
        still, over = (self.pictures(study_uid, one, who=who) for one in (fixed, moving))
        return laid(still, over, np.eye(4))

    def laid_slab(
        self, study_uid: str, fixed: str, moving: str, which: Sequence[int], *, tag: str, by: str = "", who: Person
    ) -> tuple[Pictures, Iterator[npt.NDArray[Any] | IsocenterError]]:
        one = self.laid(study_uid, fixed, moving, by=by, who=who)
        return one.pictures, (self.cut(study_uid, moving, one.planes[n], who=who) for n in which)

    def map_of(self, result: str, name: str, *, who: Person) -> npt.NDArray[np.float32]:
        must(who, "results", result)
        return self.values[name]

    # ---- reading

    def reading(self, study_uid: str, *, who: Person) -> Reading:
        must(who, "reading", study_uid)
        return self._reading(study_uid)

    def due(self, study_uid: str, *, who: Person) -> tuple[Urgency, datetime] | None:
        row = next(row for row in self.worklist(who=who) if row.waiting.study.uid == study_uid)
        return (row.level, row.due) if row.due else None

    def open(self, study_uid: str, *, who: Person) -> Reading:
        must(who, "open", study_uid)
        with self.lock_:
            before = self._reading(study_uid)
            self.append(*session.open_reading(before, who.name, self.now))
            if before.state == "signed":
                self.drafts[study_uid] = reports.amend(self.drafts[study_uid])
        return self._reading(study_uid)

    def assign(self, study_uid: str, to: str, *, who: Person) -> Reading:
        must(who, "assign", study_uid)
        self.append(*session.assign(self._reading(study_uid), to, who.name, self.now))
        return self._reading(study_uid)

    def lapse(self, study_uid: str, *, version: int, who: Person) -> Reading:
        must(who, "lapse", study_uid)
        with self.lock_:
            self.append(*session.lapse(self._reading(study_uid), who.name, self.now, version=version))
        return self._reading(study_uid)

    def numbers(self, study_uid: str, *, who: Person) -> Mapping[str, int]:
        must(who, "results", study_uid)
        every = [(i, r) for i, r in self.kept.items() if r.study_uid == study_uid]
        return numbers(every, self.segments(study_uid, who=who), lambda _: True)

    def segments(self, study_uid: str, *, who: Person) -> Mapping[str, str]:
        must(who, "results", study_uid)
        return segments(self.studies[study_uid], self._latest(study_uid))

    def correct(
        self, study_uid: str, correction: Correction, *, version: int, also: Sequence[Correction] = (), act: str = "",
        who: Person,
    ) -> Reading:  # fmt: skip
        must(who, "correct", study_uid)
        with self.lock_:
            if not correction.tracking:
                correction = replace(correction, tracking=f"2.25.{next(self.serial)}")
            made = [
                session.correct(self._reading(study_uid), self._latest(study_uid), one, who.name, self.now,
                                version=version)
                for one in (correction, *also)
            ]  # fmt: skip
            for one in made:
                self._result(one)
        return self._reading(study_uid)

    def measure(self, study_uid: str, drawn: Drawn, *, version: int, act: str = "", who: Person) -> Reading:
        return self.correct(
            study_uid, Correction(Verdict.ADDED, "", words=drawn.kind), version=version, act=act, who=who
        )

    def segment(self, study_uid: str, edit: Edit, *, version: int, act: str = "", who: Person) -> Reading:
        return self.correct(study_uid, Correction(Verdict.ADDED, "", words=edit.how), version=version, act=act, who=who)

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
        must(who, "word", study_uid)
        with self.lock_:
            worded = session.word(self._reading(study_uid), who.name, self.now, version=version, report="r")
            told = reports.reword(
                self._report(study_uid), sentence_id, text, section=section, heading=heading, findings=findings
            )
            self.append(*worded)
            self.drafts[study_uid] = told
        return self._reading(study_uid)

    def use_template(self, study_uid: str, name: str, *, version: int, act: str = "", who: Person) -> Reading:
        must(who, "word", study_uid)
        with self.lock_:
            worded = session.word(self._reading(study_uid), who.name, self.now, version=version, report="r")
            told = reports.use(self._report(study_uid), name)
            self.append(*worded)
            self.drafts[study_uid] = told
        return self._reading(study_uid)

    def sign(
        self,
        study_uid: str,
        *,
        version: int,
        results: Sequence[str] | None = None,
        told: Sequence[Any] = (),
        untold: str = "",
        urgent: Collection[str] = (),
        shown: Mapping[str, int] | None = None,
        act: str = "",
        who: Person,
    ) -> Reading:
        must(who, "sign", study_uid)
        self.signings.append({"told": told, "untold": untold, "urgent": list(urgent), "shown": shown})
        with self.lock_:
            latest = self._latest(study_uid)
            session.sign(
                self._reading(study_uid),
                latest,
                who.name,
                self.now,
                version=version,
                report="to be sealed",
                seen=results,
            )
            told = reports.seal(self._report(study_uid), latest, who.name, self.now)
            self.append(
                *session.sign(self._reading(study_uid), latest, who.name, self.now, version=version, report=told.digest)
            )
            self.drafts[study_uid] = told
        return self._reading(study_uid)

    def _report(self, uid: str) -> Report:
        study, latest = self.studies[uid], self._latest(uid)
        told = self.drafts.get(uid)
        if told is None:
            return reports.begin(study, latest)
        return told if told.digest else reports.redraft(told, study, latest)

    def report(self, study_uid: str, *, who: Person) -> Report:
        must(who, "report", study_uid)
        if study_uid not in self.studies:
            raise NotFound("no such study")
        return self._report(study_uid)

    def known_since(self, study_uid: str, report: Report, *, who: Person) -> list[str]:
        must(who, "report", study_uid)
        return []

    def report_fhir(self, study_uid: str, *, who: Person) -> bytes:
        must(who, "report", study_uid)
        return b'{"resourceType": "Bundle"}'

    def gone(self, study_uid: str, *, who: Person) -> list[dict[str, str]]:
        must(who, "report", study_uid)
        return []

    def report_table(self, study_uid: str, *, who: Person) -> bytes:
        must(who, "report", study_uid)
        return b"study_uid\r\n"

    def report_pdf(self, study_uid: str, *, who: Person) -> bytes:
        must(who, "report", study_uid)
        return b"%PDF-1.7 a report"

    def lock(
        self, study_uid: str, *, version: int, line: str = "", nothing: bool = False, act: str = "", who: Person
    ) -> Reading:
        must(who, "lock", study_uid)
        with self.lock_:
            reading = self._reading(study_uid)
            given = opinion.lock(
                reading, [], who.name, self.now, version=version, line=line, nothing=nothing, modes={}
            )  # fmt: skip
            self.append(opinion.locked(reading, given, "0" * 64))
            self.opinions[study_uid, who.name] = given
            self.rows[study_uid]["locked"] = self.now
        return self._reading(study_uid)

    def type_line(self, study_uid: str, line: str, *, who: Person) -> None:
        must(who, "lock", study_uid)
        self.append(opinion.typed(self._reading(study_uid), line, who.name, self.now))

    def typed_line(self, study_uid: str, *, who: Person) -> str:
        must(who, "lock", study_uid)
        return ""

    def comparison(self, study_uid: str, *, who: Person) -> tuple[Opinion, list[Compared]]:
        must(who, "reading", study_uid)
        given = self.opinions.get((study_uid, who.name))
        if given is None:
            raise NotFound("none was locked")
        return given, compare(given, self._latest(study_uid), {})

    def confirmed(self, analysis: str, version: str, certainty: float | None, *, who: Person) -> Confirmed:
        must(who, "results")
        return Confirmed(412, 86, 79, 91) if analysis == "volumetry" else Confirmed(7)

    def seen(self, study_uid: str, shown: Sequence[Any], *, who: Person) -> None:
        must(who, "correct", study_uid)
        self.looked |= {(study_uid, one["tracking"]) for one in shown}

    def undo(self, study_uid: str, *, version: int, act: str = "", who: Person) -> tuple[Reading, str]:
        must(who, "correct", study_uid)
        with self.lock_:
            events = [e for e in self.journal if e.event.subject == study_uid]
            undone = undo(
                self._reading(study_uid), events, self._latest(study_uid), self.kept.__getitem__, who.name, self.now,
                version=version,
            )  # fmt: skip
            for one in undone:
                assert one.result is not None
                self._result(one.result, undoes=one.number)
        return self._reading(study_uid), undone[0].words

    def modes(self, *, who: Person) -> Modes:
        must(who, "modes")
        return Modes().after(self.journal)

    def propose_mode(self, analysis: str, use: Use, mode: Mode, *, reason: str, who: Person) -> Modes:
        must(who, "mode", analysis)
        known = self.modes(who=who)
        self.append(disclosure.propose(known, analysis, use, mode, reason=reason, who=who.name, now=self.now))
        return self.modes(who=who)

    def confirm_mode(self, analysis: str, use: Use, number: int, *, who: Person) -> Modes:
        must(who, "mode", analysis)
        known = self.modes(who=who)
        self.append(disclosure.confirm(known, analysis, use, number, who=who.name, now=self.now))
        return self.modes(who=who)

    # ---- the rest

    def explain(self, id: str, *, who: Person) -> dict[str, Any]:
        must(who, "explain", id)
        return {"id": id, "result": self.result(id, who=who)}

    def events(self, *, since: int, limit: int, who: Person) -> Sequence[Sealed]:
        must(who, "events")
        return self.journal[since : since + limit]

    def head(self) -> int:
        return len(self.journal)

    def counts(self, *, who: Person) -> dict[str, int]:
        return {"studies": len(self.studies)}
