"""What reconstructed times can and cannot be joined with: printed tests, other panels, other endpoints, patients.

Reconstructed times belong to nobody. They can be compared with what is printed, with the same arm in another
panel, and with the same arm's other endpoint. Whose they are is left open: the intervals of the tables
allow many ways of giving the times to patients, which are counted here, and none is the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import factorial, prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from survaudit.cohort.endpoints import EVENT_KNOWN, LFS, OS, Interval
from survaudit.errors import InputError
from survaudit.follow_up.decoding import FollowUp
from survaudit.follow_up.digitised import NEAR
from survaudit.follow_up.reconstruct import Reconstruction
from survaudit.survival.curves import log_rank
from survaudit.survival.hazards import firth_cox

LARGEST_ARM = 12
# Of each arm, so many alternatives are tried with those of the other.
_TRIED = 20


# ---------------------------------------------------------------- against the printed test


@dataclass(frozen=True)
class PrintedComparison:
    """The log-rank test and the hazard ratio of two reconstructed arms beside the printed ones.

    Attributes
    ----------
    arms : tuple of str
        The hazard ratio is of the second to the first.
    chi2, p : float
        The log-rank test of the reconstructions.
    p_low, p_high : float
        The least and largest P among pairs of alternatives, the best 20 of each arm.
    n_pairs : int
        Pairs tried.
    hazard_ratio, lower, upper : float
        Firth's, with profile limits at 95 per cent.
    p_printed, hazard_ratio_printed : float or None
    n, n_events : int
    method, kind : str
    """

    arms: tuple[str, str]
    chi2: float
    p: float
    p_low: float
    p_high: float
    n_pairs: int
    hazard_ratio: float
    lower: float
    upper: float
    p_printed: float | None
    hazard_ratio_printed: float | None
    n: int
    n_events: int
    method: str = "log-rank, hypergeometric variance; Cox with Firth's penalty"
    kind: str = "RECONSTRUCTED"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a statistic: reconstructed, its range, printed, and the difference."""
        p = {"reconstructed": self.p, "lower": self.p_low, "upper": self.p_high}
        ratio = {"reconstructed": self.hazard_ratio, "lower": self.lower, "upper": self.upper}
        frame = pd.DataFrame([{"statistic": "log-rank P", **p}, {"statistic": "hazard ratio", **ratio}])
        frame["printed"] = np.array([self.p_printed, self.hazard_ratio_printed], dtype=float)
        return frame.assign(difference=frame["reconstructed"] - frame["printed"])


def compare_printed(
    first: Reconstruction, second: Reconstruction, p: float | None = None, hazard_ratio: float | None = None
) -> PrintedComparison:
    """Test two reconstructed arms of one panel, beside what the panel prints.

    By the log-rank test (Mantel, 1966; Peto and Peto, 1972), and Firth's penalised Cox model (Heinze and Schemper,
    2001).

    Parameters
    ----------
    first, second : Reconstruction
        Two arms, one endpoint.
    p, hazard_ratio : float, optional
        As printed; the ratio of the second arm to the first.

    Returns
    -------
    PrintedComparison
        ``p_low`` and ``p_high`` are over the alternatives of both arms; where censorings lie
        within their days moves P further, and is not in that range.

    Raises
    ------
    InputError
        If the endpoints differ, the arms do not, a printed number is impossible, or there is no event.

    Examples
    --------
    Two patients in each arm, one of whom has the event.

    >>> from survaudit.follow_up.digitised import check_clicks
    >>> from survaudit.follow_up.reconstruct import reconstruct
    >>> early = check_clicks([0, 9, 9, 30], [1, 1, 0.5, 0.5], time_error=0)
    >>> late = check_clicks([0, 20, 20, 30], [1, 1, 0.5, 0.5], time_error=0)
    >>> arms = [reconstruct(*given, arm=arm, endpoint="OS") for *given, arm in ((early, 2, "A"), (late, 2, "B"))]
    >>> found = compare_printed(*arms, p=0.04)
    >>> round(found.p, 3), found.p_printed, found.n_pairs
    (0.808, 0.04, 1)
    """
    problems = []
    if first.endpoint != second.endpoint:
        problems.append(f"endpoint: found {first.endpoint} and {second.endpoint}, expected one; compare one panel")
    if first.arm == second.arm:
        problems.append(f"arm: found {first.arm} twice, expected two; use agree for one arm in several panels")
    if p is not None and not 0 <= p <= 1:
        problems.append(f"p: found {p:g}, expected from 0 to 1; check the printed number")
    if hazard_ratio is not None and not hazard_ratio > 0:
        problems.append(f"hazard_ratio: found {hazard_ratio:g}, expected more than 0; check the printed number")
    if problems:
        raise InputError("; ".join(problems))
    time, event, arm = _joined(first.follow_up, second.follow_up)
    test = log_rank(time, event, arm)
    pairs = product(first.alternatives[:_TRIED], second.alternatives[:_TRIED])
    values = [log_rank(*_joined(one, other)).p for one, other in pairs]
    model = firth_cox(time, event, {"second": arm}).table.loc["second"]
    return PrintedComparison(
        arms=(first.arm, second.arm),
        chi2=test.chi2,
        p=test.p,
        p_low=min(values),
        p_high=max(values),
        n_pairs=len(values),
        hazard_ratio=float(model["hazard_ratio"]),
        lower=float(model["lower"]),
        upper=float(model["upper"]),
        p_printed=p,
        hazard_ratio_printed=hazard_ratio,
        n=len(time),
        n_events=int(event.sum()),
    )


