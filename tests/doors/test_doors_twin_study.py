"""The twin study: one has a finding, the other none; before the first opinion nobody can tell which is which.

Two archives hold the same images under the same identifiers at the same time. In one a machine found something that
cannot wait, with a map, a segmentation and a report sent in from elsewhere, and a colleague who saw it asked about it
and recommended a follow-up; in the other it found none, and nobody had anything to ask. A reader asks
for everything that the application offers, route by route as it lists them itself, and listens to its events. Every
status, header and byte has to be the same.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from browser_for_pages import Browser
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from isocenter.app import House, open_house
from isocenter.doors import dicomweb, fhir, pages, pages_machine, pages_who
from isocenter.doors.pages_events import stream
from isocenter.forms import maps, seg, sr
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.govern.tickets import Tickets
from isocenter.reading.consultation import Mark, View
from isocenter.reading.disclosure import Mode, Use
from isocenter.reading.session import Correction
from isocenter.record import (
    Finding,
    Kind,
    Map,
    Measurement,
    Origin,
    Outcome,
    Receipt,
    Result,
    Urgency,
    Verdict,
    canonical,
    codes,
)  # fmt: skip
from isocenter.settings import Settings
from isocenter.space import Region, Shape, Volume

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ITO, GRAY, ADMIN = Person("ito", Role.READER), Person("gray", Role.READER), Person("root", Role.ADMIN)
STUDY, PRIOR = generate_uid(entropy_srcs=["twin"]), generate_uid(entropy_srcs=["prior"])
ANALYSIS = "image_quality"  # any that fits a CT: what it says is planted
TRACKING = "2.25.4711"


def image(study: str, number: int = 1) -> bytes:
    """A CT of pydicom's samples as an image of a study."""
    made = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    made.StudyInstanceUID, made.AccessionNumber = study, study[-4:]
    made.SeriesInstanceUID = generate_uid(entropy_srcs=[study, "series"])
    made.SOPInstanceUID = generate_uid(entropy_srcs=[study, str(number)])
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.InstanceNumber = number
    x, y, z = made.ImagePositionPatient
    made.ImagePositionPatient = [x, y, float(z) + 5.0 * number]
    out = io.BytesIO()
    made.save_as(out)
    return out.getvalue()


@dataclass
class Twin:
    """One of the two archives."""

    house: House
    browser: Browser
    planted: str = ""  # digest of what the machine said
    elsewhere: tuple[str, ...] = ()  # digests of files that a machine sent in
    running: dict[str, float] = field(default_factory=dict)  # studies that are analysed, and how far

    @property
    def site(self) -> Any:
        return self.house.site


@contextmanager
def archive(folder: Path) -> Iterator[Twin]:
    house = open_house(Settings(folder=folder), apart=False)
    try:
        site = house.site
        was, site.clock = site.clock, lambda: NOON
        for part in vars(site).values():
            if getattr(part, "clock", None) == was:  # the others ask the site's own
                object.__setattr__(part, "clock", site.clock)  # some of them are frozen
        site.tickets = site.audits.tickets = Tickets(b"of both twins")  # so that equal numbers have equal names
        for name in ("ito", "gray"):
            site._tell(Kind.PERSON_ADDED, "isocenter", name, role="reader", credential="none")
        site._tell(Kind.SETTINGS_CHANGED, "chief", "site", settings={"unasked": {"research": "allow"}})
        site.receive([image(STUDY, n) for n in range(1, 3)] + [image(PRIOR)], sender="CT1", who=HOUSE)
        running: dict[str, float] = {}
        app = pages.application(
            site, demo=False, clock=lambda: NOON, dicomweb_router=dicomweb.router(site, pages_who.person_of),
            fhir_router=fhir.router(site, pages_who.person_of), machine=pages_machine.Machine(running=lambda: running),
        )  # fmt: skip
        token = site._entrance._sessions.begin(ITO, site._entrance.clock())[0]
        yield Twin(house, Browser(app, bearer=token), running=running)
    finally:
        house.close()


