/* What the innermost loops are given, and the table of them.
 *
 * Each file of this folder holds the loops of one family of layers, forward beside backward.
 * setup.py compiles all of them once for each instruction set and each real type. A loop reads and
 * writes the numbers it is given and nothing else: sizes are checked by the caller, no loop reads
 * past the last number it was promised. */
#ifndef CNNKIT_KERNELS_H
#define CNNKIT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* product.c: how a product walks through its operands, in numbers (not bytes):
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
enum { PRODUCT_FEW = 4 }; /* most columns of a few_product */

/* Places of the activations of activation_list.h. */
#define ACTIVATION(name, y_of_x, dx_of_s_g) ACTIVATION_##name,
#define SMOOTH ACTIVATION
enum {
#include "activation_list.h"
    ACTIVATION_COUNT
};
#undef SMOOTH
#undef ACTIVATION

/* forward: y = f(x), x may be y. backward: dx = f'(saved) dy, dx may be dy; saved is x or y, as
 * activation_list.h says. NaN stays NaN. */
typedef struct {
    const char *name;
    void (*forward)(ptrdiff_t n, double alpha, const void *x, void *y);
    void (*backward)(ptrdiff_t n, double alpha, const void *saved, const void *dy, void *dx);
} Activation;

/* winograd.c: `from` and `to` are the numbers of one tile, line after line, each the first of n
 * channels: `step` numbers apart, or, for pixels, a table of pointers. Pixels outside
 * the image are read from zeros and written to a spare place. */
#define TRANSFORM_ARGUMENTS                                                                      \
    ptrdiff_t n, const void *from, ptrdiff_t from_step, const void *bias, int flags, void *to,   \
        ptrdiff_t to_step
enum { WINOGRAD_TILE = 4, WINOGRAD_IN = 6, WINOGRAD_POINTS = 36 };

/* depthwise.c: a line of outputs, x_step numbers of x and y_step of y apart, under `rows` x `cols`
 * kernel positions that all of them have. */
typedef struct {
    ptrdiff_t C, rows, cols;
    ptrdiff_t x_step, x_row, x_col; /* from an output, kernel row or column to the next */
    ptrdiff_t w_row, w_col;
    ptrdiff_t y_step;
} Depthwise;

#define KERNEL(result, name, ...) result (*name)(__VA_ARGS__);
typedef struct {
    ptrdiff_t lanes; /* numbers in one vector; a panel of b is 2 * lanes or lanes wide */
#include "kernel_list.h"
    const Activation *activations; /* ACTIVATION_COUNT of them */
} Kernels;
#undef KERNEL

#endif
