"""The sex that a header states, as formulae and limits ask for it."""

from __future__ import annotations

__all__ = ["sex_stated"]

_WRITTEN_OUT = {"MALE": "M", "FEMALE": "F"}


def sex_stated(patient_sex: object) -> str:
    """``M`` or ``F`` of a Patient's Sex; whatever else it says as it is, which no formula takes.

    The standard knows M, F and O (PS3.3 C.7.1.1); some systems write the word.

    >>> sex_stated("F "), sex_stated("Female"), sex_stated("O"), sex_stated(None)
    ('F', 'F', 'O', '')
    """
    said = "" if patient_sex is None else str(patient_sex).strip().upper()
    return _WRITTEN_OUT.get(said, said)
