"""Who is asked to read a study.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """A reading without the column was assigned to nobody."""
    op.add_column("reading", sa.Column("assigned", TEXT, nullable=False, server_default=""))
