"""The place of `fieldpack.files.html` in release 0.1: names are found there, with a DeprecationWarning."""

from fieldpack.deprecation import moved_module

__getattr__ = moved_module("fieldpack.text.html", "fieldpack.files.html")
