"""Search as DICOM defines it (PS3.4 C.2.2.2), the same on both databases."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from store_samples import after, image, pixels

from isocenter.errors import Refused
from isocenter.record import Patient
from isocenter.store import receive
from isocenter.store.matching import name_keys, time_key

STUDIES = {
    "1.2.1": {
        "patient": Patient("P1", "Doe^Jane", date(1970, 1, 2), "F", "H"),
        "accession": "A1",
        "date": date(2026, 1, 1),
    },
    "1.2.2": {
        "patient": Patient("P2", "DOE^John^^", None, "M"),
        "accession": "a1",
        "date": date(2026, 1, 15),
        "time": "0930",
    },
    "1.2.3": {
        "patient": Patient("P_3", "Yamada^Tarou=山田^太郎=やまだ^たろう", None, "M"),
        "modality": "MR",
        "date": date(2026, 2, 1),
        "time": "101559.9",
    },
    "1.2.4": {
        "patient": Patient("P%4", "Müller^Änne", None, "F"),
        "description": "MR [head] 100%_a",
        "date": None,
        "time": "",
    },
    "1.2.5": {
        "patient": Patient("PX3", "van der Doe^Ann", None, ""),
        "modality": "PT",
        "referring": "Roe^Richard",
        "time": "235959",
    },
}


@pytest.fixture(scope="module")
def search(shared_archive: Any) -> Any:
    archive = shared_archive
    for n, (uid, more) in enumerate(STUDIES.items()):
        files = [(pixels(1, uid), image(1, study=uid, **more))]
        if uid == "1.2.3":
            files += [
                (pixels(i, uid), image(i, study=uid, series="1.2.3.2", **{**more, "modality": "SR"})) for i in (2, 3)
            ]
        receive(archive.database, archive.blobs, archive.journal, files, "S", after(n))

    def ask(level: str = "STUDY", fuzzy: bool = False, **keys: str) -> list[str]:
        rows = archive.index.find(level, keys, fuzzy=fuzzy)
        return sorted({row.get("StudyInstanceUID", row["PatientID"]) for row in rows})

    ask.archive = archive  # type: ignore[attr-defined]
    return ask


ALL = sorted(STUDIES)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({}, ALL),
        ({"PatientName": ""}, ALL),
        ({"PatientName": "*"}, ALL),
        ({"PatientName": "**", "StudyDate": ""}, ALL),
        ({"NoSuchKeyword": "x"}, ALL),
        ({"NumberOfStudyRelatedSeries": "9"}, ALL),
        # single value
        ({"PatientID": "P1"}, ["1.2.1"]),
        ({"PatientID": "p1"}, []),
        ({"PatientID": " P1 "}, ["1.2.1"]),
        ({"AccessionNumber": "a1"}, ["1.2.2"]),
        ({"AccessionNumber": "A1"}, ["1.2.1", "1.2.3", "1.2.4", "1.2.5"]),
        ({"PatientSex": "F", "PatientID": "P1"}, ["1.2.1"]),
        # wildcards, and the characters that a database gives a meaning of its own
        ({"PatientID": "P*"}, ALL),
        ({"PatientID": "P?3"}, ["1.2.3", "1.2.5"]),
        ({"PatientID": "P_3"}, ["1.2.3"]),
        ({"PatientID": "P_?"}, ["1.2.3"]),
        ({"PatientID": "P%*"}, ["1.2.4"]),
        ({"PatientID": "*4"}, ["1.2.4"]),
        ({"StudyDescription": "MR [[]head*"}, []),
        ({"StudyDescription": "MR [head]*"}, ["1.2.4"]),
        ({"StudyDescription": "*100%_?"}, ["1.2.4"]),
        ({"StudyDescription": "ct*"}, []),
        ({"StudyDescription": "*chest"}, ["1.2.1", "1.2.2", "1.2.3", "1.2.5"]),
        # names
        ({"PatientName": "doe^jane"}, ["1.2.1"]),
        ({"PatientName": "DOE^JOHN"}, ["1.2.2"]),
        ({"PatientName": "Doe*"}, ["1.2.1", "1.2.2"]),
        ({"PatientName": "d?e^j*"}, ["1.2.1", "1.2.2"]),
        ({"PatientName": "*doe*"}, ["1.2.1", "1.2.2", "1.2.5"]),
        ({"PatientName": "Doe"}, []),
        ({"PatientName": "müller^*"}, ["1.2.4"]),
        ({"PatientName": "MÜLLER^ÄNNE"}, ["1.2.4"]),
        ({"PatientName": "山田^太郎"}, ["1.2.3"]),
        ({"PatientName": "山田*"}, ["1.2.3"]),
        ({"PatientName": "yamada^tarou=山田^太郎"}, ["1.2.3"]),
        ({"PatientName": "yamada^tarou=山本^太郎"}, []),
        ({"ReferringPhysicianName": "roe*"}, ["1.2.5"]),
        # UIDs
        ({"StudyInstanceUID": "1.2.1"}, ["1.2.1"]),
        ({"StudyInstanceUID": "1.2.1\\1.2.4\\1.2.99"}, ["1.2.1", "1.2.4"]),
        ({"StudyInstanceUID": "1.2.1,1.2.5"}, ["1.2.1", "1.2.5"]),
        ({"StudyInstanceUID": "1.2.9"}, []),
        # dates and times
        ({"StudyDate": "20260115"}, ["1.2.2"]),
        ({"StudyDate": "20260101-20260131"}, ["1.2.1", "1.2.2", "1.2.5"]),
        ({"StudyDate": "20260116-"}, ["1.2.3"]),
        ({"StudyDate": "-20260101"}, ["1.2.1"]),
        ({"StudyDate": "2026.01.15"}, ["1.2.2"]),
        ({"StudyTime": "0930"}, ["1.2.2"]),
        ({"StudyTime": "1015"}, ["1.2.1", "1.2.3"]),
        ({"StudyTime": "10"}, ["1.2.1", "1.2.3"]),
        ({"StudyTime": "101530.5"}, ["1.2.1"]),
        ({"StudyTime": "1016-"}, ["1.2.5"]),
        ({"StudyTime": "0900-10:15:59"}, ["1.2.1", "1.2.2", "1.2.3"]),
        ({"PatientBirthDate": "19700102"}, ["1.2.1"]),
        # modalities
        ({"ModalitiesInStudy": "SR"}, ["1.2.3"]),
        ({"ModalitiesInStudy": "PT\\SR"}, ["1.2.3", "1.2.5"]),
        ({"ModalitiesInStudy": "PT,SR"}, ["1.2.3", "1.2.5"]),
        ({"ModalitiesInStudy": "?R"}, ["1.2.3"]),
        ({"ModalitiesInStudy": "US"}, []),
    ],
)
def test_study_level(search: Any, keys: dict[str, str], found: list[str]) -> None:
    assert search(**keys) == found


def test_fuzzy_names(search: Any) -> None:
    assert search(fuzzy=True, PatientName="doe") == ["1.2.1", "1.2.2", "1.2.5"]
    assert search(fuzzy=True, PatientName="jan do") == ["1.2.1"]
    assert search(fuzzy=True, PatientName="太郎") == ["1.2.3"]
    assert search(fuzzy=True, PatientName="oe") == []


@pytest.mark.parametrize("bad", ["yesterday", "2026", "20260231", "20261301-", "20260101-x", "101"])
def test_a_date_that_is_none_is_refused(search: Any, bad: str) -> None:
    with pytest.raises(Refused):
        search(StudyDate=bad)


@pytest.mark.parametrize("bad", ["noon", "1", "10:1"])
def test_a_time_that_is_none_is_refused(search: Any, bad: str) -> None:
    with pytest.raises(Refused, match="not a time"):
        search(StudyTime=bad)


def test_an_unknown_level_is_refused(search: Any) -> None:
    with pytest.raises(Refused, match="known are PATIENT"):
        search("FRAME")


def test_rows_carry_numbers_and_lists(search: Any) -> None:
    (row,) = search.archive.index.find("STUDY", {"StudyInstanceUID": "1.2.3"})
    assert row["ModalitiesInStudy"] == ["MR", "SR"]
    assert (row["NumberOfStudyRelatedSeries"], row["NumberOfStudyRelatedInstances"]) == (2, 3)
    assert (row["StudyDate"], row["StudyTime"]) == ("20260201", "101559.9")
    (row,) = search.archive.index.find("PATIENT", {"PatientID": "P_3"})
    numbers = [row[f"NumberOfPatientRelated{what}"] for what in ("Studies", "Series", "Instances")]
    assert numbers == [1, 2, 3]


def test_patient_level(search: Any) -> None:
    assert search("PATIENT", PatientName="doe*") == ["P1", "P2"]
    assert search("PATIENT", StudyDate="20260201") == ["P_3"]
    assert search("PATIENT", ModalitiesInStudy="PT") == ["PX3"]
    assert search("PATIENT", PatientSex="M", StudyDate="20260115") == ["P2"]


def test_series_level(search: Any) -> None:
    find = search.archive.index.find
    rows = find("SERIES", {"StudyInstanceUID": "1.2.3", "Modality": "SR"})
    assert [(r["SeriesInstanceUID"], r["NumberOfSeriesRelatedInstances"], r["SeriesNumber"]) for r in rows] == [
        ("1.2.3.2", 2, 1)
    ]
    assert len(find("SERIES", {"Modality": "CT\\PT", "BodyPartExamined": "CHEST"})) == 4
    assert rows[0]["PixelSpacing"] == [0.7, 0.7] and rows[0]["PatientID"] == "P_3"
    assert len(find("SERIES", {"SeriesNumber": "1"})) == 6 and find("SERIES", {"SeriesNumber": "x"}) == []


def test_image_level(search: Any) -> None:
    find = search.archive.index.find
    rows = find("IMAGE", {"SeriesInstanceUID": "1.2.3.2"})
    assert [(r["SOPInstanceUID"], r["InstanceNumber"], r["Rows"]) for r in rows] == [
        ("1.2.3.2.2", 2, 512),
        ("1.2.3.2.3", 3, 512),
    ]
    assert rows[0]["ImagePositionPatient"] == [0.0, 0.0, 2.0] and rows[0]["SOPClassUID"].startswith("1.2.840")
    assert len(find("IMAGE", {"InstanceNumber": "2\\3", "PatientID": "P_3"})) == 2


def test_facts_that_no_column_answers(archive: Any) -> None:
    more = {"KVP": 120, "StationName": "ROOM [1]"}
    files = [(pixels(n), image(n, shared=more, facts={"EchoTime": n * 1.5, "ImageType": "M*"})) for n in (1, 2)]
    receive(archive.database, archive.blobs, archive.journal, files, "S", after(0))
    find = archive.index.find
    assert len(find("IMAGE", {"EchoTime": "1.5"})) == 1 and len(find("IMAGE", {"KVP": "120"})) == 2
    assert find("IMAGE", {"EchoTime": "9"}) == [] and len(find("SERIES", {"StationName": "ROOM [[]1]"})) == 0
    assert len(find("SERIES", {"StationName": "ROOM [?]"})) == 1
    assert len(find("IMAGE", {'x"]); --': "1"})) == 2  # no keyword: ignored, never part of a query


def test_pages_of_rows_are_stable_and_unlimited_by_default(search: Any) -> None:
    find = search.archive.index.find
    whole = [r["StudyInstanceUID"] for r in find("STUDY", {})]
    assert whole == list(reversed(ALL))
    assert [r["StudyInstanceUID"] for k in range(0, 6, 2) for r in find("STUDY", {}, limit=2, offset=k)] == whole
    assert [r["StudyInstanceUID"] for r in find("STUDY", {}, offset=3)] == whole[3:]


def test_keys_of_names_and_times() -> None:
    assert name_keys("  DOE^John^^ ") == ("doe^john", "", "")
    assert name_keys("") == ("", "", "")
    assert [time_key(t) for t in ("", "10", "10:15", "101530.123456")] == [
        "",
        "100000000000",
        "101500000000",
        "101530123456",
    ]
