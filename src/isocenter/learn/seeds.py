"""What the recipe of a model gives from other seeds, listed on its card: how much of its figures was chance.

A training from another seed draws other parts of the examples and other first weights. Only its figures are taken;
the weights of the model stay as they are. All the seeds that were trained belong on the card, not the best of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isocenter.analysis.weights import record_in
from isocenter.errors import Refused
from isocenter.learn.card import amended, headings
from isocenter.learn.kinds import LATER
from isocenter.record import Model

__all__ = ["listed"]

_SECONDS = "seconds since it was started or taken up again"


def listed(folder: Path, runs: Sequence[Path]) -> Model:
    """List the figures of trainings from other seeds on the card of a model; a seed listed before is replaced.

    Args:
        folder: with the model, as `train` has written it.
        runs: folders of trainings of the same recipe on the same examples, each from another seed.

    Returns:
        The record with ``evidence["seeds"]``: for each the figures with their intervals, n, the seed, the seconds that
        it took (since it was last taken up) and the version of its code; ``began_with`` is the digest of the model that
        both went on from (``train --begin``), so that only the last part of the recipe differs by chance.

    Raises:
        NotFound: no model there.
        Refused: another recipe, other examples, or the seed of the model itself; nothing is written then.
    """
    trained = [record_in(run / "model.json") for run in runs]

    def told(model: Model) -> dict[str, Any]:
        seeds = {one["seed"]: one for one in model.evidence.get("seeds", ())}
        for run in trained:
            one = _figures(model, run)
            seeds[one["seed"]] = one
        return {"seeds": [seeds[k] for k in sorted(seeds)]}

    return amended(folder, told)


def _figures(model: Model, run: Model) -> dict[str, Any]:
    what = f"a training of {run.name} from seed {_training(run)['seed']}"
    if run.name != model.name:
        raise Refused(what, f"the card is that of {model.name}", "give trainings of the same recipe")
    if run.examples != model.examples:
        raise Refused(
            what,
            f"it did not learn from the examples {model.examples[:16]}… as {model.name} did",
            "give trainings of the same data",
        )
    if _training(run)["seed"] == _training(model)["seed"]:
        raise Refused(what, "that is the seed of the model itself", "give trainings from other seeds")
    said, again = json.loads(_training(model)["recipe"]), json.loads(_training(run)["recipe"])
    if other := _differs(said, again):
        raise Refused(what, f"{other} in its recipe is not as on the card of {model.name}", "train it by that recipe")
    begun = {"began_with": run.parent} if run.parent and run.parent == model.parent else {}
    return {
        **run.evidence["metrics"], "n": run.evidence["n"], "seed": _training(run)["seed"],
        "seconds": _training(run)[_SECONDS], "code": run.code, **begun,
    }  # fmt: skip


def _training(model: Model) -> Mapping[str, Any]:
    training: Mapping[str, Any] = model.card.get("training", {})
    if not {"seed", "recipe", _SECONDS} <= training.keys() or not headings(model.evidence.get("metrics", {})):
        raise Refused(f"seeds of {model.name}", "its card names no seed, recipe, AUC, mAP50 or Dice",
                      "give a classifier, a detector or a network that outlines")  # fmt: skip
    return training


def _differs(said: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first field of a recipe that another has otherwise.

    Fields that were added to recipes since are not asked, but for those that stand in a recipe only where they are
    used, so that leaving one out says something, too. And nothing is nothing: what a recipe does without may have been
    written as 0 before it could be a list.
    """
    used = {name for fields in LATER.values() for name in fields if name in other}
    for name in [*sorted(used - set(said)), *said]:
        value, found = said.get(name), other.get(name)
        if isinstance(value, dict) and isinstance(found, dict):
            if inner := _differs(value, found):
                return f"{name}.{inner}"
        elif found != value and (found or value):
            return name
    return ""
