"""One press stops, five seconds take it back, the reason follows; and a stop that is rehearsed stops nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from department_for_oversight import AI, CHIEF, ITO, LEE, department
from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Kind
from isocenter.site import halting
from isocenter.site.halting import DRILL_EVERY
from isocenter.site.verbs import Site


@pytest.fixture
def here(tmp_path: Path) -> Iterator[tuple[Site, Any]]:
    with department(tmp_path, read=3) as (site, clock):
        yield site, clock


def released(site: Site) -> None:
    """The model on the shelf, brought to its release as short as the gate allows."""
    said: dict[str, Any] = {"reason": "it is time", "who": CHIEF}
    site.gating.declare(AI, {"may_change": ["weights"], "protocol": {"shadow_cases": 0}, "impact": "earlier"}, **said)
    site.gating.seal(AI, "t" * 64, **said)
    site.gating.look(AI, "t" * 64, **said)
    primary = {"value": 0.9, "low": 0.8, "high": 1}
    site.gating.judged(AI, {"metric": "auc", "n": 90, "against": "", "primary": primary, "gaps": []}, **said)
    for step in ("compare", "shadow", "release"):
        site.gating.step(AI, step, **said)


def test_a_slip_on_a_released_model_is_taken_back_whole(here: tuple[Site, Any]) -> None:
    site, clock = here
    released(site)
    bound = site.gating.disclosing.gates().of(site.gating.model(AI).digest).steps[-1]["bound"]
    site.halting.stop_model(AI, who=ITO)
    assert site.gating.told(AI, who=ITO)["state"] == "suspended"
    assert "undo" not in site.gating.told(AI, who=ITO)["possible"]
    with pytest.raises(Refused, match="no step of the gate"):
        site.gating.step(AI, "undo", reason="quickly", who=CHIEF)
    with pytest.raises(Refused, match="taken back by lee"):
        site.halting.undo_model(AI, who=LEE)
    clock.now += timedelta(seconds=5)
    site.halting.undo_model(AI, who=ITO)
    told = site.gating.told(AI, who=ITO)
    assert (told["state"], told["steps"][-1]["step"], site.halting.stops(who=ITO)) == ("released", "undo", [])
    assert told["steps"][-1]["bound"] == bound, "what was judged is still what may answer"
    site.halting.stop_model(AI, who=ITO)
    clock.now += timedelta(seconds=7)
    with pytest.raises(Refused, match="5 seconds have passed"):
        site.halting.undo_model(AI, who=ITO)
    assert site.gating.told(AI, who=ITO)["state"] == "suspended"


def test_a_reason_follows_and_an_older_stop_of_somebody_else_stays(here: tuple[Site, Any]) -> None:
    site, _ = here
    site.halting.stop_model(AI, who=ITO)
    assert [one["reason"] for one in site.halting.stops(who=LEE)] == [""]
    site.halting.explain_model(AI, reason="it calls every film", who=ITO)
    assert [one["reason"] for one in site.halting.stops(who=LEE)] == ["it calls every film"]
    with pytest.raises(WrongState):
        site.halting.explain_model(AI, reason="no, another", who=ITO)
    site.halting.stop("image_quality", who=ITO)
    with pytest.raises(Refused):
        site.halting.explain("image_quality", reason="x", who=LEE)
    site.halting.explain("image_quality", reason="ghosts", who=ITO)
    site.halting.undo("image_quality", who=ITO)
    assert [one["analysis"] for one in site.halting.stops(who=LEE)] == [AI]
    for verb in (site.halting.stop, site.halting.undo, site.halting.stop_model, site.halting.undo_model):
        with pytest.raises(Forbidden):
            verb(AI, who=Person("gray", Role.RESEARCHER))


def test_a_drill_tries_everything_and_stops_nothing(here: tuple[Site, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    site, clock = here
    site.set_mode(AI, Use.WORKLIST, Mode.TRIAGE, reason="test")
    assert site.halting.rules(AI, who=ITO)["drill"] is None and site.halting.rules(AI, who=ITO)["due"]
    before = site.head()
    told = site.halting.rehearse(AI, who=ITO)
    assert told["drill"]["passed"] and len(told["drill"]["checks"]) == 5 and not told["due"], told
    assert (told["rule"], told["baseline"], len(told["charts"])) == (None, 100, 6)
    assert [s.event.kind for s in site.journal.since(before)] == [Kind.STOP_REHEARSED]
    assert not site.halting.stops(who=ITO) and site.gating.told(AI, who=ITO)["state"] == "candidate"
    clock.now += DRILL_EVERY + timedelta(minutes=1)
    assert site.halting.rules(AI, who=ITO)["due"]

    monkeypatch.setattr(halting, "unraised", lambda one, stops: replace(one, raises=()))  # a list that drops too much
    monkeypatch.setattr(halting, "_alarms_of_a_fall", lambda now: set())
    checks = site.halting.rehearse(AI, who=ITO)["drill"]["checks"]
    assert [words for words, held in checks.items() if not held] == ["a planted fall of agreement sounds the alarm"]
    with pytest.raises(Forbidden):
        site.halting.rehearse(AI, who=Person("gray", Role.RESEARCHER))
    with pytest.raises(NotFound):
        site.halting.rehearse("nonsense", who=ITO)
    site.halting.stop_model(AI, who=LEE)
    with pytest.raises(WrongState, match="stopped by lee"):
        site.halting.rehearse(AI, who=ITO)


def test_a_worklist_that_a_stop_does_not_reach_fails_the_drill(
    here: tuple[Site, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _ = here
    rows = site._listing.waiting()
    raising = [one for one in rows if any(r.analysis == AI for r in one.raises)]
    assert raising, "somebody's row is raised by it"
    monkeypatch.setattr(halting, "unraised", lambda one, stops: one)
    monkeypatch.setattr(halting, "_alarms_of_a_fall", lambda now: {"agreement"})
    checks = site.halting.rehearse(AI, who=HOUSE)["drill"]["checks"]
    assert [words for words, held in checks.items() if not held] == ["it raises no study of the worklist"]
