/* What every native module takes from cnnkit._native.runtime: the loops of the chosen instruction
 * set for float and double, how many threads to use now, and who runs them. */
#ifndef CNNKIT_DISPATCH_H
#define CNNKIT_DISPATCH_H

#include "kernels.h"

#define CNNKIT_DISPATCH "cnnkit._native.runtime.dispatch"

enum { CNNKIT_MOST_THREADS = 1024 };

/* one item of a job, on thread 0 <= thread < threads */
typedef void (*Work)(void *context, ptrdiff_t item, int thread);

typedef struct {
    const Kernels *real[2]; /* 0: float, 1: double */
    ptrdiff_t widest;       /* bytes of a vector of the best set there is, chosen or not */
    int (*threads)(void);
    /* work(context, item, thread) for every 0 <= item < items, in any order */
    void (*run)(Work work, void *context, ptrdiff_t items, int threads);
    /* for long items to ask, on the thread they are on: whether what they compute is still wanted */
    int (*dropped)(int thread);
} Dispatch;

extern Dispatch cnnkit_dispatch;

/* The names of the instruction sets that are compiled in and that this processor has, the best
 * last: name 0 <= i, or NULL past the last. */
const char *cnnkit_instruction_set(int i);
int cnnkit_choose(const char *name); /* 0, or -1 when it is none of them */
void cnnkit_set_threads(int n);

/* workers.c */
void cnnkit_run(Work work, void *context, ptrdiff_t items, int threads);
int cnnkit_dropped(int thread);
/* `look` is called on the main thread while it works: whether to drop all it runs from now on */
void cnnkit_look_for_signals(int (*look)(void), unsigned long main_thread);
void cnnkit_go_on(void); /* drop no more */

#endif
