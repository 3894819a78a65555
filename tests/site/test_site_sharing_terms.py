"""What a link lets its holder do, to whom it shows whom, and what becomes of it when one of its studies is shut."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Forbidden, IsocenterError, NotFound, Refused, TooOften, WrongState
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.govern.sharing import May
from isocenter.record import Event, Kind
from isocenter.settings import Settings
from isocenter.site.marking import Drawn
from isocenter.site.sharing import Sharing
from isocenter.site.through_links import Bearer, images_of
from isocenter.site.verbs import Site

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CHIEF = Person("chief", Role.ADMIN)
SURNAME, FIRST, NUMBER, BORN, PHYSICIAN = "Kanarienvogel", "Quintessa", "CANARY-774411", "19610917", "Zeisigmann"
CANARIES = (SURNAME, FIRST, NUMBER, BORN, PHYSICIAN, "GEHEIMFELD", "1961-09-17")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def planted(name: str, study: str, at: int, **more: Any) -> bytes:
    """An image of a patient whose name, number and birth date are nobody's, with a private attribute."""
    ds = pydicom.dcmread(str(get_testdata_file(name)))
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = f"{SURNAME}^{FIRST}", NUMBER, BORN
    ds.ReferringPhysicianName, ds.StudyDescription = f"{PHYSICIAN}^Otto", f"Chest of {SURNAME}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{at}"
    ds.private_block(0x0099, "OWN HOUSE", create=True).add_new(1, "LO", "GEHEIMFELD")
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    out = BytesIO()
    ds.save_as(out)
    return out.getvalue()


WHY = "asked by the tumour board"
ONE, OTHER = "1.2.840.99.1", "1.2.840.99.2"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True)
    captured = planted("CT_small.dcm", ONE, 2, BurnedInAnnotation="YES")
    files = [planted("CT_small.dcm", ONE, 1), captured, planted("MR_small.dcm", OTHER, 1)]
    assert {s.status for s in house.site.receive(files, sender="CT1", who=HOUSE)} == {"stored"}
    yield house.site
    house.close()


@pytest.fixture
def sharing(site: Site, clock: Clock) -> Sharing:
    return Sharing(site.index, site.journal, site.blobs, clock, site.consents)


def held(secret: str, **more: str) -> Bearer:
    return Bearer(secret, "192.0.2.7", **more)


LINE = Drawn("length", np.array([[10.0, 10.0], [20.0, 10.0]]), f"{ONE}.1", f"{ONE}.1.1")


def test_a_link_that_lets_see_lets_neither_take_nor_measure_and_names_the_rule(sharing: Sharing, site: Site) -> None:
    secret, told = sharing.share(ONE, who=CHIEF)
    assert told["may"] == ["view"], "to see is all that is given unless more is said"
    series = sharing.studies(held(secret))[1][0].study.series[0]
    assert len(sharing.pictures(held(secret), series.uid).order) == 2
    looks = len(site.journal.since(kinds=[Kind.SHARE_USED]))
    counts = {"expected": 1, "stored": 1, "there": 0, "rejected": 0, "missing": 0}
    for rule, act in (
        ("download", lambda: sharing.instance(held(secret), f"{ONE}.1.1")),
        ("download", lambda: sharing.files(held(secret))),
        ("download", lambda: sharing.taken(held(secret), ONE, counts)),
        ("measure", lambda: sharing.measured(held(secret), LINE)),
    ):  # fmt: skip
        with pytest.raises(Forbidden, match=rf"rule 'shared\.{rule}'"):
            act()
    assert len(site.journal.since(kinds=[Kind.SHARE_USED])) == looks


def test_whoever_may_measure_gets_the_number_of_the_archive_and_nothing_is_kept(sharing: Sharing, site: Site) -> None:
    secret, _ = sharing.share(ONE, who=CHIEF, may=[May.MEASURE])
    made = sharing.measured(held(secret), LINE)
    spacing = float(pydicom.dcmread(str(get_testdata_file("CT_small.dcm"))).PixelSpacing[1])
    assert made.measurements[0].value == pytest.approx(10 * spacing) and made.measurements[0].unit == "mm"
    assert site.journal.since(kinds=[Kind.SHARE_USED])[-1].event.details["what"] == "measured length"
    assert not site.index.results(ONE)
    with pytest.raises(NotFound, match="does not show"):
        sharing.measured(held(secret), Drawn("length", LINE.points, f"{OTHER}.1", f"{OTHER}.1.1"))
    with pytest.raises(Forbidden, match=r"shared\.download"):
        sharing.instance(held(secret), f"{ONE}.1.1")


