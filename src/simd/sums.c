/* Sums over any number of pixels, channel by channel, in blocks that round apart.
 *
 * A block of TERMS numbers is added up plainly; blocks are added to a total that knows what
 * rounding took from it (Kahan, 1965). However many numbers there are, the error is therefore that
 * of a block: below TERMS / 2 roundings of the sum of magnitudes where these are alike.
 */
#include "vector.h"

INLINE void add_vector(vector x, REAL *sum_, REAL *lost_)
{
    vector sum = load(sum_), lost = load(lost_);
    ADD(numbers, x, sum, lost);
    store(sum, sum_);
    store(lost, lost_);
}

void NAMED(sum_vector)(ptrdiff_t n, const void *x_, void *total)
{
    const REAL *x = x_;
    REAL *sum = total, *lost = sum + n;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES) add_vector(load(x + i), sum + i, lost + i);
    for (; i < n; i++) ADD(number, x[i], sum[i], lost[i]);
}

/* ---- rows of n channels ------------------------------------------------------------------ */

/* What is added up of x and w: w = x, w = d = x - mean, w = d and d d, w = dy and d dy. */
enum { VALUES, CENTRED, SQUARES, PRODUCTS };

/* A few vectors of channels of a block of rows. */
INLINE void block_vectors(const int kind, const int vectors, ptrdiff_t rows, ptrdiff_t n,
                          ptrdiff_t step, const REAL *x, const REAL *dy, const REAL *mean,
                          REAL *total)
{
    vector first[4], second[4], m[4];
    UNROLL for (int v = 0; v < vectors; v++) {
        first[v] = second[v] = (vector){0};
        m[v] = kind == VALUES ? (vector){0} : load(mean + v * LANES);
    }
    for (ptrdiff_t r = 0; r < rows; r++, x += step, dy += kind == PRODUCTS ? step : 0) {
        UNROLL for (int v = 0; v < vectors; v++) {
            const vector d = load(x + v * LANES) - m[v]; /* - 0 changes nothing */
            const vector w = kind == PRODUCTS ? load(dy + v * LANES) : d;
            first[v] += w;
            if (kind >= SQUARES) second[v] += d * w;
        }
    }
    UNROLL for (int v = 0; v < vectors; v++) {
        REAL *at = total + v * LANES;
        add_vector(first[v], at, at + n);
        if (kind >= SQUARES) add_vector(second[v], at + 2 * n, at + 3 * n);
    }
}

/* One channel of a block of rows; four sums do not wait for each other. */
INLINE void block_channel(const int kind, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t step,
                          const REAL *x, const REAL *dy, const REAL *mean, REAL *total)
{
    REAL first[4] = {0}, second[4] = {0};
    const REAL m = kind == VALUES ? 0 : *mean;
    ptrdiff_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        UNROLL for (int k = 0; k < 4; k++) {
            const REAL d = kind == VALUES ? x[(r + k) * step] : x[(r + k) * step] - m;
            const REAL w = kind == PRODUCTS ? dy[(r + k) * step] : d;
            first[k] += w;
            if (kind >= SQUARES) second[k] += d * w;
        }
    }
    for (; r < rows; r++) {
        const REAL d = kind == VALUES ? x[r * step] : x[r * step] - m;
        const REAL w = kind == PRODUCTS ? dy[r * step] : d;
        first[0] += w;
        if (kind >= SQUARES) second[0] += d * w;
    }
    ADD(number, (first[0] + first[1]) + (first[2] + first[3]), total[0], total[n]);
    if (kind >= SQUARES)
        ADD(number, (second[0] + second[1]) + (second[2] + second[3]), total[2 * n], total[3 * n]);
}

INLINE void sum_rows(const int kind, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t step, const REAL *x,
                     const REAL *dy, const REAL *mean, REAL *total)
{
    for (; rows > 0; rows -= TERMS, x += TERMS * step, dy += kind == PRODUCTS ? TERMS * step : 0) {
        const ptrdiff_t some = rows < TERMS ? rows : TERMS;
        ptrdiff_t c = 0;
#define SOME_VECTORS(vectors)                                                                    \
    for (; c + vectors * LANES <= n; c += vectors * LANES)                                       \
        block_vectors(kind, vectors, some, n, step, x + c, kind == PRODUCTS ? dy + c : dy,       \
                      kind == VALUES ? mean : mean + c, total + c)
        SOME_VECTORS(4);
        SOME_VECTORS(2);
        SOME_VECTORS(1);
        for (; c < n; c++)
            block_channel(kind, some, n, step, x + c, kind == PRODUCTS ? dy + c : dy,
                          kind == VALUES ? mean : mean + c, total + c);
    }
}

void NAMED(sum_values)(ptrdiff_t rows, ptrdiff_t n, const void *x, ptrdiff_t step, const void *mean,
                   void *total)
{
    if (mean)
        sum_rows(CENTRED, rows, n, step, x, NULL, mean, total);
    else
        sum_rows(VALUES, rows, n, step, x, NULL, NULL, total);
}

void NAMED(sum_moments)(ptrdiff_t rows, ptrdiff_t n, const void *x, const void *dy, const void *mean,
                    void *total)
{
    if (dy)
        sum_rows(PRODUCTS, rows, n, n, x, dy, mean, total);
    else
        sum_rows(SQUARES, rows, n, n, x, NULL, mean, total);
}
