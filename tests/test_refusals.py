"""The table of traps says nothing that a test does not see."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "src" / "isocenter"
PAGE = HERE.parent / "docs" / "know" / "refusals.md"
ROW = re.compile(r"^\| (?P<trap>[^|]+) \| (?P<does>[^|]+) \| `(?P<words>[^`]+)` \| (?P<test>\S+) \|$", re.MULTILINE)
REFUSALS = ("Refused", "Conflict", "NotFound", "WrongState")
DOES = ("refused", "withheld", "told", "right")


def rows() -> list[dict[str, str]]:
    return [found.groupdict() for found in ROW.finditer(PAGE.read_text("utf-8"))]


def seen(name: str) -> str:
    """Source of the test with what decorates it, or of a whole file."""
    file, _, function = name.partition("::")
    text = (HERE / file).read_text("utf-8")
    if not function:
        return text
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    raise AssertionError(f"{name} is not there")


def plain(text: str) -> str:
    """Texts that are broken over lines or escaped for a pattern, as they are read."""
    joined = re.sub(r'"\s*\n\s*[rf]*"', "", text)
    return re.sub(r"\s+", " ", joined.replace("\\", "").replace("_", " ").casefold())


def test_every_line_of_the_tables_is_read() -> None:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    headers = [line for line in lines if line.startswith("| trap ")]
    assert len(rows()) == len(lines) - len(headers) > 140 and len(headers) == 13
    assert all(row["does"].startswith(DOES) for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["trap"])
def test_the_trap_is_seen_in_these_words(row: dict[str, str]) -> None:
    source = plain(seen(row["test"]))
    assert plain(row["words"]) in source, row["test"]
    if row["does"].startswith("refused") and "as target" not in row["does"]:
        assert any(guard in source for guard in ("raises(refused", "raises(notavolume", "must refuse("))


@pytest.mark.parametrize("part", sorted(one.name for one in PACKAGE.iterdir() if any(one.glob("*.py"))))
def test_whoever_meets_a_refusal_reads_what_to_do(part: str) -> None:
    """What a person may meet, at a door or below it, ends with what to do."""
    lacking = []
    for file in sorted((PACKAGE / part).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in REFUSALS:
                continue
            # One argument is another refusal's whole sentence.
            if len(node.args) == 2 and not any(isinstance(one, ast.Starred) for one in node.args):
                lacking.append(f"{file.name}:{node.lineno} {ast.unparse(node)[:90]}")
    assert not lacking, "\n".join(lacking)
