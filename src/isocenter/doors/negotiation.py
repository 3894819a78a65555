"""Who may associate with whom, and what about: the first exchange of every association (PS3.8 chapter 7).

All storage classes of the standard and private ones are taken, in every transfer syntax of the standard: an archive
that cannot read an image must still keep it. What a caller sends is read by `association`; where we call, pynetdicom
encodes and decodes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from isocenter.dicom import conformance
from isocenter.doors.association import APPLICATION, Answer, Proposal, acceptance, proposal
from isocenter.doors.part10 import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from isocenter.doors.upper_layer import LARGEST_PDU, Context, Ended, Link
from isocenter.errors import NoAnswer, NotWhole, Refused

__all__ = [
    "APPLICATION",
    "FIND",
    "GET",
    "MOVE",
    "VERIFICATION",
    "accept",
    "is_storage",
    "prepare",
    "propose",
    "read_request",
    "reject",
]

VERIFICATION: Final = "1.2.840.10008.1.1"
FIND: Final = {"1.2.840.10008.5.1.4.1.2.1.1": "PATIENT", "1.2.840.10008.5.1.4.1.2.2.1": "STUDY"}
MOVE: Final = {"1.2.840.10008.5.1.4.1.2.1.2": "PATIENT", "1.2.840.10008.5.1.4.1.2.2.2": "STUDY"}
GET: Final = {"1.2.840.10008.5.1.4.1.2.1.3": "PATIENT", "1.2.840.10008.5.1.4.1.2.2.3": "STUDY"}
"""Query/Retrieve models by SOP Class UID: Patient Root and Study Root."""

IMPLICIT: Final = "1.2.840.10008.1.2"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"

_SERVICES: Final = frozenset({VERIFICATION, *FIND, *MOVE, *GET})
_DICOM_ROOT: Final = "1.2.840.10008."


@cache
def _storage_classes() -> tuple[frozenset[str], frozenset[str]]:
    """Storage SOP Classes, and transfer syntaxes: our own tables, and what else the libraries know of the standard."""
    from pydicom.uid import UID_dictionary
    from pynetdicom import AllStoragePresentationContexts

    classes = {c.uid for c in conformance.storage_classes()}
    classes |= {str(c.abstract_syntax) for c in AllStoragePresentationContexts}
    classes |= {
        uid
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind == "SOP Class" and uid.startswith("1.2.840.10008.5.1.4.") and name.split(" (")[0].endswith("Storage")
    }
    # Papyrus, SMPTE and JPIP references carry no images through this socket.
    syntaxes = {
        uid
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind == "Transfer Syntax" and "JPIP" not in name and "SMPTE" not in name and "Papyrus" not in name
    }
    return frozenset(classes - _SERVICES), frozenset(syntaxes)


def is_storage(sop_class: str) -> bool:
    """Whether a SOP Class is stored here: every one of the standard's storage classes, and private ones."""
    return sop_class in _storage_classes()[0] or not sop_class.startswith(_DICOM_ROOT)


def prepare() -> None:
    """Load what the first association needs, so that no sender waits for it."""
    _storage_classes()


def read_request(link: Link) -> Proposal:
    """Wait for the association request that must open every connection.

    Raises:
        NotWhole: something else came.
    """
    kind, body = link.read_pdu()
    if kind != 1:
        link.abort()
        raise NotWhole(f"PDU type {kind} before an association", "a DICOM connection opens with a request", "")
    try:
        return proposal(body)
    except NotWhole:
        link.abort()
        raise


def reject(link: Link, reason: tuple[int, int, int]) -> None:
    """Answer with A-ASSOCIATE-RJ: result, source, reason of PS3.8 table 9-21; the caller closes (9.2.3)."""
    link._say(bytes((3, 0, 0, 0, 0, 4, 0, *reason)))
    link.wait_for_end(2.0)


def _chosen(syntaxes: Sequence[str], allowed: Collection[str]) -> str | None:
    """The sender's first choice that we know; Big Endian, retired since 2006, only when nothing else is offered."""
    known = [s for s in syntaxes if s in allowed]
    return next((s for s in known if s != BIG_ENDIAN), known[0] if known else None)


