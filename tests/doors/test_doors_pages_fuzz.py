"""Whatever is sent, within what the interface describes or beside it: an answer in the one shape, and never a 500."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import schemathesis
from browser_for_pages import Browser
from fastapi.routing import APIRoute
from house_for_pages import CT, DX, House
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from isocenter.doors.pages import application

_HOUSE = House()
_APP = application(_HOUSE, demo=True, clock=lambda: _HOUSE.now)
# By method and address alone: to read what each operation takes is two seconds, and every process lists the tests.
_ASKED = [
    (method, route.path_format)
    for route in _APP.routes
    if isinstance(route, APIRoute) and route.include_in_schema and route.path != "/api/sign-out"  # it ends the session
    for method in sorted(m.lower() for m in route.methods)
]
_STUDIES = st.sampled_from([CT, DX, None])


@cache
def _operations() -> dict[tuple[str, str], Any]:
    found = (one.ok() for one in schemathesis.openapi.from_dict(_APP.openapi()).get_all_operations())
    return {(one.method, one.path): one for one in found}


def test_every_operation_that_the_interface_describes_is_asked() -> None:
    assert set(_operations()) - {("post", "/api/sign-out")} == set(_ASKED)


@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("asked", _ASKED, ids=" ".join)
def test_no_request_makes_the_server_fail(asked: tuple[str, str], examples: int) -> None:
    """A few requests of each kind by day, others in every run; many at night."""
    operation = _operations()[asked]
    browser = Browser(_APP, bearer=_HOUSE.token("admin"))

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    @given(operation.as_strategy(), _STUDIES, st.integers(0, 6))
    def ask(case: Any, study: str | None, version: int) -> None:
        path = {**(case.path_parameters or {})}
        if study is not None and "uid" in path:
            path["uid"] = study  # half of the requests find something
        body = case.body if isinstance(case.body, dict | list | str | int | float | bool) else None
        if isinstance(body, dict) and isinstance(body.get("version"), int) and study is not None:
            body = {**body, "version": version}
        address = case.path
        for name, value in path.items():
            address = address.replace("{" + name + "}", str(value).replace("/", "%2F") or "x")
        answer = browser.ask(case.method.upper(), address, params=case.query or None, json=body)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"what", "why", "do", "kind"}

    ask()
