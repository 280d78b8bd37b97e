"""Estimators from image to image as ONNX files."""

import numpy as np
import pytest
from image_data import IMAGES, MASKS, X, image_regressor, segmenter
from onnx_runs import assert_near, outputs, read
from seeded import generator

from cnnkit import models, onnx

NAMES = np.array(["ground", "light", "shade"])
COLOURS = np.stack([IMAGES, 100 - 20 * IMAGES], axis=-1)
FORMS = {
    "channels_last": X[..., None],
    "channels_first": X[:, None],
    "rows": X.reshape(len(X), -1),
}
each_form = pytest.mark.parametrize("data_format", FORMS)


def laid_out(images, data_format):
    """Images with channels last in the format of the input; rows have channels last."""
    return np.moveaxis(images, -1, 1) if data_format == "channels_first" else images


@each_form
@pytest.mark.parametrize("labels", [NAMES, np.array([0, 1, 2]), np.array([3, 7, 255])], ids=str)
def test_labels_and_probabilities_of_pixels(labels, data_format, tmp_path):
    seg = segmenter(models.unet(None, (8, 9), width=1 / 16, norm=True)).fit(X, labels[MASKS])
    onnx.write(seg, tmp_path / "model.onnx", data_format=data_format)
    read(tmp_path / "model.onnx")
    found = outputs(tmp_path / "model.onnx", FORMS[data_format])
    proba = seg.predict_proba(X)
    assert_near(found["probabilities"], laid_out(proba, data_format))
    sure = np.partition(proba, -2)[..., -2] < proba.max(axis=-1) - 1e-3
    assert found["label"].shape == MASKS.shape
    assert (found["label"] == seg.predict(X))[sure].all()


@each_form
def test_logits(data_format, tmp_path):
    seg = segmenter().fit(X, MASKS)
    onnx.write(seg, tmp_path / "model.onnx", output="logits", data_format=data_format)
    (found,) = outputs(tmp_path / "model.onnx", FORMS[data_format]).values()
    assert_near(found, laid_out(seg.decision_function(X), data_format))


@each_form
@pytest.mark.parametrize("y", [IMAGES, IMAGES[..., None], COLOURS], ids=["grey", "1", "2"])
@pytest.mark.parametrize("standardize", [True, False])
def test_predictions_in_units_of_y(y, standardize, data_format, tmp_path):
    reg = image_regressor(standardize_targets=standardize).fit(X, y)
    onnx.write(reg, tmp_path / "model.onnx", data_format=data_format)
    (found,) = outputs(tmp_path / "model.onnx", FORMS[data_format]).values()
    wanted = reg.predict(X)
    assert_near(found, laid_out(wanted, data_format) if y.ndim == 4 else wanted)


@pytest.mark.parametrize("name", models.IMAGE_MODELS)
@pytest.mark.parametrize("shape", [(16, 16), (13, 9)])
def test_networks(name, shape, tmp_path):
    images = generator(0).normal(size=(3, *shape)).astype(np.float32)
    layers = models.IMAGE_MODELS[name](None, shape, width=1 / 16)
    seg = segmenter(layers, max_iter=1).fit(images, (images > 0).astype(int))
    onnx.write(seg, tmp_path / "model.onnx")
    found = outputs(tmp_path / "model.onnx", images[..., None])
    assert_near(found["probabilities"], seg.predict_proba(images))


def test_refused(tmp_path):
    reg = image_regressor().fit(X, IMAGES)
    with pytest.raises(ValueError, match=r"^onnx.write: output must be None for all but a CNNCl"):
        onnx.write(reg, tmp_path / "model.onnx", output="logits")
    seg = segmenter(augmentation=[]).fit(X, MASKS).set_params(test_time_augmentation=1)
    with pytest.raises(ValueError, match=r"^onnx.write: test_time_augmentation must be 0"):
        onnx.write(seg, tmp_path / "model.onnx")
