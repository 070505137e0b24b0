"""The pages that are written from other sources: the reference of the module, and the list of exercises."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from doctest import DocTestParser
from pathlib import Path

import nbformat
import pytest
from api_reference import MARK, Item, as_markdown, item_page, listed_files, public_items, reference, sections
from bs4 import BeautifulSoup
from exercises import MARK as EXERCISE_MARK
from exercises import exercises, moved, printed

PROJECT = Path(__file__).resolve().parents[1]
SOURCE = PROJECT / "src" / "survaudit"
FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if not path.name.startswith("__"))
PUBLIC = [name for name in FILES if not name.startswith("_")]
ITEMS = [item for name in PUBLIC for item in public_items(name, (SOURCE / name).read_text())]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.md"))


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
    assert page.count("```pycon") > 80


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


@pytest.mark.parametrize(("name", "mark"), [("api", MARK), ("exercises", EXERCISE_MARK)])
def test_the_page_has_its_mark(name: str, mark: str) -> None:
    assert (PROJECT / "book" / f"{name}.md").read_text().count(mark) == 1


def test_the_built_page_has_every_object(site: Path) -> None:
    soup = BeautifulSoup((site / "book" / "api.html").read_text(), "html.parser")
    for item in ITEMS:
        place = soup.find(id=item.anchor)
        assert place is not None, item.anchor
    signatures = " ".join(re.sub(r"\s+", " ", each.get_text()) for each in soup.select("details.api pre"))
    assert all(f"{item.node.name}" in signatures for item in ITEMS)


# ------------------------------------------------------------------ exercises


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_exercise_has_a_solution(path: Path) -> None:
    text = path.read_text()
    found = exercises(text, path.name)
    assert len(found) == len(re.findall(r"^  code_prompt_show: Solution \d+$", text, flags=re.MULTILINE))
    assert bool(found) == ("### Exercises" in text)
    assert all(each.task and each.solution for each in found)


NOTEBOOK = """# Title

## What we found

### Exercises

1. Why {glue:text}`n`? See [there](02_x.md).
2. What else?

```{code-cell} ipython3
---
mystnb:
  code_prompt_show: Solution 1
tags: [hide-cell]
---
print(1)
```

```{code-cell} ipython3
---
mystnb:
  code_prompt_show: Solution 2
tags: [hide-cell]
---
2
```

**Next:** more.
"""


def test_exercises_are_read_with_their_solutions() -> None:
    first, second = exercises(NOTEBOOK, "x")
    assert (first.number, first.solution, second.task, second.solution) == (1, "print(1)", "What else?", "2")
    assert moved(first.task, "notebooks/01_y.md") == (
        "Why {glue:text}`../notebooks/01_y.md::n`? See [there](../notebooks/02_x.md)."
    )
    assert exercises("# Title\n\nText.\n", "x") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2. What else?\n", ""),
        ("code_prompt_show: Solution 2", "code_prompt_show: Show"),
        ("code_prompt_show: Solution 2", "code_prompt_show: Solution 3"),
        ("2. What else?", "3. What else?"),
        ("tags: [hide-cell]\n---\n2", "---\n2"),
    ],
)
def test_an_exercise_without_solution_stops_the_build(old: str, new: str) -> None:
    assert old in NOTEBOOK
    with pytest.raises(ValueError, match="expected each exercise to have a hidden cell"):
        exercises(NOTEBOOK.replace(old, new), "x.md")


def test_results_are_those_of_the_cell() -> None:
    v4 = nbformat.v4
    outputs = [v4.new_output("stream", text="one\n"), v4.new_output("execute_result", {"text/plain": "2"})]
    cells = [v4.new_code_cell("1"), v4.new_code_cell("print('one')\n2", outputs=outputs)]
    assert printed(v4.new_notebook(cells=cells), "print('one')\n2") == "one\n2"


def test_the_built_page_has_every_exercise_with_its_result(site: Path) -> None:
    soup = BeautifulSoup((site / "book" / "exercises.html").read_text(), "html.parser").find("article")
    expected = [each for path in NOTEBOOKS for each in exercises(path.read_text(), path.name)]
    folded = soup.find_all("details")
    assert len(folded) == len(expected) > 20
    for one, each in zip(folded, expected, strict=True):
        code, *results = one.find_all("pre")
        assert code.get_text().strip() == each.solution
        assert results, each.task
        assert results[0].get_text().strip()
