"""Convolution by blocks of the im2col matrix that stay in L2, multiplied by BLAS.

Always right, on any processor: what the other algorithms are held against.

The rows of the matrix are the output pixels of the whole batch, one after another. A block has as
many of them as fit into L2, so many small images or a part of a large one:

    images     +--------+--------+--------+--------+
    blocks     |------------|------------|---------+..|   the last one is filled up

BLAS chooses its loops by the shape of a product, so that the bits of a row could depend on how
many others are beside it. The rows of a block are therefore a number that follows from the shape
of an image alone; what is computed for those that fill up the last block is dropped. Where the
image is read in place (1x1, and dense layers) im2col is the identity, and nothing is copied.
"""

from libc.string cimport memcmp, memcpy, memset

from common.arithmetic cimport ceil_div, clip
from common.blas cimport multiply
from common.simd cimport PRODUCT_RELU, RELU, Kernels
from common.windows cimport Windows
from conv.columns cimport col2im_rows, im2col_rows
from conv.job cimport ConvJob
from conv.slabs cimport copy_pixels
from conv.sums cimport TERMS
from conv.units cimport BLOCK, Conv, Unit

cdef enum:
    MOST_ROWS = 512         # of a block
    UNPACKED = 1000000      # multiply-adds up to which OpenBLAS packs nothing, and is fastest
    ENOUGH_ROWS = 128       # from which that counts for more than a larger block
    FEWEST_ROWS = 32        # of a block of long rows: BLAS packs the weights for every block,
    ROOM_BYTES = 4 << 20    # unless it has more bytes than this
    ROWS_STEP = 16          # rows that BLAS multiplies alike: a block is a multiple of them
    ROWS_ALONE = 8          # rows of a product that any BLAS multiplies alike


cdef inline bint rows_alike(Py_ssize_t size) noexcept nogil:
    """Whether BLAS gives equal rows of a product the same bits, wherever they are in it.

    OpenBLAS's sgemm for Haswell and Zen sums every other six of them in another order.
    """
    cdef:
        double[3 * ROWS_STEP * TERMS] a      # room for either type
        double[TERMS * ROWS_STEP] b
        double[3 * ROWS_STEP * ROWS_STEP] c
        Py_ssize_t M = 3 * ROWS_STEP, i
    for i in range(M * TERMS):
        if size == sizeof(float):
            (<float*> a)[i] = 1.0 / (1 + i % TERMS)
        else:
            a[i] = 1.0 / (1 + i % TERMS)
    for i in range(TERMS * ROWS_STEP):
        if size == sizeof(float):
            (<float*> b)[i] = 1.0 / (3 + i % 101)
        else:
            b[i] = 1.0 / (3 + i % 101)
    multiply(False, False, M, ROWS_STEP, TERMS, size, <char*> a, TERMS, <char*> b, ROWS_STEP, 0,
             <char*> c, ROWS_STEP)
    for i in range(1, M):
        if memcmp(c, <char*> c + i * ROWS_STEP * size, ROWS_STEP * size):
            return False
    return True


