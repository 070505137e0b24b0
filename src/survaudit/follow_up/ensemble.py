"""Follow-ups that the tables do not exclude: illness-death histories drawn inside the intervals.

A patient in remission relapses, or dies in remission; after a relapse the patient dies. Each step has
a constant hazard, which differs between groups and is drawn anew for every follow-up from a stated
range. What the tables record is respected patient by patient: a recorded event falls into its
interval, and whoever was alive or in remission on a day was so. The hazards are not updated by what
is recorded, so the draws are what a prior and the tables allow together, and no posterior.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from survaudit.cohort.assumptions import INFUSION, Assumptions
from survaudit.cohort.endpoints import EVENT_KNOWN, LFS, OS, Interval, cut_off_range, endpoints
from survaudit.cohort.schema import GROUPS, REMISSIONS
from survaudit.errors import InputError
from survaudit.follow_up._many import BoolArray, DayArray, log_rank_many, scan_many, survival_many
from survaudit.follow_up.complete import COLUMNS, SYNTHETIC, FollowUp
from survaudit.survival.curves import Floats, Ints

_LATER = math.inf
# Rates nearer to 0 than this, a day, make a density flat to fifteen digits over any follow-up.
_FLAT = 1e-12


@dataclass(frozen=True)
class Prior:
    """From where the hazards of a follow-up are drawn.

    Attributes
    ----------
    name : str
    words : str
        What it supposes, for a reader.
    relapse, death_in_remission, death_after_relapse : (float, float)
        Least and greatest median time to each step, were it the only one, in days; drawn evenly on
        the scale of logarithms.
    shared : bool
        Whether all groups have the same hazards.
    """

    name: str
    words: str
    relapse: tuple[float, float]
    death_in_remission: tuple[float, float]
    death_after_relapse: tuple[float, float]
    shared: bool = False

    def hazards(self, draws: int, rng: np.random.Generator) -> Floats:
        """Return hazards a day, of shape (draws, groups, 3): the steps in the order of the attributes."""
        ranges = np.log([self.relapse, self.death_in_remission, self.death_after_relapse])
        medians = rng.uniform(ranges[:, 0], ranges[:, 1], (draws, 1 if self.shared else len(GROUPS), 3))
        hazards: Floats = np.broadcast_to(math.log(2) / np.exp(medians), (draws, len(GROUPS), 3))
        return hazards


_YEAR = 365.25
PRIORS = {
    prior.name: prior
    for prior in (
        Prior(
            "wide",
            "hardly anything about the speed of relapse or death, group by group",
            relapse=(60, 4 * _YEAR),
            death_in_remission=(2 * _YEAR, 40 * _YEAR),
            death_after_relapse=(60, 4 * _YEAR),
        ),
        Prior(
            "same",
            "the same hazards in all groups, as if no treatment mattered",
            relapse=(60, 4 * _YEAR),
            death_in_remission=(2 * _YEAR, 40 * _YEAR),
            death_after_relapse=(60, 4 * _YEAR),
            shared=True,
        ),
        Prior(
            "early",
            "relapse and death within months",
            relapse=(30, 180),
            death_in_remission=(2 * _YEAR, 20 * _YEAR),
            death_after_relapse=(30, 180),
        ),
        Prior(
            "late",
            "relapse after a year or more, and survival with it",
            relapse=(_YEAR, 4 * _YEAR),
            death_in_remission=(10 * _YEAR, 100 * _YEAR),
            death_after_relapse=(_YEAR, 8 * _YEAR),
        ),
    )
}


def priors_table() -> pd.DataFrame:
    """Return what each prior supposes: one row each, with the ranges of medians in days.

    Returns
    -------
    pandas.DataFrame
        ``prior``, ``supposes`` (in words), and a column a step.

    Examples
    --------
    >>> priors_table().set_index("prior").loc["wide", "relapse"]
    '60 to 1461'
    """
    rows = []
    for prior in PRIORS.values():
        steps = ("relapse", "death_in_remission", "death_after_relapse")
        ranges = {step: "{:.0f} to {:.0f}".format(*getattr(prior, step)) for step in steps}
        rows.append({"prior": prior.name, "supposes": prior.words} | ranges)
    return pd.DataFrame(rows)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Many complete follow-ups of the same patients.

    Attributes
    ----------
    patients : array of int, shape (n,)
    group : array of str, shape (n,)
    days : dict of arrays of int, shape (draws, n)
        By "OS" and "LFS": days to the event or to the end of observation; -1 where the endpoint is
        not the patient's.
    event : dict of arrays of bool, shape (draws, n)
    cut_off : array of datetime64, shape (draws,)
        The administrative end of observation of each follow-up: everyone without an event is followed to it.
    prior : Prior
    assumptions : Assumptions
    """

    patients: Ints
    group: NDArray[np.str_]
    days: dict[str, DayArray]
    event: dict[str, BoolArray]
    cut_off: NDArray[np.datetime64]
    prior: Prior
    assumptions: Assumptions

    def __len__(self) -> int:
        """Return the number of follow-ups."""
        return len(self.cut_off)

    def select(self, kept: NDArray[np.bool_] | Ints) -> Ensemble:
        """Return some of the follow-ups: those of a mask, or those at some places."""
        days = {name: values[kept] for name, values in self.days.items()}
        event = {name: values[kept] for name, values in self.event.items()}
        return replace(self, days=days, event=event, cut_off=self.cut_off[kept])

    def follow_up(self, place: int, source: str) -> FollowUp:
        """Return one follow-up, marked SYNTHETIC."""
        columns: dict[str, object] = {"patient": self.patients, "group": self.group}
        for name in (OS, LFS):
            without = self.days[name][place] < 0
            days = pd.array(self.days[name][place], dtype="Int64")
            event = pd.array(self.event[name][place].astype(int), dtype="Int64")
            days[without], event[without] = pd.NA, pd.NA
            columns |= {f"{name.lower()}_days": days, f"{name.lower()}_event": event}
        return FollowUp(SYNTHETIC, pd.DataFrame(columns | {"source": source})[list(COLUMNS)])

    def members(self, endpoint: str, group: str, patients: Ints | None = None) -> NDArray[np.bool_]:
        """Return which columns hold a group's patients who have the endpoint, or those of them who are named."""
        kept: NDArray[np.bool_] = (self.group == group) & (self.days[endpoint][0] >= 0)
        return kept if patients is None else kept & np.isin(self.patients, patients)


