"""The coordinator's side of a federation: which sum is being taken, who is in it, and what came out.

It sees sums only. Each sum goes through four steps, keys, shares, masked updates, and shares that free the sum; a
site that misses a step is left out of this sum and may be in the next. Nothing here knows of a network or waits: a
door calls in, and the clock is passed in. After each sum the state is on disk, so that a coordinator who is killed
goes on; so is a sum of which sites were asked for their shares, for they give them for no second one.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import Conflict, LimitReached, NotFound, Refused, WrongState
from isocenter.learn.federation import Federation, flat, moments_among, network, poured, recipe_of, shared_names
from isocenter.learn.secure_sum import floating, sum_of, threshold
from isocenter.learn.tensors import packed, unpacked

__all__ = ["STEPS", "Motion", "Rounds"]

Numbers = npt.NDArray[np.float64]

STEPS = ("offer", "deal", "send", "reveal")
_TRIES = 4
_SLACK = 4096  # bytes of a file beside its numbers
_SPREAD_KEPT, _STILL = 0.99, 1e-8  # of Adam: decay of the mean square, and what a root is at least
_CARRIED = "carried on"  # in the file of the weights as older versions wrote it: how far they moved last
_LAST = "record"  # there, too: what is told of the last round
_OPEN = "sum.safetensors"  # a sum of which shares were asked for
_LEAVING_S = 10.0  # that a site has for the weights so far, once it said that it leaves
_AGAIN_S = 5.0  # until a disk that took nothing is tried again


@dataclass
class _Seen:
    last: float
    told: dict[str, Any]
    received: int = 0
    sent: int = 0
    left: str = ""


@dataclass
class _Sum:
    """One sum while it is taken."""

    number: int
    kind: str
    members: tuple[str, ...]
    step: str = "offer"
    begun: float = 0.0
    step_begun: float = 0.0
    said: dict[str, dict[str, Any]] = field(default_factory=lambda: {step: {} for step in STEPS})
    arriving: dict[str, bytearray] = field(default_factory=dict)

    def expected(self) -> tuple[str, ...]:
        """Who is waited for in this step: whoever answered the one before."""
        at = STEPS.index(self.step)
        return tuple(self.said[STEPS[at - 1]]) if at else self.members


@dataclass(frozen=True)
class Motion:
    """How the shared weights move by the mean of the updates, and what is remembered from one sum to the next.

    Args:
        moved: how far they moved last; with Adam the moving mean of the descents. spread: that of their squares.
    """

    moved: Numbers
    spread: Numbers

    @classmethod
    def begun(cls, weights: Numbers) -> Motion:
        """Nothing moved yet."""
        return cls(np.zeros_like(weights), np.zeros_like(weights))

    def on(
        self, how: Federation, number: int, weights: Numbers, update: Numbers,
        moments: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[Motion, Numbers]:  # fmt: skip
        """What is remembered after a round, and the weights after it.

        Args:
            number: of the round, counted from 0. weights: before it. update: mean of those of the sites.
            moments: which of them are moments of pictures: these go as far as the update says, and nothing is carried.
        """
        if moments is not None and moments.any():
            motion, after = self.on(how, number, weights, np.where(moments, 0.0, update))
            return motion, np.where(moments, weights + update, after)
        moved, spread = how.carried * self.moved, self.spread
        if how.server == "adam":
            along = update / how.rate  # of one step without momentum: against the gradient
            moved = moved + (1 - how.carried) * along
            spread = _SPREAD_KEPT * spread + (1 - _SPREAD_KEPT) * along**2
            rate = how.server_rate * how.left_of_rate(number) / (1 - how.carried ** (number + 1))
            weights = weights + rate * moved / (np.sqrt(spread / (1 - _SPREAD_KEPT ** (number + 1))) + _STILL)
        else:
            moved = moved + update
            weights = weights + moved
        return Motion(moved, spread), weights


class Rounds:
    """A federation as its coordinator holds it.

    Args:
        how: the agreement.
        out: folder for ``weights.safetensors`` and ``rounds.json``; a run that was killed is taken up from it. While
            nothing can be written there the run waits.
        sites: how many are waited for at the beginning.
        clock: seconds that only grow.
        patience_s: how long a step waits for a site that does not answer; training_s: the step in which it trains.
        gathering_s: how long the beginning waits for all sites; then it begins with those that are there.
        tell: is told what happens, in lines.
    """

    def __init__(
        self, how: Federation, out: Path, *, sites: int, clock: Callable[[], float], patience_s: float = 30.0,
        training_s: float = 1800.0, gathering_s: float = 600.0, tell: Callable[[str], None] = lambda line: None,
    ) -> None:  # fmt: skip
        if sites < how.at_least:
            raise Refused(f"{sites} sites", f"sums are of at least {how.at_least}", "wait for more sites")
        self.how, self.own, self._out = how, recipe_of(how), out
        self._sites, self._clock, self._tell = sites, clock, tell
        self._patience_s, self._training_s, self._gathered_s = patience_s, training_s, clock() + gathering_s
        self._lock = threading.RLock()
        self._seen: dict[str, _Seen] = {}
        self._sum: _Sum | None = None
        self._tries, self._full_until, self._said = 0, 0.0, ""
        self.net = network(how, self.own)
        self.names = shared_names(self.net, how)
        self._moments = moments_among(self.net, self.names)
        self.run, self.number, self.done, self.stopped = secrets.token_hex(16), 0, 0, ""
        self.rounds: list[dict[str, Any]] = []
        self._motion = Motion.begun(flat(self.net, self.names))
        out.mkdir(parents=True, exist_ok=True)
        self._count = sum(self.net.state_dict()[n].numel() for n in self.names) + 1
        self._take_up()
        self._weights = self._pack()
        self._take_up_sum()

    # ---- what sites call -------------------------------------------------------------------------------------

    def terms(self) -> dict[str, Any]:
        """What a site reads before it joins."""
        return {"run": self.run, "agreement": asdict(self.how), "classes": list(self.own.classes)}

    def join(self, site: str, told: Mapping[str, Any]) -> dict[str, Any]:
        """A site asks to take part; the answer is the agreement.

        Raises:
            Refused: it means another task, or other classes by the same numbers.
        """
        with self._lock:
            if told.get("classes") is not None and list(told["classes"]) != list(self.own.classes):
                raise Refused(f"the classes {told['classes']}", f"this federation has {list(self.own.classes)}",
                              "the labels of all sites must mean the same")  # fmt: skip
            known = self._seen.get(site)
            self._seen[site] = seen = _Seen(self._clock(), {"aside": int(told.get("aside", 0))})
            if known is not None:  # what it moved before stays counted
                seen.received, seen.sent = known.received, known.sent
            if known is None or known.left:
                aside = seen.told["aside"]
                self._tell(f"{site} joins" + (f"; {aside} unusable pictures set aside there" if aside else ""))
            return {"run": self.run, "agreement": asdict(self.how)}

    def leave(self, site: str, why: str) -> None:
        """A site ends its part, for a reason that it tells or keeps: it is not waited for any more.

        The federation is stopped where fewer sites than a sum needs have not left.
        """
        with self._lock:
            self._touch(site)
            self._seen[site].left = " ".join(why.split())[:300] or "it does not say why"
            self._tell(f"{site} leaves: {self._seen[site].left}")
            gone = [name for name, seen in self._seen.items() if seen.left]
            if not self.finished() and max(self._sites, len(self._seen)) - len(gone) < self.how.at_least:
                self.stopped = (
                    f"{', '.join(gone)} left, and sums are of at least {self.how.at_least} sites; the last because "
                    f"{self._seen[site].left}"
                )
                self._tell(self.stopped)
            self.tick()

    def now(self, site: str) -> dict[str, Any]:
        """What is asked of a site at this moment."""
        with self._lock:
            self._touch(site)
            self.tick()
            state = {"run": self.run, "rounds": self.how.rounds, "done": self.done}
            if self.stopped:
                self._seen[site].told["knows"] = not self.done  # where there are weights it fetches them yet
                return {**state, "step": "stopped", "why": self.stopped, "base": self._weights[0]}
            if self.done >= self.how.rounds:
                return {**state, "step": "done", "base": self._weights[0]}
            one = self._sum
            if one is None or site not in one.expected() or site in one.said[one.step]:
                return {**state, "step": "wait"}
            asked = {**state, "number": one.number, "step": one.step, "round": self.done, "base": self._weights[0]}
            if one.step == "deal":
                asked["offers"] = one.said["offer"]
            elif one.step == "send":
                asked["dealt"] = {sender: sealed[site] for sender, sealed in one.said["deal"].items()}
                asked["held"] = len(one.arriving.get(site, b""))
            elif one.step == "reveal":
                asked["survivors"] = sorted(one.said["send"])
            return asked

    def answer(self, site: str, number: int, step: str, told: Mapping[str, Any]) -> None:
        """A site's answer to one step.

        Raises:
            WrongState: this step is over, or the site is not in this sum.
            Refused: an answer that does not have the form.
        """
        with self._lock:
            self._touch(site)
            one = self._open(site, number, step)
            if step == "offer":
                one.said[step][site] = _words(told, ("mask", "seal", "certificate", "signature"))
            elif step == "deal":
                one.said[step][site] = _words(told, tuple(one.said["offer"]))
            elif step == "send":
                one.said[step][site] = self._arrived(one, site, str(told.get("sha256", "")))
                self._seen[site].told["aside"] = int(told.get("aside", 0))
                self._seen[site].told["epsilon"] = float(told.get("epsilon", 0.0))
            else:
                one.said[step][site] = _revealed(told, one.said["deal"])
            self.tick()

    def chunk(self, site: str, number: int, offset: int, data: bytes) -> int:
        """A piece of a masked update; the answer is how much of it is here, so that a broken line goes on.

        Raises:
            LimitReached: more bytes than the update of this network has.
        """
        with self._lock:
            self._touch(site)
            one = self._open(site, number, "send")
            held = one.arriving.setdefault(site, bytearray())
            if offset > len(held):
                return len(held)
            if offset + len(data) > 8 * self._count + _SLACK:
                raise LimitReached(f"{offset + len(data)} bytes", f"an update here has {8 * self._count}",
                                   "use the same version of the recipe")  # fmt: skip
            held[offset:] = data
            return len(held)

    def weights(self, digest: str, offset: int, length: int, site: str = "") -> bytes:
        """A piece of the shared weights; a site that has been given the last ones whole needs nothing more."""
        with self._lock:
            if digest != self._weights[0]:
                raise NotFound("these weights", "a later round has others", "ask what is wanted now")
            if self.finished() and offset >= len(self._weights[1]) and site in self._seen:
                self._seen[site].told["knows"] = True
            return self._weights[1][offset : offset + length]

    def traffic(self, site: str, received: int, sent: int) -> None:
        """Count what went over the line, in bytes of bodies."""
        with self._lock:
            if site in self._seen:
                self._seen[site].received += received
                self._seen[site].sent += sent

    # ---- what goes on by itself ------------------------------------------------------------------------------

    def tick(self) -> None:
        """Go to the next step where everybody answered or patience is over."""
        with self._lock:
            if self.stopped or self.done >= self.how.rounds:
                return
            if self._clock() < self._full_until:
                return
            try:
                self._forward()
            except OSError as full:
                self._full_until = self._clock() + _AGAIN_S
                self._once(f"nothing can be written to {self._out} ({full.strerror}): the run waits until it can")

    def finished(self) -> bool:
        """Whether no sum will be taken any more."""
        return bool(self.stopped) or self.done >= self.how.rounds

    def everybody_knows(self) -> bool:
        """Whether every site that joined here and did not leave has the last weights whole, or heard of the stop.

        A lost one may come back for them.
        """
        with self._lock:
            return bool(self.stopped or any(not seen.left for seen in self._seen.values())) and not self.unaware()

    def unaware(self) -> list[str]:
        """Sites that are in the federation and have not heard how it ended, or lack the last weights."""
        with self._lock:
            now = self._clock()
            return sorted(
                n for n, seen in self._seen.items()
                if not seen.told.get("knows") and (not seen.left or (self.done and now - seen.last < _LEAVING_S))
            )  # fmt: skip

    def _forward(self) -> None:
        if self._sum is None:
            self._begin()
        while (one := self._sum) is not None:
            answered, now = one.said[one.step], self._clock()
            wait = self._training_s if one.step == "send" else self._patience_s
            missing = [s for s in one.expected() if s not in answered]
            if any(not self._seen[s].left for s in missing if s in self._seen) and now - one.step_begun < wait:
                return
            if one.step == "reveal" and missing and len(answered) < self._enough(one):
                # Whoever gave its shares gives them for no second sum of these weights: there is no other way on.
                self._once(f"sum {one.number} waits for the shares of {', '.join(missing)}: "
                           f"{len(answered)} of {self._enough(one)} came")  # fmt: skip
                return
            self._on(one, now)

    def _enough(self, one: _Sum) -> int:
        return max(threshold(len(one.said["offer"]), self.how.at_least), self.how.at_least)

    def _once(self, words: str) -> None:
        """Tell what is waited for, once for each that is."""
        if words != self._said:
            self._said = words
            self._tell(words)

    def _begin(self) -> None:
        now = self._clock()
        alive = sorted(n for n, s in self._seen.items() if now - s.last <= self._patience_s and not s.left)
        first = not self.rounds and not self._tries and now < self._gathered_s
        wanted = self._sites if first else self.how.at_least
        if len(alive) < wanted:
            if self.rounds or self._tries:
                self._once(f"waits for sites: {len(alive)} of {wanted} are there")
            return
        self._keep(self.number + 1)  # a number that was used is never used again, whoever is killed
        self.number += 1
        self._said = ""
        self._sum = _Sum(self.number, "train", tuple(alive), begun=now, step_begun=now)

    def _on(self, one: _Sum, now: float) -> None:
        if len(one.said[one.step]) < self.how.at_least:
            self._again(one, f"{len(one.said[one.step])} sites answered '{one.step}'")
            return
        at = STEPS.index(one.step)
        if at + 1 < len(STEPS):
            if STEPS[at + 1] == "reveal":
                self._keep_sum(one)
            one.step, one.step_begun = STEPS[at + 1], now
            return
        try:
            words = sum_of(one.said["send"], one.said["offer"], one.said["deal"], one.said["reveal"], self.how.at_least)
        except Refused as refused:
            self._again(one, refused.what)
            return
        self._fold(one, floating(words), now)
        self._sum, self._tries = None, 0
        self._begin()

    def _again(self, one: _Sum, why: str) -> None:
        self._sum, self._tries = None, self._tries + 1
        (self._out / _OPEN).unlink(missing_ok=True)
        self._tell(f"sum {one.number} is repeated: {why}")
        if self._tries >= _TRIES:
            self.stopped = f"{_TRIES} sums in a row were not finished; the last because {why}"
            self._tell(self.stopped)

    def _fold(self, one: _Sum, total: npt.NDArray[np.float64], now: float) -> None:
        weight = float(total[-1])
        if not weight > 0.5:
            self._again(one, f"the sites weigh {weight:g} together")
            return
        sites = sorted(one.said["send"])
        epsilon = max((self._seen[s].told.get("epsilon", 0.0) for s in sites if s in self._seen), default=0.0)
        record: dict[str, Any] = {
            "round": self.done + 1, "sum": one.number, "sites": sites, "lost": sorted(set(one.members) - set(sites)),
            "weight": round(weight), "change": float(np.linalg.norm(total[:-1]) / weight),
            "seconds": round(now - one.begun, 3),
            "bytes": {s: {"received": v.received, "sent": v.sent} for s, v in sorted(self._seen.items())},
            "aside": {s: v.told["aside"] for s, v in sorted(self._seen.items()) if v.told.get("aside")},
        }  # fmt: skip
        if self.how.privacy:
            record["epsilon"] = epsilon
        before, motion = flat(self.net, self.names), self._motion
        self._motion, after = motion.on(self.how, self.done, before, total[:-1] / weight, self._moments)
        self.done += 1
        poured(self.net, self.names, after)
        self.rounds.append(record)
        try:
            self._keep(self.number)
        except OSError:  # the sum is taken once it can be kept, and once
            self._motion = motion
            poured(self.net, self.names, before)
            self.done -= 1
            self.rounds.pop()
            raise
        for seen in self._seen.values():  # what a sum moved that was not finished is counted with the round
            seen.received = seen.sent = 0
        self._weights = self._pack()
        (self._out / _OPEN).unlink(missing_ok=True)
        moved = sum(v["received"] + v["sent"] for v in record["bytes"].values())
        lost = f", lost: {', '.join(record['lost'])}" if record["lost"] else ""
        spent = f", ε {epsilon:.2f} for δ = {self.how.delta:g}" if self.how.privacy else ""
        self._tell(f"round {self.done} of {self.how.rounds}: {len(sites)} sites{lost}, {moved} bytes{spent}")

    def _open(self, site: str, number: int, step: str) -> _Sum:
        one = self._sum
        if one is None or one.number != number or one.step != step or site not in one.expected():
            raise WrongState(f"'{step:.20}' of sum {number}", "it is over, or goes on without this site",
                             "ask what is wanted now")  # fmt: skip
        if site in one.said[step]:
            raise Conflict(f"a second '{step}' of {site}", "the first one counts", "ask what is wanted now")
        return one

    def _touch(self, site: str) -> None:
        if site not in self._seen:
            raise WrongState(f"{site} has not joined", "the coordinator does not know it", "join first")
        self._seen[site].last = self._clock()

    def _arrived(self, one: _Sum, site: str, sha256: str) -> npt.NDArray[np.uint64]:
        data = bytes(one.arriving.pop(site, b""))
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Refused("an update that was damaged on the way", "its digest is another", "send it again")
        arrays, _ = unpacked(data)
        words = arrays.get("sum")
        if words is None or words.dtype != np.uint64 or words.shape != (self._count,):
            raise Refused("an update of another shape", f"{self._count} numbers are wanted", "use the same version")
        return words

    # ---- what stays ------------------------------------------------------------------------------------------

    def _pack(self, last: str = "", **more: npt.NDArray[np.float64]) -> tuple[str, bytes]:
        state, told = self.net.state_dict(), {"run": self.run, "round": str(self.done)}
        data = packed({n: state[n].numpy() for n in self.names} | more, told | ({_LAST: last} if last else {}))
        return hashlib.sha256(data).hexdigest(), data

    def _keep(self, number: int) -> None:
        # What is remembered stands with the weights that it belongs to, whenever the coordinator is killed.
        more = vars(self._motion) if self.how.carried or self.how.server else {}
        last = json.dumps(self.rounds[-1]) if self.rounds else ""  # for who is killed before the next file is written
        wholly.write(self._out / "weights.safetensors", self._pack(last, **more)[1])
        told = {
            "run": self.run, "number": number, "agreement": asdict(self.how), "stopped": self.stopped,
            "rounds": self.rounds,
        }  # fmt: skip
        wholly.write(self._out / "rounds.json", (json.dumps(told, indent=1) + "\n").encode())

    def _take_up(self) -> None:
        held = self._out / "rounds.json"
        if not held.exists():
            return
        told = json.loads(held.read_text("utf-8"))
        if Federation.heard(told["agreement"]) != self.how:  # an older version knew fewer words of it
            raise Conflict(f"another federation in {self._out}", "its agreement was another", "choose another folder")
        arrays, about = unpacked(read_file(self._out / "weights.safetensors"))
        self.run, self.number, self.rounds = told["run"], told["number"], told["rounds"]
        self.done = int(about["round"])
        if len(self.rounds) == self.done - 1 and _LAST in about:
            self.rounds.append(json.loads(about[_LAST]))
        self.rounds = self.rounds[: self.done]
        poured(self.net, self.names, np.concatenate([arrays[n].ravel() for n in self.names]))
        if "moved" in arrays:
            self._motion = Motion(arrays["moved"], arrays["spread"])
        elif _CARRIED in arrays:
            self._motion = replace(self._motion, moved=arrays[_CARRIED])
        self._tell(f"taken up after round {self.done}")

    def _keep_sum(self, one: _Sum) -> None:
        """Keep what only the shares free, so that they can be asked for again: masked updates and public keys."""
        told = {"number": one.number, "base": self._weights[0], "members": one.members,
                "offer": one.said["offer"], "deal": one.said["deal"]}  # fmt: skip
        words = {f"of {site}": hidden for site, hidden in one.said["send"].items()}
        about = np.frombuffer(json.dumps(told).encode(), np.uint8)
        wholly.write(self._out / _OPEN, packed({**words, "told": about}))

    def _take_up_sum(self) -> None:
        held = self._out / _OPEN
        if not held.exists():
            return
        words, _ = unpacked(held.read_bytes(), largest=2**40)
        told = json.loads(words.pop("told").tobytes())
        if (told["number"], told["base"]) != (self.number, self._weights[0]):
            held.unlink()  # it was taken, or given up
            return
        now = self._clock()
        self._sum = one = _Sum(self.number, "train", tuple(told["members"]), "reveal", now, now)
        one.said["offer"], one.said["deal"], one.said["send"] = (
            told["offer"],
            told["deal"],
            {name[3:]: hidden for name, hidden in words.items()},
        )
        self._tell(f"taken up in sum {one.number}, which waits for the shares of {', '.join(sorted(one.said['send']))}")


def _words(told: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    if set(told) != set(names) or not all(isinstance(v, str) and len(v) < 20_000 for v in told.values()):
        raise Refused("an answer of another form", f"{', '.join(names)} are wanted, as words", "use the same version")
    return dict(told)


def _revealed(told: Mapping[str, Any], sites: Mapping[str, Any]) -> dict[str, list[str]]:
    whole = {s: v for s, v in told.items() if s in sites and isinstance(v, list) and len(v) == 2}
    if set(whole) != set(sites) or not all(isinstance(w, str) and len(w) < 400 for v in whole.values() for w in v):
        raise Refused("shares of another form", "one for each site of the sum is wanted", "use the same version")
    return whole
