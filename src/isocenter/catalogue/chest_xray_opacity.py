"""Chest radiograph of a small child: is there an opacity (pneumonia)?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.analysis.film import film_greys, within_collimator, within_padding
from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.analysis.weights import record_of
from isocenter.catalogue.plane_image import age_said, age_years, grey
from isocenter.errors import Refused
from isocenter.methods.film_view import (
    CALLED_A_FILM,
    CHEST,
    FILMS,
    FRONTAL,
    as_stored,
    hung_of,
    said_lateral,
    towards_of,
    view_of,
)
from isocenter.methods.picture import prepared
from isocenter.methods.saliency import activation, standing_out
from isocenter.record import Finding, Measurement, Urgency, codes
from isocenter.space import Volume

__all__ = ["ChestXrayOpacity"]

_SMALLEST = 112  # pixels; half of what the network was trained on
_LONGEST = 1.9  # long side over short side; a film of a whole body, or a strip
_YOUNGEST, _OLDEST = 0.5, 8.0  # years; trained on children of 1 to 5
_MAP = "opacity_sensitivity"
_PREVALENCE = "calibrated where half of the children have an opacity"


class ChestXrayOpacity:
    """Does this frontal chest radiograph of a small child show an opacity, as in pneumonia?"""

    name, version = "chest_xray_opacity", "8"
    weights = "chest_xray_opacity"
    needs: ClassVar[Mapping[str, Need]] = {
        "image": Need(
            modality=FILMS,
            body_part=CHEST,
            at_most=16,
            facts={"ViewPosition": FRONTAL},
            every=True,
            only=CALLED_A_FILM,
        )
    }
    yields = (
        Yield(what=codes.OPACITY, maps=(_MAP,), units=("1",), urgency=Urgency.SOON),
        Yield(what=codes.PROBABILITY, units=("1",)),
    )
    limits = Limits(seconds=60.0, memory_mib=4096)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Bring radiographs of children of 1 to 5 years that may show an opacity to a reader earlier.",
        "not_for": "Adults and newborns; lateral views; ruling pneumonia out; telling bacteria from viruses.",
        "sources": ("Kermany 2018, doi 10.1016/j.cell.2018.02.010", "class activation map: Zhou 2016"),
        "limits": (
            "It learnt from children of 1 to 5 years of one hospital: adults and other ages are declined.",
            "Of single opacities about half are passed, of small or faint ones most: none seen is no clear chest.",
            "Telling virus from bacteria is weak, and no ground for a treatment.",
        ),
        "level": "retrospective, one hospital; figures in docs/know/chest_xray_opacity.md",
    }

    def run(
        self, image: Volume, *, threshold: float = 0.5, one_place: bool = True, weights: Any = None
    ) -> Answer:  # fmt: skip
        """Look at one radiograph.

        Args:
            image: one frontal chest radiograph, bright where dense.
            threshold: certainty from which an opacity is reported.
            one_place: whether one is reported, too, where only some places of the film look like it, as the record of
                the weights says how far they must stand out. The certainty is that of the whole film all the same.
            weights: an open ONNX session of the model ``chest_xray_opacity``.

        Returns:
            - *declined* for what is no upright frontal chest of a small child, by header or by its look;
            - *found* with a certainty and the map ``opacity_sensitivity`` (0 … 1 on the grid of the picture): where
              the network was sensitive, which is no outline of disease;
            - *none* with the certainty as a measurement.

        Raises:
            Refused: when the threshold is no probability, the picture cannot be prepared, or weights are missing.
        """
        if not 0.0 < threshold < 1.0:
            raise Refused(f"threshold {threshold:g}", "a certainty lies between 0 and 1", "give a number between these")
        if weights is None:
            raise Refused("no weights", "this analysis is a trained network", "open the model chest_xray_opacity")
        image = _of_one_grey(image)
        if reasons := _unfit(image):
            return Answer.declined(*reasons)
        size = int(weights.get_inputs()[0].shape[-1])
        towards = towards_of(image)
        seen = film_greys(image.array[0], image.facts)
        field = within_collimator(seen, within_padding(image.array[0], image.facts))
        film = hung_of(seen[field], towards)
        if reasons := _of_no_film(*film.shape):
            return Answer.declined(*reasons)
        seen = prepared(film, size)[None, None]
        wanted = ["certainty", "map", "scope", "strangeness"]
        certainty, places, scope, strangeness = weights.run(wanted, {"image": seen})
        if reason := _strange(scope[0], float(strangeness[0])):
            return Answer.declined(reason)
        sure = float(certainty[0, 0])
        stated = Measurement(codes.PROBABILITY, sure, "1", definition=_PREVALENCE)
        alone = sure < threshold
        if alone and not (one_place and _stands_out(places[0, 0], weights)):
            return Answer.none(measurements=(stated,))
        words = f"Possible opacity in the lungs (certainty {100 * sure:.0f} %)."
        if alone:
            words = (
                "Part of the film looks like an opacity, the film as a whole does not "
                f"(certainty {100 * sure:.0f} %); the map shows which part."
            )
        finding = Finding(codes.OPACITY, certainty=sure, site=codes.LUNG, words=words)
        where = np.zeros(image.geometry.shape[1:], np.float32)
        where[field] = as_stored(activation(places[0, 0], *film.shape), towards)
        heat = image.like(where[None], quantity="sensitivity", unit="1")
        return Answer.found(finding, measurements=(stated,), maps={_MAP: heat}, sensitivity=(_MAP,))


def _of_one_grey(image: Volume) -> Volume:
    """A picture that was stored in colour and has none, as it is without; any other as it came."""
    if [axis.name for axis in image.axes] != ["channel"] or min(image.geometry.shape[1:]) < _SMALLEST:
        return image
    picture, coloured = grey(image)
    if coloured is not None and coloured.any():
        return image
    return replace(image, array=picture[None], axes=())


def _unfit(image: Volume) -> tuple[str, ...]:
    """Why the picture must not be looked at, by its header and its matrix; empty when it may."""
    if any(axis.name == "channel" for axis in image.axes):
        return ("the picture is in colour, and a radiograph is grey",)
    if image.axes or image.geometry.shape[0] != 1:
        return (
            f"it has {image.array.size // (image.array.shape[-1] * image.array.shape[-2])} pictures, one is wanted",
        )
    if min(image.geometry.shape[1:]) < _SMALLEST:
        return _of_no_film(*image.geometry.shape[1:])
    reasons = []
    view = view_of(image.facts)
    if view and view not in FRONTAL:
        reasons.append(f"the view is {view}, a frontal one (PA or AP) is wanted")
    if words := said_lateral(image):
        reasons.append(f"it is described as '{words}', a frontal picture (PA or AP) is wanted")
    part = str(image.facts.get("BodyPartExamined") or "").strip()
    if part and not any(word in part.lower() for word in CHEST):
        reasons.append(f"the header says {part}, a chest is wanted")
    age = age_years(str(image.facts.get("PatientAge") or ""))
    if age is not None and not _YOUNGEST <= age <= _OLDEST:
        reasons.append(f"the patient is {age_said(age)} old; the network learnt from children of 1 to 5 years")
    return tuple(reasons)


def _of_no_film(rows: int, columns: int) -> tuple[str, ...]:
    """Why a picture of this size, without its padding, is no film of one chest; empty when it may be."""
    if min(rows, columns) < _SMALLEST:
        return (f"the picture has {rows} by {columns} pixels, at least {_SMALLEST} are wanted",)
    if max(rows, columns) > _LONGEST * min(rows, columns):
        return (f"the picture has {rows} by {columns} pixels: no film of one chest has that shape",)
    return ()


def _stands_out(places: npt.NDArray[Any], weights: Any) -> bool:
    """Whether the highest places of the map speak for an opacity by themselves, by the border in their record."""
    record = record_of(weights)
    return record is not None and "place" in record.inputs and bool(standing_out(places) >= record.inputs["place"])


def _strange(scope: npt.NDArray[Any], strangeness: float) -> str:
    """Why the picture does not look like those that the network learnt from; empty when it does."""
    other, child, adult = (float(v) for v in scope)
    if child < 0.5:
        if adult > other:
            return "it looks like an adult's chest; the network learnt from children of 1 to 5 years"
        return "it does not look like an upright frontal chest radiograph (other part, turned, inverted or cropped)"
    if math.isnan(strangeness):
        return "how far it lies from the training pictures is no number"
    if strangeness > 1.0:
        return f"it lies {strangeness:.1f} times as far from the training pictures as they from each other"
    return ""
