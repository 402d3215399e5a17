"""docs/glossary.md: its rows and what has to be in them. To write its tables of classes and modules anew:
PYTHONPATH=tests python -m house.glossary
"""

import ast
import re

from house.shape import functions, parameters
from house.tree import PACKAGE, ROOT, parsed, sources

PAGE = ROOT / "docs" / "glossary.md"
STRUCK = frozenset({
    "spread", "some", "asked", "look", "room", "late", "closely", "among", "plain", "linked", "meanwhile",
    "told", "said", "found", "given", "held", "here", "near",
})  # fmt: skip
"""Words that say no noun: no function and no parameter is named so."""


def struck_names(tree):
    """`file::function: word` of functions and parameters that bear a struck word."""
    out = []
    for path, module in tree.items():
        for qualified, node in functions(module):
            names = [node.name, *parameters(node)]
            out += [f"{path}::{qualified}: {n}" for n in names if n.strip("_") in STRUCK]
    return sorted(set(out))


def public_classes(tree):
    """{class: its file below the package} of the classes at the top of files, private ones left out."""
    return {
        (node.name, path.removeprefix(f"{PACKAGE}/")): ast.get_docstring(node) or ""
        for path, module in tree.items()
        for node in module.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def modules(tree):
    """{file below the package: docstring} of all files but those that only gather names."""
    return {
        path.removeprefix(f"{PACKAGE}/"): ast.get_docstring(module) or ""
        for path, module in tree.items()
        if not path.endswith(("__init__.py", "__main__.py"))
    }


def rows(page):
    """The cells of every table row of the page, without the heads."""
    out = []
    for line in page.split("\n"):
        if line.startswith("| ") and not line.startswith(("| term", "| class", "| module", "| ---")):
            out.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return out


def faults(page, tree):
    """What is wrong with the page: homes that are not there, classes and modules that are missing or gone."""
    out = []
    table = rows(page)
    homes = {cells[-1].strip("`"): cells[0].strip("`") for cells in table if cells}
    for cells in table:
        if len(cells) < 3 or not all(cells):
            out.append(f"the row {' | '.join(cells)[:60]!r} has an empty cell")
        elif not _exists(cells[-1].strip("`"), tree):
            out.append(f"{cells[0]} has the home {cells[-1]}, which is not there")
    named = {cells[0].strip("`") for cells in table if cells}
    for name, path in public_classes(tree):
        if f"{path}::{name}" not in homes:
            out.append(f"the class {name} of {path} is missing")
    out += [f"the module {path} is missing" for path in modules(tree) if path not in homes]
    out += [f"{word!r} is a struck word and a term" for word in sorted(named & STRUCK)]
    return out


def _exists(home, tree):
    path, _, name = home.partition("::")
    if path.endswith("/"):
        return any(p.startswith(f"{PACKAGE}/{path}") for p in tree)
    module = tree.get(f"{PACKAGE}/{path}")
    if module is None or not name:
        return module is not None
    owner, *members = name.split(".")
    body = module.body
    for part in [owner, *members]:
        node = next((n for n in body if part in _names(n)), None)
        if node is None:
            return False
        body = getattr(node, "body", [])
    return True


def _names(node):
    if isinstance(node, ast.Assign):
        return {t.id for t in node.targets if isinstance(t, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    return {getattr(node, "name", "")}


def _sentence(text):
    """The first sentence of a docstring, as a cell."""
    line = " ".join(text.split("\n\n")[0].split())
    line = re.split(r"(?<=[a-z\])`][.])\s(?=[A-Z`])", line)[0].rstrip(".") or "-"
    return line.replace("|", "\\|")


def page_with_tables(page, tree):
    """The page with its tables of classes and modules made of the docstrings."""
    classes = [
        f"| `{name}` | {_sentence(text)} | `{path}::{name}` |" for (name, path), text in public_classes(tree).items()
    ]
    files = [f"| `{path}` | {_sentence(text)} | `{path}` |" for path, text in modules(tree).items()]
    tables = {
        "Classes": ["| class | meaning | home |", "| --- | --- | --- |", *sorted(classes, key=str.lower)],
        "Modules": ["| module | meaning | home |", "| --- | --- | --- |", *sorted(files)],
    }
    for title, lines in tables.items():
        head, _, rest = page.partition(f"\n## {title}\n")
        _, mark, after = rest.partition("\n## ")
        page = f"{head}\n## {title}\n\n" + "\n".join(lines) + "\n" + (mark + after if mark else "")
    return page


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text("utf-8"), parsed(sources())), "utf-8")
