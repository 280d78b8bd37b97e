#!/usr/bin/env bash
# Run the tests of native code on a wheel for aarch64, under an emulator of the processor.
#
#     packaging/test_aarch64.sh dist/cnnkit-0.1.0-cp311-abi3-manylinux_2_28_aarch64.whl [TEST ...]
#
# It needs Debian on x86-64 and root: apt-get brings qemu-user and Debian's Python for arm64, which
# is unpacked below build/aarch64 and not installed; pip brings NumPy, SciPy and scikit-learn. The
# tests below take some forty minutes, twenty times as long as on the processor itself.
set -euo pipefail
cd "$(dirname "$0")/.."
wheel=${1:?"usage: $0 WHEEL [TEST ...]"}
shift
TESTS=(
    tests/native
    tests/functional/test_conv.py
    tests/functional/test_conv_dense.py
    tests/functional/test_conv_examples.py
    tests/functional/test_pool.py
    tests/layers/test_activation.py
    tests/layers/test_conv_depthwise.py
    tests/layers/test_norm.py
    tests/network/test_network_packed.py
    tests/losses
    tests/reliability/test_accuracy.py
    tests/reliability/test_same_bits.py
)
if [ $# -gt 0 ]; then
    TESTS=("$@")
fi

root=$PWD/build/aarch64/root
site=$PWD/build/aarch64/site
if [ ! -e build/aarch64/ready ]; then
    rm -rf build/aarch64
    mkdir -p "$root" "$site" build/aarch64/downloads
    dpkg --add-architecture arm64
    apt-get update -qq
    apt-get install -y -qq qemu-user-static
    python=$(apt-cache depends python3:arm64 | grep -o -m 1 'python3\.[0-9]*')
    (
        cd build/aarch64/downloads
        apt-get download -qq $(apt-cache depends --recurse --no-recommends --no-suggests \
            --no-conflicts --no-breaks --no-replaces --no-enhances "$python:arm64" |
            grep '^[a-z].*:arm64$' | sort -u)
        for package in *.deb; do dpkg -x "$package" "$root"; done
    )
    python3 -m pip download --quiet --only-binary=:all: --python-version "${python#python}" \
        --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 \
        --platform manylinux_2_28_aarch64 --dest build/aarch64/downloads \
        numpy scipy scikit-learn pytest
    for package in build/aarch64/downloads/*.whl; do
        python3 -m zipfile -e "$package" "$site"
    done
    echo "$python" > build/aarch64/ready
fi
rm -rf "$site"/cnnkit*
python3 -m zipfile -e "$wheel" "$site"

emulated() {
    PYTHONPATH=$site PYTHONDONTWRITEBYTECODE=1 \
        qemu-aarch64-static -L "$root" "$root/usr/bin/$(cat build/aarch64/ready)" -s -P "$@"
}
emulated -m cnnkit versions
emulated -m pytest -p no:cacheprovider "${TESTS[@]}"
# learning as a whole: the digits at default arguments
emulated - <<'PYTHON'
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cnnkit import CNNClassifier

X_train, X_test, y_train, y_test = train_test_split(
    *load_digits(return_X_y=True), test_size=0.25, stratify=load_digits().target, random_state=0
)
clf = CNNClassifier(image_shape=(8, 8), max_iter=3, random_state=0)
accuracy = clf.fit(X_train, y_train).score(X_test, y_test)
print(f"accuracy on the digits after 3 epochs: {accuracy:.3f}")
assert accuracy > 0.9
PYTHON
