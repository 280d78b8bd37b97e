/* The product that everything multiplies with: see Product in kernels.h. */
#include "vector.h"

#include <assert.h>

enum { ROWS = ISA_ROWS(ISA), MOST_ROWS = 14 };
_Static_assert(ROWS <= MOST_ROWS, "EACH_HEIGHT below must go up to the tallest tile");

/* A tile of c, of up to ROWS rows:
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

/* spread: rows of a lie a_row apart (pixels); packed: rows of a are neighbours (weights).
 * A tile of more than ROWS rows is empty and never called. */
#define TILE(name, rows, vectors, a_row)                                                         \
    static void name(const Product *p, const REAL *a, const REAL *b, const vector *start,        \
                     int flags, ptrdiff_t cols, REAL *c)                                         \
    {                                                                                            \
        if (rows <= ROWS) tile(rows, vectors, a_row, p, a, b, start, flags, cols, c);            \
    }
#define TILES(rows)                                                                              \
    TILE(spread_##rows##_1, rows, 1, p->a_row)                                                   \
    TILE(spread_##rows##_2, rows, 2, p->a_row)                                                   \
    TILE(packed_##rows##_1, rows, 1, 1)                                                          \
    TILE(packed_##rows##_2, rows, 2, 1)
#define ENTRY(rows) \
    {{spread_##rows##_1, spread_##rows##_2}, {packed_##rows##_1, packed_##rows##_2}},

#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)

EACH_HEIGHT(TILES)
static const tile_fn tiles[MOST_ROWS][2][2] = {EACH_HEIGHT(ENTRY)};

void NAMED(product)(const Product *p, ptrdiff_t rows, ptrdiff_t cols, const void *a,
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

/* y += x w for a few rows of w at a time, each read from left to right. */
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

void NAMED(row_product)(ptrdiff_t K, ptrdiff_t n, const void *x_, const void *w_, ptrdiff_t w_row,
                        void *y_)
{
    const REAL *x = x_, *w = w_;
    for (; K >= 8; K -= 8, x += 8, w += 8 * w_row) rows_times(8, n, x, w, w_row, y_);
    for (; K > 0; K--, x++, w += w_row) rows_times(1, n, x, w, w_row, y_);
}

void NAMED(pack)(ptrdiff_t K, ptrdiff_t cols, const void *w_, ptrdiff_t w_row, ptrdiff_t w_col,
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
