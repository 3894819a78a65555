"""A view as an address without a name, and threads on places in images."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import NotFound, Refused
from isocenter.reading.consultation import Mark, View, address, fold, remark, remarks, settle, view_of
from isocenter.record import Event, Sealed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
UID = st.from_regex(r"1\.[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){0,4}", fullmatch=True)
NUMBER = st.integers(-100_000, 100_000).map(lambda n: n / 8)


@given(
    st.builds(
        View,
        study=UID,
        series=UID | st.just(""),
        image=UID | st.just(""),
        frame=st.integers(0, 9999),
        window=st.none() | st.tuples(NUMBER, st.integers(1, 5000).map(float)),
        marks=st.lists(
            st.builds(Mark, st.integers(0, 4000).map(lambda n: n / 4), st.integers(0, 999)), max_size=20
        ).map(tuple),
    )
)
def test_an_address_gives_the_view_back_and_holds_uids_and_numbers_only(view: View) -> None:
    path, _, query = address(view).partition("?")
    assert view_of(path.removeprefix("/oversight/view/"), query) == view
    allowed = set("0123456789.,;&=-+e/?") | set("oversightviewseriesimageframewindowmarks")
    assert set(address(view)) <= allowed


@pytest.mark.parametrize(
    "query",
    [
        "window=1",
        "window=a,b",
        "window=0,0",
        "window=nan,1",
        "marks=1",
        "marks=1,inf",
        "frame=x",
        "frame=-1",
        "series=Anna",
    ],
)
def test_a_broken_address_is_refused(query: str) -> None:
    with pytest.raises(Refused):
        view_of("1.2", query)


def test_no_name_gets_into_an_address() -> None:
    for field in ("study", "series", "image"):
        with pytest.raises(Refused, match="no UID"):
            View(**{"study": "1.2", field: "PHANTOM^Anna"})
    with pytest.raises(Refused, match="marks"):
        View("1.2", marks=tuple(Mark(1, n) for n in range(21)))


def sealed(*events: Event) -> list[Sealed]:
    return [Sealed(n, "", e, "") for n, e in enumerate(events, start=7)]


def test_a_thread_from_the_question_to_its_end() -> None:
    view = View("1.2", "1.2.3", "1.2.3.4", 2, (40, 400), (Mark(12, 30.5),))
    asked = remark(view, " Is this a vessel? ", "ito", NOW)
    known = remarks(sealed(asked))
    answered = remark(view, "Yes, on the next slice it runs on.", "okafor", NOW, thread=7, known=known)
    other = remark(View("1.2"), "Poor bolus.", "lee", NOW)
    closed = settle("1.2", 7, "ito", NOW, known=known)
    threads = fold(sealed(asked, answered, other, closed))
    assert [(t["number"], t["settled"]) for t in threads] == [(9, False), (7, True)]
    first = threads[1]
    assert [(r["who"], r["words"]) for r in first["remarks"]] == [
        ("ito", "Is this a vessel?"), ("okafor", "Yes, on the next slice it runs on."), ("ito", ""),
    ]  # fmt: skip
    assert first["address"] == "/oversight/view/1.2?series=1.2.3&image=1.2.3.4&frame=2&window=40,400&marks=12,30.5"
    assert first["place"]["marks"] == [[12, 30.5]]
    again = remark(view, "And on the prior?", "lee", NOW, thread=7, known=known)
    assert not fold(sealed(asked, closed, again))[0]["settled"], "an answer opens it again"


def test_refusals() -> None:
    view = View("1.2")
    for words in ("", "  ", "x" * 4001):
        with pytest.raises(Refused, match="characters"):
            remark(view, words, "ito", NOW)
    with pytest.raises(NotFound, match="none of that name"):
        remark(view, "x", "ito", NOW, thread=3)
    with pytest.raises(NotFound):
        settle("1.2", 3, "ito", NOW, known=())