def test_links_of_older_versions_still_let_their_files_be_taken(sharing: Sharing, site: Site) -> None:
    sharing.share(OTHER, who=CHIEF)
    (given,) = site.journal.since(kinds=[Kind.SHARED])
    new = ("may", "pseudonym", "code")
    old = {k: v for k, v in given.event.details.items() if k not in new} | {"share": "0" * 16, "digest": "d" * 64}
    site.journal.append(Event(Kind.SHARED, NOW, "chief", OTHER, old))
    (row,) = [one for one in sharing.shares(who=CHIEF) if one["id"] == "0" * 16]
    assert (row["may"], row["pseudonym"], row["identity"]) == (["download", "view"], False, "not asked")


def test_several_studies_in_one_link_each_with_its_own_entries(sharing: Sharing, site: Site, clock: Clock) -> None:
    secret, told = sharing.share([ONE, OTHER, ONE], who=CHIEF, may=[May.DOWNLOAD], to="Dr Okafor")
    assert told["studies"] == [ONE, OTHER]
    _, seen = sharing.studies(held(secret))
    assert [one.study.uid for one in seen] == [ONE, OTHER]
    assert sharing.instance(held(secret), f"{OTHER}.1.1")[128:132] == b"DICM"
    for kind, times in ((Kind.SHARED, 1), (Kind.SHARE_USED, 1)):
        assert len(site.journal.since(kinds=[kind], subject=ONE)) == times, kind
    (row,) = sharing.shares(who=CHIEF, study_uid=OTHER)
    assert (row["opened"], row["used"]) == (1, 3)
    places = {place for place, data in sharing.files(held(secret)) if isinstance(data, bytes)}
    assert places == {
        f"study-{n}/series-1/{u}.dcm" for n, u in ((1, f"{ONE}.1.1"), (1, f"{ONE}.1.2"), (2, f"{OTHER}.1.1"))
    }
    sharing.end(told["id"], who=CHIEF, reason="read")
    assert [s.event.subject for s in site.journal.since(kinds=[Kind.SHARE_ENDED])] == [ONE, OTHER]
    with pytest.raises(Forbidden, match="opens nothing"):
        sharing.studies(held(secret))
    for wrong in ([], [ONE] * 3 + [f"1.2.{n}" for n in range(101)]):
        with pytest.raises(Refused, match="at most 100"):
            sharing.share(wrong, who=CHIEF)
    with pytest.raises(NotFound):
        sharing.share([ONE, "1.2.3"], who=CHIEF)


def test_a_study_whose_terms_end_leaves_a_link_and_the_others_stay(sharing: Sharing, site: Site) -> None:
    for study in (ONE, OTHER):
        site.consents.give({"GRU": ()}, who=CHIEF, study=study)
    secret, _ = sharing.share([ONE, OTHER], who=CHIEF, purpose=Purpose.SHARING)
    site.consents.withdraw(who=CHIEF, study=ONE, reason="letter")
    assert [one.uid for one in sharing.studies(held(secret))[1]] == [OTHER]
    with pytest.raises(NotFound):
        sharing.pictures(held(secret), f"{ONE}.1")
    (row,) = sharing.shares(who=CHIEF)
    assert row["closed"] == "" and list(row["shut"]) == [ONE] and "withdrawn" in row["shut"][ONE]
    site.consents.withdraw(who=CHIEF, study=OTHER)
    with pytest.raises(Forbidden, match="opens nothing"):
        sharing.studies(held(secret))
    assert "withdrawn" in sharing.shares(who=CHIEF)[0]["closed"]


