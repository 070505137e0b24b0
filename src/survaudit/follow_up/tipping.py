"""How many of the ten "CD19+" after transplantation must be relapses before its advantage is gone.

Read as antigen status, the last column records no relapse at all, and CART+HSCT cannot do better.
Read as relapse, it records ten, at unknown times. Between the two lies a number of relapses and a
delay at which the log-rank test of leukaemia-free survival turns: the tipping point, as in analyses
of missing data (Yan, Lee and Li, 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from survaudit.cohort.assumptions import ANTIGEN_AFTER_HSCT, INFUSION, Assumptions
from survaudit.cohort.endpoints import LFS
from survaudit.cohort.panels import Panel
from survaudit.errors import InputError
from survaudit.follow_up._many import log_rank_many
from survaudit.follow_up.ensemble import Ensemble, Prior, draw
from survaudit.survival.curves import Floats, Ints

TRANSPLANTED = "CART+HSCT"
DELAYS = (30, 60, 90, 180, 365, 730)
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Tipping:
    """A panel's log-rank test as more of the transplanted patients relapse, sooner or later.

    Attributes
    ----------
    panel, prior : str
        The letter, and from where the other group's follow-ups were drawn.
    n : (int, int)
        Patients of the other group and of CART+HSCT.
    delays : array of int, shape (d,)
        Days from transplantation to relapse.
    significant : array of shape (n[1] + 1, d)
        Prior predictive share of follow-ups with fewer events than expected in CART+HSCT and P below
        ``level``; row k is for k relapses.
    better, worse : array of the same shape
        Share with fewer, and with more events than expected in CART+HSCT, whatever the P.
    median_chi2 : array of the same shape
    draws : int
    level : float
    method, convention, units, kind : str
    """

    panel: str
    prior: str
    n: tuple[int, int]
    delays: Ints
    significant: Floats
    better: Floats
    worse: Floats
    median_chi2: Floats
    draws: int
    level: float = LEVEL
    method: str = "log-rank, hypergeometric variance"
    convention: str = "a relapse that would come after the cut-off is recorded on its day"
    units: str = "days"
    kind: str = "COMPATIBLE"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a number of relapses and delay."""
        relapses, delay = np.indices(self.significant.shape)
        names = ("significant", "better", "worse", "median_chi2")
        cells = {name: getattr(self, name).ravel() for name in names}
        told = {"panel": self.panel, "prior": self.prior, "relapses": relapses.ravel()}
        return pd.DataFrame(told | {"delay_days": self.delays[delay.ravel()]} | cells | {"draws": self.draws})

    def points(self) -> pd.DataFrame:
        """Return, for each delay, the least numbers of relapses that turn the comparison; missing if none does.

        ``advantage_lost`` is where a significant advantage is left in fewer than half of the follow-ups,
        ``reversed`` where CART+HSCT has more events than expected in half of them or more.
        """
        turned = {"advantage_lost": self.significant < 0.5, "reversed": self.worse >= 0.5}
        points = {
            name: pd.array([int(column.argmax()) if column.any() else pd.NA for column in where.T], dtype="Int64")
            for name, where in turned.items()
        }
        return pd.DataFrame({"panel": self.panel, "prior": self.prior, "delay_days": self.delays} | points)


def tipping(
    cohort: pd.DataFrame,
    panel: Panel,
    prior: Prior,
    rng: np.random.Generator,
    *,
    draws: int = 1000,
    delays: Sequence[int] = DELAYS,
    assumptions: Assumptions | None = None,
) -> Tipping:
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
        Follow-ups; all cells share them.
    delays : sequence of int
        Days from transplantation to relapse, from 1 on.
    assumptions : Assumptions, optional
        The book's if not given; "CD19+" after HSCT is taken as antigen status in any case, since here
        it is varied.

    Returns
    -------
    Tipping

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
    >>> found = tipping(cohort, PANELS["D"], PRIORS["wide"], np.random.default_rng(1), draws=200)
    >>> found.significant.shape, bool((np.diff(found.better, axis=0) <= 0).all())
    ((11, 6), True)
    """
    _check(panel, delays)
    chosen = replace(assumptions or Assumptions(), cd19_reading=ANTIGEN_AFTER_HSCT)
    ensemble = draw(cohort, prior, rng, draws=draws, assumptions=chosen)
    members = [ensemble.members(LFS, group) for group in panel.groups]
    both = members[0] | members[1]
    second, count = members[1][both], int(members[1].sum())
    transplanted, end = _days(cohort, ensemble, members[1], chosen)
    # The place of each patient in a random order: the k first are those with a place below k.
    place = rng.permuted(np.tile(np.arange(count), (draws, 1)), axis=1)
    days, event = ensemble.days[LFS][:, both], ensemble.event[LFS][:, both]
    shape = (count + 1, len(delays))
    excess, chi2 = np.empty((*shape, draws)), np.empty((*shape, draws))
    for k, d in np.ndindex(*shape):
        event[:, second] = place < k
        days[:, second] = np.where(place < k, np.minimum(transplanted + delays[d], end), end)
        excess[k, d], variance = log_rank_many(days, event, second)
        chi2[k, d] = np.divide(excess[k, d] ** 2, variance, out=np.zeros(draws), where=variance > 0)
    significant = (excess < 0) & (stats.chi2.sf(chi2, 1) < LEVEL)
    return Tipping(
        panel=panel.letter,
        prior=prior.name,
        n=(int(members[0].sum()), count),
        delays=np.array(delays),
        significant=significant.mean(axis=2),
        better=(excess < 0).mean(axis=2),
        worse=(excess > 0).mean(axis=2),
        median_chi2=np.median(chi2, axis=2),
        draws=draws,
    )


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
