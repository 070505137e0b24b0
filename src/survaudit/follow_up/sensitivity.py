"""What the draws of a panel rest on: the same comparison under other assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from survaudit.cohort.assumptions import (
    ANTIGEN_AFTER_HSCT,
    ANTIGEN_EVERYWHERE,
    BY_PUBLICATION,
    BY_SECOND_INFUSION,
    EVENT_AT_ASSESSMENT,
    Assumptions,
)
from survaudit.cohort.panels import Panel
from survaudit.follow_up.ensemble import PRIORS, compare_many, draw

BOOK = Assumptions()
# The assumptions that move a panel most, each changed alone.
CASES = {
    "the book's": BOOK,
    "CART2 relapsed before the second infusion": replace(BOOK, relapse_before=BY_SECOND_INFUSION),
    "CART2 relapsed at any time": replace(BOOK, relapse_before=BY_PUBLICATION),
    "CD19+ after HSCT is antigen status": replace(BOOK, cd19_reading=ANTIGEN_AFTER_HSCT),
    "CD19+ everywhere is antigen status": replace(BOOK, cd19_reading=ANTIGEN_EVERYWHERE),
    "non-responders fail at the assessment": replace(BOOK, non_responder_lfs=EVENT_AT_ASSESSMENT),
}


def vary_panels(cohort: pd.DataFrame, panels: Sequence[Panel], *, seed: int, draws: int = 2000) -> pd.DataFrame:
    """Compare the groups of some panels in draws under each of several assumptions and priors.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    panels : sequence of Panel
        Some of ``PANELS``.
    seed : int
        Each case and prior is drawn with this seed.
    draws : int
        Follow-ups of each.

    Returns
    -------
    pandas.DataFrame
        ``panel``, ``case`` (of ``CASES``), ``prior``, ``share`` (of draws with a log-rank P below 0.05, prior
        predictive) and ``better`` (of draws with fewer events than expected in the second group).

    Raises
    ------
    InputError
        If ``draws`` is no whole number from 1 on.

    Examples
    --------
    >>> from survaudit.cohort.panels import PANELS
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = vary_panels(read_supplement("data/raw").cohort, [PANELS["D"]], seed=1, draws=50)
    >>> len(table) == len(CASES) * len(PRIORS)
    True
    """
    rows = []
    for case, chosen in CASES.items():
        for name, prior in PRIORS.items():
            ensemble = draw(cohort, prior, np.random.default_rng(seed), draws=draws, assumptions=chosen)
            for panel in panels:
                found = compare_many(ensemble, panel.endpoint, panel.groups)
                rows.append((panel.letter, case, name, found.share(), float((found.excess < 0).mean())))
    return pd.DataFrame(rows, columns=["panel", "case", "prior", "share", "better"])
