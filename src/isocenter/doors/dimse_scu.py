"""Calling others: store, find, move and echo as the one who asks (SCU).

>>> pacs = Peer("PACS", "10.0.0.5", 104)
>>> outcomes = send(pacs, files, calling="ISOCENTER")                           # doctest: +SKIP
>>> studies = find(pacs, "STUDY", {"PatientID": "4711"}, calling="ISOCENTER")   # doctest: +SKIP
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from isocenter.dicom.header import ae_title
from isocenter.doors import commands, part10
from isocenter.doors.negotiation import (
    EXPLICIT,
    FIND,
    IMPLICIT,
    MOVE,
    VERIFICATION,
    propose,
)
from isocenter.doors.transcode import transcode
from isocenter.doors.upper_layer import Context, Ended, Link, connect
from isocenter.errors import IsocenterError, NoAnswer, NotWhole, Refused

__all__ = ["Moved", "Peer", "Sender", "Sent", "echo", "find", "move", "send"]

_STUDY_ROOT_FIND = next(uid for uid, root in FIND.items() if root == "STUDY")
_COUNTED = ("Remaining", "Completed", "Failed", "Warning")
_STUDY_ROOT_MOVE = next(uid for uid, root in MOVE.items() if root == "STUDY")


@dataclass(frozen=True)
class Peer:
    """Another DICOM application: its AE title, where it listens, and what it is called with under TLS."""

    aet: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True)
class Sent:
    """What a peer said to one instance; `status` is None where no answer came."""

    sop_uid: str
    status: int | None
    comment: str = ""

    @property
    def ok(self) -> bool:
        """Accepted: success, or one of the storage warnings (0xB000, 0xB006, 0xB007)."""
        return self.status is not None and (self.status == 0 or self.status & 0xF000 == 0xB000)


@dataclass(frozen=True)
class Moved:
    """How a C-MOVE ended: numbers of instances, and the final status."""

    status: int
    completed: int
    failed: int
    warnings: int
    comment: str = ""


def _open(peer: Peer, calling: str, offers: Iterable[tuple[str, Sequence[str]]], timeout_s: float) -> Link:
    link = connect(peer.host, peer.port, timeout_s=timeout_s, tls=peer.tls)
    try:
        propose(link, calling=ae_title(calling), called=ae_title(peer.aet), offers=offers)
    except Ended as end:
        link.close()
        raise NoAnswer(f"{peer.aet} at {peer.host}:{peer.port} hung up", str(end), "look at the peer's log") from None
    except IsocenterError:
        link.close()
        raise
    return link


class Sender:
    """An association for storing, opened at the first file and opened anew when a file needs a context not yet offered.

    Args:
        peer: to whom.
        calling: our AE title.
        offers: pairs of SOP Class and Transfer Syntax UID that are known to come; saves associations.
        timeout_s: longest wait for an answer.
    """

    def __init__(
        self, peer: Peer, *, calling: str, offers: Iterable[tuple[str, str]] = (), timeout_s: float = 60.0
    ) -> None:
        self._peer, self._calling, self._timeout_s = peer, calling, timeout_s
        self._pairs: dict[tuple[str, str], None] = dict.fromkeys(offers)
        self._link: Link | None = None
        self._message = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the association."""
        if self._link is not None:
            self._link.release()
            self._link = None

    def open(self) -> Link:
        """The association, opened if there is none.

        Raises:
            NoAnswer, Refused: nobody there, or rejected.
        """
        if self._link is None:
            classes = list(dict.fromkeys(c for c, _ in self._pairs))
            # An exact context for what is stored, and one for each class that every peer can read.
            offers: list[tuple[str, Sequence[str]]] = [
                (c, (s,)) for c, s in self._pairs if s not in (EXPLICIT, IMPLICIT)
            ]
            offers += [(c, (s,)) for c in classes for s in (EXPLICIT, IMPLICIT)]
            self._link = _open(self._peer, self._calling, offers[:128], self._timeout_s)
        return self._link

    def send(self, data: bytes, *, origin: tuple[str, int] | None = None) -> Sent:
        """Store one Part 10 file with the peer, in its own encoding where the peer takes it, else decoded.

        Args:
            data: the file.
            origin: AE title and message number of the C-MOVE that asked for it.
        """
        meta = part10.split(data)
        view = memoryview(data)[meta.start :]
        sop_class, sop_uid = part10.identity(view[:65_536], meta.transfer_syntax) or (meta.sop_class, meta.sop_uid)
        pair = (sop_class, meta.transfer_syntax)
        if pair not in self._pairs:
            self.close()
            self._pairs = {**self._pairs, pair: None}
            if len(self._pairs) + 2 * len({c for c, _ in self._pairs}) > 128:
                self._pairs = {pair: None}
        link = self.open()
        contexts = [c for c in link.contexts.values() if c.abstract == sop_class]
        context = next((c for c in contexts if c.syntax == meta.transfer_syntax), None)
        if context is None:
            context = next((c for c in contexts if c.syntax in (EXPLICIT, IMPLICIT)), None)
            if context is None:
                return Sent(
                    sop_uid, 0x0122, f"{self._peer.aet} takes neither this SOP class nor a native encoding of it"
                )
            try:
                made = transcode(data, context.syntax)
            except Refused as error:
                return Sent(sop_uid, 0xC000, str(error))
            view = memoryview(made)[part10.split(made).start :]
        return self._store(link, context, sop_class, sop_uid, view, origin)

    def _store(
        self,
        link: Link,
        context: Context,
        sop_class: str,
        sop_uid: str,
        view: memoryview,
        origin: tuple[str, int] | None,
    ) -> Sent:
        self._message = self._message % 65_535 + 1
        words: dict[str, int | str] = {
            "AffectedSOPClassUID": sop_class,
            "CommandField": commands.C_STORE_RQ,
            "MessageID": self._message,
            "Priority": 0,
            "AffectedSOPInstanceUID": sop_uid,
        }
        if origin:
            words |= {"MoveOriginatorApplicationEntityTitle": origin[0], "MoveOriginatorMessageID": origin[1]}
        try:
            link.send(context.id, words, view)
            answer = link.answer()
        except (Ended, IsocenterError) as end:
            link.close()
            self._link = None
            return Sent(sop_uid, None, str(end))
        return Sent(sop_uid, int(answer.words.get("Status", 0x0110)), str(answer.words.get("ErrorComment", "")))


