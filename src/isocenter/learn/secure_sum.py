"""A sum of many sites' numbers of which nobody learns a part: pairwise masks, and a way out when a site is lost.

Every two sites agree on a secret (X25519) and stretch it to a mask as long as the update; one adds it, the other takes
it away, so that the masks vanish from the sum and from nothing else. Each site adds a second mask of its own. Before
anything is sent, both secrets are cut into shares for the others (Shamir): of a site that was lost the survivors give
the shares of its pairwise key, of a site that answered those of its own mask, and never both. This is the protocol of
Bonawitz et al. (CCS 2017); keys are signed with the sites' certificates, so that the coordinator who carries them
cannot put his own in their place.

Numbers are fixed-point integers modulo 2^64, so that the sum is exact and its order does not matter.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from isocenter.errors import Forbidden, NotWhole, Refused

__all__ = ["Member", "fixed", "floating", "joined", "shared_out", "sum_of", "threshold"]

Words = npt.NDArray[np.uint64]
Verify = Callable[[str, str, bytes, bytes], None]
"""(site, certificate, what was signed, signature): raises `Forbidden` where the site did not sign that."""

_SCALE = 2.0**30
_PRIME = 2**521 - 1  # above every 256-bit secret


def fixed(values: npt.NDArray[np.floating[Any]], sites: int) -> Words:
    """Numbers as integers modulo 2^64, in steps of 2^-30.

    Raises:
        Refused: for numbers that are not finite, or so large that the sum of all sites could run over.
    """
    scaled = np.asarray(values, np.float64) * _SCALE
    if not np.isfinite(scaled).all():
        raise Refused("an update with numbers that are not finite", "it would spoil the sum of all sites",
                      "lower the rate of learning")  # fmt: skip
    if scaled.size and float(np.abs(scaled).max()) * sites >= 2.0**62:
        raise Refused(f"an update as large as {float(np.abs(scaled).max()) / _SCALE:.3g}", "the sum would run over",
                      "clip updates")  # fmt: skip
    return np.rint(scaled).astype(np.int64).view(np.uint64)


def floating(words: Words) -> npt.NDArray[np.float64]:
    """What `fixed` made, as numbers again.

    >>> floating(fixed(np.array([-1.5, 0.25]), 3)).tolist()
    [-1.5, 0.25]
    """
    return words.view(np.int64).astype(np.float64) / _SCALE


def threshold(sites: int, at_least: int) -> int:
    """Shares that bring a secret back: more than half, so that no second story finds enough; never less than asked.

    >>> threshold(5, 3), threshold(8, 3)
    (3, 5)
    """
    return max(sites // 2 + 1, at_least)


def shared_out(secret: bytes, names: Sequence[str], enough: int) -> dict[str, str]:
    """Shamir's shares of a secret of up to 64 bytes; any `enough` of them bring it back, fewer tell nothing."""
    terms = [int.from_bytes(secret, "big"), *(secrets.randbelow(_PRIME) for _ in range(enough - 1))]
    shares = {}
    for x, name in enumerate(sorted(names), 1):
        y = 0
        for term in reversed(terms):
            y = (y * x + term) % _PRIME
        shares[name] = f"{x}:{y:x}"
    return shares


def joined(shares: Collection[str], enough: int, length: int = 32) -> bytes:
    """The secret behind enough shares.

    Raises:
        Refused: too few shares, or shares that do not belong together.

    >>> joined(list(shared_out(b"s" * 32, ["a", "b", "c"], 2).values())[1:], 2) == b"s" * 32
    True
    """
    try:
        points = {int(x): int(y, 16) for x, _, y in (s.partition(":") for s in shares)}
    except ValueError:
        raise Refused(
            "a share that is none",
            "the secret cannot be brought back",
            "begin the sum anew; a site that sends such again is left out",
        ) from None
    if len(points) < enough:
        raise Refused(f"{len(points)} shares of {enough}", "the secret cannot be brought back", "repeat the round")
    some, secret = sorted(points.items())[:enough], 0
    for x, y in some:
        over = under = 1
        for other, _ in some:
            if other != x:
                over, under = over * -other % _PRIME, under * (x - other) % _PRIME
        secret = (secret + y * over * pow(under, -1, _PRIME)) % _PRIME
    if secret >= 256**length:
        raise Refused("shares that do not belong together", "the secret cannot be brought back", "repeat the round")
    return secret.to_bytes(length, "big")


def _mask(secret: bytes, about: bytes, count: int) -> Words:
    key = HKDF(SHA256(), 32, None, b"isocenter mask|" + about).derive(secret)
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    return np.frombuffer(stream.update(bytes(8 * count)), "<u8").astype(np.uint64)


