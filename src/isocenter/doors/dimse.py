"""The DICOM port: what a scanner, a workstation or another archive talks to.

C-ECHO, C-STORE, C-FIND, C-MOVE and C-GET as provider, Patient and Study Root. An image is answered with success only
after `site.receive` returned, that is, when it is durable. Who may call stands in `callers`.

What a sender hears after C-STORE (PS3.4 table B.2-1, PS3.7 section 9.1.1.1.9 and annex C):

======  ================================================================================================
0x0000  durable, or it was there already with the same content
0x0111  duplicate SOP instance: the UID is held with other content; this one was set aside, nothing overwritten
0x0117  invalid SOP instance: the UID is no UID (letters, path characters, over 64)
0x0124  not authorised
0xA700  out of resources: disk full, a limit reached; send again later
0xA900  the data set is another class or instance than the command says
0xC000  cannot understand: not whole, not DICOM; the reason stands in Error Comment
0x0110  processing failure: our fault; the log has the reason
======  ================================================================================================
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from isocenter.dicom.header import ae_title
from isocenter.doors import commands, identifiers, part10
from isocenter.doors.archive import Archive, Incoming
from isocenter.doors.association import Proposal
from isocenter.doors.callers import Callers, Rejection, full
from isocenter.doors.dimse_scu import Peer
from isocenter.doors.faults import note
from isocenter.doors.negotiation import FIND, GET, MOVE, VERIFICATION, accept, prepare, read_request, reject
from isocenter.doors.port import Port
from isocenter.doors.retrieve import Retrieval, get, move
from isocenter.doors.service import Asked, Service
from isocenter.doors.upper_layer import Context, Ended, Link, Message
from isocenter.errors import (
    Conflict,
    Damaged,
    Forbidden,
    IsocenterError,
    LimitReached,
    NotFound,
    Refused,
    Unavailable,
)
from isocenter.govern.policy import Person

__all__ = ["Listener", "status_of"]

LOG = logging.getLogger("isocenter.doors.dimse")


def status_of(error: BaseException) -> tuple[int, str]:
    """The DIMSE status and comment for an error.

    >>> status_of(Unavailable("Disk full"))
    (42752, 'Disk full')
    """
    if isinstance(error, Unavailable | LimitReached):
        return 0xA700, commands.comment(str(error))
    if isinstance(error, Forbidden):
        return 0x0124, commands.comment(str(error))
    if isinstance(error, Conflict):
        return 0x0111, commands.comment(str(error))
    if isinstance(error, Refused | NotFound):
        return 0xC000, commands.comment(str(error))
    if isinstance(error, Damaged):
        return 0x0110, commands.comment(str(error))
    return 0x0110, "processing failure, see the log of the archive"


@dataclass(frozen=True, slots=True)
class _Call:
    """An association as the handlers see it."""

    link: Link
    calling: str
    who: Person
    later: list[Message] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Guest:
    """A connection, and how far it is: known once it has a place among the associations."""

    link: Link
    address: str
    known: bool = False
    busy: bool = False
    leaving: bool = False


class _Arriving:
    """An instance whose data set is still coming: it goes to the archive piece by piece, behind a file header."""

    def __init__(self, incoming: Incoming, head: bytes) -> None:
        self.incoming, self.head = incoming, len(head)
        self.failure: Exception | None = None
        self.write(head)

    def write(self, piece: bytes | memoryview) -> None:
        """Take the next bytes; after a failure the rest is only heard, for the sender must be answered."""
        if self.failure is None:
            try:
                self.incoming.write(piece)
            except Exception as failure:
                self.failure = failure

    def drop(self) -> None:
        """Forget it, unless it was received."""
        self.incoming.drop()


class Listener:
    """The provider of one AE title on one port, one thread for each association.

    Args:
        site: what stores and finds.
        aet: our AE title; callers must use it.
        host, port: where to listen; port 0 takes a free one.
        who: the person (service account) that stands behind a calling AE title; Forbidden where there is none.
        associations: most associations at once; one more takes the place of one that is silent, or is rejected as
            "local limit exceeded", a transient reason.
        makes_room_s: silence after which an association makes room where there is none; a connection that has not yet
            said who calls makes it at once. Whoever holds most makes room first, so that nobody shuts out others.
        artim_s: longest wait for the first request of a connection.
        idle_s: longest silence within an association.
        largest_instance: bytes of one instance.
        longest_retrieval_s: what a C-MOVE or C-GET has not sent by then fails. Half of the associations at most
            retrieve at a time, so that images always find a place; one more is told to ask again (0xA702).
        said_no: called with every refusal at this door, for the journal.
        turned_away: called instead with every call that was rejected, and the address that it came from.
        services: what else is spoken here, each with SOP classes of its own.
        tls: answers every caller's handshake first; without it the port speaks in the clear.
    """

    def __init__(
        self,
        site: Archive,
        *,
        aet: str,
        host: str = "127.0.0.1",
        port: int,
        who: Callable[[str], Person],
        associations: int = 32,
        makes_room_s: float = 1.0,
        artim_s: float = 30.0,
        idle_s: float = 300.0,
        largest_instance: int = 2 * 2**30,
        longest_retrieval_s: float = 4 * 3600.0,
        said_no: Callable[[IsocenterError], None] | None = None,
        turned_away: Callable[[IsocenterError, str], None] | None = None,
        services: Sequence[Service] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self._services = {uid: service for service in services for uid in service.classes}
        self._site, self._said_no, self._turned_away = site, said_no, turned_away
        self.aet, self._port = ae_title(aet), Port(host, port, kind="DICOM", called=self._called)
        self._callers = Callers(site, self.aet, who)
        self._limit, self._artim_s, self._idle_s, self._largest = associations, artim_s, idle_s, largest_instance
        self._makes_room_s, self._longest_retrieval_s = makes_room_s, longest_retrieval_s
        self._retrieving = threading.Semaphore(max(1, associations // 2))
        self._threads: dict[threading.Thread, _Guest] = {}
        self._established = 0
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> dict[str, int]:
        """What came through this door since it was opened: stored, there, conflict, rejected, refused, broken, ..."""
        with self._lock:
            return dict(self._counts)

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    # opening and closing

    def start(self) -> int:
        """Listen; the port that was taken.

        Raises:
            Unavailable: the port is in use, or not ours to take.
        """
        prepare()
        return self._port.open()

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Take no more calls, let instances on their way be answered, end all associations."""
        if not self._port.close():
            return
        with self._lock:
            open_now = dict(self._threads)
        for guest in open_now.values():
            guest.link.hear_no_more()
        deadline = time.monotonic() + grace_s
        for thread, guest in open_now.items():
            thread.join(max(0.0, deadline - time.monotonic()))
            guest.link.close()

    def _called(self, connection: socket.socket, address: str) -> None:
        with self._lock:
            crowd = len(self._threads)
            if crowd >= 4 * self._limit:
                self._make_room([g for g in self._threads.values() if not g.known])
        if crowd >= 6 * self._limit:  # those who were shown out have not all gone yet
            self._count("crowded")
            connection.close()
            return
        link = Link(connection, self._artim_s, self._largest)
        guest = _Guest(link, address)
        thread = threading.Thread(target=self._serve, args=(guest,), name="dimse", daemon=True)
        with self._lock:
            self._threads[thread] = guest
        thread.start()

    def _make_room(self, silent: list[_Guest]) -> bool:
        """Show one of these out: of the address that holds most of them, the one that was silent longest."""
        held = Counter(g.address for g in silent if not g.leaving)
        most = max(held.values(), default=0)
        of_most = [g for g in silent if not g.leaving and held[g.address] == most]
        if not of_most:
            return False
        oldest = min(of_most, key=lambda g: g.link.heard)
        oldest.leaving = True
        oldest.link.hear_no_more()
        self._counts["shown out"] += 1
        return True

    # one association

    def _serve(self, guest: _Guest) -> None:
        link, address = guest.link, guest.address
        # A byte now and then is not silence: until it is known who calls, the time as a whole is limited.
        hurry = threading.Timer(self._artim_s, link.hear_no_more)
        hurry.daemon = True
        hurry.start()
        try:
            if self._tls is not None:
                link.secure(self._tls)
            proposal = read_request(link)
            hurry.cancel()
            call = self._admit(guest, proposal)
            if call is None:
                return
            link.timeout_s = self._idle_s
            link.sock.settimeout(self._idle_s)
            sink_for = partial(self._sink_for, call)
            while (message := call.later.pop(0) if call.later else link.receive(sink_for)) is not None:
                guest.busy = True
                try:
                    self._answer(call, message)
                finally:
                    guest.busy = False
                    link.heard = time.monotonic()  # silence begins when we have answered
                    if message.sink is not None:
                        message.sink.drop()
        except Ended as end:
            self._count("ended")
            LOG.info("association from %s ended: %s", address, end)
        except IsocenterError as error:
            self._count("broken")
            LOG.warning("association from %s aborted: %s", address, type(error).__name__)
        except Exception as error:
            self._count("failed")
            note(LOG, error, f"an association from {address}")
            link.abort()
        finally:
            hurry.cancel()
            link.close()
            with self._lock:
                self._threads.pop(threading.current_thread(), None)
                self._established -= guest.known
                self._left.notify_all()

    def _admit(self, guest: _Guest, proposal: Proposal) -> _Call | None:
        """Either accept who calls or reject, with the reason for both sides."""
        link, address = guest.link, guest.address
        try:
            calling, who = self._callers.recognise(proposal, address, link.shown())
            self._take_place(calling, address)
            guest.known = True
        except Rejection as no:
            self._count("refused")
            self._tell(no.error, address)
            reject(link, no.reason)
            return None
        accept(link, proposal, self._services)
        self._count("accepted")
        return _Call(link, calling, who)

    def _take_place(self, calling: str, address: str) -> None:
        """A place among the associations is taken when this returns."""
        with self._left:
            if self._established >= self._limit:
                since = time.monotonic() - self._makes_room_s
                idle = [g for g in self._threads.values() if g.known and not g.busy and g.link.heard <= since]
                if self._make_room(idle):
                    self._left.wait_for(lambda: self._established < self._limit, 5.0)
            if self._established >= self._limit:
                raise full(calling, address, self._limit)
            self._established += 1

    def _tell(self, error: IsocenterError, address: str) -> None:
        # Not its words: a title may hold whatever a stranger put there. The journal has them.
        LOG.warning("a call from %s refused (%s); the journal says why", address, type(error).__name__)
        if self._turned_away is not None:
            self._turned_away(error, address)
        elif self._said_no is not None:
            self._said_no(error)

    # services

    def _answer(self, call: _Call, message: Message) -> None:
        """Serve one request; whatever goes wrong becomes a status, and the association lives on."""
        context = call.link.contexts[message.context]
        operation = message.words["CommandField"]
        service = {
            commands.C_STORE_RQ: self._store,
            commands.C_FIND_RQ: self._find,
            commands.C_MOVE_RQ: self._move,
            commands.C_GET_RQ: self._get,
            commands.C_ECHO_RQ: self._echo,
        }.get(operation)
        if operation == commands.C_CANCEL_RQ:
            return  # what it would cancel has been answered already
        further = self._services.get(context.abstract)
        try:
            if further is not None:
                further.answer(self._asked(call, context, message))
            elif service is None:
                self._respond(call, message, 0x0211, f"unrecognised operation 0x{operation:04X}")
            else:
                service(call, context, message)
        except Ended:
            raise
        except Exception as error:
            if isinstance(error, IsocenterError):
                # Not its words: they may quote what was asked for, and that may be a name. The answer has them.
                LOG.warning("request of '%s' refused: %s", call.calling, type(error).__name__)
            else:
                note(LOG, error, f"a request of '{call.calling}'")
            self._count("rejected")
            status, comment = status_of(error)
            self._respond(call, message, status, comment)

    def _asked(self, call: _Call, context: Context, message: Message) -> Asked:
        def cancelled() -> bool:
            return self._cancelled(call, message)

        return Asked(
            call.link, context, message, self.aet, call.calling, call.who, cancelled, self._count, call.later
        )  # fmt: skip

    def _respond(
        self, call: _Call, message: Message, status: int, comment: str = "", *, data: bytes | None = None
    ) -> None:
        asked = message.words
        words: dict[str, int | str] = {
            "CommandField": asked["CommandField"] | commands.RESPONSE,
            "MessageIDBeingRespondedTo": asked.get("MessageID", 0),
            "Status": status,
        }
        for word in ("AffectedSOPClassUID", "AffectedSOPInstanceUID"):
            if part10.is_uid(asked.get(word, "")):
                words[word] = asked[word]
        if comment:
            words["ErrorComment"] = commands.comment(comment)
        call.link.send(message.context, words, data)

    def _echo(self, call: _Call, context: Context, message: Message) -> None:
        if context.abstract != VERIFICATION:
            return self._respond(call, message, 0x0122, "not the context of verification")
        self._count("echo")
        return self._respond(call, message, 0x0000)

    def _store(self, call: _Call, context: Context, message: Message) -> None:
        sop_class = message.words.get("AffectedSOPClassUID", "")
        sop_uid = message.words.get("AffectedSOPInstanceUID", "")
        if not part10.is_uid(sop_uid):
            return self._refuse(call, message, 0x0117, "the SOP Instance UID is not a UID")
        if sop_class != context.abstract:
            return self._refuse(call, message, 0xA900, "SOP class differs from the presentation context")
        if message.data is None:
            return self._refuse(call, message, 0xC000, "no data set came with the request")
        arriving = message.sink if isinstance(message.sink, _Arriving) else self._arriving(call, context, sop_uid)
        for piece in message.data:
            arriving.write(piece)
        if arriving.failure is not None:
            raise arriving.failure
        with memoryview(arriving.incoming.data)[arriving.head :] as data:
            empty, claimed = not data, part10.identity(data, context.syntax)
        if empty:
            return self._refuse(call, message, 0xC000, "no data set came with the request")
        if claimed is not None and claimed != (sop_class, sop_uid):
            return self._refuse(call, message, 0xA900, "the data set is another class or instance than the command")
        (stored,) = self._site.receive([arriving.incoming], sender=call.calling, who=call.who)
        if stored.status in ("stored", "there"):
            self._count(stored.status)
            return self._respond(call, message, 0x0000)
        status = 0x0111 if stored.status == "conflict" else 0xC000
        return self._turn_away(call, message, status, stored.reason, counted=stored.status)

    def _sink_for(self, call: _Call, number: int, words: Mapping[str, Any]) -> _Arriving | None:
        """Where the data set of a C-STORE goes while it comes; None for others, and for one that will be refused."""
        context, sop_uid = call.link.contexts[number], words.get("AffectedSOPInstanceUID", "")
        stores = words["CommandField"] == commands.C_STORE_RQ and words.get("AffectedSOPClassUID") == context.abstract
        if not stores or not part10.is_uid(sop_uid):
            return None
        try:
            return self._arriving(call, context, sop_uid)
        except IsocenterError:
            return None  # the same refusal comes again when the data set has come, and is answered then

    def _arriving(self, call: _Call, context: Context, sop_uid: str) -> _Arriving:
        incoming = self._site.incoming(sender=call.calling, who=call.who)
        return _Arriving(incoming, part10.wrap(context.abstract, sop_uid, context.syntax))

    def _refuse(self, call: _Call, message: Message, status: int, reason: str) -> None:
        """Say no before the archive saw anything: nobody else would write down who tried what."""
        if self._said_no is not None:
            self._said_no(Refused(f"an instance from '{call.calling}'", reason, "look at what this system sends"))
        self._turn_away(call, message, status, reason, counted="rejected")

    def _turn_away(self, call: _Call, message: Message, status: int, reason: str, *, counted: str) -> None:
        self._count(counted)
        # Not the reason: it may quote the header. The answer has it, and the journal what the archive refused.
        LOG.warning("instance from '%s' not stored, status 0x%04X (%s)", call.calling, status, counted)
        self._respond(call, message, status, reason)

    def _find(self, call: _Call, context: Context, message: Message) -> None:
        root = FIND.get(context.abstract)
        if root is None:
            return self._respond(call, message, 0x0122, "not a query context")
        asked = identifiers.read(message.data, context.syntax)
        try:
            level, keys = identifiers.keys_of(asked, root)
        except Refused as error:
            return self._respond(call, message, 0xA900, str(error))
        self._count("find")
        for row in identifiers.pages(self._site, level, keys, call.who):
            if self._cancelled(call, message):
                return self._respond(call, message, 0xFE00)
            data, complete = identifiers.answer(asked, row, level=level, aet=self.aet, syntax=context.syntax)
            self._respond(call, message, 0xFF00 if complete else 0xFF01, data=data)
        return self._respond(call, message, 0x0000)

    def _cancelled(self, call: _Call, message: Message) -> bool:
        while call.link.waiting():
            came = call.link.receive()
            if came is None:
                raise Ended("released amid a request")
            if came.words["CommandField"] == commands.C_CANCEL_RQ:
                if came.words.get("MessageIDBeingRespondedTo") == message.words.get("MessageID"):
                    return True
            else:
                # One operation at a time was negotiated (PS3.7 D.3.3.3: no window means one).
                self._respond(call, came, 0x0211, "one operation at a time")
        return False

    def _retrieval(self, call: _Call, context: Context, message: Message, roots: Mapping[str, str]) -> Retrieval | None:
        root = roots.get(context.abstract)
        if root is None:
            self._respond(call, message, 0x0122, "not a retrieval context")
            return None
        asked = identifiers.read(message.data, context.syntax)
        try:
            level, keys = identifiers.keys_of(asked, root)
            named = identifiers.unique_keys(level, keys)
        except Refused as error:
            self._respond(call, message, 0xA900, str(error))
            return None
        end = time.monotonic() + self._longest_retrieval_s
        return Retrieval(
            link=call.link,
            message=message,
            syntax=context.syntax,
            instances=identifiers.instances(self._site, named, call.who),
            fetch=lambda uid: self._site.instance(uid, who=call.who),
            cancelled=lambda: self._cancelled(call, message),
            late=lambda: time.monotonic() > end,
        )

    @contextmanager
    def _place(self, call: _Call, message: Message) -> Iterator[bool]:
        """Whether there is a place for one more retrieval; where there is none the asker has been told."""
        held = self._retrieving.acquire(blocking=False)
        try:
            if not held:
                self._count("retrievals put off")
                self._respond(call, message, 0xA702, f"{max(1, self._limit // 2)} retrievals are going on; ask again")
            yield held
        finally:
            if held:
                self._retrieving.release()

    def _move(self, call: _Call, context: Context, message: Message) -> None:
        wanted = str(message.words.get("MoveDestination", ""))
        known = next((p for p in self._site.peers() if p.get("aet") == wanted and p.get("port")), None)
        if known is None:
            error = Forbidden(
                f"Move destination {wanted[:16]!a}, asked for by '{call.calling}', is not known",
                "images go to listed destinations only",
                f"add it with `isocenter peer {wanted} HOST PORT`, or to the peers in the settings",
            )
            self._tell(error, f"'{call.calling}'")
            self._count("refused")
            return self._respond(call, message, 0xA801, "move destination is not known here")
        retrieval = self._retrieval(call, context, message, MOVE)
        if retrieval is not None:
            with self._place(call, message) as placed:
                if placed:
                    self._count("move")
                    move(
                        retrieval,
                        Peer(wanted, str(known["host"]), int(known["port"])),
                        calling=self.aet,
                        origin=(call.calling, int(message.words.get("MessageID", 0))),
                    )
        return None

    def _get(self, call: _Call, context: Context, message: Message) -> None:
        retrieval = self._retrieval(call, context, message, GET)
        if retrieval is not None:
            with self._place(call, message) as placed:
                if placed:
                    self._count("get")
                    get(retrieval)
