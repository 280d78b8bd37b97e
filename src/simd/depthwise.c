/* Depthwise convolution along one line of outputs: every channel with a kernel of its own.
 *
 *     y[p, c] = b[c] + sum over (i, j) of x[p, i, j, c] w[i, j, c]
 *
 * A block of 4 neighbouring outputs shares what it loads, one vector of channels at a time:
 *
 *         x of one kernel row, stride 1         w           acc
 *     +----+----+----+----+----+----+       +----+      +----+----+----+----+
 *     | 0  | 1  | 2  | 3  | 4  | 5  |   *   | j  |  ->  | 0  | 1  | 2  | 3  |   acc[p] += x[p + j] w[j]
 *     +----+----+----+----+----+----+       +----+      +----+----+----+----+
 */
#include "vector.h"

#define BLOCK 4

/* How neighbouring outputs share pixels: pixel j of output p is pixel p + j, or p - j, or neither. */
enum { APART, FORWARD, BACKWARD };

INLINE int sharing(const Depthwise *d)
{
    return d->x_col == d->x_step ? FORWARD : d->x_col == -d->x_step ? BACKWARD : APART;
}

/* The pixels of one kernel row under `count` outputs: x[p][j]. */
INLINE void load_row(const int count, const int cols, const int share, const Depthwise *d,
                     const REAL *x, vector v[BLOCK][3])
{
    vector line[BLOCK + 2];
    if (share == APART) {
        UNROLL for (int p = 0; p < count; p++)
            UNROLL for (int j = 0; j < cols; j++)
                v[p][j] = load(x + p * d->x_step + j * d->x_col);
        return;
    }
    if (share == BACKWARD) x += (cols - 1) * d->x_col;
    UNROLL for (int i = 0; i < count + cols - 1; i++) line[i] = load(x + i * d->x_step);
    UNROLL for (int p = 0; p < count; p++)
        UNROLL for (int j = 0; j < cols; j++)
            v[p][j] = line[share == FORWARD ? p + j : p + cols - 1 - j];
}

/* One vector of channels of `count` outputs; cols <= 3. */
INLINE void outputs(const int count, const int cols, const int share, const Depthwise *d,
                    const REAL *x, const REAL *w, const REAL *bias, int flags, REAL *y)
{
    vector acc[BLOCK];
    UNROLL for (int p = 0; p < count; p++) acc[p] = bias ? load(bias) : (vector){0};
    for (ptrdiff_t i = 0; i < d->rows; i++) {
        vector v[BLOCK][3];
        load_row(count, cols, share, d, x + i * d->x_row, v);
        UNROLL for (int j = 0; j < cols; j++) {
            const vector wj = load(w + i * d->w_row + j * d->w_col);
            UNROLL for (int p = 0; p < count; p++) acc[p] += v[p][j] * wj;
        }
    }
    UNROLL for (int p = 0; p < count; p++)
        store(flags & PRODUCT_RELU ? clipped(acc[p]) : acc[p], y + p * d->y_step);
}

/* One vector of channels, or one channel, of one output under any kernel. */
#define OUTPUT(name, type, known, LOAD)                                                          \
    INLINE type name(const Depthwise *d, const REAL *x, const REAL *w, type start)               \
    {                                                                                            \
        type part = start, sum = {0}, lost = {0};                                                \
        ptrdiff_t room = TERMS;                                                                  \
        if (d->rows * d->cols <= TERMS) {                                                        \
            for (ptrdiff_t i = 0; i < d->rows; i++)                                              \
                for (ptrdiff_t j = 0; j < d->cols; j++)                                          \
                    part += LOAD(x + i * d->x_row + j * d->x_col)                                \
                            * LOAD(w + i * d->w_row + j * d->w_col);                             \
            return part;                                                                         \
        }                                                                                        \
        for (ptrdiff_t i = 0; i < d->rows; i++) {                                                \
            const REAL *xi = x + i * d->x_row, *wi = w + i * d->w_row;                           \
            for (ptrdiff_t left = d->cols; left > 0;) {                                          \
                const ptrdiff_t some = left < room ? left : room;                                \
                for (ptrdiff_t j = 0; j < some; j++, xi += d->x_col, wi += d->w_col)             \
                    part += LOAD(xi) * LOAD(wi);                                                 \
                left -= some;                                                                    \
                room -= some;                                                                    \
                if (room == 0) {                                                                 \
                    ADD(known, part, sum, lost);                                                  \
                    part = (type){0};                                                            \
                    room = TERMS;                                                                \
                }                                                                                \
            }                                                                                    \
        }                                                                                        \
        ADD(known, part, sum, lost);                                                              \
        return sum;                                                                              \
    }
OUTPUT(vector_sum, vector, numbers, load)
OUTPUT(channel_sum, REAL, number, LOAD_ONE)

static void output(const Depthwise *d, ptrdiff_t n, const REAL *x, const REAL *w,
                   const REAL *bias, int flags, REAL *y)
{
    for (ptrdiff_t c = 0; c < n; c++) {
        const REAL sum = channel_sum(d, x + c, w + c, bias ? bias[c] : 0);
        y[c] = flags & PRODUCT_RELU && sum < 0 ? 0 : sum;
    }
}

INLINE void vector_output(const Depthwise *d, const REAL *x, const REAL *w, const REAL *bias,
                          int flags, REAL *y)
{
    const vector sum = vector_sum(d, x, w, bias ? load(bias) : (vector){0});
    store(flags & PRODUCT_RELU ? clipped(sum) : sum, y);
}

