"""The rules of the house over a parsed tree, {path below src: module}, so that a test can plant a fault in one."""
