"""Every value of R in ``data/reference`` beside ours: one function a section of the page on validation.

Each function takes an entry, one call of R, and gives what the package makes of the same question. It says
nothing about whether the two agree: ``reference.compare`` does, by a rule that each value carries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import comb, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lifelines.datasets import load_stanford_heart_transplants
from scipy import stats

from survaudit._ranked import RankedCohort, rank_cohort
from survaudit.corrections import (
    bonferroni,
    conditional_gaussian,
    hothorn_lausen,
    integer_scores,
    lausen_schumacher_1994,
    miller_siegmund,
    union_bound,
)
from survaudit.cutpoint import CutScan, scan_one, scan_one_permutation_variance, scan_two
from survaudit.digitised import check_clicks
from survaudit.errors import InputError
from survaudit.hazards import Hazards, cox, firth_cox, proportional_hazards
from survaudit.immortal import Episodes, episodes, landmark, mantel_byar, simon_makuch, time_dependent_cox
from survaudit.reconstruct import Reconstruction, reconstruct
from survaudit.reference import (
    DIFFERS,
    EXPLAINED,
    NO_COUNTERPART,
    Compared,
    Ours,
    Rule,
    compare,
    read_data,
    read_entries,
)
from survaudit.selection import permuted
from survaudit.stratified import scan_stratified
from survaudit.survival import (
    Floats,
    KaplanMeier,
    LogRank,
    kaplan_meier,
    log_rank,
    restricted_mean,
    restricted_mean_difference,
)

Entry = Mapping[str, Any]
Counterparts = dict[str, Ours]

EQUAL = Rule("equal")
# A statistic may be 0 but for rounding; a P value never is, however small, so that it has no absolute slack.
CLOSE = Rule("1e-8 relative, or 1e-12", 1e-8, 1e-12)
P_VALUE = Rule("1e-8 relative", 1e-8)
FORMULA = Rule("1e-9 relative", 1e-9)
LIMIT = Rule("1e-8, relative or absolute", 1e-8, 1e-8)
COARSE = Rule("1e-6", 1e-6, 1e-6, "coxphf stops once the score is small, so that its coefficients are known no closer")
INTEGRAL = Rule("R's error of integration", why="R integrates by quasi Monte Carlo, and states its error")
UNSTATED = "R integrates by quasi Monte Carlo, and states no error here"
SIMULATED = Rule("four standard errors", why="both are simulations, with random numbers of their own")
CAPPED = Rule("1e-9 relative, of the formula without a limit", why="R's approximation exceeds one; ours stops there",
              explains=True)  # fmt: skip
SUBTRACTED = Rule("1e-9 relative, of our P with R's rounding", why="R takes the P of one cut as one minus a "
                  "number next to one, which leaves few digits; ours is the tail itself", explains=True)  # fmt: skip
TAIL = Rule("from the P of one cut to ours", why="of crossings so rare, R's quasi Monte Carlo misses most and states "
            "too small an error, or none; the P of one cut it has exactly, and the tests sample ours",
            explains=True)  # fmt: skip
STRICT = Rule("1e-9 relative, of our bound as R counts", why="R counts only permutations above the observed "
              "statistic, and leaves out sums of zero; ours counts all that are at least as large",
              explains=True)  # fmt: skip
WHOLE_DEATHS = Rule("one death in each hundred", why="both round to whole deaths at every click, in another order")
HEIGHTS = Rule("six click errors, of heights that we read off R's patients", why="R returns no curve, so that these "
               "are not counted as numbers of R; each reconstruction may be three click errors off")  # fmt: skip
HALF = Rule("the time that clicks stay at one half, and two errors in time", why="where a curve is flat, a click "
            "error moves its median far")  # fmt: skip
NOBODY_CENSORED = Rule("one death in each hundred, of our most", why="R counts nobody as censored before the end, "
                       "which is one end of our range", explains=True)  # fmt: skip

# Enough to tell a wrong statistic, and few enough for the page; the tests take more.
REPLICATES = 4_000
MONTH = 30.4375
# What R's integration is asked for unless told otherwise. It is also the tolerance where R states no error: coin asks
# for more, but within points so few that maxstat, with four times as many, states errors of half of this.
ABSEPS = 1e-3
# How far a difference from one may be from the number meant: the spacing of numbers there.
SPACING = 2.0**-52
ARMS = {"radio": 213, "radioplus": 211}


# ---------------------------------------------------------------- curves and tests


def _curves(folder: Path, entry: Entry, column: str) -> list[KaplanMeier]:
    """Return the curve of each group, in R's order of groups; a column "1" is no grouping."""
    frame = read_data(folder, entry["data"])
    parts = [frame] if column == "1" else [part for _, part in frame.groupby(column)]
    return [kaplan_meier(part["time"], part["event"]) for part in parts]


def _joined(curves: list[KaplanMeier], name: str) -> Floats:
    return np.concatenate([getattr(curve, name) for curve in curves])


def curves(folder: Path, entry: Entry) -> Counterparts:
    """Recompute Kaplan-Meier curves at every time, or at the times that R was asked for."""
    found = _curves(folder, entry, entry["id"].split("/")[3])
    table = {"n.max": "n", "n.start": "n", "records": "n", "events": "n_events"}
    medians = {"median": "median", "0.95LCL": "median_lower", "0.95UCL": "median_upper"}
    ours = {f"table.{theirs}": Ours([getattr(c, mine) for c in found], EQUAL) for theirs, mine in table.items()}
    ours |= {f"table.{theirs}": Ours([getattr(c, mine) for c in found], CLOSE) for theirs, mine in medians.items()}
    ours |= _means(found)
    if entry["id"].startswith("km/times"):
        return ours | _at_times(found, entry["result"])
    counts = {"time": "times", "n_risk": "at_risk", "n_event": "events", "n_censor": "censored"}
    values = {"surv": "survival", "std_err_S": "std_error", "lower": "lower", "upper": "upper"}
    ours |= {theirs: Ours(_joined(found, mine), EQUAL) for theirs, mine in counts.items()}
    return ours | {theirs: Ours(_joined(found, mine), CLOSE) for theirs, mine in values.items()}


