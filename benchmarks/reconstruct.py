"""Reconstruct curves of known patients, clicked with noise: `python benchmarks/reconstruct.py`.

Two arms are drawn, one with twice the hazard of the other; patients enter evenly over time and are censored at one
date.  Their Kaplan-Meier curves are clicked with normal errors, and what is reconstructed is compared with the
patients themselves, whom every estimate is also computed on.  Nothing is chosen by looking at the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from survaudit.errors import InputError
from survaudit.follow_up.decoding import ArmTimes, guyot
from survaudit.follow_up.digitised import Clicks, click
from survaudit.follow_up.reconstruct import reconstruct
from survaudit.survival.curves import KaplanMeier, kaplan_meier, restricted_mean
from survaudit.survival.hazards import firth_cox

Arm = tuple[np.ndarray, np.ndarray]
Method = Callable[[Clicks, KaplanMeier], ArmTimes]
TICKS = 5


def arm(n: int, mean_days: float, accrual: float, rng: np.random.Generator) -> Arm:
    """Draw an arm in whole days, with one event at least; follow-up ends from a share of 1500 days on."""
    while True:
        death, last = rng.exponential(mean_days, n), rng.uniform(accrual * 1500, 1500, n)
        if (death <= last).any():
            return np.ceil(np.minimum(death, last)), (death <= last).astype(np.int64)


def at_risk(curve: KaplanMeier) -> dict[float, int]:
    """Return the numbers at risk that a panel would print."""
    days = np.linspace(0, curve.last_day, TICKS, endpoint=False).round()
    return dict(zip(days.tolist(), curve.at_risk_at(days).tolist(), strict=True))


def ours(clicks: Clicks, curve: KaplanMeier, *, risk: bool, events: bool) -> ArmTimes:
    """Reconstruct from what is printed."""
    printed = {"at_risk": at_risk(curve) if risk else None, "events": curve.n_events if events else None}
    return reconstruct(clicks, curve.n, arm="arm", endpoint="OS", **printed).follow_up


def nobody_censored(clicks: Clicks, curve: KaplanMeier) -> ArmTimes:
    """Follow Guyot without numbers at risk: nobody is censored before the last click."""
    return guyot(clicks, curve.n, {}, None)[2][2]


METHODS: dict[str, Method] = {
    "numbers at risk and events": partial(ours, risk=True, events=True),
    "numbers at risk": partial(ours, risk=True, events=False),
    "events": partial(ours, risk=False, events=True),
    "neither": partial(ours, risk=False, events=False),
    "neither, nobody censored before the end": nobody_censored,
}


def estimates(arms: list[Arm], tau: float) -> dict[str, float]:
    """Return what is read off two arms: median and restricted mean of the first, hazard ratio, events."""
    curves = [kaplan_meier(*one) for one in arms]
    group = np.repeat([0, 1], [curve.n for curve in curves])
    time, event = (np.concatenate(parts) for parts in zip(*arms, strict=True))
    ratio = firth_cox(time, event, {"second": group}).table.loc["second", "coef"]
    return {
        "median": curves[0].median,
        "rmst": restricted_mean(curves[0], tau).estimate,
        "log_hr": float(ratio),
        "events": float(event.sum()),
    }


def trial(n: int, error: float, rng: np.random.Generator) -> list[dict[str, float | str]]:
    """Draw, click and reconstruct two arms once, by every method."""
    accrual = rng.choice([0.05, 0.3, 0.6])
    sizes = [n, n] if n > 11 else rng.integers(7, 12, 2).tolist()
    arms = [arm(size, mean, accrual, rng) for size, mean in zip(sizes, (800, 400), strict=True)]
    curves = [kaplan_meier(*one) for one in arms]
    clicks = [click(curve, rng=rng, survival_error=error) for curve in curves]
    tau = 0.9 * min(curve.last_day for curve in curves)
    truth, rows = estimates(arms, tau), []
    for name, method in METHODS.items():
        try:
            found = [method(one, curve) for one, curve in zip(clicks, curves, strict=True)]
            seen = estimates([(one.time_days, one.event) for one in found], tau)
        except InputError:
            rows.append({"printed": name, "refused": 1.0})
            continue
        rows.append({"printed": name, "refused": 0.0} | {key: seen[key] - truth[key] for key in truth})
    return rows


def table(n: int, error: float, trials: int) -> pd.DataFrame:
    """Return median absolute errors and mean errors over the trials, a row a method."""
    rng = np.random.default_rng(20211029)
    rows = pd.DataFrame([row for _ in range(trials) for row in trial(n, error, rng)])
    groups = rows.groupby("printed", sort=False)
    return pd.DataFrame(
        {
            "refused": groups["refused"].sum().astype(int),
            "events, bias": groups["events"].mean(),
            "events, exact %": groups["events"].apply(lambda part: 100 * (part.dropna() == 0).mean()),
            "median, days": groups["median"].apply(lambda part: part.abs().median()),
            "RMST, days": groups["rmst"].apply(lambda part: part.abs().median()),
            "log HR": groups["log_hr"].apply(lambda part: part.abs().median()),
            "log HR, 95%": groups["log_hr"].apply(lambda part: part.abs().quantile(0.95)),
        }
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the trials")
    few = parser.parse_args().quick
    print("Median absolute errors, and the mean error of the events of both arms. Times: error 0.5% of the axis.")
    for n, error, trials in ((11, 0.002, 100), (11, 0.005, 100), (11, 0.01, 100), (100, 0.002, 30), (100, 0.005, 30)):
        count = trials // 10 if few else trials
        print(f"\n{'7 to 11' if n == 11 else n} patients an arm, clicks off by {error:g} of survival, {count} trials")
        print(table(n, error, count).round(3).to_string())


if __name__ == "__main__":
    main()
