#include "dispatch.h"

#include <string.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#define DECLARE(isa) extern const Kernels cnnkit_##isa##_float, cnnkit_##isa##_double;
DECLARE(portable)
#ifdef CNNKIT_X86
DECLARE(avx2)
DECLARE(avx512)
#endif

static int asked = 0, processors = 1;
static pid_t home = 0;

/* libgomp's pool does not survive fork: a child that inherits it hangs in its first parallel
 * region (GCC bug 58378), so a forked child works on one thread. */
static int threads(void)
{
#ifdef _OPENMP
    if (getpid() != home) return 1;
    if (asked) return asked;
    int allowed = omp_get_max_threads();
    return allowed < processors ? allowed : processors;
#else
    return 1;
#endif
}

Dispatch cnnkit_dispatch = {{&cnnkit_portable_float, &cnnkit_portable_double}, threads};

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

void cnnkit_set_threads(int n) { asked = n; }

void cnnkit_set_processors(int n)
{
    processors = n;
    home = getpid();
}

int cnnkit_openmp(void)
{
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}
