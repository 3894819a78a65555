"""A reading on a real archive: seen before kept, undone until signed, and what the journal says of each decision."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Conflict, Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading import report as reports
from isocenter.reading.critical import Communication
from isocenter.reading.disclosure import Mode, Use
from isocenter.reading.session import Correction, Reading
from isocenter.record import Event, Finding, Kind, Origin, Outcome, Receipt, Result, Urgency, Verdict, canonical, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site

ITO, GRAY, CHIEF = Person("ito", Role.READER), Person("gray", Role.READER), Person("chief", Role.ADMIN)
OF = "image_quality"  # an analysis that fits this image; what it says is planted


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    yield house.site
    house.close()


def study_of(site: Site) -> str:
    return site.studies(who=HOUSE)[0].uid


def says(site: Site, *findings: Finding, urgency: Urgency = Urgency.SOON) -> str:
    study = site.index.study(study_of(site))
    made = Result(
        study.uid, Outcome.FOUND if findings else Outcome.NONE, Origin("machine", OF, "1", "m" * 64), site.clock(),
        findings=findings, urgency=urgency if findings else Urgency.ROUTINE,
        receipt=Receipt(series=tuple(s.uid for s in study.series)),
    )  # fmt: skip
    digest = site.blobs.put(canonical(made))
    site.journal.append(Event(Kind.RESULT_MADE, site.clock(), "isocenter", study.uid, {"result": digest}))
    return digest


def lesion(tracking: str = "2.25.1") -> Finding:
    return Finding(codes.LESION, 0.8, words="A lesion.", tracking=tracking)


def begun(site: Site, **opinion: object) -> int:
    version = site.open(study_of(site), who=ITO).version
    return site.lock(study_of(site), version=version, who=ITO, **(opinion or {"nothing": True})).version  # type: ignore[arg-type]


def verdicts(site: Site) -> dict[str, str]:
    return {f.tracking: f.verdict.value for _, r in site.results(study_of(site), who=ITO) for f in r.findings}


def test_nothing_is_kept_before_it_was_on_screen_nor_by_what_another_saw(site: Site) -> None:
    study, held = study_of(site), says(site, lesion(), lesion("2.25.2"))
    version = begun(site)
    keep = Correction(Verdict.KEPT, "2.25.1")
    with pytest.raises(WrongState, match="before its evidence was on screen"):
        site.correct(study, keep, version=version, who=ITO)
    with pytest.raises(NotFound):
        site.seen(study, [{"result": held, "tracking": "2.25.9"}], who=ITO)
    site.seen(study, [{"result": held, "tracking": "2.25.2"}], who=ITO)
    with pytest.raises(WrongState):
        site.correct(study, keep, version=version, who=ITO)
    look = {"result": held, "tracking": "2.25.1", "sop": "1.2.3", "frame": 0}
    site.seen(study, [look], who=ITO)
    site.seen(study, [look], who=ITO)
    looks = site.journal.since(subject=study, kinds=(Kind.VIEWED,))
    assert [e.event.details["findings"] for e in looks] == [["2.25.2"], ["2.25.1"]], "told again is told once"
    assert looks[1].event.details["shown"] == [look]
    site.correct(study, keep, version=version, who=ITO)
    assert verdicts(site)["2.25.1"] == "kept"
    strike = Correction(Verdict.STRUCK, "2.25.2", label="artefact")
    site.correct(study, strike, version=site.reading(study, who=ITO).version, who=ITO)
    assert verdicts(site)["2.25.2"] == "struck", "to strike takes no look"


def test_an_act_that_is_sent_again_is_done_once(site: Site) -> None:
    study = study_of(site)
    version = begun(site)
    scar = Correction(Verdict.ADDED, "", words="A scar.")
    first = site.correct(study, scar, version=version, act="a-1", who=ITO)
    again = site.correct(study, scar, version=version, act="a-1", who=ITO)
    assert (again.version, len(verdicts(site))) == (first.version, 1), "the answer was lost, the act was not"
    with pytest.raises(Conflict):
        site.correct(study, scar, version=version, act="a-2", who=ITO)


def test_lock_words_undo_and_signature_sent_again_after_a_lost_answer_are_done_once(site: Site) -> None:
    study = study_of(site)
    version = site.open(study, who=ITO).version
    acts: dict[str, Callable[..., Reading]] = {
        "lock": lambda **given: site.lock(study, nothing=True, who=ITO, **given),
        "word": lambda **given: site.word(study, "own", "All fine.", section="Impression", who=ITO, **given),
        "template": lambda **given: site.use_template(study, "ct_chest", who=ITO, **given),
        "word again": lambda **given: site.word(study, "own", "Not so fine.", who=ITO, **given),
        "undo": lambda **given: site.undo(study, who=ITO, **given)[0],
        "sign": lambda **given: site.sign(study, who=ITO, **given),
    }
    for name, act in acts.items():
        named = {"version": version, "act": name.replace(" ", "-")}
        done, again = act(**named), act(**named)
        assert again == done and done.version > version, name
        with pytest.raises((Conflict, WrongState)):
            act(version=version, act="another")
        version = done.version
    report = site.report(study, who=ITO)
    assert [s.text for s in report.sentences if s.id == "own"] == ["All fine."], "one step was taken back, not two"
    assert (report.template, report.number) == ("ct_chest", 1)


def test_an_undoing_sent_again_says_once_more_what_it_took_back(site: Site) -> None:
    study, version = study_of(site), begun(site)
    scar = Correction(Verdict.ADDED, "", words="A scar.")
    version = site.correct(study, scar, version=version, who=ITO).version
    told = [site.undo(study, version=version, act="u-1", who=ITO) for _ in range(2)]
    assert told[0] == told[1] and told[0][1] == "added: Finding"
    assert not verdicts(site)
    version = site.word(study, "own", "Fine.", section="Impression", version=told[0][0].version, who=ITO).version
    told = [site.undo(study, version=version, act="u-2", who=ITO) for _ in range(2)]
    assert [words for _, words in told] == ["words of the report"] * 2


def test_words_asked_again_while_they_are_still_kept_are_no_others_act(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, version, whole = study_of(site), begun(site), reports.reword

    def say() -> Reading:
        return site.word(study, "own", "Fine.", section="Impression", version=version, act="w-1", who=ITO)

    def slow(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(reports, "reword", whole)
        say()  # the first asking ends meanwhile
        return whole(*given, **named)

    monkeypatch.setattr(reports, "reword", slow)
    assert say().version == version + 1
    assert [s.text for s in site.report(study, who=ITO).sentences if s.id == "own"] == ["Fine."]


def test_numbers_of_findings_outlive_the_lock_that_shows_a_machine_and_every_answer(site: Site) -> None:
    study, held = study_of(site), says(site, lesion())
    version = site.open(study, who=ITO).version
    cyst = Correction(Verdict.ADDED, "", words="A cyst.")
    version = site.correct(study, cyst, version=version, who=ITO).version
    before = dict(site.numbers(study, who=ITO))
    assert list(before.values()) == [1], "of what is not shown yet no number tells"
    version = site.lock(study, version=version, who=ITO).version
    both = {**before, "2.25.1": 2}
    assert site.numbers(study, who=ITO) == both
    version = site.correct(study, Correction(Verdict.ADDED, "", words="A scar."), version=version, who=ITO).version
    site.seen(study, [{"result": held, "tracking": "2.25.1"}], who=ITO)
    site.correct(study, Correction(Verdict.KEPT, "2.25.1"), version=version, who=ITO)
    numbers = site.numbers(study, who=ITO)
    assert {one: numbers[one] for one in both} == both and sorted(numbers.values()) == [1, 2, 3]


def test_undo_goes_back_act_by_act_and_stops_at_the_opinion(site: Site) -> None:
    study, held = study_of(site), says(site, lesion())
    version = site.open(study, who=ITO).version
    version = site.correct(study, Correction(Verdict.ADDED, "", words="A cyst."), version=version, who=ITO).version
    version = site.lock(study, version=version, who=ITO).version
    site.seen(study, [{"result": held, "tracking": "2.25.1"}], who=ITO)
    version = site.correct(study, Correction(Verdict.KEPT, "2.25.1"), version=version, who=ITO).version
    version = site.word(study, "own", "All fine.", section="Impression", version=version, who=ITO).version
    version = site.word(study, "own", "Not so fine.", version=version, who=ITO).version
    version = site.correct(study, Correction(Verdict.ADDED, "", words="A scar."), version=version, who=ITO).version
    assert len(verdicts(site)) == 3

    def text() -> list[str]:
        return [s.text for s in site.report(study, who=ITO).sentences if s.id == "own"]

    told = []
    for seen in (["A lesion.", "A cyst."], ["All fine."], [], "undecided"):
        reading, words = site.undo(study, version=version, who=ITO)
        version = reading.version
        told.append(words)
        if seen == "undecided":
            assert verdicts(site)["2.25.1"] == "undecided"
        elif "A cyst." in seen:
            assert len(verdicts(site)) == 2 and text() == ["Not so fine."]
        else:
            assert text() == seen
    assert told == ["added: Finding", "words of the report", "words of the report", "kept: Lesion"]
    with pytest.raises(Refused, match="nothing is left to undo"):
        site.undo(study, version=version, who=ITO)
    with pytest.raises(WrongState, match="undecided"):
        site.sign(study, version=version, who=ITO)
    with pytest.raises(Conflict):
        site.undo(study, version=version - 1, who=ITO)
    assert not any("A scar" in s.text or "ito" in s.text for s in site.report(study, who=ITO).sentences)


def test_a_signature_needs_the_opinion_first_where_the_site_asks_for_it(site: Site) -> None:
    study = study_of(site)
    reading = site.open(study, who=ITO)
    assert reading.asked and reading.locked is None
    with pytest.raises(WrongState, match="before the first opinion is locked"):
        site.sign(study, version=reading.version, who=ITO)
    with pytest.raises(NotFound):
        site.opinion(study, who=ITO)
    assert site.lock(study, version=reading.version, nothing=True, who=ITO).locked is not None
    assert site.opinion(study, who=ITO).nothing
    with pytest.raises(NotFound):
        site.opinion(study, who=GRAY)


def test_the_journal_alone_tells_who_followed_whom(site: Site) -> None:
    study, held = study_of(site), says(site, lesion(), lesion("2.25.2"), urgency=Urgency.NOW)
    version = begun(site)
    site.seen(study, [{"result": held, "tracking": "2.25.1"}], who=ITO)
    version = site.correct(study, Correction(Verdict.KEPT, "2.25.1"), version=version, who=ITO).version
    struck = Correction(Verdict.STRUCK, "2.25.2", label="normal", reason="a vessel")
    version = site.correct(study, struck, version=version, who=ITO).version
    acts = [sealed.event.details for sealed in site.journal.since(subject=study, who="ito")]
    decisions = [act["decision"] for act in acts if "decision" in act]
    assert [(d["finding"], d["verdict"], d["label"], d["mode"]) for d in decisions] == [
        ("2.25.1", "kept", "", "unaided-first"), ("2.25.2", "struck", "normal", "unaided-first"),
    ]  # fmt: skip
    now = site.clock()
    identified, received = now - timedelta(seconds=5), now - timedelta(seconds=1)
    told = Communication("2.25.1", identified, "ito", "Dr Lee", received, "telephone", True)
    with pytest.raises(WrongState, match="critical and told to nobody"):
        site.sign(study, version=version, who=ITO)
    site.sign(study, version=version, told=[told], shown={"of": 1, "shown": 1}, who=ITO)
    said = site.journal.since(subject=study, kinds=(Kind.REPORT_SIGNED,))[0].event.details
    assert said["calls"] == [
        {
            "analysis": OF,
            "version": "1",
            "model": "m" * 64,
            "mode": "unaided-first",
            "machine": True,
            "final": True,
            "first": False,
            "image": site.index.study(study).series[0].uid,
        }
    ]
    assert {(d["finding"], d["verdict"], d["certainty"], d["reason"]) for d in said["decisions"]} == {
        ("2.25.1", "kept", 0.8, ""), ("2.25.2", "struck", 0.8, "normal variant: a vessel"),
    }  # fmt: skip
    assert said["opinion"] and said["locked"] and said["shown"] == {"of": 1, "shown": 1}
    report = site.report(study, who=ITO)
    assert report.is_whole and report.told == (told,) and report.locked is not None
    assert report.changes == ("Lesion: not in the first opinion; from image_quality 1.",)
    lines = site.comparison(study, who=ITO)[1]
    assert [(line.relation.value, line.machine) for line in lines] == [("adds", "2.25.1"), ("adds", "2.25.2")]


@pytest.mark.parametrize("mode", [Mode.CONCURRENT, Mode.SHADOW])
@pytest.mark.parametrize("machine", [True, False])
@pytest.mark.parametrize(
    ("added", "words", "final"),
    [(codes.QUALITY_ISSUE, "Blurred.", True), (None, "Image quality: blurred.", True), (None, "Odd.", None),
     (codes.LESION, "A cyst.", False), ("nothing", "", False)],
)  # fmt: skip
def test_what_the_machine_missed_or_nobody_saw_of_it_counts_as_the_report_says(
    site: Site, mode: Mode, machine: bool, added: object, words: str, final: bool | None
) -> None:
    study, now = study_of(site), site.clock()
    mode_set = {"use": Use.READING.value, "mode": mode.value, "was": "unaided-first", "reason": "r", "number": 0}
    site.journal.append(Event(Kind.MODE_SET, now, "chief", OF, mode_set))
    assert site.modes(who=HOUSE).of(OF, Use.READING) is mode
    says(site, *([Finding(codes.QUALITY_ISSUE, words="Blurred.", tracking="2.25.1")] if machine else []))
    version = begun(site)
    if machine and mode is not Mode.SHADOW:  # seen, and struck
        version = site.correct(
            study, Correction(Verdict.STRUCK, "2.25.1", reason="no"), version=version, who=ITO
        ).version
        final = bool(final)
    if added != "nothing":
        own = Correction(Verdict.ADDED, "", words=words, **({"what": added} if added else {}))  # type: ignore[arg-type]
        version = site.correct(study, own, version=version, who=ITO).version
    site.sign(study, version=version, who=ITO)
    (sealed,) = site.journal.since(subject=study, kinds=(Kind.REPORT_SIGNED,))
    told = [(c["analysis"], c["mode"], c["machine"], c["final"]) for c in sealed.event.details["calls"]]
    assert told == ([] if final is None else [(OF, mode.value, machine, final)])
    firsts = [c["first"] for c in sealed.event.details["calls"]]
    assert firsts == [None if mode is Mode.CONCURRENT else False] * len(told), "what was on screen came before the lock"


def test_what_a_reader_found_alone_and_calls_urgent_stays_open_until_somebody_is_told(site: Site) -> None:
    study, version = study_of(site), begun(site)
    version = site.correct(
        study, Correction(Verdict.ADDED, "2.25.7", words="Free air"), version=version, who=ITO
    ).version
    with pytest.raises(WrongState, match="told to nobody: Free air"):
        site.sign(study, version=version, urgent=["2.25.7"], who=ITO)
    site.sign(study, version=version, urgent=["2.25.7"], untold="nobody answers", who=ITO)
    (row,) = site.calls.open(who=GRAY)["rows"]
    assert [one["what"] for one in row["findings"]] == ["Free air"] and row["why"] == "nobody answers"
    version = site.open(study, who=ITO).version
    with pytest.raises(WrongState, match="told to nobody: Free air"):
        site.sign(study, version=version, who=ITO)  # an amendment does not let it drop
    told = Communication("2.25.7", site.clock(), "ito", "Dr Lee, ward 3", site.clock(), "telephone")
    site.sign(study, version=version, told=[told], who=ITO)
    assert site.calls.open(who=GRAY)["rows"] == []


def test_a_study_that_is_not_there_is_not_found_by_any_verb(site: Site) -> None:
    for verb in (site.reading, site.report, site.opinion, site.open):
        with pytest.raises(NotFound):
            verb("1.2.3.4", who=ITO)
    for act in (lambda: site.lock("1.2.3.4", version=0, nothing=True, who=ITO),
                lambda: site.undo("1.2.3.4", version=0, who=ITO),
                lambda: site.sign("1.2.3.4", version=0, who=ITO)):  # fmt: skip
        with pytest.raises(NotFound):
            act()


def test_a_kept_list_tells_each_what_they_may_see_and_no_more(site: Site) -> None:
    """Who asks after somebody who sees more, or before, gets their own list; a mode, a stop and a lock act at once."""
    says(site, lesion())
    study, seen = study_of(site), []

    def told() -> list[tuple[str, int]]:
        for _ in range(2):  # the second time from what was kept
            rows = [site.worklist(who=who)[0].waiting for who in (HOUSE, ITO, GRAY, ITO, HOUSE, GRAY)]
            seen.append([(row.ai, len(row.raises)) for row in rows])
        assert seen[-1] == seen[-2] and seen[-1][:3] == [seen[-1][k] for k in (4, 3, 5)]
        return seen[-1][:3]

    assert told() == [("found", 1), ("after", 0), ("after", 0)]
    version = site.open(study, who=ITO).version
    site.lock(study, version=version, nothing=True, who=ITO)
    assert told() == [("found", 1), ("found", 1), ("after", 0)]
    site.set_mode(OF, Use.WORKLIST, Mode.TRIAGE, reason="for everybody")
    assert told() == [("found", 1), ("found", 1), ("after", 1)]
    site.halting.stop(OF, reason="it errs", who=CHIEF)
    assert told() == [("found", 0), ("found", 0), ("after", 0)]


def test_whoever_may_not_see_the_list_hears_how_many_of_each_class_wait_and_not_whom_a_machine_raised(
    site: Site,
) -> None:
    files = []
    for number in range(10):
        one = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
        one.StudyInstanceUID = f"2.25.{4000 + number}"
        one.SeriesInstanceUID, one.SOPInstanceUID = f"2.25.{5000 + number}", f"2.25.{6000 + number}"
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        held = io.BytesIO()
        one.save_as(held)
        files.append(held.getvalue())
    site.receive(files[:8], sender="test", who=HOUSE)
    hears = Person("rita", Role.RESEARCHER)
    few = {"now": None, "soon": None, "today": None, "routine": None}
    assert site.worklist_counts(who=hears) == few, "nine are too few to be counted"
    site.receive(files[8:], sender="test", who=HOUSE)
    site.set_mode(OF, Use.WORKLIST, Mode.TRIAGE, reason="for everybody")
    says(site, lesion(), urgency=Urgency.NOW)
    assert site.worklist_counts(who=hears) == {**few, "routine": 11}, (
        "what a machine raised counts where it was asked for"
    )
    site.sign("2.25.4000", version=site.lock("2.25.4000", version=site.open("2.25.4000", who=ITO).version, nothing=True,
                                             who=ITO).version, who=ITO)  # fmt: skip
    assert site.worklist_counts(who=hears) == {**few, "routine": 10}, "what is read waits no more"
    for who in (Person("paula", Role.PLANNER), Person("PACS", Role.SERVICE)):
        with pytest.raises(Forbidden):
            site.worklist_counts(who=who)


def test_until_when_a_study_should_be_read_is_what_its_row_says_and_tells_no_more_than_may_be_seen(site: Site) -> None:
    def row() -> tuple[Urgency, datetime | None]:
        entry = next(e for e in site.worklist(who=ITO) if e.waiting.study.uid == study_of(site))
        return entry.level, entry.due

    study, plain = study_of(site), site.due(study_of(site), who=ITO)
    says(site, lesion(), urgency=Urgency.NOW)
    assert site.due(study, who=ITO) == plain == row(), "in shadow nothing is raised"
    site.set_mode(OF, Use.WORKLIST, Mode.TRIAGE, reason="tried")
    raised = site.due(study, who=ITO)
    assert plain and raised and raised == row() and raised[0] is Urgency.NOW and raised[1] < plain[1]
    version = site.correct(study, Correction(Verdict.STRUCK, "2.25.1", label="normal"), version=begun(site), who=ITO)
    assert site.due(study, who=ITO) == plain, "what a person struck raises nothing"
    site.sign(study, version=version.version, who=ITO)
    assert site.due(study, who=ITO) is None


def test_a_line_that_is_typed_is_its_readers_alone_and_gone_once_it_is_locked(site: Site) -> None:
    study = study_of(site)
    version = site.open(study, who=ITO).version
    for line in ("a cy", "a cyst, ri"):
        site.type_line(study, line, who=ITO)
    assert site.typed_line(study, who=ITO) == "a cyst, ri" and site.typed_line(study, who=GRAY) == ""
    heard = {
        who.name: {one.event.kind for one in site.events(since=0, limit=100, who=who)} for who in (ITO, GRAY, CHIEF)
    }
    assert [name for name, kinds in heard.items() if Kind.OPINION_TYPED in kinds] == ["ito"]
    site.lock(study, version=version, line="a cyst, right", who=ITO)
    assert site.typed_line(study, who=ITO) == "", "what counts is what was locked"
