/* Loops along channels or weights, number by number. */
#include "vector.h"

void NAMED(axpy)(ptrdiff_t n, double alpha, const void *x_, void *y_)
{
    const REAL *restrict x = x_, a = (REAL)alpha;
    REAL *restrict y = y_;
    for (ptrdiff_t i = 0; i < n; i++) y[i] += a * x[i];
}

void NAMED(add_runs)(ptrdiff_t runs, ptrdiff_t n, const void *x_, ptrdiff_t x_run, void *y_,
                     ptrdiff_t y_run)
{
    const REAL *x = x_;
    REAL *y = y_;
    for (ptrdiff_t r = 0; r < runs; r++, x += x_run, y += y_run) {
        ptrdiff_t i = 0;
        for (; i + LANES <= n; i += LANES) store(load(y + i) + load(x + i), y + i);
        for (; i < n; i++) y[i] += x[i];
    }
}

void NAMED(scale)(ptrdiff_t n, double alpha, void *x_)
{
    REAL *x = x_;
    const REAL a = (REAL)alpha;
    for (ptrdiff_t i = 0; i < n; i++) x[i] *= a;
}

void NAMED(muladd)(ptrdiff_t n, const void *a_, const void *x_, void *y_)
{
    const REAL *restrict a = a_, *restrict x = x_;
    REAL *restrict y = y_;
    for (ptrdiff_t i = 0; i < n; i++) y[i] += a[i] * x[i];
}

void NAMED(affine)(ptrdiff_t n, const void *a_, const void *b_, const void *x_, void *y_)
{
    const REAL *a = a_, *b = b_, *x = x_;
    REAL *y = y_;
    for (ptrdiff_t i = 0; i < n; i++) y[i] = a[i] * x[i] + b[i];
}
