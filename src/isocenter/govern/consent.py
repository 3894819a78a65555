"""What a patient's data may be used for: terms of use by patient and by study, and the answer for one use.

Terms are codes of the Data Use Ontology (DUO, GA4GH; release 2021-02-23), each with what it is limited to. Several may
stand at once: a use is allowed when one of them permits it with every condition met, and nobody refused it. A
refusal, of the patient or of one study, always wins; a withdrawal ends everything that was given before it, and only
what is given afterwards opens again. Terms of a study stand before those of its patient. Where nothing is known, the
site's default answers: care is allowed, research is not.

A condition of which the use says nothing is not met: whoever asks has to say what the terms want to know.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from isocenter.errors import Refused
from isocenter.record import Kind, Sealed

__all__ = [
    "DEMONSTRATION", "DUO", "KINDS", "KIND_WORDS", "UNASKED", "Acts", "Decision", "Purpose", "Term", "Terms", "Use",
    "after", "decide", "duo", "read_values",
]  # fmt: skip

DEMONSTRATION = "isocenter demonstration"
"""Sender of the images that the demonstration brings along: longer than any AE title, so no scanner has that name."""

KINDS = (Kind.CONSENT_GIVEN, Kind.CONSENT_WITHDRAWN, Kind.PATIENTS_MERGED, Kind.PATIENTS_UNDONE)
"""Events of which the terms are made; the subject of the first two is the study, or empty for the whole patient."""


class Purpose(StrEnum):
    """What data are wanted for."""

    CARE = "care"  # of this patient: no terms are needed unless the site says so
    RESEARCH = "research"  # cohorts, tables, images without names
    TRAINING = "training"  # examples of which a model learns
    FEDERATION = "federation"  # the same, in a model that travels between houses
    SHARING = "sharing"  # a link for the research of another house


UNASKED: Mapping[Purpose, bool] = MappingProxyType({p: p is Purpose.CARE for p in Purpose})
"""What is allowed where nothing is known, unless the site sets it otherwise."""


def unasked_by(said: Mapping[str, str]) -> Mapping[Purpose, bool]:
    """What is allowed where nothing is known, as a site said it: purpose -> ``allow`` or ``deny``.

    What it says of research holds for the kinds of research that it does not name.
    """
    research = said.get("research")
    kinds: dict[Purpose, bool] = {}
    if research is not None:
        kinds = {p: research == "allow" for p in Purpose if p is not Purpose.CARE}
    return {**UNASKED, **kinds, **{Purpose(p): v == "allow" for p, v in said.items()}}


@dataclass(frozen=True)
class Use:
    """One use, with what the terms may ask about it. What is not said counts as the less welcome answer.

    Args:
        purpose: what for.
        project: by name. user: account. institutions: who gets to see it. countries: where, ISO 3166 two letters.
        diseases: codes of what is studied (SNOMED CT, MONDO), with wider ones where they shall count.
        topics: kinds of research: ``methods``, ``ancestry``, ``genetic``, or a site's own words.
        non_profit: only organisations that are not for profit take part. non_commercial: no commercial use.
        ethics: number of the approval of an ethics committee.
        publishes: results are made known. collaborates: with whoever gave the data. returns: what is derived.
    """

    purpose: Purpose
    project: str = ""
    user: str = ""
    institutions: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    diseases: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    non_profit: bool = False
    non_commercial: bool = False
    ethics: str = ""
    publishes: bool = False
    collaborates: bool = False
    returns: bool = False

    @property
    def about(self) -> frozenset[str]:
        """Topics, with the development of methods where a model learns."""
        learns = self.purpose in (Purpose.TRAINING, Purpose.FEDERATION)
        return self.topics | ({"methods"} if learns else set())


Condition = Callable[[Use, frozenset[str], date], str]
"""Use, what the term is limited to, today -> why it does not fit, empty where it does."""


@dataclass(frozen=True)
class Term:
    """One code of DUO.

    Args:
        code: as DUO writes it. short: the usual letters. label: in words.
        permits: whether it permits research by itself; the others only narrow what is permitted.
        limited: whether it needs values: diseases, places, projects …
    """

    code: str
    short: str
    label: str
    condition: Condition
    permits: bool = False
    limited: bool = False


def _within(said: frozenset[str], allowed: frozenset[str], what: str) -> str:
    if not said:
        return f"the use does not say which {what}"
    over = sorted(said - allowed)
    return f"{what} {', '.join(over)} is not among those allowed" if over else ""


def _touches(said: frozenset[str], allowed: frozenset[str], what: str) -> str:
    return "" if said & allowed else f"only {what} {', '.join(sorted(allowed))}"


def _when(met: bool, why: str) -> str:
    return "" if met else why


def _one(text: str) -> frozenset[str]:
    return frozenset({text} if text else ())


def _days(values: frozenset[str]) -> date:
    return min(date.fromisoformat(v) for v in values)


_NOT_ANCESTRY = "not for the study of population origins or ancestry"
_TERMS = (
    Term("DUO:0000004", "NRES", "no restriction", lambda u, v, d: "", permits=True),
    Term("DUO:0000042", "GRU", "general research use", lambda u, v, d: "", permits=True),
    Term("DUO:0000006", "HMB", "health, medical or biomedical research",
         lambda u, v, d: _when("ancestry" not in u.about, _NOT_ANCESTRY), permits=True),
    Term("DUO:0000007", "DS", "disease specific research",
         lambda u, v, d: _touches(u.diseases, v, "for research on"), permits=True, limited=True),
    Term("DUO:0000011", "POA", "population origins or ancestry research only",
         lambda u, v, d: _when("ancestry" in u.about, "only for the study of population origins or ancestry"),
         permits=True),
    Term("DUO:0000043", "CC", "clinical care use",
         lambda u, v, d: _when(u.purpose is Purpose.CARE, "only for clinical care")),
    Term("DUO:0000012", "RS", "research specific restrictions",
         lambda u, v, d: _touches(u.about, v, "for research of the kind"), limited=True),
    Term("DUO:0000015", "NMDS", "no general methods research",
         lambda u, v, d: _when("methods" not in u.about, "not for the development of methods, which a model is")),
    Term("DUO:0000016", "GSO", "genetic studies only",
         lambda u, v, d: _when("genetic" in u.about, "only for genetic studies")),
    Term("DUO:0000018", "NPUNCU", "not for profit, non-commercial use only",
         lambda u, v, d: _when(u.non_profit and u.non_commercial,
                               "only without profit and without commercial use, and the use does not say so")),
    Term("DUO:0000045", "NPU", "not for profit organisation use only",
         lambda u, v, d: _when(u.non_profit, "only for organisations without profit, and the use does not say so")),
    Term("DUO:0000046", "NCU", "non-commercial use only",
         lambda u, v, d: _when(u.non_commercial, "only without commercial use, and the use does not say so")),
    Term("DUO:0000019", "PUB", "publication required",
         lambda u, v, d: _when(u.publishes, "results have to be published, and the use does not say so")),
    Term("DUO:0000020", "COL", "collaboration required",
         lambda u, v, d: _when(u.collaborates, "only with whoever gave the data, and the use does not say so")),
    Term("DUO:0000021", "IRB", "ethics approval required",
         lambda u, v, d: _when(bool(u.ethics), "an approval by an ethics committee is needed, and none is named")),
    Term("DUO:0000022", "GS", "geographical restriction",
         lambda u, v, d: _within(u.countries, v, "country"), limited=True),
    Term("DUO:0000024", "MOR", "publication moratorium",
         lambda u, v, d: _when(not u.publishes or d >= _days(v), f"nothing may be published before {min(v)}"),
         limited=True),
    Term("DUO:0000025", "TS", "time limit on use",
         lambda u, v, d: _when(d <= _days(v), f"only until {min(v)}"), limited=True),
    Term("DUO:0000026", "US", "user specific restriction",
         lambda u, v, d: _within(_one(u.user), v, "user"), limited=True),
    Term("DUO:0000027", "PS", "project specific restriction",
         lambda u, v, d: _within(_one(u.project), v, "project"), limited=True),
    Term("DUO:0000028", "IS", "institution specific restriction",
         lambda u, v, d: _within(u.institutions, v, "institution"), limited=True),
    Term("DUO:0000029", "RTN", "return to database or resource",
         lambda u, v, d: _when(u.returns, "what is derived has to be given back, and the use does not say so")),
    Term("DUO:0000044", "NPOA", "population origins or ancestry research prohibited",
         lambda u, v, d: _when("ancestry" not in u.about, _NOT_ANCESTRY)),
)  # fmt: skip

DUO: Mapping[str, Term] = MappingProxyType({t.code: t for t in _TERMS})
"""Code -> term."""

_SHORT = {t.short: t for t in _TERMS}
_DATED = {"DUO:0000024", "DUO:0000025"}


def duo(said: str) -> Term:
    """A term by its code or its letters.

    Raises:
        Refused: DUO has no such term, or none that can be decided by a program.

    >>> duo("gru").code, duo("DUO:0000007").short
    ('DUO:0000042', 'DS')
    """
    plain = said.strip().upper().replace("DUO_", "DUO:").rsplit("/", 1)[-1]
    found = DUO.get(plain) or _SHORT.get(plain)
    if found is None:
        known = ", ".join(t.short for t in _TERMS)
        raise Refused(
            f"the term '{said:.40}'", f"known are {known}",
            "GRU permits all research, training of models too; the Data Use Ontology tells of the others",
        )  # fmt: skip
    return found


def read_values(term: Term, values: Iterable[str]) -> tuple[str, ...]:
    """What a term is limited to, checked.

    Raises:
        Refused: values where none belong, none where some are needed, or a date that is none.
    """
    given = tuple(v.strip() for v in values if v.strip())
    if term.limited != bool(given):
        why = "it says nothing until it says what it is limited to" if term.limited else "it is not limited to anything"
        raise Refused(f"{term.short} ({term.label}) with {len(given)} values", why, "write for example DS=363346000")
    if term.code in _DATED:
        try:
            _days(frozenset(given))
        except ValueError as wrong:
            raise Refused(f"{term.short}={given[0]:.20}", "it is no date", "write it as 2027-11-30") from wrong
    return given


@dataclass(frozen=True)
class Terms:
    """What was said once, of a patient or of one study.

    Args:
        id: its name in lists.
        patient: number and issuer.
        study: Study Instance UID; empty for all of the patient's.
        codes: of DUO, with their values; none where it refuses.
        permits: False for a refusal.
        refused: the purposes that a refusal closes.
        until: when it ends by itself.
        number: of its event: later ones stand above earlier ones.
    """

    id: str
    patient: tuple[str, str]
    study: str
    codes: Mapping[str, tuple[str, ...]]
    permits: bool
    refused: frozenset[Purpose]
    given: datetime
    until: datetime | None
    by: str
    source: str
    number: int

    def told(self) -> dict[str, Any]:
        """As lists show it."""
        return {
            "id": self.id, "patient": self.patient[0], "issuer": self.patient[1], "study": self.study,
            "terms": [{"code": c, "short": DUO[c].short, "label": DUO[c].label, "limited_to": list(v)}
                      for c, v in self.codes.items()],
            "permits": self.permits, "refuses": sorted(self.refused), "given": self.given.isoformat(),
            "until": self.until.isoformat() if self.until else None, "by": self.by, "source": self.source,
        }  # fmt: skip

    def why_not(self, use: Use, now: datetime) -> str:
        """Why these terms do not permit a use; empty where they do."""
        if self.until is not None and now >= self.until:
            return f"it ended on {self.until:%Y-%m-%d}"
        named = [(DUO[c], frozenset(v)) for c, v in self.codes.items()]
        if not any(t.permits for t, _ in named):
            return "it permits no research"
        lost = [f"{t.short}: {why}" for t, v in named if (why := t.condition(use, v, now.astimezone(UTC).date()))]
        return "; ".join(lost)


@dataclass(frozen=True)
class Acts:
    """All that was said: by patient and by study what was given, and the last withdrawal of each (its number, day).

    Patients that were made one are one here, too: what either of them refused or withdrew holds for both. Of patients
    who were erased with all that they had, a withdrawal is known by the keyed digest (`mac`) of their number.
    """

    of_patient: Mapping[tuple[str, str], tuple[Terms, ...]] = field(default_factory=dict)
    of_study: Mapping[str, tuple[Terms, ...]] = field(default_factory=dict)
    patient_ended: Mapping[tuple[str, str], tuple[int, datetime]] = field(default_factory=dict)
    study_ended: Mapping[str, tuple[int, datetime]] = field(default_factory=dict)
    merged: Mapping[int, tuple[tuple[str, str], tuple[str, str]]] = field(default_factory=dict)
    mac_ended: Mapping[str, tuple[int, datetime]] = field(default_factory=dict)
    mac: Callable[[tuple[str, str]], str] = lambda patient: ""

    def identities(self, patient: tuple[str, str]) -> set[tuple[str, str]]:
        """This patient and everybody who was made one with them."""
        found, news = {patient}, {patient}
        while news:
            news = {gone for gone, stays in self.merged.values() if stays in news} - found
            found |= news
        return found

    def ended(self, patient: tuple[str, str]) -> tuple[int, datetime] | None:
        """The last withdrawal of a patient."""
        people = self.identities(patient)
        found = [self.patient_ended[p] for p in people if p in self.patient_ended]
        if self.mac_ended:
            found += [self.mac_ended[mac] for mac in map(self.mac, people) if mac in self.mac_ended]
        return max(found, default=None)

    def standing(self, patient: tuple[str, str], study: str) -> tuple[list[Terms], list[Terms]]:
        """What still stands of a patient and of one study, the oldest first: no withdrawal came after it."""
        people = self.identities(patient)
        person = (self.ended(patient) or (0, None))[0]
        single = max(person, self.study_ended.get(study, (0, None))[0])
        given = sorted((t for p in people for t in self.of_patient.get(p, ())), key=lambda t: t.number)
        return (
            [t for t in given if t.number > person],
            [t for t in self.of_study.get(study, ()) if t.number > single and t.patient in people],
        )


@dataclass(frozen=True)
class Decision:
    """The answer for one use of one study.

    Args:
        allowed: whether.
        reason: why, in words that name nobody.
        kind: the same for counts, without a day that could point to somebody: one of `KIND_WORDS`.
        by: id of the terms that decided, empty for the site's default.
    """

    allowed: bool
    reason: str
    kind: str
    by: str = ""


KIND_WORDS = {
    "permitted": "permitted by the terms of use",
    "default": "nothing is known of what it may be used for",
    "refused": "this use was refused",
    "terms": "the terms of use do not permit this use",
    "withdrawn": "consent was withdrawn",
    "demonstration": "it is of the demonstration",
}
"""Kind of a decision -> words."""


def decide(
    acts: Acts, patient: tuple[str, str], study: str, use: Use, now: datetime, unasked: Mapping[Purpose, bool] = UNASKED
) -> Decision:
    """Whether a study may be used so.

    Args:
        acts: all that was said.
        patient: number and issuer. study: Study Instance UID.
        unasked: what is allowed where nothing is known.
    """
    of_patient, of_study = acts.standing(patient, study)
    for one in (*of_study, *of_patient):
        if not one.permits and use.purpose in one.refused and not (one.until and now >= one.until):
            return Decision(False, f"{use.purpose} was refused on {one.given:%Y-%m-%d}", "refused", one.id)
    if use.purpose is Purpose.CARE:
        return _by_default(use, unasked)
    chosen = [t for t in of_study if t.permits] or (
        [] if study in acts.study_ended else [t for t in of_patient if t.permits]
    )
    lost = []
    for one in reversed(chosen):
        if not (why := one.why_not(use, now)):
            terms = ", ".join(DUO[c].short for c in one.codes)
            return Decision(True, f"permitted on {one.given:%Y-%m-%d} ({terms})", "permitted", one.id)
        lost.append(why)
    if lost:
        return Decision(False, f"the terms of use do not permit it ({lost[0]})", "terms", chosen[-1].id)
    ended = acts.study_ended.get(study) or acts.ended(patient)
    if ended is not None:
        return Decision(False, f"consent was withdrawn on {ended[1]:%Y-%m-%d}", "withdrawn")
    return _by_default(use, unasked)


def _by_default(use: Use, unasked: Mapping[Purpose, bool]) -> Decision:
    allowed = unasked.get(use.purpose, False)
    words = "allows" if allowed else "does not allow"
    return Decision(allowed, f"{KIND_WORDS['default']}, and the site {words} {use.purpose} then", "default")


def after(acts: Acts, events: Iterable[Sealed]) -> Acts:
    """The acts as these events leave them."""
    people, studies = dict(acts.of_patient), dict(acts.of_study)
    people_ended, studies_ended, merged = dict(acts.patient_ended), dict(acts.study_ended), dict(acts.merged)
    macs_ended = dict(acts.mac_ended)
    for sealed in events:
        event, told = sealed.event, sealed.event.details
        if "sealed" in told and event.kind is not Kind.PATIENTS_UNDONE:
            continue  # erased: told again for whoever is left
        if event.kind is Kind.PATIENTS_MERGED:
            gone, stays = ((str(told[n]["id"]), str(told[n]["issuer"])) for n in ("from", "into"))
            merged[sealed.number] = gone, stays
            continue
        if event.kind is Kind.PATIENTS_UNDONE:
            merged.pop(int(told["change"]), None)
            continue
        patient = (str(told["patient"]["id"]), str(told["patient"]["issuer"]))
        first = told.get("first", {})  # where it had to be told again
        by, time = first.get("who", event.who), datetime.fromisoformat(first["time"]) if first else event.time
        if event.kind is Kind.CONSENT_WITHDRAWN:
            if event.subject:
                studies_ended[event.subject] = sealed.number, time
            elif "macs" in told:
                macs_ended |= dict.fromkeys(map(str, told["macs"]), (sealed.number, time))
            else:
                people_ended[patient] = sealed.number, time
        elif event.kind is Kind.CONSENT_GIVEN:
            one = Terms(
                told["consent"], patient, event.subject, {c: tuple(v) for c, v in told["codes"].items()},
                told["permits"], frozenset(Purpose(p) for p in told["refuses"]), time,
                datetime.fromisoformat(told["until"]) if told["until"] else None, by, told["source"],
                sealed.number,
            )  # fmt: skip
            if event.subject:
                studies[event.subject] = (*studies.get(event.subject, ()), one)
            else:
                people[patient] = (*people.get(patient, ()), one)
    return Acts(people, studies, people_ended, studies_ended, merged, macs_ended, acts.mac)


def mac_of(secret: bytes, patient: tuple[str, str]) -> str:
    """The keyed digest of a patient's number and issuer, by which nobody without the secret knows who it is.

    >>> mac_of(b"k" * 32, ("P1", "")) == mac_of(b"k" * 32, ("P1", "H"))
    False
    """
    return hmac.new(
        secret, "\0".join(("isocenter withdrawn", *patient)).encode("utf-8", "surrogatepass"), "sha256"
    ).hexdigest()
