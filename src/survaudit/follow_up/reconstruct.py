"""Patient-level times from a digitised Kaplan-Meier curve: RECONSTRUCTED, and nobody's in particular.

In a small arm every drop is a fraction d/r with whole numbers, so that the levels of the curve tell how many were
at risk: the steps are decoded by search, and every decoding within the click error is counted. In a
larger arm Guyot's algorithm (2012) turns printed numbers at risk into censorings; without them, censoring is
a stated convention. Times of deaths are read off the curve. Times of censoring never are: they
are spread evenly over the days on which they may have come, and the result keeps those days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, maximum_bipartite_matching

from survaudit.cohort.endpoints import EVENT_KNOWN, Interval
from survaudit.errors import InputError
from survaudit.follow_up.decoding import DECODED, EVENLY, ArmTimes, decode_steps, guyot
from survaudit.follow_up.digitised import NEAR, Clicks
from survaudit.survival.curves import Floats, KaplanMeier, kaplan_meier

RECONSTRUCTED = "RECONSTRUCTED"
SMALL_ARM = 30


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Patient-level times that reproduce a digitised curve.

    Attributes
    ----------
    arm, endpoint : str
    follow_up : ArmTimes
    alternatives : tuple of ArmTimes
        All decodings within the click error, best first, ``follow_up`` among them; at most 200 are kept. In
        a larger arm without numbers at risk: with censoring from the first day, and only on the last.
    n_decodings : int
        How many integer decodings lie within the click error; 0 where steps were not decoded.
    complete : bool
        Whether the search kept every decoding; if not, there are more than ``n_decodings``.
    max_distance, rms_distance : float
        Between clicks and the curve of the result, each at the best day within four errors in time.
    at_risk : pandas.DataFrame
        ``time_days``, ``printed``, ``reconstructed``.
    events_printed : int or None
    clicks : Clicks
    method, convention, kind, units : str
    """

    arm: str
    endpoint: str
    follow_up: ArmTimes
    alternatives: tuple[ArmTimes, ...]
    n_decodings: int
    complete: bool
    max_distance: float
    rms_distance: float
    at_risk: pd.DataFrame
    events_printed: int | None
    clicks: Clicks
    method: str
    convention: str
    kind: str = RECONSTRUCTED
    units: str = "days"

    @property
    def n(self) -> int:
        """Return the number of patients."""
        return len(self.follow_up.time_days)

    @property
    def n_events(self) -> int:
        """Return the number of events."""
        return self.follow_up.n_events

    @property
    def events_range(self) -> tuple[int, int]:
        """Return the fewest and the most events among the alternatives."""
        counts = [one.n_events for one in self.alternatives]
        return min(counts), max(counts)

    @property
    def curve(self) -> KaplanMeier:
        """Return the Kaplan-Meier curve of the result."""
        return kaplan_meier(self.follow_up.time_days, self.follow_up.event, label=self.arm)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a patient without identity: ``arm``, ``endpoint``, ``time_days``, ``event``."""
        columns = {"time_days": self.follow_up.time_days, "event": self.follow_up.event}
        return pd.DataFrame({"arm": self.arm, "endpoint": self.endpoint, **columns})

    def report(self) -> pd.DataFrame:
        """Return what the result rests on and how well it fits, as one row."""
        low, high = self.events_range
        off = (self.at_risk["reconstructed"] - self.at_risk["printed"]).abs()
        row = {name: getattr(self, name) for name in ("arm", "endpoint", "kind", "method", "convention", "n")} | {
            "events": self.n_events,
            "events_printed": self.events_printed,
            "events_low": low,
            "events_high": high,
            "n_decodings": self.n_decodings,
            "all_decodings_kept": self.complete,
            "max_distance": self.max_distance,
            "rms_distance": self.rms_distance,
            "at_risk_printed": len(off),
            "at_risk_largest_difference": int(off.max()) if len(off) else None,
        }
        return pd.DataFrame([row])


def reconstruct(
    clicks: Clicks,
    n: int,
    *,
    arm: str,
    endpoint: str,
    at_risk: Mapping[float, int] | None = None,
    events: int | None = None,
) -> Reconstruction:
    """Turn a digitised curve into patient-level times.

    Parameters
    ----------
    clicks : Clicks
        Both ends of each level, and the end of the curve, where the last patient leaves it.
    n : int
        Patients of the arm.
    arm, endpoint : str
        Whose curve, and of what: "OS" or "LFS".
    at_risk : mapping of day to count, optional
        Printed numbers at risk, just before the day.
    events : int, optional
        The printed number of events.

    Returns
    -------
    Reconstruction

    Raises
    ------
    InputError
        If the printed numbers contradict each other, or no decoding of a small arm agrees with clicks and
        printed numbers.

    Notes
    -----
    Up to 30 patients, if the click error is below a quarter of 1/n, the steps are decoded: by search over the
    numbers at risk, all r and d such that the product of 1 - d/r stays within three click errors of each
    level. The best has the least squared distance, where each further death at one drop counts as much as a
    level that is two errors off: of 1/4 and 2/8, the one with fewer deaths is taken.

    Otherwise as Guyot, Ades, Ouwens and Welton (2012). Without numbers at risk they count nobody as censored
    before the end, which gives too many deaths. Here patients enter evenly over time and are censored at
    one date: none is censored before some day, then evenly up to the end. That day is half the length of the
    curve, or what the printed number of events asks for; ``alternatives`` holds the two extremes.

    Examples
    --------
    >>> from survaudit.follow_up.digitised import check_clicks
    >>> clicks = check_clicks([0, 9, 9, 21, 21, 30], [1, 1, 0.8, 0.8, 0.4, 0.4], time_error=0, survival_error=0.001)
    >>> found = reconstruct(clicks, 5, arm="A", endpoint="OS")
    >>> found.to_frame()[["time_days", "event"]].to_numpy().tolist()
    [[9.0, 1.0], [13.0, 0.0], [17.0, 0.0], [21.0, 1.0], [30.0, 0.0]]
    >>> found.n_decodings, found.events_range
    (2, (2, 3))
    """
    printed = _check_printed(clicks, n, at_risk or {}, events)
    if n <= SMALL_ARM and clicks.survival_error <= 0.25 / n:
        method, convention = DECODED, EVENLY
        alternatives, total, complete = decode_steps(clicks, n, printed, events)
    else:
        method, convention, alternatives = guyot(clicks, n, printed, events)
        total, complete = 0, True
    chosen = alternatives[0]
    curve = kaplan_meier(chosen.time_days, chosen.event)
    far = _distances(clicks, curve)
    days, counts = list(printed), list(printed.values())
    seen = curve.at_risk_at(np.array(days, float))
    return Reconstruction(
        arm=arm,
        endpoint=endpoint,
        follow_up=chosen,
        alternatives=tuple(alternatives),
        n_decodings=total,
        complete=complete,
        max_distance=float(far.max()),
        rms_distance=float(np.sqrt(np.mean(far**2))),
        at_risk=pd.DataFrame({"time_days": days, "printed": counts, "reconstructed": seen}),
        events_printed=events,
        clicks=clicks,
        method=method,
        convention=convention,
    )


def _check_printed(clicks: Clicks, n: int, at_risk: Mapping[float, int], events: int | None) -> dict[float, int]:
    """Return the numbers at risk in the order of time, or refuse numbers that contradict each other."""
    printed = {float(day): int(at_risk[day]) for day in sorted(at_risk)}
    problems = [] if n >= 1 else [f"n: found {n}, expected at least 1; count the patients of the arm"]
    if events is not None and not 0 <= events <= n:
        problems.append(f"events: found {events}, expected from 0 to {n}; check the printed number")
    if printed.get(0.0, n) != n:
        problems.append(f"at_risk: found {printed[0.0]} on day 0, expected all {n} patients; check the arm")
    counts = [n, *printed.values()]
    if any(not 0 <= later <= earlier for earlier, later in pairwise(counts)):
        problems.append(f"at_risk: found {counts[1:]} of {n}, expected counts that never rise; check the arm")
    last = float(clicks.time_days[-1]) + NEAR * clicks.time_error
    if late := [day for day, count in printed.items() if count and day > last]:
        problems.append(
            f"at_risk: found patients on day {late[0]:g}, after the last click ({last:g}); click to the end"
        )
    if problems:
        raise InputError("; ".join(problems))
    return printed


def _distances(clicks: Clicks, curve: KaplanMeier) -> Floats:
    """Return how far each click is from the curve, at the best day within four of its errors in time."""
    times, survival = np.append(0.0, curve.times), np.append(1.0, curve.survival)
    near = 2 * NEAR * clicks.time_error

    def value(days: Floats) -> Floats:
        return survival[np.maximum(np.searchsorted(times, days, side="right") - 1, 0)]

    # At a drop itself the printed line is vertical: every height between its ends is on the curve.
    highest, lowest = value(np.nextafter(clicks.time_days - near, -np.inf)), value(clicks.time_days + near)
    inside: Floats = np.clip(clicks.survival, lowest, highest)
    if near == 0:
        return np.abs(clicks.survival - inside)
    levels = np.where((survival >= lowest[:, None]) & (survival <= highest[:, None]), survival, np.inf)
    return np.asarray(np.min(np.abs(clicks.survival[:, None] - levels), axis=1))


@dataclass(frozen=True, eq=False)
class PossiblePatients:
    """The patients to whom each reconstructed time of an arm could belong.

    Attributes
    ----------
    reconstruction : Reconstruction
    patients : tuple of int
    meets : array of bool, shape (n, n)
        Whether a time (row) by itself agrees with a patient's (column) interval.
    possible : array of bool, shape (n, n)
        Whether, besides, every other time then still finds a patient of its own.
    n_fitting : int
        How many of the reconstruction's alternatives fit the intervals.
    """

    reconstruction: Reconstruction
    patients: tuple[int, ...]
    meets: NDArray[np.bool_]
    possible: NDArray[np.bool_]
    n_fitting: int
    convention: str = (
        "an event fits where its days meet (L, R]; a censoring where it is not before L and no event is known"
    )

    @property
    def fits(self) -> bool:
        """Return whether all times together fit the intervals."""
        return bool(self.possible.any())

    def to_frame(self) -> pd.DataFrame:
        """Return one row a time: day, event, whom its interval allows, and to whom it could belong."""
        follow_up = self.reconstruction.follow_up
        return pd.DataFrame(
            {
                "time_days": follow_up.time_days,
                "event": follow_up.event,
                "meets": [self._named(row) for row in self.meets],
                "could_be": [self._named(row) for row in self.possible],
                "n_patients": self.possible.sum(axis=1),
            }
        )

    def _named(self, chosen: NDArray[np.bool_]) -> str:
        return ", ".join(str(patient) for patient, one in zip(self.patients, chosen, strict=True) if one)


def possible_patients(reconstruction: Reconstruction, intervals: Sequence[Interval]) -> PossiblePatients:
    """Return whether the times of an arm fit its patients' intervals, and whose each time could be.

    A way to give every time a patient of its own is a perfect matching (Hall, 1935). Given one, a time can
    belong to another patient if a closed chain of exchanges leads there and back, which holds within the
    strongly connected parts of the graph (Dulmage and Mendelsohn, 1958).

    Parameters
    ----------
    reconstruction : Reconstruction
        Its times are those of ``follow_up``; the alternatives are only counted.
    intervals : sequence of Interval
        Of the same arm and endpoint, as many as there are times.

    Returns
    -------
    PossiblePatients
        Nothing is possible if the times do not fit.

    Raises
    ------
    InputError
        If arms, endpoints or numbers differ.

    Examples
    --------
    One of seven patients of CART2 died on day 150. By the tables, four were alive later.

    >>> from survaudit.cohort.endpoints import endpoints
    >>> from survaudit.cohort.tables import read_supplement
    >>> from survaudit.follow_up.digitised import check_clicks
    >>> from survaudit.follow_up.reconstruct import reconstruct
    >>> clicks = check_clicks([0, 150, 150, 900], [1, 1, 6 / 7, 6 / 7], time_error=0, survival_error=0.001)
    >>> arm = reconstruct(clicks, 7, arm="CART2", endpoint="OS", at_risk={900: 6})
    >>> everyone = endpoints(read_supplement("data/raw").cohort)["OS"].intervals
    >>> found = possible_patients(arm, [interval for interval in everyone if interval.group == "CART2"])
    >>> found.fits, found.to_frame()["n_patients"].tolist()
    (True, [3, 7, 7, 7, 7, 7, 7])
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
    if problems:
        raise InputError("; ".join(problems))
    meets = _meets(reconstruction.follow_up, intervals)
    return PossiblePatients(
        reconstruction=reconstruction,
        patients=tuple(interval.patient for interval in intervals),
        meets=meets,
        possible=_in_a_matching(meets),
        n_fitting=sum(bool(_in_a_matching(_meets(one, intervals)).any()) for one in reconstruction.alternatives),
    )


def _meets(times: ArmTimes, intervals: Sequence[Interval]) -> NDArray[np.bool_]:
    """Return whether each time (row) agrees with each patient's interval (column)."""
    left = np.array([float(interval.left.day) for interval in intervals])
    right = np.array([float(interval.right.day) for interval in intervals])
    known = np.array([interval.status == EVENT_KNOWN for interval in intervals])
    earliest, latest = times.earliest[:, None], times.latest[:, None]
    event = times.event[:, None] == 1
    return np.where(event, (latest > left) & (earliest <= right), (latest >= left) & ~known)


def _in_a_matching(meets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which pairs stand in at least one perfect matching; none if there is no such matching."""
    owner = maximum_bipartite_matching(csr_array(meets), perm_type="column")
    if (owner < 0).any():
        return np.zeros_like(meets)
    # From a time to the owner of a patient whom it meets: on a closed chain, everyone takes the next one's patient.
    chain = meets[:, owner]
    part = connected_components(csr_array(chain), connection="strong")[1]
    together: NDArray[np.bool_] = part[:, None] == part[np.argsort(owner)]
    return meets & together
