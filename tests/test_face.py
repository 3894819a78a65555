"""The face of the package is what it says: sorted, whole, and free of cost until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import isocenter


def test_the_face_is_sorted_and_every_name_is_there() -> None:
    assert isocenter.__all__ == sorted(isocenter.__all__)
    for name in isocenter.__all__:
        assert getattr(isocenter, name) is not None
    assert dir(isocenter) == isocenter.__all__


def test_another_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(AttributeError, match="it shows Analysis, Cohort"):
        _ = isocenter.Nonsense


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, isocenter; print(any(m in sys.modules for m in ('numpy', 'pydicom', 'sqlalchemy', 'torch')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert isocenter.__version__ == version("isocenter")


def test_a_notebook_finds_every_method_by_name_and_loads_one_when_it_is_used() -> None:
    code = "import sys, isocenter.methods as m; d = dir(m); before = 'numpy' in sys.modules; m.suv.lean_body_mass_kg\n"
    code += (
        "print(len(d) > 100, before, *(f'isocenter.methods.{name}' in sys.modules for name in ('suv', 'perfusion')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "True", "False"]
    with pytest.raises(ImportError, match="nonsense"):
        exec("from isocenter.methods import nonsense")
