"""Settings of support vectors beside networks, chosen where neither had looked.

A setting that is chosen by the very figure that is reported flatters it. Here the setting for one part of the examples
is chosen by the answers for the other parts, each given by a network and by support vectors that had seen neither that
part nor the one that will be reported. What is told of a part has then decided nothing (nested cross-validation, Varma
and Simon, BMC Bioinformatics 2006;7:91). The setting that ships is chosen in the same way over all parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isocenter.errors import Refused
from isocenter.learn.kinds import Classes, Scattering
from isocenter.learn.waves import Machine, fit_machine
from isocenter.methods import roc

__all__ = ["Away", "Beside", "settings"]

Away = tuple[int, ...]
"""Parts that were held back."""


def settings(how: Classes) -> list[Scattering]:
    """Every setting that a recipe has to choose from; one where it leaves no choice.

    >>> how = Classes("a", ("no", "yes"), (28, 28), waves=Scattering(), choose={"share": (0.0, 1.0), "kept": (50,)})
    >>> [(one.share, one.kept) for one in settings(how)]
    [(0.0, 50), (1.0, 50)]
    """
    if how.waves is None:
        return []
    return [
        replace(how.waves, **dict(zip(how.choose, values, strict=True))) for values in product(*how.choose.values())
    ]


@dataclass(eq=False)
class Beside:
    """The support vectors that stand beside the networks of a recipe.

    Args:
        how: the recipe, which has some. seen: (sides, n, d) as `waves.scattered` gives it. labels, part: (n,).
        asked: the parts that are answered for.
        network: (parts it must not have seen) -> (n, classes) logits, of which those of these parts are looked at.
    """

    how: Classes
    seen: Tensor
    labels: npt.NDArray[np.int64]
    part: npt.NDArray[np.int64]
    asked: Sequence[int]
    network: Callable[[Away], Tensor]
    _kept: dict[tuple[Scattering, Away], Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choices = len(settings(self.how))
        if choices > 1 and min(len(self.asked), self.how.members) < 3:
            raise Refused(f"{choices} settings to choose from in {len(self.asked)} parts",
                          "a part is chosen for by others, without it", "split into three parts at least")  # fmt: skip

    def fitted(self, setting: Scattering, away: Away = ()) -> Machine:
        """Support vectors that learn from all examples but those of some parts."""
        inside = ~np.isin(self.part, away)
        return fit_machine(setting, self.seen[:, inside], self.labels[inside], len(self.how.classes))

    def decided(self, setting: Scattering, away: Away) -> Tensor:
        """(n, classes) decisions of support vectors that have not seen some parts."""
        alone = replace(setting, share=1.0)  # the share is a factor: one fit serves all of them
        if (alone, away) not in self._kept:
            said = self.fitted(alone, away).decided(self.seen.flatten(0, 1))
            self._kept[alone, away] = said.unflatten(0, (len(self.seen), -1)).mean(0)
        return self._kept[alone, away] * setting.share

    def best(self, reported: int | None = None) -> Scattering:
        """The setting with the largest area over the parts but `reported`, in whose choice that has no say.

        The first of equals, and the only one where there is no choice.
        """
        choices = settings(self.how)
        if len(choices) == 1:
            return choices[0]
        others = [k for k in self.asked if k != reported]
        away = {k: tuple(sorted({k} if reported is None else {k, reported})) for k in others}
        held = np.isin(self.part, others)
        areas = []
        for setting in choices:
            said = torch.zeros(len(self.part), len(self.how.classes))
            for k in others:
                own = self.part == k
                said[own] = (self.network(away[k]) + self.decided(setting, away[k]))[own]
            areas.append(_area(self.labels[held], said.numpy().astype(np.float64)[held]))
        return choices[int(np.argmax(areas))]


def _area(labels: npt.NDArray[np.int64], said: npt.NDArray[np.float64]) -> float:
    """The area that the evidence reports: of more than two classes, the mean of each against the others."""
    if said.shape[1] == 2:
        return roc.auc(labels, said[:, 1] - said[:, 0]).value
    z = np.exp(said - said.max(1, keepdims=True))
    return roc.one_against_rest(labels, z / z.sum(1, keepdims=True)).value
