"""Floating-point modes are the caller's: rounding, denormals and traps stay as they are.

A library that sets them, or is linked with -ffast-math, changes the results of everything else in
the process.
"""

import ctypes
import ctypes.util
import platform
import sys
import threading
from collections import Counter
from functools import partial

import children
import numpy as np
import pytest
from oracles import python
from public_calls import FUNCTIONS, images

import cnnkit
from cnnkit import augmentation, functional, models

MACHINE = platform.machine().lower()
X86 = sys.platform == "linux" and MACHINE in ("x86_64", "amd64")
ROUNDINGS = [0, 0x400, 0x800, 0xC00] if X86 else [0]  # to nearest, down, up, to zero
FLAGS = 0x3F  # of MXCSR: what has happened, not a mode


def libm():
    """The C library that holds fegetenv, or None."""
    found = ctypes.CDLL(ctypes.util.find_library("m"))
    return found if hasattr(found, "fegetenv") else None


pytestmark = pytest.mark.skipif(libm() is None, reason="needs fegetenv")


def modes():
    """Rounding, and where it is known where they lie, control words without their flags."""
    environment = (ctypes.c_uint8 * 512)()
    assert libm().fegetenv(environment) == 0
    data = bytes(environment)
    found = {"rounding": libm().fegetround()}
    if X86:
        found["x87"] = int.from_bytes(data[:2], "little")
        found["MXCSR"] = int.from_bytes(data[28:32], "little") & ~FLAGS
    elif sys.platform == "linux" and MACHINE == "aarch64":
        found["FPCR"] = int.from_bytes(data[:4], "little")
    return found


def denormals_survive():
    """Whether denormals are numbers, one by one and many at a time, here and in our threads."""
    small, least = np.float32(1e-40), 5e-324
    many = np.full((4, 64, 64, 32), small)
    doubled = functional.conv2d(many, np.ones((1, 1, 32, 4), np.float32), algorithm="direct")
    return (
        small * np.float32(1) != 0
        and least * 1.0 != 0
        and (many * np.float32(0.5) != 0).all()
        and (doubled > many[..., :1]).all()
        and np.array_equal(functional.relu(many), many)
        and np.array_equal(functional.max_pool2d(many, 2), many[:, ::2, ::2])
    )


def test_denormals_survive():
    assert denormals_survive()


def test_import_leaves_modes_as_they_are():
    code = f"""if True:
        import ctypes, sys
        def modes():
            environment = (ctypes.c_uint8 * 512)()
            libm = ctypes.CDLL({ctypes.util.find_library("m")!r})
            libm.fegetenv(environment)
            word = int.from_bytes(bytes(environment)[28:32], "little") & ~{FLAGS}
            return libm.fegetround(), bytes(environment)[:2], word if {X86} else None
        before = modes()
        import cnnkit
        for name in cnnkit.__all__:
            getattr(cnnkit, name)
        print(modes() == before, cnnkit.functional.relu([1e-40])[0] > 0)
    """
    done = python(code)
    assert (done.stdout, done.stderr) == ("True True\n", "")


X, LABELS = images(24, 8, 8, 1), np.arange(24) % 3


def fit(kind, y, **options):
    estimator = kind(max_iter=1, batch_size=8, random_state=0, **options).fit(X, y)
    estimator.predict(X)


def network(name):
    shape = (12, 12, 3)
    graph = models.MODELS[name](3, shape, width=0.05)
    net = cnnkit.Network(graph, shape, 3, batch_size=2, training=True, rng=np.random.default_rng(0))
    net.weights.initialise(np.random.default_rng(0))
    net.x[...] = 1
    net.forward(2)
    net.doutput[...] = 1
    net.backward(2)


def augment():
    change = augmentation.Augment(
        [augmentation.Rotate(), augmentation.Noise(), augmentation.Flip()]
    )
    change.check((8, 8, 1))
    change.apply(X.copy(), None, np.random.default_rng(0))


CALLS = {
    **{name: partial(getattr(functional, name), **given) for name, given in FUNCTIONS.items()},
    **{
        f"fit and predict, {solver}": partial(fit, cnnkit.CNNClassifier, LABELS, solver=solver)
        for solver in ("adam", "sgd", "lbfgs")
    },
    **{f"network {name}": partial(network, name) for name in models.MODELS},
    "regressor": lambda: fit(cnnkit.CNNRegressor, LABELS.astype(float)),
    "features": lambda: cnnkit.CNNFeatures(
        cnnkit.CNNClassifier(max_iter=1, random_state=0)
    ).fit_transform(X, LABELS),
    "augmentation": augment,
    "lr_find": lambda: cnnkit.lr_find(cnnkit.CNNClassifier(random_state=0), X, LABELS, steps=3),
    "set_num_threads": lambda: cnnkit.set_num_threads(2),
}
TRIED = Counter()


def tried(rng, note):
    """One call in modes of the caller's, on the main thread or on another."""
    name = str(rng.choice([*CALLS]))
    rounding = int(rng.choice(ROUNDINGS)) if rng.random() < 0.5 else 0
    elsewhere = rng.random() < 0.3
    cnnkit.set_num_threads(int(rng.integers(1, 5)))
    note(f"{name}, rounding {rounding:#x}, {'another' if elsewhere else 'main'} thread")
    found = []

    def run():
        assert libm().fesetround(rounding) == 0
        try:
            before = modes()
            CALLS[name]()
            found.append((before, modes()))
        finally:
            libm().fesetround(0)

    here = modes()
    if elsewhere:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    else:
        run()
    ((before, after),) = found
    assert before["rounding"] == rounding
    assert after == before
    assert modes() == here
    assert denormals_survive()
    TRIED["on another thread" if elsewhere else "on the main thread"] += 1


tried.found = lambda: ", ".join(f"{count:,} {where}" for where, count in sorted(TRIED.items()))


def test_calls_leave_modes_as_they_are(trials):
    children.alone(tried, trials, quick=60, full=2_000, timeout=1200)


if __name__ == "__main__":
    children.main(globals())
