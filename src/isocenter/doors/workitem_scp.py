"""Unified Procedure Step over DIMSE as provider (PS3.4 annex CC): Push, Watch, Pull, Event and Query.

The SOP class of every command is UPS Push; which operations a peer may use follows from the class of the presentation
context. Statuses beyond those of PS3.7 are those of tables CC.2.1-2 to CC.2.8-2. Watchers are told by a call to their
own port, in the order in which things happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from isocenter.dicom import model as models
from isocenter.dicom.header import ae_title
from isocenter.dicom.match import project
from isocenter.dicom.model import Model, first
from isocenter.doors import commands, part10
from isocenter.doors.dimse_scu import Peer
from isocenter.doors.negotiation import EXPLICIT, IMPLICIT, propose
from isocenter.doors.service import Asked
from isocenter.doors.upper_layer import Ended, connect
from isocenter.errors import IsocenterError, NoAnswer, NotFound, Refused
from isocenter.record.order import study_uid_of
from isocenter.site.working import Report, Working
from isocenter.site.workitem import STATE, NotNow

__all__ = ["PUSH", "Workitems", "tell"]

_ROOT: Final = "1.2.840.10008.5.1.4.34.6."
PUSH, _WATCH, _PULL, EVENT, _QUERY = (f"{_ROOT}{n}" for n in range(1, 6))
_TRANSACTION, _RECEIVER, _LOCK = "00081195", "00741234", "00741230"
_MAY: Final[Mapping[str, frozenset[int]]] = {  # class of the context -> operations, N-ACTION by the action's type
    PUSH: frozenset({commands.N_CREATE_RQ, commands.N_GET_RQ, 2}),
    _WATCH: frozenset({commands.N_GET_RQ, commands.C_FIND_RQ, 2, 3, 4, 5}),
    _PULL: frozenset({commands.N_GET_RQ, commands.N_SET_RQ, commands.C_FIND_RQ, 1}),
    EVENT: frozenset(),
    _QUERY: frozenset({commands.C_FIND_RQ}),
}


class Workitems:
    """Work items at the DICOM port."""

    classes = frozenset(_MAY)

    def __init__(self, working: Working) -> None:
        self._working = working

    def answer(self, asked: Asked) -> None:
        """One request."""
        action = int(asked.message.words.get("ActionTypeID", 0))
        wanted = action if asked.field == commands.N_ACTION_RQ else asked.field
        if asked.field == commands.N_ACTION_RQ and action not in range(1, 6):
            return asked.respond(0x0123, "actions are 1 to 5", more={"ActionTypeID": action})
        if wanted not in _MAY[asked.context.abstract]:
            return asked.respond(0x0211, "not an operation of the class of this context")
        if asked.field == commands.C_FIND_RQ:
            return self._find(asked)
        more = {"ActionTypeID": action} if action else {}
        uid = asked.sop_uid
        if asked.sop_class != PUSH:
            return asked.respond(0x0118, "commands name the class UPS Push", more=more)
        if not uid and asked.field == commands.N_CREATE_RQ:
            uid = study_uid_of(asked.calling, b"".join(asked.message.data or ()).hex())
        if not part10.is_uid(uid):
            return asked.respond(0x0117, "the SOP Instance UID is not a UID", more=more)
        try:
            model = self._done(asked, uid, action)
        except NotNow as error:
            asked.count("rejected")
            return asked.respond(error.code, str(error), more=more)
        except NotFound as error:
            asked.count("rejected")
            return asked.respond(0xC307, str(error), more=more)
        except IsocenterError as error:
            return asked.refuse(error)
        asked.count("workitem")
        return asked.respond(0x0000, model=model, sop_uid=uid, more=more)

    def _done(self, asked: Asked, uid: str, action: int) -> Model | None:
        told, who = asked.model(), asked.who
        match asked.field, action:
            case commands.N_CREATE_RQ, _:
                self._working.create(uid, told, who=who)
            case commands.N_SET_RQ, _:
                transaction = first(told, _TRANSACTION)
                told.pop(_TRANSACTION, None)
                self._working.update(uid, told, transaction, who=who)
            case commands.N_GET_RQ, _:
                wanted = asked.message.words.get("AttributeIdentifierList") or ()
                model = self._working.item(uid, who=who).model
                return {tag: e for tag, e in model.items() if not wanted or tag in wanted}
            case _, 1:
                self._working.change_state(uid, first(told, STATE), first(told, _TRANSACTION), who=who)
            case _, 2:
                self._working.request_cancel(uid, told, who=who)
            case _:
                aet = first(told, _RECEIVER) or asked.calling
                lock = first(told, _LOCK) == "TRUE"
                keys = {t: e for t, e in told.items() if t not in (_RECEIVER, _LOCK, "00080005")}
                self._working.watch(uid, aet, on=action != 4, lock=lock, suspend=action == 5, keys=keys, who=who)
        return None

    def _find(self, asked: Asked) -> None:
        try:
            keys = asked.model()
        except Refused as error:
            return asked.respond(0xA900, str(error))
        for item in self._working.search(keys, who=asked.who):
            if asked.cancelled():
                return asked.respond(0xFE00)
            made, complete = project(item, keys)
            asked.respond(0xFF00 if complete else 0xFF01, model=made)
        return asked.respond(0x0000)


def tell(peer: Peer, reports: list[Report], *, calling: str, timeout_s: float = 20.0) -> None:
    """Call a watcher and tell it what happened (N-EVENT-REPORT), in order, on one association.

    Raises:
        NoAnswer: nobody there, or it does not hear events.
    """
    link = connect(peer.host, peer.port, timeout_s=timeout_s, tls=peer.tls)
    try:
        propose(
            link, calling=ae_title(calling), called=ae_title(peer.aet), offers=[(EVENT, (EXPLICIT, IMPLICIT))],
            roles={EVENT: (False, True)},
        )  # fmt: skip
        context = next(iter(link.contexts.values()), None)
        if context is None:
            raise NoAnswer(f"{peer.aet} does not hear events of work items", "it accepted no context of them")
        for number, report in enumerate(reports, 1):
            words: dict[str, Any] = {
                "AffectedSOPClassUID": PUSH, "CommandField": commands.N_EVENT_REPORT_RQ,
                "MessageID": (number - 1) % 65535 + 1, "AffectedSOPInstanceUID": report.uid,
                "EventTypeID": report.event_type,
            }  # fmt: skip
            link.send(context.id, words, models.encode(report.model, context.syntax))
            if link.receive() is None:
                raise Ended("released by the peer before it answered")
    except Ended as end:
        raise NoAnswer(f"{peer.aet} hung up", str(end), "look at its log") from None
    finally:
        link.release()
