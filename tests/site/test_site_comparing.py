"""Two versions of a model beside each other: what changed, whether it may, and the difference on the same cases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from department_for_oversight import AI, CHIEF, ITO, department
from isocenter.analysis import weights
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.policy import Person, Role
from isocenter.record import Event, Kind, to_plain
from isocenter.site.comparing import Comparing
from isocenter.site.verbs import Site

OLD, GONE = "a" * 64, "b" * 64
TEST = "t" * 64


@pytest.fixture
def comparing(tmp_path: Path) -> Iterator[tuple[Comparing, Site, str]]:
    """The installed opacity model in a site's own folder, and an older one with another threshold and a small group."""
    new: dict[str, Any] = dict(to_plain(weights.models()[AI][0]))
    old = json.loads(json.dumps(new)) | {"version": "0.9", "digest": OLD}
    old["card"]["limits"] = "none known"
    old["inputs"]["threshold"] = 0.123
    old["evidence"]["metrics"] = {"auc": {"value": 0.9, "low": 0.88, "high": 0.92}}
    old["evidence"]["subgroups"] = [
        {"name": "bacteria", "n": 300, "positives": 9, "metrics": {"auc": {"value": 0.8, "low": 0.5, "high": 0.9}}}
    ]
    for at, model in (("a-old", old), ("b-new", new)):
        (tmp_path / "shelf" / at).mkdir(parents=True)
        (tmp_path / "shelf" / at / "model.json").write_text(json.dumps(model), "utf-8")
    with department(tmp_path, read=1) as (site, _):
        yield replace(site.comparing, shelf=str(tmp_path / "shelf")), site, str(new["digest"])


def test_what_changed_and_whether_it_may(comparing: tuple[Comparing, Site, str]) -> None:
    here, site, now = comparing
    assert [(v["digest"], v["installed"]) for v in here.versions(AI, who=ITO)] == [(now, True), (OLD, False)]
    change = {"may_change": ["weights"], "protocol": {}, "impact": "earlier reads"}
    site.gating.declare(AI, change, reason="next year", who=CHIEF)
    told = here.compare(AI, who=ITO)
    assert [side["version"] for side in told["sides"]] == ["2", "0.9"]
    assert {p["part"]: p["allowed"] for p in told["changed"]["parts"]} == {"weights": True, "threshold": False}
    auc = next(row for row in told["figures"] if row["name"] == "auc")
    assert auc["values"][1] == {"value": 0.9, "low": 0.88, "high": 0.92} and auc["values"][0]["value"] > 0.99
    group = next(g for g in told["groups"] if g["group"] == "bacteria")
    assert group["sides"][1] == {"n": None, "metrics": {}} and group["sides"][0]["metrics"], "nine events are withheld"
    assert "0.8" not in json.dumps(group["sides"][1]) and "subgroups" not in told["sides"][1]["evidence"]
    assert told["paired"] is None and told["because"] == "they were not both measured on the sealed test set"


def test_a_difference_only_on_the_same_cases_and_turned_round(comparing: tuple[Comparing, Site, str]) -> None:
    here, site, now = comparing
    site.gating.declare(AI, {"may_change": ["weights"], "impact": "none"}, reason="next year", who=CHIEF)
    gaps = [
        {"figure": "auc", "value": 0.03, "low": -0.01, "high": 0.07, "n": 90},
        {"group": "sex female", "n": 4, "insufficient": "insufficient data: 4 events, 10 are needed"},
    ]
    told = {
        "digest": now, "test": TEST, "look": 1, "metric": "auc", "n": 90, "against": OLD, "gaps": gaps,
        "primary": {"value": 0.95, "low": 0.9, "high": 0.98},
    }  # fmt: skip
    site.journal.append(Event(Kind.MODEL_JUDGED, site.clock(), "chief", AI, told))
    paired = here.compare(AI, who=ITO)["paired"]
    assert (paired["gaps"][0]["value"], paired["gaps"][0]["holds"], paired["gaps"][0]["margin"]) == (0.03, True, 0.02)
    assert paired["gaps"][1]["insufficient"].startswith("insufficient data")
    round_ = here.compare(AI, OLD[:12], now[:12], who=ITO)["paired"]["gaps"][0]
    assert (round_["value"], round_["low"], round_["high"], round_["holds"]) == (-0.03, -0.07, 0.01, None)
    site.journal.append(
        Event(Kind.MODEL_JUDGED, site.clock(), "chief", AI, {**told, "digest": GONE, "test": "u" * 64, "against": ""})
    )
    other = here.compare(AI, now, GONE, who=ITO)
    assert other["paired"] is None and other["because"] == "they were measured on two different sealed sets"
    assert not other["changed"]["known"], "its card is gone"


def test_who_may_not_and_what_is_not_there(comparing: tuple[Comparing, Site, str]) -> None:
    here, site, now = comparing
    with pytest.raises(Forbidden):
        here.compare(AI, who=Person("s", Role.SERVICE))
    for one in ("nonsense", AI):
        with pytest.raises(NotFound):
            here.compare(one, "f" * 64, who=ITO)
    with pytest.raises(Refused, match="held against itself"):
        here.compare(AI, now, now, who=ITO)
    with pytest.raises(Refused, match="only one was ever here"):
        site.comparing.compare("image_kind", who=ITO)
