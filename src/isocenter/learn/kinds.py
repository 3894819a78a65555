"""The kinds of recipe: what can be said of a training, as plain data.

A recipe, the digest of the examples and the version of the code together say everything that decides the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = [
    "LATER",
    "Augmentation",
    "Backbone",
    "Boxes",
    "Classes",
    "Classifier2D",
    "Column",
    "Masks",
    "Movement",
    "Named",
    "Opacities",
    "ReadFrom",
    "Recipe",
    "Table",
    "as_said",
]


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
        turnover: chance of up and down exchanged. tint: largest change of one colour against the others, as a factor.
        cubic: whether the moved picture is interpolated by cubic polynomials, which keep a small picture sharp; without
            them a network of small pictures would only ever learn from blurred ones.
        outside: what a moved picture shows where it came from beyond its edge: ``"border"`` repeats the last pixels,
            ``"reflection"`` mirrors, ``"zeros"`` is black, which makes an unmoved picture look foreign.
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
    turnover: float = 0.0
    tint: float = 0.0
    cubic: bool = False
    outside: str = "border"


@dataclass(frozen=True)
class Opacities:
    """What is drawn into films of the chest while a classifier learns (see `consolidations`).

    Args:
        clear: part of the clear films that get an opacity, and are then said to have one; each time they are shown.
        beside: part of the films with an opacity that get another.
        marked: part of all films that get a change which is no opacity.
        weight: of a clear film with an opacity in the loss, where a film counts 1 in the mean.
        pointing: weight of the loss that asks for a map which lies on what was drawn.
        emptied: part of all films of which much, and where there was an opacity the whole chest, gives way to the mean
            grey of the film, and which are then said to have none.
        kept: weight of the squared distance of the answers from those of the network that it began with, on films
            that nothing was done to; 0 for a network that begins from nothing.
    """

    clear: float = 0.4
    beside: float = 0.15
    marked: float = 0.35
    weight: float = 1.0
    pointing: float = 0.3
    emptied: float = 0.0
    kept: float = 0.0


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
        precision: ``"bfloat16"`` or ``"float32"`` for the products; sums are always float32. A processor that cannot
            multiply bfloat16 makes them in float32, and the card says so.
        gate_steps: of the training of the gate (see `scope`).
        opacities: what is drawn into the films while it learns; None for nothing.
        begins: recipe of the network that it goes on from; None where it begins from nothing.
        moved: how far of the way from the weights that it began with to those that were learnt the network goes that
            is given, in parts of it (Wortsman 2022): less than 1 keeps more of what it knew.
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
    opacities: Opacities | None = None
    begins: Classifier2D | None = None
    moved: float = 1.0
    card: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Movement:
    """How far a training volume may be moved while its answer, or its outline, stays where it lies on the body.

    Args:
        scale: smallest and largest zoom; each axis is drawn apart within `stretch` (in logarithms).
        rotate_deg, shift: largest turn about each axis in degrees, and shift as a part of the width.
        mirror: chance for each axis that it is turned round.
        bend: largest displacement of a coarse lattice, as a part of the width.
        curve, noise, sharpness: as in `Augmentation`; of no use for masks.
    """

    scale: tuple[float, float] = (0.85, 1.18)
    stretch: float = 0.1
    rotate_deg: float = 15.0
    shift: float = 0.06
    mirror: tuple[float, float, float] = (0.0, 0.0, 0.0)
    bend: float = 0.0
    curve: float = 0.0
    noise: float = 0.0
    sharpness: float = 0.0


@dataclass(frozen=True)
class Scattering:
    """Support vectors on the scattering of a picture, beside networks (see `waves`).

    Args:
        penalty: of an example on the wrong side. reach: of the bells, in inverse mean squared distances of the
            examples. kept: directions of largest spread that are looked at.
        turned: whether directions are averaged, for pictures that may lie at any angle.
        ordered: whether it is also decided between each class and the next, for grades.
    """

    penalty: float = 3.0
    reach: float = 1.0
    kept: int = 100
    turned: bool = False
    ordered: bool = False


@dataclass(frozen=True)
class Backbone(Scattering):
    """Support vectors on what a network sees that has learnt from photographs (see `pretrained`), beside networks.

    Args:
        side: of the enlarged picture that it looks at. stages: at whose ends its channels are taken.
    """

    side: int = 112
    stages: tuple[int, ...] = (2, 3, 4, 5)


@dataclass(frozen=True)
class Named:
    """A network or a loss of MONAI in place of our own (see `offered`, where all that may be named stands).

    Args:
        monai: its name there. arguments: plain data; what is left out has its default.
    """

    monai: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class ReadFrom:
    """Where a signed report says the class of a study, for recipes that learn from what readers signed.

    A class is there where a finding of its name, or of a name that `known_as` has for it, stands in the report: the
    meaning of its code, or scheme and code as in ``DCM:112001``. A grade is the value of a measurement (see
    `categories`).

    Args:
        measurement: what is measured, by meaning or code, whose value is the grade; empty where findings name the
            classes.
        finding: the finding that it belongs to; any, or the study as a whole, where empty.
        unit: UCUM unit of `cuts`; values in another of the same quantity are converted. The only one where empty.
        cuts: values from which on the next class begins, the first class lying below the first of them; where empty
            the value is the number in the name of a class, as in "TR4", or one that `known_as` has for it.
        nothing: the class of a study of whose report none of the others can be told.
    """

    measurement: str = ""
    finding: str = ""
    unit: str = ""
    cuts: tuple[float, ...] = ()
    nothing: str = ""


@dataclass(frozen=True)
class Classes:
    """A classifier of pictures or volumes, trained once for each part of the examples that is held back from it.

    Args:
        task: name of the task and of the model.
        classes: what the labels 0, 1, 2 … mean. positive: the label that counts as disease where there are two.
        known_as: other names of the classes in folders and tables.
        shape: of the grid that the network sees: two or three axes. channels: 1, or 3 for colour.
        measured: if there are any, no network is trained: two classes are told apart by measures of the shape of masks,
            with a ridge penalty of the one of these inverse strengths that does best within what is learnt from.
        waves: of the support vectors on the scattering of a picture that stand beside the networks; None for none.
        backbone: of those on what a network sees that has learnt from photographs, in their place; None for none.
        choose: numbers of the support vectors that are chosen on other parts than the one that is reported (see
            `nested`), each with the values to choose from; empty for no choice.
        several: a picture may show any number of the classes, or none: each is told by itself (see `several`).
        ordered: the labels are grades; weight of the squared distance between cumulative chances (Hou 2016).
        widths: channels of the stem and of the stages; each stage halves the grid.
        members: parts that the examples are split into; each network learns from all parts but one.
        fitted: the parts, counted from 0, for which a network is trained; empty for all.
        views: mirror images that are averaged when it answers, each a tuple of axes counted from the last.
        veiled: whether a picture is darkened towards its edges when the network answers, half as far (in logarithms) as
            the moved pictures of the training are on the mean: those bring black in from outside, and one that was not
            moved would look foreign.
        balanced: whether every class weighs the same, for use where the share of the diseased is not that of the data.
        levelled: whether each picture is freed of its own brightness and contrast.
        softened: whether the finest detail, in which noise and the work of scanners dominate, is smoothed away first.
        foreign: share of each batch that shows pictures of none of the classes; 0 for no such class.
        given_up: share of the held-back pictures of the classes that may be declined as none of them, and as too far
            from all of them; both borders are laid there, so that much of what was never thought of is declined.
        others: collections of other things beside the data, as paths from the folder above it.
        strangers: collections of other things that are never shown, only asked about when all is learnt.
        epochs, batch, rate, decay, smoothing, dropout, average, threads: as in `Classifier2D`.
        patience: epochs without a better loss on a tenth of the people that it learns from, who are then not shown to
            it, after which it ends; 0 for all epochs and all people.
        augmentation: of pictures. movement: of volumes.
        goal: figure and value that were wished for. card: what the author says of the model.
        network: of MONAI in place of the own one, of which then no `widths` are asked. loss: of MONAI in place of the
            cross entropy, to which `ordered` is added all the same; None for the own.
        read_from: where a signed report says the class; None where a finding has its name, or of two classes where the
            analysis' own question was answered with yes or no.
    """

    task: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    positive: int = 1
    known_as: Mapping[str, int] = field(default_factory=dict, hash=False)
    channels: int = 1
    measured: tuple[float, ...] = ()
    waves: Scattering | None = None
    backbone: Backbone | None = None
    choose: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, hash=False)
    ordered: float = 0.0
    several: bool = False
    widths: tuple[int, ...] = (16, 32, 64)
    members: int = 5
    fitted: tuple[int, ...] = ()
    views: tuple[tuple[int, ...], ...] = ((), (1,))
    veiled: bool = False
    balanced: bool = False
    levelled: bool = True
    softened: bool = False
    foreign: float = 0.0
    given_up: float = 0.01
    others: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    epochs: int = 20
    batch: int = 32
    rate: float = 3e-3
    decay: float = 0.05
    smoothing: float = 0.05
    dropout: float = 0.3
    average: float = 0.995
    threads: int = 1
    patience: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    movement: Movement = field(default_factory=Movement)
    goal: Mapping[str, float] = field(default_factory=dict, hash=False)
    card: Mapping[str, Any] = field(default_factory=dict, hash=False)
    network: Named | None = None
    loss: Named | None = None
    read_from: ReadFrom | None = None

    @property
    def beside(self) -> Scattering | None:
        """The support vectors beside the networks, whatever they look at."""
        return self.backbone or self.waves


@dataclass(frozen=True)
class Column:
    """One input of a table: its name, the range that it may have, and how it is turned into numbers.

    Args:
        kind: ``"number"`` (standardised, and bent at the knots), ``"grade"`` (ordered steps) or ``"code"`` (a name).
        values: of a code or grade. low, high: values outside are brought to the border.
        knots: where the line of a number may bend.
        unit: of a number; of a code the names of its values, split by " | ".
    """

    name: str
    kind: str
    known_as: tuple[str, ...] = ()
    low: float = -1e9
    high: float = 1e9
    values: tuple[float, ...] = ()
    knots: tuple[float, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A classifier of rows: logistic regression and boosted trees, chosen and measured by nested cross-validation.

    Args:
        columns: the inputs, in the order of a file without header. label: name of the outcome column.
        positive_above: labels above this number are diseased. graded: further labels above which a line is fitted; the
            answer is the mean of all lines, since how severe a disease is teaches more than whether there is one.
        through: name of the model whose embedding of a row's picture stands beside its columns; none where empty.
        strengths: of the ridge penalty to choose from. trees: numbers of boosted trees to choose from (0 for none).
        outer, inner, repeats: folds that measure, folds that choose, and how often the outer ones are drawn.
        booster: whose the trees are. ``"scikit-learn"``: they see numbers, gaps filled by the median. ``"lightgbm"``:
            they see gaps as gaps, and ask of a code whether it is one of several (see `boosted`); for large tables.
        read_from: where a signed report says the outcome; None where the analysis' own question was answered.
    """

    task: str
    classes: tuple[str, str]
    columns: tuple[Column, ...]
    label: tuple[str, ...]
    positive_above: float = 0.0
    graded: tuple[float, ...] = ()
    labels: tuple[float, ...] = (0.0, 1.0)
    strengths: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    trees: tuple[int, ...] = (0, 40, 80)
    depth: int = 2
    rate: float = 0.05
    outer: int = 10
    inner: int = 5
    repeats: int = 5
    subgroups: tuple[str, ...] = ()
    through: str = ""
    goal: Mapping[str, float] = field(default_factory=dict, hash=False)
    card: Mapping[str, Any] = field(default_factory=dict, hash=False)
    booster: str = "scikit-learn"
    read_from: ReadFrom | None = None


