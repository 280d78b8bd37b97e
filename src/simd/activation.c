/* Activations, number by number: comparisons are written so that NaN stays NaN. */
#include "vector.h"

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

ACTIVATION(relu, x < 0 ? 0 : x, s > 0 ? g : 0)
ACTIVATION(relu6, x < 0 ? 0 : x > 6 ? 6 : x, (s > 0) & (s < 6) ? g : 0)
ACTIVATION(leaky_relu, x < 0 ? alpha * x : x, s > 0 ? g : alpha * g)
ACTIVATION(hard_swish, x < -3 ? 0 : x > 3 ? x : x * (x + 3) * (REAL)(1.0 / 6),
           s < -3 ? 0 : s > 3 ? g : (2 * s + 3) * (REAL)(1.0 / 6) * g)

#define ENTRY(name) [ACTIVATION_##name] = {#name, name, name##_backward},

const Activation NAMED(activations)[] = {EACH_ACTIVATION(ENTRY)};
