"""The gate lets nothing past that was not declared, sealed, measured and not inferior; each refusal is made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from isocenter.errors import Refused, WrongState
from isocenter.govern.gate import (
    Change,
    Gates,
    change_of,
    changed,
    held_to_itself,
    missing,
    must_look,
    must_step,
    unused,
)
from isocenter.record import Event, Kind, Model, Sealed

OLD = Model("lung", "1", "a" * 64, inputs={"threshold": 0.5, "size": 28}, card={"intended_use": "x"})
NEW = replace(OLD, digest="b" * 64)
LENIENT = {"shadow_cases": 5, "every_group": False, "fresh_test": False}
SAID: dict[str, Any] = {"may_change": ["weights"], "protocol": LENIENT, "impact": "fewer misses"}
NOTHING: Mapping[str, Any] = {"cases": 0, "confirmed": None}


def after(gates: Gates, *events: tuple[Kind, Mapping[str, Any]]) -> Gates:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return gates.after(
        Sealed(n, "", Event(kind, now, "ito", "lung", told), "") for n, (kind, told) in enumerate(events)
    )


def sealed(number: int, kind: Kind, told: Mapping[str, Any]) -> Sealed:
    return Sealed(number, "", Event(kind, datetime(2026, 11, 20, tzinfo=UTC), "ito", "lung", told), "")


def stepped(digest: str, step: str, state: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.MODEL_STEPPED, {"digest": digest, "step": step, "state": state}


def judged(overall: float = -0.005, **group: Any) -> tuple[Kind, dict[str, Any]]:
    gaps = [{"figure": "auc", "value": 0.0, "low": overall, "high": 0.01, "n": 900}, *([group] if group else [])]
    told = {"digest": NEW.digest, "test": "t", "metric": "auc", "primary": {"low": 0.9}, "gaps": gaps}
    return Kind.MODEL_JUDGED, {**told, "against": OLD.digest}


READY = after(
    Gates(), (Kind.CHANGE_DECLARED, SAID), (Kind.TEST_SEALED, {"digest": "t"}),
    stepped(OLD.digest, "release", "released"),
)  # fmt: skip
TESTED = after(READY, judged(), stepped(NEW.digest, "test", "tested"))


def test_the_whole_way_is_walked_step_by_step() -> None:
    gates = READY
    assert gates.released == {"lung": OLD.digest} and must_look(gates, NEW, "t") == 1
    gates = TESTED
    for step, state in (("compare", "compared"), ("shadow", "shadow"), ("release", "released")):
        shadow = {"cases": 5, "confirmed": 0.9}
        assert must_step(gates, NEW, OLD, step, reason="r", who="ito", shadow=shadow) == state
        gates = after(gates, stepped(NEW.digest, step, state))
    gates = after(gates, stepped(NEW.digest, "suspend", "suspended"))
    with pytest.raises(Refused, match="two people"):
        must_step(gates, NEW, OLD, "release", reason="r", who="ito", shadow=NOTHING)
    assert must_step(gates, NEW, OLD, "release", reason="r", who="lee", shadow=NOTHING) == "released"
    assert [s["step"] for s in gates.of(NEW.digest).steps] == ["test", "compare", "shadow", "release", "suspend"]


@pytest.mark.parametrize(
    ("gates", "new", "step", "lacks"),
    [
        (Gates(), NEW, "test", "no change record"),
        (after(Gates(), (Kind.CHANGE_DECLARED, SAID)), NEW, "test", "no test set was sealed"),
        (READY, NEW, "test", "not measured"),
        (TESTED, replace(NEW, inputs={"threshold": 0.4, "size": 28}), "compare", "threshold changed"),
        (TESTED, replace(NEW, inputs={"threshold": 0.5, "size": 32}), "compare", "inputs changed"),
        (TESTED, replace(NEW, card={"intended_use": "adults"}), "compare", "intended use changed"),
        (after(TESTED, judged(overall=-0.03)), NEW, "compare", "auc may be 0.030 worse"),
        (
            after(TESTED, judged(group="sex F", figure="sensitivity", value=-0.01, low=-0.05, high=0.02, n=80)), NEW,
            "compare", "in sex F the sensitivity may be 0.050 worse",
        ),
        (after(TESTED, (Kind.TEST_SEALED, {"digest": "u"})), NEW, "compare", "not measured on the sealed"),
        (after(TESTED, stepped(NEW.digest, "shadow", "shadow")), NEW, "release", "of 0 people; 5 are asked for"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(gates: Gates, new: Model, step: str, lacks: str) -> None:
    told = missing(gates, new, OLD, step, NOTHING)
    assert any(lacks in line for line in told), told
    if gates.of(new.digest).state not in ("candidate",) or step == "test":
        with pytest.raises(Refused, match=lacks):
            must_step(gates, new, OLD, step, reason="r", who="ito", shadow=NOTHING)


def test_a_group_that_cannot_tell_holds_up_unless_the_record_said_otherwise() -> None:
    usual = (Kind.CHANGE_DECLARED, {**SAID, "protocol": {}})
    few = after(TESTED, judged(group="sex F", n=4, insufficient="insufficient data: 4 events"))
    assert not missing(few, NEW, OLD, "compare", NOTHING)
    assert "insufficient" in missing(after(few, usual), NEW, OLD, "compare", NOTHING)[0]
    assert not missing(TESTED, NEW, OLD, "compare", NOTHING)
    assert "in no group" in missing(after(TESTED, usual), NEW, OLD, "compare", NOTHING)[0]
    enough = judged(group="sex F", figure="sensitivity", value=0.0, low=-0.01, high=0.01, n=400)
    assert not missing(after(TESTED, usual, enough), NEW, OLD, "compare", NOTHING)
    floor = after(TESTED, (Kind.CHANGE_DECLARED, {**SAID, "protocol": {"floor": 0.95}}))
    assert "0.900" in missing(floor, NEW, None, "compare", NOTHING)[0], "nothing is replaced: the floor decides"


def test_no_step_by_nobody_without_reason_or_out_of_order() -> None:
    for step, reason, who, error in (
        ("compare", "", "ito", Refused), ("compare", "r", " ", Refused), ("release", "r", "ito", WrongState),
    ):  # fmt: skip
        with pytest.raises(error):
            must_step(TESTED, NEW, OLD, step, reason=reason, who=who, shadow=NOTHING)
    assert must_step(TESTED, NEW, OLD, "reject", reason="r", who="ito", shadow=NOTHING) == "rejected"


def test_looks_are_counted_and_end() -> None:
    gates = READY
    for look in (1, 2, 3):
        assert must_look(gates, NEW, "t") == look
        gates = after(gates, (Kind.TEST_LOOKED, {"digest": NEW.digest, "test": "t", "look": look}))
    with pytest.raises(Refused, match="look 4"):
        must_look(gates, NEW, "t")
    with pytest.raises(Refused, match="another one"):
        must_look(READY, NEW, "other")
    with pytest.raises(Refused, match="sealed"):
        must_look(after(Gates(), (Kind.CHANGE_DECLARED, SAID)), NEW, "t")
    with pytest.raises(Refused, match="declared"):
        must_look(Gates(), NEW, "t")


def figures(area: float, found: float, *, ill: int = 400, **more: Any) -> dict[str, Any]:
    """A look: area under the curve and, in women, sensitivity, each within 0.01."""
    row = {"by": "sex", "name": "F", "n": 2 * ill, "events": ill, "metrics": {"sensitivity": within(found)}}
    told = {"metric": "auc", "n": 900, "primary": within(area), "against": "", "subgroups": [row]}
    return {**told, **more}


def within(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def test_a_suspended_model_comes_back_only_by_cases_that_were_sealed_since() -> None:
    record = {**SAID, "protocol": {"margin": 0.05, "group_margin": 0.1}}
    first = {**figures(0.9, 0.8), "gaps": [], "digest": NEW.digest, "test": "t"}
    gates = after(
        Gates(), (Kind.CHANGE_DECLARED, record), (Kind.TEST_SEALED, {"digest": "t"}),
        (Kind.TEST_LOOKED, {"digest": NEW.digest, "test": "t", "look": 1}), (Kind.MODEL_JUDGED, first),
        stepped(NEW.digest, "release", "released"), stepped(NEW.digest, "suspend", "suspended"),
    )  # fmt: skip
    said: dict[str, Any] = {"reason": "r", "who": "lee", "shadow": NOTHING}
    with pytest.raises(Refused, match="no new cases were sealed since it was suspended"):
        must_step(gates, NEW, None, "release", **said)
    with pytest.raises(Refused, match=r"no new cases .* Seal cases of the time since, with --seal"):
        must_look(gates, NEW, "t")
    again = gates.after([sealed(50, Kind.TEST_SEALED, {"digest": "t"})])
    with pytest.raises(Refused, match="no new cases"):  # the old set under another seal
        must_look(again, NEW, "t")
    fresh = gates.after([sealed(51, Kind.TEST_SEALED, {"digest": "u"})])
    with pytest.raises(Refused, match="in no group"):
        must_look(fresh, NEW, "u", grouped=False)
    assert must_look(fresh, NEW, "u") == 1
    with pytest.raises(Refused, match="not measured on the sealed test set"):
        must_step(fresh, NEW, None, "release", **said)

    def looked(now: dict[str, Any]) -> Gates:
        gaps = held_to_itself(fresh.of(NEW.digest).stood, now)
        told = {**now, "gaps": gaps, "digest": NEW.digest, "test": "u"}
        return fresh.after([
            sealed(52, Kind.TEST_LOOKED, {"digest": NEW.digest, "test": "u", "look": 1}),
            sealed(53, Kind.MODEL_JUDGED, told),
            sealed(54, Kind.MODEL_STEPPED, {"digest": NEW.digest, "step": "test", "state": "suspended"}),
        ])  # fmt: skip

    for now, lacks in (
        (figures(0.86, 0.8), "the auc may be 0.054 worse"), (figures(0.9, 0.7), "in sex F the sensitivity may be 0.11"),
        (figures(0.9, 0.8, subgroups=[]), "in no group"),
        (figures(0.9, 0.8, subgroups=[{"by": "sex", "name": "F", "n": 3, "metrics": {}, "insufficient": "too few"}]),
         "sex F: too few"),
        (figures(0.9, 0.8, subgroups=[{**figures(0.9, 0.8)["subgroups"][0], "name": "M"}]), "no figure there when"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=lacks):
            must_step(looked(now), NEW, None, "release", **said)
    good = looked(figures(0.89, 0.79))
    with pytest.raises(Refused, match="two people"):
        must_step(good, NEW, None, "release", **{**said, "who": "ito"})
    assert must_step(good, NEW, None, "release", **said) == "released"
    back = good.after([sealed(60, *stepped(NEW.digest, "release", "released")),
                       sealed(61, *stepped(NEW.digest, "suspend", "suspended"))])  # fmt: skip
    assert back.of(NEW.digest).stood["primary"] == within(0.9), "it is held to its first release, not to the last"
    with pytest.raises(Refused, match="no new cases"):
        must_look(back, NEW, "u")
    with pytest.raises(Refused, match="a dice beside the auc of its release"):
        held_to_itself(first, {**figures(0.9, 0.8), "metric": "dice"})


def test_what_its_record_says_of_old_figures_counts_as_it_stood_when_it_was_suspended() -> None:
    stopped = after(TESTED, stepped(NEW.digest, "release", "released"), stepped(NEW.digest, "suspend", "suspended"))
    strict = (Kind.CHANGE_DECLARED, {**SAID, "protocol": {}})
    assert not missing(stopped, NEW, OLD, "release", NOTHING), "by its record the old figures do"
    late = after(TESTED, strict, stepped(NEW.digest, "suspend", "suspended"), (Kind.CHANGE_DECLARED, SAID))
    assert "no new cases" in missing(late, NEW, OLD, "release", NOTHING)[0]


def test_a_model_that_no_analysis_asks_is_told_at_once_how_to_go_on() -> None:
    gates = after(TESTED, stepped(NEW.digest, "compare", "compared"), stepped(NEW.digest, "shadow", "shadow"))
    told = missing(gates, NEW, OLD, "release", {"cases": 0, "confirmed": None, "analyses": []})
    assert len(told) == 1 and told[0].startswith("no analysis here uses the weights of lung, so the 5 signed studies")
    assert 'weights = "lung"' in told[0] and '"shadow_cases": 0' in told[0]
    seen = missing(gates, NEW, OLD, "release", {"cases": 0, "confirmed": None, "analyses": ["lung_nodules"]})
    assert seen[0].startswith("it ran in shadow on signed studies of 0 people; 5 are asked for")
    lenient = change_of({**SAID, "protocol": {"shadow_cases": 0}})
    assert unused("lung", ["lung_nodules"], lenient) == "" and "50 signed studies" in unused("lung", [], None)
    assert "released, it answers on no study" in unused("lung", [], lenient)
    half = change_of({**SAID, "protocol": {"shadow_cases": 0, "shadow_agreement": 0.8}})
    assert "the agreement of 0.8 with signed studies in shadow" in unused("lung", [], half), "it would never be reached"
    assert 'declare "shadow_agreement": 0 in' in unused("lung", [], half)
    both = change_of({**SAID, "protocol": {"shadow_cases": 5, "shadow_agreement": 0.8}})
    assert '"shadow_cases": 0 and "shadow_agreement": 0 in' in unused("lung", [], both)


def test_what_must_not_change_takes_no_look() -> None:
    other = replace(NEW, inputs={**NEW.inputs, "threshold": 0.4})
    with pytest.raises(Refused, match=r"threshold changed .* Declare another change record with --change"):
        must_look(READY, other, "t", OLD)
    asked = after(READY, (Kind.CHANGE_DECLARED, {**SAID, "protocol": {}}))
    with pytest.raises(Refused, match=r"in no group: .* \(every_group\)\. Name sex"):
        must_look(asked, NEW, "t", OLD, grouped=False)
    assert must_look(asked, NEW, "t", OLD) == must_look(READY, NEW, "t", OLD, grouped=False) == 1
    assert must_look(asked, NEW, "t", None, grouped=False) == 1, "nothing that it could be worse than"


def test_a_change_record_says_what_it_must() -> None:
    assert change_of(SAID) == Change(("weights",), "fewer misses", shadow_cases=5, every_group=False, fresh_test=False)
    assert changed(NEW, OLD) == ("weights",) and changed(NEW, None) == ()
    for broken in (
        {}, {**SAID, "may_change": []}, {**SAID, "may_change": ["intended use"]}, {**SAID, "may_change": ["colour"]},
        {**SAID, "impact": " "}, {**SAID, "more": 1}, {**SAID, "protocol": {"luck": 1}},
        {**SAID, "protocol": {"margin": 1.5}}, {**SAID, "protocol": {"margin": -0.1}},
        {**SAID, "protocol": {"looks": 0}}, {**SAID, "protocol": {"every_group": 1}}, {**SAID, "protocol": []},
        {**SAID, "may_change": [{}]}, {**SAID, "protocol": {"margin": float("nan")}},
        {**SAID, "protocol": {"looks": float("inf")}}, {**SAID, "protocol": {"least_events": 2.5}},
    ):  # fmt: skip
        with pytest.raises(Refused):
            change_of(broken)
