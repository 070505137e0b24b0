"""Monte Carlo results that take too long for a build: computed once, kept, and replayed in part by tests.

``make montecarlo`` writes them with the code in ``studies/`` and a manifest: seed, settings, counts and the hash
of the code that made them. The work is dealt in blocks with a seed each, so that a test can compute any
block again and find the same digits; ``read_study`` pools the blocks that share their settings.
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

from survaudit.errors import SourceFileError

# The folder that holds the code of the studies, beside the module.
PROJECT = Path(__file__).parents[2]


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


def read_study(folder: Path | str, name: str) -> pd.DataFrame:
    """Read the kept results of a study, having made sure that they are the ones of the manifest.

    Returns
    -------
    pandas.DataFrame
        One row a setting: batches are pooled, and ``replicates`` and ``standard_error`` are theirs together.

    Raises
    ------
    SourceFileError
        If the file is missing or differs from its manifest.

    Examples
    --------
    >>> bool(read_study("data/montecarlo", "calibration")["rejected"].between(0, 1).all())
    True
    """
    path = Path(folder) / f"{name}.csv"
    try:
        manifest = pd.read_csv(Path(folder) / "MANIFEST.csv").set_index("file")
        if hashlib.sha256(path.read_bytes()).hexdigest() != manifest.loc[path.name, "sha256"]:
            raise SourceFileError(f"{path}: differs from its manifest; write it anew with 'make montecarlo'")
        table = pd.read_csv(path, float_precision="round_trip")
    except (OSError, KeyError, pd.errors.ParserError) as error:
        raise SourceFileError(f"{path}: {error!r}; write it anew with 'make montecarlo'") from error
    return pool_batches(table) if "batch" in table else table


def pool_batches(table: pd.DataFrame) -> pd.DataFrame:
    """Pool batches of equal size into one row a setting: the mean share, and its standard error."""
    value = "rejected"
    keys = [name for name in table.columns if name not in {"batch", "replicates", value, "standard_error"}]
    pooled = table.groupby(keys, sort=False, as_index=False).agg({value: "mean", "replicates": "sum"})
    pooled["standard_error"] = np.sqrt(pooled[value] * (1 - pooled[value]) / pooled["replicates"])
    return pooled
