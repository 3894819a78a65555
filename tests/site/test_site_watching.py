"""On a real archive the watch counts signed studies only, and says how many are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from department_for_oversight import AI, ITO, at, department, uid
from isocenter.errors import Forbidden, NotFound
from isocenter.govern import watch
from isocenter.govern.policy import Person, Role
from isocenter.record import Event, Kind


def test_signed_studies_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with department(tmp_path) as (site, _):
        told = site.watching.model(AI, who=ITO)
        assert (told["cases"], told["needed"], told["charts"], told["since"]) == (30, 70, [], "")
        assert [one["model"] for one in site.watching.models(who=ITO)][:1]
        monkeypatch.setattr(watch, "BASELINE", 20)
        told = site.watching.model(AI, who=ITO)
        shares = {c["chart"]: c["cases"] for c in told["charts"]}
        assert shares["outputs, more"] == 10 and "agreement" not in shares, "no signature told what readers said"
        with pytest.raises(NotFound):
            site.watching.model("nonsense", who=ITO)
        with pytest.raises(Forbidden):
            site.watching.models(who=Person("ct", Role.SERVICE))
        site.journal.append(Event(Kind.READING_OPENED, at(30, 90), "ito", uid(1), {"by": "ito"}))
        assert site.watching.model(AI, who=ITO)["cases"] == 30