def plant(twin: Twin, *, finds: bool, as_many: bool = True) -> None:
    """A machine looks at both studies; what it says of the newer one is planted.

    Args:
        as_many: whether as many entries are made where it finds none.
    """
    site = twin.site
    for study_uid in (PRIOR, STUDY):
        site._tell(Kind.PLANNED, "isocenter", study_uid, fingerprint="f", bindings=[], declined=[])
        study = site.index.study(study_uid)
        receipt = Receipt(series=tuple(s.uid for s in study.series))
        made = Result(study_uid, Outcome.NONE, Origin("machine", ANALYSIS, "1"), NOON, receipt=receipt)
        if finds and study_uid == STUDY:
            made = found(site, made)
        digest = site.blobs.put(canonical(made))
        site._tell(Kind.RESULT_MADE, "isocenter", study_uid, result=digest)
    twin.planted = digest
    if not finds:
        for _ in range(4 * as_many):  # so that what happens afterwards has the same number in both
            site._tell(Kind.DECLINED, "isocenter", STUDY)
        return
    study = site.index.study(STUDY)
    files = list(seg.write(made, study, site._source))
    files.append(sr.write(made, study, site._source, segmentations=tuple(files)))
    for data in files:
        site.receive([data], sender="AI1", who=HOUSE)
    twin.elsewhere = tuple(s.uid for s in site.index.study(STUDY).series if s.modality in ("SEG", "SR"))
    assert len(twin.elsewhere) == 2
    asks = View(STUDY, study.series[0].uid, study.series[0].instances[0].sop_uid, marks=(Mark(50, 50),))
    site.reviews.remark(asks, "Is this lesion of 13 mm new?", who=GRAY)
    site.reviews.ask_followup(STUDY, finding="lesion", due=date(2027, 5, 1), responsible="ito", who=GRAY)


def found(site: Any, none: Result) -> Result:
    from isocenter.site.volumes import volumes_of

    (series,) = (s for s in site.index.study(STUDY).series if s.modality == "CT")
    grid = volumes_of(series, site.blobs.get)[0].geometry
    mask = np.zeros(grid.shape, dtype=bool)
    mask[:, 40:60, 40:60] = True
    where = Region(grid, Shape.MASK, mask, series_uid=series.uid, label="lesion")
    size = Measurement(codes.LONG_AXIS, 13.0, "mm", 12.0, 14.0)
    lesion = Finding(codes.LESION, 0.97, where, (size,), words="A lesion of 13 mm.", tracking=TRACKING)
    heat = maps.pack(Volume(np.ones(grid.shape, np.float32), grid, quantity="sensitivity", unit="1"))
    shown = Map("heat", "sensitivity", "1", grid, site.blobs.put(heat), "parametric", series.uid, 0.0, 1.0)
    return replace(none, outcome=Outcome.FOUND, findings=(lesion,), maps=(shown,), urgency=Urgency.NOW)


@contextmanager
def twins(tmp_path: Path) -> Iterator[tuple[Twin, Twin]]:
    with ExitStack() as stack:
        a, b = (stack.enter_context(archive(tmp_path / name)) for name in "ab")
        yield a, b


# ---- everything that can be asked


