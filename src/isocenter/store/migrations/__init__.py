"""The history of the tables, step by step; alembic walks it when an archive is opened.

Only forward: an older Isocenter refuses a newer archive instead of guessing what its tables mean.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from isocenter.errors import Unavailable

__all__ = ["upgrade"]


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
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4242)")  # two that start at once take turns
        with EnvironmentContext(
            config, script, fn=lambda revision, _context: script._upgrade_revs("head", revision), as_sql=False
        ) as context:
            context.configure(connection=connection, target_metadata=None, transactional_ddl=True)
            context.run_migrations()
