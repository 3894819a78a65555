"""A rejection note: the DICOM object by which images are taken out of use without being deleted (IHE IOCM).

It is a Key Object Selection document whose title says why: 113001 quality, 113037 safety of the patient, 113038 wrong
worklist entry, 113039 end of the time for which it is kept (PS3.16 CID 7011). Other archives that hear it hide the
images, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from isocenter.errors import Refused
from isocenter.forms import maker
from isocenter.forms.maker import Sources
from isocenter.record import Study

__all__ = ["CODES", "KEY_OBJECTS", "Note", "read", "write"]

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
"""SOP Class UID of Key Object Selection Document Storage."""

CODES = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}
"""Code of DCM to why images are rejected."""


@dataclass(frozen=True)
class Note:
    """What a rejection note says.

    Args:
        code: one of `CODES`.
        study_uid: the study whose images are rejected.
        instances: their SOP Instance UIDs.
        sop_uid: of the note itself.
        words: the description that its writer gave.
    """

    code: str
    study_uid: str
    instances: tuple[str, ...]
    sop_uid: str
    words: str = ""


def write(
    study: Study, instances: Sequence[str], code: str, sources: Sources, *, words: str, by: str, when: datetime
) -> bytes:
    """The rejection note for some images of a study.

    Args:
        instances: SOP Instance UIDs, all of this study.
        code: one of `CODES`.
        words: why, in the words of whoever rejects.
        by: their name.

    Raises:
        Refused: no image, one of another study, or a code that rejects nothing.
    """
    from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
    from highdicom.sr import ObserverContext, PersonObserverIdentifyingAttributes
    from pydicom.sr.codedict import codes as coded
    from pydicom.sr.coding import Code

    if code not in CODES:
        raise Refused(f"the code '{code:.20}'", f"a rejection says one of {', '.join(CODES)}", "choose one of them")
    held = {i.sop_uid for s in study.series for i in s.instances}
    strange = [uid for uid in instances if uid not in held]
    if strange or not instances:
        what = f"instance {strange[0]:.64}" if strange else "a rejection of nothing"
        raise Refused(what, f"it is not of study {study.uid}" if strange else "it names no image", "name its images")
    images = maker.headers(sources, instances)
    observer = ObserverContext(coded.DCM.Person, PersonObserverIdentifyingAttributes(maker.person_name(by)))
    content = KeyObjectSelection(
        Code(code, "DCM", CODES[code]), images, observer_person_context=observer, description=words or None
    )
    uid = maker.uid(study.uid, "rejection", code, *sorted(instances), by, when.isoformat())
    note = KeyObjectSelectionDocument(
        images, content, maker.uid(uid, "series"), 9000, uid, 1, **maker.equipment()
    )  # fmt: skip
    maker.settle(note, when)
    return maker.dump(note)


def read(data: bytes) -> Note | None:
    """What a key object document rejects; None where its title says something else.

    Raises:
        Refused: it cannot be read, or names images of several studies.
    """
    with maker.reading("a key object selection"):
        found = maker.load(data, pixels=False)
        title = found.ConceptNameCodeSequence[0] if found.get("ConceptNameCodeSequence") else None
        if title is None or title.get("CodingSchemeDesignator") != "DCM" or title.get("CodeValue") not in CODES:
            return None
        studies = {str(s.StudyInstanceUID) for s in found.get("CurrentRequestedProcedureEvidenceSequence", ())}
        named = [
            str(one.ReferencedSOPInstanceUID)
            for study in found.get("CurrentRequestedProcedureEvidenceSequence", ())
            for series in study.get("ReferencedSeriesSequence", ())
            for one in series.get("ReferencedSOPSequence", ())
        ]
        words = [str(item.TextValue) for item in found.get("ContentSequence", ()) if item.get("ValueType") == "TEXT"]
        uid = str(found.SOPInstanceUID)
    if len(studies) != 1 or not named:
        raise Refused(
            f"a rejection of {len(named)} images of {len(studies)} studies",
            "a note rejects images of one",
            "reject those of each study by themselves",
        )
    return Note(str(title.CodeValue), studies.pop(), tuple(dict.fromkeys(named)), uid, words[0] if words else "")
