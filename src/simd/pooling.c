/* Pooling: the largest number or the mean of a window of an image, channel by channel. */
#include "vector.h"

#include <assert.h>

/* ---- maximum ------------------------------------------------------------------------------ */

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

void NAMED(max_window)(ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
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

void NAMED(max_window_backward)(ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
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

/* ---- mean --------------------------------------------------------------------------------- */

/* A few vectors of channels, or one channel, of a window of any size. */
#define WINDOW(name, type, vectors, known, LOAD, STORE)                                          \
    INLINE void name(ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width, REAL share,   \
                     const REAL *x, REAL *y)                                                     \
    {                                                                                            \
        type block[vectors], sum[vectors], lost[vectors];                                        \
        ptrdiff_t room = TERMS;                                                                  \
        UNROLL for (int v = 0; v < vectors; v++) block[v] = sum[v] = lost[v] = (type){0};        \
        if (rows * cols <= TERMS) {                                                              \
            for (ptrdiff_t i = 0; i < rows; i++)                                                 \
                for (ptrdiff_t j = 0; j < cols; j++)                                             \
                    UNROLL for (int v = 0; v < vectors; v++)                                     \
                        block[v] += LOAD(x + (i * width + j) * C + v * LANES);                   \
            UNROLL for (int v = 0; v < vectors; v++) STORE(block[v] * share, y + v * LANES);     \
            return;                                                                              \
        }                                                                                        \
        for (ptrdiff_t i = 0; i < rows; i++, x += width * C) {                                   \
            const REAL *pixel = x;                                                               \
            for (ptrdiff_t left = cols; left > 0;) {                                             \
                const ptrdiff_t some = left < room ? left : room;                                \
                for (ptrdiff_t j = 0; j < some; j++, pixel += C)                                 \
                    UNROLL for (int v = 0; v < vectors; v++) block[v] += LOAD(pixel + v * LANES);\
                left -= some;                                                                    \
                room -= some;                                                                    \
                if (room == 0) {                                                                 \
                    UNROLL for (int v = 0; v < vectors; v++) {                                   \
                        ADD(known, block[v], sum[v], lost[v]);                                    \
                        block[v] = (type){0};                                                    \
                    }                                                                            \
                    room = TERMS;                                                                \
                }                                                                                \
            }                                                                                    \
        }                                                                                        \
        UNROLL for (int v = 0; v < vectors; v++) {                                               \
            ADD(known, block[v], sum[v], lost[v]);                                                \
            STORE(sum[v] * share, y + v * LANES);                                                \
        }                                                                                        \
    }
WINDOW(window_vectors, vector, 4, numbers, load, store)
WINDOW(window_vector, vector, 1, numbers, load, store)
WINDOW(window_channel, REAL, 1, number, LOAD_ONE, STORE_ONE)

void NAMED(mean_window)(ptrdiff_t C, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t width,
                        double share_, const void *x_, void *y_)
{
    const REAL *x = x_, share = (REAL)share_;
    REAL *y = y_;
    ptrdiff_t c = 0;
    for (; c + 4 * LANES <= C; c += 4 * LANES)
        window_vectors(C, rows, cols, width, share, x + c, y + c);
    for (; c + LANES <= C; c += LANES) window_vector(C, rows, cols, width, share, x + c, y + c);
    for (; c < C; c++) window_channel(C, rows, cols, width, share, x + c, y + c);
}
