/* The loops of the activations of activation_list.h. */
#include "exponential.h"

#define ACTIVATION(name, y_of_x, dx_of_s_g)                                                      \
    static void name(ptrdiff_t n, double alpha_, const void *x_, void *y_)                       \
    {                                                                                            \
        const REAL *from = x_, alpha = (REAL)alpha_;                                             \
        REAL *to = y_;                                                                           \
        (void)alpha;                                                                             \
        for (ptrdiff_t i = 0; i < n; i++) {                                                      \
            const REAL x = from[i];                                                              \
            to[i] = y_of_x;                                                                      \
        }                                                                                        \
    }                                                                                            \
    static void name##_backward(ptrdiff_t n, double alpha_, const void *s_, const void *dy_,     \
                                void *dx_)                                                       \
    {                                                                                            \
        const REAL *saved = s_, *dy = dy_, alpha = (REAL)alpha_;                                 \
        REAL *dx = dx_;                                                                          \
        (void)alpha;                                                                             \
        for (ptrdiff_t i = 0; i < n; i++) {                                                      \
            const REAL s = saved[i], g = dy[i];                                                  \
            dx[i] = dx_of_s_g;                                                                   \
        }                                                                                        \
    }

/* Ends of a row go the way of whole vectors: the same bits wherever a number lies. */
#define LOOP(from, s, g, to, result)                                                             \
    for (ptrdiff_t i = 0; i < n; i += LANES) {                                                   \
        const ptrdiff_t some = n - i;                                                            \
        const vector s = some < LANES ? load_part(from + i, some) : load(from + i);              \
        g const vector made = result;                                                            \
        if (some < LANES)                                                                        \
            store_part(made, to + i, some);                                                      \
        else                                                                                     \
            store(made, to + i);                                                                 \
    }
#define LOAD_GRADIENT                                                                            \
    const vector g = some < LANES ? load_part(dy + i, some) : load(dy + i);

#define SMOOTH(name, y_of_x, dx_of_s_g)                                                          \
    static void name(ptrdiff_t n, double alpha_, const void *x_, void *y_)                       \
    {                                                                                            \
        const REAL *from = x_;                                                                   \
        REAL *to = y_;                                                                           \
        const vector none = {0}, alpha = none + (REAL)alpha_;                                    \
        (void)alpha;                                                                             \
        LOOP(from, x, , to, y_of_x)                                                              \
    }                                                                                            \
    static void name##_backward(ptrdiff_t n, double alpha_, const void *s_, const void *dy_,     \
                                void *dx_)                                                       \
    {                                                                                            \
        const REAL *saved = s_, *dy = dy_;                                                       \
        REAL *dx = dx_;                                                                          \
        const vector none = {0}, alpha = none + (REAL)alpha_;                                    \
        (void)alpha;                                                                             \
        LOOP(saved, s, LOAD_GRADIENT, dx, dx_of_s_g)                                             \
    }

#include "activation_list.h"
#undef SMOOTH
#undef ACTIVATION

#define ACTIVATION(name, y_of_x, dx_of_s_g) [ACTIVATION_##name] = {#name, name, name##_backward},
#define SMOOTH ACTIVATION

const Activation NAMED(activations)[] = {
#include "activation_list.h"
};

/* ---- a slope for each channel ------------------------------------------------------------ */

/* a where x > 0, else b */
INLINE vector chosen(vector x, vector a, vector b)
{
    const bits above = (bits)(x > 0);
    return (vector)(((bits)a & above) | ((bits)b & ~above));
}

void NAMED(prelu)(ptrdiff_t rows, ptrdiff_t n, const void *slope_, const void *x_, void *y_)
{
    const REAL *slope = slope_, *x = x_;
    REAL *y = y_;
    for (; rows > 0; rows--, x += n, y += n) {
        ptrdiff_t c = 0;
        for (; c + LANES <= n; c += LANES) {
            const vector v = load(x + c);
            store(chosen(v, v, load(slope + c) * v), y + c);
        }
        for (; c < n; c++) y[c] = x[c] > 0 ? x[c] : slope[c] * x[c];
    }
}

/* At most TERMS rows: a vector of channels, or one channel, after the other. */
INLINE void prelu_block(ptrdiff_t rows, ptrdiff_t n, const REAL *slope, const REAL *x,
                        const REAL *dy, REAL *dx, REAL *total)
{
    ptrdiff_t c = 0;
    for (; c + LANES <= n; c += LANES) {
        const vector s = load(slope + c), zero = {0};
        vector sum = {0};
        for (ptrdiff_t at = c; at < rows * n; at += n) {
            const vector v = load(x + at), g = load(dy + at);
            sum += g * chosen(v, zero, v);
            if (dx) store(chosen(v, g, s * g), dx + at);
        }
        if (total) {
            vector all = load(total + c), lost = load(total + n + c);
            ADD(numbers, sum, all, lost);
            store(all, total + c);
            store(lost, total + n + c);
        }
    }
    for (; c < n; c++) {
        REAL sum = 0;
        for (ptrdiff_t at = c; at < rows * n; at += n) {
            const REAL v = x[at], g = dy[at];
            sum += g * (v > 0 ? 0 : v);
            if (dx) dx[at] = v > 0 ? g : slope[c] * g;
        }
        if (total) ADD(number, sum, total[c], total[n + c]);
    }
}

void NAMED(prelu_backward)(ptrdiff_t rows, ptrdiff_t n, const void *slope, const void *x_,
                           const void *dy_, void *dx_, void *total)
{
    const REAL *x = x_, *dy = dy_;
    REAL *dx = dx_;
    for (ptrdiff_t first = 0; first < rows; first += TERMS) {
        const ptrdiff_t some = rows - first < TERMS ? rows - first : TERMS;
        prelu_block(some, n, slope, x + first * n, dy + first * n, dx ? dx + first * n : NULL,
                    total);
    }
}
