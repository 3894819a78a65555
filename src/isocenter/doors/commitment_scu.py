"""Storage commitment as the one who calls: the answer to a request of theirs, or a request of our own."""

from __future__ import annotations

from typing import Final

from isocenter.dicom import model as models
from isocenter.dicom.header import ae_title
from isocenter.dicom.model import Model
from isocenter.doors import commands
from isocenter.doors.commitment_scp import INSTANCE, STORAGE_COMMITMENT
from isocenter.doors.commitment_scp import report as report_words
from isocenter.doors.dimse_scu import Peer
from isocenter.doors.negotiation import EXPLICIT, IMPLICIT, propose
from isocenter.doors.upper_layer import Ended, Link, connect
from isocenter.errors import IsocenterError, NoAnswer

__all__ = ["report", "request"]

_SYNTAXES: Final = (EXPLICIT, IMPLICIT)


def report(peer: Peer, answer: Model, *, calling: str, timeout_s: float = 30.0) -> None:
    """Call an asker and tell it the answer (N-EVENT-REPORT), as the provider of the service.

    Raises:
        NoAnswer: nobody there, or it did not acknowledge.
    """
    link = _open(peer, calling, timeout_s, provider=True)
    try:
        context = _context(link, peer)
        words, data = report_words(answer, link.contexts[context].syntax, 1)
        link.send(context, words, data)
        said = link.answer()
    except Ended as end:
        raise NoAnswer(f"{peer.aet} hung up", str(end), "look at its log") from None
    finally:
        link.release()
    if said.words.get("Status") != 0x0000:
        raise NoAnswer(f"{peer.aet} answered 0x{int(said.words.get('Status', 0)):04X}", "it did not take it")


def request(peer: Peer, wanted: Model, *, calling: str, timeout_s: float = 30.0) -> Model | None:
    """Ask a peer to promise (N-ACTION); its answer where it comes on the same association in time, else None.

    Raises:
        NoAnswer: nobody there, or it refused the request.
    """
    link = _open(peer, calling, timeout_s, provider=False)
    try:
        context = _context(link, peer)
        syntax = link.contexts[context].syntax
        words: dict[str, int | str] = {
            "RequestedSOPClassUID": STORAGE_COMMITMENT,
            "CommandField": commands.N_ACTION_RQ,
            "MessageID": 1,
            "RequestedSOPInstanceUID": INSTANCE,
            "ActionTypeID": 1,
        }
        link.send(context, words, models.encode(wanted, syntax))
        said = link.answer()
        if said.words.get("Status") != 0x0000:
            raise NoAnswer(f"{peer.aet} answered 0x{int(said.words.get('Status', 0)):04X}", "it will not promise")
        try:
            came = link.answer()
        except (Ended, IsocenterError):
            return None  # it has a port of ours to call
        made = models.decode(b"".join(came.data or ()), syntax)
        answer: dict[str, int | str] = {
            "AffectedSOPClassUID": STORAGE_COMMITMENT,
            "CommandField": commands.N_EVENT_REPORT_RQ | commands.RESPONSE,
            "MessageIDBeingRespondedTo": int(came.words.get("MessageID", 0)),
            "AffectedSOPInstanceUID": INSTANCE,
            "EventTypeID": int(came.words.get("EventTypeID", 0)),
            "Status": 0x0000,
        }
        link.send(context, answer)
        return made
    except Ended as end:
        raise NoAnswer(f"{peer.aet} hung up", str(end), "look at its log") from None
    finally:
        link.release()


def _open(peer: Peer, calling: str, timeout_s: float, *, provider: bool) -> Link:
    link = connect(peer.host, peer.port, timeout_s=timeout_s, tls=peer.tls)
    roles = {STORAGE_COMMITMENT: (False, True)} if provider else {}
    try:
        propose(
            link, calling=ae_title(calling), called=ae_title(peer.aet), offers=[(STORAGE_COMMITMENT, _SYNTAXES)],
            roles=roles,
        )  # fmt: skip
    except Ended as end:
        link.close()
        raise NoAnswer(f"{peer.aet} hung up", str(end), "look at its log") from None
    except IsocenterError:
        link.close()
        raise
    return link


def _context(link: Link, peer: Peer) -> int:
    for number in link.contexts:
        return number
    raise NoAnswer(f"{peer.aet} does not speak storage commitment", "it accepted no context of it")
