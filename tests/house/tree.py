"""The parsed package, and the imports between its files."""

import ast
from pathlib import Path

from house.nodes import parse, walk

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PACKAGE = "fieldpack"


def parsed(sources):
    """{path: module} of {path: text}."""
    return {path: parse(text) for path, text in sources.items()}


def sources():
    """{path below src: text} of every file of the package."""
    files = sorted((SOURCE / PACKAGE).rglob("*.py"))
    return {p.relative_to(SOURCE).as_posix(): p.read_text("utf-8") for p in files}


def file_of(dotted, paths):
    """The file of a dotted module name, or None."""
    base = dotted.replace(".", "/")
    return next((p for p in (f"{base}.py", f"{base}/__init__.py") if p in paths), None)


def imported_names(path, module):
    """(dotted module, name or None) of every import: at the top, in functions, for typing."""
    package = path.removesuffix("/__init__.py").removesuffix(".py").split("/")
    if not path.endswith("__init__.py"):
        package.pop()
    for node in walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            dotted = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((dotted, alias.name) for alias in node.names)


def imports(path, module, paths):
    """The files of the package that a file imports. `from a import b` is an import of a/b.py where there is one."""
    for dotted, name in imported_names(path, module):
        if dotted.split(".")[0] != PACKAGE:
            continue
        target = (file_of(f"{dotted}.{name}", paths) if name else None) or file_of(dotted, paths)
        if target is not None and target != path:
            yield target


def graph(tree):
    """{file: set of the files that it imports}."""
    return {path: set(imports(path, module, tree)) for path, module in tree.items()}


def circles(edges):
    """Sorted lists of files that import each other, directly or on a way round (Tarjan's components of two or more)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in sorted(edges.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
                on_stack.discard(component[-1])
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return sorted(found)


def room_of(path):
    """The folder or module below the package that a file belongs to."""
    return path.split("/")[1].removesuffix(".py")


def upward(tree, rows):
    """`file -> file` of imports that do not point to a lower row. rows: the names, the lowest first."""
    number = {name: i for i, name in enumerate(rows)}
    out = []
    for path, targets in graph(tree).items():
        if room_of(path) in ("__init__", "__main__"):
            continue
        for target in sorted(targets):
            ours, theirs = room_of(path), room_of(target)
            if ours != theirs and theirs != "__init__" and number[theirs] >= number[ours]:
                out.append(f"{path} -> {target}")
    return sorted(out)


def root_imports(tree):
    """Files that import the package itself, instead of the module in which a name is made."""
    out = set()
    for path, module in tree.items():
        if room_of(path) in ("__init__", "__main__"):
            continue
        for dotted, name in imported_names(path, module):
            if dotted == PACKAGE and (name is None or file_of(f"{PACKAGE}.{name}", tree) is None):
                out.add(path)
    return sorted(out)
