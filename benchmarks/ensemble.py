"""Time the drawing of complete follow-ups against a plain Python loop: `python benchmarks/ensemble.py`.

Both draw the same model for the 28 patients of the tables; the loop takes one follow-up and one patient after
the other, and is timed at a smaller size.  The ratio is of the times for one follow-up, measured in this run.
Before anything is timed, the two are compared: shares of events and mean times must agree within what chance allows.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd

from survaudit.cohort.endpoints import EVENT_KNOWN, cut_off_range, endpoints
from survaudit.cohort.panels import PANELS
from survaudit.cohort.schema import GROUPS, REMISSIONS
from survaudit.cohort.tables import read_supplement
from survaudit.follow_up.ensemble import PRIORS, Prior, compare_many, draw

Patient = tuple[int, bool, date, float, bool, float, float, bool, bool]
LIMIT = 10.0


def patients(cohort: pd.DataFrame) -> list[Patient]:
    """Return what the loop reads of each patient, as plain values."""
    found = endpoints(cohort)
    free = {interval.patient: interval for interval in found["LFS"].intervals}
    rows = []
    for overall, origin, response in zip(
        found["OS"].intervals, cohort["infusion_1_date"], cohort["response_1"], strict=True
    ):
        own = free.get(overall.patient)
        dies = overall.status == EVENT_KNOWN
        bounds = (own.left.day, own.right.day, own.status == EVENT_KNOWN) if own else (0.0, 0.0, False)
        group, in_remission = GROUPS.index(overall.group), response in REMISSIONS
        rows.append((group, dies, origin.date(), overall.left.day, in_remission, *bounds, own is not None))
        if dies and own is None:
            raise SystemExit("the loop takes the book's assumptions only")
    return rows


def plain_follow_up(rows: list[Patient], prior: Prior, first: date, days: int) -> list[tuple[int, bool, int, bool]]:
    """Draw one follow-up, patient by patient: days and event of OS, then of LFS (-1 if there is none)."""
    ranges = (prior.relapse, prior.death_in_remission, prior.death_after_relapse)
    hazards = []
    for group in range(len(GROUPS)):
        drawn = [math.log(2) / math.exp(random.uniform(math.log(low), math.log(high))) for low, high in ranges]
        hazards.append(hazards[0] if prior.shared and group else drawn)
    cut_off = first + timedelta(days=random.randrange(days))
    out = []
    for group, dies, origin, alive, in_remission, left, right, known, has_lfs in rows:
        last = (cut_off - origin).days
        relapse, in_rem, after = hazards[group]
        if dies:
            death = failure = left + (1 - random.random()) * (min(right, last) - left)
        elif not (has_lfs and in_remission):
            death = failure = alive + random.expovariate(after)
        else:
            leaving = relapse + in_rem
            if known:
                share = random.random() * -math.expm1(-leaving * (min(right, last) - left))
                failure, relapsed = left - math.log1p(-share) / leaving, True
            else:
                failure = left + random.expovariate(leaving)
                relapsed = random.random() * leaving < relapse or failure <= alive
            death = max(failure, alive) + random.expovariate(after) if relapsed else failure
        whole, lfs = math.ceil(death), math.ceil(failure)
        free = (min(lfs, last), lfs <= last) if has_lfs else (-1, False)
        out.append((min(whole, last), whole <= last, *free))
    return out


def agree(cohort: pd.DataFrame, rows: list[Patient], first: date, days: int, draws: int) -> float:
    """Return the greatest difference between the two, patient by patient, in standard errors."""
    random.seed(1)
    worst = 0.0
    for prior in PRIORS.values():
        loop = np.array([plain_follow_up(rows, prior, first, days) for _ in range(draws)], float)
        ours = draw(cohort, prior, np.random.default_rng(1), draws=draws)
        pairs = [(loop[:, :, 0], ours.days["OS"]), (loop[:, :, 1], ours.event["OS"])]
        pairs += [(loop[:, :, 2], ours.days["LFS"]), (loop[:, :, 3], ours.event["LFS"])]
        for theirs, own in pairs:
            error = np.sqrt((theirs.var(axis=0) + own.var(axis=0)) / draws)
            gap = np.abs(theirs.mean(axis=0) - own.mean(axis=0))
            if (gap[error == 0] > 0).any():
                return math.inf
            worst = max(worst, float(np.max(gap[error > 0] / error[error > 0], initial=0)))
    return worst


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median duration of a call, after one call that does not count."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer draws")
    quick = parser.parse_args().quick
    draws, small, repeats = (10_000, 200, 3) if quick else (100_000, 2_000, 5)
    cohort = read_supplement("data/raw").cohort
    rows = patients(cohort)
    first, last = (day.date() for day in cut_off_range(cohort))
    days = (last - first).days + 1
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, numpy {np.__version__}")
    worst = agree(cohort, rows, first, days, small)
    print(f"Greatest difference between the two, of {4 * 4 * len(rows)} means: {worst:.1f} standard errors\n")
    table = []
    for prior in PRIORS.values():
        ours = median_seconds(lambda p=prior: draw(cohort, p, np.random.default_rng(1), draws=draws), repeats)
        loop = median_seconds(
            lambda p=prior: [plain_follow_up(rows, p, first, days) for _ in range(small)], min(repeats, 3)
        )
        ensemble = draw(cohort, prior, np.random.default_rng(1), draws=draws)
        six = median_seconds(
            lambda e=ensemble: [compare_many(e, panel.endpoint, panel.groups) for panel in PANELS.values()], repeats
        )
        table.append(
            {
                "prior": prior.name,
                f"{draws:,} draws, s": round(ours, 2),
                "limit, s": LIMIT,
                "us a follow-up": round(1e6 * ours / draws, 2),
                "loop, us a follow-up": round(1e6 * loop / small, 1),
                "ratio": round(loop / small / (ours / draws), 1),
                "six panels compared, s": round(six, 2),
            }
        )
    print(pd.DataFrame(table).to_string(index=False))


if __name__ == "__main__":
    main()
