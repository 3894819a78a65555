"""The card has every attribute asked for, says what is not known, and keeps to its own schema; on paper too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from department_for_oversight import AI, CHIEF, ITO, department
from isocenter.analysis.weights import models
from isocenter.errors import Forbidden, NotFound
from isocenter.forms.model_card import lines, page, pdf
from isocenter.govern.card import ASKED, SCHEMA, card
from isocenter.govern.policy import Person, Role
from isocenter.record import Model

_KINDS = {"object": Mapping, "string": str, "boolean": bool, "array": list, "number": (int, float)}


def faults(value: Any, schema: Mapping[str, Any], at: str = "") -> list[str]:
    """Where a value does not keep to the part of JSON Schema that the card's schema uses."""
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r}")
    kinds = schema.get("type")
    if kinds and not any(isinstance(value, _KINDS[k]) for k in ([kinds] if isinstance(kinds, str) else kinds)):  # type: ignore[arg-type]
        return [*found, f"{at}: {type(value).__name__}"]
    if isinstance(value, Mapping):
        found += [f"{at}: no {name}" for name in schema.get("required", ()) if name not in value]
        for name, one in value.items():
            more = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            found += faults(one, more, f"{at}.{name}") if isinstance(more, Mapping) else []
    return found


def test_the_card_of_a_model_is_whole_and_says_what_is_not_known(tmp_path: Path) -> None:
    assert len(ASKED) == 31
    with department(tmp_path, read=3) as (site, _):
        told = json.loads(json.dumps(site.carding.card(AI, who=ITO)))
        assert faults(told, SCHEMA) == []
        broken = {**told, "schema": "x", "chai": {k: v for k, v in told["chai"].items() if k != "funding"}, "made": 3}
        assert len(faults(broken, SCHEMA)) == 3, "the check can fail"
        asked = told["source_attributes"]
        assert asked["1.ii"]["known"] is False and asked["1.ii"]["says"].startswith("not known: ")
        assert asked["2.i"]["says"] == site.gating.model(AI).card["intended_use"]
        assert asked["7.i"]["says"]["metrics"]["auc"]["low"] > 0.5 and not asked["7.ii"]["known"]
        assert asked["8.i"]["says"]["cases"] == 3 and not asked["8.ii"]["known"]
        (said,) = told["explanation"]["says"]
        assert said == f"opacity_sensitivity: {told['explanation']['verdicts'][0]['says']}"
        assert told["model"]["state"] == "candidate"
        other = replace(site.gating.model(AI), evidence={})
        way, here = site.gating.told(AI, who=ITO), {"runs": 0, "confirmed": {}}
        untested = card(other, way=way, here=here, watched=None, now=site.clock())
        assert (
            not untested["explanation"]["known"] and "no saliency method was tested" in untested["explanation"]["says"]
        )
        site.gating.step(AI, "reject", reason="a test", who=CHIEF)
        again = site.carding.card(AI, who=ITO)
        assert again["model"]["state"] == "rejected" == again["chai"]["release_stage"]["says"]
        paper = site.carding.paper(AI, who=ITO)
        assert paper[:5] == b"%PDF-" and paper == site.carding.paper(AI, who=ITO)
        heart = site.carding.card("cleveland_heart", who=ITO)
        assert heart["source_attributes"]["4.ii"]["says"].count("age") == 1
        assert heart["source_attributes"]["4.i"]["says"]["rows"] == {"disease": 139, "no disease": 164}
        assert len(heart["evidence"]["networks"]) == 5, "every draw, not the first alone"
        with pytest.raises(NotFound):
            site.carding.card("nonsense", who=ITO)
        with pytest.raises(Forbidden):
            site.carding.card(AI, who=Person("ct", Role.SERVICE))


@pytest.mark.parametrize(
    ("name", "kind", "output", "founded"),
    [
        ("breastmnist", "classification", "calibrated chance of each", "weights of others with SHA-256 579344"),
        ("chest_xray_heart", "segmentation", "outlines of right lung, left lung, heart", "none of others"),
        ("cardiac_cine", "segmentation", "outlines and volumes", "none of others"),
        ("chest_xray_opacity", "classification", "calibrated chance", "none of others; the version before it"),
    ],
)  # fmt: skip
def test_what_ships_is_called_what_it_is(name: str, kind: str, output: str, founded: str) -> None:
    told = card(models()[name][0], now=datetime(2026, 11, 27, tzinfo=UTC))
    assert told["source_attributes"]["1.iv"]["says"] == kind
    assert told["source_attributes"]["1.iii"]["says"].startswith(output)
    assert founded in told["chai"]["foundation_models"]["says"]


