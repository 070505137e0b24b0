"""Worlds in which no treatment does anything, and how often the published comparisons find an effect there.

Two of them. *Forwards*: patients relapse and die at rates that no treatment changes, and are transplanted or infused
again if they live to see the day; their group is whatever happened. *Held*: this cohort's groups and dates stay, and
only the events are drawn, from one rate for all and within what the groups guarantee.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from survaudit.cutpoint._kernels import FloatArray, IntArray
from survaudit.cutpoint._replicates import in_blocks
from survaudit.errors import InputError
from survaudit.immortal._kernels import permuted_ps, switch_scores

LEVEL = 0.05
LANDMARKS = (60, 90, 137)
PUBLISHED, PROPER, FAILING = "published", "proper", "failing"
_CART1, _CART2, _HSCT = 0, 1, 2
BoolArray = NDArray[np.bool_]


# ---------------------------------------------------------------- forwards


@dataclass(frozen=True)
class World:
    """An illness-death model in which treatments mark what happened and change nothing.

    Attributes
    ----------
    follow_up : tuple of float
        Days from the first infusion to the end of observation, one a patient.
    waits : tuple of float
        Days to a transplantation that is planned; each planned one takes one of them.
    relapse_median : float
        Median days from the assessment to relapse if nobody died in remission; the rate is constant.
    remission_death_percent : float
        Of those who leave remission, how many do so by death.
    death_median, death_shape : float
        Median days from relapse, or from the infusion without remission, to death; shape of their Weibull distribution,
        1 for a constant rate.
    transplant_percent : float
        For how many of those in remission a transplantation is planned.
    reinfusion_percent, delay_days : float
        For how many of those who relapse untransplanted a second infusion is planned; its mean delay, which is uniform
        between half and one and a half of it.
    no_remission_percent : float
        How many never reach remission.
    response_day : float
        When the response is assessed: nobody in remission leaves it before, and without one LFS counts as failed.

    Raises
    ------
    InputError
        If a number cannot be what it says; all of them are told at once.
    """

    follow_up: tuple[float, ...]
    waits: tuple[float, ...]
    relapse_median: float = 240
    remission_death_percent: float = 20
    death_median: float = 180
    death_shape: float = 1
    transplant_percent: float = 50
    reinfusion_percent: float = 60
    delay_days: float = 30
    no_remission_percent: float = 10
    response_day: float = 28

    def __post_init__(self) -> None:
        """Refuse what no world can be."""
        values = vars(self).items()
        bad = [f"{k}: found {v}, expected 0 to 100" for k, v in values if k.endswith("percent") and not 0 <= v <= 100]
        lengths = {k: v for k, v in values if k.endswith(("median", "shape", "days"))}
        bad += [f"{k}: found {v}, expected more than 0" for k, v in lengths.items() if not v > 0]
        for k in ("follow_up", "waits"):
            days = getattr(self, k)
            if not len(days) or not min(days) > 0:
                bad.append(f"{k}: found {days}, expected days after 0; check the dates")
        if self.remission_death_percent == 100:
            bad.append("remission_death_percent: found 100, expected less, or nobody relapses")
        if bad:
            raise InputError("; ".join(bad))


@dataclass(frozen=True, eq=False)
class Cohorts:
    """Cohorts drawn from a world; all arrays have shape (cohorts, patients), in days.

    Attributes
    ----------
    relapse, death : array
        Infinite if it never comes; a relapse before day 0 means that there was no remission.
    end : array
        End of observation.
    transplant, reinfusion : array
        Infinite if it did not take place.
    group : array of int
        0 for CART1, 1 for CART2, 2 for CART+HSCT.
    response_day : float
    """

    relapse: FloatArray
    death: FloatArray
    end: FloatArray
    transplant: FloatArray
    reinfusion: FloatArray
    group: IntArray
    response_day: float


def draw_cohorts(world: World, count: int, rng: np.random.Generator) -> Cohorts:
    """Draw cohorts of a world without any effect.

    The illness-death model (Fix and Neyman, 1951), in which treatments are marks that change no hazard.

    Parameters
    ----------
    world : World
        Of n patients, as many as it has ends of follow-up.
    count : int
        Cohorts.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    Cohorts
        Arrays of shape (count, n), in days.

    Examples
    --------
    >>> world = World(follow_up=(900.0,) * 28, waits=(32.0, 60.0, 137.0))
    >>> cohorts = draw_cohorts(world, 2, np.random.default_rng(1))
    >>> bool((cohorts.transplant < np.minimum(cohorts.relapse, cohorts.death))[cohorts.group == 2].all())
    True
    """
    shape = (count, len(world.follow_up))
    end = np.broadcast_to(np.array(world.follow_up, float), shape)
    without = rng.random(shape) < world.no_remission_percent / 100
    leaving = world.relapse_median / np.log(2)
    share = world.remission_death_percent / 100
    # Remission is what was found on the day of the assessment, so that nobody in remission leaves it earlier.
    relapse = world.response_day + rng.exponential(leaving, shape)
    dies = rng.exponential(leaving * (1 - share) / share, shape) if share else np.full(shape, np.inf)
    dies = world.response_day + dies
    after = rng.weibull(world.death_shape, shape) * world.death_median / np.log(2) ** (1 / world.death_shape)
    relapse = np.where(without, -1.0, np.where(relapse < dies, relapse, np.inf))
    death = np.where(np.isinf(relapse), dies, np.maximum(relapse, 0.0) + after)
    wait = rng.choice(np.array(world.waits, float), shape)
    planned = rng.random(shape) < world.transplant_percent / 100
    done = planned & (wait < np.minimum(np.minimum(relapse, death), end))
    again = np.maximum(relapse, 0.0) + world.delay_days * rng.uniform(0.5, 1.5, shape)
    chosen = rng.random(shape) < world.reinfusion_percent / 100
    infused = chosen & ~done & ~without & (again < np.minimum(death, end))
    return Cohorts(
        relapse=relapse,
        death=death,
        end=end,
        transplant=np.where(done, wait, np.inf),
        reinfusion=np.where(infused, again, np.inf),
        group=np.where(done, _HSCT, np.where(infused, _CART2, _CART1)),
        response_day=world.response_day,
    )


@dataclass(frozen=True, eq=False)
class Comparison:
    """One analysis of all cohorts, as the compiled code takes it; arrays of shape (cohorts, patients).

    Attributes
    ----------
    name, kind : str
    time, event, switch, change, until : array
        As in ``_switch_kernels.permuted_p``.
    """

    name: str
    kind: str
    time: FloatArray
    event: IntArray
    switch: FloatArray
    change: FloatArray
    until: FloatArray


def _comparison(
    name: str,
    kind: str,
    time: FloatArray,
    event: BoolArray,
    switch: FloatArray,
    *,
    kept: BoolArray,
    change: FloatArray | None = None,
    until: FloatArray | None = None,
) -> Comparison:
    """Leave out the patients that are not kept, and fill in that there is no stratum and no earlier limit."""
    return Comparison(
        name,
        kind,
        np.where(kept, time, -1.0),
        (event & kept).astype(np.int64),
        np.where(kept, switch, np.inf),
        np.full(time.shape, np.inf) if change is None else change,
        np.where(kept, time if until is None else until, -np.inf),
    )


def comparisons(cohorts: Cohorts) -> Iterator[Comparison]:
    """Yield every analysis: the six panels as published, what should be done instead, and what also fails.

    The log-rank test (Mantel, 1966) of the groups as they ended; instead, Mantel and Byar's test (1974) and landmarks
    (Anderson, Cain and Gelber, 1983).

    Parameters
    ----------
    cohorts : Cohorts
        Of shape (cohorts, patients).

    Yields
    ------
    Comparison
        Its ``kind`` is "published", "proper" or "failing".

    Examples
    --------
    >>> world = World(follow_up=(900.0,) * 28, waits=(32.0, 60.0, 137.0))
    >>> found = list(comparisons(draw_cohorts(world, 2, np.random.default_rng(1))))
    >>> found[0].name, found[0].kind, found[0].time.shape
    ('panel A', 'published', (2, 28))
    """
    c = cohorts
    overall, dies = np.minimum(c.death, c.end), c.death <= c.end
    remission = c.relapse >= 0
    left = np.minimum(np.minimum(c.relapse, c.death), c.end)
    free = np.where(remission, left, np.minimum(c.response_day, overall))
    fails = ~remission | (left < c.end)
    everyone = np.ones(free.shape, dtype=bool)
    yield from _panels(c, overall, dies, free, fails)
    yield _comparison("LFS: Mantel-Byar", PROPER, free, fails, c.transplant, kept=everyone)
    yield from _landmarks("LFS: landmark {}", free, fails, c.transplant, free)
    state = {"change": c.relapse, "until": np.where(remission, left, -1.0)}
    yield _comparison(
        "OS: Mantel-Byar by state of relapse", PROPER, overall, dies, c.transplant, kept=everyone, **state
    )
    yield from _landmarks("OS: landmark {} in remission", overall, dies, c.transplant, np.where(remission, left, -1.0))
    relapsed = remission & (c.relapse < c.end) & np.isinf(c.transplant)
    start = np.where(relapsed, c.relapse, 0.0)
    again = (overall - start, dies, c.reinfusion - start)
    yield _comparison("OS: second infusion, clock at relapse", PROPER, *again, kept=relapsed)
    only = c.group != _CART2
    yield _comparison("LFS: Mantel-Byar without CART2", FAILING, free, fails, c.transplant, kept=only)
    only = c.group != _CART1
    yield _comparison("LFS: Mantel-Byar, CART2 and CART+HSCT", FAILING, free, fails, c.transplant, kept=only)
    yield _comparison("OS: Mantel-Byar", FAILING, overall, dies, c.transplant, kept=everyone)
    yield _comparison("OS: second infusion, clock at infusion", FAILING, overall, dies, c.reinfusion, kept=everyone)


def _panels(
    c: Cohorts, overall: FloatArray, dies: BoolArray, free: FloatArray, fails: BoolArray
) -> Iterator[Comparison]:
    """Yield the log-rank test of each panel: the groups taken as if they had been known at the start."""
    overall_survival, leukaemia_free = (overall, dies), (free, fails)
    panels = {
        "A": (*overall_survival, _CART1, _HSCT),
        "B": (*overall_survival, _CART2, _HSCT),
        "C": (*leukaemia_free, _CART1, _HSCT),
        "D": (*leukaemia_free, _CART2, _HSCT),
        "E": (*overall_survival, _CART1, _CART2),
        "F": (*leukaemia_free, _CART1, _CART2),
    }
    for panel, (time, event, first, second) in panels.items():
        kept = (c.group == first) | (c.group == second)
        ever = np.where(c.group == second, -1.0, np.inf)
        yield _comparison(f"panel {panel}", PUBLISHED, time, event, ever, kept=kept)
        if panel in "CF":
            yield _comparison(f"panel {panel}, responders", PUBLISHED, time, event, ever, kept=kept & (c.relapse >= 0))


def _landmarks(
    name: str, time: FloatArray, event: BoolArray, switch: FloatArray, eligible: FloatArray
) -> Iterator[Comparison]:
    for day in LANDMARKS:
        by_then = np.where(switch <= day, -1.0, np.inf)
        yield _comparison(name.format(day), PROPER, time - day, event, by_then, kept=eligible > day)


def rejections(
    world: World,
    *,
    rng: np.random.Generator,
    replicates: int = 2000,
    permutations: int = 0,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Measure how often each analysis finds an effect at 5% where there is none.

    Parameters
    ----------
    world : World
        In which no treatment does anything.
    rng : numpy.random.Generator
        Source of cohorts and permutations.
    replicates : int
        Cohorts.
    permutations : int
        Of each cohort, for the P by permutation; 0 leaves it out, and only the chi-square is asked.
    n_jobs : int, optional
        As in ``joblib.Parallel``.

    Returns
    -------
    pandas.DataFrame, one row an analysis
        ``analysis``, ``kind``, ``tested`` (cohorts in which both groups met at an event), ``rejected`` and
        ``standard_error`` among these, ``in_favour`` (the part of the rejections with fewer events than expected after
        the switch, or in the second group), and ``rejected_permuted``, missing without permutations.

    Raises
    ------
    InputError
        If ``rng`` is no generator of numpy.

    Examples
    --------
    >>> world = World(follow_up=(900.0,) * 28, waits=(32.0, 60.0, 137.0))
    >>> table = rejections(world, rng=np.random.default_rng(1), replicates=50).set_index("analysis")
    >>> int(table.loc["panel C", "tested"]), bool(table.loc["panel C", "rejected"] < 0.5)
    (50, True)
    """

    def work(count: int, child: np.random.Generator) -> dict[tuple[str, str], FloatArray]:
        cohorts = draw_cohorts(world, count, child)
        return {(one.name, one.kind): _outcomes(one, permutations, child) for one in comparisons(cohorts)}

    blocks = in_blocks(work, replicates, rng, n_jobs=n_jobs)
    rows = []
    for name, kind in blocks[0]:
        rows.append({"analysis": name, "kind": kind} | _rates(np.concatenate([block[name, kind] for block in blocks])))
    return pd.DataFrame(rows)


