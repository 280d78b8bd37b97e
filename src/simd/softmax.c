/* exp(x - max x) along a row, and its sum. */
#include "exponential.h"

#include <assert.h>

double NAMED(softmax)(ptrdiff_t n, const void *x_, void *y_, double *top)
{
    assert(n >= 1);
    const REAL *x = x_;
    REAL *y = y_;
    const vector lowest = (vector){0} - (REAL)INFINITY;
    vector most = lowest, sum = {0};
    const ptrdiff_t whole = n / LANES * LANES;
    vector rest = lowest;
    memcpy(&rest, x + whole, (size_t)(n - whole) * sizeof(REAL));

    for (ptrdiff_t i = 0; i < whole; i += LANES) most = choose(load(x + i) > most, load(x + i), most);
    most = choose(rest > most, rest, most);
    REAL highest = most[0];
    for (int i = 1; i < LANES; i++) highest = most[i] > highest ? most[i] : highest;

    double total = 0;
    for (ptrdiff_t i = 0; i < whole; i += LANES) {
        const vector e = exponential(load(x + i) - highest);
        if (y) store(e, y + i);
        sum += e;
        if (i % (TERMS * LANES) == (TERMS - 1) * LANES) { /* parts of a long sum round apart */
            UNROLL for (int k = 0; k < LANES; k++) total += sum[k];
            sum = (vector){0};
        }
    }
    if (whole < n) {
        const vector e = exponential(rest - highest);
        if (y) store_part(e, y + whole, n - whole);
        sum += choose(rest > lowest, e, choose(rest == rest, (vector){0}, rest));
    }
    for (int i = 0; i < LANES; i++) total += sum[i];
    *top = highest;
    return total;
}
