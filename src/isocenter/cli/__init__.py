"""The verbs as commands. Every command has ``--json``; whoever may read the folder acts as its administrator."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = ["app", "everything", "main"]

# What the libraries of a command bring stays. Looking through it for rings every 700 objects, as Python does, takes a
# tenth of the start.
gc.set_threshold(10_000, 50, 100)

_HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="isocenter",
    help="From the scanner to a signed report, and from signed reports back to better models. Research software."
    " `isocenter demo` shows it; `isocenter COMMAND --help` tells of each command.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON text instead of words.")]
Where = Annotated[
    Path | None, typer.Option("--folder", help="Folder of the archive.", envvar="ISOCENTER_FOLDER", show_default=False)
]
Limit = Annotated[int, typer.Option(min=1, help="Rows of a page.")]
Offset = Annotated[int, typer.Option(min=0, help="Rows to leave out before.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="Option of PS3.15 E.1-1, as `deidentify` takes them. Again for several."),
]
Reviewed = Annotated[
    list[str] | None, typer.Option(help="SOP Instance UID whose pixels you have looked at; '*' for all.")
]
Blank = Annotated[
    bool, typer.Option("--blank", help="Blank the lines of writing that are found and let the image go unseen.")
]
For = Annotated[Literal["research", "training", "federation", "sharing"], typer.Option(help="What the data are for.")]
Said = Annotated[
    list[str] | None, typer.Option(help="What the terms of use want to know: ethics=EC-12, country=DE, non_profit.")
]


def main() -> None:
    """Run a command; a refusal is a sentence and exit code 2, never a stack trace."""
    from isocenter.errors import IsocenterError

    _without_warnings()
    _be_a_module()
    app.registered_commands, app.registered_groups = asked(sys.argv[1:])
    try:
        _run()
    except IsocenterError as refusal:
        _refuse(refusal)
        raise SystemExit(2) from None
    except OSError as fault:  # a place to write to that is not there, or is not ours
        from isocenter.errors import Unavailable

        place = f"'{fault.filename}'" if fault.filename else "the disk or the network"
        _refuse(Unavailable(place, fault.strerror or str(fault), "check that it is there and may be used"))
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _be_a_module() -> None:
    """Let the script that was started pass for ``python -m isocenter``, which it is.

    Every process that is made for a piece of work runs the program's script again, which imports all commands (0.1 s
    of the processor for each analysis of each study); a module of the name ``__main__`` it leaves alone.
    """
    program = sys.modules["__main__"]
    if getattr(program, "__spec__", None) is None:
        program.__spec__ = importlib.util.find_spec("isocenter.__main__")


def _run() -> None:
    """Run the command that was typed; what is wrong with the line itself is told as any refusal is, where JSON is read.

    Raises:
        Refused: a value is no number where one is wanted, a number that is not taken, or none of the words that are;
            and where JSON is read, an argument is missing or no value of its kind.
    """
    from typer.exceptions import TyperException
    from typer.main import get_command

    from isocenter.errors import Refused

    try:
        raise SystemExit(plainly(get_command(app))(prog_name="isocenter", standalone_mode=False))
    except typer.Abort:
        raise SystemExit(1) from None
    except TyperException as wrong:
        command = f"`{getattr(getattr(wrong, 'ctx', None), 'command_path', 'isocenter')} --help` tells what it takes"
        if there := _meant(sys.argv[1:]):
            raise Refused(
                f"no command '{there[0]}'",
                f"it is called '{there[1]}' here",
                f"`isocenter {there[1]} --help` tells more",
            ) from None
        if unfit := _unfit(wrong):
            raise Refused(*unfit[:2], f"{unfit[2]}; {command}") from None
        if "--json" not in sys.argv:
            from typer.rich_utils import rich_format_error

            rich_format_error(wrong)  # type: ignore[arg-type]
            raise SystemExit(getattr(wrong, "exit_code", 2)) from None
        told = wrong.format_message() if hasattr(wrong, "format_message") else str(wrong)
        raise Refused("the command line", told.rstrip("."), command) from None


def plainly(command: Any) -> Any:
    """The same command, whose help breaks lines where the terminal ends, and calls values by what is to be typed."""
    from typer import Context

    from isocenter.cli.kinds import with_kinds

    command.help = "\n\n".join(" ".join(part.split("\n")) for part in (command.help or "").split("\n\n")) or None
    for one in command.get_params(Context(command, **_HELP)):
        with_kinds(one)
    for inner in getattr(command, "commands", {}).values():
        plainly(inner)
    return command


def _meant(words: list[str]) -> tuple[str, str] | None:
    """The first word of a line that names no command, and the command that it means; None where that is not known."""
    from isocenter.cli.other_words import command_for

    known = not words or words[0] in everything()
    return None if known or not (command := command_for(words[0])) else (words[0], command)


def _unfit(wrong: Exception) -> tuple[str, str, str] | None:
    """What was typed where a number or one of some words is taken, why it is not, and what is; else None."""
    faults, param = getattr(wrong.__cause__, "errors", None), getattr(wrong, "param", None)
    if faults is None or param is None:
        return None
    fault = faults()[0]
    kind, bounds = str(fault["type"]), fault.get("ctx", {})
    name = max(param.opts, key=len)
    example = f", as {param.default}" if isinstance(param.default, int | float) else ""
    if kind.startswith("float_"):
        why, do = "it is no number", f"give a number{example}"
    elif kind.startswith("int_"):
        why, do = "it is no whole number", f"give a whole number{example}"
    elif bound := next((words.format(bounds[key]) for key, words in _BOUNDS if key in bounds), ""):
        why, do = f"it must be {bound}", f"give a number {bound}"
    elif (words := str(fault["msg"]).partition(" is not one of ")[2]) and kind == "value_error":
        why, do = "it is none of the words that are taken", f"give one of {words.replace(chr(39), '').rstrip('.')}"
    else:
        return None
    return f"{name} {str(fault['input'])[:64]}", why, do


_BOUNDS = (("ge", "at least {}"), ("gt", "above {}"), ("le", "at most {}"), ("lt", "below {}"))


def _without_warnings() -> None:
    """Keep what libraries tell programmers from whoever uses a command, here and in the processes that it starts.

    What matters of a file is told in a sentence by who reads it. Silencing a library where it is called does not do:
    that setting belongs to the process, and a thread that puts it back lets another's warning through. Python's own
    option shows them all the same: ``python -W default -m isocenter …``.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"


