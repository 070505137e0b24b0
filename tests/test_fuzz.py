"""Whatever the text, ``parse`` yields a valid frame or raises SurvAuditError, and nothing else.

The quick profile runs in ``make test``; HYPOTHESIS_PROFILE=deep tries 10,000 mutations.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survaudit.cohort import schema
from survaudit.cohort.tables import RAW_FILES, parse
from survaudit.errors import SurvAuditError, TableError

RAW = Path(__file__).resolve().parents[1] / "data" / "raw"
TEXTS = [(RAW / name).read_text(encoding="utf-8") for name in RAW_FILES]
SCHEMAS = {table.name: table for table in (schema.PATIENTS, schema.TREATMENTS)}

# Cells that look right in some column, or look like numbers and dates to a careless reader.
CELLS = st.sampled_from(
    [
        *("", "/", "-", "NA", "Y", "N", "0", "1", "28", "29", "1e3", "nan", "inf", "-1", "٣", "1_0", "0x1", "65.6.1"),
        *("9" * 30, "2016/8/22", "2016/02/30", "0000/1/1", "9999/12/31", "2016-08-22", "CART1", "CART+HSCT", "CR"),
        *("NR", "CR, MRD-", "CD19+", "B-ALL (relapsed)", "B-ALL (refractory)", "B-ALL (", "Male", "MRD (%)", "No."),
    ]
)


def mutations(lines: list[str]) -> st.SearchStrategy[Callable[[list[str]], list[str]]]:
    """One change to a list of lines: delete, double, swap, replace, retype, merge or break."""
    place = st.integers(0, len(lines) - 1)
    letter = st.characters(codec="utf-8")

    def at(i: int, new: Callable[[list[str]], list[str]]) -> Callable[[list[str]], list[str]]:
        return lambda text: text[: i % len(text)] + new(text[i % len(text) :]) if text else text

    return st.one_of(
        place.map(lambda i: at(i, lambda rest: rest[1:])),
        place.map(lambda i: at(i, lambda rest: rest[:1] + rest)),
        place.map(lambda i: at(i, lambda rest: rest[1:2] + rest[:1] + rest[2:])),
        st.tuples(place, CELLS).map(lambda p: at(p[0], lambda rest: ["\t" + p[1], *rest[1:]])),
        st.tuples(place, st.integers(0, 30), letter).map(
            lambda p: at(p[0], lambda rest: [rest[0][: p[1]] + p[2] + rest[0][p[1] + 1 :], *rest[1:]])
        ),
        st.tuples(place, letter).map(lambda p: at(p[0], lambda rest: [rest[0] + p[1], *rest[1:]])),
        place.map(lambda i: at(i, lambda rest: ["".join(rest[:2]), *rest[2:]])),
        place.map(lambda i: at(i, lambda rest: ["", *rest])),
    )


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    lines = draw(st.sampled_from(TEXTS)).split("\n")
    for mutate in draw(st.lists(mutations(lines), min_size=1, max_size=4)):
        lines = mutate(lines)
    return "\n".join(lines)


def check(text: str) -> None:
    try:
        table = parse(text)
    except TableError as error:
        assert error.failures
        assert all(failure.expected and failure.remedy and failure.row for failure in error.failures)
        assert len(set(error.failures)) == len(error.failures), "a failure is listed once"
        return
    except SurvAuditError:
        return
    SCHEMAS[table.name].validate(table.frame, lazy=True)
    assert sorted(table.frame["patient"]) == list(range(1, 29))


@given(mutated_texts())
def test_a_mutated_table_is_valid_or_refused(text: str) -> None:
    check(text)


@given(st.text(max_size=300))
def test_any_text_is_valid_or_refused(text: str) -> None:
    check(text)


@given(st.sampled_from(TEXTS), st.integers(0, 2600), st.integers(0, 2600))
def test_a_table_with_a_hole_is_valid_or_refused(text: str, start: int, end: int) -> None:
    check(text[:start] + text[end:])


@pytest.mark.parametrize("text", TEXTS)
def test_the_real_texts_are_valid(text: str) -> None:
    assert len(parse(text).frame) == 28
