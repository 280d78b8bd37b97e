"""Layers as nodes of ONNX: the table of the functions that write them."""

from cnnkit import layers
from cnnkit.files.onnx.writing import activations, arrangements, merges, norms, pools, products

TABLE = {
    layers.Add: merges.add,
    layers.Affine: activations.affine,
    layers.AvgPool: pools.avg_pool,
    layers.BatchNorm: norms.batch_norm,
    layers.ChannelShuffle: arrangements.channel_shuffle,
    layers.Clip: activations.clip,
    layers.Concat: merges.concat,
    layers.Conv1x1: products.conv,
    layers.Conv: products.conv,
    layers.ConvTranspose: products.conv_transpose,
    layers.Dense: products.dense,
    layers.DepthwiseConv: products.conv,
    layers.Dropout: arrangements.same,
    layers.ELU: activations.elu,
    layers.Flatten: arrangements.flatten,
    layers.GELU: activations.gelu,
    layers.GlobalAvgPool: pools.global_pool("GlobalAveragePool"),
    layers.GlobalMaxPool: pools.global_pool("GlobalMaxPool"),
    layers.GroupNorm: norms.group_norm,
    layers.HardSigmoid: activations.hard_sigmoid,
    layers.HardSwish: activations.hard_swish,
    layers.Identity: arrangements.same,
    layers.LayerNorm: norms.layer_norm,
    layers.LeakyReLU: activations.leaky_relu,
    layers.LocalResponseNorm: norms.local_response_norm,
    layers.LogSoftmax: activations.over_channels("LogSoftmax"),
    layers.MatMul: merges.mat_mul,
    layers.MaxPool: pools.max_pool,
    layers.Mish: activations.mish,
    layers.Multiply: merges.multiply,
    layers.PReLU: activations.prelu,
    layers.Pad: arrangements.pad,
    layers.Permute: arrangements.permute,
    layers.Power: activations.power,
    layers.ReLU6: activations.relu6,
    layers.ReLU: activations.pointwise("Relu"),
    layers.Reshape: arrangements.reshape,
    layers.Resize: arrangements.resize,
    layers.SELU: activations.selu,
    layers.SiLU: activations.silu,
    layers.Sigmoid: activations.pointwise("Sigmoid"),
    layers.Slice: arrangements.cut,
    layers.Softmax: activations.over_channels("Softmax"),
    layers.Softplus: activations.softplus,
    layers.SpatialDropout: arrangements.same,
    layers.Tanh: activations.pointwise("Tanh"),
    layers.UpSample: arrangements.up_sample,
}


def write(step):
    """Write the nodes of a layer and return its output."""
    known = TABLE.get(type(step.layer))
    return step.layer.to_onnx(step) if known is None else known(step)


def is_known(layer):
    """Say whether a layer can be written: one of ours, or one that says how itself."""
    return type(layer) in TABLE or type(layer).to_onnx is not layers.Layer.to_onnx