def _means(found: list[KaplanMeier]) -> Counterparts:
    """Return the means up to the last day of all groups, of the curves that reach it or have come down to 0."""
    last = max(curve.last_day for curve in found)
    given = [curve.last_day == last or curve.survival[-1] == 0 for curve in found]
    means = [restricted_mean(curve, last) if own else None for curve, own in zip(found, given, strict=True)]
    values = {"rmean": [mean.estimate if mean else np.nan for mean in means]}
    values["se(rmean)"] = [sqrt(mean.variance) if mean else np.nan for mean in means]
    return {f"table.{name}": Ours(each, CLOSE, given=given) for name, each in values.items()}


def _at_times(found: list[KaplanMeier], result: Entry) -> Counterparts:
    """Read the curves at R's times; R was told to extend them, so that ours are read on their last day."""
    strata, times = np.array(result["strata"]), np.array(result["time"], float)
    values = {"surv": "survival", "std_err_S": "std_error", "lower": "lower", "upper": "upper"}
    columns: dict[str, list[Floats]] = {name: [] for name in ("n_risk", *values)}
    for curve, name in zip(found, dict.fromkeys(result["strata"]), strict=True):
        days = times[strata == name]
        columns["n_risk"].append(curve.at_risk_at(days).astype(float))
        step = np.searchsorted(curve.times, days, side="right")
        for theirs, mine in values.items():
            start = 0.0 if mine == "std_error" else 1.0
            columns[theirs].append(np.concatenate([[start], getattr(curve, mine)])[step])
    return {name: Ours(np.concatenate(parts), CLOSE if name in values else EQUAL) for name, parts in columns.items()}


def restricted_means(folder: Path, entry: Entry) -> Counterparts:
    """Recompute restricted means of two groups and their difference."""
    arms, tau = _curves(folder, entry, entry["id"].split("/")[2]), entry["result"]["tau"]
    ours: Counterparts = {}
    if entry["id"].endswith("tauNULL"):  # R was told no time, and takes the longest that both arms reach
        tau = min(curve.last_day for curve in arms)
        ours["tau"] = Ours(tau, EQUAL)
    for name, curve in zip(("arm0", "arm1"), arms, strict=True):
        mean = restricted_mean(curve, tau)
        ours[f"{name}.rmst"] = Ours([mean.estimate, sqrt(mean.variance), mean.lower, mean.upper], CLOSE)
        ours[f"{name}.rmst_var"] = Ours(mean.variance, CLOSE)
    difference = restricted_mean_difference(arms[1], arms[0], tau)
    values = np.array([difference.estimate, difference.lower, difference.upper, difference.p])
    # The last of the four is a P value, without absolute slack.
    slack = CLOSE.relative * np.abs(values) + CLOSE.absolute * np.array([1, 1, 1, 0])
    return ours | {"unadjusted[0]": Ours(values, CLOSE, values - slack, values + slack)}


def _log_rank(test: LogRank) -> Counterparts:
    ours = {"n": Ours(test.n, EQUAL), "observed": Ours(test.observed, CLOSE), "expected": Ours(test.expected, CLOSE)}
    ours |= {"var": Ours(test.variance, CLOSE), "chisq": Ours(test.chi2, CLOSE)}
    return ours | {"df": Ours(test.df, EQUAL), "p": Ours(test.p, P_VALUE)}


# How the call names its groups, and the column and limit that this means.
_GROUPS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "sex": lambda f: f["sex"],
    "ecog": lambda f: f["ph.ecog"],
    "ecog3": lambda f: f["ph.ecog"].where(f["ph.ecog"] < 3),
    "age70": lambda f: f["age"] > 70,
    "rx": lambda f: f["rx"],
    "resid": lambda f: f["resid.ds"],
    "age": lambda f: f["age"] > 58,
    "x": lambda f: f["x"],
    "horTh": lambda f: f["horTh"],
    "tgrade": lambda f: f["tgrade_n"],
}


def log_rank_tests(folder: Path, entry: Entry) -> Counterparts:
    """Recompute the log-rank test of two or more groups; with ``rho=1`` as Peto and Peto weigh it."""
    frame = read_data(folder, entry["data"])
    if "cox_score" in entry["id"]:
        exact = entry["id"].endswith("exact")
        return {"score": Ours(log_rank(frame["time"], frame["event"], frame["sex"]).chi2, CLOSE)} if exact else {}
    name = entry["id"].split("/")[1].removeprefix(f"{entry['data']}_")
    group = _GROUPS[name.removesuffix("_rho1")](frame)
    kept = group.notna()
    rho = 1.0 if name.endswith("_rho1") else 0.0
    return _log_rank(log_rank(frame["time"][kept], frame["event"][kept], group[kept], rho=rho))


# ---------------------------------------------------------------- hazards


def _model_data(folder: Path, entry: Entry, terms: list[str]) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    if entry["id"].startswith("firth/sim3"):
        frame = pd.DataFrame({"time": [1, 2, 3], "event": 1, "x": [1, 1, 0]})
    else:
        frame = read_data(folder, entry["data"])
    if "xNonmaintained" in terms:
        frame["xNonmaintained"] = frame["x"] == "Nonmaintained"
    frame = frame.dropna(subset=terms)
    return frame["time"], frame["event"], frame[terms]


def _hazards(table: pd.DataFrame) -> Counterparts:
    names = {"coef": "coef", "se": "std_error", "hr": "hazard_ratio", "hr_lower": "lower", "hr_upper": "upper"}
    return {theirs: Ours(table[mine], CLOSE) for theirs, mine in names.items()} | {"p": Ours(table["p"], P_VALUE)}


def _counts(model: Hazards) -> Counterparts:
    return {"n": Ours(model.n, EQUAL), "nevent": Ours(model.n_events, EQUAL), "df": Ours(len(model.table), EQUAL)}


