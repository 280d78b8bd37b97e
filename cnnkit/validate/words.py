"""Words of other libraries, and the advice that errors give for them.

`ARGUMENTS` has, by class or ``Class.method``, pieces of advice with the words that they answer. A
class also has the rows of its bases. `VALUES` has, by hyper-parameter, wrong values: text in small
letters, or a type. In an advice ``{value}`` stands for the value that was given. `NAMES` has, by
layer, its names in other libraries, in small letters.
"""

from numbers import Integral, Real
from types import FunctionType
from typing import Any

_PROBABLE = "p prob proba probability"
_CODE = "is computed here: it is float32, or float64 where X is"
_VALIDATION = "validation_data valid_data val_data eval_set eval_data validation x_valid y_valid"
_CALLBACKS = "callbacks callback listeners"

ARGUMENTS = {
    "BaseCNN": {
        "use max_iter": (
            "epochs epoch n_epochs num_epochs nb_epoch nb_epochs max_epochs total_epochs n_iter "
            "num_iter n_iterations iterations n_estimators max_steps"
        ),
        "use learning_rate_init": (
            "lr eta eta0 learn_rate lr_init initial_lr initial_learning_rate base_lr "
            "learning_rate_value step_size"
        ),
        "use learning_rate, with a schedule such as cnnkit.schedules.Cosine()": (
            "scheduler schedule schedules lr_scheduler lr_schedule learning_rate_schedule lr_decay "
            "learning_rate_decay decay decay_rate warmup warmup_epochs warmup_steps power_t"
        ),
        "use solver": "optimizer optimiser optim opt optimizer_class optimizer_type",
        "use alpha": (
            "weight_decay l2 l2_reg reg reg_lambda lambda_ regularization l2_regularization "
            "kernel_regularizer penalty"
        ),
        "use beta_1": "beta1",
        "use beta_2": "beta2",
        "use beta_1 and beta_2": "betas",
        "use epsilon": "eps",
        "use nesterovs_momentum": "nesterov",
        "use batch_size": "batch batchsize bs minibatch_size mini_batch_size batch_size_train",
        "use image_shape": (
            "input_shape input_size input_dim image_size image_dim img_size img_shape shape "
            "target_size"
        ),
        "use random_state": "seed random_seed rng manual_seed random generator",
        "use n_iter_no_change, with early_stopping=True": "patience early_stopping_rounds",
        "use early_stopping": "early_stop restore_best_weights use_best_model",
        "use tol": "min_delta tolerance threshold",
        "use validation_fraction": (
            "validation_split val_split valid_split val_fraction valid_fraction test_size "
            "train_split validation_size"
        ),
        "give them to fit, as X_val and y_val": f"x_val y_val {_VALIDATION}",
        "use verbose": "verbosity verbose_level progress progress_bar silent quiet disp",
        "use set_callbacks, a method of the estimator": _CALLBACKS,
        "use scoring": ("metrics metric eval_metric eval_metrics scorer scorers scores score"),
        "hidden layers are layers: [Flatten(), Dense(100), ReLU(), Dense()]": (
            "hidden_layer_sizes hidden_layers hidden_units hidden_size hidden_dim n_hidden units "
            "dense_units fc_units"
        ),
        "activations are layers: [Conv(16), ReLU(), ...]": (
            "activation activation_function act nonlinearity output_activation out_activation"
        ),
        "dropout is a layer: [..., Dropout(0.5), Dense()]": (
            "dropout dropout_rate drop_rate p_dropout dropout_prob"
        ),
        "batch norm is a layer: [Conv(16), BatchNorm(), ReLU(), ...]": (
            "batch_norm batchnorm use_batchnorm batch_normalization normalization use_bn"
        ),
        "convolutions are layers: [Conv(16, 3), ReLU(), MaxPool(2), ...]": (
            "filters n_filters num_filters kernel_size kernel_sizes channels n_channels strides "
            "stride padding pool_size conv_layers n_layers num_layers n_conv_layers"
        ),
        "use layers": (
            "module model network net architecture arch backbone build_fn layer base_model "
            "model_class graph"
        ),
        "use clip_norm": (
            "clipnorm clip max_norm max_grad_norm grad_clip clip_grad clip_grad_norm "
            "gradient_clipping gradient_clip gradient_clip_val clipvalue global_clipnorm"
        ),
        "use ema_decay": "ema use_ema ema_momentum averaging average swa",
        "use augmentation": (
            "augment augmentations augmenter transform transforms data_augmentation train_transform"
        ),
        "use test_time_augmentation": "tta test_augmentation n_tta",
        "use max_time": "timeout time_limit max_seconds max_runtime",
        "use initial_weights": (
            "weights init_weights pretrained pretrained_weights init initializer weight_init "
            "kernel_initializer coefs_init"
        ),
        "use frozen": "freeze frozen_layers freeze_layers trainable",
        "use warm_start": "resume continue_training",
        "cnnkit computes on the processor, there is nothing to choose": (
            "device devices gpu gpus use_gpu cuda use_cuda accelerator"
        ),
        "threads are set for all of cnnkit, by cnnkit.set_num_threads(n)": (
            "n_jobs num_threads n_threads nthreads threads num_workers n_workers workers"
        ),
        f"the type of numbers {_CODE}": "dtype precision mixed_precision",
        'name the end of the list of layers: ("head", gap_head())': "head",
    },
    "CNNClassifier": {
        "use class_weight": "class_weights weight classes_weight pos_weight",
        "use focal_gamma": "gamma focal_loss_gamma",
        "use label_smoothing": "smoothing label_smooth smooth",
        "use loss": "loss_fn loss_function criterion objective",
        "there is one output for each class in y": (
            "n_classes num_classes num_class n_outputs num_outputs output_dim out_features"
        ),
        "partial_fit takes them": "classes class_names labels",
    },
    "CNNRegressor": {
        "use loss": "criterion loss_fn loss_function objective",
        "use huber_delta": "delta huber_epsilon",
        "use quantile": "tau q quantiles",
        "there is one output for each column of y": (
            "n_outputs num_outputs output_dim out_features n_targets"
        ),
        "give fit a sample_weight": "class_weight class_weights",
    },
    "CNNFeatures": {
        "use estimator": "model network net clf classifier base_estimator cnn base_model regressor",
        "use node": (
            "layer layer_name node_name layer_names output output_layer feature_layer return_nodes"
        ),
        "use random_state": "seed random_seed rng",
        "give it to the estimator: CNNFeatures(CNNClassifier(...))": (
            "layers max_iter epochs image_shape input_shape learning_rate_init lr batch_size "
            "solver optimizer verbose"
        ),
        "put the fitted estimator in sklearn.frozen.FrozenEstimator": "prefit frozen",
    },
    "BaseCNN.fit": {
        "use X_val and y_val": _VALIDATION,
        "call set_callbacks(...) before fit": _CALLBACKS,
        "use groups": ("group group_ids subjects patients"),
        "use sample_weight": "sample_weights weights weight w",
        "use y": "labels target targets label",
        "use X": "images data x_train inputs",
        "partial_fit takes them": "classes",
    },
    "CNNFeatures.fit": {
        "that is for fit of the estimator, before it is frozen": (
            f"x_val y_val epochs max_iter {_VALIDATION} {_CALLBACKS} groups"
        ),
    },
    "Layer": {
        "activations are layers: put ReLU(), say, after it": (
            "activation activation_fn activation_function act nonlinearity"
        ),
        "it follows from what the layer reads": (
            "input_shape batch_input_shape input_dim input_size in_channels in_features "
            "num_features in_planes n_in num_channels"
        ),
        'name it in the list: [("name", layer), ...]': "name",
        "images have their channels last": "data_format channels_first channels_last",
        "weights start as He et al. (2015) have it, or as initial_weights of the estimator": (
            "kernel_initializer bias_initializer weight_init init initializer "
            "depthwise_initializer beta_initializer gamma_initializer"
        ),
        "use alpha of the estimator, which is L2 regularisation": (
            "kernel_regularizer bias_regularizer weight_decay activity_regularizer"
        ),
        "use frozen of the estimator": "trainable requires_grad freeze",
        "memory is shared wherever that is possible": "inplace in_place",
        f"the type of numbers {_CODE}": "dtype device",
    },
    "Conv": {
        "use filters": (
            "out_channels n_filters num_filters nb_filter filter channels features units out_planes"
        ),
        "use kernel_size": "kernel kernels ksize kernel_shape filter_size size window k",
        "use stride": "strides subsample",
        "use padding": "pad pads border_mode padding_mode",
        "use dilation": "dilation_rate dilations rate",
        "use groups": "num_groups n_groups feature_group_count",
        "use bias": "use_bias",
    },
    "Conv1x1": {
        "use Conv, which has it": "kernel_size kernel padding pad dilation dilation_rate",
    },
    "DepthwiseConv": {
        "it has as many filters as channels, times depth_multiplier": (
            "filters out_channels channels groups n_filters num_filters"
        ),
        "use depth_multiplier": "multiplier channel_multiplier",
    },
    "MaxPool": {
        "use pool_size": "kernel_size kernel size pool ksize window kernel_shape",
        "use stride": "strides",
        "use padding": "pad pads border_mode",
    },
    "AvgPool": {
        "use pool_size": "kernel_size kernel size pool ksize window kernel_shape",
        "use stride": "strides",
        "use padding": "pad pads border_mode",
    },
    "GlobalAvgPool": {"it always leaves one number for each channel": "keepdims output_size"},
    "GlobalMaxPool": {"it always leaves one number for each channel": "keepdims output_size"},
    "Dense": {
        "use units": "out_features n_units num_units size output_dim features nodes neurons n",
        "use bias": "use_bias",
    },
    "ConvTranspose": {
        "use filters": (
            "out_channels n_filters num_filters nb_filter filter channels features units out_planes"
        ),
        "use kernel_size": "kernel kernels ksize kernel_shape filter_size size window k",
        "use stride": "strides subsample upsample scale scale_factor",
        "use padding": "pad pads border_mode padding_mode auto_pad",
        "use output_padding": "out_padding outpad",
        "use dilation": "dilation_rate dilations rate",
        "use groups": "num_groups n_groups feature_group_count",
        "use bias": "use_bias",
        "use padding and output_padding": "output_shape output_size",
    },
    "ReLU": {"use ReLU6() for 6, LeakyReLU(0.01) for a slope": "max_value negative_slope alpha"},
    "LeakyReLU": {"use negative_slope": "alpha slope leak a leakiness"},
    "PReLU": {
        "use init": "alpha_initializer negative_slope alpha slope start",
        "there is a slope for each channel": "shared_axes num_parameters",
    },
    "Softplus": {"use beta": "alpha slope", "it is exact for all numbers": "threshold"},
    "Softmax": {"it is over the last axis, the channels": "axis dim"},
    "LogSoftmax": {"it is over the last axis, the channels": "axis dim"},
    "Concat": {"it joins channels, the last axis": "axis dim"},
    "BatchNorm": {
        "use eps": "epsilon",
        "use momentum, the share of the new batch (1 less what Keras means by it)": "decay rho",
        "it is over the last axis, the channels": "axis dim",
        "it always scales and shifts": "affine scale center track_running_stats",
    },
    "LocalResponseNorm": {"use size": "n depth_radius local_size"},
    "LayerNorm": {
        "use eps": "epsilon",
        "it is over the last axis, the channels": "axis dim normalized_shape",
        "it always scales and shifts": "elementwise_affine affine bias scale center rms_scaling",
    },
    "GroupNorm": {
        "use groups": "num_groups n_groups",
        "use eps": "epsilon",
        "it is over the last axis, the channels": "axis dim",
        "it always scales and shifts": "affine scale center",
    },
    "Dropout": {
        "use rate": f"{_PROBABLE} drop_prob dropout dropout_rate drop_rate",
        "use rate, which is 1 less what is kept": "keep_prob keep",
        "use random_state of the estimator": "seed random_state rng",
    },
    "UpSample": {
        "use scale": "size scale_factor factor up",
        "use method": "mode interpolation",
    },
    "Pad": {"use padding": "pad pads amount size padding_size"},
    "Reshape": {"use shape": "target_shape size dims"},
    "ChannelShuffle": {"use groups": "num_groups n_groups group"},
    "Graph": {"layers of a graph are given as one list": "name modules"},
    "Sequential": {"use layers": "nodes modules steps"},
    "Augmentation": {
        "every image is changed, each in a way of its own": f"{_PROBABLE} always_apply",
        "use random_state of the estimator": "seed random_state rng generator",
    },
    "Augment": {"use steps": "transforms transform augmentations layers"},
    "Flip": {
        "use horizontal, or vertical": f"{_PROBABLE} rate mode direction axis",
        "use horizontal": "horizontal_flip left_right",
        "use vertical": "vertical_flip up_down",
    },
    "Affine": {"use fill": "fill_mode padding_mode border_mode mode fill_value cval border"},
    "Shift": {
        "use pixels": (
            "shift max_shift pixel size amount max_pixels n_pixels translate translation width "
            "height width_shift_range height_shift_range shift_limit"
        ),
    },
    "Rotate": {
        "use degrees": (
            "angle angles degree rotation max_angle rotation_range factor max_degrees limit "
            "rotate_limit"
        ),
    },
    "Scale": {
        "use low and high": (
            "scale zoom zoom_range factor range scale_range scale_limit ratio min_scale max_scale"
        ),
    },
    "Noise": {"use std": "sigma stddev scale noise amount var variance sd"},
    "Cutout": {
        "use size": "length mask_size patch_size hole_size width height n_pixels",
        "use value": "fill fill_value cval",
        "it sets one rectangle": "n_holes num_holes holes",
    },
    "Mixup": {"use alpha": "beta mixup_alpha"},
    "Schedule": {
        "use learning_rate_init of the estimator": (
            "lr learning_rate initial_learning_rate base_lr max_lr learning_rate_init start "
            "initial_lr learning_rate_base optimizer"
        ),
        "it lasts as long as max_iter of the estimator": (
            "t_max epochs decay_steps total_steps n_epochs max_iter steps steps_per_epoch"
        ),
    },
    "Step": {
        "use every": "step_size milestones epochs step steps drop_every boundaries epochs_drop",
        "use factor": "gamma drop decay decay_rate rate",
    },
    "Exponential": {"use factor": "gamma decay decay_rate rate"},
    "Cosine": {
        "use warmup_epochs": "warmup warmup_steps num_warmup_steps warm_up",
        "use final_factor, a share of learning_rate_init": (
            "eta_min min_lr alpha final_lr lr_min minimum"
        ),
        "use warmup_factor, a share of learning_rate_init": "warmup_start warmup_lr start_factor",
    },
    "OneCycle": {"use pct_start": "warmup warmup_epochs pct"},
    "ReduceOnPlateau": {
        "use factor": "gamma decay decay_rate",
        "use tol": "threshold min_delta epsilon",
        "use min_factor, a share of learning_rate_init": "min_lr eta_min minimum",
        "use patience": "wait n_iter_no_change",
        "it watches the training loss": "monitor mode metric",
    },
}

