"""No file of the pages imports another that imports it: types included, for who reads the one must read the other."""

from __future__ import annotations

import re
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "web/src"
IMPORT = re.compile(r"""^\s*(?:import|export)\b[^;"']*?["'](\.[^"']+)["']""", re.MULTILINE)
# What is fetched when somebody goes there (`import("./page")`) is no import: it is asked for later.


def imports(root: Path) -> dict[Path, set[Path]]:
    """Each file of the pages, and which of them it imports."""
    found: dict[Path, set[Path]] = {}
    for path in root.rglob("*.ts*"):
        named = [(path.parent / one).resolve() for one in IMPORT.findall(path.read_text(encoding="utf-8"))]
        found[path.resolve()] = {p for n in named for e in (".ts", ".tsx") if (p := n.with_name(n.name + e)).is_file()}
    return found


def circles(graph: dict[Path, set[Path]]) -> list[list[str]]:
    """Files that lead back to themselves, one way through each."""
    done: set[Path] = set()
    rings: list[list[str]] = []

    def walk(at: Path, way: list[Path]) -> None:
        if at in way:
            rings.append([p.name for p in way[way.index(at) :]])
        elif at not in done:
            for to in sorted(graph.get(at, ())):
                walk(to, [*way, at])
            done.add(at)

    for file in sorted(graph):
        walk(file, [])
    return rings


def test_no_import_leads_back_to_where_it_came_from() -> None:
    graph = imports(SOURCES)
    assert len(graph) > 100 and sum(map(len, graph.values())) > 300, "the sources were not read"
    assert circles(graph) == []


def test_a_circle_is_found_also_of_types(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text('import {\n  type One,\n} from "./b";\nexport type Two = One;\n')
    (tmp_path / "b.tsx").write_text('import "./c";\nexport type One = 1;\n')
    (tmp_path / "c.ts").write_text('export * from "./a";\n')
    (tmp_path / "d.ts").write_text('const later = () => import("./a");\nimport { x } from "somewhere";\n')
    assert circles(imports(tmp_path)) == [["a.ts", "b.tsx", "c.ts"]]
    (tmp_path / "c.ts").write_text('export * from "./d";\n')
    assert circles(imports(tmp_path)) == []
