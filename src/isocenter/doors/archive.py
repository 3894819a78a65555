"""What a door needs of the site behind it: seven verbs. Doors translate and call; they decide nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from isocenter.govern.policy import Person
from isocenter.record.study import Instance, Series, Study

__all__ = ["Archive", "Incoming", "Stored"]


class Stored(Protocol):
    """What became of one file.

    `status` is "stored" or "there" when the instance is durable, "conflict" when the same UID is held with other
    content and this file was set aside; any other word is a refusal, and `reason` says why.
    """

    @property
    def sop_uid(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def reason(self) -> str: ...


class Incoming(Protocol):
    """One file whose bytes are still arriving; it counts for nothing until `Archive.receive` has returned."""

    @property
    def data(self) -> bytearray:
        """What came so far."""
        ...

    def write(self, piece: bytes | memoryview) -> None:
        """Take the next bytes; Unavailable."""
        ...

    def drop(self) -> None:
        """Forget it; does nothing to one that was received."""
        ...


class Archive(Protocol):
    """The verbs of `isocenter.site.Site` that doors call."""

    def incoming(self, *, sender: str, who: Person) -> Any:
        """Room for a Part 10 file whose bytes are still arriving: an `Incoming` that `receive` takes."""
        ...

    def receive(self, files: Iterable[Any], *, sender: str, who: Person, project: str = "") -> Sequence[Stored]:
        """Keep Part 10 files, each as bytes, `Checked` or `Incoming`; durable on return. One answer a file, in order.
        New studies are at home in the project, or where the rule for the sender puts them."""
        ...

    def find(
        self,
        level: str,
        keys: Mapping[str, str],
        *,
        who: Person,
        limit: int | None = None,
        offset: int = 0,
        fuzzy: bool = False,
    ) -> list[dict[str, Any]]:
        """Rows by DICOM keyword that match the keys (PS3.4 C.2.2.2) at level PATIENT, STUDY, SERIES or IMAGE."""
        ...

    def found(self, level: str, keys: Mapping[str, str], *, who: Person, most: int, fuzzy: bool = False) -> list[str]:
        """The unique keys of the rows of `find`, in their order: how a search stands at this moment."""
        ...

    def study(self, uid: str, *, who: Person) -> Study:
        """The whole record of a study; NotFound."""
        ...

    def place_of(self, sop_uid: str, *, who: Person) -> tuple[Study, Series, Instance]:
        """The record of one instance with its series and study, these without their other images; NotFound."""
        ...

    def instance(self, sop_uid: str, *, who: Person) -> bytes:
        """The stored file; NotFound."""
        ...

    def peers(self) -> Sequence[Mapping[str, Any]]:
        """Who may call and be called: `aet`, `host`, `port`."""
        ...
