"""Every route of the pages with every role, read off the application itself."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from browser_for_pages import Browser
from fastapi import APIRouter
from house_for_pages import CT, CT_SERIES, DX, DX_SERIES, NOON, PASSWORD, House

from isocenter.doors.pages import application
from isocenter.doors.pages_machine import Machine
from isocenter.doors.pages_who import needs, verb_of
from isocenter.govern.policy import RULES, Role
from isocenter.govern.tickets import Tickets

ROLES = [r.value for r in Role]
BODIES: dict[str, Any] = {
    "/api/sign-in": {"name": "nobody-has-this-name", "password": "x"},
    "/api/me/sessions/end": {"sessions": [], "password": PASSWORD},
    "/api/me/password": {"old": PASSWORD, "new": "another long sentence"},
    "/api/studies/{uid}/links": {"hours": 1},
    "/api/links": {"studies": [CT], "hours": 1},
    "/api/links/preview": {"studies": [CT]},
    "/api/deid/preview": {"studies": [CT], "to": "Dr Lee"},
    "/api/links/{id}/identity": {"claim": "0", "accepted": True},
    "/api/shared/identity": {"name": "Dr Lee"},
    "/api/consents/requests": {"studies": [CT], "of": "steward", "purpose": "sharing", "to": "Dr Lee"},
    "/api/consents/requests/{id}/answer": {"granted": False},
    "/api/shared/taken": {"study": CT, "expected": 1, "stored": 1, "there": 0, "rejected": 0, "missing": 0},
    "/api/shared/measure": {
        "kind": "length",
        "points": [[1, 1], [2, 2]],
        "series_uid": CT_SERIES,
        "instance_uid": CT_SERIES,
    },
    "/api/studies/{uid}/alerts": {"finding": "x", "level": 2, "identified": "2026-11-20T12:00Z", "responsible": "y"},
    "/api/alerts/{id}/acknowledge": {
        "finding": "x",
        "identified": "2026-11-20T12:00Z",
        "communicator": "ito",
        "recipient": "lee",
        "received": "2026-11-20T12:00Z",
        "method": "telephone",
    },
    "/api/studies/{uid}/reject": {"code": "113001", "reason": "a test"},
    "/api/studies/{uid}/rejections/{number}/take-back": {"reason": "a test"},
    "/api/studies/{uid}/rejections/{number}/ask-purge": {"reason": "a test"},
    "/api/identities/merge": {"gone": {"id": "1"}, "stays": {"id": "2"}, "reason": "a test"},
    "/api/identities/move": {"studies": ["1.2.3"], "id": "2", "reason": "a test"},
    "/api/identities/{number}/undo": {"reason": "a test"},
    "/api/orders": {
        "patient": {"id": "1"},
        "accession": "A9",
        "procedure": "CT head",
        "modality": "CT",
        "date": "2026-11-21",
    },
    "/api/orders/cancel": {"id": "A9", "reason": "a test"},
    "/api/workitems": {"label": "segment"},
    "/api/workitems/{uid}/cancel": {"reason": "a test"},
    "/api/workitems/{uid}/end": {"reason": "a test"},
    "/api/peers": {"aet": "PACS", "host": "192.0.2.7", "port": 104},
    "/api/links/{id}/end": {"reason": "a test"},
    "/api/links/{id}/extend": {"hours": 2},
    "/api/studies/{uid}/register": {"fixed": "1.2.1", "moving": "1.2.2"},
    "/api/studies/{uid}/registrations": {"proposal": "b" * 32},
    "/api/readings/{uid}/lapse": {"version": 0},
    "/api/readings/{uid}/sign": {"version": 0},
    "/api/readings/{uid}/lock": {"version": 0},
    "/api/readings/{uid}/line": {"line": "a nodule on the right"},
    "/api/readings/{uid}/undo": {"version": 0},
    "/api/readings/{uid}/seen": {"shown": [{"result": "0" * 64, "tracking": "2.25.1"}]},
    "/api/modes/{analysis}": {"use": "reading", "mode": "second", "reason": "a test"},
    "/api/modes/{analysis}/confirm": {"use": "reading", "proposal": Tickets(b"of a test").of(1)},
    "/api/readings/{uid}/correct": {"version": 0, "tracking": "2.25.1", "verdict": "kept"},
    "/api/readings/{uid}/sentences/{id}": {"version": 0, "text": "x"},
    "/api/readings/{uid}/assign": {"to": "reader"},
    "/api/settings/me": {"settings": {"theme": "light"}},
    "/api/settings/site": {
        "version": Tickets(b"of a test").of(0),
        "settings": {"limits_min": {"now": 20}},
        "reason": "a test",
    },
    "/api/views/{name}": {"name": "sensitivity", "q": "mod:CT"},
    "/api/people": {"name": "lee", "role": "reader", "password": "a sentence of some length"},
    "/api/palette": {"words": "A1"},
    "/api/patients": {"words": ""},
    "/api/studies/{uid}/stamps": {"stamp": "ordered", "at": "2026-11-20T08:00:00Z"},
    "/api/studies/{uid}/lesions": {"one": "2.25.1", "other": "2.25.2", "same": True},
    "/api/studies/{uid}/outcome": {"analysis": "volumetry", "present": True, "source": "pathology"},
    "/api/peer/draw": {"seed": "november"},
    "/api/peer/{id}/score": {"score": "1"},
    "/api/double": {"study": CT, "question": "Recall?", "readers": ["ito", "lee"]},
    "/api/double/{id}/opinion": {"positive": False},
    "/api/studies/{uid}/followups": {"finding": "nodule", "due": "2027-05-20", "responsible": "Dr Ruiz"},
    "/api/followups/{id}/match": {"study": CT},
    "/api/followups/{id}/close": {"reason": "done elsewhere"},
    "/api/studies/{uid}/remarks": {"words": "a vessel?"},
    "/api/studies/{uid}/together": {"page": "a1"},
    "/api/readings/{uid}/measure": {"version": 0, "kind": "length", "points": [[1, 1], [2, 2]]},
    "/api/studies/{uid}/segment": {"version": 0, "how": "brush", "series_uid": CT_SERIES},
    "/api/patients/{uid}/fetch": {"peer": "PACS", "study": "1.2.3"},
    "/api/patients/{uid}/fetch/stop": {"peer": "PACS", "study": "1.2.3"},
    "/api/studies/{uid}/flow": {"planes": [{"point_mm": [0, 0, 0], "normal": [0, 0, 1]}]},
    "/api/segment": {"analysis": ""},
    "/api/readings/{uid}/tell": {
        "told": [
            {
                "finding": "2.25.1",
                "identified": NOON.isoformat(),
                "communicator": "ito",
                "recipient": "Dr Lee",
                "received": NOON.isoformat(),
                "method": "telephone",
            }
        ]
    },
    "/api/projects/{name}": {"about": "a trial"},
    "/api/projects/{name}/members": {"name": "reader", "role": "reader"},
    "/api/projects/{name}/senders": {"sender": "CT1"},
    "/api/studies/{uid}/project": {"project": "trial", "reason": "a test"},
    "/api/studies/{uid}/glass": {"reason": "a seizure in the ward"},
    "/api/glass/{id}/review": {"justified": True},
    "/api/cohorts": {"name": "adults"},
    "/api/cohorts/{id}/tags": {"tag": 1, "all": True},
    "/api/cohorts/{id}/without": {"name": "fewer", "reason": "motion", "studies": ["1.2"]},
    "/api/cohorts/{id}/hand-out": {"purpose": "research"},
    "/api/cohorts/{id}/hand-out/plan": {"purpose": "research"},
    "/api/models/{name}/step": {"step": "examine", "reason": "a test"},
    "/api/consents": {"study": CT, "terms": {"GRU": []}},
    "/api/consents/of": {"study": CT},
    "/api/consents/withdraw": {"study": CT},
    "/api/consents/reached": {"study": CT},
    "/api/consents/asked": {"study": CT, "purpose": "research", "non_profit": True, "countries": ["DE"]},
    "/api/consents/fhir": {
        "resourceType": "Consent",
        "status": "inactive",
        "patient": {"identifier": {"value": "1"}},
    },
    "/api/readings/{uid}/template": {"version": 0, "name": "general"},
    **{
        f"/api/{what}/{{name}}/{act}": {"reason": "drift"}
        for what in ("analyses", "models")
        for act in ("stop", "stop/reason", "resume")
    },
}


def routes(app: Any) -> list[tuple[str, str, str | None]]:
    """(method, path, verb) of every route that the application answers, also those of routers within it."""
    found = []

    def walk(many: Any, before: str = "") -> None:
        for route in many:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            if getattr(route, "methods", None):
                found.extend((m, before + route.path, verb_of(route)) for m in sorted(route.methods - {"HEAD"}))
            elif inner is not None:
                walk(inner.routes, before)
            else:
                found.append(("?", str(route), None))

    walk(app.routes)
    return found


APP_ROUTES = routes(application(House(), demo=True, clock=lambda: NOON))


def test_the_routes_of_the_contract_are_there() -> None:
    paths = {(m, p) for m, p, _ in APP_ROUTES}
    for line in (
        "GET /sign-in", "POST /api/sign-in", "POST /api/sign-out", "GET /api/me", "GET /api/worklist",
        "GET /api/studies/{uid}", "GET /api/studies/{uid}/results", "GET /api/results/{id}/contours/{tracking}",
        "GET /api/studies/{uid}/plan", "GET /api/studies/{uid}/hang",
        "POST /api/readings/{uid}/open", "POST /api/readings/{uid}/lapse", "POST /api/readings/{uid}/sign",
        "POST /api/readings/{uid}/correct", "GET /api/readings/{uid}/report",
        "PUT /api/readings/{uid}/sentences/{id}", "GET /api/readings/{uid}/report.pdf",
        "GET /api/readings/{uid}/report.csv", "GET /api/analyses",
        "GET /api/models", "GET /api/explain/{id}", "GET /api/events", "GET /healthz", "GET /metrics",
    ):  # fmt: skip
        assert tuple(line.split()) in paths, line


@pytest.mark.parametrize(("method", "path", "verb"), APP_ROUTES)
def test_every_route_declares_a_verb_of_the_table(method: str, path: str, verb: str | None) -> None:
    assert verb is not None, f"{method} {path} declares no verb: add needs(…)"
    assert verb in RULES


def test_a_route_without_a_verb_would_be_found() -> None:
    careless = APIRouter()

    @careless.get("/api/everything")
    def everything() -> str:
        return "all of it"

    app = application(House(), demo=True, clock=lambda: NOON, dicomweb_router=careless)
    assert ("GET", "/api/everything", None) in routes(app)


def test_a_verb_that_the_table_does_not_have_stops_the_start() -> None:
    with pytest.raises(KeyError):
        needs("fly")


def _fresh() -> tuple[House, Any]:
    house = House()
    return house, application(
        house,
        demo=True,
        clock=lambda: NOON,
        machine=Machine(again=lambda study: None, echo=lambda peer: None, research=lambda *asked: None),
    )


# By day every route is tried for every role, with real verbs, by the matrix of access; here for three of them.
@pytest.mark.parametrize(
    "role",
    [
        r if Role(r) in (Role.READER, Role.PATIENT, Role.NONE) else pytest.param(r, marks=pytest.mark.nightly)
        for r in ROLES
    ],
)
def test_every_route_with_every_role(role: str) -> None:
    """Refused exactly where the table refuses: 401 without an account, 403 with another role; never a 500."""

    house, app = _fresh()
    for method, path, verb in APP_ROUTES:
        allowed = Role(role) in RULES[str(verb)].roles
        if allowed and method != "GET":  # what is refused, and what only looks, leaves the house as it was
            house, app = _fresh()
        address = (
            path.replace("{uid}", CT)
            .replace(
                "{id}",
                house.result_of(CT, "volumetry")
                if path.endswith("/mask")  # a mask lies on a stack of slices
                else house.result_of(DX, "chest_xray_opacity")
                if "results" in path or "explain" in path
                else "a" * (32 if "segment" in path or "hand-outs" in path else 1),
            )
            .replace("{tracking}", "2.25.2")
            .replace("{name}", "sensitivity")
            .replace("{scope}", "me")
            .replace("{series}", CT_SERIES)
            .replace("{fixed}", CT_SERIES)
            .replace("{by}", "kept")
            .replace("{run}", "a" * 32)
            .replace("{thread}", "7" * 16)
            .replace("{number}", "7" * 16)
            .replace("{analysis}", "volumetry")
            .replace("{answer}", "cohort")
            .replace("{path:path}", "worklist")
        )
        if path.endswith(("/section", "/mask", "/map", "/measure/{tracking}")):
            on = CT_SERIES if path.endswith("/mask") else DX_SERIES
            address += f"?point=0,0,40&normal=0,0,1&on={on}&name=sensitivity&version=0"
        if re.search("contours", path):
            address += f"?sop={DX_SERIES}.1"
        if path.endswith("/slab"):
            address += f"?tag={'0' * 32}&first=0&count=1"  # of an older state of the series: 409
        if path.endswith("/plane.png"):
            address += "?origin=0,0,0&right=1,0,0&down=0,1,0&width=8&height=8&low=0&high=100"
        browser = Browser(app, bearer=house.token(role) if role != "none" else "")
        if verb == "events" and Role(role) in RULES["events"].roles:
            continue  # this answer does not end; its own test file hears it
        answer = browser.ask(method, address, json=BODIES.get(path))
        told = f"{role} {method} {path}: {answer.status_code} {answer.text[:200]}"
        if allowed:
            refused_name = path == "/api/sign-in" and answer.status_code == 403
            no_service = path == "/sign-in/oidc/ended" and answer.status_code == 400  # none is set up here
            nothing_waits = path.endswith(("/confirm", "/comparison")) and answer.status_code == 404
            assert answer.status_code in (200, 204, 303, 409) or refused_name or no_service or nothing_waits, told
        else:
            assert answer.status_code == (401 if role == "none" else 403), told
            error = answer.json()["error"]
            assert f"'{verb}'" in error["what"], told
            assert error["do"], told
            assert "PHANTOM" not in json.dumps(error), told
