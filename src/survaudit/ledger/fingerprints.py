"""SHA-256 fingerprints of files and folders, in the form that ``sha256sum --check`` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from survaudit.errors import SourceFileError

SUMS = "SHA256SUMS"
# All that a build, its tests and its audit depend on.
SOURCES = (
    "CONTRIBUTING.md",
    "Makefile",
    "README.md",
    "_config.yml",
    "_toc.yml",
    "book",
    "data",
    "index.md",
    "notebooks",
    "pyproject.toml",
    "requirements.lock",
    "src",
    "studies",
    "tests",
)
# What running leaves among them, and no one wrote.
LEFT_BEHIND = ("__pycache__", ".ipynb_checkpoints")


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fingerprints(folder: Path) -> dict[str, str]:
    """Return the fingerprint of every file under a folder but its ``SHA256SUMS``, by path, sorted.

    Paths are relative and written with slashes, so that they are the same on every machine.
    """
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: fingerprint(files[name]) for name in sorted(files) if name != SUMS}


def source_fingerprints(project: Path) -> dict[str, str]:
    """Return the fingerprint of every file on which the book and its audit depend, by path, sorted.

    Examples
    --------
    >>> found = source_fingerprints(Path("."))
    >>> {"data/claims.yml", "src/survaudit/ledger/fingerprints.py"} <= set(found)
    True
    """
    found = {}
    for name in SOURCES:
        path = project / name
        if path.is_dir():
            found.update({f"{name}/{file}": digest for file, digest in fingerprints(path).items()})
        elif path.is_file():
            found[name] = fingerprint(path)
    return {name: found[name] for name in sorted(found) if not set(LEFT_BEHIND) & set(name.split("/"))}


def digest_of(found: Mapping[str, str]) -> str:
    """Return one fingerprint of many: of their ``SHA256SUMS``."""
    return hashlib.sha256(sums_text(found).encode()).hexdigest()


def sums_text(found: Mapping[str, str]) -> str:
    r"""Return fingerprints as the lines of a ``SHA256SUMS`` file.

    Examples
    --------
    >>> sums_text({"a.txt": "00ff"})
    '00ff  a.txt\n'
    """
    return "".join(f"{digest}  {name}\n" for name, digest in found.items())


def read_sums(path: Path) -> dict[str, str]:
    """Read a ``SHA256SUMS`` file.

    Raises
    ------
    SourceFileError
        If it is missing, or a line is no fingerprint with a name.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceFileError(f"{path}: {error}; run `make book`, which writes it") from error
    found = {}
    for number, line in enumerate(lines, start=1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name:
            raise SourceFileError(f"{path}, line {number}: found {line!r}, expected a SHA-256, two blanks and a path")
        found[name] = digest
    return found