def addresses(app: Any, a: Twin, b: Twin) -> list[str]:
    """Every GET route, with every value that its parameters may take in either archive."""
    study = a.site.index.study(STUDY)
    images = [(s.uid, i.sop_uid) for s in study.series for i in s.instances]
    head = a.site.head()
    known: dict[str, list[str]] = {
        "form": ["seg", "nifti"],
        "thread": ["1"], "rest": ["metadata"], "name": ["heat", ANALYSIS], "fixed": [images[0][0]], "by": ["kept"],
        "run": ["a" * 32],
        "answer": ["cohort", "turnaround", "triage", "readers"],
        "uid": [STUDY, PRIOR], "study": [STUDY, PRIOR], "frames": ["1"], "path": ["7FE00010", "00620002", "index.html"],
        "analysis": [ANALYSIS], "scope": ["me", "site", "views"], "tracking": [TRACKING], "name.png": ["heat.png"],
        "id": [STUDY, a.planted, b.planted, a.planted[:8], TRACKING, *(sop for _, sop in images),
               *(str(n) for n in range(head + 1))],
    }  # fmt: skip
    queries = {
        "/api/worklist": ["", "?ai=off", "?q=is:raised", "?q=level:now", "?q=mod:SEG", "?q=AI", "?limit=1&cursor=1"],
        "/api/cohorts/ask": ["", "?q=modality:CT&field=year&by=modality", "?field=description"],
        "/dicom-web/studies": ["", "?includefield=all", "?ModalitiesInStudy=SEG", "?limit=1&offset=1"],
        "/dicom-web/series": ["", "?Modality=SR", "?MadeBy=machine", "?limit=2&offset=1"],
        "/dicom-web/instances": ["", "?includefield=all", "?limit=3&offset=2"],
    }
    asked = [
        f"/fhir/{kind}{query}"
        for kind in ("metadata", "Patient", "ImagingStudy", "DiagnosticReport", "Observation", "Task", "AuditEvent")
        for query in ("", f"?identifier=urn:oid:{STUDY}", "?patient=1CT1", f"?entity={STUDY}")
    ]
    for path in routes(app):
        parts = re.findall(r"\{([^}]+)\}", path)
        if {"series", "instance"} & set(parts):
            for series, sop in images:
                filled = path.replace("{series}", series).replace("{instance}", sop)
                asked += fill(filled, known)
        elif path.startswith("/api/results/"):
            asked += [f"{one}?sop={sop}" for one in fill(path, known | {"id": known["id"][1:3]}) for _, sop in images]
        else:
            asked += [one + query for one in fill(path, known) for query in queries.get(path, [""])]
    return asked


def routes(app: Any) -> Iterator[str]:
    def walk(many: Any, before: str = "") -> Iterator[str]:
        for route in many:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            if getattr(route, "methods", None):
                if "GET" in route.methods and before + route.path not in STREAMS:
                    yield before + route.path
            elif inner is not None:
                # What is included under a prefix has it in its context, not in the paths within.
                yield from walk(
                    inner.routes, before + str(getattr(getattr(route, "include_context", None), "prefix", ""))
                )

    return walk(app.routes)


STREAMS = {"/api/events", "/api/studies/{uid}/together"}  # they never end; the first is listened to below


def fill(path: str, known: dict[str, list[str]]) -> list[str]:
    names = [n.split(":")[0] for n in re.findall(r"\{([^}]+)\}", path)]
    names = ["name.png" if n == "name" and "}.png" in path else n for n in names]
    path = path.replace("{name}.png", "{name.png}")
    missing = [n for n in names if n not in known]
    assert not missing, f"{path}: say in `addresses` what {missing} may be"
    filled = []
    for values in itertools.product(*(known[n] for n in names)):
        one = path
        for name, value in zip(names, values, strict=True):
            one = re.sub(rf"\{{{re.escape(name)}(:path)?\}}", value, one)
        filled.append(one)
    return filled


def answer(browser: Browser, address: str) -> tuple[int, dict[str, str], bytes]:
    return answers(browser, [address])[0]


def answers(browser: Browser, asked: list[str]) -> list[tuple[int, dict[str, str], bytes]]:
    parts = {"Accept": 'multipart/related; type="application/octet-stream"'}
    return [seen(told) for told in browser.get_each([(one, parts if "/bulkdata" in one else {}) for one in asked])]


def seen(told: Any) -> tuple[int, dict[str, str], bytes]:
    boundary = re.search(r"boundary=([^;]+)", told.headers.get("content-type", ""))
    body = told.content.replace(boundary[1].strip('"').encode(), b"") if boundary else told.content
    body = unsealed(body)
    headers = {k: re.sub(r"boundary=[^;]+", "", v) for k, v in told.headers.items()}
    return told.status_code, headers, body


def unsealed(body: bytes) -> bytes:
    """Without identifiers: a seal covers all that came before, tickets have their archive's secret, names are drawn."""
    return re.sub(rb'"hash":"[0-9a-f]+"|"version":\d+|\b[0-9a-f]{16}\b', b"", body)


def heard(twin: Twin) -> list[str]:
    async def go() -> list[str]:
        left = iter([True, True, False])

        async def goes_on() -> bool:
            return next(left)

        async def pause() -> None:
            return None

        return [line async for line in stream(twin.site, ITO, 0, goes_on=goes_on, pause=pause)]

    return [re.sub("id: [0-9a-f]{16}", "", line) for line in anyio.run(go)]  # tickets have their archive's secret


