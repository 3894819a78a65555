"""Every example in the docstrings of this room runs and says what it shows."""

import doctest
import importlib
import pkgutil

import pytest

import isocenter.methods

MODULES = [m.name for m in pkgutil.iter_modules(isocenter.methods.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"isocenter.methods.{name}")
    failures, _ = doctest.testmod(module)
    assert failures == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    held = [finder.find(importlib.import_module(f"isocenter.methods.{m}")) for m in MODULES]
    assert sum(len(t.examples) for found in held for t in found) >= 20
