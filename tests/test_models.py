"""The files that ship with fieldpack: what the manifest says is so."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys

from fieldpack import assets

# What tiktoken itself pins for its rank files.
TIKTOKEN = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}


def test_every_listed_file_is_there_and_undamaged() -> None:
    for relative in assets.manifest()["files"]:
        assert assets.verified(relative).is_file()


def test_every_model_states_its_licence_and_carries_it() -> None:
    for name, info in assets.manifest()["models"].items():
        assert info["license"], name
        if name in ("static", "onnx", "tokenizers"):
            assert (assets.root() / name / "LICENSE").stat().st_size > 500
        written = json.loads((assets.root() / name / "info.json").read_text("utf-8"))
        assert written == info


def test_the_ranks_are_tiktokens_own() -> None:
    for name, pinned in TIKTOKEN.items():
        packed = assets.verified(f"tokenizers/{name}.tiktoken.gz").read_bytes()
        assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == pinned


def test_the_manifest_is_up_to_date() -> None:
    """Runs the real script on the real folder and compares; writes nothing new when all is well."""
    path = assets.root() / "manifest.json"
    before = path.read_text("utf-8")
    subprocess.run([sys.executable, str(assets.root() / "manifest.py")], check=True, capture_output=True)
    after = path.read_text("utf-8")
    path.write_text(before, "utf-8")
    assert json.loads(after) == json.loads(before)


def test_what_ships_stays_under_forty_megabytes() -> None:
    total = sum((assets.root() / f).stat().st_size for f in assets.manifest()["files"])
    assert total < 40e6, f"{total / 1e6:.1f} MB"


def test_static_vectors_need_no_torch_and_no_tokenizers() -> None:
    code = (
        "import sys; from fieldpack.embed.static import StaticEmbedder; StaticEmbedder().embed(['a b']);"
        "print([m for m in ('torch', 'tokenizers', 'sklearn', 'scipy', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
