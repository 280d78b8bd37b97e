/* Every kernel: KERNEL(result, name, arguments), by the file that defines it.
 *
 * Included wherever something is needed for each of them, with KERNEL defined as what that is: the
 * struct Kernels in kernels.h, declarations in vector.h, the contents of the struct in table.c. A
 * new kernel is an entry here, its definition as NAMED(name), and a line in common/simd.pxd. */

/* ---- product.c ---------------------------------------------------------------------------- */

/* `rows` x `cols` numbers of c, cols <= 2 * lanes. b is readable for whole vectors: lanes
 * numbers when cols <= lanes, else 2 * lanes. Starts from `bias` (cols numbers, or NULL for
 * zero); with PRODUCT_ADD starts from zero and adds the sum to c at the end, so that blocks of
 * a long sum round apart; PRODUCT_RELU clips at zero, keeping NaN. The sum over (r, k) has the
 * order of the formula, whatever the tile: same bits in any batch. */
KERNEL(void, product, const Product *p, ptrdiff_t rows, ptrdiff_t cols, const void *a,
       const void *b, const void *bias, int flags, void *c)

/* y[j] += sum over k < K of x[k] * w[k * w_row + j] for j < n, with the rounding of a product */
KERNEL(void, row_product, ptrdiff_t K, ptrdiff_t n, const void *x, const void *w, ptrdiff_t w_row,
       void *y)

/* One panel of b: panel[k * width + j] = scale[j] * w[k * w_row + j * w_col], zero for
 * j >= cols; width is lanes when cols <= lanes, else 2 * lanes; scale NULL is ones. */
KERNEL(void, pack, ptrdiff_t K, ptrdiff_t cols, const void *w, ptrdiff_t w_row, ptrdiff_t w_col,
       const void *scale, void *panel)

/* ---- few.c -------------------------------------------------------------------------------- */

/* A product of cols <= PRODUCT_FEW, b having k along its rows: p->b_step is from one column to the
 * next, and p->a_step is 1. The order of the sum follows from runs and length alone. */
KERNEL(void, few_product, const Product *p, ptrdiff_t rows, ptrdiff_t cols, const void *a,
       const void *b, const void *bias, int flags, void *c)
/* b of it: panel[j * panel_row + k] = scale[j] * w[k * w_row + j * w_col] */
KERNEL(void, pack_few, ptrdiff_t K, ptrdiff_t cols, const void *w, ptrdiff_t w_row,
       ptrdiff_t w_col, const void *scale, void *panel, ptrdiff_t panel_row)

/* ---- winograd.c --------------------------------------------------------------------------- */

/* table of 6x6 pixels of x to 36 points */
KERNEL(void, winograd_input, TRANSFORM_ARGUMENTS)
/* 3x3 of w to 36 points */
KERNEL(void, winograd_weights, TRANSFORM_ARGUMENTS)
/* 36 points to table of 4x4 pixels of y, plus bias (or NULL); PRODUCT_RELU clips at zero */
KERNEL(void, winograd_output, TRANSFORM_ARGUMENTS)
/* table of 4x4 pixels of dy to 36 points */
KERNEL(void, winograd_gradient, TRANSFORM_ARGUMENTS)
/* 36 points to 3x3 of dw */
KERNEL(void, winograd_sum, TRANSFORM_ARGUMENTS)

/* ---- depthwise.c -------------------------------------------------------------------------- */

/* y[p, c] = bias[c] + sum over (i, j) of x[p, i, j, c] w[i, j, c] for p < count; bias may be
 * NULL; PRODUCT_RELU clips at zero */
KERNEL(void, depthwise, const Depthwise *d, ptrdiff_t count, const void *x, const void *w,
       const void *bias, int flags, void *y)
/* dw[i, j, c] += sum over p < count of x[p, i, j, c] dy[p, c]; db[c] += sum of dy[p, c] */
KERNEL(void, depthwise_weights, const Depthwise *d, ptrdiff_t count, const void *x,
       const void *dy, void *dw, void *db)

/* ---- pooling.c: windows of rows x cols pixels of C channels, `width` pixels making one row of
 * the image ---- */

