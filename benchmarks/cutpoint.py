"""Time the cut-point scans against what else computes them: `python benchmarks/cutpoint.py`.

Every ratio is measured side by side in this run, as medians of repeated calls on the same data.  What is not
installed is named in the table and not guessed.  `--quick` leaves out what takes longer than a few seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from survaudit.cutpoint.scan import (
    LOG_RANK,
    PERMUTATION_VARIANCE,
    scan_one,
    scan_one_permutation_variance,
    scan_two,
)
from survaudit.cutpoint.selection import permutation_test

Cohort = tuple[np.ndarray, np.ndarray, np.ndarray]

R_SCRIPT = """
arguments <- commandArgs(TRUE)
suppressMessages(library(maxstat))
frame <- read.csv(arguments[1])
repeats <- as.integer(arguments[2])
call <- switch(arguments[3],
  scan = function() maxstat.test(survival::Surv(time, event) ~ x, data = frame, smethod = "LogRank",
                                 pmethod = "none", minprop = 0, maxprop = 0.999999),
  permute = function() maxstat.test(survival::Surv(time, event) ~ x, data = frame, smethod = "LogRank",
                                    pmethod = "condMC", B = 10000, minprop = 0, maxprop = 0.999999))
invisible(call())
seconds <- sapply(seq_len(repeats), function(i) system.time(call())[["elapsed"]])
cat(sprintf("%.9f", median(seconds)))
"""


def cohort(n: int, seed: int = 1) -> Cohort:
    """Draw a cohort without ties, four in ten censored."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.exponential(900, n), (rng.random(n) < 0.6).astype(np.int64)


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median duration of a call, after one call that does not count."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def statsmodels_loop(data: Cohort) -> list[float]:
    """Log-rank chi-square at every cut by statsmodels."""
    from statsmodels.duration.survfunc import survdiff

    x, time_days, event = data
    return [survdiff(time_days, event, x <= cut)[0] for cut in np.unique(x)[:-1]]


def lifelines_loop(data: Cohort) -> list[float]:
    """Log-rank chi-square at every cut by lifelines."""
    from lifelines.statistics import logrank_test

    x, time_days, event = data
    found = []
    for cut in np.unique(x)[:-1]:
        low = x <= cut
        test = logrank_test(time_days[low], time_days[~low], event[low], event[~low])
        found.append(test.test_statistic)
    return found


def scikit_survival_loop(data: Cohort) -> list[float]:
    """Log-rank chi-square at every cut by scikit-survival."""
    from sksurv.compare import compare_survival
    from sksurv.util import Surv

    x, time_days, event = data
    outcome = Surv.from_arrays(event == 1, time_days)
    return [compare_survival(outcome, x <= cut)[0] for cut in np.unique(x)[:-1]]


LOOPS = {
    "statsmodels loop": statsmodels_loop,
    "lifelines loop": lifelines_loop,
    "scikit-survival loop": scikit_survival_loop,
}


