"""Templates of reports: for each kind of study its sections in the order of the field, as data.

One file a kind lies in ``templates/``. It says for which studies it is (modality, words of the body part), which
sections it has, and under which headings findings stand: a finding is put under the heading of which a word begins in
its site, its name or its label. The sections and their codes are those of the RSNA's report templates (RadLex) and of
DICOM's headings of an imaging report (PS3.16 CID 7001, LOINC).

A template holds no sentence that says itself: its `phrases` are offered to the reader, and whoever takes one has said
it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from isocenter.errors import NotFound, Refused
from isocenter.record import NO_PICTURES, Study

__all__ = ["CODES", "SECTIONS", "Heading", "Section", "Template", "choose", "get", "read", "templates"]

SECTIONS = (
    "Clinical information", "Technique", "Comparison", "Findings", "Impression", "Recommendation", "Method and limits",
    "Not looked",
)  # fmt: skip
"""The order of a report. Every template has those of `ALWAYS`; ``Method and limits`` holds what analyses remark on how
they measured and where their numbers end, ``Not looked`` what was declined, and why."""

ALWAYS = tuple(name for name in SECTIONS if name != "Recommendation")

CODES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Clinical information": ("RID13166", "55752-0"),
        "Technique": ("RID28482", "55111-9"),
        "Comparison": ("RID28483", "55114-3"),
        "Findings": ("RID28486", "59776-5"),
        "Impression": ("RID13170", "19005-8"),
        "Recommendation": ("", "18783-1"),
        "Method and limits": ("", ""),
        "Not looked": ("", ""),
    }
)
"""Section -> its RadLex identifier and its LOINC code; empty where a scheme has no word for it."""

_GENERAL = "general"
_SHORT = 3


@dataclass(frozen=True)
class Heading:
    """A place inside a section, such as *Lungs and airways*.

    Args:
        words: a finding of which one of them begins a word of its site, name or label stands here.
        phrases: sentences that a reader may take; none is ever said by itself.
    """

    name: str
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One section with its headings, in their order."""

    name: str
    headings: tuple[Heading, ...] = ()
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Template:
    """How the report of one kind of study is built.

    Args:
        name, version: under which a signed report names it.
        title: as people call it.
        modalities: a study has all of them; `any_of`: at least one of these. Empty fits every study.
        words: one of them begins a word of a body part or description; empty fits every body part.
        before: names of templates to which this one is preferred where both fit.
        sections: in the order in which they are written.
    """

    name: str
    title: str
    version: str
    modalities: tuple[str, ...]
    any_of: tuple[str, ...]
    words: tuple[str, ...]
    before: tuple[str, ...]
    sections: tuple[Section, ...]

    def hits(self, have: Collection[str], told: str) -> int:
        """How well it fits a study of these modalities, described so: 0 where it does not."""
        if not set(self.modalities) <= set(have) or (self.any_of and not set(self.any_of) & set(have)):
            return 0
        found = len({m.lower() for m in _pattern(self.words).findall(told)})
        if self.words and not found:
            return 0
        return 100 * (len(self.modalities) + bool(self.any_of)) + found + 1

    def section(self, name: str) -> Section:
        """One section by its name.

        Raises:
            Refused: it has none of that name.
        """
        found = next((s for s in self.sections if s.name == name), None)
        if found is None:
            known = ", ".join(s.name for s in self.sections)
            raise Refused(f"the section '{name:.64}'", f"a report of {self.title} has no such section", f"take {known}")
        return found

    def heading_for(self, section: str, *said: str) -> str:
        """The heading under which something stands; empty where none fits.

        Args:
            said: texts in the order in which they are asked: the site before the words, so that *lung* in a site
                counts before *rib* in a sentence.
        """
        headings = next((s.headings for s in self.sections if s.name == section), ())
        for text in said:
            for heading in headings:
                if _begins(heading.words, text):
                    return heading.name
        return ""

    def place(self, section: str, heading: str) -> tuple[int, int]:
        """Where something stands in the order of the template; what it does not know stands last."""
        names = [s.name for s in self.sections]
        if section not in names:
            return len(names), 0
        at = names.index(section)
        inside = [h.name for h in self.sections[at].headings]
        return at, inside.index(heading) if heading in inside else len(inside)


