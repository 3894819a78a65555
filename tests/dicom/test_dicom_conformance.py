"""The tables of what is taken and given."""

from __future__ import annotations

import pydicom.uid
import pytest
from pydicom.uid import UID_dictionary

from isocenter.dicom.conformance import (
    native_syntaxes,
    services,
    statement,
    storage_class,
    storage_classes,
    transfer_syntaxes,
)
from isocenter.dicom.kept_sequences import kept_keys

NEWER_THAN_THE_DICTIONARY = {"1.2.840.10008.5.1.4.1.1.66.7"}  # label map segmentation, Sup 243


@pytest.mark.parametrize("kind", storage_classes(), ids=lambda k: k.name)
def test_every_storage_class_is_named_as_the_standard_names_it(kind) -> None:
    if kind.uid in NEWER_THAN_THE_DICTIONARY:
        return
    name, what, _, retired, _ = UID_dictionary[kind.uid]
    assert what == "SOP Class"
    assert kind.name.removesuffix(" (Retired)") == name and kind.name.endswith("(Retired)") == bool(retired)


def test_every_syntax_and_service_is_one_of_the_standard() -> None:
    for one in transfer_syntaxes():
        assert UID_dictionary[one.uid][1] == "Transfer Syntax"
    for service in services():
        assert UID_dictionary[service.uid][1] == "SOP Class"
    natives = set(native_syntaxes())
    assert natives == {
        s.uid for s in transfer_syntaxes() if not pydicom.uid.UID(s.uid).is_compressed or "Defl" in s.name
    }


def test_uids_stand_once_and_unknown_ones_are_none() -> None:
    uids = [k.uid for k in storage_classes()]
    assert len(uids) == len(set(uids)) > 70
    assert storage_class("1.2.3") is None
    assert all(k.image or k.needs or k.name for k in storage_classes())


def test_the_statement_lists_every_line_of_the_tables() -> None:
    said = statement()
    for one in (*storage_classes(), *transfer_syntaxes(), *services()):
        assert one.uid in said and one.name in said
    assert all(f"{word}," in said or f"{word}." in said for word in kept_keys())
    assert said == statement() and "Research software" in said
