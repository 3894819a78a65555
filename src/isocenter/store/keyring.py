"""The keys of an archive: one of each study, sealed by the key of its project, which the master key seals.

Three floors, so that each can be changed without the one below it: a new master key seals the keys of projects again, a
new key of a project seals the keys of its studies again, and no image is touched by either. Who destroys the key of a
study or of a project makes everything that it sealed unreadable, wherever copies of the sealed bytes lie.

The folder is small, and belongs neither into a backup of the archive nor to a place where copies are kept for ever: an
old copy of it is an old key. It holds ``projects/NAME`` and ``studies/ab/NAME``, where the names are digests. Every
file is replaced as a whole, so that a process that is killed leaves the old one or the new one. Several processes share
the folder: each looks again at a file that was replaced, so that what one erases the others no longer read.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.errors import Erased, NotFound, Refused, Unavailable
from isocenter.store.disk import unavailable
from isocenter.store.key_files import Look, finish, found, look, put, read
from isocenter.store.master_key import KEY_BYTES, MasterKey, unwrap, wrap

__all__ = ["Keyring", "ProjectKeys"]

_BATCH = 64  # keys that are sealed again while nobody can make or erase one
_HELD = 50_000  # opened keys of studies that are kept in memory


@dataclass(frozen=True)
class ProjectKeys:
    """Where the key of one project stands.

    Args:
        version: of its newest key; counts rotations.
        old: versions that a rotation has not finished with.
        erased: whether it was destroyed.
        master: name of the master key that seals it.
    """

    project: str
    version: int
    old: tuple[int, ...] = ()
    erased: bool = False
    master: str = ""


@dataclass
class Keyring:
    """The keys of one archive.

    Args:
        folder: where they lie; made when the first project is sealed.
        master: seals the keys of projects; None where none was given.
        home: Study Instance UID -> the project in which the study is at home.
    """

    folder: Path
    master: MasterKey | None = None
    home: Callable[[str], str] = lambda study_uid: ""
    _projects: dict[str, tuple[Look, dict[int, bytes]]] = field(default_factory=dict, repr=False)
    _studies: dict[bytes, tuple[Look, str, bytes]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._place = self.folder / "projects"  # asked for with every image

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process reads what is sealed; which project a new study belongs to is not its business.
        return Keyring, (self.folder, self.master)

    # ---- what is sealed

    @property
    def active(self) -> bool:
        """Whether any project is or was sealed."""
        return look(self._place) is not None

    def projects(self) -> list[ProjectKeys]:
        """Every project that is or was sealed, by name."""
        return sorted((_state(told) for told in map(read, found(self.folder / "projects"))), key=lambda p: p.project)

    def check(self) -> None:
        """See that the master key opens the key of every project.

        Raises:
            Refused: there is none, or it is another one; with the projects that stay closed.
        """
        for one in self.projects():
            if not one.erased:
                self._project(one.project)

    def of(self, study_uid: str, project: str = "") -> tuple[bytes, bytes] | None:
        """Name and key under which what belongs to a study is sealed; None where its project is not.

        The key is made when it is first asked for, and durable on return.

        Args:
            project: of a study that is not here yet; `home` is asked where it is empty.

        Raises:
            Refused: the key of the project was destroyed, or the master key is missing.
            Unavailable: the disk said no.
        """
        if not study_uid or not self.active:
            return None
        project = project or self.home(study_uid)
        if look(self._project_place(project)) is None:
            return None
        for generation in range(1 << 16):
            name = _name(study_uid, generation)
            try:
                return name, self.key(name)
            except Erased:
                continue  # it was erased once; what comes anew has nothing in common with what was there
            except NotFound:
                return name, self._made(name, project)
        raise Refused(
            "a study that was erased too often", "no name is left for its key", "give it another Study Instance UID"
        )

    def key(self, name: bytes) -> bytes:
        """The key of a name.

        Raises:
            Erased: it was destroyed. NotFound: this keyring never had it.
            Refused: the master key is missing, or the key was changed on disk.
        """
        place = self._study_place(name)
        seen = look(place)
        held = self._studies.get(name)
        if held is not None and held[0] == seen:
            self._project(held[1])  # which may have been destroyed
            return held[2]
        self._studies.pop(name, None)
        if seen is None:
            raise NotFound(
                f"key {name.hex()[:16]}…", "the folder of keys does not have it", "bring its copy back first"
            )
        told = read(place)
        if told.get("erased"):
            raise _erased()
        keys = self._project(told["project"])
        if told["version"] not in keys:
            raise _erased()
        key = unwrap(keys[told["version"]], base64.b64decode(told["key"]), _of_study(name))
        if len(self._studies) >= _HELD:
            self._studies.clear()
        self._studies[name] = seen, told["project"], key
        return key

    def seals(self, study_uid: str) -> bool:
        """Whether a study is at home in a project that is or was sealed, so that nothing of it is kept in the clear."""
        return bool(study_uid) and self.active and look(self._project_place(self.home(study_uid))) is not None

    @property
    def epoch(self) -> Look | None:
        """Another one after every erasure, also one by another process."""
        return look(self.folder / "erasures")

    def names_of(self, study_uid: str) -> set[bytes]:
        """The names of all keys that a study has or had."""
        names = set()
        for generation in range(1 << 16):
            name = _name(study_uid, generation)
            if look(self._study_place(name)) is None:
                break
            names.add(name)
        return names

    def project_of(self, study_uid: str) -> str:
        """The project whose key seals that of a study; empty where it has none that lives."""
        for name in self.names_of(study_uid):
            told = read(self._study_place(name))
            if not told.get("erased"):
                return str(told["project"])
        return ""

    def erased(self, study_uid: str) -> bool:
        """Whether a key of this study was destroyed; it may have another since."""
        return any(read(self._study_place(name)).get("erased") for name in self.names_of(study_uid))

    # ---- what persons change

    def seal(self, project: str) -> ProjectKeys:
        """Give a project a key, where it has none that lives: what arrives for it is sealed from now on.

        Raises:
            Refused: no master key was given.
        """
        place = self._project_place(project)
        with self._alone(exclusive=True):
            none: dict[str, Any] = {"project": project, "version": 0, "erased": True}
            told = read(place) if look(place) is not None else none
            if told["erased"]:
                version = told["version"] + 1
                keys = {str(version): self._sealed(secrets.token_bytes(KEY_BYTES), project, version)}
                put(place, {"project": project, "version": version, "erased": False, "keys": keys})
        return self._one(project)

    def rotate(self, project: str, *, told: Callable[[str, int, int], None] = lambda words, done, of: None) -> int:
        """Give a project a new key and seal the keys of its studies with it; how many were. No image is touched.

        Everything goes on meanwhile. A rotation that was killed is finished by the next call, which then draws no
        further key; only when every key is sealed anew is the old one destroyed.

        Raises:
            NotFound: the project is not sealed. Refused: its key was destroyed.
        """
        state = self._one(project)
        if state.erased:
            raise Refused(f"the key of project '{project}'", "it was destroyed", "seal the project anew")
        place = self._project_place(project)
        if not state.old:
            with self._alone(exclusive=True):
                held = read(place)
                version = held["version"] + 1
                held["keys"][str(version)] = self._sealed(secrets.token_bytes(KEY_BYTES), project, version)
                put(place, {**held, "version": version})
        done = 0
        while left := self._behind(project):
            for start in range(0, len(left), _BATCH):
                with self._alone(exclusive=True):
                    for path in left[start : start + _BATCH]:
                        done += self._again(path, project)
                told("keys", done, len(left))
        with self._alone(exclusive=True):
            if not self._behind(project):
                held = read(place)
                newest = str(held["version"])
                put(place, {**held, "keys": {newest: held["keys"][newest]}}, wipe=True)
                finish(self.folder)
        return done

    def change_master(self, new: MasterKey) -> int:
        """Seal the keys of projects with another master key; how many are sealed with it now.

        Called again after it was killed, it goes on where it was. Afterwards the old master key opens nothing here.
        """
        count = 0
        with self._alone(exclusive=True):
            for place in found(self.folder / "projects"):
                held = read(place)
                for version, one in held["keys"].items():
                    if one["master"] != new.name:
                        key = self._opened(one, held["project"], int(version))
                        held["keys"][version] = _sealed(new, key, held["project"], int(version))
                    count += 1
                put(place, held, wipe=True)
            finish(self.folder)
        self.master = new
        self._projects.clear()
        return count

    def bring_home(self, study_uid: str) -> bool:
        """Seal the key of a study with the key of the project in which it is now; whether that was another before."""
        mine = self.of(study_uid)
        project = self.home(study_uid)
        if mine is None:
            return False
        place = self._study_place(mine[0])
        with self._alone(exclusive=True):
            if read(place)["project"] == project:
                return False
            newest = self._one(project).version
            sealed = wrap(self._project(project)[newest], mine[1], _of_study(mine[0]))
            put(place, {"project": project, "version": newest, "key": _text(sealed)}, wipe=True)
        return True

    def erase_study(self, study_uid: str) -> int:
        """Destroy the keys of a study; how many there were. Nothing that they sealed can be read afterwards."""
        return self.erase_named(self.names_of(study_uid))

    def erase_named(self, names: Iterable[bytes]) -> int:
        """Destroy keys by their names; how many there were."""
        with self._alone(exclusive=True):
            count = sum(_destroy(place) for name in names if look(place := self._study_place(name)) is not None)
            finish(self.folder)
            self._told_of_erasure()
        return count

    def erase_project(self, project: str) -> int:
        """Destroy the key of a project and those of its studies; how many these were.

        Raises:
            NotFound: the project was never sealed.
        """
        state = self._one(project)
        with self._alone(exclusive=True):
            mine = [path for path in self._studyfound() if read(path).get("project") == project]
            held = {"project": project, "version": state.version, "erased": True, "keys": {}}
            put(self._project_place(project), held, wipe=True)
            done = sum(_destroy(path) for path in mine)
            finish(self.folder)
            self._told_of_erasure()
        return done

    # ---- the parts

    def _told_of_erasure(self) -> None:
        # Replaced and not touched: two erasures within one tick of the clock differ by the inode.
        put(self.folder / "erasures", {"erased": secrets.token_hex(8)})

    def _made(self, name: bytes, project: str) -> bytes:
        key, place = secrets.token_bytes(KEY_BYTES), self._study_place(name)
        with self._alone(exclusive=False):
            newest = self._one(project)
            if newest.erased:
                raise Refused(
                    f"project '{project}'", "its key was destroyed, and nothing can be sealed for it",
                    "seal the project anew, or bring the study elsewhere",
                )  # fmt: skip
            sealed = wrap(self._project(project)[newest.version], key, _of_study(name))
            told = {"project": project, "version": newest.version, "key": _text(sealed)}
            if not put(place, told, new=True):
                return self.key(name)  # somebody else made it at the same moment
        return key

    def _again(self, place: Path, project: str) -> int:
        """Seal one key with the newest of its project; 0 where somebody did or destroyed it meanwhile."""
        told, newest = read(place), self._one(project).version
        if told.get("erased") or told["project"] != project or told["version"] == newest:
            return 0
        keys, name = self._project(project), bytes.fromhex(place.name)
        key = unwrap(keys[told["version"]], base64.b64decode(told["key"]), _of_study(name))
        sealed = wrap(keys[newest], key, _of_study(name))
        put(place, {"project": project, "version": newest, "key": _text(sealed)})
        return 1

    def _behind(self, project: str) -> list[Path]:
        newest = self._one(project).version
        told = ((path, read(path)) for path in self._studyfound())
        return [path for path, one in told if one.get("project") == project and one["version"] != newest]

    def _studyfound(self) -> Iterator[Path]:
        for number in range(256):
            yield from found(self.folder / "studies" / f"{number:02x}")

    def _one(self, project: str) -> ProjectKeys:
        place = self._project_place(project)
        if look(place) is None:
            raise NotFound(f"a key of project '{project:.64}'", "it is not sealed", "seal it with `isocenter seal`")
        return _state(read(place))

    def _project(self, project: str) -> dict[int, bytes]:
        """The living keys of a project by version, opened."""
        place = self._project_place(project)
        seen = look(place)
        held = self._projects.get(project)
        if held is None or held[0] != seen:
            if seen is None:
                raise NotFound(
                    "the key of a project", "the folder of keys does not have it", "bring its copy back first"
                )
            told = read(place)
            if told["erased"]:
                self._projects.pop(project, None)
                raise _erased()
            keys = {int(v): self._opened(one, project, int(v)) for v, one in told["keys"].items()}
            held = self._projects[project] = seen, keys
        return held[1]

    def _opened(self, one: dict[str, str], project: str, version: int) -> bytes:
        if self.master is None:
            raise Refused(
                f"project '{project}' is sealed, and the master key is missing",
                "without it nothing that belongs to the project can be read or stored",
                "set ISOCENTER_MASTER_KEY to file:/PATH, env:NAME or command:PROGRAM",
            )
        if one["master"] != self.master.name:
            raise Refused(
                f"project '{project}' is sealed with master key {one['master']}", f"this one is {self.master.name}",
                "give the right one",
            )  # fmt: skip
        return self.master.unwrap(base64.b64decode(one["key"]), _of_project(project, version))

    def _sealed(self, key: bytes, project: str, version: int) -> dict[str, str]:
        if self.master is None:
            raise Refused(
                "no master key", "it seals the keys of projects, and lies outside of the archive",
                "make one with `isocenter master-key`, and set ISOCENTER_MASTER_KEY",
            )  # fmt: skip
        return _sealed(self.master, key, project, version)

    def _project_place(self, project: str) -> Path:
        return self.folder / "projects" / hashlib.sha256(project.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _study_place(self, name: bytes) -> Path:
        told = name.hex()
        return self.folder / "studies" / told[:2] / told

    @contextlib.contextmanager
    def _alone(self, *, exclusive: bool) -> Iterator[None]:
        """Makers of keys beside each other, whoever seals again or destroys alone, over all processes."""
        import fcntl

        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unavailable(error, "the folder of keys cannot be used") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            yield
        except OSError as error:
            if isinstance(error, Unavailable):
                raise
            raise unavailable(error, "a key could not be kept") from error
        finally:
            os.close(descriptor)


def _state(told: dict[str, Any]) -> ProjectKeys:
    versions = sorted(map(int, told["keys"]))
    masters = {one["master"] for one in told["keys"].values()}
    return ProjectKeys(
        told["project"], told["version"], tuple(v for v in versions if v != told["version"]), told["erased"],
        ", ".join(sorted(masters)),
    )  # fmt: skip


def _sealed(master: MasterKey, key: bytes, project: str, version: int) -> dict[str, str]:
    return {"master": master.name, "key": _text(master.wrap(key, _of_project(project, version)))}


def _destroy(place: Path) -> int:
    """Put a stone in the place of a key; 0 where one is there already."""
    if read(place).get("erased"):
        return 0
    put(place, {"erased": True}, wipe=True)
    return 1


def _name(study_uid: str, generation: int) -> bytes:
    return hashlib.sha256(f"isocenter study {generation} {study_uid}".encode("utf-8", "surrogatepass")).digest()[:16]


def _of_study(name: bytes) -> bytes:
    return b"isocenter study key " + name


def _of_project(project: str, version: int) -> str:
    return f"isocenter project key {version} {project}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _erased() -> Erased:
    return Erased(
        "what is asked for was erased", "two persons had its key destroyed", "see the journal for who, when and why"
    )
