"""Arriving instances become rows of patient, study, series and instance.

The first word about a study stands and later instances only fill what was empty; of the patient, the latest word
stands, because departments correct names. A header value is a fact of its series as long as all instances agree on
it; when one disagrees, every instance keeps its own, so that nothing is said of a series that is not true of all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from isocenter.store import tables as t
from isocenter.store.matching import name_keys, person_key, plain_date, time_key
from isocenter.store.statements import Statement

__all__ = ["Agreement", "drop_if_empty", "fold_instances", "fold_learnt", "patient_columns"]

_ABSENT = object()

_patient = (t.patient.c.id == sa.bindparam("of_id")) & (t.patient.c.issuer == sa.bindparam("of_issuer"))
_FIND_PATIENT, _ADD_PATIENT = Statement(sa.select(t.patient).where(_patient)), Statement(t.patient.insert())
_CHANGE_PATIENT = Statement(t.patient.update().where(_patient))
_ALIAS = Statement(
    sa.select(t.alias).where((t.alias.c.id == sa.bindparam("of_id")) & (t.alias.c.issuer == sa.bindparam("of_issuer")))
)
_study = t.study.c.uid == sa.bindparam("of_uid")
_COUNTED = ("arrived", "modalities", "series_count", "instance_count", "bytes")
_FIND_STUDY, _ADD_STUDY = Statement(sa.select(t.study).where(_study)), Statement(t.study.insert())
_CHANGE_STUDY = Statement(t.study.update().where(_study))
# An update touches the index of every column that it names, so the one of each image names few.
_COUNT_STUDY = Statement(t.study.update().where(_study), columns=_COUNTED)
_series = t.series.c.uid == sa.bindparam("of_uid")
_FIND_SERIES, _ADD_SERIES = Statement(sa.select(t.series).where(_series)), Statement(t.series.insert())
_CHANGE_SERIES = Statement(t.series.update().where(_series))
_COUNT_SERIES = Statement(t.series.update().where(_series), columns=("instance_count",))
_ADD_INSTANCES = Statement(t.instance.insert())
_FACTS_OF_SERIES = Statement(
    sa.select(t.instance.c.sop_uid, t.instance.c.facts).where(t.instance.c.series_uid == sa.bindparam("of_uid"))
)
_CHANGE_FACTS = Statement(t.instance.update().where(t.instance.c.sop_uid == sa.bindparam("of_uid")), columns=("facts",))


def fold_instances(told: Mapping[str, Any], arrived: str, connection: sa.Connection) -> None:
    """Fold one `Kind.INSTANCES_RECEIVED`.

    Args:
        told: its details: ``study`` (without series), ``series`` by UID, ``instances``, each with its UIDs.
        arrived: the event's time.
        connection: in the journal's transaction.
    """
    study, items = told["study"], told["instances"]
    known = _FIND_STUDY.first(connection, {"of_uid": study["uid"]})
    patient = _whose(study, known, connection)
    _fold_patient(patient, connection)
    modalities = {one["modality"] for one in told["series"].values()}
    new_series = _fold_series(study["uid"], told["series"], items, connection)
    _fold_study({**study, "patient": patient}, known, arrived, modalities, new_series, items, connection)


def fold_learnt(told: Mapping[str, Any], study_uid: str, connection: sa.Connection) -> None:
    """Fold one `Kind.HEADERS_LEARNT`: what stored headers say today that an older reader did not take from them.

    Args:
        told: its details: new values of columns of the ``study``, of ``series`` and ``instances`` by UID. Of ``facts``
            those that are others are told, and None for one that the header does not have.
        study_uid: whose they are; what is no longer there is passed over.
    """
    if told.get("study"):
        _update(t.study, t.study.c.uid == study_uid, dict(told["study"]), connection)
    for table, key, name in ((t.series, t.series.c.uid, "series"), (t.instance, t.instance.c.sop_uid, "instances")):
        for uid, news in (told.get(name) or {}).items():
            mine, row = (key == uid) & (table.c.study_uid == study_uid), dict(news)
            if "facts" in row:
                before = connection.execute(sa.select(table.c.facts).where(mine)).scalar()
                if before is None:
                    continue
                facts = {**json.loads(before), **row["facts"]}
                row["facts"] = _json({name: value for name, value in facts.items() if value is not None})
            if "varying" in row:
                row["varying"] = _json(row["varying"])
            _update(table, mine, row, connection)


def _update(table: sa.Table, mine: sa.ColumnElement[bool], row: dict[str, Any], connection: sa.Connection) -> None:
    if row:
        connection.execute(table.update().where(mine), row)


def _whose(study: Mapping[str, Any], known: Mapping[str, Any] | None, connection: sa.Connection) -> Mapping[str, Any]:
    """The patient to whom arriving images belong: whoever the header says was merged, or their study moved."""
    said: Mapping[str, Any] = study["patient"]
    if known is not None:
        if (known["patient_id"], known["issuer"]) == (said["id"], said["issuer"]):
            return said
        named = {"id": known["patient_id"], "name": known["patient_name"]}
        return named | {name: known[name] for name in ("issuer", "birth_date", "sex")}
    events = []
    now = said
    while (alias := _ALIAS.first(connection, {"of_id": now["id"], "of_issuer": now["issuer"]})) is not None:
        stays = _FIND_PATIENT.first(connection, {"of_id": alias["into_id"], "of_issuer": alias["into_issuer"]})
        if stays is None:
            stays = {**now, "id": alias["into_id"], "issuer": alias["into_issuer"]}
        events.append((alias["event"], patient_columns(now)))
        now = stays
    for event, was in events:
        row = {"patient_id": was.pop("id"), "patient_name": was.pop("name"), **was}
        told = {"study_uid": study["uid"], "event": event, "was": json.dumps(row, sort_keys=True)}
        connection.execute(t.rehomed.insert(), told)
    return now


def drop_if_empty(id: str, issuer: str, connection: sa.Connection) -> None:
    """Forget a patient who has no study any more."""
    of = (t.study.c.patient_id == id) & (t.study.c.issuer == issuer)
    if connection.execute(sa.select(t.study.c.uid).where(of).limit(1)).first() is None:
        connection.execute(t.patient.delete().where((t.patient.c.id == id) & (t.patient.c.issuer == issuer)))


def _fold_patient(told: Mapping[str, Any], connection: sa.Connection) -> None:
    row = patient_columns(told)
    mine = {"of_id": row["id"], "of_issuer": row["issuer"]}
    known = _FIND_PATIENT.first(connection, mine)
    if known is None:
        _ADD_PATIENT.run(connection, row)
        return
    latest = {**known, **{name: value for name, value in row.items() if value}}
    if row["name"]:
        latest |= {name: value for name, value in row.items() if name.startswith("name")}
    if latest != known:
        _CHANGE_PATIENT.run(connection, latest | mine)


def patient_columns(told: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a patient: what a header says, with the keys by which names are found."""
    alphabetic, ideographic, phonetic = name_keys(told["name"])
    return {
        "id": told["id"],
        "issuer": told["issuer"],
        "name": told["name"],
        "name_key": alphabetic,
        "name_ideographic": ideographic,
        "name_phonetic": phonetic,
        "birth_date": plain_date(told["birth_date"]),
        "sex": told["sex"],
    }