def seconds_in_r(data: Cohort, what: str, repeats: int) -> float | str:
    """Return the median duration inside R, without its start, or why there is none."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return "Rscript not found"
    with tempfile.TemporaryDirectory() as folder:
        table, script = Path(folder) / "cohort.csv", Path(folder) / "time.R"
        pd.DataFrame(dict(zip(("x", "time", "event"), data, strict=True))).to_csv(table, index=False)
        script.write_text(R_SCRIPT)
        command = [rscript, str(script), str(table), str(repeats), what]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(run.stdout) if run.returncode == 0 else "maxstat not installed"


def peers_of_the_scan(sizes: list[int], repeats: int) -> list[dict[str, object]]:
    """Time every exact scan, and check that the peers compute the same statistics."""
    rows = []
    for n in sizes:
        data = cohort(n)
        ours = median_seconds(partial(scan_one, *data), 20)
        for name, loop in LOOPS.items():
            same = True
            try:
                same = np.allclose(loop(data), scan_one(*data).chi2, rtol=1e-6)
                theirs: float | str = median_seconds(partial(loop, data), repeats)
            except ImportError:
                theirs = "not installed"
            rows.append(row("all cuts, exact log-rank", n, ours, name if same else f"{name}: OTHER VALUES", theirs))
        ours = median_seconds(partial(scan_one_permutation_variance, *data), 20)
        theirs = seconds_in_r(data, "scan", 20)
        rows.append(row("all cuts, permutation variance", n, ours, "R maxstat", theirs))
    return rows


def peers_of_the_permutations(sizes: list[int]) -> list[dict[str, object]]:
    """Time 10,000 permutations of each statistic."""
    rows = []
    for n in sizes:
        data, repeats = cohort(n), 15 if n < 100 else 1
        theirs = seconds_in_r(data, "permute", repeats)
        for name in (PERMUTATION_VARIANCE, LOG_RANK):
            ours = median_seconds(partial(permute, data, name, 1), repeats)
            peer = "R maxstat condMC" if name == PERMUTATION_VARIANCE else "R maxstat condMC (a cheaper statistic)"
            rows.append(row(f"10,000 permutations, {name}", n, ours, peer, theirs))
    ours = median_seconds(partial(permute, cohort(28), LOG_RANK, 2), 9)
    rows.append(row("10,000 permutations, two cuts", 28, ours, "none", "no peer measured"))
    return rows


def permute(data: Cohort, statistic: str, cuts: int) -> object:
    """Run one permutation test."""
    return permutation_test(*data, rng=np.random.default_rng(1), statistic=statistic, cuts=cuts)


def growth(sizes: list[int]) -> pd.DataFrame:
    """Time the scan as the cohort grows; the last column stays level when cost grows as n log n."""
    rows = []
    for n in sizes:
        seconds = median_seconds(partial(scan_one, *cohort(n)), 20 if n <= 10_000 else 5)
        rows.append({"n": n, "ms": 1e3 * seconds, "ns per n log2 n": 1e9 * seconds / (n * np.log2(n))})
    return pd.DataFrame(rows)


def pairs(sizes: list[int]) -> pd.DataFrame:
    """Time all pairs of cuts; the last column stays level when cost grows as n^2."""
    rows = []
    for n in sizes:
        seconds = median_seconds(partial(scan_two, *cohort(n)), 9)
        rows.append({"n": n, "pairs": (n - 1) * (n - 2) // 2, "ms": 1e3 * seconds, "ns per n^2": 1e9 * seconds / n**2})
    return pd.DataFrame(rows)


def compile_seconds() -> dict[str, float]:
    """Time the first scan of a new process, with nothing compiled before and with the cache of that run."""
    code = (
        "import time, numpy as np; from survaudit.cutpoint.scan import scan_one, scan_two; x = np.arange(9.0); "
        "start = time.perf_counter(); scan_one(x, x, x > 2); scan_two(x, x, x > 2); "
        "print(time.perf_counter() - start)"
    )
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("nothing cached", "cached"):
            environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
            run = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
            )
            found[name] = float(run.stdout)
    return found


def row(what: str, n: int, ours: float, peer: str, theirs: float | str) -> dict[str, object]:
    """Return one line of the table of peers."""
    measured = isinstance(theirs, float)
    return {
        "what": what,
        "n": n,
        "ours, ms": round(1e3 * ours, 3),
        "peer": peer,
        "peer, ms": round(1e3 * theirs, 3) if measured else theirs,
        "ratio": round(theirs / ours, 1) if measured else "",
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small cohorts only")
    quick = parser.parse_args().quick
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs"
    print(f"{machine}, Python {platform.python_version()}, numpy {np.__version__}")
    print("Medians; ratio is the peer's time over ours, measured in this run.\n")
    rows = peers_of_the_scan([28, 300] if quick else [28, 300, 1000], 1 if quick else 3)
    rows += peers_of_the_permutations([28] if quick else [28, 1000, 10_000])
    print(pd.DataFrame(rows).to_string(index=False))
    print("\nThe scan as the cohort grows")
    sizes = [1000, 10_000] if quick else [1000, 10_000, 100_000, 1_000_000]
    print(growth(sizes).round(3).to_string(index=False))
    print("\nAll pairs of cuts")
    print(pairs([100, 300] if quick else [100, 300, 1000, 2000]).round(3).to_string(index=False))
    print("\nFirst call of a process, compilation included, seconds")
    print(pd.Series(compile_seconds()).round(2).to_string())


if __name__ == "__main__":
    main()
