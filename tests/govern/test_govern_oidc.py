"""What a token has to prove: good ones pass, and every known manner of forging one is refused in the same words."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from isocenter.errors import Forbidden, Refused
from isocenter.govern.oidc import NotProven, Strength, Waiting, account_of, read_table, read_token
from issuer_for_sign_in import CLIENT, EC, ISSUER, KEYS, NOW, PEM, RSA, STRANGER, claims, jwk, raw, signed

AT = int(NOW.timestamp())
HOUR = 3600
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)


def _read(token: str, keys: Any = KEYS) -> dict[str, Any]:
    return read_token(token, keys, issuer=ISSUER, client=CLIENT, nonce="n", now=NOW)


def _hmac(told: Any) -> str:
    """Key confusion: signed with the public key as if it were a shared secret."""
    head = raw({"alg": "HS256", "kid": "r1", "typ": "JWT"}, told).rsplit(".", 1)[0]
    mac = hmac.new(PEM, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _edited() -> str:
    head, _, signature = signed(claims("n")).split(".")
    return f"{head}.{signed(claims('n', groups=['it'])).split('.')[1]}.{signature}"


ATTACKS: dict[str, str] = {
    "alg none": raw({"alg": "none", "kid": "r1"}, claims("n"), b"x"),
    "alg None in capitals": raw({"alg": "nOnE", "kid": "r1"}, claims("n"), b"x"),
    "no signature": raw({"alg": "RS256", "kid": "r1"}, claims("n")),
    "public key as shared secret": _hmac(claims("n")),
    "alg is no text": raw({"alg": ["RS256"], "kid": "r1"}, claims("n"), b"x"),
    "claims exchanged": _edited(),
    "signed by a stranger": signed(claims("n"), STRANGER),
    "brings its own key": signed(claims("n"), STRANGER, jwk=jwk(STRANGER, "r1")),
    "points to its own keys": signed(claims("n"), STRANGER, jku="https://evil.example/keys", kid="evil"),
    "kid is a path": signed(claims("n"), STRANGER, kid="../../../dev/null"),
    "kid is SQL": signed(claims("n"), STRANGER, kid="r1' UNION SELECT 'x"),
    "no kid": signed(claims("n"), kid=None),
    "kid of the other kind of key": signed(claims("n"), EC, "ES256", kid="r1"),
    "key for encryption": signed(claims("n"), RSA, kid="enc"),
    "hash that is not allowed": signed(claims("n"), RSA, "RS512"),
    "crit": signed(claims("n"), crit=["exp"]),
    "an access token": signed(claims("n"), typ="at+jwt"),
    "wrong issuer": signed(claims("n", iss="https://evil.example")),
    "issuer with a slash more": signed(claims("n", iss=ISSUER + "/")),
    "no issuer": signed(claims("n", iss=None)),
    "wrong audience": signed(claims("n", aud="another")),
    "no audience": signed(claims("n", aud=None)),
    "audience within a longer name": signed(claims("n", aud=f"{CLIENT}-other")),
    "many audiences without azp": signed(claims("n", aud=[CLIENT, "another"])),
    "azp of another": signed(claims("n", aud=[CLIENT, "another"], azp="another")),
    "wrong nonce": signed(claims("m")),
    "no nonce": signed(claims("n", nonce=None)),
    "nonce is no text": signed(claims("n", nonce=["n"])),
    "expired": signed(claims("n", exp=AT - 61)),
    "no end": signed(claims("n", exp=None)),
    "end is no number": signed(claims("n", exp="never")),
    "end is true": signed(claims("n", exp=True)),
    "end is no finite number": raw({"alg": "RS256", "kid": "r1"}, claims("n", exp=float("inf")), b"x"),
    "not yet": signed(claims("n", nbf=AT + 61)),
    "made in the future": signed(claims("n", iat=AT + 61)),
    "made long ago": signed(claims("n", iat=AT - HOUR, exp=AT + HOUR)),
    "no moment": signed(claims("n", iat=None)),
    "about nobody": signed(claims("n", sub="")),
    "claims are a list": signed([claims("n")]),
    "two parts": "a.b",
    "five parts": "a.b.c.d.e",
    "not base64": "*.*.*",
    "head is a list": raw([], claims("n"), b"x"),  # type: ignore[arg-type]
    "larger than any token": signed(claims("n", filler="x" * 40_000)),
}


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_every_attack_is_refused_in_the_same_words(attack: str) -> None:
    with pytest.raises(NotProven) as refused:
        _read(ATTACKS[attack])
    assert str(refused.value) == str(NotProven("")) and refused.value.cause


def test_good_tokens_pass() -> None:
    for token in (
        signed(claims("n")), signed(claims("n"), EC, "ES256", kid="e1"), signed(claims("n"), RSA, "PS256"),
        signed(claims("n", aud=[CLIENT, "x"], azp=CLIENT)), signed(claims("n", exp=AT - 30, iat=AT + 30)),
    ):  # fmt: skip
        assert _read(token)["sub"] == "u-1"


def test_keys_that_prove_nothing_are_not_taken() -> None:
    token = signed(claims("n"))
    for keys in (
        [],
        KEYS * 2,
        [jwk(RSA, "r1", alg="PS256")],
        [{"kid": "r1"}],
        [{"kid": "r1", "kty": "RSA", "n": "?" * 400}],
    ):
        with pytest.raises(NotProven):
            _read(token, keys)
    with pytest.raises(NotProven) as refused:
        _read(raw({"alg": "RS256", "kid": "w"}, claims("n"), b"x"), [jwk(WEAK, "w")])
    assert "too short" in refused.value.cause


def test_a_sign_in_comes_back_once_by_the_same_browser_and_in_time() -> None:
    waiting = Waiting()
    asked = waiting.begin(NOW)
    other = waiting.begin(NOW)
    assert len({asked.state, asked.nonce, asked.verifier, asked.browser, asked.challenge, other.state}) == 6
    for state, browser in (("x", asked.browser), (other.state, asked.browser), (other.state, other.browser)):
        with pytest.raises(NotProven):  # the third time its state is spent by the second
            waiting.take(state, browser, NOW)
    assert waiting.take(asked.state, asked.browser, NOW) == asked
    with pytest.raises(NotProven):
        waiting.take(asked.state, asked.browser, NOW)
    late = waiting.begin(NOW)
    with pytest.raises(NotProven):
        waiting.take(late.state, late.browser, NOW + timedelta(minutes=11))


def test_a_flood_of_sign_ins_shuts_out_nobody_but_whoever_sent_it() -> None:
    waiting = Waiting()
    asked = waiting.begin(NOW, "192.0.2.7")
    flood = [waiting.begin(NOW, "198.51.100.1") for _ in range(1500)]
    assert waiting.take(asked.state, asked.browser, NOW) == asked
    with pytest.raises(NotProven):
        waiting.take(flood[0].state, flood[0].browser, NOW)


def test_roles_come_from_the_table_and_from_nowhere_else() -> None:
    table = read_table("it=admin,radiologists=reader", claim="realm.groups", name="email")

    def role(groups: Any, **more: Any) -> tuple[str, str]:
        _, name, role = account_of(claims("n", realm={"groups": groups}, **more), table)
        return name, role.value

    assert role(["radiologists", "it"]) == ("u-1", "admin") and role("radiologists") == ("u-1", "reader")
    assert role(["radiologists"], email="ito@example.org")[0] == "ito@example.org"
    for groups in ([], ["readers"], "radiologists,it", None, 7, [["it"]], {"it": True}):
        with pytest.raises(Forbidden, match="without a role"):
            role(groups)
    with pytest.raises(Forbidden, match="cannot be shown"):
        role(["it"], email="x\u0000y")
    one, two = (account_of(claims("n", realm={"groups": "it"}, sub=s), table)[0] for s in ("u-1", "u-2"))
    assert one != two
    for text in ("", "it", "it=service", "=admin"):
        with pytest.raises(Refused):
            read_table(text, claim="groups", name="email")


STRONG = Strength(("urn:two", "urn:three"), ("mfa", "hwk"), timedelta(minutes=30))
ENOUGH = {"acr": "urn:two", "amr": ["pwd", "mfa"], "auth_time": AT - 60}


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"acr": "urn:one"}, "class 'urn:one'"),
        ({"acr": None}, "class 'None'"),
        ({"acr": ["urn:two"]}, "class"),
        ({"amr": ["pwd"]}, "methods"),
        ({"amr": "mfa"}, "methods"),
        ({"amr": None}, "methods"),
        ({"auth_time": AT - HOUR}, "3600 s ago"),
        ({"auth_time": AT + HOUR}, "s ago"),
        ({"auth_time": None}, "auth_time"),
    ],
)
def test_a_sign_in_there_that_is_weaker_or_older_than_the_site_asks_is_refused(wrong: Any, cause: str) -> None:
    STRONG.check(claims("n", **ENOUGH), NOW)
    with pytest.raises(NotProven) as refusal:
        STRONG.check(claims("n", **{**ENOUGH, **wrong}), NOW)
    assert cause in refusal.value.cause


def test_a_site_that_asks_nothing_of_it_takes_every_sign_in_there() -> None:
    Strength().check(claims("n"), NOW)
    assert Strength().question == {}
    assert STRONG.question == {"acr_values": "urn:two urn:three", "max_age": "1800"}
