"""From a checked array to a pointer: the only door between Python objects and native loops."""

from cpython.buffer cimport Py_buffer
from cpython.memoryview cimport PyMemoryView_GET_BUFFER

cdef enum:
    FLOAT = 0
    DOUBLE = 1


cdef inline int real_of(object array) except -1:
    """FLOAT or DOUBLE, from an array's dtype."""
    code = memoryview(array).format
    if code == "f":
        return FLOAT
    if code == "d":
        return DOUBLE
    raise TypeError(f"expected an array of native float32 or float64, got format {code!r}.")


cdef inline Py_ssize_t size_of(int real) noexcept nogil:
    return sizeof(float) if real == FLOAT else sizeof(double)


cdef inline char* pointer(
    object array,
    tuple shape,
    str code,
    bint writable,
    list keep,
) except? NULL:
    """Data of a C-contiguous array of this shape and format; NULL for None.

    The buffer stays exported, so that it can neither move nor be freed, as long as `keep` lives.
    """
    if array is None:
        return NULL
    view = memoryview(array)
    if view.shape != shape or view.format != code or not view.c_contiguous:
        raise ValueError(
            f"expected a C-contiguous array of shape {shape} and format {code!r}, "
            f"got shape {view.shape} and format {view.format!r}."
        )
    if writable and view.readonly:
        raise ValueError(f"expected a writable array, got a read-only one of shape {shape}.")
    keep.append(view)
    cdef Py_buffer* buffer = PyMemoryView_GET_BUFFER(view)
    return <char*> buffer.buf


cdef inline str real_code(int real):
    return "f" if real == FLOAT else "d"
