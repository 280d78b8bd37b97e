/* The thread pool.
 *
 * A job is a number of items that any thread may take, one at a time, from a shared counter. The
 * caller takes items too, and when none is left it waits for those threads alone that are inside
 * an item: one that the system has not woken yet is not waited for, it finds the gate closed. On a
 * busy machine a job therefore never takes longer than on one thread, but for a single item.
 *
 *   gate   CLOSED |<--- caller: opens --->| 0 .. workers inside |<--- caller: closes, waits for 0
 */
#include "dispatch.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

enum {
    CLOSED = 1 << 20, /* above any number of workers */
    SPINS = 4000,     /* looks for a new job before sleeping: bridges the gaps within a step */
    PATIENCE = 1000   /* looks for the last worker before giving way to it */
};

static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER; /* one job at a time */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;  /* for sleeping and waking */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static atomic_int gate = CLOSED, sleepers = 0;
static atomic_uint rounds = 0;
static int workers = 0;

static struct {
    Work work;
    void *context;
    ptrdiff_t items;
    int threads;
    atomic_ptrdiff_t next;
} job;

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_items(int thread)
{
    for (;;) {
        ptrdiff_t item = atomic_fetch_add(&job.next, 1);
        if (item >= job.items) return;
        job.work(job.context, item, thread);
    }
}

static void join_job(int thread)
{
    int inside = atomic_load(&gate);
    do
        if (inside & CLOSED) return;
    while (!atomic_compare_exchange_weak(&gate, &inside, inside + 1));
    if (thread < job.threads) take_items(thread);
    atomic_fetch_sub(&gate, 1);
}

static unsigned wait_for_round(unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        unsigned now = atomic_load(&rounds);
        if (now != seen) return now;
        relax();
    }
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&sleepers, 1);
    while (atomic_load(&rounds) == seen) pthread_cond_wait(&wake, &lock);
    atomic_fetch_sub(&sleepers, 1);
    pthread_mutex_unlock(&lock);
    return atomic_load(&rounds);
}

static void *worker(void *thread)
{
    unsigned seen = atomic_load(&rounds);
    for (;;) {
        join_job((int)(intptr_t)thread);
        seen = wait_for_round(seen);
    }
    return NULL;
}

/* A child has none of its parent's threads, and locks in whatever state they were. */
static void after_fork(void)
{
    pthread_mutex_init(&owner, NULL);
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&wake, NULL);
    atomic_store(&gate, CLOSED);
    atomic_store(&sleepers, 0);
    workers = 0;
}

static void start_workers(int wanted)
{
    static int registered = 0;
    if (!registered) {
        pthread_atfork(NULL, NULL, after_fork);
        registered = 1;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the caller's threads */
    while (workers < wanted && workers < CNNKIT_MOST_THREADS - 1) {
        pthread_t id;
        if (pthread_create(&id, NULL, worker, (void *)(intptr_t)(workers + 1))) break;
        pthread_detach(id);
        workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void cnnkit_run(Work work, void *context, ptrdiff_t items, int threads)
{
    if (threads > items) threads = (int)items;
    /* another Python thread is running a job: this one keeps to itself */
    if (threads < 2 || pthread_mutex_trylock(&owner)) {
        for (ptrdiff_t item = 0; item < items; item++) work(context, item, 0);
        return;
    }
    if (workers < threads - 1) start_workers(threads - 1);
    job.work = work;
    job.context = context;
    job.items = items;
    job.threads = threads;
    atomic_store(&job.next, 0);
    atomic_store(&gate, 0);
    atomic_fetch_add(&rounds, 1);
    if (atomic_load(&sleepers)) {
        pthread_mutex_lock(&lock);
        pthread_cond_broadcast(&wake);
        pthread_mutex_unlock(&lock);
    }
    take_items(0);
    atomic_fetch_or(&gate, CLOSED);
    for (int i = 0; atomic_load(&gate) != CLOSED; i++) {
        if (i < PATIENCE)
            relax();
        else
            sched_yield();
    }
    pthread_mutex_unlock(&owner);
}
