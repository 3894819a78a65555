"""QIDO-RS by URL, at every level and into sequences, answers as one would who reads every series."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import pytest
from store_samples import NOON, after, image, pixels
from test_store_search_law import by_eye, some_study

from isocenter.doors.dicomweb_paging import Paging
from isocenter.doors.dicomweb_query import parse, search
from isocenter.govern.policy import Person, Role
from isocenter.record import Event, Kind, Patient, Study
from isocenter.record.plain import to_plain
from isocenter.store import receive

_READER = Person("lee", Role.READER)
_TAGS = {
    "RequestAttributesSequence": "00400275", "ScheduledProcedureStepID": "00400009", "CodeValue": "00080100",
    "RequestedProcedureID": "00401001", "ScheduledProtocolCodeSequence": "00400008",
    "ProcedureCodeSequence": "00081032", "SeriesDate": "00080021", "SeriesTime": "00080031", "KVP": "00180060",
    "StudyID": "00200010", "StationName": "00081010", "ImageType": "00080008",
}  # fmt: skip
Row = dict[str, Any]


def _code(draw: random.Random) -> Row:
    return {
        "CodeValue": f"{draw.choice('CK')}{draw.randrange(9)}",
        "CodingSchemeDesignator": draw.choice(("99A", "LN")),
    }


def _requests(draw: random.Random) -> list[Row]:
    return [
        {
            "ScheduledProcedureStepID": f"SPS{draw.randrange(12)}", "RequestedProcedureID": f"RP{draw.randrange(6)}",
            "ScheduledProtocolCodeSequence": [_code(draw) for _ in range(draw.randrange(3))],
        }
        for _ in range(draw.randrange(4))
    ]  # fmt: skip


def some_series(draw: random.Random, study: Row, n: int) -> Row:
    """One series of two images; what they do not share stands with each."""
    facts = {
        "RequestAttributesSequence": _requests(draw), "ProcedureCodeSequence": study["ProcedureCodeSequence"],
        "SeriesDate": f"2026{draw.randint(1, 12):02}{draw.randint(1, 28):02}", "StudyID": study["StudyID"],
        "SeriesTime": draw.choice(("0930", "093015", "101530.5", "235959.999999")),
        "KVP": draw.choice((80, 100.0, 120)), "StationName": draw.choice(("CT1", "CT2", "MR [1]")),
        "ImageType": ["ORIGINAL", draw.choice(("AXIAL", "LOCALIZER"))],
    }  # fmt: skip
    facts = {word: value for word, value in facts.items() if value and draw.random() < 0.9}
    other = dict(facts)
    if draw.random() < 0.3:
        other["RequestAttributesSequence"] = _requests(draw)
    if draw.random() < 0.3:
        other["StationName"] = "CT9"
    return {"uid": f"{study['StudyInstanceUID']}.{n}", "modality": draw.choice(("CT", "MR")), "images": [facts, other]}


def _stored(archive: Any, draw: random.Random, many: int) -> list[Row]:
    rows = []
    for n in range(many):
        study = some_study(draw, n)
        study |= {"StudyID": f"S{draw.randrange(20)}", "ProcedureCodeSequence": [_code(draw)]}
        study["series"] = [some_series(draw, study, k) for k in range(1, draw.randint(2, 3))]
        study["ModalitiesInStudy"] = "\\".join(sorted({one["modality"] for one in study["series"]}))
        rows.append(study)
    for at in range(0, many, 500):
        archive.journal.append(*(_arrived(row) for row in rows[at : at + 500]))
    return rows


def _arrived(study: Row) -> Event:
    """What the journal is told of a study, without its bytes: ten thousand files would be the test's whole time."""
    made = [(one["uid"], to_plain(_record(study, one, k))) for one in study["series"] for k in (0, 1)]
    series: dict[str, Any] = {}
    instances = []
    for uid, whole in made:
        (of,) = whole["series"]
        series.setdefault(uid, of)
        image = {"study_uid": study["StudyInstanceUID"], "series_uid": uid, "series_facts": of["facts"]}
        instances.append({**of["instances"][0], **image})
    told = {"study": made[0][1], "series": series, "instances": instances}
    return Event(Kind.INSTANCES_RECEIVED, NOON, "S", study["StudyInstanceUID"], told)