/* y[c] = max over the window, NaN wins; where[c] = its pixel, `first` being the window's first;
 * where may be NULL */
KERNEL(void, max_window, ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
       int32_t first, const void *x, void *y, int32_t *where)
/* dx[pixel, c] += dy[c] for the pixel that where[c] says */
KERNEL(void, max_window_backward, ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
       int32_t first, const int32_t *where, const void *dy, void *dx)
/* y[c] = share * sum over the window of x */
KERNEL(void, mean_window, ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
       double share, const void *x, void *y)

/* ---- norm.c: number by number ------------------------------------------------------------- */

/* y = a * (x - mean) + b; x may be y */
KERNEL(void, normalise, ptrdiff_t n, const void *mean, const void *a, const void *b,
       const void *x, void *y)
/* dx = a * dy + b * (x - mean) + c; dx may be dy */
KERNEL(void, normalise_backward, ptrdiff_t n, const void *mean, const void *a, const void *b,
       const void *c, const void *dy, const void *x, void *dx)

/* ---- activation.c: rows of n channels, a slope for each channel ---------------------------- */

/* y = x where x > 0, else slope * x */
KERNEL(void, prelu, ptrdiff_t rows, ptrdiff_t n, const void *slope, const void *x, void *y)
/* dx = dy where x > 0, else slope * dy; total, as in sums.c, += dy * min(x, 0). dx may be dy; dx or
 * total may be NULL. */
KERNEL(void, prelu_backward, ptrdiff_t rows, ptrdiff_t n, const void *slope, const void *x,
       const void *dy, void *dx, void *total)

/* ---- softmax.c ---------------------------------------------------------------------------- */

/* y = exp(x - top), top = max x, for a row of n >= 1 numbers; returns the sum of y. y may be x, or
 * NULL where only the sum is wanted. */
KERNEL(double, softmax, ptrdiff_t n, const void *x, void *y, double *top)

/* ---- optimizer.c -------------------------------------------------------------------------- */

/* Kingma & Ba (2015), algorithm 1; decoupled decay: Loshchilov & Hutter (2019) */
KERNEL(void, adam, ptrdiff_t n, double rate, double beta1, double beta2, double epsilon,
       double l2, double decay, const void *g, void *m, void *v, void *w)
/* velocity = momentum * velocity - rate * g; Sutskever et al. (2013) for nesterov */
KERNEL(void, sgd, ptrdiff_t n, double rate, double momentum, int nesterov, double l2,
       const void *g, void *velocity, void *w)

/* ---- sums.c: long sums of n channels, whose error does not grow with the number of terms.
 * `total` is n sums and then, for each, what rounding took from it; both start from zero. ---- */

/* sum += x - mean, over rows that lie `step` numbers apart; mean may be NULL for zeros */
KERNEL(void, sum_values, ptrdiff_t rows, ptrdiff_t n, const void *x, ptrdiff_t step,
       const void *mean, void *total)
/* Two totals one after the other, over rows: of dy and (x - mean) dy, or, where dy is NULL,
 * of x - mean and its square */
KERNEL(void, sum_moments, ptrdiff_t rows, ptrdiff_t n, const void *x, const void *dy,
       const void *mean, void *total)
/* sum += x */
KERNEL(void, sum_vector, ptrdiff_t n, const void *x, void *total)

/* ---- elementwise.c: number by number ------------------------------------------------------ */

/* y += alpha * x */
KERNEL(void, axpy, ptrdiff_t n, double alpha, const void *x, void *y)
/* y[r * y_run + i] += x[r * x_run + i] for r < runs, i < n */
KERNEL(void, add_runs, ptrdiff_t runs, ptrdiff_t n, const void *x, ptrdiff_t x_run, void *y,
       ptrdiff_t y_run)
/* x *= alpha */
KERNEL(void, scale, ptrdiff_t n, double alpha, void *x)
/* y += a * x */
KERNEL(void, muladd, ptrdiff_t n, const void *a, const void *x, void *y)
/* y = a * x + b; x may be y */
KERNEL(void, affine, ptrdiff_t n, const void *a, const void *b, const void *x, void *y)
