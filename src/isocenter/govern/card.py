"""The card of a model, generated and never typed: from its record, its evidence, the gate, and what was seen here.

It answers the 31 source attributes that US certification asks of predictive interventions (HTI-1, 2024: 45 CFR
170.315(b)(11)(iv)(B)) and the fields of CHAI's applied model card (2024). What nobody told and the archive cannot know
is said to be *not known*, with the reason; nothing is filled in that was not measured or written by the training. Its
shape is `SCHEMA`, JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from isocenter.methods import subgroups
from isocenter.record import Model

__all__ = ["ASKED", "SCHEMA", "card"]

ASKED: Mapping[str, str] = MappingProxyType(
    {
        "1.i": "developer, name and contact",
        "1.ii": "who paid for the technical implementation",
        "1.iii": "value that it produces as output",
        "1.iv": "kind of output: prediction, classification, recommendation, evaluation, analysis or other",
        "2.i": "intended use",
        "2.ii": "intended patients",
        "2.iii": "intended users",
        "2.iv": "role in decisions: informs, augments or replaces clinical management",
        "3.i": "tasks, situations and people for which its use is cautioned against",
        "3.ii": "known risks, inappropriate settings and uses, known limitations",
        "4.i": "inclusion and exclusion of training data",
        "4.ii": "use of race, ethnicity, language, sex, age and the like as input",
        "4.iii": "how the training data represent people",
        "4.iv": "how the training data fit the setting of use",
        "5.i": "how its output was made fair in development",
        "5.ii": "how bias was managed, reduced or removed in development",
        "6.i": "external validation: source, clinical setting",
        "6.ii": "external validation: who did it",
        "6.iii": "external validation: how it represents people",
        "6.iv": "external validation: how it was done",
        "7.i": "validity in test data of the same source",
        "7.ii": "fairness in test data of the same source",
        "7.iii": "validity in data from elsewhere",
        "7.iv": "fairness in data from elsewhere",
        "7.v": "evaluations of its use on outcomes",
        "8.i": "how and how often validity is watched over time",
        "8.ii": "validity in local data",
        "8.iii": "how and how often fairness is watched over time",
        "8.iv": "fairness in local data",
        "9.i": "how and how often it is updated",
        "9.ii": "how and how often it is corrected when a risk is found",
    }
)
"""The 31 source attributes, by paragraph and in short."""

_CHAI = (
    "name", "developer", "version", "release_stage", "release_date", "global_availability", "regulatory_status",
    "summary", "intended_use_and_workflow", "primary_users", "how_to_use", "targeted_patients", "out_of_scope",
    "known_risks_and_limitations", "known_biases", "clinical_risk_level", "output", "model_type",
    "foundation_models", "input_data", "development_data", "bias_mitigation", "maintenance", "security", "funding",
    "stakeholders_consulted", "usefulness", "fairness", "safety", "references",
)  # fmt: skip

_TOLD = {
    "type": "object", "required": ["known", "says"], "additionalProperties": True,
    "properties": {"known": {"type": "boolean"}, "says": {"type": ["string", "object", "array"]},
                   "from": {"type": "string"}},
}  # fmt: skip
SCHEMA: Mapping[str, Any] = MappingProxyType(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Card of a model",
        "type": "object",
        "required": [
            "schema", "model", "made", "notice", "source_attributes", "chai", "evidence", "explanation", "way",
        ],
        "properties": {
            "schema": {"const": "isocenter-card-1"},
            "made": {"type": "string"},
            "notice": {"type": "string"},
            "model": {
                "type": "object", "required": ["name", "version", "digest", "state"],
                "properties": {"name": {"type": "string"}, "version": {"type": "string"}, "digest": {"type": "string"},
                               "state": {"type": "string"}},
            },
            "source_attributes": {"type": "object", "required": list(ASKED), "additionalProperties": _TOLD},
            "chai": {"type": "object", "required": list(_CHAI), "additionalProperties": _TOLD},
            "evidence": {"type": "object"},
            "explanation": _TOLD,
            "way": {"type": "object"},
        },
    }
)  # fmt: skip
"""The shape of `card`, for programs that read it."""

_NOTICE = "Research software; not a medical device. This card is generated; what nobody told is said to be not known."


def card(
    model: Model, *, way: Mapping[str, Any] | None = None, here: Mapping[str, Any] | None = None,
    watched: Mapping[str, Any] | None = None, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """The card of a model as it stands now.

    Args:
        way: `isocenter.site.gating.Gating.told`. here: ``runs`` and ``confirmed`` of signed studies of this site. Both
            are None where no archive was asked: the card then says of every step and every local figure that it is not
            known.
        watched: `isocenter.govern.watch.watch` of it, or None where no analysis runs on it.
    """
    alone = way is None or here is None
    way, here = way or {**_NO_WAY, "state": model.state}, here or {"confirmed": {}}
    told = _attributes(model, way, here, watched, alone=alone)
    return {
        "schema": "isocenter-card-1",
        "model": {"name": model.name, "version": model.version, "digest": model.digest, "state": way["state"],
                  "parent": model.parent, "examples": model.examples, "code": model.code},
        "made": now.isoformat(),
        "notice": _NOTICE,
        "source_attributes": {k: {"asks": ASKED[k], **told[k]} for k in ASKED},
        "chai": _chai(model, way, told),
        "evidence": _figures(model.evidence),
        "explanation": _explained(model),
        "way": {k: way[k] for k in ("state", "steps", "change", "test", "looks", "judged")},
    }  # fmt: skip


_FIGURES = (
    "n", "positives", "threshold", "metrics", "networks", "seeds", "splits", "subgroups", "calibration", "declined",
    "out_of_scope", "parity",
)  # fmt: skip


def _figures(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence without what no card shows, and without figures of groups that have too few events."""
    kept = {name: value for name, value in evidence.items() if name in _FIGURES}
    return kept | ({"subgroups": subgroups.shown(kept["subgroups"])} if kept.get("subgroups") else {})


