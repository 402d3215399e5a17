"""The place of `fieldpack.analysis.token_value` in release 0.1: names are found there, with a DeprecationWarning."""

from fieldpack.deprecation import moved_module

__getattr__ = moved_module("fieldpack.value", "fieldpack.analysis.token_value")
