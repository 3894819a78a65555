"""Sequences that are searched in go with a record as they stand in the header, and stay small."""

from __future__ import annotations

import made
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from isocenter.dicom.elements import parse
from isocenter.dicom.header import read_header
from isocenter.dicom.kept_sequences import kept_keys, kept_sequences


def _of(**facts: object) -> Dataset:
    one = Dataset()
    for word, value in facts.items():
        setattr(one, word, value)
    return one


def _kept(ds: Dataset, charsets: tuple[str, ...] = ("ISO_IR 192",), **how: str) -> dict[str, list[dict[str, object]]]:
    return kept_sequences(parse(made.written(ds, **how)), charsets)


def test_items_are_kept_with_their_texts_and_what_lies_within_them() -> None:
    code = _of(CodeValue="C7", CodingSchemeDesignator="99Ä", CodeMeaning="Schädel")
    request = _of(
        ScheduledProcedureStepID="SPS 7 ", RequestedProcedureID="R1", ScheduledProtocolCodeSequence=[code],
        ReasonForTheRequestedProcedure="headache", RequestedProcedureComments="long text " * 90,
    )  # fmt: skip
    ds = made.dataset(RequestAttributesSequence=[request, _of(RequestedProcedureID="R2")], OperatorsName="X")
    told = {
        "RequestAttributesSequence": [
            {
                "ScheduledProcedureStepID": "SPS 7", "RequestedProcedureID": "R1",
                "ReasonForTheRequestedProcedure": "headache",
                "ScheduledProtocolCodeSequence": [
                    {"CodeValue": "C7", "CodingSchemeDesignator": "99Ä", "CodeMeaning": "Schädel"}
                ],
            },
            {"RequestedProcedureID": "R2"},
        ]
    }  # fmt: skip
    for syntax in (made.EXPLICIT, made.IMPLICIT):
        assert _kept(ds, syntax=syntax) == told
    facts = read_header(made.written(ds)).series[0].facts
    assert facts["RequestAttributesSequence"] == told["RequestAttributesSequence"]


def test_what_nobody_searches_for_is_not_kept_and_what_is_kept_is_bounded() -> None:
    deep = _of(CodeValue="4")
    for word in ("ModifierCodeSequence",) * 4:
        deep = _of(CodeValue="above", **{word: [deep]})
    ds = made.dataset(
        ReferencedImageSequence=[_of(ReferencedSOPInstanceUID="1.2")], ProcedureCodeSequence=[_of()],
        RequestAttributesSequence=[_of(RequestedProcedureID=f"R{n}") for n in range(500)],
        AnatomicRegionSequence=[deep],
    )  # fmt: skip
    first = ds.RequestAttributesSequence[0]
    first.add(DataElement("RequestedProcedureID", "SH", "9" * 4000, validation_mode=0))
    kept = _kept(ds)
    assert set(kept) == {"RequestAttributesSequence", "AnatomicRegionSequence"} <= kept_keys()
    assert len(kept["RequestAttributesSequence"]) == 64
    assert kept["RequestAttributesSequence"][0] == {"RequestedProcedureID": "9" * 64}
    assert str(kept["AnatomicRegionSequence"]).count("above") == 3, "two sequences deep below the first"
