from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from survaudit.__main__ import main
from survaudit.cohort.tables import Supplement
from survaudit.errors import ClaimError
from survaudit.ledger.claims import (
    VERDICT_MEANINGS,
    Claim,
    Verdict,
    compare,
    fractions_printed_as,
    half_unit,
    read_claims,
)
from survaudit.ledger.recompute import RECOMPUTATIONS
from survaudit.ledger.verdicts import Ledger, audit

# The statements that the audit set out to check.
IDS = [
    "n-patients",
    "n-groups",
    "n-not-evaluable",
    "cr-rate",
    "mrd-negative-rate",
    "severe-crs",
    "long-term-survival",
    "figure-s1-a",
    "figure-s1-b",
    "figure-s1-c",
    "figure-s1-d",
    "figure-s1-e",
    "figure-s1-f",
    "mrd-cut-point",
    "mrd-chi-square",
    "mrd-p-value",
    "mrd-p-selection",
    "no-icans",
]


def normal_tail(z: float) -> float:
    """The upper tail of the normal distribution, from the error function alone."""
    return math.erfc(z / math.sqrt(2)) / 2


# ------------------------------------------------------------------ the real ledger


def test_every_verdict_is_the_expected_one(ledger: Ledger) -> None:
    assert [row.claim.id for row in ledger.unexpected] == []


def test_every_statement_is_in_the_ledger(ledger: Ledger) -> None:
    assert set(IDS) <= {row.claim.id for row in ledger.rows}


def test_a_change_of_verdict_is_noticed_in_either_direction(supplement: Supplement, claims: dict[str, Claim]) -> None:
    wrong = dict(claims)
    wrong["cr-rate"] = replace(claims["cr-rate"], printed={"patients": "25", "percent": "92.5"})
    wrong["mrd-negative-rate"] = replace(claims["mrd-negative-rate"], printed={"patients": "20", "percent": "74.1"})
    assert [(row.claim.id, row.verdict) for row in audit(supplement, wrong).unexpected] == [
        ("cr-rate", Verdict.ROUNDING),
        ("mrd-negative-rate", Verdict.REPRODUCED),
    ]


def test_a_change_in_the_tables_changes_the_verdict(supplement: Supplement, claims: dict[str, Claim]) -> None:
    treatments = supplement.treatments.copy()
    treatments.loc[treatments["patient"] == 1, "response_1"] = "CR, MRD-"
    unexpected = {row.claim.id for row in audit(replace(supplement, treatments=treatments), claims).unexpected}
    assert {"n-not-evaluable", "cr-rate", "severe-crs"} <= unexpected


def test_p_value_from_the_error_function(ledger: Ledger) -> None:
    finding = ledger["mrd-p-value"].finding
    assert finding.values["p"] == pytest.approx(2 * normal_tail(math.sqrt(5.59)), rel=1e-12)
    assert finding.facts["p_least"] == pytest.approx(2 * normal_tail(math.sqrt(5.595)), rel=1e-12)
    assert finding.facts["p_most"] == pytest.approx(2 * normal_tail(math.sqrt(5.585)), rel=1e-12)
    # The limits of the chi-square turn back into the limits of the printed P.
    assert 2 * normal_tail(math.sqrt(finding.facts["chi_square_least"])) == pytest.approx(0.0175, rel=1e-9)
    # Between the two, and nowhere else, digits cut off print both numbers.
    ends = finding.facts["cut_off_least"], finding.facts["cut_off_most"]
    prints = [
        (math.floor(100 * x), math.floor(1000 * 2 * normal_tail(math.sqrt(x)))) == (559, 17)
        for x in (ends[0] - 1e-6, ends[0] + 1e-6, ends[1] - 1e-6, ends[1] + 1e-6)
    ]
    assert prints == [False, True, True, False]
    assert 2 * normal_tail(math.sqrt(finding.facts["chi_square_most"])) == pytest.approx(0.0165, rel=1e-9)


def test_rates_are_counted_from_the_raw_text(ledger: Ledger, raw_texts: list[str]) -> None:
    responses = [block.split("\n\t")[4] for block in raw_texts[1].split("\n\n")[1:]]
    assessed = [response for response in responses if response.strip() != "NA"]
    negative = sum(response == "CR, MRD-" for response in assessed)
    remission = sum(response.startswith("CR") for response in assessed)
    assert ledger["mrd-negative-rate"].finding.values == {"patients": negative, "percent": negative / 27 * 100}
    assert ledger["cr-rate"].finding.values["patients"] == remission
    assert len(assessed) == 27


