"""Recipes: complete configurations of a training that can be read and repeated.

A recipe is plain data: together with the digest of the examples and the version of the code it says everything that
decides the weights. On one machine and with the recorded number of threads a CPU run repeats bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isocenter.errors import NotFound

__all__ = ["OWN_TRAINING", "RECIPES", "Augmentation", "Classifier2D", "recipe"]


@dataclass(frozen=True)
class Augmentation:
    """How far a training picture may be changed while its answer stays the same.

    Args:
        scale: smallest and largest zoom; width and height are drawn apart within half of it (in logarithms), so that
            the shape of the film, which differs between wards, tells little.
        rotate_deg, shift: largest turn in degrees and shift as a part of the width.
        mirror: chance of left and right exchanged.
        curve: strength of a random monotone grey-value curve (gamma from ``1 / (1 + curve)`` to ``1 + curve``).
        field: amplitude of a smooth brightness slope across the picture.
        sharpness: most blur (-) and sharpening (+) of the fine structure.
        noise: largest standard deviation of added noise, in parts of the grey-value range.
        erase: chance that a rectangle is wiped out (tubes, letters and clips must not decide).
    """

    scale: tuple[float, float] = (0.8, 1.25)
    rotate_deg: float = 12.0
    shift: float = 0.08
    mirror: float = 0.5
    curve: float = 0.8
    field: float = 0.25
    sharpness: float = 0.9
    noise: float = 0.04
    erase: float = 0.4


@dataclass(frozen=True)
class Classifier2D:
    """A convolutional classifier of single grey pictures with a second head that only speaks within the first class.

    Args:
        task: name of the task and of the model.
        negative, positive: names of the folders of the two classes.
        subtypes: words in the file name that tell the two kinds of positives apart; empty for none.
        size: rows and columns of the picture that the network sees.
        widths: channels of the stages; every stage but the last halves the grid.
        validation: part of the people kept for validation.
        members: networks that are trained from different seeds and averaged.
        epochs, batch, rate, decay: the schedule (AdamW, one warm-up epoch, cosine to zero).
        smoothing: label smoothing. dropout: on the embedding. average: decay of the moving average of the weights.
        second_head: weight of the second head in the loss.
        precision: ``"bfloat16"`` or ``"float32"`` for the products; sums are always float32.
        gate_steps: of the training of the gate (see `scope`).
        card: what the recipe's author says of the model; the figures are added by the training.
        threads: CPU threads; part of the recipe because the order of sums depends on it.
    """

    task: str
    negative: str
    positive: str
    subtypes: tuple[str, ...] = ()
    size: int = 160
    widths: tuple[int, ...] = (24, 48, 96, 160)
    validation: float = 0.15
    members: int = 1
    epochs: int = 24
    batch: int = 32
    rate: float = 2e-3
    decay: float = 0.02
    smoothing: float = 0.05
    dropout: float = 0.3
    average: float = 0.998
    second_head: float = 0.3
    precision: str = "bfloat16"
    threads: int = 2
    augmentation: Augmentation = field(default_factory=Augmentation)
    gate_steps: int = 1500
    card: Mapping[str, Any] = field(default_factory=dict, hash=False)


_CHEST = {
    "title": "Opacity on a small child's chest radiograph",
    "intended_use": "Bring frontal chest radiographs of children of 1 to 5 years that may show an opacity (pneumonia) "
    "to a reader's attention earlier. A person reads every picture.",
    "not_for": [
        "adults, adolescents and newborns: it was trained on children of 1 to 5 years of one hospital",
        "ruling pneumonia out, or deciding on treatment",
        "lateral views, other parts of the body, photographs of films",
        "telling bacteria from viruses: the second head is an experiment, and is shown as one",
    ],
    "source": "Kermany, Zhang, Goldbaum: Labeled Optical Coherence Tomography and Chest X-Ray Images, Mendeley Data, "
    "doi 10.17632/rscbjbr9sj (Guangzhou Women and Children's Medical Center); gate also with MedNIST "
    "(Dr B. J. Erickson, Mayo Clinic; from TCIA, RSNA bone age and NIH chest X-ray)",
    "licence": "data CC BY 4.0 (Kermany) and CC BY-SA 4.0 (MedNIST); weights CC BY-SA 4.0",
    "limits": [
        "one hospital, one country; no sex, age or scanner is known for single pictures, so fairness cannot be shown",
        "pneumonia was diagnosed with clinical information, not from the picture alone",
        "the pictures were stored at 224 x 224 pixels, stretched to a square: small or faint shadows are lost",
        "the certainty holds where about half of the children have an opacity; it is too high where few have",
        "whether the chest is a child's is judged from the picture; where the header states the age, that decides",
        "the map shows where the network was sensitive; it is no outline of disease",
    ],
}

RECIPES: dict[str, Classifier2D] = {
    "chest_xray_opacity": Classifier2D(
        task="chest_xray_opacity",
        negative="NORMAL",
        positive="PNEUMONIA",
        subtypes=("bacteria", "virus"),
        card=_CHEST,
    ),
}


OWN_TRAINING: Mapping[str, str] = {"cardiac_cine": "isocenter.learn.heart"}
"""Tasks that are no classifier of pictures -> the module whose `train(data, out, seed, tell, clock)` makes a model."""


def recipe(task: str) -> Classifier2D:
    """The recipe of a task.

    Raises:
        NotFound: when there is none of that name.

    >>> recipe("chest_xray_opacity").positive
    'PNEUMONIA'
    """
    if task not in RECIPES:
        known = ", ".join(sorted([*RECIPES, *OWN_TRAINING]))
        raise NotFound(f"no recipe '{task}'", f"there are recipes for {known}")
    return RECIPES[task]
