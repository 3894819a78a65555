"""Three sites and a coordinator over real TLS: whoever has no certificate of the authority is not heard."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.doors.federation_client import Line, caller, take_part  # noqa: E402
from isocenter.doors.federation_server import Door  # noqa: E402
from isocenter.errors import Forbidden, IsocenterError, NotFound, Refused, Unavailable  # noqa: E402
from isocenter.govern.identities import (  # noqa: E402
    AUTHORITY,
    CERTIFICATE,
    KEY,
    checker,
    identity,
    make_authority,
    make_identity,
    signer,
)  # fmt: skip
from isocenter.learn.federation import Federation  # noqa: E402
from isocenter.learn.federation_rounds import Rounds  # noqa: E402
from isocenter.learn.federation_site import Participant  # noqa: E402
from isocenter.learn.tensors import unpacked  # noqa: E402

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    make_authority(folder / "ca", "federation", now=NOW)
    make_identity(folder / "boss", "boss", folder / "ca", now=NOW, hosts=["127.0.0.1"])
    for name in "abc":
        make_identity(folder / name, name, folder / "ca", now=NOW)
    make_authority(folder / "other", "strangers", now=NOW)
    make_identity(folder / "stranger", "a", folder / "other", now=NOW)
    make_identity(folder / "mixed", "a", folder / "other", now=NOW)  # believes the coordinator, which believes it not
    shutil.copy(folder / "ca" / AUTHORITY, folder / "mixed" / AUTHORITY)
    make_identity(folder / "ended", "a", folder / "ca", now=NOW - timedelta(days=200), days=90)
    return folder


def _site(name: str, papers: Path, folder: Path) -> Participant:
    rng = np.random.default_rng(ord(name))
    pictures, labels = rng.integers(60, 140, (24, 28, 28), dtype=np.uint8), np.arange(24) % 2
    pictures[labels == 1, 8:16, 8:16] = 220
    np.savez(folder / f"{name}.npz", train_images=pictures, train_labels=labels)
    own, certificate = identity(papers / name)
    verify = checker((papers / name / AUTHORITY).read_bytes(), lambda: NOW)
    return Participant(own, folder / f"{name}.npz", folder / name, certificate, signer(papers / name), verify)


@pytest.fixture
def door(papers: Path, tmp_path: Path) -> Iterator[tuple[Door, Rounds]]:
    how = Federation("pneumoniamnist", rounds=2, batch=16, moves=False)
    rounds = Rounds(how, tmp_path / "out", sites=3, clock=lambda: 0.0)
    made = Door(rounds, papers / "boss", "127.0.0.1", 0)
    yield made, rounds
    made.close()


def test_three_sites_train_over_tls_and_their_bytes_are_counted(
    door: tuple[Door, Rounds], papers: Path, tmp_path: Path
) -> None:
    made, rounds = door
    files: dict[str, Path] = {}
    heard: list[tuple[str, Any]] = []
    wait = threading.Event().wait

    def part(name: str) -> None:
        with caller(f"https://127.0.0.1:{made.port}", papers / name) as client:
            site = _site(name, papers, tmp_path)
            files[name] = take_part(
                Line(client, wait, 20), site, wait=wait, pause_s=0.02,
                happened=lambda what, told: heard.append((what, told)),
            )  # fmt: skip

    threads = [threading.Thread(target=part, args=(n,)) for n in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert rounds.done == 2 and rounds.everybody_knows()
    one, _ = unpacked(files["a"].read_bytes())
    other, _ = unpacked(files["b"].read_bytes())
    assert all(np.array_equal(one[n], other[n]) for n in one)
    size = 8 * (sum(one[n].size for n in rounds.names) + 1)
    for record in rounds.rounds:
        assert all(size < record["bytes"][n]["received"] < size + 60_000 for n in "abc")
        assert all(record["bytes"][n]["sent"] > size / 2 for n in "abc")
    assert [w for w, _ in heard].count("round") == 6
    assert json.dumps([told for _, told in heard])


def test_a_site_whose_images_may_not_be_used_any_more_says_nothing_further(papers: Path, tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []
    journal: list[tuple[str, str, Any]] = []
    how = Federation("pneumoniamnist", rounds=2, batch=16, moves=False)
    rounds = Rounds(how, tmp_path / "out", sites=3, clock=lambda: 0.0)
    made, wait, ends = Door(rounds, papers / "boss", "127.0.0.1", 0), threading.Event().wait, dict[str, Exception]()

    def part(name: str) -> None:
        def may(step: str) -> None:
            heard.append((name, step))
            if name == "c" and rounds.done == 1:
                raise Refused("1 of 24 studies", "consent was withdrawn")

        with caller(f"https://127.0.0.1:{made.port}", papers / name) as client:
            site = _site(name, papers, tmp_path)
            try:
                take_part(
                    Line(client, wait, 20), site, wait=wait, pause_s=0.02, may=may,
                    happened=lambda what, told: journal.append((name, what, told)),
                )  # fmt: skip
            except IsocenterError as end:
                ends[name] = end

    threads = [threading.Thread(target=part, args=(n,)) for n in "abc"]
    for thread in threads:
        thread.start()
    threads[2].join(60)
    rounds.stopped = "the test is over"
    for thread in threads[:2]:
        thread.join(60)
    made.close()
    assert isinstance(ends["c"], Refused) and isinstance(ends["a"], Unavailable)
    assert [step for name, step in heard if name == "c"] == ["offer", "deal", "send", "reveal", "offer"]
    assert [r["sites"] for r in rounds.rounds] == [["a", "b", "c"]]
    ended = [(what, told) for name, what, told in journal if name == "c"][-1]
    assert (ended[0], ended[1]["why"]) == ("done", "1 of 24 studies: consent was withdrawn"), "its own journal has it"


def test_a_site_that_goes_beyond_its_own_conditions_says_so_and_is_waited_for_by_nobody(
    door: tuple[Door, Rounds], papers: Path, tmp_path: Path
) -> None:
    made, rounds = door
    rounds.join("a", {}), rounds.join("b", {})
    site, wait = _site("c", papers, tmp_path), threading.Event().wait

    def answer(asked: Any, base: Any) -> Any:
        raise Forbidden("ε = 3.10 after this round", "this site's limit is 3", "agree on more noise")

    site.answer = answer  # type: ignore[method-assign]
    heard: list[tuple[str, Any]] = []
    with caller(f"https://127.0.0.1:{made.port}", papers / "c") as client, pytest.raises(Forbidden, match="limit is 3"):
        take_part(
            Line(client, wait, 20),
            site,
            wait=wait,
            pause_s=0.02,
            happened=lambda what, told: heard.append((what, told)),
        )
    assert [what for what, _ in heard] == ["joined", "done"], "its journal says that it ended, and why"
    assert heard[-1][1]["why"] == "ε = 3.10 after this round: this site's limit is 3"
    assert rounds.stopped.startswith("c left, and sums are of at least 3 sites") and "limit is 3" in rounds.stopped


@pytest.mark.nightly
def test_a_run_that_ends_before_its_time_leaves_each_site_what_its_whole_rounds_gave(
    papers: Path, tmp_path: Path
) -> None:
    how = Federation("pneumoniamnist", rounds=3, batch=16, moves=False, held=0.0)
    rounds = Rounds(how, tmp_path / "out", sites=3, clock=lambda: 0.0)
    made, wait, ends = Door(rounds, papers / "boss", "127.0.0.1", 0), threading.Event().wait, dict[str, Exception]()
    sites = {name: _site(name, papers, tmp_path) for name in "abc"}
    whole = sites["c"].answer

    def answer(asked: Any, base: Any) -> Any:
        if rounds.done:
            raise Forbidden("ε = 3.10 after this round", "this site's limit is 3", "agree on more noise")
        return whole(asked, base)

    sites["c"].answer = answer  # type: ignore[method-assign]

    def part(name: str) -> None:
        with caller(f"https://127.0.0.1:{made.port}", papers / name) as client:
            try:
                take_part(Line(client, wait, 20), sites[name], wait=wait, pause_s=0.02)
            except IsocenterError as end:
                ends[name] = end

    threads = [threading.Thread(target=part, args=(n,)) for n in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert rounds.everybody_knows()
    made.close()
    assert isinstance(ends["c"], Forbidden) and "limit is 3" in str(ends["c"])
    assert "the federation was stopped after 1 of 3 rounds: c left" in str(ends["a"])
    kept = [unpacked((tmp_path / name / "weights.safetensors").read_bytes())[0] for name in "abc"]
    for name, arrays in zip("abc", kept, strict=True):
        assert f"weights after round 1 lie in {tmp_path / name}" in str(ends[name])
        assert all(np.array_equal(arrays[n], kept[0][n]) for n in rounds.names)
        assert list((tmp_path / name).glob("*.update")), "what it has told of its people is not forgotten"


def test_without_a_certificate_of_the_authority_nobody_is_heard(door: tuple[Door, Rounds], papers: Path) -> None:
    made, _ = door
    url = f"https://127.0.0.1:{made.port}"
    with pytest.raises(Refused, match="the address"):
        caller(f"http://127.0.0.1:{made.port}", papers / "a")
    trust = ssl.create_default_context(cafile=str(papers / "a" / AUTHORITY))
    with httpx.Client(verify=trust, trust_env=False) as bare, pytest.raises(httpx.TransportError):
        bare.get(f"{url}/federation")
    with caller(url, papers / "stranger") as client, pytest.raises(Forbidden, match="certificate"):
        Line(client, lambda s: None, 0.0).json("GET", "/federation")
    with caller(url, papers / "a") as client:
        line = Line(client, lambda s: None, 0.0)
        assert line.json("GET", "/federation")["classes"] == ["normal", "pneumonia"]
        assert client.get("/federation/now").status_code == 409  # it has not joined
        line.json("POST", "/federation/join", {})
        assert client.post("/federation/join", content=b"[1").status_code == 400
        assert client.put("/federation/sums/1/update", content=bytes(2**21)).status_code == 413
        with pytest.raises(NotFound):
            line.weights("0" * 64)
    made.close()
    with caller(url, papers / "a") as client, pytest.raises(Unavailable):
        Line(client, lambda s: None, 0.0).json("GET", "/federation")
    told: list[str] = []
    with caller(url, papers / "a") as client, pytest.raises(Unavailable):
        Line(client, lambda s: None, 20.0, told.append).json("GET", "/federation")
    assert len(told) == 1 and "does not answer" in told[0] and "20 s" in told[0]  # once, at the first failure


def test_a_body_that_breaks_off_leaves_no_trace_of_a_fault(
    door: tuple[Door, Rounds], papers: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, rounds = door
    rounds.join("a", {})
    context = ssl.create_default_context(cafile=str(papers / "a" / AUTHORITY))
    context.load_cert_chain(papers / "a" / CERTIFICATE, papers / "a" / KEY)
    server = logging.getLogger("uvicorn.error")
    server.addHandler(caplog.handler)
    try:
        with socket.create_connection(("127.0.0.1", made.port)) as bare:
            line = context.wrap_socket(bare, server_hostname="127.0.0.1")
            head = "PUT /federation/sums/1/update?offset=0 HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n"
            line.sendall(head.encode() + bytes(100))
            line.close()
        with caller(f"https://127.0.0.1:{made.port}", papers / "a") as client:
            assert client.get("/federation").status_code == 200
        made.close()
    finally:
        server.removeHandler(caplog.handler)
    assert not [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


def test_an_identity_whose_files_do_not_belong_together_is_refused(papers: Path, tmp_path: Path) -> None:
    for name, files, why in (
        ("mixed", {"b": CERTIFICATE, "a": KEY}, "the key is that of another certificate.*isocenter federate identity"),
        ("half", {"a": CERTIFICATE}, "there is no such file"),
    ):
        shutil.copytree(papers / "a", tmp_path / name)
        for path in (CERTIFICATE, KEY):
            (tmp_path / name / path).unlink()
        for owner, path in files.items():
            shutil.copy(papers / owner / path, tmp_path / name / path)
        with pytest.raises(Refused, match=why):
            caller("https://127.0.0.1:1", tmp_path / name)


@pytest.mark.parametrize("papers_of", ["mixed", "ended"])
def test_a_site_whose_certificate_is_not_believed_is_told_so_within_seconds(
    door: tuple[Door, Rounds], papers: Path, papers_of: str
) -> None:
    made, _ = door
    waits: list[float] = []
    url = f"https://127.0.0.1:{made.port}"
    with caller(url, papers / papers_of) as client, pytest.raises(Forbidden, match="hangs up"):
        Line(client, waits.append, 300.0).json("GET", "/federation")
    assert sum(waits) <= 2.0, "it would not get better by waiting five minutes"


def test_a_site_that_was_heard_before_bears_a_line_that_breaks(papers: Path) -> None:
    said = iter([200, 0, 0, 0, 0, 200])

    def answer(request: httpx.Request) -> httpx.Response:
        if status := next(said):
            return httpx.Response(status, json={})
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")

    told: list[str] = []
    with httpx.Client(base_url="https://127.0.0.1", transport=httpx.MockTransport(answer)) as client:
        line = Line(client, lambda s: None, 300.0, told.append)
        assert [line.json("GET", "/federation"), line.json("GET", "/federation")] == [{}, {}]
    assert len(told) == 2 and told[1] == "the coordinator answers again"


@pytest.mark.parametrize(("refused", "words"), [("labels", "the classes"), ("stopped", "stopped"), ("ended", "")])
def test_a_join_that_is_refused_ends_at_once(
    door: tuple[Door, Rounds], papers: Path, tmp_path: Path, refused: str, words: str
) -> None:
    made, rounds = door
    waits: list[float] = []
    site = _site("a", papers, tmp_path)
    if refused == "labels":
        look = site.look
        site.look = lambda how: {**look(how), "classes": ["normal", "other"]}  # type: ignore[method-assign]
    elif refused == "stopped":
        rounds.stopped = "too few sites"
    else:
        rounds.done = rounds.how.rounds
    with caller(f"https://127.0.0.1:{made.port}", papers / "a") as client:
        line = Line(client, waits.append, 300.0)
        if refused == "ended":  # whoever comes late gets the weights
            assert take_part(line, site, wait=waits.append).is_file()
        else:
            with pytest.raises((Refused, Unavailable), match=words):
                take_part(line, site, wait=waits.append)
    assert waits == []


def test_a_site_that_is_between_two_calls_does_not_hold_up_the_end(
    door: tuple[Door, Rounds], papers: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, _ = door
    server = logging.getLogger("uvicorn.error")
    server.addHandler(caplog.handler)
    try:
        with caller(f"https://127.0.0.1:{made.port}", papers / "a") as client:
            Line(client, lambda s: None, 0.0).json("GET", "/federation")
            made.close()  # the connection is still kept
    finally:
        server.removeHandler(caplog.handler)
    assert not [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