def asked(words: list[str]) -> tuple[list[Any], list[Any]]:
    """The one command or group of commands that a line names, or all where it names none.

    Typer makes each ready that it knows of, a millisecond each at every start.

    >>> [[one.name for one in some] for some in asked(["open", "1.2.3", "--json"])]
    [['open'], []]
    """
    from isocenter.cli.parts import in_parts, name_of

    name = next((word for word in words if not word.startswith("-")), "")
    commands, groups = ([c for c in some if name == name_of(c)] for some in _known())
    return (commands, groups) if commands or groups else tuple(map(in_parts, _known()))  # type: ignore[return-value]


def everything() -> dict[str, Any]:
    """Every command and group of commands by its name, whatever the line that was typed asked for."""
    from typer.main import get_command

    whole = typer.Typer()
    whole.registered_commands, whole.registered_groups = _EVERY
    return dict(get_command(whole).commands)  # type: ignore[attr-defined]


def _known() -> tuple[list[Any], list[Any]]:
    return app.registered_commands, app.registered_groups


def _refuse(refusal: Any) -> None:
    from isocenter.cli.screen import harmless, json_text

    if "--json" in sys.argv:
        said = {"what": refusal.what, "why": refusal.why, "do": refusal.do, "kind": type(refusal).__name__}
        print(json_text({"error": said}))
    print(harmless(f"isocenter: {refusal}"), file=sys.stderr)


def settings(folder: Path | None = None, **given: Any) -> Any:
    """Settings from the environment, with what the command line gave."""
    from isocenter.settings import Settings

    said: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    if folder is not None:
        said["folder"] = folder
    return Settings(**said)


@contextmanager
def house(folder: Path | None, *, make: bool = False, serving: bool = False) -> Iterator[Any]:
    """The archive of a folder, closed afterwards; a new one only where `make` allows.

    With `serving`, nobody else may serve the folder meanwhile.
    """
    from isocenter.app import open_house

    held = open_house(settings(folder), make=make, server=serving)
    try:
        yield held
    finally:
        held.close()


def version(shown: bool) -> None:
    """Print the version and stop."""
    if shown:
        from isocenter import __version__

        print(f"isocenter {__version__}")
        raise typer.Exit


@app.callback()
def _isocenter(
    _version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


from isocenter.cli import (  # noqa: E402, F401  (they add their commands)
    archive,
    asking,
    carding,
    consent,
    evidence,
    exchange,
    federating,
    handing_out,
    keeping,
    learning,
    likeness,
    materials,
    pattern,
    projects,
    questions,
    reading,
    rejecting,
    releasing,
    risk,
    saliency,
    sanity,
    scoping,
    sealing,
    server,
    sharing,
    teaching,
    trust,
    watching,
)

_EVERY = _known()
