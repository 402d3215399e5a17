"""The structural reader: every text as a tree of blocks with atoms that may be packed."""
