"""A recipe of one's own: a TOML file that says what the recipes that ship say in Python.

``kind`` names what is trained, ``task`` the model; every other key is a field of that kind (see `kinds`), with its
default where it is left out. A file is data: nothing of it is run, and no path in it leads out of the data's folder.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import PurePosixPath
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import tomli_w
from pydantic import TypeAdapter, ValidationError

from isocenter.errors import Refused
from isocenter.learn.categories import numbers_in, question_of
from isocenter.learn.kinds import Boxes, Classes, Masks, Recipe, Table, as_said
from isocenter.learn.offered import must_be_offered, step_of
from isocenter.record import to_plain

__all__ = ["BESIDE", "CARD", "KINDS", "recipe_from", "recipe_in", "recipe_read", "recipe_text"]

KINDS: Mapping[str, type[Classes | Masks | Table | Boxes]] = {
    "classes": Classes, "masks": Masks, "table": Table, "boxes": Boxes,
}  # fmt: skip
_TASK = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CARD = ("title", "intended_use", "not_for", "limits", "source", "licence")
"""What an author says of a model before there is any figure."""
BESIDE = ("intended_patients", "intended_users", "developer", "funding", "groups", "bias")
"""What an author may say as well, a text each: whose images it is for, who uses it, who made it and paid for it, what
the data tell of groups of people (a page then says why there is no figure of one), and what was done against bias."""
_LISTS = ("not_for", "limits")
_LARGEST = 64 * 2**20  # voxels of the grid that a network sees: 256 MB for one picture of it


def recipe_in(text: str, where: str) -> Recipe:
    """The recipe that a TOML text says.

    Args:
        text: of the file. where: what it is called in a refusal.

    Raises:
        Refused: no TOML, no such kind, an unknown field, a value of another type or that makes no sense, or a card
            that leaves open what the model is for.

    >>> said = 'kind = "masks"\\ntask = "kidney"\\nclasses = ["left", "right"]\\n[card]\\ntitle = "Kidneys on CT"\\n'
    >>> recipe_in(said, "kidney.toml")
    Traceback (most recent call last):
    isocenter.errors.Refused: the card in kidney.toml: it leaves out intended_use, not_for, limits, source, licence. ...
    """
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise Refused(f"{where} is no TOML", str(e), "`isocenter recipe breastmnist` shows a whole one") from e
    how = recipe_from(said, where)
    missing = [name for name in CARD if not how.card.get(name)]
    if missing:
        raise Refused(
            f"the card in {where}", f"it leaves out {', '.join(missing)}",
            "a model says on its card for what it is, for what not, its limits, its data and their licence",
        )  # fmt: skip
    for name in CARD:
        if name in _LISTS and not _sentences(how.card[name]):
            raise Refused(f"{name} of the card in {where}", "it is a list of sentences", f'such as {name} = ["…"]')
        if name not in _LISTS:
            _must_be_text(how.card[name], name, where)
    for name in BESIDE:
        _must_be_text(how.card.get(name, ""), name, where)
    return how


def _must_be_text(value: Any, name: str, where: str) -> None:
    if not isinstance(value, str):
        raise Refused(f"{name} of the card in {where}", "it is a text", f'such as {name} = "…"')


def _sentences(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) and one.strip() for one in value)


def recipe_from(said: Mapping[str, Any], where: str) -> Classes | Masks | Table | Boxes:
    """The recipe that a mapping says, whatever its card says.

    Raises:
        Refused: no such kind, an unknown field, a value of another type or that makes no sense.
    """
    said = dict(said)
    kind = said.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise Refused(
            f"kind {kind!r:.40} in {where}",
            f"a recipe is of one of these kinds: {', '.join(KINDS)}",
            "choose one of these",
        )
    _known(said, KINDS[kind], where)
    try:
        how: Classes | Masks | Table | Boxes = TypeAdapter(KINDS[kind]).validate_python(said)
    except ValidationError as e:
        first = e.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the recipe"
        raise Refused(
            f"{place} in {where}",
            first["msg"][:1].lower() + first["msg"][1:],
            "correct it; `isocenter recipe NAME` shows one that is whole",
        ) from e
    if isinstance(how, Classes | Masks):
        must_be_offered(how, where)
    for bad, what, why in (*_wrong(how), *_WRONG[type(how)](how)):
        if bad:
            raise Refused(f"{what} in {where}", why, "correct it; `isocenter recipe NAME` shows one that is whole")
    return how


def recipe_text(how: Recipe) -> str:
    """The TOML file of a recipe; read back it is the same recipe.

    Raises:
        Refused: the recipe of films of the chest, whose gate knows children's chests only.
    """
    kind = next((name for name, one in KINDS.items() if isinstance(how, one)), None)
    if kind is None:
        raise Refused(f"'{how.task}' as a file", "its gate knows chests of children only, so that it is no pattern",
                      "begin with breastmnist for pictures")  # fmt: skip
    told = {"kind": kind, "task": how.task} | {k: v for k, v in to_plain(as_said(how)).items() if k != "task"}
    return tomli_w.dumps(_without_none(told))


def recipe_read(how: Any) -> str:
    """All that a recipe says as TOML, to be read where it cannot be a file of one's own."""
    return (
        f"# '{how.task}' is trained as this says; it is here to be read, and is no pattern for a file of your own.\n"
        + tomli_w.dumps(_without_none(to_plain(as_said(how))))
    )


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value


