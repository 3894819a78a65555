"""Figures for whoever watches the server: by route, never by address."""

from __future__ import annotations

from typing import Any

from browser_for_pages import Browser
from house_for_pages import CT, House

from isocenter.doors.pages import application
from isocenter.doors.pages_figures import Figures


def app_of(house: House) -> Any:
    return application(house, demo=True, clock=lambda: house.now)


def test_figures_are_for_the_admin_or_for_this_machine_and_name_nobody() -> None:
    house = House()
    app = app_of(house)
    Browser(app, bearer=house.token("reader")).get(f"/api/studies/{CT}")
    assert Browser(app).get("/metrics").status_code == 401
    assert Browser(app, bearer=house.token("reader")).get("/metrics").status_code == 403
    local = Browser(app, address="127.0.0.1").get("/metrics")
    assert local.status_code == 200
    assert 'route="/api/studies/{uid}"' in local.text
    assert CT not in local.text
    handed_on = Browser(app, address="127.0.0.1").get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})
    assert handed_on.status_code == 401, "a proxy on this machine does not make a stranger local"
    admin = Browser(app, bearer=house.token("admin")).get("/metrics")
    assert 'isocenter_archive{what="studies"} 2.0' in admin.text


def test_an_address_that_no_route_knows_and_a_strange_method_make_no_figure_of_their_own() -> None:
    figures = Figures()
    figures.answered({"type": "http", "method": "BREW", "path": "/PHANTOM"}, 400, 0.1)
    text = figures.text({}).decode()
    assert 'isocenter_answers_total{method="other",route="other",status="400"} 1.0' in text
    assert "PHANTOM" not in text


def test_two_servers_in_one_process_count_apart() -> None:
    first, second = Figures(), Figures()
    first.answered({"type": "http", "method": "GET"}, 200, 0.1)
    assert b"isocenter_answers_total{" not in second.text({})
