"""Every route, every role, one's own project and another's, on a real archive: refused exactly where the tables say.

What a route is about stands in `ABOUT`, and its verb on the route itself or in `PROTOCOLS`; the expected answer follows
from both and from the table of rights. A route that is in no table fails the test, and so does one that has gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pydicom
import pytest
from access_tables import ABOUT, ALSO, CHANGES_ALL, CHANNELS, ELSEWHERE, OWN_ACTS, PERSONAL, PROTOCOLS, QUERIES, SECOND
from house_for_pages import CT as CT_OF_BODIES
from house_for_pages import CT_SERIES as SERIES_OF_BODIES
from pydicom.data import get_testdata_file
from test_doors_pages import BODIES

from isocenter.app import open_house
from isocenter.doors import dicomweb, fhir, pages, pages_machine, pages_who, workitems_rs
from isocenter.forms import fhir_workflow as made_fhir
from isocenter.govern.policy import HOUSE, RULES, Person, Role
from isocenter.reading import peer
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import (
    Cohort,
    Event,
    Finding,
    Kind,
    Map,
    Origin,
    Outcome,
    Patient,
    Receipt,
    Result,
    Urgency,
    canonical,
    codes,
)
from isocenter.record.order import Order
from isocenter.settings import Settings
from isocenter.site.volumes import volumes_of
from isocenter.space import Region, Shape

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROLES = [Role.ADMIN, Role.READER, Role.RESEARCHER, Role.PLANNER, Role.SERVICE, Role.PATIENT, Role.NONE]


ITEM = {
    "00741200": {"vr": "CS", "Value": ["HIGH"]}, "00741204": {"vr": "LO", "Value": ["an item"]},
    "00404005": {"vr": "DT", "Value": ["20261120120000"]}, "00404041": {"vr": "CS", "Value": ["READY"]},
}  # fmt: skip
ORDER = {
    "resourceType": "ServiceRequest", "status": "active", "intent": "order", "identifier": [{"value": "ORDER-X"}],
    "contained": [{"resourceType": "Patient", "id": "p", "identifier": [{"value": "P-X"}], "name": [{"family": "X"}]}],
    "subject": {"reference": "#p"}, "code": {"text": "CT"},
}  # fmt: skip


class Side:
    """One project with a study and everything that can hang on it."""

    def __init__(self, site: Any, name: str, who: Person, file: str) -> None:
        number = 1 + (name == "trial")
        data = self.data = Path(str(get_testdata_file(file, download=False))).read_bytes()
        header = pydicom.dcmread(BytesIO(data), stop_before_pixels=True)
        (stored,) = site.receive([data], sender=who.name, who=who)
        assert stored.status == "stored"
        self.study, self.series, self.image = (
            str(header[k].value) for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        )
        self.patient = str(header.PatientID)
        assert site.projects.home(self.study) == name
        study = site.index.study(self.study)
        grid = volumes_of(study.series[0], site.blobs.get)[0].geometry
        mask = np.zeros(grid.shape, bool)
        mask[:, 4:9, 4:9] = True
        buffer = BytesIO()
        np.save(buffer, np.zeros(grid.shape, np.float32))
        held = Map("map", "map", "1", grid, site.blobs.put(buffer.getvalue()), "map", self.series, 0.0, 1.0)
        self.tracking = f"2.25.{number}"
        finding = Finding(
            codes.LESION, 0.8, Region(grid, Shape.MASK, mask, series_uid=self.series), words=f"Of {name}.",
            tracking=self.tracking,
        )  # fmt: skip
        made = Result(
            self.study, Outcome.FOUND, Origin("machine", "volumetry", "1"), NOW, findings=(finding,), maps=(held,),
            urgency=Urgency.NOW, receipt=Receipt(series=(self.series,)),
        )  # fmt: skip
        self.result = site.blobs.put(canonical(made))
        cohort = site.blobs.put(canonical(Cohort(f"cohort of {name}", {"q": ""}, (self.study,), {}, NOW)))
        drawn = peer.draw(
            [peer.Candidate(self.study, frozenset({"x"}), "CT", False)],
            ["chief", "boss"],
            seed=name,
            who=who.name,
            now=NOW,
            rate=1.0,
        )
        site.journal.append(
            Event(Kind.RESULT_MADE, NOW, "isocenter", self.study, {"result": self.result}),
            Event(
                Kind.COHORT_FROZEN,
                NOW,
                who.name,
                cohort,
                {"name": f"cohort of {name}", "q": "", "n": 1, "cohort": cohort},
            ),
            *drawn,
        )
        self.order = f"ORDER-{name}"
        ordered = Order(self.order, Patient(f"ORDERED-{name}", f"Ordered^{name}"), f"1.2.9.{number}")
        site.ordering.place([ordered], source="person", who=who)
        self.workitem = f"1.2.826.5.{number}"
        site.working.create(self.workitem, ITEM | {"00741204": {"vr": "LO", "Value": [f"item of {name}"]}}, who=who)
        _, link = site.sharing.share(self.study, who=who, to=f"for {name}")
        followup = site.reviews.ask_followup(
            self.study, who=who, finding=f"nodule of {name}", due=date(2027, 5, 20), responsible="Dr Ruiz"
        )
        alert = site.alerts.raise_(self.study, f"finding of {name}", 2, identified=NOW, responsible="Dr Lee", who=who)
        double = site.reviews.ask_double(self.study, f"Recall in {name}?", ["chief", "boss"], who=who)
        moved = site.identities.move([self.study], Patient(f"MOVED-{name}", f"Moved^{name}"), reason="a test", who=who)
        patient = site.index.study(self.study).patient
        request = made_fhir.service_request(ordered, "scheduled")
        (wish,) = site.requesting.ask([self.study], of="steward", purpose="sharing", to=f"for {name}", who=who)
        self.names = {
            "/api/consents/requests": wish["id"], "/api/links": link["id"], "/api/alerts": alert.id,
            "/api/cohorts": cohort, "/api/peer": drawn[0].subject,
            "/api/double": double, "/api/followups": followup, "/api/identities": site.tickets.of(moved["number"]),
            "/api/glass": "0" * 16, "/dicom-web/workitems": self.workitem,
            "/fhir/Patient": made_fhir.patient_id(patient), "/fhir/r5/Patient": made_fhir.patient_id(patient),
            "/fhir/ServiceRequest": request["id"], "/fhir/r5/ServiceRequest": request["id"],
            "/fhir/Task": self.workitem, "/fhir/r5/Task": self.workitem,
        }  # fmt: skip
        self.canaries = {
            self.study, self.series, self.image, self.patient, self.result, self.order, self.workitem, cohort,
            f"MOVED-{name}", f"Moved^{name}", f"ORDERED-{name}", f"Ordered^{name}", f"of {name}", f"for {name}",
            link["id"], wish["id"], alert.id, double, followup, drawn[0].subject,
        }  # fmt: skip


class World:
    """An archive of two projects; everybody whose role is asked is in the house and in nothing else."""

    def __init__(self, folder: Path) -> None:
        self.house = open_house(Settings(folder=folder), apart=False)
        site = self.site = self.house.site
        site.clock = lambda: NOW + timedelta(minutes=1)
        boss, chief = Person("boss", Role.ADMIN), Person("chief", Role.ADMIN)
        for name, role in (("boss", Role.ADMIN), ("chief", Role.ADMIN), *((r.value, r) for r in ROLES[:-1])):
            told = {"role": role.value, "credential": ""}
            site.journal.append(Event(Kind.PERSON_ADDED, NOW, "isocenter", name, told))
        site.projects.found("trial", "a trial", keeper="boss", who=HOUSE)
        site.projects.join("trial", "boss", Role.ADMIN, who=HOUSE)
        site.projects.join("house", "boss", Role.NONE, who=HOUSE)
        site.projects.rule("trial", "boss", of="account", who=HOUSE)
        for name in site.registry.analyses:  # who may look together is asked, not whose opinion comes first
            site.set_mode(name, Use.READING, Mode.CONCURRENT, reason="a test")
        self.others = Side(site, "trial", boss, "MR_small.dcm")
        self.own = Side(site, "house", chief, "CT_small.dcm")
        web = dicomweb.router(site, pages_who.person_of)
        web.include_router(workitems_rs.router(site.working, pages_who.person_of))
        self.app = pages.application(
            site, demo=False, clock=site.clock, dicomweb_router=web, fhir_router=fhir.router(site, pages_who.person_of),
            machine=pages_machine.Machine(again=lambda study: None, research=lambda *asked: None),
        )  # fmt: skip
        self.colleagues: dict[Role, str] = {}
        self.extra = 0
        self.tokens = {r: site.sign_in_by_link(site.link(r.value), address="test") for r in ROLES if r is not Role.NONE}

    def colleague(self, role: Role) -> str:
        """The session of somebody else of the same role."""
        if role not in self.colleagues:
            name = f"other {role.value}".replace(" ", "-")
            told = {"role": role.value, "credential": ""}
            self.site.journal.append(Event(Kind.PERSON_ADDED, NOW, "isocenter", name, told))
            self.colleagues[role] = self.site.sign_in_by_link(self.site.link(name), address="test")
        return self.colleagues[role]

    def reviewer(self) -> str:
        """The session of who looks through what is opened in an emergency in the other project."""
        return self.site.sign_in_by_link(self.site.link("boss"), address="test")

    def rejected(self) -> str:
        """The number of a rejection that stands, of an image that is here for this alone."""
        ds = pydicom.dcmread(BytesIO(self.own.data))
        self.extra += 1
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.77{self.extra}"
        buffer = BytesIO()
        ds.save_as(buffer)
        chief = Person("chief", Role.ADMIN)
        self.site.receive([buffer.getvalue()], sender="chief", who=chief)
        told = self.site.rejecting.reject(
            self.own.study, code="113001", reason="a test", instances=[ds.SOPInstanceUID], who=chief
        )
        return str(self.site.tickets.of(told["number"]))

    def close(self) -> None:
        self.house.close()


def routes_of(app: Any) -> dict[str, str | None]:
    """ "METHOD path" of every route -> the verb that it declares."""
    found: dict[str, str | None] = {}

    def walk(many: Any, before: str = "") -> None:
        for route in many:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            methods = getattr(route, "methods", None)
            if inner is not None and not methods:
                walk(inner.routes, before + str(getattr(getattr(route, "include_context", None), "prefix", "")))
                continue
            for method in sorted(set(methods or {"WS"}) - {"HEAD"}):
                found[f"{method} {before}{route.path}"] = pages_who.verb_of(route)

    walk(app.routes)
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("matrix") / "archive")
    yield made
    made.close()


def about() -> dict[str, str]:
    return {line.strip(): kind for kind, lines in ABOUT.items() for line in lines.strip().splitlines()}


def verb_of(route: str, declared: str | None) -> str:
    verbs = [declared] if declared else [verb for pattern, verb in PROTOCOLS if re.fullmatch(pattern, route)]
    assert verbs, f"{route} declares no verb and is in no table of verbs"
    assert verbs[0] in RULES
    return verbs[0]


def test_every_route_is_in_the_table_and_nothing_else(world: World) -> None:
    routes = routes_of(world.app)
    assert set(routes) == set(about()), "say in ABOUT what a new route is about"
    assert len(about()) == sum(len(lines.strip().splitlines()) for lines in ABOUT.values())
    for route, declared in routes.items():
        verb_of(route, declared)


def test_a_route_that_is_in_no_table_would_be_found(world: World) -> None:
    from fastapi import APIRouter

    careless = APIRouter()
    careless.add_api_route("/everything", lambda: "all of it", methods=["GET"])
    app = pages.application(world.site, demo=False, clock=world.site.clock, dicomweb_router=careless)
    assert "GET /dicom-web/everything" in set(routes_of(app)) - set(about())
    with pytest.raises(AssertionError):
        verb_of("GET /dicom-web/everything", None)


SEVEN = "7" * 16  # the ticket of no entry


def address(route: str, side: Side, others: Side) -> str:
    path = route.split(" ", 1)[1]
    of = "/".join(path.split("/")[: 4 if "/r5/" in path else 3])
    named = {
        "{series}": side.series, "{instance}": side.image, "{study}": side.study, "{fixed}": side.series,
        "{by}": "kept", "{answer}": "cohort",
        "{frames}": "1", "{path:path}": "7FE00010" if "bulk" in path else "worklist", "{tracking}": side.tracking,
        "{analysis}": "volumetry", "{name}": "volumetry", "{scope}": "me", "{thread}": SEVEN, "{aet}": "SOME",
        "{run}": "a" * 32,
        "{project}": "trial",
        "{number}": side.names["/api/identities"] if of == "/api/identities" else SEVEN,
        "{uid}": side.workitem if "workitems" in path else side.study,
    }  # fmt: skip
    if "/results/" in path or "/explain/" in path:
        named["{id}"] = side.result
    elif "ImagingStudy" in path:
        named["{id}"] = side.study
    elif "Endpoint" in path:
        named["{id}"] = "dicomweb"
    else:
        named["{id}"] = side.names.get(of, "a" * 32)
    said = QUERIES.get(path, "").replace("IMAGE", side.image).replace("SERIES", side.series)
    said = said.replace("STUDY", side.study).replace("OTHERS", others.patient)
    for name, value in named.items():
        path = path.replace(name, value)
    return path + said


def sent(route: str, side: Side, headers: dict[str, str]) -> dict[str, Any]:
    """What a request carries: what each route needs to come as far as its verb."""
    path = route.split(" ", 1)[1]
    if path.startswith("/dicom-web/") and path.endswith(("/studies", "/studies/{study}")) and "POST" in route:
        return {"headers": headers | {"Content-Type": "application/dicom"}, "content": side.data}
    if "/state" in path:
        told = {"00741000": {"vr": "CS", "Value": ["IN PROGRESS"]}, "00081195": {"vr": "UI", "Value": ["1.2.3"]}}
        return {"headers": headers, "json": told}
    if path == "/api/orders/cancel":
        return {"headers": headers, "json": {"id": side.order, "reason": "a test"}}
    if path.startswith("/dicom-web/workitems"):
        return {"headers": headers, "json": ITEM if "POST" in route else None}
    if path.endswith("/ServiceRequest"):
        return {"headers": headers, "json": ORDER if "POST" in route else None}
    return {"headers": headers, "json": body_of(path, side)}


def body_of(path: str, side: Side) -> Any:
    told = json.dumps(BODIES.get(path))
    return json.loads(told.replace(SERIES_OF_BODIES, side.series).replace(f'"{CT_OF_BODIES}"', f'"{side.study}"'))


NOTHING_FOUND = json.dumps({"resourceType": "Bundle", "type": "searchset", "total": 0})
"""What a search by FHIR says of a study that does not exist, to the letter."""


def test_every_route_for_every_role_in_ones_own_project_and_in_another(world: World) -> None:
    """Without an account 401, with another role 403, of another project 404 or nothing of it; one's own is answered."""
    routes, wrong = routes_of(world.app), list[str]()
    asked = {"own": 0, "others": 0}

    async def all_of_them() -> None:
        transport = httpx.ASGITransport(world.app, client=("192.0.2.1", 40000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for route, kind in about().items():
                if route.startswith("WS"):
                    continue
                for role in ROLES:
                    await _try(client, route, kind, role)

    async def _try(client: httpx.AsyncClient, route: str, kind: str, role: Role) -> None:
        verbs = [verb_of(route, routes[route]), *ALSO.get(route, ())]
        allowed = all(role in RULES[verb].roles for verb in verbs)
        for whose, side in (("others", world.others), ("own", world.own)):
            if whose == "own" and (not allowed or kind in ("site", "list") or CHANGES_ALL.fullmatch(route)):
                continue
            if allowed and (kind == "apart" or (whose == "own" and route in PERSONAL)):
                continue
            method = route.split(" ", 1)[0]
            headers = {"Origin": "http://localhost"}
            if role is not Role.NONE:
                headers["Authorization"] = f"Bearer {world.tokens[role]}"
            answer = await client.request(method, address(route, side, world.others), **sent(route, side, headers))
            asked[whose] += 1
            if said := _wrong(answer, kind, role, allowed, whose):
                wrong.append(f"{role} {whose} {route}: {answer.status_code} {said} {answer.text[:160]}")

    def _wrong(answer: httpx.Response, kind: str, role: Role, allowed: bool, whose: str) -> str:
        if answer.status_code >= 500 and answer.status_code != 502:  # a peer that does not answer
            return "fails"
        if not allowed:  # a door of a protocol may say of what does not exist that it does not
            fine = (401,) if role is Role.NONE else (403, 404) if kind == "study" else (403,)
            return "" if answer.status_code in fine else "should be refused by its role"
        if whose == "own":
            return "one's own is refused" if answer.status_code in (401, 403) else ""
        if kind in ("study", "named") and answer.status_code != 404 and answer.text != NOTHING_FOUND:
            return "another's should not exist"
        if kind in ("list", "site") and answer.status_code < 400:
            told = {one for one in world.others.canaries if one in answer.text}
            return f"tells of another's: {sorted(told)}" if told else ""
        return ""

    anyio.run(all_of_them)
    assert not wrong, "\n".join(wrong)
    assert asked["others"] > 1000 and asked["own"] > 250


async def heard(app: Any, path: str, headers: dict[str, str], until: str) -> tuple[int, str]:
    """Status and what an answer that does not end tells until some words; then the listener leaves."""
    told: list[str] = []
    status, gone = [0], anyio.Event()

    async def receive() -> dict[str, Any]:
        if not told and not gone.is_set():
            gone.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        if until not in "".join(told):
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status[0] = message["status"]
        elif message.get("body"):
            told.append(message["body"].decode())

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("192.0.2.1", 40000),
        "server": ("localhost", 80),
        "headers": [(k.lower().encode(), v.encode()) for k, v in {"Host": "localhost", **headers}.items()],
    }  # fmt: skip
    with anyio.fail_after(20):
        await app(scope, receive, send)
    return status[0], "".join(told)


async def listened(app: Any, path: str, token: str, then: Any) -> tuple[list[str], int | None]:
    """What a socket tells until its first message, and after `then` its code of closing; None where it stays open."""
    told, closed, heard_one, ended = list[str](), list[int](), anyio.Event(), anyio.Event()
    said = iter([{"type": "websocket.connect"}])

    async def receive() -> dict[str, Any]:
        for message in said:
            return message
        await heard_one.wait()
        if then is not None:
            then()
            with anyio.fail_after(10):
                await ended.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            told.append(message["text"])
            heard_one.set()
        elif message["type"] == "websocket.close":
            closed.append(message["code"])
            ended.set()

    where, _, query = path.partition("?")
    headers = {"Host": "localhost"} | ({"Authorization": f"Bearer {token}"} if token else {})
    scope = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": where,
        "raw_path": where.encode(), "query_string": query.encode(), "root_path": "", "subprotocols": [],
        "client": ("192.0.2.1", 40000), "server": ("localhost", 80),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    with anyio.fail_after(20):
        await app(scope, receive, send)
    return told, closed[0] if closed else None


def test_what_does_not_end_is_heard_by_whom_the_table_lets_and_tells_of_ones_own_project_alone(world: World) -> None:
    assert set(CHANNELS) >= {r for r in about() if r in ("GET /api/events",) or r.startswith("WS ")}
    wrong = list[str]()

    async def all_of_them() -> None:
        for route in ("GET /api/events", "GET /api/studies/{uid}/together"):
            for role in ROLES:
                for whose, side in (("own", world.own), ("others", world.others)):
                    headers = {"Last-Event-ID": world.site.tickets.of(0)}
                    if role is not Role.NONE:
                        headers["Authorization"] = f"Bearer {world.tokens[role]}"
                    path = address(route, side, world.others)
                    status, told = await heard(
                        world.app, path, headers, "\n\nevent: pulse" if "events" in route else "retry"
                    )
                    allowed = all(role in RULES[verb].roles for verb in CHANNELS[route])
                    right = 200 if allowed else 401 if role is Role.NONE else 403
                    if allowed and whose == "others" and "together" in route:
                        right = 404
                    if status != right:
                        wrong.append(f"{role} {whose} {route}: {status} {told[:160]}")
                    if status == 200 and any(one in told for one in world.others.canaries):
                        wrong.append(f"{role} {route} tells of another's: {told[:300]}")
                    if status == 200 and "events" in route and world.own.study not in told:
                        wrong.append(f"{role} {route} does not tell of one's own: {told[:300]}")

    async def at_once() -> None:
        await anyio.sleep(0)

    before, world.app.state.pause = world.app.state.pause, at_once
    anyio.run(all_of_them)
    world.app.state.pause = before
    assert not wrong, "\n".join(wrong)


def test_the_socket_of_work_items_tells_each_role_of_its_own_project_alone_and_ends_with_the_session(
    world: World,
) -> None:
    site, start = world.site, world.site.working.head()
    for side, name in ((world.others, "boss"), (world.own, "chief")):
        site.working.watch(side.workitem, "SOME", who=Person(name, Role.ADMIN))
    for role in ROLES:
        token = world.tokens[role] if role is not Role.NONE else ""
        told, closed = anyio.run(listened, world.app, f"/dicom-web/subscribers/SOME?since={start}", token, None)
        if role not in RULES["workitems"].roles:
            assert (told, closed) == ([], 4401), role
        else:
            assert world.own.workitem in told[0] and closed is None, role
            assert not any(one in "".join(told) for one in world.others.canaries), role
    token = site.sign_in_by_link(site.link("reader"), address="test")
    _, closed = anyio.run(
        listened, world.app, f"/dicom-web/subscribers/SOME?since={start}", token, lambda: site.sign_out(token)
    )
    assert closed == 4401


def test_nobody_ends_alone_what_takes_two(world: World) -> None:
    """Every act that judges another's, by every role that may do it: one's own is refused, a colleague's is not."""
    acts = {route for route in about() if SECOND.fullmatch(route)}
    assert acts == set(OWN_ACTS) | set(ELSEWHERE), "say in OWN_ACTS how a new act of this kind is begun"
    assert all((Path(__file__).parents[2] / place).exists() for place in ELSEWHERE.values())
    routes, tried = routes_of(world.app), 0

    def ask(route: str, path: str, token: str, body: Any) -> httpx.Response:
        said = {"Authorization": f"Bearer {token}", "Origin": "http://localhost"}

        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(world.app, client=("192.0.2.1", 40000))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(route.split(" ", 1)[0], path, headers=said, json=body)

        return anyio.run(once)

    for route, (begin, body) in OWN_ACTS.items():
        for role in (r for r in ROLES if r in RULES[verb_of(route, routes[route])].roles):
            mine, colleague = world.tokens[role], world.colleague(role)
            side = world.others if "glass" in route else world.own
            number = world.rejected() if "purge" in route else ""
            path = address(begin, side, world.others).replace(SEVEN, number or SEVEN)
            if "mode" in body and role is Role.READER:
                body = {**body, "mode": "concurrent"}  # what is set already is no proposal
            begun = ask(begin, path, mine, body)
            assert begun.status_code == 200, (role, begin, begun.text[:300])
            path, told = address(route, side, world.others).replace(SEVEN, number or SEVEN), BODIES.get(route[5:], {})
            if "glass" in route:
                path, told = f"/api/glass/{begun.json()['id']}/review", {"justified": True, "words": "rightly"}
            if "confirm" in route:
                waits = [p for line in begun.json()["analyses"] for p in line["proposals"]]
                told = {"use": "reading", "proposal": max(waits, key=lambda p: str(p["time"]))["proposal"]}
            own = ask(route, path, mine, told)
            assert own.status_code in (400, 403, 404, 409, 422), (role, route, own.status_code, own.text[:300])
            other = ask(route, path, colleague if "glass" not in route else world.reviewer(), told)
            assert other.status_code in (200, 204), (role, route, other.status_code, other.text[:300])
            tried += 1
    assert tried >= 6
