"""What a reader writes is held against what was measured, and the place in the sentence is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from forms_samples import STUDY_UID, ball, finding, result
from hypothesis import given
from hypothesis import strategies as st

from isocenter.forms.doubts import doubts
from isocenter.forms.text import Sentence, draft
from isocenter.record import Measurement, Patient, Study, Verdict, codes
from isocenter.space import Geometry

TIED = (f"{STUDY_UID}.a",)


@pytest.mark.parametrize(
    ("words_of_reader", "wrong"),
    [
        ("The lesion measures 34 mm.", ""),
        ("The lesion measures 3.4 cm.", ""),
        ("The lesion measures 34.0 mm with SUVmax 21.7.", ""),
        ("SUV of 21.68, volume 3.2 ml, certainty 93 %.", ""),
        ("The lesion measures 43 mm.", "43 mm is not what was measured (measured: 34)"),
        ("The lesion measures 3.5 cm.", "3.5 cm is not what was measured (measured: 3.4)"),
        ("SUVmax 12.7.", "SUV 12.7 is not what was measured (measured: 21.7)"),
        ("It enhances by 40 HU.", "40 HU is not what was measured (measured: none)"),
        ("A lesion of the right lung.", "'right' is not the side of the finding (left)"),
        ("A lesion of the left lung, seen since 2019, image 12.", ""),
        ("2 lesions, the larger 34 mm.", ""),
    ],
)
def test_a_readers_words_are_held_against_the_numbers(words_of_reader: str, wrong: str) -> None:
    told = doubts(Sentence("x", "Findings", words_of_reader, False, TIED), [finding()])
    assert [d.what for d in told] == ([wrong] if wrong else [])


def test_a_side_that_only_the_name_of_the_segment_says_is_held_against_too(axial: Geometry) -> None:
    where = ball(axial, label="Lesion 1 (right lung)")
    right = finding(laterality=None, site=None, where=where)
    told = doubts(Sentence("x", "Findings", "A nodule of the left lung.", False, TIED), [right])
    assert [d.what for d in told] == ["'left' is not the side of the finding (right)"]
    both = replace(right, where=replace(where, label="right lung, left of the spine"))
    assert doubts(Sentence("x", "Findings", "A nodule of the left lung.", False, TIED), [both]) == ()


def test_a_number_of_a_definition_is_no_measurement() -> None:
    one = finding(measurements=(Measurement(codes.MTV, 18.8, "mL", definition="41 % of SUVmax"),))
    assert doubts(Sentence("x", "Findings", "MTV 18.8 mL (41 % of SUVmax).", False, TIED), [one]) == ()
    assert doubts(Sentence("x", "Findings", "MTV 18.8 mL (50 % of SUVmax).", False, TIED), [one])


def test_a_struck_finding_that_is_still_mentioned_is_seen() -> None:
    struck = finding(verdict=Verdict.STRUCK, reason="artefact")
    (told,) = doubts(Sentence("x", "Findings", "Lesion.", False, TIED), [struck])
    assert "was struck (artefact)" in told.what and (told.start, told.end) == (0, 7), "the whole sentence"


def test_every_sentence_of_a_draft_agrees_with_its_findings() -> None:
    @given(
        st.lists(
            st.tuples(
                st.floats(0.001, 1e5), st.sampled_from(("mm", "cm", "mL", "%", "{SUVbw}g/ml", "[hnsf'U]", "mm3", "cm2"))
            ),
            min_size=1,
            max_size=4,
        ),
        st.sampled_from((codes.LEFT, codes.RIGHT, codes.BOTH, None)),
    )
    def holds(numbers: list[tuple[float, str]], side: object) -> None:
        one = finding(
            measurements=tuple(Measurement(codes.VOLUME, v, u) for v, u in numbers), laterality=side, certainty=0.5
        )
        for sentence in draft(Study(STUDY_UID, Patient("P1")), [result(one)]):
            assert doubts(sentence, [one]) == ()

    holds()


def test_the_characters_that_are_doubted_are_named() -> None:
    text = "On the right a lesion of 43 mm, SUV 12.7 (blank: [side]), see [1]."
    told = doubts(Sentence("x", "Findings", text, False, TIED), [finding()])
    assert [text[d.start : d.end] for d in told] == ["right", "43 mm", "SUV 12.7", "[side]"]
    assert told[-1].what == "the blank [side] is not filled in"


def test_a_number_is_of_a_measurement_only_where_findings_are_told() -> None:
    said = "Contrast: 100 mL."
    assert doubts(Sentence("x", "Technique", said, False), [finding()]) == ()
    assert doubts(Sentence("x", "Impression", said, False), [finding()])


def test_a_number_of_the_whole_study_is_measured_too_and_a_list_of_hundreds_is_cut_short() -> None:
    total = Measurement(codes.VOLUME, 32.6, "mL", definition="41 % of SUVmax, all lesions")
    said = Sentence("own", "Findings", "Metabolic volume 32.6 mL (41 % of SUVmax).", machine=False)
    assert doubts(said, [finding()], [total]) == ()
    assert doubts(said, [finding()])[0].what.startswith("32.6 mL is not what was measured")
    tied = Sentence("tied", "Findings", "It measures 32.6 mL.", machine=False, findings=(finding().tracking,))
    assert doubts(tied, [finding()], [total]), "what is said of one lesion is held against that one"
    many = tuple(Measurement(codes.VOLUME, float(n), "mL") for n in range(100, 150))
    cut = doubts(said, [replace(finding(), measurements=many)])[0]
    assert cut.what.endswith("111.0, …)")
    assert doubts(said, [replace(finding(), measurements=many, research=True)])[0].what.endswith("(measured: none)")