def _known(said: Mapping[str, Any], kind: type, where: str, within: str = "") -> None:
    """Refuse a field that the kind does not have, at any depth: a misspelt one would leave its default in force."""
    hints = get_type_hints(kind)
    for name, value in said.items():
        if name not in hints:
            near = difflib.get_close_matches(name, hints, 1)
            raise Refused(
                f"{within}{name} in {where}", "there is no such field",
                f"did you mean {near[0]}?" if near else f"there are {', '.join(f.name for f in fields(kind))}",
            )  # fmt: skip
        for part in _dataclasses(hints[name]):
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, Mapping):
                    _known(one, part, where, f"{within}{name}.")


def _dataclasses(hint: Any) -> list[type]:
    """The dataclasses that a field may hold, itself or in a row."""
    if get_origin(hint) is UnionType or get_origin(hint) is tuple:
        return [found for one in get_args(hint) for found in _dataclasses(one)]
    return [hint] if isinstance(hint, type) and is_dataclass(hint) else []


_Rules = Sequence[tuple[bool, str, str]]


def _wrong(how: Classes | Masks | Table | Boxes) -> _Rules:
    numbers = [(f.name, getattr(how, f.name)) for f in fields(how)]
    flat = [(name, v) for name, held in numbers for v in (held if isinstance(held, tuple) else (held,))]
    return (
        (not _TASK.fullmatch(how.task) or len(how.task) > 60, f"task '{how.task:.60}'",
         "it names the model: small letters, digits and single underscores, 60 at most"),
        (any(isinstance(v, float) and not math.isfinite(v) for _, v in flat), "a value that is no number",
         "every number is finite"),
        (len({name.lower() for name in how.classes}) < len(how.classes) or not all(n.strip() for n in how.classes),
         "classes", "every class has a name of its own"),
        (not all(0 < v <= 1 or name.startswith(("hd95", "mae")) for name, v in how.goal.items()), "goal",
         "a goal names a figure and the value wished for, such as auc = 0.9"),
    )  # fmt: skip