class _Drawing:
    """One patient's history, drawn for all follow-ups at once, in continuous days from the time origin."""

    def __init__(self, hazards: Floats, last_day: Floats, rng: np.random.Generator) -> None:
        self.relapse, self.death_in_remission, self.death_after = hazards.T
        self.leaving = self.relapse + self.death_in_remission
        self.last_day, self.rng = last_day, rng

    def evenly(self, left: float, right: Floats) -> Floats:
        """Draw a recorded event, each day of ``(left, right]`` being as likely as the others."""
        # 1 - u lies in (0, 1], so that the left end itself is never drawn.
        return left + (1 - self.rng.random(len(right))) * (right - left)

    def after(self, start: Floats | float, hazard: Floats) -> Floats:
        """Draw an event at any time after another."""
        return start + self.rng.exponential(size=len(hazard)) / hazard

    def between(self, left: Floats | float, right: Floats, rate: Floats) -> Floats:
        """Draw a time in ``(left, right]`` with a density that falls at a rate, or rises if it is negative."""
        share = self.rng.random(len(right)) * np.expm1(-rate * (right - left))
        # Never the left end itself, which does not belong to the interval.
        return np.clip(left - np.log1p(share) / rate, np.nextafter(left, _LATER), right)

    def remission(
        self, left: float, right: Floats, alive: float, *, relapses: bool
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Draw when remission ends, given that it does in ``(left, right]`` and that the patient lives to ``alive``.

        Before ``alive`` it can only end by a relapse, which the patient then survives to that day: the later the
        relapse, the less there is to survive. So the density falls at the hazard of leaving less that of death
        after a relapse. From ``alive`` on it falls at the hazard of leaving. Returned with whether it ended by a
        relapse, as it does if one is on record.
        """
        share = self.relapse / self.leaving
        relapsed = np.ones(len(right), bool) if relapses else self.rng.random(len(right)) < share
        if alive <= left:
            return self.between(left, right, self.leaving), relapsed
        rate = self.leaving - self.death_after
        rate = np.where(np.abs(rate) < _FLAT, _FLAT, rate)
        if (right <= alive).all():
            return self.between(left, right, rate), np.ones(len(right), bool)
        turn = np.clip(alive, left, right)
        early = turn - left
        before = self.relapse * np.exp(-self.death_after * early) * -np.expm1(-rate * early) / rate
        after = np.exp(-self.leaving * early) * -np.expm1(-self.leaving * (right - turn)) * (share if relapses else 1.0)
        sooner = self.rng.random(len(right)) * (before + after) < before
        ends = np.where(
            sooner,
            self.between(left, turn, rate),
            self.between(turn, np.where(right > turn, right, turn + 1.0), self.leaving),
        )
        return ends, relapsed | sooner

    def history(self, overall: Interval, free: Interval | None, *, in_remission: bool) -> tuple[Floats, Floats]:
        """Return the times of death and of relapse or death (death itself where the endpoint is not the patient's)."""
        alive = float(overall.left.day)
        if overall.status == EVENT_KNOWN:  # of toxicity, before any relapse: none of the hazards has a say
            death = self.evenly(alive, np.minimum(overall.right.day, self.last_day))
            return death, death
        if free is None or not in_remission:
            death = self.after(alive, self.death_after)
            if free is None or free.status != EVENT_KNOWN:  # no remission on record, so that nothing but death can fail
                return death, death
            failed_by = np.minimum(np.minimum(free.right.day, self.last_day), death)
            return death, self.evenly(float(free.left.day), failed_by)
        left, known = float(free.left.day), free.status == EVENT_KNOWN
        right = np.minimum(free.right.day, self.last_day) if known else np.full(len(self.last_day), _LATER)
        failure, relapsed = self.remission(left, right, alive, relapses=known)
        death = self.after(np.maximum(failure, alive), self.death_after)
        return np.where(relapsed, death, failure), failure


def draw(
    cohort: pd.DataFrame,
    prior: Prior,
    rng: np.random.Generator,
    *,
    draws: int = 1000,
    assumptions: Assumptions | None = None,
) -> Ensemble:
    """Draw complete follow-ups that agree with everything the tables record.

    The model has three states and constant hazards (Fix and Neyman, 1951). A recorded event is drawn
    inside its interval; any other comes when it comes. Times are then whole days, an event
    on day d lying in ``(d - 1, d]``. Observation ends on one day for everyone, drawn evenly from
    ``cohort.endpoints.cut_off_range``; nobody is lost before it.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    prior : Prior
        One of ``PRIORS``, or another.
    rng : numpy.random.Generator
        Source of the draws.
    draws : int
        How many follow-ups.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    Ensemble

    Raises
    ------
    InputError
        If ``draws`` is no whole number from 1 on, or assumptions contradict the dates.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> cohort = read_supplement("data/raw").cohort
    >>> ensemble = draw(cohort, PRIORS["wide"], np.random.default_rng(1), draws=500)
    >>> bool((ensemble.days["LFS"] <= ensemble.days["OS"]).all())
    True
    """
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise InputError(f"draws: found {draws!r}, expected a whole number from 1 on")
    chosen = assumptions or Assumptions()
    found = endpoints(cohort, chosen)
    free = {interval.patient: interval for interval in found[LFS].intervals}
    hazards = prior.hazards(draws, rng)
    first, last = (np.datetime64(day, "D") for day in cut_off_range(cohort, chosen))
    cut_off = first + rng.integers(0, int((last - first).astype(int)) + 1, draws)
    days = {name: np.full((draws, len(cohort)), -1, np.int32) for name in (OS, LFS)}
    event = {name: np.zeros((draws, len(cohort)), bool) for name in (OS, LFS)}
    origin = cohort["infusion_1_date" if chosen.time_origin == INFUSION else "collection_1_date"]
    zero = origin.to_numpy().astype("datetime64[D]")
    in_remission = cohort["response_1"].isin(REMISSIONS).to_numpy()
    for column, overall in enumerate(found[OS].intervals):
        last_day = (cut_off - zero[column]).astype(float)
        drawing = _Drawing(hazards[:, GROUPS.index(overall.group)], last_day, rng)
        own = free.get(overall.patient)
        times = drawing.history(overall, own, in_remission=bool(in_remission[column]))
        for name, time in zip((OS, LFS), times, strict=True):
            if name == OS or own is not None:
                whole = np.ceil(time)
                days[name][:, column] = np.minimum(whole, last_day)
                event[name][:, column] = whole <= last_day
    group = cohort["group"].to_numpy(dtype=str)
    return Ensemble(cohort["patient"].to_numpy(), group, days, event, cut_off, prior, chosen)


@dataclass(frozen=True, eq=False)
class Compared:
    """Two groups compared in every follow-up of an ensemble.

    Attributes
    ----------
    endpoint : {"OS", "LFS"}
    groups : (str, str)
    n : (int, int)
        Patients of each.
    excess : array of shape (draws,)
        Events observed less expected in the second group; negative where it fares better.
    chi2, p : array of shape (draws,)
        Of the log-rank test; 0 and 1 where no variance is left, since then nothing was compared.
    method : str
    """

    endpoint: str
    groups: tuple[str, str]
    n: tuple[int, int]
    excess: Floats
    chi2: Floats
    p: Floats
    method: str = "log-rank, hypergeometric variance"
    kind: str = "COMPATIBLE"

    def share(self, level: float = 0.05) -> float:
        """Return the prior predictive share of follow-ups with a P below a level."""
        return float((self.p < level).mean())

    def to_frame(self) -> pd.DataFrame:
        """Return one row a follow-up."""
        return pd.DataFrame({"excess": self.excess, "chi2": self.chi2, "p": self.p})


def compare_many(ensemble: Ensemble, endpoint: str, groups: tuple[str, str], patients: Ints | None = None) -> Compared:
    """Compare two groups by the log-rank test in every follow-up (Mantel, 1966; Peto and Peto, 1972).

    Parameters
    ----------
    ensemble : Ensemble
        Of any number of follow-ups.
    endpoint : {"OS", "LFS"}
    groups : (str, str)
        The excess of events is that of the second.
    patients : array of int, optional
        Whom to keep; everyone of the two groups who has the endpoint if not given.

    Returns
    -------
    Compared

    Raises
    ------
    InputError
        If a group has no patient with the endpoint.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> cohort = read_supplement("data/raw").cohort
    >>> ensemble = draw(cohort, PRIORS["wide"], np.random.default_rng(1), draws=100)
    >>> found = compare_many(ensemble, "LFS", ("CART2", "CART+HSCT"))
    >>> found.n, found.p.shape, found.share() < 1
    ((7, 10), (100,), True)
    """
    members = [ensemble.members(endpoint, group, patients) for group in groups]
    for group, own in zip(groups, members, strict=True):
        if not own.any():
            raise InputError(f"groups: found nobody with {endpoint} in {group}, expected one or more")
    both = members[0] | members[1]
    days = np.ascontiguousarray(ensemble.days[endpoint][:, both])
    event = np.ascontiguousarray(ensemble.event[endpoint][:, both])
    excess, variance = log_rank_many(days, event, members[1][both])
    chi2 = np.divide(excess**2, variance, out=np.zeros(len(excess)), where=variance > 0)
    n = (int(members[0].sum()), int(members[1].sum()))
    return Compared(endpoint, groups, n, excess, chi2, stats.chi2.sf(chi2, 1))


P_STEPS = 1000


def p_shares(compared: Mapping[str, Compared]) -> pd.DataFrame:
    """Return how the log-rank P is distributed over the follow-ups, under each prior.

    Parameters
    ----------
    compared : mapping of str to Compared
        By prior.

    Returns
    -------
    pandas.DataFrame
        ``p``, from 0 to 1 in steps of a thousandth, and a column a prior: the share of its follow-ups with a P of at
        most that.

    Examples
    --------
    >>> found = Compared("OS", ("a", "b"), (1, 1), np.zeros(2), np.zeros(2), np.array([0.04, 1.0]))
    >>> p_shares({"wide": found}).iloc[[39, 40, 999, 1000]].values.tolist()
    [[0.039, 0.0], [0.04, 0.5], [0.999, 0.5], [1.0, 1.0]]
    """
    p = np.arange(P_STEPS + 1) / P_STEPS
    shares = {name: np.searchsorted(np.sort(own.p), p, side="right") / len(own.p) for name, own in compared.items()}
    return pd.DataFrame({"p": p} | shares)


BAND_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def bands(
    ensemble: Ensemble, endpoint: str, groups: Sequence[str], grid: Ints, patients: Ints | None = None
) -> pd.DataFrame:
    """Return quantiles, over the follow-ups, of each group's Kaplan-Meier curve at each day of a grid.

    They are of one curve at one day, so that no band holds a whole curve with its probability.

    After the last observation a curve counts with its last value.

    Parameters
    ----------
    ensemble : Ensemble
        Of any number of follow-ups.
    endpoint : {"OS", "LFS"}
    groups : sequence of str
        In the order of the rows.
    grid : array of int, shape (k,)
        Days, ascending.
    patients : array of int, optional
        Whom to keep.

    Returns
    -------
    pandas.DataFrame
        ``endpoint``, ``group``, ``n``, ``time_days``, then ``q05``, ``q25``, ``q50``, ``q75`` and ``q95``.

    Raises
    ------
    InputError
        If a group has no patient with the endpoint.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> cohort = read_supplement("data/raw").cohort
    >>> ensemble = draw(cohort, PRIORS["wide"], np.random.default_rng(1), draws=100)
    >>> table = bands(ensemble, "LFS", ["CART2"], np.array([0, 200]))
    >>> table["n"].tolist(), float(table["q95"][0]), bool((table["q05"] <= table["q95"]).all())
    ([7, 7], 1.0, True)
    """
    parts = []
    for group in groups:
        own = ensemble.members(endpoint, group, patients)
        if not own.any():
            raise InputError(f"groups: found nobody with {endpoint} in {group}, expected one or more")
        days = np.ascontiguousarray(ensemble.days[endpoint][:, own])
        event = np.ascontiguousarray(ensemble.event[endpoint][:, own])
        head = {"endpoint": endpoint, "group": group, "n": int(own.sum()), "time_days": grid}
        parts.append(pd.DataFrame(head | curve_quantiles(days, event, grid)))
    return pd.concat(parts, ignore_index=True)


def curve_quantiles(days: DayArray, event: BoolArray, grid: Ints) -> dict[str, Floats]:
    """Return quantiles of the Kaplan-Meier curves of many follow-ups, by name, at each day of a grid.

    Parameters
    ----------
    days : array of int32, shape (draws, n)
        Times in days.
    event : array of bool, shape (draws, n)
        Whether each is an event.
    grid : array of int, shape (k,)
        Days, ascending.

    Returns
    -------
    dict of arrays of shape (k,)
        ``q05``, ``q25``, ``q50``, ``q75`` and ``q95``, as shares.

    Examples
    --------
    >>> days, event = np.array([[5, 8], [3, 9]], np.int32), np.array([[1, 0], [1, 1]], bool)
    >>> curve_quantiles(days, event, np.array([4, 6]))["q50"].tolist()
    [0.75, 0.5]
    """
    quantiles = np.quantile(survival_many(days, event, np.asarray(grid, np.int64)), BAND_QUANTILES, axis=0)
    return {f"q{100 * level:02.0f}": values for level, values in zip(BAND_QUANTILES, quantiles, strict=True)}


@dataclass(frozen=True, eq=False)
class BestCuts:
    """The best cut of each follow-up.

    Attributes
    ----------
    cut : array of shape (draws,)
        Low is x <= cut; the smallest of equally good cuts.
    n_low : array of int, shape (draws,)
    chi2 : array of shape (draws,)
        Log-rank, at the best cut.
    endpoint : str
    n, least_group : int
        Patients, and the fewest on a side.
    """

    cut: Floats
    n_low: Ints
    chi2: Floats
    endpoint: str
    n: int
    least_group: int
    method: str = "best of all cuts by the log-rank chi-square, hypergeometric variance"
    kind: str = "COMPATIBLE"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a follow-up: ``cut``, ``n_low``, ``chi2``."""
        return pd.DataFrame({"cut": self.cut, "n_low": self.n_low, "chi2": self.chi2})


def best_cuts(ensemble: Ensemble, endpoint: str, x: ArrayLike, least_group: int = 1) -> BestCuts:
    """Return the best cut of a covariate in every follow-up.

    Parameters
    ----------
    ensemble : Ensemble
        Of any number of follow-ups.
    endpoint : {"OS", "LFS"}
    x : array-like of shape (n,)
        The covariate of the ensemble's patients, in their order; those without the endpoint are left out.
    least_group : int
        Fewest patients a side.

    Returns
    -------
    BestCuts

    Raises
    ------
    InputError
        If values are missing or of another number than the patients, or no cut is left.

    Notes
    -----
    Every cut's statistic is the log-rank chi-square (Mantel 1966; Peto and Peto 1972), as in ``cutpoint.scan_one``.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> from survaudit.follow_up.ensemble import PRIORS, draw
    >>> cohort = read_supplement("data/raw").cohort
    >>> ensemble = draw(cohort, PRIORS["wide"], np.random.default_rng(1), draws=100)
    >>> best_cuts(ensemble, "OS", cohort["mrd_percent"], least_group=5).n
    28
    """
    values = np.asarray(x, dtype=float)
    has = ensemble.days[endpoint][0] >= 0
    if values.shape != has.shape or not np.isfinite(values).all():
        raise InputError(
            f"x: found {values.shape} or missing values, expected one number for each of {has.size} patients"
        )
    order = np.flatnonzero(has)[np.argsort(values[has], kind="stable")]
    n = int(order.size)
    sizes = np.flatnonzero(np.diff(values[order]) > 0) + 1
    sizes = sizes[(sizes >= least_group) & (n - sizes >= least_group)]
    if not sizes.size:
        raise InputError(
            f"least_group: found {least_group}, which leaves no cut among {n} patients; allow fewer a side"
        )
    days = np.array(ensemble.days[endpoint][:, order], dtype=np.int32)
    event = np.array(ensemble.event[endpoint][:, order], dtype=np.bool_)
    chi2 = scan_many(days, event)[:, sizes - 1]
    best = chi2.argmax(axis=1)
    n_low = sizes[best]
    return BestCuts(values[order][n_low - 1], n_low, chi2[np.arange(len(best)), best], endpoint, n, least_group)