def differences(a: Twin, b: Twin, *, under: str = "/") -> set[str]:
    """Addresses at which the two are told apart."""
    asked = sorted({one for one in addresses(a.browser.app, a, b) if one.startswith(under)})
    if under != "/":  # the description of the interface knows of no study; it is made and compared once
        asked.remove("/api/openapi.json")
    assert len(asked) > 40, "the routes were not found"
    both = zip(asked, answers(a.browser, asked), answers(b.browser, asked), strict=True)
    return {one for one, x, y in both if x != y} | ({"/api/events"} if heard(a) != heard(b) else set())


# ---- the law


# Everything is compared before; while an opinion is given, by day the pages' own interface, by night everything again.
@pytest.mark.parametrize(
    "meanwhile", [pytest.param("/api", id="day"), pytest.param("/", id="night", marks=pytest.mark.nightly)]
)
def test_law_before_the_first_opinion_twins_cannot_be_told_apart(tmp_path: Path, meanwhile: str) -> None:
    with twins(tmp_path) as (a, b):
        plant(a, finds=True)
        plant(b, finds=False)
        assert a.site.head() == b.site.head()
        assert differences(a, b) == set()
        told = [f"/api/studies/{STUDY}/results", f"/api/readings/{STUDY}/report.pdf", "/dicom-web/studies"]
        assert [answer(a.browser, one)[0] for one in told] == [200, 200, 200], "what is compared is an answer"

        # A write that is refused may not tell either.
        version = act(a, b, "open")["version"]
        keep = {"tracking": TRACKING, "verdict": "kept", "result": a.planted}
        refuse(a, b, "correct", {"version": version, **keep})
        refuse(a, b, "sign", {"version": version})
        refuse(a, b, "seen", {"shown": [{"result": a.planted, "tracking": TRACKING}]})
        refuse(a, b, "undo", {"version": version})
        version = act(a, b, "correct", {"version": version, "verdict": "added", "words": "A cyst."})["version"]
        body = {"version": version, "text": "A cyst.", "section": "Impression"}
        assert same(a, b, "PUT", f"/api/readings/{STUDY}/sentences/own", body).status_code == 200
        assert differences(a, b, under=meanwhile) == set(), "nor while an opinion is being given"

        version = a.site.tickets.version(a.site.reading(STUDY, who=ITO).version)
        act(a, b, "lock", {"version": version, "line": "a cyst"})
        for told in (f"/api/studies/{STUDY}/results", f"/api/studies/{STUDY}/plan", f"/api/readings/{STUDY}/report",
                     "/dicom-web/studies"):  # fmt: skip
            assert answer(a.browser, told) != answer(b.browser, told), told
        assert heard(a) != heard(b)


def test_law_who_keeps_the_archive_and_reads_cannot_tell_twins_apart_by_how_much_is_kept(tmp_path: Path) -> None:
    """One machine that finds something leaves more entries, files and bytes than one that does not."""
    with twins(tmp_path) as (a, b):
        plant(a, finds=True)
        plant(b, finds=False, as_many=False)
        assert a.site.head() != b.site.head()
        for twin in (a, b):
            signed_in(twin, ADMIN)
        for under in ("/api/audit", "/api/explain", "/api/ledger", "/api/system", "/fhir/AuditEvent"):
            asked = {one for one in addresses(a.browser.app, a, b) if one.startswith(under)}
            assert asked and {one for one in asked if answer(a.browser, one) != answer(b.browser, one)} == set(), under
        kept = [[line for line in t.browser.get("/metrics").text.splitlines() if "archive" in line] for t in (a, b)]
        assert kept[0] == kept[1] and len(kept[0]) > 3
        for twin in (a, b):
            rows = twin.browser.get("/api/audit?limit=1000").json()
            assert rows["withheld"] and rows["rows"] and not {"number", "hash"} & set(rows["rows"][0])
        told = a.browser.get("/fhir/AuditEvent").text
        assert "ReadingOpened" not in told and '"hash"' not in told and "SettingsChanged" in told


