"""Settings are obeyed: each field of a *Settings record is read somewhere outside its class and its serialisers."""

import ast

from house.nodes import children, walk
from house.shape import FUNCTIONS

SERIALISERS = {"to_dict", "from_dict", "of", "save", "load", "asdict", "to_json", "from_json"}


def unread(tree):
    """`Class.field` of every field that nobody reads: neither others, nor a method of the class that others call."""
    classes = {}
    for module in tree.values():
        for node in walk(module):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
                classes[node.name] = node
    everywhere = _reads(tree.values(), classes)
    out = []
    for name, node in classes.items():
        read = {attribute for attribute, inside in everywhere if name not in inside}
        for method in node.body:
            if isinstance(method, FUNCTIONS) and method.name in read and method.name not in SERIALISERS:
                read = read | {attribute for attribute, _ in _reads([method], ())}
        out += [f"{name}.{field}" for field in _fields(node) - read]
    return sorted(out)


def _fields(node):
    return {
        s.target.id
        for s in node.body
        if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name) and "ClassVar" not in ast.unparse(s)
    }


def _reads(nodes, owners):
    """(attribute, owners that it stands in) of all attributes that are read in the nodes outside serialisers."""
    out = set()
    todo = [(node, frozenset()) for node in nodes]
    while todo:
        node, inside = todo.pop()
        if isinstance(node, ast.ClassDef) and node.name in owners:
            inside = inside | {node.name}
        if isinstance(node, FUNCTIONS) and node.name in SERIALISERS:
            continue
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            out.add((node.attr, inside))
        todo += [(child, inside) for child in children(node)]
    return out
