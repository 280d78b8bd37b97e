"""What `import cnnkit` does besides."""

from oracles import python

CODE = """if True:
    import os, sys
    touched = []

    def watch(event, args):
        if event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            touched.append(args[0])
        if event.startswith(("socket.", "subprocess.", "os.mkdir", "os.rename", "urllib.")):
            touched.append(event)

    import sklearn.base
    sys.addaudithook(watch)
    before = set(sys.modules)
    import cnnkit
    print(touched)
    roots = {name.partition(".")[0] for name in sys.modules}
    print(sorted(roots & {"matplotlib", "torch", "tensorflow", "pandas", "rich", "onnx", "dask"}))
    print(len(set(sys.modules) - before) > 10)
"""


def test_import_writes_nothing_and_brings_no_extras():
    done = python(CODE)
    assert (done.stdout, done.stderr) == ("[]\n[]\nTrue\n", "")


def test_training_brings_no_extras():
    code = """if True:
    import sys
    from cnnkit import CNNClassifier, CNNRegressor, CNNFeatures, lr_find
    CNNClassifier(max_iter=1).fit([[0.0], [1.0]], [0, 1]).predict([[0.0]])
    print(sorted({"matplotlib", "rich", "dask", "sklearn.callback"} & set(sys.modules)))
    """
    done = python(code)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_star_import_is_the_public_names():
    code = "before = set(dir()); from cnnkit import *; print(sorted(set(dir()) - before))"
    done = python(code)
    import cnnkit

    names = sorted([*cnnkit.__all__, "before"])
    assert done.stdout == f"{names}\n"
    assert cnnkit.__version__
