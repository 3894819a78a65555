"""What a further DIMSE service sees of the listener: one request, and how it is answered.

The listener (`doors/dimse.py`) keeps associations; a service takes the requests of its SOP classes. Each service is a
file of its own (``*_scp.py``) and is given to the listener by `app`, which makes it listen for those classes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from isocenter.dicom import model as models
from isocenter.dicom.model import Model
from isocenter.doors import commands, part10
from isocenter.doors.upper_layer import Context, Link, Message
from isocenter.errors import Conflict, Forbidden, IsocenterError, NotFound, Refused, Unavailable, WrongState
from isocenter.govern.policy import Person

__all__ = ["Asked", "Service", "status_of_normalized"]

_CHARSET: Final = "00080005"


class Service(Protocol):
    """A DIMSE service beside storage and query/retrieve."""

    @property
    def classes(self) -> Collection[str]:
        """SOP Class UIDs of the presentation contexts that are accepted for it."""
        ...

    def answer(self, asked: Asked) -> None:
        """Serve one request; what is raised becomes a status of the listener."""
        ...


@dataclass
class Asked:
    """One request.

    Args:
        aet, calling: our AE title, and that of who asks.
        who: the account behind it.
        cancelled: whether the peer has taken the request back meanwhile; looks without waiting.
        count: counts at this door by name.
        later: requests that came while an answer was awaited; the listener serves them next.
    """

    link: Link
    context: Context
    message: Message
    aet: str
    calling: str
    who: Person
    cancelled: Callable[[], bool]
    count: Callable[[str], None]
    later: list[Message] = field(default_factory=list)

    @property
    def field(self) -> int:
        """The Command Field."""
        return int(self.message.words["CommandField"])

    @property
    def sop_uid(self) -> str:
        """SOP Instance UID of the command, requested or affected."""
        words = self.message.words
        return str(words.get("RequestedSOPInstanceUID") or words.get("AffectedSOPInstanceUID") or "")

    @property
    def sop_class(self) -> str:
        """SOP Class UID of the command, requested or affected."""
        words = self.message.words
        return str(words.get("RequestedSOPClassUID") or words.get("AffectedSOPClassUID") or "")

    def model(self) -> Model:
        """The data set that came with it; empty where none came.

        Raises:
            Refused: it cannot be read.
        """
        data = b"".join(self.message.data or ())
        made = models.decode(data, self.context.syntax) if data else {}
        self._charset = models.first(made, _CHARSET)
        return made

    _charset: str = ""

    def respond(
        self, status: int, comment: str = "", *, model: Mapping[str, Any] | None = None, sop_uid: str = "",
        error_id: int | None = None, more: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        """Answer.

        Args:
            model: data set of the answer, written in the asker's character set where that holds it.
            sop_uid: Affected SOP Instance UID, where it is not that of the request.
            error_id, more: further words of the command, such as `EventTypeID`.
        """
        words: dict[str, int | str] = {
            "CommandField": self.field | commands.RESPONSE,
            "MessageIDBeingRespondedTo": int(self.message.words.get("MessageID", 0)),
            "Status": status,
            **(more or {}),
        }
        for word, said in (
            ("AffectedSOPClassUID", self.sop_class),
            ("AffectedSOPInstanceUID", sop_uid or self.sop_uid),
        ):
            if part10.is_uid(said):
                words[word] = said
        if comment:
            words["ErrorComment"] = commands.comment(comment)
        if error_id is not None:
            words["ErrorID"] = error_id
        data = None
        if model is not None:
            data = models.encode(model, self.context.syntax, charset=self._charset)
        self.link.send(self.context.id, words, data)

    def refuse(self, error: IsocenterError) -> None:
        """Answer a request of a normalized service (N-…) with what its error means."""
        self.count("rejected")
        self.respond(status_of_normalized(error), str(error))


def status_of_normalized(error: IsocenterError) -> int:
    """The status of PS3.7 annex C for an error of a normalized service.

    >>> hex(status_of_normalized(NotFound("no such step")))
    '0x112'
    """
    if isinstance(error, Forbidden):
        return 0x0124
    if isinstance(error, NotFound):
        return 0x0112
    if isinstance(error, Conflict):
        return 0x0111
    if isinstance(error, Unavailable):
        return 0x0213
    if isinstance(error, Refused) and not isinstance(error, WrongState):
        return 0x0106
    return 0x0110