def test_under_a_pseudonym_nothing_that_is_received_tells_who_it_is(sharing: Sharing, site: Site) -> None:
    begun = sharing.without_person([ONE], who=CHIEF, to="Dr Okafor")
    assert begun["of"] == 2
    sharing.pseudonymising.of(images_of(site.index.study(ONE)), "Dr Okafor")  # waits for them
    before = sharing.without_person([ONE], who=CHIEF, to="dr  OKAFOR")
    secret, _ = sharing.share([ONE, OTHER], who=CHIEF, may=list(May), pseudonym=True, to="Dr Okafor", reason=WHY)
    _, seen = sharing.studies(held(secret))
    one = seen[0].study
    series = one.series[0]
    assert one.uid != ONE and len({s.study.patient.id for s in seen}) == 1, "one person has one pseudonym"
    (said,) = before["studies"]
    assert (said["sees"]["id"], said["sees"]["name"]) == (one.patient.id, one.patient.name)
    assert (said["sees"]["series"], said["sees"]["images"]) == (1, 1)
    assert said["not_seen"]["person"] == ["name", "number", "birth date", "referring physician"]
    assert said["not_seen"]["private"] > 100 and seen[0].held_back == 1
    (kept,) = said["not_seen"]["held_back"]
    assert kept["images"] == 1 and "burned" in kept["why"]

    received = [sharing.instance(held(secret), series.instances[0].sop_uid)]
    received += [data for _, data in sharing.files(held(secret)) if isinstance(data, bytes)]
    words = repr([*seen, before, sharing.pictures(held(secret), series.uid)])
    for canary in CANARIES:
        assert not any(canary.lower().encode() in data.lower() for data in received), canary
        assert canary.lower() not in words.lower(), canary
    for uid in (ONE, f"{ONE}.1", f"{ONE}.1.1", f"{ONE}.1.2"):
        assert not any(uid.encode() + b"\0" in data for data in received), "its old names tell who it is"
        with pytest.raises(NotFound):
            sharing.instance(held(secret), uid)
    drawn = Drawn("length", LINE.points, series.uid, series.instances[0].sop_uid)
    assert sharing.measured(held(secret), drawn).measurements[0].unit == "mm"
    what = [s.event.details["what"] for s in site.journal.since(kinds=[Kind.SHARE_USED])]
    assert f"{ONE}.1.1" in what, "the journal knows which image that was"

    again = Sharing(site.index, site.journal, site.blobs, sharing.clock, site.consents, secret=sharing.secret)
    assert again.studies(held(secret))[1][0].study == one, "the same after a restart"
    other, _ = sharing.share(ONE, who=CHIEF, pseudonym=True, to="Dr Lee", reason=WHY)
    assert sharing.studies(held(other))[1][0].study.patient.id != one.patient.id, "two recipients cannot join them"


def test_a_pseudonym_is_refused_for_nobody_and_where_nothing_is_surely_clean(sharing: Sharing, site: Site) -> None:
    with pytest.raises(Refused, match="for nobody"):
        sharing.share(ONE, who=CHIEF, pseudonym=True)
    site.receive([planted("CT_small.dcm", "1.2.840.99.3", 1, BurnedInAnnotation="YES")], sender="CT1", who=HOUSE)
    with pytest.raises(Refused, match="nothing can be shown without the person"):
        sharing.share("1.2.840.99.3", who=CHIEF, pseudonym=True, to="Dr Okafor", reason=WHY)
    assert not site.journal.since(kinds=[Kind.SHARED])


def test_a_pseudonym_where_few_people_are_alike_wants_a_reason_that_is_kept(sharing: Sharing, site: Site) -> None:
    alone = {"who": CHIEF, "pseudonym": True, "to": "Dr Okafor"}
    sharing.pseudonymising.of(images_of(site.index.study(ONE)), "Dr Okafor")
    assert sharing.without_person([ONE], who=CHIEF, to="Dr Okafor")["few_alike"] is True
    for reason in ("", "  "):
        with pytest.raises(Refused, match=r"a group of 1 patient.*Add studies of more patients, or say why"):
            sharing.share(ONE, **alone, reason=reason)
    assert not site.journal.since(kinds=[Kind.SHARED])
    _, told = sharing.share([ONE, OTHER], **alone, reason=f" {WHY} ")
    assert told["reason"] == WHY and sharing.shares(who=CHIEF)[0]["reason"] == WHY
    assert {s.event.details["reason"] for s in site.journal.since(kinds=[Kind.SHARED])} == {WHY}
    _, told = sharing.share(ONE, who=CHIEF)  # with the person in it nobody is asked
    assert told["reason"] == ""


