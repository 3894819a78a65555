"""The verbs by which a study leaves the house: to a peer as it is, or without names for research."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isocenter.errors import Damaged, IsocenterError, NotFound, Refused
from isocenter.govern.consent import Purpose, Use
from isocenter.govern.policy import HOUSE, Person, must
from isocenter.record import Event, Kind, Verdict
from isocenter.site.consenting import Consenting
from isocenter.site.messaging import DICOM, Messaging
from isocenter.site.reporting import Reports
from isocenter.site.showing import Showing

if TYPE_CHECKING:
    from isocenter.forms.bundle import Written

__all__ = ["Send", "Sending"]

Send = Callable[[Mapping[str, Any], Sequence[bytes]], Sequence[tuple[str, str]]]
"""A destination and files -> for each file its SOP Instance UID and the reason of failure, empty when acknowledged."""


class Sending(Reports):
    """How studies leave; the site that is made of it brings what it works on."""

    consents: Consenting
    messaging: Messaging
    showing: Showing
    organisation: str
    send_by: Mapping[str, Send]

    def send(self, study_uid: str, destination: str, *, who: Person, what: str = "all") -> list[tuple[str, str]]:
        """Send images and results of a study to a peer.

        Returns:
            for each object its SOP Instance UID and, where it was not acknowledged, the reason.
        """
        must(who, "send", study_uid)
        peer = next((p for p in self.index.peers() if p["aet"] == destination), None)
        if peer is None:
            known = ", ".join(p["aet"] for p in self.index.peers()) or "none"
            raise NotFound(f"destination '{destination}'", f"known are: {known}", "add it with `isocenter peer`")
        study = self._disclosing.study(self.index.study(study_uid), who)
        files: list[bytes] = []
        if what in ("all", "images"):
            files += [self.blobs.kept(i.digest) for s in study.series for i in s.instances]
        if what in ("all", "results"):
            files += self.objects(study_uid, who=who)
        answers = list(self.send_by[peer["kind"]](peer, files))
        lost = [reason for _, reason in answers if reason]
        self._tell(
            Kind.SEND_FAILED if lost else Kind.SENT, who.name, study_uid, destination=destination,
            objects=len(answers), failed=len(lost), reasons=sorted(set(lost))[:5],
        )  # fmt: skip
        return answers

    def deliver_signed(self, peers: Sequence[str]) -> int:
        """Send reports (PDF in DICOM) and results (SR, SEG) of signed studies to peers that are owed them.

        A peer that takes no association is left until the next time. One that refuses an object is not sent that report
        again by itself, and its words are kept. A report that is being amended waits, one that was amended is replaced.

        Args:
            peers: AE titles.

        Returns:
            how many reports were taken whole.
        """
        done = 0
        silent: set[str] = set()
        known = {one["aet"]: one for one in self.index.peers()}
        for due in self.messaging.due([DICOM + one for one in peers]):
            peer = known.get(due.to.removeprefix(DICOM))
            if peer is None or due.to in silent:
                continue
            reading = self.index.reading(due.study)
            if reading["reports"][-1] != due.report:
                self.messaging.settle(due, "replaced", "an amendment was signed, which is owed by itself")
                continue
            if reading["state"] != "signed":
                continue  # what is being amended goes once that is signed or left
            try:
                self.consents.leaving(due.study)
                files = [self._report_object(due.study), *self.objects(due.study, who=HOUSE)]
            except (Refused, NotFound, Damaged) as error:  # it must not stand in the way of those behind it
                self.messaging.settle(due, "kept here", str(error))
                continue
            try:
                answers = list(self.send_by[peer["kind"]](peer, files))
            except IsocenterError:
                silent.add(due.to)
                continue
            lost = sorted({reason for _, reason in answers if reason})
            self.messaging.settle(due, "not taken" if lost else "AA", "; ".join(lost))
            done += not lost
        return done

    def _report_object(self, study_uid: str) -> bytes:
        """The signed report as it prints, filed with the study."""
        from isocenter.forms import encapsulate

        report = self.report(study_uid, who=HOUSE)
        assert report.signed is not None
        return encapsulate.write(
            self.report_pdf(study_uid, who=HOUSE), self.index.study(study_uid), self._source, when=report.signed,
            title="Radiology report", identity=report.digest,
        )  # fmt: skip

    def gone(self, study_uid: str, *, who: Person) -> list[dict[str, str]]:
        """Where the report of a study goes once it is signed, and how far it has come.

        Each: ``to``; ``form`` ("HL7" or "DICOM"); ``state``: "at signing", "waits" (not acknowledged yet), "arrived",
        "refused" (the receiver has answered, and not taken it); ``time`` of the answer; ``why``, in its words.
        """
        must(who, "report", study_uid)
        self._disclosing.study(self.index.study(study_uid), who)
        signed = next(reversed(self.index.reading(study_uid)["reports"]), "")
        heard = self.messaging.heard_of(study_uid)
        known = {DICOM + one["aet"] for one in self.index.peers()}
        return [
            _way(to, signed, heard.get((to, signed)), known=to in known or not to.startswith(DICOM))
            for to in self.messaging.receivers()
        ]

    def report_table(self, study_uid: str, *, who: Person) -> bytes:
        """Every number behind the report, as CSV: what stands on paper, and the hundreds (radiomics) that do not.

        Each row says whether the study is of the demonstration: numbers of phantoms look like those of patients.
        """
        from isocenter.forms import table

        results = [self.index.result(digest) for digest in self.report(study_uid, who=who).results]
        kept = [replace(r, findings=tuple(f for f in r.findings if f.verdict is not Verdict.STRUCK)) for r in results]
        told = table.rows(kept, demonstration=self.consents.of_demonstration(study_uid))
        return table.csv([row for row in told if row["finding"] or row["value"] is not None])

    def take(self, digest: str, tracking: str, form: str, *, who: Person) -> Written:
        """One region of a result as a file of whoever asks, with the patient in its header where the form has one.

        Args:
            form: seg, nifti, stl or glb.

        Raises:
            NotFound: no such result, region or form, or not for this person yet.
            Refused: an image of the demonstration, or a form that cannot hold it.
        """
        from isocenter.forms.bundle import region

        must(who, "send", digest)
        result = self._disclosing.result(digest, who)
        self.consents.leaving(result.study_uid)
        made = region(
            result, tracking, form, self._disclosing.study(self.index.study(result.study_uid), who), self._source
        )
        self._tell(
            Kind.SENT, who.name, result.study_uid, destination=f"a file ({form})", objects=1, failed=0, reasons=[]
        )
        return made

    def export(
        self,
        study_uid: str,
        *,
        key: bytes,
        who: Person,
        options: Sequence[str] = ("research",),
        reviewed: Sequence[str] = (),
        use: Use | None = None,
        reason: str = "",
    ) -> tuple[list[bytes], list[tuple[str, str]], dict[str, Any]]:
        """The study's images and results without names, under pseudonyms of a secret key.

        Args:
            options: of PS3.15 table E.1-1, by name.
            reviewed: SOP Instance UIDs whose pixels `who` has looked at.
            use: what for; research by this person where nothing is said.
            reason: why one patient may leave, who is like no other here; the journal keeps it.

        Raises:
            Refused: the terms of use of the study do not permit it, or there is no reason.

        Returns:
            the copies; for each object that cannot go out its SOP Instance UID and why (writing in the pixels, a
            document, an unknown class): what is not surely clean stays here; and the report of what was done.
        """
        from isocenter.dicom.alike import SMALLEST_GROUP, must_be_alike
        from isocenter.site.releasing import released

        must(who, "export", study_uid)
        wanted = use or self.consents.use(Purpose.RESEARCH, who=who)
        permitted = self.consents.allowed(study_uid, wanted, who=who)
        self.consents.leaving(study_uid)
        study = self._disclosing.study(self.index.study(study_uid), who)
        images = (self.blobs.kept(i.digest) for s in study.series for i in s.instances)
        clean, held_back, report = released([images, self.objects(study_uid, who=who)], key, options, reviewed)
        must_be_alike(
            report["risk"], SMALLEST_GROUP, reason,
            'hand out a cohort, or say why this one may leave: --reason "…", which the journal keeps',
        )  # fmt: skip
        report |= {"smaller_groups_because": reason.strip()}
        self._tell(
            Kind.EXPORTED, who.name, study_uid, objects=len(clean), held_back=len(held_back),
            options=report["options"], domain=report["domain"], reviewed=list(reviewed),
            purpose=wanted.purpose.value, project=wanted.project, permitted=permitted.reason,
            reason=reason.strip(),
        )  # fmt: skip
        return clean, held_back, report | {"use": wanted.purpose.value, "permitted": permitted.reason}

    def files_left(self, report: Mapping[str, Any], held_back: int, *, who: Person) -> None:
        """Keep in the journal that files from beside the archive left without names, and why so few alike might."""
        must(who, "export")
        self._tell(
            Kind.EXPORTED, who.name, "", objects=report["written"], held_back=held_back, options=report["options"],
            domain=report["domain"], purpose="files of a folder", reason=report["smaller_groups_because"],
            smallest_group=report["risk"]["smallest_group"],
        )  # fmt: skip

    def objects(self, study_uid: str, *, who: Person) -> list[bytes]:
        """The study's results as DICOM objects: SEG and SR of the latest of each chain that the sender may see, and
        nothing of what runs in shadow.

        What a person decided and signed goes out verified by name; what a machine says stays unverified.
        """
        from isocenter.forms.bundle import dicom
        from isocenter.forms.sr import Signature

        must(who, "export", study_uid)
        study, sealed = self.index.study(study_uid), self.index.reading(study_uid)["reports"]
        report = self._kept(sealed[-1]) if sealed else None
        objects: list[bytes] = []
        for id, result in self._disclosing.sent(study_uid, who):
            signed = None
            if report and report.signed and id in report.results and result.origin.kind == "person":
                signed = Signature(report.by, self.organisation, report.signed)
            objects += [
                f.data
                for f in dicom(
                    result, study, self._source, self.blobs.kept, signed=signed, withheld=self.showing.withheld(result)
                ).files
            ]
        return objects


def _way(to: str, signed: str, answer: Event | None, *, known: bool) -> dict[str, str]:
    """One receiver: what it is, and what became of the report that is signed now."""
    way = {"to": to.removeprefix(DICOM), "form": "DICOM" if to.startswith(DICOM) else "HL7", "time": ""}
    if answer is None:
        way["why"] = "" if known else "no peer of this title is known here"
        return {**way, "state": "waits" if signed else "at signing"}
    code, words = str(answer.details["code"]), str(answer.details.get("text", ""))
    if code in ("AA", "CA"):
        return {**way, "state": "arrived", "time": answer.time.isoformat(), "why": ""}
    return {**way, "state": "refused", "time": answer.time.isoformat(), "why": words or f"answered {code}"}
