from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.dicom import conformance
from isocenter.doors import negotiation as n
from isocenter.doors.upper_layer import Ended, Link, connect
from isocenter.errors import IsocenterError, NotWhole, Refused, Unavailable

_CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def pair() -> Iterator[tuple[Link, Link]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        left = connect("127.0.0.1", server.getsockname()[1], timeout_s=5)
        right = Link(server.accept()[0], 5)
        yield left, right
        left.close()
        right.close()


def _associate(
    pair: tuple[Link, Link], offers: list[tuple[str, tuple[str, ...]]], provider: tuple[str, ...] = ()
) -> None:
    asking, giving = pair
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            n.propose(asking, calling="A", called="B", offers=offers, as_provider=provider)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    n.accept(giving, n.read_request(giving))
    thread.join(5)
    assert not failures


def test_every_class_of_the_statement_is_stored_and_the_labelmap_too() -> None:
    assert all(n.is_storage(c.uid) for c in conformance.storage_classes())
    assert n.is_storage("1.2.840.10008.5.1.4.1.1.66.7")
    assert n.is_storage("1.3.12.2.1107.5.9.1"), "private classes are kept as well"


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.20.1", "1.2.840.10008.5.1.4.31", "1.2.840.10008.5.1.4.1.2.2.1"])
def test_what_is_no_storage(uid: str) -> None:
    assert not n.is_storage(uid)


def test_each_side_knows_the_same_contexts(pair: tuple[Link, Link]) -> None:
    _associate(pair, [(_CT, ("1.2.840.10008.1.2.4.80",)), (n.VERIFICATION, (n.IMPLICIT,))])
    seen = [{(c.abstract, c.syntax) for c in end.contexts.values()} for end in pair]
    assert seen[0] == seen[1] == {(_CT, "1.2.840.10008.1.2.4.80"), (n.VERIFICATION, n.IMPLICIT)}


def test_all_transfer_syntaxes_of_the_statement_are_taken(pair: tuple[Link, Link]) -> None:
    syntaxes = {s.uid for s in conformance.transfer_syntaxes()}
    _associate(pair, [(_CT, (s,)) for s in sorted(syntaxes)])
    assert {c.syntax for c in pair[1].contexts.values()} == syntaxes


def test_big_endian_only_when_nothing_else_is_offered(pair: tuple[Link, Link]) -> None:
    _associate(pair, [(_CT, (n.BIG_ENDIAN, n.IMPLICIT)), (_CT, (n.BIG_ENDIAN,))])
    assert [c.syntax for c in pair[1].contexts.values()] == [n.IMPLICIT, n.BIG_ENDIAN]


def test_unknown_services_and_encodings_are_turned_down_one_by_one(pair: tuple[Link, Link]) -> None:
    _associate(
        pair,
        [("1.2.840.10008.5.1.4.31", (n.IMPLICIT,)), (_CT, ("1.2.3.4.5",)), (n.VERIFICATION, (n.EXPLICIT,))],
    )
    assert [c.abstract for c in pair[0].contexts.values()] == [n.VERIFICATION]


def test_a_peer_that_offers_to_take_images_may_be_sent_some(pair: tuple[Link, Link]) -> None:
    _associate(pair, [(_CT, (n.EXPLICIT,)), ("1.2.840.10008.5.1.4.1.1.4", (n.EXPLICIT,))], provider=(_CT,))
    assert {c.abstract: c.we_send for c in pair[1].contexts.values()} == {
        _CT: True,
        "1.2.840.10008.5.1.4.1.1.4": False,
    }


@pytest.mark.parametrize(
    ("reason", "kind", "words"),
    [
        ((1, 1, 3), Refused, "calling AE title is not known"),
        ((1, 1, 7), Refused, "called AE title"),
        ((2, 3, 2), Unavailable, "as many associations"),
        ((1, 2, 9), Refused, "reason 9"),
    ],
)
def test_a_rejection_is_said_in_words(
    pair: tuple[Link, Link], reason: tuple[int, int, int], kind: type[IsocenterError], words: str
) -> None:
    asked = threading.Thread(target=n.reject, args=(pair[1], reason))  # it waits until whoever called has hung up
    asked.start()
    with pytest.raises(kind) as caught:
        n.propose(pair[0], calling="A", called="B", offers=[(_CT, (n.EXPLICIT,))])
    assert words in str(caught.value)
    pair[0].close()
    asked.join(1.0)
    assert not asked.is_alive()


def test_an_answer_that_cannot_be_read_is_refused(pair: tuple[Link, Link]) -> None:
    body = b"\0" * 68 + b"\x99\x00\x00\x04abcd"
    pair[1].sock.sendall(b"\x02\x00" + len(body).to_bytes(4, "big") + body)
    with pytest.raises(NotWhole, match="cannot be read"):
        n.propose(pair[0], calling="A", called="B", offers=[(_CT, (n.EXPLICIT,))])


def test_a_peer_that_aborts_at_once(pair: tuple[Link, Link]) -> None:
    pair[1].abort()
    with pytest.raises(Ended, match="while associating"):
        n.propose(pair[0], calling="A", called="B", offers=[(_CT, (n.EXPLICIT,))])


def test_a_connection_that_does_not_open_with_a_request(pair: tuple[Link, Link]) -> None:
    pair[0].sock.sendall(b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00")
    with pytest.raises(NotWhole, match="opens with a request"):
        n.read_request(pair[1])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_noise_instead_of_a_request_is_refused(noise: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        left = connect("127.0.0.1", server.getsockname()[1], timeout_s=5)
        right = Link(server.accept()[0], 5)
        left.sock.sendall(b"\x01\x00" + len(noise).to_bytes(4, "big") + noise)
        left.sock.shutdown(socket.SHUT_WR)
        try:
            asked = n.read_request(right)
            n.accept(right, asked)
        except IsocenterError:
            pass
        finally:
            left.close()
            right.close()
