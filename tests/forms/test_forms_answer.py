"""The JSON of a result has the shape that the command line promises, without voxels."""

import json

import numpy as np
from forms_samples import SERIES_UID, STUDY_UID, WHEN, ball, found, on_film, radiograph

from isocenter.forms.answer import answer, place
from isocenter.record import Map, Measurement, Origin, Outcome, Result, codes
from isocenter.space import Geometry, Region


def test_the_shape_is_that_of_the_command_line(axial: Geometry) -> None:
    said = answer(found(ball(axial, 5.0)))
    assert json.loads(json.dumps(said)) == said
    assert {
        "analysis", "version", "answer", "reasons", "findings", "measurements", "maps", "model", "inputs", "seconds",
    } <= set(said)  # fmt: skip
    (finding,) = said["findings"]
    assert finding["what"] == {"code": "52988006", "scheme": "SCT", "meaning": "Lesion"}
    assert finding["certainty"] == 0.9
    assert finding["measurements"][0] == {
        "what": {"code": "118565006", "scheme": "SCT", "meaning": "Volume"}, "value": finding["where"]["volume_ml"],
        "unit": "mL",
    }  # fmt: skip
    where = finding["where"]
    assert where["series_uid"] == SERIES_UID and where["shape"] == "mask" and "mask" not in where
    assert np.allclose(where["centre_mm"], axial.to_patient((2.5, 7.5, 8.5)), atol=1e-3)
    assert len(where["bounds"]) == 2


def test_declined_gives_reasons_and_no_number() -> None:
    said = answer(Result(STUDY_UID, Outcome.DECLINED, Origin("machine", "x", "2"), WHEN, reasons=("no PET",)))
    assert (said["answer"], said["reasons"], said["findings"], said["measurements"]) == ("declined", ["no PET"], [], [])
    assert said["model"] is None


def test_a_place_without_patient_space_has_no_millimetres() -> None:
    where = place(on_film(radiograph()[0]))
    assert where is not None
    assert where["centre_mm"] is None and where["volume_ml"] is None and where["bounds"] == [[0, 10, 5], [1, 30, 12]]
    assert place(None) is None


def test_an_empty_mask_has_no_place(axial: Geometry) -> None:
    where = place(Region(axial, mask=np.zeros(axial.shape, bool)))
    assert where is not None and where["bounds"] is None


def test_bounds_definition_and_maps_are_told(axial: Geometry) -> None:
    number = Measurement(codes.MTV, 3.2, "mL", 3.0, 3.4, "EANM 41 %")
    of = Map("CBF", "blood flow", "mL/min", axial, "d" * 64)
    said = answer(Result(STUDY_UID, Outcome.NONE, Origin("machine", "x"), WHEN, measurements=(number,), maps=(of,)))
    assert said["measurements"][0]["low"] == 3.0 and said["measurements"][0]["definition"] == "EANM 41 %"
    assert said["maps"][0]["name"] == "CBF" and said["maps"][0]["digest"] == "d" * 64
