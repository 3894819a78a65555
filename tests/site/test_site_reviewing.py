"""People who look again, on a real archive: who is drawn, who is blind, what is found by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from department_for_oversight import AI, CHIEF, ITO, LEE, MONDAY, RUIZ, Clock, at, department, uid
from isocenter.errors import Conflict, Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.consultation import Mark, View
from isocenter.record import Event, Kind, Patient, Series, Study, canonical
from isocenter.site.verbs import Site
from isocenter.store.intake import receive

BY_NAME = {"ito": ITO, "lee": LEE, "ruiz": RUIZ}


@pytest.fixture
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Clock]]:
    with department(tmp_path_factory.mktemp("department"), read=12) as both:
        yield both


@pytest.fixture
def site(held: tuple[Site, Clock]) -> Site:
    return held[0]


def test_a_draw_is_reproducible_and_never_an_own_case(site: Site) -> None:
    assert site.reviews.draw(who=CHIEF, seed="november", rate=0.5) == 6
    told = site.reviews.peers(who=CHIEF)
    assert told["owner"]
    for case in told["cases"]:
        assert case["reviewer"] not in case["authors"]
    with pytest.raises(Refused, match="longer period"):
        site.reviews.draw(who=CHIEF, seed="x", rate=1, since=date(2026, 12, 1))
    with pytest.raises(Forbidden):
        site.reviews.draw(who=ITO, seed="november", rate=0.5)
    more = site.reviews.draw(who=CHIEF, seed="december", rate=1.0)
    assert more == 6, "what was drawn before is not drawn again"
    with pytest.raises((Refused, Conflict)):
        site.reviews.draw(who=CHIEF, seed="december", rate=1.0)


def test_who_reviews_is_blind_until_they_have_scored(site: Site) -> None:
    site.reviews.draw(who=CHIEF, seed="november", rate=1.0)
    case = site.reviews.peers(who=CHIEF)["cases"][0]
    reviewer = BY_NAME[case["reviewer"]]
    author = BY_NAME[case["authors"][0]]
    assert site.reviews.blind(case["study"], reviewer)
    assert not site.reviews.blind(case["study"], author)
    mine = site.reviews.case(case["id"], who=reviewer)
    assert case["authors"][0] not in str(mine)
    with pytest.raises(NotFound):
        site.reviews.case(case["id"], who=author)
    with pytest.raises(NotFound):
        site.reviews.score(case["id"], "1", "", who=author)
    site.reviews.score(case["id"], "2b", "a second opacity", who=reviewer)
    assert not site.reviews.blind(case["study"], reviewer)
    now = next(c for c in site.reviews.peers(who=CHIEF)["cases"] if c["id"] == case["id"])
    assert now["state"] == "arbitration"
    third = BY_NAME[now["arbiter"]]
    assert third not in (reviewer, author)
    assert site.reviews.blind(case["study"], third)
    done = site.reviews.score(case["id"], "2a", "hard to see", who=third)
    assert (done["state"], done["score"]) == ("done", "2a")
    assert site.reviews.case(case["id"], who=author)["score"] == "2a"
    assert sum(row.n for row in site.reviews.peers(who=ITO)["figures"]) == 1
    with pytest.raises(NotFound):
        site.reviews.case("0" * 24, who=CHIEF)


def test_nothing_of_machine_or_colleague_reaches_who_reads_blind(site: Site) -> None:
    site.reviews.draw(who=CHIEF, seed="november", rate=1.0)
    case = next(c for c in site.reviews.peers(who=CHIEF)["cases"] if c["study"] == uid(3))
    reviewer, study = BY_NAME[case["reviewer"]], uid(3)
    result = site.results(study, who=CHIEF)[0][0]
    assert site.results(study, who=reviewer) == []
    with pytest.raises(NotFound):
        site.result(result, who=reviewer)
    for refused in (site.reading, site.report, site.report_pdf):
        with pytest.raises(Forbidden, match="you read blind"):
            refused(study, who=reviewer)
    assert study not in [e.waiting.study.uid for e in site.worklist(who=reviewer)]
    assert study in [e.waiting.study.uid for e in site.worklist(who=CHIEF)]
    heard = [s for s in site.events(since=0, limit=10_000, who=reviewer) if s.event.subject == study]
    assert heard == []
    told = site.explain(study, who=reviewer)
    assert (told["signatures"], told["results"], told["events"]) == ([], [], [])
    assert [a["answer"] for a in site.why(study, who=reviewer) if a["answer"] in ("found", "none")] == []
    assert site.study(study, who=reviewer).uid == study, "the images may be looked at"
    site.reviews.score(case["id"], "1", "", who=reviewer)
    assert site.results(study, who=reviewer) != []
    assert site.reading(study, who=reviewer).state == "signed"


def test_the_words_of_a_drawn_case_do_not_tell_what_a_machine_had_said(site: Site) -> None:
    struck = [("impression-none", "No finding was kept.", False)]
    none = [("none-ai", "An opacity was not detected by opacity 1.", True),
            ("impression-none", "No finding was detected by the analyses named here.", True)]  # fmt: skip
    kept = [("finding-1", "Possible opacity (certainty 76 %), left.", False), ("own", "Scar.", False),
            ("remark-opacity", "Remark on opacity 1: the picture was turned.", False)]  # fmt: skip
    alone = [("impression-unread", "No analysis looked at this study.", False)]
    for n, sentences in ((3, struck), (5, none), (7, alone), (9, kept)):
        who = "ito"
        told = [{"id": i, "section": "Findings", "text": t, "machine": m} for i, t, m in sentences]
        report = site.blobs.put(canonical({"sentences": told}))
        for kind, details in ((Kind.READING_OPENED, {"by": who}), (Kind.REPORT_AMENDED, {"report": report})):
            site.journal.append(Event(kind, at(n, 60), who, uid(n), details))
    site.reviews.draw(who=CHIEF, seed="november", rate=1.0)
    read = {}
    for case in site.reviews.peers(who=CHIEF)["cases"]:
        if case["study"] in (uid(3), uid(5), uid(7), uid(9)):
            told = site.reviews.reading(case["id"], who=BY_NAME[case["reviewer"]])["report"]
            read[case["study"]] = [s["text"] for s in told]
    assert read[uid(3)] == read[uid(5)] == read[uid(7)] == ["No finding."], "struck, never found, or never asked"
    assert read[uid(9)] == ["Possible opacity, left.", "Scar."]


def test_double_reading_is_blind_at_the_door(site: Site) -> None:
    id = site.reviews.ask_double(uid(3), "Opacity?", ("ito", "lee"), analysis=AI, who=CHIEF)
    assert site.reviews.blind(uid(3), ITO) and site.reviews.blind(uid(3), LEE)
    before, counted = site.reviews.pairs(who=LEE)["pairs"], site.audits.page(who=LEE)["counts"]
    site.reviews.lock_double(id, True, "in the left base", who=ITO)
    assert site.reviews.pairs(who=LEE)["pairs"] == before, "the other's opinion changes nothing that leaves"
    assert site.audits.page(who=LEE)["counts"] == counted, "nor is it counted that somebody has answered"
    assert site.reviews.pairs(who=RUIZ)["pairs"] == []
    assert "left base" not in str(site.reviews.pairs(who=CHIEF))
    site.reviews.lock_double(id, False, "", who=LEE)
    third = site.reviews.pairs(who=RUIZ)["pairs"]
    assert [(p["turn"], p["opinions"]) for p in third] == [(True, [])], "the third looks alone first"
    shown = site.reviews.lock_double(id, False, "", who=RUIZ)
    assert [o["who"] for o in shown["opinions"]][:2] == ["one reader", "the other reader"]
    assert site.reviews.pairs(who=CHIEF)["pairs"][0]["opinions"] == []
    done = site.reviews.lock_double(id, True, "seen", who=RUIZ)
    assert (done["state"], done["answer"]) == ("done", True)
    figures = site.reviews.pairs(who=CHIEF)["figures"]
    assert (figures.n, figures.reads, figures.ppv.value) == (1, 3, 1.0)
    with pytest.raises(NotFound, match="may read here"):
        site.reviews.ask_double(uid(4), "q", ("ito", "nobody"), who=CHIEF)
    with pytest.raises(NotFound):
        site.reviews.lock_double("0" * 24, True, "x", who=ITO)


def test_an_analysis_as_the_second_reader_has_answered_already_and_is_unseen(site: Site) -> None:
    """Study 9: the AI found an opacity, what turned out to be true says that there was none."""
    with pytest.raises(Refused, match="is not said"):
        site.reviews.ask_double(uid(9), "Opacity?", ("lee", "AI"), who=CHIEF)
    with pytest.raises(NotFound, match="palm_reading"):
        site.reviews.ask_double(uid(9), "Opacity?", ("lee", "ito"), analysis="palm_reading", who=CHIEF)
    with pytest.raises(Refused, match="has not answered"):
        site.reviews.ask_double(uid(9), "Opacity?", ("lee", "AI"), analysis="image_quality", who=CHIEF)
    id = site.reviews.ask_double(uid(9), "Opacity?", ("lee", "AI"), analysis=AI, who=CHIEF)
    mine = next(p for p in site.reviews.pairs(who=LEE)["pairs"] if p["id"] == id)
    assert (mine["state"], mine["opinions"], mine["turn"]) == ("reading", [], True)
    assert site.reviews.blind(uid(9), LEE)
    told = site.reviews.lock_double(id, False, "", who=LEE)
    assert (told["state"], [(o["who"], o["positive"]) for o in told["opinions"]]) == (
        "discordant", [("AI", True), ("you", False)],
    )  # fmt: skip
    assert site.reviews.lock_double(id, False, "a rib", who=RUIZ)["state"] == "discordant"
    assert site.reviews.lock_double(id, False, "a rib", who=RUIZ)["answer"] is False
    figures = site.reviews.pairs(who=CHIEF)["figures"]
    assert figures.known >= 1 and figures.interval_cancers.n >= 1


def test_a_follow_up_is_found_by_itself_or_is_overdue(held: tuple[Site, Clock]) -> None:
    site, clock = held
    asked = {"finding": "nodule", "due": date(2027, 5, 18), "responsible": "Dr Ruiz", "modality": "CT"}
    first = site.reviews.ask_followup(uid(1), who=ITO, **asked)
    second = site.reviews.ask_followup(uid(2), who=ITO, **asked)
    third = site.reviews.ask_followup(uid(3), who=ITO, **asked)
    for n, on in ((1, date(2027, 5, 10)), (2, date(2026, 12, 1))):
        series = (Series(f"1.3.{n}.1", "CT"),)
        later = Study(f"1.3.{n}", Patient(f"P{n:02d}"), date=on, series=series)
        receive(site.database, site.blobs, site.journal, [(b"later %d" % n, _with_image(later))], "CT1", clock.now)
    clock.now = MONDAY + timedelta(days=190)
    told = site.reviews.followups(who=ITO)
    assert [(m.follow_up, m.study, m.sure) for m in told["possible"]] == [(second, "1.3.2", False)]
    assert site.reviews.match_followups(who=ITO) == 1
    assert site.reviews.match_followups(who=ITO) == 0
    states = {r["id"]: r["state"] for r in site.reviews.followups(who=ITO)["rows"]}
    assert states == {first: "completed", second: "overdue", third: "overdue"}
    site.reviews.match_followup(second, "1.3.2", who=ITO)
    site.reviews.close_followup(third, "done elsewhere", who=ITO)
    assert site.reviews.followups(who=ITO, state="overdue")["rows"] == []
    with pytest.raises(NotFound, match="another patient"):
        fourth = site.reviews.ask_followup(uid(4), who=ITO, **{**asked, "due": date(2028, 1, 1)})
        site.reviews.match_followup(fourth, "1.3.1", who=ITO)
    with pytest.raises(NotFound):
        site.reviews.close_followup("f" * 16, "x", who=ITO)


def test_who_answers_for_a_follow_up_that_they_may_not_read_yet_hears_that_it_is_due(
    held: tuple[Site, Clock],
) -> None:
    site, clock = held
    asked = {"finding": "nodule", "due": date(2027, 5, 18), "responsible": " Lee", "modality": "CT"}
    site.reviews.ask_followup(uid(1), who=ITO, **asked)
    site.reviews.ask_followup(uid(2), who=ITO, **{**asked, "responsible": "ruiz"})
    site.reviews.ask_double(uid(1), "q", ("ruiz", "lee"), who=CHIEF)
    site.reviews.ask_double(uid(2), "q", ("ruiz", "lee"), who=CHIEF)
    told = site.reviews.followups(who=LEE)
    assert (told["rows"], told["withheld"]) == ([], []), "what is due later would tell that there is something"
    clock.now = MONDAY.replace(year=2027, month=5, day=2)
    told = site.reviews.followups(who=LEE)
    assert (told["rows"], told["withheld"]) == ([], [{"due": "2027-05-18", "state": "due"}])
    assert "nodule" not in str(told) and uid(1) not in str(told)
    clock.now = MONDAY.replace(year=2027, month=5, day=19)
    assert site.reviews.followups(who=LEE)["withheld"][0]["state"] == "overdue"
    open_ = site.reviews.followups(who=ITO)
    assert len(open_["rows"]) == 2 and open_["withheld"] == []


def test_an_examination_that_arrives_completes_what_it_surely_answers_and_says_why(
    held: tuple[Site, Clock],
) -> None:
    site, clock = held
    asked = {"finding": "nodule", "due": date(2027, 5, 18), "responsible": "Dr Ruiz", "modality": "CT"}
    first, second = (site.reviews.ask_followup(uid(n), who=ITO, **asked) for n in (1, 2))
    clock.now = MONDAY + timedelta(days=190)
    for number, (patient, on, modality) in enumerate(
        (("P01", date(2027, 5, 10), "CT"), ("P02", date(2026, 12, 1), "CT"), ("P02", date(2027, 5, 10), "MR"),
         ("P04", date(2027, 5, 16), "CT")), 1,
    ):  # fmt: skip
        later = Study(f"1.3.{number}", Patient(patient), date=on, series=(Series(f"1.3.{number}.1", modality),))
        receive(site.database, site.blobs, site.journal, [(b"%d" % number, _with_image(later))], "CT1", clock.now)
    assert [site.reviews.match_arrived(f"1.3.{n}", who=HOUSE) for n in (1, 1, 2, 3, 4)] == [1, 0, 0, 0, 0]
    assert site.reviews.match_arrived("1.3.99", who=HOUSE) == 0, "it was rejected meanwhile"
    with pytest.raises(Forbidden):
        site.reviews.match_arrived("1.3.1", who=Person("gray", Role.RESEARCHER))
    (told,) = site.journal.since(kinds=(Kind.FOLLOW_UP_MATCHED,))
    assert (told.event.who, told.event.subject, told.event.details["study"]) == ("isocenter", uid(1), "1.3.1")
    assert told.event.details["why"] == "the same patient; CT as was asked; 8 days before the day on which it was due"
    site.identities.merge(("P04", ""), ("P02", ""), reason="one person", who=HOUSE)
    assert site.reviews.match_arrived("1.3.4", who=HOUSE) == 1, "it is of whom its study is of now"
    rows = {r["id"]: r for r in site.reviews.followups(who=ITO)["rows"]}
    assert rows[first]["state"] == rows[second]["state"] == "completed"
    assert rows[second]["completed_by"] == "isocenter"


def test_a_follow_up_outlives_a_merge_stays_in_its_project_and_ends_once(held: tuple[Site, Clock]) -> None:
    site, clock = held
    asked = {"finding": "nodule", "due": date(2027, 5, 18), "responsible": "Dr Ruiz", "modality": "CT"}
    mine = site.reviews.ask_followup(uid(2), who=ITO, **asked)
    clock.now = MONDAY + timedelta(days=190)
    early = Study("1.3.2", Patient("P77"), date=date(2026, 12, 1), series=(Series("1.3.2.1", "CT"),))
    receive(site.database, site.blobs, site.journal, [(b"early", _with_image(early))], "CT1", clock.now)
    site.identities.merge(("P02", ""), ("P77", ""), reason="one person", who=HOUSE)
    assert [(m.follow_up, m.study) for m in site.reviews.followups(who=ITO)["possible"]] == [(mine, "1.3.2")]
    elsewhere = replace(site.reviews, holds=lambda study, who, verb: study != "1.3.2")
    with pytest.raises(NotFound, match="none of that UID"):
        elsewhere.match_followup(mine, "1.3.2", who=ITO)
    with pytest.raises(NotFound, match="fitting"):
        replace(site.reviews, together=lambda one, other: False).match_followup(mine, "1.3.2", who=ITO)
    site.reviews.match_followup(mine, "1.3.2", who=ITO)
    for again in (lambda: site.reviews.match_followup(mine, "1.3.2", who=ITO),
                  lambda: site.reviews.close_followup(mine, "done elsewhere", who=ITO)):  # fmt: skip
        with pytest.raises(WrongState):
            again()


def _with_image(study: Study) -> Study:
    from isocenter.record import Instance

    series = study.series[0]
    image = Instance(f"{series.uid}.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "", 1, 1, 8, 8, 1)
    return replace(study, series=(replace(series, instances=(image,)),))


def test_a_thread_on_a_place_and_none_for_the_blind(site: Site) -> None:
    view = View(uid(5), f"{uid(5)}.1", f"{uid(5)}.1.1", marks=(Mark(3, 4),))
    threads = site.reviews.remark(view, "Vessel or nodule?", who=ITO)
    number = threads[0]["number"]
    threads = site.reviews.remark(view, "Vessel.", thread=number, who=LEE)
    assert [r["who"] for r in threads[0]["remarks"]] == ["ito", "lee"]
    assert site.reviews.settle(uid(5), number, who=ITO)[0]["settled"]
    site.reviews.ask_double(uid(5), "q", ("ruiz", "lee"), who=CHIEF)
    assert site.reviews.remarks(uid(5), who=RUIZ) == []
    with pytest.raises(NotFound, match="another's"):
        site.reviews.remark(View(uid(5), f"{uid(6)}.1"), "x", who=ITO)
    with pytest.raises(NotFound):
        site.reviews.remark(View(uid(5), image=f"{uid(6)}.1.1"), "x", who=ITO)
    with pytest.raises(NotFound):
        site.reviews.remarks("9.9", who=ITO)
    with pytest.raises(Forbidden):
        site.reviews.remarks(uid(5), who=Person("gray", Role.RESEARCHER))