def cox_models(folder: Path, entry: Entry) -> Counterparts:
    """Recompute Cox models by Efron's ties, and the test of proportional hazards."""
    if entry["id"].startswith("coxzph"):
        data = _model_data(folder, entry, ["age", "sex", "ph.ecog"])
        return {"table": Ours(proportional_hazards(*data).table, CLOSE)}
    model = cox(*_model_data(folder, entry, entry["result"]["terms"]))
    return _hazards(model.table) | _counts(model)


def firth_models(folder: Path, entry: Entry) -> Counterparts:
    """Recompute Cox models with Firth's penalty: the coefficients as close as R has them, limits and P closer."""
    table = firth_cox(*_model_data(folder, entry, entry["result"]["terms"])).table
    coarse = {"coef": "coef", "se": "std_error", "hr": "hazard_ratio"}
    ours = {theirs: Ours(table[mine], COARSE) for theirs, mine in coarse.items()}
    limits = {"ci_lower": "lower", "ci_upper": "upper"}
    ours |= {theirs: Ours(table[mine], LIMIT) for theirs, mine in limits.items()}
    return ours | {"p": Ours(table["p"], P_VALUE), "df": Ours(len(table), EQUAL)}


# ---------------------------------------------------------------- every cut


_COVARIATES = {"mealcal": "meal.cal", "wtloss": "wt.loss"}


