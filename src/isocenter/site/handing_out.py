"""A cohort handed to a research group in one act: images and results without persons and faces, a table, a report.

Nothing appears where it was asked for before all of it is there, judged and written into the journal: until then it
grows in a folder beside it, which goes away when anything refuses.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter import wholly
from isocenter.dicom.alike import SMALLEST_GROUP, must_be_alike, must_say_why
from isocenter.dicom.confidentiality import options_named
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.errors import IsocenterError, Refused
from isocenter.govern.consent import Use
from isocenter.govern.policy import Person, must
from isocenter.population.table import Member
from isocenter.record import Cohort, Event, Kind, Patient
from isocenter.site.cohorting import Cohorting
from isocenter.site.consenting import RECORD_TERMS
from isocenter.site.sending import Sending

if TYPE_CHECKING:
    from isocenter.dicom.release import Release

__all__ = ["HandingOut"]

_Left = list[dict[str, str]]


class HandingOut(Sending):
    """How cohorts leave; the site that is made of it brings what it works on."""

    cohorts: Cohorting
    secret: Callable[[str], bytes]

    def hand_out(
        self,
        id: str,
        out: Path,
        *,
        use: Use,
        who: Person,
        options: Sequence[str] = ("research",),
        reviewed: Sequence[str] = (),
        blank: bool = False,
        smallest_group: int = SMALLEST_GROUP,
        reason: str = "",
        workers: int = 1,
        told: Callable[[str, int, int], None] = lambda words, done, of: None,
        run: str = "",
    ) -> tuple[dict[str, Any], _Left]:
        """Write a frozen cohort into a folder: ``dicom``, ``studies.parquet``, ``studies.csv``, ``report.json``.

        Args:
            id: digest of the cohort.
            out: a folder that is new or empty.
            use: what for; each member's terms of use are asked, at the start, before it is read, and at the end.
            options: of PS3.15 table E.1-1, by name.
            reviewed: SOP Instance UIDs whose pixels `who` has looked at.
            blank: images with found writing go, the found lines blanked.
            smallest_group: fewest patients that share sex, age, body part and kind of image.
            reason: why fewer may leave; the journal keeps it.
            workers: processes.
            told: progress. run: id by which the journal knows this hand-out again.

        Returns:
            the report, which names no original; and for whoever asked which studies and images stayed, and why.

        Raises:
            Refused: the folder holds something, nobody may be used so, terms ended meanwhile, or a group is too small
                and no reason was given; nothing is left then.
        """
        must(who, "export", id)
        must_say_why(smallest_group, reason)
        # Both bring compilers: nobody waits for them but who hands out.
        from isocenter.dicom.deidentify import REVIEWED
        from isocenter.dicom.release import Release, Terms, growing, release
        from isocenter.site.defacing import faces

        terms = Terms(options_named(options), reviewed=frozenset(reviewed), blank=blank)
        made, kept, left = self.would_leave(id, use, who=who)
        key = Pseudonyms(self.secret("pseudonyms")).secret_within(f"cohort {id}")
        self.must_have_members(kept, left)
        with growing(out) as partial:
            found, parts = Release(terms, Pseudonyms(key).domain), {}
            held: _Left = []
            for number, member in enumerate(kept):
                told("studies", number, len(kept))
                parts[member.study] = one = release(
                    self._files(member.study, use, who), partial / "dicom" / Pseudonyms(key).case(member.study),
                    secret=key, terms=terms, workers=workers, faces=faces,
                )  # fmt: skip
                found.join(one)
                held += [
                    {
                        "study": "", "object": n, "why": why, "kind": kind, "of": member.study,
                        "leaves": "reviewed" if REVIEWED in why else "",
                    }
                    for n, kind, why in one.held_back
                ]  # fmt: skip
                if not one.written:
                    shutil.rmtree(partial / "dicom" / Pseudonyms(key).case(member.study))
            left += held
            told("studies", len(kept), len(kept))
            gone = [m for m in kept if parts[m.study].written]
            _must_be_many(found, smallest_group, reason)
            self._must_still_be_open(gone, use, who)
            report = found.report() | self._told(id, made.name, left, gone, use, smallest_group, reason)
            report["table"] = self._table(partial, gone, key)
            wholly.write(partial / "report.json", json.dumps(report, indent=2, ensure_ascii=False))
            self._write_down(id, report, {m.study: parts[m.study] for m in gone}, use, who, run)
        return report, left

    def would_leave(self, id: str, use: Use, *, who: Person) -> tuple[Cohort, list[Member], _Left]:
        """A frozen cohort, who of it may be used so today, and who not and why.

        Raises:
            NotFound: none of that digest was frozen.
        """
        made, kept = self.cohorts.going(id, use, who=who)
        return made, kept, self._left_out(made.members, {m.study for m in kept}, use)

    @staticmethod
    def must_have_members(kept: Sequence[Member], left: _Left) -> None:
        """Go on only if somebody of a cohort may be used so.

        Raises:
            Refused: nobody may; with the commonest reason.
        """
        if not kept:
            why = Counter(row["why"] for row in left).most_common(1)
            raise Refused("a cohort of nobody", why[0][0] if why else "it has no members", RECORD_TERMS)

    def _files(self, study_uid: str, use: Use, who: Person) -> Iterator[tuple[str, bytes | IsocenterError]]:
        """Images and results of a study that may be used, each read when it is asked for."""
        self.consents.allowed(study_uid, use, who=who)
        study = self._disclosing.study(self.index.study(study_uid), who)
        for instance in (i for s in study.series for i in s.instances):
            yield instance.sop_uid, self.blobs.get(instance.digest)
        for number, data in enumerate(self.objects(study_uid, who=who), 1):
            yield f"result {number} of study {study_uid}", data

    def _left_out(self, members: Iterable[str], kept: set[str], use: Use) -> _Left:
        found, shown = [], self.consents.demonstrated()
        for uid in members:
            if uid in kept:
                continue
            known = self.index.studies({"StudyInstanceUID": uid}, limit=1)
            made = self.consents.decided(known[0], use) if known else None
            if uid in shown:
                why = "an image of the demonstration stays here"
            elif made is not None and not made.allowed:
                why = made.reason
            else:
                why = "it is no longer here" if made is None else "it may not be seen by who asks"
            found.append({"study": uid, "object": "", "why": why})
        return found

    def _must_still_be_open(self, gone: Sequence[Member], use: Use, who: Person) -> None:
        """Refuse where terms ended, or a project let somebody go, while the copies were made."""
        for member in gone:
            if not self.projects.holds(member.study, who, "export"):
                raise Refused(
                    "a study that whoever asked may no longer ask for", "its project has let them go meanwhile",
                    "begin again: the study will be left out",
                )  # fmt: skip
            known = self.index.studies({"StudyInstanceUID": member.study}, limit=1)
            if not known or not self.consents.decided(known[0], use).allowed:
                raise Refused(
                    "terms of use that ended while the copies were made", "a study may no longer be used so",
                    "begin again: the study will be left out",
                )  # fmt: skip

    def _told(
        self, id: str, name: str, left: _Left, gone: Sequence[Member], use: Use, smallest: int, reason: str
    ) -> dict[str, Any]:
        stayed = Counter(row["why"] for row in left if row["study"])
        return {
            "cohort": {"name": name, "digest": id, "studies": len(gone)},
            "use": {"purpose": use.purpose.value, "project": use.project},
            "left_out": [{"why": why, "studies": n} for why, n in stayed.most_common()],
            "smallest_group_wanted": smallest,
            "smaller_groups_because": reason,
        }

    def _table(self, folder: Path, gone: Sequence[Member], key: bytes) -> dict[str, Any]:
        """One row a study, by the pseudonyms that stand in its images."""
        from isocenter.forms.table import plain_csv, plain_parquet

        by, rows = Pseudonyms(key), []
        for member, values in zip(gone, self.cohorts.rows(gone), strict=True):
            patient = self.index.study(member.study).patient
            named = {
                "case": by.case(member.study),
                "patient": by.patient(_identity(patient, member.study), patient.issuer),
                "study": by.uid(member.study),
            }
            rows.append({**named, **values})
        told = {"rows": len(rows), "columns": list(dict.fromkeys(name for row in rows for name in row))}
        for form, data in (("parquet", plain_parquet(rows)), ("csv", plain_csv(rows))):
            wholly.write(folder / f"studies.{form}", data)
            told[form] = hashlib.sha256(data).hexdigest()
        return told

    def _write_down(
        self, id: str, report: dict[str, Any], parts: dict[str, Release], use: Use, who: Person, run: str
    ) -> None:
        """One entry for each study that left, and one for the table: all of them, or none."""
        now = self.clock()
        each = [
            Event(Kind.EXPORTED, now, who.name, study, {
                "objects": one.written, "held_back": len(one.held_back), "options": report["options"],
                "domain": report["domain"], "reviewed": sorted(one.terms.reviewed), "purpose": use.purpose.value,
                "project": use.project, "cohort": id,
            })
            for study, one in parts.items()
        ]  # fmt: skip
        whole = {
            "name": report["cohort"]["name"], "rows": report["table"]["rows"], "form": "dicom",
            "file": report["table"]["parquet"], "domain": report["domain"], "purpose": use.purpose.value,
            "smallest_group": report["risk"]["smallest_group"], "reason": report["smaller_groups_because"],
            **({"run": run} if run else {}),
        }  # fmt: skip
        self.journal.append(*each, Event(Kind.COHORT_EXPORTED, now, who.name, id, whole))


def _identity(patient: Patient, study_uid: str) -> str:
    """What the images of this patient are keyed by."""
    born = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    person = f"{patient.name.upper()}\\{born}"
    return patient.id or (person if person != "\\" else study_uid)


def _must_be_many(found: Release, wanted: int, reason: str) -> None:
    """Refuse when patients stand too much alone and nobody said why that is right."""
    if not found.written:
        raise Refused(
            "a cohort of which nothing can leave", found.held_back[0][2] if found.held_back else "it has no images",
            "look at what was held back",
        )  # fmt: skip
    must_be_alike(
        found.risk(), wanted, reason, "take more patients, or say why fewer may leave: the journal keeps the reason"
    )