def _outcomes(one: Comparison, permutations: int, rng: np.random.Generator) -> FloatArray:
    """Return, by cohort, the difference, its variance, and the P by permutation (missing if not asked)."""
    arrays = (one.time, one.event, one.switch, one.change)
    scores = switch_scores(*arrays)
    p = np.full(len(scores), np.nan)
    if permutations:
        p = permuted_ps(*arrays, one.until, rng.random((len(scores), permutations, one.time.shape[1])))
    return np.column_stack([scores, p])


def _rates(outcomes: FloatArray) -> dict[str, float]:
    difference, variance, p = outcomes[outcomes[:, 1] > 0].T
    tested = len(difference)
    if not tested:
        nothing = dict.fromkeys(("rejected", "standard_error", "in_favour", "rejected_permuted"), np.nan)
        return {"tested": 0} | nothing
    rejected = difference**2 / variance > stats.chi2.isf(LEVEL, 1)
    rate = float(rejected.mean())
    return {
        "tested": tested,
        "rejected": rate,
        "standard_error": float(np.sqrt(rate * (1 - rate) / tested)),
        "in_favour": float((difference[rejected] < 0).mean()) if rejected.any() else np.nan,
        "rejected_permuted": float((p <= LEVEL).mean()) if not np.isnan(p).any() else np.nan,
    }


# ---------------------------------------------------------------- held


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
