/* The innermost loops, compiled once for each instruction set and each real type.
 *
 * kernels.c and the files beside it are compiled by setup.py with -DREAL and -DISA and the flags of that
 * instruction set. A loop reads and writes the numbers it is given and nothing else: sizes are
 * checked by the caller, no loop reads past the last number it was promised. */
#ifndef CNNKIT_KERNELS_H
#define CNNKIT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* How a product walks through its operands, in numbers (not bytes):
 *
 *     c[i * c_row + j] (+)= sum over r < runs, k < length of
 *         a[i * a_row + r * a_run + k * a_step] * b[r * b_run + k * b_step + j]
 *
 * Forward convolution: i is a pixel, a run is one kernel row of KW * C numbers in place in the
 * image. Weight gradient: i is a weight, a run is one row of output pixels. */
typedef struct {
    ptrdiff_t runs, length;
    ptrdiff_t a_row, a_run, a_step;
    ptrdiff_t b_run, b_step;
    ptrdiff_t c_row;
} Product;

enum { PRODUCT_ADD = 1, PRODUCT_RELU = 2 };

/* forward: y = f(x), x may be y. backward: dx = f'(saved) dy, dx may be dy; saved is y, but x for
 * HARD_SWISH. NaN stays NaN. alpha is the slope of LEAKY_RELU below zero. */
enum { RELU, RELU6, LEAKY_RELU, HARD_SWISH, ACTIVATIONS };
typedef struct {
    void (*forward)(ptrdiff_t n, double alpha, const void *x, void *y);
    void (*backward)(ptrdiff_t n, double alpha, const void *saved, const void *dy, void *dx);
} Activation;

/* winograd.c: `from` and `to` are the numbers of one tile, line after line, each the first of n
 * channels: `step` numbers apart, or, for pixels, a table of pointers. Zeros stand for what lies
 * outside the image, and what nobody wants goes to a spare place. */
typedef void (*Transform)(ptrdiff_t n, const void *from, ptrdiff_t from_step, const void *bias,
                          int flags, void *to, ptrdiff_t to_step);
enum { WINOGRAD_TILE = 4, WINOGRAD_IN = 6, WINOGRAD_POINTS = 36 };
typedef struct {
    Transform input;    /* table of 6x6 pixels of x to 36 points */
    Transform weights;  /* 3x3 of w to 36 points */
    Transform output;   /* 36 points to table of 4x4 pixels of y, plus bias (or NULL); flags */
    Transform gradient; /* table of 4x4 pixels of dy to 36 points */
    Transform sum;      /* 36 points to 3x3 of dw */
} Winograd;

/* depthwise.c: a line of outputs, x_step numbers of x and y_step of y apart, under `rows` x `cols`
 * kernel positions that all of them have. */
typedef struct {
    ptrdiff_t C, rows, cols;
    ptrdiff_t x_step, x_row, x_col; /* from an output, kernel row or column to the next */
    ptrdiff_t w_row, w_col;
    ptrdiff_t y_step;
} Depthwise;
typedef struct {
    /* y[p, c] = bias[c] + sum over (i, j) of x[p, i, j, c] w[i, j, c] for p < count; bias may be
     * NULL; PRODUCT_RELU clips at zero */
    void (*forward)(const Depthwise *d, ptrdiff_t count, const void *x, const void *w,
                    const void *bias, int flags, void *y);
    /* dw[i, j, c] += sum over p < count of x[p, i, j, c] dy[p, c]; db[c] += sum of dy[p, c] */
    void (*weights)(const Depthwise *d, ptrdiff_t count, const void *x, const void *dy, void *dw,
                    void *db);
} DepthwiseLines;

/* softmax.c: y = exp(x - top), top = max x, for a row of n >= 1 numbers; returns the sum of y.
 * y may be x, or NULL where only the sum is wanted. */
typedef double (*Softmax)(ptrdiff_t n, const void *x, void *y, double *top);

/* sums.c: long sums of n channels, whose error does not grow with the number of terms. `total` is n
 * sums and then, for each, what rounding took from it; both start from zero. */
