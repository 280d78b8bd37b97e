/* The vector every kernel computes with, and the names of kernels. Compiled with -DREAL=float or
 * double and -DISA=the name of a row of isa.h, GCC and Clang make of it what that set has. */
#ifndef CNNKIT_VECTOR_H
#define CNNKIT_VECTOR_H

#include "isa.h"
#include "kernels.h"

#include <string.h>

#define VECTOR_BYTES ISA_BYTES(ISA)
#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(REAL)))
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* cnnkit_name_avx2_float: kernels of all sets and types are linked into one module */
#define JOIN_(name, isa, real) cnnkit_##name##_##isa##_##real
#define JOIN(name, isa, real) JOIN_(name, isa, real)
#define NAMED(name) JOIN(name, ISA, REAL)

#define KERNEL(result, name, ...) result NAMED(name)(__VA_ARGS__);
#include "kernel_list.h"
#undef KERNEL

typedef REAL vector
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
typedef __typeof__((vector){0} < 0) bits;

/* zero where x < 0: NaN stays NaN */
INLINE vector clipped(vector x) { return (vector)((bits)x & ~(x < 0)); }

INLINE vector load(const REAL *from) { return *(const vector *)from; }

INLINE void store(vector x, REAL *to) { *(vector *)to = x; }

/* the first n < LANES numbers, then zeros */
INLINE vector load_part(const REAL *from, ptrdiff_t n)
{
    vector x = {0};
    memcpy(&x, from, (size_t)n * sizeof(REAL));
    return x;
}

INLINE void store_part(vector x, REAL *to, ptrdiff_t n)
{
    memcpy(to, &x, (size_t)n * sizeof(REAL));
}

/* ---- long sums, of vectors and, by the same macros, of single numbers --------------------- */

#define LOAD_ONE(from) (*(from))
#define STORE_ONE(x, to) (*(to) = (x))

/* numbers that are added up plainly: such parts of a long sum round apart */
#define TERMS 64

/* 0 where x is NaN */
INLINE vector numbers(vector x) { return (vector)((bits)x & (x == x)); }
INLINE REAL number(REAL x) { return x == x ? x : 0; }

/* sum += x, `lost` being what rounding took from it so far (Kahan, 1965). An infinite sum loses
 * nothing, lest it become NaN: `known` is numbers or number. */
#define ADD(known, x, sum, lost)                                                                 \
    do {                                                                                         \
        const __typeof__(sum) add_ = (x) - (lost), total_ = (sum) + add_;                        \
        (lost) = known((total_ - (sum)) - add_);                                                 \
        (sum) = total_;                                                                          \
    } while (0)

#endif