#define BLOCK_OF(cols, share)                                                                    \
    outputs(BLOCK, cols, share, d, x + c, w + c, bias ? bias + c : NULL, flags, y + c)
#define BLOCKS(share)                                                                            \
    for (ptrdiff_t c = 0; c < whole; c += LANES) {                                               \
        switch (d->cols) {                                                                       \
        case 1: BLOCK_OF(1, share); break;                                                       \
        case 2: BLOCK_OF(2, share); break;                                                       \
        default: BLOCK_OF(3, share);                                                             \
        }                                                                                        \
    }

void NAMED(depthwise)(const Depthwise *d, ptrdiff_t count, const void *x_, const void *w_,
                 const void *bias_, int flags, void *y_)
{
    const REAL *x = x_, *w = w_, *bias = bias_;
    REAL *y = y_;
    const ptrdiff_t whole = d->C / LANES * LANES, rest = d->C - whole;
    const int share = sharing(d);
    ptrdiff_t p = 0;
    const int few = 1 <= d->cols && d->cols <= 3 && d->rows * d->cols <= TERMS;
    for (; p + BLOCK <= count && few; p += BLOCK) {
        switch (share) {
        case FORWARD: BLOCKS(FORWARD) break;
        case BACKWARD: BLOCKS(BACKWARD) break;
        default: BLOCKS(APART)
        }
        for (int k = 0; k < BLOCK && rest; k++)
            output(d, rest, x + k * d->x_step + whole, w + whole, bias ? bias + whole : NULL,
                   flags, y + k * d->y_step + whole);
        x += BLOCK * d->x_step;
        y += BLOCK * d->y_step;
    }
    for (; p < count; p++, x += d->x_step, y += d->y_step) {
        for (ptrdiff_t c = 0; c < whole; c += LANES)
            vector_output(d, x + c, w + c, bias ? bias + c : NULL, flags, y + c);
        output(d, rest, x + whole, w + whole, bias ? bias + whole : NULL, flags, y + whole);
    }
}

/* One kernel row of dw, one vector of channels, `count` outputs; cols <= 3. */
INLINE void weights_block(const int count, const int cols, const int share, const Depthwise *d,
                          const REAL *x, const vector *dy, REAL *dw)
{
    vector v[BLOCK][3];
    load_row(count, cols, share, d, x, v);
    UNROLL for (int j = 0; j < cols; j++) {
        vector acc = dy[0] * v[0][j];
        UNROLL for (int p = 1; p < count; p++) acc += dy[p] * v[p][j];
        store(load(dw + j * d->w_col) + acc, dw + j * d->w_col);
    }
}

#define WEIGHTS(cols, share)                                                                     \
    weights_block(BLOCK, cols, share, d, x + i * d->x_row + c, g, dw + i * d->w_row + c)
#define EACH_COLS(share)                                                                         \
    switch (d->cols) {                                                                           \
    case 1: WEIGHTS(1, share); break;                                                            \
    case 2: WEIGHTS(2, share); break;                                                            \
    default: WEIGHTS(3, share);                                                                  \
    }

void NAMED(depthwise_weights)(const Depthwise *d, ptrdiff_t count, const void *x_, const void *dy_,
                    void *dw_, void *db_)
{
    const REAL *x = x_, *dy = dy_;
    REAL *dw = dw_, *db = db_;
    const ptrdiff_t whole = d->C / LANES * LANES;
    const int share = sharing(d);
    ptrdiff_t p = 0;
    for (; p + BLOCK <= count && 1 <= d->cols && d->cols <= 3; p += BLOCK) {
        for (ptrdiff_t c = 0; c < whole; c += LANES) {
            vector g[BLOCK];
            UNROLL for (int k = 0; k < BLOCK; k++) g[k] = load(dy + k * d->y_step + c);
            store(load(db + c) + ((g[0] + g[1]) + (g[2] + g[3])), db + c);
            for (ptrdiff_t i = 0; i < d->rows; i++) {
                switch (share) {
                case FORWARD: EACH_COLS(FORWARD) break;
                default: EACH_COLS(APART)
                }
            }
        }
        for (ptrdiff_t c = whole; c < d->C; c++) {
            for (int k = 0; k < BLOCK; k++) {
                const REAL g = dy[k * d->y_step + c];
                db[c] += g;
                for (ptrdiff_t i = 0; i < d->rows; i++)
                    for (ptrdiff_t j = 0; j < d->cols; j++)
                        dw[i * d->w_row + j * d->w_col + c] +=
                            g * x[k * d->x_step + i * d->x_row + j * d->x_col + c];
            }
        }
        x += BLOCK * d->x_step;
        dy += BLOCK * d->y_step;
    }
    for (; p < count; p++, x += d->x_step, dy += d->y_step) {
        for (ptrdiff_t c = 0; c < d->C; c++) db[c] += dy[c];
        for (ptrdiff_t i = 0; i < d->rows; i++)
            for (ptrdiff_t j = 0; j < d->cols; j++) {
                const REAL *from = x + i * d->x_row + j * d->x_col;
                REAL *restrict to = dw + i * d->w_row + j * d->w_col;
                for (ptrdiff_t c = 0; c < d->C; c++) to[c] += dy[c] * from[c];
            }
    }
}
