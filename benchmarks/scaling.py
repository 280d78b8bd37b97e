"""The gain from a second thread and wider registers, and the scratch memory of ops.

Run::

    python benchmarks/scaling.py [--rounds 3] [--threads 2] [--only PATTERN] [--json PATH]

All contenders are cnnkit, on the convolutions of convolutions.py: by default, on one thread, and
with the instruction sets of older processors (`CNNKIT_INSTRUCTION_SET`) on all threads. The ratios
are time / time of the first: for "one thread" it is the speed-up by more threads, and for an
instruction set the slowdown without the better ones. On a processor without AVX-512 the ratio of
AVX2 is 1.

``forward: CASE``, ``forward + backward: CASE``
    As in convolutions.py. One thread is not measured for cases of less than 1 MFLOP, which are too
    small for two.
``scratch a thread: NAME, batch B``
    MB of scratch memory of the op that needs most of it in a network at 224x224, for training on
    batches of B images, divided by the number of threads. Nothing is run.
"""

import functools
import os

import convolutions
import harness

NETWORKS = ("vgg16", "resnet50", "resnet18", "googlenet", "squeezenet_1_1", "mobilenet_v1")
BATCHES = (1, 8, 32)
LARGE = 1e6 / 2  # multiply-adds


def scratch_rows():
    """{row: one_round} of the scratch memory of networks."""
    import numpy as np

    from cnnkit import Network, models
    from cnnkit._native.threads import num_threads

    @functools.cache
    def scratch(name, batch):
        graph = getattr(models, name)()
        rng = np.random.default_rng(0)
        net = Network(graph, (224, 224, 3), 1000, batch_size=batch, training=True, rng=rng)
        ops = [*net._forward, *net._backward]
        size = max(getattr(op, "scratch_bytes", 0) for op in ops)
        return harness.Turn([size / num_threads() / 2**20], unit="MB")

    return {
        f"scratch a thread: {name}, batch {batch}": functools.partial(scratch, name, batch)
        for name in NETWORKS
        for batch in BATCHES
    }


def with_cnnkit():
    convolution_rows = {
        row: one_round
        for row, one_round in convolutions.with_cnnkit().items()
        if row.startswith("forward")
    }
    return convolution_rows | ({} if os.environ.get("CNNKIT_INSTRUCTION_SET") else scratch_rows())


def with_one_thread():
    work = convolutions.multiply_adds()
    return {
        row: one_round
        for row, one_round in with_cnnkit().items()
        if row not in work or work[row] / (3 if "backward" in row else 1) >= LARGE
    }


CONTENDERS = [
    harness.Contender("cnnkit", with_cnnkit, ("cnnkit", "numpy", "scipy")),
    harness.Contender("one thread", with_one_thread, environment={"OMP_NUM_THREADS": "1"}),
    *(
        harness.Contender(isa, with_cnnkit, environment={"CNNKIT_INSTRUCTION_SET": isa})
        for isa in ("avx2", "portable")
    ),
]

if __name__ == "__main__":
    harness.run(__doc__, CONTENDERS, rounds=3, rest=0.05)
