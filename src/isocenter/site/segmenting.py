"""A guest's images: analysed once, handed back, and gone.

Somebody drops a series (DICOM files, a folder, a ZIP, a NIfTI file), chooses an analysis, and takes what came out:
overlay, volumes, SEG, NIfTI, mesh. Nothing of it touches the archive, the index or the journal but that it happened;
files lie in a temporary folder of their own that is deleted when the guest says so, when nobody has asked for a while,
and when the server ends. A folder that a killed server left is swept at the next start.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from isocenter.analysis.plan import plan
from isocenter.analysis.registry import Registry, address
from isocenter.analysis.run import Request, Run, run, run_apart
from isocenter.errors import IsocenterError, LimitReached, NotFound, Refused, Unavailable, WrongState
from isocenter.forms.answer import answer
from isocenter.forms.plot import CONTOUR_COLOURS
from isocenter.govern.policy import Person, must
from isocenter.govern.stopping import Stop
from isocenter.record import Instance, Patient, Series, Study, Verdict
from isocenter.site import temporary
from isocenter.site.loading import Folder, Loading, read_folder
from isocenter.site.showing import Showing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from isocenter.analysis.need import Need
    from isocenter.space import Region, Volume

__all__ = ["KEPT", "Segmenting"]

KEPT = timedelta(minutes=30)
"""How long a guest's files stay when nobody asks for them."""

