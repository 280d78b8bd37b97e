/* The instruction sets that the innermost loops are compiled for, one row each.
 *
 *     bytes of a vector
 *     rows of a tile of the product: 2 * rows registers accumulate, 2 hold b, 1 broadcasts a, and
 *         without a fused multiply-add some hold products
 *     whether the processor at hand has the set (threads/processor.h)
 *
 * setup.py has the compiler's flags for each, by processor, and defines CNNKIT_SETS from them:
 * CNNKIT_SETS(X) is X(portable) X(avx2) ..., the sets that are built, the best last. A new set is
 * a row here and its flags there. */
#ifndef CNNKIT_ISA_H
#define CNNKIT_ISA_H

#define ISA_portable 16, 4, 1
#define ISA_neon 16, 12, 1
#define ISA_avx2 32, 6, processor_has(FMA, AVX2, YMM)
#define ISA_avx512                                                                               \
    64, 14, processor_has(FMA, AVX2 | AVX512F | AVX512VL | AVX512DQ | AVX512BW, ZMM)

/* A column of the row of a set, whose name may be a macro, such as ISA */
#define ISA_BYTES(isa) ISA_COLUMN(ISA_FIRST, isa)
#define ISA_ROWS(isa) ISA_COLUMN(ISA_SECOND, isa)
#define ISA_PRESENT(isa) (ISA_COLUMN(ISA_THIRD, isa))

#define ISA_COLUMN(column, isa) ISA_COLUMN_(column, isa)
#define ISA_COLUMN_(column, isa) ISA_TAKE(column, ISA_##isa)
#define ISA_TAKE(column, ...) column(__VA_ARGS__)
#define ISA_FIRST(bytes, rows, present) bytes
#define ISA_SECOND(bytes, rows, present) rows
#define ISA_THIRD(bytes, rows, present) present

#endif
