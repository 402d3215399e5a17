"""Parsed files and the nodes of their trees, each made once: the rules go over the same trees many times."""

import ast
import functools
from collections import deque


@functools.cache
def parse(text):
    return ast.parse(text)


def children(node):
    """The nodes right below a node."""
    below = node.__dict__.get("_below")
    if below is None:
        below = node._below = tuple(ast.iter_child_nodes(node))
    return below


def walk(node):
    """The node and all nodes below it, as `ast.walk` gives them."""
    todo = deque([node])
    while todo:
        one = todo.popleft()
        todo.extend(children(one))
        yield one