def test_cut_point_facts_are_counted_from_the_raw_text(ledger: Ledger, raw_texts: list[str]) -> None:
    mrd = {int(b.split("\n\t")[0].strip("\t ")): float(b.split("\n\t")[5]) for b in raw_texts[0].split("\n\n")[1:]}
    facts = ledger["mrd-cut-point"].finding.facts
    assert facts["owner"] == ", ".join(str(k) for k, v in mrd.items() if v == 65.6)
    assert facts["high"] == ", ".join(str(k) for k, v in mrd.items() if v > 65.6)
    assert (facts["n_low"], facts["n_high"]) == (23, 5)
    assert (facts["n_low_strict"], facts["n_high_strict"]) == (22, 6)


def test_every_reason_is_filled_in(ledger: Ledger) -> None:
    for row in ledger.rows:
        assert row.reason
        assert "{" not in row.reason + row.claim.statement


def test_register_and_functions_fit(claims: dict[str, Claim], project: Path) -> None:
    assert {claim.compute for claim in claims.values()} == set(RECOMPUTATIONS)
    for claim in claims.values():
        assert (project / claim.notebook).is_file()
    assert set(VERDICT_MEANINGS) == set(Verdict)


def test_frame_has_a_row_for_each_printed_number(ledger: Ledger) -> None:
    frame = ledger.to_frame()
    assert len(frame) == sum(max(1, len(row.claim.printed)) for row in ledger.rows)
    rate = frame.set_index(["claim", "number"]).loc[("mrd-negative-rate", "percent")]
    assert (rate["printed"], rate["verdict"]) == ("74.7", "contradicted")
    assert rate["recomputed"] == pytest.approx(2000 / 27)


def test_verdicts_are_counted_as_the_register_has_them(ledger: Ledger, project: Path) -> None:
    register = yaml.safe_load((project / "data" / "claims.yml").read_text())
    table = ledger.verdicts()
    for column, source in (("of the paper", "paper"), ("readings", "reading")):
        expected = Counter(entry["expected"] for entry in register if entry.get("source", "paper") == source)
        assert {verdict: count for verdict, count in table[column].items() if count} == expected
    # What no row has is not shown, and the rest stands in the order in which it is explained.
    assert list(table["meaning"]) == [
        meaning for verdict, meaning in VERDICT_MEANINGS.items() if verdict in {entry["expected"] for entry in register}
    ]


def test_select_and_lookup(ledger: Ledger) -> None:
    assert [row.claim.id for row in ledger.select("no-icans", "cr-rate").rows] == ["no-icans", "cr-rate"]
    with pytest.raises(ClaimError, match="no claim 'nothing'"):
        ledger["nothing"]


def test_command_prints_every_claim(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in IDS)


# ------------------------------------------------------------------ comparing with what is printed


@pytest.mark.parametrize(
    ("printed", "value", "verdict"),
    [
        ("74.7", 74.65, Verdict.REPRODUCED),
        ("74.7", 74.7499, Verdict.REPRODUCED),
        ("74.7", 74.75, Verdict.REPRODUCED),
        ("74.7", 74.751, Verdict.ROUNDING),
        ("74.7", 74.79, Verdict.ROUNDING),
        ("74.7", 74.8, Verdict.CONTRADICTED),
        ("74.7", 74.074, Verdict.CONTRADICTED),
        ("28", 28, Verdict.REPRODUCED),
        ("28", 27, Verdict.CONTRADICTED),
        ("0.017", 0.01806, Verdict.CONTRADICTED),
        ("0.018", 0.01806, Verdict.REPRODUCED),
        ("0.1", 0.15, Verdict.REPRODUCED),
    ],
)
def test_tolerance_follows_from_the_printed_digits(printed: str, value: float, verdict: Verdict) -> None:
    assert compare(printed, value) is verdict


@given(st.decimals(min_value=-1000, max_value=1000, places=3), st.integers(0, 3))
def test_a_number_reproduces_its_own_rounding(value: Decimal, places: int) -> None:
    assert compare(str(round(value, places)), float(value)) is Verdict.REPRODUCED


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 2))
def test_fractions_find_every_count_that_prints_so(count: int, total: int, places: int) -> None:
    count = min(count, total)
    printed = f"{round(Decimal(100 * count) / total, places)}"
    assert Fraction(count, total) in fractions_printed_as(printed, total)