@dataclass(frozen=True)
class Masks:
    """A network that gives each voxel of a volume, or each pixel of a picture, a label.

    Args:
        classes: names of the labels 1, 2 …; 0 is background.
        spacing_mm: of the grid that the network sees, and of pictures that do not tell theirs; two numbers for
            pictures, three for volumes, and as many in `window` and `piece`. step: its sides are multiples of this.
        window: largest part of a volume that is looked at in one piece; larger ones are done piece by piece.
        piece: sides of the part that a step of the training looks at, laid at random; a whole volume where empty.
        widths: channels from half the grid to the coarsest. fine: channels on the whole grid.
        network: of MONAI in place of the own one, of which then neither `widths` nor `fine` are asked. loss: of MONAI
            in place of cross entropy and overlap; None for the own.
        known_as: other names of the labels in signed reports, or codes such as ``SCT:39607008``, each with its label.
        may_lack: whether a label may be nowhere in an image, as a lesion may: then a signed report without it says
            that it is not there. Else, as of organs, such a report is not learnt from.
        patience: as in `Classes`.
    """

    task: str
    classes: tuple[str, ...]
    spacing_mm: tuple[float, ...] = (1.0, 1.0, 1.0)
    window: tuple[int, ...] = (96, 96, 96)
    piece: tuple[int, ...] = ()
    widths: tuple[int, ...] = (12, 24, 48)
    fine: int = 8
    members: int = 5
    fitted: int = 1
    views: tuple[tuple[int, ...], ...] = ((),)
    epochs: int = 30
    rate: float = 4e-3
    decay: float = 0.02
    average: float = 0.99
    precision: str = "bfloat16"
    threads: int = 1
    movement: Movement = field(default_factory=Movement)
    goal: Mapping[str, float] = field(default_factory=dict, hash=False)
    card: Mapping[str, Any] = field(default_factory=dict, hash=False)
    network: Named | None = None
    loss: Named | None = None
    known_as: Mapping[str, int] = field(default_factory=dict, hash=False)
    may_lack: bool = False
    patience: int = 0


