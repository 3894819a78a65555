"""Compressed pixels are opened in a process of their own.

A code stream is the one part of an image that we do not read ourselves, and a damaged or hostile one does more than
raise: GDCM ends the whole process on a bad JPEG 2000 header. So the libraries that decode live in a child process
that knows nothing, may take bounded memory and time, has no network and can start nothing (confining.py), and when it
dies one frame fails and the archive goes on.

The child is started when the first compressed image is read and kept; a request costs about a millisecond. It is
spoken to in JSON and raw bytes, never in pickles, for what it answers is not to be trusted either.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import selectors
import struct
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.confining import bound_memory, confine
from isocenter.dicom.patience import Patience, processor_seconds
from isocenter.errors import LimitReached, Refused, Unavailable

__all__ = ["decode"]

_HEAD = struct.Struct("<IQ")  # bytes of JSON, bytes that follow
_MEMORY = 16 << 30  # address space of the child, at most
# For one image: a library holds the file, the frame and what it works on, often as 32-bit samples.
_ROOM, _ROOM_FOR_FILE, _ROOM_FOR_PIXELS = 512 << 20, 3, 12
_LARGEST_FILE = 2 << 30  # that a child may write: SimpleITK reads files only
_SECONDS, _SECONDS_A_FRAME = 30.0, 2.0
_CHILDREN = 2
_KINDS = frozenset({"|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<f4", "<f8", "|b1"})
# OpenJPEG refuses what it cannot read, where GDCM's own copy of it aborts.
_BASELINE, _EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
_FIRST = {"1.2.840.10008.1.2.4.9": ("pylibjpeg", "pillow"), "1.2.840.10008.1.2.4.20": ("pylibjpeg",)}


def decode(data: bytes, numbers: Sequence[int], *, seconds: float | None = None) -> npt.NDArray[Any]:
    """Frames of a compressed object.

    Args:
        data: a whole Part 10 file.
        numbers: frame numbers from 0.
        seconds: of the processor that it may take; by default half a minute and two for each frame. On the clock it may
            last four times as long, so that a busy machine does not fail a good image.

    Returns:
        (n, rows, columns) or (n, rows, columns, 3), colour as RGB.

    Raises:
        Refused: when no library opens it, or the library crashed over it.
        LimitReached: when it took too long.
    """
    limit = seconds if seconds is not None else _SECONDS + _SECONDS_A_FRAME * len(numbers)
    with _pool.child() as child:
        answer, raw = child.ask({"numbers": [int(n) for n in numbers]}, data, limit)
        if "fault" not in answer and not _fits(answer, raw):
            raise Refused(
                "the decoder answered with pixels that do not fit", "it may be damaged", "send the image again"
            )
    if "fault" in answer:
        raise Refused(
            f"pixels in transfer syntax {answer.get('syntax', '')} cannot be decoded",
            str(answer["fault"])[:300],
            "the compressed stream may be damaged: send it again, or in another transfer syntax",
        )
    return np.frombuffer(raw, answer["kind"]).reshape([int(n) for n in answer["shape"]])


def _fits(answer: dict[str, Any], raw: bytes) -> bool:
    if answer.get("kind") not in _KINDS:
        return False
    return bool(np.prod(answer["shape"], dtype=np.int64) * np.dtype(answer["kind"]).itemsize == len(raw))


class _Child:
    """One decoding process and the two pipes to it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "isocenter.dicom.decoding"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, question: dict[str, Any], data: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        patience = Patience(seconds, lambda: processor_seconds(self.process.pid))
        # Question and answer are larger than a pipe holds: a thread writes while this one reads.
        writer = threading.Thread(target=self._write, args=(question, data), daemon=True)
        writer.start()
        size, follows = _HEAD.unpack(self._read(_HEAD.size, patience))
        answer = json.loads(self._read(size, patience))
        raw = self._read(follows, patience)
        writer.join()
        return answer, raw

    def _write(self, question: dict[str, Any], data: bytes) -> None:
        assert self.process.stdin is not None
        try:
            _send(self.process.stdin, question, data)
        except (OSError, ValueError):
            return  # the child has died; whoever reads from it learns so

    def _read(self, count: int, patience: Patience) -> bytes:
        assert self.process.stdout is not None
        out = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            while len(out) < count:
                left = patience.left()
                if left <= 0:
                    raise LimitReached("decoding an image took too long", "its stream may be damaged", "send it again")
                if not ready.select(left):
                    continue
                part = os.read(self.process.stdout.fileno(), min(count - len(out), 1 << 20))
                if not part:
                    raise Refused(
                        "pixels cannot be decoded: the decoder crashed",
                        "the compressed stream is damaged or hostile",
                        "send it again, or in another transfer syntax",
                    )
                out += part
        return bytes(out)

    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was still to be written has nobody to read it


