"""Whole months in one archive: readings are signed, examples taken, the next model trained, and better or not released.

Films are read by three people through the same verbs as in the reading room. By day the films are speckle with a bright
spot in half of them; by night they are those of PneumoniaMNIST, whose figures stand in docs/do/learn-from-readings.md.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Yield
from isocenter.analysis.registry import Registry
from isocenter.app import open_house
from isocenter.cli.releasing import _test
from isocenter.dicom.wrap import wrap_image
from isocenter.errors import Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.learn.sealed import digest_of_data
from isocenter.learn.train import train
from isocenter.reading.disclosure import Mode, Use
from isocenter.reading.session import Correction
from isocenter.record import Event, Finding, Kind, Model, Verdict, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.space import Volume

NAME, SIDE = "small_film", 28
CHIEF, SECOND = Person("chief", Role.ADMIN), Person("second", Role.ADMIN)
ITO, LEE, RUIZ = (Person(name, Role.READER) for name in ("ito", "lee", "ruiz"))
CHANGE = {
    "may_change": ["weights", "examples", "calibration"],
    "protocol": {"margin": 0.02, "group_margin": 0.2, "looks": 2, "shadow_cases": 0, "stop_on_alarm": True},
    "impact": "other films are raised on the list",
}
RECIPE = """
kind = "classes"
task = "small_film"
classes = ["clear", "opacity"]
shape = [28, 28]
widths = [8, 16, 32]
members = {members}
epochs = {epochs}
batch = 8
average = 0.9
balanced = true
[card]
title = "An opacity on a film of 28 pixels"
intended_use = "Walk through months of readings."
not_for = ["patients"]
limits = ["28 pixels"]
source = "{source}"
licence = "{licence}"
"""

Pictures = npt.NDArray[np.uint8]
Truth = npt.NDArray[np.bool_]


class SmallFilm:
    """Is there an opacity on this small film?"""

    name, version, weights = NAME, "1", NAME
    needs: ClassVar[Mapping[str, Need]] = {"image": Need(modality="DX")}
    yields: ClassVar[tuple[Yield, ...]] = (Yield(what=codes.OPACITY),)

    def run(self, image: Volume, *, weights: Any = None) -> Answer:
        """Ask the model of that name."""
        low, high = np.percentile(image.array[0], (1, 99))
        grey = np.clip((image.array[0] - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
        (sure,) = weights.run(["certainty"], {"image": grey[None, None]})
        if sure[0, 1] < 0.5:
            return Answer.none()
        return Answer.found(Finding(codes.OPACITY, certainty=float(sure[0, 1]), words="Possible opacity."))


@dataclass
class Department:
    """One archive, its people, and the films that come.

    Args:
        films: pictures and what is true of each, taken one after the other.
        sealed, groups: files of the sealed test set.
    """

    site: Site
    folder: Path
    films: Iterator[tuple[Pictures, bool]]
    sealed: Path
    groups: Path
    recipe: Path
    now: datetime = datetime(2026, 3, 2, 8, tzinfo=UTC)
    arrived: list[str] = field(default_factory=list)

    def read(self, who: Person, wrong: bool = False) -> str:
        """One film arrives, is analysed, read and signed, as `who` takes it to be; its study."""
        site, (picture, ill) = self.site, next(self.films)
        says, patient = bool(ill ^ wrong), f"P{len(self.arrived):04d}"
        held = io.BytesIO()
        Image.fromarray(picture).save(held, "PNG")
        data = wrap_image(held.getvalue(), "film.png", self.now, modality="DX", body_part="CHEST", view="PA",
                          patient_id=patient)  # fmt: skip
        site.receive([data], sender="DX1", who=HOUSE)
        (study,) = (s.uid for s in site.index.studies({"PatientID": patient}))
        site.consents.give({"GRU": ()}, patient=patient, who=HOUSE)
        site.analyse(study, only=NAME, who=HOUSE)
        reading = site.open(study, who=who)
        opacity = Correction(Verdict.ADDED, "", what=codes.OPACITY, words="An opacity.")
        if reading.asked:  # one's own opinion first
            if says:
                reading = site.correct(study, opacity, version=reading.version, who=who)
            reading = site.lock(study, version=reading.version, nothing=not says, who=who)
        shown = [(i, f) for i, r in site.results(study, who=who) for f in r.findings if r.origin.kind == "machine"]
        site.seen(study, [{"tracking": f.tracking, "result": i} for i, f in shown], who=who)
        for _, finding in shown:
            verdict = Correction(Verdict.KEPT if says else Verdict.STRUCK, finding.tracking)
            reading = site.correct(study, verdict, version=reading.version, who=who)
        if says and not shown and not reading.asked:
            reading = site.correct(study, opacity, version=reading.version, who=who)
        self.now += timedelta(minutes=20)
        site.sign(study, version=reading.version, who=who)
        self.arrived.append(study)
        return study

    def set_mode(self, mode: Mode) -> None:
        """What readers see of the analysis: one person proposes, another agrees."""
        said = self.site.propose_mode(NAME, Use.READING, mode, reason="it was released", who=CHIEF)
        if said.of(NAME, Use.READING) is not mode:
            self.site.confirm_mode(NAME, Use.READING, self.site.journal.head()[0], who=SECOND)

    def on(self, shelf: Path) -> None:
        """From now on the models of this shelf answer."""
        self.site = replace(self.site, shelf=str(shelf))

    def taken(self, out: str, rehearse: Path) -> tuple[Path, dict[str, Any]]:
        """Examples of what was signed since the first of the month, with as many earlier ones beside them."""
        begun = self.now.replace(day=1, hour=0).isoformat()
        signed = self.site.teaching.reports.signed()
        earlier = [s.study for s in signed if s.call(NAME) and s.time < begun]
        return self.folder / out, self.site.teaching.examples(
            NAME, self.folder / out, who=HOUSE, task=str(self.recipe), without=earlier, rehearse=rehearse, share=0.5
        )

    def learnt(self, month: int, examples: Path) -> tuple[Model, Path]:
        """The model of a month, and the shelf of its own on which it lies."""
        shelf = self.folder / f"shelf{month}"
        self.site.teaching.may_learn(examples, who=HOUSE)
        model = train(str(self.recipe), examples, shelf / NAME)
        self.site.teaching.taught(model.name, model.version, model.digest, examples, who=HOUSE)
        return model, shelf

    def judged(self, reason: str, against: Path | None) -> dict[str, Any]:
        """A look at the sealed test set; what the gate knows afterwards."""
        _test(self.site, NAME, self.sealed, self.groups, against, {"reason": reason, "who": CHIEF})
        return self.site.gating.told(NAME, who=CHIEF)

    def steps(self, *steps: str) -> str:
        """Steps of the gate, by one person."""
        return [self.site.gating.step(NAME, step, reason="it was shown", who=CHIEF) for step in steps][-1]


def department(
    folder: Path, pictures: Pictures, truth: Truth, parts: tuple[int, int], *, members: int, epochs: int,
    source: str, licence: str,
) -> Department:  # fmt: skip
    """An archive with a first model, released; the films are dealt to its training, the sealed test and the months.

    Args:
        parts: how many films the first model learns from, and how many are sealed.
    """
    recipe = folder / "small_film.toml"
    recipe.write_text(RECIPE.format(members=members, epochs=epochs, source=source, licence=licence))
    first, sealed = parts
    for n in range(first):
        place = folder / "first" / ("clear", "opacity")[int(truth[n])]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pictures[n]).save(place / f"person{n}_0.png")
    tested = slice(first, first + sealed)
    np.savez(folder / "sealed.npz", test_images=pictures[tested], test_labels=truth[tested].astype(int))
    with (folder / "groups.csv").open("w", newline="") as text:
        csv.writer(text).writerows([["sex"], *(["FM"[n // 2 % 2]] for n in range(sealed))])
    train(str(recipe), folder / "first", folder / "shelf0" / NAME)
    house = open_house(Settings(folder=folder / "archive"), apart=False)
    site = replace(house.site, registry=Registry({NAME: SmallFilm()}), shelf=str(folder / "shelf0"))
    films = zip(pictures[first + sealed :], truth[first + sealed :], strict=True)
    made = Department(site, folder, films, folder / "sealed.npz", folder / "groups.csv", recipe)
    made.site = replace(site, clock=lambda: made.now)
    for person in (CHIEF, SECOND, ITO, LEE, RUIZ):
        told = {"role": person.role.value, "credential": "none"}
        made.site.journal.append(Event(Kind.PERSON_ADDED, made.now, "isocenter", person.name, told))
    gating, said = made.site.gating, {"reason": "the year begins", "who": CHIEF}
    gating.declare(NAME, CHANGE, **said)
    gating.seal(NAME, digest_of_data(made.sealed), **said)
    made.judged("the first model", None)
    assert made.steps("compare", "shadow", "release") == "released"
    made.set_mode(Mode.UNAIDED_FIRST)
    return made


def spots(elsewhere: int, here: int) -> tuple[Pictures, Truth]:
    """Speckle, in every other picture with a bright spot: bright in those from elsewhere, which are the first, and
    faint in those from here."""
    count = elsewhere + here
    rng, made = np.random.default_rng(7), np.zeros((count, SIDE, SIDE), np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE]
    truth = np.arange(count) % 2 == 1
    for n, ill in enumerate(truth):
        row, column = rng.uniform(7, SIDE - 7, 2)
        bright = 120.0 if n < elsewhere else 42.0
        spot = bright * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 18.0) * ill
        made[n] = (rng.rayleigh(40.0, (SIDE, SIDE)) + spot).clip(0, 255)
    return made, truth


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_two_months_one_better_and_one_that_a_reader_spoils(tmp_path: Path) -> None:
    pictures, truth = spots(40, 160 + 51)
    here = department(
        tmp_path, pictures, truth, (40, 160), members=2, epochs=30, source="made here", licence="CC0"
    )  # fmt: skip
    readers, zero = (ITO, LEE, RUIZ), here.folder / "shelf0" / NAME

    # March: half of the films are read before the machine is seen, half beside it, and it is corrected.
    for n in range(18):
        here.read(readers[n % 3])
    here.set_mode(Mode.CONCURRENT)
    for n in range(12):
        here.read(readers[n % 3])
    here.site.consents.withdraw(patient="P0003", reason="by letter", who=HOUSE)
    examples, report = here.taken("march", here.folder / "first")
    assert report["n"] == 29 and report["closed"] == {"consent was withdrawn": 1}
    assert report["by_mode"]["followed"] > 0 and report["by_mode"]["overruled"] + report["by_mode"]["unaided"] > 15
    with (examples / "examples.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert {r["weight"] for r in rows if r["mode"] == "followed"} == {"0.25"}, "agreement with what was seen"
    assert {r["readers"] for r in rows if r["mode"] != "earlier"} == {"ito", "lee", "ruiz"}
    assert all(r["time"].startswith("2026-03-") for r in rows if r["mode"] != "earlier")
    here.site.consents.withdraw(patient="P0005", reason="by letter", who=HOUSE)
    with pytest.raises(Refused, match="1 of 29 studies"):
        here.learnt(1, examples)
    examples, report = here.taken("march, again", here.folder / "first")
    _, shelf = here.learnt(1, examples)
    here.on(shelf)
    told = here.judged("March", zero)
    assert told["looks"] == 1 and told["replaces"] and not told["missing"], told["missing"]
    assert all(gap["low"] > 0 for gap in told["judged"]["gaps"] if gap.get("group")), "it misses less, in every group"
    assert here.steps("compare", "shadow", "release") == "released"
    here.set_mode(Mode.CONCURRENT)
    march = told["digest"]

    # April: one person reads alone, and has everything the wrong way round.
    here.now = datetime(2026, 4, 1, 8, tzinfo=UTC)
    for _ in range(20):
        here.read(RUIZ, wrong=True)
    examples, report = here.taken("april", examples)
    assert report["influence"] == {"ruiz": 1.0}, "no other labels stand against theirs, the sealed test alone"
    with pytest.raises(Refused, match=r"the auc may be 0\.\d+ worse|than a coin"):
        here.on(here.learnt(2, examples)[1])
        here.judged("April", shelf / NAME)
        here.steps("compare")
    here.on(shelf)
    assert here.site.gating.told(NAME, who=CHIEF)["state"] == "released"
    (answer,) = (r for _, r in here.site.results(here.read(ITO), who=ITO) if r.origin.name == NAME)
    assert answer.origin.model == march, "who was released goes on"


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_months_of_real_films_whose_figures_stand_on_the_page(tmp_path: Path, data: Path) -> None:
    """PneumoniaMNIST: a month in which one of three readers exchanges a label in twenty, and one that they spoil."""
    held = np.load(data / "medmnist" / "pneumoniamnist.npz")
    first, sealed, order = 100, len(held["val_images"]), np.random.default_rng(0).permutation(4000)
    pictures = np.concatenate(
        [held["train_images"][order[:first]], held["val_images"], held["train_images"][order[first:]]]
    )
    labels = (held["train_labels"][order[:first]], held["val_labels"], held["train_labels"][order[first:]])
    here = department(
        tmp_path, pictures, np.concatenate(labels).ravel() == 1, (first, sealed), members=2, epochs=6,
        source="PneumoniaMNIST", licence="CC BY 4.0",
    )  # fmt: skip
    zero, wrong = here.folder / "shelf0" / NAME, 0
    for n in range(120):
        flipped = n % 60 == 2
        wrong += flipped
        here.read((ITO, LEE, RUIZ)[n % 3], wrong=flipped)
    assert wrong == 2, "5 in 100 of the labels of one reader"
    examples, report = here.taken("march", here.folder / "first")
    _, shelf = here.learnt(1, examples)
    here.on(shelf)
    told = here.judged("March", zero)
    print("March", report["by_mode"], told["judged"]["primary"], told["judged"]["gaps"], told["missing"])
    assert not told["missing"], told["missing"]
    assert here.steps("compare", "shadow", "release") == "released"
    here.set_mode(Mode.CONCURRENT)
    here.now = datetime(2026, 4, 1, 8, tzinfo=UTC)
    for _ in range(40):
        here.read(RUIZ, wrong=True)
    examples, report = here.taken("april", examples)
    print("April", report["influence"], report["scaled"], report["by_mode"])
    with pytest.raises(Refused, match=r"the auc may be 0\.\d+ worse|than a coin") as refusal:
        here.on(here.learnt(2, examples)[1])
        told = here.judged("April", shelf / NAME)
        print("April", told["judged"]["primary"], told["judged"]["gaps"])
        here.steps("compare")
    print(refusal.value)