@dataclass(frozen=True)
class Boxes:
    """A detector: which things are on a picture, and the box about each.

    Args:
        classes: names of the things. known_as: other names of them in collections.
        shape: rows and columns of the grid that the network sees; multiples of 16.
        widths: channels of the stages, each on half the grid of the last. neck: channels where they meet.
        members: parts that the pictures are split into. fitted: networks trained, each without one of the parts.
        views: mirror images that are averaged when it answers.
        scale, shift: as in `Augmentation`. stretch: how far width and height are drawn apart (in logarithms).
        tint: largest change of one colour, in spreads of the picture. noise: largest standard deviation of noise.
        mirrored: whether training pictures are mirrored and their axes exchanged, where nothing has an upper side.
        shared: overlap above which the lesser of two boxes of one class is left out.
        patience: as in `Classes`.
    """

    task: str
    classes: tuple[str, ...]
    known_as: Mapping[str, int] = field(default_factory=dict, hash=False)
    shape: tuple[int, int] = (240, 320)
    widths: tuple[int, ...] = (16, 32, 64, 96)
    neck: int = 32
    members: int = 5
    fitted: int = 1
    views: tuple[tuple[int, ...], ...] = ((),)
    epochs: int = 60
    batch: int = 8
    rate: float = 3e-3
    decay: float = 0.05
    average: float = 0.99
    precision: str = "bfloat16"
    threads: int = 1
    scale: tuple[float, float] = (0.8, 1.25)
    stretch: float = 0.1
    shift: float = 0.1
    tint: float = 0.2
    noise: float = 0.1
    mirrored: bool = True
    shared: float = 0.5
    goal: Mapping[str, float] = field(default_factory=dict, hash=False)
    card: Mapping[str, Any] = field(default_factory=dict, hash=False)
    patience: int = 0


