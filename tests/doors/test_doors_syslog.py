"""The journal to an audit collector: every entry once it is sure, over TLS with both sides known, past every collector
that dies, refuses or closes in the middle."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from isocenter.app import House, open_house
from isocenter.doors import syslog, tls
from isocenter.errors import Refused, Unavailable
from isocenter.govern.certificates import issue, root
from isocenter.record import Event, Kind
from isocenter.settings import Settings

NOW = datetime.now(UTC)
MANY = [b"message %d" % n + b"." * 900 for n in range(300)]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    (folder / "strange").mkdir()
    for place in (folder, folder / "strange"):
        root(place, NOW)
    issue(folder, "server", ["localhost", "127.0.0.1"], folder, NOW)
    issue(folder, "us", ["archive"], folder, NOW)
    issue(folder / "strange", "us", ["archive"], folder / "strange", NOW)
    return folder


def frames(data: bytes) -> list[bytes]:
    """RFC 5425: length, blank, message."""
    found = []
    while data:
        length, _, data = data.partition(b" ")
        found.append(data[: int(length)])
        data = data[int(length) :]
    return found


class Collector:
    """Reads whole connections; `closes_after` bytes of one it closes without reading the rest."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context, self.closes_after, self.whole = context, -1, []  # type: ignore[var-annotated]
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                plain, _ = self.server.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) if self.context else plain as line:
                    self.take(line)
            except OSError:
                continue

    def take(self, line: socket.socket) -> None:
        heard = bytearray()
        while self.closes_after < 0 or len(heard) < self.closes_after:
            part = line.recv(4096)
            if not part:
                self.whole.append(bytes(heard))
                return
            heard += part


@pytest.fixture
def collector() -> Iterator[Callable[..., Collector]]:
    made: list[Collector] = []

    def one(context: ssl.SSLContext | None = None) -> Collector:
        made.append(Collector(context))
        return made[-1]

    yield one
    for each in made:
        each.server.close()


def test_both_sides_show_who_they_are_and_strangers_are_told_nothing(
    papers: Path, collector: Callable[..., Collector]
) -> None:
    there = collector(tls.server(papers / "server.pem", papers / "server.key", papers / "ca.pem"))
    ours = papers / "us.pem", papers / "us.key"
    syslog.send("127.0.0.1", there.port, MANY, tls=tls.client(papers / "ca.pem", *ours))
    assert [frames(one) for one in there.whole] == [MANY]
    strange = papers / "strange"
    for context in (
        tls.client(papers / "ca.pem"), tls.client(papers / "ca.pem", strange / "us.pem", strange / "us.key"),
        tls.client(strange / "ca.pem", *ours),
    ):  # fmt: skip
        with pytest.raises(Unavailable, match="stay owed"):
            syslog.send("127.0.0.1", there.port, MANY[:1], tls=context, timeout_s=5)
    assert len(there.whole) == 1


@pytest.mark.parametrize("after", [0, 1, 5000, 100_000])
@pytest.mark.parametrize("secure", [False, True])
def test_a_collector_that_closes_before_it_has_read_all_is_not_believed(
    papers: Path, collector: Callable[..., Collector], after: int, secure: bool
) -> None:
    there = collector(tls.server(papers / "server.pem", papers / "server.key") if secure else None)
    there.closes_after = after
    with pytest.raises(Unavailable, match="did not take the journal"):
        syslog.send("127.0.0.1", there.port, MANY, tls=tls.client(papers / "ca.pem") if secure else None, timeout_s=10)


@pytest.fixture
def house(tmp_path: Path, collector: Callable[..., Collector]) -> Iterator[tuple[House, Collector]]:
    there = collector()
    held = open_house(Settings(folder=tmp_path / "archive", audit_collector=f"127.0.0.1:{there.port}"), apart=False)
    yield held, there
    held.close()