def _agreed(private: bytes, public: str) -> bytes:
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(_b(public)))
    except ValueError as e:
        raise Refused("a key that is none", str(e), "let the site make its keys anew by joining again") from e


def _b(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Refused(
            "something that should be hexadecimal",
            "it cannot be read",
            "send it again, or join again with the same version of Isocenter",
        ) from None


def _public(private: bytes) -> str:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw().hex()


def _said(about: str, site: str, mask: str, seal: str) -> bytes:
    return json.dumps(["isocenter secure sum", about, site, mask, seal]).encode()


def _pair(mine: str, theirs: str) -> bytes:
    return b"|".join(sorted((bytes.fromhex(mine), bytes.fromhex(theirs))))


@dataclass
class Member:
    """One site in one sum. What it holds is secret and is thrown away after the sum.

    Args:
        about: names the run and the sum, so that no key serves twice.
        at_least: fewest sites of whose sum this one will be a part; its own condition, whatever the coordinator says.
    """

    about: str
    name: str
    at_least: int
    mask_key: bytes
    seal_key: bytes
    seed: bytes
    offers: dict[str, dict[str, str]]
    dealt: dict[str, str]
    revealed: tuple[str, ...] = ()
    sealed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls, about: str, name: str, at_least: int) -> Member:
        """With fresh keys."""
        if at_least < 2:
            raise Refused(f"a sum of at least {at_least} sites", "a sum of one site is that site's update", "ask for 3")
        keys = [X25519PrivateKey.generate().private_bytes_raw() for _ in range(2)]
        return cls(about, name, at_least, keys[0], keys[1], secrets.token_bytes(32), {}, {})

    def offer(self, certificate: str, sign: Callable[[bytes], bytes]) -> dict[str, str]:
        """The public keys, signed."""
        mask, seal = _public(self.mask_key), _public(self.seal_key)
        signature = sign(_said(self.about, self.name, mask, seal)).hex()
        return {"mask": mask, "seal": seal, "certificate": certificate, "signature": signature}

    def deal(self, offers: Mapping[str, Mapping[str, str]], verify: Verify) -> dict[str, str]:
        """Shares of both secrets for every other site, each sealed for it alone.

        Raises:
            Forbidden: a key that was not signed by the site whose name it bears.
            Refused: fewer sites than this one asks for, or two sites with one key.
        """
        if self.offers:  # the answer was lost on the way: the same once more, and nothing else
            if {site: {k: said.get(k) for k in ("mask", "seal")} for site, said in offers.items()} == self.offers:
                return dict(self.sealed)
            raise Refused("a second list of keys in one sum", "masks would be used twice", "begin another sum")
        if len(offers) < self.at_least or self.name not in offers:
            raise Refused(f"a sum of {len(offers)} sites", f"this one takes part in sums of at least {self.at_least}",
                          "wait for more sites")  # fmt: skip
        kept = {}
        for site, said in offers.items():
            keys = {k: str(said.get(k, "")) for k in ("mask", "seal", "certificate", "signature")}
            signed = _said(self.about, site, keys["mask"], keys["seal"])
            verify(site, keys["certificate"], signed, _b(keys["signature"]))
            kept[site] = {k: keys[k] for k in ("mask", "seal")}
        if len({k["mask"] for k in kept.values()}) < len(kept):
            raise Refused(
                "two sites with one key",
                "one of them is not who it says",
                "leave both out, and make new identities for them",
            )
        if kept[self.name]["mask"] != _public(self.mask_key):
            raise Forbidden("another key under this site's name", "somebody speaks in its place")
        self.offers = kept
        enough, sealed = threshold(len(kept), self.at_least), {}
        of_key, of_seed = (shared_out(s, list(kept), enough) for s in (self.mask_key, self.seed))
        for peer in kept:
            nonce = secrets.token_bytes(12)
            text = json.dumps([of_key[peer], of_seed[peer]]).encode()
            lock = AESGCM(self._seal(peer, self.name, peer))
            sealed[peer] = (nonce + lock.encrypt(nonce, text, self.about.encode())).hex()
        self.sealed = sealed
        return dict(sealed)

    def _seal(self, peer: str, sender: str, receiver: str) -> bytes:
        secret = _agreed(self.seal_key, self.offers[peer]["seal"])
        return HKDF(SHA256(), 32, None, f"isocenter seal|{self.about}|{sender}|{receiver}".encode()).derive(secret)

    def hide(self, values: Words, dealt: Mapping[str, str]) -> Words:
        """The numbers under all masks, for the sites whose shares arrived.

        Args:
            values: of `fixed`.
            dealt: sealed shares for this site, by sender; who sent none is not in the sum.
        """
        peers = sorted(p for p in dealt if p in self.offers)
        if len(peers) < self.at_least or self.name not in peers:
            raise Refused(f"a sum of {len(peers)} sites", f"this one takes part in sums of at least {self.at_least}",
                          "wait for more sites")  # fmt: skip
        if self.dealt and self.dealt != dict(dealt):
            raise Refused(
                "another list of sites in the same sum",
                "the difference of two sums is one site's update",
                "begin a new sum; ask whoever coordinates why it was asked twice",
            )
        self.dealt = dict(dealt)
        hidden = values + _mask(self.seed, b"own", len(values))
        mine = self.offers[self.name]["mask"]
        for peer in peers:
            if peer != self.name:
                theirs = self.offers[peer]["mask"]
                mask = _mask(_agreed(self.mask_key, theirs), _pair(mine, theirs), len(values))
                hidden = hidden + mask if mine < theirs else hidden - mask
        return hidden

    def reveal(self, survivors: Collection[str]) -> dict[str, list[str]]:
        """Shares that free the sum of the survivors, and nothing else: once for each sum.

        Returns:
            Site -> ["seed", share] where it answered, ["key", share] where it was lost.

        Raises:
            Refused: too few survivors, or a second and different list of them.
            NotWhole: shares that were damaged on the way.
        """
        names = tuple(sorted(set(survivors)))
        if self.revealed and self.revealed != names:
            raise Refused("another list of survivors in the same sum",
                          "the difference of two sums is one site's update", "begin another sum")  # fmt: skip
        if len(names) < max(self.at_least, 2) or not set(names) <= set(self.dealt) or self.name not in names:
            raise Refused(f"the sum of {len(names)} sites", f"this site reveals sums of at least {self.at_least}",
                          "repeat the round with more sites")  # fmt: skip
        self.revealed = names
        given = {}
        for peer, sealed in self.dealt.items():
            raw = _b(sealed)
            try:
                text = AESGCM(self._seal(peer, peer, self.name)).decrypt(raw[:12], raw[12:], self.about.encode())
            except (InvalidTag, ValueError) as e:
                raise NotWhole(f"the shares of {peer}", "they were damaged or exchanged on the way") from e
            key, seed = json.loads(text)
            given[peer] = ["seed", seed] if peer in names else ["key", key]
        return given

    def kept(self) -> dict[str, Any]:
        """What a site that is killed needs in order to go on with this sum; as secret as the update itself."""
        secret = {k: getattr(self, k).hex() for k in ("mask_key", "seal_key", "seed")}
        plain = {"about": self.about, "name": self.name, "at_least": self.at_least, "offers": self.offers}
        return {**secret, **plain, "dealt": self.dealt, "revealed": list(self.revealed), "sealed": self.sealed}

    @classmethod
    def taken_up(cls, kept: Mapping[str, Any]) -> Member:
        """The member that `kept` described."""
        said = dict(kept)
        for name in ("mask_key", "seal_key", "seed"):
            said[name] = _b(said[name])
        said["revealed"] = tuple(said["revealed"])
        return cls(**said)