@dataclass(frozen=True)
class Structures:
    """What signed reports teach a training of its own (`recipes.OWN_TRAINING`), whose numbers stand elsewhere.

    Args:
        classes: structures that are outlined. known_as: other names and codes of them, counted from 1.
    """

    task: str
    classes: tuple[str, ...]
    known_as: Mapping[str, int] = field(default_factory=dict, hash=False)


Recipe = Classifier2D | Classes | Table | Masks | Boxes

LATER: Mapping[type, Mapping[str, Any]] = {
    Classes: {"network": None, "loss": None, "read_from": None},
    Table: {"booster": "scikit-learn", "read_from": None},
    Masks: {"network": None, "loss": None, "known_as": {}, "may_lack": False, "patience": 0},
    Boxes: {"patience": 0},
    Scattering: {"ordered": False},
    Backbone: {"ordered": False},
}
"""Fields that recipes have only since some had been written, and their defaults."""


def as_said(how: Recipe) -> dict[str, Any]:
    """The fields of a recipe as plain data.

    Those that were added later are left out at their default, so that the text and the digest of a recipe stay what
    they were.
    """
    return _said(how)


def _said(how: Any) -> dict[str, Any]:
    later = LATER.get(type(how), {})
    told = {name: value for name, value in asdict(how).items() if name not in later or value != later[name]}
    return {name: _said(own) if type(own := getattr(how, name)) in LATER else value for name, value in told.items()}
