"""A guest's images: analysed once, handed back, and gone.

Somebody drops a series (DICOM files, a folder, a ZIP, a NIfTI file), chooses an analysis, and takes what came out:
overlay, volumes, SEG, NIfTI, mesh. Nothing of it touches the archive, the index or the journal but that it happened;
files lie in a temporary folder of their own that is deleted when the guest says so, when nobody has asked for a while,
and when the server ends. A folder that a killed server left is swept at the next start.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from isocenter.analysis.drawn_elsewhere import told_of_outlines, with_outlines
from isocenter.analysis.plan import plan
from isocenter.analysis.registry import Registry, address
from isocenter.analysis.run import Request, Run, run, run_apart
from isocenter.errors import IsocenterError, LimitReached, NotFound, Refused, Unavailable, WrongState
from isocenter.forms.answer import answer
from isocenter.govern.policy import Person, must
from isocenter.govern.stopping import Stop
from isocenter.record import Study, Verdict
from isocenter.site import temporary
from isocenter.site.folder import Folder, read_folder, read_nifti, safe_name
from isocenter.site.loading import Loading
from isocenter.site.nifti_study import MODALITIES, holds_nifti
from isocenter.site.overlays import overlays
from isocenter.site.showing import Showing
from isocenter.site.volumes import volumes_of

if TYPE_CHECKING:
    from isocenter.space import Volume

__all__ = ["KEPT", "Segmenting"]

KEPT = timedelta(minutes=30)
"""How long a guest's files stay when nobody asks for them."""

_PREFIX = "isocenter-guest-"
_NO_DICOM = "a DICOM object refers to DICOM images, and a NIfTI file is none. Drop the DICOM series to get it."
_BESIDE = "a system's own file beside the images, or a list of them; nothing of an image is in it"
_FILES, _BYTES, _RUNS = 5000, 4 << 30, 4  # of one run, of one run, of one person


@dataclass
class _Guest:
    """One run: whose, where its files lie, how far it is."""

    id: str
    who: str
    analysis: str
    modality: str
    folder: Path
    touched: datetime
    state: str = "taking"
    words: str = ""
    files: int = 0
    bytes: int = 0
    turn: int = 0
    studies: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)


class _Stopped(Exception):
    """Whoever asked for it does not want it any more."""


