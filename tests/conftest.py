"""What every test may ask for: real data where it is, and the reason where it is not."""

from __future__ import annotations

import functools
import gc
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from isocenter.govern import passwords
from night import Night, code_digest

ROOT = Path(__file__).parents[1]
# The checks of every analysis go before all: what they compile, the demonstration and the catalogue then find compiled,
# where two processes that begin together would both compile it.
LONG = (
    "catalogue/test_catalogue_checks", "walks/test_walk_hostile", "store/test_store_kill", "doors/test_doors_twin",
    "store/test_store_jobs", "learn/", "walks/", "catalogue/", "cli/", "forms/", "methods/",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Where a record of the night is named, what passed before is not run again."""
    gc.disable()  # ten thousand tests are made, and none of them goes: nothing to look for until they are there
    if place := os.environ.get("ISOCENTER_NIGHT"):
        config.pluginmanager.register(Night(Path(place), code_digest()))


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Says how far a long test is, past the capture of its output; silent but in a night's run."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")

    def tell(words: str) -> None:
        if reporter is not None and capture is not None and request.node.get_closest_marker("nightly"):
            with capture.global_and_fixture_disabled():
                reporter.write_line(f"{request.node.name}: {words}")

    return tell


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: a file stays in one process, and one that begins last leaves the other processes idle."""

    @functools.cache
    def rank(file: str) -> int:
        within = file.removeprefix("tests/")
        return next((n for n, start in enumerate(LONG) if within.startswith(start)), len(LONG))

    items.sort(key=lambda item: rank(item.nodeid.partition("::")[0]))


# At every request in memory httpx looks whether trio runs, through a package that only trio brings. Where that is not
# here, Python would look through all folders for it each time, a twelfth of such a request.
if importlib.util.find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]

# Four tests share two cores with the servers that they start: how long one example took says nothing of our code.
settings.register_profile(
    "shared", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared")


# A password takes a quarter of a second to try, on purpose. Hundreds of tests let somebody in and ask nothing of that;
# commands and servers that they start pay it. `true_cost` brings it back to those that do ask.
_dear = passwords._hasher


@functools.cache
def _cheap() -> passwords.PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


passwords._hasher = _cheap


@pytest.fixture
def true_cost(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Passwords as dear as they are in a hospital."""
    monkeypatch.setattr(passwords, "_hasher", _dear)
    passwords._nobodys_credential.cache_clear()
    yield
    passwords._nobodys_credential.cache_clear()


def pytest_collection_finish() -> None:
    """What stays for the whole run is not looked through at every collection of garbage.

    Typer makes all commands ready at every call of its runner, 70 ms each, where a process does so once.
    """
    gc.freeze()
    gc.enable()
    if runner := sys.modules.get("typer.testing"):
        runner._get_command = functools.cache(runner._get_command)  # type: ignore[attr-defined]


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable, ROOT / default)).resolve()


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real images (setting ISOCENTER_DATA); skips where it is absent."""
    folder = _folder("ISOCENTER_DATA", "../shared/data")
    if not folder.is_dir():
        pytest.skip("real data are not here: set ISOCENTER_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of published values (setting ISOCENTER_REFERENCE); skips where it is absent."""
    folder = _folder("ISOCENTER_REFERENCE", "../shared/reference")
    if not folder.is_dir():
        pytest.skip("published values are not here: set ISOCENTER_REFERENCE to their folder")
    return folder
