"""A sign-in service says that somebody has left: what such a notice has to prove, each attack refused."""

from __future__ import annotations

from typing import Any

import pytest

from isocenter.govern.oidc import NotProven, account_of, read_logout, read_table
from issuer_for_sign_in import CLIENT, EC, ISSUER, KEYS, NOW, PEM, RSA, STRANGER, claims, jwk, notice, raw, signed

AT = int(NOW.timestamp())


def _read(token: str) -> Any:
    return read_logout(token, KEYS, issuer=ISSUER, client=CLIENT, now=NOW)


def test_a_good_notice_names_a_person_or_a_session() -> None:
    table = read_table("radiologists=reader", claim="groups", name="preferred_username")
    said = _read(signed(notice(), typ="logout+jwt"))
    assert said.identity == account_of(claims("n"), table)[0] and said.session == "" and said.once
    one = _read(signed(notice(sid="s-1", sub=None), EC, "ES256", kid="e1"))
    assert (one.identity, one.session) == ("", "s-1")
    both = _read(signed(notice(sid="s-1", aud=[CLIENT])))
    assert both.identity == said.identity and both.session == "s-1" and both.once == said.once
    assert _read(signed(notice(jti="n-2"))).once != said.once


ATTACKS: dict[str, Any] = {
    "unsigned": lambda: raw({"alg": "none", "kid": "r1"}, notice()),
    "unsigned, by another case": lambda: raw({"alg": "nOnE", "kid": "r1"}, notice(), b"x"),
    "signed with the public key as a secret": lambda: raw({"alg": "HS256", "kid": "r1"}, notice(), PEM[:32]),
    "signed by a stranger under our key's name": lambda: signed(notice(), STRANGER),
    "signed by a key that it brings along": lambda: signed(notice(), STRANGER, jwk=jwk(STRANGER, "r1")),
    "by a key for encryption": lambda: signed(notice(), RSA, kid="enc"),
    "without the name of a key": lambda: signed(notice(), kid=None),
    "another algorithm than the key's": lambda: signed(notice(), RSA, kid="e1"),
    "with a part that must be understood": lambda: signed(notice(), crit=["exp"]),
    "an access token": lambda: signed(notice(), typ="at+jwt"),
    "claims of another signature": lambda: ".".join(
        (*signed(notice(sub="u-2")).split(".")[:2], signed(notice()).split(".")[2])
    ),
    "an ID token": lambda: signed(claims("n")),
    "an ID token with the event": lambda: signed(notice(nonce="n")),
    "an empty nonce": lambda: signed(notice(nonce="")),
    "another issuer": lambda: signed(notice(iss="https://id.example.org/other")),
    "no issuer": lambda: signed(notice(iss=None)),
    "for somebody else": lambda: signed(notice(aud="pacs")),
    "for nobody": lambda: signed(notice(aud=[])),
    "for several, asked by another": lambda: signed(notice(aud=[CLIENT, "pacs"], azp="pacs")),
    "no event": lambda: signed(notice(events=None)),
    "another event": lambda: signed(notice(events={"http://schemas.openid.net/event/other": {}})),
    "an event that is no object": lambda: signed(
        notice(events={"http://schemas.openid.net/event/backchannel-logout": True})
    ),
    "events in a list": lambda: signed(notice(events=["http://schemas.openid.net/event/backchannel-logout"])),
    "no name": lambda: signed(notice(jti=None)),
    "an empty name": lambda: signed(notice(jti="")),
    "a name that is a number": lambda: signed(notice(jti=7)),
    "nobody and no session": lambda: signed(notice(sub=None)),
    "an empty subject": lambda: signed(notice(sub="")),
    "a subject that is a list": lambda: signed(notice(sub=["u-1"], sid="s")),
    "an empty session": lambda: signed(notice(sid="")),
    "a session that is an object": lambda: signed(notice(sid={"a": 1})),
    "expired": lambda: signed(notice(iat=AT - 400, exp=AT - 100)),
    "without an end": lambda: signed(notice(exp=None)),
    "made an hour ago": lambda: signed(notice(iat=AT - 3600, exp=AT + 60)),
    "made in an hour": lambda: signed(notice(iat=AT + 3600, exp=AT + 4000)),
    "without a time": lambda: signed(notice(iat=None)),
    "a time that is a word": lambda: signed(notice(iat="now")),
    "not yet valid": lambda: signed(notice(nbf=AT + 600)),
    "no token": lambda: "nonsense",
    "nothing": lambda: "",
    "a list of claims": lambda: signed([1, 2]),
    "too long": lambda: signed(notice(more="x" * 40_000)),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_other_notice_is_refused_in_the_same_words(attack: str) -> None:
    with pytest.raises(NotProven) as told:
        _read(ATTACKS[attack]())
    assert str(told.value) == str(NotProven("")) and told.value.cause