def test_a_pseudonym_for_five_people_who_are_alike_wants_no_reason(sharing: Sharing, site: Site) -> None:
    many = [f"1.2.840.98.{n}" for n in range(1, 6)]
    for n, uid in enumerate(many):
        one = planted("CT_small.dcm", uid, 1, PatientID=f"P{n}", PatientName=f"{SURNAME}^{n}")
        site.receive([one], sender="CT1", who=HOUSE)
    with pytest.raises(Refused, match="a group of 4 patients"):
        sharing.share(many[:4], who=CHIEF, pseudonym=True, to="Dr Okafor")
    secret, told = sharing.share(many, who=CHIEF, pseudonym=True, to="Dr Okafor")
    assert told["reason"] == "" and len({s.study.patient.id for s in sharing.studies(held(secret))[1]}) == 5
    assert sharing.without_person(many, who=CHIEF, to="Dr Okafor")["few_alike"] is False


def set_region(site: Site, *region: str) -> None:
    kept = site.preferences.site(who=CHIEF)
    patch = {"region": list(region) or None, "country": "DE", "institution": "north"}
    site.preferences.change_site(patch, version=kept.version, reason="a test", who=CHIEF)


def test_a_link_keeps_where_its_recipient_is_and_asks_nothing_where_no_region_is_set(
    sharing: Sharing, site: Site
) -> None:
    _, bare = sharing.share(ONE, who=CHIEF)
    assert (bare["institution"], bare["country"], bare["transfer_reason"]) == ("", "", "")
    _, told = sharing.share(ONE, who=CHIEF, to="Dr Okafor", institution=" University  of Lagos ", country="NG")
    assert (told["institution"], told["country"]) == ("University of Lagos", "NG")
    _, entry = (s.event.details for s in site.journal.since(kinds=[Kind.SHARED]))
    assert (entry["institution"], entry["country"]) == ("University of Lagos", "NG")
    row = site.ledgers.departures(who=CHIEF)["rows"][0]
    assert row["to"] == "Dr Okafor, University of Lagos, NG"
    (_, reached) = site.consents.reached(study=ONE, who=CHIEF)["links"]
    assert (reached["institution"], reached["country"]) == ("University of Lagos", "NG")
    for wrong in ("Nigeria", "ng", "N1"):
        with pytest.raises(Refused, match=f"the country '{wrong}'.*two letters"):
            sharing.share(ONE, who=CHIEF, country=wrong)


def test_a_link_out_of_the_region_wants_a_reason_that_is_kept(sharing: Sharing, site: Site) -> None:
    _, older = sharing.share(ONE, who=CHIEF, hours=1)
    set_region(site, "DE", "FR")
    with pytest.raises(Refused, match=r"into no country.*region is DE, FR.*[Ss]ay in which country"):
        sharing.share(ONE, who=CHIEF)
    for reason in ("", "  "):
        with pytest.raises(Refused, match=r"into NG without a reason.*region is DE, FR.*[Ss]ay why"):
            sharing.share(ONE, who=CHIEF, country="NG", transfer_reason=reason)
    with pytest.raises(Refused, match="into no country"):
        sharing.extend(older["id"], who=CHIEF, hours=9)
    assert len(site.journal.since(kinds=[Kind.SHARED])) == 1
    _, near = sharing.share(ONE, who=CHIEF, country="FR")
    _, far = sharing.share(ONE, who=CHIEF, country="NG", transfer_reason=f" {WHY} ", hours=1)
    assert (near["transfer_reason"], far["transfer_reason"]) == ("", WHY)
    assert site.journal.since(kinds=[Kind.SHARED])[-1].event.details["transfer_reason"] == WHY
    assert sharing.extend(far["id"], who=CHIEF, hours=9)["country"] == "NG"
    set_region(site)
    assert sharing.share(ONE, who=CHIEF)[1]["country"] == ""