def _descent(how: Classes | Masks | Boxes) -> _Rules:
    return (
        (how.epochs < 1, f"epochs {how.epochs}", "a training looks at its examples once at least"),
        (not 0 < how.rate < 1, f"rate {how.rate:g}", "a rate lies between 0 and 1; 0.003 is usual here"),
        (not 0 <= how.average < 1 or how.decay < 0, "average or decay",
         "the average forgets (0 to below 1), decay is not negative"),
        (how.members < 2, f"members {how.members}", "one part is held back, so there are two at least"),
        (not how.widths or min(how.widths) < 1 or max(how.widths) > 1024, "widths",
         "each stage has 1 to 1,024 channels"),
        (not 1 <= how.threads <= 64, f"threads {how.threads}", "1 to 64"),
        (how.patience < 0, f"patience {how.patience}", "it is a number of epochs, or 0 for all of them"),
    )  # fmt: skip


def _wrong_classes(how: Classes) -> _Rules:
    n = len(how.classes)
    return (
        *_descent(how),
        (n < 2 and not how.several, "classes", "two at least are told apart"),
        (len(how.shape) not in (2, 3) or min(how.shape) < 8 or math.prod(how.shape) * how.channels > _LARGEST,
         f"shape {list(how.shape)}", "two axes or three, of 8 pixels at least, 64 million in all at most"),
        (how.channels not in (1, 3), f"channels {how.channels}", "1 for grey, 3 for colour"),
        (not 0 <= how.positive < n, f"positive {how.positive}", "it is the number of a class, counted from 0"),
        (any(k not in range(n) for k in how.known_as.values()), "known_as", "it leads to a number of a class"),
        (any(k not in range(how.members) for k in how.fitted), "fitted", "its parts are counted from 0"),
        (how.batch < 2, f"batch {how.batch}", "a batch is two at least"),
        (not 0 <= how.dropout < 1 or not 0 <= how.smoothing < 1, "dropout or smoothing", "parts below 1"),
        (any(axis not in range(1, len(how.shape) + 1) for view in how.views for axis in view), "views",
         "axes are counted from the last, 1 to 2 or 3"),
        (not how.views, "views", "it answers to one view at least: views = [[]]"),
        (bool(how.measured) and (how.network is not None or how.loss is not None), "network or loss",
         "where shapes are measured no network is trained"),
        (any(_leads_out(path) for path in (*how.others, *how.strangers)), "others or strangers",
         "a collection lies beside the data, and no path leads out of there"),
        *_wrong_read_from(how),
    )  # fmt: skip


def _wrong_read_from(how: Classes | Table) -> _Rules:
    if how.read_from is None:
        return ()
    read, asked, several = how.read_from, question_of(how), isinstance(how, Classes) and how.several
    borne = [numbers_in(names) for names in asked.names]
    numbered = all(len(own) == 1 for own in borne) and len({v for own in borne for v in own}) == len(borne)
    return (
        (several and bool(read.measurement or read.nothing), "read_from",
         "where a picture may show several classes, each is there where its finding is"),
        (bool(read.finding or read.unit or read.cuts) and not read.measurement, "read_from",
         "finding, unit and cuts say more of a measurement: name it"),
        (bool(read.nothing) and read.nothing not in asked.classes, f"nothing '{read.nothing:.40}' in read_from",
         f"it is one of {', '.join(asked.classes)}"),
        (list(read.cuts) != sorted(set(read.cuts)), "cuts in read_from", "they rise"),
        (bool(read.cuts) and len(read.cuts) + 1 != len(asked.classes), f"{len(read.cuts)} cuts in read_from",
         f"they part {len(asked.classes)} classes: {len(asked.classes) - 1} are wanted"),
        (bool(read.cuts) and not read.unit, "cuts in read_from", 'they have a unit, such as unit = "%" or "1"'),
        (bool(read.measurement) and not read.cuts and not numbered, "read_from",
         "each class bears the one number that is its grade, in its name or by known_as, or there are cuts"),
    )  # fmt: skip


