"""C-FIND and QIDO-RS as one query: which column answers which keyword, at which level."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import sqlalchemy as sa

from isocenter.errors import Refused
from isocenter.record.project import Reach
from isocenter.store import tables as t
from isocenter.store.homes import within
from isocenter.store.matching import match_date, match_name, match_number, match_text, match_time, match_uid
from isocenter.store.matching_facts import Asked, asked, each, fits

__all__ = ["LEVELS", "column_keys", "find", "study_conditions"]

_FEW = 3000  # series of a modality; fewer are looked up, more are walked to
LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")

_s, _p, _e, _i = t.study.c, t.patient.c, t.series.c, t.instance.c

# keyword -> (kind of matching, column); the order is that of the returned rows
_PATIENT: dict[str, tuple[str, Any]] = {
    "PatientID": ("text", _p.id),
    "IssuerOfPatientID": ("text", _p.issuer),
    "PatientName": ("name", _p.name),
    "PatientBirthDate": ("date", _p.birth_date),
    "PatientSex": ("text", _p.sex),
}
_STUDY: dict[str, tuple[str, Any]] = {
    "PatientID": ("text", _s.patient_id),
    "IssuerOfPatientID": ("text", _s.issuer),
    "PatientName": ("name", _s.patient_name),
    "PatientBirthDate": ("date", _s.birth_date),
    "PatientSex": ("text", _s.sex),
    "StudyInstanceUID": ("uid", _s.uid),
    "StudyDate": ("date", _s.date),
    "StudyTime": ("time", _s.time),
    "AccessionNumber": ("text", _s.accession),
    "StudyDescription": ("text", _s.description),
    "ReferringPhysicianName": ("person", _s.referring),
    "ModalitiesInStudy": ("modalities", _s.modalities),
    "NumberOfStudyRelatedSeries": ("count", _s.series_count),
    "NumberOfStudyRelatedInstances": ("count", _s.instance_count),
}
_SERIES: dict[str, tuple[str, Any]] = {
    "SeriesInstanceUID": ("uid", _e.uid),
    "Modality": ("text", _e.modality),
    "SeriesNumber": ("number", _e.number),
    "SeriesDescription": ("text", _e.description),
    "BodyPartExamined": ("text", _e.body_part),
    "Laterality": ("text", _e.laterality),
    "FrameOfReferenceUID": ("uid", _e.frame_of_reference),
    "NumberOfSeriesRelatedInstances": ("count", _e.instance_count),
}
_IMAGE: dict[str, tuple[str, Any]] = {
    "SOPInstanceUID": ("uid", _i.sop_uid),
    "SOPClassUID": ("uid", _i.sop_class),
    "AvailableTransferSyntaxUID": ("uid", _i.transfer_syntax),
    "InstanceNumber": ("number", _i.number),
    "Rows": ("number", _i.rows),
    "Columns": ("number", _i.columns),
    "NumberOfFrames": ("number", _i.frames),
}
_UNIQUE: dict[str, Any] = {"STUDY": _s.uid, "SERIES": _e.uid, "IMAGE": _i.sop_uid}
_OF_STUDY = ("StudyID", "ProcedureCodeSequence")  # of a study, and kept with its series


def column_keys(level: str) -> frozenset[str]:
    """Keywords that columns answer at a level of a search; others are header values that records keep, or nothing."""
    of = {"PATIENT": _PATIENT | _STUDY, "STUDY": _STUDY | _SERIES, "SERIES": _STUDY | _SERIES}
    return frozenset(of.get(level, _STUDY | _SERIES | _IMAGE))


def find(
    connection: sa.Connection,
    level: str,
    keys: Mapping[str, str],
    *,
    limit: int | None,
    offset: int,
    fuzzy: bool,
    without: Collection[str] = (),
    reach: Reach | None = None,
    only_uid: bool = False,
) -> list[dict[str, Any]]:
    """Rows by keyword; see `isocenter.store.index.Index.find`."""
    search = {"PATIENT": _patients, "STUDY": _studies, "SERIES": _series, "IMAGE": _images}.get(level.upper())
    if search is None:
        raise Refused(f"the level '{level:.20}'", f"known are {', '.join(LEVELS)}", "ask for one of these")
    left, dialect = dict(keys), connection.dialect.name
    rare = None
    if level.upper() != "PATIENT":
        rare = _rare_modality(connection, left.get("ModalitiesInStudy", ""), without)
    if rare is not None:
        del left["ModalitiesInStudy"]
    query = search(left, dialect, fuzzy, reach, list(without))
    if rare is not None:
        query = query.where(_s.uid.in_(rare))
    if only_uid:
        query = query.with_only_columns(_UNIQUE[level.upper()], maintain_column_froms=True)
    # SQLite knows no OFFSET without LIMIT.
    query = query.limit(-1 if limit is None and dialect == "sqlite" else limit).offset(offset)
    return [_row(row) for row in connection.execute(query).mappings()]


def _rare_modality(connection: sa.Connection, key: str, without: Collection[str]) -> sa.Select[Any] | None:
    """The studies of a modality that few have, or None when many do.

    Walking the studies in their order until a page is full is fast for a common modality and slow for a rare one.
    """
    key = str(key).strip()
    if not key.strip("*"):
        return None
    wanted = match_text(_e.modality, key.replace(",", "\\"), connection.dialect.name)
    of_it = sa.select(_e.study_uid).where(wanted)
    if without:
        return of_it.where(_e.uid.not_in(list(without)))
    count = connection.execute(sa.select(sa.func.count()).select_from(of_it.limit(_FEW).subquery())).scalar_one()
    return of_it if count < _FEW else None


def study_conditions(keys: Mapping[str, str], dialect: str, *, fuzzy: bool = False) -> list[sa.ColumnElement[bool]]:
    """What these keys ask of the study table."""
    return _conditions(_STUDY, keys, dialect, fuzzy)


def _patients(
    keys: dict[str, str], dialect: str, fuzzy: bool, reach: Reach | None, without: list[str]
) -> sa.Select[Any]:
    of = (_s.patient_id == _p.id) & (_s.issuer == _p.issuer)
    if reach is not None:  # a patient is shown for the studies that may be asked for, and counted by them
        of &= within(_s.uid, reach)
    numbers = {
        "NumberOfPatientRelatedStudies": sa.func.count(),
        "NumberOfPatientRelatedSeries": sa.func.coalesce(sa.func.sum(_s.series_count), 0),
        "NumberOfPatientRelatedInstances": sa.func.coalesce(sa.func.sum(_s.instance_count), 0),
    }
    counted = [sa.select(n).where(of).scalar_subquery().label(name) for name, n in numbers.items()]
    query = sa.select(*_labelled(_PATIENT), *counted).where(*_conditions(_PATIENT, keys, dialect, fuzzy))
    below = {name: value for name, value in keys.items() if name not in _PATIENT}
    conditions = _conditions(_STUDY, below, dialect, fuzzy)
    if conditions or reach is not None:
        query = query.where(sa.exists().where(of, *conditions))
    return query.order_by(_p.id, _p.issuer)


def _studies(
    keys: dict[str, str], dialect: str, fuzzy: bool, reach: Reach | None, without: list[str]
) -> sa.Select[Any]:
    query = sa.select(*_labelled(_STUDY)).where(*_conditions(_STUDY, keys, dialect, fuzzy), *_held(reach))
    mine = sa.and_(_e.study_uid == _s.uid, *_shown(without))
    below = {name: value for name, value in keys.items() if name not in _STUDY}
    wanted = asked({path: value for path, value in below.items() if "." in path or path in _OF_STUDY})
    conditions = [*_conditions(_SERIES, below, dialect, fuzzy), *_about_series(wanted, dialect)]
    if conditions:  # one series of the study fits them all
        query = query.where(sa.exists().where(mine, *conditions).correlate(t.study))
    if any(path.split(".")[0] in _OF_STUDY for path in keys):
        first = sa.select(_e.facts).where(mine).order_by(_e.number.is_(None), _e.number, _e.uid).limit(1)
        query = query.add_columns(first.scalar_subquery().label("study_facts"))
    return query.order_by(_s.arrived.desc(), _s.uid.desc())


def _held(reach: Reach | None) -> list[sa.ColumnElement[bool]]:
    return [] if reach is None else [within(_s.uid, reach)]


def _series(keys: dict[str, str], dialect: str, fuzzy: bool, reach: Reach | None, without: list[str]) -> sa.Select[Any]:
    query = sa.select(*_labelled(_STUDY | _SERIES), _e.facts.label("series_facts"))
    query = query.join_from(t.study, t.series, _e.study_uid == _s.uid)
    conditions = _conditions(_STUDY | _SERIES, keys, dialect, fuzzy) + _held(reach)
    conditions += _about_series(asked(keys, but=(_STUDY | _SERIES | _IMAGE).keys()), dialect) + _shown(without)
    return query.where(*conditions).order_by(_s.arrived.desc(), _s.uid.desc(), _e.number.is_(None), _e.number, _e.uid)


def _images(keys: dict[str, str], dialect: str, fuzzy: bool, reach: Reach | None, without: list[str]) -> sa.Select[Any]:
    columns = _STUDY | _SERIES | _IMAGE
    query = sa.select(*_labelled(columns), _e.facts.label("series_facts"), _i.facts.label("facts"))
    query = query.join_from(t.study, t.series, _e.study_uid == _s.uid).join(t.instance, _i.series_uid == _e.uid)
    conditions = _conditions(columns, keys, dialect, fuzzy) + _held(reach)
    for _, one in each(asked(keys, but=columns.keys())):
        conditions.append(sa.or_(fits(_i.facts, one, dialect), fits(_e.facts, one, dialect)))
    conditions += _shown(without)
    in_order = (_e.number.is_(None), _e.number, _e.uid, _i.number.is_(None), _i.number, _i.sop_uid)
    return query.where(*conditions).order_by(_s.arrived.desc(), _s.uid.desc(), *in_order)


def _shown(without: list[str]) -> list[sa.ColumnElement[bool]]:
    return [_e.uid.not_in(without)] if without else []


def _labelled(columns: Mapping[str, tuple[str, Any]]) -> list[sa.Label[Any]]:
    return [column.label(keyword) for keyword, (_, column) in columns.items()]


def _conditions(
    columns: Mapping[str, tuple[str, Any]], keys: Mapping[str, str], dialect: str, fuzzy: bool
) -> list[sa.ColumnElement[bool]]:
    found = []
    for keyword, value in keys.items():
        kind, column = columns.get(keyword, ("", None))
        text = str(value).strip()
        if text.strip("*") and kind in _MATCHES:  # a count is returned, never matched
            found.append(_MATCHES[kind](column, text, dialect, fuzzy))
    return found


def _name(column: Any, key: str, dialect: str, fuzzy: bool) -> sa.ColumnElement[bool]:
    c = column.table.c
    return match_name((c.name_key, c.name_ideographic, c.name_phonetic), key, dialect, fuzzy=fuzzy)


def _modalities(_column: Any, key: str, dialect: str, _fuzzy: bool) -> sa.ColumnElement[bool]:
    wanted = match_text(_e.modality, key.replace(",", "\\"), dialect)
    return sa.exists().where(_e.study_uid == _s.uid, wanted).correlate(t.study)


_MATCHES: dict[str, Callable[[Any, str, str, bool], sa.ColumnElement[bool]]] = {
    "text": lambda column, key, dialect, _: match_text(column, key, dialect),
    "uid": lambda column, key, _dialect, _: match_uid(column, key),
    "date": lambda column, key, _dialect, _: match_date(column, key),
    "time": lambda column, key, _dialect, _: match_time(column.table.c.time_key, key),
    "number": lambda column, key, _dialect, _: match_number(column, key),
    "name": _name,
    "person": lambda column, key, dialect, fuzzy: match_name(
        (column.table.c.referring_key,), key, dialect, fuzzy=fuzzy
    ),
    "modalities": _modalities,
}


def _about_series(wanted: Asked, dialect: str) -> list[sa.ColumnElement[bool]]:
    """Whether a series fits what is asked of header values: what its images share, or one of them where they differ."""
    found = []
    for word, one in each(wanted):
        of_it = sa.exists().where(_i.series_uid == _e.uid, fits(_i.facts, one, dialect)).correlate(t.series)
        differs = _e.varying.contains(f'"{word}"', autoescape=True)
        found.append(sa.or_(fits(_e.facts, one, dialect), sa.and_(differs, of_it)))
    return found


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    told = dict(row)
    if "ModalitiesInStudy" in told:
        told["ModalitiesInStudy"] = [one for one in told["ModalitiesInStudy"].split("\\") if one]
    facts = {**json.loads(told.pop("series_facts", "{}")), **json.loads(told.pop("facts", "{}"))}
    of_study = json.loads(told.pop("study_facts", None) or "{}")
    return {**facts, **{name: of_study[name] for name in _OF_STUDY if name in of_study}, **told}
