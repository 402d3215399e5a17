"""Protocol shells (`/name{key=value}`) and fractal.json: read, written, checked, compiled to settings; nothing is
run."""

from fieldpack.shell import fractal as fractal
from fieldpack.shell.check import Diagnostic as Diagnostic
from fieldpack.shell.check import check as check
from fieldpack.shell.check import load as load
from fieldpack.shell.check import run as run
from fieldpack.shell.compile import compile as compile
from fieldpack.shell.configure import Configured as Configured
from fieldpack.shell.configure import configure as configure
from fieldpack.shell.dump import dump as dump
from fieldpack.shell.nodes import Shell as Shell
from fieldpack.shell.parse import parse as parse
from fieldpack.shell.parse import parse_many as parse_many
from fieldpack.shell.settings import ShellSettings as ShellSettings
from fieldpack.shell.settings import ShellSettingsError as ShellSettingsError
from fieldpack.shell.to_fractal import to_fractal as to_fractal
from fieldpack.shell.to_shell import to_shell as to_shell