class Segmenting:
    """The guests of one server.

    Args:
        apart: whether analyses run in a process of their own; False only in a test.
        base: where the temporary folders are made; the system's own place where it is not given.
        stops: analyses that a person has stopped everywhere; they are not run for a guest either.
    """

    def __init__(
        self, registry: Registry, clock: Callable[[], datetime], *, shelf: str = "", apart: bool = True,
        base: Path | None = None, stops: Callable[[], Mapping[str, Stop]] = dict,
    ) -> None:  # fmt: skip
        self._registry, self._clock, self._shelf, self._apart = registry, clock, shelf, apart
        self._stops = stops
        self._base = base or Path(tempfile.gettempdir())
        self._guests: dict[str, _Guest] = {}
        self._turns = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "guest")
        self._swept = threading.Event()
        temporary.sweep(_PREFIX, self._base)

    # ---- what a guest does -----------------------------------------------------------------------------------

    def begin(self, *, who: Person, analysis: str = "", modality: str = "") -> dict[str, Any]:
        """A place for files.

        Args:
            analysis: by name; empty for every one that fits.
            modality: of a NIfTI file, which does not tell: CT (in HU), MR, PT (in SUV by body weight).

        Raises:
            NotFound: no such analysis. Refused: no such modality, or an analysis that somebody has stopped.
            LimitReached: this person has several runs already.
        """
        must(who, "segment")
        if analysis:
            self._registry.get(analysis)
            if stop := self._stops().get(analysis):
                raise Refused(f"the analysis '{analysis}'", stop.sentence(), "another person can start it again")
        if modality and modality not in MODALITIES:
            raise Refused(
                f"a NIfTI file of modality '{modality:.20}'",
                f"known are {', '.join(MODALITIES)}",
                "choose one of these",
            )
        self.expire()
        with self._lock:
            if sum(g.who == who.name for g in self._guests.values()) >= _RUNS:
                raise LimitReached(f"more than {_RUNS} runs", "each holds its files", "delete one of yours")
            id = secrets.token_hex(16)
            folder = temporary.made(_PREFIX, self._base)
            (folder / "in").mkdir()
            (folder / "out").mkdir()
            self._guests[id] = _Guest(id, who.name, analysis, modality, folder, self._clock())
        return self.state(id, who=who)

    @contextlib.contextmanager
    def taking(self, id: str, name: str, *, who: Person) -> Iterator[Callable[[bytes], None]]:
        """Take one file in pieces; of its name the last part is kept, without what a path could mean.

        Raises:
            WrongState: it runs already. LimitReached: too many files or bytes.
        """
        guest = self._guest(id, who)
        if guest.state != "taking":
            raise WrongState(f"this run is {guest.state}", "no file can be added", "begin another one")
        if guest.files >= _FILES:
            raise LimitReached(f"more than {_FILES} files", "one run takes one study", "drop a smaller folder")
        guest.files += 1
        own = Path(tempfile.mkdtemp(prefix=f"{guest.files:05d}-", dir=guest.folder / "in"))
        try:
            with (own / safe_name(name)).open("wb") as file:
                yield lambda piece: self._write(guest, file, piece)
        except BaseException:
            shutil.rmtree(own, ignore_errors=True)
            guest.files -= 1
            raise

    def start(self, id: str, *, who: Person) -> dict[str, Any]:
        """Analyse what was taken.

        Raises:
            Refused: nothing was taken. WrongState: it runs already.
        """
        guest = self._guest(id, who)
        if guest.state != "taking":
            raise WrongState(
                f"this run is {guest.state}", "it was started already", "drop the images again for another run"
            )
        if not guest.files:
            raise Refused("a run without files", "there is nothing to analyse", "drop images first")
        with self._lock:
            self._turns += 1
            guest.state, guest.turn = "waiting", self._turns
        self._pool.submit(self._work, guest)
        return self.state(id, who=who)

    def state(self, id: str, *, who: Person) -> dict[str, Any]:
        """How far a run is, and what came out."""
        guest = self._guest(id, who)
        return {
            "id": id, "state": guest.state, "words": self._words(guest), "analysis": guest.analysis,
            "files": guest.files, "bytes": guest.bytes, "studies": guest.studies, "results": guest.results,
            "rejected": [{"file": n, "why": w} for n, w in guest.rejected[:200]],
            "rejected_in_all": len(guest.rejected),
            "gone_at": (guest.touched + KEPT).isoformat(),
        }  # fmt: skip

    def runs(self, *, who: Person) -> list[dict[str, Any]]:
        """What this person has here, the newest first, without having looked at it."""
        must(who, "segment")
        self.expire()
        with self._lock:
            own = [g for g in self._guests.values() if g.who == who.name]
        return [
            {"id": g.id, "state": g.state, "words": self._words(g), "analysis": g.analysis, "files": g.files,
             "gone_at": (g.touched + KEPT).isoformat()}
            for g in reversed(own)
        ]  # fmt: skip

    def file(self, id: str, name: str, *, who: Person) -> tuple[bytes, str]:
        """One file of the outcome, with its media type.

        Raises:
            NotFound: no such file.
        """
        guest = self._guest(id, who)
        listed = {f["name"]: f["media"] for result in guest.results for f in (*result["files"], *result["pictures"])}
        if name not in listed:
            raise NotFound(f"file '{name:.60}'", "this run has none of that name", "look at its results")
        return (guest.folder / "out" / name).read_bytes(), listed[name]

    def remove(self, id: str, *, who: Person) -> None:
        """Delete everything of a run, now."""
        self._forget(self._guest(id, who))

    def expire(self) -> int:
        """Delete runs for which nobody has asked in a while; how many."""
        old = [g for g in list(self._guests.values()) if self._clock() - g.touched >= KEPT]
        for guest in old:
            self._forget(guest)
        return len(old)

    def watch(self, every_s: float = 60.0) -> None:
        """Expire by itself, until `close`."""
        threading.Thread(target=self._watching, args=(every_s,), name="guests", daemon=True).start()

    def close(self) -> None:
        """Delete everything and take nothing more."""
        self._swept.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for guest in list(self._guests.values()):
            self._forget(guest)

    # ---- within ----------------------------------------------------------------------------------------------

    def _watching(self, every_s: float) -> None:
        while not self._swept.wait(every_s):
            self.expire()

    def _guest(self, id: str, who: Person) -> _Guest:
        must(who, "segment")
        self.expire()
        guest = self._guests.get(id)
        if guest is None or guest.who != who.name:
            raise NotFound(
                "no such run",
                "it was deleted, nobody looked at it for half an hour, the server was started anew, or it is another "
                "person's",
                "drop the images again",
            )
        guest.touched = self._clock()
        return guest

    def _words(self, guest: _Guest) -> str:
        """What is done now, or how many runs are before it."""
        if guest.state != "waiting":
            return guest.words
        with self._lock:
            before = sum(g.state in ("waiting", "running") and g.turn < guest.turn for g in self._guests.values())
        return f"{before} {'run is' if before == 1 else 'runs are'} before it" if before else "it is next"

    def _forget(self, guest: _Guest) -> None:
        with self._lock:
            self._guests.pop(guest.id, None)
        guest.state = "gone"
        shutil.rmtree(guest.folder, ignore_errors=True)

    def _write(self, guest: _Guest, file: IO[bytes], piece: bytes) -> None:
        guest.bytes += len(piece)
        if guest.bytes > _BYTES:
            raise LimitReached(f"more than {_BYTES >> 30} GiB", "one run takes one study", "drop fewer images")
        try:
            file.write(piece)
        except OSError as full:
            raise Unavailable(
                "the temporary folder", full.strerror or "it cannot be written", "free some disk"
            ) from full

    def _work(self, guest: _Guest) -> None:
        if guest.state == "gone":
            return
        guest.state, guest.words = "running", "reading the files"
        try:
            self._all(guest)
            guest.state, guest.words = "done", ""
        except _Stopped:
            pass
        except IsocenterError as refusal:
            guest.state, guest.words = "failed", str(refusal)
        except Exception as fault:  # whatever a stranger's files do, the next guest is served
            guest.state, guest.words = "failed", f"a fault of ours: {type(fault).__name__}"
        finally:
            if guest.id not in self._guests:  # removed while it ran: what was written since goes as well
                shutil.rmtree(guest.folder, ignore_errors=True)

    def _all(self, guest: _Guest) -> None:
        """Every study of the DICOM files, and every NIfTI image with its masks."""
        passed: list[str] = []
        with read_folder(guest.folder / "in", base=guest.folder, nifti=True, beside=passed.append) as held:
            guest.rejected += [(_without_place(name), _BESIDE) for name in passed]
            guest.rejected += [(_without_place(name), why) for name, why in held.rejected]
            for study in held.studies:
                self._study(guest, study, held)
            self._niftis(guest, [(_without_place(name), place) for name, place in held.nifti])
        if not guest.studies and len(guest.rejected) == 1:
            raise Refused(": ".join(guest.rejected[0]))
        if not guest.studies:
            raise Refused("no image among the files", "of each of them is told why", "drop DICOM or NIfTI files")

    def _niftis(self, guest: _Guest, files: Sequence[tuple[str, Path]]) -> None:
        """Images by themselves; masks, which say so by their names, belong to the one image that they came with."""
        masks = [(name, place) for name, place in files if "mask" in place.name.lower()]
        images = [one for one in files if one not in masks]
        if masks and len(images) != 1:
            why = f"a mask belongs to one image, and {len(images)} came with it: drop one NIfTI image with its masks"
            guest.rejected += [(name, why) for name, _ in masks]
            masks = []
        for name, place in images:
            try:
                if not guest.modality:
                    raise Refused(
                        "a NIfTI file of unknown modality",
                        "it does not tell what its numbers mean", "say CT, MR or PT before you drop it",
                    )  # fmt: skip
                with read_nifti(place, [mask for _, mask in masks], guest.modality) as held:
                    self._study(guest, held.studies[0], held)
            except IsocenterError as refusal:
                guest.rejected.append((name, str(refusal)))

    def _study(self, guest: _Guest, alone: Study, held: Folder) -> None:
        study = with_outlines(alone, held.studies)
        planned = plan(self._chosen(guest), study)
        where = {i.sop_uid: i.digest for s in study.series for i in s.instances}
        number_of_study = len(guest.studies)
        guest.studies.append(_told(alone))
        for number, binding in enumerate(planned.bindings, start=1):
            guest.words = f"{binding.analysis}, {number} of {len(planned.bindings)}"
            analysis = self._registry.get(binding.analysis)
            load = Loading(study, analysis.needs, binding.series, held, image=binding.image)
            series = tuple(uid for uids in binding.series.values() for uid in uids)
            request = Request(
                address(analysis), study.uid, load, self._clock(), None, load.digests, series, self._shelf,
                told=told_of_outlines([study], series),
            )  # fmt: skip
            done = self._run(guest, request)
            source = _no_source if _is_nifti(study) else lambda uid: held(where[uid])
            self._keep(guest, done, study, number_of_study, source, _images(load, study, held))
            guest.results[-1]["on"] = _named(study, series)
        for declined in planned.declined:
            told = {"analysis": declined.analysis, "answer": "declined", "reasons": list(declined.sentences())}
            guest.results.append(
                {**told, "study": number_of_study, "findings": [], "measurements": [], "files": [], "pictures": [],
                 "left": [], "on": []}
            )  # fmt: skip

    def _chosen(self, guest: _Guest) -> list[Any]:
        all_of_them = [self._registry.get(guest.analysis)] if guest.analysis else self._registry.analyses.values()
        return [a for a in all_of_them if a.name not in self._stops()]

    def _run(self, guest: _Guest, request: Request) -> Run:
        """One analysis; it ends at once when the run is deleted meanwhile.

        Raises:
            _Stopped: it was.
        """

        def gone() -> bool:
            return guest.state == "gone"

        done = None if gone() else run_apart(request, stopped=gone) if self._apart else run(request)
        if done is None or gone():
            raise _Stopped
        return done

    def _keep(
        self,
        guest: _Guest,
        done: Run,
        study: Study,
        number_of_study: int,
        source: Callable[[str], bytes],
        images: Callable[[], Iterator[Volume]],
    ) -> None:
        from isocenter.forms.bundle import everything

        told = answer(done.result)
        number = len(guest.results) + 1
        bundle = everything(
            done.result, study, source, lambda digest: done.blobs[digest],
            withheld=Showing(self._shelf).withheld(done.result),
        )  # fmt: skip
        files = []
        for one in bundle.files:
            name = f"{number:02d}-{one.name}"
            (guest.folder / "out" / name).write_bytes(one.data)
            files.append({"name": name, "media": one.media, "size": len(one.data)})
        pictures = self._pictures(guest, number, done, images)
        why = _NO_DICOM if _is_nifti(study) else ""
        left = [{"name": o.name, "why": why if why and o.name.endswith(".dcm") else o.why} for o in bundle.left]
        guest.results.append({**told, "study": number_of_study, "files": files, "pictures": pictures, "left": left})

    def _pictures(
        self, guest: _Guest, number: int, done: Run, images: Callable[[], Iterator[Volume]]
    ) -> list[dict[str, Any]]:
        regions = [f.where for f in done.result.findings if f.where is not None and f.verdict is not Verdict.STRUCK]
        regions = [r for r in regions if r.mask is not None and r.voxels]
        try:
            under = (i for i in images() if any(r.geometry.same_grid(i.geometry) for r in regions))
            image = next(under, None) if regions else None
        except IsocenterError:
            return []
        if image is None:
            return []
        made = []
        for place, data in overlays(image, regions):
            name = f"{number:02d}-overlay-{place + 1:04d}.png"
            (guest.folder / "out" / name).write_bytes(data)
            made.append({"name": name, "media": "image/png", "size": len(data), "slice": place + 1})
        return made


