"""The schemas of the tidy tables, and the translation of their failures into cells.

The schemas are the one description of the tables: validation runs them, and the book's data
dictionary is printed from them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass

import pandas as pd
import pandera.pandas as pa

from survaudit.errors import CellFailure

N_PATIENTS = 28
GROUPS = ("CART1", "CART2", "CART+HSCT")
# Chen et al. appeared on this day; nothing that they report can be later.
PUBLISHED = pd.Timestamp("2021-10-29")
FIRST_DAY = pd.Timestamp("2016-01-01")

NOT_APPLICABLE = "not applicable"
NOT_REPORTED = "not reported"
NOT_ASSESSED = "not assessed"
NO_RELAPSE_RECORDED = "no relapse recorded"
NONE_REFRACTORY = "none, refractory"
SYMBOL_MEANINGS = (NOT_APPLICABLE, NO_RELAPSE_RECORDED, NOT_REPORTED, NONE_REFRACTORY, NOT_ASSESSED)
# The column of a failure that concerns a row as a whole.
WHOLE_ROW = "(row)"

RELAPSES = ("CD19+", "CD19-")
REMISSIONS = ("CR, MRD-", "CR, MRD+")
GROUP_DTYPE = pd.CategoricalDtype(list(GROUPS))

COMPARE = "compare the cell with the published table"


@dataclass(frozen=True)
class Rule:
    """One check in words: the column to blame, those it reads, what it expects, what to do."""

    column: str
    needs: tuple[str, ...]
    expected: str
    remedy: str = COMPARE


class _RuleBook:
    """Hands out pandera checks and remembers, by their error text, the rule behind each."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}

    def check(self, rule: Rule, holds: Callable[[pd.DataFrame], pd.Series | bool]) -> pa.Check:
        """Return a frame-wide check that is True in each row where the rule holds."""
        key = f"{rule.column}: {rule.expected}"
        self.rules[key] = rule
        return pa.Check(holds, error=key, ignore_na=False)


_BOOK = _RuleBook()


def _column(
    dtype: object, description: str, unit: str, header: str, checks: list[pa.Check], *, nullable: bool = False
) -> pa.Column:
    metadata = {"unit": unit, "header": header}
    return pa.Column(dtype, checks, nullable=nullable, description=description, metadata=metadata)


def _between(low: float, high: float) -> list[pa.Check]:
    return [pa.Check.in_range(low, high, error=f"a value from {low:g} to {high:g}")]


def _one_of(values: Collection[str]) -> list[pa.Check]:
    return [pa.Check.isin(list(values), error=f"one of {', '.join(map(repr, values))}")]


def _date(description: str, header: str, *, nullable: bool = False) -> pa.Column:
    error = f"a date from {FIRST_DAY:%Y-%m-%d} to {PUBLISHED:%Y-%m-%d}"
    checks = [pa.Check.in_range(FIRST_DAY, PUBLISHED, error=error)]
    return _column("datetime64[ns]", description, "date", header, checks, nullable=nullable)


def _patient() -> pa.Column:
    once = pa.Check(lambda numbers: ~numbers.duplicated(keep=False), error="each patient once")
    checks = [*_between(1, N_PATIENTS), once]
    return _column("int64", "Number of the patient in both tables", "number", "No.", checks)


def _complete() -> pa.Check:
    rule = Rule("patient", ("patient",), f"every patient from 1 to {N_PATIENTS}", "restore the missing rows")
    return _BOOK.check(rule, lambda frame: not missing_patients(frame))


def missing_patients(frame: pd.DataFrame) -> list[int]:
    """Return the patient numbers from 1 to 28 that a frame lacks, in order.

    Parameters
    ----------
    frame : pandas.DataFrame
        With a column ``patient``.

    Returns
    -------
    list of int

    Examples
    --------
    >>> missing_patients(pd.DataFrame({"patient": range(1, 27)}))
    [27, 28]
    """
    return sorted(set(range(1, N_PATIENTS + 1)) - set(frame["patient"].dropna()))


def _later(late: str, early: str) -> pa.Check:
    rule = Rule(late, (late, early), f"a date after {early}")
    return _BOOK.check(rule, lambda frame: _absent(frame[late]) | (frame[late] > frame[early]))


def _iff_group(column: str, group: str, absent: Collection[str] = ()) -> pa.Check:
    rule = Rule(column, (column, "group"), f"a value if, and only if, the group is {group}")
    return _BOOK.check(rule, lambda frame: _absent(frame[column], absent) == (frame["group"] != group))


def _absent(cells: pd.Series, words: Collection[str] = ()) -> pd.Series:
    return cells.isna() | cells.isin(list(words))


def _relapse_after_remission() -> pa.Check:
    rule = Rule("relapse_1", ("relapse_1", "response_1"), "a relapse only after a complete remission")
    return _BOOK.check(rule, lambda frame: ~frame["relapse_1"].isin(RELAPSES) | frame["response_1"].isin(REMISSIONS))