_NO_WAY: Mapping[str, Any] = MappingProxyType({"steps": [], "change": None, "test": None, "looks": 0, "judged": None})
_NO_ARCHIVE = "no archive was asked"
_NO_GROUPS = "the evidence names no sex, age, site or scanner"


def _says(said: Any, of: str) -> dict[str, Any]:
    return {"known": True, "says": said, "from": of}


def _unknown(why: str, of: str = "") -> dict[str, Any]:
    return {"known": False, "says": f"not known: {why}", "from": of}


def _explained(model: Model) -> dict[str, Any]:
    """What was found of the maps of where it was sensitive, a sentence each, and the verdicts with their numbers."""
    told = model.evidence.get("explanation")
    if not told:
        return _unknown("no saliency method was tested for these weights, and so none is shown", "evidence")
    verdicts = [told] if isinstance(told, Mapping) else list(told)
    sentences = [f"{v['map']}: {v['says']}" if "map" in v else str(v.get("says", "")) for v in verdicts]
    return {**_says(sentences, "evidence.explanation"), "verdicts": verdicts}


def _of(card_: Mapping[str, Any], name: str, why: str = "its author did not tell") -> dict[str, Any]:
    value = card_.get(name)
    return _says(_plain(value), f"card.{name}") if value else _unknown(why, f"card.{name}")


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | dict | list) else str(value)


def _counted(told: Mapping[str, Any]) -> dict[str, Any]:
    """How many cases it learnt from, by the name that its kind of training has for them."""
    training = told.get("training")
    counts = training if isinstance(training, Mapping) else {}
    return {k: counts[k] for k in ("pictures", "cases", "examples", "rows") if k in counts and k not in told}