def _named(study: Study, uids: Collection[str]) -> list[str]:
    """The series that an analysis was given, in the words of whoever dropped them: CT 2 Thorax, 48 images."""
    told = []
    for one in (s for s in study.series if s.uid in uids):
        images = sum(i.frames for i in one.instances)
        number = str(one.number) if one.number is not None else ""
        name = " ".join(part for part in (one.modality, number, one.description) if part)
        told.append(f"{name}, {images} image{'' if images == 1 else 's'}" if images else name)
    return told


def _images(load: Loading, study: Study, held: Folder) -> Callable[[], Iterator[Volume]]:
    """What outlines may lie on: what the analysis was given, else the images that were dropped with its regions."""

    def every() -> Iterator[Volume]:
        from isocenter.space import Volume as Kind

        yield from (v for v in load().values() if isinstance(v, Kind))
        for series in study.series:
            if series.modality not in ("SEG", "RTSTRUCT") and any(i.rows for i in series.instances):
                with contextlib.suppress(IsocenterError):  # one that is no volume has nothing to draw on
                    yield from volumes_of(series, held)

    return every


def _without_place(name: str) -> str:
    """The name that a guest knows a file by: what came before it here is ours."""
    return name.partition("/")[2] or "several files"


def _is_nifti(study: Study) -> bool:
    return any(holds_nifti(s) for s in study.series)


def _told(study: Study) -> dict[str, Any]:
    """Whose study it is, and which: what parts one result from the next on the page of whoever dropped them."""
    return {
        "patient": study.patient.name, "patient_id": study.patient.id, "description": study.description,
        "date": study.date.isoformat() if study.date else "", "modalities": list(study.modalities),
        "images": sum(max(1, i.frames) for s in study.series for i in s.instances),
    }  # fmt: skip


def _no_source(uid: str) -> bytes:
    raise NotFound("a DICOM image behind a NIfTI file", "there is none to refer to", "take the outline as NIfTI")