def _record(study: Row, series: Row, k: int) -> Study:
    made = image(
        k + 1, study=study["StudyInstanceUID"], series=series["uid"], modality=series["modality"], date=study["day"],
        patient=Patient(study["PatientID"], study["PatientName"], None, study["PatientSex"]), time=study["StudyTime"],
        accession=study["AccessionNumber"], description=study["StudyDescription"], shared=series["images"][k], facts={},
    )  # fmt: skip
    return replace(made, series=(replace(made.series[0], number=int(series["uid"].rpartition(".")[2])),))


# ---- whoever reads everything


def _text_fits(wanted: str, held: Any) -> bool:
    if isinstance(held, list):
        return any(_text_fits(wanted, one) for one in held)
    if held is None:
        return not wanted.strip("*")
    if isinstance(held, int | float) and re.fullmatch(r"[\d.]+", wanted):
        return float(wanted) == held
    pattern = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in wanted)
    return re.fullmatch(pattern, str(held)) is not None


def _moment(text: str, fill: str) -> str:
    return re.sub(r"\D", "", text).ljust(12, fill)


def _fits(path: str, wanted: str, held: Row) -> bool:
    if path in ("SeriesDate", "SeriesTime"):
        low, dash, high = wanted.partition("-")
        said = held.get(path)
        at = _moment(said or "", "0")
        high = high if dash else low
        return said is not None and (not low or at >= _moment(low, "0")) and (not high or at <= _moment(high, "9"))
    return _text_fits(wanted, held.get(path))


def _group_fits(keys: dict[str, str], held: Row) -> bool:
    """All keys of one sequence in one item, as deep as they go."""
    plain = {path: value for path, value in keys.items() if "." not in path}
    inner: dict[str, dict[str, str]] = {}
    for path, value in keys.items():
        first, dot, rest = path.partition(".")
        if dot:
            inner.setdefault(first, {})[rest] = value
    return all(_fits(path, value, held) for path, value in plain.items()) and all(
        any(_group_fits(below, item) for item in held.get(first, ())) for first, below in inner.items()
    )


def _series_fits(keys: dict[str, str], series: Row) -> bool:
    """Each attribute by any image of the series; those of one sequence by one image, in one item."""
    groups: dict[str, dict[str, str]] = {}
    for path, value in keys.items():
        groups.setdefault(path.partition(".")[0], {})[path] = value
    return all(any(_group_fits(group, facts) for facts in series["images"]) for group in groups.values())


def found_by_eye(level: str, keys: dict[str, str], rows: list[Row]) -> set[str]:
    of_study = {word: value for word, value in keys.items() if word in rows[0] and word not in ("StudyID",)}
    rest = {word: value for word, value in keys.items() if word not in of_study}
    kept = by_eye(of_study, rows)
    found = set()
    for study in (row for row in rows if row["StudyInstanceUID"] in kept):
        for series in study["series"]:
            if level == "IMAGE":
                found |= {
                    f"{series['uid']}.{k + 1}" for k, facts in enumerate(series["images"]) if _group_fits(rest, facts)
                }
            elif _series_fits(rest, series):
                found.add(study["StudyInstanceUID"] if level == "STUDY" else series["uid"])
    return found


def _question(draw: random.Random, rows: list[Row], level: str) -> dict[str, str]:
    near = draw.choice(rows)
    facts = draw.choice(draw.choice(near["series"])["images"])
    keys: dict[str, str] = {}
    for request in facts.get("RequestAttributesSequence", ())[:1]:
        for word in draw.sample(("ScheduledProcedureStepID", "RequestedProcedureID"), draw.randint(0, 2)):
            keys[f"RequestAttributesSequence.{word}"] = request[word]
        for code in request["ScheduledProtocolCodeSequence"][:1]:
            if draw.random() < 0.5:
                keys["RequestAttributesSequence.ScheduledProtocolCodeSequence.CodeValue"] = code["CodeValue"]
    if draw.random() < 0.3 and "ProcedureCodeSequence" in facts:
        keys["ProcedureCodeSequence.CodeValue"] = facts["ProcedureCodeSequence"][0]["CodeValue"]
    if draw.random() < 0.3 and "StudyID" in facts:
        keys["StudyID"] = facts["StudyID"]
    if draw.random() < 0.3:
        keys["PatientSex"] = near["PatientSex"]
    if level != "STUDY":
        for word in draw.sample(("SeriesDate", "SeriesTime", "KVP", "StationName", "ImageType"), draw.randint(0, 2)):
            said = facts.get(word, "")
            keys[word] = str(draw.choice(said) if isinstance(said, list) else said)
            if word in ("SeriesDate", "SeriesTime") and keys[word]:
                keys[word] = draw.choice(("{}", "{}-", "-{}", "{}-{}")).replace("{}", keys[word])
    for path, value in keys.items():
        if value and draw.random() < 0.3 and path.rpartition(".")[2] not in ("SeriesDate", "SeriesTime", "KVP"):
            at = draw.randrange(len(value))
            keys[path] = value[:at] + draw.choice("?*") + value[at + 1 :]
    return {path: value for path, value in keys.items() if value.strip("*")}


