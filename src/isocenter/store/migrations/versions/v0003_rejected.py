"""What is rejected, who was merged into whom, and whose a study was before.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Nothing was rejected or merged before there were tables for it."""
    op.create_table(
        "rejected",
        sa.Column("sop_uid", TEXT, primary_key=True),
        *(_text(name) for name in ("study_uid", "series_uid", "digest", "code", "item", "above")),
        *(sa.Column(name, BIG, nullable=False) for name in ("rejection", "purged")),
    )
    op.create_index("rejected_study", "rejected", ["study_uid"])
    op.create_index("rejected_rejection", "rejected", ["rejection"])
    op.create_table(
        "alias",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("issuer", TEXT, primary_key=True),
        *(_text(name) for name in ("into_id", "into_issuer")),
        sa.Column("event", BIG, nullable=False),
    )
    op.create_table(
        "rehomed",
        sa.Column("study_uid", TEXT, primary_key=True),
        sa.Column("event", BIG, primary_key=True, autoincrement=False),
        _text("was"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False)
