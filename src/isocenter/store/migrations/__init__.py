"""The tables of a new archive, and their history step by step, which alembic walks when an older one is opened.

Only forward: an older Isocenter refuses a newer archive instead of guessing what its tables mean.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from isocenter.errors import Unavailable
from isocenter.record.event import GENESIS
from isocenter.store import tables

__all__ = ["HEAD", "make", "upgrade"]

HEAD = "0004"
"""The newest step; a database that stands there is opened without loading alembic."""

_VERSION = sa.Table(  # as alembic itself makes it
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def make(engine: sa.Engine) -> None:
    """The newest tables in a database that has none, in one transaction; nothing where another process was quicker.

    A new archive need not walk its history: a test holds both ways equal.
    """
    with engine.connect().execution_options(isocenter_write=True) as connection, connection.begin():
        _take_turns(connection)
        if not sa.inspect(connection).has_table("alembic_version"):
            for statement in _newest(engine.dialect.name):
                connection.exec_driver_sql(statement)
            connection.execute(tables.chain.insert(), {"id": 1, "number": 0, "hash": GENESIS})
            connection.execute(_VERSION.insert(), {"version_num": HEAD})


@cache
def _newest(name: str) -> tuple[str, ...]:
    dialect = sa.make_url(f"{name}://").get_dialect()()
    made: list[str] = []
    for table in tables.metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)))
        made += (str(CreateIndex(index).compile(dialect=dialect)) for index in sorted(table.indexes, key=str))
    return (*made, *tables.KEPT[name], str(CreateTable(_VERSION).compile(dialect=dialect)))


def _take_turns(connection: sa.Connection) -> None:
    """Two that start at once on PostgreSQL wait for each other; SQLite's transaction does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4242)")


def upgrade(engine: sa.Engine, stands: str | None) -> None:
    """Bring the tables to the newest step, in one transaction.

    Raises:
        Unavailable: the archive was made by a newer version.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    if stands is not None and stands not in {step.revision for step in script.walk_revisions()}:
        raise Unavailable(
            f"the archive's tables stand at step {stands}",
            "a newer version of Isocenter made them, and this one would misread them",
            "run that version, or restore a copy from before",
        )
    with engine.connect().execution_options(isocenter_write=True) as connection, connection.begin():
        _take_turns(connection)
        with EnvironmentContext(
            config, script, fn=lambda revision, _context: script._upgrade_revs("head", revision), as_sql=False
        ) as context:
            context.configure(connection=connection, target_metadata=None, transactional_ddl=True)
            context.run_migrations()
