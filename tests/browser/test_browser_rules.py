"""Rules of the browser side that need no browser: keys, doors, sizes, and what the lock file records."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
BUILT = ROOT / "src/isocenter/doors/web"
SOURCES = sorted((WEB / "src").rglob("*.ts*"))


def clashes(table: dict[str, list[dict[str, str]]]) -> list[str]:
    """Keys that would do two things on one screen; a key that begins a longer one clashes too."""
    found = []
    for scope, bound in table.items():
        alive = [*bound, *(table["everywhere"] if scope != "everywhere" else [])]
        keys = [one["key"] for one in alive]
        found += [f"{scope}: {key}" for key in set(keys) if keys.count(key) > 1]
        found += [f"{scope}: {key} begins {other}" for key in keys for other in keys if other.startswith(f"{key} ")]
    return found


def test_no_key_does_two_things() -> None:
    assert clashes(json.loads((WEB / "src/keys/table.json").read_text())) == []


def test_a_clash_is_seen() -> None:
    one, two = {"key": "d", "act": "length", "words": ""}, {"key": "d", "act": "delete", "words": ""}
    assert clashes({"everywhere": [], "room": [one, two]}) == ["room: d"]
    assert clashes({"everywhere": [one], "room": [{**two, "key": "d w"}]}) == ["room: d begins d w"]


def test_every_alarm_of_a_page_says_important_to_who_hears_it() -> None:
    """Shape and colour are not heard: the hidden word stands in each callout that interrupts."""
    silent = [
        f"{path.name}: {found.group(0)[:60]}"
        for path in SOURCES
        for found in re.finditer(r'class="callout[^"]*"[^>]*role="alert">(?P<told>[^\x00]{0,400})', path.read_text())
        if "Important:" not in found["told"]
    ]
    assert silent == []


_SPREAD = re.compile(r"\.\.\.Object\.fromEntries\(\(?\[([^\]]*)\](?: as const\))?\.map\(\(\w+\) => \[(`[^`]*`|\w+), ")


def acts_of(bound: str) -> set[str]:
    """The acts of a screen as the source binds them: each by name, or made from a list by name or behind a prefix."""
    assert bound.count("...") == len(_SPREAD.findall(bound)), "a spread that this test cannot read"
    made = set()
    for among, name in _SPREAD.findall(bound):
        prefix = name.strip("`").partition("${")[0] if name.startswith("`") else ""
        made |= {prefix + one.strip().strip('"') for one in among.split(",")}
    return made | set(re.findall(r'^\s*"?([a-z][a-z0-9+-]*)"?: (?:\(|on\(|decide\()', bound, re.MULTILINE))


def test_every_key_of_the_room_has_an_act_and_every_act_a_key() -> None:
    page = (WEB / "src/room/page.tsx").read_text()
    bound = page[page.index('"room",\n') : page.index("{ hide: () => (desk.hidden.value = false)")]
    table = json.loads((WEB / "src/keys/table.json").read_text())
    assert acts_of(bound) == {one["act"] for one in table["room"]}


def test_an_act_that_is_not_bound_is_missed() -> None:
    assert acts_of('  keep: decide((one) => one),\n  "slice+1": () => 1,\n  // strike: later') == {"keep", "slice+1"}
    listed = '...Object.fromEntries((["a", "b"] as const).map((how) => [`seg-${how}`, () => marks.paint(how)])),'
    assert acts_of(listed) == {"seg-a", "seg-b"}
    with pytest.raises(AssertionError, match="cannot read"):
        acts_of("...others,")


def test_only_the_viewer_opens_the_door_to_cornerstone() -> None:
    outside = [
        path.relative_to(WEB) for path in SOURCES if "viewer" not in path.parts and "@cornerstonejs" in path.read_text()
    ]
    assert outside == []
    assert any("@cornerstonejs" in path.read_text() for path in SOURCES)


def test_three_is_loaded_by_the_page_of_the_headset_and_only_once_it_is_open() -> None:
    static = re.compile(r"^import (?!type\b).*\bfrom \"(three\b|.*/theatre\b)", re.M)
    holds = {path.relative_to(WEB / "src").as_posix() for path in SOURCES if static.search(path.read_text())}
    assert holds == {"headset/theatre.ts"}, "three comes with what imports it"
    asks = {path.relative_to(WEB / "src").as_posix() for path in SOURCES if 'import("./theatre")' in path.read_text()}
    assert asks == {"headset/page.tsx"}


def test_nothing_is_made_from_text_that_the_content_policy_forbids() -> None:
    forbidden = re.compile(r"dangerouslySetInnerHTML|\beval\(|new Function\(|innerHTML\s*=")
    assert [path.name for path in SOURCES if forbidden.search(path.read_text())] == []


def test_the_lock_file_records_no_download_address() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
    asked = {"version", "integrity", "dependencies", "optionalDependencies", "peerDependencies", "bin"}
    told = [{name: value for name, value in entry.items() if name in asked} for entry in lock["packages"].values()]
    assert "://" not in json.dumps(told)


def test_versions_are_exact() -> None:
    package = json.loads((WEB / "package.json").read_text())
    wanted = {**package["dependencies"], **package["devDependencies"]}
    assert [
        f"{name} {version}" for name, version in wanted.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)
    ] == []


@pytest.mark.parametrize(
    ("name", "entry", "budget_kb"), [("shell", "index.html", 60), ("room", "src/room/page.tsx", 1100)]
)
def test_a_browser_has_little_to_fetch(name: str, entry: str, budget_kb: int) -> None:
    if not (BUILT / ".vite/manifest.json").is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    manifest = json.loads((BUILT / ".vite/manifest.json").read_text())

    def files(key: str) -> set[str]:
        one = manifest[key]
        return {one["file"], *one.get("css", []), *(file for other in one.get("imports", []) for file in files(other))}

    fetched = files(entry) - (files("index.html") if entry != "index.html" else set())
    size = sum(len(gzip.compress((BUILT / file).read_bytes())) for file in fetched) / 1000
    print(f"{entry}: {size:.1f} kB gzip of {budget_kb}")
    assert 1 < size <= budget_kb


SIZES = {"12px", "13px", "15px", "18px", "24px", "10.5pt", "inherit"}
"""Of type, and 10.5 pt for what is printed."""

ODD = {".rail a, .rail button": "10.5px", '.rail a[href="/department"]': "9.5px", ".paper.draft::after": "150px",
       ".curves text": "20px"}  # fmt: skip
"""Labels that stand in the 56 px of the rail, the word across a draft, and axes of curves on a phone, which are drawn
at half their size there."""


def rules() -> list[tuple[str, str]]:
    """Every rule of every style sheet: selector, and what stands in its braces."""
    found = []
    for sheet in sorted((WEB / "src").rglob("*.css")):
        plain = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
        found += [(name.strip(), body) for name, body in re.findall(r"([^{};]+)\{([^{}]*)\}", plain)]
    return found


def test_type_has_five_sizes_and_two_weights_and_nothing_shines() -> None:
    seen = rules()
    assert len(seen) > 400, "the style sheets were not found"
    for name, body in seen:
        for size in re.findall(r"font(?:-size)?:[^;]*?\b([\d.]+(?:px|pt|em|rem))", body):
            assert size in SIZES or ODD.get(name) == size, f"{name} {{ {body.strip()} }}"
        if not name.startswith("@font-face"):
            assert set(re.findall(r"font-weight:\s*([^;\s]+)", body)) <= {"400", "600"}, name
        assert "gradient(" not in body, name
        shadows = re.findall(r"box-shadow:\s*([^;]+)", body)
        assert all(one.startswith(("inset", "none")) and "blur" not in one for one in shadows), name


def test_the_colours_are_those_of_the_table() -> None:
    themes = dict(
        re.findall(r"(:root|\[data-theme=\"light\"\]) \{(.*?)\n\}", (WEB / "src/style/tokens.css").read_text(), re.S)
    )
    dark = {"base": "#0b0e12", "panel": "#12171d", "raised": "#1b222b", "line": "#2e3945", "control": "#66788a",
            "text": "#d9e1ea", "muted": "#9fadbb", "faint": "#7f8e9d", "accent": "#4c9be8", "link": "#7cc4ff",
            "now": "#f2654a", "soon": "#ffd166", "fine": "#9be8cf", "machine": "#e2d4ff",
            "person": "#f2f5f8"}  # fmt: skip
    light = {"base": "#f3f6f9", "panel": "#fff", "raised": "#fff", "line": "#d5dde5", "control": "#6b7b8b",
             "text": "#16202a", "muted": "#4a5a6a", "accent": "#0b5cad", "now": "#9c1c10", "soon": "#946200",
             "fine": "#0b6b4f", "machine": "#4a2a73", "person": "#16202a"}  # fmt: skip
    for theme, wanted in ((":root", dark), ('[data-theme="light"]', light)):
        told = dict(re.findall(r"--([\w-]+):\s*([^;]+);", themes[theme]))
        assert {name: told.get(name) for name in wanted} == wanted
