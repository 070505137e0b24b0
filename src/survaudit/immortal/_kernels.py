"""The compiled loops behind tests of a treatment that begins during follow-up: arrays in, arrays out, no checks.

One convention serves every test. A patient is at risk at t if ``t <= time``, and counts as switched if ``switch < t``.
A group fixed from the start is a switch before day 0; a patient left out has a negative time.
"""

# Compiled code takes arrays, not objects that bundle them.
# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np

from survaudit.cutpoint._kernels import FloatArray, IntArray, compiled


@compiled
def switch_score(time: FloatArray, event: IntArray, switch: FloatArray, change: FloatArray) -> tuple[float, float]:
    """Compare the switched with the others at every event of one cohort.

    Parameters
    ----------
    time, switch, change : (n,) arrays
        Last day; day of the switch, infinite if never; day from which the patient is in the second stratum.
    event : (n,) array
        0 or 1.

    Returns
    -------
    difference, variance : float
        Observed minus expected events among the switched, and its hypergeometric variance, over both strata.
    """
    n = time.size
    difference, variance = 0.0, 0.0
    for i in range(n):
        if event[i] != 1:
            continue
        t, late = time[i], change[i] < time[i]
        deaths, switched_deaths, at_risk, switched = 0, 0, 0, 0
        first = True
        for j in range(n):
            if time[j] < t or (change[j] < t) != late:
                continue
            at_risk += 1
            is_switched = switch[j] < t
            switched += is_switched
            if event[j] == 1 and time[j] == t:
                if j < i:  # tied events were counted with the first of them
                    first = False
                    break
                deaths += 1
                switched_deaths += is_switched
        if not first:
            continue
        share = switched / at_risk
        difference += switched_deaths - deaths * share
        if at_risk > 1:
            variance += deaths * share * (1.0 - share) * (at_risk - deaths) / (at_risk - 1.0)
    return difference, variance


@compiled
def switch_scores(time: FloatArray, event: IntArray, switch: FloatArray, change: FloatArray) -> FloatArray:
    """Return the difference and the variance of each cohort; arrays of shape (cohorts, n) to (cohorts, 2)."""
    result = np.empty((time.shape[0], 2))
    for k in range(time.shape[0]):
        result[k, 0], result[k, 1] = switch_score(time[k], event[k], switch[k], change[k])
    return result


@compiled
def permuted_p(
    time: FloatArray, event: IntArray, switch: FloatArray, change: FloatArray, until: FloatArray, uniforms: FloatArray
) -> float:
    """Return the P of one cohort when whoever switched is drawn anew on each day of a switch.

    Parameters
    ----------
    time, event, switch, change : (n,) arrays
        As in ``switch_score``.
    until : (n,) array
        The last day on which the patient could have switched; negative infinity for a patient left out.
    uniforms : (permutations, n) array
        Numbers between 0 and 1 that choose the patient of each switch.
    """
    n, permutations = time.size, uniforms.shape[0]
    as_extreme = 0
    difference, variance = switch_score(time, event, switch, change)
    observed = difference**2 / variance if variance > 0 else 0.0
    order = np.argsort(switch)
    drawn = np.empty(n)
    for b in range(permutations):
        drawn[:] = np.inf
        for k in range(n):
            day = switch[order[k]]
            if day == np.inf:
                break
            candidates = 0
            for j in range(n):
                candidates += until[j] >= day and drawn[j] == np.inf
            place = int(uniforms[b, k] * candidates)
            for j in range(n):
                if until[j] >= day and drawn[j] == np.inf:
                    if place == 0:
                        drawn[j] = day
                        break
                    place -= 1
        difference, variance = switch_score(time, event, drawn, change)
        # The same statistic, summed in another order, may differ in its last digits.
        as_extreme += variance > 0 and difference**2 / variance >= observed * (1.0 - 1e-9)
        as_extreme += variance <= 0 and observed == 0.0
    p: float = (1.0 + as_extreme) / (1.0 + permutations)
    return p


@compiled
def permuted_ps(
    time: FloatArray, event: IntArray, switch: FloatArray, change: FloatArray, until: FloatArray, uniforms: FloatArray
) -> FloatArray:
    """Return the permutation P of each cohort; ``uniforms`` has shape (cohorts, permutations, n)."""
    result = np.empty(time.shape[0])
    for k in range(time.shape[0]):
        result[k] = permuted_p(time[k], event[k], switch[k], change[k], until[k], uniforms[k])
    return result
