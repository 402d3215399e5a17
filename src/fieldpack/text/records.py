"""Reading records lives in `fieldpack.files`; this name stays where it was first."""

from fieldpack.files.records import stream_records as stream_records
