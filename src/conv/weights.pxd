"""The gradients to w and b, by any algorithm: a sum over the pixels of the batch.

Units of pixels are cut into ranges, at most SHARES, and each has a partial sum, which is computed
for some channels at a time: partials x splits pieces of work. Partial sums are added in order, so
that the bits do not depend on the number of threads.

    shared scratch:  db of each partial sum, with what rounding took from it
                     dw of each but the first, which is in dw itself
                     where units are many, dw of one block of them, for each partial sum
"""

from libc.string cimport memcpy, memset

from common.arithmetic cimport ceil_div
from common.simd cimport PRODUCT_ADD, Kernels
from conv.choice cimport IM2COL, WINOGRAD
from conv.direct_weights cimport add_weights, bias_unit, direct_weights_unit, parts_of_unit
from conv.im2col cimport block_bytes, count_parts, im2col_weights, locate_part
from conv.slabs cimport load_unit
from conv.sums cimport ADDS, parts_of_block
from conv.units cimport Conv, Unit, count_units, locate_unit
from conv.winograd cimport count_tiles
from conv.winograd_weights cimport count_sides, gradient_own_bytes, winograd_weights
from threads.dispatch cimport SHARES, Dispatch

cdef enum:
    PARTIALS = 4 << 20      # bytes of all partial sums together, and of one's share
    FEWEST_TILES = 32       # of a partial sum


cdef struct WeightsPlan:
    int by                  # DIRECT, IM2COL or WINOGRAD
    Py_ssize_t numbers      # of dw
    Py_ssize_t partials     # partial sums, at most,
    Py_ssize_t splits       # and shares of the channels of each
    bint blocked            # whether units are so many that they are added up in blocks


cdef struct WeightsJob:     # the gradients of the first n images
    const Dispatch* dispatch
    const Kernels* kernels
    const Conv* conv
    const WeightsPlan* plan
    Py_ssize_t size         # bytes of a number
    Py_ssize_t n
    const char* x           # IN   (n, H, W, C)
    const char* dy          # IN   (n, OH, OW, F)
    char* dw                # OUT  (KH, KW, C / groups, F)
    char* db                # OUT  (F,) or NULL
    char* shared            # scratch
    char* own               # scratch of each thread, own_bytes apart
    Py_ssize_t own_bytes
    int threads
    Py_ssize_t units, partials      # as many as there are for n images


cdef inline Py_ssize_t count_terms(const Conv* conv, int by, Py_ssize_t n) noexcept nogil:
    """Units, for winograd tiles, of the sum over the pixels of n images."""
    if by == WINOGRAD:
        return n * count_tiles(conv)
    if by == IM2COL:
        return count_parts(conv, n)
    return count_units(conv, n)


cdef inline Py_ssize_t parts_of_term(const Conv* conv, int by) noexcept nogil:
    """Parts of a unit that round apart."""
    return 1 if by == IM2COL else parts_of_unit(conv)