def _attributes(
    model: Model, way: Mapping[str, Any], here: Mapping[str, Any], watched: Mapping[str, Any] | None, *, alone: bool
) -> dict[str, dict[str, Any]]:
    told, shown, inputs = model.card, model.evidence, model.inputs
    groups = [g for g in subgroups.shown(shown.get("subgroups") or ()) if g.get("by") not in (None, "class")]
    because = str(told.get("groups") or _NO_GROUPS)
    fair: dict[str, Any] = _says(groups, "evidence.subgroups") if groups else _unknown(because, "evidence.subgroups")
    judged, local = way.get("judged"), here["confirmed"]
    columns = [c["name"] for c in inputs.get("columns", ()) if c["name"].lower() in ("sex", "age", "race", "gender")]
    outside = "no set from another hospital was declared as such"
    data = {k: told[k] for k in ("source", "people", "pictures", "near_duplicates") if k in told} | _counted(told)
    people = {k: told[k] for k in ("people", "groups") if told.get(k)}
    agreement = {k: local.get(k) for k in ("n", "share", "low", "high")}
    return {
        "1.i": _of(told, "developer"),
        "1.ii": _of(told, "funding", "its author names nobody who paid"),
        "1.iii": _says(_output(model), "inputs"),
        "1.iv": _says(_KINDS.get(_kind(inputs), "classification"), "inputs.kind"),
        "2.i": _of(told, "intended_use"),
        "2.ii": _of(told, "intended_patients", "its author names them in the intended use only"),
        "2.iii": _of(told, "intended_users"),
        "2.iv": _says("informs: nothing of it enters a report before a person keeps it and signs", "the house"),
        "3.i": _of(told, "not_for"),
        "3.ii": _of(told, "limits"),
        "4.i": _says(data, "card") if data else _unknown("its training did not tell"),
        "4.ii": _says(f"as inputs: {', '.join(columns)}" if columns else
                      "none: its inputs are images" if "columns" not in inputs else "none of them", "inputs"),
        "4.iii": _says(people, "card.people, card.groups") if people else _unknown(
            "its training did not tell who they were"),
        "4.iv": _unknown("the setting of use is this site's to judge; compare the source with your patients"),
        "5.i": fair if groups else _unknown(because),
        "5.ii": _of(told, "bias"),
        "6.i": _of(told, "external", outside), "6.ii": _of(told, "external_by", outside),
        "6.iii": _of(told, "external_people", outside), "6.iv": _of(told, "external_how", outside),
        "7.i": _says({"n": shown.get("n"), "metrics": shown["metrics"], "shown_on": told.get("shown_on", "")},
                     "evidence.metrics") if shown.get("metrics") else _unknown("no evidence came with it"),
        "7.ii": fair,
        "7.iii": _says({k: judged[k] for k in ("metric", "n", "primary", "by", "when")}, "the sealed test")
        if judged else _unknown(outside),
        "7.iv": _says(judged["gaps"], "the sealed test") if judged and judged.get("gaps") else _unknown(outside),
        "7.v": _of(told, "outcomes", "no study of its use on outcomes was named"),
        "8.i": _says({"how": "charts over every signed study", "cases": watched["cases"],
                      "false_alarms": watched["false_alarms"],
                      "delays": {c["chart"]: c["delays"] for c in watched["charts"]}}, "isocenter watch")
        if watched else _unknown(_NO_ARCHIVE if alone else
                                 "no analysis here runs on it, so that nothing can be watched"),
        "8.ii": _says(agreement, "signed reports") if local.get("share") is not None else _unknown(
            _NO_ARCHIVE if alone else f"{local.get('needed', 0)} more signed findings are needed", "signed reports"),
        "8.iii": _says("not by itself: `isocenter judge --groups` measures groups when a person asks", "the house"),
        "8.iv": _unknown("no local cases with known groups were judged"),
        "9.i": _says(dict(way["change"]), "change record") if way.get("change") else _unknown(
            _NO_ARCHIVE if alone else "no change record was declared here", "change record"),
        "9.ii": _says("one person stops it everywhere at once; another releases it, by new cases", "the gate"),
    }  # fmt: skip


