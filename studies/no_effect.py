"""The worlds without effect, kept in `data/no_effect`: `make montecarlo` computes them anew.

All settings are whole numbers or words, so that a row of a file says exactly what was asked.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from studies.forward_worlds import rejections
from studies.held_worlds import decompose, panel_factors, windows
from studies.study import Study, run_studies
from survaudit.cohort.endpoints import LFS
from survaudit.cohort.panels import PANELS
from survaudit.cohort.tables import read_supplement
from survaudit.immortal.guaranteed_days import CUT_OFFS
from survaudit.immortal.no_effect import (
    COHORTS,
    DRAWS,
    PERMUTED,
    RELAPSE_MEDIANS,
    TRANSPLANT_PERCENTS,
    VARIED,
    VARIED_BASE,
    Settings,
    world,
)

CODE = (
    "src/survaudit/cutpoint/_replicates.py",
    "src/survaudit/immortal/_kernels.py",
    "src/survaudit/immortal/no_effect.py",
    "src/survaudit/cohort/endpoints.py",
    "src/survaudit/immortal/guaranteed_days.py",
    "studies/forward_worlds.py",
    "studies/held_worlds.py",
    "studies/no_effect.py",
    "studies/study.py",
)


def _forwards(
    settings: Settings, rng: np.random.Generator, *, cohort: pd.DataFrame, permutations: int = 0
) -> list[dict[str, object]]:
    options = {"replicates": PERMUTED if permutations else COHORTS, "permutations": permutations}
    table = rejections(world(cohort, settings), rng=rng, n_jobs=1, **options)
    return _records(table if permutations else table.drop(columns="rejected_permuted"))


def _held(settings: Settings, rng: np.random.Generator, *, cohort: pd.DataFrame) -> list[dict[str, object]]:
    panel = settings["panel"]
    options = {"hsct_relapse_recorded": settings["reading"] == "a", "cut_off": settings["cut_off"]}
    given = partial(windows, cohort, panel, **options)
    table = decompose(given, panel_factors(panel), median=settings["median"], rng=rng, replicates=DRAWS, n_jobs=1)
    return _records(table)


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    # Six decimals are more than any number of cohorts here can tell apart.
    return [{str(name): value for name, value in row.items()} for row in table.round(6).to_dict("records")]


def studies(cohort: pd.DataFrame) -> tuple[Study, ...]:
    """Return the studies, which need the dates of the tables.

    Parameters
    ----------
    cohort : pandas.DataFrame
        ``Supplement.cohort``.

    Returns
    -------
    tuple of Study
        ``varied``: one setting of ``VARIED`` at a time; ``permuted``: with the P by permutation; ``held``: the groups
        and dates of the tables. The first two have every median of ``RELAPSE_MEDIANS``.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> [(study.name, len(study.settings)) for study in studies(read_supplement("data/raw").cohort)]
    [('varied', 24), ('permuted', 9), ('held', 81)]
    """
    medians = [{"relapse_median": median} for median in RELAPSE_MEDIANS]
    one_by_one = [{name: value} for name, values in VARIED.items() for value in values]
    varied = tuple(VARIED_BASE | median | one for median, one in product(medians, one_by_one))
    permuted = tuple(
        median | {"transplant_percent": percent} for median, percent in product(medians, TRANSPLANT_PERCENTS)
    )
    held = tuple(
        {"panel": letter, "reading": reading, "cut_off": cut_off, "median": median}
        for letter, panel in PANELS.items()
        for reading in (("a", "b") if panel.endpoint == LFS else ("none",))
        for cut_off, median in product(CUT_OFFS, RELAPSE_MEDIANS)
    )
    return (
        Study("varied", 19742, varied, partial(_forwards, cohort=cohort)),
        Study("permuted", 19743, permuted, partial(_forwards, cohort=cohort, permutations=99)),
        Study("held", 19744, held, partial(_held, cohort=cohort)),
    )


def main() -> None:
    """Compute every world; it takes some minutes."""
    for line in run_studies(Path("data/no_effect"), studies(read_supplement("data/raw").cohort), CODE):
        print(line, flush=True)


if __name__ == "__main__":
    main()
