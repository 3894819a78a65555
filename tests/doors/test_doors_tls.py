"""Every door under TLS, tried with the programs of others: DCMTK's storescu and curl; what is not TLS stays outside."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydicom.data import get_testdata_file

from isocenter.app import House, open_house
from isocenter.doors import tls
from isocenter.doors.dimse import Listener
from isocenter.doors.dimse_scu import Peer, echo, send
from isocenter.doors.share_client import Fetched, linked
from isocenter.errors import Forbidden, Refused, Unavailable
from isocenter.govern.certificates import issue, root
from isocenter.govern.policy import HOUSE
from isocenter.record import Kind
from isocenter.settings import Settings

CT = Path(str(get_testdata_file("CT_small.dcm")))
NOW = datetime.now(UTC)
NAMES = ["localhost", "127.0.0.1"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    own, strange = folder / "archive" / "secrets" / "tls", folder / "strange"
    for place in (own, strange):
        root(place, NOW)
    issue(own, "server", NAMES, own, NOW)
    issue(own, "server", NAMES, folder, NOW)
    issue(own, "CT1", [], folder, NOW)
    issue(own, "OLD", [], folder, NOW - timedelta(days=2), timedelta(days=1))
    issue(strange, "STRANGER", [], folder, NOW)
    issue(strange, "server", NAMES, strange, NOW)
    settings = Settings(folder=folder / "archive", port=0, dicom_port=0, dicom_tls_port=0)
    held = open_house(settings)
    held.site.add_peer("CT1", "127.0.0.1", 104, secure=True, who=HOUSE)
    held.start_listening()
    held.start_web()
    yield held, folder
    held.close()


def _storescu(house: House, folder: Path, name: str, *more: str, port: int = 0) -> subprocess.CompletedProcess[str]:
    program = shutil.which("storescu")
    if program is None:
        pytest.skip("DCMTK's storescu is not here")
    shown = ["+tls", str(folder / f"{name}.key"), str(folder / f"{name}.pem")] if name else ["+tla"]
    trusted = ["+cf", str(folder / "archive" / "secrets" / "tls" / "ca.pem"), *more]
    to = ["-aet", "CT1", "-aec", "ISOCENTER", "127.0.0.1", str(port or house.dicom_tls_port), str(CT)]
    return subprocess.run([program, *shown, *trusted, *to], capture_output=True, text=True, timeout=60)


@pytest.mark.peer
def taken(link: str, root: Path) -> list[Fetched]:
    with linked(link, root=root) as other:
        return list(other.images())


def test_dcmtk_stores_under_tls_with_its_certificate_and_in_no_other_way(house: tuple[House, Path]) -> None:
    here, folder = house
    for name in ("", "STRANGER", "OLD"):
        assert _storescu(here, folder, name).returncode, f"'{name}' must not get in"
    assert not here.site.index.counts()["instances"]
    done = _storescu(here, folder, "CT1")
    assert done.returncode == 0, done.stderr
    assert here.site.index.counts()["instances"] == 1
    program = shutil.which("storescu")
    plain = ["-aet", "CT1", "-aec", "ISOCENTER", "127.0.0.1"]
    for port in (here.dicom_port, here.dicom_tls_port):
        without = subprocess.run([str(program), *plain, str(port), str(CT)], capture_output=True, text=True, timeout=60)
        assert without.returncode, "a peer that is known under TLS comes in no other way"


def test_we_call_under_tls_and_only_whom_we_trust(house: tuple[House, Path]) -> None:
    here, folder = house
    mine = folder / "CT1.pem", folder / "CT1.key"
    own, strange = folder / "archive" / "secrets" / "tls" / "ca.pem", folder / "strange" / "ca.pem"

    def peer(context: ssl.SSLContext | None, host: str = "127.0.0.1") -> Peer:
        return Peer("ISOCENTER", host, here.dicom_tls_port, context)

    assert send(peer(tls.client(own, *mine)), [CT.read_bytes()], calling="CT1")[0].ok
    for context in (tls.client(strange, *mine), tls.client(own), None):
        with pytest.raises(Unavailable):
            echo(peer(context), calling="CT1")
    assert here._caller("CT1", secure=True).name == "CT1"
    with pytest.raises(Forbidden, match="without TLS"):
        here._caller("CT1")
    here.site.add_peer("PACS", "127.0.0.1", here.dicom_tls_port, secure=True, who=HOUSE)
    study = here.site.studies(who=HOUSE)[0].uid
    # The archive calls itself: TLS is made with its own certificate, and only then its title is not among the peers.
    with pytest.raises(Refused, match="calling AE title"):
        here.site.send(study, "PACS", who=HOUSE)


def test_a_certificate_speaks_for_its_own_title_or_host_and_for_no_other(house: tuple[House, Path]) -> None:
    here, folder = house
    own = folder / "archive" / "secrets" / "tls" / "ca.pem"
    here.site.add_peer("MR1", "*", 104, secure=True, who=HOUSE)
    here.site.add_peer("US1", "127.0.0.1", 104, secure=True, who=HOUSE)
    issue(folder / "archive" / "secrets" / "tls", "ward7", ["127.0.0.1"], folder, NOW)

    def calls(title: str, certificate: str) -> None:
        context = tls.client(own, folder / f"{certificate}.pem", folder / f"{certificate}.key")
        echo(Peer("ISOCENTER", "127.0.0.1", here.dicom_tls_port, context), calling=title)

    for title in ("MR1", "US1"):
        with pytest.raises(Refused, match="calling AE title"):
            calls(title, "CT1")
    calls("US1", "ward7")  # its certificate names the host that is listed
    with pytest.raises(Refused, match="calling AE title"):
        calls("MR1", "ward7")
    calls("CT1", "CT1")
    refused = [s.event.details for s in here.site.journal.since(kinds=(Kind.REFUSED,))]
    assert any("certificate of another" in str(told) for told in refused)


def test_who_only_dribbles_at_the_door_is_shown_out_in_time(house: tuple[House, Path]) -> None:
    here, folder = house
    own = folder / "archive" / "secrets" / "tls"
    for secure in (tls.server(folder / "server.pem", folder / "server.key", own / "ca.pem"), None):
        listener = Listener(here.site, aet="ISOCENTER", port=0, who=lambda aet: HOUSE, artim_s=0.6, tls=secure)
        port = listener.start()
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as slow:
                slow.settimeout(0.25)  # well within the silence that is suffered
                began, heard = time.monotonic(), b"x"
                hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" if secure else b"\x01\x00\x00\x00\x01\x00"
                for byte in hello + b"\x00" * 40:
                    try:
                        slow.sendall(bytes((byte,)))
                        heard = slow.recv(64)
                        break
                    except TimeoutError:
                        continue
                    except OSError:
                        heard = b""
                        break
                assert heard[:1] in (b"", b"\x15") and time.monotonic() - began < 5
        finally:
            listener.stop()


@pytest.mark.parametrize(
    "older",
    [
        {"maximum_version": ssl.TLSVersion.TLSv1_1, "minimum_version": ssl.TLSVersion.TLSv1},
        {"ciphers": "AES256-SHA:AES128-GCM-SHA256"},
        {"ciphers": "ECDHE-ECDSA-AES256-SHA384"},
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_what_is_older_than_the_profile_is_not_spoken(house: tuple[House, Path], older: dict[str, Any]) -> None:
    here, _ = house
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(older.pop("ciphers", "ALL") + ":@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.minimum_version = older.get("minimum_version", ssl.TLSVersion.TLSv1_2)
    context.maximum_version = older.get("maximum_version", ssl.TLSVersion.TLSv1_2)
    for port in (here.web_port, here.dicom_tls_port):
        with socket.create_connection(("127.0.0.1", port), 10) as sock, pytest.raises(OSError):
            context.wrap_socket(sock)


@pytest.mark.peer
def test_curl_finds_the_pages_under_https_alone(house: tuple[House, Path]) -> None:
    here, folder = house
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not here")

    def asked(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(curl), "-sS", "-i", *words], capture_output=True, text=True, timeout=60)

    authority = str(folder / "archive" / "secrets" / "tls" / "ca.pem")
    answer = asked("--cacert", authority, f"{here.address}/healthz")
    assert here.address.startswith("https://") and " 200 " in answer.stdout, answer.stderr
    assert "strict-transport-security" in answer.stdout
    assert asked("--cacert", str(folder / "strange" / "ca.pem"), f"{here.address}/healthz").returncode
    assert asked(f"http://127.0.0.1:{here.web_port}/healthz").returncode, "no word in the clear"


def test_a_link_is_followed_to_whom_a_root_vouches_for_and_to_nobody_else(house: tuple[House, Path]) -> None:
    here, folder = house
    here.site.receive([CT.read_bytes()], sender="CT1", who=HOUSE)
    secret, _ = here.site.sharing.share(here.site.studies(who=HOUSE)[0].uid, who=HOUSE, may=["download"])
    link = f"{here.address}/shared#{secret}"
    for stranger in (None, folder / "strange" / "ca.pem"):
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:\d+ is not who it says.*--root"):
            taken(link, stranger)
    with pytest.raises(Refused, match="no PEM certificate"):
        taken(link, CT)
    (one,) = taken(link, folder / "archive" / "secrets" / "tls" / "ca.pem")
    assert one.data == here.site.instance(one.sop_uid, who=HOUSE)


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ({"host": "192.0.2.2"}, {"192.0.2.2"}),
        ({"host": "0.0.0.0", "address": "https://images.example.org"}, {"images.example.org"}),
        ({"names": "a, b"}, {"a", "b", "127.0.0.1"}),
    ],
)
def test_the_pages_answer_to_the_name_that_our_own_links_say(
    tmp_path: Path, told: dict[str, Any], names: set[str]
) -> None:
    """A sign-in link that `serve` prints, and a link to a study, would otherwise open a refusal."""
    held = open_house(Settings(folder=tmp_path / "archive", **told))
    assert set(held._names()) == names and (urlsplit(held.address).hostname in names or not told.get("address"))
    held.close()


def test_beyond_loopback_nothing_is_opened_in_the_clear(tmp_path: Path) -> None:
    for more in ("", "behind_proxy", "dicom_plain"):
        told: dict[str, Any] = {more: True} if more else {}
        held = open_house(Settings(folder=tmp_path / "plain", host="0.0.0.0", port=0, dicom_port=0, **told))
        try:
            if more != "dicom_plain":
                with pytest.raises(Refused, match="without TLS"):
                    held.start_listening()
            if more != "behind_proxy":
                with pytest.raises(Refused, match="without TLS"):
                    held.start_web()
            assert held.dicom_port == held.web_port == 0
        finally:
            held.close()


def test_files_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("not a certificate")
    with pytest.raises(Refused, match="certificate"):
        tls.server(tmp_path / "x.pem", tmp_path / "x.key")
    with pytest.raises(Refused, match="no such file"):
        tls.client(tmp_path / "none.pem")