class _Pool:
    """At most a few children, each asked by one thread at a time; a forked process starts its own."""

    def __init__(self) -> None:
        self.lock, self.room = threading.Lock(), threading.Semaphore(_CHILDREN)
        self.idle: list[_Child] = []
        self.owner = os.getpid()

    @contextmanager
    def child(self) -> Iterator[_Child]:
        """A child for one question; one that failed over it is ended and not asked again."""
        if self.owner != os.getpid():
            self.__init__()  # type: ignore[misc]
        with self.room:
            child = self._idle() or _started()
            try:
                yield child
            except BaseException:
                child.end()
                raise
            with self.lock:
                self.idle.append(child)

    def _idle(self) -> _Child | None:
        with self.lock:
            while self.idle:
                child = self.idle.pop()
                if child.alive():
                    return child
                child.end()
        return None

    def close(self) -> None:
        with self.lock:
            while self.idle:
                child = self.idle.pop()
                if self.owner == os.getpid():
                    child.end()


def _started() -> _Child:
    try:
        return _Child()
    except OSError as fault:
        raise Unavailable("no decoder could be started", str(fault), "free memory or processes") from fault


_pool = _Pool()
atexit.register(_pool.close)


def _send(pipe: IO[bytes], said: dict[str, Any], raw: bytes | memoryview) -> None:
    text = json.dumps(said).encode()
    pipe.write(_HEAD.pack(len(text), len(raw)) + text)
    pipe.write(raw)
    pipe.flush()


# ---- the child -----------------------------------------------------------------------------------------------------


def serve(questions: IO[bytes], answers: IO[bytes], *, limited: bool = False) -> None:
    """Answer until the questions end; this is all that the child does.

    Args:
        limited: bound the memory for each image by what its header says of its size.
    """
    while True:
        head = questions.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        size, follows = _HEAD.unpack(head)
        asked = json.loads(questions.read(size))
        data = questions.read(follows)
        try:
            if limited:
                bound_memory(_room(data, len(asked["numbers"])))
            array = np.ascontiguousarray(opened(data, asked["numbers"]))
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            _send(answers, {"shape": array.shape, "kind": array.dtype.str}, array.tobytes())
        except Exception as fault:  # every library has exceptions of its own
            from isocenter.dicom.elements import parse

            if limited:
                bound_memory(_room(data, 1))
            _send(answers, {"fault": str(fault), "syntax": parse(data, until_pixels=True).syntax}, b"")


def _room(data: bytes, count: int) -> int:
    """Bytes that decoding so many frames of a file may take."""
    from isocenter.dicom.elements import parse

    file = parse(data, until_pixels=True)
    rows, columns, samples = (file.integer(tag, 1) for tag in (0x00280010, 0x00280011, 0x00280002))
    pixels = max(rows, 0) * max(columns, 0) * max(samples, 1)
    return _ROOM + _ROOM_FOR_FILE * len(data) + _ROOM_FOR_PIXELS * pixels + 4 * pixels * count


