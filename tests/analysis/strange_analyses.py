"""Analyses that misbehave, each in its own way: the runner must hold every one."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.analysis.weights import open_session
from isocenter.errors import Refused
from isocenter.record import Finding, Measurement, Urgency, codes
from isocenter.space import Region, Volume


class Bright:
    """Is there anything bright?"""

    name, version = "bright", "1"
    needs: ClassVar[dict[str, Need]] = {"image": Need()}
    yields: ClassVar[tuple[Yield, ...]] = (
        Yield(what=codes.LESION, units=("mL",), maps=("heat",), urgency=Urgency.SOON),
    )

    def run(self, image: Volume, *, above: float = 0.5, mode: Literal["a", "b"] = "a") -> Answer:
        mask = image.array > above
        if not mask.any():
            return Answer.none()
        region = Region(image.geometry, mask=mask)
        found = Finding(codes.LESION, 0.9, region, (Measurement(codes.VOLUME, region.volume_ml, "mL"),))
        heat = image.like(image.array.astype(np.float32), quantity="sensitivity", unit="1")
        return Answer.found(found, maps={"heat": heat}, sensitivity=("heat",))


class _Base(Bright):
    """Odd."""


class Unsaid(_Base):
    """Does it hide that its maps show where a model was sensitive?"""

    yields: ClassVar[tuple[Yield, ...]] = (
        Yield(what=codes.LESION, units=("mL",), maps=("grad_cam", "where", "flow"), urgency=Urgency.SOON),
    )

    def run(self, image: Volume) -> Answer:
        made = {
            name: image.like(image.array.astype(np.float32), quantity=quantity, unit="1")
            for name, quantity in (("grad_cam", "heat"), ("where", "Sensitivity"), ("flow", "flow"))
        }
        return Answer.found(maps=made)


class Refusing(_Base):
    """Does it refuse?"""

    def run(self, image: Volume) -> Answer:
        raise Refused("slices are 9 mm thick", "a nodule could hide", "scan with 1 mm")


class Filling(_Base):
    """Does it leave room on the disk?"""

    limits = Limits(seconds=20.0, disk_mib=24)

    def run(self, image: Volume) -> Answer:
        for number in range(256):  # many files, none of which is large
            Path(tempfile.gettempdir(), f"{number}").write_bytes(b"x" * 2**22)
            time.sleep(0.02)
        return Answer.none()


class Swelling(_Base):
    """Does one file grow without end?"""

    limits = Limits(seconds=20.0, disk_mib=24)

    def run(self, image: Volume) -> Answer:
        with tempfile.TemporaryFile() as file:
            file.truncate(2**40)  # takes no room, and would be as long as it likes
        return Answer.none()


class Failing(_Base):
    """Does it fail?"""

    def run(self, image: Volume) -> Answer:
        raise ZeroDivisionError("oops")


class Undeclared(_Base):
    """Does it say what it did not declare?"""

    def run(self, image: Volume) -> Answer:
        return Answer.found(Finding(codes.NEOPLASM))


class UndeclaredUnit(_Base):
    """Does it use another unit?"""

    def run(self, image: Volume) -> Answer:
        return Answer.found(Finding(codes.LESION, measurements=(Measurement(codes.LENGTH, 1.0, "mm"),)))


class UndeclaredMap(_Base):
    """Does it draw another map?"""

    def run(self, image: Volume) -> Answer:
        return Answer.none(maps={"other": image})


class OfAnother(_Base):
    """Does it speak of an image that it never saw?"""

    def run(self, image: Volume, before: Any = (), mask: Any = None) -> Answer:
        where = Region(image.geometry, mask=np.ones(image.geometry.shape, bool), instance_uid="2.25.98")
        return Answer.found(Finding(codes.LESION, where=where))


class NoAnswer(_Base):
    """Does it answer at all?"""

    def run(self, image: Volume) -> Any:
        return 42


class Endless(_Base):
    """Does it ever end?"""

    limits = Limits(seconds=0.5)

    def run(self, image: Volume) -> Answer:
        while True:
            pass


class Slower(_Base):
    """Does it take longer than its limit?"""

    limits = Limits(seconds=0.5)

    def run(self, image: Volume) -> Answer:
        end = time.monotonic() + 0.9
        while time.monotonic() < end:
            pass
        return Answer.none()


class Greedy(_Base):
    """Does it take all memory?"""

    limits = Limits(seconds=60, memory_mib=200)

    def run(self, image: Volume) -> Answer:
        np.ones((1000, 1000, 1000))
        return Answer.none()


class Dying(_Base):
    """Does it die?"""

    def run(self, image: Volume) -> Answer:
        os.kill(os.getpid(), 9)
        return Answer.none()


class Calling(_Base):
    """Tries to call home, to start a program, and to leave a child behind; threads are its own affair."""

    name = "calling"

    def run(self, image: Volume) -> Answer:
        import os
        import socket
        import subprocess
        import threading

        def leave_a_child() -> None:
            if not os.fork():
                os._exit(0)

        for act in (socket.socket, lambda: subprocess.run(["/bin/true"], check=False), leave_a_child):
            try:
                act()
            except PermissionError:
                continue
            return Answer.declined("it could reach out")
        counted: list[int] = []
        threads = [threading.Thread(target=counted.append, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(counted) != 4:
            return Answer.declined("it has no threads")
        return Answer.none()


class Weighted(_Base):
    """Does it have weights?"""

    weights = "no_such_model"

    def run(self, image: Volume, *, weights: Any = None) -> Answer:
        return Answer.none()


def said_by(folder: Path) -> float:
    """What the model in a folder makes of 1."""
    session = open_session("made", folder)
    return float(session.run(None, {"x": np.ones((1, 1), np.float32)})[0].ravel()[0])