cdef inline Py_ssize_t terms(const Conv* conv) noexcept nogil:
    """Numbers of a row of cols, of one group."""
    return conv.g.KH * conv.g.KW * (conv.g.C // conv.groups)


cdef inline Py_ssize_t row_bytes(const Conv* conv, Py_ssize_t size) noexcept nogil:
    """Scratch of a row of a block: of cols or the pixel it is read from, and of y."""
    return (max(terms(conv), conv.g.C) + conv.F) * size


cdef inline bint is_small(const Conv* conv) noexcept nogil:
    """Whether weights are so few that blocks are small enough for BLAS not to pack them."""
    return UNPACKED // (terms(conv) * (conv.F // conv.groups)) >= ENOUGH_ROWS


cdef inline Py_ssize_t turned_bytes(const Conv* conv, Py_ssize_t size) noexcept nogil:
    """Bytes of W' for the gradient to x, where weights are few.

    BLAS turns many weights while it packs them.
    """
    return terms(conv) * conv.F * size if is_small(conv) else 0


cdef inline void turn_weights(const ConvJob* job) noexcept nogil:
    """Fill job.panels with W': (groups, F / groups, K)"""
    cdef:
        Py_ssize_t K = terms(job.conv), F = job.conv.F, size = job.size, k, f
    for f in range(F):
        for k in range(K):
            memcpy(job.panels + (f * K + k) * size, job.w + (k * F + f) * size, size)


cdef inline void plan_blocks(Conv* conv, Py_ssize_t size, bint alike) noexcept nogil:
    """Choose the rows of a block.

    Where BLAS does not multiply all rows `alike`, a block is of one image alone.
    """
    cdef:
        Py_ssize_t pixels = conv.g.OH * conv.g.OW, row = row_bytes(conv, size)
        Py_ssize_t rows = clip(BLOCK // row, max(1, min(FEWEST_ROWS, ROOM_BYTES // row)), MOST_ROWS)
    if is_small(conv):
        rows = min(rows, UNPACKED // (terms(conv) * (conv.F // conv.groups)))
    conv.alone = not alike and pixels >= ROWS_ALONE
    if alike:
        rows = max(1, rows // ROWS_STEP * ROWS_STEP)
    if pixels > rows:
        rows = ceil_div(pixels, ceil_div(pixels, rows))     # of equal parts of an image
    elif conv.alone:
        rows = pixels
    elif not alike:
        rows = min(rows, ROWS_ALONE)
    else:
        rows = rows // pixels * pixels                      # of whole images
    if alike and rows > 1:
        rows = ceil_div(rows, ROWS_STEP) * ROWS_STEP
    conv.block = rows


cdef inline Py_ssize_t block_bytes(const Conv* conv, Py_ssize_t size) noexcept nogil:
    return conv.block * row_bytes(conv, size)


cdef inline Py_ssize_t count_blocks(const Conv* conv, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t pixels = conv.g.OH * conv.g.OW
    if conv.alone:
        return n * ceil_div(pixels, conv.block)
    return ceil_div(n * pixels, conv.block)


cdef inline Py_ssize_t first_row(const Conv* conv, Py_ssize_t i) noexcept nogil:
    """The first row of block `i`; past the last, the number of all rows or more."""
    cdef Py_ssize_t pixels = conv.g.OH * conv.g.OW, per_image
    if not conv.alone:
        return i * conv.block
    per_image = ceil_div(pixels, conv.block)
    return i // per_image * pixels + i % per_image * conv.block


cdef inline const char* whole_rows(
    Py_ssize_t rows,
    Py_ssize_t given,       # those there are of them
    Py_ssize_t bytes,       # of a row, and from one to the next
    const char* x,
    Py_ssize_t* pitch,      # IN and OUT
    char* scratch,
) noexcept nogil:
    """Return `rows` rows: those at x where they are all there, else a copy with zeros below."""
    if given == rows:
        return x
    copy_pixels(given, bytes, x, pitch[0], scratch, bytes)
    memset(scratch + given * bytes, 0, (rows - given) * bytes)
    pitch[0] = bytes
    return scratch


cdef inline void start_rows(Py_ssize_t rows, Py_ssize_t bytes, const char* b, char* y,
                            Py_ssize_t pitch) noexcept nogil:
    """Every row of y = b, for a product to be added to."""
    cdef Py_ssize_t done = 1, i
    memcpy(y, b, bytes)
    if pitch == bytes:
        while done < rows:
            i = min(done, rows - done)
            memcpy(y + done * bytes, y, i * bytes)
            done += i
        return
    for i in range(1, rows):
        memcpy(y + i * pitch, b, bytes)


cdef inline void forward_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """y = scale cols W + b, for one block of rows"""
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        const Windows* g = &conv.g
        Py_ssize_t size = job.size, C = g.C // conv.groups, F = conv.F // conv.groups, group
        Py_ssize_t K = terms(conv), first = first_row(conv, i)
        Py_ssize_t last = min(first_row(conv, i + 1), job.n * g.OH * g.OW)
        Py_ssize_t given = last - first, rows = given if conv.alone else conv.block
        Py_ssize_t x_pitch = g.C * size, pitch = conv.y_pixel * size
        bint add = job.b != NULL and job.scale == NULL
        char* cols = job.own + thread * job.own_bytes
        char* to = job.y + first * pitch
        char* y = to
        const char* x = cols
    if given < rows:
        y = cols + rows * max(K, g.C) * size
        pitch = conv.F * size
    if add:
        start_rows(rows, conv.F * size, job.b, y, pitch)
    if conv.flat:
        x = whole_rows(rows, given, g.C * size, job.x + first * x_pitch, &x_pitch, cols)
    for group in range(conv.groups):
        if conv.flat:
            multiply(False, False, rows, F, K, size, x + group * C * size, x_pitch // size,
                     job.w + group * F * size, conv.F, add, y + group * F * size, pitch // size)
            continue
        im2col_rows(g, size, group * C, C, first, last, job.x, cols)
        memset(cols + given * K * size, 0, (rows - given) * K * size)
        multiply(False, False, rows, F, K, size, cols, K, job.w + group * F * size, conv.F,
                 add, y + group * F * size, pitch // size)
    finish_rows(job, given, y, pitch)
    if y != to:
        copy_pixels(given, conv.F * size, y, pitch, to, conv.y_pixel * size)


cdef inline void finish_rows(const ConvJob* job, Py_ssize_t rows, char* y,
                             Py_ssize_t pitch) noexcept nogil:
    """y = relu(scale y + b), as far as it is asked for"""
    cdef:
        Py_ssize_t F = job.conv.F, p
        char* row
    if job.scale != NULL:
        for p in range(rows):
            row = y + p * pitch
            job.kernels.affine(F, job.scale, job.b, row, row)
    if not job.flags & PRODUCT_RELU:
        return
    if pitch == F * job.size:
        job.kernels.activations[RELU].forward(rows * F, 0, y, y)
        return
    for p in range(rows):
        row = y + p * pitch
        job.kernels.activations[RELU].forward(F, 0, row, row)


cdef inline void im2col_forward(ConvJob* job) noexcept nogil:
    job.dispatch.run(forward_item, job, count_blocks(job.conv, job.n), job.threads)


cdef inline void product_back(
    const ConvJob* job,         # x is dy
    Py_ssize_t group,
    Py_ssize_t first,       # rows first <= p < last, of which so many are there
    Py_ssize_t last,
    char* scratch,          # of a row of dy for each
    char* to,               # OUT  (last - first, K)
    Py_ssize_t pitch,
) noexcept nogil:
    """to = dy W', of one group"""
    cdef:
        const Conv* conv = job.conv
        Py_ssize_t F = conv.F // conv.groups, size = job.size, K = terms(conv)
        Py_ssize_t dy_pitch = conv.y_pixel * size, total = job.n * conv.g.OH * conv.g.OW
        const char* dy = whole_rows(last - first, min(last, total) - first, conv.F * size,
                                    job.x + first * dy_pitch, &dy_pitch, scratch)
        bint few = is_small(conv)
        const char* w = (<const char*> job.panels + group * F * K * size if few
                         else job.w + group * F * size)
    multiply(False, not few, last - first, K, F, size, dy + group * F * size, dy_pitch // size, w,
             K if few else conv.F, 0, to, pitch)


cdef inline void flat_input_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """dx = dy W' for one block of rows; here x is dy and y is dx"""
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        Py_ssize_t size = job.size, C = conv.g.C, K = terms(conv), first = first_row(conv, i), group
        Py_ssize_t last = min(first_row(conv, i + 1), job.n * conv.g.OH * conv.g.OW)
        Py_ssize_t rows = last - first if conv.alone else conv.block
        char* scratch = job.own + thread * job.own_bytes
        char* to = job.y + first * C * size
        char* dx = to if last - first == rows else scratch + rows * conv.F * size
    for group in range(conv.groups):
        product_back(job, group, first, first + rows, scratch, dx + group * K * size, C)
    if dx != to:
        memcpy(to, dx, (last - first) * C * size)


cdef inline Py_ssize_t images_of_item(const Conv* conv) noexcept nogil:
    return 1 if conv.alone else max(1, conv.block // (conv.g.OH * conv.g.OW))


cdef inline void input_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """dx = col2im(dy W') for whole images, since their windows overlap; x is dy and y is dx"""
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        const Windows* g = &conv.g
        Py_ssize_t size = job.size, pixels = g.OH * g.OW, C = g.C // conv.groups, K = terms(conv)
        Py_ssize_t image = i * images_of_item(conv), rows = conv.block, group, last
        Py_ssize_t images = min(images_of_item(conv), job.n - image)
        Py_ssize_t first = image * pixels, end = first + images * pixels
        Py_ssize_t bytes = g.H * g.W * g.C * size
        char* cols = job.own + thread * job.own_bytes
    memset(job.y + image * bytes, 0, images * bytes)
    while first < end:
        last = min(first + rows, end)
        for group in range(conv.groups):
            product_back(job, group, first, last if conv.alone else first + rows,
                         cols + rows * K * size, cols, K)
            col2im_rows(g, job.kernels, size, group * C, C, first, last, 0, g.H, cols, job.y)
        first = last


cdef inline void im2col_input(ConvJob* job) noexcept nogil:
    if is_small(job.conv):
        turn_weights(job)
    if job.conv.flat:
        job.dispatch.run(flat_input_item, job, count_blocks(job.conv, job.n), job.threads)
    else:
        job.dispatch.run(input_item, job, ceil_div(job.n, images_of_item(job.conv)), job.threads)


cdef inline Py_ssize_t weights_rows(const Conv* conv) noexcept nogil:
    """Rows of a part of the sum over the pixels of the batch: parts round apart."""
    return min(conv.block, TERMS)


cdef inline Py_ssize_t count_parts(const Conv* conv, Py_ssize_t n) noexcept nogil:
    return ceil_div(n * conv.g.OH * conv.g.OW, weights_rows(conv))


cdef inline Unit locate_part(const Conv* conv, Py_ssize_t n, Py_ssize_t i) noexcept nogil:
    """A part as a unit: one stretch of rows, whichever images they are of."""
    cdef Unit unit
    memset(&unit, 0, sizeof(unit))
    unit.rows = 1
    unit.first = i * weights_rows(conv)
    unit.cols = min(weights_rows(conv), n * conv.g.OH * conv.g.OW - unit.first)
    return unit


cdef inline void im2col_weights(
    const Conv* conv,
    Py_ssize_t size,
    const Unit* part,
    Py_ssize_t c0,          # first channel of a group, and how many; all of them but for 1x1
    Py_ssize_t cn,
    int flags,              # not 0 to add to dw
    const char* x,
    const char* dy,
    char* cols,             # scratch
    char* dw,               # OUT  (KH, KW, C / groups, F)
) noexcept nogil:
    """dw (+)= cols' dy, over the rows of a part"""
    cdef:
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups, group
        Py_ssize_t K = terms(conv) // C * cn, first = part.first, rows = part.cols, pitch = K
        const char* left = cols
    for group in range(conv.groups):
        if conv.flat:
            left = x + (first * conv.g.C + group * C + c0) * size
            pitch = conv.g.C
        else:
            im2col_rows(&conv.g, size, group * C, C, first, first + rows, x, cols)
        multiply(True, False, K, F, rows, size, left, pitch,
                 dy + (first * conv.y_pixel + group * F) * size, conv.y_pixel,
                 1 if flags else 0, dw + (c0 * conv.F + group * F) * size, conv.F)
