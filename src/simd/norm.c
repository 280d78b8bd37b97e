/* Normalisation of pixels, number by number. */
#include "vector.h"

void NAMED(normalise)(ptrdiff_t n, const void *mean_, const void *a_, const void *b_,
                      const void *x_, void *y_)
{
    const REAL *mean = mean_, *a = a_, *b = b_, *x = x_;
    REAL *y = y_;
    for (ptrdiff_t i = 0; i < n; i++) y[i] = a[i] * (x[i] - mean[i]) + b[i];
}

void NAMED(normalise_backward)(ptrdiff_t n, const void *mean_, const void *a_, const void *b_,
                               const void *c_, const void *dy_, const void *x_, void *dx_)
{
    const REAL *mean = mean_, *a = a_, *b = b_, *c = c_, *dy = dy_, *x = x_;
    REAL *dx = dx_;
    for (ptrdiff_t i = 0; i < n; i++) dx[i] = a[i] * dy[i] + (b[i] * (x[i] - mean[i]) + c[i]);
}
