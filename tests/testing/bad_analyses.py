"""Analyses that are each bad in one way. A good one comes first; the others differ from it in one thing."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar, Literal

import numpy as np

from isocenter.analysis.need import Dated, Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.errors import Refused
from isocenter.record import Code, Finding, Measurement, Outcome, codes
from isocenter.space import Geometry, Region, Volume

GRID = Geometry.regular(shape=(6, 8, 10), spacing_mm=(3.0, 2.0, 1.0))
HOT = np.zeros(GRID.shape, np.float32)
HOT[2:4, 1:4, 5:9] = 100.0
HOT[0, 0, 0] = 1.0


def image(array: np.ndarray = HOT) -> Volume:
    return Volume(array.copy(), GRID)


class Good:
    """How much of the image is brighter than a threshold?"""

    name, version = "good", "1"
    needs: ClassVar[dict[str, Need]] = {"image": Need(modality="CT")}
    yields: ClassVar[Any] = (Yield(what=codes.LESION, units=("mL",)),)
    limits: ClassVar[Any] = Limits(seconds=10.0)

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value from which a voxel counts."""
        array = image.array
        if not np.isfinite(array).all() or array.min() == array.max():
            raise Refused("an image without contrast", "nothing to tell apart")
        return self.answer(image, array >= threshold)

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        if not mask.any():
            return Answer.none()
        where = Region(image.geometry, mask=mask)
        volume = Measurement(codes.VOLUME, where.volume_ml, "mL")
        return Answer.found(Finding(codes.LESION, where=where, measurements=(volume,), words="A bright part."))

    @classmethod
    def examples(cls) -> Any:
        truth = {"answer": "found", "findings": 1, "measurements": {"Volume": (24 * 6 / 1000, 1e-9)}}
        yield {"image": image()}, truth
        yield {"image": image(HOT / 10)}, {"answer": "none"}
        yield {"image": image(HOT * 0)}, {"answer": "declined", "words": "without contrast"}


class GoodOverTime(Good):
    """By how much has what is brighter than a threshold grown since last time?"""

    name = "good_over_time"
    needs: ClassVar[dict[str, Need]] = {
        "image": Need(modality="CT", dated=True),
        "before": Need(modality="CT", earlier="last"),
        "all_before": Need(modality="CT", earlier="all", optional=True),
    }

    def run(  # type: ignore[override]
        self, image: Dated, before: Dated, all_before: tuple[Dated, ...] | None, *, threshold: float = 50.0
    ) -> Answer:
        """`threshold` is the value from which a voxel counts."""
        masks = []
        for one in (image, before, *(all_before or ())):
            array = one.volume.array
            if not np.isfinite(array).all() or array.min() == array.max():
                raise Refused("an image without contrast", "nothing to tell apart")
            masks.append(array >= threshold)
        if not masks[0].any():
            return Answer.none()
        where = Region(image.volume.geometry, mask=masks[0])
        grown = where.volume_ml - Region(before.volume.geometry, mask=masks[1]).volume_ml
        volume = Measurement(codes.VOLUME, grown, "mL")
        return Answer.found(Finding(codes.LESION, where=where, measurements=(volume,), words="A bright part."))

    @classmethod
    def examples(cls) -> Any:
        now, then = Dated("2", date(2026, 2, 1), image()), Dated("1", date(2026, 1, 1), image())
        truth = {"answer": "found", "findings": 1, "measurements": {"Volume": (0.0, 1e-9)}}
        yield {"image": now, "before": then, "all_before": (then, then)}, truth
        blank = replace(now, given=image(HOT * 0))
        yield {"image": blank, "before": then, "all_before": None}, {"answer": "declined", "words": "without contrast"}


class NeedsSetUp(Good):
    """How many of these can be made without knowing what for?"""

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose


class Nameless(Good):
    """What is in a name with capitals and blanks?"""

    name = "Very Good"


class Unversioned(Good):
    """Which of two results is the newer one?"""

    version = ""


class Silent(Good):
    __doc__ = None


class Needless(Good):
    """What does it work on?"""

    needs: ClassVar[Any] = {}


class AlwaysOn(Good):
    """Does it run on every study there is?"""

    needs: ClassVar[Any] = {"image": Need(modality="CT", optional=True)}


class Backward(Good):
    """Was there ever anything bright?"""

    needs: ClassVar[dict[str, Need]] = {"image": Need(modality="CT", earlier="last")}


class TakesOther(Good):
    """Does run take what the needs give?"""

    needs: ClassVar[Any] = {"picture": Need(modality="CT")}


