"""A question to a department, frozen with its digest, taken out under pseudonyms; counts held against SQL."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from department_for_oversight import ITO, department, uid
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.policy import Person, Role
from isocenter.record import Kind
from isocenter.site.verbs import HOUSE, Site

GRAY = Person("gray", Role.RESEARCHER)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Path]]:
    folder = tmp_path_factory.mktemp("cohorts")
    with department(folder) as (site, _):
        yield site, folder


def test_counts_are_those_of_the_database(site: tuple[Site, Path]) -> None:
    here, folder = site
    told = here.cohorts.ask("modality:CT", field="year", by="modality", who=ITO)
    with sqlite3.connect(next(folder.rglob("*.sqlite"))) as database:
        (n,) = database.execute("SELECT count(*) FROM study WHERE modalities LIKE '%CT%'").fetchone()
    assert (told["n"], told["of"], told["ledger"][0]["left_out"]) == (n, 30, 30 - n) == (20, 30, 10)
    assert [(g["group"], g["n"]) for g in told["chart"]["groups"]] == [("CT", 20)]
    assert {f["name"] for f in told["fields"]} >= {"modality", "year", "description"}
    assert "P01" not in json.dumps(told), "no patient's number in it"
    with pytest.raises(Forbidden):
        here.cohorts.ask("", who=Person("s", Role.SERVICE))


def test_who_reads_sees_no_study_that_is_not_signed(tmp_path: Path) -> None:
    with department(tmp_path, read=3) as (site, _):
        file = tmp_path / "x"
        from pydicom.data import get_testdata_file

        file.write_bytes(Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes())
        site.receive([file.read_bytes()], sender="CT", who=HOUSE)
        assert site.cohorts.ask("", who=ITO)["of"] == 3
        assert site.cohorts.ask("", who=GRAY)["of"] == 4


def test_a_frozen_cohort_never_changes_and_goes_out_with_a_receipt(site: tuple[Site, Path]) -> None:
    here, _ = site
    id = here.cohorts.freeze("CT of the north", "modality:CT description:study", who=GRAY)
    assert [c["id"] for c in here.cohorts.frozen(who=ITO)] == [id]
    told = here.cohorts.cohort(id, who=ITO)
    assert (told["n"], told["of"], told["gone"], told["name"]) == (20, 20, 0, "CT of the north")
    data, digest = here.cohorts.export(id, "csv", who=GRAY)
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert len(rows) == 20 and {"case", "person", "modality"} <= set(rows[0])
    assert uid(1) not in data.decode() and "P01" not in data.decode() and "PHANTOM" not in data.decode()
    numbers = [f"P{n:02d}" for n in range(100)] + [uid(n) for n in range(100)]
    for plain in (hashlib.sha256, hashlib.md5, hashlib.sha1):  # a dictionary of all numbers finds nobody
        tried = {plain(f"{salt}{number}".encode()).hexdigest() for number in numbers for salt in ("", f"{id}/", id)}
        said = [row[name].lower() for row in rows for name in ("case", "person")]
        assert not any(one in tail for one in said for tail in tried)
    again = list(csv.DictReader(io.StringIO(here.cohorts.export(id, "csv", who=GRAY)[0].decode())))
    assert again == rows, "the same cohort keeps its pseudonyms"
    other = here.cohorts.freeze("the same people", "modality:CT", who=GRAY)
    joined = csv.DictReader(io.StringIO(here.cohorts.export(other, "csv", who=GRAY)[0].decode()))
    assert not {row["person"] for row in joined} & {row["person"] for row in rows}, "another cohort cannot be joined"
    event = here.journal.since(kinds=(Kind.COHORT_EXPORTED,), limit=1)[0].event
    assert (event.details["file"], event.details["rows"], event.subject) == (digest, 20, id)
    assert here.cohorts.export(id, "parquet", who=GRAY)[0][:4] == b"PAR1"
    for bad in (("", ""), ("nobody", "modality:US")):
        with pytest.raises(Refused):
            here.cohorts.freeze(*bad, who=GRAY)
    with pytest.raises(NotFound):
        here.cohorts.cohort("ab", who=ITO)