cdef inline WeightsPlan plan_weights(const Conv* conv, Py_ssize_t size, int by) noexcept nogil:
    cdef:
        WeightsPlan plan
        Py_ssize_t units = count_terms(conv, by, conv.g.N), bytes
    plan.by = by
    plan.numbers = conv.g.KH * conv.g.KW * (conv.g.C // conv.groups) * conv.F
    plan.splits = 1
    plan.blocked = False
    bytes = plan.numbers * size
    plan.partials = max(1, min(SHARES, PARTIALS // max(1, bytes)))
    if by == WINOGRAD:
        plan.splits = count_sides(conv)
        plan.partials = min(plan.partials, ceil_div(SHARES, plan.splits),
                            ceil_div(units, FEWEST_TILES))
        plan.partials = max(1, plan.partials)
        return plan
    plan.partials = max(1, min(plan.partials, units))
    plan.blocked = ceil_div(units, plan.partials) * parts_of_term(conv, by) > ADDS
    if by == IM2COL and (conv.groups > 1 or not conv.flat):
        plan.splits = 1     # cols are copied once
    elif conv.groups > 1:
        plan.splits = min(conv.groups, ceil_div(SHARES, plan.partials))
    else:
        plan.splits = min(ceil_div(conv.g.C, 16),
                          max(ceil_div(SHARES, plan.partials), ceil_div(bytes, PARTIALS)))
    return plan


cdef inline Py_ssize_t weights_shared_bytes(
    const Conv* conv, const WeightsPlan* plan, Py_ssize_t size
) noexcept nogil:
    return (plan.partials * 2 * conv.F
            + (plan.partials * (1 + plan.blocked) - 1) * plan.numbers) * size


cdef inline Py_ssize_t weights_own_bytes(
    const Conv* conv, const WeightsPlan* plan, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    """Scratch of a thread."""
    if plan.by == WINOGRAD:
        return gradient_own_bytes(conv, kernels, size)
    if plan.by == IM2COL:
        return block_bytes(conv, size)
    return conv.slab + conv.rows * conv.cols * 2 * kernels.lanes * size


cdef inline char* partial_db(const WeightsJob* job, Py_ssize_t part) noexcept nogil:
    return job.shared + part * 2 * job.conv.F * job.size


cdef inline char* partial_dw(const WeightsJob* job, Py_ssize_t part) noexcept nogil:
    """dw of a partial sum; past the last of them, of a block of one."""
    if part == 0:
        return job.dw
    return partial_db(job, job.plan.partials) + (part - 1) * job.plan.numbers * job.size


cdef struct Channels:
    Py_ssize_t g0, g1       # groups g0 <= g < g1,
    Py_ssize_t c0, cn       # and channels c0 <= c < c0 + cn of each


cdef inline Channels locate_channels(
    const Conv* conv, Py_ssize_t split, Py_ssize_t splits
) noexcept nogil:
    """A share of the groups, or, where there is but one, of its channels."""
    cdef Channels channels
    cdef Py_ssize_t C = conv.g.C // conv.groups
    channels.g0 = channels.c0 = 0
    channels.g1 = 1
    channels.cn = C
    if conv.groups > 1:
        channels.g0 = conv.groups * split // splits
        channels.g1 = conv.groups * (split + 1) // splits
    else:
        channels.c0 = C * split // splits
        channels.cn = C * (split + 1) // splits - channels.c0
    return channels


cdef inline Unit add_unit(
    const WeightsJob* job,
    Py_ssize_t index,
    const Channels* channels,
    int flags,
    char* own,              # scratch
    char* dw,               # OUT  (KH, KW, C / groups, F)
) noexcept nogil:
    """dw (+)= sum over one unit, which is returned."""
    cdef:
        const Conv* conv = job.conv
        Py_ssize_t C = conv.g.C // conv.groups, cn = channels.cn
        Unit unit
    if job.plan.by == IM2COL:
        unit = locate_part(conv, job.n, index)
        im2col_weights(conv, job.size, &unit, channels.c0, cn, flags, job.x, job.dy, own, dw)
        return unit
    unit = locate_unit(conv, job.n, index)
    load_unit(conv, job.size, &unit, channels.g0 * C + channels.c0,
              (channels.g1 - channels.g0) * cn, job.x, own)
    direct_weights_unit(conv, job.kernels, job.size, &unit, channels.g0, channels.g1, channels.c0,
                        cn, flags, job.dy, own + conv.slab, dw)
    return unit


cdef inline void add_units(
    const WeightsJob* job,
    Py_ssize_t first,       # units first <= i < last
    Py_ssize_t last,
    Py_ssize_t part,        # which partial sum
    Py_ssize_t split,       # which share of the channels
    int thread,
) noexcept nogil:
    cdef:
        const Conv* conv = job.conv
        Channels channels = locate_channels(conv, split, job.plan.splits)
        Py_ssize_t parts = parts_of_term(conv, job.plan.by), block = last - first, at, i
        char* own = job.own + thread * job.own_bytes
        char* db = partial_db(job, part)
        char* dw = partial_dw(job, part)
        char* to = dw
        Unit unit
    if split == 0:
        memset(db, 0, 2 * conv.F * job.size)
    if job.plan.blocked:
        block = ceil_div(parts_of_block(block * parts), parts)
        to = partial_dw(job, job.plan.partials + part)
    for i in range(first, last):
        if job.dispatch.dropped(thread):
            return
        at = (i - first) % block
        unit = add_unit(job, i, &channels, PRODUCT_ADD if at else 0, own, to)
        if job.plan.blocked and (at == block - 1 or i == last - 1):
            add_weights(conv, job.kernels, job.size, channels.g0, channels.g1, channels.c0,
                        channels.cn, PRODUCT_ADD if i - first >= block else 0, to, dw)
        if split == 0:
            bias_unit(conv, job.kernels, job.size, &unit, job.dy, db)


cdef inline void weights_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One share of the channels in one range of the units."""
    cdef:
        WeightsJob* job = <WeightsJob*> context
        Py_ssize_t part = i // job.plan.splits, split = i % job.plan.splits
        Py_ssize_t first = job.units * part // job.partials
        Py_ssize_t last = job.units * (part + 1) // job.partials
    if job.plan.by == WINOGRAD:
        winograd_weights(job.dispatch, thread, job.conv, job.kernels, job.size, first, last, split,
                         job.x, job.dy, job.own + thread * job.own_bytes, partial_dw(job, part),
                         partial_db(job, part))
    else:
        add_units(job, first, last, part, split, thread)


cdef inline void weights_backward(WeightsJob* job) noexcept nogil:
    """Partial sums over ranges of units, then their sum in order."""
    cdef:
        Py_ssize_t F = job.conv.F, numbers = job.plan.numbers, i
    job.units = count_terms(job.conv, job.plan.by, job.n)
    job.partials = min(job.plan.partials, job.units)
    if not job.units:
        memset(job.dw, 0, numbers * job.size)
        if job.db != NULL:
            memset(job.db, 0, F * job.size)
        return
    job.dispatch.run(weights_item, job, job.partials * job.plan.splits, job.threads)
    for i in range(1, job.partials):
        job.kernels.axpy(F, 1.0, partial_db(job, i), job.shared)
        job.kernels.axpy(numbers, 1.0, partial_dw(job, i), job.dw)
    if job.db != NULL:
        memcpy(job.db, job.shared, F * job.size)
