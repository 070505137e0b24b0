"""What every docstring of the module must have, and the page on the module."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from doctest import DocTestParser
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import survaudit

PROJECT = Path(__file__).resolve().parents[1]
SOURCE = PROJECT / "src" / "survaudit"
FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if not path.name.startswith("__"))
PUBLIC = [name for name in FILES if not Path(name).name.startswith("_")]
SECTIONS = {"", "Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples"}


@dataclass(frozen=True)
class Item:
    """A public function or class, and where it stands."""

    file: str
    node: ast.FunctionDef | ast.ClassDef


def public_items(file: str, source: str) -> list[Item]:
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [Item(file, node) for node in nodes if not node.name.startswith("_")]


def sections(docstring: str) -> dict[str, str]:
    """Split a docstring at its underlined titles; what comes before the first has none."""
    first, *parts = re.split(r"^(\w+)\n-{3,}\n", docstring, flags=re.MULTILINE)
    return {"": first.strip()} | dict(zip(parts[::2], parts[1::2], strict=True))


ITEMS = [item for name in PUBLIC for item in public_items(name, (SOURCE / name).read_text())]


# ------------------------------------------------------------------ the page on the module


def records(annotation: object) -> Iterator[type]:
    """Yield the classes of the module in the type that a function returns."""
    for part in typing.get_args(annotation):
        yield from records(part)
    if inspect.isclass(annotation) and annotation.__module__.startswith("survaudit."):
        yield annotation


def test_the_page_has_every_public_name_and_every_record_that_one_returns(site: Path) -> None:
    soup = BeautifulSoup((site / "book" / "api.html").read_text(), "html.parser")
    places = {tag["id"] for tag in soup.find_all(id=True)}
    public = [getattr(survaudit, name) for name in survaudit.__all__]
    returned = {
        record
        for each in public
        if inspect.isfunction(each)
        for record in records(typing.get_type_hints(each)["return"])
    }
    assert len(returned) > 20
    assert {f"survaudit.{name}" for name in survaudit.__all__} <= places
    assert {f"{each.__module__}.{each.__name__}" for each in returned} <= places


def test_every_file_is_in_the_list_of_files() -> None:
    listed, folder = set(), ""
    for line in (PROJECT / "CONTRIBUTING.md").read_text().split("```")[1].strip().splitlines():
        name = line.split()[0]
        folder = folder if line.startswith(" ") else name if name.endswith("/") else ""
        listed |= set() if name.endswith("/") else {folder + name}
    assert listed == {name for name in FILES if not name.startswith("figures/")}


def test_examples_run_as_tests() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "src" in settings["testpaths"]
    assert "--doctest-modules" in settings["addopts"]
    assert sum("Examples" in documented(item) for item in ITEMS) > len(ITEMS) / 3


@pytest.mark.parametrize("name", PUBLIC)
def test_every_docstring_is_complete(name: str) -> None:
    for item in (each for each in ITEMS if each.file == name):
        found = documented(item)
        assert found[""], place_of(item)
        assert set(found) <= SECTIONS, place_of(item)
        described = {
            each.strip("* ")
            for head in re.findall(r"^(\S.*)$", found.get("Parameters", ""), flags=re.MULTILINE)
            for each in head.split(" : ")[0].split(",")
        }
        if isinstance(item.node, ast.FunctionDef):
            given = item.node.args
            names = {each.arg for each in (*given.args, *given.kwonlyargs, given.vararg, given.kwarg) if each}
            assert described <= names, place_of(item)
        assert "Examples" not in found or DocTestParser().get_examples(found["Examples"]), place_of(item)


# ------------------------------------------------------------------ what a docstring must have

# Files, or functions as `file:name`, that a rule leaves out, each with the reason. What no longer needs to be left out
# fails `test_no_exception_is_stale`.
BY_THE_LEDGER = "called by the ledger alone, all with the same two arguments, which the types describe"
KEPT = "makes or reads kept files for a command of the Makefile, and is not part of an analysis"
WITHOUT_RAISES = {
    "ledger/recompute.py": "a claim registered wrongly is told by the ledger, for all of them alike",
    "ledger/recompute_follow_up.py": "as in recompute.py",
}
WITHOUT_PARAMETERS = {
    "ledger/recompute.py": BY_THE_LEDGER,
    "ledger/recompute_follow_up.py": BY_THE_LEDGER,
    "kept.py": KEPT,
    "ledger/certificate.py": KEPT,
    "figures/": "what is drawn, and where; no figure enters a result",
}
NOT_SCIENTIFIC = {
    "ledger/recompute.py": "its example is the ledger, which the book prints whole",
    "ledger/recompute_follow_up.py": "as recompute.py, and only for a user's follow-up",
    "kept.py": KEPT,
    "ledger/certificate.py": KEPT,
    "figures/certificate.py": KEPT,
    "ledger/fingerprints.py": KEPT,
    "figures/": "draws, and computes nothing",
}
WITHOUT_EXAMPLE = {
    "follow_up/supplied.py:supplied_by_user": "depends on the environment; `read_supplied` has an example",
    "follow_up/supplied.py:current_follow_up": "depends on the environment; `read_synthetic` has an example",
    "warm.py:compile_kernels": "compiles for a minute where nothing is kept",
}
# Whose method a function is; the docstring must name them with a year.
SOURCES = {
    "ledger/claims.py:fractions_printed_as": "Brown and Heathers",
    "cohort/bounds.py:bounds": "Turnbull",
    "cohort/describe.py:exact_test": "Freeman and Halton",
    "follow_up/comparison.py:curves_of": "Kaplan and Meier",
    "follow_up/comparison.py:compare_groups": "Mantel",
    "cutpoint/corrections.py:bonferroni": "Bonferroni",
    "cutpoint/corrections.py:miller_siegmund": "Miller and Siegmund",
    "cutpoint/corrections.py:lausen_schumacher_1994": "Lausen",
    "cutpoint/corrections.py:conditional_gaussian": "Hothorn and Lausen",
    "cutpoint/corrections.py:hothorn_lausen": "Hothorn and Lausen",
    "cutpoint/corrections.py:union_bound": "Worsley",
    "cutpoint/corrections.py:integer_scores": "Hothorn and Lausen",
    "cutpoint/scan.py:scan_one": "Mantel",
    "cutpoint/scan.py:scan_one_permutation_variance": "Lausen and Schumacher",
    "cutpoint/scan.py:scan_two": "Mantel",
    "follow_up/decoding.py:decode_steps": "Kaplan and Meier",
    "follow_up/decoding.py:guyot": "Guyot, Ades, Ouwens and Welton",
    "follow_up/digitised.py:monotone": "Barlow",
    "cutpoint/dose_response.py:spline_effect": "Harrell",
    "follow_up/ensemble.py:compare_many": "Mantel",
    "follow_up/ensemble.py:draw": "Fix and Neyman",
    "follow_up/ensemble.py:best_cuts": "Mantel",
    "cutpoint/selection.py:every_cut": "Westfall and Young",
    "survival/hazards.py:cox": "Cox",
    "survival/hazards.py:firth_cox": "Firth",
    "survival/hazards.py:proportional_hazards": "Grambsch and Therneau",
    "immortal/episodes.py:landmark": "Anderson, Cain and Gelber",
    "immortal/episodes.py:mantel_byar": "Mantel and Byar",
    "immortal/episodes.py:permutation_p": "Mantel and Byar",
    "immortal/episodes.py:simon_makuch": "Simon and Makuch",
    "immortal/episodes.py:time_dependent_cox": "Crowley and Hu",
    "follow_up/reconstruct.py:possible_patients": "Hall",
    "immortal/no_effect.py:draw_cohorts": "Fix and Neyman",
    "cutpoint/nulls.py:null_table": "Miller and Siegmund",
    "follow_up/rank_sets.py:all_rank_sets": "Mantel",
    "follow_up/rank_sets.py:attainable": "Jackson",
    "follow_up/reconstruct.py:reconstruct": "Guyot, Ades, Ouwens and Welton",
    "cutpoint/selection.py:largest_permuted": "Westfall and Young",
    "cutpoint/selection.py:permutation_test": "Davison and Hinkley",
    "cutpoint/scan.py:scan_stratified": "Mantel",
    "survival/curves.py:kaplan_meier": "Kaplan and Meier",
    "survival/curves.py:log_rank": "Mantel",
    "survival/curves.py:restricted_mean": "Royston and Parmar",
    "survival/curves.py:restricted_mean_difference": "Uno",
    "survival/curves.py:reverse_kaplan_meier": "Schemper and Smith",
    "follow_up/sensitivity.py:tipping": "Yan, Lee and Li",
}


def documented(item: Item) -> dict[str, str]:
    return sections(inspect.cleandoc(ast.get_docstring(item.node) or ""))


def place_of(item: Item) -> str:
    return f"{item.file}:{item.node.name}"


def exception(item: Item, listed: dict[str, str]) -> str | None:
    """Return the entry by which a function is left out: its own, its file's or its folder's."""
    ways = (place_of(item), item.file, item.file.partition("/")[0] + "/")
    return next((way for way in ways if way in listed), None)


def raises(node: ast.AST, helpers: dict[str, ast.FunctionDef]) -> bool:
    """Return whether code raises an error, by itself or by a private function of its file."""
    todo, seen = [node], set()
    while todo:
        for each in ast.walk(todo.pop()):
            if isinstance(each, ast.Raise):
                return True
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id in helpers.keys() - seen:
                seen.add(each.func.id)
                todo.append(helpers[each.func.id])
    return False


def helpers_of(source: str) -> dict[str, ast.FunctionDef]:
    return {
        node.name: node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("_")
    }


def arguments(node: ast.FunctionDef) -> int:
    given = node.args
    return len([*given.posonlyargs, *given.args, *given.kwonlyargs]) + sum(map(bool, (given.vararg, given.kwarg)))


def lacking_raises(items: list[Item], source: str) -> list[Item]:
    helpers = helpers_of(source)
    return [each for each in items if raises(each.node, helpers) and "Raises" not in documented(each)]


def lacking_parameters(items: list[Item], _: str) -> list[Item]:
    return [each for each in items if arguments(each.node) > 1 and "Parameters" not in documented(each)]


def lacking_example(items: list[Item], _: str) -> list[Item]:
    return [each for each in items if "Examples" not in documented(each)]


RULES = {
    "Raises": (lacking_raises, WITHOUT_RAISES),
    "Parameters": (lacking_parameters, WITHOUT_PARAMETERS),
    "Examples": (lacking_example, NOT_SCIENTIFIC | WITHOUT_EXAMPLE),
}


def functions(name: str, source: str) -> list[Item]:
    return [item for item in public_items(name, source) if isinstance(item.node, ast.FunctionDef)]


def lacking(section: str) -> list[Item]:
    """Return every public function that lacks a section it should have, exceptions among them."""
    rule, _ = RULES[section]
    sources = {name: (SOURCE / name).read_text() for name in PUBLIC}
    return [item for name, source in sources.items() for item in rule(functions(name, source), source)]


@pytest.mark.parametrize("section", RULES)
def test_every_function_has_the_sections_it_needs(section: str) -> None:
    _, exceptions = RULES[section]
    assert [place_of(item) for item in lacking(section) if exception(item, exceptions) is None] == []


@pytest.mark.parametrize("section", RULES)
def test_no_exception_is_stale(section: str) -> None:
    _, exceptions = RULES[section]
    assert all(exceptions.values())
    assert set(exceptions) - {exception(item, exceptions) for item in lacking(section)} == set()


def methods_lacking_raises(name: str, source: str) -> list[str]:
    """Return the public methods that raise and do not say so; what a class refuses when made, it says itself."""
    found = []
    for item in (each for each in public_items(name, source) if isinstance(each.node, ast.ClassDef)):
        for method in (each for each in item.node.body if isinstance(each, ast.FunctionDef)):
            made = method.name in {"__init__", "__post_init__"}
            text = inspect.cleandoc(ast.get_docstring(item.node if made else method) or "")
            if (made or not method.name.startswith("_")) and raises(method, helpers_of(source)):
                found += [] if "Raises" in sections(text) else [f"{place_of(item)}.{method.name}"]
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_every_method_that_raises_says_so(name: str) -> None:
    assert methods_lacking_raises(name, (SOURCE / name).read_text()) == []


@pytest.mark.parametrize(("place", "authors"), SOURCES.items())
def test_a_method_names_its_source(place: str, authors: str) -> None:
    (item,) = (each for each in ITEMS if place_of(each) == place)
    text = " ".join((ast.get_docstring(item.node) or "").split())
    assert re.search(re.escape(authors) + r"[^.;]{0,60}?\b(1[6-9]|20)\d\d\b", text), text
