/* Every activation: y of x, and dx of s and g = dy. alpha is its hyper-parameter.
 *
 * ACTIVATION is number by number, with comparisons written so that NaN stays NaN. SMOOTH is on vectors,
 * by the functions of exponential.h; `none` is a vector of zeros. s is y, but x where the layer says
 * keeps_input. Included wherever something is needed for each of them: a new activation is an entry
 * here. */

ACTIVATION(relu, x < 0 ? 0 : x, s > 0 ? g : 0)
ACTIVATION(relu6, x < 0 ? 0 : x > 6 ? 6 : x, (s > 0) & (s < 6) ? g : 0)
ACTIVATION(leaky_relu, x < 0 ? alpha * x : x, s > 0 ? g : alpha * g)
/* s is x */
ACTIVATION(hard_swish, x < -3 ? 0 : x > 3 ? x : x * (x + 3) * (REAL)(1.0 / 6),
           s < -3 ? 0 : s > 3 ? g : (2 * s + 3) * (REAL)(1.0 / 6) * g)
SMOOTH(elu, choose(x > 0, x, alpha * exponential_less_1(choose(x > 0, none, x))),
       choose(s > 0, g, g * (s + alpha)))
/* times 1.0507 and, below zero, 1.0507 * 1.6733 */
SMOOTH(selu,
       choose(x > 0, x * (REAL)1.0507009873554805,
              exponential_less_1(choose(x > 0, none, x)) * (REAL)1.7580993408473766),
       choose(s > 0, g * (REAL)1.0507009873554805, g * (s + (REAL)1.7580993408473766)))
/* s is x */
SMOOTH(gelu, x * normal_share(x, exponential(x * x * (REAL)-0.5)), ({
           const vector bell = exponential(s * s * (REAL)-0.5);
           (normal_share(s, bell) + s * bell * (REAL)0.3989422804014327) * g;
       }))
/* s is x; (1 + tanh(u)) / 2 = logistic(2 u), and 2 u = x (a + b x^2); beyond 30 it is 0 or 1 */
SMOOTH(gelu_tanh, ({
           const vector c = within(x, 30);
           x * logistic(c * (c * c * (REAL)0.07135481627260025 + (REAL)1.5957691216057308));
       }), ({
           const vector c = within(s, 30), q = c * c;
           const vector p = logistic(c * (q * (REAL)0.07135481627260025 + (REAL)1.5957691216057308));
           (p + s * p * (1 - p) * (q * (REAL)0.21406444881780076 + (REAL)1.5957691216057308)) * g;
       }))
/* s is x; w = exp(-|x|), tanh = top / all, and slope = tanh + x 4 w q (1 + w) / all^2 */
SMOOTH(mish, ({
           const vector w = exponential(choose(x < 0, x, -x)), q = choose(x < 0, none + 1, w);
           x * choose(x < 0, w * (2 + w), 1 + 2 * w) / ((1 + w) * (1 + w) + q * q);
       }), ({
           const vector w = exponential(choose(s < 0, s, -s)), q = choose(s < 0, none + 1, w);
           const vector all = (1 + w) * (1 + w) + q * q, top = choose(s < 0, w * (2 + w), 1 + 2 * w);
           (top / all + s * (4 * w * q * (1 + w)) / (all * all)) * g;
       }))
/* log(1 + exp(t)) = max(t, 0) + log(1 + exp(-|t|)), t = alpha x */
SMOOTH(softplus, ({
           const vector t = alpha * x;
           (clipped(t) + logarithm_of_1_more(exponential(choose(t < 0, t, -t)))) / alpha;
       }), -exponential_less_1(-alpha * s) * g)
ACTIVATION(hard_sigmoid, x < -3 ? 0 : x > 3 ? 1 : (x + 3) * (REAL)(1.0 / 6),
           (s > 0) & (s < 1) ? g * (REAL)(1.0 / 6) : 0)
