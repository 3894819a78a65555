"""What the demonstration loads and what it says at the end."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import isocenter.testing
from isocenter import wholly
from isocenter.errors import NotFound, Unavailable
from isocenter.forms.words import many

__all__ = ["load", "samples", "show", "summary", "use_openly", "use_triage"]


def load(house: Any, data: Path | None, wrap: str, told: Any) -> dict[str, Any]:
    """Receive the images of the demonstration, or those of a folder; the ledger."""
    from isocenter.cli.archive import ledger
    from isocenter.govern.consent import DEMONSTRATION
    from isocenter.govern.policy import HOUSE

    if data is not None:
        taken = ledger(house.site, [data], wrap=wrap, told=told)
        if failure := taken.get("error"):
            raise Unavailable(failure["what"], failure["why"], failure["do"])
        return taken
    counts: Counter[str] = Counter()
    reasons = []
    made = _made_from()
    if kept := _kept(house, made):
        counts["there"] = kept
    else:
        held: dict[str, str] = {}
        for name, files in _shipped():
            told(name, counts.total(), counts.total())
            for stored in house.site.receive(files, sender=DEMONSTRATION, who=HOUSE):
                counts[stored.status] += 1
                held[stored.sop_uid] = stored.digest
                if stored.status in ("conflict", "rejected"):
                    reasons.append({"file": name, "status": stored.status, "reason": stored.reason})
        if not reasons:
            wholly.write(_list_of(house), json.dumps({"made_from": made, "images": held}), durable=False)
    return {
        "expected": counts.total(), "stored": counts["stored"], "there": counts["there"],
        "conflict": counts["conflict"], "rejected": counts["rejected"], "reasons": reasons,
    }  # fmt: skip


def _list_of(house: Any) -> Path:
    return Path(house.settings.folder) / "demonstration.json"


def _made_from() -> str:
    """What the bytes of the demonstration hang on: our phantoms and the libraries that compute and write them."""
    told = hashlib.sha256()
    source = Path(isocenter.testing.__file__).parent
    for part in sorted(source.rglob("*.py")):
        told.update(part.read_bytes())
    for library in ("numpy", "scipy", "pydicom", "nibabel"):
        told.update(f"{library} {version(library)}".encode())
    return told.hexdigest()


def _kept(house: Any, made_from: str) -> int:
    """How many images of an earlier start are all still here, byte for byte; 0 when any has to be made anew.

    To compute the phantoms again only to learn that each is there already was most of a second start.
    """
    try:
        kept = json.loads(_list_of(house).read_text())
        images: dict[str, str] = kept["images"] if kept["made_from"] == made_from else {}
        there = all(house.site.index.instance(uid)[2].digest == digest for uid, digest in images.items())
    except (OSError, ValueError, KeyError, NotFound):
        return 0
    return len(images) if there and all(digest in house.site.blobs for digest in images.values()) else 0


def use_triage(house: Any) -> None:
    """The demonstration shows triage: what an analysis calls urgent raises its study, and the row does not say what
    it is. Reading stays *unaided first*. A real site sets this with two people, after it has counted whom it delays.
    """
    from isocenter.reading.disclosure import Mode, Use
    from isocenter.record import Urgency

    for analysis in house.site.registry.analyses.values():
        if any(y.urgency is not Urgency.ROUTINE for y in analysis.yields):
            house.site.set_mode(analysis.name, Use.WORKLIST, Mode.TRIAGE, reason="the demonstration shows triage")


def use_openly(house: Any) -> None:
    """Nobody has to be asked about phantoms and published samples; a real site is closed until somebody was."""
    from isocenter.govern.policy import HOUSE

    kept = house.site.preferences.site(who=HOUSE)
    house.site.preferences.change_site(
        {"unasked": {"research": "allow"}}, version=kept.version, who=HOUSE,
        reason="the demonstration holds phantoms and published samples",
    )  # fmt: skip


def _shipped() -> Iterator[tuple[str, list[bytes]]]:
    from isocenter.testing.phantoms import demo_patients

    yield "real samples", list(samples())
    for phantom in demo_patients():
        yield "in-silico patients", list(phantom.files)


def samples() -> Iterator[bytes]:
    """Real images that come with the dependencies: pydicom's test files and nibabel's anatomical volume."""
    from isocenter.testing.samples import shipped

    yield from shipped()


def summary(site: Any, ledger: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The closing table: studies, analyses run, declined and why, top of the list."""
    from isocenter.govern.policy import HOUSE, Person, Role
    from isocenter.record import Outcome

    counts = site.counts(who=HOUSE)
    entries = site.worklist(who=Person("admin", Role.ADMIN))  # as who reads it next will see it
    runs: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    drafts = 0
    for entry in entries:
        for row in site.why(entry.waiting.study.uid, who=HOUSE):
            runs[row["answer"]] += 1
            if row["answer"] == Outcome.DECLINED.value and _was_near(row):
                reasons.update(f"{row['analysis']}: {r}" for r in row["reasons"][:1])
            elif row["answer"] == Outcome.DECLINED.value:
                runs["of other images"] += 1
        drafts += bool(site.report(entry.waiting.study.uid, who=HOUSE).sentences)
    return {
        "studies": counts["studies"],
        "instances": counts["instances"],
        "ledger": ledger,
        "analyses": {answer: runs[answer] for answer in ("found", "none", "declined", "waiting")},
        "declined": [{"reason": reason, "times": n} for reason, n in reasons.most_common(10)],
        "declined_for_other_reasons": max(len(reasons) - 10, 0),
        "of_other_images": runs["of other images"],
        "drafts": drafts,
        "top": [
            {
                "study": e.waiting.study.uid,
                "patient": e.waiting.study.patient.id,
                "modalities": list(e.waiting.modalities),
                "description": e.waiting.study.description,
                "level": e.level.value,
                "why": e.why,
            }
            for e in entries[:8]
        ],
        "seconds": round(seconds, 1),
    }  # fmt: skip


def _was_near(row: dict[str, Any]) -> bool:
    """Whether a declined analysis looked at images, or lacks one thing that is neither kind nor body part."""
    missing = [c["predicate"] for c in row.get("checks", ()) if not c["met"] and not c["optional"]]
    return bool(row["series"]) or (len(missing) == 1 and missing[0] not in ("modality", "body part"))


def show(screen: Any, closing: dict[str, Any]) -> None:
    """The closing table in words."""
    from isocenter.cli.archive import show_ledger

    runs = closing["analyses"]
    show_ledger(screen, closing["ledger"])
    if not closing["studies"]:
        screen.say("no image was found: nothing was taken in. Check the path.")
        return
    screen.say(
        f"{many(closing['studies'], 'study', 'studies')}, {many(closing['instances'], 'image', 'images')}; analyses:"
        f" {runs['found']} found something, {runs['none']} looked and found none, {runs['declined']} declined,"
        f" {closing['of_other_images']} of them as about other images;"
        f" {many(closing['drafts'], 'report', 'reports')} drafted; {closing['seconds']} s"
    )
    screen.table(
        "\nTop of the worklist", ("level", "why here", "patient", "kind", "study"),
        [
            (e["level"], e["why"], e["patient"] or "no patient ID", "/".join(e["modalities"]), e["description"])
            for e in closing["top"]
        ],
    )  # fmt: skip
    if closing["declined"]:
        screen.table(
            "\nDeclined, because", ("times", "reason"), [(r["times"], r["reason"]) for r in closing["declined"]]
        )
    if more := closing["declined_for_other_reasons"]:
        screen.say(f"and for {more} other reasons")
    screen.say("\n`isocenter why STUDY` tells of each analysis why it declined.")
