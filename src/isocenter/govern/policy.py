"""Who may do what, as one table; everything that is not in it is refused.

Each verb of the house stands in `RULES` with the roles that may do it and the sentence that a refused person reads.
A door or a site asks `must`; whoever wants to show the rule beforehand asks `why`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from isocenter.errors import Forbidden, Refused

__all__ = ["HOUSE", "NOBODY", "RULES", "Owner", "Person", "Role", "Rule", "may", "must", "must_be_a_person", "why"]


class Role(StrEnum):
    """What a person is here for. One account has one role."""

    ADMIN = "admin"  # runs the site: people, peers, models; may also read, so that one person can run a demonstration
    READER = "reader"  # reads studies and signs reports
    RESEARCHER = "researcher"  # analyses and exports; signs nothing and sees no duty list
    PLANNER = "planner"  # plans research: hears how many people there are and how figures spread, sees no single study
    SERVICE = "service"  # a DICOM or DICOMweb peer: sends, searches and retrieves
    PATIENT = "patient"  # has no rights here yet: a portal would need consent and release rules first
    NONE = "none"  # has not signed in


@dataclass(frozen=True)
class Person:
    """Who asks: the name of the account and its role.

    Args:
        name: of the account, or AE title.
        role: what the account is here for.
        of: ``account``, or ``aet`` for a system that is known by its AE title: the two have each their own names.
        only: verbs to which what they ask about narrows the role; None where nothing does.

    Raises:
        Refused: when the role is not one of `Role`.

    >>> Person("ito", "reader").role is Role.READER
    True
    """

    name: str
    role: Role
    of: str = "account"
    only: frozenset[str] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "role", Role(self.role))
        except ValueError:
            raise Refused(f"the role '{self.role}'", "no rule knows it", f"take one of {', '.join(Role)}") from None


NOBODY = Person("", Role.NONE)
"""Whoever has not signed in."""


class Owner(Person):
    """Whoever owns the folder of the archive and runs a command on it: as free as the house. Nobody who signs in, and
    no system that calls, is ever made one."""


HOUSE = Person("isocenter", Role.ADMIN)
"""The house itself: what it does by `flow.py`, or for whoever owns the folder, it does under this name. It is known by
being this very object, which nobody who signs in can be."""


@dataclass(frozen=True)
class Rule:
    """One line of the table.

    Args:
        name: of the rule, as a refusal names it.
        roles: those who may.
        about: what it allows, in words that go after "may".
        grants: who can give a person the right, in words.
    """

    name: str
    roles: frozenset[Role]
    about: str
    grants: str = "an administrator of this site can give you such a role"


_A, _R, _S, _P, _N = Role.ADMIN, Role.READER, Role.RESEARCHER, Role.SERVICE, Role.PLANNER
_STAFF = (_A, _R, _S)


def _rule(name: str, about: str, *roles: Role) -> tuple[str, Rule]:
    return name, Rule(name, frozenset(roles), about)


RULES: Mapping[str, Rule] = MappingProxyType(
    dict(
        (
            # without an account
            _rule("health", "ask whether the server lives", *Role),
            _rule("page", "load the pages themselves, which hold no data", *Role),
            _rule("sign_in", "sign in", *Role),
            _rule("shared", "see one study through a link that was given", *Role),
            # one's own account
            _rule("me", "see the own name and role, and sign out", _A, _R, _S, _P, _N),
            _rule("settings", "see how the site is set", *_STAFF, _N),
            # the archive
            _rule("find", "search studies", _A, _R, _S, _P),
            _rule("study", "see what a study holds", _A, _R, _S, _P),
            _rule("instance", "retrieve images", _A, _R, _S, _P),
            _rule("receive", "send images in", _A, _R, _S, _P),
            _rule("patients", "search patients by name", _A, _R),
            _rule("send", "send a study to another system", _A, _R),
            _rule("fetch", "ask other systems for a patient's studies, and have them sent here", _A, _R),
            _rule("reject", "take images out of use by a rejection note, and take that back", _A, _R, _P),
            _rule("purge", "erase for good what stands rejected, two administrators together", _A),
            _rule("identity", "merge patients, move studies to another, and undo it", _A),
            _rule("share", "give and end links through which one study is seen", _A, _R),
            # orders, and what becomes of them
            _rule("orders", "see what is ordered and what of it was performed", _A, _R, _P),
            _rule("order", "place, change and cancel orders", _A, _P),
            _rule("perform", "say that an ordered examination begins and ends", _A, _P),
            _rule("commit", "ask for the promise that images are kept", _A, _P),
            _rule("workitems", "see and watch work items", _A, _R, _P),
            _rule("workitem", "schedule, claim, change and cancel work items", _A, _P),
            _rule("workitem_end", "end a work item whose performer is gone", _A),
            # what the machine says
            _rule("results", "see results of analyses", *_STAFF),
            _rule("plan", "see what was analysed and what not, and why", *_STAFF),
            _rule("analyse", "have a study analysed", *_STAFF),
            _rule("explain", "follow a number back to its images", *_STAFF),
            _rule("catalogue", "see which analyses there are", *_STAFF),
            _rule("models", "see which models there are, with their evidence", *_STAFF),
            # whoever trains would learn from the single cases of a sealed test, which then tests nothing any more
            _rule("test_cases", "open the test cases behind the figures of a model", _A, _R),
            _rule("unveiled", "see what machines said before a reader's own opinion is locked", _S, _P),
            _rule("modes", "see how each analysis is used here", *_STAFF),
            _rule("mode", "propose and confirm how an analysis is used", _A, _R),
            _rule(
                "stop", "stop an analysis or a model everywhere, and start again what another person stopped", _A, _R
            ),
            # reading
            _rule("worklist", "see the list of studies to read", _A, _R),
            _rule("worklist_counts", "hear how many studies of each class wait to be read", *_STAFF),
            _rule("assign", "ask somebody to read a study", _A, _R),
            _rule("reading", "see the state of a reading", _A, _R),
            _rule("open", "take a study to read it", _A, _R),
            _rule("lock", "lock a first opinion", _A, _R),
            _rule("lapse", "leave a study unsigned", _A, _R),
            _rule("correct", "keep, change, strike or add a finding", _A, _R),
            _rule("word", "change the words of a report", _A, _R),
            _rule("sign", "sign a report", _A, _R),
            _rule("report", "see a report", _A, _R),
            _rule("signed", "see reports that are signed", _A, _R, _P),
            # oversight
            _rule("oversight", "see how long reports took, what triage gave, and how readers and AI agree", _A, _R),
            _rule("peer", "read again, blind, what was drawn for review", _A, _R),
            _rule("peer_owner", "draw cases for peer learning and see who read them", _A),
            _rule("followup", "recommend a follow-up and see which are due", _A, _R),
            _rule("outcome", "say what turned out to be true", _A, _R),
            _rule("consult", "ask a colleague about a place in an image, and answer", _A, _R),
            _rule("segment", "have images analysed that are not kept", *_STAFF),
            # the house
            _rule("events", "hear that something changed", *_STAFF),
            _rule("export", "take measurements and figures out", *_STAFF),
            _rule(
                "cohorts", "ask the archive how many people meet a question, and how their figures spread", *_STAFF, _N
            ),
            _rule("cohort_rows", "see the single studies of a cohort, and freeze it", *_STAFF),
            _rule("train", "train and judge a model", _A, _S),
            _rule("consent", "record, see and withdraw what data may be used for", _A, _R),
            _rule("release", "release or stop a model", _A),
            _rule("site", "change how the site is set", _A),
            _rule("audit", "read the whole journal", _A),
            _rule("people", "add people and peers", _A),
            _rule("metrics", "read the figures of the running server", _A),
            # projects
            _rule("projects", "see the projects that they are in", *_STAFF),
            _rule("project", "found projects, say who is in them, and move studies", _A),
            _rule("glass", "open, in an emergency, a study of a project that they are not in", _A, _R),
            _rule("glass_review", "look through what was opened in an emergency", _A, _R),
        )
    )
)
"""verb -> its rule. A verb that is not here is allowed to nobody."""


def may(person: Person, verb: str) -> bool:
    """Whether the table allows it; False for a verb that the table does not have.

    >>> may(Person("ito", Role.READER), "sign"), may(NOBODY, "sign"), may(Person("ito", Role.ADMIN), "fly")
    (True, False, False)
    """
    rule = RULES.get(verb)
    return rule is not None and person.role in rule.roles and (person.only is None or verb in person.only)


def must(person: Person, verb: str, subject: str = "") -> None:
    """Go on only if the person may.

    Args:
        person: who asks.
        verb: what is to be done.
        subject: to what; it is not repeated in the message, since a refusal must not tell what there is.

    Raises:
        Forbidden: naming the rule and who can grant it.
    """
    if may(person, verb):
        return
    rule = RULES.get(verb)
    if rule is None:
        raise Forbidden(
            f"'{verb}' has no rule", "what no rule allows is forbidden", "a developer has to add it to the rules"
        )
    if person.role is Role.NONE:
        raise Forbidden(
            f"not signed in (rule '{rule.name}')", f"only people with an account may {rule.about}", "sign in"
        )
    if person.role in rule.roles:
        raise Forbidden(
            f"rule '{rule.name}' in the project of this study",
            f"what you are there may not {rule.about}",
            "whoever runs the project can give you such a role there",
        )
    raise Forbidden(
        f"rule '{rule.name}' refuses the role '{person.role}'",
        f"only {_listed(rule.roles)} may {rule.about}",
        rule.grants,
    )


def must_be_a_person(who: Person) -> None:
    """What cannot come back is asked for and erased by persons.

    Raises:
        Refused: it is the house itself.
    """
    if who is HOUSE:
        raise Refused("the house itself", "what cannot come back is erased by persons", "sign in under your own name")


def why(person: Person, verb: str) -> str:
    """The rule in one sentence, allowed or not.

    >>> why(Person("ito", Role.READER), "sign")
    "Allowed: rule 'sign' lets admin and reader sign a report."
    >>> why(Person("gray", Role.RESEARCHER), "sign")
    "Refused: rule 'sign' lets only admin and reader sign a report; you are researcher."
    """
    rule = RULES.get(verb)
    if rule is None:
        return f"Refused: no rule knows '{verb}'."
    if person.role in rule.roles:
        return f"Allowed: rule '{rule.name}' lets {_listed(rule.roles)} {rule.about}."
    return f"Refused: rule '{rule.name}' lets only {_listed(rule.roles)} {rule.about}; you are {person.role}."


def _listed(roles: frozenset[Role]) -> str:
    named = [r.value for r in Role if r in roles and r is not Role.NONE]
    return " and ".join((", ".join(named[:-1]), named[-1])) if len(named) > 1 else named[0]
