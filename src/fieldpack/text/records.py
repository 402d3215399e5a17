"""The place of `fieldpack.files.records` in release 0.1: names are found there, with a DeprecationWarning."""

from fieldpack.deprecation import moved_module

__getattr__ = moved_module("fieldpack.text.records", "fieldpack.files.records")
