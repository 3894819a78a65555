"""The commands on what data may be used for, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from isocenter.app import open_house
from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.govern.policy import HOUSE
from isocenter.settings import Settings


def asked(*words: str, code: int = 0) -> dict:  # type: ignore[type-arg]
    done = CliRunner().invoke(app, [*words, "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_consent_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_FOLDER", str(tmp_path / "archive"))
    house = open_house(Settings(folder=tmp_path / "archive"), make=True)
    house.site.receive([Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()], sender="CT1", who=HOUSE)
    study = house.site.studies(who=HOUSE)[0]
    house.close()
    with pytest.raises(Refused, match="nothing is known"):
        asked("export", study.uid, str(tmp_path / "out"))
    assert asked("consent", "asked", study.uid, "care")["allowed"]
    made = asked("consent", "give", "HMB", "IRB", "TS=2999-12-31", "--patient", study.patient.id, "--source", "form 7")
    assert [t["short"] for t in made["terms"]] == ["HMB", "IRB", "TS"]
    with pytest.raises(Refused, match="IRB"):
        asked("consent", "asked", study.uid, "research")
    assert asked("consent", "asked", study.uid, "research", "--say", "ethics=EC-12")["by"] == made["id"]
    said = ["--say", "ethics=EC-12", "--reason", "a second opinion"]
    with pytest.raises(Refused, match="a group of 1 patient"):
        asked("export", study.uid, str(tmp_path / "out"), *said[:2])
    assert not (tmp_path / "out").exists()
    assert asked("export", study.uid, str(tmp_path / "out"), *said)["report"]["use"] == "research"
    file = tmp_path / "consents.json"
    fhir = {"resourceType": "Consent", "status": "inactive", "patient": {"identifier": {"value": study.patient.id}}}
    file.write_text(json.dumps(fhir) + "\n" + json.dumps({"resourceType": "Patient"}))
    said = asked("consent", "take", str(file), code=1)
    assert len(said["recorded"]) == 1 and "Consent is wanted" in said["refused"][0]["reason"]
    assert asked("consent", "show", "--patient", study.patient.id)["consents"] == []
    with pytest.raises(Refused, match="withdrawn"):
        asked("consent", "asked", study.uid, "research", "--say", "ethics=EC-12")
    assert asked("consent", "withdraw", "--study", study.uid)["exports"][0]["objects"] == 1
    assert asked("consent", "unasked", "research", "allow", "--reason", "phantoms")["unasked"] == {"research": "allow"}
    run = CliRunner()
    strange = ["--patient", "a slip of the pen"]
    assert (
        "no study of a patient 'a slip of the pen' is here"
        in run.invoke(app, ["consent", "give", "GRU", *strange]).output
    )
    ended = run.invoke(app, ["consent", "withdraw", *strange]).output
    assert "withdrawn for 0 studies; nothing of them had left before" in ended and "look at it again" in ended
    assert "is here" not in run.invoke(app, ["consent", "give", "GRU", "--patient", study.patient.id]).output
    told = run.invoke(app, ["consent", "withdraw", "--patient", study.patient.id]).output
    assert "withdrawn for 1 study; what had left before cannot be called back:\n   exports: event" in told
    with pytest.raises(Refused, match=r"terms that ended on 2020-01-02 00:00.*a day to come"):
        asked("consent", "give", "GRU", "--patient", study.patient.id, "--until", "2020-01-01")
    with pytest.raises(Refused, match=r"the term 'training'.*GRU permits"):
        asked("consent", "give", "training", "--patient", study.patient.id)
    for wrong in ("colour=red", "ethics", "publishes=yes"):
        with pytest.raises(Refused, match="said of a use"):
            asked("consent", "asked", study.uid, "research", "--say", wrong)
