"""A model goes its whole way by the command, and is suspended in one act; what is missing is named at every step."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import onnx
import onnx.numpy_helper

from isocenter.analysis.weights import models, placed
from isocenter.app import open_house
from isocenter.cli import app
from isocenter.errors import Forbidden, IsocenterError, NotFound, Refused
from isocenter.govern.passwords import hash_password
from isocenter.govern.policy import Person, Role
from isocenter.learn.card import marks_in
from isocenter.learn.learnt import keep
from isocenter.learn.recalibrate import recalibrated
from isocenter.learn.sealed import digest_of_data
from isocenter.record import Event, Kind
from isocenter.settings import Settings

NAME, RUN = "cleveland_heart", CliRunner()
WORD = "four quiet herons wade"
CHANGE = {"may_change": ["weights"], "protocol": {"shadow_cases": 0, "looks": 2}, "impact": "none: a demonstration"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng, inputs = np.random.default_rng(0), models()[NAME][0].inputs
    known = [c["values"] or [c["low"], c["high"]] for c in inputs["columns"]]
    rows = [[f"{rng.choice(v):g}" for v in known] + [f"{inputs['labels'][i % 2]:g}"] for i in range(40)]
    (tmp_path / "test.csv").write_text("\n".join(map(",".join, rows)))
    (tmp_path / "groups.csv").write_text("sex\n" + "\n".join("FM"[i // 20] for i in range(40)))
    (tmp_path / "change.json").write_text(json.dumps(CHANGE))
    held = open_house(Settings(folder=tmp_path / "archive"), make=True)
    now, credential = held.site.clock(), hash_password(WORD)
    for name, role in (("ito", "admin"), ("lee", "admin"), ("kim", "reader")):
        told = {"role": role, "credential": credential}
        held.site.journal.append(Event(Kind.PERSON_ADDED, now, "isocenter", name, told))
    held.close()
    (tmp_path / "word").write_text(f"{WORD}\n")
    (tmp_path / "word").chmod(0o600)
    return tmp_path


def release(folder: Path, *said: str, name: str = NAME) -> Any:
    asked = ["release", name, "--json", "--folder", str(folder / "archive"), *said]
    where = {"ISOCENTER_PASSWORD_FILE": str(folder / "word")}
    result = CliRunner(env=where).invoke(app, asked, catch_exceptions=True)
    if isinstance(result.exception, IsocenterError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_whole_way(folder: Path) -> None:
    mine = ("--by", "ito", "--reason", "it is time")
    assert release(folder, "--show")["state"] == "candidate"
    for said, lacks in (
        ((), "takes"), (("--by", "kim", "--reason", "r"), "release"), (("--by", "nobody"), "belong together"),
        ((*mine, "--step", "release"), "possible are"), (mine, "test"),
    ):  # fmt: skip
        with pytest.raises(IsocenterError, match=lacks):
            release(folder, *said)
    with pytest.raises(NotFound, match="no data at"):
        release(folder, *mine, "--change", str(folder / "change.json"), "--seal", str(folder / "none.csv"))
    assert release(folder, "--show")["change"] is None, "half of a command is not written down"
    sealed = release(folder, *mine, "--change", str(folder / "change.json"), "--seal", str(folder / "test.csv"))
    assert sealed["missing"] == ["it was not measured on the sealed test set (--data DATA --groups CSV)"]
    with pytest.raises(IsocenterError, match="another one"):
        release(folder, *mine, "--data", str(folder / "groups.csv"))
    with pytest.raises(NotFound, match=r"no groups at .* Give a CSV"):
        release(folder, *mine, "--data", str(folder / "test.csv"), "--groups", str(folder / "none.csv"))
    look = ("--data", str(folder / "test.csv"), "--groups", str(folder / "groups.csv"))
    tested = release(folder, *mine, *look)
    assert tested["state"] == "tested" and tested["looks"] == 1 and tested["judged"]["metric"] == "auc"
    assert release(folder, *mine)["state"] == "compared"
    assert release(folder, *mine)["state"] == "shadow"
    assert release(folder, *mine)["released"]
    assert release(folder, *mine, "--step", "suspend")["state"] == "suspended"
    with pytest.raises(IsocenterError, match="two people"):
        release(folder, *mine)
    yours = ("--by", "lee", "--reason", "it was the scanner")
    with pytest.raises(Refused, match=r"no new cases were sealed since it was suspended \(--seal DATA\)"):
        release(folder, *yours)
    with pytest.raises(Refused, match="no new cases"):  # the cases that it passed before
        release(folder, *yours, *look)
    rng, lines = np.random.default_rng(3), (folder / "test.csv").read_text().splitlines()
    (folder / "later.csv").write_text("\n".join(lines[n] for n in rng.choice(len(lines), 40)))
    wide = {**CHANGE, "protocol": {"shadow_cases": 0, "margin": 0.9, "group_margin": 0.9, "least_events": 2}}
    (folder / "again.json").write_text(json.dumps(wide))
    release(folder, *yours, "--change", str(folder / "again.json"), "--seal", str(folder / "later.csv"))
    later = ("--data", str(folder / "later.csv"))
    with pytest.raises(Refused, match="in no group"):
        release(folder, *yours, *later)
    told = release(folder, *yours, *later, "--groups", str(folder / "groups.csv"))
    assert told["state"] == "suspended" and told["looks"] == 1 and not told["missing"], told["missing"]
    assert {g.get("group", "") for g in told["judged"]["gaps"]} == {"", "sex F", "sex M"}
    archive = ["--folder", str(folder / "archive")]
    shown = RUN.invoke(app, ["release", NAME, "--show", *archive]).output
    assert "in sex F: now minus when it was released sensitivity" in shown and "is the step 'release'" in shown, shown
    told = release(folder, *yours)
    assert told["state"] == "released" and [s["by"] for s in told["steps"]][-3:] == ["ito", "lee", "lee"]


@pytest.mark.nightly
def test_a_recalibrated_model_goes_the_same_way_and_no_other_network_in_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, files = ("--by", "ito", "--reason", "it is time"), models()[NAME][1].parent
    rng, lines = np.random.default_rng(1), (folder / "test.csv").read_text().splitlines()
    other = [",".join([*line.split(",")[:-1], rng.permutation(lines)[0].split(",")[-1]]) for line in lines * 3]
    (folder / "local.csv").write_text("\n".join(other))
    change = {**CHANGE, "may_change": ["calibration"], "protocol": {"shadow_cases": 0, "group_margin": 0.3}}
    look = ("--data", str(folder / "test.csv"), "--groups", str(folder / "groups.csv"))
    held = open_house(Settings(folder=folder / "archive"))
    gating, test = held.site.gating, digest_of_data(folder / "test.csv")
    said = {"reason": "it is time", "who": Person("ito", Role.ADMIN)}
    gating.declare(NAME, change, **said)
    gating.seal(NAME, test, **said)
    gating.look(NAME, test, **said)
    primary = {"value": 0.9, "low": 0.8, "high": 1.0}
    gating.judged(NAME, {"metric": "auc", "n": 40, "against": "", "primary": primary, "gaps": []}, **said)
    assert [gating.step(NAME, step, **said) for step in ("compare", "shadow", "release")][-1] == "released"
    held.close()
    made = recalibrated(NAME, folder / "local.csv", folder / "next" / NAME, "temperature")
    monkeypatch.setenv("ISOCENTER_MODELS", str(folder / "next"))
    against = (*look, "--against", str(files))
    right = (folder / "next" / NAME / "model.onnx").read_bytes()
    whole = onnx.load_model_from_string(right)
    weights = next(t for t in whole.graph.initializer if not t.name.startswith("recalibrated/"))
    weights.CopyFrom(onnx.numpy_helper.from_array(2 * onnx.numpy_helper.to_array(weights), weights.name))
    record = json.loads((folder / "next" / NAME / "model.json").read_text())
    _put(folder, whole.SerializeToString(), record)
    with pytest.raises(IsocenterError, match="only the calibration changed, and the network is another"):
        release(folder, *mine, *against)
    _put(folder, right, record)
    tested = release(folder, *mine, *against)
    gaps = tested["judged"]["gaps"]
    assert tested["digest"] == made.digest and tested["state"] == "tested" and tested["looks"] == 1
    assert {g.get("group", "") for g in gaps} >= {"", "sex F", "sex M"} and all(g["value"] == 0 for g in gaps), gaps
    states = [release(folder, *mine)["state"] for _ in range(3)]
    assert states == ["compared", "shadow", "released"]


def _put(folder: Path, weights: bytes, record: dict[str, Any]) -> None:
    """Weights and a record that names them."""
    place = folder / "next" / NAME
    (place / "model.onnx").write_bytes(weights)
    (place / "model.json").write_text(json.dumps({**record, "digest": hashlib.sha256(weights).hexdigest()}))


def test_a_sealed_test_of_what_it_learnt_from_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (40, 28, 28), dtype=np.uint8)
    np.savez(folder / "test.npz", test_images=pictures, test_labels=np.arange(40) % 2)
    shutil.copytree(models()["breastmnist"][1].parent, folder / "shelf" / "breastmnist")
    keep(folder / "shelf" / "breastmnist", pictures[:2])
    record = folder / "shelf" / "breastmnist" / "model.json"
    told = json.loads(record.read_text("utf-8"))
    told["card"]["training"] |= marks_in(record.parent)
    record.write_text(json.dumps(told), "utf-8")
    monkeypatch.setenv("ISOCENTER_MODELS", str(folder / "shelf"))
    mine = ("--by", "ito", "--reason", "it is time")
    change = ("--change", str(folder / "change.json"), "--seal", str(folder / "test.npz"))
    release(folder, *mine, *change, name="breastmnist")
    with pytest.raises(IsocenterError, match="2 of 40 cases of the sealed test: breastmnist has learnt from them"):
        release(folder, *mine, "--data", str(folder / "test.npz"), name="breastmnist")
    shown = release(folder, "--show", name="breastmnist")
    assert shown["state"] != "tested" and shown["looks"] == 0, "nothing was measured, so no look is used up"


def test_a_look_tells_its_figure_with_its_interval_and_every_step_the_next(folder: Path) -> None:
    def said(*words: str) -> str:
        asked = ["release", NAME, "--folder", str(folder / "archive"), "--by", "ito", "--reason", "r", *words]
        done = CliRunner(env={"ISOCENTER_PASSWORD_FILE": str(folder / "word")}).invoke(app, asked)
        assert done.exit_code == 0, done.exception
        return done.output

    test = str(folder / "test.csv")
    first = said("--change", str(folder / "change.json"), "--seal", test)
    assert "lacks: it was not measured" in first and f"no analysis here uses the weights of {NAME}" in first
    looked = said("--data", test, "--groups", str(folder / "groups.csv"))
    figure = r"on the sealed test auc 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\), n = 40; 1 of 2 looks are taken\n"
    assert re.search(figure + f"next is the step 'compare': isocenter release {NAME} --by", looked), looked
    assert "next is the step 'shadow'" in said() and "next is the step 'release'" in said()
    assert "next" not in said()


def test_what_is_wrong_beside_the_cases_uses_up_no_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (40, 28, 28), dtype=np.uint8)
    np.savez(folder / "test.npz", test_images=pictures, test_labels=np.arange(40) % 2)
    shelf = folder / "shelf" / "breastmnist"
    shutil.copytree(models()["breastmnist"][1].parent, shelf)
    monkeypatch.setenv("ISOCENTER_MODELS", str(folder / "shelf"))
    mine, of = ("--by", "ito", "--reason", "it is time"), {"name": "breastmnist"}
    release(folder, *mine, "--change", str(folder / "change.json"), "--seal", str(folder / "test.npz"), **of)
    look = (*mine, "--data", str(folder / "test.npz"))
    (folder / "few.csv").write_text("sex\n" + "F\n" * 39)
    with pytest.raises(Refused, match="39 rows for 40 cases"):
        release(folder, *look, "--groups", str(folder / "few.csv"), **of)
    (folder / "bare.csv").write_text("name\n" + "".join(f"{n}\n" for n in range(40)))
    with pytest.raises(Refused, match="names no group"):
        release(folder, *look, "--groups", str(folder / "bare.csv"), **of)
    held = open_house(Settings(folder=folder / "archive"))
    record = {"digest": "b" * 64, "examples": "", "code": "", "inputs": {}, "card": {}}
    told = {"digest": "b" * 64, "step": "release", "state": "released", "was": "shadow", "record": record}
    held.site.journal.append(Event(Kind.MODEL_STEPPED, held.site.clock(), "ito", "breastmnist", told))
    held.close()
    with pytest.raises(Refused, match="lies in no folder of models"):
        release(folder, *look, **of)
    with pytest.raises(Refused, match="what it replaces is bbbbbbbbbbbb"):
        release(folder, *look, "--against", str(models()["cleveland_heart"][1].parent), **of)
    assert release(folder, "--show", **of)["looks"] == 0
    kept = json.loads((shelf / "model.json").read_text())["digest"]
    assert placed(kept, folder / "shelf") == shelf and placed("b" * 64) is None


def test_a_sealed_test_is_looked_at_by_release_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = ("--by", "ito", "--reason", "it is time", "--change", str(folder / "change.json"))
    release(folder, *mine, "--seal", str(folder / "test.csv"))
    monkeypatch.setenv("ISOCENTER_FOLDER", str(folder / "archive"))
    for said in (["judge", NAME], ["train", NAME], ["recalibrate", NAME, "--out", str(folder / "other")]):
        result = CliRunner().invoke(app, [*said, "--data", str(folder / "test.csv")])
        assert isinstance(result.exception, IsocenterError)
        assert f"they are the sealed test set of {NAME}" in str(result.exception)
    (folder / "isocenter-archive").symlink_to(folder / "archive")
    monkeypatch.delenv("ISOCENTER_FOLDER")
    monkeypatch.chdir(folder)
    for said in (
        ["judge", NAME, "--data"], ["similar", "few", "--model", NAME], ["examples", "gain", "--model", NAME],
        ["pretrain", "breastmnist", "--out", str(folder / "other"), "--data"],
        ["scope", NAME, "--out", str(folder / "other"), "--data"],
        ["similar", "build", "--model", NAME, "--out", str(folder / "other")],
    ):  # fmt: skip
        result = CliRunner().invoke(app, [*said, str(folder / "test.csv")])
        assert f"they are the sealed test set of {NAME}" in str(result.exception), said
    monkeypatch.setenv("ISOCENTER_FOLDER", str(folder / "none"))
    result = CliRunner().invoke(app, ["judge", NAME, "--data", str(folder / "test.csv"), "--json"])
    assert result.exit_code == 0, "who has no archive has sealed nothing"


def test_a_name_alone_takes_no_step(folder: Path) -> None:
    archive = ["--folder", str(folder / "archive")]
    asked = ["release", NAME, "--by", "ito", "--reason", "r", "--change", str(folder / "change.json"), *archive]
    for typed, by, error in (
        ("another word\n", "ito", Forbidden), ("", "ito", Refused), (f"{WORD}\n", "kim", Forbidden)
    ):  # fmt: skip
        said = [by if one == "ito" else one for one in asked]
        assert isinstance(RUN.invoke(app, said, input=typed).exception, error)
    told = json.loads(RUN.invoke(app, ["release", NAME, "--show", "--json", *archive]).stdout)
    assert told["change"] is None and not told["steps"]
    done = RUN.invoke(app, asked, input=f"{WORD}\n")
    assert done.exit_code == 0 and WORD not in done.output, done.output
    held = open_house(Settings(folder=folder / "archive"))
    ends = [s.event.kind for s in held.site.journal.since(0) if s.event.kind in (Kind.SIGNED_IN, Kind.SIGNED_OUT)]
    held.close()
    assert ends == [Kind.SIGNED_IN, Kind.SIGNED_OUT] * 2, "a command leaves no session behind"


def test_where_nobody_types_a_command_names_the_file(folder: Path) -> None:
    asked = ["release", NAME, "--by", "ann", "--reason", "r", "--folder", str(folder / "archive")]
    refused = RUN.invoke(app, asked, input="").exception
    assert isinstance(refused, Refused) and "Password of ann" in str(refused)
    assert "nobody types here" in str(refused) and "ISOCENTER_PASSWORD_FILE" in str(refused)


def test_a_password_is_read_from_a_file_of_its_owner_alone(folder: Path) -> None:
    (folder / "word").chmod(0o644)
    with pytest.raises(Refused, match="others may read that file"):
        release(folder, "--by", "ito", "--reason", "r", "--step", "reject")
    (folder / "word").unlink()
    with pytest.raises(NotFound, match="ISOCENTER_PASSWORD_FILE"):
        release(folder, "--by", "ito", "--reason", "r", "--step", "reject")


def test_a_model_that_was_not_released_is_stopped_everywhere_too(folder: Path) -> None:
    mine = ("--by", "ito", "--reason", "it is wrong of infants", "--step", "suspend")
    assert release(folder, *mine, name="chest_xray_opacity")["state"] == "candidate"
    held = open_house(Settings(folder=folder / "archive"))
    (stopped,) = held.site.halting.stops(who=Person("ito", Role.ADMIN))
    held.close()
    assert stopped["analysis"] == "chest_xray_opacity" and stopped["reason"] == "it is wrong of infants"
    with pytest.raises(NotFound, match="an analysis that runs on the model"):
        release(folder, *mine)


def test_a_slip_in_a_command_uses_up_no_look(folder: Path) -> None:
    mine = ("--by", "ito", "--reason", "it is time")
    release(folder, *mine, "--change", str(folder / "change.json"), "--seal", str(folder / "test.csv"))
    look = ("--data", str(folder / "test.csv"))
    (folder / "few.csv").write_text("sex\n" + "F\n" * 39)
    for said, why in (
        ((*mine, *look, "--step", "suspend"), "looked at in the step 'test' alone"),
        ((*mine, "--groups", str(folder / "groups.csv")), "--groups without --data"),
        ((*mine, "--against", str(folder)), "--against without --data"),
        (("--by", "ito", *look), "look without a reason"),
        ((*mine, *look, "--groups", str(folder / "few.csv")), "39 rows for 40 cases"),
    ):
        with pytest.raises(Refused, match=why):
            release(folder, *said)
    (folder / "ill.csv").write_text("".join(f"{line[: line.rindex(',')]},1\n" for line in _lines(folder)))
    release(folder, *mine, "--seal", str(folder / "ill.csv"))
    with pytest.raises(Refused, match=r"0 of '.*', 40 of '.*' in ill.csv: so few of a class have no curve to be"):
        release(folder, *mine, "--data", str(folder / "ill.csv"))
    (folder / "words.csv").write_text("a,b\n1,2\n")
    release(folder, *mine, "--seal", str(folder / "words.csv"))
    with pytest.raises(Refused, match=r"words\.csv"):
        release(folder, *mine, "--data", str(folder / "words.csv"))
    shown = release(folder, "--show")
    assert shown["looks"] == 0 and shown["state"] == "candidate" and not shown["steps"]
    held = open_house(Settings(folder=folder / "archive"))
    looks = [s for s in held.site.journal.since(0) if s.event.kind is Kind.TEST_LOOKED]
    held.close()
    assert not looks


def _lines(folder: Path) -> list[str]:
    return (folder / "test.csv").read_text().splitlines()


def test_a_look_that_could_lead_nowhere_is_not_taken(folder: Path) -> None:
    mine, look = ("--by", "ito", "--reason", "it is time"), ("--data", str(folder / "test.csv"))
    release(folder, *mine, "--change", str(folder / "change.json"), "--seal", str(folder / "test.csv"))
    new = models()[NAME][0]
    held = open_house(Settings(folder=folder / "archive"))
    record = {
        "digest": "b" * 64, "examples": new.examples, "code": new.code, "inputs": dict(new.inputs),
        "card": {k: new.card.get(k) for k in ("intended_use", "not_for")},
    }  # fmt: skip
    for digest, inputs in (("b" * 64, record["inputs"]), ("c" * 64, {**record["inputs"], "threshold": 0.123})):
        told = {"digest": digest, "step": "release", "state": "released", "was": "shadow"}
        told |= {"record": {**record, "digest": digest, "inputs": inputs}}
        held.site.journal.append(Event(Kind.MODEL_STEPPED, held.site.clock(), "ito", NAME, told))
        said = {"who": Person("ito", Role.ADMIN), "grouped": digest[0] == "c"}
        why = "threshold changed" if said["grouped"] else "no group: its change record asks that no group be worse off"
        with pytest.raises(Refused, match=why):
            held.site.gating.may_look(NAME, digest_of_data(folder / "test.csv"), **said)
    held.close()
    with pytest.raises(Refused, match="lies in no folder of models"):
        release(folder, *mine, *look, "--groups", str(folder / "groups.csv"))
    assert release(folder, "--show")["looks"] == 0
