"""A patient through time: their studies, their lesions, and what happened with both, as one person may see it.

The address of a patient's timeline is that of one of their studies: it holds no name and no number of a patient.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.analysis.plan import dated, is_another
from isocenter.errors import NotFound, Refused
from isocenter.forms.registration import Joined
from isocenter.govern.policy import Person, may, must
from isocenter.reading import lesions
from isocenter.reading.lesions import Lesion, Sum, Way, Ways
from isocenter.record import Event, Kind, Outcome, Patient, Result, Study, to_plain
from isocenter.site.disclosing import Disclosing
from isocenter.store.matching import person_key

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Following"]

_MOST = 200  # studies of one patient
_BORN = 1000  # patients of one date of birth that are looked at: where a site writes one date for many, not all are
_ACTS = 10_000
_LANES = {
    Kind.REPORT_SIGNED: "reports",
    Kind.REPORT_AMENDED: "reports",
    Kind.SENT: "access",
    Kind.EXPORTED: "access",
    Kind.SHARED: "access",
    Kind.SHARE_ENDED: "access",
}
_WORDS = {
    Kind.REPORT_SIGNED: "report signed",
    Kind.REPORT_AMENDED: "amendment signed",
    Kind.SENT: "sent to another system",
    Kind.EXPORTED: "exported without names",
    Kind.SHARED: "link given",
    Kind.SHARE_ENDED: "link ended",
}
_COUNTED = (Kind.READING_OPENED, Kind.SENT, Kind.EXPORTED, Kind.SHARED, Kind.SHARE_ENDED)


@dataclass
class Following:
    """The studies of patients through time, of one archive.

    Args:
        registrations: those that a study holds, as a person may see them.
    """

    index: Index
    journal: Journal
    disclosing: Disclosing
    clock: Callable[[], datetime]
    registrations: Callable[[str, Person], Sequence[Joined]] = lambda study_uid, who: ()

    # ---- lesions ---------------------------------------------------------------------------------------------

    def lesions(self, study_uid: str, *, who: Person) -> tuple[tuple[Study, ...], tuple[Lesion, ...], tuple[Sum, ...]]:
        """The patient's studies, the oldest first, and their lesions through them, as a person may see them."""
        must(who, "results", study_uid)
        return self._followed(self._studies(study_uid, who)[0], who)

    def _followed(
        self, studies: tuple[Study, ...], who: Person
    ) -> tuple[tuple[Study, ...], tuple[Lesion, ...], tuple[Sum, ...]]:
        times = [(study, self.disclosing.results(study.uid, who)) for study in studies]
        readings = self.index.readings([study.uid for study in studies])
        signed = {uid for uid, one in readings.items() if one["reports"]}
        ways = self._ways(studies, who)
        found, sums = lesions.follow(times, lesions.told_of(self._matched(studies)), signed, ways)
        return studies, found, sums

    def _ways(self, studies: Sequence[Study], who: Person) -> Ways:
        """Between the frames of reference of a patient's studies, by the newest registration that one of them holds."""
        kept = [
            joined
            for study in studies
            if any(series.modality == "REG" for series in study.series)
            for joined in self.registrations(study.uid, who)
        ]

        def way(one: str, other: str) -> Way | None:
            if one and one == other:
                return Way(np.eye(4))
            for joined in reversed(kept):
                if one and (joined.moving, joined.fixed) == (one, other):
                    return Way(joined.matrix, joined.residual_mm)
                if one and (joined.fixed, joined.moving) == (one, other):
                    return Way(np.linalg.inv(joined.matrix).astype(np.float64), joined.residual_mm)
            return None

        return way

    def match(self, study_uid: str, one: str, other: str, *, same: bool, who: Person) -> None:
        """Say that two findings are one lesion, or that they are not.

        Raises:
            NotFound: the patient has no such findings that this person may see.
            Refused: they are the same finding, or of one study.
        """
        must(who, "correct", study_uid)
        at: dict[str, str] = {}
        for study in self._studies(study_uid, who)[0]:
            for _, result in self.disclosing.results(study.uid, who):
                at.update((f.tracking, study.uid) for f in result.findings if f.tracking)
        if one not in at or other not in at:
            raise NotFound("no such finding of this patient", "it may have been replaced", "load the timeline again")
        if at[one] == at[other]:
            raise Refused("two findings of one study", "one lesion is seen once at a time", "take one of another study")
        details = {"one": one, "other": other, "same": same}
        self.journal.append(Event(Kind.LESION_MATCHED, self.clock(), who.name, study_uid, details))

    def _matched(self, studies: Sequence[Study]) -> list[Any]:
        found = [
            e for s in studies for e in self.journal.since(subject=s.uid, kinds=(Kind.LESION_MATCHED,), limit=_ACTS)
        ]
        return sorted(found, key=lambda sealed: sealed.number)

    def _studies(self, study_uid: str, who: Person) -> tuple[tuple[Study, ...], int, tuple[Study, ...]]:
        """Studies of the person of a study, the oldest first, those of one day in the order of their times; and how
        many more there are that are none of the asker's."""
        home = self.index.study(study_uid)
        if not home.patient.id:
            return (home,), 0, ()
        keys = {"PatientID": home.patient.id, "IssuerOfPatientID": home.patient.issuer}
        rows = self.index.studies(keys, limit=_MOST, order="date")
        held = self.disclosing.sieve(who, "results")
        mine = [s for s in rows if (s.patient.id, s.patient.issuer) == (home.patient.id, home.patient.issuer)]
        seen = [s for s in mine if held(s.uid)]
        whole = [dated(self.disclosing.study(self.index.study(s.uid), who)) for s in seen]
        whole.sort(key=lambda s: (s.date or date.min, s.time, s.uid))
        strangers = {s.uid for s in seen if is_another(s.patient, home.patient)}
        theirs, own = ([s for s in whole if (s.uid in strangers) is other] for other in (True, False))
        return tuple(own), len(mine) - len(seen), tuple(theirs)

    # ---- the patient -----------------------------------------------------------------------------------------

    def timeline(self, study_uid: str, *, who: Person) -> dict[str, Any]:
        """Lanes of a patient: imaging, lesions, measurements, reports, and who had access, each as a dated list.

        Also, for whoever reads, how many studies are hidden from them; identities that may be the same person; and
        studies of the same number that are another person's, or seem so: of them nothing is shown.
        """
        must(who, "results", study_uid)
        mine, hidden, strangers = self._studies(study_uid, who)
        studies, found, sums = self._followed(mine, who)
        readings = self.index.readings([s.uid for s in studies])
        return {
            "patient": studies[-1].patient,
            # Whoever treats a patient must know that the past is not whole; nobody else learns of other projects.
            "hidden": hidden if may(who, "reading") else 0,
            "others": self._others(studies[-1].patient, who),
            "strangers": [
                {"study": s.uid, "date": s.date.isoformat() if s.date else None, "sex": s.patient.sex,
                 "birth_date": s.patient.birth_date.isoformat() if s.patient.birth_date else None}
                for s in strangers
            ],
            "studies": [
                {
                    "study": s.uid, "date": s.date.isoformat() if s.date else None, "time": s.time,
                    "description": s.description, "modalities": list(s.modalities), "accession": s.accession,
                    "state": readings[s.uid]["state"], "here": s.uid == study_uid,
                }
                for s in studies
            ],
            "lesions": [to_plain(one) for one in found],
            "sums": [to_plain(one) for one in sums],
            "measurements": self._measurements(studies, who),
            "events": self._events(studies, who),
            "access": self._access(studies, who),
        }  # fmt: skip

    def _others(self, patient: Patient, who: Person) -> list[dict[str, Any]]:
        """Other identities with the same name and date of birth: perhaps the same person, and no more than perhaps.

        Names are compared without capitals and accents, which one clerk writes and another does not.
        """
        if not patient.birth_date or not patient.name.strip("^ ="):
            return []
        reach, own = self.disclosing.reach(who, "results"), (patient.id, patient.issuer)
        born = {"PatientBirthDate": f"{patient.birth_date:%Y%m%d}"}
        found = []
        for row in self.index.find("PATIENT", born, limit=_BORN, reach=reach):
            known = str(row["PatientID"] or ""), str(row.get("IssuerOfPatientID") or "")
            if known == own or _bare(str(row["PatientName"] or "")) != _bare(patient.name):
                continue
            keys = {"PatientID": known[0], "IssuerOfPatientID": known[1]}
            rows = self.index.studies(keys, limit=_MOST, order="-date", reach=reach)
            if theirs := [s for s in rows if (s.patient.id, s.patient.issuer) == known]:
                one = theirs[0].patient
                found.append({"id": one.id, "issuer": one.issuer, "name": one.name, "sex": one.sex,
                              "studies": len(theirs), "study": theirs[0].uid})  # fmt: skip
        return found

    def _measurements(self, studies: Sequence[Study], who: Person) -> list[dict[str, Any]]:
        """Numbers of whole studies, by what they are, through time."""
        held: dict[tuple[str, str, str], dict[str, Any]] = {}
        for number, study in enumerate(studies):
            for _, result in self.disclosing.results(study.uid, who):
                for m in _of_the_whole(result):
                    row = held.setdefault(
                        (str(m.what), m.unit, m.definition),
                        {"what": to_plain(m.what), "unit": m.unit, "definition": m.definition,
                         "values": [None] * len(studies)},
                    )  # fmt: skip
                    row["values"][number] = {
                        "value": m.value, "low": m.low, "high": m.high, "percentile": m.percentile, "norm": m.norm,
                    }  # fmt: skip
        return list(held.values())

    def _events(self, studies: Sequence[Study], who: Person) -> list[dict[str, Any]]:
        """What was signed, sent and exported, in the order in which it happened."""
        told = [
            sealed
            for study in studies
            for sealed in self.journal.since(subject=study.uid, kinds=tuple(_LANES), limit=_ACTS)
            if self.disclosing.hears(sealed, who)
        ]
        return [
            {
                "time": s.event.time.isoformat(), "lane": _LANES[s.event.kind], "what": _WORDS[s.event.kind],
                "study": s.event.subject, "who": s.event.who if may(who, "reading") else "",
            }
            for s in sorted(told, key=lambda sealed: sealed.number)
        ]  # fmt: skip

    def _access(self, studies: Sequence[Study], who: Person) -> dict[str, int]:
        """How many people read, and how often something went out, as far as somebody may hear of it."""
        counts: Counter[str] = Counter()
        readers: set[str] = set()
        for study in studies:
            told = self.journal.since(subject=study.uid, kinds=_COUNTED, limit=_ACTS)
            for sealed in (one for one in told if self.disclosing.hears(one, who)):
                if sealed.event.kind is Kind.READING_OPENED:
                    readers.add(sealed.event.who)
                else:
                    counts[sealed.event.kind.value] += 1
        return {
            "readers": len(readers), "sent": counts["Sent"], "exported": counts["Exported"],
            "shared": counts["Shared"], "ended": counts["ShareEnded"],
        }  # fmt: skip


def _bare(name: str) -> str:
    letters = unicodedata.normalize("NFKD", person_key(name))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _of_the_whole(result: Result) -> Sequence[Any]:
    if result.outcome is Outcome.DECLINED or result.origin.name in _OF_IMAGES:
        return ()
    return result.measurements


_OF_IMAGES = ("image_quality",)
"""Analyses that speak of images, such as their noise: nothing of it is of the person through time."""