def _fold_study(
    told: Mapping[str, Any],
    known: Mapping[str, Any] | None,
    arrived: str,
    modalities: set[str],
    new_series: int,
    items: Sequence[Mapping[str, Any]],
    connection: sa.Connection,
) -> None:
    mine = {"of_uid": told["uid"]}
    patient = patient_columns(told["patient"])
    said: dict[str, Any] = {
        "uid": told["uid"],
        "patient_id": patient.pop("id"),
        "patient_name": patient.pop("name"),
        **patient,
        "accession": told["accession"],
        "date": plain_date(told["date"]),
        "time": told["time"],
        "time_key": time_key(told["time"]),
        "description": told["description"],
        "referring": told["referring"],
        "referring_key": person_key(told["referring"]),
        "priority": told["priority"],
    }
    row = said if known is None else {name: known[name] or value for name, value in said.items()}
    counted: Mapping[Any, Any] = known or {"modalities": "", "series_count": 0, "instance_count": 0, "bytes": 0}
    row |= {
        "arrived": arrived,
        "modalities": "\\".join(sorted(modalities.union(filter(None, counted["modalities"].split("\\"))) - {""})),
        "series_count": counted["series_count"] + new_series,
        "instance_count": counted["instance_count"] + len(items),
        "bytes": counted["bytes"] + sum(item["size"] for item in items),
    }
    if known is None:
        _ADD_STUDY.run(connection, row)
        return
    words = any(known[name] != value for name, value in row.items() if name not in _COUNTED)
    (_CHANGE_STUDY if words else _COUNT_STUDY).run(connection, row | mine)