def _joined(first: FollowUp, second: FollowUp) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return times, events, and 0 or 1 for the arm."""
    arm = np.repeat([0, 1], [len(first.event), len(second.event)])
    return np.append(first.time_days, second.time_days), np.append(first.event, second.event), arm


# ---------------------------------------------------------------- one arm in several panels


def agree(panels: Sequence[Reconstruction]) -> pd.DataFrame:
    """Return how far reconstructions of one arm and endpoint from several panels agree, a row a pair.

    Parameters
    ----------
    panels : sequence of Reconstruction
        Two or more, of one arm and one endpoint.

    Returns
    -------
    pandas.DataFrame
        ``first`` and ``second`` (sources), ``days_apart`` (the largest difference between events in their order,
        missing if there are more in one), ``days_allowed`` (twice the two errors in time together),
        ``agrees``, ``alternatives_agreeing`` (pairs of alternatives that do), and ``finding`` in words.

    Raises
    ------
    InputError
        If there are fewer than two, or arms or endpoints differ.

    Examples
    --------
    >>> from survaudit.follow_up.digitised import check_clicks
    >>> from survaudit.follow_up.reconstruct import reconstruct
    >>> panels = [check_clicks([0, day, day, 30], [1, 1, 0.5, 0.5], time_error=0) for day in (9, 12)]
    >>> table = agree([reconstruct(clicks, 2, arm="A", endpoint="OS") for clicks in panels])
    >>> table["finding"].item()
    'as many events, but up to 3 days apart'
    """
    kinds = {(one.arm, one.endpoint) for one in panels}
    if len(panels) < 2 or len(kinds) > 1:
        found = ", ".join(sorted(f"{arm} {endpoint}" for arm, endpoint in kinds)) or "none"
        raise InputError(
            f"panels: found {len(panels)} of {found}, expected two or more of one arm and endpoint; sort them"
        )
    return pd.DataFrame([_agreement(one, other) for one, other in combinations(panels, 2)])


def _agreement(one: Reconstruction, other: Reconstruction) -> dict[str, object]:
    """Return the row of one pair of panels."""
    apart = _days_apart(one.follow_up, other.follow_up)
    allowed = NEAR * float(np.hypot(one.clicks.time_error, other.clicks.time_error))
    tried = product(one.alternatives[:_TRIED], other.alternatives[:_TRIED])
    agreeing = sum(_days_apart(*pair) <= allowed for pair in tried)
    if apart <= allowed:
        finding = "the same events on the same days, within the error of the clicks"
    elif np.isnan(apart):
        finding = f"events in {one.n_events} of {one.n} and in {other.n_events} of {other.n} patients"
    else:
        finding = f"as many events, but up to {apart:.0f} days apart"
    return {
        "arm": one.arm,
        "endpoint": one.endpoint,
        "first": one.clicks.source,
        "second": other.clicks.source,
        "days_apart": apart,
        "days_allowed": allowed,
        "agrees": apart <= allowed,
        "alternatives_agreeing": agreeing,
        "finding": finding,
    }


def _days_apart(one: FollowUp, other: FollowUp) -> float:
    """Return the largest difference between events in their order; missing if numbers differ."""
    if len(one.event) != len(other.event) or one.n_events != other.n_events:
        return float("nan")
    days = [follow_up.time_days[follow_up.event == 1] for follow_up in (one, other)]
    return float(np.abs(days[0] - days[1]).max(initial=0.0))


# ---------------------------------------------------------------- two endpoints of one arm


@dataclass(frozen=True)
class EndpointPairing:
    """Whether leukaemia-free and overall survival of one arm can be of the same patients.

    Attributes
    ----------
    arm : str
    feasible : bool
        Whether a pairing exists in which nobody fails after death, and every death is a failure.
    least_deaths_without_relapse : int
        In any such pairing, so many deaths at least come on the day of the failure itself; 0 if none exists.
    pairs : pandas.DataFrame
        One such pairing, with the fewest of them: ``lfs_days``, ``lfs_event``, ``os_days``, ``os_event``,
        ``death_without_relapse``; empty if none exists. It is one of many.
    n_lfs, n_os : int
        Patients of each; those without remission have no leukaemia-free survival and stay unpaired.
    convention, kind : str
    """

    arm: str
    feasible: bool
    least_deaths_without_relapse: int
    pairs: pd.DataFrame
    n_lfs: int
    n_os: int
    convention: str = (
        "LFS <= OS within the days of each; a death is a failure; a censoring may lie anywhere in its days"
    )
    kind: str = "RECONSTRUCTED"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the pairs."""
        return self.pairs.copy()


