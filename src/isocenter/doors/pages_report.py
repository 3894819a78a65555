"""The report: its sentences by their template, where words and findings differ, print and exchange."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from isocenter.doors.pages_reading import Act
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.forms.evidence import Evidence, evidence
from isocenter.forms.template import CODES, Template, templates
from isocenter.govern.policy import Person
from isocenter.reading.report import Report, built_by, doubted, how
from isocenter.record import Result, to_plain

__all__ = ["router"]

router = APIRouter()

_SentenceId = Annotated[str, Path(min_length=1, max_length=160)]


class Words(Act):
    """A sentence; with a section, and a heading inside it, it may be a new one.

    `findings`: of which it speaks, by their tracking identities; left out, they stay as they are.
    """

    text: Annotated[str, Field(max_length=4000)]
    section: Annotated[str, Field(max_length=64)] = ""
    heading: Annotated[str, Field(max_length=64)] = ""
    findings: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=100)] | None = None


class Chosen(Act):
    """Another template."""

    name: Annotated[str, Field(min_length=1, max_length=64)]


@router.get("/api/templates")
def all_templates(_: Annotated[Person, needs("report")]) -> Any:
    """The templates of reports, one for each kind of study."""
    return {"templates": [_template(one) for one in templates().values()]}


@router.get("/api/readings/{uid}/report")
def report(uid: Uid, site: SiteHere, who: Annotated[Person, needs("report")]) -> Any:
    """The report as it stands, with where its words and the findings disagree."""
    return _told(site, uid, who)


@router.get("/api/readings/{uid}/gone")
def gone(uid: Uid, site: SiteHere, who: Annotated[Person, needs("report")]) -> Any:
    """Where the signed report goes, and how far it has come at each receiver."""
    here: PagesSite = site
    return {"ways": here.gone(uid, who=who)}


@router.put("/api/readings/{uid}/sentences/{id}")
def sentence(uid: Uid, id: _SentenceId, words: Words, site: SiteHere, who: Annotated[Person, needs("word")]) -> Any:
    """Change a sentence, add one (with its section), or take one out (empty text)."""
    here: PagesSite = site
    version = here.tickets.seen(words.version)
    here.word(
        uid,
        id,
        words.text,
        version=version,
        section=words.section,
        heading=words.heading,
        findings=words.findings,
        act=words.act,
        who=who,
    )
    return _told(here, uid, who)


@router.put("/api/readings/{uid}/template")
def choose(uid: Uid, chosen: Chosen, site: SiteHere, who: Annotated[Person, needs("word")]) -> Any:
    """Build the report by another template; what people wrote stays."""
    here: PagesSite = site
    here.use_template(uid, chosen.name, version=here.tickets.seen(chosen.version), act=chosen.act, who=who)
    return _told(here, uid, who)


@router.get("/api/readings/{uid}/report.pdf")
def report_pdf(uid: Uid, request: Request, site: SiteHere, who: Annotated[Person, needs("report")]) -> Response:
    """The report for print."""
    here: PagesSite = site
    now: datetime = request.app.state.clock()
    # No name of a person in the name of the file: it ends up in download folders.
    name = f"report-{now:%Y%m%d-%H%M%S}.pdf"
    return Response(
        here.report_pdf(uid, who=who),
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


@router.get("/api/readings/{uid}/report.csv")
def report_table(uid: Uid, request: Request, site: SiteHere, who: Annotated[Person, needs("report")]) -> Response:
    """Every number behind the report, one a row."""
    here: PagesSite = site
    now: datetime = request.app.state.clock()
    return Response(
        here.report_table(uid, who=who),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="measurements-{now:%Y%m%d-%H%M%S}.csv"'},
    )


@router.get("/api/readings/{uid}/report.fhir")
def report_fhir(uid: Uid, site: SiteHere, who: Annotated[Person, needs("report")]) -> Response:
    """The report as a bundle of FHIR R4 resources."""
    here: PagesSite = site
    return Response(here.report_fhir(uid, who=who), media_type="application/fhir+json")


def _told(site: PagesSite, uid: str, who: Person) -> dict[str, Any]:
    told, state, results = site.report(uid, who=who), site.reading(uid, who=who), site.results(uid, who=who)
    seen = evidence(site.study(uid, who=who), [r for _, r in results])
    form = built_by(told)
    return {
        "study": told.study_uid,
        "state": told.state,
        "version": site.tickets.version(state.version),
        "number": told.number,
        "replaces": told.replaces,
        "template": {
            **_template(form), "name": told.template or form.name, "version": told.template_version or form.version,
        },
        "sentences": [
            {
                "id": s.id, "section": s.section, "heading": s.heading, "text": s.text, "machine": s.machine,
                "findings": list(s.findings),
            }
            for s in told.sentences
        ],
        "evidence": [_evidence(one) for one in seen if one.tracking],
        "disagreements": _doubts(told, results),
        "results": list(told.results),
        "locked": _iso(told.locked),
        "changes": list(told.changes),
        "told": [to_plain(one) for one in told.told],
        "untold": told.untold,
        "how": [*how(told), *site.known_since(uid, told, who=who)],
        "signed": {"by": told.by, "time": _iso(told.signed), "digest": told.digest} if told.digest else None,
    }  # fmt: skip


def _doubts(told: Report, results: list[tuple[str, Result]]) -> list[dict[str, Any]]:
    """Where words and findings differ, by character. Of a signed report it is what was sealed, found again in the
    text where it still is found."""
    found = [{"sentence": id, "what": d.what, "start": d.start, "end": d.end} for id, d in doubted(told, results)]
    if not told.digest:
        return found
    at = {(one["sentence"], one["what"]): one for one in found}
    return [at.get((d.sentence, d.what), {"sentence": d.sentence, "what": d.what}) for d in told.disagreements]


def _template(form: Template) -> dict[str, Any]:
    return {
        "name": form.name,
        "title": form.title,
        "version": form.version,
        "sections": [
            {
                "name": section.name,
                "radlex": CODES.get(section.name, ("", ""))[0],
                "loinc": CODES.get(section.name, ("", ""))[1],
                "phrases": list(section.phrases),
                "headings": [{"name": h.name, "phrases": list(h.phrases)} for h in section.headings],
            }
            for section in form.sections
        ],
    }


def _evidence(one: Evidence) -> dict[str, Any]:
    return {
        "number": one.number, "finding": one.tracking, "name": one.name, "segment": one.segment,
        "series_uid": one.series_uid, "series": one.series, "slice": one.slice, "slices": one.slices,
        "where": one.where,
    }  # fmt: skip


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
