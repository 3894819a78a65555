"""Passwords: what opens, what is guessed first and refused, whatever was put around it."""

from __future__ import annotations

import threading

import pytest

from isocenter.errors import Refused
from isocenter.govern import passwords
from isocenter.govern.passwords import SHORTEST, fits, hash_password, leaked, words_in

pytestmark = pytest.mark.usefixtures("true_cost")


def test_a_password_costs_what_the_second_profile_of_rfc_9106_says_also_where_there_is_no_account() -> None:
    """Three passes over 64 MiB in four lanes (RFC 9106, section 4)."""
    credential = hash_password("the lung is a sponge")
    for kept in (credential, passwords._nobodys_credential()):
        assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_fits_only_its_own_credential() -> None:
    credential = hash_password("the lung is a sponge")
    assert credential.startswith("$argon2id$")
    assert "sponge" not in credential
    assert fits(credential, "the lung is a sponge")
    assert not fits(credential, "the lung is a stone")
    assert hash_password("the lung is a sponge") != credential, "each has its own salt"


@pytest.mark.parametrize("credential", [None, "", "not a hash"])
def test_no_account_no_password_and_a_broken_credential_never_fit(credential: str | None) -> None:
    assert not fits(credential, "")
    assert not fits(credential, "admin")


def test_many_guesses_at_once_are_all_answered() -> None:
    credential = hash_password("the lung is a sponge")
    got: list[bool] = []
    threads = [threading.Thread(target=lambda: got.append(fits(credential, "not this one"))) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert got == [False] * 6
    assert fits(credential, "the lung is a sponge"), "and the right one after them"


def test_a_longer_password_with_the_same_first_letters_does_not_fit() -> None:
    long = "correct horse " * 73
    credential = hash_password(long[:1024])
    assert fits(credential, long[:1024])
    assert not fits(credential, long[:1024] + "x")


@pytest.mark.parametrize("password", ["", "admin", "elevenchars", "x" * 1025, "aaaaaaaaaaaaaaaa"])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(Refused):
        hash_password(password)


@pytest.mark.parametrize(
    "password",
    ["123qweasdzxc", "1QAZ2WSX3EDC", "qwertyqwerty", "qwertyqwerty2026!", "!!administrator-1", "unbelievable"],
)
def test_what_leaked_elsewhere_is_refused_also_with_figures_around_it(password: str) -> None:
    with pytest.raises(Refused, match="leaked elsewhere") as refusal:
        hash_password(password)
    assert password not in str(refusal.value), "a refusal repeats no password"


def test_the_list_has_the_commonest_that_are_long_enough() -> None:
    assert len(leaked()) > 40_000, "ASVS 5.0 V6.2.4 asks for 3,000 at least"
    assert all(len(word) >= SHORTEST and word == word.casefold() for word in leaked()), (
        "shorter ones are refused anyway"
    )
    assert not any("@" in word for word in leaked()), "addresses of persons are no words of ours"


@pytest.mark.parametrize(
    "password",
    [
        "Isocenter2026",
        "hospital-dicom-1!",
        "StMary!StMary!2026",
        "ito.ito.ito.2026",
        "PACS-Mary-Radiology1",
        "Itoh1ro-Ito-2026",
    ],
)
def test_names_that_everybody_has_at_hand_carry_no_password(password: str) -> None:
    near = ("ito", *words_in("itoh1ro", "St Mary", "stmary.example"))
    with pytest.raises(Refused, match="nothing to do with this place"):
        hash_password(password, near=near)


def test_a_sentence_may_hold_such_a_name() -> None:
    assert fits(hash_password("no hospital sleeps at night", near=("hospital",)), "no hospital sleeps at night")
