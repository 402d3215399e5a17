"""Records stay as they were made: no write into an attribute of a parameter, or of self in a frozen record."""

import ast

from house.nodes import children
from house.shape import FUNCTIONS, parameters


def writes(tree):
    """`file::function: statement` of every write into a record."""
    out = []
    for path, module in tree.items():
        for owner, function in _functions(module, None):
            frozen_self = {"self"} if owner is not None and _is_frozen(owner) else set()
            names = {*parameters(function)} - {"cls"} | frozen_self
            for node in _own_nodes(function):
                if _is_write(node, names, function.name):
                    out.append(f"{path}::{function.name}: {ast.unparse(node)[:80]}")
        for node in _own_nodes(module):
            if _is_write(node, set(), ""):
                out.append(f"{path}: {ast.unparse(node)[:80]}")
    return sorted(out)


def _functions(node, owner):
    for child in children(node):
        if isinstance(child, FUNCTIONS):
            yield owner, child
        yield from _functions(child, child if isinstance(child, ast.ClassDef) else owner)


def _own_nodes(function):
    """The statements and calls of a function; a function inside it sees its parameters too."""
    todo = list(children(function))
    while todo:
        node = todo.pop()
        yield node
        if not (isinstance(function, ast.Module) and isinstance(node, FUNCTIONS)):
            todo += children(node)


def _is_frozen(owner):
    return any("frozen=True" in ast.unparse(d) for d in owner.decorator_list if "dataclass" in ast.unparse(d))


def _is_write(node, names, function):
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
        return any(_into_record(t, names) for target in targets for t in _flat(target))
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called in ("object.__setattr__", "object.__delattr__"):
            return function != "__post_init__"
        out = (k.value for k in node.keywords if k.arg == "out" and called.startswith("np."))
        return any(_attribute_of(value, names) for value in out)
    return False


def _flat(target):
    return [t for e in target.elts for t in _flat(e)] if isinstance(target, ast.Tuple | ast.List) else [target]


def _into_record(target, names):
    if not isinstance(target, ast.Subscript):
        return False
    inner = target.value
    if isinstance(inner, ast.Call) and ast.unparse(inner.func) == "vars":
        return True
    if isinstance(inner, ast.Attribute) and inner.attr == "__dict__":
        return True
    return _attribute_of(inner, names)


def _attribute_of(node, names):
    """Whether a node is an attribute, or something inside an attribute, of one of the names."""
    attribute = False
    while isinstance(node, ast.Attribute | ast.Subscript):
        attribute = attribute or isinstance(node, ast.Attribute)
        node = node.value
    return attribute and isinstance(node, ast.Name) and node.id in names
