"""Modality Performed Procedure Step as provider (PS3.4 F.7): a scanner says that it begins and what it has done.

A step is created IN PROGRESS and set until it is COMPLETED or DISCONTINUED; after that it cannot be changed (0x0110
with Error ID 0xA710). The same step created twice is a duplicate (0x0111), an unknown one is 0x0112.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from isocenter.doors import commands, part10
from isocenter.doors.service import Asked
from isocenter.errors import IsocenterError, WrongState
from isocenter.govern.policy import Person
from isocenter.record.order import study_uid_of

__all__ = ["PERFORMED_STEP", "PerformedSteps"]

PERFORMED_STEP: Final = "1.2.840.10008.3.1.2.3.3"
_NO_LONGER: Final = 0xA710  # Performed Procedure Step Object may no longer be updated


class _Orders(Protocol):
    def begin(self, step_uid: str, step: Mapping[str, Any], *, who: Person) -> None: ...

    def perform(self, step_uid: str, told: Mapping[str, Any], *, who: Person) -> None: ...


class PerformedSteps:
    """N-CREATE and N-SET of performed procedure steps.

    Args:
        orders: `isocenter.site.ordering.Ordering`, or what answers like it.
    """

    classes = frozenset({PERFORMED_STEP})

    def __init__(self, orders: _Orders) -> None:
        self._orders = orders

    def answer(self, asked: Asked) -> None:
        """One request; every failure has the status of the standard."""
        if asked.sop_class != PERFORMED_STEP:
            return asked.respond(0x0118, "no such SOP class on this context")
        if asked.field not in (commands.N_CREATE_RQ, commands.N_SET_RQ):
            return asked.respond(0x0211, "performed steps are created and set")
        uid = asked.sop_uid
        if not uid and asked.field == commands.N_CREATE_RQ:  # the provider may name what the modality did not
            uid = study_uid_of(asked.calling, "".join(map(bytes.hex, asked.message.data or ())))
        if not part10.is_uid(uid):
            return asked.respond(0x0117, "the SOP Instance UID is not a UID")
        try:
            if asked.field == commands.N_CREATE_RQ:
                self._orders.begin(uid, asked.model(), who=asked.who)
            else:
                self._orders.perform(uid, asked.model(), who=asked.who)
        except WrongState as error:
            asked.count("rejected")
            return asked.respond(0x0110, str(error), error_id=_NO_LONGER)
        except IsocenterError as error:
            return asked.refuse(error)
        asked.count("performed")
        return asked.respond(0x0000, sop_uid=uid)