def match_endpoints(lfs: Reconstruction, overall: Reconstruction) -> EndpointPairing:
    """Pair the LFS and the OS times of one arm, so that each pair can be one patient's.

    A pair is possible if the failure can come no later than the end of overall survival, and if a death
    goes with a failure. Among pairings of all LFS times the one with the fewest deaths without relapse is
    found as an assignment problem (Kuhn, 1955).

    Parameters
    ----------
    lfs, overall : Reconstruction
        Of one arm; LFS of as many patients as OS, or fewer.

    Returns
    -------
    EndpointPairing

    Raises
    ------
    InputError
        If the arms differ, the endpoints are not LFS and OS, or LFS has more patients than OS.

    Examples
    --------
    The failure on day 5 goes with the death on day 9: a relapse came between.

    >>> from survaudit.follow_up.digitised import check_clicks
    >>> from survaudit.follow_up.reconstruct import reconstruct
    >>> clicks = {name: check_clicks([0, day, day, 30], [1, 1, 0.5, 0.5], time_error=0)
    ...           for name, day in (("LFS", 5), ("OS", 9))}
    >>> found = match_endpoints(*(reconstruct(own, 2, arm="A", endpoint=name) for name, own in clicks.items()))
    >>> found.feasible, found.least_deaths_without_relapse, found.pairs[["lfs_days", "os_days"]].values.tolist()
    (True, 0, [[5.0, 9.0], [30.0, 30.0]])
    """
    if lfs.arm != overall.arm or (lfs.endpoint, overall.endpoint) != (LFS, OS) or lfs.n > overall.n:
        raise InputError(
            f"found {lfs.arm} {lfs.endpoint} of {lfs.n} and {overall.arm} {overall.endpoint} of {overall.n}, expected "
            "LFS and OS of one arm, LFS of no more patients; check the order of the arguments"
        )
    first, last = lfs.follow_up, overall.follow_up
    possible = (first.earliest[:, None] <= last.latest) & (first.event[:, None] >= last.event)
    together = (first.event[:, None] * last.event == 1) & (first.latest[:, None] >= last.earliest)
    # An impossible pair costs more than all deaths together; so one is taken only if it must be.
    cost = np.where(possible, together.astype(float), overall.n + 1.0)
    rows, columns = linear_sum_assignment(cost)
    feasible = bool(possible[rows, columns].all())
    pairs = pd.DataFrame(
        {
            "lfs_days": first.time_days[rows],
            "lfs_event": first.event[rows],
            "os_days": last.time_days[columns],
            "os_event": last.event[columns],
            "death_without_relapse": together[rows, columns],
        }
    )
    least = int(together[rows, columns].sum()) if feasible else 0
    return EndpointPairing(lfs.arm, feasible, least, pairs if feasible else pairs.head(0), lfs.n, overall.n)


