"""Compiled modules, built from src/."""

import os

# How long OpenMP's idle threads spin is settled when its library is loaded. GCC's default is about
# a millisecond: on a busy machine they keep the processor from the thread they wait for. Ten
# thousand turns bridge the gaps between the operations of a step and no more.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "10000"
    from cnnkit._native import runtime  # noqa: F401

    del os.environ["GOMP_SPINCOUNT"]