typedef struct {
    /* sum += x */
    void (*add)(ptrdiff_t n, const void *x, void *total);
    /* sum += x - mean, over rows that lie `step` numbers apart; mean may be NULL for zeros */
    void (*values)(ptrdiff_t rows, ptrdiff_t n, const void *x, ptrdiff_t step, const void *mean,
                   void *total);
    /* Two totals one after the other, over rows: of dy and (x - mean) dy, or, where dy is NULL,
     * of x - mean and its square */
    void (*moments)(ptrdiff_t rows, ptrdiff_t n, const void *x, const void *dy, const void *mean,
                    void *total);
    /* y[c] = share * sum over rows x cols pixels of x, `width` pixels making one row of the image */
    void (*mean_window)(ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
                        double share, const void *x, void *y);
} Sums;

typedef struct {
    ptrdiff_t lanes; /* numbers in one vector; a panel of b is 2 * lanes or lanes wide */

    /* `rows` x `cols` numbers of c, cols <= 2 * lanes. b is readable for whole vectors: lanes
     * numbers when cols <= lanes, else 2 * lanes. Starts from `bias` (cols numbers, or NULL for
     * zero); with PRODUCT_ADD starts from zero and adds the sum to c at the end, so that blocks of
     * a long sum round apart; PRODUCT_RELU clips at zero, keeping NaN. The sum over (r, k) has the
     * order of the formula, whatever the tile: same bits in any batch. */
    void (*product)(const Product *p, ptrdiff_t rows, ptrdiff_t cols, const void *a,
                    const void *b, const void *bias, int flags, void *c);

    /* y[j] += sum over k < K of x[k] * w[k * w_row + j] for j < n, with the rounding of a product */
    void (*row_product)(ptrdiff_t K, ptrdiff_t n, const void *x, const void *w, ptrdiff_t w_row,
                        void *y);

    /* One panel of b: panel[k * width + j] = scale[j] * w[k * w_row + j * w_col], zero for
     * j >= cols; width is lanes when cols <= lanes, else 2 * lanes; scale NULL is ones. */
    void (*pack)(ptrdiff_t K, ptrdiff_t cols, const void *w, ptrdiff_t w_row, ptrdiff_t w_col,
                 const void *scale, void *panel);

    /* y += alpha * x */
    void (*axpy)(ptrdiff_t n, double alpha, const void *x, void *y);
    /* y[r * y_run + i] += x[r * x_run + i] for r < runs, i < n */
    void (*add_runs)(ptrdiff_t runs, ptrdiff_t n, const void *x, ptrdiff_t x_run, void *y,
                     ptrdiff_t y_run);
    /* x *= alpha */
    void (*scale)(ptrdiff_t n, double alpha, void *x);
    /* y += a * x, number by number */
    void (*muladd)(ptrdiff_t n, const void *a, const void *x, void *y);
    /* y = a * x + b, number by number; x may be y */
    void (*affine)(ptrdiff_t n, const void *a, const void *b, const void *x, void *y);
    /* y = a * (x - mean) + b, number by number; x may be y */
    void (*normalise)(ptrdiff_t n, const void *mean, const void *a, const void *b, const void *x,
                      void *y);
    /* dx = a * dy + b * (x - mean) + c, number by number; dx may be dy */
    void (*normalise_backward)(ptrdiff_t n, const void *mean, const void *a, const void *b,
                               const void *c, const void *dy, const void *x, void *dx);
    Activation activations[ACTIVATIONS];
    /* y[c] = max over rows x cols pixels, NaN wins; where[c] = its pixel, `first` being the
     * window's first and `width` pixels making one row of the image; where may be NULL */
    void (*max_window)(ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
                       int32_t first, const void *x, void *y, int32_t *where);
    /* dx[pixel, c] += dy[c] for the pixel that where[c] says, over a window of max_window's */
    void (*max_window_backward)(ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
                                int32_t first, const int32_t *where, const void *dy, void *dx);
    /* Kingma & Ba (2015), algorithm 1; decoupled decay: Loshchilov & Hutter (2019) */
    void (*adam)(ptrdiff_t n, double rate, double beta1, double beta2, double epsilon,
                 double l2, double decay, const void *g, void *m, void *v, void *w);
    /* velocity = momentum * velocity - rate * g; Sutskever et al. (2013) for nesterov */
    void (*sgd)(ptrdiff_t n, double rate, double momentum, int nesterov, double l2,
                const void *g, void *velocity, void *w);
    const Winograd *winograd;
    const DepthwiseLines *depthwise;
    const Softmax *softmax;
    const Sums *sums;
} Kernels;

#endif