def test_law_a_colleagues_words_wait_for_ones_own_opinion(tmp_path: Path) -> None:
    """A thread, an answer in it, a follow-up, and where somebody points: what a colleague who saw the machine says."""
    with twins(tmp_path) as (a, b):
        plant(a, finds=True)
        plant(b, finds=False)
        said, way = "Is this lesion of 13 mm new?", f"/api/studies/{STUDY}"
        thread = a.site.tickets.of(a.site.reviews.remarks(STUDY, who=HOUSE)[0]["number"])
        for hidden in ({"words": "Yes.", "thread": thread}, {"words": "Yes.", "thread": "0" * 16}):
            assert {t.browser.post(f"{way}/remarks", hidden).status_code for t in (a, b)} == {404}
        assert same(a, b, "POST", f"{way}/remarks/{thread}/settle", {}).status_code == 404
        for method, sent in (("POST", {"page": "p1"}), ("GET", None)):
            assert same(a, b, method, f"{way}/together", sent).status_code == 403
        for twin, line in ((a, "A lesion, right."), (b, "")):  # Gray reads, types, and leaves it
            version = twin.site.open(STUDY, who=GRAY).version
            twin.site.type_line(STUDY, line, who=GRAY)
            twin.site.lapse(STUDY, version=version, who=GRAY)
        mine = same(a, b, "POST", f"{way}/remarks", {"words": "Which side is this?"}).json()
        assert mine["own_first"] and [r["words"] for t in mine["threads"] for r in t["remarks"]] == [
            "Which side is this?"
        ]
        for told in (f"{way}/remarks", f"/api/readings/{STUDY}/line", "/api/audit", "/api/followups"):
            assert answer(a.browser, told) == answer(b.browser, told), told
        assert heard(a) == heard(b)

        by_gray = a.site.open(STUDY, who=GRAY)
        assert said in a.browser.get(f"{way}/remarks").text, "who is asked while another reads it reads the words"
        a.site.lapse(STUDY, version=by_gray.version, who=GRAY)
        assert said not in a.browser.get(f"{way}/remarks").text, "whose turn it may be does not"
        for twin in (a, b):
            act_of(twin, "lock", {"version": act_of(twin, "open")["version"], "line": "a cyst"})
        assert a.site.opinion(STUDY, who=ITO).consulted and not b.site.opinion(STUDY, who=ITO).consulted
        assert said in a.browser.get(f"{way}/remarks").text and "lesion" in a.browser.get("/api/followups").text
        assert a.browser.post(f"{way}/together", {"page": "p1"}).status_code == 200


def signed_in(twin: Twin, who: Person) -> None:
    token = twin.site._entrance._sessions.begin(who, twin.site._entrance.clock())[0]
    twin.browser = Browser(twin.browser.app, bearer=token)


