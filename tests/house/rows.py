"""One row a module or folder of src/fieldpack, the lowest first: a file imports from its own folder and lower rows."""

ROWS = (
    "version", "errors", "types", "deprecation", "html", "arrays", "checks", "protocols", "storage", "assets", "words",
    "telemetry", "observe",
    "files", "text", "embed", "rerank", "field",
    "budget", "compress", "shell", "analysis", "value", "metrics", "templates", "experiment",
    "corpus", "relevance", "document_forms", "request", "packing", "explain", "report", "scored", "citations",
    "old_result_names", "result", "explored", "notes", "old_names", "async_packs", "parts", "index", "stream",
    "pipeline", "prompt", "summary",
    "plot", "parallel", "memory", "session", "tools", "adapters",
    "bench", "server", "mcp", "cli",
)  # fmt: skip
