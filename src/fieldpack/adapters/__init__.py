"""fieldpack inside other frameworks: `langchain`, `llamaindex`, `haystack`, each built on its core package alone.

Importing this package imports none of them; a module whose framework is not installed raises MissingExtraError.
"""
