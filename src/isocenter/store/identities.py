"""Two patients become one, studies move to another patient, and either is undone: what that means for the tables.

The bytes of an image keep the name under which it was sent; whose study it is, is a fact of the index. After a merge
whatever still arrives under the old identity belongs to the new one, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from isocenter.errors import NotFound, Refused, WrongState
from isocenter.record.event import Sealed
from isocenter.record.study import no_study
from isocenter.store import tables as t
from isocenter.store.arrivals import drop_if_empty, patient_columns
from isocenter.store.blobs import Blobs

__all__ = ["fold_merge", "fold_move", "fold_undo", "followed"]

_OF_STUDY = (
    "patient_id", "issuer", "patient_name", "name_key", "name_ideographic", "name_phonetic", "birth_date", "sex",
)  # fmt: skip


def fold_merge(entry: Sealed, connection: sa.Connection, *, forgotten: bool = False) -> None:
    """Fold a `Kind.PATIENTS_MERGED`: every study of the one is the other's, and so is what still arrives.

    It may be told again, for those who are left, when the keys of all who read it first are destroyed.

    Args:
        forgotten: studies of either may have been erased since with all that was known of whom they were of.

    Raises:
        NotFound: one of them is not known.
        Refused: they are one.
    """
    gone, stays = _named(entry.event.details["from"]), _named(entry.event.details["into"])
    if gone == stays:
        raise Refused(f"patient {gone[0]} and patient {stays[0]}", "they are one already", "nothing is left to do")
    there = sa.select(t.alias.c.event).where(*_is_alias(gone), *_leads_to(stays))
    if connection.execute(there).first() is not None:
        return
    last = stays
    if forgotten:
        last = followed(stays, connection)
        _must_exist_again(last, connection)
    else:
        _patient(gone, connection)
    into = _patient(last, connection)
    of = (t.study.c.patient_id == gone[0]) & (t.study.c.issuer == gone[1])
    studies = connection.execute(sa.select(t.study.c.uid).where(of).order_by(t.study.c.uid)).scalars().all()
    _rehome(studies, into, entry.number, connection)
    connection.execute(t.patient.delete().where((t.patient.c.id == gone[0]) & (t.patient.c.issuer == gone[1])))
    row = {"id": gone[0], "issuer": gone[1], "into_id": stays[0], "into_issuer": stays[1], "event": entry.number}
    connection.execute(t.alias.insert(), row)


def followed(patient: tuple[str, str], connection: sa.Connection) -> tuple[str, str]:
    """Who a patient is by all merges that stand."""
    while (row := connection.execute(sa.select(t.alias).where(*_is_alias(patient))).mappings().first()) is not None:
        patient = str(row["into_id"]), str(row["into_issuer"])
    return patient


def _is_alias(patient: tuple[str, str]) -> tuple[sa.ColumnElement[bool], ...]:
    return t.alias.c.id == patient[0], t.alias.c.issuer == patient[1]


def _leads_to(patient: tuple[str, str]) -> tuple[sa.ColumnElement[bool], ...]:
    return t.alias.c.into_id == patient[0], t.alias.c.into_issuer == patient[1]


def fold_move(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    """Fold a `Kind.STUDIES_MOVED`: some studies are another patient's, who may be new.

    Raises:
        NotFound: no such study.
    """
    told = entry.event.details["into"]
    key = _named(told)
    mine = (t.patient.c.id == key[0]) & (t.patient.c.issuer == key[1])
    if connection.execute(sa.select(t.patient.c.id).where(mine)).first() is None:
        connection.execute(t.patient.insert(), patient_columns(told))
    studies = [str(uid) for uid in entry.event.details["studies"]]
    before = _rehome(studies, _patient(key, connection), entry.number, connection)
    for one in sorted(before):
        drop_if_empty(*one, connection)


def fold_undo(entry: Sealed, connection: sa.Connection, *, forgotten: bool = False) -> None:
    """Fold a `Kind.PATIENTS_UNDONE`: every study is whose it was before, those that came since among them.

    Args:
        forgotten: what is undone may have been erased since with every study that it was about.

    Raises:
        WrongState: it was undone before, or a later change has to be undone first.
    """
    number, table = int(entry.event.details["change"]), t.rehomed
    rows = connection.execute(
        sa.select(table).where(table.c.event == number).order_by(table.c.study_uid)
    ).mappings().all()  # fmt: skip
    alias = connection.execute(sa.select(t.alias).where(t.alias.c.event == number)).first()
    if not rows and alias is None and forgotten:
        return
    if not rows and alias is None:
        raise WrongState(
            "this change of patients",
            "there is none that stands; it may have been undone before",
            "list them: `isocenter identities`",
        )
    for row in rows:
        later = (table.c.study_uid == row["study_uid"]) & (table.c.event > number)
        found = connection.execute(sa.select(table.c.event).where(later)).first()
        if found is not None:
            raise WrongState(
                "this change of patients",
                "a later one of the same studies stands: undo that one first",
                "list them: `isocenter identities`",
            )
    if alias is not None:
        connection.execute(t.alias.delete().where(t.alias.c.event == number))
    left = set()
    for row in rows:
        was, mine = json.loads(row["was"]), t.study.c.uid == row["study_uid"]
        now = connection.execute(sa.select(t.study.c.patient_id, t.study.c.issuer).where(mine)).first()
        connection.execute(table.delete().where((table.c.study_uid == row["study_uid"]) & (table.c.event == number)))
        if now is None:
            continue  # it was rejected meanwhile
        left.add((now.patient_id, now.issuer))
        connection.execute(t.study.update().where(mine), was)
        _must_exist(was, connection)
    for one in sorted(left):
        drop_if_empty(*one, connection)


def _rehome(
    studies: Sequence[str], into: Mapping[str, Any], event: int, connection: sa.Connection
) -> set[tuple[str, str]]:
    """Give studies to a patient and note whose they were; those patients."""
    before = set()
    for uid in studies:
        mine = t.study.c.uid == uid
        columns = [t.study.c[name] for name in _OF_STUDY]
        was = connection.execute(sa.select(*columns).where(mine)).mappings().first()
        if was is None:
            raise no_study(uid)
        before.add((was["patient_id"], was["issuer"]))
        row = {"study_uid": uid, "event": event, "was": json.dumps(dict(was), sort_keys=True)}
        connection.execute(t.rehomed.insert(), row)
        connection.execute(t.study.update().where(mine), _as_study(into))
    return before


def _as_study(patient: Mapping[str, Any]) -> dict[str, Any]:
    same = {name: patient[name] for name in _OF_STUDY[1:] if name != "patient_name"}
    return {"patient_id": patient["id"], "patient_name": patient["name"], **same}


def _must_exist(was: Mapping[str, Any], connection: sa.Connection) -> None:
    mine = (t.patient.c.id == was["patient_id"]) & (t.patient.c.issuer == was["issuer"])
    if connection.execute(sa.select(t.patient.c.id).where(mine)).first() is None:
        told = {name: was[name] for name in _OF_STUDY[1:] if name != "patient_name"}
        connection.execute(t.patient.insert(), {"id": was["patient_id"], "name": was["patient_name"], **told})


def _must_exist_again(key: tuple[str, str], connection: sa.Connection) -> None:
    """A patient without words, until a study of theirs brings some or their last one is erased."""
    mine = (t.patient.c.id == key[0]) & (t.patient.c.issuer == key[1])
    if connection.execute(sa.select(t.patient.c.id).where(mine)).first() is None:
        told = {"id": key[0], "issuer": key[1], "name": "", "birth_date": None, "sex": ""}
        connection.execute(t.patient.insert(), patient_columns(told))


def _patient(key: tuple[str, str], connection: sa.Connection) -> Mapping[str, Any]:
    mine = (t.patient.c.id == key[0]) & (t.patient.c.issuer == key[1])
    row = connection.execute(sa.select(t.patient).where(mine)).mappings().first()
    if row is None:
        raise NotFound(f"patient {key[0]:.64}", "the archive knows none of that identity", "search first")
    return {str(name): value for name, value in row.items()}


def _named(told: Mapping[str, Any]) -> tuple[str, str]:
    return str(told["id"]), str(told.get("issuer", ""))
