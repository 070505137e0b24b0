"""The two worked examples: one follow-up for Figure 1, one for Figure 2. SYNTHETIC, both.

The first was not chosen for what it shows: it is the first draw of its seed. The second was: it is the first
follow-up of a numbered block of draws in which the published cut-point comes out as published.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from survaudit.cohort.assumptions import EVENT_AT_ASSESSMENT, Assumptions
from survaudit.cohort.tables import read_supplement
from survaudit.follow_up.complete import FollowUp, write_follow_up
from survaudit.follow_up.ensemble import PRIORS, draw

SEED, PRIOR = 20211029, "wide"
# Where the second example lies among the numbered blocks of draws.
BLOCK, BLOCK_SIZE, PLACE = 0, 100_000, 4929


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


def example_of_figure_2(cohort: pd.DataFrame) -> FollowUp:
    """Return a follow-up that has the published cut-point and chi-square for LFS, because it was chosen for them.

    It is the first of its block with single patients allowed on a side. Its place is kept here; a test finds it again.

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
    >>> follow_up = example_of_figure_2(read_supplement("data/raw").cohort)
    >>> len(follow_up.endpoint("LFS"))
    28
    """
    rng = np.random.default_rng([SEED, list(PRIORS).index(PRIOR), BLOCK])
    # The published figure has the whole cohort, so those who never reached remission must have an event.
    whole = Assumptions(non_responder_lfs=EVENT_AT_ASSESSMENT)
    block = draw(cohort, PRIORS[PRIOR], rng, draws=BLOCK_SIZE, assumptions=whole)
    source = f"block {BLOCK}, place {PLACE} of seed {SEED}, prior {PRIOR}, conditioned on the published cut-point"
    return block.follow_up(PLACE, source)


def write_examples(cohort: pd.DataFrame, folder: Path) -> None:
    """Write both examples, the same bytes every time.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    folder : pathlib.Path
        Where ``figure_s1.csv`` and ``figure_s2.csv`` are replaced.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from survaudit.cohort.tables import read_supplement
    >>> with TemporaryDirectory() as folder:
    ...     write_examples(read_supplement("data/raw").cohort, Path(folder))
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['figure_s1.csv', 'figure_s2.csv']
    """
    write_follow_up(example_of_figure_1(cohort), folder / "figure_s1.csv")
    write_follow_up(example_of_figure_2(cohort), folder / "figure_s2.csv")


if __name__ == "__main__":
    write_examples(read_supplement("data/raw").cohort, Path("data/synthetic"))