class TakesAnything(Good):
    """Does it take a series of which nothing is known?"""

    needs: ClassVar[Any] = {"image": Need(gives="regions")}


class Mute(Good):
    """May it say anything at all?"""

    yields: ClassVar[Any] = (Yield(units=("mL",)),)


class YieldsNothing(Good):
    """What are the yields of this one?"""

    yields: ClassVar[Any] = ()


class OwnUnits(Good):
    """How many spoonfuls are in it?"""

    yields: ClassVar[Any] = (Yield(what=codes.LESION, units=("mL", "{spoon}")),)


class WrongMeaning(Good):
    """Does the code mean what is said?"""

    yields: ClassVar[Any] = (*Good.yields, Yield(what=Code(codes.LESION.code, codes.LESION.scheme, "Ulcer")))


class NoScheme(Good):
    """Who knows this scheme of codes?"""

    yields: ClassVar[Any] = (*Good.yields, Yield(what=Code("1", "HOUSE", "Ulcer")))


class EmptyCode(Good):
    """Which code has no meaning?"""

    yields: ClassVar[Any] = (*Good.yields, Yield(what=Code("1", "99HOUSE", " ")))


class Untyped(Good):
    """What type has a threshold?"""

    def run(self, image: Volume, *, threshold=50.0) -> Answer:  # type: ignore[no-untyped-def]
        """`threshold` is a threshold."""
        return super().run(image, threshold=threshold)


class NoField(Good):
    """Which field of a form takes a list?"""

    def run(self, image: Volume, *, threshold: list = []) -> Answer:  # type: ignore[type-arg]  # noqa: B006
        """`threshold` is a list."""
        return super().run(image)


class WrongDefault(Good):
    """Is the default of the type that is said?"""

    def run(self, image: Volume, *, threshold: float = "50") -> Answer:  # type: ignore[assignment]
        """`threshold` is a number."""
        return super().run(image)


class Unexplained(Good):
    """What does the parameter do?"""

    def run(self, image: Volume, *, mystery: float = 50.0) -> Answer:
        """Runs."""
        return super().run(image, threshold=mystery)


class Unlimited(Good):
    """How long may it run?"""

    limits: ClassVar[Any] = Limits(seconds=1e9)


class NoTruth(Good):
    """What is it worth without examples?"""

    examples: ClassVar[Any] = None


class EmptyTruth(Good):
    """What is it worth with no example?"""

    @classmethod
    def examples(cls) -> Any:
        return iter(())


class OffTruth(Good):
    """Does it measure what is there?"""

    def run(self, image: Volume, *, threshold: float = 0.5) -> Answer:
        """`threshold` is too low."""
        return super().run(image, threshold=threshold)


class OtherAnswer(Good):
    """Does it answer what is true?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        return Answer.none()


class OtherCount(Good):
    """How many findings does it make of one?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        made = super().answer(image, mask)
        return Answer.found(*made.findings, *made.findings) if made.findings else made


class OtherWords(Good):
    """Does it say why?"""

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value."""
        try:
            return super().run(image, threshold=threshold)
        except Refused:
            return Answer.declined("no")


class NeverNo(Good):
    """Does it ever decline?"""

    @classmethod
    def examples(cls) -> Any:
        return iter(list(super().examples())[:2])


class NotAnAnswer(Good):
    """Does it return an answer?"""

    def run(self, image: Volume, *, threshold: float = 50.0) -> Any:
        """`threshold` is the value."""
        return 42


class Undeclared(Good):
    """Does it say what it did not declare?"""

    yields: ClassVar[Any] = (Yield(what=codes.NEOPLASM, units=("mL",)),)


class UndeclaredUnit(Good):
    """Does it give a unit that it did not declare?"""

    yields: ClassVar[Any] = (Yield(what=codes.LESION, units=("mm",)),)


class OfAnother(Good):
    """How much of an image that it never saw is brighter than a threshold?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        said = super().answer(image, mask)
        where = [replace(f, where=replace(f.where, series_uid="2.25.99")) for f in said.findings if f.where]
        return replace(said, findings=tuple(where))


class UndeclaredMap(Good):
    """Does it give a map that it did not declare?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        made = super().answer(image, mask)
        return Answer.found(*made.findings, maps={"heat": image}) if made.findings else made


class Fickle(Good):
    """Does it say the same twice?"""

    asked: ClassVar[list[int]] = []

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        self.asked.append(1)
        made = super().answer(image, mask)
        return Answer.found(*made.findings, reasons=(str(len(self.asked)),)) if made.findings else made


class Spoiler(Good):
    """Does it leave its input alone?"""

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value."""
        image.array[image.array < 0] = 0
        return super().run(image, threshold=threshold)


