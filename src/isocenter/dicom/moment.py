"""Seconds on one scale for the dates and times of DICOM."""

from __future__ import annotations

from datetime import date

__all__ = ["moment_s"]


def moment_s(day: str, clock: str) -> float | None:
    """Seconds on a common scale from DICOM date and time; a date-time may stand in `day` alone.

    >>> moment_s("20260101", "000001.5") - moment_s("20251231", "235959")
    2.5
    """
    if day[4:5] == day[7:8] == ".":  # as before DICOM 3
        day = day.replace(".", "")
    if len(day) > 8 and not clock:
        day, clock = day[:8], day[8:].split("+")[0].split("-")[0]
    clock = clock.replace(":", "")
    try:
        hours, minutes = float(clock[0:2]), float(clock[2:4] or 0)
        seconds = float(clock[4:] or 0)
        days = date(int(day[:4]), int(day[4:6]), int(day[6:8])).toordinal() if len(day) >= 8 else 0
    except ValueError:
        return None
    return days * 86400.0 + hours * 3600 + minutes * 60 + seconds
