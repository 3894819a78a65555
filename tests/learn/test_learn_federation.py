"""A federation without a network: exact where it must be, and going on when a site dies in the middle."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import (  # noqa: E402
    Conflict,
    Forbidden,
    IsocenterError,
    LimitReached,
    MissingPart,
    Refused,
    WrongState,
)
from isocenter.learn import federation_model, site_steps  # noqa: E402
from isocenter.learn import private_steps as accounting  # noqa: E402
from isocenter.learn.examples import Examples  # noqa: E402
from isocenter.learn.federation import (  # noqa: E402
    Federation,
    clipped,
    flat,
    loss_of,
    moments_among,
    network,
    poured,
    recipe_of,
    shared_names,
    shown_as,
)  # fmt: skip
from isocenter.learn.federation_rounds import Motion, Rounds  # noqa: E402
from isocenter.learn.federation_site import Participant  # noqa: E402
from isocenter.learn.private_steps import Spent, by_opacus, private_steps  # noqa: E402
from isocenter.learn.secure_sum import fixed, floating  # noqa: E402
from isocenter.learn.site_steps import changed  # noqa: E402
from isocenter.learn.tensors import packed, unpacked  # noqa: E402
from isocenter.methods.privacy import spent, spent_exactly  # noqa: E402
from isocenter.methods.roc import auc  # noqa: E402

HOW = Federation("pneumoniamnist", rounds=2, batch=16, moves=False, at_least=3)


def spots(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, with a bright spot in the positives."""
    rng = np.random.default_rng(seed)
    pictures, labels = rng.integers(60, 140, (n, 28, 28), dtype=np.uint8), np.arange(n) % 2
    pictures[labels == 1, 8:16, 8:16] = 220
    return pictures, labels


def examples(n: int, seed: int) -> Examples:
    pictures, labels = spots(n, seed)
    return Examples(pictures, labels, np.full(n, -1), tuple(map(str, range(n))), np.arange(n), f"spots{seed}")


def taking_part(name: str, folder: Path, n: int = 24, *, seed: int = 0, **given: Any) -> Participant:
    pictures, labels = spots(n, seed)
    np.savez(folder / f"{name}.npz", train_images=pictures, train_labels=labels)
    return Participant(
        name, folder / f"{name}.npz", folder / name, "", lambda said: name.encode(), lambda *said: None, **given
    )


def joined(rounds: Rounds, site: Participant) -> Participant:
    told = site.look(rounds.how)
    site.join(str(rounds.join(site.name, told)["run"]))
    return site


def step(rounds: Rounds, site: Participant) -> str:
    """One question and, where something is wanted, its answer."""
    asked = rounds.now(site.name)
    if asked["step"] in ("wait", "done", "stopped"):
        return str(asked["step"])
    said = site.answer(asked, lambda digest: rounds.weights(digest, 0, 2**30))
    if isinstance(said, bytes):
        rounds.chunk(site.name, asked["number"], 0, said)
        said = site.told()
    rounds.answer(site.name, asked["number"], asked["step"], said)
    return str(asked["step"])


def run(rounds: Rounds, sites: list[Participant], silent: Callable[[str], None] = lambda line: None) -> None:
    for _ in range(400):
        if rounds.finished():
            return
        for site in sites:
            step(rounds, site)
    raise AssertionError("the federation does not end")


def test_one_step_on_all_pictures_is_gradient_descent_on_the_pooled_pictures_exactly() -> None:
    how = Federation("pneumoniamnist", batch=0, momentum=0.0, rate=0.1, falling=False, moves=False, by_groups=True)
    own = replace(recipe_of(how), dropout=0.0, widths=(4, 8, 8))
    torch.set_default_dtype(torch.float64)
    try:
        sites = [examples(n, seed) for seed, n in enumerate((10, 24, 37))]
        start = network(how, own)
        names = shared_names(start, how)
        first, rows = flat(start, names), []
        for number, site in enumerate(sites):
            poured(start, names, first)
            change, _ = changed(start, site, how, own, 0, f"site {number}")
            rows.append(np.append(change * len(site), len(site)))
        together = floating(sum(fixed(row, 3) for row in rows))
        federated, plain = first + together[:-1] / together[-1], sum(rows)
        poured(start, names, first)
        pictures = torch.from_numpy(np.concatenate([s.pictures for s in sites]))[:, None]
        labels = torch.from_numpy(np.concatenate([s.labels for s in sites]))
        random = torch.Generator()
        start.zero_grad()
        loss_of(start(shown_as(pictures, how, own, random)), labels, own).backward()
        central = first - how.rate * np.concatenate(
            [dict(start.named_parameters())[n].grad.numpy().ravel() for n in names]
        )
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.abs(central - first).max() > 1e-3
    assert np.abs(first + plain[:-1] / plain[-1] - central).max() < 1e-13
    assert np.abs(federated - central).max() < 1e-9  # sums travel in steps of 2^-30