def _columns(folder: Path, entry: Entry) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return covariate, times and events; patients without the covariate are left out, as R does."""
    frame = read_data(folder, entry["data"])
    found = re.search(rf"/{entry['data']}_(\w+?)(?:_exact)?(?:/|$)", entry["id"])
    covariate = found[1] if found else "age"
    covariate = _COVARIATES.get(covariate, covariate)
    frame = frame.dropna(subset=[covariate])
    return frame[covariate], frame["time"], frame["event"]


@cache
def _ranked(folder: Path, data: str, name: str) -> RankedCohort:
    return rank_cohort(*_columns(folder, {"data": data, "id": name}))


def _cohort(folder: Path, entry: Entry) -> RankedCohort:
    return _ranked(folder, entry["data"], "/".join(entry["id"].split("/")[:3]))


def _argument(entry: Entry, name: str, default: float) -> float:
    found = re.search(rf"{name} ?= ?([\d.e-]+)", entry["call"])
    return float(found[1]) if found else default


def _sizes(ranked: RankedCohort, entry: Entry) -> np.ndarray[Any, Any]:
    """Return the cuts that R takes: maxstat from floor(N p) patients in the low group on, coin from N p on."""
    low, high = _argument(entry, "minprop", 0.1), _argument(entry, "maxprop", 0.9)
    sizes = ranked.candidates()
    least, most = max(1, np.floor(ranked.n * low + 1e-9)), np.floor(ranked.n * high + 1e-9)
    if "/coin/" in entry["id"]:
        least = np.ceil(ranked.n * low - 1e-9)
    sizes = sizes[(sizes >= least) & (sizes <= most)]
    chosen: np.ndarray[Any, Any] = sizes[:-1] if (low, high) == (0, 1) else sizes
    return chosen  # there maxstat also drops the last


def every_cut(folder: Path, entry: Entry) -> Counterparts:
    """Recompute the log-rank statistic at every cut, by survdiff and by rolr."""
    x, time, event = _columns(folder, entry)
    scan = scan_one(x, time, event)
    if entry["id"].startswith("scan/rolr"):
        # rolr takes the value of each patient but the first and last ns; its high group is x >= cutoff, so that its
        # cut is the largest value below.
        least = int(_argument(entry, "ns", 0))
        cutoff = np.sort(x)[least : scan.n - least + 1]
        at = np.searchsorted(scan.cut, cutoff) - 1
        return {"xcutoff": Ours(cutoff, EQUAL), "z": Ours(scan.statistic[at], CLOSE)}
    best = scan.best
    ours = {"n": scan.n, "n_cuts": len(scan.cut), "cut": scan.cut, "n_low": scan.n_low, "O_low": scan.events_low}
    ours |= {"cut_at_max": best.cut, "n_low_at_max": best.n_low}
    expected_low = scan.events - scan.expected_high
    values: dict[str, Any] = {"E_low": expected_low, "var": scan.variance}
    values |= {"chisq": scan.chi2, "max_chisq": best.chi2}
    return {name: Ours(value, EQUAL) for name, value in ours.items()} | {
        name: Ours(value, CLOSE) for name, value in values.items()
    }


def _largest(scan: CutScan, at: np.ndarray[Any, Any]) -> int:
    return int(at[np.argmax(scan.chi2[at])])


def every_cut_by_scores(folder: Path, entry: Entry) -> Counterparts:
    """Recompute the statistic with the permutation variance at every cut, by maxstat, survminer and coin."""
    if re.search("coin/.*/(mid-ranks|approx)", entry["id"]):
        return {}
    scan = scan_one_permutation_variance(*_columns(folder, entry))
    at = np.flatnonzero(np.isin(scan.n_low, _sizes(_cohort(folder, entry), entry)))
    best = _largest(scan, at)
    top = abs(scan.statistic[best])
    if "/survminer/" in entry["id"]:
        counts = {"cutpoint": scan.cut[best], "n_high": scan.n_high[best]}
        counts |= {"n_low": scan.n_low[best], "n_x_le_cut": scan.n_low[best]}
        return {"statistic": Ours(top, CLOSE)} | {name: Ours(value, EQUAL) for name, value in counts.items()}
    if "/coin/" in entry["id"]:
        ours = {"T": Ours(top, CLOSE), "cutpoint": Ours(scan.cut[best], EQUAL)}
        p = _integral(top, scan.n, scan.n_low[at], entry["result"]["p_error"])
        return ours | {"stats": Ours(scan.statistic[at], CLOSE), "p": p}
    ours = {"M": Ours(top, CLOSE), "stats": Ours(np.abs(scan.statistic[at]), CLOSE)}
    counts = {"n": scan.n, "n_cuts": len(at), "cuts": scan.cut[at], "cutpoint": scan.cut[best]}
    return ours | {name: Ours(value, EQUAL) for name, value in counts.items()}


def pairs_of_cuts(folder: Path, entry: Entry) -> Counterparts:
    """Recompute the three-group statistic at every pair of cuts; and of the outer two groups without the middle one."""
    x, time, event = (column.to_numpy() for column in _columns(folder, entry))
    grid = scan_two(x, time, event)
    outer = []
    for low, high in zip(grid.cut_low, grid.cut_high, strict=True):
        kept = (x <= low) | (x > high)
        outer.append(log_rank(time[kept], event[kept], x[kept] > high).chi2)
    far, best = int(np.argmax(outer)), grid.best
    ours = {"c1": Ours(grid.cut_low, EQUAL), "c2": Ours(grid.cut_high, EQUAL), "chisq3": Ours(grid.chi2, CLOSE)}
    ours |= {"best.c1": Ours(best.cut_low, EQUAL), "best.c2": Ours(best.cut_high, EQUAL)}
    ours |= {"best.chisq3": Ours(best.chi2, CLOSE), "chisq_low_vs_high": Ours(outer, CLOSE)}
    ours |= {"best_low_high.c1": Ours(grid.cut_low[far], EQUAL), "best_low_high.c2": Ours(grid.cut_high[far], EQUAL)}
    return ours | {"best_low_high.chisq": Ours(outer[far], CLOSE)}


def strata(folder: Path, entry: Entry) -> Counterparts:
    """Recompute the stratified log-rank statistic at every cut."""
    frame = read_data(folder, entry["data"])
    scan = scan_stratified(frame["age"], frame["time"], frame["event"], frame["rx"])
    return {"cut": Ours(scan.cut, EQUAL), "chisq": Ours(scan.chi2, CLOSE)}


def hormone_trial(folder: Path, entry: Entry) -> Counterparts:
    """Recompute a model of eight covariates, and the log-rank test of hormones within strata."""
    frame = read_data(folder, "GBSG2")
    hormones = (frame["horTh"] == "yes").astype(int)
    if entry["id"].startswith("cox"):
        coded = frame.assign(horThyes=hormones, menostatPost=(frame["menostat"] == "Post").astype(int))
        model = cox(coded["time"], coded["event"], coded[entry["result"]["terms"]])
        ours = _hazards(model.table) | _counts(model)
        return {name: value for name, value in ours.items() if name in entry["result"]}  # R's were shortened
    test = scan_stratified(hormones, frame["time"], frame["event"], frame["menostat"] + frame["tgrade"])
    excess, variance = float(test.excess[0]), float(test.variance[0])
    groups = [frame["event"][hormones == side] for side in (0, 1)]
    events = np.array([group.sum() for group in groups], float)
    ours = {"n": Ours([len(group) for group in groups], EQUAL), "observed": Ours(events, EQUAL)}
    ours |= {"expected": Ours(events + np.array([excess, -excess]), CLOSE), "df": Ours(1, EQUAL)}
    ours |= {"var": Ours([[variance, -variance], [-variance, variance]], CLOSE)}
    return ours | {"chisq": Ours(test.chi2[0], CLOSE), "p": Ours(test.p[0], P_VALUE)}


# ---------------------------------------------------------------- the P of a chosen cut


def _off(p: float, rule: Rule, as_r: float) -> Ours:
    """Let R differ from our P by what its own way to compute makes of it, and by no more."""
    return Ours(p, rule, as_r * (1 - FORMULA.relative), as_r * (1 + FORMULA.relative))


def _approximation(p: float, uncapped: float, b: float | None = None) -> Ours:
    """Choose the rule by our P alone; R subtracts the tail beyond ``b``, if any, from one."""
    if p == 1 and uncapped > 1:
        return _off(p, CAPPED, uncapped)
    if b is not None and p < SPACING / FORMULA.relative:
        return _off(p, SUBTRACTED, p + 2 * float((1 - stats.norm.cdf(b)) - stats.norm.sf(b)))
    return Ours(p, FORMULA)


def _uncapped_1992(b: float, low: float, high: float) -> float:
    """Write out the approximation of 1992 without a limit at one."""
    odds = high * (1 - low) / ((1 - high) * low)
    return float(stats.norm.pdf(b) * (4 / b + (b - 1 / b) * np.log(odds))) if b >= 1 else 1.0


def _uncapped_1994(b: float, n: int, sizes: np.ndarray[Any, Any]) -> float:
    """Write out the approximation of 1994 without a limit at one."""
    low, high = sizes[:-1], sizes[1:]
    step = np.sqrt(1 - low * (n - high) / ((n - low) * high))
    apart = np.exp(-(b**2) / 2) / np.pi * (step - (b**2 / 4 - 1) * step**3 / 6)
    return float(2 * stats.norm.sf(b) + apart.sum())


def _integral(b: float, n: int, sizes: np.ndarray[Any, Any], stated: float | None, unstated: float = ABSEPS) -> Ours:
    """Choose the rule by our P alone: R's error, if it states one, unless P is below what R is asked for."""
    p, one_cut = conditional_gaussian(b, n, sizes), float(2 * stats.norm.sf(b))
    if p < ABSEPS:
        # Errors are absolute, and estimated from points that hardly ever cross. Still the first of the nested
        # integrals, the P of one cut, is exact in each point, and points that are missed only make P smaller.
        # Were ours itself beyond Bonferroni's, or below one cut's, nothing of R's should agree with it.
        return Ours(p, TAIL, one_cut, p if p <= one_cut * len(sizes) else np.nan)
    if stated is None:
        rule = Rule(f"{unstated:g}, where R states no error", why=UNSTATED)
        return Ours(p, rule, max(one_cut, p - unstated), p + unstated)
    return Ours(p, INTEGRAL, max(one_cut, p - stated), p + stated)


def _best_cut(folder: Path, entry: Entry) -> tuple[float, float]:
    """Return the largest statistic and its cut, from the patients: R's own statistic is not taken over."""
    scan = scan_one_permutation_variance(*_columns(folder, entry))
    best = _largest(scan, np.flatnonzero(np.isin(scan.n_low, _sizes(_cohort(folder, entry), entry))))
    return float(abs(scan.statistic[best])), float(scan.cut[best])


