"""Monte Carlo results that take too long for a build: computed once by ``studies/``, and read here.

``make montecarlo`` writes them with a manifest; what differs from it is refused. A study may be dealt in batches with a
seed each, which ``read_study`` pools if they share their settings.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from survaudit.errors import SourceFileError


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
    keys = [name for name in table.columns if name not in {"batch", "replicates", "rejected", "standard_error"}]
    pooled = table.groupby(keys, sort=False, as_index=False).agg({"rejected": "mean", "replicates": "sum"})
    pooled["standard_error"] = np.sqrt(pooled["rejected"] * (1 - pooled["rejected"]) / pooled["replicates"])
    return pooled
