"""Contrast that was given is told from a header that says that none was."""

from __future__ import annotations

import pytest

from isocenter.analysis.registry import discover
from isocenter.catalogue.calcium_scan import is_for_calcium
from isocenter.catalogue.contrast_agent import contrast_agent


@pytest.mark.parametrize("said", [None, "", " ", "NONE", "no", "0", "N", "Without"])
def test_no_agent_is_none_however_it_is_said(said: str | None) -> None:
    assert contrast_agent({"ContrastBolusAgent": said}) == ""
    assert is_for_calcium({"SliceThickness": 3.0, "ConvolutionKernel": "Qr36d", "ContrastBolusAgent": said})


def test_an_agent_is_told_as_it_is_written() -> None:
    assert contrast_agent({"ContrastBolusAgent": " Iopromide 370 "}) == "Iopromide 370"
    assert not is_for_calcium({"SliceThickness": 3.0, "ContrastBolusAgent": "Iopromide 370"})


def test_vessels_are_looked_for_where_an_agent_was_given() -> None:
    better = discover().get("liver_vessels").needs["image"].better
    assert better is not None
    assert better({"ContrastBolusAgent": "Iomeprol"}) and not better({"ContrastBolusAgent": "NONE"})