def _maximum(statistic: float, cut: float) -> Counterparts:
    return {"M": Ours(statistic, CLOSE), "cutpoint": Ours(cut, EQUAL)}


def formulas(folder: Path, entry: Entry) -> Counterparts:
    """Recompute the approximations of 1992 and 1994, on a grid of statistics and on data."""
    low, high = _argument(entry, "minprop", 0.1), _argument(entry, "maxprop", 0.9)
    if entry["id"].startswith("formula/"):
        found = re.search(r"\(([\d.]+),", entry["call"])
        b, n = float(found[1]) if found else np.nan, int(_argument(entry, "N", 0))
        sizes = np.arange(int(n * low), int(n * high) + 1)
        ours: Counterparts = {}
    else:
        ranked, (b, cut) = _cohort(folder, entry), _best_cut(folder, entry)
        n, sizes, ours = ranked.n, _sizes(ranked, entry), _maximum(b, cut)
    if "92" in entry["id"].split("/")[1] + entry["id"].split("/")[-2]:
        return ours | {"p": _approximation(miller_siegmund(b, low, high), _uncapped_1992(b, low, high))}
    return ours | {"p": _approximation(lausen_schumacher_1994(b, n, sizes), _uncapped_1994(b, n, sizes), b)}


def integrals(folder: Path, entry: Entry) -> Counterparts:
    """Recompute the multivariate normal approximation, which R integrates by quasi Monte Carlo."""
    ranked, (b, cut) = _cohort(folder, entry), _best_cut(folder, entry)
    p = _integral(b, ranked.n, _sizes(ranked, entry), entry["result"].get("p_error"))
    return _maximum(b, cut) | {"p": p}


def hothorn_lausen_bounds(folder: Path, entry: Entry) -> Counterparts:
    """Recompute Hothorn and Lausen's bound, from scores rounded to whole numbers."""
    ranked = _cohort(folder, entry)
    sizes = _sizes(ranked, entry)
    test = hothorn_lausen(ranked.scores, sizes)
    whole, best = integer_scores(ranked.scores), test.statistic
    at_least = _bound(best * (1 - 1e-9), whole, sizes, least=0)
    above = _bound(best * (1 + 1e-9), whole, sizes, least=1)
    return _maximum(best, ranked.x[test.n_low - 1]) | {"p": _strict(test.p, at_least, above)}


def _strict(p: float, at_least: float, above: float) -> Ours:
    """Let R's bound be as much below ours as the two conventions are apart, both written out."""
    return Ours(p, FORMULA) if abs(above / at_least - 1) < FORMULA.relative else _off(p, STRICT, p * above / at_least)