def sum_of(
    hidden: Mapping[str, Words],
    offers: Mapping[str, Mapping[str, str]],
    members: Collection[str],
    given: Mapping[str, Mapping[str, Sequence[str]]],
    at_least: int,
) -> Words:
    """The sum of what the survivors hid; the masks of the lost are brought back from shares.

    Args:
        hidden: of each survivor.
        offers: public keys of all that dealt shares.
        members: sites whose shares were handed out: those among whom masks were made.
        given: what each survivor revealed.

    Raises:
        Refused: too few shares.
    """
    enough = threshold(len(offers), at_least)
    count = len(next(iter(hidden.values())))
    total = np.zeros(count, np.uint64)
    for words in hidden.values():
        if len(words) != count:
            raise Refused(
                f"updates of {len(words)} and {count} numbers",
                "sites train different networks",
                "join with the same recipe and the same version of Isocenter",
            )
        total = total + words

    def secret(site: str, kind: str) -> bytes:
        return joined([told[site][1] for told in given.values() if site in told and told[site][0] == kind], enough)

    for site in hidden:
        total = total - _mask(secret(site, "seed"), b"own", count)
    for lost in set(members) - set(hidden):
        private, mine = secret(lost, "key"), offers[lost]["mask"]
        if _public(private) != mine:
            raise Refused(f"shares of {lost} that bring back another key", "the sum cannot be freed", "repeat it")
        for site in hidden:
            theirs = offers[site]["mask"]
            mask = _mask(_agreed(private, theirs), _pair(mine, theirs), count)
            total = total + mask if mine < theirs else total - mask  # undoes what the survivor did with this pair
    return total
