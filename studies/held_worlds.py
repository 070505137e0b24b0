"""The groups and dates of the cohort held, and only the events drawn, within what the groups guarantee."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import chain, combinations

import numpy as np
import pandas as pd

from studies.forward_worlds import _rates
from survaudit.cohort.assumptions import Assumptions
from survaudit.cohort.endpoints import LFS, OS
from survaudit.cohort.panels import PANELS
from survaudit.cohort.schema import REMISSIONS
from survaudit.cutpoint._kernels import FloatArray
from survaudit.cutpoint._replicates import in_blocks
from survaudit.immortal._kernels import switch_scores
from survaudit.immortal.guaranteed_days import DEFINED, IMMORTAL, NEVER, RECORDED, _days, follow_up_days


def panel_factors(panel: str) -> tuple[str, ...]:
    """Return what the definitions of a panel's two groups guarantee.

    Parameters
    ----------
    panel : {"A", "B", "C", "D", "E", "F"}
        The letter.

    Returns
    -------
    tuple of str
        Some of ``FACTORS``.

    Examples
    --------
    >>> panel_factors("D")
    ('relapse recorded', 'immortal days', 'defined by relapse')
    """
    endpoint, arms = PANELS[panel].endpoint, PANELS[panel].groups
    factors = {
        NEVER: "CART1" in arms,
        RECORDED: endpoint == LFS,
        IMMORTAL: "CART+HSCT" in arms or endpoint == OS,
        DEFINED: endpoint == LFS and "CART2" in arms,
    }
    return tuple(name for name, there in factors.items() if there)


def windows(
    cohort: pd.DataFrame,
    panel: str,
    factors: Collection[str],
    *,
    hsct_relapse_recorded: bool = False,
    cut_off: str = "halfway",
) -> pd.DataFrame:
    """Return where each patient's event must lie if the given factors are all that the groups guarantee.

    Whoever was assessed lived, and who responded was in remission, on the assumed day of the assessment; that is true
    of every group, and no factor.

    Parameters
    ----------
    cohort : pandas.DataFrame
        ``Supplement.cohort``.
    panel : {"A", "B", "C", "D", "E", "F"}
    factors : collection of str
        Some of ``panel_factors``. ``never in remission``: non-responders, and the patient who died of CRS, are in CART1
        with their early events; without it they are left out (of OS, only the latter). ``relapse recorded``: a relapse
        that is in the tables came by the cut-off. ``immortal days``: none before the treatment that names the group.
        ``defined by relapse``: CART2 relapsed before the second collection.
    hsct_relapse_recorded : bool
        Whether "CD19+" after transplantation is a recorded relapse too (reading a), or none (reading b).
    cut_off : {"earliest", "halfway", "latest"}

    Returns
    -------
    pandas.DataFrame, one row a patient of the two groups
        ``patient``, ``group``, ``second`` (whether of the second arm), ``low`` and ``high`` (the event lies in
        ``(low, high]``), ``censor`` (the last day of observation).

    Raises
    ------
    InputError
        If ``cut_off`` is another word.

    Examples
    --------
    Whoever was transplanted was free of leukaemia until then.

    >>> from survaudit.cohort.tables import read_supplement
    >>> table = windows(read_supplement("data/raw").cohort, "D", ["immortal days"])
    >>> table.groupby("group", observed=True)["low"].max().to_dict()
    {'CART+HSCT': 137.0, 'CART2': 28.0}
    """
    endpoint, (first, second) = PANELS[panel].endpoint, PANELS[panel].groups
    chosen = Assumptions()
    frame = pd.DataFrame({"patient": cohort["patient"], "group": cohort["group"].astype(str)})
    frame["censor"] = np.array(follow_up_days(cohort, cut_off), dtype=float)
    frame = frame.assign(second=frame["group"] == second, low=float(chosen.response_day), high=np.inf)
    response = cohort["response_1"]
    died_of_crs = ~response.isin((*REMISSIONS, "NR"))
    early = died_of_crs if endpoint == OS else ~response.isin(REMISSIONS)
    is_hsct, is_second = frame["group"] == "CART+HSCT", frame["group"] == "CART2"
    if endpoint == LFS and RECORDED in factors:
        recorded = ~is_hsct | hsct_relapse_recorded
        frame.loc[recorded, "high"] = frame["censor"]
    if endpoint == LFS and DEFINED in factors:
        frame.loc[is_second, "high"] = _days(cohort, "collection_2_date")
    if IMMORTAL in factors:
        until = _days(cohort, "hsct_date").fillna(_days(cohort, "infusion_2_date") if endpoint == OS else 0.0)
        frame["low"] = np.fmax(frame["low"], until.astype(float))
    frame.loc[early, "low"] = np.where(died_of_crs[early], 0.0, chosen.response_day - 1.0)
    frame.loc[early, "high"] = np.where(died_of_crs[early], chosen.crs_death_within_days, chosen.response_day)
    kept = frame["group"].isin((first, second)) & (~early | (NEVER in factors))
    return frame[kept].reset_index(drop=True)


def draw_within(low: FloatArray, high: FloatArray, median: float, count: int, rng: np.random.Generator) -> FloatArray:
    """Draw event times of one constant rate for all, each within its patient's window ``(low, high]``.

    Parameters
    ----------
    low, high : array of shape (n,)
        In days; ``high`` may be infinite.
    median : float
        Of the time that has no window, in days.
    count : int
        Draws.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    array of shape (count, n)

    Examples
    --------
    >>> draw_within(np.array([50.0]), np.array([60.0]), 100, 2, np.random.default_rng(1)).round(1).tolist()
    [[55.0], [59.5]]
    """
    rate = np.log(2) / median
    # The distance from `low` has the same law, cut at the width of the window.
    within = -np.expm1(-rate * (high - low))
    drawn: FloatArray = low - np.log1p(-rng.random((count, len(low))) * within) / rate
    return drawn


def decompose(
    windows: Callable[[Sequence[str]], pd.DataFrame],
    factors: Sequence[str],
    *,
    median: float,
    rng: np.random.Generator,
    replicates: int = 10_000,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Measure how often a log-rank test finds an effect under every combination of what the groups guarantee.

    Parameters
    ----------
    windows : callable
        From the factors that hold to ``low``, ``high``, ``censor`` and ``second``, one row a patient.
    factors : sequence of str
        All subsets are tried, 2^k of k factors.
    median : float
        Of the time to the event, in days, from the start of each window.
    rng : numpy.random.Generator
        Source of the draws.
    replicates : int
        Draws for each combination.
    n_jobs : int, optional
        As in ``joblib.Parallel``.

    Returns
    -------
    pandas.DataFrame, one row a combination
        ``factors`` (joined by ' + '), ``n`` patients, ``tested``, ``rejected``, ``standard_error``, and ``in_favour``
        of the second group.

    Raises
    ------
    InputError
        If ``rng`` is no generator of numpy.

    Examples
    --------
    Two patients in either group, of whom only those of the second are guaranteed a hundred days.

    >>> def windows(held):
    ...     low = [0.0, 0.0, 100.0, 100.0] if held else [0.0] * 4
    ...     return pd.DataFrame({"low": low, "high": np.inf, "censor": 900.0, "second": [False, False, True, True]})
    >>> table = decompose(windows, ["immortal days"], median=50, rng=np.random.default_rng(1), replicates=100)
    >>> table["factors"].tolist(), bool(table["rejected"].is_monotonic_increasing)
    (['', 'immortal days'], True)
    """
    rows = []
    for held in subsets(factors):
        frame = windows(held)
        outcomes = in_blocks(_held_block(frame, median), replicates, rng, n_jobs=n_jobs)
        rates = _rates(np.concatenate(outcomes))
        del rates["rejected_permuted"]
        rows.append({"factors": " + ".join(held), "n": len(frame)} | rates)
    return pd.DataFrame(rows)


def _held_block(frame: pd.DataFrame, median: float) -> Callable[[int, np.random.Generator], FloatArray]:
    low, high, censor = (frame[name].to_numpy(float) for name in ("low", "high", "censor"))
    ever = np.where(frame["second"], -1.0, np.inf)

    def work(count: int, rng: np.random.Generator) -> FloatArray:
        drawn = draw_within(low, high, median, count, rng)
        never = np.full(drawn.shape, np.inf)
        event = (drawn <= censor).astype(np.int64)
        switch = np.ascontiguousarray(np.broadcast_to(ever, drawn.shape))
        scores = switch_scores(np.minimum(drawn, censor), event, switch, never)
        return np.column_stack([scores, np.full(count, np.nan)])

    return work


def subsets(factors: Sequence[str]) -> list[tuple[str, ...]]:
    """Return every combination of factors, from none to all.

    Parameters
    ----------
    factors : sequence of str
        Their order is kept.

    Returns
    -------
    list of tuple of str
        By size.

    Examples
    --------
    >>> subsets(["a", "b"])
    [(), ('a',), ('b',), ('a', 'b')]
    """
    return list(chain.from_iterable(combinations(factors, size) for size in range(len(factors) + 1)))