def _bound(statistic: float, whole: np.ndarray[Any, Any], sizes: np.ndarray[Any, Any], least: int) -> float:
    """Write out Hothorn and Lausen's bound for steps of one patient, of sums that are at least so large."""
    n, total = whole.size, int(whole.sum())
    sums, spread = np.arange(total + 1), float(n * (whole @ whole) - total**2)
    ways = np.zeros((n + 1, total + 1))
    ways[0, 0] = 1
    for score in whole:
        ways[1:] += np.pad(ways[:-1], ((0, 0), (score, 0)))[:, : total + 1]

    def beyond(m: int, reached: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        limit = statistic * sqrt(m * (n - m) / (n**2 * (n - 1)) * spread)
        return np.asarray(np.abs(reached - m * total / n) > limit)

    bound = 0.0
    for m in sizes.tolist():
        counted = beyond(m, sums) & (sums >= least)
        if m < sizes[-1]:
            # What stays beyond at the next patient, whoever that is, is counted there.
            extreme = np.where(sums < m * total / n, sums + whole.max(), sums)
            counted &= ~((extreme <= total) & beyond(m + 1, extreme))
        bound += float(ways[m, counted].sum() / comb(n, m))
    return bound


def _simulated(share: float, theirs: float, replicates: float) -> Ours:
    """Allow four standard errors of the difference of two shares."""
    pooled = (share * REPLICATES + theirs * replicates) / (REPLICATES + replicates)
    allowed = 4 * sqrt(pooled * (1 - pooled) * (1 / REPLICATES + 1 / replicates)) + 2 / REPLICATES
    return Ours(share, SIMULATED, share - allowed, share + allowed)


def _simulated_quantile(maxima: Floats, level: float, replicates: float) -> Ours:
    """Allow four standard errors of the level, and rounding: small cohorts have few values to take."""
    apart = 4 * sqrt(level * (1 - level) * (1 / REPLICATES + 1 / replicates))
    low, value, high = np.quantile(maxima, [level - apart, level, min(1.0, level + apart)])
    return Ours(value, SIMULATED, low * (1 - 1e-9), high * (1 + 1e-9))


def simulations(folder: Path, entry: Entry) -> Counterparts:
    """Recompute P values by permutation, of maxstat's statistic and of the log-rank statistic."""
    ranked, result = _cohort(folder, entry), entry["result"]
    if entry["id"].startswith("perm_survdiff"):
        return _permuted_survdiff(folder, entry)
    rng = np.random.default_rng(11)
    maxima = permuted(ranked, _sizes(ranked, entry), 1, 0, REPLICATES, rng)
    statistic, cut = _best_cut(folder, entry)
    share = float(np.mean(maxima > statistic**2 * (1 + 1e-9)))  # R counts strictly above
    return _maximum(statistic, cut) | {"p": _simulated(share, result["p"], result["B"])}


def _permuted_survdiff(folder: Path, entry: Entry) -> Counterparts:
    ranked, result = _cohort(folder, entry), entry["result"]
    chi2 = scan_one(*_columns(folder, entry), min_group=3).best.chi2
    maxima = permuted(ranked, ranked.candidates(), 3, 1, REPLICATES, np.random.default_rng(3))
    shares = {"p_ge": np.mean(maxima >= chi2 * (1 - 1e-9)), "p_gt": np.mean(maxima > chi2 * (1 + 1e-9))}
    shares["p_plus1"] = (1 + np.sum(maxima >= chi2 * (1 - 1e-9))) / (1 + REPLICATES)
    ours = {name: _simulated(float(share), result[name], result["B"]) for name, share in shares.items()}
    for level, name in ((0.5, "q50"), (0.9, "q90"), (0.95, "q95")):
        ours[f"null_quantiles.{name}"] = _simulated_quantile(maxima, level, result["B"])
    return ours | {"obs": Ours(chi2, CLOSE)}


def published_chi_square(folder: Path, entry: Entry) -> Counterparts:  # noqa: ARG001 - one form for all sections
    """Recompute all corrections of the paper's own chi-square, among as many patients, none of them censored."""
    result = entry["result"]
    chi2, n = result["chi"], result["n"]
    ranked = rank_cohort(np.arange(n)[::-1], np.arange(n), np.ones(n))
    whole = np.sort(integer_scores(ranked.scores))
    ours = {"b": Ours(sqrt(chi2), CLOSE), "p": Ours(float(stats.chi2.sf(chi2, 1)), FORMULA)}
    ours["integer_scores"] = Ours(whole[::-1], EQUAL)
    for i, row in enumerate(result["results"]):
        low, high = (int(n * share + 1e-9) for share in (row["eps"], 1 - row["eps"]))
        sizes = np.arange(max(1, low), high + 1)
        single = _corrections_of(chi2, whole, sizes, row) | _null_shares(chi2, n, sizes, row)
        ours |= {f"results[{i}].{name}": value for name, value in single.items()}
    last = _null_shares(chi2, n, np.arange(1, n), result["all27"])
    return ours | {f"all27.{name}": value for name, value in last.items()}


def _corrections_of(chi2: float, whole: np.ndarray[Any, Any], sizes: np.ndarray[Any, Any], row: Entry) -> Counterparts:
    b, n, p = sqrt(chi2), len(whole), float(stats.chi2.sf(chi2, 1))
    miller = miller_siegmund(b, row["eps"], 1 - row["eps"])
    values = {"p_raw": p, "MillerSiegmund": miller, "Lau92": miller, "Lau94": lausen_schumacher_1994(b, n, sizes)}
    values |= {"Bonf_incl": bonferroni(p, len(sizes)), "Bonf_27": bonferroni(p, n - 1)}
    ours = {name: Ours(value, FORMULA) for name, value in values.items()}
    counts = {"m_lo": sizes[0], "m_hi": sizes[-1], "n_cuts": len(sizes)}
    ours |= {name: Ours(count, EQUAL) for name, count in counts.items()}
    # The script states no error, but integrates at more points than maxstat does by itself.
    ours["exactGauss"] = _integral(b, n, sizes, None, unstated=2e-5)
    ours["HL_bound"] = _strict(union_bound(b, whole, sizes), *(_bound(b, whole, sizes, least) for least in (0, 1)))
    return ours


def _null_shares(chi2: float, n: int, sizes: np.ndarray[Any, Any], row: Entry) -> Counterparts:
    ranked = rank_cohort(np.arange(n), np.arange(n), np.ones(n))
    ours = {}
    for kind, name, theirs in ((1, "MC_survdiff", 4000), (0, "MC_permvar", 200_000)):
        maxima = permuted(ranked, sizes, 1, kind, REPLICATES, np.random.default_rng(5))
        path = next(key for key in row if key.startswith(name) and not key.endswith("_B"))
        ours[path] = _simulated(float(np.mean(maxima >= chi2)), row[path], theirs)
        level = f"crit95_{name.removeprefix('MC_')}"
        if level in row:
            ours[level] = _simulated_quantile(maxima, 0.95, theirs)
    return ours


# ---------------------------------------------------------------- treatment during follow-up


@cache
def _heart() -> tuple[Episodes, pd.DataFrame, pd.DataFrame]:
    """Return the transplants as episodes, as rows, and by patient on the clock of R's ``jasa``."""
    rows = load_stanford_heart_transplants()
    groups = rows.groupby("id")
    own = groups.agg(time=("stop", "max"), event=("event", "max"), ever=("transplant", "max"))
    wait = rows[rows["transplant"] == 1].groupby("id")["start"].min()
    own = own.assign(time=own["time"] - 1, wait=wait - 1)  # acceptance is day 0 there, and not day 1
    return episodes(*(rows[name] for name in ("id", "start", "stop", "event", "transplant"))), rows, own


def heart_transplants(folder: Path, entry: Entry) -> Counterparts:  # noqa: ARG001 - one form for all sections
    """Recompute naive, landmark, Mantel-Byar and time-dependent analyses of the Stanford heart transplants."""
    follow_up, rows, own = _heart()
    kind = entry["id"].split("/")[1]
    if kind == "naive_logrank":
        return _log_rank(log_rank(own["time"], own["event"], own["ever"]))
    if kind == "naive_cox_tx":
        model = cox(own["time"], own["event"], {"ever": own["ever"]})
        return _hazards(model.table) | _counts(model)
    if kind == "landmark":
        day = float(entry["id"].split("/")[2].removesuffix("_gt"))
        return _log_rank(landmark(own["time"], own["event"], own["wait"], day).test)
    if kind.startswith("simon_makuch"):
        return _states(follow_up, 30.0 if kind.endswith("L30") else 0.0)
    if kind == "mantel_byar_table" or entry["id"].endswith("exact"):
        return _mantel_byar(follow_up, entry)
    terms = [name for name in entry["result"]["terms"] if name != "transplant1"]
    timed = time_dependent_cox(follow_up, {name: rows[name] for name in terms})
    counts = {"n": len(follow_up.start), "nevent": timed.n_events, "df": len(timed.table)}
    table = timed.table.loc[[*terms, "switched"]]
    return _hazards(table) | {name: Ours(count, EQUAL) for name, count in counts.items()}


def _mantel_byar(follow_up: Episodes, entry: Entry) -> Counterparts:
    test = mantel_byar(follow_up)
    if entry["id"].endswith("exact"):  # its score test is Mantel and Byar's
        counts = {"n": len(follow_up.start), "nevent": test.n_events}
        return {"score": Ours(test.chi2, CLOSE)} | {name: Ours(count, EQUAL) for name, count in counts.items()}
    values = {"O1": test.observed, "E1": test.expected, "V": test.variance, "chisq": test.chi2}
    values |= {"O0": test.n_events - test.observed, "E0": test.n_events - test.expected}
    values["z"] = (test.observed - test.expected) / sqrt(test.variance)
    return {name: Ours(value, CLOSE) for name, value in values.items()} | {"p": Ours(test.p, P_VALUE)}


def _states(follow_up: Episodes, day: float) -> Counterparts:
    found = simon_makuch(follow_up, day)
    joined = {name: np.concatenate([getattr(curve, name) for curve in found])
              for name in ("times", "at_risk", "events", "survival", "std_error")}  # fmt: skip
    counts = {"time": "times", "n_risk": "at_risk", "n_event": "events"}
    ours = {theirs: Ours(joined[mine], EQUAL) for theirs, mine in counts.items()}
    return ours | {"surv": Ours(joined["survival"], CLOSE), "std_err_S": Ours(joined["std_error"], CLOSE)}


# ---------------------------------------------------------------- digitised curves


@cache
def _reconstructed(folder: Path, arm: str, *, with_numbers: bool) -> Reconstruction:
    """Reconstruct one arm of the radiotherapy trial from its clicks."""
    points = pd.read_csv(folder / f"ipd_{arm}.csv", float_precision="round_trip")
    clicks = check_clicks(points["V1"], points["V2"] / 100, unit="months")
    table = pd.read_csv(folder / "ipd_risktable.csv").dropna()
    printed = dict(zip((table["trisk"] * MONTH).tolist(), table[f"nrisk.{arm}"].astype(int), strict=True))
    return reconstruct(clicks, ARMS[arm], arm=arm, endpoint="OS", at_risk=printed if with_numbers else None)


def _monthly(result: Entry) -> list[float]:
    """Return the Kaplan-Meier curve of R's patients, month by month; R gives the patients only."""
    curve = kaplan_meier(np.array(result["time"]) * MONTH, result["status"])
    months: list[float] = curve.survival_at(np.arange(0, curve.last_day, MONTH)).tolist()
    return months


def digitised_curves(folder: Path, entry: Entry) -> Counterparts:
    """Reconstruct patients from digitised curves: how many deaths, and the median and curve that they make."""
    arm, _, without = entry["id"].split("/")[1].partition("_")
    found, result = _reconstructed(folder, arm, with_numbers=not without), entry["result"]
    # All tolerances come from the clicks and the number of patients, so that a worse fit has no wider ones.
    off, error = 0.01 * ARMS[arm], found.clicks.survival_error
    rule, deaths = (NOBODY_CENSORED, found.events_range[1]) if without else (WHOLE_DEATHS, found.n_events)
    ours = {"events": Ours(found.n_events, rule, deaths - off, deaths + off)}
    half = found.clicks.time_days[np.abs(found.clicks.survival - 0.5) <= error]
    median, apart = found.curve.median / MONTH, (np.ptp(half) + 2 * found.clicks.time_error) / MONTH
    ours["median"] = Ours(median, HALF, median - apart, median + apart)
    months = np.arange(len(result["curve"])) * MONTH
    curve = found.curve.survival_at(np.minimum(months, found.curve.last_day))
    ours["curve"] = Ours(curve, HEIGHTS, curve - 6 * error, curve + 6 * error, derived=True)
    if not without:
        ours["riskmat.nrisk.hat"] = Ours(found.at_risk["reconstructed"], EQUAL)
    return ours


# ---------------------------------------------------------------- all of it


@dataclass(frozen=True)
class Section:
    """One section of the page: which entries it has, and what gives our values.

    Attributes
    ----------
    title : str
    file : str
        Of ``data/reference``, without its suffix.
    pattern : str
        Regular expression that the ids of its entries begin with.
    recompute : function of folder and entry
    """

    title: str
    file: str
    pattern: str
    recompute: Callable[[Path, Entry], Counterparts]


SECTIONS = (
    Section("Kaplan-Meier curves", "survival", "km/", curves),
    Section("Restricted means", "survival", "rmst2/", restricted_means),
    Section("Log-rank tests", "survival", "logrank/", log_rank_tests),
    Section("Cox models", "survival", "cox", cox_models),
    Section("Cox models with Firth's penalty", "survival", "firth/", firth_models),
    Section("Every cut, log-rank", "cutpoint", "scan/(survdiff|rolr)/", every_cut),
    Section("Every cut, permutation variance", "cutpoint", "scan/(maxstat|survminer|coin)/",
            every_cut_by_scores),
    Section("Every pair of cuts", "cutpoint", "scan3/", pairs_of_cuts),
    Section("Every cut within strata", "stratified", "stratified", strata),
    Section("P of a chosen cut, by formula", "cutpoint", "(formula/|scan/maxstat_p/.*/Lau9)", formulas),
    Section("P of a chosen cut, by integration", "cutpoint", "scan/maxstat_p/.*/exactGauss", integrals),
    Section("P of a chosen cut, by a bound", "cutpoint", "scan/maxstat_p/.*/HL/", hothorn_lausen_bounds),
    Section("P of a chosen cut, by simulation", "cutpoint", "(scan/maxstat_p/.*/condMC/|perm_survdiff/)", simulations),
    Section("The published chi-square", "cutpoint", "check/", published_chi_square),
    Section("Treatment during follow-up", "heart", "heart/", heart_transplants),
    Section("Another trial, adjusted and within strata", "gbsg2", "(cox|logrank)/", hormone_trial),
    Section("Digitised curves", "ipd", "ipd/", digitised_curves),
)  # fmt: skip


# Why a quantity has no counterpart: by the entry's id, and by the quantity's name.
_ASKED = "part of the question, not of the answer"
_UNREPORTED = "not reported by our models: limits and P values are"
_TIES = "our models take ties by Efron's method"
REASONS = (
    ("heart/tdcox_tx/exact", "coef|se|var.*|loglik.*|LRT|wald", _TIES),
    ("logrank/cox_score", "score", "a score test with other ties than the log-rank test has"),
    ("(cox|heart|firth)", "(loglik|LRT|wald|score)(_null|_p)?|var|iter|concordance(_se)?", _UNREPORTED),
    ("heart/mantel_byar", "chisq_OE", "an older form of the test, which we do not give"),
    ("ipd/", "time|status", "R's patients are nobody's, and so are ours: their curves are compared, month by month"),
    ("ipd/.*notable", r"riskmat\..*", "no numbers at risk were given"),
    ("ipd/", r"precision\..*|riskmat\.(censor|event)\.hat|riskmat\.(lower|upper)", "R's own report of its fit"),
    ("scan/coin/.*/(mid-ranks|approx)", ".*", "coin scores ties by mid-ranks here; ours are scored as in maxstat"),
    ("scan/coin/", "p_error", "left empty: R states no error here"),
    ("scan/", "p_error", "R's own error of its integral, which the rule uses unless P is too small for R"),
    ("scan/", "mc_se", "R's own standard error; the rule takes that of the difference, from all replicates"),
    ("scan/maxstat/", "p", "R was asked for the statistics alone"),
    ("km/full", "cumhaz|std_err_logS", "the cumulative hazard and its error are not used in the book"),
    ("km/times", "n_(event|censor)_since_prev", "events between two given times are not counted in the book"),
    ("km/", r"quantile\..*", "of the quantiles, the median alone is used, and compared"),
    ("km/", r"table\.(rmean|se\(rmean\))", "R goes on at the height of a curve that ends, before the last day of the "
     "others, with somebody alive; our restricted means refuse to"),
    ("rmst2/", r"arm\d\.rmtl|unadjusted", "time lost and ratios are not used in the book"),
    ("check/", "Altman_approx", "a rule of thumb that the book does not use"),
    ("", r"tau|eps|B|MC_survdiff_B|q_probs|chi|n|time|riskmat\.(trisk|nrisk)", _ASKED),
)  # fmt: skip


def _reason(entry: str, path: str) -> str:
    name = re.sub(r"\[\d+\]", "", path).removeprefix("results.")
    for ids, names, why in REASONS:
        if re.match(ids, entry) and re.fullmatch(names, name):
            return why
    raise InputError(f"{entry}: found {path}, expected a counterpart or a reason; give it one in `validation.py`")


def read_section(folder: Path, section: Section) -> list[dict[str, Any]]:
    """Return the entries of a section; to R's patients from a digitised curve, their curve by month is added."""
    found = [entry for entry in read_entries(folder, section.file) if re.match(section.pattern, entry["id"])]
    if section.file != "ipd":
        return found
    return [entry | {"result": entry["result"] | {"curve": _monthly(entry["result"])}} for entry in found]


@dataclass(frozen=True, eq=False)
class Validation:
    """All values of R beside ours.

    Attributes
    ----------
    rows : tuple of Compared
        One a quantity of a call.
    """

    rows: tuple[Compared, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a quantity, with the columns of ``reference.Compared``."""
        return pd.DataFrame([vars(row) for row in self.rows])

    def summary(self) -> pd.DataFrame:
        """Return one row a section and rule: calls, numbers, the largest differences, how many do not agree."""
        frame = self.to_frame()
        frame = frame[frame["verdict"] != NO_COUNTERPART]
        frame = frame.assign(disagree=frame["numbers"].where(frame["verdict"] == DIFFERS, 0))
        groups = frame.groupby(["section", "rule"], sort=False)
        return groups.agg(
            calls=("entry", "nunique"),
            numbers=("numbers", "sum"),
            difference=("difference", "max"),
            relative=("relative", "max"),
            disagree=("disagree", "sum"),
        ).reset_index()

    def by_call(self, section: str) -> pd.DataFrame:
        """Return one row a call of a section, with the quantity that is furthest from R's."""
        frame = self.to_frame()
        frame = frame[(frame["section"] == section) & (frame["verdict"] != NO_COUNTERPART)]
        rank = frame["verdict"].map({DIFFERS: 2, EXPLAINED: 1}).fillna(0)
        worst = frame.assign(rank=rank).sort_values(["rank", "difference"], ascending=False, kind="stable")
        worst = worst.drop_duplicates("entry").set_index("entry")
        numbers = frame.groupby("entry", sort=False)["numbers"].sum()
        columns = ["call", "quantity", "r", "ours", "difference", "verdict"]
        return worst.loc[numbers.index, columns].assign(numbers=numbers)

    def without_counterpart(self) -> pd.DataFrame:
        """Return one row a reason: how many numbers of R have no counterpart here for it."""
        frame = self.to_frame()
        frame = frame[frame["verdict"] == NO_COUNTERPART]
        return frame.groupby(["section", "why"], sort=False)["numbers"].sum().reset_index()


def validate(folder: Path, sections: tuple[Section, ...] = SECTIONS) -> Validation:
    """Set every value of R in a folder beside ours.

    Parameters
    ----------
    folder : Path
        ``data/reference``.
    sections : tuple of Section
        All of them, unless fewer are asked for.

    Returns
    -------
    Validation

    Raises
    ------
    InputError
        If a file is missing, or a number of R has neither a counterpart nor a reason for having none.

    Examples
    --------
    >>> found = validate(Path("data/reference"), tuple(s for s in SECTIONS if s.file == "stratified"))
    >>> found.summary()[["numbers", "disagree"]].to_numpy().tolist()
    [[25, 0], [25, 0]]
    """
    rows: list[Compared] = []
    for section in sections:
        for entry in read_section(folder, section):
            rows += compare(section.title, entry, section.recompute(folder, entry), _reason)
    return Validation(tuple(rows))