_PREFIX = "isocenter-guest-"
_FILES, _BYTES, _RUNS = 5000, 4 << 30, 4  # of one run, of one run, of one person
_PICTURES = 24
_SERIES = "2.25.2"  # of a NIfTI file, which has no identifier; it stays within the run
_UNITS = {"CT": ("attenuation", "[hnsf'U]"), "PT": ("activity concentration", "Bq/mL")}


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
    nifti: list[str] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Nifti:
    """The inputs of an analysis from one NIfTI file; it travels to the process that analyses."""

    path: str
    needs: dict[str, Need]
    bound: dict[str, tuple[str, ...]]
    modality: str

    def __call__(self) -> dict[str, Any]:
        return {name: self.volume() if self.bound.get(name) else None for name in self.needs}

    def volume(self) -> Volume:
        """The file as a volume of its modality."""
        from isocenter.forms import nifti

        quantity, unit = _UNITS.get(self.modality, ("intensity", "{arbitrary}"))
        volume = nifti.read(Path(self.path).read_bytes(), quantity=quantity, unit=unit)
        return replace(volume, series_uid=_SERIES)


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
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "guest")
        self._swept = threading.Event()
        temporary.sweep(_PREFIX, self._base)

    # ---- what a guest does -----------------------------------------------------------------------------------

    def begin(self, *, who: Person, analysis: str = "", modality: str = "") -> dict[str, Any]:
        """A place for files.

        Args:
            analysis: by name; empty for every one that fits.
            modality: of a NIfTI file, which does not tell: CT, MR, PT.

        Raises:
            NotFound: no such analysis.
            LimitReached: this person has several runs already.
        """
        must(who, "segment")
        if analysis:
            self._registry.get(analysis)
            if stop := self._stops().get(analysis):
                raise Refused(f"the analysis '{analysis}'", stop.sentence(), "another person can start it again")
        if modality and not re.fullmatch(r"[A-Z]{2,8}", modality):
            raise Refused(f"the modality '{modality:.20}'", "it is two or more capitals, such as CT")
        self.expire()
        with self._lock:
            if sum(g.who == who.name for g in self._guests.values()) >= _RUNS:
                raise LimitReached(f"{_RUNS} runs", "each holds its files", "remove one of them")
            id = secrets.token_hex(16)
            folder = temporary.made(_PREFIX, self._base)
            (folder / "in").mkdir()
            (folder / "out").mkdir()
            self._guests[id] = _Guest(id, who.name, analysis, modality, folder, self._clock())
        return self.state(id, who=who)

    @contextlib.contextmanager
    def taking(self, id: str, name: str, *, who: Person) -> Iterator[Callable[[bytes], None]]:
        """Take one file in pieces; the name decides only whether it is NIfTI, and becomes no path.

        Raises:
            WrongState: it runs already. LimitReached: too many files or bytes.
        """
        guest = self._guest(id, who)
        if guest.state != "taking":
            raise WrongState(f"this run is {guest.state}", "no file can be added", "begin another one")
        if guest.files >= _FILES:
            raise LimitReached(f"more than {_FILES} files", "one run takes one study", "drop a smaller folder")
        guest.files += 1
        ending = ".nii.gz" if name.lower().endswith(".nii.gz") else ".nii" if name.lower().endswith(".nii") else ""
        path = guest.folder / "in" / f"{guest.files:05d}{ending}"
        try:
            with path.open("wb") as file:
                yield lambda piece: self._write(guest, file, piece)
        except BaseException:
            path.unlink(missing_ok=True)
            guest.files -= 1
            raise
        if ending:
            guest.nifti.append(path.name)

    def start(self, id: str, *, who: Person) -> dict[str, Any]:
        """Analyse what was taken.

        Raises:
            Refused: nothing was taken. WrongState: it runs already.
        """
        guest = self._guest(id, who)
        if guest.state != "taking":
            raise WrongState(f"this run is {guest.state}", "it was started already")
        if not guest.files:
            raise Refused("a run without files", "there is nothing to analyse", "drop images first")
        guest.state, guest.words = "waiting", "another run is before it"
        self._pool.submit(self._work, guest)
        return self.state(id, who=who)

    def state(self, id: str, *, who: Person) -> dict[str, Any]:
        """How far a run is, and what came out."""
        guest = self._guest(id, who)
        return {
            "id": id, "state": guest.state, "words": guest.words, "analysis": guest.analysis, "files": guest.files,
            "bytes": guest.bytes, "rejected": [{"file": n, "why": w} for n, w in guest.rejected[:200]],
            "results": guest.results, "gone_at": (guest.touched + KEPT).isoformat(),
        }  # fmt: skip

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
        guest = self._guests.get(id)
        if guest is None or guest.who != who.name:
            raise NotFound("no such run", "it was removed, or it is another person's", "begin another one")
        guest.touched = self._clock()
        return guest

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
            if guest.nifti:
                self._of_nifti(guest)
            else:
                self._of_dicom(guest)
            guest.state, guest.words = "done", ""
        except IsocenterError as refusal:
            guest.state, guest.words = "failed", str(refusal)
        except Exception as fault:  # whatever a stranger's files do, the next guest is served
            guest.state, guest.words = "failed", f"a fault of ours: {type(fault).__name__}"
        finally:
            if guest.id not in self._guests:  # removed while it ran: what was written since goes as well
                shutil.rmtree(guest.folder, ignore_errors=True)

    def _of_dicom(self, guest: _Guest) -> None:
        with read_folder(guest.folder / "in") as held:
            guest.rejected += list(held.rejected)
            if not held.studies:
                raise Refused("no DICOM image among the files", "nothing can be analysed", "drop DICOM or NIfTI files")
            for study in held.studies:
                self._study(guest, study, held)

    def _study(self, guest: _Guest, study: Study, held: Folder) -> None:
        planned = plan(self._chosen(guest), study)
        where = {i.sop_uid: i.digest for s in study.series for i in s.instances}
        for number, binding in enumerate(planned.bindings, start=1):
            guest.words = f"{binding.analysis}, {number} of {len(planned.bindings)}"
            analysis = self._registry.get(binding.analysis)
            load = Loading(study, analysis.needs, binding.series, held)
            series = tuple(uid for uids in binding.series.values() for uid in uids)
            done = self._run(
                Request(address(analysis), study.uid, load, self._clock(), None, load.digests, series, self._shelf)
            )
            self._keep(guest, done, study, lambda uid: held(where[uid]), _volume_of(load))
        for declined in planned.declined:
            self._declined(guest, declined.analysis, declined.sentences())

    def _of_nifti(self, guest: _Guest) -> None:
        if not guest.modality:
            raise Refused(
                "a NIfTI file of unknown modality", "the file does not tell what its numbers mean", "say CT, MR or PT"
            )
        for name in guest.nifti:
            path = guest.folder / "in" / name
            volume = _Nifti(str(path), {}, {}, guest.modality).volume()
            study = _study_of(volume, guest.modality)
            planned = plan(self._chosen(guest), study)
            for number, binding in enumerate(planned.bindings, start=1):
                guest.words = f"{binding.analysis}, {number} of {len(planned.bindings)}"
                analysis = self._registry.get(binding.analysis)
                load = _Nifti(str(path), dict(analysis.needs), dict(binding.series), guest.modality)
                done = self._run(Request(address(analysis), study.uid, load, self._clock(), models=self._shelf))
                self._keep(guest, done, study, _no_source, load.volume)
            for declined in planned.declined:
                self._declined(guest, declined.analysis, declined.sentences())

    def _chosen(self, guest: _Guest) -> list[Any]:
        all_of_them = [self._registry.get(guest.analysis)] if guest.analysis else self._registry.analyses.values()
        return [a for a in all_of_them if a.name not in self._stops()]

    def _run(self, request: Request) -> Run:
        return run_apart(request) if self._apart else run(request)

    def _declined(self, guest: _Guest, analysis: str, reasons: Sequence[str]) -> None:
        told = {
            "analysis": analysis,
            "answer": "declined",
            "reasons": list(reasons),
            "findings": [],
            "measurements": [],
        }
        guest.results.append({**told, "files": [], "pictures": [], "left": []})

    def _keep(
        self,
        guest: _Guest,
        done: Run,
        study: Study,
        source: Callable[[str], bytes],
        volume: Callable[[], Volume | None],
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
        pictures = self._pictures(guest, number, done, volume)
        left = [{"name": one.name, "why": one.why} for one in bundle.left]
        guest.results.append({**told, "files": files, "pictures": pictures, "left": left})

    def _pictures(
        self, guest: _Guest, number: int, done: Run, volume: Callable[[], Volume | None]
    ) -> list[dict[str, Any]]:
        regions = [f.where for f in done.result.findings if f.where is not None and f.verdict is not Verdict.STRUCK]
        regions = [r for r in regions if r.mask is not None and r.voxels]
        try:
            image = volume() if regions else None
        except IsocenterError:
            return []
        if image is None:
            return []
        made = []
        for place, data in _overlays(image, regions):
            name = f"{number:02d}-overlay-{place + 1:04d}.png"
            (guest.folder / "out" / name).write_bytes(data)
            made.append({"name": name, "media": "image/png", "size": len(data), "slice": place + 1})
        return made


def _volume_of(load: Loading) -> Callable[[], Volume | None]:
    def first() -> Volume | None:
        from isocenter.space import Volume as Kind

        return next((v for v in load().values() if isinstance(v, Kind)), None)

    return first


def _no_source(uid: str) -> bytes:
    raise NotFound(
        "a DICOM image behind a NIfTI file", "there is none to refer to", "drop the DICOM series to get a SEG"
    )


def _study_of(volume: Volume, modality: str) -> Study:
    """What a plan needs to know of a volume without a header."""
    slices, rows, columns = volume.geometry.shape
    frames = slices * (len(volume.axes[0]) if volume.axes else 1)
    image = Instance("2.25.1", "", "", "", 0, 1, rows, columns, frames)
    facts = {"SliceThickness": volume.geometry.spacing_mm[0]}
    return Study("2.25.0", Patient(""), series=(Series(_SERIES, modality, 1, facts=facts, instances=(image,)),))


def _overlays(image: Volume, regions: Sequence[Region]) -> Iterator[tuple[int, bytes]]:
    """Slices through the regions with their outlines, evenly over their extent."""
    import numpy as np

    array = image.array
    while array.ndim > 3:
        array = array[array.shape[0] // 2]
    drawn = [r for r in regions if r.geometry.same_grid(image.geometry)]
    touched = sorted({int(k) for r in drawn for k in np.flatnonzero(_mask(r).any(axis=(1, 2)))})
    if not touched:
        return
    step = max(1, -(-len(touched) // _PICTURES))
    low, high = _window(array, image.unit)
    for k in touched[::step]:
        grey = np.clip((array[k].astype(np.float32) - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
        yield k, _outlined(grey, [_mask(r)[k] for r in drawn])


def _mask(region: Region) -> npt.NDArray[np.bool_]:
    assert region.mask is not None
    return region.mask


def _window(array: Any, unit: str) -> tuple[float, float]:
    import numpy as np

    if unit == "[hnsf'U]":
        return -160.0, 240.0
    sample = array[:: max(1, array.shape[0] // 16)]
    low, high = np.percentile(sample[np.isfinite(sample)], [1, 99.5])
    return float(low), float(high)


def _outlined(grey: npt.NDArray[np.uint8], masks: Sequence[npt.NDArray[np.bool_]]) -> bytes:
    import io

    import numpy as np
    from PIL import Image
    from scipy import ndimage

    scale = max(1, round(512 / max(grey.shape)))
    big = np.repeat(np.repeat(grey, scale, 0), scale, 1)
    picture = np.stack([big] * 3, axis=-1)
    for number, mask in enumerate(masks):
        if not mask.any():
            continue
        large = np.repeat(np.repeat(mask, scale, 0), scale, 1)
        inner = large & ~ndimage.binary_erosion(large, iterations=max(1, scale // 2), border_value=0)
        halo = ndimage.binary_dilation(large) & ~large
        picture[halo] = 0
        colour = CONTOUR_COLOURS[number % len(CONTOUR_COLOURS)]
        picture[inner] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()
