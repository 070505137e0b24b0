"""A world in which no treatment does anything, and cohorts that live through it.

Patients relapse and die at rates that no treatment changes, and are transplanted or infused again if they live to see
the day; their group is whatever happened. How often the published comparisons find an effect there is computed by the
scripts in ``studies/`` and kept in ``data/no_effect``. All settings are whole numbers or words, so that a row of a file
says exactly what was asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from survaudit.cutpoint._kernels import FloatArray, IntArray
from survaudit.errors import InputError
from survaudit.immortal.guaranteed_days import follow_up_days, guaranteed_days

LEVEL = 0.05
LANDMARKS = (60, 90, 137)
_CART1, _CART2, _HSCT = 0, 1, 2
BoolArray = NDArray[np.bool_]

Settings = dict[str, Any]
# How many cohorts, or draws, one setting has.
COHORTS, PERMUTED, DRAWS = 2000, 1000, 10_000
RELAPSE_MEDIANS = (120, 240, 480)
# What is assumed where nothing is varied: on average 10 of 28 are then transplanted and 6 infused twice;
# in the table it is 10 and 7.
BASE: Settings = {
    "relapse_median": 240,
    "transplant_percent": 50,
    "death_median": 180,
    "remission_death_percent": 20,
    "reinfusion_percent": 60,
    "delay_days": 30,
    "no_remission_percent": 11,
    "wait_percent": 100,
    "death_shape_percent": 100,
    "cut_off": "halfway",
}
TRANSPLANT_PERCENTS = (30, 50, 70)
VARIED = {
    "no_remission_percent": (0, 20),
    "wait_percent": (150, 200),
    "death_shape_percent": (50, 200),
    "cut_off": ("earliest", "latest"),
}
VARIED_BASE = {name: BASE[name] for name in VARIED}


@dataclass(frozen=True)
class World:
    """An illness-death model in which treatments mark what happened and change nothing.

    Attributes
    ----------
    follow_up : tuple of float
        Days from the first infusion to the end of observation, one a patient.
    waits : tuple of float
        Days to a transplantation that is planned; each planned one takes one of them.
    relapse_median : float
        Median days from the assessment to relapse if nobody died in remission; the rate is constant.
    remission_death_percent : float
        Of those who leave remission, how many do so by death.
    death_median, death_shape : float
        Median days from relapse, or from the infusion without remission, to death; shape of their Weibull distribution,
        1 for a constant rate.
    transplant_percent : float
        For how many of those in remission a transplantation is planned.
    reinfusion_percent, delay_days : float
        For how many of those who relapse untransplanted a second infusion is planned; its mean delay, which is uniform
        between half and one and a half of it.
    no_remission_percent : float
        How many never reach remission.
    response_day : float
        When the response is assessed: nobody in remission leaves it before, and without one LFS counts as failed.

    Raises
    ------
    InputError
        If a number cannot be what it says; all of them are told at once.
    """

    follow_up: tuple[float, ...]
    waits: tuple[float, ...]
    relapse_median: float = 240
    remission_death_percent: float = 20
    death_median: float = 180
    death_shape: float = 1
    transplant_percent: float = 50
    reinfusion_percent: float = 60
    delay_days: float = 30
    no_remission_percent: float = 10
    response_day: float = 28

    def __post_init__(self) -> None:
        """Refuse what no world can be."""
        values = vars(self).items()
        bad = [f"{k}: found {v}, expected 0 to 100" for k, v in values if k.endswith("percent") and not 0 <= v <= 100]
        lengths = {k: v for k, v in values if k.endswith(("median", "shape", "days"))}
        bad += [f"{k}: found {v}, expected more than 0" for k, v in lengths.items() if not v > 0]
        for k in ("follow_up", "waits"):
            days = getattr(self, k)
            if not len(days) or not min(days) > 0:
                bad.append(f"{k}: found {days}, expected days after 0; check the dates")
        if self.remission_death_percent == 100:
            bad.append("remission_death_percent: found 100, expected less, or nobody relapses")
        if bad:
            raise InputError("; ".join(bad))


@dataclass(frozen=True, eq=False)
class Cohorts:
    """Cohorts drawn from a world; all arrays have shape (cohorts, patients), in days.

    Attributes
    ----------
    relapse, death : array
        Infinite if it never comes; a relapse before day 0 means that there was no remission.
    end : array
        End of observation.
    transplant, reinfusion : array
        Infinite if it did not take place.
    group : array of int
        0 for CART1, 1 for CART2, 2 for CART+HSCT.
    response_day : float
    """

    relapse: FloatArray
    death: FloatArray
    end: FloatArray
    transplant: FloatArray
    reinfusion: FloatArray
    group: IntArray
    response_day: float


def draw_cohorts(world: World, count: int, rng: np.random.Generator) -> Cohorts:
    """Draw cohorts of a world without any effect.

    The illness-death model (Fix and Neyman, 1951), in which treatments are marks that change no hazard.

    Parameters
    ----------
    world : World
        Of n patients, as many as it has ends of follow-up.
    count : int
        Cohorts.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    Cohorts
        Arrays of shape (count, n), in days.

    Examples
    --------
    >>> world = World(follow_up=(900.0,) * 28, waits=(32.0, 60.0, 137.0))
    >>> cohorts = draw_cohorts(world, 2, np.random.default_rng(1))
    >>> bool((cohorts.transplant < np.minimum(cohorts.relapse, cohorts.death))[cohorts.group == 2].all())
    True
    """
    shape = (count, len(world.follow_up))
    end = np.broadcast_to(np.array(world.follow_up, float), shape)
    without = rng.random(shape) < world.no_remission_percent / 100
    leaving = world.relapse_median / np.log(2)
    share = world.remission_death_percent / 100
    # Remission is what was found on the day of the assessment, so that nobody in remission leaves it earlier.
    relapse = world.response_day + rng.exponential(leaving, shape)
    dies = rng.exponential(leaving * (1 - share) / share, shape) if share else np.full(shape, np.inf)
    dies = world.response_day + dies
    after = rng.weibull(world.death_shape, shape) * world.death_median / np.log(2) ** (1 / world.death_shape)
    relapse = np.where(without, -1.0, np.where(relapse < dies, relapse, np.inf))
    death = np.where(np.isinf(relapse), dies, np.maximum(relapse, 0.0) + after)
    wait = rng.choice(np.array(world.waits, float), shape)
    planned = rng.random(shape) < world.transplant_percent / 100
    done = planned & (wait < np.minimum(np.minimum(relapse, death), end))
    again = np.maximum(relapse, 0.0) + world.delay_days * rng.uniform(0.5, 1.5, shape)
    chosen = rng.random(shape) < world.reinfusion_percent / 100
    infused = chosen & ~done & ~without & (again < np.minimum(death, end))
    return Cohorts(
        relapse=relapse,
        death=death,
        end=end,
        transplant=np.where(done, wait, np.inf),
        reinfusion=np.where(infused, again, np.inf),
        group=np.where(done, _HSCT, np.where(infused, _CART2, _CART1)),
        response_day=world.response_day,
    )


def world(cohort: pd.DataFrame, settings: Settings) -> World:
    """Return the world of a row's settings, with the waits and the calendar of the tables.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    settings : dict
        What differs from ``BASE``.

    Returns
    -------
    World

    Raises
    ------
    InputError
        If a setting cannot be what it says.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> world(read_supplement("data/raw").cohort, {"relapse_median": 120}).relapse_median
    120
    """
    chosen = BASE | settings
    table = guaranteed_days(cohort).query("endpoint == 'LFS' and guaranteed_days > 0")
    scale, shape = chosen.pop("wait_percent") / 100, chosen.pop("death_shape_percent") / 100
    follow_up = follow_up_days(cohort, chosen.pop("cut_off"))
    return World(follow_up, tuple(table["guaranteed_days"] * scale), death_shape=shape, **chosen)