def test_no_fraction_of_the_cohort_prints_as_the_published_rate() -> None:
    printed = {f"{100 * count / total:.1f}" for total in range(1, 29) for count in range(total + 1)}
    assert ("74.7" in printed, "92.6" in printed) == (False, True)
    assert fractions_printed_as("74.7", 28) == []


@pytest.mark.parametrize(("printed", "half"), [("28", "0.5"), ("74.7", "0.05"), ("0.017", "0.0005"), ("1e3", "500")])
def test_half_unit(printed: str, half: str) -> None:
    assert half_unit(printed) == Decimal(half)


@pytest.mark.parametrize("printed", ["", "x", "NaN", "Infinity", "1,5"])
def test_what_is_no_number_is_refused(printed: str) -> None:
    with pytest.raises(ClaimError, match="expected digits"):
        compare(printed, 1.0)


def test_a_recomputed_value_must_be_finite() -> None:
    with pytest.raises(ClaimError, match="finite"):
        compare("1", math.nan)


# ------------------------------------------------------------------ bad registers

GOOD = """
- id: a
  where: Abstract
  claim: A claim.
  printed: {n: "1"}
  compute: patient_count
  notebook: notebooks/01_raw_tables.md
  expected: open
  reason: A reason.
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "list of claims"),
        ("- [", "claims.yml"),
        ("- a", "claim 1"),
        (GOOD + GOOD, "stands twice"),
        (GOOD.replace('"1"', "1"), "needs quotes"),
        (GOOD.replace('"1"', '"one"'), "expected digits"),
        (GOOD.replace("open", "perhaps"), "perhaps"),
        (GOOD.replace("  where: Abstract\n", ""), "where"),
        (GOOD + "  colour: red\n", "colour"),
    ],
)
def test_a_bad_register_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "claims.yml"
    path.write_text(text)
    with pytest.raises(ClaimError, match=message):
        read_claims(path)
    with pytest.raises(ClaimError, match=r"claims\.yml"):
        read_claims(path)


def test_a_missing_register_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match=r"claims\.yml"):
        read_claims(tmp_path / "claims.yml")


@pytest.mark.parametrize(("field", "value"), [("compute", "magic"), ("printed", {"other": "1"}), ("options", {})])
def test_a_claim_that_does_not_fit_its_function_is_refused(
    supplement: Supplement, claims: dict[str, Claim], field: str, value: object
) -> None:
    claim = claims["figure-s1-a"] if field == "options" else claims["n-patients"]
    with pytest.raises(ClaimError, match=claim.id):
        audit(supplement, {claim.id: replace(claim, **{field: value})})


# ------------------------------------------------------------------ the README


def test_the_readme_tells_what_the_ledger_computes(ledger: Ledger, project: Path) -> None:
    """The README is read without a build, so its numbers are typed; here they are held to the ledger."""
    text = (project / "README.md").read_text()
    facts = {row.claim.id: {**row.finding.values, **row.finding.facts} for row in ledger.rows}
    rate, selection, groups = facts["mrd-negative-rate"], facts["mrd-p-selection"], facts["groups-comparable"]
    told = (
        f"has P = {facts['mrd-p-value']['p']:.3f}. The paper prints {ledger['mrd-p-value'].claim.printed['p']}",
        f"the best of {selection['n_cuts']} cuts of {selection['n_patients']} patients",
        f"in {100 * selection['least']:.1f} to {selection['most']:.1%} of cohorts",
        f"allowed, in up to {selection['free']:.0%}",
        f"{rate['patients']} of {rate['assessed']} patients are {rate['percent']:.1f}%",
        f"by {groups['mrd_negative_response_hsct']} of {groups['assessed_hsct']} patients assessed in CART+HSCT, "
        f"{groups['mrd_negative_response_cart2']} of {groups['assessed_cart2']} in CART2 and "
        f"{groups['mrd_negative_response_cart1']} of {groups['assessed_cart1']} in CART1",
        f"had to live {facts['sequence']['shortest']} to {facts['sequence']['longest']} days",
        f"{facts['cr-rate']['patients']} of {facts['cr-rate']['assessed']} ({facts['cr-rate']['percent']:.1f}%)",
        f"{facts['severe-crs']['severe']} patients marked with severe CRS",
    )
    assert [sentence for sentence in told if sentence not in text] == []