def send(peer: Peer, files: Iterable[bytes], *, calling: str, timeout_s: float = 60.0) -> list[Sent]:
    """Store files with a peer; one outcome a file, in order. A file that is refused does not stop the rest.

    Raises:
        NoAnswer, Refused: the peer is not there, or does not know us.
    """
    outcomes: list[Sent] = []
    with Sender(peer, calling=calling, timeout_s=timeout_s) as sender:
        for data in files:
            try:
                outcome = sender.send(data)
                if outcome.status is None:
                    # The line died under this file: one new association, so that a restarted peer gets the rest.
                    outcome = sender.send(data)
            except NotWhole as error:
                outcome = Sent("", 0xC000, str(error))
            outcomes.append(outcome)
    return outcomes


def echo(peer: Peer, *, calling: str, timeout_s: float = 10.0) -> None:
    """Ask a peer whether it is there and knows us.

    Raises:
        NoAnswer, Refused: with the reason in words.
    """
    link = _open(peer, calling, [(VERIFICATION, (IMPLICIT, EXPLICIT))], timeout_s)
    try:
        context = _only(link, peer)
        words: dict[str, int | str] = {
            "AffectedSOPClassUID": VERIFICATION,
            "CommandField": commands.C_ECHO_RQ,
            "MessageID": 1,
        }
        link.send(context.id, words)
        status = link.answer().words.get("Status")
    except Ended as end:
        raise NoAnswer(f"{peer.aet} hung up", str(end), "look at the peer's log") from None
    finally:
        link.release()
    if status != 0:
        raise Refused(f"{peer.aet} answered the echo with status 0x{status or 0:04X}", "it did not say success", "")


