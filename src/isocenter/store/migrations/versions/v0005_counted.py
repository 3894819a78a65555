"""Versions of readings are counted in each reading; the number of an entry told how many the archive has.

Revision ID: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """As many as the journal has of steps and drafts of that study, and of results by persons."""
    op.execute(
        """
        UPDATE reading SET version =
          (SELECT count(*) FROM event WHERE event.subject = reading.study_uid AND event.kind IN (
            'ReadingAssigned', 'ReadingOpened', 'ReadingClosed', 'OpinionLocked', 'ReportDrafted', 'ReportSigned',
            'ReportAmended'))
          + (SELECT count(*) FROM result WHERE result.study_uid = reading.study_uid AND result.origin = 'person')
        """
    )
