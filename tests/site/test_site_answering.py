"""Why a study was not analysed: each need of each analysis, met or not met, with the value that was seen."""

from __future__ import annotations

from pathlib import Path

from department_for_oversight import ITO, department, uid


def test_what_did_not_look_tells_each_predicate(tmp_path: Path) -> None:
    with department(tmp_path, read=1) as (site, _):
        told = {line["analysis"]: line for line in site.why(uid(1), who=ITO)}
        checks = told["pet_uptake"]["checks"]
        assert told["pet_uptake"]["answer"] == "declined"
        first = checks[0]
        assert (first["need"], first["predicate"], first["wanted"], first["met"]) == ("pet", "modality", "PET", False)
        assert first["found"] == "series 1 is CT"
        assert any(c["met"] for c in checks), "what is met is told too"
        assert any(c["optional"] for c in checks)
