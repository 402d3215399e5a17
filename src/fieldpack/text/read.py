"""Reading files lives in `fieldpack.files`; these names stay where they were first."""

from fieldpack.files.kinds import KIND_OF_ENDING as KIND_OF_ENDING
from fieldpack.files.read import read as read
