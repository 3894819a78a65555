"""Whatever is sent, within what the interface describes or beside it: an answer in the one shape, and never a 500."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from browser_for_pages import Browser
from house_for_pages import CT, DX, House
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from isocenter.doors.pages import application

_HOUSE = House()
_APP = application(_HOUSE, demo=True, clock=lambda: _HOUSE.now)
_FOUND = [found.ok() for found in schemathesis.openapi.from_dict(_APP.openapi()).get_all_operations()]
_OPERATIONS = [o for o in _FOUND if o.path != "/api/sign-out"]  # it would end the session of all others
_STUDIES = st.sampled_from([CT, DX, None])


@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("operation", _OPERATIONS, ids=lambda o: f"{o.method} {o.path}")
def test_no_request_makes_the_server_fail(operation: Any, examples: int) -> None:
    """A few requests of each kind by day, others in every run; many at night."""
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
