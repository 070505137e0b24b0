"""Print the lines of code of the module, by file and room: without docstrings, comments and blank lines."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def lines_of_code(source: str) -> int:
    """Return how many lines of a file hold code."""
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            text = node.body[0]
            found.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(found)


def sizes(module: Path) -> dict[str, int]:
    """Return the lines of code of each file below a folder."""
    return {
        path.relative_to(module).as_posix(): lines_of_code(path.read_text(encoding="utf-8"))
        for path in sorted(module.rglob("*.py"))
    }


def main() -> None:
    """Print every file, then every room, then all."""
    found = sizes(Path(__file__).resolve().parents[2] / "src" / "survaudit")
    rooms: dict[str, int] = {}
    for file, lines in found.items():
        room = file.split("/")[0]
        rooms[room] = rooms.get(room, 0) + lines
        print(f"{lines:6} {file}")
    print()
    for room, lines in rooms.items():
        print(f"{lines:6} {room}")
    print(f"{sum(found.values()):6} in {len(found)} files, the longest {max(found.values())}")


if __name__ == "__main__":
    main()