def opened(data: bytes, numbers: Sequence[int]) -> npt.NDArray[Any]:
    """Decode here and now, with the first library that can; SimpleITK is the last, for 12-bit JPEG alone.

    Raises:
        Refused: when none can, with what each said.
    """
    import pydicom
    from pydicom.pixels import get_decoder

    faults: list[str] = []
    syntax = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(data))
            syntax = str(dataset.file_meta.TransferSyntaxUID)
            said = dataset.get("PhotometricInterpretation")
            if syntax in (_BASELINE, _EXTENDED) and said == "RGB" and _is_subsampled(dataset):
                dataset.PhotometricInterpretation = "YBR_FULL_422"
            decoder = get_decoder(syntax)
            plugins: tuple[str, ...] = next((p for start, p in _FIRST.items() if syntax.startswith(start)), ("",))
            for plugin in plugins:
                try:
                    frames = [decoder.as_array(dataset, index=n, decoding_plugin=plugin)[0] for n in numbers]
                    return np.stack(frames)
                except Exception as fault:
                    faults.append(str(fault).splitlines()[-1].strip())
    except Exception as fault:
        faults.append(str(fault).splitlines()[-1].strip())
    if syntax == _EXTENDED:  # of 12 bits, which the others do not open; elsewhere SimpleITK reads with GDCM too
        try:
            return _last(data)[list(numbers)]
        except Exception as fault:
            faults.append(str(fault).strip().splitlines()[-1].strip())
    raise Refused("; ".join(faults))


def _is_subsampled(dataset: Any) -> bool:
    """Whether a JPEG in colour has fewer samples of its second and third component than of its first.

    Then they are differences of colour, and never green and blue, whatever the header says; some writers leave RGB
    there. What the stream itself says of a transformation (Adobe's APP14) goes first.
    """
    from pydicom.encaps import generate_frames

    count = max(int(dataset.get("NumberOfFrames") or 1), 1)
    stream = next(generate_frames(dataset.PixelData, number_of_frames=count))
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        said = stream[at + 4 : at + 2 + length]
        if marker == 0xEE and said[:5] == b"Adobe" and len(said) > 11:
            return bool(said[11] == 1)
        if marker in (0xC0, 0xC1, 0xC2) and len(said) >= 15 and said[5] == 3:
            first, *others = (said[n] for n in (7, 10, 13))
            return any(first >> 4 > one >> 4 or first & 15 > one & 15 for one in others)
        at += 2 + length
    return False


def _last(data: bytes) -> npt.NDArray[Any]:
    """SimpleITK reads files only, and takes slope and intercept into account; both are undone."""
    import SimpleITK as sitk

    from isocenter.dicom.elements import parse

    file = parse(data, until_pixels=True)
    with _as_a_file(data) as name:
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(name)
        array = sitk.GetArrayFromImage(reader.Execute())
    slope, intercept = (file.decimals(0x00281053) or (1.0,))[0], (file.decimals(0x00281052) or (0.0,))[0]
    if (slope, intercept) != (1.0, 0.0):
        array = np.round((array - intercept) / slope)
    count = int((file.decimals(0x00280008) or (1.0,))[0])
    shape = (count, file.integer(0x00280010), file.integer(0x00280011))
    letter = "i" if file.integer(0x00280103) else "u"
    stored: npt.NDArray[Any] = array.reshape(shape if array.size == np.prod(shape) else (*shape, -1))
    return stored.astype(f"{letter}{max(file.integer(0x00280100, 16) // 8, 1)}")


@contextmanager
def _as_a_file(data: bytes) -> Iterator[str]:
    """The name of a file that holds the bytes: in memory on Linux, since images of a sealed project reach no disk."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("one.dcm"), "wb") as held:
            held.write(data)
            held.flush()
            yield f"/proc/self/fd/{held.fileno()}"
        return
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        path = Path(folder) / "one.dcm"
        path.write_bytes(data)
        yield str(path)


def _main() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for what, wanted in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_FSIZE, _LARGEST_FILE)):
        # An analysis that reads images has bounds of its own, and nobody may raise those that it was given.
        given = resource.getrlimit(what)[1]
        most = wanted if given == resource.RLIM_INFINITY else min(wanted, given)
        resource.setrlimit(what, (most, most))
    confine()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand among the answers
    serve(sys.stdin.buffer, answers, limited=True)


if __name__ == "__main__":
    _main()
