"""In which project each study is at home, where it is not the house.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Every study is in the house until somebody puts it elsewhere."""
    op.create_table(
        "home",
        sa.Column("study_uid", TEXT, primary_key=True),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("event", BIG, nullable=False),
    )
    op.create_index("home_project", "home", ["project"])
