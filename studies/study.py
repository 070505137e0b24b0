"""A study, and the writing of its results with a manifest: seed, blocks, rows and the hash of the code that made them.

The work is dealt in blocks with a seed each, so that a test can compute any block again and find the same digits.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, eq=False)
class Study:
    """One file of results: its rows' settings, and the function that computes a row.

    Attributes
    ----------
    name : str
        Of the file, without its ending.
    seed : int
        With the row's place, the seed of that row.
    settings : tuple of dict
        One a row (or a block of rows), in order.
    compute : callable
        From settings and a generator to records.
    """

    name: str
    seed: int
    settings: tuple[dict[str, Any], ...]
    compute: Callable[[dict[str, Any], np.random.Generator], list[dict[str, object]]]

    def block(self, place: int) -> pd.DataFrame:
        """Compute the rows of one setting, with the seed that belongs to its place."""
        settings = self.settings[place]
        options = {name: value for name, value in settings.items() if name != "batch"}
        records = self.compute(options, np.random.default_rng([self.seed, place]))
        return pd.DataFrame([settings | record for record in records])


def code_version(code: Sequence[str]) -> str:
    """Return a short hash of the code on which the results depend; its documentation is not hashed."""
    digest = hashlib.sha256()
    for name in code:
        source = (PROJECT / name).read_text(encoding="utf-8")
        digest.update("\n".join(_statements(source)).encode())
    return digest.hexdigest()[:16]


def _statements(source: str) -> Iterator[str]:
    """Yield the lines of a file that can change a result: no docstring, no line of comment, no blank one."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    told: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            told.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    for number, line in enumerate(source.splitlines(), start=1):
        if number not in told and line.strip() and not line.lstrip().startswith("#"):
            yield line


def run_studies(folder: Path, studies: Sequence[Study], code: Sequence[str]) -> Iterator[str]:
    """Compute every study, then write all files with their manifest; yield a line on each block done.

    Nothing is written before everything is computed, so that an interrupted run loses nothing.
    """
    tables = {}
    for study in studies:
        blocks = []
        for place, settings in enumerate(study.settings):
            blocks.append(study.block(place))
            yield f"{study.name}, block {place + 1} of {len(study.settings)}: {settings}"
        tables[study] = pd.concat(blocks, ignore_index=True)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = []
    for study, table in tables.items():
        content = table.to_csv(index=False, lineterminator="\n").encode()
        (folder / f"{study.name}.csv").write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        manifest.append((f"{study.name}.csv", study.seed, len(study.settings), len(table), code_version(code), sha256))
    columns = ["file", "seed", "blocks", "rows", "code", "sha256"]
    pd.DataFrame(manifest, columns=columns).to_csv(folder / "MANIFEST.csv", index=False, lineterminator="\n")
