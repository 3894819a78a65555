"""A name is imported from the file that defines it, or from the face of its package: no arrow goes round about."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Read:
    """What a file defines, and what it imports: (line, from which file, name there, name here)."""

    defines: frozenset[str]
    imports: tuple[tuple[int, str, str, str], ...]

    @property
    def hands_on(self) -> dict[str, str]:
        return {here: module for _, module, _, here in self.imports if here not in self.defines}


def read(file: Path) -> Read:
    defines, imports = set[str](), list[tuple[int, str, str, str]]()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defines.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defines.add(node.id)
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports += [(node.lineno, node.module, a.name, a.asname or a.name) for a in node.names]
    return Read(frozenset(defines), tuple(imports))


def round_about(source: Path, others: Iterable[Path] = ()) -> list[str]:
    """In words, imports by way of another file; the faces of packages are there to hand on what their files define."""
    own = {file: read(file) for file in source.rglob("*.py")}
    named = {".".join(f.relative_to(source).with_suffix("").parts): r for f, r in own.items() if f.stem != "__init__"}
    hands_on = {name: r.hands_on for name, r in named.items()}
    found = []
    for file, told in [*own.items(), *((f, read(f)) for f in others)]:
        for line, module, name, _ in told.imports:
            whence = hands_on.get(module, {}).get(name, "")
            if whence.split(".")[0] == module.split(".")[0]:
                found.append(f"{file.name} line {line}: {name} stands in {whence}, not in {module}")
    return found


def test_no_name_is_imported_by_way_of_another_file() -> None:
    assert not round_about(ROOT / "src", [f for place in ("tests", "benchmarks") for f in (ROOT / place).rglob("*.py")])


def test_a_name_that_goes_round_about_is_found(tmp_path: Path) -> None:
    house = tmp_path / "house"
    house.mkdir()
    (house / "ground.py").write_text("def stand(): ...")
    (house / "floor.py").write_text("from house.ground import stand\ndef walk(): ...")
    (house / "__init__.py").write_text("from house.ground import stand")
    (tmp_path / "street.py").write_text("from house import stand\nfrom house.floor import stand, walk")
    assert round_about(tmp_path) == ["street.py line 2: stand stands in house.ground, not in house.floor"]
