"""Corrected P values of a maximally selected rank statistic, by formula.

Every formula takes the largest absolute standardised statistic b (the root of a chi-square) and the cuts that
it was chosen from.  All were derived for the permutation-variance statistic, `maxstat` in R.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, erfc, exp, log, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from survaudit.cutpoint._kernels import FloatArray, IntArray, compiled
from survaudit.cutpoint._ranked import count_argument
from survaudit.cutpoint.scan import TIE_TOLERANCE, score_sums
from survaudit.errors import InputError

# Hothorn-Lausen needs the number of subsets by size and sum, n times the sum of the scores.
LARGEST_COHORT = 200


@dataclass(frozen=True)
class HothornLausen:
    """The best cut by rounded scores, and the bound of its P value.

    Attributes
    ----------
    statistic : float
        Largest absolute statistic of the scores rounded to whole numbers from 0 to n.
    n_low : int
        Patients in the low group of the smallest cut that reaches it.
    p : float
        Upper bound of P(max >= statistic) under permutation.
    """

    statistic: float
    n_low: int
    p: float


def bonferroni(p: float, choices: int) -> float:
    """Multiply the P value by the number of choices, at most 1 (Bonferroni 1936).

    Parameters
    ----------
    p : float
        The smallest P value among those chosen from.
    choices : int
        How many there were to choose from, at least 1.

    Returns
    -------
    float
        An upper bound of the P value of the choice.

    Raises
    ------
    InputError
        If `choices` is no whole number of at least 1.

    Examples
    --------
    >>> round(bonferroni(0.018, 27), 3), bonferroni(0.2, 27)
    (0.486, 1.0)
    """
    return min(1.0, p * count_argument("choices", choices, least=1))


def miller_siegmund(statistic: float, low_share: float, high_share: float) -> float:
    """Correct the best of all cuts between two shares of the cohort (Miller and Siegmund 1982).

    The approximation of Lausen and Schumacher (1992) is the same formula, and for symmetric bounds nothing
    but another name: R's `maxstat` calls it Lau92, and extends it to bounds that are not symmetric, as here.

    Parameters
    ----------
    statistic : float
        Largest absolute standardised statistic, the root of a chi-square.
    low_share, high_share : float
        Smallest and largest share of patients in the low group, 0 < low_share <= high_share < 1.

    Returns
    -------
    float
        P value, at most 1; it is 1 below a statistic of 1, where the approximation does not hold.

    Raises
    ------
    InputError
        If the shares are not 0 < low_share <= high_share < 1.

    Examples
    --------
    >>> round(miller_siegmund(5.59**0.5, 0.1, 0.9), 3)
    0.249
    """
    if not 0 < low_share <= high_share < 1:
        raise InputError(f"shares: found {low_share} and {high_share}, expected 0 < low <= high < 1")
    b = abs(statistic)
    if b < 1:
        return 1.0
    density = exp(-b * b / 2) / sqrt(2 * pi)
    odds = high_share * (1 - low_share) / ((1 - high_share) * low_share)
    return min(1.0, max(0.0, density * (4 / b + (b - 1 / b) * log(odds))))


def lausen_schumacher_1994(statistic: float, n: int, sizes: ArrayLike) -> float:
    """Correct the best of the given cuts by an improved Bonferroni inequality (Lausen and others 1994).

    Parameters
    ----------
    statistic : float
        Largest absolute standardised statistic.
    n : int
        Patients.
    sizes : (k,) array_like of int
        Patients in the low group at each cut, increasing.

    Returns
    -------
    float
        P value; the inequality can exceed 1, this does not.

    Raises
    ------
    InputError
        If the sizes are not increasing whole numbers from 1 to n - 1, or there are none.

    Notes
    -----
    Worsley's (1983) inequality for neighbouring cuts, as used by Lausen, Sauerbrei and Schumacher (1994).

    Examples
    --------
    >>> round(lausen_schumacher_1994(5.59**0.5, 28, range(2, 26)), 3)
    0.205
    """
    m, b = _sizes(n, sizes), abs(statistic)
    step = np.sqrt(1 - m[:-1] * (n - m[1:]) / ((n - m[:-1]) * m[1:]))
    apart = np.sum(exp(-b * b / 2) / pi * (step - (b * b / 4 - 1) * step**3 / 6))
    return float(min(1.0, max(0.0, 2 * stats.norm.sf(b) + apart)))


def conditional_gaussian(statistic: float, n: int, sizes: ArrayLike) -> float:
    """Correct the best of the given cuts by their joint normal distribution.

    Parameters
    ----------
    statistic : float
        Largest absolute standardised statistic.
    n : int
        Patients.
    sizes : (k,) array_like of int
        Patients in the low group at each cut, increasing.

    Returns
    -------
    float
        P(max |Z| >= statistic), Z multivariate normal with the correlation of the cuts given the covariate.

    Raises
    ------
    InputError
        If the sizes are not increasing whole numbers from 1 to n - 1, or there are none.

    Notes
    -----
    The `exactGauss` of R's `maxstat` (Hothorn and Lausen 2003).  There it is a Monte Carlo integral; but the
    correlation sqrt(m (n - m') / (m' (n - m))) of the cuts m < m' makes Z a Markov chain, so that one
    dimension at a time can be integrated by quadrature, to about ten digits even far in the tail.

    Examples
    --------
    >>> round(conditional_gaussian(5.59**0.5, 28, range(2, 26)), 4)
    0.1509
    """
    m, b = _sizes(n, sizes), abs(statistic)
    rho = np.sqrt(m[:-1] * (n - m[1:]) / ((n - m[:-1]) * m[1:]))
    if b == 0 or rho.size == 0:
        return float(2 * stats.norm.sf(b))
    # Nodes must lie closer than the chain steps; the factor makes the error vanish next to 1e-10.
    nodes, weights = special.roots_legendre(max(64, ceil(2.5 * b / sqrt(1 - rho.max() ** 2))))
    return min(1.0, float(_crossing_probability(b, rho, (nodes + 1) * b / 2, weights * b / 2)))


def hothorn_lausen(scores: ArrayLike, sizes: ArrayLike) -> HothornLausen:
    """Bound the P value of the best cut by the exact distribution at each cut.

    Parameters
    ----------
    scores : (n,) array_like
        Log-rank scores in the order of the covariate.
    sizes : (k,) array_like of int
        Patients in the low group at each cut, increasing.

    Returns
    -------
    HothornLausen

    Raises
    ------
    InputError
        With more than 200 patients, since the table of all sums becomes too large; or if the sizes are not
        increasing whole numbers from 1 to n - 1.

    Notes
    -----
    Hothorn and Lausen (2003): the exact distribution of the sum at each cut by the shift algorithm, and an
    inequality that does not count again what was certain to have exceeded at the cut before.
    R's `maxstat` gives P(M > statistic); a P value needs P(M >= statistic), which is returned here.  R also
    leaves out a sum of 0, and takes each step between sizes as one patient where ties make it more.

    Examples
    --------
    >>> test = hothorn_lausen([0.75, 0.4, -0.1, -1.05], [1, 2, 3])
    >>> round(test.statistic, 3), test.n_low, round(test.p, 3)
    (1.521, 3, 0.5)
    """
    given = np.asarray(scores, dtype=np.float64)
    if given.size > LARGEST_COHORT:
        raise InputError(f"scores: found {given.size} patients, expected at most {LARGEST_COHORT}")
    m, whole = _sizes(given.size, sizes), integer_scores(given)
    sums, variance = score_sums(whole.astype(np.float64), m)
    if not variance.any():
        return HothornLausen(0.0, int(m[0]), 1.0)
    standard = np.abs(sums) / np.sqrt(variance)
    best = int(np.flatnonzero(standard >= standard.max() * (1 - TIE_TOLERANCE))[0])
    statistic = float(standard.max())
    p = union_bound(statistic * (1 - TIE_TOLERANCE), np.sort(whole), m)
    return HothornLausen(statistic, int(m[best]), p)


def union_bound(statistic: float, scores: IntArray, sizes: IntArray) -> float:
    """Bound P(any cut's statistic exceeds the given one) over permutations of whole-number scores.

    Parameters
    ----------
    statistic : float
        Threshold; only larger values count.
    scores : (n,) array of int
        Scores from 0 up, increasing.
    sizes : (k,) array of int
        Patients in the low group at each cut, increasing.

    Returns
    -------
    float
        Upper bound of P(max > statistic), at most 1.

    Notes
    -----
    The improved Bonferroni inequality (Worsley 1982): the sum of the chances at each cut, less the chance that two
    neighbours both exceed.  Of the latter only what is certain is subtracted, as Hothorn and Lausen (2003) do: sums so
    far out at one cut that no patients who may join can bring them back at the next.  The chances themselves are exact,
    by the shift algorithm (Streitberg and Roehmel 1986).

    Examples
    --------
    Of the 24 orders of four scores, 12 have a cut with a statistic above 1.5.

    >>> union_bound(1.5, np.array([0, 2, 3, 4]), np.array([1, 2, 3]))
    0.5
    """
    n, total = scores.size, int(scores.sum())
    chance = _subset_chances(scores, total)
    smallest = np.concatenate(([0], np.cumsum(scores)))
    largest = np.concatenate(([0], np.cumsum(scores[::-1])))
    sums = np.arange(total + 1)
    spread = n * float(scores @ scores) - float(total) ** 2
    bound, before, previous = 0.0, np.zeros(total + 1, np.bool_), 0
    for m in sizes.tolist():
        centred = sums - m / n * total
        limit = statistic * sqrt(m * (n - m) / (n**2 * (n - 1)) * spread)
        bound += float(chance[m, np.abs(centred) > limit].sum())
        if previous:
            # Below stays below whatever is added, and above stays above: already counted one cut before.
            step = m - previous
            below = before & (sums - previous / n * total < 0) & (centred + largest[step] < -limit)
            above = before & (sums - previous / n * total > 0) & (centred + smallest[step] > limit)
            bound -= float(chance[previous, below | above].sum())
        before, previous = np.abs(centred) > limit, m
    return min(1.0, bound)


def integer_scores(scores: FloatArray) -> IntArray:
    """Round scores to whole numbers from 0 to their number (Hothorn and Lausen 2003), as exactRankTests in R does.

    Parameters
    ----------
    scores : (n,) array
        Log-rank scores, say; only their distances matter.

    Returns
    -------
    (n,) array of int
        In the same order: 0 for the smallest, n for the largest; all 0 if the scores are equal.

    Examples
    --------
    >>> integer_scores(np.array([0.75, 0.4, -0.1, -1.05])).tolist()
    [4, 3, 2, 0]
    """
    shifted = scores - scores.min()
    if shifted.max() <= 0:
        return np.zeros(scores.size, np.int64)
    whole: IntArray = np.rint(shifted * scores.size / shifted.max()).astype(np.int64)
    return whole


def _sizes(n: int, sizes: ArrayLike) -> IntArray:
    """Check the sizes of the low group at the cuts."""
    m = np.asarray(list(sizes) if isinstance(sizes, range) else sizes, dtype=np.int64)
    if m.ndim != 1 or m.size == 0 or m[0] < 1 or m[-1] >= n or (np.diff(m) <= 0).any():
        raise InputError(f"sizes: expected increasing whole numbers from 1 to {n - 1}, n={n}")
    return m


@compiled
def _subset_chances(scores: IntArray, total: int) -> FloatArray:
    """Return, by size and sum, the share of subsets with that sum (Streitberg and Roehmel 1986)."""
    n = scores.size
    chance = np.zeros((n + 1, total + 1))
    chance[0, 0] = 1.0
    reached = 0
    for i in range(n):
        own = scores[i]
        reached += own
        for m in range(i + 1, 0, -1):
            # A subset of size m of i + 1 patients holds the newest with probability m / (i + 1).
            with_it = m / (i + 1.0)
            for s in range(reached, -1, -1):
                moved = chance[m - 1, s - own] * with_it if s >= own else 0.0
                chance[m, s] = (chance[m, s] * (1.0 - with_it) if m <= i else 0.0) + moved
    return chance


@compiled
def _crossing_probability(bound: float, rho: FloatArray, nodes: FloatArray, weights: FloatArray) -> float:
    """Return the probability that a stationary Gaussian chain ever leaves the band from -bound to bound.

    `rho` holds the correlations of neighbours; `nodes` and `weights` integrate over [0, bound], since
    the density of the absolute value is all that matters.  First exits are added up one by one, so that a
    probability of 1e-30 has as many digits as one of 0.3.
    """
    size, root = nodes.size, np.sqrt(2.0)
    # A longer step adds less than 1e-18 of what lies at the bound.
    reach = bound + 9.0
    density, moved = np.empty(size), np.empty(size)
    for i in range(size):
        density[i] = 2.0 * np.exp(-(nodes[i] ** 2) / 2.0) / np.sqrt(2.0 * np.pi)
    crossed = erfc(bound / root)
    for r in rho:
        scale = np.sqrt(1.0 - r * r)
        for j in range(size):
            up, down = (bound - r * nodes[j]) / scale, (bound + r * nodes[j]) / scale
            crossed += weights[j] * density[j] * (erfc(up / root) + erfc(down / root)) / 2.0
        for i in range(size):
            total = 0.0
            for j in range(size):
                near, far = (nodes[i] - r * nodes[j]) / scale, (nodes[i] + r * nodes[j]) / scale
                if abs(near) < reach:
                    total += weights[j] * density[j] * np.exp(-near * near / 2.0)
                if far < reach:
                    total += weights[j] * density[j] * np.exp(-far * far / 2.0)
            moved[i] = total / (scale * np.sqrt(2.0 * np.pi))
        density[:] = moved
    return crossed
