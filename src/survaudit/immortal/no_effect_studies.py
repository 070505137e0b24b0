"""What the worlds without effect gave, computed once and kept in ``data/no_effect``.

The settings stand here, the model in ``no_effect`` and ``cohort.immortal_days``; blocks, seeds and manifest are
those of ``kept``. All settings are whole numbers or words, so that a row of a file says exactly what was asked.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from survaudit.cohort.endpoints import LFS
from survaudit.cohort.panels import PANELS
from survaudit.immortal.guaranteed_days import CUT_OFFS, follow_up_days, guaranteed_days, panel_factors, windows
from survaudit.immortal.no_effect import World, decompose, rejections
from survaudit.kept import Study

CODE = (
    "src/survaudit/cutpoint/_replicates.py",
    "src/survaudit/immortal/_kernels.py",
    "src/survaudit/immortal/no_effect.py",
    "src/survaudit/immortal/no_effect_studies.py",
    "src/survaudit/cohort/endpoints.py",
    "src/survaudit/immortal/guaranteed_days.py",
)
Settings = dict[str, Any]
RELAPSE_MEDIANS = (120, 240, 480)
# How many cohorts, or draws, one setting has.
COHORTS, PERMUTED, DRAWS = 2000, 1000, 10_000
# What is assumed where nothing is varied: on average 10 of 28 are then transplanted and 6 infused twice;
# in the table it is 10 and 7.
BASE: Settings = {
    "relapse_median": 240,
    "transplant_percent": 50,
    "death_median": 180,
    "remission_death_percent": 20,
    "reinfusion_percent": 60,
    "delay_days": 30,
    "no_remission_percent": 11,
    "wait_percent": 100,
    "death_shape_percent": 100,
    "cut_off": "halfway",
}
GRID = {
    "relapse_median": RELAPSE_MEDIANS,
    "transplant_percent": (30, 50, 70),
    "death_median": (90, 180, 365),
    "remission_death_percent": (10, 30),
    "reinfusion_percent": (40, 80),
    "delay_days": (15, 60),
}
VARIED = {
    "no_remission_percent": (0, 20),
    "wait_percent": (150, 200),
    "death_shape_percent": (50, 200),
    "cut_off": ("earliest", "latest"),
}
VARIED_BASE = {name: BASE[name] for name in VARIED}


def world(cohort: pd.DataFrame, settings: Settings) -> World:
    """Return the world of a row's settings, with the waits and the calendar of the tables.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    settings : dict
        What differs from ``BASE``.

    Returns
    -------
    World

    Raises
    ------
    InputError
        If a setting cannot be what it says.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> world(read_supplement("data/raw").cohort, {"relapse_median": 120}).relapse_median
    120
    """
    chosen = BASE | settings
    table = guaranteed_days(cohort).query("endpoint == 'LFS' and guaranteed_days > 0")
    scale, shape = chosen.pop("wait_percent") / 100, chosen.pop("death_shape_percent") / 100
    follow_up = follow_up_days(cohort, chosen.pop("cut_off"))
    return World(follow_up, tuple(table["guaranteed_days"] * scale), death_shape=shape, **chosen)


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
        ``grid``: every combination of ``GRID``; ``varied``: one setting of ``VARIED`` at a time; ``permuted``: with the
        P by permutation; ``held``: the groups and dates of the tables.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> [(study.name, len(study.settings)) for study in studies(read_supplement("data/raw").cohort)]
    [('grid', 216), ('varied', 24), ('permuted', 9), ('held', 81)]
    """
    grid = tuple(dict(zip(GRID, values, strict=True)) for values in product(*GRID.values()))
    medians = [{"relapse_median": median} for median in RELAPSE_MEDIANS]
    one_by_one = [{name: value} for name, values in VARIED.items() for value in values]
    varied = tuple(VARIED_BASE | median | one for median, one in product(medians, one_by_one))
    permuted = tuple(
        median | {"transplant_percent": percent} for median, percent in product(medians, GRID["transplant_percent"])
    )
    held = tuple(
        {"panel": letter, "reading": reading, "cut_off": cut_off, "median": median}
        for letter, panel in PANELS.items()
        for reading in (("a", "b") if panel.endpoint == LFS else ("none",))
        for cut_off, median in product(CUT_OFFS, RELAPSE_MEDIANS)
    )
    return (
        Study("grid", 19741, grid, partial(_forwards, cohort=cohort)),
        Study("varied", 19742, varied, partial(_forwards, cohort=cohort)),
        Study("permuted", 19743, permuted, partial(_forwards, cohort=cohort, permutations=99)),
        Study("held", 19744, held, partial(_held, cohort=cohort)),
    )