def test_terms_of_use_are_asked_for_the_country_and_house_of_the_recipient_and_not_for_ours(
    sharing: Sharing, site: Site
) -> None:
    set_region(site)
    site.consents.give({"GRU": (), "GS": ("DE", "NG"), "IS": ("north", "lagos")}, who=CHIEF, study=ONE)
    research = {"who": CHIEF, "purpose": Purpose.SHARING}
    with pytest.raises(Refused, match="does not say which country"):
        sharing.share(ONE, **research)
    with pytest.raises(Refused, match="country US is not among"):
        sharing.share(ONE, **research, country="US", institution="lagos")
    secret, told = sharing.share(ONE, **research, country="NG", institution="lagos")
    assert sharing.studies(held(secret))[1] and told["lives"]
    site.consents.give({"GRU": (), "GS": ("DE",)}, who=CHIEF, study=OTHER)
    _, near = sharing.share(OTHER, **research, country="DE")
    assert sharing.extend(near["id"], who=CHIEF, hours=99)["lives"] and not sharing.shares(who=CHIEF)[0]["closed"]
    (answer,) = [a for a in site.consents.answers(study=OTHER, who=CHIEF) if a["purpose"] == "sharing"]
    assert not answer["allowed"] and "which country" in answer["reason"]


def test_a_link_with_a_check_opens_when_the_giver_has_confirmed_who_holds_it(
    sharing: Sharing, site: Site, clock: Clock
) -> None:
    secret, told = sharing.share(ONE, who=CHIEF, to="Dr Okafor", check=True)
    code, series = told["code"], f"{ONE}.1"
    assert told["identity"] == "wanted" and code not in repr(sharing.shares(who=CHIEF)[0])
    assert not any(code in repr(s.event.details) for s in site.journal.since())

    def closed(**more: str) -> None:
        for act in (sharing.studies, sharing.left_s, lambda b: sharing.pictures(b, series)):
            with pytest.raises(Forbidden, match=r"shared\.identity"):
                act(held(secret, **more))

    closed()
    closed(code=code)
    with pytest.raises(Refused, match="without a name"):
        sharing.state_identity(held(secret, code=code), "  ")
    with pytest.raises(Forbidden, match="code is not right"):
        sharing.state_identity(held(secret, code="0000-0000-0000-0000"), "Dr Okafor")
    assert sharing.state_identity(held(secret, code=code), "Dr  Okafor, Lagos") == "pending"
    closed(code=code)
    with pytest.raises(WrongState, match="waits for an answer"):
        sharing.state_identity(held(secret, code=code), "somebody else")
    (row,) = sharing.shares(who=CHIEF)
    assert (row["identity"], row["claim"]["name"], row["claim"]["address"]) == (
        "pending",
        "Dr Okafor, Lagos",
        "192.0.2.7",
    )
    with pytest.raises(Forbidden):
        sharing.judge(row["id"], row["claim"]["id"], True, who=Person("x", Role.RESEARCHER))
    with pytest.raises(WrongState, match="nobody states now"):
        sharing.judge(row["id"], "0" * 16, True, who=CHIEF)
    assert (
        sharing.judge(row["id"], row["claim"]["id"], False, who=CHIEF, reason="not her voice")["identity"] == "refused"
    )
    closed(code=code)
    sharing.state_identity(held(secret, code=code), "Ada Okafor")
    claim = sharing.shares(who=CHIEF)[0]["claim"]["id"]
    assert sharing.judge(row["id"], claim, True, who=CHIEF)["identity"] == "accepted"
    again = Sharing(site.index, site.journal, site.blobs, clock, site.consents)  # as after a restart
    assert again.studies(held(secret, code=code))[1][0].uid == ONE
    closed()  # the link alone is not enough, whoever finds it
    with pytest.raises(WrongState, match="accepted"):
        sharing.state_identity(held(secret, code=code), "somebody else")
    kinds = [s.event.kind for s in site.journal.since(kinds=[Kind.IDENTITY_STATED, Kind.IDENTITY_JUDGED])]
    assert kinds == [Kind.IDENTITY_STATED, Kind.IDENTITY_JUDGED] * 2
    with pytest.raises(Refused, match="for nobody"):
        sharing.share(ONE, who=CHIEF, check=True)
    plain, _ = sharing.share(ONE, who=CHIEF)
    with pytest.raises(Refused, match="asks nobody"):
        sharing.state_identity(held(plain), "Dr Okafor")


