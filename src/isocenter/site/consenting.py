"""Terms of use of one archive: recorded, withdrawn, and asked before data are used for anything but care.

`allowed` is the one question that cohorts, exports, links for research, training and federation ask; it reads the
journal up to its last entry, so that a withdrawal reaches all of them with the next question. A withdrawal also says
what it can no longer call back: what had left before, and which models had learned from it.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from isocenter.errors import NotFound, Refused
from isocenter.govern import consent
from isocenter.govern.consent import DEMONSTRATION, Acts, Decision, Purpose, Use, duo, read_values
from isocenter.govern.consent_fhir import Said
from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind, Study
from isocenter.record.project import Reach
from isocenter.record.study import no_study
from isocenter.store.follower import Follower

if TYPE_CHECKING:
    from isocenter.record import Model
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["RECORD_TERMS", "Consenting"]

RECORD_TERMS = (
    "ask for terms of use and record them: on the page Consent, or `isocenter consent give GRU --patient NUMBER`"
)
"""What to do where nobody has said that data may be used so."""

_PAGE = 5000
_ALL = 10_000_000
_TEACHES = (Purpose.TRAINING, Purpose.FEDERATION)
_STAYS = Decision(False, "images of the demonstration teach no model", "demonstration")


@dataclass
class Consenting:
    """The terms of use of one archive.

    Args:
        site_wide: what the site set: ``unasked`` -> {purpose: allow or deny}, ``institution``, ``country``.
        models: the models that are here.
        reach: of which studies somebody may ask.
        mac: keyed digest of a patient's number and issuer.
    """

    index: Index
    journal: Journal
    blobs: Blobs
    clock: Callable[[], datetime]
    site_wide: Callable[[], Mapping[str, Any]] = dict
    models: Callable[[], Iterable[Model]] = tuple
    reach: Callable[[Person, str], Reach | None] = lambda who, verb: None
    mac: Callable[[tuple[str, str]], str] = lambda patient: ""

    def __post_init__(self) -> None:
        self._acts = Follower[Acts](self.journal, consent.KINDS, partial(Acts, mac=self.mac), consent.after)

    # ---- asking ----------------------------------------------------------------------------------------------

    def use(self, purpose: Purpose, *, who: Person, **said: Any) -> Use:
        """A use by somebody here: the account, the site's institution and country, and what else is said of it.

        Of a link for the research of another house only who gives it is here: where it goes has to be said.
        """
        here = {} if Purpose(purpose) is Purpose.SHARING else self.site_wide()
        given = {"institutions": here.get("institution"), "countries": here.get("country")}
        known: dict[str, Any] = {n: frozenset({str(v)}) for n, v in given.items() if v and n not in said}
        return Use(Purpose(purpose), user=who.name, **known, **said)

    def allowed(self, study_uid: str, purpose: Purpose | Use, *, who: Person, **said: Any) -> Decision:
        """Go on only if a study may be used so; the decision that says why.

        Args:
            purpose: what for, or the whole use.
            said: of the use (`Use`), where only the purpose is given.

        Raises:
            Refused: it may not, with the reason; NotFound: no such study.
        """
        use = purpose if isinstance(purpose, Use) else self.use(purpose, who=who, **said)
        found = self.index.studies({"StudyInstanceUID": study_uid}, limit=1)
        if not found:
            raise no_study(study_uid)
        made = self.decided(found[0], use)
        if not made.allowed:
            raise Refused(
                f"this study may not be used for {use.purpose}", made.reason,
                RECORD_TERMS,
            )  # fmt: skip
        return made

    def leaving(self, study_uid: str) -> None:
        """Go on only if a study is not of the demonstration: its phantoms are nobody's images, anywhere else.

        Raises:
            Refused: it is.
        """
        if self.of_demonstration(study_uid):
            raise Refused(
                "an image of the demonstration", "it stays here: elsewhere it would be taken for a patient's",
                "receive images of your own (`isocenter receive FOLDER`) and give those out",
            )  # fmt: skip

    def of_demonstration(self, study_uid: str) -> bool:
        """Whether the demonstration brought this study along."""
        kinds = (Kind.INSTANCES_RECEIVED,)
        return bool(study_uid and self.journal.since(kinds=kinds, subject=study_uid, who=DEMONSTRATION, limit=1))

    def demonstrated(self) -> frozenset[str]:
        """The studies that the demonstration brought along."""
        told = self.journal.each(kinds=(Kind.INSTANCES_RECEIVED,), who=DEMONSTRATION)
        return frozenset(str(sealed.event.details["study"]["uid"]) for sealed in told)

    def decided(self, study: Study, use: Use) -> Decision:
        """The answer for one study, allowed or not."""
        if use.purpose in _TEACHES and self.of_demonstration(study.uid):
            return _STAYS
        patient = study.patient.id, study.patient.issuer
        return consent.decide(self._acts.state(), patient, study.uid, use, self.clock(), self._unasked())

    def sifted(self, studies: Iterable[Study], use: Use) -> tuple[list[Study], list[tuple[str, int]]]:
        """Those of many studies that may be used so, and for what reasons how many may not."""
        acts, now, unasked = self._acts.state(), self.clock(), self._unasked()
        shown = self.demonstrated() if use.purpose in _TEACHES else frozenset()
        kept, lost = [], Counter[str]()
        for study in studies:
            patient = study.patient.id, study.patient.issuer
            made = _STAYS if study.uid in shown else consent.decide(acts, patient, study.uid, use, now, unasked)
            if made.allowed:
                kept.append(study)
            else:
                lost[consent.KIND_WORDS[made.kind]] += 1
        return kept, lost.most_common()

    # ---- recording -------------------------------------------------------------------------------------------

    def give(
        self, codes: Mapping[str, Sequence[str]], *, who: Person, patient: str = "", issuer: str = "", study: str = "",
        until: datetime | None = None, refuses: Collection[Purpose] = (), source: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """Record terms of use of a patient, or of one study; with `refuses`, that these purposes are refused.

        Args:
            codes: of DUO, each with what it is limited to.
            patient: number; needed where no study is named. issuer: of the number, empty where headers have none.

        Raises:
            Refused: codes that do not exist, that narrow without permitting anything, that have ended, or nobody they
                are about.
        """
        must(who, "consent", study)
        read = {(term := duo(code)).code: read_values(term, values) for code, values in codes.items()}
        if refuses and read:
            raise Refused(
                "terms that permit and refuse at once",
                "which of the two holds would be a guess",
                "give those that hold, and withdraw the others",
            )
        if until is not None and until <= self.clock():
            raise Refused(
                f"terms that ended on {until:%Y-%m-%d %H:%M}", "they would permit nothing",
                "give a day to come, or none: then they hold until they are withdrawn",
            )  # fmt: skip
        if not refuses and not any(consent.DUO[c].permits or c == "DUO:0000043" for c in read):
            raise Refused(
                "terms that permit nothing", "conditions alone narrow what is permitted", "add GRU, HMB, DS or NRES"
            )
        event = Event(
            Kind.CONSENT_GIVEN, self.clock(), who.name, study,
            {
                "consent": secrets.token_hex(8), "patient": self._whose(patient, issuer, study, who),
                "codes": {c: list(v) for c, v in read.items()}, "permits": not refuses,
                "refuses": sorted(Purpose(p) for p in refuses), "until": until.isoformat() if until else "",
                "source": source[:200],
            },
        )  # fmt: skip
        (sealed,) = self.journal.append(event)
        acts = consent.after(Acts(), [sealed])
        (made,) = next(iter((*acts.of_patient.values(), *acts.of_study.values())))
        return made.told()

    def withdraw(
        self, *, who: Person, patient: str = "", issuer: str = "", study: str = "", reason: str = ""
    ) -> dict[str, Any]:
        """End all terms of a patient or of one study, now; and what they had reached."""
        must(who, "consent", study)
        whose = self._whose(patient, issuer, study, who)
        told = {"patient": whose, "reason": reason[:500]}
        self.journal.append(Event(Kind.CONSENT_WITHDRAWN, self.clock(), who.name, study, told))
        return self.reached(who=who, patient=whose["id"], issuer=whose["issuer"], study=study)

    def take_fhir(self, said: Said, *, who: Person) -> list[dict[str, Any]]:
        """Record a FHIR Consent: for each study that it names, or for the patient.

        Raises:
            Refused: it begins later; or as `give`.
        """
        if said.since is not None and said.since > self.clock():
            raise Refused(
                f"a Consent that begins on {said.since:%Y-%m-%d}", "terms of use hold from when they are given",
                "send it on that day",
            )  # fmt: skip
        made = []
        patient, issuer = said.patient
        for study in said.studies or ("",):
            if said.withdrawn:
                made.append(self.withdraw(patient=patient, issuer=issuer, study=study, reason=said.source, who=who))
            else:
                refuses = () if said.permits else said.refuses
                made.append(
                    self.give(said.codes, patient=patient, issuer=issuer, study=study, until=said.until,
                              refuses=refuses, source=said.source, who=who)
                )  # fmt: skip
        return made

    def listed(self, *, who: Person, patient: str = "", issuer: str = "", study: str = "") -> list[dict[str, Any]]:
        """What still stands of a patient or a study, the newest first; of everybody where neither is named."""
        must(who, "consent", study)
        acts = self._acts.state()
        if patient or study:
            whose = self._whose(patient, issuer, study, who)
            of_patient, of_study = acts.standing((whose["id"], whose["issuer"]), study)
            found = [*of_patient, *of_study]
        else:
            mine = self._patients(who)
            found = [t for p in acts.of_patient if mine(p) for t in acts.standing(p, "")[0]]
            found += [
                t for s, terms in acts.of_study.items() for t in terms
                if mine(t.patient) and t in acts.standing(t.patient, s)[1]
            ]  # fmt: skip
        return [t.told() for t in sorted(found, key=lambda t: -t.number)]

    def answers(self, *, who: Person, patient: str = "", issuer: str = "", study: str = "") -> list[dict[str, Any]]:
        """What holds today of a patient, or of one study, for each purpose: ``purpose``, ``allowed`` and ``reason``.

        Nothing is said of the use but its purpose, so that terms that ask for more answer no.
        """
        must(who, "consent", study)
        whose = self._whose(patient, issuer, study, who)
        acts, now, unasked, phantom = self._acts.state(), self.clock(), self._unasked(), self.of_demonstration(study)
        told = []
        for purpose in Purpose:
            use = self.use(purpose, who=who)
            made = consent.decide(acts, (whose["id"], whose["issuer"]), study, use, now, unasked)
            made = _STAYS if phantom and purpose in _TEACHES else made
            told.append({"purpose": purpose.value, "allowed": made.allowed, "reason": made.reason})
        return told

    # ---- what was reached ------------------------------------------------------------------------------------

    def taught(
        self, name: str, version: str, studies: Collection[str], *, who: Person, use: Use, digest: str = ""
    ) -> None:
        """Record of which studies a model learned, after asking for each of them.

        Raises:
            Refused: one of them may not be used so; nothing is recorded then.
        """
        must(who, "train")
        for study in studies:
            self.allowed(study, use, who=who)
        details = {
            "version": version, "digest": digest, "purpose": use.purpose.value, "project": use.project,
            "studies": sorted(studies),
        }  # fmt: skip
        self.journal.append(Event(Kind.MODEL_TRAINED, self.clock(), who.name, name, details))

    def reached(self, *, who: Person, patient: str = "", issuer: str = "", study: str = "") -> dict[str, Any]:
        """Where data of a patient or a study went: exports, cohorts and their tables, links, models that learned."""
        must(who, "consent", study)
        whose = self._whose(patient, issuer, study, who)
        studies = [s for s in self._studies(whose, who) if not study or s.uid == study]
        uids = {s.uid for s in studies}
        cohorts = self._cohorts(uids)
        told = {
            "studies": sorted(uids),
            "exports": [_row(s) for u in sorted(uids) for s in self._events(Kind.EXPORTED, u)],
            "sent": [_row(s) for u in sorted(uids) for s in self._events(Kind.SENT, u)],
            "links": [_row(s) for u in sorted(uids) for s in self._events(Kind.SHARED, u)],
            "cohorts": [{"id": id, "name": name} for id, name in cohorts.items()],
            "examples": [
                _row(s) for s in self._events(Kind.EXAMPLES_TAKEN) if uids & set(s.event.details.get("studies", ()))
            ],
            "tables": [_row(s) for id in cohorts for s in self._events(Kind.COHORT_EXPORTED, id)],
        }  # fmt: skip
        return {**told, "models": self.learned(uids, set(cohorts))}

    def learned(self, uids: set[str], cohorts: Collection[str] = ()) -> list[dict[str, Any]]:
        """Models that learned from any of the studies, as the journal says or as their cards name images or studies."""
        found: dict[tuple[str, str], str] = {}
        for sealed in self._events(Kind.MODEL_TRAINED):
            told = sealed.event.details
            if uids & set(told.get("studies", ())) or told.get("cohort") in cohorts:
                found[sealed.event.subject, str(told.get("version", ""))] = "journal"
        named = [model for model in self.models() if model.card.get("learned_from")]
        images = {i.digest for u in uids for s in self.index.study(u).series for i in s.instances} if named else set()
        for model in named:
            if (uids | images) & {str(one) for one in model.card["learned_from"]}:
                found.setdefault((model.name, model.version), "its card")
        return [{"model": n, "version": v, "known_by": by} for (n, v), by in sorted(found.items())]

    def _cohorts(self, uids: set[str]) -> dict[str, str]:
        found = {}
        for sealed in self._events(Kind.COHORT_FROZEN):
            members = json.loads(self.blobs.get(sealed.event.subject)).get("members", ())
            if uids & set(members):
                found[sealed.event.subject] = str(sealed.event.details["name"])
        return found

    def _events(self, kind: Kind, subject: str = "") -> Any:
        return self.journal.since(kinds=(kind,), subject=subject, limit=_ALL)

    # ---- within ----------------------------------------------------------------------------------------------

    def _whose(self, patient: str, issuer: str, study: str, who: Person) -> dict[str, str]:
        if study:
            found = self.index.studies({"StudyInstanceUID": study}, limit=1)
            if found and (not patient or found[0].patient.id == patient):
                return {"id": found[0].patient.id, "issuer": found[0].patient.issuer}
            if found or not patient:
                raise NotFound(
                    "no such study of this patient", "the archive has none", "look at the Study Instance UID"
                )
        if not patient:
            raise Refused("terms of nobody", "they are about a patient or a study", "name one of the two")
        reach = self.reach(who, "consent")
        if reach is not None and not self.index.studies({"PatientID": patient}, limit=1, reach=reach):
            raise NotFound(
                f"patient '{patient:.64}'",
                "the archive has none of that number for you",
                "look for it: `isocenter studies`",
            )
        if not issuer:
            issuers = {s.patient.issuer for s in self.index.studies({"PatientID": patient}, limit=_PAGE)}
            if len(issuers) > 1:
                raise Refused(
                    f"the patient number '{patient:.64}'",
                    f"{len(issuers)} issuers have given it out",
                    "name the issuer",
                )
            issuer = next(iter(issuers), "")
        return {"id": patient, "issuer": issuer}

    def _patients(self, who: Person) -> Callable[[tuple[str, str]], bool]:
        """Whether a patient has a study of which somebody may ask."""
        reach = self.reach(who, "consent")
        if reach is None:
            return lambda patient: True
        rows = self.index.find("PATIENT", {}, reach=reach)
        mine = {(str(row["PatientID"]), str(row["IssuerOfPatientID"])) for row in rows}
        return lambda patient: patient in mine

    def _studies(self, whose: Mapping[str, str], who: Person) -> list[Study]:
        found = self.index.studies({"PatientID": whose["id"]}, limit=_PAGE, reach=self.reach(who, "consent"))
        return [s for s in found if (s.patient.id, s.patient.issuer) == (whose["id"], whose["issuer"])]

    def _unasked(self) -> Mapping[Purpose, bool]:
        return consent.unasked_by(self.site_wide().get("unasked") or {})


def _row(sealed: Any) -> dict[str, Any]:
    told = sealed.event.details
    names = (
        "to",
        "institution",
        "country",
        "until",
        "destination",
        "objects",
        "domain",
        "form",
        "rows",
        "file",
        "name",
        "n",
        "digest",
    )
    return {
        "number": sealed.number, "time": sealed.event.time.isoformat(), "by": sealed.event.who,
        "subject": sealed.event.subject, **{n: told[n] for n in names if n in told},
    }  # fmt: skip
