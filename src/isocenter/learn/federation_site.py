"""A site's side of a federation: it trains on its own pictures and gives masked changes, and keeps its own conditions.

The coordinator asks, the site answers; what it will not do it refuses, whoever asks: sums of fewer sites than it wants,
two different sums of one update, keys that no site signed, a loss of privacy above its own limit.
"""

from __future__ import annotations

import hashlib
import json
import os
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.errors import Conflict, Forbidden, Refused, WrongState
from isocenter.learn.examples import Examples, near_duplicates
from isocenter.learn.federation import Federation, network, poured, recipe_of, shared_names
from isocenter.learn.federation_model import site_model
from isocenter.learn.labelled import read_labelled
from isocenter.learn.networks import GridNet
from isocenter.learn.private_steps import Spent
from isocenter.learn.secure_sum import Member, Verify, fixed
from isocenter.learn.site_steps import changed
from isocenter.learn.tensors import packed, unpacked

__all__ = ["Participant", "divided"]


def divided(examples: Examples, part: float, seed: int) -> tuple[Examples, Examples]:
    """For training, and held back: people are drawn; who shares a near-duplicate counts as one."""
    groups = examples.groups.copy()
    if examples.pictures.ndim == 3:
        for a, b in near_duplicates(examples.pictures):
            groups[groups == groups[b]] = groups[a]
    people = np.unique(groups)
    people = people[np.random.default_rng([seed, 17]).permutation(len(people))]
    held = np.isin(groups, people[: round(part * len(people))])
    return examples.take(np.flatnonzero(~held)), examples.take(np.flatnonzero(held))


