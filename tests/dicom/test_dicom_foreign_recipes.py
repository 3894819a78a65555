"""Recipes of deid and CTP: what is taken over is done, and every other line is refused with its number and reason."""

from __future__ import annotations

import io
import pickle

import made
import numpy as np
import pydicom
import pytest

from isocenter.dicom.deidentify import HeldBack, deidentify
from isocenter.dicom.elements import parse
from isocenter.dicom.foreign_recipes import recipe_of
from isocenter.dicom.pixels import frames
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.recipe_wishes import Recipe
from isocenter.errors import Refused

BY = Pseudonyms(b"r" * 32)

DEID = b"""FORMAT dicom

%filter graylist
LABEL top of the scanner # somebody
  contains Manufacturer ACME|OTHER
  + equals Rows 64 || equals Rows 32
  ctpcoordinates 2,1,20,5
  coordinates 40,50,999,60

LABEL never
  contains Modality MR + notcontains Manufacturer ACME
  coordinates 0,0,64,64

LABEL broken
  resembles Modality DX
  coordinates 0,0,64,64

%filter blacklist
LABEL dose pages
  contains SeriesDescription dose
  + present Manufacturer

%filter whitelist
LABEL clean ones
  contains Modality DX

%header
KEEP StudyDescription
BLANK Manufacturer
REMOVE (0018,5101)
KEEP PatientName
REMOVE Rows
REPLACE PatientID nobody
REMOVE ALL
KEEP NoSuchThing
"""

CTP_PIXELS = b"""Notes before
 A machine
  { [0008,0070].containsIgnoreCase("acme") *
    ( Rows.equals("64") + Rows.equals("32") ) * !Modality.equals("MR") }
  (2,1,20,5) (40,50,959,10)
 { Manufacturer.matches("A.*") } (0,0,9,9)
 { Modality.equals("DX") } (0,0,64,64)
 { Modality.equals("DX") }
"""

CTP = b"""<?xml version="1.0"?>
<script>
 <p t="UIDROOT">1.2.3</p>
 <e en="T" t="00081030" n="StudyDescription">@keep()</e>
 <e en="T" t="00080070" n="Manufacturer">@empty()</e>
 <e en="T" t="00185101" n="ViewPosition">@remove()</e>
 <e en="F" t="00100010" n="PatientName">@keep()</e>
 <e en="T" t="00080018" n="SOPInstanceUID">@hashuid(@UIDROOT,this)</e>
 <e en="T" t="00100020" n="PatientID">@param(@ID)</e>
 <k en="T" t="0018">Keep group 0018</k>
 <r en="T" t="curves">Remove curves</r>
</script>
"""


def image(maker: str = "ACME", series: str = "") -> bytes:
    pixels = (np.arange(64 * 64).reshape(64, 64) % 97 + 100).astype(np.uint16)
    ds = pydicom.dcmread(io.BytesIO(made.made(sop_class=made.DX, modality="DX", pixels=pixels)))
    ds.Manufacturer, ds.StudyDescription, ds.ViewPosition = maker, "Study of the alpha ward", "AP"
    ds.SeriesDescription = series
    held = io.BytesIO()
    ds.save_as(held)
    return held.getvalue()


def cleaned(data: bytes, recipe: Recipe) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(deidentify(data, by=BY, recipe=recipe, reviewed=True).data))


@pytest.mark.parametrize("words", [DEID, CTP_PIXELS], ids=["deid", "ctp"])
def test_places_are_blanked_where_the_header_fits_and_nowhere_else(words: bytes) -> None:
    recipe = pickle.loads(pickle.dumps(recipe_of(words)))
    assert recipe.boxes(parse(image())) == ((-1, 1, 2, 6, 22), (-1, 50, 40, 60, 64))
    copy, before = cleaned(image(), recipe), frames(image())[0]
    after = copy.pixel_array
    blanked = np.zeros((64, 64), bool)
    blanked[1:6, 2:22] = blanked[50:60, 40:] = True
    assert np.array_equal(after[~blanked], before[~blanked]) and len(np.unique(after[blanked])) == 1
    assert "113101" in [c.CodeValue for c in copy.DeidentificationMethodCodeSequence]
    if words is DEID:
        assert recipe.boxes(parse(image("FOREIGN"))) == ()
    else:
        assert recipe.boxes(parse(image("FOREIGN"))) == ((-1, 0, 0, 64, 64),), "of CTP the first that fits"


