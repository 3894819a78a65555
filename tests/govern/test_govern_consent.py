"""Terms of use decided: every term of DUO with a use that it permits and one that it does not; what stands above."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isocenter.errors import Refused
from isocenter.govern.consent import DUO, UNASKED, Acts, Purpose, Use, after, decide, duo, read_values
from isocenter.record import Event, Kind, Sealed
from isocenter.record.event import GENESIS

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANN = ("4711", "")
R = Use(Purpose.RESEARCH)
TRAIN, SHARE = Use(Purpose.TRAINING), Use(Purpose.SHARING)
LIVER = frozenset({"363406005", "128241005"})


def _journal(*acts: dict[str, Any]) -> Acts:
    events, previous = [], GENESIS
    for number, one in enumerate(acts, 1):
        study = one.pop("study", "")
        if one.pop("withdrawn", False):
            event = Event(Kind.CONSENT_WITHDRAWN, NOW, "ito", study, {"patient": {"id": ANN[0], "issuer": ""}})
        else:
            told = {
                "consent": f"c{number}", "patient": {"id": ANN[0], "issuer": ""}, "permits": not one.get("refuses"),
                "codes": {duo(c).code: v for c, v in one.get("codes", {}).items()}, "refuses": one.get("refuses", []),
                "until": one.get("until", ""), "source": "",
            }  # fmt: skip
            event = Event(Kind.CONSENT_GIVEN, NOW, "ito", study, told)
        sealed = Sealed.after(number, previous, event)
        events.append(sealed)
        previous = sealed.hash
    return after(Acts(), events)


def _given(codes: dict[str, list[str]], use: Use, **more: Any) -> bool:
    return decide(_journal({"codes": codes, **more}), ANN, "1.2", use, NOW).allowed


COMBINATIONS: list[tuple[dict[str, list[str]], Use, bool]] = [
    ({"NRES": []}, TRAIN, True),
    ({"GRU": []}, R, True),
    ({"GRU": []}, replace(R, topics=frozenset({"ancestry"})), True),
    ({"HMB": []}, TRAIN, True),
    ({"HMB": []}, replace(R, topics=frozenset({"ancestry"})), False),
    ({"DS": ["363406005"]}, replace(R, diseases=LIVER), True),
    ({"DS": ["254637007"]}, replace(R, diseases=LIVER), False),
    ({"DS": ["363406005"]}, R, False),
    ({"POA": []}, replace(R, topics=frozenset({"ancestry"})), True),
    ({"POA": []}, R, False),
    ({"CC": []}, R, False),
    ({"GRU": [], "RS": ["radiomics"]}, replace(R, topics=frozenset({"radiomics"})), True),
    ({"GRU": [], "RS": ["radiomics"]}, R, False),
    ({"GRU": [], "NMDS": []}, R, True),
    ({"GRU": [], "NMDS": []}, TRAIN, False),
    ({"GRU": [], "NMDS": []}, Use(Purpose.FEDERATION), False),
    ({"GRU": [], "GSO": []}, replace(R, topics=frozenset({"genetic"})), True),
    ({"GRU": [], "GSO": []}, R, False),
    ({"GRU": [], "NPUNCU": []}, replace(R, non_profit=True, non_commercial=True), True),
    ({"GRU": [], "NPUNCU": []}, replace(R, non_profit=True), False),
    ({"GRU": [], "NPU": []}, replace(R, non_profit=True), True),
    ({"GRU": [], "NPU": []}, replace(R, non_commercial=True), False),
    ({"GRU": [], "NCU": []}, replace(R, non_commercial=True), True),
    ({"GRU": [], "NCU": []}, R, False),
    ({"GRU": [], "PUB": []}, replace(R, publishes=True), True),
    ({"GRU": [], "PUB": []}, R, False),
    ({"GRU": [], "COL": []}, replace(R, collaborates=True), True),
    ({"GRU": [], "COL": []}, R, False),
    ({"GRU": [], "IRB": []}, replace(R, ethics="EC-12"), True),
    ({"GRU": [], "IRB": []}, R, False),
    ({"GRU": [], "GS": ["DE", "FR"]}, replace(R, countries=frozenset({"FR"})), True),
    ({"GRU": [], "GS": ["DE"]}, replace(R, countries=frozenset({"DE", "US"})), False),
    ({"GRU": [], "GS": ["DE"]}, R, False),
    ({"GRU": [], "MOR": ["2027-01-01"]}, replace(R, publishes=True), False),
    ({"GRU": [], "MOR": ["2026-11-26"]}, replace(R, publishes=True), True),
    ({"GRU": [], "MOR": ["2027-01-01"]}, R, True),
    ({"GRU": [], "TS": ["2026-11-26"]}, R, True),
    ({"GRU": [], "TS": ["2026-11-25"]}, R, False),
    ({"GRU": [], "US": ["gray"]}, replace(R, user="gray"), True),
    ({"GRU": [], "US": ["gray"]}, replace(R, user="ito"), False),
    ({"GRU": [], "PS": ["liver"]}, replace(R, project="liver"), True),
    ({"GRU": [], "PS": ["liver"]}, replace(R, project="lung"), False),
    ({"GRU": [], "IS": ["north"]}, replace(SHARE, institutions=frozenset({"north"})), True),
    ({"GRU": [], "IS": ["north"]}, replace(SHARE, institutions=frozenset({"north", "south"})), False),
    ({"GRU": [], "RTN": []}, replace(R, returns=True), True),
    ({"GRU": [], "RTN": []}, R, False),
    ({"GRU": [], "NPOA": []}, replace(R, topics=frozenset({"ancestry"})), False),
    ({"GRU": [], "NPOA": []}, R, True),
    ({"HMB": [], "IRB": [], "NCU": [], "GS": ["DE"]},
     replace(TRAIN, ethics="EC-12", non_commercial=True, countries=frozenset({"DE"})), True),
    ({"HMB": [], "IRB": [], "NCU": [], "GS": ["DE"]}, replace(TRAIN, ethics="EC-12", non_commercial=True), False),
]  # fmt: skip


@pytest.mark.parametrize(("codes", "use", "allowed"), COMBINATIONS)
def test_each_term_permits_and_refuses(codes: dict[str, list[str]], use: Use, allowed: bool) -> None:
    assert _given(codes, use) is allowed


def test_every_term_is_tried_both_ways() -> None:
    tried = {duo(c).code for codes, _, _ in COMBINATIONS for c in codes}
    assert tried == set(DUO)


def test_what_stands_above_what() -> None:
    def asked(*acts: dict[str, Any], use: Use = R, study: str = "1.2", unasked: Any = UNASKED) -> tuple[bool, str]:
        made = decide(_journal(*acts), ANN, study, use, NOW, unasked)
        return made.allowed, made.kind

    care, open_ = Use(Purpose.CARE), dict.fromkeys(Purpose, True)
    gru: Any = lambda **more: {"codes": {"GRU": []}, **more}  # noqa: E731
    assert asked() == (False, "default") and asked(use=care) == (True, "default")
    assert asked(unasked=open_) == (True, "default")
    assert asked(gru()) == (True, "permitted") and asked(gru(study="1.2")) == (True, "permitted")
    assert asked(gru(study="1.3")) == (False, "default"), "terms of another study say nothing of this one"
    assert asked(gru(), {"withdrawn": True}, unasked=open_) == (False, "withdrawn"), "also where the site allows"
    assert asked(gru(), {"withdrawn": True}, gru()) == (True, "permitted"), "given anew"
    assert asked(gru(study="1.2"), {"withdrawn": True}) == (False, "withdrawn"), "the patient's reaches each study"
    assert asked(gru(), {"withdrawn": True, "study": "1.2"}) == (False, "withdrawn")
    assert asked(gru(), {"withdrawn": True, "study": "1.2"}, study="1.3") == (True, "permitted")
    assert asked({"withdrawn": True, "study": "1.2"}, gru()) == (False, "withdrawn"), "the single study stays out"
    assert asked({"withdrawn": True, "study": "1.2"}, gru(study="1.2")) == (True, "permitted")
    no: Any = {"refuses": ["training"]}
    assert asked(gru(), dict(no)) == (True, "permitted") and asked(gru(), dict(no), use=TRAIN) == (False, "refused")
    assert asked(dict(no), gru(), use=TRAIN) == (False, "refused"), "a refusal wins until it is withdrawn"
    assert asked(dict(no), {"withdrawn": True}, gru(), use=TRAIN) == (True, "permitted")
    assert asked({"refuses": ["care"]}, use=care) == (False, "refused")
    narrow = {"codes": {"GRU": [], "NMDS": []}, "study": "1.2"}
    assert asked(gru(), narrow, use=TRAIN) == (False, "terms"), "the study's own terms stand before the patient's"
    assert asked(gru(), {"codes": {"DS": ["1"]}}) == (True, "permitted"), "one that permits is enough"
    past = (NOW - timedelta(seconds=1)).isoformat()
    assert asked(gru(until=past)) == (False, "terms") and asked({"refuses": ["research"], "until": past}, gru())[0]


def test_an_answer_names_its_reason_and_nobody() -> None:
    made = decide(_journal({"codes": {"GRU": [], "IRB": []}}), ANN, "1.2", R, NOW)
    assert not made.allowed and "IRB: an approval by an ethics committee" in made.reason and ANN[0] not in made.reason


def test_what_is_no_term_is_refused() -> None:
    for said in ("", "XYZ", "DUO:0000001", "DUO:9999999"):
        with pytest.raises(Refused):
            duo(said)
    for term, values in (("GRU", ["x"]), ("DS", []), ("TS", ["soon"])):
        with pytest.raises(Refused):
            read_values(duo(term), values)
    assert duo("http://purl.obolibrary.org/obo/DUO_0000042").short == "GRU"
