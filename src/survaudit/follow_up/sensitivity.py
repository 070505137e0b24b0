"""What the draws of a panel rest on: the same comparison under other assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray
from scipy import stats

from survaudit.cohort.assumptions import (
    ANTIGEN_AFTER_HSCT,
    ANTIGEN_EVERYWHERE,
    BY_PUBLICATION,
    BY_SECOND_INFUSION,
    EVENT_AT_ASSESSMENT,
    INFUSION,
    Assumptions,
)
from survaudit.cohort.endpoints import LFS
from survaudit.cohort.panels import Panel
from survaudit.errors import InputError
from survaudit.follow_up._many import log_rank_many
from survaudit.follow_up.ensemble import PRIORS, Ensemble, Prior, compare_many, draw
from survaudit.survival.curves import Floats, Ints

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


TRANSPLANTED = "CART+HSCT"
DELAYS = (30, 60, 90, 180, 365, 730)
LEVEL = 0.05


def tipping(
    cohort: pd.DataFrame,
    panel: Panel,
    prior: Prior,
    rng: np.random.Generator,
    *,
    draws: int = 1000,
    delays: Sequence[int] = DELAYS,
    assumptions: Assumptions | None = None,
) -> pd.DataFrame:
    """Let none to all of the transplanted patients relapse, each so many days after transplantation.

    In every follow-up the patients who relapse are the first of a random order, so that more relapses
    are those of before and others; whoever does not relapse is observed to the cut-off without an event.
    A relapse counts as recorded: if its day would come after the cut-off, it is put on the cut-off. The
    other group and the cut-off are drawn from the prior.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    panel : Panel
        Of leukaemia-free survival, with CART+HSCT as second group: C or D.
    prior : Prior
        From where the other group and the cut-off are drawn.
    rng : numpy.random.Generator
        Source of the draws.
    draws : int
        Follow-ups; all numbers and delays share them.
    delays : sequence of int
        Days from transplantation to relapse, from 1 on.
    assumptions : Assumptions, optional
        The book's if not given; "CD19+" after HSCT is taken as antigen status in any case, since here
        it is varied.

    Returns
    -------
    pandas.DataFrame
        One row a delay: ``panel``, ``prior``, ``delay_days`` and the least numbers of relapses that turn the
        comparison, missing if none does. ``advantage_lost`` is where fewer than half of the follow-ups have fewer
        events than expected in CART+HSCT and P below 0.05, ``reversed`` where half or more have more events than
        expected. Prior predictive.

    Raises
    ------
    InputError
        If the panel does not show leukaemia-free survival of CART+HSCT, a delay is no whole number from
        1 on, or ``draws`` is not possible.

    Notes
    -----
    The tipping point of analyses of missing data (Yan, Lee and Li, 2009): the least departure from what is assumed that
    turns a conclusion, here the log-rank test (Mantel, 1966).

    Examples
    --------
    >>> from survaudit.cohort.panels import PANELS
    >>> from survaudit.cohort.tables import read_supplement
    >>> from survaudit.follow_up.ensemble import PRIORS
    >>> cohort = read_supplement("data/raw").cohort
    >>> found = tipping(cohort, PANELS["C"], PRIORS["wide"], np.random.default_rng(1), draws=200, delays=[30, 730])
    >>> found[["delay_days", "advantage_lost", "reversed"]].to_numpy(na_value=-1).tolist()
    [[30, 5, 9], [730, -1, -1]]
    """
    _check(panel, delays)
    chosen = replace(assumptions or Assumptions(), cd19_reading=ANTIGEN_AFTER_HSCT)
    ensemble = draw(cohort, prior, rng, draws=draws, assumptions=chosen)
    excess, chi2 = _tests(cohort, panel, ensemble, rng, delays=delays, assumptions=chosen)
    significant = ((excess < 0) & (stats.chi2.sf(chi2, 1) < LEVEL)).mean(axis=2)
    worse = (excess > 0).mean(axis=2)
    told = {"panel": panel.letter, "prior": prior.name, "delay_days": list(delays)}
    return pd.DataFrame(told | {"advantage_lost": _least(significant < 0.5), "reversed": _least(worse >= 0.5)})


def _tests(
    cohort: pd.DataFrame,
    panel: Panel,
    ensemble: Ensemble,
    rng: np.random.Generator,
    *,
    delays: Sequence[int],
    assumptions: Assumptions,
) -> tuple[Floats, Floats]:
    """Return excess of events in CART+HSCT and chi-square, shape (relapses + 1, delays, draws)."""
    members = [ensemble.members(LFS, group) for group in panel.groups]
    both = members[0] | members[1]
    second, count, draws = members[1][both], int(members[1].sum()), len(ensemble)
    transplanted, end = _days(cohort, ensemble, members[1], assumptions)
    # The place of each patient in a random order: the k first are those with a place below k.
    place = rng.permuted(np.tile(np.arange(count), (draws, 1)), axis=1)
    days, event = ensemble.days[LFS][:, both], ensemble.event[LFS][:, both]
    excess, chi2 = np.empty((2, count + 1, len(delays), draws))
    for k, d in np.ndindex(count + 1, len(delays)):
        event[:, second] = place < k
        days[:, second] = np.where(place < k, np.minimum(transplanted + delays[d], end), end)
        excess[k, d], variance = log_rank_many(days, event, second)
        chi2[k, d] = np.divide(excess[k, d] ** 2, variance, out=np.zeros(draws), where=variance > 0)
    return excess, chi2


def _least(turned: NDArray[np.bool_]) -> ExtensionArray:
    """Return the first row that is true in each column; missing if none is."""
    return pd.array([int(column.argmax()) if column.any() else pd.NA for column in turned.T], dtype="Int64")


def _check(panel: Panel, delays: Sequence[int]) -> None:
    if panel.endpoint != LFS or panel.groups[1] != TRANSPLANTED:
        raise InputError(
            f"panel: found {panel.title}, expected leukaemia-free survival of {TRANSPLANTED} as second group; "
            "take panel C or D"
        )
    wrong = [d for d in delays if isinstance(d, bool) or not isinstance(d, int | np.integer) or d < 1]
    if wrong or not len(delays):
        raise InputError(f"delays: found {list(delays)}, expected whole numbers of days from 1 on; correct them")


def _days(
    cohort: pd.DataFrame, ensemble: Ensemble, members: NDArray[np.bool_], assumptions: Assumptions
) -> tuple[Ints, Ints]:
    """Return the days of transplantation, shape (n,), and of the end of observation, shape (draws, n)."""
    own = cohort.loc[members]
    origin = own["infusion_1_date" if assumptions.time_origin == INFUSION else "collection_1_date"]
    zero = origin.to_numpy().astype("datetime64[D]")
    transplanted: Ints = (own["hsct_date"].to_numpy().astype("datetime64[D]") - zero).astype(np.int64)
    end: Ints = (ensemble.cut_off[:, None] - zero).astype(np.int64)
    return transplanted, end
