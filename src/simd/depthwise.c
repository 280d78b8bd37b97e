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

/* The widest kernel row whose pixels are shared; wider ones are loaded for every output. */
#define SHARED 7

/* The pixels of one kernel row under `count` outputs, which share them: x[p][j]. */
INLINE void load_row(const int count, const int cols, const int share, const Depthwise *d,
                     const REAL *x, vector v[BLOCK][SHARED])
{
    vector line[BLOCK + SHARED - 1];
    if (share == BACKWARD) x += (cols - 1) * d->x_col;
    UNROLL for (int i = 0; i < count + cols - 1; i++) line[i] = load(x + i * d->x_step);
    UNROLL for (int p = 0; p < count; p++)
        UNROLL for (int j = 0; j < cols; j++)
            v[p][j] = line[share == FORWARD ? p + j : p + cols - 1 - j];
}

/* One vector of channels of BLOCK outputs, d->cols being `cols` where they share pixels. */
INLINE void outputs(const int cols, const int share, const Depthwise *d, const REAL *x,
                    const REAL *w, const REAL *bias, int flags, REAL *y)
{
    vector acc[BLOCK];
    UNROLL for (int p = 0; p < BLOCK; p++) acc[p] = bias ? load(bias) : (vector){0};
    for (ptrdiff_t i = 0; i < d->rows; i++) {
        const REAL *xi = x + i * d->x_row, *wi = w + i * d->w_row;
        if (share == APART) {
            for (ptrdiff_t j = 0; j < d->cols; j++, xi += d->x_col, wi += d->w_col) {
                const vector wj = load(wi);
                UNROLL for (int p = 0; p < BLOCK; p++) acc[p] += load(xi + p * d->x_step) * wj;
            }
        } else {
            vector v[BLOCK][SHARED];
            load_row(BLOCK, cols, share, d, xi, v);
            UNROLL for (int j = 0; j < cols; j++) {
                const vector wj = load(wi + j * d->w_col);
                UNROLL for (int p = 0; p < BLOCK; p++) acc[p] += v[p][j] * wj;
            }
        }
    }
    UNROLL for (int p = 0; p < BLOCK; p++)
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

/* `count` vectors of channels of one output: so many sums run beside one another. */
INLINE void vector_outputs(const int count, const Depthwise *d, const REAL *x, const REAL *w,
                           const REAL *bias, int flags, REAL *y)
{
    vector acc[BLOCK];
    UNROLL for (int v = 0; v < count; v++) acc[v] = bias ? load(bias + v * LANES) : (vector){0};
    if (d->rows * d->cols <= TERMS) {
        for (ptrdiff_t i = 0; i < d->rows; i++)
            for (ptrdiff_t j = 0; j < d->cols; j++)
                UNROLL for (int v = 0; v < count; v++)
                    acc[v] += load(x + i * d->x_row + j * d->x_col + v * LANES)
                              * load(w + i * d->w_row + j * d->w_col + v * LANES);
    } else {
        UNROLL for (int v = 0; v < count; v++)
            acc[v] = vector_sum(d, x + v * LANES, w + v * LANES, acc[v]);
    }
    UNROLL for (int v = 0; v < count; v++)
        store(flags & PRODUCT_RELU ? clipped(acc[v]) : acc[v], y + v * LANES);
}

#define BLOCK_OF(cols, share)                                                                    \
    outputs(cols, share, d, x + c, w + c, bias ? bias + c : NULL, flags, y + c)
#define SHARED_BLOCK(share)                                                                      \
    switch (d->cols) {                                                                           \
    case 1: BLOCK_OF(1, share); break;                                                           \
    case 2: BLOCK_OF(2, share); break;                                                           \
    case 3: BLOCK_OF(3, share); break;                                                           \
    case 4: BLOCK_OF(4, share); break;                                                           \
    case 5: BLOCK_OF(5, share); break;                                                           \
    case 6: BLOCK_OF(6, share); break;                                                           \
    default: BLOCK_OF(7, share);                                                                 \
    }

void NAMED(depthwise)(const Depthwise *d, ptrdiff_t count, const void *x_, const void *w_,
                 const void *bias_, int flags, void *y_)
{
    const REAL *x = x_, *w = w_, *bias = bias_;
    REAL *y = y_;
    const ptrdiff_t whole = d->C / LANES * LANES, rest = d->C - whole;
    const int few = 1 <= d->cols && d->cols <= SHARED, share = few ? sharing(d) : APART;
    ptrdiff_t p = 0;
    for (; p + BLOCK <= count && d->rows * d->cols <= TERMS && whole; p += BLOCK) {
        /* the last vector may overlap the one before: its channels get the same numbers again */
        for (ptrdiff_t left = d->C; left > 0; left -= LANES) {
            const ptrdiff_t c = left < LANES ? d->C - LANES : d->C - left;
            switch (share) {
            case FORWARD: SHARED_BLOCK(FORWARD) break;
            case BACKWARD: SHARED_BLOCK(BACKWARD) break;
            default: BLOCK_OF(0, APART);
            }
        }
        x += BLOCK * d->x_step;
        y += BLOCK * d->y_step;
    }
    for (; p < count; p++, x += d->x_step, y += d->y_step) {
        ptrdiff_t c = 0;
        for (; c + BLOCK * LANES <= d->C; c += BLOCK * LANES)
            vector_outputs(BLOCK, d, x + c, w + c, bias ? bias + c : NULL, flags, y + c);
        for (; c < whole; c += LANES)
            vector_outputs(1, d, x + c, w + c, bias ? bias + c : NULL, flags, y + c);
        if (rest && whole)
            vector_outputs(1, d, x + d->C - LANES, w + d->C - LANES,
                           bias ? bias + d->C - LANES : NULL, flags, y + d->C - LANES);
        else
            output(d, rest, x, w, bias, flags, y);
    }
}

/* One kernel row of dw, one vector of channels, BLOCK outputs, d->cols being `cols` where they share
 * pixels. What lies outside the mask is added elsewhere. */
INLINE void weights_block(const int cols, const int share, const Depthwise *d, const REAL *x,
                          const vector *dy, bits mask, REAL *dw)
{
    if (share == APART) {
        for (ptrdiff_t j = 0; j < d->cols; j++, x += d->x_col, dw += d->w_col) {
            vector acc = dy[0] * load(x);
            UNROLL for (int p = 1; p < BLOCK; p++) acc += dy[p] * load(x + p * d->x_step);
            store(load(dw) + (vector)((bits)acc & mask), dw);
        }
        return;
    }
    vector v[BLOCK][SHARED];
    load_row(BLOCK, cols, share, d, x, v);
    UNROLL for (int j = 0; j < cols; j++) {
        vector acc = dy[0] * v[0][j];
        UNROLL for (int p = 1; p < BLOCK; p++) acc += dy[p] * v[p][j];
        store(load(dw + j * d->w_col) + (vector)((bits)acc & mask), dw + j * d->w_col);
    }
}

#define WEIGHTS(cols, share)                                                                     \
    weights_block(cols, share, d, x + i * d->x_row + c, g, mask, dw + i * d->w_row + c)

void NAMED(depthwise_weights)(const Depthwise *d, ptrdiff_t count, const void *x_, const void *dy_,
                    void *dw_, void *db_)
{
    const REAL *x = x_, *dy = dy_;
    REAL *dw = dw_, *db = db_;
    const int share = d->cols <= 3 && sharing(d) == FORWARD ? FORWARD : APART;
    ptrdiff_t p = 0;
    for (; p + BLOCK <= count && d->C >= LANES; p += BLOCK) {
        for (ptrdiff_t left = d->C; left > 0; left -= LANES) {
            /* the last vector may overlap the one before, whose channels are not added again */
            const ptrdiff_t known = left < LANES ? LANES - left : 0, c = d->C - left - known;
            bits mask;
            for (int i = 0; i < LANES; i++) mask[i] = i < known ? 0 : -1;
            vector g[BLOCK];
            UNROLL for (int k = 0; k < BLOCK; k++) g[k] = load(dy + k * d->y_step + c);
            const vector sum = (g[0] + g[1]) + (g[2] + g[3]);
            store(load(db + c) + (vector)((bits)sum & mask), db + c);
            for (ptrdiff_t i = 0; i < d->rows; i++)
                switch (share == APART ? 0 : d->cols) {
                case 1: WEIGHTS(1, FORWARD); break;
                case 2: WEIGHTS(2, FORWARD); break;
                case 3: WEIGHTS(3, FORWARD); break;
                default: WEIGHTS(0, APART);
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