def _relapse_count() -> pa.Check:
    rule = Rule("n_relapses", ("n_relapses", "disease_status"), "a count if, and only if, the disease is relapsed")
    return _BOOK.check(rule, lambda frame: frame["n_relapses"].isna() == (frame["disease_status"] != "relapsed"))


PATIENTS = pa.DataFrameSchema(
    {
        "patient": _patient(),
        "diagnosis": _column("object", "Disease", "category", "Diagnosis", _one_of(["B-ALL"])),
        "disease_status": _column(
            "object",
            "Relapsed or refractory at entry",
            "category",
            "Diagnosis",
            _one_of(["relapsed", "refractory"]),
        ),
        "sex": _column("object", "Sex as printed", "category", "Gender", _one_of(["Male", "Female"])),
        "age_years": _column("int64", "Age", "years", "Age (yr)", _between(0, 120)),
        "complex_karyotype": _column("bool", "Complex karyotype", "yes or no", "Complex karyotype (Y/N)", []),
        "mrd_percent": _column(
            "float64", "Minimal residual disease before infusion", "per cent", "MRD (%)", _between(0, 100)
        ),
        "blasts_percent": _column(
            "float64",
            "Blasts in bone marrow; the table prints no unit",
            "per cent",
            "BM blasts (%)",
            _between(0, 100),
        ),
        "n_previous_therapies": _column(
            "int64", "Earlier lines of therapy", "count", "Number of previous therapies", _between(0, 100)
        ),
        "n_relapses": _column(
            "Int64",
            "Earlier relapses; missing means none because the disease was refractory",
            "count",
            "Number of relapses",
            _between(1, 20),
            nullable=True,
        ),
        "transduction_percent": _column(
            "float64",
            "T cells that carry the receptor",
            "per cent",
            "Transduction efficiency of T cells (%)",
            _between(0, 100),
        ),
        "dose_1e6_per_kg": _column(
            "float64",
            "CAR-T cells infused per kilogram",
            "million per kg",
            "Total CAR-T cells infused (×10^6/kg)",
            _between(0.001, 1000),
        ),
        "severe_crs": _column("bool", "Severe cytokine release syndrome", "yes or no", "Severe CRS (Y/N)", []),
    },
    checks=[_complete(), _relapse_count()],
    strict=True,
    coerce=True,
    ordered=True,
    name="Supplementary Table 1",
)

TREATMENTS = pa.DataFrameSchema(
    {
        "patient": _patient(),
        "group": _column(GROUP_DTYPE, "Treatment group, by what happened later", "category", "Group", _one_of(GROUPS)),
        "collection_1_date": _date("First collection of T cells", "Date of first T-cell collection"),
        "infusion_1_date": _date("First infusion: time zero of the book", "Date of first infusion"),
        "response_1": _column(
            "object",
            "Response to the first infusion",
            "category",
            "Response after first infusion",
            _one_of([*REMISSIONS, "NR", NOT_ASSESSED]),
        ),
        "relapse_1": _column(
            "object",
            "Relapse recorded after the first infusion, by antigen; undated",
            "category",
            "Relapse after first infusion",
            _one_of([*RELAPSES, NO_RELAPSE_RECORDED, NOT_APPLICABLE]),
        ),
        "collection_2_date": _date("Second collection of T cells", "Date of second T-cell collection", nullable=True),
        "infusion_2_date": _date("Second infusion", "Date of second infusion", nullable=True),
        "response_2": _column(
            "object",
            "Response to the second infusion",
            "category",
            "Response after reinfusion",
            _one_of(["CR", NOT_REPORTED, NOT_APPLICABLE]),
        ),
        "relapse_2": _column(
            "object",
            "Relapse recorded after the second infusion; undated",
            "category",
            "Relapse after reinfusion",
            _one_of([*RELAPSES, NOT_REPORTED, NOT_APPLICABLE]),
        ),
        "hsct_date": _date("Transplantation of stem cells", "Date of BMT", nullable=True),
        "response_hsct": _column(
            "object",
            "State after transplantation",
            "category",
            "Response after HSCT",
            _one_of(["CR", NOT_APPLICABLE]),
        ),
        "relapse_hsct": _column(
            "object",
            "What the last column prints; its meaning is ambiguous",
            "category",
            "Relapse after HSCT",
            _one_of([*RELAPSES, NOT_APPLICABLE]),
        ),
    },
    checks=[
        _complete(),
        _later("infusion_1_date", "collection_1_date"),
        _later("collection_2_date", "infusion_1_date"),
        _later("infusion_2_date", "collection_2_date"),
        _later("hsct_date", "infusion_1_date"),
        _iff_group("collection_2_date", "CART2"),
        _iff_group("infusion_2_date", "CART2"),
        _iff_group("response_2", "CART2", [NOT_APPLICABLE]),
        _iff_group("relapse_2", "CART2", [NOT_APPLICABLE]),
        _iff_group("hsct_date", "CART+HSCT"),
        _iff_group("response_hsct", "CART+HSCT", [NOT_APPLICABLE]),
        _iff_group("relapse_hsct", "CART+HSCT", [NOT_APPLICABLE]),
        _relapse_after_remission(),
    ],
    strict=True,
    coerce=True,
    ordered=True,
    name="Supplementary Table 2",
)

