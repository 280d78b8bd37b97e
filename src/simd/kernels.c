/* Compiled with -DREAL=float|double and -DISA=portable|avx2|avx512: see kernels.h. */
#include "kernels.h"
#include "vector.h"

#include <assert.h>
#include <math.h>

#if defined(__AVX512F__)
#define ROWS 14 /* 28 of 32 registers accumulate, 2 hold b */
#elif defined(__AVX2__)
#define ROWS 6 /* 12 of 16 registers accumulate, 2 hold b, 1 broadcasts a */
#else
#define ROWS 4
#endif

/* ---- product ------------------------------------------------------------------------------
 *
 *            j: 2 vectors of filters
 *          +----+----+
 *      k   | b0 | b1 |          one step k: load b0, b1; broadcast each a[i]; 2 * rows multiply-adds
 *          +----+----+
 *   i: a_0 |acc |acc |
 *      a_1 |acc |acc |          all of c's tile stays in registers until the last k
 *      ... |    |    |
 */
INLINE void tile(const int rows, const int vectors, const ptrdiff_t a_row, const Product *p,
                 const REAL *a, const REAL *b, const vector *start, int flags, ptrdiff_t cols,
                 REAL *c)
{
    vector acc[ROWS][2];
    const int whole = cols == vectors * LANES;

    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = start[v];
    for (ptrdiff_t r = 0; r < p->runs; r++) {
        const REAL *ak = a + r * p->a_run, *bk = b + r * p->b_run;
        for (ptrdiff_t k = 0; k < p->length; k++, ak += p->a_step, bk += p->b_step) {
            vector bv[2];
            UNROLL for (int v = 0; v < vectors; v++) bv[v] = load(bk + v * LANES);
            UNROLL for (int i = 0; i < rows; i++)
                UNROLL for (int v = 0; v < vectors; v++) acc[i][v] += ak[i * a_row] * bv[v];
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        REAL *to = c + i * p->c_row, edge[2 * LANES];
        if (flags & PRODUCT_ADD) {
            const REAL *from = to;
            if (!whole) from = memcpy(edge, to, (size_t)cols * sizeof(REAL));
            UNROLL for (int v = 0; v < vectors; v++) acc[i][v] += load(from + v * LANES);
        }
        if (flags & PRODUCT_RELU)
            UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = clipped(acc[i][v]);
        if (whole) {
            UNROLL for (int v = 0; v < vectors; v++) store(acc[i][v], to + v * LANES);
        } else {
            UNROLL for (int v = 0; v < vectors; v++) store(acc[i][v], edge + v * LANES);
            memcpy(to, edge, (size_t)cols * sizeof(REAL));
        }
    }
}

typedef void (*tile_fn)(const Product *, const REAL *, const REAL *, const vector *, int,
                        ptrdiff_t, REAL *);

/* spread: rows of a lie a_row apart (pixels); packed: rows of a are neighbours (weights) */
#define TILE(name, rows, vectors, a_row)                                                         \
    static void name(const Product *p, const REAL *a, const REAL *b, const vector *start,        \
                     int flags, ptrdiff_t cols, REAL *c)                                         \
    {                                                                                            \
        tile(rows, vectors, a_row, p, a, b, start, flags, cols, c);                              \
    }
#define TILES(rows)                                                                              \
    TILE(spread_##rows##_1, rows, 1, p->a_row)                                                   \
    TILE(spread_##rows##_2, rows, 2, p->a_row)                                                   \
    TILE(packed_##rows##_1, rows, 1, 1)                                                          \
    TILE(packed_##rows##_2, rows, 2, 1)
#define ENTRY(rows) \
    {{spread_##rows##_1, spread_##rows##_2}, {packed_##rows##_1, packed_##rows##_2}},

#if ROWS == 14
#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#elif ROWS == 6
#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4)
#endif

EACH_HEIGHT(TILES)
static const tile_fn tiles[ROWS][2][2] = {EACH_HEIGHT(ENTRY)};

static void product(const Product *p, ptrdiff_t rows, ptrdiff_t cols, const void *a,
                    const void *b, const void *bias, int flags, void *c)
{
    assert(rows >= 0 && 0 < cols && cols <= 2 * LANES);
    const int two = cols > LANES, packed = p->a_row == 1;
    union {
        vector v[2];
        REAL x[2 * LANES];
    } start = {{{0}}};
    if (bias && !(flags & PRODUCT_ADD)) memcpy(start.x, bias, (size_t)cols * sizeof(REAL));

    /* the fewest tiles, of even height: 16 rows are 8 + 8, not 14 + 2 */
    ptrdiff_t left = (rows + ROWS - 1) / ROWS;
    for (ptrdiff_t i = 0; left > 0; left--) {
        ptrdiff_t height = (rows - i + left - 1) / left;
        tiles[height - 1][packed][two](p, (const REAL *)a + i * p->a_row, (const REAL *)b,
                                       start.v, flags, cols, (REAL *)c + i * p->c_row);
        i += height;
    }
}

/* A few rows of w at a time, read from left to right: what is few is x. */
INLINE void rows_times(const int rows, ptrdiff_t n, const REAL *x, const REAL *w, ptrdiff_t w_row,
                       REAL *y)
{
    ptrdiff_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        vector acc = load(y + j);
        UNROLL for (int k = 0; k < rows; k++) acc += x[k] * load(w + k * w_row + j);
        store(acc, y + j);
    }
    for (; j < n; j++) {
        REAL acc = y[j];
        UNROLL for (int k = 0; k < rows; k++) acc += x[k] * w[k * w_row + j];
        y[j] = acc;
    }
}

static void row_product(ptrdiff_t K, ptrdiff_t n, const void *x_, const void *w_, ptrdiff_t w_row,
                        void *y_)
{
    const REAL *x = x_, *w = w_;
    for (; K >= 8; K -= 8, x += 8, w += 8 * w_row) rows_times(8, n, x, w, w_row, y_);
    for (; K > 0; K--, x++, w += w_row) rows_times(1, n, x, w, w_row, y_);
}

static void pack(ptrdiff_t K, ptrdiff_t cols, const void *w_, ptrdiff_t w_row, ptrdiff_t w_col,
                 const void *scale_, void *panel_)
{
    assert(0 < cols && cols <= 2 * LANES);
    const REAL *restrict w = w_, *restrict scale = scale_;
    REAL *restrict panel = panel_;
    const ptrdiff_t width = cols > LANES ? 2 * LANES : LANES;
    for (ptrdiff_t k = 0; k < K; k++, w += w_row, panel += width) {
        if (cols == 2 * LANES && w_col == 1 && !scale) {
            store(load(w), panel);
            store(load(w + LANES), panel + LANES);
            continue;
        }
        if (scale)
            for (ptrdiff_t j = 0; j < cols; j++) panel[j] = scale[j] * w[j * w_col];
        else
            for (ptrdiff_t j = 0; j < cols; j++) panel[j] = w[j * w_col];
        for (ptrdiff_t j = cols; j < width; j++) panel[j] = 0;
    }
}

/* ---- loops along channels or weights ---------------------------------------------------- */

static void axpy(ptrdiff_t n, double alpha, const void *x_, void *y_)
{
    const REAL *restrict x = x_, a = (REAL)alpha;
    REAL *restrict y = y_;
    for (ptrdiff_t i = 0; i < n; i++) y[i] += a * x[i];
}

static void add_runs(ptrdiff_t runs, ptrdiff_t n, const void *x_, ptrdiff_t x_run, void *y_,
                     ptrdiff_t y_run)
{
    const REAL *x = x_;
    REAL *y = y_;
    for (ptrdiff_t r = 0; r < runs; r++, x += x_run, y += y_run) {
        ptrdiff_t i = 0;
        for (; i + LANES <= n; i += LANES) store(load(y + i) + load(x + i), y + i);
        for (; i < n; i++) y[i] += x[i];
    }
}

static void scale(ptrdiff_t n, double alpha, void *x_)
{
    REAL *x = x_;
    const REAL a = (REAL)alpha;
    for (ptrdiff_t i = 0; i < n; i++) x[i] *= a;
}

static void muladd(ptrdiff_t n, const void *a_, const void *x_, void *y_)
{
    const REAL *restrict a = a_, *restrict x = x_;
    REAL *restrict y = y_;
    for (ptrdiff_t i = 0; i < n; i++) y[i] += a[i] * x[i];
}

static void affine(ptrdiff_t n, const void *a_, const void *b_, const void *x_, void *y_)
{
    const REAL *a = a_, *b = b_, *x = x_;
    REAL *y = y_;
    for (ptrdiff_t i = 0; i < n; i++) y[i] = a[i] * x[i] + b[i];
}

static void normalise(ptrdiff_t n, const void *mean_, const void *a_, const void *b_,
                      const void *x_, void *y_)
{
    const REAL *mean = mean_, *a = a_, *b = b_, *x = x_;
    REAL *y = y_;
    for (ptrdiff_t i = 0; i < n; i++) y[i] = a[i] * (x[i] - mean[i]) + b[i];
}

static void normalise_backward(ptrdiff_t n, const void *mean_, const void *a_, const void *b_,
                               const void *c_, const void *dy_, const void *x_, void *dx_)
{
    const REAL *mean = mean_, *a = a_, *b = b_, *c = c_, *dy = dy_, *x = x_;
    REAL *dx = dx_;
    for (ptrdiff_t i = 0; i < n; i++) dx[i] = a[i] * dy[i] + (b[i] * (x[i] - mean[i]) + c[i]);
}

/* ---- activations: comparisons are written so that NaN stays NaN ------------------------- */

#define ACTIVATION(name, y_of_x, dx_of_s_g)                                                      \
    static void name(ptrdiff_t n, double alpha_, const void *x_, void *y_)                       \
    {                                                                                            \
        const REAL *from = x_, alpha = (REAL)alpha_;                                             \
        REAL *to = y_;                                                                           \
        (void)alpha;                                                                             \
        for (ptrdiff_t i = 0; i < n; i++) {                                                      \
            const REAL x = from[i];                                                              \
            to[i] = y_of_x;                                                                      \
        }                                                                                        \
    }                                                                                            \
    static void name##_backward(ptrdiff_t n, double alpha_, const void *s_, const void *dy_,     \
                                void *dx_)                                                       \
    {                                                                                            \
        const REAL *saved = s_, *dy = dy_, alpha = (REAL)alpha_;                                 \
        REAL *dx = dx_;                                                                          \
        (void)alpha;                                                                             \
        for (ptrdiff_t i = 0; i < n; i++) {                                                      \
            const REAL s = saved[i], g = dy[i];                                                  \
            dx[i] = dx_of_s_g;                                                                   \
        }                                                                                        \
    }

ACTIVATION(relu, x < 0 ? 0 : x, s > 0 ? g : 0)
ACTIVATION(relu6, x < 0 ? 0 : x > 6 ? 6 : x, (s > 0) & (s < 6) ? g : 0)
ACTIVATION(leaky_relu, x < 0 ? alpha * x : x, s > 0 ? g : alpha * g)
ACTIVATION(hard_swish, x < -3 ? 0 : x > 3 ? x : x * (x + 3) * (REAL)(1.0 / 6),
           s < -3 ? 0 : s > 3 ? g : (2 * s + 3) * (REAL)(1.0 / 6) * g)

typedef int32_t places __attribute__((vector_size(VECTOR_BYTES / sizeof(REAL) * sizeof(int32_t))));

/* Vectors of channels, whose maximum, and where it is, stay in registers; returns how many channels
 * that were. */
INLINE ptrdiff_t max_vectors(const int keep, ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols,
                             ptrdiff_t width, int32_t first, const REAL *x, REAL *y,
                             int32_t *where)
{
    const bits zero = (bits)(vector){0};
    ptrdiff_t c = 0;
    for (; c + LANES <= C; c += LANES) {
        vector most = load(x + c);
        bits at = zero + first;
        for (ptrdiff_t i = 0; i < rows; i++) {
            for (ptrdiff_t j = 0; j < cols; j++) {
                const vector v = load(x + (i * width + j) * C + c);
                const bits take = ~(v <= most) & (most == most);
                most = (vector)((take & (bits)v) | (~take & (bits)most));
                const bits here = zero + (first + (int32_t)(i * width + j));
                if (keep) at = (take & here) | (~take & at);
            }
        }
        store(most, y + c);
        const places narrow = __builtin_convertvector(at, places);
        if (keep) memcpy(where + c, &narrow, sizeof narrow);
    }
    return c;
}

static void max_window(ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
                       int32_t first, const void *x_, void *y_, int32_t *where)
{
    assert(rows > 0 && cols > 0); /* every window holds a pixel of the image */
    const REAL *x = x_;
    REAL *y = y_;
    ptrdiff_t c = where ? max_vectors(1, C, rows, cols, width, first, x, y, where)
                        : max_vectors(0, C, rows, cols, width, first, x, y, NULL);
    for (; c < C; c++) {
        REAL most = x[c];
        int32_t at = first;
        for (ptrdiff_t i = 0; i < rows; i++) {
            for (ptrdiff_t j = 0; j < cols; j++) {
                const REAL v = x[(i * width + j) * C + c];
                const int take = !(v <= most) & (most == most);
                most = take ? v : most;
                at = take ? first + (int32_t)(i * width + j) : at;
            }
        }
        y[c] = most;
        if (where) where[c] = at;
    }
}

static void max_window_backward(ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
                                int32_t first, const int32_t *restrict where, const void *dy_,
                                void *dx_)
{
    const REAL *restrict dy = dy_;
    for (ptrdiff_t i = 0; i < rows; i++) {
        for (ptrdiff_t j = 0; j < cols; j++) {
            REAL *restrict dx = (REAL *)dx_ + (i * width + j) * C;
            const int32_t here = first + (int32_t)(i * width + j);
            for (ptrdiff_t c = 0; c < C; c++) dx[c] += where[c] == here ? dy[c] : 0;
        }
    }
}

static void adam(ptrdiff_t n, double rate, double beta1, double beta2, double epsilon, double l2,
                 double decay, const void *g_, void *m_, void *v_, void *w_)
{
    const REAL *restrict g = g_;
    REAL *restrict m = m_, *restrict v = v_, *restrict w = w_;
    const REAL b1 = (REAL)beta1, b2 = (REAL)beta2, a1 = (REAL)(1 - beta1), a2 = (REAL)(1 - beta2);
    const REAL lr = (REAL)rate, eps = (REAL)epsilon, penalty = (REAL)l2, keep = (REAL)(1 - decay);
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL grad = g[i] + penalty * w[i];
        m[i] = b1 * m[i] + a1 * grad;
        v[i] = b2 * v[i] + a2 * grad * grad;
        w[i] = keep * w[i] - lr * m[i] / ((sizeof(REAL) == 4 ? sqrtf(v[i]) : sqrt(v[i])) + eps);
    }
}

static void sgd(ptrdiff_t n, double rate, double momentum, int nesterov, double l2,
                const void *g_, void *velocity_, void *w_)
{
    const REAL *restrict g = g_;
    REAL *restrict velocity = velocity_, *restrict w = w_;
    const REAL lr = (REAL)rate, mu = (REAL)momentum, penalty = (REAL)l2;
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL move = -lr * (g[i] + penalty * w[i]);
        velocity[i] = mu * velocity[i] + move;
        w[i] += nesterov ? mu * velocity[i] + move : velocity[i];
    }
}

extern const Winograd JOIN(cnnkit_winograd, ISA, REAL);
extern const DepthwiseLines JOIN(cnnkit_depthwise, ISA, REAL);
extern const Softmax JOIN(cnnkit_softmax, ISA, REAL);
extern const Sums JOIN(cnnkit_sums, ISA, REAL);

const Kernels JOIN(cnnkit, ISA, REAL) = {
    .lanes = LANES,
    .product = product,
    .row_product = row_product,
    .pack = pack,
    .axpy = axpy,
    .add_runs = add_runs,
    .scale = scale,
    .muladd = muladd,
    .affine = affine,
    .normalise = normalise,
    .normalise_backward = normalise_backward,
    .activations = {[RELU] = {relu, relu_backward},
                    [RELU6] = {relu6, relu6_backward},
                    [LEAKY_RELU] = {leaky_relu, leaky_relu_backward},
                    [HARD_SWISH] = {hard_swish, hard_swish_backward}},
    .max_window = max_window,
    .max_window_backward = max_window_backward,
    .adam = adam,
    .sgd = sgd,
    .winograd = &JOIN(cnnkit_winograd, ISA, REAL),
    .depthwise = &JOIN(cnnkit_depthwise, ISA, REAL),
    .softmax = &JOIN(cnnkit_softmax, ISA, REAL),
    .sums = &JOIN(cnnkit_sums, ISA, REAL),
};