_EYES = "looks through weights with SHA-256"  # of a training: those of others
_KINDS = {"masks": "segmentation", "heart": "segmentation", "boxes": "detection"}


def _kind(inputs: Mapping[str, Any]) -> str:
    """What a model answers; those that say no kind are known as `learn.judge.kind_of` knows them."""
    plain = "films" if "gate" in inputs else "masks" if "outlines" in inputs else "heart" if "step_mm" in inputs else ""
    return str(inputs.get("kind", plain))


def _output(model: Model) -> str:
    kinds, kind = list(model.inputs.get("classes") or model.inputs.get("outlines") or ()), _kind(model.inputs)
    if kind == "films":
        return f"calibrated chance of what its title says: {model.card.get('title', model.name)}"
    if kind == "heart":
        return f"outlines and volumes: {model.card.get('title', model.name)}"
    if kind == "masks":
        return f"outlines of {', '.join(map(str, kinds))}"
    if model.inputs.get("kind") == "boxes":
        return f"boxes about each of: {', '.join(map(str, kinds))}, with a score between 0 and 1 that is no chance"
    if kinds:
        return f"calibrated chance of each of: {', '.join(map(str, kinds))}"
    return str(model.card.get("title", model.name))


def _founded(model: Model) -> dict[str, Any]:
    """Which weights of others it stands on; a version of its own before it is none."""
    training = model.card.get("training")
    eyes = training.get(_EYES) if isinstance(training, Mapping) else None
    before = f"; the version before it has the weights {model.parent}" if model.parent else ""
    if eyes:
        return _says(f"it looks through weights of others with SHA-256 {eyes}, which its source names{before}",
                     "card.training")  # fmt: skip
    return _says(f"none of others{before}", "record")


def _chai(model: Model, way: Mapping[str, Any], told: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    released = next((s for s in reversed(way["steps"]) if s["step"] == "release"), None)
    training = model.card.get("training")
    return {
        "name": _says(str(model.card.get("title", model.name)), "card.title"),
        "developer": told["1.i"],
        "version": _says(model.version, "record"),
        "release_stage": _says(way["state"], "the gate"),
        "release_date": _says(f"{released['when']}, by {released['by']}", "the gate") if released
        else _unknown("it was released by nobody here", "the gate"),
        "global_availability": _of(model.card, "licence"),
        "regulatory_status": _says("none: research software, not a medical device", "the house"),
        "summary": _says(str(model.card.get("title", model.name)), "card.title"),
        "intended_use_and_workflow": told["2.i"],
        "primary_users": told["2.iii"],
        "how_to_use": told["2.iv"],
        "targeted_patients": told["2.ii"],
        "out_of_scope": told["3.i"],
        "known_risks_and_limitations": told["3.ii"],
        "known_biases": told["7.ii"],
        "clinical_risk_level": _unknown("it depends on the use that a site gives it"),
        "output": told["1.iii"],
        "model_type": _says(_plain(training), "card.training") if training else _unknown("its training did not tell"),
        "foundation_models": _founded(model),
        "input_data": _says({k: v for k, v in model.inputs.items() if k in ("kind", "shape", "size", "channels")}
                            or {"see": "record"}, "inputs"),
        "development_data": told["4.i"],
        "bias_mitigation": told["5.ii"],
        "maintenance": told["9.i"],
        "security": _says("ONNX only, opened by the digest of its bytes; pickles are refused unopened", "the house"),
        "funding": told["1.ii"],
        "stakeholders_consulted": _of(model.card, "consulted"),
        "usefulness": told["7.v"],
        "fairness": told["7.ii"],
        "safety": told["8.i"],
        "references": _of(model.card, "source"),
    }  # fmt: skip
