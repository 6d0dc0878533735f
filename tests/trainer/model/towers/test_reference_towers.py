"""The towers of the paper against the outputs of the reference's models, with the reference's weights.

The towers here see more of the history than the reference's: its events come with all features of their items, while
the reference leaves out the upload time; and `Din` knows the mean of the history too. So the reference's network is the
one of ours whose first layer has zeros for those inputs, and so it is loaded. The events get upload times at random,
which must then not matter.
"""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.data.features import EncodedFeature
from trainer.model.towers.din import Din
from trainer.model.towers.dssm import Dssm
from trainer.model.towers.mlp import Mlp

VECTORS = np.load(Path(__file__).resolve().parents[3] / "vectors" / "models.npz")
REQUEST_TABLES = {  # input: the reference's table
    "wday": "wday_emb",
    "hour": "hour_emb",
    "minute": "min_emb",
    "uid": "uid_emb",
    "did": "did_emb",
    "gender": "gender_emb",
    "age": "age_emb",
    "province": "province_emb",
}
ITEM_TABLES = ("aid_emb", "cate_two_emb", "cate_one_emb", "up_type_emb", "wday_emb", "hour_emb", "min_emb")
DIM = 8
REQUEST, EVENT, UPLOAD_TIME = 8 * DIM, 5 * DIM, 3 * DIM  # widths
UNKNOWN_ITEM = (0, 0, 0, 2, 0, 0, 0, 0)


def _parameter(model, name):
    return VECTORS[f"{model}_param_{name}"]


def _dense(model, name):
    """The kernel and bias of a linear layer."""
    return [_parameter(model, f"{name}.weight").T, _parameter(model, f"{name}.bias")]


def _ids():
    """The catalogue `[num_items + 1, 8]` of distinct items, and the rows in it of candidates and history."""
    candidates = np.concatenate([VECTORS[f"in_photos_{group}"] for group in range(5)], axis=1)
    where = VECTORS["in_seq_mask"].astype(bool)
    rng = np.random.default_rng(0)
    upload_time = rng.integers(1, [8, 25, 61], [*where.shape, 3]) * where[..., np.newaxis]
    history = np.concatenate([VECTORS["in_seq_arr"], upload_time], axis=-1)
    catalogue, row = np.unique(np.concatenate([candidates, history]).reshape(-1, 8), axis=0, return_inverse=True)
    assert tuple(catalogue[0]) == UNKNOWN_ITEM
    candidate_row, history_row = row.reshape(2, *where.shape).astype(np.int32)
    return catalogue, candidate_row, history_row


CATALOGUE, CANDIDATE_ROW, HISTORY_ROW = _ids()


def _batch(num_candidates=50):
    return {
        **{name: tf.constant(VECTORS[f"in_{name}"], tf.int32) for name in REQUEST_TABLES},
        "history_item": tf.constant(HISTORY_ROW),
        "history_where": tf.constant(VECTORS["in_seq_mask"].astype(bool)),
        "candidate_item": tf.constant(CANDIDATE_ROW[:, :num_candidates]),
    }


def _tower(kind, model, **arguments):
    """A tower with the embeddings of the reference's model."""

    def features(names, tables):
        return tuple(
            EncodedFeature(name, len(_parameter(model, f"{table}.weight")), DIM)
            for name, table in zip(names, tables, strict=True)
        )

    tower = kind(
        num_items=len(CATALOGUE) - 1,
        request_features=features(REQUEST_TABLES, REQUEST_TABLES.values()),
        item_features=features(ITEM_TABLES, ITEM_TABLES),
        item_embedding_dim=DIM,
        encoded=CATALOGUE[:, 1:],
        **arguments,
    )
    tower(_batch())  # builds the weights
    tower.item_encoder.item_embedding.set_weights([_parameter(model, "vid_emb.weight")[CATALOGUE[:, 0]]])
    tables = [*tower.request_encoder.tables, *tower.item_encoder.tables]
    for layer, name in zip(tables, [*REQUEST_TABLES.values(), *ITEM_TABLES], strict=True):
        layer.set_weights([_parameter(model, f"{name}.weight")])
    return tower