class Lefty(Good):
    """Does it count array columns for millimetres to the left?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        made = super().answer(image, mask)
        if not made.findings:
            return made
        first = Measurement(codes.VOLUME, float(np.argwhere(mask)[:, 2].mean()) / 10, "mL", definition="place")
        finding = made.findings[0]
        return Answer.found(Finding(finding.what, where=finding.where, words="x", measurements=(
            *finding.measurements, first)))  # fmt: skip


class Touchy(Good):
    """Does it fall over bad input?"""

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value."""
        if not np.isfinite(image.array).all():
            raise ZeroDivisionError("oops")
        return super().run(image, threshold=threshold)


class Gullible(Good):
    """Does it see something in nothing?"""

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value."""
        if image.array.min() == image.array.max() == 0.0:
            raise Refused("an image without contrast")
        return self.answer(image, image.array >= threshold)


class Slow(Good):
    """Does it keep its own limits?"""

    limits: ClassVar[Any] = Limits(seconds=0.01)

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value."""
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass
        return super().run(image, threshold=threshold)


class Elsewhere(Good):
    """Does it point to a grid that nobody has?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        made = super().answer(image, mask)
        if not made.findings:
            return made
        region = Region(GRID.respaced((1.0, 1.0, 1.0)), mask=np.ones((18, 16, 10), bool))
        volume = made.findings[0].measurements
        return Answer.found(Finding(codes.LESION, where=region, measurements=volume, words="There."))


class Speechless(Good):
    """Does the reader get words?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        made = super().answer(image, mask)
        if not made.findings:
            return made
        held = made.findings[0]
        return Answer.found(Finding(held.what, where=held.where, measurements=held.measurements))


class DefaultOutside(Good):
    """Is the default one of the choices?"""

    def run(self, image: Volume, *, way: Literal["up", "down"] = "left") -> Answer:  # type: ignore[assignment]
        """`way` is a way."""
        return super().run(image)


class Changeling(Good):
    """Does it come back as what it was?"""

    def __reduce__(self) -> Any:
        return Good, ()


class NoWeights(Good):
    """Are its weights anywhere?"""

    weights = "weights_of_nobody"


class DeclinesWithNumbers(Good):
    """Does it give numbers although it declines?"""

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value."""
        try:
            return super().run(image, threshold=threshold)
        except Refused:
            number = Measurement(codes.VOLUME, 0.0, "mL")
            return Answer(Outcome.DECLINED, measurements=(number,), reasons=("without contrast",))


class DeclinesInSilence(Good):
    """Does it say why it declines?"""

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value."""
        try:
            return super().run(image, threshold=threshold)
        except Refused:
            return Answer.declined(" ")


class NoneWithFindings(Good):
    """Does it find something and call it none?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        return Answer(Outcome.NONE, super().answer(image, mask).findings)


class FoundNothing(Good):
    """Does it find nothing and call it found?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        return super().answer(image, mask) if mask.any() else Answer.found()


class Faulty(Good):
    """Does it fall over its own examples?"""

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value."""
        if not image.array.flags.writeable:
            raise ValueError("something else")
        return super().run(image, threshold=threshold)


class Burglar(Good):
    """Does it unlock what was locked?"""

    def run(self, image: Volume, *, threshold: float = 50.0) -> Answer:
        """`threshold` is the value."""
        image.array.setflags(write=True)
        image.array[0, 0, 0] += 1e-3
        return super().run(image, threshold=threshold)


class MapElsewhere(Good):
    """Does it draw a map on a grid that nobody has?"""

    yields: ClassVar[Any] = (Yield(what=codes.LESION, units=("mL",), maps=("heat",)),)

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        made = super().answer(image, mask)
        heat = Volume(np.ones((2, 2, 2), np.float32), Geometry.regular(shape=(2, 2, 2)))
        return Answer.found(*made.findings, maps={"heat": heat}) if made.findings else made


class OneSided(Good):
    """Does it see only one side of the image?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        return super().answer(image, mask) if mask[:, :, 5:].any() else Answer.none()


class TellsMore(Good):
    """Does it give other measurements of a flipped image?"""

    def answer(self, image: Volume, mask: np.ndarray) -> Answer:
        made = super().answer(image, mask)
        if not made.findings or image.geometry.affine[0, 2] > 0:
            return made
        held = made.findings[0]
        return Answer.found(Finding(held.what, where=held.where, words="x", measurements=held.measurements * 2))
