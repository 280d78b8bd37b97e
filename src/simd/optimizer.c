/* A step of an optimizer along the weights. */
#include "vector.h"

#include <math.h>

void NAMED(adam)(ptrdiff_t n, double rate, double beta1, double beta2, double epsilon, double l2,
                 double decay, const void *g_, void *m_, void *v_, void *w_)
{
    const REAL *restrict g = g_;
    REAL *restrict m = m_, *restrict v = v_, *restrict w = w_;
    const REAL b1 = (REAL)beta1, b2 = (REAL)beta2, a1 = (REAL)(1 - beta1), a2 = (REAL)(1 - beta2);
    const REAL lr = (REAL)rate, eps = (REAL)epsilon, penalty = (REAL)l2, keep = (REAL)(1 - decay);
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL grad = g[i] + penalty * w[i];
        m[i] = b1 * m[i] + a1 * grad;
        v[i] = b2 * v[i] + a2 * grad * grad;
        w[i] = keep * w[i] - lr * m[i] / ((sizeof(REAL) == 4 ? sqrtf(v[i]) : sqrt(v[i])) + eps);
    }
}

void NAMED(sgd)(ptrdiff_t n, double rate, double momentum, int nesterov, double l2,
                const void *g_, void *velocity_, void *w_)
{
    const REAL *restrict g = g_;
    REAL *restrict velocity = velocity_, *restrict w = w_;
    const REAL lr = (REAL)rate, mu = (REAL)momentum, penalty = (REAL)l2;
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL move = -lr * (g[i] + penalty * w[i]);
        velocity[i] = mu * velocity[i] + move;
        w[i] += nesterov ? mu * velocity[i] + move : velocity[i];
    }
}
