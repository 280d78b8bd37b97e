/* exp of a vector of numbers that are not above 0, and what follows from it.
 *
 *     exp(t) = 2^k exp(r),   k = round(t / ln 2),   r = t - k ln 2,   |r| <= ln 2 / 2
 *
 * ln 2 is taken off in two parts so that r is exact enough (Cody & Waite, 1980); exp(r) is its
 * Taylor polynomial; 2^k is added to the exponent. Below LEAST the result is 0.
 */
#ifndef CNNKIT_EXPONENTIAL_H
#define CNNKIT_EXPONENTIAL_H

#include "vector.h"

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

/* exp(t) - 1 for t <= 0, exact where t is near 0: 2^k (exp(r) - 1) + (2^k - 1) */
INLINE vector exponential_less_1(vector t)
{
    const vector none = {0}, least = none + LEAST, one = none + 1;
    const vector safe = choose(t < least, least, t);
    const vector shifted = safe * (REAL)1.4426950408889634 + MAGIC, k = shifted - MAGIC;
    const vector r = (safe - k * LN2_HIGH) - k * LN2_LOW;
    vector p = none + (REAL)inverse_factorial[DEGREE];
    UNROLL for (int i = DEGREE - 1; i >= 1; i--) p = p * r + (REAL)inverse_factorial[i];
    const vector power = (vector)((bits)one + ((bits)shifted << MANTISSA));
    return choose(t == t, power * (p * r) + (power - 1), t);
}

/* log(1 + u) for 0 <= u <= 1: 2 artanh(z) = 2 (z + z^3 / 3 + z^5 / 5 ...), z = u / (2 + u) <= 1 / 3 */
INLINE vector logarithm_of_1_more(vector u)
{
    const vector z = u / (u + 2), s = z * z;
    vector p = (vector){0} + (REAL)1 / (DOUBLE ? 33 : 15);
    UNROLL for (int i = DOUBLE ? 31 : 13; i >= 1; i -= 2) p = p * s + (REAL)1 / i;
    return 2 * z * p;
}

/* x, or the end of -most to most that it is beyond; NaN stays NaN */
INLINE vector within(vector x, REAL most)
{
    const vector end = (vector){0} + most;
    return choose(x > end, end, choose(x < -end, -end, x));
}

/* 1 / (1 + exp(-x)) */
INLINE vector logistic(vector x)
{
    const vector e = exponential(choose(x < 0, x, -x)), one = (vector){0} + 1;
    return choose(x < 0, e, one) / (1 + e);
}

/* (1 + 2 z) exp(z^2) erfc(z) as a polynomial in (z - 3.75) / (z + 3.75), for z >= 0 (Shepherd &
 * Laframboise, 1981, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x"); coefficients from an
 * expansion in Chebyshev polynomials, relative errors 4e-16 and 2e-7 */
#define TAIL_DEGREE (DOUBLE ? 22 : 11)
static const double tail_double[] = {
    1.2375126308378275, -0.14024059858554525, 0.0035854154854790257, 0.08227673848999506,
    -0.10880393014244462, 0.09230432116428125, -0.05869339857664934, 0.02836227737211114,
    -0.009746579683265262, 0.0017556261651970652, 0.000293714378044958, -0.00029015535246077655,
    5.164652974177416e-05, 2.2387565714911816e-05, -1.1438048033346894e-05,
    -9.792625707303523e-07, 1.7419821586224816e-06, -5.084465378687302e-08,
    -2.4857126248016745e-07, 1.879082322370048e-08, 3.197926671666804e-08,
    -1.9551358868985616e-09, -2.623107347133476e-09};
static const double tail_float[] = {
    1.2375126192677, -0.1402406583213864, 0.003586270394024618, 0.08227841998347046,
    -0.10881427014905069, 0.09229076959130378, -0.05864685873554614, 0.02840925236412726,
    -0.009844494859674952, 0.001675912217981131, 0.0003963076129893627, -0.00022411674674416022};

/* Normal distribution: the share below x, given `bell` = exp(-x^2 / 2) */
INLINE vector normal_share(vector x, vector bell)
{
    const vector none = {0}, one = none + 1, far = none + 40;
    const vector size = choose(x < 0, -x, x) * (REAL)0.7071067811865476;
    const vector z = choose(size > far, far, size);
    const vector t = (z - (REAL)3.75) / (z + (REAL)3.75);
    const double *coefficients = DOUBLE ? tail_double : tail_float;
    vector p = none + (REAL)coefficients[TAIL_DEGREE];
    UNROLL for (int i = TAIL_DEGREE - 1; i >= 0; i--) p = p * t + (REAL)coefficients[i];
    const vector outside = (REAL)0.5 * bell * p / (1 + 2 * z);
    return choose(x < 0, outside, one - outside);
}

#endif