NAMES = {
    "AvgPool": "avgpool2d averagepooling2d averagepooling averagepool",
    "BatchNorm": "batchnormalization batchnorm1d batchnorm2d batch_norm batchnorm",
    "ChannelShuffle": "channel_shuffle",
    "Concat": "concatenate cat",
    "Conv": "conv2d convolution2d convolution conv1d",
    "ConvTranspose": (
        "conv2dtranspose convtranspose2d conv2d_transpose conv_transpose deconv deconv2d "
        "deconvolution transposedconv"
    ),
    "Dense": "linear fullyconnected fc innerproduct",
    "DepthwiseConv": "depthwiseconv2d depthwise",
    "Dropout": "dropout",
    "ELU": "elu",
    "Flatten": "flatten",
    "GELU": "gelu",
    "GlobalAvgPool": "globalaveragepooling2d globalaveragepooling adaptiveavgpool2d gap",
    "GlobalMaxPool": "globalmaxpooling2d globalmaxpooling adaptivemaxpool2d",
    "GroupNorm": "groupnormalization group_norm instancenorm instancenorm2d",
    "HardSigmoid": "hardsigmoid hard_sigmoid",
    "HardSwish": "hardswish hard_swish hardsilu hard_silu",
    "LayerNorm": "layernormalization layer_norm layernorm2d",
    "LeakyReLU": "leakyrelu leaky_relu",
    "LocalResponseNorm": "lrn localresponsenormalization",
    "LogSoftmax": "logsoftmax log_softmax",
    "MaxPool": "maxpool2d maxpooling2d maxpooling max_pool",
    "Mish": "mish",
    "PReLU": "prelu",
    "Pad": "zeropadding2d zeropad2d zeropadding",
    "ReLU": "relu rectifier",
    "ReLU6": "relu6",
    "Reshape": "view unflatten",
    "SELU": "selu",
    "SiLU": "silu swish",
    "Sigmoid": "logistic sigmoid",
    "Softplus": "softplus",
    "SpatialDropout": "spatialdropout2d dropout2d",
    "Tanh": "tanh",
    "UpSample": "upsampling2d upsampling upsample2d",
}
_INSTANCE = "write {value.__name__}(), with brackets"
_LOSS = "write a class: a loss is an instance of a subclass of cnnkit.losses.Loss"
VALUES: dict[str, dict[Any, str]] = {
    "layers": {
        type: "give an instance, in a list: [{value.__name__}(), ...]",
        "Layer": "put it in a list: [{value}, ...]",
        FunctionType: "call it, and give what it returns",
        "partial": "call it, and give what it returns",
    },
    "layer": {  # of a graph
        type: _INSTANCE,
        FunctionType: "call it: {value.__name__}()",
        Integral: "numbers belong to a layer, Conv({value}) or Dense({value})",
        **{word: f"write {name}()" for name, words in NAMES.items() for word in words.split()},
        "softmax": "leave it out: outputs are numbers before softmax",
    },
    "image_shape": {Integral: "write ({value}, {value}, 1), or 3 for images in colour"},
    "solver": {
        **dict.fromkeys(
            ("rmsprop", "adagrad", "adadelta", "nadam", "adamax"), "the nearest is 'adam'"
        ),
        **dict.fromkeys(("momentum", "nesterov"), "use 'sgd' with momentum and nesterovs_momentum"),
        **dict.fromkeys(("l-bfgs", "bfgs", "l-bfgs-b", "newton"), "the nearest is 'lbfgs'"),
        type: "give its name, such as 'adam'",
    },
    "learning_rate": {
        Real: "a number goes to learning_rate_init",
        "cosine": "use cnnkit.schedules.Cosine()",
        "step": "use cnnkit.schedules.Step()",
        "exponential": "use cnnkit.schedules.Exponential()",
        "onecycle": "use cnnkit.schedules.OneCycle()",
        "one_cycle": "use cnnkit.schedules.OneCycle()",
        "plateau": "use cnnkit.schedules.ReduceOnPlateau()",
        "reduce_on_plateau": "use cnnkit.schedules.ReduceOnPlateau()",
        "reduceonplateau": "use cnnkit.schedules.ReduceOnPlateau()",
        "adaptive": "use cnnkit.schedules.ReduceOnPlateau(0.2)",
        "invscaling": "the nearest is cnnkit.schedules.Exponential()",
        "optimal": "the nearest is cnnkit.schedules.Cosine()",
        "warmup": "use cnnkit.schedules.Cosine(warmup_epochs=2)",
        type: _INSTANCE,
        str: "schedules are those of cnnkit.schedules, such as Cosine()",
    },
    "loss": {
        **dict.fromkeys(
            ("mse", "l2", "mean_squared_error", "meansquarederror", "squared", "ls", "rmse"),
            "use 'squared_error'",
        ),
        **dict.fromkeys(
            ("mae", "l1", "mean_absolute_error", "meanabsoluteerror", "absolute", "lad"),
            "use 'absolute_error'",
        ),
        **dict.fromkeys(("smooth_l1", "smoothl1", "huber_loss", "log_cosh"), "use 'huber'"),
        **dict.fromkeys(("pinball", "pinball_loss", "quantile_loss"), "use 'quantile'"),
        **dict.fromkeys(("poisson_nll", "poissonnll", "poisson_loss"), "use 'poisson'"),
        **dict.fromkeys(
            (
                *("crossentropy", "cross_entropy", "categorical_crossentropy", "log_loss", "nll"),
                *("binary_crossentropy", "sparse_categorical_crossentropy", "bce", "softmax"),
            ),
            "that is for classes: CNNClassifier trains on it",
        ),
        "function": _LOSS,
        type: _INSTANCE,
    },
    "CNNClassifier.loss": {
        **dict.fromkeys(
            (
                *("crossentropy", "cross_entropy", "categorical_crossentropy", "nll", "softmax"),
                *("binary_crossentropy", "sparse_categorical_crossentropy", "bce", "logistic"),
            ),
            "use 'log_loss'",
        ),
        **dict.fromkeys(("focal_loss", "focalloss"), "use 'focal'"),
        "function": _LOSS,
        type: _INSTANCE,
    },
    "scoring": {
        **dict.fromkeys(("mse", "l2"), "use 'neg_mean_squared_error'"),
        **dict.fromkeys(("mae", "l1"), "use 'neg_mean_absolute_error'"),
        "rmse": "use 'neg_root_mean_squared_error'",
        "auc": "use 'roc_auc', or 'roc_auc_ovr' for several classes",
        **dict.fromkeys(("acc", "categorical_accuracy"), "use 'accuracy'"),
        **dict.fromkeys(
            ("loss", "val_loss", "log_loss", "cross_entropy"), "use 'neg_log_loss' for classes"
        ),
    },
    "batch_size": {
        str: "write a number, such as 32",
        type(None): "write a number, such as 32",
    },
    "early_stopping": {
        Integral: "write early_stopping=True, n_iter_no_change={value}",
    },
    "frozen": {str: "put it in a list: [{value!r}]"},
    "augmentation": {
        type: _INSTANCE,
        bool: "say which: [Flip(), Shift(1)] of cnnkit.augmentation",
        str: "augmentations are those of cnnkit.augmentation, such as Flip()",
    },
    "verbose": {Integral: "0 is silent, 1 prints lines, 2 shows a bar"},
    "approximate": {bool: "write 'tanh' or 'none'", "erf": "use 'none'"},
    "padding": {
        "same": "write 'same'",
        "valid": "write 'valid'",
        "same_upper": "use 'same'",
        "full": "write the number of pixels",
        "causal": "write the number of pixels",
        "zeros": "write the number of pixels; it is always zeros",
    },
    "horizontal": {
        bool: "write 0.5 for half of the images, 1 for all, 0 for none",
        "horizontal": "write Flip()",
        "vertical": "write Flip(0, vertical=0.5)",
        "horizontal_and_vertical": "write Flip(0.5, vertical=0.5)",
        "both": "write Flip(0.5, vertical=0.5)",
    },
    "vertical": {bool: "write 0.5 for half of the images, 1 for all, 0 for none"},
    "pixels": {float: "write whole pixels, not a share of the image"},
    "fill": {
        **dict.fromkeys(("nearest", "replicate", "clamp"), "use 'edge'"),
        **dict.fromkeys(("constant", "zeros", "black"), "use 'zero'"),
        **dict.fromkeys(("reflect", "wrap", "mirror", "symmetric"), "the nearest is 'edge'"),
        Real: "use 'zero'",
    },
}