def test_the_code_of_a_link_is_not_guessed_from_many_addresses(sharing: Sharing, clock: Clock) -> None:
    secret, told = sharing.share(ONE, who=CHIEF, to="Dr Okafor", check=True)
    for n in range(20):
        with pytest.raises(Forbidden):
            sharing.state_identity(Bearer(secret, f"host {n}", code=f"{n:04d}-0000-0000-0000"), "Dr Okafor")
    with pytest.raises(TooOften):
        sharing.state_identity(Bearer(secret, "host 99", code=told["code"]), "Dr Okafor")
    clock.now += timedelta(minutes=16)
    assert sharing.state_identity(Bearer(secret, "host 99", code=told["code"]), "Dr Okafor") == "pending"


def test_a_preview_is_the_page_of_the_recipient_and_a_look_of_whoever_asks(sharing: Sharing, site: Site) -> None:
    secret, told = sharing.share(
        [ONE, OTHER], who=CHIEF, to="Dr Okafor", pseudonym=True, may=[May.MEASURE], word="früh um fünf", reason=WHY
    )
    before = sharing.preview([ONE, OTHER], who=CHIEF, to="Dr Okafor", pseudonym=True, may=[May.MEASURE])
    of_it = sharing.preview_of(told["id"], who=CHIEF)
    theirs = sharing.studies(held(secret, word="früh um fünf"))
    for one in (before, of_it):
        mine = sharing.studies(held(one))
        assert [s.study for s in mine[1]] == [s.study for s in theirs[1]] and mine[0].may == theirs[0].may
        with pytest.raises(Forbidden, match=r"shared\.download"):
            sharing.files(held(one))
    assert sharing.shares(who=CHIEF)[0]["opened"] == 1
    looks = site.journal.since(kinds=[Kind.IMAGES_SEEN])
    assert {(s.event.who, s.event.subject) for s in looks} == {("chief", ONE), ("chief", OTHER)}
    sharing.clock.now += timedelta(minutes=31)  # type: ignore[attr-defined]
    with pytest.raises(Forbidden, match="opens nothing"):
        sharing.studies(held(before))
    with pytest.raises(Forbidden):
        sharing.preview([ONE], who=Person("x", Role.RESEARCHER))


def test_another_archive_says_what_it_took_and_it_has_to_add_up(sharing: Sharing, site: Site) -> None:
    secret, _ = sharing.share([ONE, OTHER], who=CHIEF, may=[May.DOWNLOAD])
    whole = {"expected": 2, "stored": 1, "there": 0, "rejected": 0, "missing": 1}
    with pytest.raises(Refused, match="tells of 1"):
        sharing.taken(held(secret), ONE, whole | {"missing": 0})
    with pytest.raises(NotFound):
        sharing.taken(held(secret), "1.2.3", whole)
    sharing.taken(held(secret), ONE, whole)
    (row,) = sharing.shares(who=CHIEF)
    assert [{k: v for k, v in one.items() if k != "time"} for one in row["taken"]] == [{"study": ONE, **whole}]


def test_beside_a_link_stands_which_models_learned_from_its_studies(sharing: Sharing, site: Site) -> None:
    sharing.share([ONE, OTHER], who=CHIEF)
    sharing.share(OTHER, who=CHIEF)
    site.consents.give({"GRU": ()}, who=CHIEF, study=ONE)
    site.consents.taught("lung_nodule", "1.4", [ONE], who=CHIEF, use=site.consents.use(Purpose.TRAINING, who=CHIEF))
    other, both = sharing.shares(who=CHIEF)
    assert [(m["model"], m["version"]) for m in both["models"]] == [("lung_nodule", "1.4")] and other["models"] == []


def test_an_image_that_cannot_be_read_does_not_keep_the_others(sharing: Sharing, site: Site, tmp_path: Path) -> None:
    secret, _ = sharing.share(ONE, who=CHIEF, may=[May.DOWNLOAD])
    digest = site.index.study(ONE).series[0].instances[0].digest
    (stored,) = [path for path in tmp_path.rglob("*") if path.is_file() and digest in path.name]
    stored.unlink()
    kinds = [isinstance(data, IsocenterError) for _, data in sharing.files(held(secret))]
    assert sorted(kinds) == [False, True]
