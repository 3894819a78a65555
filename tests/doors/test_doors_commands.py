from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode as peer_decode
from pynetdicom.dsutils import encode as peer_encode

from isocenter.doors import commands
from isocenter.errors import NotWhole

_ASK = {
    "AffectedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "CommandField": commands.C_STORE_RQ,
    "MessageID": 7,
    "Priority": 0,
    "CommandDataSetType": 1,
    "AffectedSOPInstanceUID": "1.2.3.4",
    "MoveOriginatorApplicationEntityTitle": "CT1",
}


def test_what_we_write_a_peer_reads() -> None:
    from io import BytesIO

    read = peer_decode(BytesIO(commands.encode(_ASK)), True, True)

    assert {word: getattr(read, word) for word in _ASK} == _ASK
    assert read.CommandGroupLength == len(commands.encode(_ASK)) - 12


def test_what_a_peer_writes_we_read() -> None:
    said = Dataset()
    said.update({})
    said.CommandField, said.CommandDataSetType, said.Status = 0x8001, 0x0101, 0xA700
    said.ErrorComment = "disk full"

    read = commands.decode(peer_encode(said, True, True))

    assert (read["CommandField"], read["Status"], read["ErrorComment"]) == (0x8001, 0xA700, "disk full")


@given(st.integers(0, len(commands.encode(_ASK)) - 1))
def test_a_command_cut_anywhere_is_refused_or_lacks_its_words(cut: int) -> None:
    whole = commands.encode(_ASK)
    try:
        read = commands.decode(whole[:cut])
    except NotWhole:
        return
    assert len(read) < len(commands.decode(whole))


@given(st.binary(max_size=200))
def test_noise_is_read_or_refused_and_nothing_else(noise: bytes) -> None:
    try:
        commands.decode(noise)
    except NotWhole as error:
        assert "command" in str(error)


def test_an_element_of_another_group_is_refused() -> None:
    with pytest.raises(NotWhole):
        commands.decode(b"\x08\x00\x10\x00\x02\x00\x00\x00\x01\x00")


def test_an_element_that_is_not_known_is_stepped_over() -> None:
    body = b"\x00\x00\x01\x02\x02\x00\x00\x00\x05\x00" + commands.encode(_ASK)[12:]
    assert commands.decode(body)["MessageID"] == 7


def test_a_number_of_one_byte_is_refused() -> None:
    with pytest.raises(NotWhole):
        commands.decode(b"\x00\x00\x00\x01\x01\x00\x00\x00\x01")