# ---------------------------------------------------------------- times and patients


@dataclass(frozen=True, eq=False)
class Matchings:
    """All the ways in which reconstructed times can be given to patients.

    Attributes
    ----------
    arm, endpoint : str
    reconstruction : Reconstruction
    patients : tuple of int
    possible : array of bool, shape (n, n)
        Whether a time (row) can be a patient's (column).
    count : int
        Feasible ways; those that only exchange equal times count once.
    convention : str
        When a time can be a patient's.
    """

    arm: str
    endpoint: str
    reconstruction: Reconstruction
    patients: tuple[int, ...]
    possible: NDArray[np.bool_]
    count: int
    convention: str = (
        "an event fits where its days meet (L, R]; a censoring where it is not before L and no event is known"
    )

    def to_frame(self) -> pd.DataFrame:
        """Return the share of feasible ways in which each time (row) is each patient's (column)."""
        n = len(self.patients)
        whole = _permanent(self.possible)
        shares = np.zeros((n, n))
        for row, column in zip(*np.nonzero(self.possible), strict=True):
            rest = np.delete(np.delete(self.possible, row, axis=0), column, axis=1)
            shares[row, column] = _permanent(rest) / whole if whole else 0.0
        times = pd.Index(self.reconstruction.follow_up.time_days, name="time_days")
        return pd.DataFrame(shares, index=times, columns=pd.Index(self.patients, name="patient"))

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        """Return one feasible way, each being equally likely.

        Returns
        -------
        pandas.DataFrame
            ``possible_patient``, ``time_days``, ``event``, in the order of patients. The name of the
            column says that it is no link: ``require_links`` refuses it.

        Raises
        ------
        InputError
            If no way is feasible.
        """
        if not self.count:
            raise InputError(
                f"{self.arm} {self.endpoint}: found no feasible matching to draw from; see why in possible"
            )
        free, left = list(range(len(self.patients))), self.possible
        owners = []
        for _ in self.patients:
            ways = np.array([_permanent(np.delete(left[1:], k, axis=1)) * int(left[0, k]) for k in range(len(free))])
            k = int(rng.choice(len(free), p=(ways / ways.sum()).astype(float)))
            owners.append(self.patients[free.pop(k)])
            left = np.delete(left[1:], k, axis=1)
        follow_up = self.reconstruction.follow_up
        drawn = {"possible_patient": owners, "time_days": follow_up.time_days, "event": follow_up.event}
        return pd.DataFrame(drawn).sort_values("possible_patient", ignore_index=True)


