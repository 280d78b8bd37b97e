/* The kernels of one instruction set and one real type. */
#include "vector.h"

extern const Activation NAMED(activations)[];

#define KERNEL(result, name, ...) .name = NAMED(name),
const Kernels NAMED(kernels) = {
    .lanes = LANES,
#include "kernel_list.h"
    .activations = NAMED(activations),
};
#undef KERNEL
