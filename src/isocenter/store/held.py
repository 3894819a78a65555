"""What the archive holds of some identities, asked in as few statements as will do.

A statement lets go of the interpreter each time that the database steps, and where several senders send at once, others
take it each time. So the identities of many images are asked for together: sixteen of each kind in one statement.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from typing import Any

import sqlalchemy as sa

from isocenter.store import tables as t
from isocenter.store.database import Database
from isocenter.store.statements import Statement

__all__ = ["Held", "held", "images_held"]

_MANY = 16  # identities of one kind in one statement; a smaller number is filled up by repeating one


@dataclass(frozen=True)
class Held:
    """Identities that are taken.

    Args:
        images: digest by SOP Instance UID. What is rejected is known, and stays rejected when it is sent again; what
            was purged may come anew.
        series: Study Instance UID by Series Instance UID.
        studies: Patient ID and its issuer by Study Instance UID.
    """

    images: dict[str, str] = field(default_factory=dict)
    series: dict[str, str] = field(default_factory=dict)
    studies: dict[str, tuple[str, str]] = field(default_factory=dict)


def images_held(database: Database, sop_uids: Collection[str]) -> dict[str, str]:
    """The digests of those images of which something is held, by SOP Instance UID, as things stand now."""
    found: dict[str, str] = {}
    for size, many in _portions(sop_uids):
        for rows in database.look(_asked(size, ("image",)), many):
            found |= {uid: digest for _, uid, digest, _ in rows}
    return found


def held(
    connection: sa.Connection, sop_uids: Collection[str], series_uids: Collection[str], study_uids: Collection[str]
) -> Held:
    """Which of these identities are taken, in the caller's transaction."""
    said = Held()
    for size, many in _portions(sop_uids, series_uids, study_uids):
        for values in many:
            for kind, uid, one, other in _asked(size, ("image", "series", "study")).rows(connection, values):
                if kind == "image":
                    said.images[uid] = one
                elif kind == "series":
                    said.series[uid] = one
                else:
                    said.studies[uid] = (one, other)
    return said


def _portions(*uids: Collection[str]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """How many of each kind are asked for at once, and the values of each such question."""
    most = max(map(len, uids))
    if not most:
        return
    size = 1 if most == 1 else _MANY
    cut = [[some[at : at + size] for at in range(0, len(some), size)] for some in map(list, uids)]
    kinds = ("image", "series", "study")
    yield (
        size,
        [
            {
                f"{kind}{n}": _filled(part or whole[0], n)
                for kind, part, whole in zip(kinds, parts, cut, strict=False)
                for n in range(size)
            }
            for parts in zip_longest(*cut)
        ],
    )


def _filled(part: Sequence[str], n: int) -> str:
    return part[min(n, len(part) - 1)]


@cache
def _asked(size: int, kinds: tuple[str, ...]) -> Statement:
    def among(column: sa.Column[Any], kind: str) -> sa.ColumnElement[bool]:
        return column.in_([sa.bindparam(f"{kind}{n}", type_=column.type) for n in range(size)])

    def row(kind: str, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        return sa.select(sa.literal_column(f"'{kind}'"), *columns)

    i, r, s, p = t.instance.c, t.rejected.c, t.series.c, t.study.c
    none: sa.ColumnElement[str] = sa.literal_column("''")
    queries = {
        "image": [
            row("image", i.sop_uid, i.digest, none).where(among(i.sop_uid, "image")),
            row("image", r.sop_uid, r.digest, none).where(among(r.sop_uid, "image") & (r.purged == 0)),
        ],
        "series": [row("series", s.uid, s.study_uid, none).where(among(s.uid, "series"))],
        "study": [row("study", p.uid, p.patient_id, p.issuer).where(among(p.uid, "study"))],
    }
    return Statement(sa.union_all(*(query for kind in kinds for query in queries[kind])))