def matchings(reconstruction: Reconstruction, intervals: Sequence[Interval]) -> Matchings:
    """Count in how many ways the times of an arm can belong to its patients.

    An event fits a patient if its days, from earliest to latest, meet the patient's interval (L, R]. A
    censoring fits if it can come on L or later, and if the tables know of no event. The ways are counted
    exactly, as the permanent of the table of what fits.

    Parameters
    ----------
    reconstruction : Reconstruction
        Of at most 12 patients.
    intervals : sequence of Interval
        Of the same arm and endpoint, as many as there are times.

    Returns
    -------
    Matchings

    Raises
    ------
    InputError
        If arms, endpoints or numbers differ, or there are more than 12.

    Notes
    -----
    The permanent is added up row by row over sets of columns taken, at most 2^n for n patients; Ryser's (1963)
    inclusion and exclusion gives the same number. No fast method is to be hoped for (Valiant, 1979).

    Examples
    --------
    Seven patients of CART2, one of whom died on day 150. Four were still alive after it, by the tables.

    >>> from survaudit.cohort.endpoints import endpoints
    >>> from survaudit.cohort.tables import read_supplement
    >>> from survaudit.follow_up.digitised import check_clicks
    >>> from survaudit.follow_up.reconstruct import reconstruct
    >>> clicks = check_clicks([0, 150, 150, 900], [1, 1, 6 / 7, 6 / 7], time_error=0, survival_error=0.001)
    >>> found = reconstruct(clicks, 7, arm="CART2", endpoint="OS", at_risk={900: 6})
    >>> everyone = endpoints(read_supplement("data/raw").cohort)["OS"].intervals
    >>> matchings(found, [interval for interval in everyone if interval.group == "CART2"]).count
    3
    """
    problems = []
    kinds = {(interval.group, interval.endpoint) for interval in intervals}
    if kinds != {(reconstruction.arm, reconstruction.endpoint)}:
        found = ", ".join(sorted(f"{arm} {endpoint}" for arm, endpoint in kinds)) or "none"
        expected = f"{reconstruction.arm} {reconstruction.endpoint}"
        problems.append(f"intervals: found {found}, expected {expected}; select its patients")
    if len(intervals) != reconstruction.n:
        problems.append(
            f"intervals: found {len(intervals)} for {reconstruction.n} times, expected as many; "
            "check whom the curve leaves out"
        )
    if reconstruction.n > LARGEST_ARM:
        problems.append(f"found {reconstruction.n} times, expected at most {LARGEST_ARM}; count a smaller arm")
    if problems:
        raise InputError("; ".join(problems))
    follow_up = reconstruction.follow_up
    left = np.array([float(interval.left.day) for interval in intervals])
    right = np.array([float(interval.right.day) for interval in intervals])
    known = np.array([interval.status == EVENT_KNOWN for interval in intervals])
    earliest, latest = follow_up.earliest[:, None], follow_up.latest[:, None]
    died = follow_up.event[:, None] == 1
    possible = np.where(died, (latest > left) & (earliest <= right), (latest >= left) & ~known)
    _, copies = np.unique(
        np.column_stack([follow_up.time_days, follow_up.event, follow_up.earliest, follow_up.latest]),
        axis=0,
        return_counts=True,
    )
    return Matchings(
        arm=reconstruction.arm,
        endpoint=reconstruction.endpoint,
        reconstruction=reconstruction,
        patients=tuple(interval.patient for interval in intervals),
        possible=possible,
        count=_permanent(possible) // prod(factorial(int(copy)) for copy in copies),
    )


def _permanent(possible: NDArray[np.bool_]) -> int:
    """Return in how many ways each row can have a column of its own: row by row, over sets of columns taken."""
    ways = {0: 1}
    for row in possible:
        columns = [1 << int(column) for column in np.flatnonzero(row)]
        grown: dict[int, int] = {}
        for taken, count in ways.items():
            for column in columns:
                if not taken & column:
                    grown[taken | column] = grown.get(taken | column, 0) + count
        ways = grown
    return sum(ways.values())


def require_links(follow_up: pd.DataFrame | Reconstruction, figure: str = "the figure of the MRD cut-point") -> None:
    """Refuse a figure that needs each patient's own time, where times belong to nobody.

    Parameters
    ----------
    follow_up : DataFrame or Reconstruction
        A frame must have a column ``patient`` that names each patient once.
    figure : str
        What was asked for.

    Raises
    ------
    InputError
        Always for a reconstruction, or a matching drawn from one; and for a frame whose ``patient``
        is absent, missing somewhere, or names one twice.

    Examples
    --------
    >>> require_links(pd.DataFrame({"time_days": [90.0], "event": [1]}))
    Traceback (most recent call last):
    ...
    survaudit.errors.InputError: the figure of the MRD cut-point: found times without patients, expected a column ...
    """
    if isinstance(follow_up, Reconstruction) or "patient" not in follow_up:
        raise InputError(
            f"{figure}: found times without patients, expected a column `patient`; reconstructed times belong to "
            "nobody, so that no MRD goes with any of them, and a matching drawn is one of many: give each patient's own"
        )
    if follow_up["patient"].isna().any() or follow_up["patient"].duplicated().any():
        raise InputError(f"{figure}: found a patient missing or named twice, expected each once; correct the column")
