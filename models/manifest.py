"""Writes manifest.json: the sha256 of every shipped file, and what each folder's info.json says of it.

python models/manifest.py
"""

import hashlib
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
SKIPPED = {"manifest.json", "README.md"}
NOT_SHIPPED = "folder_questions/"

files = {}
models = {}
for path in sorted(HERE.rglob("*")):
    relative = path.relative_to(HERE).as_posix()
    if not path.is_file() or path.suffix == ".py" or "__pycache__" in relative or relative in SKIPPED:
        continue
    if relative.startswith(NOT_SHIPPED):
        continue
    files[relative] = hashlib.sha256(path.read_bytes()).hexdigest()
    if path.name == "info.json":
        models[path.parent.relative_to(HERE).as_posix()] = json.loads(path.read_text("utf-8"))
(HERE / "manifest.json").write_text(
    json.dumps({"files": files, "models": models}, indent=1, sort_keys=True) + "\n", "utf-8"
)
print(f"{len(files)} files, {len(models)} models")
