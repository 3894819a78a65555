"""Where dm-crypt lies under every way down to the disk it is encrypted, and nothing is claimed that cannot be seen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from isocenter.store.at_rest import ENCRYPTED, OPEN, UNKNOWN, at_rest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is the kernel of Linux that tells")


class Machine:
    """The files in which a kernel tells of its devices."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lines = folder, list[str]()
        (folder / "sys/dev/block").mkdir(parents=True)

    def device(self, name: str, number: str, *under: str, **told: str) -> None:
        place = self.folder / "sys/devices" / name
        (place / "slaves").mkdir(parents=True)
        (self.folder / "sys/dev/block" / number).symlink_to(place)
        for one in under:
            (place / "slaves" / one).symlink_to(self.folder / "sys/devices" / one)
        for path, words in told.items():
            target = place / path.replace("__", "/")
            target.parent.mkdir(exist_ok=True)
            target.write_text(words + "\n")

    def mount(self, number: str, point: Path, kind: str = "ext4", source: str = "/dev/absent") -> None:
        point.mkdir(parents=True, exist_ok=True)
        said = str(point).replace(" ", r"\040")
        self.lines.append(f"25 1 {number} / {said} rw,relatime shared:1 - {kind} {source} rw")
        (self.folder / "mountinfo").write_text("\n".join(self.lines) + "\n")

    def state(self, place: Path) -> tuple[str, str]:
        found = at_rest(place, system=self.folder / "sys", mounts=self.folder / "mountinfo")
        return found.state, found.why


def test_the_devices_are_followed_down_to_the_disk(tmp_path: Path) -> None:
    here, disks = Machine(tmp_path / "kernel"), tmp_path / "disks"
    here.device("sda", "8:0")
    here.device("sdb", "8:16")
    here.device("luks", "253:0", "sda", dm__uuid="CRYPT-LUKS2-0a1b-x", dm__name="secret")
    here.device("luksb", "253:4", "sdb", dm__uuid="CRYPT-LUKS2-0a1c-x", dm__name="other")
    here.device("volume", "253:1", "luks", dm__uuid="LVM-abc")
    here.device("plain", "253:2", "sda", dm__uuid="LVM-def")
    here.device("md0", "9:0", "luks", "luksb")
    here.device("md1", "9:1", "luks", "sdb")
    here.device("loop0", "7:0", loop__backing_file=str(disks / "volume" / "image"))
    here.mount("8:0", tmp_path)
    for name, number in (("plain", "253:2"), ("volume", "253:1"), ("md0", "9:0"), ("md1", "9:1"), ("loop 0", "7:0")):
        here.mount(number, disks / name)
    here.mount("0:50", disks / "memory", "tmpfs", "tmpfs")
    here.mount("0:51", disks / "network", "nfs4", "store:/archive")
    expected = {"volume": ENCRYPTED, "plain": OPEN, "md0": ENCRYPTED, "md1": OPEN, "loop 0": ENCRYPTED,
                "memory": UNKNOWN, "network": UNKNOWN, ".": OPEN}  # fmt: skip
    assert {name: here.state(disks / name / "archive" / "new")[0] for name in expected} == expected
    assert here.state(disks / "volume") == (ENCRYPTED, "by dm-crypt on secret")
    assert "would not show" in here.state(disks / "plain")[1] and "nfs4" in here.state(disks / "network")[1]


def test_what_the_kernel_does_not_tell_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert at_rest(tmp_path, mounts=tmp_path / "absent").state == UNKNOWN
    assert at_rest(tmp_path).state in (ENCRYPTED, OPEN, UNKNOWN)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert at_rest(tmp_path).state == UNKNOWN
