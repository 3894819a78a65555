"""A name is read out in the scripts in which it is written, and no part of it is lost."""

from __future__ import annotations

import pytest

from isocenter.cli.screen import person
from isocenter.forms.fhir_workflow import patient
from isocenter.forms.person_name import human_names, read_out
from isocenter.record import Patient

SCRIPT = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou (山田 太郎)"),  # PS3.5, H.3.1
        ("=山田^花子", "山田 花子"), ("==やまだ^たろう", "やまだ たろう"), ("ﾔﾏﾀﾞ^ﾀﾛｳ=ﾔﾏﾀﾞ^ﾀﾛｳ", "ﾔﾏﾀﾞ, ﾀﾛｳ (ﾔﾏﾀﾞ ﾀﾛｳ)"),
        ("Hong^Gildong=洪^吉洞=홍^길동", "Hong, Gildong (洪 吉洞)"),  # PS3.5, I.2
        ("כהן^דוד", "כהן, דוד"),
        ("Adams^John Robert Quincy^^Rev.^B.A. M.Div.", "Adams, John Robert Quincy, Rev., B.A. M.Div."),
        ("^Eva", "Eva"), ("PHANTOM", "PHANTOM"), ("^^^^", ""), ("=", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_name_is_read_in_its_scripts(written: str, read: str) -> None:
    assert read_out(written) == read
    assert person(Patient("7", written)) == (f"{read} (7)" if read else "7")


def test_fhir_has_a_name_for_each_script_and_says_which() -> None:
    told = patient(Patient("7", "Yamada^Tarou=山田^太郎=やまだ^たろう"))["name"]
    assert told == human_names("Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert [(one["family"], one["given"], one["extension"]) for one in told] == [
        ("Yamada", ["Tarou"], [{"url": SCRIPT, "valueCode": "ABC"}]),
        ("山田", ["太郎"], [{"url": SCRIPT, "valueCode": "IDE"}]),
        ("やまだ", ["たろう"], [{"url": SCRIPT, "valueCode": "SYL"}]),
    ]
    assert patient(Patient("7", "=山田^花子"))["name"][0]["family"] == "山田"
    assert human_names("Adams^John^^Rev.^B.A.") == [
        {"family": "Adams", "given": ["John"], "prefix": ["Rev."], "suffix": ["B.A."]}
    ]
    assert "name" not in patient(Patient("7", "^"))