def test_a_card_withholds_the_figures_of_groups_with_few_events(tmp_path: Path) -> None:
    figures = {"metrics": {"auc": {"value": 0.8125, "low": 0.5, "high": 0.9}}, "gaps": {"auc": {"value": -0.8125}}}
    rows = [{"by": "sex", "name": f"{events}", "n": 40, "events": events, **figures} for events in (9, 10)]
    model = Model("m", "1", "0" * 64, evidence={"n": 80, "subgroups": rows})
    told = card(model, now=datetime(2026, 11, 27, tzinfo=UTC))
    for groups in (
        told["evidence"]["subgroups"], told["source_attributes"]["7.ii"]["says"],
        told["source_attributes"]["5.i"]["says"], told["chai"]["fairness"]["says"],
    ):  # fmt: skip
        few, enough = groups
        assert few["insufficient"] == "insufficient data: 9 events, 10 are needed" and few["metrics"] == {}
        assert enough == rows[1] and "gaps" not in few
    assert "insufficient data: 9 events" in page(told) and page(told).count("0.812 (") * 2 == page(
        card(replace(model, evidence={"n": 80, "subgroups": [rows[1]] * 2}), now=datetime(2026, 11, 27, tzinfo=UTC))
    ).count("0.812 (")
    assert pdf(told)[:5] == b"%PDF-"


def test_values_as_words() -> None:
    assert lines({"a_b": [1.5, "x"], "empty": None}) == "a b: 1.5\nx" and lines([]) == "none"


def test_where_no_group_was_measured_the_card_says_what_its_data_hold() -> None:
    model = Model("m", "1", "0" * 64, card={"groups": "the table tells nobody's age"}, evidence={"n": 80})
    for one, says in (
        (model, "the table tells nobody's age"),
        (replace(model, card={}), "no sex, age, site or scanner"),
    ):
        told = card(one, now=datetime(2026, 11, 27, tzinfo=UTC))["source_attributes"]["5.i"]
        assert told["known"] is False and says in told["says"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [("boxes", "boxes about each of: disc, square, with a score between 0 and 1 that is no chance"),
     ("masks", "outlines of disc, square"), ("classes", "calibrated chance of each of: disc, square")],
)  # fmt: skip
def test_what_a_model_answers_is_said_as_it_is(kind: str, said: str) -> None:
    model = Model("m", "1", "0" * 64, inputs={"kind": kind, "classes": ["disc", "square"]}, evidence={"n": 80})
    told = card(model, now=datetime(2026, 11, 27, tzinfo=UTC))["source_attributes"]["1.iii"]
    assert told["says"] == said


def test_what_an_author_said_stands_on_the_card_and_what_is_known_of_people_is_said_together() -> None:
    said = {"developer": "a hospital", "intended_patients": "adults", "intended_users": "readers", "bias": "none",
            "people": {"training": 9}, "groups": "the table tells age"}  # fmt: skip
    model = Model("m", "1", "0" * 64, card=said, evidence={"n": 80})
    told = card(model, now=datetime(2026, 11, 30, tzinfo=UTC))
    asked = {k: v["says"] for k, v in told["source_attributes"].items() if v["known"]}
    assert (asked["1.i"], asked["2.ii"], asked["2.iii"], asked["5.ii"]) == ("a hospital", "adults", "readers", "none")
    assert asked["4.iii"] == {"people": {"training": 9}, "groups": "the table tells age"}
    assert "1.ii" not in asked and "nobody who paid" in told["source_attributes"]["1.ii"]["says"]
    silent = card(replace(model, card={}), now=datetime(2026, 11, 30, tzinfo=UTC))["source_attributes"]
    assert not any(silent[k]["known"] for k in ("1.i", "2.ii", "2.iii", "4.iii", "5.ii"))
    assert silent["8.iii"]["known"] and "judge --groups" in silent["8.iii"]["says"], "how it is watched is known"
