"""Contrast that was given is told from a header that says that none was."""

from __future__ import annotations

import pytest

from isocenter.analysis.registry import discover
from isocenter.catalogue.calcium_scan import is_for_calcium
from isocenter.catalogue.contrast_agent import after_contrast, contrast_agent, contrast_phase


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


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        ("Abdomen ART 1.0 B30f", "arterial"),
        ("late arterial", "arterial"),
        ("portal-venous 5mm", "portal venous"),
        ("PVP", "portal venous"),
        ("Delayed 5 min", "delayed"),
        ("nativ", "native"),
        ("Non-contrast", "native"),
        ("start", ""),
        ("arterial and venous", ""),
        ("event 5.0", ""),
        ("spatial filter", ""),
        ("Spätphase", "delayed"),
        (None, ""),
    ],
)
def test_a_phase_is_told_by_the_words_of_the_series(said: str | None, phase: str) -> None:
    assert contrast_phase({"SeriesDescription": said}) == phase


def test_the_protocol_tells_the_phase_where_the_series_does_not() -> None:
    assert contrast_phase({"SeriesDescription": "3.0", "ProtocolName": "Liver venous"}) == "portal venous"


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"ContrastBolusAgent": "Iomeprol", "SeriesDescription": "native"}, "Iomeprol"),
        ({"ContrastBolusAgent": "", "SeriesDescription": "Abdomen venous 5.0"}, "portal venous phase"),
        ({"SeriesDescription": "t1_vibe post Gd"}, "'post Gd'"),
        ({"ProtocolName": "Liver HBP"}, "'HBP'"),
        ({"SeriesDescription": "Abdomen 5.0 Br40"}, ""),
        ({"SeriesDescription": "pre contrast"}, ""),
        ({"SeriesDescription": "posterior cranium"}, ""),
    ],
)
def test_contrast_is_told_by_the_series_where_the_agent_is_left_out(facts: dict[str, str], told: str) -> None:
    assert after_contrast(facts).startswith(told) and bool(after_contrast(facts)) is bool(told)
