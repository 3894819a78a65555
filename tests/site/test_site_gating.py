"""On a real archive: in shadow nobody sees it, what is seen there counts, and one act suspends it everywhere."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from department_for_oversight import AI, CHIEF, ITO, department, uid
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Event, Kind
from isocenter.site.gating import Gating

CHANGE = {
    "may_change": ["weights"],
    "protocol": {"shadow_cases": 3, "shadow_agreement": 0.3},
    "impact": "earlier reads",
}
OTHER = Person("second", Role.ADMIN)


def test_the_way_of_a_model_on_an_archive(tmp_path: Path) -> None:
    with department(tmp_path, read=3) as (site, clock):
        gating: Gating = site.gating
        said = {"reason": "it is time", "who": CHIEF}
        gating.declare(AI, CHANGE, **said)
        gating.seal(AI, "t" * 64, **said)
        assert gating.look(AI, "t" * 64, **said) == 1
        figures = {
            "metric": "auc",
            "n": 90,
            "against": "",
            "primary": {"value": 0.9, "low": 0.8, "high": 1},
            "gaps": [],
        }
        gating.judged(AI, figures, **said)
        with pytest.raises(Refused, match="looked at"):
            gating.declare(AI, CHANGE, **said)
        assert gating.step(AI, "compare", **said) == "compared"
        assert gating.step(AI, "shadow", **said) == "shadow"
        assert {site.modes(who=HOUSE).of(AI, use) for use in Use} == {Mode.SHADOW}
        with pytest.raises(Refused, match="in shadow"):
            site.propose_mode(AI, Use.READING, Mode.SECOND, reason="I want to see it", who=ITO)
        assert not [r for _, r in site.results(uid(3), who=ITO) if r.origin.name == AI]
        with pytest.raises(Refused, match="0 signed studies; 3 are asked for"):
            gating.step(AI, "release", **said)
        clock.now += timedelta(days=30)
        calls = [{"analysis": AI, "mode": "shadow", "machine": True, "final": True, "first": None}]
        for n in range(6):
            told = {"report": "0", "decisions": [], "calls": calls}
            site.journal.append(Event(Kind.READING_OPENED, clock.now, "ito", uid(n % 3 + 1), {"by": "ito"}))
            site.journal.append(Event(Kind.REPORT_SIGNED, clock.now, "ito", uid(n % 3 + 1), told))
        assert gating.step(AI, "release", **said) == "released" and gating.told(AI, who=ITO)["released"]
        (model,) = (m for m in site.cataloguing.models(who=ITO) if m["name"] == AI)
        assert model["state"] == "released" == gating.states(who=ITO)[model["digest"]]
        begun = time.monotonic()
        site.cataloguing.stop_model(AI, reason="it calls every film", who=ITO)
        assert [one["analysis"] for one in site.cataloguing.stops(who=ITO)] == [AI]
        assert gating.told(AI, who=ITO)["state"] == "suspended" and time.monotonic() - begun < 5
        with pytest.raises(Refused, match="by the gate"):
            site.cataloguing.resume_model(AI, reason="it was the detector", who=CHIEF)
        assert gating.step(AI, "release", reason="it was the detector", who=OTHER) == "released"
        assert not site.cataloguing.stops(who=ITO)
        # Somebody suspends it in another process: this one has it stopped the next time that it is asked.
        said = [sys.executable, "-m", "isocenter", "release", AI, "--step", "suspend", "--by", "chief"]
        subprocess.run(
            [*said, "--reason", "it calls again", "--folder", str(tmp_path / "archive")], check=True, timeout=60
        )
        begun = time.monotonic()
        assert [one["analysis"] for one in site.cataloguing.stops(who=ITO)] == [AI]
        assert gating.told(AI, who=ITO)["state"] == "suspended" and time.monotonic() - begun < 5
        kinds = [s.event.kind for s in site.journal.since(subject=AI)]
        assert kinds.count(Kind.TEST_LOOKED) == 1 and kinds.count(Kind.MODEL_STEPPED) == 7


def test_who_may_not_and_what_is_not_there(tmp_path: Path) -> None:
    with department(tmp_path, read=1) as (site, _):
        gating: Gating = site.gating
        for name, error in (("", Refused), ("nobody", NotFound), ("ito", Forbidden)):
            with pytest.raises(error):
                gating.named(name)
        assert gating.named("chief") == CHIEF
        with pytest.raises(Refused, match="by itself"):
            gating.step(AI, "reject", reason="r", who=HOUSE)
        with pytest.raises(Forbidden):
            gating.step(AI, "reject", reason="r", who=ITO)
        with pytest.raises(NotFound):
            gating.told("nonsense", who=ITO)
        with pytest.raises(Refused, match="without a reason"):
            gating.seal(AI, "t", reason=" ", who=CHIEF)