_LEVELS = {"STUDY": "0020000D", "SERIES": "0020000E", "IMAGE": "00080018"}
_WRITTEN = 200  # rows


def _uids(rows: list[Row], level: str) -> list[str]:
    return [row[_LEVELS[level]]["Value"][0] for row in rows]


@pytest.mark.parametrize(("many", "questions"), [(40, 45), pytest.param(10_000, 600, marks=pytest.mark.nightly)])
def test_a_search_by_url_into_sequences_is_answered_as_by_whoever_reads_every_series(
    archive: Any, many: int, questions: int
) -> None:
    draw = random.Random(many)
    rows = _stored(archive, draw, many)
    site = _Site(archive.index)
    told = within = 0
    for n in range(questions):
        level = ("STUDY", "SERIES", "IMAGE")[n % 3]
        keys = _question(draw, rows, level)
        while not keys and many > _WRITTEN:  # which finds all
            keys = _question(draw, rows, level)
        url = [
            (".".join(_TAGS.get(w, w) if draw.random() < 0.5 else w for w in path.split(".")), keys[path])
            for path in keys
        ]
        query, expected = parse(url), found_by_eye(level, keys, rows)
        uids = _uids(search(site, level, replace(query, limit=_WRITTEN), {}, "http://x", _READER), level)
        if len(expected) > _WRITTEN:
            # A row takes a millisecond to write out: of many the first and the last are written, and all UIDs.
            every = archive.index.found(level, query.keys, limit=1 << 30)
            last = replace(query, limit=_WRITTEN, offset=len(expected) - 5)
            assert uids == every[:_WRITTEN], (level, keys)
            assert _uids(search(site, level, last, {}, "http://x", _READER), level) == every[-5:], (level, keys)
            uids = every
        assert len(uids) == len(set(uids)) and set(uids) == expected, (level, keys)
        told += 0 < len(uids) < many
        within += any("." in path for path in keys) and bool(uids)
    assert told > questions / 2 and within > questions / 4, "questions that tell studies apart, and go into sequences"


class _Site:
    def __init__(self, index: Any) -> None:
        self._index = index

    def find(self, level: str, keys: dict[str, str], *, who: Person, **rest: Any) -> list[Row]:
        found: list[Row] = self._index.find(level, keys, **rest)
        return found

    def found(self, level: str, keys: dict[str, str], *, who: Person, most: int, fuzzy: bool = False) -> list[str]:
        found: list[str] = self._index.found(level, keys, limit=most, fuzzy=fuzzy)
        return found