@pytest.mark.nightly
def test_law_an_own_act_does_not_tell_how_much_was_written_before_it(tmp_path: Path) -> None:
    """Entries have numbers; one that leaves with an act of one's own counts those that one may not hear of yet."""
    with twins(tmp_path) as (a, b):
        plant(a, finds=True)
        plant(b, finds=False, as_many=False)
        assert a.site.head() != b.site.head()

        def both(method: str, path: str, body: Any = None, *, status: int = 200, names: dict[str, Any] | None = None,
                 found: str = "") -> dict[str, Any]:  # fmt: skip
            """One act in both archives, each with its own name of what it acts on; the name that `found` leads to."""
            told = {}
            for twin in (a, b):
                name = (names or {}).get(twin.house.settings.folder.name, "")
                sent = {k: name if v == "NAME" else v for k, v in body.items()} if body else body
                told[twin.house.settings.folder.name] = twin.browser.ask(
                    method, path.replace("NAME", str(name)), json=sent
                )
            (one, other), way = told.values(), found.split()
            assert one.status_code == status, one.text
            assert (one.status_code, unsealed(one.content)) == (other.status_code, unsealed(other.content)), path

            def led(answer: Any) -> Any:
                for step in way:
                    answer = answer[int(step) if step.isdigit() else step]
                return answer

            return {twin: led(said.json()) for twin, said in told.items()} if found else {}

        reading, prior, why = f"/api/readings/{STUDY}", f"/api/studies/{PRIOR}", {"reason": "it was so"}
        opened = both("POST", f"{reading}/open", found="version")
        both("POST", f"{reading}/lapse", {"version": 0}, status=409)
        both("POST", f"{reading}/lapse", {"version": "NAME"}, names=opened)
        was = both("PUT", "/api/settings/me", {"settings": {"theme": "light"}}, found="version")
        both("PUT", "/api/settings/me", {"settings": {"theme": "dark"}, "version": "NAME"}, names=was)
        both("PUT", "/api/settings/me", {"settings": {"theme": "light"}, "version": "NAME"}, names=was, status=409)
        thread = both("POST", f"{prior}/remarks", {"words": "A vessel?"}, found="threads 0 number")
        both("POST", f"{prior}/remarks", {"words": "It is.", "thread": "NAME"}, names=thread)
        both("POST", f"{prior}/remarks/NAME/settle", names=thread)
        both("POST", f"{prior}/remarks/{'0' * 16}/settle", status=404)
        held = both("POST", f"{prior}/reject", {"code": "113001", **why}, found="number")
        both("POST", f"{prior}/rejections/NAME/take-back", why, names=held)
        both("POST", f"{prior}/rejections/NAME/take-back", why, names=held, status=409)
        both("POST", "/api/consents", {"patient": "1CT1", "terms": {"DUO:0000042": []}, "source": "form"})
        both("POST", "/api/consents/withdraw", {"patient": "1CT1"})
        both("POST", f"/api/analyses/{ANALYSIS}/stop", why)
        both("POST", f"{prior}/followups", {"finding": "cyst", "due": "2027-01-01", "responsible": "ito"})
        assert differences(a, b) == set(), "and what the acts left behind tells neither"
        for twin in (a, b):
            signed_in(twin, ADMIN)
        way = f"/api/modes/{ANALYSIS}"
        found = both("POST", way, {"use": "reading", "mode": "second", **why}, found="analyses")
        asked = {name: next(p["proposal"] for one in told for p in one["proposals"]) for name, told in found.items()}
        told = {"use": "reading", "proposal": "NAME"}
        both("POST", f"{way}/confirm", told, names=asked, status=400)  # it takes a second person
        moved = both("POST", "/api/identities/move", {"studies": [PRIOR], "id": "P2", **why}, found="number")
        both("POST", "/api/identities/NAME/undo", why, names=moved)
        both("POST", "/api/identities/NAME/undo", why, names=moved, status=409)
        both("PUT", "/api/settings/site", {"version": "NAME", "settings": {"prior_side": "right"}, **why},
             names=both("GET", "/api/settings/site", found="version"))  # fmt: skip
        assert differences(a, b) - {"/metrics"} == set(), "its clocks and counters of calls are those of the server"


def same(a: Twin, b: Twin, method: str, path: str, body: Any) -> Any:
    one, other = (t.browser.ask(method, path, json=body) for t in (a, b))
    assert (one.status_code, unsealed(one.content)) == (other.status_code, unsealed(other.content)), path
    return one


def act(a: Twin, b: Twin, step: str, body: Any = None) -> Any:
    done = same(a, b, "POST", f"/api/readings/{STUDY}/{step}", body) if step != "lock" else None
    if done is None:
        for twin in (a, b):
            done = twin.browser.post(f"/api/readings/{STUDY}/{step}", body)
            assert done.status_code == 200, done.text
    assert done.status_code == 200, done.text
    return done.json()


def act_of(twin: Twin, step: str, body: Any = None) -> Any:
    done = twin.browser.post(f"/api/readings/{STUDY}/{step}", body)
    assert done.status_code == 200, done.text
    return done.json()


def refuse(a: Twin, b: Twin, step: str, body: Any) -> None:
    assert same(a, b, "POST", f"/api/readings/{STUDY}/{step}", body).status_code >= 400


