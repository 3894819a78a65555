"""A critical result that nobody was told of, on a real archive whose clock the test holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from department_for_oversight import CHIEF, ITO, LEE, MONDAY, department, uid
from isocenter.errors import NotFound
from isocenter.reading.critical import Communication
from isocenter.reading.report import begin
from isocenter.record import Event, Kind


def test_it_asks_the_signer_then_everybody_until_it_is_told(tmp_path: Path) -> None:
    with department(tmp_path, read=2) as (site, clock):
        clock.now = MONDAY + timedelta(hours=4)
        left = [{"finding": "2.25.1", "what": "Pneumothorax"}]
        for kind, details in (
            (Kind.READING_OPENED, {"by": "ito"}),
            (Kind.REPORT_AMENDED, {"report": "0", "untold": "nobody answers", "critical": left}),
        ):
            site.journal.append(Event(kind, clock.now, "ito", uid(1), details))
        (row,) = site.calls.open(who=LEE)["rows"]
        assert (row["study"], row["late"], row["escalated"], row["why"]) == (uid(1), False, None, "nobody answers")
        assert site.calls.escalate() == 0
        clock.now += timedelta(minutes=59, seconds=59)
        assert site.calls.escalate() == 0
        real, clock.now = clock.now, clock.now - timedelta(hours=10)
        site.calls.escalate()
        assert site.calls.open(who=LEE)["rows"][0]["late"] is False
        clock.now = real
        version = site.preferences.site(who=CHIEF).version
        site.preferences.change_site({"told_within_min": 59}, version=version, reason="stricter", who=CHIEF)
        assert site.calls.escalate() == 1 and site.calls.escalate() == 0, "everybody is asked once"
        (row,) = site.calls.open(who=LEE, study_uid=uid(1))["rows"]
        assert row["late"] and row["escalated"].startswith(clock.now.isoformat()[:19])
        assert site.calls.open(who=LEE, study_uid=uid(2))["rows"] == []
        told = Communication("2.25.1", MONDAY, "lee", "Dr Ruiz, ward 3", clock.now, "telephone", read_back=True)
        site.calls.tell(uid(1), [told], who=LEE)
        assert site.calls.open(who=ITO)["rows"] == []
        report = begin(site.index.study(uid(1)), [])
        (line,) = site.known_since(uid(1), report, who=ITO)
        assert "told by lee to Dr Ruiz, ward 3" in line and line.endswith("telephone, read back.")
        with pytest.raises(NotFound):
            site.calls.tell(uid(1), [told], who=LEE)
