"""Sizes: lines of files and functions, parameters, positional arguments, returned tuples."""

import ast

from house.nodes import children

LIMITS = {"file lines": 300, "function lines": 40, "parameters": 7, "positional arguments": 5, "returned tuple": 2}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def functions(module):
    """(qualified name, node) of every function, nested ones and methods too."""
    todo = [("", module)]
    while todo:
        prefix, node = todo.pop()
        for child in children(node):
            if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                name = f"{prefix}{child.name}"
                if isinstance(child, FUNCTIONS):
                    yield name, child
                todo.append((f"{name}.", child))
            else:
                todo.append((prefix, child))


def parameters(function):
    """The names of the parameters, without self and cls."""
    a = function.args
    names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    names += [x.arg for x in (a.vararg, a.kwarg) if x is not None]
    return [n for n in names if n not in ("self", "cls")]


def tuple_length(annotation):
    """Elements of the longest tuple[...] of a fixed length that an annotation is, or may be."""
    if isinstance(annotation, ast.BinOp):
        return max(tuple_length(annotation.left), tuple_length(annotation.right))
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) in ("tuple", "Tuple"):
        elements = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        return 0 if any(isinstance(e, ast.Constant) and e.value is ... for e in elements) else len(elements)
    return 0


def own_calls(function):
    """The calls of a function or module, without those of functions inside it."""
    todo = list(children(function))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, FUNCTIONS):
            todo += children(node)


def measured(sources, tree):
    """{limit: {place: size}} of everything that is over its limit."""
    over = {name: {} for name in LIMITS}

    def note(limit, place, size):
        if size > LIMITS[limit]:
            over[limit][place] = max(size, over[limit].get(place, 0))

    for path, module in tree.items():
        note("file lines", path, sources[path].count("\n"))
        for name, node in [("", module), *functions(module)]:
            place = f"{path}::{name}" if name else path
            for call in own_calls(node):
                note("positional arguments", place, len(call.args))
            if name:
                note("function lines", place, node.end_lineno - node.lineno + 1)
                note("parameters", place, len(parameters(node)))
                note("returned tuple", place, tuple_length(node.returns))
    return over
