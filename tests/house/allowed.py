"""What breaks a rule today, in allowed.json: it may only shrink. `PYTHONPATH=tests python -m house.allowed` takes out
what is mended; with --grow it also takes in what is new, for the merge of a branch that is older than a rule."""

import json
import sys
from pathlib import Path

from house import frozen, glossary, settings, shape, tree
from house.rows import ROWS

FILE = Path(__file__).with_name("allowed.json")


def broken(sources):
    """{rule: [place] or {place: size}} of what breaks a rule in these sources."""
    parsed = tree.parsed(sources)
    return {
        "circles": [" - ".join(files) for files in tree.circles(tree.graph(parsed))],
        "imports that point up": tree.upward(parsed, ROWS),
        "imports of the root": tree.root_imports(parsed),
        "writes into records": frozen.writes(parsed),
        "struck words": glossary.struck_names(parsed),
        "settings that nobody reads": settings.unread(parsed),
        **shape.measured(sources, parsed),
    }


def allowed():
    return json.loads(FILE.read_text("utf-8"))


def new_faults(actual, permitted):
    """Places that break a rule and are not allowed to, or not by so much."""
    out = []
    for rule, places in actual.items():
        known = permitted.get(rule, {})
        if isinstance(places, dict):
            out += [
                f"{rule}: {p} has {n}, allowed {known.get(p, shape.LIMITS[rule])}"
                for p, n in places.items()
                if n > known.get(p, 0)
            ]
        else:
            out += [f"{rule}: {p}" for p in places if p not in known]
    return out


def mended(actual, permitted):
    """Places in the list that break the rule no more, or by less."""
    out = []
    for rule, places in permitted.items():
        now = actual[rule]
        if isinstance(places, dict):
            out += [
                f"{rule}: {p} has {now.get(p, 'no more than is right')}, the list says {n}"
                for p, n in places.items()
                if now.get(p, 0) < n
            ]
        else:
            out += [f"{rule}: {p}" for p in places if p not in now]
    return out


def shrunk(actual, permitted):
    """The list without what is mended."""
    out = {}
    for rule, places in permitted.items():
        now = actual[rule]
        if isinstance(places, dict):
            out[rule] = {p: min(n, now[p]) for p, n in places.items() if p in now}
        else:
            out[rule] = [p for p in places if p in now]
    return out


if __name__ == "__main__":
    actual = broken(tree.sources())
    FILE.write_text(json.dumps(actual if "--grow" in sys.argv else shrunk(actual, allowed()), indent=1) + "\n", "utf-8")
