"""How often each analysis finds an effect in cohorts that live forwards through a world without any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from survaudit.cutpoint._kernels import FloatArray, IntArray
from survaudit.cutpoint._replicates import in_blocks
from survaudit.immortal._kernels import permuted_ps, switch_scores
from survaudit.immortal.no_effect import (
    _CART1,
    _CART2,
    _HSCT,
    LANDMARKS,
    LEVEL,
    BoolArray,
    Cohorts,
    World,
    draw_cohorts,
)

PUBLISHED, PROPER, FAILING = "published", "proper", "failing"


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
