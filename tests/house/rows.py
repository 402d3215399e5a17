"""One row a module or folder of src/fieldpack, the lowest first: a file imports from its own folder and lower rows."""

ROWS = (
    "version", "errors", "types", "room", "arrays", "checks", "protocols", "assets", "words", "folder", "observe",
    "files", "text", "embed", "field",
    "budget", "compress", "shell", "value", "metrics", "templates", "experiment",
    "relevance", "render", "packing", "prepared", "growth", "problem", "cascade", "look", "reasons", "settle", "inputs",
    "pins", "report", "result", "stream", "index", "pipeline",
    "plot", "parallel", "memory", "session", "adapters",
    "bench", "server", "mcp", "cli",
)  # fmt: skip
