"""
A grid search on several machines
=================================

GridSearchCV gives its fits to joblib, and joblib to the chosen backend: processes of this machine,
or the workers of a dask cluster. Neither the estimator nor the results change: the same seeds give
the same bits on all workers with the same instruction set.

Here the cluster is two worker processes on this machine. For one of several machines, start
``dask scheduler`` on one of them and ``dask worker tcp://scheduler:8786 --nworkers 2 --nthreads 1``
on each, and connect with ``Client("tcp://scheduler:8786")``. A worker's nanny sets
``OMP_NUM_THREADS=1``, which cnnkit respects, so that workers do not compete for cores; with fewer
workers than cores, set it to cores / workers. Ray works the same way:
``ray.util.joblib.register_ray()`` and then ``parallel_config(backend="ray")``.

Needs ``pip install 'cnnkit[distributed]'``.
"""

from time import perf_counter

from dask.distributed import Client, LocalCluster
from endings import timed
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from cnnkit import CNNClassifier, Conv, MaxPool, ReLU, fc_head, gap_head, num_threads

GRID = {"head": [fc_head(32), gap_head()], "conv1__filters": [8, 16]}


def main():
    X, y = load_digits(return_X_y=True)
    layers = [Conv(16), ReLU(), Conv(32), ReLU(), MaxPool(2), ("head", gap_head())]
    clf = CNNClassifier(layers, image_shape=(8, 8), max_iter=20, random_state=0)
    search = GridSearchCV(clf, GRID, cv=3, error_score="raise")

    # %%
    # The cluster. dashboard_address=None: no web server is needed here.

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        print("threads of each worker:", *client.run(num_threads).values())
        began = perf_counter()
        with parallel_config(backend="dask"):
            search.fit(X, y)
        print(f"{len(GRID['head']) * len(GRID['conv1__filters']) * 3} fits", end=", ")
        print(f"{perf_counter() - began:.1f} s\n")

    # %%
    # The result.

    print("filters  head                   accuracy")
    results = search.cv_results_
    for params, score in zip(results["params"], results["mean_test_score"], strict=True):
        head = "fully connected" if params["head"] == fc_head(32) else "1x1 + average pooling"
        print(f"{params['conv1__filters']:>7}  {head:<21}  {score:.3f}")


if __name__ == "__main__":  # worker processes import this file
    timed(main)
