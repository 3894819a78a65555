"""Who may do what: the table itself, line by line, and how it refuses."""

from __future__ import annotations

import pytest

from isocenter.errors import Forbidden, Refused
from isocenter.govern import policy
from isocenter.govern.policy import HOUSE, NOBODY, RULES, Person, Role, may, must, must_be_a_person, why

# The policy once more, by hand: a changed right has to be changed in two places, on purpose.
ALLOWED = {
    "health": "admin reader researcher planner service patient none",
    "page": "admin reader researcher planner service patient none",
    "sign_in": "admin reader researcher planner service patient none",
    "me": "admin reader researcher planner service",
    "find": "admin reader researcher service",
    "study": "admin reader researcher service",
    "instance": "admin reader researcher service",
    "receive": "admin reader researcher service",
    "send": "admin reader",
    "share": "admin reader",
    "fetch": "admin reader",
    "reject": "admin reader service",
    "purge": "admin",
    "identity": "admin",
    "stop": "admin reader",
    "shared": "admin reader researcher planner service patient none",
    "results": "admin reader researcher",
    "plan": "admin reader researcher",
    "analyse": "admin reader researcher",
    "explain": "admin reader researcher",
    "catalogue": "admin reader researcher",
    "settings": "admin reader researcher planner",
    "patients": "admin reader",
    "orders": "admin reader service",
    "order": "admin service",
    "perform": "admin service",
    "commit": "admin service",
    "workitems": "admin reader service",
    "workitem": "admin service",
    "workitem_end": "admin",
    "signed": "admin reader service",
    "assign": "admin reader",
    "site": "admin",
    "models": "admin reader researcher",
    "test_cases": "admin reader",
    "unveiled": "researcher service",
    "modes": "admin reader researcher",
    "mode": "admin reader",
    "worklist": "admin reader",
    "worklist_counts": "admin reader researcher",
    "reading": "admin reader",
    "open": "admin reader",
    "lock": "admin reader",
    "lapse": "admin reader",
    "correct": "admin reader",
    "word": "admin reader",
    "sign": "admin reader",
    "report": "admin reader",
    "oversight": "admin reader",
    "peer": "admin reader",
    "peer_owner": "admin",
    "followup": "admin reader",
    "outcome": "admin reader",
    "consult": "admin reader",
    "segment": "admin reader researcher",
    "events": "admin reader researcher",
    "export": "admin reader researcher",
    "cohorts": "admin reader researcher planner",
    "cohort_rows": "admin reader researcher",
    "consent": "admin reader",
    "train": "admin researcher",
    "release": "admin",
    "audit": "admin",
    "people": "admin",
    "metrics": "admin",
    "projects": "admin reader researcher",
    "project": "admin",
    "glass": "admin reader",
    "glass_review": "admin reader",
}


def test_every_verb_stands_in_both_tables() -> None:
    assert set(RULES) == set(ALLOWED)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("verb", sorted(ALLOWED))
def test_every_verb_and_role(verb: str, role: Role) -> None:
    person = Person("somebody", role)
    if role.value in ALLOWED[verb].split():
        must(person, verb, "1.2.3")
        assert why(person, verb).startswith("Allowed")
    else:
        with pytest.raises(Forbidden) as refused:
            must(person, verb, "1.2.3")
        assert f"'{verb}'" in refused.value.what, "the refusal names its rule"
        assert refused.value.do, "and says who can grant it"
        assert why(person, verb).startswith("Refused")


@pytest.mark.parametrize("role", list(Role))
def test_a_verb_without_a_rule_is_forbidden_to_everyone(role: Role) -> None:
    with pytest.raises(Forbidden, match="no rule"):
        must(Person("root", role), "delete_everything")
    assert "no rule knows" in why(Person("root", role), "delete_everything")


def test_a_refusal_does_not_repeat_what_it_protects() -> None:
    with pytest.raises(Forbidden) as refused:
        must(Person("x", Role.SERVICE), "report", "DOE^JANE")
    assert "DOE" not in str(refused.value)


def test_someone_not_signed_in_is_told_to_sign_in() -> None:
    with pytest.raises(Forbidden, match="Sign in"):
        must(NOBODY, "worklist")


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(Refused, match="king"):
        Person("x", "king")  # type: ignore[arg-type]


def test_the_table_cannot_be_changed_at_run_time() -> None:
    with pytest.raises(TypeError):
        policy.RULES["sign"] = RULES["health"]  # type: ignore[index]


def test_patient_and_nobody_may_do_nothing_that_touches_data() -> None:
    harmless = {"health", "page", "sign_in", "shared"}  # the right to see what is shared is the link itself
    assert {v for v in RULES if may(NOBODY, v)} == harmless
    assert {v for v in RULES if may(Person("p", Role.PATIENT), v)} == harmless


def test_a_planner_hears_numbers_of_cohorts_and_touches_no_study() -> None:
    may_do = {v for v in RULES if may(Person("p", Role.PLANNER), v)}
    assert may_do == {"health", "page", "sign_in", "shared", "me", "settings", "cohorts"}
    with pytest.raises(Forbidden, match="cohort_rows"):
        must(Person("p", Role.PLANNER), "cohort_rows")


def test_the_house_itself_erases_nothing() -> None:
    with pytest.raises(Refused, match="what cannot come back is erased by persons"):
        must_be_a_person(HOUSE)
    must_be_a_person(Person(HOUSE.name, Role.ADMIN))  # somebody who only bears its name signed in
