"""Compiled loops over many follow-ups of the same patients: arrays in, arrays out, no checks.

Every array of times or events has one row a follow-up and one column a patient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from survaudit.cutpoint._kernels import FloatArray, IntArray, compiled, risk_tables, scan_positions, scan_workspace

DayArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]


@compiled
def log_rank_many(days: DayArray, event: BoolArray, second: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return, for each follow-up, events observed less expected in the second group, and the variance of that."""
    count, n = days.shape
    excess, variance = np.zeros(count), np.zeros(count)
    for b in range(count):
        order = np.argsort(days[b])
        at_risk, second_at_risk, i = n, second.sum(), 0
        while i < n:
            day, left, second_left, died, second_died = days[b, order[i]], 0, 0, 0, 0
            while i < n and days[b, order[i]] == day:
                patient = order[i]
                left, second_left = left + 1, second_left + second[patient]
                if event[b, patient]:
                    died, second_died = died + 1, second_died + second[patient]
                i += 1
            if died and 0 < second_at_risk < at_risk:
                share = second_at_risk / at_risk
                excess[b] += second_died - died * share
                # A product of counts, so that it is 0 exactly when nothing is left to chance.
                variance[b] += died * share * (1.0 - share) * (at_risk - died) / (at_risk - 1.0)
            at_risk, second_at_risk = at_risk - left, second_at_risk - second_left
    return excess, variance


@compiled
def survival_many(days: DayArray, event: BoolArray, grid: IntArray) -> FloatArray:
    """Return the Kaplan-Meier curve of each follow-up at each day of an ascending grid.

    After the last observation the curve stays where it is: bands need a value at every day.
    """
    count, n = days.shape
    out = np.empty((count, grid.size))
    for b in range(count):
        order = np.argsort(days[b])
        survival, i = 1.0, 0
        for g in range(grid.size):
            while i < n and days[b, order[i]] <= grid[g]:
                day, at_risk, died = days[b, order[i]], n - i, 0
                while i < n and days[b, order[i]] == day:
                    died += event[b, order[i]]
                    i += 1
                survival *= 1.0 - died / at_risk
            out[b, g] = survival
    return out


@compiled
def scan_many(days: DayArray, event: BoolArray) -> FloatArray:
    """Return the chi-square of every cut of each follow-up, the patients standing in the covariate's order.

    Column m - 1 holds the cut with m patients in the low group; 0 where no variance is left.
    """
    count, n = days.shape
    out = np.zeros((count, n - 1))
    own_level, own_event, starts = np.empty(n, np.int64), np.empty(n, np.int64), np.zeros(n, np.int64)
    tree, low, high = scan_workspace(n)
    for b in range(count):
        order, k = np.argsort(days[b]), 1
        for i in range(n):
            own_event[i] = event[b, i]
            if i and days[b, order[i]] > days[b, order[i - 1]]:
                starts[k] = i
                k += 1
        level, table, _ = risk_tables(own_event[order], starts[:k])
        for i in range(n):
            own_level[order[i]] = level[i]
        scan_positions(own_level, own_event, table, tree, low, high)
        for m in range(n - 1):
            if low[m, 1] > 0.0:
                out[b, m] = low[m, 0] ** 2 / low[m, 1]
    return out
