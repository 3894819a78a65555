"""What a site exchanges with the systems around it: orders, promises, work items, messages, alerts, audits.

Each is one idea in a file of its own; here they are put together for the site that is made of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from isocenter.govern.policy import Person, Role
from isocenter.reading import alerts, escalation
from isocenter.reading.worklist import Waiting
from isocenter.site import workitem
from isocenter.site.alerting import Alerting
from isocenter.site.collecting import Collecting
from isocenter.site.committing import Committing
from isocenter.site.disclosing import Disclosing
from isocenter.site.forward_clock import ForwardClock
from isocenter.site.identifying import Identifying
from isocenter.site.listing import Listing
from isocenter.site.messaging import Messaging
from isocenter.site.ordering import Ordering
from isocenter.site.projecting import Projects
from isocenter.site.witnessing import Witness
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
    projects: Projects
    _witness: Witness
    _disclosing: Disclosing
    _listing: Listing

    def _open_exchange(self) -> None:
        # The clock is asked through the site: whoever gives it another one means these, too.
        def now() -> datetime:
            return self.clock()

        self.ordering = Ordering(self.index, self.journal, now, self.projects, self._witness.search)
        self.committing = Committing(self.index, self.journal, self.blobs, now, may=self._may_commit)
        self.forward = ForwardClock(now, self._newest_aged)
        self.working = Working(self.journal, self.forward, self.projects, self._witness.search)
        self.messaging = Messaging(
            self.index, self.journal, self.blobs, self.ordering, now, identities=self.identities,
            hears=self.projects.hears, home_of_sender=self.projects.home_of_sender,
        )  # fmt: skip
        self.collecting = Collecting(self.journal, now)
        self.alerts = Alerting(self.index, self.journal, self.forward, self._raised, self.projects.holds)

    def _newest_aged(self) -> datetime | None:
        """When the newest entry was made by whose age somebody is called, or a claim of work ends."""
        aged = (*alerts.KINDS, *escalation.KINDS, *workitem.KINDS)
        newest = self.journal.since(kinds=aged, limit=1, newest_first=True)
        return newest[0].event.time if newest else None

    def _may_commit(self, by: str, study_uid: str) -> bool:
        """Whether a system may be promised that images of a study are kept: those that it may add to."""
        reach = self.projects.arriving(Person(by, Role.SERVICE, "aet"))[1]
        return reach is None or reach.holds(study_uid, self.projects.home(study_uid))

    def _raised(self) -> list[Waiting]:
        """What a machine raised, as whoever has given no opinion may see it: few of all that wait."""
        raised = (row for row in self._listing.waiting() if any(said.raises for said in row.said))
        return self._disclosing.rows_before(list(raised))
