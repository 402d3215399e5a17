"""The place of reading files in release 0.1: names are found in `fieldpack.files`, with a DeprecationWarning."""

from fieldpack.deprecation import moved_names

__getattr__ = moved_names(
    "fieldpack.text.read",
    {
        "KIND_OF_ENDING": "fieldpack.files.kinds:KIND_OF_ENDING",
        "read": "fieldpack.files.read:read",
        "stream_records": "fieldpack.files.records:stream_records",
    },
)
