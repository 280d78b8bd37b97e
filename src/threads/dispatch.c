/* Which instruction sets there are, and what the chosen one computes with. */
#include "dispatch.h"
#include "isa.h"
#include "processor.h"

#include <string.h>

#define DECLARE(isa)                                                                             \
    extern const Kernels cnnkit_kernels_##isa##_float, cnnkit_kernels_##isa##_double;            \
    static int has_##isa(void) { return ISA_PRESENT(isa); }
CNNKIT_SETS(DECLARE)

#define ENTRY(isa)                                                                               \
    {#isa, {&cnnkit_kernels_##isa##_float, &cnnkit_kernels_##isa##_double}, has_##isa},
static const struct {
    const char *name;
    const Kernels *real[2];
    int (*present)(void);
} sets[] = {CNNKIT_SETS(ENTRY)};
enum { SETS = sizeof sets / sizeof *sets };

static int count = 1;

static int threads(void) { return count; }

Dispatch cnnkit_dispatch = {.threads = threads, .run = cnnkit_run, .dropped = cnnkit_dropped};

const char *cnnkit_instruction_set(int i)
{
    for (int k = 0; k < SETS; k++)
        if (sets[k].present() && i-- == 0) return sets[k].name;
    return NULL;
}

int cnnkit_choose(const char *name)
{
    int found = -1;
    for (int k = 0; k < SETS; k++) {
        if (!sets[k].present()) continue;
        cnnkit_dispatch.widest = sets[k].real[0]->lanes * (ptrdiff_t)sizeof(float);
        if (strcmp(name, sets[k].name)) continue;
        memcpy(cnnkit_dispatch.real, sets[k].real, sizeof cnnkit_dispatch.real);
        found = 0;
    }
    return found;
}

void cnnkit_set_threads(int n) { count = n; }