def test_another_readers_lock_opens_nothing_for_those_who_have_not_given_theirs(tmp_path: Path) -> None:
    with twins(tmp_path) as (a, b):
        plant(a, finds=True)
        plant(b, finds=False)
        for twin, keeps in ((a, True), (b, False)):
            site = twin.site
            version = site.open(STUDY, who=GRAY).version
            version = site.lock(STUDY, version=version, nothing=True, who=GRAY).version
            site.results(STUDY, who=GRAY)  # a look is an entry of its own, whatever there is to see
            if keeps:
                assert site.results(STUDY, who=GRAY)[0][1].findings, "the one who locked sees it"
                site.seen(STUDY, [{"result": twin.planted, "tracking": TRACKING}], who=GRAY)
                kept = Correction(Verdict.KEPT, TRACKING)
                version = site.correct(STUDY, kept, version=version, who=GRAY).version
                version = site.word(STUDY, "g", "The lesion is real.", version=version, section="Impression",
                                    who=GRAY).version  # fmt: skip
            else:
                version = site.word(STUDY, "g", "Nothing to add.", version=version, section="Impression",
                                    who=GRAY).version  # fmt: skip
            site.lapse(STUDY, version=version, who=GRAY)
        assert differences(a, b, under="/api") == set()


def test_how_far_the_machine_has_come_waits_for_ones_own_opinion(tmp_path: Path) -> None:
    """What takes longer where there is something to find would tell it."""
    with twins(tmp_path) as (a, b):
        for twin, done in ((a, 0.2), (b, 0.8)):
            plant(twin, finds=twin is a)
            planned = [{"analysis": ANALYSIS, "series": {}}, {"analysis": "brain_bleed", "series": {}}]
            twin.site._tell(Kind.PLANNED, "isocenter", STUDY, fingerprint="f", bindings=planned, declined=[])
            twin.running[STUDY] = done

        def said() -> list[Any]:
            rows = (row for twin in (a, b) for row in twin.browser.get("/api/worklist").json()["rows"])
            return [row["ai"].get("done") for row in rows if row["study"] == STUDY]

        for told in ("/api/worklist", "/api/worklist?form=columns", "/api/begin"):
            assert answer(a.browser, told) == answer(b.browser, told), told
        assert said() == [None, None]
        for twin in (a, b):
            set_mode(twin.site, Use.READING, Mode.CONCURRENT)
        assert said() == [None, None], "another analysis runs beside, of which nothing may be heard yet"
        for twin in (a, b):
            act_of(twin, "lock", {"version": act_of(twin, "open")["version"], "line": "a cyst"})
        assert said() == [0.2, 0.8]
        assert "done" not in a.browser.get("/api/worklist?ai=off").text
        a.running.clear()
        assert said() == [None, 0.8]


def test_a_signed_study_hides_nothing_any_more(tmp_path: Path) -> None:
    with archive(tmp_path / "a") as a:
        plant(a, finds=True)
        site = a.site
        version = site.open(STUDY, who=GRAY).version
        version = site.lock(STUDY, version=version, nothing=True, who=GRAY).version
        site.seen(STUDY, [{"result": a.planted, "tracking": TRACKING}], who=GRAY)
        version = site.correct(STUDY, Correction(Verdict.KEPT, TRACKING), version=version, who=GRAY).version
        assert TRACKING not in a.browser.get(f"/api/studies/{STUDY}/results").text
        site.sign(STUDY, version=version, untold="nobody answers", who=GRAY)
        assert TRACKING in a.browser.get(f"/api/studies/{STUDY}/results").text
        assert any("SEG" in str(row) for row in a.browser.get("/dicom-web/studies?ModalitiesInStudy=SEG").json())


BAND = {"/api/worklist", "/api/begin", f"/api/studies/{STUDY}"}  # where it stands, and until when it should be read


