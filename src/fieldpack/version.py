"""The version of the package, at the bottom of the house: nothing below the root needs to import the root for it."""

__version__ = "0.2.0"
