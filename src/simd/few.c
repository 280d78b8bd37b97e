/* The product for few columns of c, such as a map for each of two classes: vectors run along k, since
 * a vector of columns would be mostly empty.
 *
 *          k: one vector
 *         +----+                 +----+
 *    a_i  |    |   *    b_j      |    |   ->   acc[i][j], whose lanes are added up at the end
 *         +----+                 +----+
 */
#include "vector.h"

#include <assert.h>

#define HALF(bytes) REAL __attribute__((vector_size(bytes), may_alias))

/* The sum of all lanes: halves are added while they are longer than 16 bytes. */
INLINE REAL sum_of(vector v)
{
    union {
        vector v;
        HALF(VECTOR_BYTES < 64 ? 16 : 32) wide[2];
        HALF(16) narrow[2];
        REAL x[16 / sizeof(REAL)];
    } sum = {v};
    if (VECTOR_BYTES > 32) sum.wide[0] += sum.wide[1];
    if (VECTOR_BYTES > 16) sum.narrow[0] += sum.narrow[1];
    return sizeof(REAL) == 8 ? sum.x[0] + sum.x[1]
                             : (sum.x[0] + sum.x[2 % (16 / sizeof(REAL))])
                                   + (sum.x[1] + sum.x[3 % (16 / sizeof(REAL))]);
}

/* A tile of c of few columns, whose vectors run along k: what is left of a run is a last vector
 * that overlaps the one before, and of a run shorter than a vector goes number by number. */
INLINE void few(const int rows, const int cols, const Product *p, const REAL *a, const REAL *b,
                const REAL *bias, int flags, REAL *c)
{
    vector acc[8][PRODUCT_FEW];
    REAL rest[8][PRODUCT_FEW];
    const ptrdiff_t whole = p->length / LANES * LANES;
    bits mask;
    for (int i = 0; i < LANES; i++) mask[i] = i < LANES - (p->length - whole) ? 0 : -1;
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < cols; j++) {
            acc[i][j] = (vector){0};
            rest[i][j] = 0;
        }

    for (ptrdiff_t r = 0; r < p->runs; r++, a += p->a_run, b += p->b_run) {
        for (ptrdiff_t k = 0; k < whole; k += LANES) {
            vector bv[PRODUCT_FEW];
            UNROLL for (int j = 0; j < cols; j++) bv[j] = load(b + j * p->b_step + k);
            UNROLL for (int i = 0; i < rows; i++) {
                const vector av = load(a + i * p->a_row + k);
                UNROLL for (int j = 0; j < cols; j++) acc[i][j] += av * bv[j];
            }
        }
        if (whole && whole < p->length) {
            const ptrdiff_t k = p->length - LANES;
            UNROLL for (int i = 0; i < rows; i++) {
                const vector av = (vector)((bits)load(a + i * p->a_row + k) & mask);
                UNROLL for (int j = 0; j < cols; j++)
                    acc[i][j] += av * (vector)((bits)load(b + j * p->b_step + k) & mask);
            }
        }
        for (ptrdiff_t k = 0; k < p->length && !whole; k++)
            UNROLL for (int i = 0; i < rows; i++)
                UNROLL for (int j = 0; j < cols; j++)
                    rest[i][j] += a[i * p->a_row + k] * b[j * p->b_step + k];
    }
    UNROLL for (int i = 0; i < rows; i++) {
        REAL *to = c + i * p->c_row;
        UNROLL for (int j = 0; j < cols; j++) {
            REAL sum = sum_of(acc[i][j]) + rest[i][j];
            if (flags & PRODUCT_ADD)
                sum += to[j];
            else if (bias)
                sum += bias[j];
            to[j] = flags & PRODUCT_RELU && sum < 0 ? 0 : sum;
        }
    }
}

#define FEW(rows, cols)                                                                          \
    for (; i + (rows) <= n; i += (rows))                                                         \
    few(rows, cols, p, (const REAL *)a + i * p->a_row, b, bias, flags, (REAL *)c + i * p->c_row)

void NAMED(few_product)(const Product *p, ptrdiff_t n, ptrdiff_t cols, const void *a,
                        const void *b, const void *bias, int flags, void *c)
{
    assert(0 < cols && cols <= PRODUCT_FEW);
    ptrdiff_t i = 0;
    switch (cols) {
    case 1: FEW(8, 1); FEW(1, 1); break;
    case 2: FEW(4, 2); FEW(1, 2); break;
    case 3: FEW(2, 3); FEW(1, 3); break;
    default: FEW(2, 4); FEW(1, 4);
    }
}

void NAMED(pack_few)(ptrdiff_t K, ptrdiff_t cols, const void *w_, ptrdiff_t w_row, ptrdiff_t w_col,
                     const void *scale_, void *panel_, ptrdiff_t panel_row)
{
    const REAL *w = w_, *scale = scale_;
    REAL *panel = panel_;
    for (ptrdiff_t k = 0; k < K; k++)
        for (ptrdiff_t j = 0; j < cols; j++)
            panel[j * panel_row + k] = (scale ? scale[j] : 1) * w[k * w_row + j * w_col];
}
