"""What `runtime` chose: the kernels to call, and the threads to call them on (see dispatch.h)."""

from cpython.pycapsule cimport PyCapsule_GetPointer

from common.simd cimport Kernels

cdef extern from "dispatch.h":
    const char* CNNKIT_DISPATCH

    ctypedef void (*Work)(void* context, Py_ssize_t item, int thread) noexcept nogil

    ctypedef struct Dispatch:
        const Kernels* real[2]
        Py_ssize_t widest
        int (*threads)() noexcept nogil
        void (*run)(Work work, void* context, Py_ssize_t items, int threads) noexcept nogil
        int (*dropped)(int thread) noexcept nogil

cdef enum:
    SHARES = 8              # pieces of work to aim for when an operation has few large ones


cdef inline const Dispatch* load_dispatch() except NULL:
    from cnnkit._native.runtime import dispatch
    return <const Dispatch*> PyCapsule_GetPointer(dispatch, CNNKIT_DISPATCH)