COHORT = pa.DataFrameSchema(
    {**PATIENTS.columns, **{name: c for name, c in TREATMENTS.columns.items() if name != "patient"}},
    checks=[*PATIENTS.checks, *TREATMENTS.checks],
    strict=True,
    coerce=True,
    ordered=True,
    name="Supplementary Tables 1 and 2",
)


def failing_cells(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, unreadable: Collection[tuple[int, str]] = ()
) -> list[CellFailure]:
    """Check the values of a frame and return every failing cell.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a patient, indexed by the row's number in its table; None where a cell could not
        be read.
    schema : pandera.DataFrameSchema
        ``PATIENTS``, ``TREATMENTS`` or ``COHORT``.
    unreadable : collection of (row, column)
        Cells whose failure is known already: what follows from them is not reported again.

    Returns
    -------
    list of CellFailure
        In order of row, then column; empty if every value is possible.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> patients = read_supplement("data/raw").patients.set_axis(range(1, 29))
    >>> (failure,) = failing_cells(patients.assign(sex=patients["sex"].where(patients["patient"] != 2, "X")), PATIENTS)
    >>> failure.row, failure.column, failure.value
    ('2', 'sex', "'X'")
    """
    # Types were settled when the cells were read. Here only values are in question, and missing
    # ones are let through so that one unreadable cell does not hide the others.
    days = [name for name, column in schema.columns.items() if str(column.dtype) == "datetime64[ns]"]
    dated = frame.assign(**{name: pd.to_datetime(frame[name]) for name in days})
    loose = schema.update_columns({name: {"dtype": None, "nullable": True} for name in schema.columns})
    loose.coerce = False
    try:
        loose.validate(dated, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases.to_dict("records")
        # A cell that is wrong by itself is known too, before rules that read it are applied. A doubled
        # patient's number is no reason to keep silent about a missing one.
        single = [case for case in cases if str(case["check"]) not in _BOOK.rules and case["column"] != "patient"]
        alone = {(int(str(case["index"])), str(case["column"])) for case in single}
        # A rule over whole rows reports a row once for each column: a dict keeps one of each.
        found = dict(_translate(case, dated, schema, {*unreadable, *alone}) for case in cases)
        return [failure for _, failure in sorted(found.items(), key=lambda item: item[0]) if failure is not None]
    return []


def _translate(
    case: Mapping[Hashable, object],
    frame: pd.DataFrame,
    schema: pa.DataFrameSchema,
    known: Collection[tuple[int, str]],
) -> tuple[tuple[int, int, str], CellFailure | None]:
    """Turn one of pandera's failure cases into its place and the failing cell.

    A rule that fails because of a cell that is known to fail gives None.
    """
    table, check = str(schema.name), str(case["check"])
    rule = _BOOK.rules.get(check)
    if case["index"] is None and rule is not None:
        if any(column in {*rule.needs, WHOLE_ROW} for _, column in known):
            return (0, 0, check), None
        absent = ", ".join(map(str, missing_patients(frame)))
        found = f"no row for {absent}"
        return (0, 0, check), CellFailure(table, "(all)", rule.column, found, rule.expected, rule.remedy)
    row = int(str(case["index"]))
    if rule and any((row, column) in known for column in (*rule.needs, WHOLE_ROW)):
        return (row, 0, check), None
    rule = rule or Rule(str(case["column"]), (), check)
    found = quote(frame.loc[row, rule.column])
    place = (row, list(schema.columns).index(rule.column), check)
    return place, CellFailure(table, str(row), rule.column, found, rule.expected, rule.remedy)


def quote(value: object) -> str:
    """Return a value as an error quotes it: short, with invisible characters made visible.

    Parameters
    ----------
    value : object
        Text, a number, a date or nothing.

    Returns
    -------
    str
        At most 80 characters.

    Examples
    --------
    >>> quote("CR, MRD+"), quote(pd.Timestamp("2021-03-31")), quote(None)
    ("'CR, MRD+'", '2021-03-31', 'no value')
    """
    if value is None or value is pd.NaT or value is pd.NA:
        return "no value"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def data_dictionary(schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Return one row a column of a schema: name, meaning, unit, printed header, values, missing.

    Parameters
    ----------
    schema : pandera.DataFrameSchema
        ``PATIENTS``, ``TREATMENTS`` or ``COHORT``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``column``, in the order of the schema.

    Examples
    --------
    >>> data_dictionary(PATIENTS).loc["mrd_percent", "unit"]
    'per cent'
    """
    rows = {
        name: {
            "meaning": column.description,
            "unit": (column.metadata or {})["unit"],
            "header": (column.metadata or {})["header"],
            "allowed": "; ".join(str(check.error) for check in column.checks) or "yes or no",
            "may be missing": "yes" if column.nullable else "no",
        }
        for name, column in schema.columns.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("column")