class Agreement:
    """Which header values all instances of a series share, while instances are added to it."""

    def __init__(self, facts: dict[str, Any], varying: set[str]) -> None:
        self.facts, self.varying = facts, varying
        self.began = len(varying)
        self.pushed: dict[str, Any] = {}  # values that were the series' and are now each instance's own
        self.added: list[dict[str, Any]] = []

    def add(self, shared: Mapping[str, Any], own: dict[str, Any]) -> None:
        """One more instance: what its header says of the series, and of itself."""
        if self.varying or shared != self.facts:
            for name in sorted((self.facts.keys() | shared.keys()) - self.varying):
                if self.facts.get(name, _ABSENT) != shared.get(name, _ABSENT):
                    self._part(name)
            own |= {name: shared[name] for name in self.varying & shared.keys() if name not in own}
        self.added.append(own)

    @property
    def held(self) -> bool:
        """Whether nothing parted that was shared before."""
        return len(self.varying) == self.began

    def told(self) -> dict[str, str]:
        """What is shared and what is not, as the series holds it."""
        return {"facts": _json(self.facts), "varying": _json(sorted(self.varying))}

    def _part(self, name: str) -> None:
        self.varying.add(name)
        if name in self.facts:
            value = self.pushed[name] = self.facts.pop(name)
            for earlier in self.added:
                earlier.setdefault(name, value)


def _fold_series(
    study_uid: str,
    told: Mapping[str, Mapping[str, Any]],
    items: Sequence[Mapping[str, Any]],
    connection: sa.Connection,
) -> int:
    """Fold the series and their instances; returns how many series are new."""
    known = {uid: row for uid in told if (row := _FIND_SERIES.first(connection, {"of_uid": uid})) is not None}
    instances: list[dict[str, Any]] = []
    for uid, said in told.items():
        mine = [item for item in items if item["series_uid"] == uid]
        before = known.get(uid)
        facts = dict(_read(before["facts"])) if before else dict(mine[0].get("series_facts", said["facts"]))
        agreement = Agreement(facts, set(_read(before["varying"])) if before else set())
        for item in mine:
            own = dict(item["facts"])
            agreement.add(item.get("series_facts", said["facts"]), own)
        if before and agreement.pushed:
            _push_down(uid, agreement.pushed, connection)
        instances += [_instance_row(study_uid, i, own) for i, own in zip(mine, agreement.added, strict=True)]
        row = _series_row(study_uid, uid, said, before, agreement, len(mine))
        if before is None:
            _ADD_SERIES.run(connection, row)
        else:
            same = all(before[name] == value for name, value in row.items() if name != "instance_count")
            (_COUNT_SERIES if same else _CHANGE_SERIES).run(connection, {**row, "of_uid": uid})
    _ADD_INSTANCES.run(connection, *instances)
    return len(told) - len(known)


def _series_row(
    study_uid: str,
    uid: str,
    said: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    agreement: Agreement,
    count: int,
) -> dict[str, Any]:
    names = ("modality", "number", "description", "body_part", "laterality", "frame_of_reference")
    row = {name: said[name] for name in names}
    if before is not None:
        row = {name: value if before[name] in (None, "") else before[name] for name, value in row.items()}
        count += before["instance_count"]
    return {
        "uid": uid,
        "study_uid": study_uid,
        **row,
        **({name: before[name] for name in ("facts", "varying")} if before and agreement.held else agreement.told()),
        "instance_count": count,
    }


def _instance_row(study_uid: str, item: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    names = ("series_uid", "sop_uid", "sop_class", "transfer_syntax", "digest", "size", "number")
    sizes = ("rows", "columns", "frames")
    return {"study_uid": study_uid, **{name: item[name] for name in (*names, *sizes)}, "facts": _json(own)}


def _push_down(series_uid: str, pushed: Mapping[str, Any], connection: sa.Connection) -> None:
    """Give every earlier instance of a series the values that no longer hold for all of it."""
    found = _FACTS_OF_SERIES.rows(connection, {"of_uid": series_uid})
    _CHANGE_FACTS.run(
        connection, *({"of_uid": uid, "facts": _json({**pushed, **json.loads(facts)})} for uid, facts in found)
    )


@lru_cache(maxsize=64)
def _read(text: str) -> Any:
    """What a series holds, read once while its images arrive; nobody may change it."""
    return json.loads(text)


_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