def accept(link: Link, asked: Proposal, also: Collection[str] = ()) -> None:
    """Answer each proposed context, accept the association and remember both in the link.

    Args:
        also: SOP classes of further services.
    """
    answers = []
    granted: dict[str, tuple[bool, bool]] = {}
    for number, abstract, syntaxes in asked.contexts:
        if abstract in _SERVICES or abstract in also:
            allowed: Collection[str] = (IMPLICIT, EXPLICIT, BIG_ENDIAN)
        elif is_storage(abstract):
            allowed = _storage_classes()[1]
        else:
            allowed = None  # type: ignore[assignment]
        syntax = _chosen(syntaxes, allowed) if allowed is not None else None
        result = 0 if syntax else 3 if allowed is None else 4
        answers.append(Answer(number, result, syntax or (syntaxes[0] if syntaxes else IMPLICIT)))
        if syntax:
            role = asked.roles.get(abstract)
            we_send = bool(role and role[1]) and abstract not in _SERVICES and abstract not in also
            if role:
                # Whoever reports to us (storage commitment) is the provider of its service on this association.
                granted[abstract] = (role[0], role[1] if abstract in also else we_send)
            link.contexts[number] = Context(number, abstract, syntax, we_send)
    link.peer_maximum = asked.maximum
    link._say(acceptance(asked, answers, granted, maximum=LARGEST_PDU))


def _associate(called: str, calling: str, roles: Mapping[str, tuple[bool, bool]]) -> Any:
    from pynetdicom.pdu_primitives import (
        A_ASSOCIATE,
        ImplementationClassUIDNotification,
        ImplementationVersionNameNotification,
        MaximumLengthNotification,
        SCP_SCU_RoleSelectionNegotiation,
    )

    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION
    primitive.calling_ae_title = calling
    primitive.called_ae_title = called
    maximum = MaximumLengthNotification()
    maximum.maximum_length_received = LARGEST_PDU
    ours = ImplementationClassUIDNotification()
    ours.implementation_class_uid = IMPLEMENTATION_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION
    items: list[Any] = [maximum, ours, version]
    for abstract, (scu, scp) in roles.items():
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid = abstract
        role.scu_role, role.scp_role = scu, scp
        items.append(role)
    primitive.user_information = items
    return primitive


_REJECTIONS: Final = {
    (1, 3): ("the calling AE title is not known there", "add our AE title to the peer's list"),
    (1, 7): ("the called AE title is not the peer's", "correct the peer's AE title here"),
    (1, 2): ("the peer does not speak this application context", "look at the peer's conformance statement"),
    (3, 1): ("the peer is congested", "try again later"),
    (3, 2): ("the peer holds as many associations as it may", "try again later"),
}


def propose(
    link: Link,
    *,
    calling: str,
    called: str,
    offers: Iterable[tuple[str, Sequence[str]]],
    as_provider: Collection[str] = (),
    roles: Mapping[str, tuple[bool, bool]] | None = None,
) -> None:
    """Ask a peer for an association and remember the contexts that it accepts.

    Args:
        offers: SOP Class UID with its transfer syntaxes, one context each; at most 128.
        as_provider: classes for which the peer shall send to us (C-GET).
        roles: SOP Class UID to (we as user, we as provider), where neither the usual nor that of `as_provider` fits.

    Raises:
        Refused: the peer rejected, with its reason in words; NoAnswer when that is for now only.
        Ended: the line died.
    """
    from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
    from pynetdicom.presentation import PresentationContext

    contexts = []
    for place, (abstract, syntaxes) in enumerate(offers):
        context = PresentationContext()
        context.context_id = 2 * place + 1
        context.abstract_syntax = abstract
        context.transfer_syntax = list(syntaxes)
        contexts.append(context)
    asked = _associate(called, calling, {**dict.fromkeys(as_provider, (True, True)), **(roles or {})})
    asked.presentation_context_definition_list = contexts
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(asked)
    link._say(pdu.encode())
    kind, body = link.read_pdu()
    if kind == 3:
        result, source, reason = body[1], body[2], body[3]
        why, do = _REJECTIONS.get(
            (source, reason), (f"source {source}, reason {reason}", "ask the peer's administrator")
        )
        kind_of = NoAnswer if result == 2 or source == 3 else Refused
        raise kind_of(f"{called} rejected the association of {calling}", why, do)
    if kind != 2:
        link.close()
        raise Ended("aborted by the peer while associating")
    answer = A_ASSOCIATE_AC()
    try:
        answer.decode(b"\x02\x00" + len(body).to_bytes(4, "big") + bytes(body))
        said = answer.to_primitive()
    except Exception as error:
        link.abort()
        raise NotWhole(f"{called} answered what cannot be read", type(error).__name__, "look at the peer") from None
    abstracts = {c.context_id: str(c.abstract_syntax) for c in contexts}
    for result_of in said.presentation_context_definition_results_list:
        number = int(result_of.context_id)
        if result_of.result == 0 and number in abstracts:
            syntax = str(result_of.transfer_syntax[0])
            link.contexts[number] = Context(number, abstracts[number], syntax, True)
    for item in said.user_information:
        if hasattr(item, "maximum_length_received"):
            link.peer_maximum = int(item.maximum_length_received or 0)