@pytest.mark.parametrize("words", [DEID, CTP], ids=["deid", "ctp"])
def test_attributes_are_kept_emptied_and_removed_and_nobody_stays_named(words: bytes) -> None:
    copy, plain = cleaned(image(), recipe_of(words)), cleaned(image(), Recipe(b"", recipe_of, "none"))
    assert copy.StudyDescription == "Study of the alpha ward" != plain.StudyDescription
    assert copy.Manufacturer == "" and plain.Manufacturer == "ACME"
    assert "ViewPosition" not in copy and plain.ViewPosition == "AP"
    assert copy.PatientName == plain.PatientName and copy.PatientID == plain.PatientID
    assert copy.SOPInstanceUID == plain.SOPInstanceUID and copy.Rows == 64


def test_each_line_that_is_not_taken_over_has_its_number_and_reason() -> None:
    told = {x.number: x.why for x in recipe_of(DEID).refused}
    lines = DEID.decode().splitlines()
    assert {lines[n - 1].strip().split(" ", 1)[0] for n in told} == {
        "resembles", "LABEL", "KEEP", "REMOVE", "REPLACE",
    }  # fmt: skip
    by_words = {lines[n - 1].strip(): why for n, why in told.items()}
    assert "resembles is not known" in by_words["resembles Modality DX"] and "not asked" in by_words["LABEL broken"]
    assert "searched" in by_words["LABEL clean ones"] and "pseudonym" in by_words["KEEP PatientName"]
    assert "cannot be read" in by_words["REMOVE Rows"] and "one by one" in by_words["REMOVE ALL"]
    assert "no attribute" in by_words["KEEP NoSuchThing"] and "pseudonym" in by_words["REPLACE PatientID nobody"]
    ctp = {x.number: x.why for x in recipe_of(CTP).refused}
    assert sorted(ctp) == [9, 10] and "made here" in ctp[9] and "as a whole" in ctp[10] and recipe_of(CTP).taken == 5
    pixels = {x.number: x.why for x in recipe_of(CTP_PIXELS).refused}
    assert sorted(pixels) == [6, 8] and "matches is not taken over" in pixels[6] and "no region" in pixels[8]


WRITES_DEID = b"""FORMAT dicom
%header
REPLACE InstitutionName Trial 7
REPLACE StationName var:station
REPLACE ReferringPhysicianName Somebody^Else
REPLACE StudyDate 20000101
REPLACE PatientSex O
REPLACE PatientID nobody
REPLACE Rows 5
REPLACE Modality CT
REPLACE StudyID more-than-sixteen-letters
REPLACE InstitutionalDepartmentName two\\words
REPLACE ScanningSequence SHARP
REPLACE NoSuchThing x
REMOVE InstitutionAddress
REPLACE InstitutionAddress Elsewhere
REPLACE RequestingService none
KEEP RequestingService
"""

WRITES_CTP = b"""<script>
 <p t="SITE">Trial 7</p>
 <e en="T" t="00080080" n="InstitutionName">@param(@SITE)</e>
 <e en="T" t="00080090" n="ReferringPhysicianName">Somebody^Else</e>
 <e en="T" t="00080081" n="InstitutionAddress">Elsewhere</e>
 <e en="T" t="00081010" n="StationName">@param(@NOTHING)</e>
 <e en="T" t="00081040" n="InstitutionalDepartmentName">@always()x</e>
 <e en="T" t="00080020" n="StudyDate">20000101</e>
 <e en="T" t="00100020" n="PatientID">nobody</e>
</script>
"""


