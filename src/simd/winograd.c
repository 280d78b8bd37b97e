/* Winograd's convolution of 3x3 kernels: 4x4 outputs from 6x6 inputs by 36 products.
 *
 *     y = A' [ (G w G') * (B' x B) ] A          Lavin & Gray (2016), equation 8
 *
 * B' takes a tile of x to 36 numbers, G a kernel; between them only the product of kernels.h is
 * left, over channels, one for each of the 36; A' takes its results to the outputs. The gradient
 * to w is the same read backwards: dw = G' [ sum (B' x B) * (A dy A') ] G.
 *
 * The matrices are those of Toom and Cook for the points 0, 1, -1, 1/2, -2 and infinity, with half
 * the rounding error of the usual 0, 1, -1, 2, -2 (Barabasz et al., 2020):
 *
 *     point a     row of B' (x, coefficients of prod (t - b), b != a)    row of G       column of A'
 *       0          1  -3/2   -2   3/2    1    0                          1   0   0       1  0  0   0
 *       1          0   -1   1/2   5/2    1    0                   1/3 *  1   1   1       1  1  1   1
 *      -1          0    1  -5/2   1/2    1    0                  -1/3 *  1  -1   1       1 -1  1  -1
 *      1/2         0   -2   -1     2     1    0                -16/15 *  1  1/2 1/4      1 1/2 1/4 1/8
 *      -2          0   1/2  -1   -1/2    1    0                  1/15 *  1  -2   4       1 -2  4  -8
 *    infinity      0    1  -3/2   -2    3/2   1                          0   0   1       0  0  0   1
 */
#include "vector.h"

#define THIRD (REAL)(1.0 / 3)
#define FIFTEENTH (REAL)(1.0 / 15)

/* Each takes one line of a tile from `d` to `o`. */

/* B' */
INLINE void input_line(const vector *d, vector *o)
{
    const vector p = d[3] - d[1], q = d[4] - d[2], s = d[2] + d[3], t = d[3] - d[2];
    o[0] = (d[0] - d[2] + q) + (REAL)1.5 * p;
    o[1] = (q + p) + (REAL)1.5 * s;
    o[2] = (q - p) + (REAL)1.5 * t;
    o[3] = q + (REAL)2 * p;
    o[4] = q - (REAL)0.5 * p;
    o[5] = (d[5] - d[3] - p) + (REAL)1.5 * q;
}

/* G */
INLINE void weights_line(const vector *d, vector *o)
{
    const vector even = d[0] + d[2], half = d[0] + (REAL)0.25 * d[2], two = d[0] + (REAL)4 * d[2];
    o[0] = d[0];
    o[1] = (even + d[1]) * THIRD;
    o[2] = (even - d[1]) * -THIRD;
    o[3] = (half + (REAL)0.5 * d[1]) * (-16 * FIFTEENTH);
    o[4] = (two - (REAL)2 * d[1]) * FIFTEENTH;
    o[5] = d[2];
}

/* A' */
INLINE void output_line(const vector *d, vector *o)
{
    const vector sum = d[1] + d[2], difference = d[1] - d[2];
    o[0] = (d[0] + sum) + (d[3] + d[4]);
    o[1] = difference + ((REAL)0.5 * d[3] - (REAL)2 * d[4]);
    o[2] = sum + ((REAL)0.25 * d[3] + (REAL)4 * d[4]);
    o[3] = (difference + d[5]) + ((REAL)0.125 * d[3] - (REAL)8 * d[4]);
}

/* A */
INLINE void gradient_line(const vector *d, vector *o)
{
    const vector even = d[0] + d[2], odd = d[1] + d[3];
    o[0] = d[0];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = (d[0] + (REAL)0.25 * d[2]) + (REAL)0.5 * (d[1] + (REAL)0.25 * d[3]);
    o[4] = (d[0] + (REAL)4 * d[2]) - (REAL)2 * (d[1] + (REAL)4 * d[3]);
    o[5] = d[3];
}

/* G' */
INLINE void sum_line(const vector *d, vector *o)
{
    const vector one = d[1] * THIRD, minus = d[2] * -THIRD;
    const vector half = d[3] * (-16 * FIFTEENTH), two = d[4] * FIFTEENTH;
    const vector sum = one + minus;
    o[0] = (d[0] + sum) + (half + two);
    o[1] = (one - minus) + ((REAL)0.5 * half - (REAL)2 * two);
    o[2] = (sum + d[5]) + ((REAL)0.25 * half + (REAL)4 * two);
}

typedef void (*line_fn)(const vector *, vector *);

/* The numbers of a tile: some at places of their own, some a step apart. */
enum { TABLE, APART };
#define AT(kind, base, step, k)                                                                  \
    ((kind) == TABLE ? ((REAL *const *)(base))[k] : (REAL *)(base) + (k) * (step))

/* One vector of channels of one tile: lines down, then lines across. */
INLINE void sandwich(const int in, const int out, const line_fn line, const int from_kind,
                     const void *from, ptrdiff_t from_step, const int to_kind, void *to,
                     ptrdiff_t to_step, ptrdiff_t c, ptrdiff_t part, vector start, int relu)
{
    vector half[6][6];
    UNROLL for (int j = 0; j < in; j++) {
        vector d[6], o[6];
        UNROLL for (int i = 0; i < in; i++) {
            const REAL *x = AT(from_kind, from, from_step, i * in + j) + c;
            d[i] = part ? load_part(x, part) : load(x);
        }
        line(d, o);
        UNROLL for (int i = 0; i < out; i++) half[i][j] = o[i];
    }
    UNROLL for (int i = 0; i < out; i++) {
        vector o[6];
        line(half[i], o);
        UNROLL for (int j = 0; j < out; j++) {
            REAL *y = AT(to_kind, to, to_step, i * out + j) + c;
            vector sum = o[j] + start;
            if (relu) sum = clipped(sum);
            if (part)
                store_part(sum, y, part);
            else
                store(sum, y);
        }
    }
}

#define TRANSFORM(name, in, out, line, from_kind, to_kind)                                       \
    void NAMED(name)(TRANSFORM_ARGUMENTS)                                                        \
    {                                                                                            \
        const REAL *b = bias;                                                                    \
        const vector zero = {0};                                                                 \
        const int relu = flags & PRODUCT_RELU;                                                   \
        ptrdiff_t c = 0;                                                                         \
        for (; c + LANES <= n; c += LANES)                                                       \
            sandwich(in, out, line, from_kind, from, from_step, to_kind, to, to_step, c, 0,      \
                     b ? load(b + c) : zero, relu);                                              \
        if (c < n)                                                                               \
            sandwich(in, out, line, from_kind, from, from_step, to_kind, to, to_step, c, n - c,  \
                     b ? load_part(b + c, n - c) : zero, relu);                                  \
    }

TRANSFORM(winograd_input, 6, 6, input_line, TABLE, APART)
TRANSFORM(winograd_weights, 3, 6, weights_line, APART, APART)
TRANSFORM(winograd_output, 6, 4, output_line, APART, TABLE)
TRANSFORM(winograd_gradient, 4, 6, gradient_line, TABLE, APART)
TRANSFORM(winograd_sum, 6, 3, sum_line, APART, APART)
