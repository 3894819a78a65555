"""One image whose bytes are still arriving: digested and written while its sender is still sending.

Where images come over a network, the digest and the disk would else wait for the last byte, and the sender for both.
What is written here has no name that anyone reads, and counts for nothing until `Blobs.put_many` has flushed and named
it; so a sender that breaks off leaves nothing behind.

Where only one image is on its way, another thread digests and writes what came, while this one goes on to receive and
then reads the header: digest and disk let go of the interpreter, so both happen at once. As soon as the header says
that the image is one to keep, that other thread also names and flushes it, and nobody has to wake it for that. Where
several are on their way, their own threads keep every core busy without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

from isocenter.store.disk import Disk, unavailable
from isocenter.store.straight import STAGE, Straight, a_stage, give_back

__all__ = ["Incoming"]

_STEP = 1 << 17  # bytes that another thread digests and writes at a time
_ALONE = 1 << 20  # bytes, where no thread is beside: each step lets go of the interpreter and has to get it back
_FLUSHED = (
    1 << 20
)  # bytes that the device is given at a time: handing it less costs more than is waited less at the end
_AHEAD = 4  # pieces that may wait for the other thread; beyond it the sender waits


class Incoming:
    """The bytes of one image, in the order in which they come.

    Args:
        disk: the system calls.
        place: the file that nobody reads yet; None where blobs are not kept in a local folder.
        beside: begins work in another thread; what came is digested and written in the caller's without it.
        keep: makes what came durable under its digest, as `Files.keep` does.
        ended: called when it was kept or dropped, perhaps more than once.
    """

    def __init__(
        self,
        disk: Disk,
        place: Path | None,
        *,
        beside: Callable[[Callable[[], None]], Future[None]] | None = None,
        keep: Callable[[Mapping[str, Incoming]], None] | None = None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.data = bytearray()
        """What came so far."""
        self.place = place
        self._disk, self._digest, self._beside, self._ended = disk, hashlib.sha256(), beside, ended
        self._keep = keep if place is not None else None
        self._digested: Future[str]
        self._durable: Future[None]
        self.going = False
        """Whether it becomes durable without being asked once more."""
        self._keeper = 0
        self._step = _STEP if beside is not None else _ALONE
        self._taken, self._written, self._flushing, self._descriptor, self._begun = 0, 0, 0, -1, False
        self._file: Straight | None = None
        self._failure: OSError | None = None
        self._pieces: deque[tuple[mmap.mmap, int] | None] = deque()
        self._handing, self._working = threading.Lock(), False
        self._work: Future[None] | None = None

    def write(self, piece: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises:
            Unavailable: the disk took no more; the image can only be dropped.
        """
        self.data += piece
        if len(self.data) - self._taken >= self._step:
            self._advance()
            if self._failure is not None:
                raise unavailable(self._failure, "the image could not be stored") from self._failure

    def digest(self) -> str:
        """SHA-256 of all that came, in hexadecimal."""
        if self.going:
            return self._digested.result()
        self._wait()
        rest = self._digest.copy()
        rest.update(self.data[self._taken :])
        return rest.hexdigest()

    @property
    def may_go_on(self) -> bool:
        """Whether `go_on` would do anything: only beside one that came alone is there a thread for it."""
        return self._beside is not None and self._keep is not None and not self.going and self._failure is None

    def go_on(self) -> None:
        """All has come, and it is one to keep: have the thread beside keep it as soon as it knows the digest.

        Does nothing where there is no such thread; `Blobs.put_many` keeps it then, as it does with every other.
        """
        if self._beside is None or not self.may_go_on:
            return
        self._digested, self._durable = Future(), Future()
        self.going = True
        self._advance()
        self._put(None, self._beside)

    def durable(self) -> None:
        """Wait until what `go_on` began is done.

        Raises:
            Unavailable: the disk did not take it.
        """
        self._durable.result()

    def finish(self) -> int:
        """Write what is left; the descriptor of the file, which has no name yet and is not flushed.

        Raises:
            OSError: the disk did not take it; the image can only be dropped.
        """
        self._write_rest()
        return self._descriptor

    def write_out(self) -> None:
        """Write what is left; whoever calls this flushes.

        Raises:
            OSError: the disk did not take it; the image can only be dropped.
        """
        self._write_rest()
        self._close()

    def named(self) -> None:
        """The file was given its name: there is nothing to drop any more."""
        self._close()
        self._begun = False

    def drop(self) -> None:
        """Forget the image, and the file if one was begun; does nothing to one that was named."""
        self._close()
        if self.place is not None and self._begun:
            with contextlib.suppress(OSError):
                self._disk.remove(self.place)
            self._begun = False

    def _advance(self) -> None:
        with memoryview(self.data)[self._taken :] as came:
            self._taken += len(came)
            if self._beside is None:
                self._take(came)
                return
            for at in range(0, len(came), STAGE):
                self._hand(came[at : at + STAGE], self._beside)

    def _hand(self, piece: memoryview, beside: Callable[[Callable[[], None]], Future[None]]) -> None:
        """Give a copy of some bytes to the other thread; what came itself has to be free to grow."""
        if len(self._pieces) >= _AHEAD:
            self._wait()
        stage = a_stage()
        stage[: len(piece)] = piece
        self._put((stage, len(piece)), beside)

    def _put(self, piece: tuple[mmap.mmap, int] | None, beside: Callable[[Callable[[], None]], Future[None]]) -> None:
        """Put a piece into the line of the other thread; None says that it was the last, and to be kept."""
        with self._handing:
            self._pieces.append(piece)
            idle, self._working = not self._working, True
        if idle:
            self._work = beside(self._take_all)

    def _take_all(self) -> None:
        while True:
            with self._handing:
                if not self._pieces:
                    self._working = False
                    return
                next_one = self._pieces.popleft()
            if next_one is None:
                self._settle()
                continue
            stage, length = next_one
            with memoryview(stage)[:length] as piece:
                self._take(piece)
            give_back(stage)

    def _settle(self) -> None:
        assert self._keep is not None
        digest, self._keeper = self._digest.hexdigest(), threading.get_ident()
        self._digested.set_result(digest)
        try:
            self._keep({digest: self})
        except BaseException as failure:
            self._durable.set_exception(failure)
        else:
            self._durable.set_result(None)

    def _take(self, piece: memoryview) -> None:
        self._digest.update(piece)
        if self.place is None or self._failure is not None:
            return
        try:
            self._write(piece)
        except OSError as error:
            self._failure = error

    def _write(self, piece: memoryview) -> None:
        assert self.place is not None
        if self._file is None:
            self._descriptor, self._begun = self._disk.create(self.place), True
            # Through the page cache: the device works while the rest arrives; past it each piece waits for it.
            self._file = Straight(self._disk, self._descriptor, worth=False)
        self._file.write(piece)
        self._written += len(piece)
        if self._written - self._flushing >= _FLUSHED:
            self._disk.begin_flush(self._descriptor, self._flushing, self._written - self._flushing)
            self._flushing = self._written

    def _write_rest(self) -> None:
        self._wait()
        if self._failure is not None:
            raise self._failure
        if self.place is not None:
            with memoryview(self.data)[self._written :] as rest:
                self._write(rest)

    def _wait(self) -> None:
        if self._work is not None and self._keeper != threading.get_ident():
            self._work.result()

    def _close(self) -> None:
        self._wait()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._disk.close(descriptor)
        self._ended()
