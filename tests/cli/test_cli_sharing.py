"""What `isocenter share` refuses and keeps of where a recipient is."""

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
