/* What every native module takes from cnnkit._native.runtime: the loops of the chosen instruction
 * set for float and double, and how many threads to use now. */
#ifndef CNNKIT_DISPATCH_H
#define CNNKIT_DISPATCH_H

#include "kernels.h"

#define CNNKIT_DISPATCH "cnnkit._native.runtime.dispatch"

typedef struct {
    const Kernels *real[2]; /* 0: float, 1: double */
    int (*threads)(void);
} Dispatch;

extern Dispatch cnnkit_dispatch;

int cnnkit_available(const char *isa); /* compiled in, and this processor has it */
int cnnkit_choose(const char *isa);    /* 0, or -1 when not available */
void cnnkit_set_threads(int n);        /* 0: as many as OpenMP and the processor allow */
void cnnkit_set_processors(int n);
int cnnkit_openmp(void);               /* built with OpenMP */

#endif
