"""The page that is written from the docstrings of the module."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from doctest import DocTestParser
from pathlib import Path

import pytest
from api_reference import MARK, Item, as_markdown, item_page, listed_files, public_items, reference, sections
from bs4 import BeautifulSoup

PROJECT = Path(__file__).resolve().parents[1]
SOURCE = PROJECT / "src" / "survaudit"
FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if not path.name.startswith("__"))
PUBLIC = [name for name in FILES if not Path(name).name.startswith("_")]
ITEMS = [item for name in PUBLIC for item in public_items(name, (SOURCE / name).read_text())]


@pytest.fixture(scope="module")
def page() -> str:
    return reference(PROJECT)


# ------------------------------------------------------------------ the module


def test_every_file_is_on_the_page_in_the_order_of_the_list(page: str) -> None:
    contributing = (PROJECT / "CONTRIBUTING.md").read_text()
    figures = (name for name in FILES if name.startswith("figures/"))
    assert sorted(listed_files(contributing, figures)) == FILES
    shown = re.findall(r"^`survaudit/(.*)`$", page, flags=re.MULTILINE)
    assert sorted(shown) == FILES
    listed = [
        line.split()[0]
        for line in contributing.split("```")[1].splitlines()
        if line.startswith(tuple("abcdefghijklmnopqrstuvwxyz_"))
    ]
    assert [name for name in shown if "/" not in name] == [name for name in listed if not name.endswith("/")]


def test_a_list_in_another_form_is_read_as_it_stands() -> None:
    text = "```\nerrors.py   all errors\ncohort/     the paper\n    a.py    one\nfigures/    drawing\n```"
    assert listed_files(text, iter(["figures/z.py", "figures/b.py"])) == {
        "errors.py": "all errors", "cohort/a.py": "one", "figures/b.py": "", "figures/z.py": "",
    }  # fmt: skip


def test_every_public_object_is_there_once(page: str) -> None:
    anchors = re.findall(r"^:name: (.*)$", page, flags=re.MULTILINE)
    assert sorted(anchors) == sorted(item.anchor for item in ITEMS)
    assert len(anchors) == len(set(anchors)) > 150
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= set(anchors)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_the_source_says_is_what_python_finds(name: str) -> None:
    module = importlib.import_module("survaudit." + name.removesuffix(".py").replace("/", "."))
    found = {
        each for each, value in vars(module).items()
        if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module.__name__
        and not each.startswith("_")
    }  # fmt: skip
    assert {item.node.name for item in ITEMS if item.file == name} >= found


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.file}:{item.node.name}")
def test_every_docstring_is_complete(item: Item) -> None:
    found = sections(inspect.cleandoc(ast.get_docstring(item.node) or ""))
    assert found[""]
    described = {
        name.strip("* ")
        for head in re.findall(r"^(\S.*)$", found.get("Parameters", ""), flags=re.MULTILINE)
        for name in head.split(" : ")[0].split(",")
    }
    if described and isinstance(item.node, ast.FunctionDef):
        arguments = item.node.args
        names = {each.arg for each in (*arguments.args, *arguments.kwonlyargs)}
        names |= {each.arg for each in (arguments.vararg, arguments.kwarg) if each}
        assert described <= names
    if "Examples" in found:
        assert DocTestParser().get_examples(found["Examples"])


def test_examples_run_as_tests(page: str) -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "src" in settings["testpaths"]
    assert "--doctest-modules" in settings["addopts"]
    assert page.count("```pycon") == sum("Examples" in documented(item) for item in ITEMS) > len(ITEMS) / 3


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
    "cutpoint/montecarlo.py": KEPT,
    "ledger/certificate.py": KEPT,
    "figures/": "what is drawn, and where; no figure enters a result",
}
NOT_SCIENTIFIC = {
    "ledger/recompute.py": "its example is the ledger, which the book prints whole",
    "ledger/recompute_follow_up.py": "as recompute.py, and only for a user's follow-up",
    "cutpoint/montecarlo.py": KEPT,
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
    "follow_up/ensemble_cuts.py:best_cuts": "Mantel",
    "cutpoint/explore.py:every_cut": "Westfall and Young",
    "survival/hazards.py:cox": "Cox",
    "survival/hazards.py:firth_cox": "Firth",
    "survival/hazards.py:proportional_hazards": "Grambsch and Therneau",
    "immortal/episodes.py:landmark": "Anderson, Cain and Gelber",
    "immortal/episodes.py:mantel_byar": "Mantel and Byar",
    "immortal/episodes.py:permutation_p": "Mantel and Byar",
    "immortal/episodes.py:simon_makuch": "Simon and Makuch",
    "immortal/episodes.py:time_dependent_cox": "Crowley and Hu",
    "follow_up/linking.py:possible_patients": "Hall",
    "immortal/no_effect.py:comparisons": "Mantel and Byar",
    "immortal/no_effect.py:draw_cohorts": "Fix and Neyman",
    "cutpoint/nulls.py:null_table": "Miller and Siegmund",
    "follow_up/rank_sets.py:all_rank_sets": "Mantel",
    "follow_up/rank_sets.py:attainable": "Jackson",
    "follow_up/reconstruct.py:reconstruct": "Guyot, Ades, Ouwens and Welton",
    "cutpoint/selection.py:largest_permuted": "Westfall and Young",
    "cutpoint/selection.py:permutation_test": "Davison and Hinkley",
    "cutpoint/stratified.py:scan_stratified": "Mantel",
    "survival/curves.py:kaplan_meier": "Kaplan and Meier",
    "survival/curves.py:log_rank": "Mantel",
    "survival/curves.py:restricted_mean": "Royston and Parmar",
    "survival/curves.py:restricted_mean_difference": "Uno",
    "survival/curves.py:reverse_kaplan_meier": "Schemper and Smith",
    "follow_up/tipping.py:tipping": "Yan, Lee and Li",
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


BARE = '''
def _refuse(x: int) -> None:
    raise ValueError(x)

def direct(x: int) -> None:
    """Refuse it."""
    raise ValueError(x)

def by_helper(x: int, y: int) -> int:
    """Refuse it."""
    return _refuse(x) or y

def harmless(x: int, *, y: int) -> int:
    """Add them.

    Parameters
    ----------
    x, y : int

    Examples
    --------
    >>> harmless(1, y=2)
    3
    """
    return x + y
'''


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (lacking_raises, ["direct", "by_helper"]),
        (lacking_parameters, ["by_helper"]),
        (lacking_example, ["direct", "by_helper"]),
    ],
)
def test_the_rules_find_what_lacks_a_section(rule, expected) -> None:
    assert [item.node.name for item in rule(functions("bare.py", BARE), BARE)] == expected


def test_a_method_that_raises_is_found() -> None:
    source = 'class A:\n    """A."""\n    def f(self) -> None:\n        """F."""\n        raise ValueError\n'
    assert methods_lacking_raises("a.py", source) == ["a.py:A.f"]


SMALL = '''
def f(x: int, *, why: str = "a_b") -> int:  # a comment
    """Return *it* of `g`, or ``y``.

    More <here>.

    Parameters
    ----------
    x : {1, 2}
        A number
        of days.
    why : str

    Raises
    ------
    Wrong
        If `x` is.

    Examples
    --------
    >>> f(1)
    1
    """
    return x
'''


def test_one_item_reads_as_it_was_meant() -> None:
    (item,) = public_items("small.py", SMALL)
    shown = item_page(item, {"g": "api-small-g", "Wrong": "api-small-class-wrong"})
    assert shown.startswith("::::{dropdown} f: Return \\*it\\* of `g`") or "Return \\*it\\* of g, or y." in shown
    assert '```python\ndef f(x: int, *, why: str = "a_b") -> int\n```' in shown
    assert "More \\<here\\>." in shown
    assert "`x` : \\{1, 2\\}\n: A number\n  of days.\n" in shown
    assert "[`Wrong`](#api-small-class-wrong)\n: If `x` is." in shown
    assert "```pycon\n>>> f(1)\n1\n```" in shown


def test_prose_has_no_markup_but_literals_and_links() -> None:
    assert (
        as_markdown("a_b $x$ `survaudit.m.f` [z]", {"m.f": "here"}) == "a\\_b \\$x\\$ [`survaudit.m.f`](#here) \\[z\\]"
    )


def test_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found the sections \['Remarks'\]"):
        sections("A.\n\nRemarks\n-------\nB.")


def test_the_page_has_its_mark() -> None:
    assert (PROJECT / "book" / "api.md").read_text().count(MARK) == 1


def test_the_built_page_has_every_object(site: Path) -> None:
    soup = BeautifulSoup((site / "book" / "api.html").read_text(), "html.parser")
    places = {tag["id"] for tag in soup.find_all(id=True)}
    assert {item.anchor for item in ITEMS} <= places
    signatures = " ".join(re.sub(r"\s+", " ", each.get_text()) for each in soup.select("details.api pre"))
    assert all(f"{item.node.name}" in signatures for item in ITEMS)
