"""What pynetdicom writes is read as it was meant, and pynetdicom reads what is written here."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.presentation import PresentationContext

from isocenter.doors import association as a
from isocenter.doors.negotiation import _associate
from isocenter.errors import NotWhole

_UIDS = st.lists(st.integers(0, 10**9), min_size=1, max_size=5).map(lambda n: ".".join(map(str, (1, 2, *n))))
_BOTH = st.tuples(st.booleans(), st.booleans())


@st.composite
def _proposals(draw: st.DrawFn) -> a.Proposal:
    numbers = draw(st.lists(st.integers(0, 127), min_size=1, max_size=8, unique=True))
    syntaxes = st.lists(_UIDS, min_size=1, max_size=4, unique=True).map(tuple)
    contexts = tuple((2 * n + 1, draw(_UIDS), draw(syntaxes)) for n in numbers)
    roles = {abstract: draw(_BOTH.filter(any)) for _, abstract, _ in contexts if draw(st.booleans())}
    return a.Proposal("SCANNER", "ISOCENTER", contexts, roles, 131_072, a.APPLICATION)


def _request(asked: a.Proposal) -> bytes:
    primitive = _associate(asked.called, asked.calling, asked.roles)
    primitive.presentation_context_definition_list = []
    for number, abstract, syntaxes in asked.contexts:
        context = PresentationContext()
        context.context_id, context.abstract_syntax, context.transfer_syntax = number, abstract, list(syntaxes)
        primitive.presentation_context_definition_list = [*primitive.presentation_context_definition_list, context]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())[6:]


@given(_proposals())
def test_a_request_is_read_as_its_sender_meant_it(asked: a.Proposal) -> None:
    assert a.proposal(memoryview(_request(asked))) == asked


@given(_proposals(), st.lists(st.sampled_from((0, 3, 4)), min_size=8, max_size=8))
def test_an_acceptance_is_read_by_others_as_it_is_meant(asked: a.Proposal, results: list[int]) -> None:
    answers = [a.Answer(c[0], result, c[2][0]) for c, result in zip(asked.contexts, results, strict=False)]
    pdu = A_ASSOCIATE_AC()
    pdu.decode(a.acceptance(asked, answers, asked.roles, maximum=131_072))
    said: Any = pdu.to_primitive()
    told = [
        (int(c.context_id), int(c.result), str(c.transfer_syntax[0]))
        for c in said.presentation_context_definition_results_list
    ]
    assert [one[:2] for one in told] == [(one.id, one.result) for one in answers]
    assert all(one[2] == answer.syntax for one, answer in zip(told, answers, strict=True) if answer.result == 0)
    roles = {str(i.sop_class_uid): (i.scu_role, i.scp_role) for i in said.user_information if hasattr(i, "scu_role")}
    assert roles == asked.roles
    assert said.maximum_length_received == 131_072
    assert (said.result, said.calling_ae_title.strip(), said.called_ae_title.strip()) == (0, "SCANNER", "ISOCENTER")


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


_CLASS = _item(0x30, b"1.2.840.10008.1.1")
_SOUND = _item(0x20, b"\x01\0\0\0" + _CLASS + _item(0x40, b"1.2.840.10008.1.2"))


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (b"", "proposes nothing"),
        (_SOUND + b"\x20\0", "cut"),
        (_SOUND[:-1], "past its end"),
        (_SOUND + _SOUND, "two contexts have the number 1"),
        (_item(0x20, b"\x02\0\0\0" + _CLASS), "no odd number"),
        (_item(0x20, b"\x01\0\0\0" + _item(0x40, b"1.2")), "no class"),
        (_item(0x20, b"\x01\0\0\0" + _item(0x30, b"1" * 65)), "longer than 64"),
        (_item(0x20, b"\x01\0\0\0" + _item(0x30, "1.2.é".encode())), "no plain text"),
        (_SOUND + _item(0x50, _item(0x51, b"\0\0")), "2 bytes in place of 4"),
        (_SOUND + _item(0x50, _item(0x54, b"\0\x031.2\x01")), "in place of 2"),
    ],
)
def test_what_lies_about_its_length_or_its_names_is_refused(items: bytes, why: str) -> None:
    with pytest.raises(NotWhole, match=why):
        a.proposal(memoryview(b"\0\x01\0\0" + b"A".ljust(16) + b"B".ljust(16) + bytes(32) + items))


@given(st.binary(max_size=400))
def test_noise_is_read_or_refused_and_nothing_else(noise: bytes) -> None:
    for body in (noise, b"\0\x01\0\0" + b"A".ljust(16) + b"B".ljust(16) + bytes(32) + noise):
        with contextlib.suppress(NotWhole):
            a.proposal(memoryview(body))
