"""A patient through time on a real archive: in order, without what may not be seen, without a name in the address."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from isocenter.app import open_house
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Event, Finding, Kind, Measurement, Origin, Outcome, Receipt, Result, canonical, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site

ITO, RITA = Person("ito", Role.READER), Person("rita", Role.RESEARCHER)
# Two studies of one day, and days around the change to summer time: dates and times are the scanner's own words.
DAYS = (("20260328", "233000"), ("20260329", "013000"), ("20260329", "120000"), ("20250101", "080000"))


def image(day: str, at: str, patient: str = "P1", *, name: str = "Phantom^Eva", born: str = "") -> bytes:
    made = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    made.PatientID, made.PatientName, made.PatientBirthDate = patient, name, born
    made.SpecificCharacterSet = "ISO_IR 192"
    made.StudyDate, made.StudyTime = day, at
    made.StudyInstanceUID = generate_uid(entropy_srcs=[day, at, patient])
    made.SeriesInstanceUID = generate_uid(entropy_srcs=[day, at, patient, "s"])
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[day, at, patient, "i"])
    out = io.BytesIO()
    made.save_as(out)
    return out.getvalue()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    house.site.receive([*(image(*day) for day in DAYS), image("20260101", "100000", "P2")], sender="CT", who=HOUSE)
    yield house.site
    house.close()


def studies(site: Site) -> list[str]:
    """Of the first patient, the oldest first."""
    return [generate_uid(entropy_srcs=[*day, "P1"]) for day in sorted(DAYS)]


def says(site: Site, study_uid: str, mm: float, tracking: str, *, by: str = "image_quality") -> None:
    study = site.index.study(study_uid)
    size = Measurement(codes.LONG_AXIS, mm, "mm")
    found = Finding(codes.LESION, 0.9, None, (size,), codes.LUNG, codes.LEFT, "A lesion.", tracking)
    made = Result(study_uid, Outcome.FOUND, Origin("machine", by, "1"), site.clock(), findings=(found,),
                  measurements=(Measurement(codes.VOLUME, mm, "mL"),),
                  receipt=Receipt(series=tuple(s.uid for s in study.series)))  # fmt: skip
    digest = site.blobs.put(canonical(made))
    site.journal.append(Event(Kind.RESULT_MADE, site.clock(), "isocenter", study_uid, {"result": digest}))


def line(site: Site, study: str, who: Person = ITO) -> dict[str, Any]:
    return site.following.timeline(study, who=who)


def test_the_order_is_that_of_the_days_and_times_as_the_scanner_wrote_them(site: Site) -> None:
    told = line(site, studies(site)[2])
    assert [(s["date"], s["time"]) for s in told["studies"]] == [
        ("2025-01-01", "080000"), ("2026-03-28", "233000"), ("2026-03-29", "013000"), ("2026-03-29", "120000"),
    ]  # fmt: skip
    assert [s["here"] for s in told["studies"]] == [False, False, True, False]
    assert told["patient"].id == "P1"
    with pytest.raises(NotFound):
        line(site, "1.2.3")


def test_what_may_not_be_seen_yet_is_in_no_lane(site: Site) -> None:
    old, _, new, _ = studies(site)
    says(site, old, 10.0, "2.25.1")
    says(site, new, 12.0, "2.25.2")
    assert line(site, new)["lesions"] == []
    version = site.open(old, who=ITO).version
    site.lock(old, version=version, nothing=True, who=ITO)
    (lesion,) = line(site, new)["lesions"]
    assert [p and p["tracking"] for p in lesion["points"]] == ["2.25.1", None, None, None]
    assert len(line(site, new, RITA)["lesions"]) == 2, "who does not read is not bound"


def test_a_lane_of_numbers_is_about_the_person_and_not_about_the_images(site: Site) -> None:
    old, _, new, _ = studies(site)
    says(site, old, 10.0, "2.25.1", by="volumetry")
    says(site, new, 12.0, "2.25.2", by="image_quality")
    (row,) = line(site, new, RITA)["measurements"]
    assert [value and value["value"] for value in row["values"]] == [10.0, None, None, None]


def test_a_match_is_proposed_between_neighbours_and_a_person_decides(site: Site) -> None:
    _, old, new, _ = studies(site)
    says(site, old, 10.0, "2.25.1")
    says(site, new, 12.0, "2.25.2")

    def matches() -> list[list[str | None]]:
        _, found, _ = site.following.lesions(new, who=RITA)
        return [[p.match.value if p else None for p in one.points] for one in found]

    assert matches() == [[None, "first", "unsure", None]]
    for uid in (old, new):
        site.lock(uid, version=site.open(uid, who=ITO).version, nothing=True, who=ITO)
    site.following.match(new, "2.25.1", "2.25.2", same=False, who=ITO)
    assert matches() == [[None, "first", None, None], [None, None, "first", None]]
    site.following.match(new, "2.25.1", "2.25.2", same=True, who=ITO)
    assert matches() == [[None, "first", "same", None]]
    with pytest.raises(Refused, match="of one study"):
        site.following.match(new, "2.25.2", "2.25.2", same=True, who=ITO)
    with pytest.raises(NotFound):
        site.following.match(new, "2.25.1", "2.25.9", same=True, who=ITO)


def test_reports_and_access_are_counted(site: Site) -> None:
    study = studies(site)[0]
    version = site.open(study, who=ITO).version
    version = site.lock(study, version=version, nothing=True, who=ITO).version
    site.sign(study, version=version, who=ITO)
    told = line(site, studies(site)[3])
    assert [(e["lane"], e["what"], e["who"]) for e in told["events"]] == [("reports", "report signed", "ito")]
    assert told["access"] == {"readers": 1, "sent": 0, "exported": 0, "shared": 0, "ended": 0}
    given = {"share": "1", "until": "", "to": "Dr Lee"}
    for kind in (Kind.SHARED, Kind.SHARED, Kind.SHARE_ENDED):
        site.journal.append(Event(kind, site.clock(), "ito", study, given))
    told = line(site, study)
    assert [e["what"] for e in told["events"]] == ["report signed", "link given", "link given", "link ended"]
    assert (told["access"]["shared"], told["access"]["ended"]) == (2, 1)


def test_another_identity_with_the_name_and_the_day_of_birth_is_perhaps_the_same_person(site: Site) -> None:
    named = {"P3": ("PHANTOM^éva", "19600101"), "P4": ("Phantom^Eva", "19600101"), "P5": ("Phantom^Eva", "19600102"),
             "P6": ("Phantom^Ava", "19600101"), "P7": ("", "19600101"), "P8": ("Phantom^Eva", "")}  # fmt: skip
    site.receive(
        [image("20260401", "100000", p, name=n, born=b) for p, (n, b) in named.items()], sender="CT", who=HOUSE
    )
    site.receive([image("20260402", "100000", "P3", name="Phantom^Eva", born="19600101")], sender="CT", who=HOUSE)
    of = lambda patient, day="20260401": line(site, generate_uid(entropy_srcs=[day, "100000", patient]))  # noqa: E731
    assert [(one["id"], one["studies"]) for one in of("P4")["others"]] == [("P3", 2)]
    assert [one["id"] for one in of("P3")["others"]] == ["P4"]
    assert [of(patient)["others"] for patient in ("P5", "P6", "P7", "P8")] == [[]] * 4
    assert line(site, of("P4")["others"][0]["study"])["patient"].id == "P3", "where it leads"


def test_studies_of_a_project_in_which_one_has_no_part_are_counted_and_told_by_nothing_else(site: Site) -> None:
    chief, gone = Person("chief", Role.ADMIN), studies(site)[1]
    for person in (ITO, chief):
        site.add_person(person.name, person.role, "a long secret of their own", who=HOUSE)
    site.projects.found("trial", "a trial", keeper="chief", who=chief)
    assert line(site, studies(site)[0])["hidden"] == 0
    site.projects.move(gone, "trial", reason="enrolled", who=chief)
    told = line(site, studies(site)[0])
    assert (told["hidden"], len(told["studies"])) == (1, 3) and gone not in str(told)
    assert line(site, studies(site)[0], who=RITA)["hidden"] == 0, "a researcher treats nobody"
    site.projects.move(generate_uid(entropy_srcs=["20260101", "100000", "P2"]), "trial", reason="enrolled", who=chief)
    assert line(site, studies(site)[0])["hidden"] == 1, "another person's study is none of this one's"


def test_another_person_of_the_same_number_is_told_and_not_shown(site: Site) -> None:
    """A woman's study under a man's number stood in his timeline, and her lesion was proposed as his."""
    site.receive([image("20260401", "100000", born="19710203")], sender="CT", who=HOUSE)
    site.receive([image("20260402", "100000", born="19600101")], sender="CT", who=HOUSE)
    hers, his = (generate_uid(entropy_srcs=[day, "100000", "P1"]) for day in ("20260401", "20260402"))
    told = site.following.timeline(his, who=ITO)
    assert [s["study"] for s in told["studies"]] == [*studies(site), his]  # those that state no birth are the number's
    assert [(s["study"], s["date"], s["birth_date"]) for s in told["strangers"]] == [(hers, "2026-04-01", "1971-02-03")]
    assert site.following.timeline(studies(site)[0], who=ITO)["strangers"] == []


def test_a_study_without_its_date_stands_where_its_images_say(site: Site) -> None:
    made = dcmread(io.BytesIO(image("20260330", "100000")))
    made.StudyDate, made.SeriesDate, made.AcquisitionDate, made.ContentDate = "", "20260327", "20260327", "20260327"
    out = io.BytesIO()
    made.save_as(out)
    site.receive([out.getvalue()], sender="CT", who=HOUSE)
    told = site.following.timeline(studies(site)[0], who=ITO)["studies"]
    assert [s["date"] for s in told] == ["2025-01-01", "2026-03-27", "2026-03-28", "2026-03-29", "2026-03-29"]
