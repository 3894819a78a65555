"""How things are computed: arrays and Volumes in, arrays and Volumes out. No files, no DICOM, no network.

One file a method, named in the field's words; each docstring says what it means in the clinic, shapes, units, what is
refused, and the source of the formula::

    from isocenter.methods import suv, perfusion

``dir(isocenter.methods)`` lists them all. Each is loaded when it is first used.
"""

import pkgutil
from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in __dir__():
        raise AttributeError(f"module '{__name__}' has no method '{name}': dir() lists those that there are")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted(found.name for found in pkgutil.iter_modules(__path__))