@pytest.mark.parametrize("level", _LEVELS)
def test_pages_show_each_row_once_while_studies_and_images_come(archive: Any, level: str) -> None:
    """A study to which images come is new again and stands first: cut from what stands now, pages would lose it."""

    def came(study: int, k: int, seconds: int) -> None:
        one = image(k, study=f"1.2.{study}", shared={}, facts={})
        receive(archive.database, archive.blobs, archive.journal, [(pixels(k, str(study)), one)], "S", after(seconds))

    for n in range(9):
        came(n, 1, n)
    site, paging, seen = _Site(archive.index), Paging(clock=lambda: 0.0), []

    def page(offset: int, who: Person = _READER) -> list[str]:
        url = [("limit", "4"), ("offset", str(offset)), ("Modality", "CT")]
        rows = search(site, level, parse(url), {}, "http://x", who, paging)
        return [row[_LEVELS[level]]["Value"][0] for row in rows]

    before = archive.index.found(level, {}, limit=100)
    for offset in range(0, 12, 4):
        seen += page(offset)
        came(20 + offset, 1, 100 + offset)  # a new study
        came(offset // 4, 2, 200 + offset)  # an image of a study that is still to come, or was shown
    assert seen == before and page(12) == [], "each once, in the order of the first page"
    assert page(4, Person("kim", Role.READER)) != seen[4:8], "another person's search is another"
    assert page(0) == archive.index.found(level, {}, limit=4), "whoever begins again sees what stands now"


def test_a_search_that_went_on_too_long_or_is_too_long_goes_on_with_what_stands(
    archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isocenter.doors import dicomweb_paging

    for n in range(6):
        files = [(pixels(1, str(n)), image(1, study=f"1.2.{n}", shared={}, facts={}))]
        receive(archive.database, archive.blobs, archive.journal, files, "S", after(n))
    now = [0.0]
    site, paging = _Site(archive.index), Paging(clock=lambda: now[0])

    def page(offset: int) -> list[str]:
        rows = paging.page(site, "STUDY", {}, who=_READER, limit=2, offset=offset, fuzzy=False)
        return [row["StudyInstanceUID"] for row in rows]

    assert page(0) == ["1.2.5", "1.2.4"]
    files = [(pixels(1, "new"), image(1, study="1.2.9", shared={}, facts={}))]
    receive(archive.database, archive.blobs, archive.journal, files, "S", after(60))
    assert page(2) == ["1.2.3", "1.2.2"]
    now[0] = 600.0
    assert page(2) == ["1.2.4", "1.2.3"], "ten minutes are over"
    monkeypatch.setattr(dicomweb_paging, "_MOST_ROWS", 3)
    assert page(0) == ["1.2.9", "1.2.5"] and page(2) == ["1.2.4", "1.2.3"] and page(6) == ["1.2.0"]


def test_keys_of_one_sequence_are_of_one_item_and_come_back_whole(archive: Any) -> None:
    """PS3.4 C.2.2.2.6: the step of one request and the procedure of another are not a match."""
    items = [
        {"ScheduledProcedureStepID": "A", "RequestedProcedureID": "1"},
        {"ScheduledProcedureStepID": "B", "RequestedProcedureID": "2"},
    ]
    study = image(1, shared={"RequestAttributesSequence": items, "StudyID": "77"})
    receive(archive.database, archive.blobs, archive.journal, [(pixels(1), study)], "S", after(0))
    site, path = _Site(archive.index), "RequestAttributesSequence."

    def rows(step: str, procedure: str, level: str = "SERIES") -> list[Row]:
        url = [(path + "ScheduledProcedureStepID", step), (path + "RequestedProcedureID", procedure)]
        return search(site, level, parse([*url, ("includefield", "all")]), {}, "http://x", _READER)

    assert [rows("A", "2"), rows("B", "1", "STUDY"), rows("B", "1", "IMAGE")] == [[], [], []]
    for level in ("SERIES", "IMAGE"):
        (row,) = rows("B", "2", level)
        told = row["00400275"]["Value"]
        assert [[one[tag]["Value"] for tag in ("00400009", "00401001")] for one in told] == [
            [["A"], ["1"]],
            [["B"], ["2"]],
        ]
    (row,) = rows("A", "1", "STUDY")
    assert row["00200010"] == {"vr": "SH", "Value": ["77"]}


def test_a_study_is_not_found_by_a_series_that_may_not_be_seen(archive: Any) -> None:
    study = image(1, shared={"StudyID": "77", "RequestAttributesSequence": [{"ScheduledProcedureStepID": "A"}]})
    receive(archive.database, archive.blobs, archive.journal, [(pixels(1), study)], "S", after(0))
    for keys in ({"StudyID": "77"}, {"RequestAttributesSequence.ScheduledProcedureStepID": "A"}, {"Modality": "CT"}):
        assert len(archive.index.find("STUDY", keys)) == 1
        assert archive.index.find("STUDY", keys, without=["1.2.1.1"]) == []
