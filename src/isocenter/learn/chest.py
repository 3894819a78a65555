"""One command to the network of `chest_xray_heart`, with its card and its evidence.

What ships learnt from virtual films alone (`isocenter.methods.virtual_chest`): no radiograph of a person decides a
weight, and none is needed to repeat the training. Evidence is on virtual films that it has not seen; what it does on
radiographs of people is told on the page of the analysis. Where films of people with outlines are given, of a folder
or of signed reports, they are shown beside the virtual ones, and a fifth of the people is held back.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit

import isocenter
from isocenter.errors import Unavailable
from isocenter.learn.card import for_what, of_groups
from isocenter.learn.chest_fit import ChestRecipe, Films, films, fit_chest
from isocenter.learn.export import COMPARED, exported
from isocenter.learn.films_of_people import FilmsOfPeople, films_of_people
from isocenter.learn.heart_network import HeartNet
from isocenter.learn.model_folder import write_record
from isocenter.learn.recipes import DEVELOPER
from isocenter.record import Model, to_plain

__all__ = ["CARD", "page", "train"]

Progress = Callable[[str], None]
_HELD_OUT = 200
CARD: dict[str, Any] = {
    "title": "Lung fields and heart on frontal chest radiographs",
    "intended_use": "Outline both lungs and the heart on an upright adult chest, with a threshold as the second "
    "opinion, for a person who sees and corrects the outlines.",
    "intended_patients": "adults with an upright frontal chest radiograph",
    "intended_users": "people who see and correct the outlines",
    "developer": DEVELOPER,
    "bias": "no people were in the training of the outlines, and nothing was done for a group of them",
    "not_for": [
        "children, bedside and lateral pictures; lungs that are white",
        "telling disease: the heart's width is one number among many",
        "numbers without a look at the outlines",
    ],
    "source": "virtual films in closed form (isocenter.methods.virtual_chest); no radiograph of a person decides an "
    "outline. The gate, where there is one, also saw films of children (Kermany, Zhang, Goldbaum, Mendeley Data, doi "
    "10.17632/rscbjbr9sj) and MedNIST (Dr B. J. Erickson, Mayo Clinic; from TCIA, RSNA bone age and NIH chest X-ray)",
    "licence": "outlines: no data of people, weights Apache-2.0; gate: data CC BY 4.0 (Kermany) and CC BY-SA 4.0 "
    "(MedNIST), weights CC BY-SA 4.0",
    "groups": "the films that outlines were learnt from are drawn: there are no people in them, and so no groups of "
    "people; of those in the gate's films nothing is told",
    "limits": [
        "outlines never saw a radiograph of a person in training; none by readers were at hand to judge them on",
        "a consolidation counts as lung, fluid does not; the heart is whole, with what lies below the domes",
    ],
}


def train(
    data: Path, out: Path, seed: int, tell: Progress, clock: Callable[[], float] = time.monotonic,
    recipe: ChestRecipe | None = None,
) -> Model:  # fmt: skip
    """Draw the films, fit, export and measure; writes ``model.onnx``, ``model.json`` and ``card.md`` into `out`.

    Args:
        data: folder of films with outlines (`outlined_films`), which are shown beside those that are drawn; ``.`` for
            drawn ones alone.
        out: folder for the model; a run that was killed goes on there after its last fifty steps.

    Raises:
        NotFound, Refused: as `films_of_people`.
        Unavailable: when `out` cannot be written.
    """
    how, started = recipe or ChestRecipe(), clock()
    people = None if data == Path() else films_of_people(data, how.side, seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Unavailable(f"cannot make {out}", str(e), "choose another folder") from e
    drawn = films(how.films, how.side, seed, tell)
    if people is not None:
        tell(f"{len(people.taught)} films of {people.people} people beside them; {len(people.held)} of "
             f"{people.people_held} others are held back")  # fmt: skip
    net = fit_chest(
        how, drawn, seed, of_people=None if people is None else people.taught, checkpoint=out / "chest.checkpoint",
        progress=tell,
    )  # fmt: skip
    random = torch.Generator().manual_seed(seed)
    digest, parity = exported(
        net, (1, how.side, how.side), out / "model.onnx", ("logits",), limit_bytes=5_000_000, seed=seed, name="films",
        inputs=(torch.rand(1 + k % 3, 1, how.side, how.side, generator=random) for k in range(COMPARED)), measure=expit,
    )  # fmt: skip
    shown = _measured(net, films(_HELD_OUT, how.side, seed + 50))
    if people is not None:
        shown |= {f"{name}_people_held_back": value for name, value in _measured(net, people.held).items()}
    tell(", ".join(f"{name} {value['value']:.4f}" for name, value in shown.items()))
    card = (
        CARD
        | ({} if people is None else _of_people(people, data))
        | {
            "training": {
                "command": f"isocenter train {how.task} --data {'.' if people is None else 'FOLDER'} --seed {seed}",
                "parameters": sum(p.numel() for p in net.parameters()),
                "seconds since it was started or taken up again": round(clock() - started),
                "torch": torch.__version__,
                "seed": seed,
                "recipe": json.dumps(to_plain(asdict(how)), sort_keys=True),
            },
        }
    )
    model = Model(
        name=how.task, version="1", digest=digest, examples=_digest(drawn, people), code=code_digest(), card=card,
        evidence={"metrics": shown, "parity": parity, "films": _HELD_OUT},
        inputs={"side": how.side, "outlines": ["right lung", "left lung", "heart"]},
    )  # fmt: skip
    write_record(out, model, page(model))
    (out / "chest.checkpoint").unlink(missing_ok=True)
    return model


def code_digest() -> str:
    """Version of the package, and a digest of the files that decide the weights."""
    sha = hashlib.sha256()
    folder = Path(__file__).parent
    methods = [folder.parent / "methods" / f"{name}.py" for name in ("virtual_chest", "virtual_film")]
    for file in (
        *(folder / f"{n}.py" for n in ("fit", "chest_fit", "films_of_people", "heart_network", "outlined_films")),
        *methods,
    ):
        sha.update(file.read_bytes())
    return f"{isocenter.__version__}+{sha.hexdigest()[:12]}"


def _digest(drawn: Films, people: FilmsOfPeople | None) -> str:
    """SHA-256 of what was learnt from."""
    if people is None:
        return drawn.digest
    return hashlib.sha256(f"{drawn.digest} {people.taught.digest}".encode()).hexdigest()


def _of_people(people: FilmsOfPeople, data: Path) -> dict[str, Any]:
    """What the card says otherwise where films of people were learnt from."""
    whose = "what readers signed" if (data / "examples.json").is_file() else f"the folder '{data.name}'"
    return {
        "people": {"training": people.people, "validation": people.people_held},
        "pictures": {"training": len(people.taught), "validation": len(people.held)},
        "source": "virtual films in closed form (isocenter.methods.virtual_chest), and beside them "
        f"{len(people.taught)} outlined radiographs of {people.people} people of {whose}",
        "licence": f"that of the radiographs of {whose}, which whoever trained it knows",
        "groups": "nothing is known of groups of the people whose radiographs were learnt from",
        "bias": "nothing was done for a group of people",
        "limits": [
            f"outlines were learnt from radiographs of {people.people} people beside drawn ones, and looked at on "
            f"{people.people_held}",
            CARD["limits"][1],
            "no gate: nothing declines a picture that is no chest before the outlines do",
        ],
    }


def _measured(net: HeartNet, held: Films) -> dict[str, Any]:
    """Overlap with the truth of films that were not trained on, and how far the heart's share of the width is off."""
    with torch.inference_mode():
        said = torch.sigmoid(net(held.pictures[:, None].float() / 255)).numpy() > 0.5
    truth = held.masks.numpy() > 127
    known = np.ones(truth.shape[:2], np.bool_) if held.known is None else held.known.numpy()
    chest = truth.any(axis=(2, 3)).all(axis=1) if held.known is None else np.ones(len(truth), np.bool_)
    shown: dict[str, Any] = {}
    for k, name in enumerate(("right_lung", "left_lung", "heart")):
        told = chest & known[:, k]
        both = (said[told, k] & truth[told, k]).sum(axis=(1, 2))
        dice = 2 * both / np.maximum(said[told, k].sum(axis=(1, 2)) + truth[told, k].sum(axis=(1, 2)), 1)
        if len(dice):
            shown[f"dice_{name}"] = {"value": float(dice.mean()), "low": float(np.quantile(dice, 0.05)), "n": len(dice)}
    off = []
    for mine, theirs in zip(said[chest & known.all(axis=1)], truth[chest & known.all(axis=1)], strict=True):
        if mine.any(axis=(1, 2)).all() and theirs.any(axis=(1, 2)).all():
            off.append(_ratio(mine) - _ratio(theirs))
    if off:
        shown["ratio_off"] = {"value": float(np.abs(off).mean()), "largest": float(np.abs(off).max()), "n": len(off)}
    if held.known is None:
        empty = said[~chest].mean(axis=(1, 2, 3)) if (~chest).any() else np.zeros(1)
        shown["outlined_where_no_chest_is"] = {"value": float((empty > 0.02).mean()), "n": int((~chest).sum())}
    return shown


