/* exp(x - max x) along a row, and its sum.
 *
 *     exp(t) = 2^k exp(r),   k = round(t / ln 2),   r = t - k ln 2,   |r| <= ln 2 / 2
 *
 * ln 2 is taken off in two parts so that r is exact enough (Cody & Waite, 1980); exp(r) is its
 * Taylor polynomial; 2^k is added to the exponent. t is never above 0; below LEAST the result is 0.
 */
#include "vector.h"

#include <assert.h>
#include <math.h>

#define DOUBLE (sizeof(REAL) == 8)
#define MAGIC (REAL)(DOUBLE ? 6755399441055744.0 : 12582912.0) /* 1.5 * 2^52, 2^23: adding rounds */
#define MANTISSA (DOUBLE ? 52 : 23)
#define LN2_HIGH (REAL)(DOUBLE ? 0x1.62e42fee00000p-1 : 0x1.62e4p-1)
#define LN2_LOW (REAL)(DOUBLE ? 0x1.a39ef35793c76p-33 : 0x1.7f7d1cp-20)
#define LEAST (REAL)(DOUBLE ? -708 : -87)
#define DEGREE (DOUBLE ? 13 : 7)

static const double inverse_factorial[] = {
    1.0,           1.0,           1.0 / 2,        1.0 / 6,         1.0 / 24,
    1.0 / 120,     1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
    1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};

INLINE vector choose(bits mask, vector yes, vector no)
{
    return (vector)((mask & (bits)yes) | (~mask & (bits)no));
}

INLINE vector exponential(vector t)
{
    const vector none = {0}, least = none + LEAST;
    const vector safe = choose(t < least, least, t);
    const vector shifted = safe * (REAL)1.4426950408889634 + MAGIC, k = shifted - MAGIC;
    const vector r = (safe - k * LN2_HIGH) - k * LN2_LOW;
    vector p = none + (REAL)inverse_factorial[DEGREE];
    UNROLL for (int i = DEGREE - 1; i >= 0; i--) p = p * r + (REAL)inverse_factorial[i];
    p = (vector)((bits)p + ((bits)shifted << MANTISSA));
    p = choose(t < least, none, p);
    return choose(t == t, p, t); /* NaN stays NaN */
}

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
