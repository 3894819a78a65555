"""Settings: what is given goes before the environment, and what cannot be read is told by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import commands
from isocenter.errors import Refused
from isocenter.settings import Settings


def test_what_is_given_goes_before_the_environment_and_that_before_what_is_shipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings().port == 8042 and Settings().folder == Path("isocenter-archive")
    monkeypatch.setenv("ISOCENTER_PORT", "9000")
    monkeypatch.setenv("ISOCENTER_DEMO", "Yes")
    monkeypatch.setenv("ISOCENTER_QUIET_S", "")  # a variable that is empty says nothing
    assert (Settings().port, Settings().demo, Settings().quiet_s) == (9000, True, 0.4)
    assert Settings(port=8042).port == 8042, "given, though it is what is shipped"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": "abc"}, "ISOCENTER_PORT=abc: input should be a valid integer"),
        ({"port": 70000}, "ISOCENTER_PORT=70000: input should be less than or equal to 65535. As shipped it is 8042."),
        ({"workers": "-1"}, "ISOCENTER_WORKERS=-1: input should be greater than or equal to 0. As shipped it is 2."),
        ({"demo": "perhaps"}, "ISOCENTER_DEMO=perhaps: input should be a valid boolean"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_with_its_variable(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as refusal:
        Settings(**given)
    assert str(refusal.value).startswith(said) and "As shipped it is" in str(refusal.value)


def test_a_command_says_so_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_PORT", "abc")
    done = commands.run("studies", "--folder", str(tmp_path))
    assert (
        done.returncode == 2
        and done.stderr.startswith("isocenter: ISOCENTER_PORT=abc: ")
        and "Trace" not in done.stderr
    )
