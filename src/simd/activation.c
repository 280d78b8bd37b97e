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