def find(
    peer: Peer, level: str, keys: Mapping[str, str], *, calling: str, timeout_s: float = 60.0
) -> list[dict[str, Any]]:
    """Ask a peer (Study Root) for what matches; rows by DICOM keyword, values as text, lists where there are several.

    Raises:
        NoAnswer, Refused: the peer is not there, or answered with a failure.
    """
    from isocenter.doors import identifiers

    link = _open(peer, calling, [(_STUDY_ROOT_FIND, (IMPLICIT, EXPLICIT))], timeout_s)
    rows: list[dict[str, Any]] = []
    try:
        context = _only(link, peer)
        words: dict[str, int | str] = {
            "AffectedSOPClassUID": _STUDY_ROOT_FIND,
            "CommandField": commands.C_FIND_RQ,
            "MessageID": 1,
            "Priority": 0,
        }
        link.send(context.id, words, identifiers.question(level, keys, context.syntax))
        while True:
            message = link.answer()
            status = int(message.words.get("Status", 0x0110))
            if status not in (0xFF00, 0xFF01):
                break
            rows.append(identifiers.row_of(identifiers.read(message.data, context.syntax)))
    except Ended as end:
        raise NoAnswer(f"{peer.aet} hung up", str(end), "look at the peer's log") from None
    finally:
        link.release()
    if status != 0:
        raise Refused(
            f"{peer.aet} answered the query with status 0x{status:04X}",
            str(message.words.get("ErrorComment", "")) or "it did not say success",
            "look at the peer's log",
        )
    return rows


def move(
    peer: Peer, level: str, keys: Mapping[str, str], *, to: str, calling: str, timeout_s: float = 600.0,
    longest_s: float = 4 * 3600.0, told: Callable[[int, int], None] = lambda come, of: None,
    timer: Callable[[], float] = time.monotonic,
) -> Moved:  # fmt: skip
    """Ask a peer (Study Root) to send what the unique keys name to the AE title `to`.

    Args:
        timeout_s: longest silence of the peer.
        longest_s: for how long it may go on in all.
        told: progress, where the peer tells it: instances that were sent, and in all. What it raises ends the
            transfer: the peer is asked to send no more.

    Raises:
        NoAnswer, Refused: the peer is not there or does not know us, or goes on for longer than it may. A failed
            transfer is in the answer, not raised.
    """
    from isocenter.doors import identifiers

    end = timer() + longest_s
    link = _open(peer, calling, [(_STUDY_ROOT_MOVE, (IMPLICIT, EXPLICIT))], timeout_s)
    try:
        context = _only(link, peer)
        words: dict[str, int | str] = {
            "AffectedSOPClassUID": _STUDY_ROOT_MOVE,
            "CommandField": commands.C_MOVE_RQ,
            "MessageID": 1,
            "Priority": 0,
            "MoveDestination": ae_title(to),
        }
        link.send(context.id, words, identifiers.question(level, keys, context.syntax))
        while (message := link.answer()).words.get("Status") == 0xFF00:
            counts = [int(message.words.get(f"NumberOf{name}Suboperations", 0)) for name in _COUNTED]
            try:
                told(sum(counts[1:]), sum(counts))
                if timer() > end:
                    raise NoAnswer(
                        f"{peer.aet} is still sending after {longest_s / 3600:.0f} h", "others wait for their turn",
                        "what has come stays; ask again",
                    )  # fmt: skip
            except BaseException:  # whoever follows it wants no more of it
                link.send(context.id, {"CommandField": commands.C_CANCEL_RQ, "MessageIDBeingRespondedTo": 1})
                link.abort()  # some go on sending in spite of a cancel
                raise
    except Ended as end:
        raise NoAnswer(f"{peer.aet} hung up", str(end), "look at the peer's log") from None
    finally:
        link.release()
    said = message.words
    return Moved(
        int(said.get("Status", 0x0110)),
        int(said.get("NumberOfCompletedSuboperations", 0)),
        int(said.get("NumberOfFailedSuboperations", 0)),
        int(said.get("NumberOfWarningSuboperations", 0)),
        str(said.get("ErrorComment", "")),
    )


def _only(link: Link, peer: Peer) -> Context:
    for context in link.contexts.values():
        return context
    raise Refused(
        f"{peer.aet} does not offer this service", "no presentation context was accepted", "ask its administrator"
    )
