"""C-MOVE and C-GET: stored files on their way out, byte for byte, with counts that the asker can follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from isocenter.doors import commands, identifiers, part10
from isocenter.doors.dimse_scu import Peer, Sender
from isocenter.doors.negotiation import EXPLICIT, IMPLICIT
from isocenter.doors.transcode import transcode
from isocenter.doors.upper_layer import Context, Ended, Link, Message
from isocenter.errors import Damaged, IsocenterError, Refused
from isocenter.record.study import Instance

__all__ = ["Retrieval", "get", "move"]

_SILENT = 3  # instances in a row that a destination took without an answer: then it is asked for nothing further


@dataclass
class Retrieval:
    """One retrieval under way: whom to answer, what to send, how far it has come.

    Args:
        link, message, syntax: the association, the request, and how identifiers are encoded on its context.
        instances: what the unique keys name.
        fetch: the stored file of a SOP Instance UID.
        cancelled: whether the asker has sent C-CANCEL meanwhile.
        late: whether it has taken longer than a retrieval may.
    """

    link: Link
    message: Message
    syntax: str
    instances: Sequence[Instance]
    fetch: Callable[[str], bytes]
    cancelled: Callable[[], bool]
    late: Callable[[], bool] = lambda: False
    completed: int = 0
    warnings: int = 0
    failed: list[str] = field(default_factory=list)
    damaged: int = 0

    @property
    def remaining(self) -> int:
        """Sub-operations not yet tried."""
        return len(self.instances) - self.completed - self.warnings - len(self.failed)

    def count(self, sop_uid: str, status: int | None) -> None:
        """Book the outcome of one sub-operation."""
        if status == 0:
            self.completed += 1
        elif status is not None and status & 0xF000 == 0xB000:
            self.warnings += 1
        else:
            self.failed.append(sop_uid)

    def fault(self, sop_uid: str, error: Exception) -> None:
        """Book an instance that could not be offered; a damaged one is our own failure and is said to be."""
        self.damaged += isinstance(error, Damaged)
        self.count(sop_uid, None)

    def fail_rest(self, of: Sequence[Instance]) -> None:
        """Book as failed what is not tried any more."""
        self.failed += [one.sop_uid for one in of]

    def say(self, status: int, comment: str = "") -> None:
        """Answer with a status and the counts; a final answer names what failed."""
        asked = self.message.words
        words: dict[str, int | str] = {
            "AffectedSOPClassUID": asked["AffectedSOPClassUID"],
            "CommandField": asked["CommandField"] | commands.RESPONSE,
            "MessageIDBeingRespondedTo": asked.get("MessageID", 0),
            "Status": status,
            "NumberOfCompletedSuboperations": min(self.completed, 65_535),
            "NumberOfFailedSuboperations": min(len(self.failed), 65_535),
            "NumberOfWarningSuboperations": min(self.warnings, 65_535),
        }
        if status in (0xFF00, 0xFE00):
            words["NumberOfRemainingSuboperations"] = min(self.remaining, 65_535)
        if comment:
            words["ErrorComment"] = commands.comment(comment)
        data = identifiers.failed_list(self.failed, self.syntax) if self.failed and status != 0xFF00 else None
        self.link.send(self.message.context, words, data)

    def finish(self) -> None:
        """The last answer: success, some failed (0xB000), or none went through (0xA702)."""
        ours = f"; {self.damaged} damaged here, tell its keeper" if self.damaged else ""
        if not self.failed and not self.warnings:
            self.say(0x0000)
        elif self.completed or self.warnings:
            self.say(0xB000, f"{len(self.failed)} of {len(self.instances)} not sent{ours}")
        else:
            self.say(0xA702, f"no instance was {'sent' if ours else 'taken'}{ours}")


def move(retrieval: Retrieval, to: Peer, *, calling: str, origin: tuple[str, int]) -> None:
    """Send the instances to another application over an association of its own."""
    offers = {(i.sop_class, i.transfer_syntax): None for i in retrieval.instances}
    with Sender(to, calling=calling, offers=list(offers)[:40]) as sender:
        if retrieval.instances:
            try:
                sender.open()
            except IsocenterError as error:  # it is known, but not there: 0xA801 would say that nobody knows it
                retrieval.fail_rest(retrieval.instances)
                return retrieval.say(0xA702, str(error))
        silent = 0
        for number, instance in enumerate(retrieval.instances):
            if retrieval.cancelled():
                return retrieval.say(0xFE00)
            if silent == _SILENT or retrieval.late():
                retrieval.fail_rest(retrieval.instances[number:])
                break
            try:
                outcome = sender.send(retrieval.fetch(instance.sop_uid), origin=origin)
                retrieval.count(instance.sop_uid, outcome.status)
                silent = silent + 1 if outcome.status is None else 0
            except (IsocenterError, Ended) as error:
                retrieval.fault(instance.sop_uid, error)
            retrieval.say(0xFF00)
        return retrieval.finish()


def get(retrieval: Retrieval) -> None:
    """Send the instances on the association on which they were asked for."""
    for number, instance in enumerate(retrieval.instances, 1):
        if retrieval.cancelled():
            return retrieval.say(0xFE00)
        if retrieval.late():
            retrieval.fail_rest(retrieval.instances[number - 1 :])
            break
        try:
            context, data = _readied(retrieval, instance)
        except IsocenterError as error:
            retrieval.fault(instance.sop_uid, error)
        else:
            retrieval.count(instance.sop_uid, _offer(retrieval, instance, context, data, number % 65_535 + 1))
        retrieval.say(0xFF00)
    return retrieval.finish()


def _readied(retrieval: Retrieval, instance: Instance) -> tuple[Context, bytes]:
    """A context on which the asker takes the instance, and the file in that encoding."""
    able = [c for c in retrieval.link.contexts.values() if c.we_send and c.abstract == instance.sop_class]
    context = next((c for c in able if c.syntax == instance.transfer_syntax), None)
    if context is not None:
        return context, retrieval.fetch(instance.sop_uid)
    context = next((c for c in able if c.syntax in (EXPLICIT, IMPLICIT)), None)
    if context is None:
        raise Refused(f"SOP class {instance.sop_class}", "the asker offered no context to take it", "offer one")
    return context, transcode(retrieval.fetch(instance.sop_uid), context.syntax)


def _offer(retrieval: Retrieval, instance: Instance, context: Context, data: bytes, number: int) -> int:
    """One C-STORE sub-operation; the asker's status."""
    link = retrieval.link
    words: dict[str, int | str] = {
        "AffectedSOPClassUID": instance.sop_class,
        "CommandField": commands.C_STORE_RQ,
        "MessageID": number,
        "Priority": 0,
        "AffectedSOPInstanceUID": instance.sop_uid,
    }
    link.send(context.id, words, memoryview(data)[part10.split(data).start :])
    while (answer := link.receive()) is not None:
        field = answer.words["CommandField"]
        if field == commands.C_STORE_RQ | commands.RESPONSE:
            return int(answer.words.get("Status", 0x0110))
        if field == commands.C_CANCEL_RQ:
            # It overtook the answer, and is obeyed before the next instance.
            retrieval.cancelled = lambda: True
    raise Ended("released amid a retrieval")
