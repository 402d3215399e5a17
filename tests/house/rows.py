"""One row a module or folder of src/fieldpack, the lowest first: a file imports from its own folder and lower rows."""

ROWS = (
    "version", "errors", "types", "deprecation", "html", "arrays", "checks", "protocols", "storage", "assets", "words",
    "telemetry", "observe",
    "files", "text", "embed", "field",
    "budget", "compress", "shell", "analysis", "value", "metrics", "templates", "experiment",
    "corpus", "relevance", "request", "packing", "explain", "report", "scored", "citations",
    "old_result_names", "result", "notes", "old_names", "async_packs", "parts", "index", "stream", "pipeline", "prompt",
    "plot", "parallel", "memory", "session", "adapters",
    "bench", "server", "mcp", "cli",
)  # fmt: skip