def templates() -> Mapping[str, Template]:
    """Every template that ships, by name."""
    return _shipped()


def get(name: str) -> Template:
    """One template by its name.

    Raises:
        NotFound: there is none of that name.
    """
    found = _shipped().get(name)
    if found is None:
        raise NotFound(f"a report template '{name:.64}'", f"there are {', '.join(_shipped())}", "name one of these")
    return found


def choose(study: Study) -> Template:
    """The template for a study by its modalities and body parts; the general one where no other fits.

    >>> from isocenter.record import Patient, Series
    >>> choose(Study("1.2", Patient("p"), series=(Series("1.2.1", "CT", body_part="CHEST"),))).name
    'ct_chest'
    """
    pictures = [s for s in study.series if s.modality not in NO_PICTURES]
    have = {m for m in study.modalities if m not in NO_PICTURES}
    parts = [f"{s.body_part} {s.description} {s.facts.get('ProtocolName') or ''}" for s in pictures]
    told = _spoken(" ".join([study.description, *parts]))
    hits = {one.name: n for one in _shipped().values() if (n := one.hits(have, told))}
    passed = {other for name in hits for other in _shipped()[name].before}
    best = max((name for name in hits if name not in passed), key=lambda name: hits[name])
    return _shipped()[best]


@cache
def _shipped() -> Mapping[str, Template]:
    folder = files("isocenter.forms").joinpath("templates")
    found = [read(one.read_text("utf-8")) for one in folder.iterdir() if one.name.endswith(".toml")]
    return MappingProxyType({t.name: t for t in sorted(found, key=lambda t: (t.name == _GENERAL, t.title))})


def read(text: str) -> Template:
    """A template from its TOML.

    Raises:
        Refused: it is no template, lacks a section that every report has, or has them in another order.
    """
    try:
        data = tomllib.loads(text)
        made = Template(
            name=str(data["name"]), title=str(data["title"]), version=str(data["version"]),
            modalities=tuple(data.get("modalities", ())), any_of=tuple(data.get("any_of", ())),
            words=tuple(data.get("words", ())), before=tuple(data.get("before", ())),
            sections=tuple(_section(s) for s in data["sections"]),
        )  # fmt: skip
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as bad:
        raise Refused(
            "a report template that cannot be read", str(bad)[:200], "compare it with one that ships"
        ) from bad
    names = [s.name for s in made.sections]
    if missing := [name for name in ALWAYS if name not in names]:
        raise Refused(
            f"the template '{made.name}' without {', '.join(missing)}", "every report has these sections", "add them"
        )
    if (known := [SECTIONS.index(n) for n in names if n in SECTIONS]) != sorted(known) or len(set(names)) < len(names):
        raise Refused(
            f"the template '{made.name}'",
            "its sections stand twice or not in the order of a report",
            f"put them into this order: {', '.join(SECTIONS)}",
        )
    return made


def _section(data: Mapping[str, Any]) -> Section:
    headings = tuple(
        Heading(str(one["name"]), tuple(one.get("words", ())), tuple(one.get("phrases", ())))
        for one in data.get("headings", ())
    )
    return Section(str(data["name"]), headings, tuple(data.get("phrases", ())))


def _begins(words: tuple[str, ...], text: str) -> bool:
    return bool(_pattern(words).search(_spoken(text)))


def _spoken(text: str) -> str:
    return text.lower().replace("_", " ")


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words at the beginning of a word; one of up to three letters only as a whole word (*hip* is no
    hippocampus)."""
    each = [re.escape(w.lower()) + (r"\b" if len(w) <= _SHORT else "") for w in words]
    return re.compile(rf"\b(?:{'|'.join(each)})" if words else r"(?!)")
