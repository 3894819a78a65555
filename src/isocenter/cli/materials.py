"""The command `isocenter sbom`: what this installation is made of, in CycloneDX."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from isocenter import wholly
from isocenter.cli import Json, app

__all__ = ["bill"]


@app.command()
def sbom(
    out: Annotated[Path, typer.Argument(help="File for the CycloneDX JSON.")] = Path("sbom.cdx.json"),
    lock: Annotated[
        Path | None, typer.Option(help="package-lock.json of the pages, where they were built from a clone.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the software bill of materials of what is installed here (CycloneDX 1.6)."""
    from isocenter.app import now
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many

    screen = Screen(as_json)
    made = bill(now().isoformat(timespec="seconds"), json.loads(lock.read_text("utf-8")) if lock else {})
    wholly.write(out, json.dumps(made, indent=1) + "\n")
    screen.answer({"file": str(out), "components": len(made["components"])})
    screen.say(f"{many(len(made['components']), 'component')} written to {out}")


def bill(when: str, lock: dict[str, Any]) -> dict[str, Any]:
    """The bill: everything that Isocenter needs and that is installed, each with what it needs itself.

    Args:
        when: ISO time. lock: package-lock.json of the pages, or nothing.
    """
    import uuid

    found = _reached("isocenter")
    root = found.pop("isocenter")
    components = [_component(*one) for _, one in sorted(found.items())] + _of_pages(lock)
    known = {"isocenter", *found}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": when,
            "tools": {"components": [{"type": "application", "name": "isocenter", "version": root[1]}]},
            "component": _component(*root) | {"type": "application"},
        },
        "components": components,
        "dependencies": [
            {
                "ref": _purl(name, version),
                "dependsOn": [_purl(n, found[n][1]) for n in sorted(needs & known) if n in found],
            }
            for name, version, _, needs in [root, *(one for _, one in sorted(found.items()))]
        ],
    }


def _reached(start: str) -> dict[str, tuple[str, str, str, set[str]]]:
    """Name -> name, version, licence and needs, of a distribution and all that it needs and that is installed."""
    from importlib.metadata import PackageNotFoundError, distribution

    found: dict[str, tuple[str, str, str, set[str]]] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            held = distribution(name)
        except PackageNotFoundError:  # of an extra that is not installed here
            continue
        needs = {_canonical(r) for r in held.requires or ()}
        words = next((held.metadata[n] for n in ("License-Expression", "License") if n in held.metadata), "")
        found[name] = name, held.version, words.splitlines()[0][:120] if words.strip() else "", needs
        waiting += needs
    return found


def _component(name: str, version: str, licence: str, _: set[str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "library", "bom-ref": _purl(name, version), "name": name, "version": version,
        "purl": _purl(name, version),
    }  # fmt: skip
    return made | ({"licenses": [{"license": {"name": licence}}]} if licence else {})


def _of_pages(lock: dict[str, Any]) -> list[dict[str, Any]]:
    made = []
    for place, one in sorted(lock.get("packages", {}).items()):
        if not place or one.get("dev"):
            continue
        name = place.rsplit("node_modules/", 1)[-1]
        purl = f"pkg:npm/{name.replace('@', '%40')}@{one['version']}"
        row = {"type": "library", "bom-ref": purl, "name": name, "version": one["version"], "purl": purl}
        made.append(row | ({"licenses": [{"license": {"name": one["license"]}}]} if one.get("license") else {}))
    return list({row["bom-ref"]: row for row in made}.values())


def _canonical(requirement: str) -> str:
    """The name in a requirement, as indexes spell it (PEP 503).

    >>> _canonical("Flask_Cors[x]>=5.0; extra == 'test'")
    'flask-cors'
    """
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0]).lower()


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"