def _zeros(width, kernel):
    return np.zeros([width, kernel.shape[1]], np.float32)


def _load(layers, model, names):
    for layer, name in zip(layers, names, strict=True):
        layer.set_weights(_dense(model, name))


def _dssm():
    tower = _tower(Dssm, "dssm", hidden_units=(128, 64), output_dim=32)
    first, *rest = tower.user_network.layers
    kernel, bias = _dense("dssm", "user_encoder.0")
    first.set_weights([np.concatenate([kernel, _zeros(UPLOAD_TIME, kernel)]), bias])
    _load(rest, "dssm", ["user_encoder.2", "user_encoder.4"])
    _load(tower.item_network.layers, "dssm", ["photo_encoder.0", "photo_encoder.2", "photo_encoder.4"])
    return tower


def _mlp():
    tower = _tower(Mlp, "mlp", hidden_units=(128, 64, 32))
    kernel, bias = _dense("mlp", "mlpx.0")
    request, mean, item = np.split(kernel, [REQUEST, REQUEST + EVENT])
    tower.network.project.set_weights([np.concatenate([request, mean, _zeros(UPLOAD_TIME, kernel)]), bias])
    tower.network.item.set_weights([item])
    _load(tower.network.rest.layers, "mlp", ["mlpx.2", "mlpx.4", "mlpx.6"])
    return tower


def _din():
    """The bias of the attention's logit is left out: a softmax does not see it."""
    tower = _tower(Din, "din", hidden_units=(128, 128, 32), attention_units=80)
    kernel, bias = _dense("din", "din_mlp.0")
    event, item = np.split(kernel, [EVENT])
    tower.event_attention.set_weights([np.concatenate([event, _zeros(UPLOAD_TIME, kernel)]), bias])
    tower.item_attention.set_weights([np.concatenate([item, _zeros(UPLOAD_TIME, kernel)])])
    tower.attention_kernel.assign(_dense("din", "din_mlp.2")[0])
    kernel, bias = _dense("din", "mlp.0")
    request, interest, item = np.split(kernel, [REQUEST, REQUEST + EVENT])
    mean = _zeros(EVENT + UPLOAD_TIME, kernel)
    tower.network.project.set_weights([np.concatenate([request, mean]), bias])
    tower.network.item.set_weights([np.concatenate([interest, _zeros(UPLOAD_TIME, kernel), item])])
    _load(tower.network.rest.layers, "din", ["mlp.2", "mlp.4", "mlp.6"])
    return tower


TOWERS = {"dssm": _dssm, "din": _din, "mlp": _mlp}


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    ("model", "stages", "num_candidates"),
    [("dssm", "two", 40), ("din", "two", 40), ("dssm", "three", 50), ("din", "three", 50), ("mlp", "three", 50)],
)
def test_scores_are_the_reference(model, stages, num_candidates, jit_compile):
    scores = tf.function(TOWERS[model](), jit_compile=jit_compile, autograph=False)(_batch(num_candidates))
    np.testing.assert_allclose(scores, VECTORS[f"{model}_logits_{stages}_stage"], rtol=1e-5, atol=1e-6)


def test_the_inputs_hold_an_empty_history_and_padded_candidates():
    assert VECTORS["in_seq_mask"].sum(axis=1).tolist() == [50, 7, 0]
    assert (CANDIDATE_ROW == 0).sum(axis=1).tolist() == [5, 0, 0]
    assert len(np.unique(CANDIDATE_ROW)) == 146


def test_vectors_of_the_catalogue_give_the_scores():
    """What retrieval keeps when it serves, the vector of every item, multiplies to the reference's scores."""
    tower, batch = _dssm(), _batch()
    catalogue = tower.item_vectors(tf.range(len(CATALOGUE)))
    scores = tf.gather(tf.matmul(tower.user_vectors(batch), catalogue, transpose_b=True), CANDIDATE_ROW, batch_dims=1)
    np.testing.assert_allclose(scores, VECTORS["dssm_logits_three_stage"], rtol=1e-5, atol=1e-6)
