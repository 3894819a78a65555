"""Bytes by their digest: what was received stays what was received.

A stored file is named by the SHA-256 of its bytes. So a file cannot be changed without its name telling, the same
image sent twice is kept once, and a copy on another machine can be checked without asking anyone.

On a local folder the blob of digest ``ab12…`` lies at ``ab/ab12…``. It is written by `Disk` and not by obstore, whose
local store renames a file without flushing it (seen with strace on obstore 0.12.1): after a power cut the image would
be gone although its sender was told that it is safe. Everything else (reading, listing, memory, S3) is obstore.

What belongs to a study of a sealed project is kept as ``ab12….sealed`` instead, an `Envelope` that opens with the key
of the study; its digest is that of what is inside, so that everything above this file goes on as it did.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from isocenter.errors import Damaged, Erased, IsocenterError, NotFound, Refused, Unavailable
from isocenter.store.disk import Disk, unavailable
from isocenter.store.envelope import START, Envelope, names_of, seal
from isocenter.store.files import DIGEST, SEALED, Files, place_of
from isocenter.store.incoming import Incoming
from isocenter.store.keyring import Keyring
from isocenter.store.places import local_folder, open_store

__all__ = ["Blobs"]

T = TypeVar("T")
R = TypeVar("R")

_FLUSHERS = 8  # flushes in flight; beyond this a disk gains nothing
_turn = itertools.count()


class Blobs:
    """A content-addressed store.

    Args:
        url: a path or ``file:///path``, ``memory://``, or ``s3://bucket/prefix``.
        disk: the system calls for a local folder.
        options: of S3, as obstore names them (``endpoint``, ``region``, ``access_key_id``, ``secret_access_key``);
            what is not given comes from the usual ``AWS_…`` environment.
        keyring: the keys of projects that are sealed; without it nothing is.

    Raises:
        Unavailable: when the folder cannot be made.

    >>> blobs = Blobs("memory://")
    >>> digest = blobs.put(b"an image")
    >>> blobs.get(digest), blobs.put(b"an image") == digest
    (b'an image', True)
    """

    def __init__(
        self,
        url: str,
        *,
        disk: Disk | None = None,
        options: dict[str, str] | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self._disk, self.keyring = disk or Disk(), keyring
        folder = local_folder(url)
        self._pool: ThreadPoolExecutor | None = None
        self._making = threading.Lock()
        self._arriving: set[int] = set()
        self._files = Files(folder, self._disk, self._map) if folder is not None else None
        self._store = open_store(url, folder, options or {})
        self._made_of = (url, options, keyring)
        self.watched: Callable[[str, str], None] = lambda digest, what: None
        """Told by `kept` which digest cannot be read, and what is wrong: "changed", "missing" or "closed"."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The same store, opened again in another process; memory:// would be another one, and is refused.
        if self._made_of[0].startswith("memory:"):
            raise TypeError("a store in memory cannot travel to another process: name a folder")
        return _opened, self._made_of

    def put(self, data: bytes, *, of: str = "") -> str:
        """Keep the bytes and return their digest. When this returns, they survive a power cut.

        Args:
            of: Study Instance UID of the study that they belong to, whose project says whether they are sealed.

        Raises:
            Unavailable: the disk is full, broken or gone; nothing is half there.
            Refused: they are to be sealed, and there is no key for it.
        """
        return self.put_many([data], of=of)[0]

    def incoming(self) -> Incoming:
        """Room for an image whose bytes are still to come; `put_many` keeps it, or its `drop` forgets it.

        Where anything is sealed it stays in memory: nobody knows yet whose it is, and nothing is written in the clear.
        """
        files = None if self.keyring is not None and self.keyring.active else self._files
        turn = next(_turn)
        alone = not self._arriving
        self._arriving.add(turn)
        return Incoming(
            self._disk,
            files.aside() if files is not None else None,
            beside=self._threads().submit if alone else None,
            keep=files.keep if files is not None else None,
            ended=partial(self._arriving.discard, turn),
        )

    def go_on(self, incoming: Incoming) -> None:
        """Begin to keep what came alone, beside what its receiver still does; `put_many` or `putting` sees its end."""
        if self.keyring is None or not self.keyring.active:
            incoming.go_on()

    def put_many(
        self,
        many: Sequence[bytes | bytearray | Incoming],
        digests: Sequence[str] | None = None,
        *,
        of: str | Sequence[tuple[str, str]] = "",
    ) -> list[str]:
        """Keep many at once: with one flush of the filesystem, or side by side where it cannot be flushed as a whole.

        Args:
            many: the bytes of each, or what has come in by `incoming`.
            digests: their SHA-256 where the caller has just computed it from these very bytes; computed here else.
                A wrong one would be found by `get`, when it is too late: it is for `intake` only.
            of: Study Instance UID of all; or of each, with its project, which may be empty for a study that is here.

        Raises:
            Unavailable, Refused: as `put`; none of them counts as kept then, though some may already be there.
        """
        digests = list(self._map(_digest, many) if digests is None else digests)
        if self.keyring is None or not self.keyring.active:
            self._keep(dict(zip(digests, many, strict=True)))
            return digests
        of = [(of, "")] * len(digests) if isinstance(of, str) else of
        self._keep(dict(self._map(self._named, zip(digests, many, of, strict=True))))
        return digests

    def _named(
        self, one: tuple[str, bytes | bytearray | Incoming, tuple[str, str]]
    ) -> tuple[str, bytes | bytearray | Incoming]:
        """The name under which bytes are kept, and what is kept under it: themselves, or themselves sealed."""
        digest, given, of = one
        key = self.keyring.of(*of) if self.keyring is not None else None
        data = given.data if isinstance(given, Incoming) else given
        if key is None:
            return digest, data if isinstance(given, Incoming) and given.place is None else given
        there = self._raw(digest + SEALED)
        keys = [key]
        if there is not None:
            with contextlib.suppress(Damaged):  # it is sealed anew
                envelope = Envelope.of(there, digest)
                if key[0] in envelope.names and envelope.read(self._key_of) == data:
                    return digest + SEALED, there
                keys += [(name, self._key_of(name)) for name in envelope.names if name != key[0] and self.knows(name)]
        return digest + SEALED, seal(data, digest, keys)

    def _keep(self, new: Mapping[str, bytes | bytearray | Incoming]) -> None:
        going = {name: given for name, given in new.items() if isinstance(given, Incoming) and given.going}
        for given in going.values():
            given.durable()
        if self._files is None:
            self._map(self._send, new.items())
        elif rest := {name: given for name, given in new.items() if name not in going} if going else new:
            self._files.keep(rest)

    @contextlib.contextmanager
    def putting(
        self, data: bytes | bytearray | Incoming, digest: str, *, of: tuple[str, str] = ("", "")
    ) -> Iterator[Callable[[], object]]:
        """`put_many` of one, going on beside the `with` block, which does not end before it has.

        Yields:
            what waits until the bytes are durable, and raises as `put_many` does where they cannot be.
        """
        if isinstance(data, Incoming) and data.going:
            yield data.durable
            return
        future = self._threads().submit(self.put_many, [data], [digest], of=[of])
        try:
            yield future.result
        finally:
            wait([future])

    def get(self, digest: str, *, check: bool = True) -> bytes:
        """The bytes of a digest.

        Args:
            digest: SHA-256, hexadecimal.
            check: compute the digest of what was read; about 1 ms a megabyte.

        Raises:
            NotFound: no such blob.
            Damaged: the bytes no longer fit the digest: the disk has changed them.
            Refused: they are sealed, and the key that opens them is missing.
            Unavailable: the store cannot be read.
            Erased: they were sealed, and their key was destroyed.
        """
        data = self._raw(digest)
        if data is None and self.keyring is not None and self.keyring.active:
            sealed = self._raw(digest + SEALED)
            data = None if sealed is None else Envelope.of(sealed, digest).read(self._key_of)
        if data is None:
            raise NotFound(
                f"blob {digest[:16]}…",
                "no such bytes are stored here",
                "run `isocenter verify`, and mend from a backup: `isocenter scrub --copy`",
            )
        if check and _sha256(data) != digest:
            raise Damaged(
                f"blob {digest[:16]}… no longer fits its digest",
                "its bytes were changed on disk after they were stored",
                "restore it from a copy with `isocenter scrub --copy`; it will not be shown as an image",
            )
        return data

    def kept(self, digest: str) -> bytes:
        """`get` of what the index names: that it is not there is damage, too, and who watches is told of any.

        Raises:
            Damaged: changed, lost, or sealed by a key that is missing.
            Unavailable, Erased: as `get`.
        """
        try:
            return self.get(digest)
        except Erased:
            raise
        except Damaged:
            self.watched(digest, "changed")
            raise
        except NotFound:
            self.watched(digest, "missing")
            raise Damaged(
                f"blob {digest[:16]}… is gone",
                "its file, or the key that opens it, was removed by something else than the archive",
                "bring it back from a copy with `isocenter scrub --copy`",
            ) from None
        except Refused as closed:
            self.watched(digest, "closed")
            raise Damaged(closed.what, closed.why, closed.do) from None

    def path(self, digest: str) -> Path | None:
        """Where the blob lies, for readers that want a local file; None in memory, on S3, or where it is sealed.

        Raises:
            NotFound: no such blob.
        """
        if self._files is None:
            return None
        found = self._files.folder / place_of(digest)
        if not found.exists():
            if self._size(digest + SEALED) is not None:
                return None
            raise NotFound(
                f"blob {digest[:16]}…",
                "no such bytes are stored here",
                "run `isocenter verify`, and mend from a backup: `isocenter scrub --copy`",
            )
        return found

    def __contains__(self, digest: object) -> bool:
        if not isinstance(digest, str) or DIGEST.fullmatch(digest) is None:
            return False
        return any(self._size(name) is not None for name in self._names(digest))

    def digests(self) -> Iterator[str]:
        """Every digest that is kept, in no promised order."""
        import obstore

        for page in obstore.list(self._store):
            for entry in page:
                name = str(entry["path"]).rsplit("/", 1)[-1]
                digest = name.removesuffix(SEALED)
                if not DIGEST.fullmatch(digest) or str(entry["path"]) != place_of(name):
                    continue
                if name == digest or self._size(digest) is None:  # an open and a sealed study may both need it
                    yield digest

    def as_kept(self, digest: str) -> dict[str, bytes]:
        """What is kept of a digest as it is kept, sealed or not, by the name under which `keep_so` keeps it elsewhere.

        Raises:
            NotFound, Damaged, Refused, Unavailable, Erased: as `get`; nothing is handed on that could not be read.
        """
        self.get(digest)
        found = {name: self._raw(name) for name in self._names(digest)}
        return {name: data for name, data in found.items() if data is not None}

    def keep_so(self, kept: Mapping[str, bytes], *, instead: bool = False) -> None:
        """Keep what `as_kept` gave, as it is: a backup of what is sealed is sealed.

        Args:
            instead: write it even where something of that size is there.

        Raises:
            Unavailable: as `put`.
        """
        if instead and self._files is not None:
            self._files.doubt(kept)
        self._keep(kept)

    def sealed_by(self, digest: str) -> tuple[bytes, ...]:
        """The names of the keys that open what is kept of a digest; none where any of it lies in the clear."""
        return self._sealed_for(digest) if self.is_sealed(digest) else ()

    def _sealed_for(self, digest: str) -> tuple[bytes, ...]:
        """The names of the keys that open the sealed copy, whether or not another lies in the clear."""
        name = digest + SEALED
        if self._size(name) is None:
            return ()
        return names_of(self._files.beginning(name, START) if self._files is not None else self._raw(name) or b"")

    def standing(self, digest: str) -> tuple[bool, tuple[bytes, ...]]:
        """How a digest is kept: whether in the clear, and which keys open its sealed copy."""
        return self._size(digest) is not None, self._sealed_for(digest)

    def erased(self, study_uid: str) -> bool:
        """Whether a key of this study was destroyed."""
        return self.keyring is not None and self.keyring.erased(study_uid)

    def is_sealed(self, digest: str) -> bool:
        """Whether nothing of a digest lies here in the clear."""
        return self._size(digest) is None and self._size(digest + SEALED) is not None

    def seal(self, digest: str, study_uid: str, *, alone: bool) -> bool:
        """Seal what is here already for a study of a sealed project; whether anything was done.

        Args:
            alone: whether no open study needs the same bytes (`needing`), so that they shall not lie in the clear any
                longer; where one does, it keeps its copy.

        Raises:
            as `get` and `put`.
        """
        key = self.keyring.of(study_uid) if self.keyring is not None else None
        if key is None:
            return False
        clear, names = self.standing(digest)
        new = key[0] not in names
        if new or (alone and clear):
            self.put(self.get(digest), of=study_uid)
        if alone and clear and self._size(digest + SEALED) is not None:
            self._let_go(digest)
        return new or (alone and clear)

    def scrub(self) -> Iterator[tuple[str, str]]:
        """Read every blob and name those that no longer fit their digest: (digest, what is wrong)."""
        for digest in list(self.digests()):
            try:
                self.get(digest)
            except (Damaged, NotFound, Refused, Unavailable) as wrong:
                yield digest, str(wrong)

    def remove(self, digest: str) -> bool:
        """Forget a blob for good; whether it was there. Only what a person has purged is ever removed.

        Raises:
            Unavailable: the disk said no.
        """
        names = [name for name in self._names(digest) if self._size(name) is not None]
        for name in names:
            self._let_go(name)
        return bool(names)

    def _let_go(self, name: str) -> None:
        import obstore
        from obstore.exceptions import BaseError

        try:
            if self._files is None:
                obstore.delete(self._store, place_of(name))
            else:
                self._files.remove(name)
        except Unavailable:
            raise
        except (OSError, BaseError) as error:
            raise unavailable(error, "a file could not be removed") from error

    def close(self) -> None:
        """Let go of the threads; what was put stays."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _threads(self) -> ThreadPoolExecutor:
        pool = self._pool
        if pool is None:
            with self._making:
                pool = self._pool = self._pool or ThreadPoolExecutor(_FLUSHERS, thread_name_prefix="blobs")
        return pool

    def _send(self, item: tuple[str, bytes | bytearray | Incoming]) -> None:
        import obstore
        from obstore.exceptions import BaseError

        name, given = item
        data = bytes(given.data if isinstance(given, Incoming) else given)
        try:
            # A put there is all or nothing, so a name with the right size is the whole object.
            if name.endswith(SEALED) or self._size(name) != len(data):
                obstore.put(self._store, place_of(name), data)
        except (OSError, BaseError) as error:
            raise unavailable(error, "the image could not be stored") from error

    def _names(self, digest: str) -> tuple[str, ...]:
        """Every name under which bytes of a digest may lie."""
        return digest, digest + SEALED

    def _key_of(self, name: bytes) -> bytes:
        if self.keyring is None:
            raise Refused("sealed bytes", "no keys were given to open them", "name the folder of keys")
        return self.keyring.key(name)

    def knows(self, name: bytes) -> bool:
        """Whether there is a key of this name here, that lives."""
        with contextlib.suppress(IsocenterError):
            return bool(self._key_of(name))
        return False

    def _raw(self, name: str) -> bytes | None:
        """What lies under a name; None where nothing does."""
        import obstore
        from obstore.exceptions import BaseError, NotFoundError

        try:
            if self._files is not None:
                # Half the time of the way through obstore, which copies once more.
                return (self._files.folder / place_of(name)).read_bytes()
            return bytes(obstore.get(self._store, place_of(name)).bytes())
        except (NotFoundError, FileNotFoundError):
            return None
        except (OSError, BaseError) as error:
            raise unavailable(error, "blob could not be read") from error

    def _size(self, name: str) -> int | None:
        import obstore
        from obstore.exceptions import NotFoundError

        try:
            return int(obstore.head(self._store, place_of(name))["size"])
        except (NotFoundError, FileNotFoundError):
            return None

    def _map(self, work: Callable[[T], R], over: Iterable[T]) -> list[R]:
        """Do the work on each, side by side; when one fails all have ended before the first failure is raised."""
        items = list(over)
        if len(items) < 2:
            return [work(item) for item in items]
        pool = self._threads()
        futures = [pool.submit(work, item) for item in items]
        failures = [future.exception() for future in futures]
        for failure in failures:
            if failure is not None:
                raise failure
        return [future.result() for future in futures]


def _sha256(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest(given: bytes | bytearray | Incoming) -> str:
    return given.digest() if isinstance(given, Incoming) else _sha256(given)


def _opened(url: str, options: dict[str, str] | None, keyring: Keyring | None) -> Blobs:
    return Blobs(url, options=options, keyring=keyring)
