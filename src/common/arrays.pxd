"""From a checked array to a pointer: the only door between Python objects and native loops."""

from cpython.buffer cimport PyBUF_FULL_RO, Py_buffer, PyBuffer_Release, PyObject_GetBuffer

cdef enum:
    FLOAT = 0
    DOUBLE = 1
    LINE = 64               # bytes of a line of the cache


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


cdef inline char* start_of(object view) except? NULL:
    """Where the data of a memoryview start; the view, not the buffer asked for here, holds them."""
    cdef Py_buffer buffer
    PyObject_GetBuffer(view, &buffer, PyBUF_FULL_RO)
    start = <char*> buffer.buf
    PyBuffer_Release(&buffer)
    return start


cdef inline char* pointer(
    object array,
    tuple shape,
    str code,
    bint writable,
    list keep,
) except? NULL:
    """Data of a C-contiguous array of this shape and format; NULL for None.

    The buffer stays exported as long as `keep` lives: it is not freed, and shape and strides are
    those that were checked. (NumPy's resize with refcheck=False frees what is exported, too.)
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
    return start_of(view)


cdef inline char* rows_pointer(
    object array,
    tuple shape,
    str code,
    bint writable,
    list keep,
    Py_ssize_t* pitch,      # OUT  numbers from one row to the next
) except? NULL:
    """Data of an array whose last axis is contiguous, its rows being `pitch` numbers apart.

    That is a C-contiguous array, or a slice of the channels of one.
    """
    *_, width = shape
    pitch[0] = width
    if array is None:
        return NULL
    view = memoryview(array)
    if view.shape != shape or view.format != code or (writable and view.readonly):
        return pointer(array, shape, code, writable, keep)
    steps = 1               # rows to one step of an axis, from the last but one to the first
    for size, stride in reversed(tuple(zip(shape, view.strides))[:len(shape) - 1]):
        if size > 1:
            pitch[0] = stride // view.itemsize // steps
            break
        steps *= size
    steps = 1
    for size, stride in reversed(tuple(zip(shape, view.strides))[:len(shape) - 1]):
        if size > 1 and stride != steps * pitch[0] * view.itemsize:
            raise ValueError(f"expected rows a constant step apart, got strides {view.strides}.")
        steps *= size
    if width > 1 and view.strides[len(shape) - 1] != view.itemsize:
        raise ValueError(f"expected a contiguous last axis, got strides {view.strides}.")
    keep.append(view)
    return start_of(view)


cdef inline char* scratch_pointer(object scratch, Py_ssize_t least, list keep) except? NULL:
    """Memory of at least so many bytes, whatever they are."""
    cdef tuple shape = scratch.shape    # read once: what is checked is what is held
    if len(shape) != 1 or shape[0] < least:
        raise ValueError(f"scratch must be {least} bytes, got shape {shape}.")
    return pointer(scratch, shape, "B", True, keep)


cdef inline char* aligned_bytes(Py_ssize_t size, list keep) except NULL:
    """New memory of zeros that starts on a cache line and lives as long as `keep`."""
    cdef char* start = pointer(bytearray(size + LINE), (size + LINE,), "B", True, keep)
    return start + (LINE - <size_t> start % LINE) % LINE


cdef inline str real_code(int real):
    return "f" if real == FLOAT else "d"
