"""Protocol shells (`/name{key=value}`) and fractal.json: read, written, checked, compiled to settings. Nothing is
run."""

from fieldpack.shell import fractal as fractal
from fieldpack.shell.dump import dump as dump
from fieldpack.shell.parse import parse as parse
from fieldpack.shell.parse import parse_many as parse_many
