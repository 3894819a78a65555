"""Storage Commitment Push Model over DIMSE (PS3.4 annex J), as provider; and answers of others to our own requests.

The answer goes over the association of the request while the asker is still there, and else over a call to the asker's
own port, again and again until it is acknowledged.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from isocenter.dicom import model as models
from isocenter.doors import commands
from isocenter.doors.service import Asked
from isocenter.doors.upper_layer import Ended
from isocenter.errors import Conflict, IsocenterError, NotFound, Refused

if TYPE_CHECKING:
    from isocenter.dicom.model import Model

__all__ = ["INSTANCE", "STORAGE_COMMITMENT", "Commitment", "event_type"]

STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""The one, well-known SOP Instance of the class."""
_WAIT_S: Final = 30.0
LOG: Final = logging.getLogger("isocenter.doors.commitment")


def event_type(answer: Model) -> int:
    """1: everything is promised; 2: something failed."""
    return 2 if "00081198" in answer else 1


class Commitment:
    """N-ACTION in and N-EVENT-REPORT out; N-EVENT-REPORT in for what we asked of others.

    Args:
        committing: `isocenter.site.committing.Committing`.
    """

    classes = frozenset({STORAGE_COMMITMENT})

    def __init__(self, committing: Any) -> None:
        self._committing = committing

    def answer(self, asked: Asked) -> None:
        """One request."""
        if asked.sop_class != STORAGE_COMMITMENT:
            return asked.respond(0x0118, "no such SOP class on this context")
        if asked.sop_uid != INSTANCE:
            return asked.respond(0x0112, "there is one instance, the well-known one")
        if asked.field == commands.N_EVENT_REPORT_RQ:
            return self._heard(asked)
        if asked.field != commands.N_ACTION_RQ:
            return asked.respond(0x0211, "commitment is requested by N-ACTION")
        if asked.message.words.get("ActionTypeID") != 1:
            return asked.respond(0x0123, "the one action is 1", more={"ActionTypeID": 1})
        try:
            owed = self._committing.asked(asked.model(), who=asked.who)
        except Conflict as error:
            return asked.respond(0x0131, str(error))
        except Refused as error:
            return asked.respond(0x0115, str(error))
        except IsocenterError as error:
            return asked.refuse(error)
        asked.count("commitment")
        asked.respond(0x0000, more={"ActionTypeID": 1})
        told = False
        try:
            answer = self._committing.answer(owed)
            told = self._told_here(asked, answer)
            if told:
                self._committing.told(owed, answer)
        finally:
            if not told:
                self._committing.later(owed)
        return None

    def _told_here(self, asked: Asked, answer: Model) -> bool:
        """Tell it over the same association; False where the asker is gone, or does not take it here."""
        if asked.link.waiting():
            return False  # a release, mostly: a call of our own does not stand in its way
        before = asked.link.sock.gettimeout()
        asked.link.sock.settimeout(_WAIT_S)
        try:
            words, data = report(answer, asked.context.syntax, 1)
            asked.link.send(asked.context.id, words, data)
            while (came := asked.link.receive()) is not None:
                operation = came.words["CommandField"]
                if operation == commands.N_EVENT_REPORT_RQ | commands.RESPONSE:
                    return came.words.get("Status") == 0x0000
                asked.later.append(came)
        except Ended as end:
            LOG.info("the answer to '%s' was not taken on its own association: %s", asked.calling, end)
            raise
        finally:
            asked.link.sock.settimeout(before)
        raise Ended("released while an answer was on its way")

    def _heard(self, asked: Asked) -> None:
        number = int(asked.message.words.get("EventTypeID", 0))
        if number not in (1, 2):
            return asked.respond(0x0113, "events are 1 and 2", more={"EventTypeID": number})
        try:
            self._committing.heard(asked.model(), by=asked.calling)
        except NotFound as error:
            return asked.respond(0x0115, str(error), more={"EventTypeID": number})
        except IsocenterError as error:
            return asked.refuse(error)
        return asked.respond(0x0000, more={"EventTypeID": number})


def report(answer: Model, syntax: str, message: int) -> tuple[dict[str, int | str], bytes]:
    """The command and the data set of an N-EVENT-REPORT."""
    words: dict[str, int | str] = {
        "AffectedSOPClassUID": STORAGE_COMMITMENT,
        "CommandField": commands.N_EVENT_REPORT_RQ,
        "MessageID": message,
        "AffectedSOPInstanceUID": INSTANCE,
        "EventTypeID": event_type(answer),
    }
    return words, models.encode(answer, syntax)
