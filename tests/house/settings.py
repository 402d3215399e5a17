"""Settings are obeyed: each field of a *Settings record is read somewhere outside its class and its serialisers."""

import ast

from house.shape import FUNCTIONS

SERIALISERS = {"to_dict", "from_dict", "of", "save", "load", "asdict", "to_json", "from_json"}


def unread(tree):
    """`Class.field` of every field that nobody reads: neither others, nor a method of the class that others call."""
    classes = {}
    for module in tree.values():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
                classes[node.name] = node
    out = []
    for name, node in classes.items():
        read = _reads(tree.values(), name)
        for method in node.body:
            if isinstance(method, FUNCTIONS) and method.name in read and method.name not in SERIALISERS:
                read = read | _reads([method], name)
        out += [f"{name}.{field}" for field in _fields(node) - read]
    return sorted(out)


def _fields(node):
    return {
        s.target.id
        for s in node.body
        if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name) and "ClassVar" not in ast.unparse(s)
    }


def _reads(nodes, owner):
    """Names of all attributes that are read in the nodes, outside the class `owner` and outside serialisers."""
    names = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.ClassDef) and node.name == owner:
            continue
        if isinstance(node, FUNCTIONS) and node.name in SERIALISERS:
            continue
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            names.add(node.attr)
        todo += ast.iter_child_nodes(node)
    return names
