"""The verbs of a report: see it, word it, choose its template, print it.

A report that is being worded is made anew from what its reader may see now, with their words over it; a signed one is
read as it was sealed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import Person, must
from isocenter.reading import report as reports
from isocenter.reading import session
from isocenter.reading.critical import Communication
from isocenter.reading.opinion import Opinion
from isocenter.record import Kind, canonical, from_plain
from isocenter.site.sitting import Sitting

if TYPE_CHECKING:
    from isocenter.site.consenting import Consenting

__all__ = ["Reports"]

_REMARKS = 10_000


class Reports(Sitting):
    """What a reader can do with a report."""

    consents: Consenting
    public_address = ""  # where others find the pages; a report on paper leads there by its numbers

    def word(
        self,
        study_uid: str,
        sentence_id: str,
        text: str,
        *,
        version: int,
        section: str = "",
        heading: str = "",
        findings: Sequence[str] | None = None,
        act: str = "",
        who: Person,
    ) -> session.Reading:
        """Change the words of one sentence of the report, add one, or take one out (empty text).

        Args:
            findings: tracking identities of what the sentence speaks of; None leaves them as they are.
            act: a name that the asker draws for this one act; sent again after a lost answer, it is not done twice.

        Raises:
            Refused: this person sees no such finding on the study.
        """
        must(who, "word", study_uid)

        def reworded(draft: reports.Report) -> reports.Report:
            self._must_hold(study_uid, findings or (), who)
            return reports.reword(
                draft, sentence_id, text, section=section, heading=heading, findings=findings, who=who.name
            )

        return self._worded(study_uid, reworded, version, act, who)

    def _must_hold(self, study_uid: str, findings: Sequence[str], who: Person) -> None:
        """Go on only where the person sees each of these findings, by tracking identity, on the study."""
        seen = {f.tracking for _, r in self._disclosing.results(study_uid, who) for f in r.findings}
        for tracking in findings:
            if tracking not in seen:
                raise Refused(
                    f"a sentence about the finding '{tracking:.64}'",
                    "no such finding is on this study",
                    "load the study again",
                )

    def use_template(self, study_uid: str, name: str, *, version: int, act: str = "", who: Person) -> session.Reading:
        """Build the report by another template; every word of a person stays.

        Args:
            act: as in `word`.
        """
        must(who, "word", study_uid)
        return self._worded(study_uid, lambda draft: reports.use(draft, name), version, act, who)

    def _worded(
        self,
        study_uid: str,
        word: Callable[[reports.Report], reports.Report],
        version: int,
        act: str,
        who: Person,
    ) -> session.Reading:
        def draft() -> session.Reading:
            reading = self._reading(study_uid, who)
            held = self.blobs.put(canonical(word(self._drafted(reading, who))), of=study_uid)
            worded = session.word(reading, who.name, self.clock(), version=version, report=held)
            return self._happened(reading, worded, who, act=act)

        return self.once(study_uid, act, draft, who=who)

    def report(self, study_uid: str, *, who: Person) -> reports.Report:
        """The report as it is being worded, or the latest signed one; before one's own opinion, only one's own words
        and what needs no machine."""
        must(who, "report", study_uid)
        self._disclosing.must_not_be_blind(study_uid, who)
        reading = self._reading(study_uid, who)
        self._witness.look(who, study_uid, "report")
        if reading.state == "signed":
            return self._kept(reading.reports[-1])
        own = "" if self._disclosing.free(study_uid, who, state=reading.state) else who.name
        drafted = self._drafted(reading, who, only_by=own)
        return reports.unread(drafted) if own else drafted

    def _drafted(self, reading: session.Reading, who: Person, *, only_by: str = "") -> reports.Report:
        """The draft, brought up to date with what a person may see.

        Args:
            only_by: leave out what others have worded, who may have seen more.
        """
        study = self._disclosing.study(self.index.study(reading.study_uid), who)
        if reading.state == "signed" and not reading.draft:
            return self._kept(reading.reports[-1])
        latest, earlier = self._disclosing.results(reading.study_uid, who), self._before(study)
        if reading.draft:
            kept = self._kept(reading.draft)
            kept = reports.only_words_of(kept, only_by) if only_by else kept
            return reports.redraft(kept, study, latest, earlier=earlier)
        if reading.state == "amending":
            return reports.redraft(reports.amend(self._kept(reading.reports[-1])), study, latest, earlier=earlier)
        return reports.begin(study, latest, earlier=earlier)

    def _kept(self, digest: str) -> reports.Report:
        return reports.Report.from_json(json.loads(self.blobs.kept(digest)))

    def report_pdf(self, study_uid: str, *, who: Person) -> bytes:
        """The report as PDF/A; a draft says so on every page, and so does one of the demonstration."""
        from isocenter.forms import pdf
        from isocenter.forms.key_images import key_images
        from isocenter.forms.map_pictures import map_pictures

        report = self.report(study_uid, who=who)
        study = self._disclosing.study(self.index.study(study_uid), who)
        results = [self.index.result(digest) for digest in report.results]
        seal = pdf.Seal(report.by, report.signed, report.digest, report.replaces) if report.signed else None
        return pdf.report(
            study,
            report.sentences,
            results,
            when=report.signed or self.clock(),
            seal=seal,
            how=(*reports.how(report), *self.known_since(study_uid, report, who=who)),
            address=f"{self.public_address}/study/{study_uid}" if self.public_address else "",
            demonstration=self.consents.of_demonstration(study_uid),
            pictures=(
                *key_images(study, results, self._source),
                *map_pictures(study, results, self._source, self.blobs.kept, withheld=self.showing.withheld),
            ),
        )

    def known_since(self, study_uid: str, report: reports.Report, *, who: Person) -> list[str]:
        """What is to be known of a report beyond its words, in sentences: whose words its reader had read before the
        first opinion, who was told of critical findings after the signature, and which analyses behind it are stopped.
        """
        must(who, "report", study_uid)
        told = self.journal.since(subject=study_uid, kinds=(Kind.CRITICAL_TOLD,), limit=100)
        each = [from_plain(Communication, one) for sealed in told for one in sealed.event.details["told"]]
        stops = self._disclosing.stops()
        behind = [self.index.result(digest) for digest in report.results] if stops else []
        names = dict.fromkeys(r.machine.analysis or r.origin.name for r in behind)
        stopped = [f"The analysis {name} was {stops[name].sentence()}." for name in names if name in stops]
        return [*self._consulted_before(report), *(reports.heard(one) for one in each), *stopped]

    def _consulted_before(self, report: reports.Report) -> list[str]:
        """That the first opinion was given with colleagues' words at hand, and whose."""
        if not report.opinion or report.locked is None:
            return []
        given: Opinion = from_plain(Opinion, json.loads(self.blobs.kept(report.opinion)))
        if not given.consulted:
            return []
        said = self.journal.since(subject=report.study_uid, kinds=(Kind.REMARKED,), limit=_REMARKS)
        names = {s.event.who for s in said if s.event.who != report.by and s.event.time <= report.locked}
        return [
            f"Before that opinion, {report.by} had read what was said of the study by {', '.join(sorted(names))}: "
            "it is no opinion given alone."
        ]

    def report_fhir(self, study_uid: str, *, who: Person) -> bytes:
        """The report as a FHIR R4 bundle; what a machine says is labelled until a person has signed it."""
        from isocenter.forms import fhir

        report = self.report(study_uid, who=who)
        study = self._disclosing.study(self.index.study(study_uid), who)
        results = [self.index.result(digest) for digest in report.results]
        return fhir.bundle(
            study, report.sentences, results, when=report.signed or self.clock(), version=report.number,
            digest=report.digest, by=report.by,
        )  # fmt: skip

    def signed_fhir(self, study_uid: str, *, who: Person, selections: bool = False) -> bytes:
        """The latest signed report as a FHIR R4 bundle, for systems that are told of reports only when they are signed.

        Args:
            selections: also where findings lie, in resources that R5 alone has.

        Raises:
            NotFound: no report of the study is signed.
        """
        from isocenter.forms import fhir

        must(who, "signed", study_uid)
        self._disclosing.must_not_be_blind(study_uid, who)
        sealed = self.index.reading(study_uid)["reports"]
        if not sealed:
            raise NotFound("a signed report of that study", "nobody has signed one yet", "sign it first")
        report = self._kept(sealed[-1])
        study = self._disclosing.study(self.index.study(study_uid), who)
        results = [self.index.result(digest) for digest in report.results]
        assert report.signed is not None
        return fhir.bundle(
            study, report.sentences, results, when=report.signed, version=report.number, digest=report.digest,
            by=report.by, selections=selections,
        )  # fmt: skip
