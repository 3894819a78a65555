"""The papers of safety are held to the code: what they name exists, each requirement has an answer, bills are whole."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from isocenter.cli.materials import bill

ROOT = Path(__file__).parents[1]
KNOW = ROOT / "docs/know"


def _rows(name: str) -> list[dict[str, str]]:
    with (KNOW / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _must_exist(test: str) -> None:
    place, _, name = test.partition("::")
    text = (ROOT / place).read_text("utf-8")
    assert not name or re.search(rf"^def {name}\(", text, re.M), test


@pytest.mark.parametrize("row", _rows("hazards.tsv"), ids=lambda row: row["hazard"])
def test_every_control_of_a_hazard_is_a_test_that_exists(row: dict[str, str]) -> None:
    _must_be_assessed(row)
    _must_exist(row["test"])


_KINDS = ("design", "protection", "information")


def _must_be_assessed(row: dict[str, str]) -> None:
    """Severity and probability in the words of ISO 14971; risks are those of the table, what remains bearable."""
    assert all(row.values()), "hazard, sequence, harm, severity, probability, control and what remains are all said"
    assert row["kind"] in _KINDS, "a control by design, a protection, or information (ISO 14971, 7.1)"
    table = {rule["severity"]: rule for rule in _rows("risk-acceptability.tsv")}
    assert row["severity"] in table, row["severity"]
    scale = [word for word in table[row["severity"]] if word != "severity"]
    assert row["probability"] in scale and row["after"] in scale, "no word of the scale"
    assert scale.index(row["after"]) <= scale.index(row["probability"]), "a control makes nothing more probable"
    steps = scale.index(row["probability"]) - scale.index(row["after"])
    assert row["kind"] != "information" or steps <= 1, "who is told something may pass over it"
    assert row["risk"] == table[row["severity"]][row["probability"]], "the risk before is that of the table"
    assert row["residual"] == table[row["severity"]][row["after"]] != "not acceptable", "the risk that remains"


def test_there_are_sixty_hazards_and_each_once() -> None:
    rows = _rows("hazards.tsv")
    assert len({row["hazard"] for row in rows}) == len(rows) >= 60


def _must_each_tell_its_sequence(rows: list[dict[str, str]]) -> None:
    """What leads from the hazard to the harm, by ISO 14971: words copied from another row tell nothing of this one."""
    told: dict[str, str] = {}
    for row in rows:
        words = " ".join((row.get("sequence") or "").casefold().split())
        assert 8 <= len(words.split()) <= 18, f"{row['hazard']}: a sequence of events in 8 to 18 words, not '{words}'"
        assert words not in told, f"{row['hazard']}: the sequence of '{told[words]}'"
        told[words] = row["hazard"]


def test_every_hazard_tells_the_sequence_that_leads_to_its_harm() -> None:
    _must_each_tell_its_sequence(_rows("hazards.tsv"))


def test_a_hazard_without_a_sequence_or_with_that_of_another_is_refused() -> None:
    first, second = _rows("hazards.tsv")[:2]
    _must_each_tell_its_sequence([first, second])
    without = {column: word for column, word in second.items() if column != "sequence"}
    for wrong in (without, second | {"sequence": ""}, second | {"sequence": " "}, second | {"sequence": "it fails"}):
        with pytest.raises(AssertionError, match=rf"{second['hazard']}: a sequence of events in 8 to 18 words"):
            _must_each_tell_its_sequence([first, wrong])
    for copied in (first["sequence"], f" {first['sequence'].upper()} "):
        with pytest.raises(AssertionError, match=f"the sequence of '{first['hazard']}'"):
            _must_each_tell_its_sequence([first, second | {"sequence": copied}])


@pytest.mark.parametrize(
    ("column", "word"),
    [
        ("sequence", ""),
        ("severity", ""),
        ("severity", "bad"),
        ("after", "never"),
        ("after", "frequent"),
        ("residual", "acceptable"),
        ("risk", ""),
        ("kind", "hope"),
        ("remains", ""),
    ],
)
def test_a_hazard_that_is_not_assessed_is_refused(column: str, word: str) -> None:
    row = next(r for r in _rows("hazards.tsv") if r["severity"] == "critical" and r["residual"] != "acceptable")
    with pytest.raises(AssertionError):
        _must_be_assessed({**row, column: word})


def test_every_promise_of_safety_is_a_test_that_exists_or_says_what_it_lacks() -> None:
    rows = _rows("requirements.tsv")
    assert len({row["promise"] for row in rows}) == len(rows) > 40
    for row in rows:
        assert row["answer"] in ("met", "partly", "open", "not applicable"), row
        assert row["words"] or row["answer"] == "met", f"what is not shown is said: {row['promise']}"
        if row["answer"] in ("met", "partly"):
            for test in row["test"].split() or [""]:
                _must_exist(test)
    counted = Counter(row["answer"] for row in rows)
    assert counted["partly"] <= 2 and counted["open"] <= 1, "a change for the worse is said on purpose"


@pytest.mark.parametrize(
    ("paper", "partly", "open_"),
    [
        ("room-sentences.tsv", 0, 0),
        ("trust-sentences.tsv", 1, 0),
        ("learn-sentences.tsv", 7, 3),
        ("catalogue-sentences.tsv", 9, 0),
    ],
)
def test_every_sentence_of_an_issue_names_the_tests_that_show_it_or_says_what_it_lacks(
    paper: str, partly: int, open_: int
) -> None:
    rows = _rows(paper)
    assert len({row["sentence"] for row in rows}) == len(rows) > 50
    for row in rows:
        assert row["answer"] in ("shown", "partly", "open"), row
        assert row["words"] or row["answer"] == "shown", f"what is not shown is said: {row['sentence']}"
        assert bool(row["test"]) == (row["answer"] != "open"), row
        for test in row["test"].split():
            _must_exist(test)
    counted = Counter(row["answer"] for row in rows)
    assert counted["partly"] <= partly and counted["open"] <= open_, "a change for the worse is said on purpose"


def test_every_promise_of_a_screen_is_a_test_that_exists_or_says_what_it_lacks() -> None:
    rows = _rows("browser.tsv")
    assert len({row["promise"] for row in rows}) == len(rows) > 50
    for row in rows:
        assert row["answer"] in ("met", "partly", "open"), row
        assert row["words"] or row["answer"] == "met", f"what is not shown is said: {row['promise']}"
        if row["answer"] != "open":
            _must_exist(row["test"])
    counted = Counter(row["answer"] for row in rows)
    assert counted["partly"] <= 3 and counted["open"] <= 1, "a change for the worse is said on purpose"


def test_every_requirement_of_asvs_has_one_answer_and_a_place_or_a_reason() -> None:
    rows = _rows("asvs-5.0.tsv")
    assert Counter(row["level"] for row in rows) == {"1": 70, "2": 183}
    assert len({row["requirement"] for row in rows}) == 253
    for row in rows:
        if row["answer"] in ("met", "partly"):
            assert (ROOT / row["where"]).exists(), row
        else:
            assert row["answer"] in ("open", "not applicable") and row["words"], row
    counts = Counter(row["answer"] for row in rows)
    assert counts["met"] >= 140 and counts["open"] <= 1, f"a change for the worse is said on purpose: {counts}"


def test_the_bill_of_materials_is_whole() -> None:
    lock = json.loads((ROOT / "web/package-lock.json").read_text("utf-8"))
    made = bill("2026-11-26T00:00:00+00:00", lock)
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", made["serialNumber"])
    refs = [one["bom-ref"] for one in made["components"]]
    assert len(refs) == len(set(refs)) and all(one["version"] and one["purl"] for one in made["components"])
    names = {one["name"] for one in made["components"]}
    declared = re.findall(r'"([A-Za-z0-9_-]+)(?:\[[a-z,]+\])?>=', (ROOT / "pyproject.toml").read_text("utf-8"))
    core = {name.lower().replace("_", "-") for name in declared} & {"pydicom", "fastapi", "sqlalchemy", "cryptography"}
    assert core == {"pydicom", "fastapi", "sqlalchemy", "cryptography"} <= names and "preact" in names
    root = made["metadata"]["component"]["bom-ref"]
    graph = {one["ref"]: one["dependsOn"] for one in made["dependencies"]}
    assert {ref for on in graph.values() for ref in on} <= {*refs, root} and len(graph[root]) > 20
