"""Build the book under every other supported Python that is installed, and compare the sites byte for byte.

No file of the site names the version it was built with, so that equal numbers, figures and words are
equal bytes. Each version gets an environment of its own, from the same lock.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

from rebuild import compare_with_another

SUPPORTED = ("3.11", "3.12", "3.13")
ASK = "import platform; print(platform.python_version())"


def installed(version: str) -> str | None:
    """Return the release that a version's command starts; None if there is none, or one that does not run."""
    command = shutil.which(f"python{version}")
    if command is None:
        return None
    asked = subprocess.run([command, "-c", ASK], capture_output=True, text=True, check=False)
    return asked.stdout.strip() if asked.returncode == 0 else None


def make_environment(project: Path, version: str) -> Path:
    """Make the locked environment of one version with the project's own recipe, and return its programs."""
    folder = f"_build/versions/{version}"
    (project / folder).parent.mkdir(parents=True, exist_ok=True)
    recipe = ["make", "--no-print-directory", f"PYTHON=python{version}", f"VENV={folder}", f"{folder}/.ready"]
    subprocess.run(recipe, cwd=project, check=True)
    return project / folder / "bin"


def main(project: Path) -> int:
    """Compare the site under every other version; fail if one differs, or if there is none to compare with."""
    own, failed, compared = platform.python_version(), 0, 0
    for version in SUPPORTED:
        release = installed(version)
        if own.startswith(f"{version}."):
            print(f"Python {own}: the site that the others are compared with")
        elif release is None:
            print(f"Python {version}: not installed here, not compared")
        else:
            found = compare_with_another(project, {}, make_environment(project, version))
            print("\n".join(found) or f"Python {release}: every file equal to that of Python {own}", flush=True)
            failed, compared = failed + bool(found), compared + 1
    if not compared:
        print("no other version was found: nothing was compared", file=sys.stderr)
    return int(bool(failed) or not compared)


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[2]))