@dataclass
class Participant:
    """One site of a federation.

    Args:
        name: as its certificate says it.
        data: its labelled pictures, as `labelled` reads them.
        out: folder for what it must not forget; as confidential as the pictures.
        certificate: its own, in PEM; `sign` signs with the key of it, `verify` checks what another site signed.
        at_least: fewest sites of whose sum it will be a part; the agreement may ask for more, never for fewer.
        most_epsilon: largest loss of privacy that it goes along with; 0 for any, also for an agreement without noise.
        without: classes of which this site has no picture, as its own people say.
        tell: is told what happens, in lines.
    """

    name: str
    data: Path
    out: Path
    certificate: str
    sign: Callable[[bytes], bytes]
    verify: Verify
    at_least: int = 3
    most_epsilon: float = 0.0
    without: tuple[str, ...] = ()
    tell: Callable[[str], None] = lambda line: None
    aside: list[tuple[str, str]] = field(default_factory=list)

    def look(self, how: Federation) -> dict[str, Any]:
        """Read the pictures for an agreement; what cannot be used is set aside and counted.

        Returns:
            What the coordinator may know: the classes, and how many pictures were set aside.

        Raises:
            Refused: the agreement goes against this site's conditions, labels are of another set, a class of it has no
                picture and nobody said so, or nothing is left.
        """
        if how.at_least < self.at_least:
            raise Refused(f"sums of {how.at_least} sites", f"this site takes part in sums of at least {self.at_least}",
                          "agree on more sites")  # fmt: skip
        if self.most_epsilon and not how.privacy:
            raise Refused("an agreement without noise", f"this site wants ε of at most {self.most_epsilon:g}",
                          "agree on privacy")  # fmt: skip
        self.how, self.own = how, recipe_of(how)
        self.aside.clear()
        examples = read_labelled(self.data, self.own, aside=self.aside)
        self._must_have_classes(examples)
        self.training, self.held = divided(examples, how.held, how.seed)
        people = len(np.unique(self.training.groups))
        if len(self.training) < 2:
            raise Refused(f"{len(self.training)} usable pictures", "there is nothing to learn from", "do not join")
        self.spent = Spent.of(how, people)
        self.net: GridNet = network(how, self.own)
        self.names = shared_names(self.net, how)
        self.out.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tell(f"{len(self.training)} pictures of {people} people for training, {len(self.held)} held back, "
                  f"{len(self.aside)} set aside")  # fmt: skip
        coloured = len(examples.in_colour)
        if coloured:
            self.tell(f"{coloured} of {len(examples)} pictures are in colour: the mean of their colours is learnt")
        for remark in examples.remarks:
            self.tell(remark)
        if how.privacy:
            costs = ", ".join(f"{value:.2f} ({name})" for name, value in self.spent.accounts(how.rounds).items())
            self.tell(f"ε after {how.rounds} rounds for δ = {how.delta:g}, by each accountant: {costs}")
            self._must_afford()
        if self.aside:
            said = "".join(f"{name}\t{why}\n" for name, why in self.aside)
            wholly.write(self.out / "set-aside.tsv", said)
        return {"classes": list(self.own.classes), "aside": len(self.aside)}

    def _must_afford(self) -> None:
        """Go on where this site's limit of privacy lasts for one round at least, and say for how many it does.

        Raises:
            Refused: it lasts for none.
        """
        if not self.most_epsilon:
            return
        within = bisect_right(range(1, self.how.rounds + 1), self.most_epsilon, key=self.spent.epsilon)
        if not within:
            raise Refused(
                f"ε = {self.spent.epsilon(1):.2f} after the first round", f"this site's limit is {self.most_epsilon:g}",
                "agree on more noise, or on fewer steps in a round",
            )  # fmt: skip
        if within < self.how.rounds:
            self.tell(f"ε of at most {self.most_epsilon:g} lasts for {within} of {self.how.rounds} rounds")

    def _must_have_classes(self, examples: Examples) -> None:
        """Go on only where each class of the agreement has a picture, but those that were said to be missing.

        A site that shows one answer alone moves the shared weights towards it; and where labels were lost on the way,
        that is how it looks.

        Raises:
            Refused: a class without a picture, or one that was said to have none and has, or is none.
        """
        counts = np.bincount(examples.labels, minlength=len(self.own.classes))
        classes = {name: int(n) for name, n in zip(self.own.classes, counts, strict=True)}
        for name in self.without:
            if name not in classes:
                raise Refused(
                    f"--without '{name:.40}'", f"the classes here are {', '.join(classes)}", "name one of them"
                )
            if classes[name]:
                raise Refused(f"--without '{name}'", f"it has {classes[name]} pictures here", "leave it out")
        none = [name for name, n in classes.items() if not n]
        if len(classes) - len(none) < 2 or set(none) > set(self.without):
            alone = len(classes) - len(none) < 2
            words, quoted = " ".join(f"--without '{name}'" for name in none), ", ".join(f"'{name}'" for name in none)
            raise Refused(
                f"no picture of {quoted} among {len(examples)}",
                "its updates would move the shared weights towards the other answers, for all sites",
                "give pictures of each class" + ("" if alone else f", or say that this site has none: {words}"),
            )

    def join(self, run: str) -> None:
        """Take a run up where this site left it, or begin it."""
        self.run, self.member, self.sum, self.hidden = run, None, 0, b""
        self.base, self.given, self.sites, self.trained, self.row = "", [], 0, "", np.empty(0)
        held = self._file("json")
        if held.exists():
            kept = json.loads(held.read_text("utf-8"))
            self.sum, self.given, self.base, self.sites = kept["sum"], kept["given"], kept["base"], kept["sites"]
            self.spent.rounds = kept["rounds"]
            self.member = Member.taken_up(kept["member"]) if kept["member"] else None
            if kept["hidden"]:
                self.hidden = self._file("update").read_bytes()
            self.tell(f"taken up at sum {self.sum}")
        if self._file("row").exists():
            arrays, about = unpacked(self._file("row").read_bytes())
            self.row, self.trained = arrays["row"], about["base"]
            self.spent.rounds = max(self.spent.rounds, int(about["rounds"]))
        if self._file("norm").exists():  # also after the end, for who asks for the last weights once more
            arrays, _ = unpacked(self._file("norm").read_bytes())
            self._pour_own(arrays)

    def answer(self, asked: Mapping[str, Any], base: Callable[[str], bytes]) -> dict[str, Any] | bytes:
        """What this site says to one step: words, or for "send" the masked update as a file.

        Args:
            asked: of `Rounds.now`.
            base: gives the shared weights of a digest.

        Raises:
            Refused, Forbidden: this site does not do what was asked.
        """
        number, step = int(asked["number"]), str(asked["step"])
        if step == "offer":
            fresh = self.member is not None and not self.member.offers
            if number < self.sum or (number == self.sum and not fresh):
                raise Refused(f"keys for sum {number} again", "masks would be used twice", "begin another sum")
            if number > self.sum or self.member is None:
                self.sum, self.hidden = number, b""
                self.member = Member.new(f"{self.run}|{number}", self.name, self.how.at_least)
            said = self.member.offer(self.certificate, self.sign)
            self._keep()
            return dict(said)
        member = self.member
        if member is None or number != self.sum:
            raise WrongState(f"'{step}' of sum {number}", "this site has no keys for it", "it is in the next one")
        if step == "deal":
            sealed = member.deal(asked["offers"], self.verify)
            self._keep()
            return dict(sealed)
        if step == "send":
            if not self.hidden:
                self.hidden = self._hidden(member, asked, base)
                self._keep()
            return self.hidden
        if step != "reveal":
            raise Refused(f"a step '{step:.20}'", "this version does not know it", "use the same version")
        given = member.reveal([str(s) for s in asked["survivors"]])
        if self.base not in self.given:
            self.given.append(self.base)
        self._keep()
        return dict(given)

    def _hidden(self, member: Member, asked: Mapping[str, Any], base: Callable[[str], bytes]) -> bytes:
        self.base = str(asked["base"])
        if self.base in self.given:
            raise Refused("a second sum of one update", "the difference of two sums is one site's update",
                          "begin another round")  # fmt: skip
        if self.trained != self.base:
            self._train(asked, base)
        sites = self.sites = len(asked["dealt"])
        return packed({"sum": member.hide(fixed(self.row, sites), asked["dealt"])})

    def _train(self, asked: Mapping[str, Any], base: Callable[[str], bytes]) -> None:
        """Make what this site gives from these weights: once, so that a sum that is repeated hears nothing more."""
        epsilon = self.spent.epsilon(1)
        if self.most_epsilon and epsilon > self.most_epsilon:
            raise Forbidden(f"ε = {epsilon:.2f} after this round", f"this site's limit is {self.most_epsilon:g}",
                            "end the federation, or agree on more noise")  # fmt: skip
        arrays, _ = unpacked(base(self.base))
        if set(arrays) != set(self.names):
            raise Conflict("weights of another network", "the coordinator has another version", "use the same version")
        poured(self.net, self.names, np.concatenate([arrays[n].ravel() for n in self.names]))
        change, lost = changed(self.net, self.training, self.how, self.own, int(asked["round"]), self.name)
        self.spent.rounds += 1
        self.row, self.trained = self._weighed(change), self.base
        wholly.write(
            self._file("row"),
            packed({"row": self.row}, {"base": self.base, "rounds": str(self.spent.rounds)}),
            private=True,
        )
        self.tell(f"round {int(asked['round']) + 1}: loss {lost:.4f}" + (f", ε {epsilon:.2f}" if epsilon else ""))

    def _weighed(self, change: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self.how.privacy != "site":
            weight = float(len(self.training))
            return np.append(change * weight, weight)
        # Each site brings its share of the noise; at_least of them together make it whole, more make it more.
        random = np.random.default_rng(int.from_bytes(os.urandom(32), "big"))
        share = self.how.noise * self.how.clip / np.sqrt(self.how.at_least)
        return np.append(change + random.normal(0.0, share, len(change)), 1.0)

    # ---- what a site that is killed takes up -----------------------------------------------------------------

    def told(self) -> dict[str, Any]:
        """What goes to the coordinator beside an update."""
        sha = hashlib.sha256(self.hidden).hexdigest()
        return {"sha256": sha, "aside": len(self.aside), "epsilon": self.spent.epsilon()}

    def figures(self) -> dict[str, Any]:
        """What the site's own journal keeps of a round."""
        return {"pictures": len(self.training), "aside": len(self.aside), "epsilon": round(self.spent.epsilon(), 4)}

    def finish(self, weights: bytes, *, over: bool = True) -> Path:
        """Write the shared weights, with this site's own layers where the method leaves them here, and a model of them.

        The model has this site's own evidence; there is none where too few of its people were kept back.

        Args:
            over: whether the run is; otherwise what this site has told of its people is kept, for it may go on.
        """
        arrays, about = unpacked(weights)
        poured(self.net, self.names, np.concatenate([arrays[n].ravel() for n in self.names]))
        state = {n: t.numpy() for n, t in self.net.state_dict().items() if t.is_floating_point()}
        file = self.out / "weights.safetensors"
        wholly.write(file, packed(state, {**about, "site": self.name, "task": self.how.task}))
        if self.how.method == "fedbn" and not self._file("norm").exists():
            self.tell("no model of this site: its own layers of normalisation learnt in no round")
            return file
        facts = {"run": self.run, "method": self.how.method, "rounds": about.get("round", ""), "sites": self.sites,
                 "at_least": self.how.at_least, "epsilon": round(self.spent.epsilon(), 3), "seconds": 0}  # fmt: skip
        try:
            model = site_model(self.net.eval(), self.how, self.own, self.training, self.held, self.out, facts)
            told = ", ".join(f"{name} {value['value']:.3f}" for name, value in model.evidence["metrics"].items())
            self.tell(f"a candidate of this site: {told}")
        except Refused as refused:
            self.tell(f"no model of this site: {refused}")
        if self.spent.rounds and self.how.privacy:
            costs = ", ".join(f"{v:.2f} ({name})" for name, v in self.spent.accounts(self.spent.rounds).items())
            self.tell(f"ε after {self.spent.rounds} of {self.how.rounds} rounds here: {costs}")
        for left in ("json", "update", "row") if over else ():
            wholly.sweep(self._file(left))
            self._file(left).unlink(missing_ok=True)
        return file

    def agreement(self) -> dict[str, Any]:
        """The agreement as it stands in the journal, with what this site may lose of privacy at most (0: any)."""
        return {**asdict(self.how), "most_epsilon": self.most_epsilon}

    def _file(self, kind: str) -> Path:
        return self.out / f"{self.run[:32]}.{kind}"

    def _keep(self) -> None:
        if self.hidden:
            wholly.write(self._file("update"), self.hidden, private=True)
        if self.how.method == "fedbn":
            own = {n: t.numpy() for n, t in self.net.state_dict().items()
                   if t.is_floating_point() and n not in self.names}  # fmt: skip
            wholly.write(self._file("norm"), packed(own), private=True)
        kept = {
            "sum": self.sum, "given": self.given, "rounds": self.spent.rounds, "hidden": bool(self.hidden),
            "member": self.member.kept() if self.member else None, "base": self.base, "sites": self.sites,
        }  # fmt: skip
        wholly.write(self._file("json"), json.dumps(kept).encode(), private=True)

    def _pour_own(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        names = sorted(arrays)
        poured(self.net, names, np.concatenate([arrays[n].ravel() for n in names]))
