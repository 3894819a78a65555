"""FHIR over HTTP: R4 under ``/fhir``, R5 under ``/fhir/r5``; read and searched, and orders placed.

Who asks is who asks everywhere else here, by cookie, bearer token or name and password. Errors are an OperationOutcome.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from isocenter.dicom.model import first
from isocenter.doors.denying import Denied, NobodyKnown, tell_denied
from isocenter.doors.faults import note
from isocenter.doors.pages_guard import status_of
from isocenter.doors.part10 import is_uid
from isocenter.errors import IsocenterError, LimitReached, NotFound, Refused
from isocenter.forms import fhir_workflow as made
from isocenter.govern.policy import Person, Role, may, must
from isocenter.record import Patient

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["router"]

LOG: Final = logging.getLogger("isocenter.doors.fhir")
_LARGEST: Final = 2**20
_PAGE: Final = 200
_MOST: Final = 100_000
_JSON: Final = "application/fhir+json"
_ANYWHERE: Final = frozenset({"_format", "_pretty", "_count", "_offset"})
"""Search parameters that narrow nothing, the number of answers, and how many before them are passed over."""
_T = TypeVar("_T")
_VERSIONS: Final = {"/r5": "5.0.0", "": "4.0.1"}


def router(site: Any, person_of: Callable[[Any], Person], *, denied: Denied | None = None) -> APIRouter:
    """The routes, to be mounted under ``/fhir``.

    Args:
        denied: called with who asked for what they may not, the refusal and their address.
    """
    from fastapi import APIRouter
    from starlette.concurrency import run_in_threadpool

    routes = APIRouter()

    def guarded(version: str, verb: Callable[[Any, Request, bytes, Person], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            try:
                who = await run_in_threadpool(person_of, request)
                if who.role is Role.NONE:
                    raise NobodyKnown("not signed in", "the archive answers known people and systems", "sign in")
                request.state.who = who
                body = bytearray()
                async for piece in request.stream():
                    body += piece
                    if len(body) > _LARGEST:
                        raise LimitReached(f"a body over {_LARGEST} bytes", "no order is so large", "")
                told = await run_in_threadpool(verb, _Asked(site, request, version), request, bytes(body), who)
                status, resource = told if isinstance(told, tuple) else (200, told)
                return _said(status, resource, version)
            except IsocenterError as error:
                await run_in_threadpool(tell_denied, denied, request, error)
                status = 401 if isinstance(error, NobodyKnown) else status_of(error)
                return _said(status, _outcome(error), version)
            except Exception as error:
                number = note(LOG, error, str(getattr(request.scope.get("route"), "path", "unknown address")))
                return _said(500, _outcome(IsocenterError(f"the archive failed (error {number})")), version)

        return endpoint

    for version in _VERSIONS:  # R5 first: its prefix would else be taken for a kind
        routes.add_route(f"{version}/metadata", guarded(version, _metadata), methods=["GET"])
        routes.add_route(f"{version}/ServiceRequest", guarded(version, _create), methods=["POST"])
        for kind, codes, _ in made.served(_VERSIONS[version]):
            if "search-type" in codes:
                routes.add_route(f"{version}/{kind}", guarded(version, _searched(kind)), methods=["GET"])
            if "read" in codes:
                routes.add_route(f"{version}/{kind}/{{id}}", guarded(version, _READ[kind]), methods=["GET"])
    for version in _VERSIONS:  # else the pages would answer, with a page
        routes.add_route(f"{version}/{{rest:path}}", guarded(version, _nothing), methods=["GET"])
    return routes


class _Asked:
    def __init__(self, site: Any, request: Request, version: str) -> None:
        self.site, self.version, self.query = site, version, request.query_params
        path = request.url.path
        self.base = f"{request.url.scheme}://{request.url.netloc}{path[: path.find('/fhir') + 5]}{version}"
        self.dicomweb = f"{request.url.scheme}://{request.url.netloc}/dicom-web"
        self.here = request.url.path.rpartition("/")[2]

    @property
    def most(self) -> int:
        """How many answers are given at once."""
        return min(self._number("_count", _PAGE), _PAGE)

    @property
    def offset(self) -> int:
        """How many answers are passed over."""
        return self._number("_offset", 0)

    def _number(self, name: str, default: int) -> int:
        said = self.query.get(name, "")
        if said and not (said.isdecimal() and said.isascii() and len(said) < 7):
            raise Refused(f"{name}={said[:20]!a}", "it is a number", f"write it as {name}=50")
        return int(said) if said else default

    def page(self, found: Sequence[_T], told: Callable[[_T], Mapping[str, Any]]) -> dict[str, Any]:
        """A searchset with the part of what was found that is asked for, and where it goes on."""
        part = found[self.offset : self.offset + self.most]
        return self.linked(made.bundle([told(one) for one in part], self.base, len(found)), len(found))

    def linked(self, bundle: dict[str, Any], upto: int) -> dict[str, Any]:
        """A searchset that says where it goes on, where answers up to this number are left; one of nothing says nothing
        at all, not what was asked for either."""
        if "entry" not in bundle:
            return bundle
        rest = [(k, v) for k, v in self.query.multi_items() if k != "_offset"]
        after = self.offset + self.most
        bundle["link"] = [
            {"relation": name, "url": f"{self.base}/{self.here}?{urlencode([*rest, ('_offset', first)])}"}
            for name, first in (("self", self.offset), ("next", after))
            if name == "self" or (self.most and after < upto)
        ]
        return bundle

    def token(self, name: str) -> str:
        """A search parameter of type token or reference without its system, kind or urn."""
        return self.query.get(name, "").rpartition("|")[2].rpartition("/")[2].removeprefix("urn:oid:")


def _searched(kind: str) -> Callable[[_Asked, Any, bytes, Person], Any]:
    """A search that refuses what it would not obey: whoever asks for one patient must not be given all.

    With ``Prefer: handling=lenient`` an unknown parameter is passed over, as FHIR has it.
    """
    known = _ANYWHERE.union(*(params for name, _, params in made.SERVED if name == kind))

    def search(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
        strange = sorted({name.partition(":")[0] for name in asked.query} - known)
        changed = sorted(name for name in asked.query if ":" in name)
        if (strange or changed) and "handling=lenient" not in request.headers.get("prefer", "").replace(" ", ""):
            raise Refused(
                f"the search parameter {(strange or changed)[0][:40]!a} of {kind}",
                f"known are {', '.join(sorted(known))}, without modifiers", "leave it out, or ask leniently",
            )  # fmt: skip
        return _SEARCH[kind](asked, request, body, who)

    return search


def _nothing(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    must(who, "me")
    raise NotFound(
        "a resource at that address", "it is not served", f"{asked.base}/metadata says what is"
    )  # fmt: skip


def _metadata(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    from isocenter import __version__

    must(who, "me")
    return made.capability(_VERSIONS[asked.version], asked.site.clock(), __version__)


def _people(asked: _Asked, keys: Mapping[str, str], who: Person) -> list[Patient]:
    """Patients of the archive and of its orders, each once."""
    rows = asked.site.find("PATIENT", keys, who=who, limit=_MOST)
    found = [Patient(str(r["PatientID"]), str(r.get("PatientName") or ""), _day(r.get("PatientBirthDate")),
                     str(r.get("PatientSex") or ""), str(r.get("IssuerOfPatientID") or "")) for r in rows]  # fmt: skip
    if may(who, "orders"):
        ordered = (o.order.patient for o in asked.site.ordering.all(who=who))
        found += [p for p in ordered if not keys or p.id == keys["PatientID"]]
    return list({made.patient_id(p): p for p in reversed(found)}.values())


def _day(said: Any) -> date | None:
    if isinstance(said, date):
        return said
    text = str(said or "")
    return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 and text.isdecimal() else None


def _patients(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    if id := asked.token("_id"):
        mine = [p for p in _people(asked, {}, who) if made.patient_id(p) == id]
        return asked.page(mine, made.patient)
    wanted = asked.token("identifier")
    if not wanted:
        raise Refused("a search for patients without an identifier", "lists of patients are not given", "name one")
    found = _people(asked, {"PatientID": _plain(wanted)}, who)
    return asked.page(found, made.patient)


def _patient(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    # The address holds no number of a patient, so that none ends in a log; it is found by looking at all of them.
    for one in _people(asked, {}, who):
        if made.patient_id(one) == request.path_params["id"]:
            return made.patient(one)
    raise NotFound("a Patient of that id", "the archive has none", "search for it: Patient?identifier=…")


def _studies(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    keys: dict[str, str] = {}
    if uid := asked.token("identifier") or asked.token("_id"):
        keys["StudyInstanceUID" if is_uid(uid) and "." in uid else "AccessionNumber"] = _plain(uid)
    if wanted := asked.token("patient"):
        mine = next((p for p in _people(asked, {}, who) if made.patient_id(p) == wanted), None)
        if mine is None:
            return asked.page((), dict)
        keys["PatientID"] = mine.id
    uids = [str(row["StudyInstanceUID"]) for row in asked.site.find("STUDY", keys, who=who, limit=_MOST)]
    return asked.page(uids, lambda uid: made.imaging_study(asked.site.study(uid, who=who), asked.dicomweb))


def _study(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    return made.imaging_study(asked.site.study(request.path_params["id"], who=who), asked.dicomweb)


def _orders(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    many = [made.service_request(o.order, o.state) for o in asked.site.ordering.all(who=who)]
    if wanted := asked.query.get("identifier", "").rpartition("|")[2]:
        many = [r for r in many if wanted in [i["value"] for i in r["identifier"]]]
    if status := asked.query.get("status"):
        many = [r for r in many if r["status"] == status]
    if patient := asked.token("patient"):
        many = [r for r in many if r["subject"]["reference"] == f"Patient/{patient}"]
    return asked.page(many, dict)


def _order(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    for one in asked.site.ordering.all(who=who):
        told = made.service_request(one.order, one.state)
        if told["id"] == request.path_params["id"]:
            return told
    raise NotFound("a ServiceRequest of that id", "the archive has none", "search for it: ServiceRequest?identifier=…")


def _create(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("a body that is no JSON", "FHIR is taken as application/fhir+json", "") from None
    if not isinstance(told, Mapping):
        raise Refused("a body that is no resource", "one ServiceRequest, or a Bundle with it and its Patient", "")
    (placed,) = asked.site.ordering.place([made.order_of(told)], source="FHIR", who=who)
    return 201, made.service_request(placed.order, placed.state)


def _tasks(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    states = {"requested": "SCHEDULED", "in-progress": "IN PROGRESS", "completed": "COMPLETED", "cancelled": "CANCELED"}
    status = asked.query.get("status", "")
    if status and status not in states:
        raise Refused(f"status={status[:20]!a}", f"there are {', '.join(states)}", "ask for one of these")
    keys = {"00741000": {"vr": "CS", "Value": [states[status]]}} if status else {}
    found = asked.site.working.search(keys, who=who)
    return asked.page(found, lambda model: _as_task(asked, first(model, "00080018"), who))


def _task(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    return _as_task(asked, request.path_params["id"], who)


def _as_task(asked: _Asked, uid: str, who: Person) -> Any:
    item = asked.site.working.item(uid, who=who)
    # Whoever claims by DIMSE or with a service account is a program.
    people = {p["name"] for p in asked.site.index.people() if p["role"] != Role.SERVICE}
    return made.task(item.model, item.performer, bool(item.performer) and item.performer not in people, first)


def _endpoint(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    must(who, "me")
    if request.path_params["id"] != "dicomweb":
        raise NotFound("an Endpoint of that id", "there is 'dicomweb'", "read Endpoint/dicomweb")
    return made.endpoint(asked.dicomweb)


def _of_report(kind: str) -> Callable[[_Asked, Any, bytes, Person], Any]:
    def search(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
        must(who, "signed")  # first: who may not ask is told so, whether there is such a study or not
        study = asked.token("study")
        if not study:
            raise Refused(f"a search for {kind} without study=", "reports are asked for by their study", "name its UID")
        try:
            whole = json.loads(asked.site.signed_fhir(study, who=who, selections=bool(asked.version)))
        except NotFound:  # a search that finds nothing is an answer (R4 3.1.1), not a wrong address
            return asked.page((), dict)
        found = [e["resource"] for e in whole["entry"]]
        mine = [r for r in found if r["resourceType"] == kind]
        told = asked.page(mine, dict)
        rest = [r for r in found if r["resourceType"] != kind]
        if rest and asked.most and not asked.offset:
            told.setdefault("entry", []).extend(
                {"fullUrl": f"urn:uuid:{r['id']}", "resource": r, "search": {"mode": "include"}} for r in rest
            )
        return told

    return search


def _communications(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    from isocenter.forms.fhir_alerts import communication

    must(who, "report")
    states = {"": "", "in-progress": "open", "completed": "ended"}
    status, study = asked.query.get("status", ""), asked.token("study")
    if status not in states:
        raise Refused(f"status={status[:20]!a}", "there are in-progress and completed", "ask for one of these")
    found = [a for a in asked.site.alerts.all(who=who, state=states[status]) if not study or a["study"] == study]
    return asked.page(
        found, lambda one: communication(one, _patient_of(asked, one["study"]) if one["source"] != "glass" else None)
    )


def _consents(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    from isocenter.govern.consent_fhir import told

    must(who, "consent")
    study, wanted = asked.token("study"), asked.token("patient")
    if not study and not wanted:
        raise Refused("a search for Consents of everybody", "they are asked for by patient or study", "name one")
    mine = next((p for p in _people(asked, {}, who) if made.patient_id(p) == wanted), None) if wanted else None
    if wanted and mine is None:
        return asked.page((), dict)
    whose = {"patient": mine.id, "issuer": mine.issuer} if mine else {}
    try:
        found = asked.site.consents.listed(study=study, who=who, **whose)
    except NotFound:
        return asked.page((), dict)
    many = [told(t, f"Patient/{made.patient_id(Patient(t['patient'], issuer=t['issuer']))}") for t in found]
    return asked.page(many, dict)


def _patient_of(asked: _Asked, study: str) -> Patient | None:
    try:
        whose: Patient = asked.site.index.study(study).patient
    except NotFound:  # rejected since: the alert stays
        return None
    return whose


def _audit(asked: _Asked, request: Request, body: bytes, who: Person) -> Any:
    subject = asked.token("entity")
    many = asked.site.audits.events_fhir(subject, who=who, limit=asked.most, offset=asked.offset)
    whole = len(many) < asked.most  # a journal is not counted for every look at it
    told = made.bundle(many, asked.base, asked.offset + len(many) if whole else None)
    return asked.linked(told, 0 if whole else asked.offset + asked.most + 1)


def _plain(value: str) -> str:
    """A value to be found as it stands: an asterisk in it is no wildcard."""
    if "*" in value or "?" in value or "\\" in value:
        raise Refused("a wildcard in an identifier", "it is asked for whole", "")
    return value


_SEARCH: Final[Mapping[str, Callable[..., Any]]] = {
    "Patient": _patients, "ImagingStudy": _studies, "ServiceRequest": _orders, "Task": _tasks, "AuditEvent": _audit,
    "Communication": _communications, "Consent": _consents,
    **{kind: _of_report(kind) for kind in ("DiagnosticReport", "Observation", "Provenance", "ImagingSelection")},
}  # fmt: skip
_READ: Final[Mapping[str, Callable[..., Any]]] = {
    "Patient": _patient, "ImagingStudy": _study, "ServiceRequest": _order, "Task": _task, "Endpoint": _endpoint,
}  # fmt: skip


def _outcome(error: IsocenterError) -> dict[str, Any]:
    codes = {404: "not-found", 403: "forbidden", 409: "conflict", 413: "too-long", 400: "invalid"}
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": codes.get(status_of(error), "exception"), "diagnostics": str(error)}],
    }


def _said(status: int, resource: Mapping[str, Any], version: str) -> Response:
    from starlette.responses import Response

    told = made.as_r5(resource) if version else resource
    headers = {"WWW-Authenticate": 'Basic realm="Isocenter"'} if status == 401 else {}
    return Response(json.dumps(told, ensure_ascii=False).encode(), status, headers, media_type=_JSON)
