"""What native code is given."""

import pytest
from oracles import LAYOUTS, integers, laid_out

from cnnkit.arrays import for_native


@pytest.mark.parametrize("dtype", ["float32", "float64", "intp"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_native_code_reads_contiguous_and_aligned_numbers(layout, dtype, tmp_path):
    numbers = integers(4, 3).astype(dtype)
    found = for_native(laid_out(numbers, layout, tmp_path), dtype)
    assert found.dtype == dtype
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert found.flags.aligned
    assert (found == numbers).all()