@pytest.mark.parametrize("words", [WRITES_DEID, WRITES_CTP], ids=["deid", "ctp"])
def test_a_constant_stands_where_the_profile_takes_the_value_away_and_nowhere_else(words: bytes) -> None:
    ds = pydicom.dcmread(io.BytesIO(image()))
    ds.InstitutionName, ds.ReferringPhysicianName, ds.StationName = "Quxley Hospital", "Quxley^Ann", "QUXLEY1"
    ds.InstitutionalDepartmentName, ds.StudyDate, ds.PatientSex = "Quxley ward", "20260102", "F"
    within = pydicom.Dataset()
    within.InstitutionName = "Quxley Hospital"
    ds.RequestAttributesSequence = [within]
    held = io.BytesIO()
    ds.save_as(held)
    recipe = pickle.loads(pickle.dumps(recipe_of(words)))
    copy, plain = cleaned(held.getvalue(), recipe), cleaned(held.getvalue(), Recipe(b"", recipe_of, "none"))
    assert copy.InstitutionName == "Trial 7" and copy.ReferringPhysicianName == "Somebody^Else"
    assert "InstitutionAddress" not in copy, "what an object has not, nobody gives it"
    for kept in ("PatientName", "PatientID", "PatientSex", "StudyDate", "Rows", "Modality", "StationName"):
        assert copy.get(kept) == plain.get(kept), kept
    assert b"Quxley" not in deidentify(held.getvalue(), by=BY, recipe=recipe, reviewed=True).data
    assert recipe.write["InstitutionAddress"] == "Elsewhere" and recipe.report()["lines_taken"] == recipe.taken


def test_a_constant_that_would_say_what_is_not_so_is_refused_by_line() -> None:
    recipe = recipe_of(WRITES_DEID)
    lines = WRITES_DEID.decode().splitlines()
    why = {lines[x.number - 1].split()[1]: x.why for x in recipe.refused}
    assert set(why) == {
        "StationName", "StudyDate", "PatientSex", "PatientID", "Rows", "Modality", "StudyID",
        "InstitutionalDepartmentName", "ScanningSequence", "NoSuchThing",
    }  # fmt: skip
    assert "lets it stay" in why["ScanningSequence"]
    for name, words in (
        ("StudyDate", "intervals stay"), ("PatientSex", "of every patient"), ("PatientID", "pseudonym"),
        ("Rows", "cannot be read"), ("Modality", "cannot be read"), ("StudyID", "kind SH"),
        ("NoSuchThing", "no attribute"), ("InstitutionalDepartmentName", "kind LO"), ("StationName", "made here"),
    ):  # fmt: skip
        assert words in why[name], (name, why[name])
    assert "RequestingService" in recipe.keep and "RequestingService" not in recipe.write, "the last line counts"
    assert "InstitutionAddress" not in recipe.remove
    ctp = recipe_of(WRITES_CTP)
    assert [x.number for x in ctp.refused] == [6, 7, 8, 9] and "made here" in ctp.refused[0].why


def test_what_a_recipe_flags_waits_for_a_person_and_what_is_no_recipe_is_refused() -> None:
    with pytest.raises(HeldBack, match="the recipe flags it: dose pages"):
        deidentify(image(series="Dose page"), by=BY, recipe=recipe_of(DEID))
    for words, why in (
        (b"hello", "of no known kind"), (b"<script><e", "no XML"), (b" " * (5 << 20), "bytes"),
        (b'<?xml version="1.0"?><!DOCTYPE script [<!ENTITY a "b">]><script>&a;</script>', "no known kind|entities"),
        (b'<script><!DOCTYPE s></script>', "entities|no XML"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=why):
            recipe_of(words)
