"""The sum comes out exact, nothing else does, and a site keeps its conditions whatever the coordinator says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from isocenter.errors import Forbidden, NotWhole, Refused
from isocenter.learn.secure_sum import Member, Words, fixed, floating, joined, shared_out, sum_of, threshold

NAMES = ("a", "b", "c", "d", "e")


def _all_sign(site: str, certificate: str, said: bytes, signature: bytes) -> None:
    if signature != site.encode():
        raise Forbidden("not signed")


def _members(names: tuple[str, ...] = NAMES) -> tuple[dict[str, Member], dict[str, dict[str, str]]]:
    members = {n: Member.new("run|1", n, 3) for n in names}
    return members, {n: m.offer("", lambda said, n=n: n.encode()) for n, m in members.items()}


def _hidden(
    members: dict[str, Member], offers: dict[str, dict[str, str]], values: dict[str, Words], dealers: str
) -> tuple[dict[str, Words], dict[str, dict[str, str]]]:
    sealed = {n: members[n].deal(offers, _all_sign) for n in dealers}
    dealt = {n: {p: sealed[p][n] for p in dealers} for n in dealers}
    return {n: members[n].hide(values[n], dealt[n]) for n in dealers}, dealt


@pytest.mark.parametrize(("dealers", "survivors"), [("abcde", "abcde"), ("abcd", "acd"), ("abcde", "bde")])
def test_the_sum_of_the_survivors_is_exact_whoever_is_lost(dealers: str, survivors: str) -> None:
    members, offers = _members()
    rng = np.random.default_rng(0)
    values = {n: rng.integers(0, 2**64, 501, dtype=np.uint64) for n in NAMES}
    hidden, _ = _hidden(members, offers, values, dealers)
    given = {n: members[n].reveal(survivors) for n in survivors}
    total = sum_of({n: hidden[n] for n in survivors}, offers, dealers, given, 3)
    assert np.array_equal(total, sum((values[n] for n in survivors), np.zeros(501, np.uint64)))
    for n in survivors:  # what travels looks like chance: as many ones as noughts, and nothing of the values
        bits = np.unpackbits((hidden[n] - values[n]).view(np.uint8))
        assert abs(bits.mean() - 0.5) < 0.01
    two = "".join(survivors[:2])
    with pytest.raises(Refused, match="shares"):
        sum_of({n: hidden[n] for n in survivors}, offers, dealers, {n: given[n] for n in two}, 3)


def test_a_site_asks_for_enough_sites_and_tells_one_sum_only() -> None:
    members, offers = _members()
    values = {n: fixed(np.ones(4), 5) for n in NAMES}
    with pytest.raises(Refused, match="sum of 2 sites"):
        members["a"].deal({n: offers[n] for n in "ab"}, _all_sign)
    _, dealt = _hidden(members, offers, values, "abcde")
    with pytest.raises(Refused, match="another list of sites"):
        members["a"].hide(values["a"], {n: dealt["a"][n] for n in "abc"})
    with pytest.raises(Refused, match="sum of 2 sites"):
        members["a"].reveal("ab")
    members["a"].reveal("abcd")
    assert members["a"].reveal("abcd")["e"][0] == "key"
    with pytest.raises(Refused, match="another list of survivors"):
        members["a"].reveal("abc")
    assert members["a"].deal(offers, _all_sign) == members["a"].sealed  # an answer that was lost, once more
    with pytest.raises(Refused, match="second list of keys"):
        members["a"].deal({n: offers[n] for n in "abcd"}, _all_sign)
    with pytest.raises(Refused, match="at least 1 sites"):
        Member.new("run|1", "a", 1)


def test_two_stories_told_to_two_halves_free_no_second_sum() -> None:
    """A coordinator who tells some sites that d was lost, and others that it was not, gets neither of its secrets."""
    members, offers = _members()
    values = {n: fixed(np.ones(4), 5) for n in NAMES}
    hidden, _ = _hidden(members, offers, values, "abcde")
    given = {n: members[n].reveal("abce") for n in "ab"} | {n: members[n].reveal("abcde") for n in "ce"}
    for survivors in ("abce", "abcde"):
        with pytest.raises(Refused, match="shares"):
            sum_of({n: hidden[n] for n in survivors}, offers, "abcde", given, 3)


def test_keys_that_a_site_did_not_sign_and_shares_that_were_changed_are_refused() -> None:
    members, offers = _members()
    false = {**offers, "c": {**offers["c"], "mask": offers["d"]["mask"]}}
    with pytest.raises(Refused, match="two sites with one key"):
        members["a"].deal(false, _all_sign)
    with pytest.raises(Forbidden, match="not signed"):
        members["a"].deal({**offers, "c": {**offers["c"], "signature": b"d".hex()}}, _all_sign)
    with pytest.raises(Forbidden, match="another key"):
        other = Member.new("run|1", "a", 3)
        other.deal(offers, _all_sign)
    _, dealt = _hidden(members, offers, {n: fixed(np.ones(2), 5) for n in NAMES}, "abcde")
    spoilt = members["b"].dealt["c"]
    members["b"].dealt["c"] = spoilt[:-2] + ("00" if spoilt[-2:] != "00" else "01")
    with pytest.raises(NotWhole, match="shares of c"):
        members["b"].reveal("abcde")
    assert dealt["a"]


def test_a_site_that_was_killed_goes_on_with_the_same_masks() -> None:
    members, offers = _members()
    values = {n: fixed(np.full(3, float(i)), 5) for i, n in enumerate(NAMES)}
    hidden, dealt = _hidden(members, offers, values, "abcde")
    again = Member.taken_up(members["a"].kept())
    assert np.array_equal(again.hide(values["a"], dealt["a"]), hidden["a"])
    assert again.reveal("abcde") == members["a"].reveal("abcde")


def test_fewer_shares_than_enough_tell_nothing_and_any_enough_tell_all() -> None:
    secret = bytes(range(32))
    shares = shared_out(secret, NAMES, 3)
    assert all(joined(some, 3) == secret for some in itertools.combinations(shares.values(), 3))
    with pytest.raises(Refused, match="2 shares of 3"):
        joined(list(shares.values())[:2], 3)
    with pytest.raises(Refused):
        joined(["1:ff", "2:0f", "3:f0"], 3, length=1)
    with pytest.raises(Refused, match="a share that is none"):
        joined(["x"], 1)
    assert [threshold(n, 3) for n in (3, 4, 5, 7, 10)] == [3, 3, 3, 4, 6]


def test_numbers_survive_the_fixed_point_and_too_large_ones_are_refused() -> None:
    values = np.random.default_rng(0).normal(0, 100, 1000)
    assert np.abs(floating(fixed(values, 5)) - values).max() <= 2.0**-31
    for bad in (np.array([np.nan]), np.array([np.inf]), np.array([2.0**31])):
        with pytest.raises(Refused):
            fixed(bad, 5)
