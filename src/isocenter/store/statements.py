"""A statement of SQLAlchemy Core that is written out once and then run on the driver's own cursor.

Core builds a context, a compiled form and a result object each time that a statement runs, which takes several times
as long as the database needs to find one row by its key. An image that arrives runs a dozen such statements, and
receiving images is what an archive does all day; so the statements of that one path are kept in written form, by
dialect. They run on the connection and in the transaction of the caller, and fail with the same errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

__all__ = ["Statement"]


class Statement:
    """One statement, for every database.

    Args:
        core: what it says; parameters are named, and none of them may be a list.
        columns: those that an insert or update sets, where it is not all of them.

    >>> engine = sa.create_engine("sqlite://")
    >>> with engine.begin() as connection:
    ...     Statement(sa.select(sa.literal(1) + sa.bindparam("more", type_=sa.Integer()))).rows(connection, {"more": 2})
    [(3,)]
    """

    def __init__(
        self,
        core: sa.Select[Any] | sa.CompoundSelect[Any] | sa.Insert | sa.Update | sa.TextClause,
        *,
        columns: Sequence[str] | None = None,
    ) -> None:
        self._core, self._columns = core, list(columns) if columns is not None else None
        self._written: dict[str, _Written] = {}
        self._names = [str(column.key) for column in core.selected_columns] if isinstance(core, sa.Select) else []

    def rows(self, connection: sa.Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        written = self._for(connection)
        cursor = _cursor(connection)
        try:
            cursor.execute(written.text, written.parameters(values))
            found: list[tuple[Any, ...]] = cursor.fetchall()
        except connection.dialect.loaded_dbapi.Error as error:
            raise _told(connection, written.text, error) from error
        return found

    def first(self, connection: sa.Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The first row of a query by the names of its columns, or None."""
        rows = self.rows(connection, values)
        return dict(zip(self._names, rows[0], strict=True)) if rows else None

    def run(self, connection: sa.Connection, *many: Mapping[str, Any]) -> None:
        """Run an insert or update once for each set of values."""
        written = self._for(connection)
        cursor = _cursor(connection)
        try:
            if len(many) == 1:
                cursor.execute(written.text, written.parameters(many[0]))
            elif many:
                cursor.executemany(written.text, [written.parameters(values) for values in many])
        except connection.dialect.loaded_dbapi.Error as error:
            raise _told(connection, written.text, error) from error

    def _for(self, connection: sa.Connection) -> _Written:
        name = connection.dialect.name
        written = self._written.get(name)
        if written is None:
            written = self._written[name] = _Written(self._core, self._columns, connection.dialect)
        return written


class _Written:
    """The text of a statement in one dialect, and its parameters in the order and form that the driver takes."""

    def __init__(self, core: sa.Executable, columns: list[str] | None, dialect: sa.Dialect) -> None:
        made: Any = core.compile(dialect=dialect, column_keys=columns)  # type: ignore[attr-defined]
        self.text = str(made)
        fixed = {name: value for name, value in made.params.items() if value is not None}
        order = made.positiontup
        self.parameters: Callable[[Mapping[str, Any]], Any]
        if order is None:
            self.parameters = lambda values: {**fixed, **values}
        elif fixed or not order:
            self.parameters = lambda values: tuple(values[n] if n in values else fixed[n] for n in order)
        elif len(order) == 1:
            (only,) = order
            self.parameters = lambda values: (values[only],)
        else:
            self.parameters = itemgetter(*order)


def _cursor(connection: sa.Connection) -> Any:
    return connection.connection.dbapi_connection.cursor()  # type: ignore[union-attr]


def _told(connection: sa.Connection, text: str, error: Exception) -> BaseException:
    """The driver's error as SQLAlchemy tells it; without the values, which may be a patient's."""
    dialect = connection.dialect
    return exc.DBAPIError.instance(text, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect)
