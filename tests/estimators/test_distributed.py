"""Searches on workers of joblib's: a dask cluster, and what happens when a worker is lost.

Each in a process of its own, which is given up after a time: a search that hangs is a failure.
"""

import importlib.util

import pytest
from oracles import python

dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="needs dask[distributed]"
)

SEARCH = """
import os
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from cnnkit import CNNClassifier, num_threads

X, y = load_digits(return_X_y=True)
X, y = X[:200] / 16, y[:200]


class Killing(CNNClassifier):
    def __init__(self, layers=None, *, image_shape=None, max_iter=1):
        super().__init__(layers, image_shape=image_shape, max_iter=max_iter)

    def fit(self, X, y):
        os.kill(os.getpid(), 9)


def search(estimator):
    return GridSearchCV(estimator, {"max_iter": [1, 2]}, cv=2, error_score="raise")


def report_loss():
    try:
        search(Killing(image_shape=(8, 8))).fit(X, y)
    except Exception as error:
        print("raised", type(error).__name__)
"""

CLUSTER = """
from dask.distributed import Client, LocalCluster

cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
with cluster, Client(cluster) as client:
"""


@dask
def test_a_search_on_a_cluster_is_the_one_at_home():
    code = f"""{SEARCH}{CLUSTER}
    threads = client.run(num_threads)
    assert len(threads) == 2
    assert sum(threads.values()) <= max(2, os.cpu_count()), threads
    clf = CNNClassifier(image_shape=(8, 8), random_state=0)
    home = search(clf).fit(X, y)
    with parallel_config(backend="dask"):
        away = search(clf).fit(X, y)
    key = "mean_test_score"
    assert (home.cv_results_[key] == away.cv_results_[key]).all()
    found = [s.best_estimator_.network_.weights.flat for s in (home, away)]
    assert (found[0] == found[1]).all()
    print("same")
"""
    done = python(code)
    assert done.stdout == "same\n", done.stderr


@dask
def test_a_worker_of_a_cluster_that_is_lost_is_an_error():
    code = f"""{SEARCH}{CLUSTER}
    with parallel_config(backend="dask"):
        report_loss()
"""
    done = python(code)
    assert done.stdout.startswith("raised "), done.stderr
    assert "worker" in done.stderr


def test_a_worker_process_that_is_lost_is_an_error():
    code = f"""{SEARCH}
with parallel_config(backend="loky", n_jobs=2):
    report_loss()
"""
    done = python(code)
    assert done.stdout == "raised TerminatedWorkerError\n", done.stderr
