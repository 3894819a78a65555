"""What `isocenter share` refuses and keeps of where a recipient is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from isocenter.app import open_house
from isocenter.cli import app
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import HOUSE
from isocenter.settings import Settings


def test_a_link_out_of_the_region_is_given_for_a_reason_and_listed_with_it(tmp_path: Path) -> None:
    house = open_house(Settings(folder=tmp_path), make=True)
    house.site.receive([Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()], sender="CT1", who=HOUSE)
    (study,) = house.site.studies(who=HOUSE)
    version = house.site.preferences.site(who=HOUSE).version
    house.site.preferences.change_site({"region": ["DE"]}, version=version, reason="a test", who=HOUSE)
    house.close()
    words = ["share", study.uid, "--to", "Dr Okafor", "--institution", "Lagos", "--country", "NG", "--json"]
    words += ["--folder", str(tmp_path)]
    with pytest.raises(Refused, match="into NG without a reason"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    told = json.loads(CliRunner().invoke(app, [*words, "--transfer-reason", "asked by the patient"]).stdout)
    (row,) = json.loads(CliRunner().invoke(app, ["links", "--folder", str(tmp_path), "--json"]).stdout)["links"]
    for one in (told, row):
        where = one["institution"], one["country"], one["transfer_reason"]
        assert where == ("Lagos", "NG", "asked by the patient")


def test_times_are_told_to_the_minute_with_their_zone_and_what_nobody_may_is_named(tmp_path: Path) -> None:
    house = open_house(Settings(folder=tmp_path), make=True)
    house.site.receive([Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()], sender="CT1", who=HOUSE)
    (study,) = house.site.studies(who=HOUSE)
    house.close()
    at = ["--folder", str(tmp_path)]
    run = lambda *words: CliRunner().invoke(app, [*words, *at], catch_exceptions=False).output  # noqa: E731
    assert re.search(r"until \d{4}-\d\d-\d\d \d\d:\d\d UTC, to", run("share", study.uid))
    assert re.search(r"\d\d:\d\d UTC +0 +0 +yes", run("links")) and "+00:00" not in run("links")
    with pytest.raises(Refused, match=r"--may look: known are view, download, measure"):
        run("share", study.uid, "--may", "look")
    with pytest.raises(NotFound, match=r"study 1\.2\.3: the archive has none"):
        run("share", "1.2.3")
    assert run("consent", "show").startswith("nothing is stated: `isocenter consent give`")
