"""Settings of support vectors, chosen where what is reported has no say.

A setting that is chosen by the very figure that is reported flatters it. Here the setting for one part of the examples
is chosen on the other parts, by support vectors that had seen neither the part that they are asked about nor the one
that will be reported (nested cross-validation, Varma & Simon, BMC Bioinformatics 2006;7:91). The setting that ships is
chosen in the same way over all parts.

How much they count beside a network is not sought at all: as much as it takes for both to spread equally over the
pictures that neither had seen, for which nobody needs to know a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isocenter.errors import Refused
from isocenter.learn.kinds import Classes, Scattering
from isocenter.learn.waves import Directions, Machine, directions, fit_machine
from isocenter.methods import roc

__all__ = ["Beside", "settings", "spread"]

Away = tuple[int, ...]
"""Parts that were held back."""


def settings(how: Classes) -> list[Scattering]:
    """Every setting that a recipe has to choose from; one where it leaves no choice.

    >>> how = Classes("a", ("no", "yes"), (28, 28), waves=Scattering(), choose={"reach": (0.3, 1.0), "kept": (50,)})
    >>> [(one.reach, one.kept) for one in settings(how)]
    [(0.3, 50), (1.0, 50)]
    """
    if how.beside is None:
        return []
    return [
        replace(how.beside, **dict(zip(how.choose, values, strict=True))) for values in product(*how.choose.values())
    ]


def spread(logits: Tensor) -> float:
    """Root of the mean square of logits (n, classes), each row freed of its mean."""
    return float((logits - logits.mean(1, keepdim=True)).square().mean().sqrt())


@dataclass(eq=False)
class Beside:
    """The support vectors that stand beside the networks of a recipe.

    Args:
        how: the recipe, which has some. seen: (sides, n, d) as `waves.scattered` gives it. labels, part: (n,).
        asked: the parts that are answered for.

    Raises:
        Refused: there are settings to choose from, and fewer than three parts.
    """

    how: Classes
    seen: Tensor
    labels: npt.NDArray[np.int64]
    part: npt.NDArray[np.int64]
    asked: Sequence[int]
    _axes: dict[Away, Directions] = field(default_factory=dict)
    _said: dict[tuple[Scattering, Away], Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choices = len(settings(self.how))
        if choices > 1 and min(len(self.asked), self.how.members) < 3:
            raise Refused(f"{choices} settings to choose from in {len(self.asked)} parts",
                          "a part is chosen for by others, without it", "split into three parts at least")  # fmt: skip

    def fitted(self, setting: Scattering, away: Away = ()) -> Machine:
        """Support vectors that learn from all examples but those of some parts."""
        inside = ~np.isin(self.part, away)
        if away not in self._axes:
            self._axes[away] = directions(self.seen[:, inside])
        return fit_machine(setting, self._axes[away], self.labels[inside], len(self.how.classes))

    def decided(self, setting: Scattering, away: Away) -> Tensor:
        """(n, classes) decisions of support vectors that have not seen some parts; 0 but for these."""
        if (setting, away) not in self._said:
            held = np.isin(self.part, away)
            said = torch.zeros(len(self.part), len(self.how.classes))
            own = self.seen[:, held]
            answers = self.fitted(setting, away).decided(own.flatten(0, 1))
            said[held] = answers.unflatten(0, (len(own), -1)).mean(0)
            self._said[setting, away] = said
        return self._said[setting, away]

    def best(self, reported: int | None = None) -> Scattering:
        """The setting with the largest area over the parts but `reported`, in whose choice that has no say.

        The first of equals, and the only one where there is no choice.
        """
        choices = settings(self.how)
        if len(choices) == 1:
            return choices[0]
        others = [k for k in self.asked if k != reported]
        held, areas = np.isin(self.part, others), []
        for setting in choices:
            said = torch.zeros(len(self.part), len(self.how.classes))
            for k in others:
                away = (k,) if reported is None else (min(k, reported), max(k, reported))
                said[self.part == k] = self.decided(setting, away)[self.part == k]
            areas.append(_area(self.labels[held], said.numpy().astype(np.float64)[held]))
        return choices[int(np.argmax(areas))]


def _area(labels: npt.NDArray[np.int64], said: npt.NDArray[np.float64]) -> float:
    """The area that the evidence reports: of more than two classes, the mean of each against the others."""
    if said.shape[1] == 2:
        return roc.auc(labels, said[:, 1] - said[:, 0]).value
    z = np.exp(said - said.max(1, keepdims=True))
    return roc.one_against_rest(labels, z / z.sum(1, keepdims=True)).value
