"""The two worked examples: one follow-up for Figure 1, one for Figure 2. SYNTHETIC, both.

Neither was chosen for what it shows. The first is the first draw of its seed; the second is the first
follow-up, in the order of the search, in which the published cut-point comes out as published.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from survaudit.cohort.endpoints import LFS
from survaudit.follow_up.complete import FollowUp, write_follow_up
from survaudit.follow_up.conditioned import SEED, block_of, read_conditioned
from survaudit.follow_up.ensemble import PRIORS, draw

PRIOR = "wide"


def example_of_figure_1(cohort: pd.DataFrame) -> FollowUp:
    """Return the first follow-up that the seed gives, unconditioned.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.

    Returns
    -------
    FollowUp
        Of kind SYNTHETIC, in days.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> follow_up = example_of_figure_1(read_supplement("data/raw").cohort)
    >>> follow_up.kind, len(follow_up.table)
    ('SYNTHETIC', 28)
    """
    ensemble = draw(cohort, PRIORS[PRIOR], np.random.default_rng(SEED), draws=1)
    return ensemble.follow_up(0, f"first draw of seed {SEED}, prior {PRIOR}")


def example_of_figure_2(cohort: pd.DataFrame, conditioned: Path) -> FollowUp:
    """Return the first follow-up that was found to have the published cut-point, chi-square and endpoint LFS.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    conditioned : pathlib.Path
        The project's ``data/conditioned``.

    Returns
    -------
    FollowUp
        Of kind SYNTHETIC, in days.

    Raises
    ------
    SourceFileError
        If the file of follow-ups is missing or differs from its manifest.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> follow_up = example_of_figure_2(read_supplement("data/raw").cohort, Path("data/conditioned"))
    >>> len(follow_up.endpoint("LFS"))
    28
    """
    kept = read_conditioned(conditioned, PRIOR, LFS, "23|5")
    first = kept.table[kept.cell("printed", 1)].iloc[0]
    block, place = int(first["block"]), int(first["place"])
    source = f"block {block}, place {place} of seed {SEED}, prior {PRIOR}, conditioned on the published cut-point"
    return block_of(cohort, PRIORS[PRIOR], block).follow_up(place, source)


def write_examples(cohort: pd.DataFrame, folder: Path, conditioned: Path) -> None:
    """Write both examples, the same bytes every time.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    folder : pathlib.Path
        Where ``figure_s1.csv`` and ``figure_s2.csv`` are replaced.
    conditioned : pathlib.Path
        The project's ``data/conditioned``.

    Raises
    ------
    SourceFileError
        As ``example_of_figure_2``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from survaudit.cohort.tables import read_supplement
    >>> with TemporaryDirectory() as folder:
    ...     write_examples(read_supplement("data/raw").cohort, Path(folder), Path("data/conditioned"))
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['figure_s1.csv', 'figure_s2.csv']
    """
    write_follow_up(example_of_figure_1(cohort), folder / "figure_s1.csv")
    write_follow_up(example_of_figure_2(cohort, conditioned), folder / "figure_s2.csv")
