"""Words for invented outputs."""

NAMES = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "flint",
    "grove",
    "haven",
    "indigo",
    "jasper",
    "krill",
    "lumen",
    "maple",
    "north",
    "otter",
    "pearl",
    "quartz",
]
