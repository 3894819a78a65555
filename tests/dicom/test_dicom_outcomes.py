"""What is remembered of a header changes nothing of what is written, and is not remembered for another patient."""

from __future__ import annotations

import gc

import made
import numpy as np

from isocenter.dicom import outcomes as kept
from isocenter.dicom.confidentiality import RESEARCH, Option
from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.outcomes import Outcome, Outcomes, outcomes
from isocenter.dicom.pseudonyms import Pseudonyms

SECRET = b"s" * 32


def scan(name: str, number: int, overlay: str = "R", signed: int = 0) -> bytes:
    """A slice of somebody, described by a word that is the name of another."""
    ds = made.dataset(number, pixels=np.full((8, 8), number, np.uint16))
    ds.PatientName, ds.PatientID, ds.StudyDescription = f"{name}^Anna", f"MRN-{name}", "MR knee"
    ds.add_new(0x60000010, "US", 8)
    ds.add_new(0x60000011, "US", 8)
    ds.add_new(0x60000040, "CS", overlay)
    ds.add_new(0x60003000, "OW", b"\x55" * 8)
    ds.PixelRepresentation = signed
    ds.add_new(0x00280106, "SS" if signed else "US", 3)
    return made.written(ds)


def test_an_object_is_written_the_same_whatever_came_before_it() -> None:
    options = RESEARCH | {Option.GRAPHICS}
    by = Pseudonyms(SECRET)
    given = [
        scan(name, n, overlay, signed)
        for n in (1, 2)
        for name in ("Knee", "Quaxelberg", "Petersen", "Alpha", "Beta", "Gamma")
        for overlay, signed in (("R", 0), ("G", 0), ("R", 1))
    ]
    for data in given + given[::-1]:
        held, fresh = (deidentify(data, by=one, options=options) for one in (by, Pseudonyms(SECRET)))
        assert (held.data, held.done, held.names) == (fresh.data, fresh.done, fresh.names)
    copies = [deidentify(scan(name, 1), by=by).data for name in ("Knee", "Quaxelberg")]
    assert [made.pydicom.dcmread(made.io.BytesIO(c)).StudyDescription for c in copies] == ["MR", "MR knee"]


def private(creator: str, length: str, names: int = 1) -> bytes:
    """A slice with private attributes: one that was reviewed as a number, beside others."""
    ds = made.dataset(1, pixels=np.zeros((8, 8), np.uint16))
    block = ds.private_block(0x00E1, creator, create=True)
    block.add_new(0x21, "LO", length)
    for n in range(names):
        block.add_new(0x60 + n, "PN", "Vexmor^Zarah")
    return made.written(ds)


def test_private_attributes_are_judged_by_their_own_values_and_creators_whatever_the_slice_before_had() -> None:
    said = [("ELSCINT1", "12.5"), ("ELSCINT1", "Vexmor"), ("VEXMOR", "12.5"), ("ELSCINT1", "13.5")]
    by = Pseudonyms(SECRET)
    copies = [deidentify(private(*one), by=by) for one in said]
    kept_there = [(0x00E11021 in made.pydicom.dcmread(made.io.BytesIO(c.data))) for c in copies]
    assert kept_there == [True, False, False, True]
    assert not any(b"vexmor" in c.data.lower() for c in copies)
    there, refused, of_nobody, again = (
        {(name, what): n for (name, what, _), n in c.done.items() if name.startswith("private")} for c in copies
    )
    reviewed, name = "private (00E1,xx21)", ("private (00E1,xx60)", "removed")
    assert there == again == {(f"{reviewed} ELSCINT1", "kept"): 1, name: 1}
    assert refused == of_nobody == {(reviewed, "removed"): 1, name: 1}
    more = deidentify(private("ELSCINT1", "12.5", names=2), by=by)
    assert more.done["private (00E1,xx61)", "removed", "private and not reviewed"] == 1


def test_it_is_bounded_and_goes_with_its_secret() -> None:
    one = Outcomes()
    for n in range(3000):
        one.keep((n, "LO", b"x" * 2000), Outcome(b"y", ()))
    assert sum(one.find((n, "LO", b"x" * 2000)) is not None for n in range(3000)) < 2500
    by = Pseudonyms(SECRET)
    first = outcomes(by, "rule 0")
    assert outcomes(by, "rule 0") is first and outcomes(Pseudonyms(SECRET), "rule 0") is not first
    for n in range(1, 6):
        outcomes(by, f"rule {n}")
    assert outcomes(by, "rule 0") is not first, "four others came since"
    before = len(kept._held)
    del by
    gc.collect()
    assert len(kept._held) < before
