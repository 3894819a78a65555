from __future__ import annotations

from collections.abc import Callable

import pytest
from shelf_for_doors import READER, Shelf

from isocenter.doors import dicomweb_store
from isocenter.doors.dicomweb_store import Storing
from isocenter.errors import Forbidden, LimitReached, NotWhole, Unavailable
from isocenter.govern.policy import NOBODY

_STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"


def _storing(shelf: Shelf, study: str | None = None) -> Storing:
    return Storing(shelf, READER, "reader", "http://x", study)


def test_all_stored(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    storing = _storing(shelf, _STUDY)
    storing.add(sample("CT_small.dcm"))
    storing.keep(storing.batch())
    answer = storing.answer()
    assert storing.status == 200
    assert answer["00081190"]["Value"] == [f"http://x/studies/{_STUDY}"]
    (item,) = answer["00081199"]["Value"]
    assert item["00081190"]["Value"][0].startswith(f"http://x/studies/{_STUDY}/series/")
    assert "00081198" not in answer


def test_each_failure_has_its_reason(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    storing = _storing(shelf)
    ct = sample("CT_small.dcm")
    cut = sample("MR_small.dcm")[:-500]
    for data in (ct, ct.replace(b"CompressedSamples^CT1", b"CompressedSamples^CT2"), cut, b"nothing"):
        storing.add(data)
    storing.keep(storing.batch())
    answer = storing.answer()
    assert storing.status == 202
    reasons = [item["00081197"]["Value"][0] for item in answer["00081198"]["Value"]]
    assert sorted(reasons) == [0x0111, 0xC000]
    assert all(item["00000902"]["Value"][0] for item in answer["00081198"]["Value"])
    assert answer["0008119A"]["Value"][0]["00081197"]["Value"] == [0xC000]


def test_of_each_failure_it_is_told_which_part_it_was_and_the_whole_reason(
    shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    storing = _storing(shelf)
    ct = sample("CT_small.dcm")
    parts = [b"nothing", ct, sample("MR_small.dcm")[:-500], ct.replace(b"Samples^CT1", b"Samples^CT2")]
    for batch in (parts[:2], parts[2:]):  # numbered through the whole request
        for data in batch:
            storing.add(data)
        storing.keep(storing.batch())
    answer = storing.answer()
    assert [item["00991001"]["Value"][0] for item in answer["0008119A"]["Value"]] == [1]
    failed = answer["00081198"]["Value"]
    assert [item["00991001"]["Value"][0] for item in failed] == [3, 4]
    for item in failed:
        whole, short = item["00991002"]["Value"][0], item["00000902"]["Value"][0]
        assert item["00990010"]["Value"] == ["ISOCENTER"] and whole.startswith(short[:20]) and len(whole) >= len(short)
    assert failed[0]["00991002"]["Value"][0].endswith("Send it again."), "what to do is not cut off"


def test_an_instance_of_another_study_is_not_even_offered(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    storing = _storing(shelf, "1.2.3")
    storing.add(sample("CT_small.dcm"))
    storing.keep(storing.batch())
    assert storing.status == 409 and not shelf.files
    assert storing.answer()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]


@pytest.mark.parametrize("error", [Unavailable("the disk is full"), LimitReached("too much")])
def test_no_room(shelf: Shelf, sample: Callable[[str], bytes], error: Exception) -> None:
    shelf.failure = error
    storing = _storing(shelf)
    storing.add(sample("CT_small.dcm"))
    storing.keep(storing.batch())
    assert storing.status == 507
    assert storing.answer()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA700]


def test_who_may_not_store(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    storing = Storing(shelf, NOBODY, "", "http://x", None)
    storing.add(sample("CT_small.dcm"))
    with pytest.raises(Forbidden):
        storing.keep(storing.batch())


def test_a_batch_is_full_by_number_and_by_size(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    storing = _storing(shelf)
    assert [storing.add(b"x") for _ in range(dicomweb_store.BATCH_FILES)] == [False] * (
        dicomweb_store.BATCH_FILES - 1
    ) + [True]
    storing.keep(storing.batch())
    monkeypatch.setattr(dicomweb_store, "BATCH_BYTES", 10)
    assert storing.add(b"x" * 10)


def test_a_broken_body_is_a_failure_without_a_name(shelf: Shelf) -> None:
    storing = _storing(shelf)
    storing.refuse(NotWhole("cut"))
    assert storing.status == 409 and "0008119A" in storing.answer()


def test_a_body_of_refusals_is_read_no_further(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    storing = _storing(shelf)
    storing.add(sample("CT_small.dcm"))
    for _ in range(dicomweb_store.MOST_REFUSED - 1):
        storing.add(b"")
    storing.keep(storing.batch())
    storing.must_be_worth()
    storing.add(b"")
    storing.keep(storing.batch())
    with pytest.raises(LimitReached, match="hardly any image"):
        storing.must_be_worth()