def _leads_out(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.is_absolute() or ".." in pure.parts or "\\" in path or ":" in path


def _wrong_masks(how: Masks) -> _Rules:
    step, axes = step_of(how), len(how.spacing_mm)
    whose = f"{len(how.widths)} widths" if how.network is None else f"this {how.network.monai}"
    sides = (*how.window, *how.piece)
    return (
        *_descent(how),
        (not how.classes, "classes", "one structure at least is outlined; background has no name"),
        (axes not in (2, 3) or min(how.spacing_mm) <= 0, "spacing_mm",
         "positive millimetres along two axes of a picture or three of a volume"),
        (len(how.window) != axes or len(how.piece) not in (0, axes), "window or piece",
         f"as many sides as spacing_mm has axes, {axes}"),
        (any(s < step or s % step for s in sides) or math.prod(how.window) > _LARGEST, "window or piece",
         f"with {whose} each side is a multiple of {step}"),
        (not 1 <= how.fine <= 1024, f"fine {how.fine}", "the stage of the finest grid has 1 to 1,024 channels"),
        (not 1 <= how.fitted <= how.members, f"fitted {how.fitted}", f"1 to {how.members} networks"),
        (any(axis not in range(1, axes + 1) for view in how.views for axis in view), "views",
         f"axes are counted from the last, 1 to {axes}"),
        (any(k not in range(1, len(how.classes) + 1) for k in how.known_as.values()), "known_as",
         "it leads to a label, counted from 1"),
    )  # fmt: skip


def _wrong_boxes(how: Boxes) -> _Rules:
    return (
        *_descent(how),
        (not how.classes, "classes", "one kind of thing at least is found"),
        (any(s < 32 or s % 16 for s in how.shape) or math.prod(how.shape) > _LARGEST, f"shape {list(how.shape)}",
         "rows and columns are multiples of 16, from 32"),
        (not 1 <= how.neck <= 1024, f"neck {how.neck}", "what joins the stages has 1 to 1,024 channels"),
        (not 1 <= how.fitted <= how.members, f"fitted {how.fitted}", f"1 to {how.members} networks"),
        (any(k not in range(len(how.classes)) for k in how.known_as.values()), "known_as",
         "it leads to a number of a class"),
        (how.batch < 1 or not 0 < how.shared < 1, "batch or shared", "a batch is one at least, shared a part below 1"),
    )  # fmt: skip


def _wrong_table(how: Table) -> _Rules:
    names = [c.name for c in how.columns]
    return (
        (not how.columns or len(set(names)) < len(names), "columns", "one at least, each with a name of its own"),
        (any(c.kind not in ("number", "grade", "code") for c in how.columns), "kind of a column",
         "it is number, grade or code"),
        (any(c.kind != "number" and not c.values for c in how.columns), "values of a column",
         "a grade or a code lists what it may be"),
        (any(c.low >= c.high for c in how.columns), "low and high of a column", "low lies below high"),
        (not how.label, "label", "the outcome's column has a name"),
        (min(how.outer, how.inner) < 2 or how.repeats < 1, "outer, inner or repeats",
         "two folds at least, drawn once at least"),
        (not how.strengths or min(how.strengths) <= 0 or not how.trees or min(how.trees) < 0, "strengths or trees",
         "one at least to choose from"),
        (how.booster not in _BOOSTERS, f"booster '{how.booster:.30}'", f"trees are of {' or '.join(_BOOSTERS)}"),
        (how.booster != _BOOSTERS[0] and not 1 <= how.depth <= 8, f"depth {how.depth}", "1 to 8 questions on a way"),
        (how.booster != _BOOSTERS[0] and any(v < 0 or v != int(v) or v > 4095 for c in how.columns for v in c.values
                                             if c.kind == "code"),
         "values of a code", "LightGBM knows codes that are whole numbers, 0 to 4095; scikit-learn's trees take any"),
        *_wrong_read_from(how),
    )  # fmt: skip


_BOOSTERS = ("scikit-learn", "lightgbm")

_WRONG: Mapping[type, Any] = {
    Classes: _wrong_classes, Masks: _wrong_masks, Boxes: _wrong_boxes, Table: _wrong_table,
}  # fmt: skip
