"""Values computed by R, and what it means that ours agree with them.

An entry of ``data/reference`` is one call of R with all that it returned. Each of its numbers either has a
counterpart here, with a rule of agreement that was settled beforehand, or a reason why it has none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lifelines.datasets import load_gbsg2, load_lung

from survaudit.errors import InputError
from survaudit.survival.curves import Floats

AGREES = "agrees"
EXPLAINED = "explained"
DIFFERS = "differs"
NO_COUNTERPART = "no counterpart"


@dataclass(frozen=True)
class Rule:
    """What counts as agreement, settled before the two values are seen.

    Attributes
    ----------
    name : str
        As a reader is told.
    relative, absolute : float
        How far apart the values may be: the absolute one, and the relative one times ours.
    why : str
        Where something else than rounding sets them apart: the reason.
    explains : bool
        Whether the rule explains a known difference instead of promising agreement.
    """

    name: str
    relative: float = 0.0
    absolute: float = 0.0
    why: str = ""
    explains: bool = False


@dataclass(frozen=True, eq=False)
class Ours:
    """Our counterpart of a value of R.

    Attributes
    ----------
    value : number or array
        Of the shape of R's.
    rule : Rule
    low, high : number or array, optional
        Where R's value must lie; left out, around ours as the rule says.
    given : bool or array of bool, optional
        Which of R's numbers have a counterpart; left out, all.
    derived : bool
        Whether R's side is read off what R returned, and is no number of R itself.
    """

    value: Any
    rule: Rule
    low: Any = None
    high: Any = None
    given: Any = None
    derived: bool = False


@dataclass(frozen=True)
class Compared:
    """One quantity of one call of R beside ours; of an array, the place where the two are furthest apart.

    Attributes
    ----------
    section, entry, call, quantity : str
    numbers : int
        How many numbers the quantity has.
    r, ours, difference : float
        At that place; missing without a counterpart.
    relative : float
        The largest relative difference, where R's value is not 0.
    rule, verdict, why : str
        The rule of agreement, what came of it, and the reason for a difference or for having no counterpart.
    derived : bool
        Whether R's side is read off what R returned: such numbers are no numbers of R.
    """

    section: str
    entry: str
    call: str
    quantity: str
    numbers: int
    r: float
    ours: float
    difference: float
    relative: float
    rule: str
    verdict: str
    why: str
    derived: bool = False


def read_entries(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the entries of one file of ``data/reference``, each with ``id``, ``call`` and ``result``.

    Raises
    ------
    InputError
        If there is no such file.

    Examples
    --------
    >>> read_entries(Path("data/reference"), "stratified")[0]["call"]
    'survdiff(Surv(futime, fustat) ~ (age > cut) + strata(rx), data = ovarian)'
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        raise InputError(f"{path}: found no file, expected values computed by R; take it from the repository again")
    content = json.loads(path.read_text(encoding="utf-8"))
    if "entries" in content:
        entries: list[dict[str, Any]] = content["entries"]
        return entries
    result = {key: value for key, value in content.items() if key != "meta"}
    return [{"id": name, "call": content["meta"]["call"], "data": "ovarian", "result": result}]


def read_data(folder: Path, name: str) -> pd.DataFrame:
    """Return a public data set with columns ``time`` and ``event``: lung, GBSG2, aml or ovarian.

    Examples
    --------
    >>> len(read_data(Path("data/reference"), "ovarian"))
    26
    """
    return _shipped_data(folder, name).copy()


@cache
def _shipped_data(folder: Path, name: str) -> pd.DataFrame:
    grades = {"I": 1, "II": 2, "III": 3}
    frame: pd.DataFrame
    if name == "lung":
        frame = load_lung()
    elif name == "GBSG2":
        frame = load_gbsg2().assign(tgrade_n=lambda f: f["tgrade"].map(grades))
    else:
        frame = pd.read_csv(folder / f"{name}.csv", float_precision="round_trip")
    return frame.rename(columns={"futime": "time"} | dict.fromkeys(["cens", "fustat", "status"], "event"))


def flat(values: Any, path: str = "") -> dict[str, Floats]:
    """Return all numbers of a result by their path in it, missing and infinite ones of R's among them.

    Examples
    --------
    >>> flat({"n": 3, "var": [[1, None], ["Inf", 2]], "groups": ["a"]})
    {'n': array([3.]), 'var[0]': array([ 1., nan]), 'var[1]': array([inf,  2.])}
    """
    if isinstance(values, Mapping):
        parts = [flat(each, f"{path}.{key}" if path else str(key)) for key, each in values.items()]
        return {key: each for part in parts for key, each in part.items()}
    if isinstance(values, list | tuple) and any(isinstance(each, list | tuple | Mapping) for each in values):
        parts = [flat(each, f"{path}[{i}]") for i, each in enumerate(values)]
        return {key: each for part in parts for key, each in part.items()}
    given = list(values) if isinstance(values, list | tuple) else [values]
    # Infinity is the only text that is a number.
    numbers = [np.inf if each == "Inf" else np.nan if each is None else each for each in given]
    if any(isinstance(each, str) for each in numbers):
        return {}
    return {path: np.array(numbers, dtype=float)}


def compare(
    section: str, entry: Mapping[str, Any], ours: Mapping[str, Ours], reason: Callable[[str, str], str]
) -> list[Compared]:
    """Set all numbers of an entry beside ours.

    Parameters
    ----------
    section : str
    entry : mapping
        As ``read_entries`` gives it.
    ours : mapping of path to Ours
    reason : function of entry and path
        Why a quantity has no counterpart.

    Returns
    -------
    list of Compared
        One a quantity, in R's order; two, where only some of its numbers have a counterpart.

    Raises
    ------
    InputError
        If there is a counterpart of something that R did not return, or a quantity has none and no reason.
    """
    theirs, mine = flat(entry["result"]), by_path(ours)
    if unknown := set(mine) - set(theirs):
        raise InputError(f"{entry['id']}: found values for {sorted(unknown)}, expected only what R returned")
    head = (section, entry["id"], entry["call"])
    rows = []
    for path, expected in theirs.items():
        given = mine[path].given if path in mine else np.zeros(expected.size, bool)
        if given is None or given.any():
            rows.append(_compared(head, path, expected, mine[path]))
        if given is not None and not given.all():
            missing = (float("nan"),) * 4
            why = reason(entry["id"], path)
            rows.append(Compared(*head, path, int((~given).sum()), *missing, "", NO_COUNTERPART, why))
    return rows


def by_path(ours: Mapping[str, Ours]) -> dict[str, Ours]:
    """Return our counterparts by the paths of ``flat``, as arrays of the numbers that R has there.

    Parameters
    ----------
    ours : mapping of path to Ours

    Returns
    -------
    dict of path to Ours

    Examples
    --------
    >>> by_path({"var": Ours([[1, 2], [3, 4]], Rule("equal"))})["var[1]"].value
    array([3., 4.])
    """
    found = {}
    for path, each in ours.items():
        values, low, high, given = (flat(np.asarray(part, float).tolist(), path) if part is not None else {}
                                    for part in (each.value, each.low, each.high, each.given))  # fmt: skip
        for key, value in values.items():
            kept = given[key].astype(bool) if given else None
            found[key] = Ours(value, each.rule, low.get(key), high.get(key), kept, each.derived)
    return found


def _compared(head: tuple[str, str, str], path: str, theirs: Floats, ours: Ours) -> Compared:
    """Judge one quantity by its rule."""
    mine, rule = ours.value, ours.rule
    if mine.shape != theirs.shape:
        why = f"R has {theirs.size} numbers, we {mine.size}"
        apart = (np.nan, np.nan, np.inf, np.inf)
        return Compared(*head, path, theirs.size, *apart, rule.name, DIFFERS, why, ours.derived)
    slack = rule.absolute + rule.relative * np.abs(np.where(np.isfinite(mine), mine, 0))
    low, high = (bound if bound is not None else mine + way * slack
                 for bound, way in ((ours.low, -1), (ours.high, 1)))  # fmt: skip
    same = (mine == theirs) | (np.isnan(mine) & np.isnan(theirs))
    within = same | ((low <= theirs) & (theirs <= high))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(mine - theirs))
    difference[np.isnan(difference)] = np.inf  # one of the two is missing
    if ours.given is not None:
        within, difference = within | ~ours.given, np.where(ours.given, difference, 0.0)
    known = np.isfinite(theirs) & (theirs != 0)
    relative = np.divide(difference, np.abs(theirs), out=np.zeros_like(difference), where=known)
    worst = int(np.argmax(np.where(within, 0, 1e9) + difference))
    verdict = DIFFERS if not within.all() else EXPLAINED if rule.explains else AGREES
    numbers = (float(theirs[worst]), float(mine[worst]), float(difference.max()), float(relative.max()))
    size = theirs.size if ours.given is None else int(ours.given.sum())
    return Compared(*head, path, size, *numbers, rule.name, verdict, rule.why, ours.derived)