@pytest.mark.parametrize(
    ("use", "mode", "told"),
    [
        (Use.READING, Mode.CONCURRENT, {f"/api/studies/{STUDY}/results", "/api/worklist"}),
        (Use.READING, Mode.SECOND, {f"/api/studies/{STUDY}/plan", f"/api/readings/{STUDY}/report"}),
        pytest.param(
            Use.WORKLIST,
            Mode.TRIAGE,
            {"/api/worklist", "/api/begin", f"/api/studies/{STUDY}"},
            marks=pytest.mark.nightly,
        ),
        (Use.WORKLIST, Mode.TRIAGE_NAMED, {"/api/worklist", "/api/begin", f"/api/studies/{STUDY}"}),
        pytest.param(Use.READING, Mode.SHADOW, set(), marks=pytest.mark.nightly),
    ],
)
def test_what_each_mode_tells(tmp_path: Path, use: Use, mode: Mode, told: set[str]) -> None:
    """The same comparison in the other modes: it can fail, and triage tells its band (in the row, and above the images)
    and nothing else."""
    with twins(tmp_path) as (a, b):
        plant(a, finds=True)
        plant(b, finds=False)
        for twin in (a, b):
            set_mode(twin.site, use, mode)
        assert {one for one in told if answer(a.browser, one) != answer(b.browser, one)} == told
        if use is Use.WORKLIST or mode is Mode.SHADOW:
            seen = differences(a, b, under="/api")
            assert {one.split("?")[0] for one in seen} == {one.split("?")[0] for one in told}
            rows = a.browser.get("/api/worklist").json()["rows"]
            whys = [row["why"] for row in rows]
            told_of = [twin.browser.get(f"/api/studies/{STUDY}").json() for twin in (a, b)]
            assert told_of[0] | {"due": None} == told_of[1] | {"due": None}, "beside until when to read, no word"
            if mode is Mode.TRIAGE:
                assert any(why.startswith("raised by AI") for why in whys) and "lesion" not in str(rows).lower()
            if mode is Mode.TRIAGE_NAMED:
                assert any(why.startswith("AI: lesion") for why in whys)


@pytest.mark.parametrize(
    ("use", "mode", "words"),
    [
        (Use.READING, Mode.UNAIDED_FIRST, None),
        (Use.READING, Mode.SHADOW, None),
        (Use.WORKLIST, Mode.TRIAGE, "raised by AI"),
        (Use.WORKLIST, Mode.TRIAGE_NAMED, "lesion"),
    ],
)
def test_a_flag_that_nobody_read_in_its_time_alerts_only_as_far_as_the_list_may_tell(
    tmp_path: Path, use: Use, mode: Mode, words: str | None
) -> None:
    """An alert goes to every reader before anybody has given an opinion: it is a way round the rule unless it obeys."""
    with archive(tmp_path / "a") as a:
        plant(a, finds=True)
        if mode is not Mode.UNAIDED_FIRST:
            set_mode(a.site, use, mode)
        a.site.clock = lambda: NOON + timedelta(minutes=61)
        assert a.site.alerts.look() == (words is not None)
        told = [one["finding"] for one in a.browser.get("/api/alerts").json()["alerts"]]
        assert len(told) == (words is not None) and all(one.startswith(words) for one in told)
        if mode is not Mode.TRIAGE_NAMED:
            assert "lesion" not in str(told).lower()


def set_mode(site: Any, use: Use, mode: Mode) -> None:
    known = site.propose_mode(ANALYSIS, use, mode, reason="a test", who=ITO)
    for proposal in list(known.proposals.values()):
        site.confirm_mode(ANALYSIS, use, proposal.number, who=GRAY)
    assert site.modes(who=ITO).of(ANALYSIS, use) is mode


def test_in_shadow_nothing_is_said_even_after_the_opinion_and_nothing_is_signed_for_it(tmp_path: Path) -> None:
    with archive(tmp_path / "a") as a:
        plant(a, finds=True)
        site = a.site
        set_mode(site, Use.READING, Mode.SHADOW)
        version = site.open(STUDY, who=ITO).version
        version = site.lock(STUDY, version=version, nothing=True, who=ITO).version
        assert site.results(STUDY, who=ITO) == []
        assert ANALYSIS not in {row["analysis"] for row in site.why(STUDY, who=ITO)}
        site.sign(STUDY, version=version, who=ITO)
        assert a.planted not in site.report(STUDY, who=ITO).results
        assert site.objects(STUDY, who=HOUSE) == []
        gray = Person("rita", Role.RESEARCHER)
        assert [i for i, _ in site.results(STUDY, who=gray)] == [a.planted], "who does not read is not bound"
