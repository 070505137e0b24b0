"""The compiled loops behind the cut-point scans: arrays in, arrays out, no checks.

Everything rests on one identity.  At a distinct event time t with n at risk and d events, let
w_t = d (n - d) / ((n - 1) n^2), and let W be the running sum of w_t.  The hypergeometric covariance of
the numbers of events in two groups is then minus the sum, over pairs of patients, one of each group, of
W(min(t_i, t_j)).  W never decreases, so the term is min(W_i, W_j): each pair of patients has one
non-negative weight, a variance is the weight of the edges that a cut crosses, and adding a patient
to a group changes it by sums that a Fenwick tree keeps up to date.
"""

# Compiled code takes arrays, not objects that bundle them.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile a function with numba, keep the machine code between runs, and keep its type."""
    return cast(_Function, numba.njit(cache=True)(function))


@compiled
def risk_tables(event: IntArray, starts: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Summarise a cohort in the order of time.

    Parameters
    ----------
    event : (n,) array
        0 or 1, in the order of time.
    starts : (k,) array
        Where each distinct time begins in that order.

    Returns
    -------
    level : (n,) array
        Number of distinct event times up to and including each patient's own time.
    table : (levels + 1, 3) array
        By level: W, the running sum of d / n (Nelson-Aalen), and the sum over all patients j of min(W, W_j).
    scores : (n,) array
        Log-rank scores with max-rank ties, as R's maxstat has them: tied events each leave the
        risk set of the last of them.
    """
    n, k = event.size, starts.size
    level, scores = np.zeros(n, np.int64), np.zeros(n)
    table, patients = np.zeros((k + 1, 3)), np.zeros(k + 1)
    top, score_hazard = 0, 0.0
    for i in range(k):
        stop = starts[i + 1] if i + 1 < k else n
        at_risk = n - starts[i]
        died = 0
        for j in range(starts[i], stop):
            died += event[j]
        if died:
            top += 1
            table[top, 0] = table[top - 1, 0]
            if at_risk > 1:
                table[top, 0] += died * (at_risk - died) / ((at_risk - 1) * float(at_risk) * at_risk)
            table[top, 1] = table[top - 1, 1] + died / at_risk
            score_hazard += died / (n - stop + 1)
        for j in range(starts[i], stop):
            level[j] = top
            scores[j] = event[j] - score_hazard
        patients[top] += stop - starts[i]
    below, above = 0.0, float(n)
    for i in range(top + 1):
        above -= patients[i]
        below += patients[i] * table[i, 0]
        table[i, 2] = below + above * table[i, 0]
    return level, table[: top + 1], scores


@compiled
def _grow(
    level: IntArray, event: IntArray, table: FloatArray, steps: int, from_top: bool, tree: FloatArray, out: FloatArray
) -> None:
    """Add `steps` patients one by one; write observed - expected, variance and the top level.

    They come from the low end of the covariate, or from its top.  `tree` is a Fenwick tree over
    levels that holds, side by side for the cache's sake, the number of patients and the sum of their W.
    """
    size = table.shape[0]
    tree[: size + 1] = 0.0
    excess, variance, highest = 0.0, 0.0, 0
    for i in range(steps):
        patient = level.size - 1 - i if from_top else i
        own = level[patient]
        weight = table[own, 0]
        count, total = 0.0, 0.0
        node = own + 1
        while node > 0:
            count += tree[node, 0]
            total += tree[node, 1]
            node &= node - 1
        # Edges to those outside are won, edges to those already inside are lost.
        inside = total + weight * (i - count)
        variance += table[own, 2] - weight - 2.0 * inside
        node = own + 1
        while node <= size:
            tree[node, 0] += 1.0
            tree[node, 1] += weight
            node += node & -node
        excess += event[patient] - table[own, 1]
        highest = max(highest, own)
        out[i, 0], out[i, 1], out[i, 2] = excess, variance, highest


@compiled
def scan_positions(
    level: IntArray, event: IntArray, table: FloatArray, tree: FloatArray, low: FloatArray, high: FloatArray
) -> None:
    """Write, into `low`, observed - expected and variance of the low group at each size from 1 to n - 1.

    The patients come in the covariate's order; `scan_workspace` makes the last three arrays.  Both ends grow
    towards the middle, so that a small group's variance is a short sum and not what is left of a long one.  A
    variance is exactly 0 when the two groups are never at risk together at an event that could tell them apart.
    """
    n = level.size
    half = n // 2
    _grow(level, event, table, half, False, tree, low)
    _grow(level, event, table, n - half, True, tree, high)
    for i in range(half, n - 1):
        low[i, 2] = max(low[i - 1, 2], level[i])
    for i in range(n - half, n - 1):
        high[i, 2] = max(high[i - 1, 2], level[n - 1 - i])
    for i in range(n - 1):
        j = n - 2 - i
        if i >= half:
            low[i, 0], low[i, 1] = -high[j, 0], high[j, 1]
        if table[int(min(low[i, 2], high[j, 2])), 0] == 0.0 or low[i, 1] < 0.0:
            low[i, 1] = 0.0


@compiled
def scan_workspace(n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scratch arrays for `scan_positions`: the tree, and the two ends."""
    return np.empty((n + 2, 2)), np.empty((n, 3)), np.empty((n, 3))


@compiled
def pair_chi2(excess: FloatArray, low_mid: float, low_high: float, mid_high: float) -> tuple[float, int]:
    """Three-group log-rank chi-square from the weights of the three edges, and its rank.

    The covariance of the three groups is the Laplacian of a triangle, so its generalised inverse is a
    quotient of sums of non-negative terms.  With two zero edges one group carries no
    information, and what is left is the log-rank test of the other two.
    """
    determinant = low_mid * low_high + low_mid * mid_high + low_high * mid_high
    if determinant > 0.0:
        weighted = low_mid * excess[2] ** 2 + mid_high * excess[0] ** 2 + low_high * excess[1] ** 2
        return weighted / determinant, 2
    edge = low_mid + low_high + mid_high
    if edge > 0.0:
        kept = excess[0] if low_mid + low_high > 0.0 else excess[1]
        return kept * kept / edge, 1
    return 0.0, 0


@compiled
def _add_edges(own: float, patient_weight: FloatArray, first: int, across: FloatArray) -> None:
    """Add to across[j] the edges from one patient to every patient from position j on."""
    running = 0.0
    for j in range(patient_weight.size - 1, first - 1, -1):
        running += min(own, patient_weight[j])
        across[j] += running


@compiled
def scan_pairs(
    sizes: IntArray,
    patient_weight: FloatArray,
    single: FloatArray,
    events: IntArray,
    min_group: int,
    counts: IntArray,
    values: FloatArray,
) -> tuple[int, float]:
    """Write every admissible pair of cuts; return how many there are and the largest chi-square.

    Parameters
    ----------
    sizes : (k,) array
        Sizes of the low group at the candidate cuts, increasing, from `min_group` to n - `min_group`.
    patient_weight : (n,) array
        W of each patient, in the covariate's order.
    single : (n, 3) array
        What `scan_positions` wrote: observed - expected and variance of the low group.
    events : (n,) array
        Running count of events, in the covariate's order.
    min_group : int
        Least number of patients in each of the three groups.
    counts : (6, rows) array
        To be written: sizes of the low and middle group, events low, middle and high, rank.
    values : (2, rows) array
        To be written: chi-square, and the excess of the high group over that of the low one.
        With no columns nothing is written, and only the largest chi-square is sought.
    """
    n, k = patient_weight.size, sizes.size
    across, suffix_top, excess = np.zeros(n), np.zeros(n + 1), np.zeros(3)
    for j in range(n - 1, -1, -1):
        suffix_top[j] = max(suffix_top[j + 1], patient_weight[j])
    keep = values.shape[1] > 0
    count, added, low_top, largest = 0, 0, 0.0, 0.0
    for a in range(k):
        i = sizes[a]
        while added < i:
            # Later cuts lie above this one, so edges to the patients below it are never needed again.
            _add_edges(patient_weight[added], patient_weight, i, across)
            low_top = max(low_top, patient_weight[added])
            added += 1
        mid_top, reached = 0.0, i
        for b in range(a + 1, k):
            j = sizes[b]
            while reached < j:
                mid_top = max(mid_top, patient_weight[reached])
                reached += 1
            if j - i < min_group:
                continue
            # A variance of one cut is its edges: low to (middle and high), or (low and middle) to high.
            low_high = across[j] if min(low_top, suffix_top[j]) > 0.0 else 0.0
            low_mid = max(single[i - 1, 1] - across[j], 0.0) if min(low_top, mid_top) > 0.0 else 0.0
            mid_high = max(single[j - 1, 1] - across[j], 0.0) if min(mid_top, suffix_top[j]) > 0.0 else 0.0
            excess[0], excess[2] = single[i - 1, 0], -single[j - 1, 0]
            excess[1] = -excess[0] - excess[2]
            chi2, rank = pair_chi2(excess, low_mid, low_high, mid_high)
            largest = max(largest, chi2)
            if keep:
                below, up_to = events[i - 1], events[j - 1]
                counts[0, count], counts[1, count], counts[5, count] = i, j - i, rank
                counts[2, count], counts[3, count], counts[4, count] = below, up_to - below, events[n - 1] - up_to
                values[0, count], values[1, count] = chi2, excess[2] - excess[0]
            count += 1
    return count, largest


@compiled
def largest_chi2(single: FloatArray, sizes: IntArray) -> float:
    """Return the largest one-cut log-rank chi-square among the given sizes of the low group."""
    largest = 0.0
    for m in sizes:
        if single[m - 1, 1] > 0.0:
            largest = max(largest, single[m - 1, 0] ** 2 / single[m - 1, 1])
    return largest


@compiled
def largest_score_chi2(scores: FloatArray, order: IntArray, sizes: IntArray) -> float:
    """Return the largest squared permutation-variance statistic, the patients taken in `order`."""
    n = scores.size
    mean, spread = scores.mean(), 0.0
    for score in scores:
        spread += (score - mean) ** 2
    if spread <= 0.0:
        return 0.0
    total, done, largest = 0.0, 0, 0.0
    for m in sizes:
        while done < m:
            total += scores[order[done]] - mean
            done += 1
        largest = max(largest, total * total * n * (n - 1.0) / (float(m) * (n - m) * spread))
    return largest


@compiled
def permuted_maxima(
    orders: IntArray, ranked: tuple[IntArray, IntArray, FloatArray, FloatArray], sizes: IntArray, least: int, kind: int
) -> FloatArray:
    """Return the largest chi-square of each permutation of a cohort, over cuts with at least `least` patients a side.

    Row b of `orders` gives the patients in the order of the permuted covariate; `ranked` is level, event, scores and
    table of the cohort; `kind` is 1 or 2 for
    the log-rank with one or two cuts, 0 for the permutation-variance statistic with one cut.
    """
    count, n = orders.shape
    out = np.empty(count)
    level, event, scores, table = ranked
    sizes = sizes[(sizes >= least) & (n - sizes >= least)]
    tree, low, high = scan_workspace(n)
    no_counts, no_values = np.empty((6, 0), np.int64), np.empty((2, 0))
    for b in range(count):
        order = orders[b]
        if kind == 0:
            out[b] = largest_score_chi2(scores, order, sizes)
            continue
        own_level = level[order]
        scan_positions(own_level, event[order], table, tree, low, high)
        if kind == 1:
            out[b] = largest_chi2(low, sizes)
        else:
            _, out[b] = scan_pairs(sizes, table[own_level, 0], low, event, least, no_counts, no_values)
    return out


@compiled
def null_maxima(orders: IntArray, events: IntArray, starts: IntArray, min_groups: IntArray) -> FloatArray:
    """Return the largest one-cut log-rank chi-square of cohorts in which the covariate means nothing.

    Parameters
    ----------
    orders : (cohorts, n) array
        The patients, numbered in the order of time, in the order of the covariate (all values distinct).
    events : (cohorts or 1, n) array
        Events and censorings in the order of time, one row for all cohorts or one for each.
    starts : (k,) array
        Where each distinct time begins.
    min_groups : (limits,) array
        Least numbers of patients on a side.

    Returns
    -------
    (cohorts, limits) array
    """
    count, n = orders.shape
    out = np.empty((count, min_groups.size))
    sizes = np.arange(1, n)
    tree, low, high = scan_workspace(n)
    level, table, _ = risk_tables(events[0], starts)
    for b in range(count):
        pattern = events[b % events.shape[0]]
        if b and events.shape[0] > 1:
            level, table, _ = risk_tables(pattern, starts)
        scan_positions(level[orders[b]], pattern[orders[b]], table, tree, low, high)
        for g in range(min_groups.size):
            out[b, g] = largest_chi2(low, sizes[min_groups[g] - 1 : n - min_groups[g]])
    return out