def _ratio(masks: npt.NDArray[np.bool_]) -> float:
    """Columns of the heart over those of both lungs."""
    heart, lungs = np.flatnonzero(masks[2].any(axis=0)), np.flatnonzero((masks[0] | masks[1]).any(axis=0))
    return float(np.ptp(heart) + 1) / float(np.ptp(lungs) + 1)


def page(model: Model) -> str:
    """The card as a page, written from the record."""
    card, shown = model.card, model.evidence["metrics"]
    rows = [
        f"| {name.replace('_', ' ')} | {value['value']:.4f} | "
        + ", ".join(f"{k} {v:.4g}" for k, v in value.items() if k != "value")
        + " |"
        for name, value in shown.items()
    ]
    return "\n".join([
        f"# {card['title']}", "",
        f"Model `{model.name}` version {model.version}, SHA-256 `{model.digest}`, state: {model.state}.",
        "Research software; not a medical device. This page is written by the training; do not edit it.", "",
        *for_what(card),
        "## Limits", "", *[f"- {line}" for line in card["limits"]], "", "## Data", "", card["source"] + ".", "",
        *of_groups(card),
        f"Licence: {card['licence']}. Digest of the examples `{model.examples[:16]}…`.", "", "## Training", "",
        *[f"- {name}: {value}" for name, value in card["training"].items()], "",
        "## Evidence", "",
        f"{model.evidence['films']} virtual films that were not trained on; " + _on_people(card), "",
        "| what | value | |", "|---|---|---|", *rows, "",
        *_of_gate(model.evidence.get("out_of_scope", {})),
        f"ONNX and torch differ by at most {model.evidence['parity']:.1e} in a probability.", "",
    ])  # fmt: skip


def _on_people(card: Mapping[str, Any]) -> str:
    if "people" in card:
        return f"and {card['pictures']['validation']} radiographs of {card['people']['validation']} people held back."
    return "what it does on radiographs of people is told in docs/know/chest_xray_heart.md."


def _of_gate(declined: Mapping[str, Mapping[str, int]]) -> list[str]:
    if not declined:
        return []
    rows = [f"| {kind} | {one['declined']} of {one['n']} |" for kind, one in declined.items()]
    return ["| pictures that did not teach the gate | called no upright chest |", "|---|---|", *rows, ""]