def test_a_federation_learns_goes_on_without_a_site_that_dies_and_counts_what_is_unusable(tmp_path: Path) -> None:
    clock, lines = [0.0], []
    rounds = Rounds(HOW, tmp_path / "out", sites=4, clock=lambda: clock[0], tell=lines.append)
    sites = [joined(rounds, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")]
    pictures, labels = spots(24, 9)
    spoilt = pictures.astype(np.float32)
    spoilt[3, 0, 0] = np.nan
    np.savez(tmp_path / "d.npz", train_images=spoilt, train_labels=labels)
    d = taking_part("x", tmp_path)
    d.name, d.data = "d", tmp_path / "d.npz"
    joined(rounds, d)
    assert [step(rounds, s) for s in (*sites, d)] == ["offer"] * 4
    assert [step(rounds, s) for s in (*sites, d)] == ["deal"] * 4
    # d has made its masks with all others, and dies before it sends
    assert [step(rounds, s) for s in sites] == ["send"] * 3
    assert [step(rounds, s) for s in sites] == ["wait"] * 3
    clock[0] += 1801
    run(rounds, sites)
    assert [r["sites"] for r in rounds.rounds] == [["a", "b", "c"]] * 2
    assert rounds.rounds[0]["lost"] == ["d"]
    assert rounds.rounds[0]["aside"] == {"d": 1}
    assert (tmp_path / "x" / "set-aside.tsv").read_text().startswith("train/00003\t")
    assert rounds.rounds[0]["weight"] == sum(len(s.training) for s in sites)
    assert any("lost: d" in line for line in lines)
    held = examples(40, 77)
    with torch.inference_mode():
        said = rounds.net.eval()(torch.from_numpy(held.pictures)[:, None].float() / 255).softmax(1)[:, 1].numpy()
    assert auc(held.labels, said).value > 0.95
    file = sites[0].finish(rounds.weights(rounds.now("a")["base"], 0, 2**30))
    arrays, about = unpacked(file.read_bytes())
    assert about["round"] == "2" and set(rounds.names) <= set(arrays)
    assert {p.name for p in (tmp_path / "a").glob("*.json")} <= {"model.json"}  # keys of masks are thrown away


def test_the_shared_weights_become_a_candidate_that_can_be_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isocenter.learn.judge import judge

    how = replace(HOW, rounds=1, held=0.4)
    rounds = Rounds(how, tmp_path / "out", sites=3, clock=lambda: 0.0)
    sites = [joined(rounds, taking_part(name, tmp_path, 60, seed=i)) for i, name in enumerate("abc")]
    run(rounds, sites)
    base = rounds.now("a")["base"]
    assert not rounds.everybody_knows()  # who has only heard that it is over still needs the weights
    for site in "abc":
        last = rounds.weights(base, len(rounds.weights(base, 0, 2**30)), 2**20, site)
        assert last == b""
    assert rounds.everybody_knows()
    late = Rounds(how, tmp_path / "out", sites=3, clock=lambda: 0.0)  # started once more for a site that was lost
    assert late.finished() and not late.everybody_knows()
    late.join("c", {})
    assert late.now("c")["base"] == base and not late.everybody_knows()
    late.weights(base, len(late.weights(base, 0, 2**30, "c")), 2**20, "c")
    assert late.everybody_knows()
    sites[0].finish(rounds.weights(base, 0, 2**30))
    pictures, labels = spots(30, 5)
    np.savez(tmp_path / "test.npz", test_images=pictures, test_labels=labels)
    report = judge(tmp_path / "a", tmp_path / "test.npz")
    assert report["n"] == 30 and report["metrics"]["auc"]["value"] > 0.5
    card = (tmp_path / "a" / "card.md").read_text()
    assert "a federation of 3 sites" in card
    one = taking_part("lone", tmp_path, 4)
    joined(rounds, one)
    lines: list[str] = []
    one.tell = lines.append
    one.finish(rounds.weights(rounds.now("a")["base"], 0, 2**30))
    assert any("no model of this site" in line for line in lines)

    def refused(*_: Any, **__: Any) -> None:
        raise Refused("AUC 0.000", "the model is worse than a coin")

    monkeypatch.setattr(federation_model, "class_figures", refused)
    sites[1].tell = lines.append
    sites[1].finish(rounds.weights(rounds.now("a")["base"], 0, 2**30))
    assert any("worse than a coin" in line for line in lines)
    assert not (tmp_path / "b/model.onnx").exists(), "no half of a model is left"


def test_norms_by_shared_moments_learn_and_become_a_candidate(tmp_path: Path) -> None:
    how = replace(
        HOW, rounds=16, parts=2, momentum=0.0, carried=0.9, server="adam", server_rate=0.02, by_moments=0.5, held=0.4,
    )  # fmt: skip
    rounds = Rounds(how, tmp_path / "out", sites=3, clock=lambda: 0.0)
    sites = [joined(rounds, taking_part(name, tmp_path, 60, seed=i)) for i, name in enumerate("abc")]
    run(rounds, sites)
    fresh = examples(40, 77)
    with torch.inference_mode():
        said = rounds.net.eval()(torch.from_numpy(fresh.pictures)[:, None].float() / 255).softmax(1)[:, 1].numpy()
    assert auc(fresh.labels, said).value > 0.95
    sites[0].finish(rounds.weights(rounds.now("a")["base"], 0, 2**30))
    model = json.loads((tmp_path / "a" / "model.json").read_text("utf-8"))
    assert model["evidence"]["parity"] < 1e-4  # what was exported says what the network says


def test_a_coordinator_and_a_site_that_were_killed_go_on(tmp_path: Path) -> None:
    first = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: 0.0)
    sites = [joined(first, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")]
    while first.done < 1:
        for site in sites:
            step(first, site)
    for _ in range(3):  # a sum is open when both are killed
        for site in sites[:2]:
            step(first, site)
    again = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: 0.0)
    assert (again.run, again.done) == (first.run, 1)
    assert again.number == first.number  # the next sum has a number that no key has served
    assert np.array_equal(flat(again.net, again.names), flat(first.net, first.names))
    with pytest.raises(WrongState, match="has not joined"):
        again.now("a")
    record = first.rounds[0]
    told = json.loads((tmp_path / "out" / "rounds.json").read_text("utf-8"))
    assert told["rounds"] == [record]
    (tmp_path / "out" / "rounds.json").write_text(json.dumps({**told, "rounds": []}), "utf-8")
    again = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: 0.0)  # killed between the weights and the record
    assert again.rounds == [record]
    new = [joined(again, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")]
    assert new[0].sum == sites[0].sum > 0
    run(again, new)
    assert again.done == 2
    with pytest.raises(Conflict, match="another federation"):
        Rounds(replace(HOW, rate=0.1), tmp_path / "out", sites=3, clock=lambda: 0.0)


@pytest.mark.parametrize("norms", [{"by_groups": True}, {"by_moments": 0.3}])
def test_what_is_carried_on_outlives_a_coordinator_that_is_killed(tmp_path: Path, norms: dict[str, Any]) -> None:
    how = replace(HOW, rounds=3, parts=3, carried=0.5, momentum=0.0, batch=0, **norms)
    whole = Rounds(how, tmp_path / "whole", sites=3, clock=lambda: 0.0)
    start = flat(whole.net, whole.names)
    run(whole, [joined(whole, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")])
    alone = network(how, recipe_of(how))
    sites = [taking_part(name, tmp_path, seed=i) for i, name in enumerate("abc")]
    for site in sites:
        site.look(how)
    shared, move, moments = start, np.zeros_like(start), moments_among(alone, whole.names)
    assert moments.any() == ("by_moments" in norms)
    for number in range(3):
        steps = []
        for site in sites:
            poured(alone, whole.names, shared)
            steps.append(changed(alone, site.training, how, recipe_of(how), number, site.name)[0])
        weights = [len(site.training) for site in sites]
        update = np.average(steps, axis=0, weights=weights)
        move = 0.5 * move + update
        shared = shared + np.where(moments, update, move)
    assert np.allclose(flat(whole.net, whole.names), shared, atol=1e-6)
    first = Rounds(how, tmp_path / "killed", sites=3, clock=lambda: 0.0)
    here = [joined(first, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")]
    while first.done < 2:
        for site in here:
            step(first, site)
    again = Rounds(how, tmp_path / "killed", sites=3, clock=lambda: 0.0)
    run(again, [joined(again, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")])
    assert np.allclose(flat(again.net, again.names), shared, atol=1e-6)


def test_a_coordinator_that_was_updated_takes_up_a_run_of_an_older_agreement_with_what_it_carried(
    tmp_path: Path,
) -> None:
    how = replace(HOW, carried=0.5, by_groups=True)
    begun = Rounds(how, tmp_path, sites=3, clock=lambda: 0.0)
    carried = flat(begun.net, begun.names) * 0.25
    older = begun._pack(**{"carried on": carried})[1]
    begun._keep(4)
    (tmp_path / "weights.safetensors").write_bytes(older)
    told = json.loads((tmp_path / "rounds.json").read_text("utf-8"))
    for later in ("by_moments", "server", "server_rate"):
        del told["agreement"][later]
    (tmp_path / "rounds.json").write_text(json.dumps(told), "utf-8")
    again = Rounds(how, tmp_path, sites=3, clock=lambda: 0.0)
    assert (again.run, again.number) == (begun.run, 4)
    assert np.array_equal(again._motion.moved, carried)


def test_adam_at_the_coordinator_is_adam_on_the_pooled_pictures_exactly() -> None:
    how = Federation(
        "pneumoniamnist", rounds=6, batch=0, momentum=0.0, rate=0.1, moves=False, by_groups=True, carried=0.9,
        server="adam", server_rate=0.01,
    )  # fmt: skip
    own = replace(recipe_of(how), dropout=0.0, widths=(4, 8, 8))
    torch.set_default_dtype(torch.float64)
    try:
        sites = [examples(n, seed) for seed, n in enumerate((10, 24, 37))]
        net = network(how, own)
        names = shared_names(net, how)
        first = shared = flat(net, names)
        motion = Motion.begun(shared)
        for number in range(how.rounds):
            rows = []
            for site in sites:
                poured(net, names, shared)
                rows.append(np.append(changed(net, site, how, own, number, "a")[0] * len(site), len(site)))
            total = sum(rows)
            motion, shared = motion.on(how, number, shared, total[:-1] / total[-1])
        poured(net, names, first)
        pictures = torch.from_numpy(np.concatenate([s.pictures for s in sites]))[:, None]
        labels = torch.from_numpy(np.concatenate([s.labels for s in sites]))
        central = torch.optim.Adam(net.parameters(), lr=how.server_rate, betas=(0.9, 0.99), eps=1e-8)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(central, how.rounds)
        for _ in range(how.rounds):
            central.zero_grad()
            loss_of(net(shown_as(pictures, how, own, torch.Generator())), labels, own).backward()
            central.step()
            falling.step()
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.abs(flat(net, names) - first).max() > 0.03
    assert np.abs(shared - flat(net, names)).max() < 1e-7  # a gradient of nearly nothing is divided by its own size


@pytest.mark.parametrize("norms", [{"by_groups": True}, {"by_moments": 0.3}])
def test_what_adam_remembers_outlives_a_coordinator_that_is_killed_bit_for_bit(
    tmp_path: Path, norms: dict[str, Any]
) -> None:
    how = replace(HOW, rounds=4, parts=3, carried=0.9, momentum=0.0, server="adam", server_rate=0.01, **norms)
    for kept in ("whole", "killed"):
        (tmp_path / kept).mkdir()
    whole = Rounds(how, tmp_path / "whole", sites=3, clock=lambda: 0.0)
    run(whole, [joined(whole, taking_part(name, tmp_path / "whole", seed=i)) for i, name in enumerate("abc")])
    for done in range(1, 5):  # a coordinator is killed after each round
        rounds = Rounds(how, tmp_path / "killed", sites=3, clock=lambda: 0.0)
        assert rounds.done == done - 1
        sites = [joined(rounds, taking_part(name, tmp_path / "killed", seed=i)) for i, name in enumerate("abc")]
        while rounds.done < done:
            for site in sites:
                step(rounds, site)
        last = rounds._motion
    for name, value in vars(whole._motion).items():
        assert np.any(value) and np.array_equal(vars(last)[name], value), name
    assert np.array_equal(flat(rounds.net, rounds.names), flat(whole.net, whole.names))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"server": "lion", "by_groups": True}, "server 'lion': it is adam or nothing"),
        ({"server": "adam"}, "carried below zero"),
        ({"server": "adam", "by_groups": True, "server_rate": 0.0}, "server_rate 0: it is above 0 and below 1"),
        ({"parts": 3, "by_moments": -0.1}, "by_moments -0.1: it is the part of the moments that a sum renews"),
        ({"parts": 3, "by_moments": 1.5}, "by_moments 1.5"),
        ({"parts": 3, "by_moments": float("nan")}, "by_moments nan"),
        ({"parts": 3, "by_moments": 0.2, "by_groups": True}, "a layer has one norm"),
        ({"batch": 0, "by_moments": 0.2, "privacy": "person"}, "noise is not shared out over moments"),
        ({"parts": 3, "by_moments": 0.2, "method": "fedbn"}, "FedBN shares none"),
        ({"by_moments": 0.2}, "moments are those of one step: agree on parts"),
        ({"parts": 3, "by_moments": 0.2, "clip": 1.0}, "a clipped update would carry moments"),
    ],
)
def test_an_agreement_on_what_the_coordinator_does_is_refused_in_words(more: dict[str, Any], says: str) -> None:
    with pytest.raises(Refused, match=says):
        replace(HOW, **more)


def test_in_as_many_rounds_as_parts_every_picture_comes_once() -> None:
    how = replace(HOW, parts=5, by_groups=True)
    for look in (0, 1):
        seen = [site_steps._part(50, how, 5 * look + k, "a")[0].tolist() for k in range(5)]
        assert sorted(picture for some in seen for picture in some) == list(range(50))
    assert site_steps._part(50, how, 0, "a")[0].tolist() != site_steps._part(50, how, 0, "b")[0].tolist()
    assert site_steps._part(3, replace(how, parts=65), 7, "a")[1] == 1
    for more, says in (
        ({"parts": 1}, "parts are 2 and more"), ({"carried": 1.0, "by_groups": True}, "a part below 1"),
        ({"carried": 0.5}, "carried below zero"), ({"parts": 5, "epochs": 2}, "one step"),
        ({"parts": 5, "privacy": "person"}, "one step"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=says):
            replace(HOW, **more)


def test_an_answer_that_was_lost_is_given_again_and_no_key_serves_twice(tmp_path: Path) -> None:
    rounds = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: 0.0)
    a, b, c = (joined(rounds, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc"))
    asked = rounds.now("a")
    said = a.answer(asked, lambda digest: b"")
    assert a.answer(asked, lambda digest: b"") == said
    rounds.answer("a", asked["number"], "offer", said)  # type: ignore[arg-type]
    step(rounds, b)
    step(rounds, c)
    dealt = a.answer(rounds.now("a"), lambda digest: b"")
    assert a.answer(rounds.now("a"), lambda digest: b"") == dealt
    with pytest.raises(Refused, match="again"):
        a.answer(asked, lambda digest: b"")


def test_a_broken_line_goes_on_and_a_changed_or_endless_update_is_refused(tmp_path: Path) -> None:
    rounds = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: 0.0)
    sites = [joined(rounds, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")]
    for _ in range(2):
        for site in sites:
            step(rounds, site)
    a = sites[0]
    asked = rounds.now("a")
    data = a.answer(asked, lambda digest: rounds.weights(digest, 0, 2**30))
    assert isinstance(data, bytes)
    number = asked["number"]
    assert rounds.chunk("a", number, 0, data[:1000]) == 1000
    assert rounds.now("a")["held"] == 1000
    assert rounds.chunk("a", number, 5000, data[5000:]) == 1000  # a gap is not taken
    with pytest.raises(LimitReached):
        rounds.chunk("a", number, 1000, bytes(len(data) + 10_000))
    with pytest.raises(Refused, match="damaged"):
        rounds.answer("a", number, "send", a.told())
    assert rounds.chunk("a", number, 0, data) == len(data)
    rounds.answer("a", number, "send", a.told())
    with pytest.raises(Conflict):
        rounds.answer("a", number, "send", a.told())
    with pytest.raises(WrongState):
        rounds.answer("b", number, "reveal", {})
    short = packed({"sum": np.zeros(3, np.uint64)})
    rounds.chunk("b", number, 0, short)
    with pytest.raises(Refused, match="another shape"):
        import hashlib

        rounds.answer("b", number, "send", {"sha256": hashlib.sha256(short).hexdigest()})


@pytest.mark.parametrize(
    ("agreement", "given", "kind"),
    [
        ({"at_least": 2}, {}, Refused),
        ({}, {"most_epsilon": 1.0}, Refused),
        ({"task": "image_kind"}, {}, Refused),
        ({"task": "mammographic_mass"}, {}, Refused),
    ],
)
def test_a_site_does_not_join_against_its_own_conditions(
    agreement: dict[str, Any], given: dict[str, Any], kind: type[IsocenterError], tmp_path: Path
) -> None:
    with pytest.raises(kind):
        taking_part("a", tmp_path, **given).look(replace(HOW, **agreement))


def test_labels_of_another_set_and_other_classes_are_refused(tmp_path: Path) -> None:
    site = taking_part("a", tmp_path)
    np.savez(site.data, train_images=spots(6, 0)[0], train_labels=np.array([0, 1, 2, 0, 1, 2]))
    with pytest.raises(Refused, match="label '2'"):
        site.look(HOW)
    rounds = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: 0.0)
    with pytest.raises(Refused, match="the classes"):
        rounds.join("a", {"classes": ["pneumonia", "normal"]})


@pytest.mark.parametrize(
    "said",
    [
        {"task": "pneumoniamnist", "method": "fedsgd"}, {"task": "pneumoniamnist", "rounds": "20"},
        {"task": "pneumoniamnist", "at_least": 1}, {"task": "pneumoniamnist", "privacy": "site"},
        {"task": "pneumoniamnist", "privacy": "person", "noise": 0.0}, {"task": "pneumoniamnist", "run": "rm"},
        {"task": "pneumoniamnist", "method": "fedbn", "privacy": "person"},
    ],
)  # fmt: skip
def test_an_agreement_that_cannot_be_kept_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        Federation.heard(said)


def test_privacy_costs_what_the_accountant_says_and_a_site_stops_at_its_limit(tmp_path: Path) -> None:
    how = replace(HOW, privacy="person", noise=1.0, batch=4, rounds=40)
    cost = Spent.of(how, 20)
    assert (cost.steps, cost.chance) == (5, 0.2)
    cost.rounds = 2
    assert cost.epsilon(1) == spent(0.2, 1.0, 15, how.delta)
    rounds = Rounds(how, tmp_path / "out", sites=3, clock=lambda: 0.0)
    sites = [taking_part(n, tmp_path, seed=i, most_epsilon=spent(0.2, 1.0, 6, 1e-5)) for i, n in enumerate("abc")]
    for site in sites:
        joined(rounds, site)
    with pytest.raises(Forbidden, match="this site's limit"):
        run(rounds, sites)
    assert rounds.done == 1
    assert 0 < rounds.rounds[0]["epsilon"] <= sites[0].most_epsilon
    lines: list[str] = []
    sites[0].tell = lines.append
    assert sites[0].look(how)["aside"] == 0 and any(line.endswith("lasts for 1 of 40 rounds") for line in lines)
    sites[0].spent.rounds = 1
    sites[0].finish(rounds.weights(rounds.now("a")["base"], 0, 2**30))
    assert any(line.startswith("ε after 1 of 40 rounds here") and "(distribution)" in line for line in lines), lines
    sites[0].most_epsilon = 0.5
    with pytest.raises(Refused, match=r"after the first round: this site's limit is 0\.5\. Agree on more noise"):
        sites[0].look(how)


def test_a_sum_that_is_repeated_hears_the_same_update_which_costs_no_more_privacy(tmp_path: Path) -> None:
    clock = [0.0]
    how = replace(HOW, privacy="person", noise=1.0, batch=4, rounds=1)
    rounds = Rounds(how, tmp_path / "out", sites=3, clock=lambda: clock[0])
    a, b, c = (joined(rounds, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc"))
    for site in (a, b, c, a, b, c, a):  # keys, shares, and a's update: then the others are silent
        step(rounds, site)
    told, row = a.spent.epsilon(), a.row
    (tmp_path / "a" / f"{rounds.run}.json").write_bytes(
        (tmp_path / "a" / f"{rounds.run}.json").read_bytes().replace(b'"rounds": 1', b'"rounds": 0')
    )  # as if it was killed right after it trained
    a = joined(rounds, taking_part("a", tmp_path, seed=0))
    assert a.spent.epsilon() == told > 0
    clock[0] += 2000
    for name in "abc":
        rounds.now(name)
    assert rounds.now("a")["number"] == 2
    run(rounds, [a, b, c])
    assert np.array_equal(a.row, row) and a.spent.epsilon() == told == rounds.rounds[0]["epsilon"]
    a.finish(rounds.weights(rounds.now("a")["base"], 0, 2**30))
    assert not list((tmp_path / "a").glob(f"{rounds.run}.*"))


def test_accountants_are_held_to_each_other_before_a_site_joins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = replace(HOW, privacy="person", noise=1.0, batch=4, rounds=40)
    lines: list[str] = []
    site = taking_part("a", tmp_path, seed=0)
    site.tell = lines.append
    monkeypatch.setitem(sys.modules, "opacus.accountants", None)  # as where it is not installed
    with pytest.raises(MissingPart, match=r"opacus is not installed.*isocenter\[privacy\]"):
        by_opacus(0.2, 1.0, 15, 1e-5)
    site.look(how)
    people = len(np.unique(site.training.groups))
    found = Spent.of(how, people).accounts(40)
    assert list(found) == ["Rényi", "distribution"] and found["distribution"] < found["Rényi"]
    assert f"ε after 40 rounds for δ = 1e-05, by each accountant: {found['Rényi']:.2f} (Rényi)" in "\n".join(lines)
    assert found["Rényi"] == Spent.of(how, people).epsilon(40)
    for name, wrong in (("by_opacus", 0.95), ("spent_exactly", 1.02)):
        with monkeypatch.context() as patch:
            patch.setattr(accounting, name, lambda *case, by=wrong: by * spent(*case))
            with pytest.raises(Refused, match="they contradict each other"):
                site.look(how)


@pytest.mark.parametrize("case", [(0.01, 1.1, 1000, 1e-5), (0.05, 1.0, 300, 1e-5), (0.004, 0.6, 5000, 1e-6)])
def test_opacus_where_it_is_installed_says_what_our_accountants_say(case: tuple[float, float, int, float]) -> None:
    pytest.importorskip("opacus", reason="the extra 'privacy' is not installed")
    assert by_opacus(*case) == pytest.approx(spent(*case), rel=0.002)
    assert spent_exactly(*case) <= by_opacus(*case)


def test_noise_hides_a_person_and_no_layer_may_mix_people() -> None:
    how = replace(HOW, privacy="person", noise=2.0, person_clip=0.5, batch=4, momentum=0.0)
    own = recipe_of(how)
    data, net = examples(20, 0), network(how, own)
    names = shared_names(net, how)
    before = flat(net, names)
    private_steps(net, data, how, own, rate=1.0)
    moved = flat(net, names) - before
    steps, expected = 5, 4
    noise = 2.0 * 0.5 / expected * np.sqrt(steps)
    assert np.std(moved) == pytest.approx(noise, rel=0.05)  # thousands of weights, each with the noise that was asked
    with pytest.raises(Refused, match="by batches"):
        private_steps(network(HOW, own), data, how, own, rate=1.0)


def test_fedbn_leaves_normalisation_at_the_site_and_fedprox_stays_nearer() -> None:
    own, data = recipe_of(HOW), examples(40, 3)
    net = network(HOW, own)
    left = set(shared_names(net, HOW)) - set(shared_names(net, replace(HOW, method="fedbn")))
    layers = {n for n, m in net.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert {n.rpartition(".")[0] for n in left} == layers
    far = []
    for how in (replace(HOW, epochs=3), replace(HOW, epochs=3, method="fedprox", proximal=5.0)):
        net = network(how, own)
        named = [n for n, _ in net.named_parameters()]
        before = flat(net, named)
        changed(net, data, how, own, 0, "a")
        far.append(np.linalg.norm(flat(net, named) - before))
    assert far[1] < 0.8 * far[0]
    assert np.linalg.norm(clipped(np.full(9, 3.0), 2.0)) == pytest.approx(2.0)


def test_fedbn_ends_with_a_model_of_each_site_whose_normalisation_nobody_else_saw(tmp_path: Path) -> None:
    from isocenter.learn.judge import judge

    how = replace(HOW, method="fedbn", held=0.4)
    rounds = Rounds(how, tmp_path / "out", sites=3, clock=lambda: 0.0)
    sites = [joined(rounds, taking_part(name, tmp_path, 40, seed=i)) for i, name in enumerate("abc")]
    left: list[dict[str, Any] | bytes] = []
    _overheard(sites, left)
    while rounds.done < 1:
        for site in sites:
            step(rounds, site)
    own = sorted(set(shared_names(rounds.net, HOW)) - set(rounds.names))
    before = flat(sites[0].net, own)
    sites[0] = joined(rounds, taking_part("a", tmp_path, 40))  # killed, and begun again
    assert np.array_equal(flat(sites[0].net, own), before)
    _overheard(sites[:1], left)
    run(rounds, sites)

    shared = sum(rounds.net.state_dict()[n].numel() for n in rounds.names)
    updates = [unpacked(said)[0] for said in left if isinstance(said, bytes)]
    assert len(updates) == 6 and all({n: a.size for n, a in u.items()} == {"sum": shared + 1} for u in updates)
    words = {k for said in left if isinstance(said, dict) for k in said}
    assert words == {"mask", "seal", "certificate", "signature", *"abc"}  # keys, and shares of secrets for each site
    weights = rounds.weights(rounds.now("a")["base"], 0, 2**30)
    assert not set(own) & set(unpacked(weights)[0])
    assert np.array_equal(flat(rounds.net, own), flat(network(how, rounds.own), own))  # the coordinator knows none

    pictures, labels = spots(30, 5)
    np.savez(tmp_path / "test.npz", test_images=pictures, test_labels=labels)
    first = sites[0].finish(weights)
    assert judge(tmp_path / "a", tmp_path / "test.npz")["metrics"]["auc"]["value"] > 0.5
    kept = [unpacked(file.read_bytes())[0] for file in (first, sites[1].finish(weights))]
    for site, arrays in zip(sites, kept, strict=False):
        state = site.net.state_dict()
        assert all(np.array_equal(arrays[n], state[n].numpy()) for n in own)
    assert all(np.array_equal(kept[0][n], kept[1][n]) for n in rounds.names)
    a, b, c = (flat(site.net, own) for site in sites)
    assert min(np.abs(one - other).max() for one, other in ((a, b), (b, c), (a, c))) > 1e-3

    again = joined(rounds, taking_part("a", tmp_path, 40))  # asks for the last weights once more
    assert np.array_equal(flat(again.net, own), flat(sites[0].net, own)), "its own layers are still its own"
    late, lines = joined(rounds, taking_part("late", tmp_path, 40)), list[str]()
    late.tell = lines.append
    late.finish(weights)
    assert "its own layers of normalisation learnt in no round" in lines[-1] and not (late.out / "model.onnx").exists()


def _overheard(sites: list[Participant], left: list[dict[str, Any] | bytes]) -> None:
    """Everything that these sites say is also written down."""

    def listened(answer: Callable[..., Any]) -> Callable[..., Any]:
        def said(*given: Any) -> Any:
            left.append(answer(*given))
            return left[-1]

        return said

    for site in sites:
        site.answer = listened(site.answer)  # type: ignore[method-assign]


def test_a_coordinator_that_is_killed_while_shares_are_asked_for_ends_that_sum(tmp_path: Path) -> None:
    first = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: 0.0)
    sites = [joined(first, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")]
    for _ in range(3):
        for site in sites:
            step(first, site)
    assert step(first, sites[0]) == "reveal" and not first.done  # a has given its shares, for no second sum
    lines: list[str] = []
    again = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: 0.0, tell=lines.append)
    assert "taken up in sum 1, which waits for the shares of a, b, c" in lines
    run(again, [joined(again, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")])
    assert [r["sum"] for r in again.rounds] == [1, 2] and not (tmp_path / "out/sum.safetensors").exists()


def test_a_site_that_dies_before_its_shares_is_waited_for_where_too_few_remain(tmp_path: Path) -> None:
    now, lines = [0.0], list[str]()
    rounds = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: now[0], tell=lines.append)
    a, b, c = (joined(rounds, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc"))
    for _ in range(3):
        for site in (a, b, c):
            step(rounds, site)
    moved = rounds._seen["c"].received = 7_000  # what c moved in this round before it died
    for _ in range(20):  # c is dead; another sum of the same weights would be refused by a and b
        now[0] += 40
        step(rounds, a), step(rounds, b)
    assert rounds.number == 1 and not rounds.stopped
    assert [line for line in lines if "waits for the shares of c: 2 of 3 came" in line] == lines[-1:]
    again = joined(rounds, taking_part("c", tmp_path, seed=2))
    run(rounds, [a, b, again])
    assert rounds.rounds[0]["sites"] == ["a", "b", "c"]
    assert rounds.rounds[0]["bytes"]["c"]["received"] == moved, "coming back forgets no byte"


def test_while_the_disk_of_the_coordinator_takes_nothing_the_run_waits(tmp_path: Path) -> None:
    now, lines = [0.0], list[str]()
    rounds = Rounds(HOW, tmp_path / "out", sites=3, clock=lambda: now[0], tell=lines.append)
    sites = [joined(rounds, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abc")]
    for _ in range(3):
        for site in sites:
            step(rounds, site)
    full = tmp_path / "out/weights.safetensors"
    full.rename(tmp_path / "kept") if full.exists() else None
    full.mkdir()  # where the next file would lie
    before = flat(rounds.net, rounds.names)
    for _ in range(10):
        for site in sites:
            step(rounds, site)
        now[0] += 2.0
    assert rounds.done == 0 and not rounds.stopped and np.array_equal(flat(rounds.net, rounds.names), before)
    assert [line for line in lines if "nothing can be written to" in line] == lines[-1:]
    full.rmdir()
    now[0] += 10.0
    run(rounds, sites)
    assert [r["round"] for r in rounds.rounds] == [1, 2]
    (tmp_path / "fresh").mkdir()
    whole = Rounds(HOW, tmp_path / "whole", sites=3, clock=lambda: 0.0)
    run(whole, [joined(whole, taking_part(name, tmp_path / "fresh", seed=i)) for i, name in enumerate("abc")])
    assert np.allclose(flat(rounds.net, rounds.names), flat(whole.net, whole.names), atol=1e-6), "taken once"


def test_a_site_that_ends_its_part_is_waited_for_by_nobody(tmp_path: Path) -> None:
    lines, now = list[str](), [0.0]
    rounds = Rounds(HOW, tmp_path / "out", sites=4, clock=lambda: now[0], tell=lines.append)
    sites = [joined(rounds, taking_part(name, tmp_path, seed=i)) for i, name in enumerate("abcd")]
    for _ in range(2):
        for site in sites:
            step(rounds, site)
    rounds.leave("d", "ε = 3.1 after this round: this site's limit is 3")
    run(rounds, sites[:3])
    assert rounds.rounds[0]["lost"] == ["d"] and "d leaves: ε = 3.1 after this round: this site's limit is 3" in lines
    for name in "abc":
        rounds.weights(rounds.now(name)["base"], 2**30, 1, name)
    assert rounds.unaware() == ["d"], "whoever has just left may fetch what there is"
    now[0] += 11.0
    assert rounds.everybody_knows(), "and is not waited for at the end"
    few = Rounds(HOW, tmp_path / "few", sites=3, clock=lambda: 0.0)
    for site in sites[:3]:
        few.join(site.name, {})
    few.now("a")
    few.leave("b", "")
    assert "b left, and sums are of at least 3 sites; the last because it does not say why" in few.stopped
    assert not few.everybody_knows()
    assert few.now("a")["why"] == few.stopped == few.now("c")["why"] and few.everybody_knows()


@pytest.mark.parametrize(
    ("without", "labels", "says"),
    [
        ((), (0, 0), "no picture of 'pneumonia' among 24.*Give pictures of each class$"),
        (("pneumonia",), (0, 0), "Give pictures of each class$"),
        (("normal",), (0, 1), "it has 12 pictures here"),
        (("scar",), (0, 1), "the classes here are normal, pneumonia"),
    ],
)
def test_a_class_that_a_site_lacks_is_refused_before_it_trains(
    tmp_path: Path, without: tuple[str, ...], labels: tuple[int, int], says: str
) -> None:
    site = taking_part("a", tmp_path, without=without)
    np.savez(site.data, train_images=spots(24, 0)[0], train_labels=np.array(labels * 12))
    with pytest.raises(Refused, match=says.replace("$", r"\.$")):
        site.look(HOW)


def test_one_of_several_classes_may_be_lacking_where_a_person_says_so(tmp_path: Path) -> None:
    how = Federation("retinamnist", rounds=1)
    pictures = np.random.default_rng(0).integers(0, 255, (24, 28, 28, 3), dtype=np.uint8)
    site = taking_part("a", tmp_path)
    np.savez(site.data, train_images=pictures, train_labels=np.arange(24) % 4)
    with pytest.raises(Refused, match=r"say that this site has none: --without '.+'\.$"):
        site.look(how)
    site.without = (recipe_of(how).classes[4],)
    assert site.look(how)["aside"] == 0
    np.savez(site.data, train_images=pictures[..., 0], train_labels=np.arange(24) % 5)
    with pytest.raises(Refused, match=r"none of 24 images in a\.npz can be used: of the first: .* 3 colours"):
        site.look(how)


def test_what_was_made_of_pictures_is_told_before_a_site_trains(tmp_path: Path) -> None:
    lines: list[str] = []
    site = taking_part("a", tmp_path, tell=lines.append)
    pictures = np.random.default_rng(0).integers(0, 255, (24, 28, 28, 3), dtype=np.uint8)
    pictures[2] = pictures[1]
    np.savez(site.data, train_images=pictures, train_labels=np.arange(24) % 2)
    site.look(HOW)
    assert "24 of 24 pictures are in colour: the mean of their colours is learnt" in lines
    assert any("are there a second time" in line for line in lines) and any("another label" in line for line in lines)
