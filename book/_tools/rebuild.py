"""Build the book a second time under other conditions, and compare the two sites byte for byte.

The other conditions are another folder, another time zone, another locale and another seed of Python's
hashes; nothing but the sources is copied, so that every notebook runs again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from survaudit.ledger.certificate import audited_state
from survaudit.ledger.fingerprints import LEFT_BEHIND, SOURCES, fingerprints

# As far from a usual machine as the settings go: the earliest time zone, the plainest locale.
ELSEWHERE = {"PYTHONHASHSEED": "20211029", "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C"}


def copy_sources(project: Path, folder: Path) -> None:
    """Copy what the book is made of, and nothing that an earlier build left behind."""
    folder.mkdir(parents=True)
    for name in SOURCES:
        source = project / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        else:
            shutil.copy(source, folder / name)


def begin_build(
    folder: Path, conditions: dict[str, str], *options: str, binaries: Path = Path(sys.executable).parent
) -> subprocess.Popen[str]:
    """Begin to build the book in a folder, with its own copy of the module, and return the process."""
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if name not in {"SURVAUDIT_FOLLOW_UP", "SOURCE_DATE_EPOCH"}
        },
        "PYTHONPATH": str(folder / "src"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(folder / "_build" / ".ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "_build" / ".jupyter"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        **conditions,
    }
    command = [str(binaries / "jupyter-book"), "build", ".", *options]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def differences(first: Path, second: Path) -> list[str]:
    """Return the files in which two folders differ, each with how."""
    ours, theirs = fingerprints(first), fingerprints(second)
    found = []
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in theirs or name not in ours:
            found.append(f"{name}: only in the {'first' if name in ours else 'second'} build")
        elif ours[name] != theirs[name]:
            found.append(f"{name}: {ours[name][:12]} in the first build, {theirs[name][:12]} in the second")
    return found


def compare_with_another(project: Path, conditions: dict[str, str], binaries: Path) -> list[str]:
    """Build the book in another folder and return in what its site differs from the one that is there."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "another folder" / "book"
        copy_sources(project, folder)
        process = begin_build(folder, conditions, "-W", "--keep-going", "-n", binaries=binaries)
        output, _ = process.communicate()
        if process.returncode:
            print(output)
            return ["the second build failed"]
        return differences(project / "_build" / "html", folder / "_build" / "html")


def main(project: Path, record: Path) -> int:
    """Compare the built site with a second build, write a record of it, and fail if they differ."""
    state = audited_state(project)
    found = compare_with_another(project, ELSEWHERE, Path(sys.executable).parent)
    count = len(fingerprints(project / "_build" / "html"))
    record.parent.mkdir(parents=True, exist_ok=True)
    content = {"files": count, "conditions": ELSEWHERE, "differences": found, "state": state}
    record.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print("\n".join(found) or f"Two builds in different folders, time zones and hash seeds: {count} equal files.")
    return int(bool(found))


if __name__ == "__main__":
    PROJECT = Path(__file__).resolve().parents[2]
    sys.exit(main(PROJECT, PROJECT / "_build" / "audit" / "rebuild.json"))
