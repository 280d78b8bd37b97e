#include "dispatch.h"

#include <string.h>

#define DECLARE(isa) extern const Kernels cnnkit_##isa##_float, cnnkit_##isa##_double;
DECLARE(portable)
#ifdef CNNKIT_X86
DECLARE(avx2)
DECLARE(avx512)
#endif

static int count = 1;

static int threads(void) { return count; }

Dispatch cnnkit_dispatch = {
    {&cnnkit_portable_float, &cnnkit_portable_double}, threads, cnnkit_run, cnnkit_dropped};

int cnnkit_available(const char *isa)
{
    if (!strcmp(isa, "portable")) return 1;
#ifdef CNNKIT_X86
    if (!strcmp(isa, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (!strcmp(isa, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
#endif
    return 0;
}

#define CHOOSE(isa)                                                                              \
    if (!strcmp(name, #isa)) {                                                                   \
        cnnkit_dispatch.real[0] = &cnnkit_##isa##_float;                                         \
        cnnkit_dispatch.real[1] = &cnnkit_##isa##_double;                                        \
    }

int cnnkit_choose(const char *name)
{
    if (!cnnkit_available(name)) return -1;
    CHOOSE(portable)
#ifdef CNNKIT_X86
    CHOOSE(avx2)
    CHOOSE(avx512)
#endif
    return 0;
}

void cnnkit_set_threads(int n) { count = n; }
