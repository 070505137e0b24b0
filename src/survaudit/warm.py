"""Compile the kernels once, before several processes need them in the same moment.

numba keeps compiled code in files, and picks the name of a new file without a lock. Two processes that
compile two signatures of one function at once could take the same name. So whoever starts several
processes calls this first; where the code is compiled already, it takes a moment.
"""

from __future__ import annotations

import numpy as np

from survaudit.cutpoint.nulls import null_of_pattern, null_table
from survaudit.cutpoint.scan import PERMUTATION_VARIANCE, scan_two
from survaudit.cutpoint.selection import permutation_test
from survaudit.follow_up._many import log_rank_many, scan_many, survival_many


def compile_kernels() -> None:
    """Call every compiled function with the types that it is used with."""
    x, time = np.arange(8.0), np.array([3, 1, 4, 1, 5, 9, 2, 6])
    event = np.array([1, 1, 0, 1, 1, 0, 1, 1])
    for cuts in (1, 2):
        permutation_test(x, time, event, rng=np.random.default_rng(1), replicates=2, cuts=cuts)
    scan_two(x, time, event)
    permutation_test(x, time, event, rng=np.random.default_rng(1), replicates=2, statistic=PERMUTATION_VARIANCE)
    null_table(5.0, rng=np.random.default_rng(1), n=8, min_groups=(1,), censoring=(0.0, 0.5), replicates=2)
    null_of_pattern(5.0, time, event, rng=np.random.default_rng(1), min_groups=(1,), replicates=2)
    days, died = time[None, :].astype(np.int32), event[None, :] > 0
    log_rank_many(days, died, x > 3)
    survival_many(days, died, np.array([2, 5]))
    scan_many(days, died)
