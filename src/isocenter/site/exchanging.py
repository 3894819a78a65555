"""What a site exchanges with the systems around it: orders, promises, work items, messages, alerts.

Each is one idea in a file of its own; here they are put together for the site that is made of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from isocenter.govern.policy import HOUSE
from isocenter.reading.worklist import Waiting
from isocenter.site.alerting import Alerting
from isocenter.site.committing import Committing
from isocenter.site.disclosing import Disclosing
from isocenter.site.identifying import Identifying
from isocenter.site.listing import Listing
from isocenter.site.messaging import Messaging
from isocenter.site.ordering import Ordering
from isocenter.site.working import Working

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Exchanging"]


class Exchanging:
    """The exchange of a site; the site brings what it works on."""

    index: Index
    journal: Journal
    blobs: Blobs
    clock: Callable[[], datetime]
    identities: Identifying
    _disclosing: Disclosing
    _listing: Listing

    def _open_exchange(self) -> None:
        # The clock is asked through the site: whoever gives it another one means these, too.
        def now() -> datetime:
            return self.clock()

        self.ordering = Ordering(self.index, self.journal, now)
        self.committing = Committing(self.index, self.journal, self.blobs, now)
        self.working = Working(self.journal, now)
        self.messaging = Messaging(
            self.index, self.journal, self.blobs, self.ordering, now, identities=self.identities
        )  # fmt: skip
        self.alerts = Alerting(self.index, self.journal, now, self._waiting)

    def _waiting(self) -> list[Waiting]:
        return self._disclosing.rows(self._listing.waiting(), HOUSE)