def test_every_act_reaches_the_collector_once_and_in_order_also_past_one_that_died(
    house: tuple[House, Collector],
) -> None:
    held, there = house
    journal, kinds = held.site.journal, (Kind.VIEWED, Kind.QUERIED, Kind.EXPORTED, Kind.REFUSED, Kind.SIGNED_IN)
    acts = [Event(kinds[n % len(kinds)], NOW, f"person{n}", f"1.2.{n}", {"n": n}) for n in range(200)]
    journal.append(*acts[:120])
    there.closes_after = 9000  # it dies over the first batch
    held.exchange.start_collecting(every_s=0.05)
    journal.append(*acts[120:])
    waits = threading.Event()
    for _ in range(400):
        if held.site.collecting.silent_s() > 0:
            there.closes_after = -1
        if there.whole and held.site.collecting._from() == held.site.head():
            break
        waits.wait(0.02)
    heard = [frame for one in there.whole for frame in frames(one)]
    messages = [ElementTree.fromstring(frame.partition(b"\xef\xbb\xbf")[2]) for frame in heard]
    who = [m.findall("ActiveParticipant")[0].attrib["UserID"] for m in messages]
    assert [w for w in who if w.startswith("person")] == [f"person{n}" for n in range(200)]
    assert len(heard) == held.site.head() and held.site.collecting.silent_s() == 0
    assert all(frame.startswith((b"<85>1 ", b"<84>1 ")) and b" DICOM+RFC3881 - " in frame for frame in heard)
    (noted,) = journal.since(kinds=(Kind.AUDIT_EXPORTED,))
    assert noted.event.details["form"] == "syslog"


def test_a_collector_that_is_no_host_and_port_is_refused_at_the_start(tmp_path: Path) -> None:
    held = open_house(Settings(folder=tmp_path / "archive", audit_collector="audit.example"), apart=False)
    try:
        with pytest.raises(Refused, match=r"not host:port.*audit_collector"):
            held.exchange.start_collecting()
    finally:
        held.close()


@pytest.mark.peer
@pytest.mark.parametrize("driver", ["gtls", "ossl"])
def test_rsyslog_takes_every_entry_over_tls_and_no_stranger(papers: Path, tmp_path: Path, driver: str) -> None:
    program = shutil.which("rsyslogd")
    plugin = {"gtls": "lmnsd_gtls.so", "ossl": "lmnsd_ossl.so"}[driver]
    if program is None or not list(Path("/usr/lib").glob(f"**/rsyslog/{plugin}")):
        pytest.skip("rsyslog with TLS is not here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "conf").write_text(
        f'global(workDirectory="{tmp_path}" maxMessageSize="64k" defaultNetstreamDriverCAFile="{papers}/ca.pem"\n'
        f' defaultNetstreamDriverCertFile="{papers}/server.pem" defaultNetstreamDriverKeyFile="{papers}/server.key")\n'
        f'module(load="imtcp" streamDriver.name="{driver}" streamDriver.mode="1"'
        ' streamDriver.authMode="x509/certvalid")\n'
        f'input(type="imtcp" port="{port}" address="127.0.0.1")\n'
        'template(name="raw" type="string" string="%rawmsg%\\n")\n'
        f'action(type="omfile" file="{tmp_path}/out" template="raw")\n'
    )
    running = subprocess.Popen([program, "-n", "-f", str(tmp_path / "conf"), "-i", str(tmp_path / "pid")])
    try:
        ours = tls.client(papers / "ca.pem", papers / "us.pem", papers / "us.key")
        waits = threading.Event()
        for _ in range(200):
            try:
                syslog.send("127.0.0.1", port, MANY, tls=ours, timeout_s=5)
                break
            except Unavailable:
                waits.wait(0.05)
        with pytest.raises(Unavailable):
            syslog.send("127.0.0.1", port, [b"a stranger's"], tls=tls.client(papers / "ca.pem"), timeout_s=2)
        out = tmp_path / "out"
        for _ in range(200):
            if out.exists() and len(out.read_bytes().splitlines()) >= len(MANY):
                break
            waits.wait(0.02)
        assert out.read_bytes().splitlines() == MANY
    finally:
        running.terminate()
        running.wait(10)
