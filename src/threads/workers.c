/* The threads that work beside the caller.
 *
 * A job is a number of items that any thread may take, one at a time, from a shared counter. The
 * caller takes items too, and when none is left it waits for those threads alone that are inside
 * an item: one that the system has not woken yet is not waited for, it finds the gate closed. On a
 * busy machine a job therefore never takes longer than on one thread, but for a single item.
 *
 *   gate   CLOSED |<--- caller: opens --->| 0 .. workers inside |<--- caller: closes, waits for 0
 *
 * Python handles signals between bytecodes alone, and a job may take seconds. The main thread, on
 * which Python handles them, therefore asks a hook for them every LOOK ms while it works. When the
 * hook says stop, an exception waits for the main thread's next bytecode: until then whatever it
 * is asked to run is dropped, so that no op has to know.
 */
#include "dispatch.h"
#include "system.h"

#include <stdatomic.h>

enum {
    CLOSED = 1 << 20, /* above any number of workers */
    SPINS = 4000,     /* looks for a new job before sleeping: bridges the gaps within a step */
    PATIENCE = 1000,  /* looks for the last worker before giving way to it */
    LOOK = 20         /* ms between two looks for signals: far below what a person notices */
};

static Mutex owner = MUTEX; /* one job at a time */
static Mutex lock = MUTEX;  /* for sleeping and waking */
static Condition wake = CONDITION;
static atomic_int gate = CLOSED, sleepers = 0;
static atomic_uint rounds = 0;
static int workers = 0;

static struct {
    Work work;
    void *context;
    ptrdiff_t items;
    int threads;
    atomic_ptrdiff_t next;
    atomic_int dropped;
} job;

/* of the main thread, which alone reads and writes them */
static unsigned long main_thread;
static int (*hook)(void) = NULL;
static int64_t looked = 0;
static int looking = 0, stopped = 0;

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether the calling thread must stop; on the main thread this is where signals are handled. */
static int must_stop(void)
{
    if (!hook || this_thread() != main_thread) return 0;
    if (stopped || looking) return stopped; /* a handler may compute: it is not looked after */
    const int64_t now = milliseconds();
    if (now - looked < LOOK) return 0;
    looked = now;
    looking = 1;
    stopped = hook();
    looking = 0;
    return stopped;
}

int cnnkit_dropped(int thread)
{
    return thread ? atomic_load_explicit(&job.dropped, memory_order_relaxed) : must_stop();
}

void cnnkit_go_on(void) { stopped = 0; }

static void take_items(int thread)
{
    for (;;) {
        if (cnnkit_dropped(thread)) {
            atomic_store(&job.dropped, 1);
            return;
        }
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
    acquire(&lock);
    atomic_fetch_add(&sleepers, 1);
    while (atomic_load(&rounds) == seen) wait_for(&wake, &lock);
    atomic_fetch_sub(&sleepers, 1);
    release(&lock);
    return atomic_load(&rounds);
}

BODY(worker)
{
    unsigned seen = atomic_load(&rounds);
    for (;;) {
        join_job((int)(intptr_t)argument);
        seen = wait_for_round(seen);
    }
    return 0;
}

/* A child has none of its parent's threads, and locks in whatever state they were. */
static void after_fork(void)
{
    owner = (Mutex)MUTEX;
    lock = (Mutex)MUTEX;
    wake = (Condition)CONDITION;
    atomic_store(&gate, CLOSED);
    atomic_store(&sleepers, 0);
    workers = 0;
    main_thread = this_thread(); /* to Python, too: the one that forked */
    looking = stopped = 0;
}

void cnnkit_look_for_signals(int (*look)(void), unsigned long thread)
{
    main_thread = thread;
    hook = look;
    at_fork(after_fork);
}

static void start_workers(int wanted)
{
    while (workers < wanted && workers < CNNKIT_MOST_THREADS - 1 &&
           start_thread(worker, (void *)(intptr_t)(workers + 1)))
        workers++;
}

void cnnkit_run(Work work, void *context, ptrdiff_t items, int threads)
{
    if (threads > items) threads = (int)items;
    /* another Python thread is running a job: this one keeps to itself */
    if (threads < 2 || !try_acquire(&owner)) {
        for (ptrdiff_t item = 0; item < items && !must_stop(); item++) work(context, item, 0);
        return;
    }
    if (workers < threads - 1) start_workers(threads - 1);
    job.work = work;
    job.context = context;
    job.items = items;
    job.threads = threads;
    atomic_store(&job.next, 0);
    atomic_store(&job.dropped, 0);
    atomic_store(&gate, 0);
    atomic_fetch_add(&rounds, 1);
    if (atomic_load(&sleepers)) {
        acquire(&lock);
        wake_all(&wake);
        release(&lock);
    }
    take_items(0);
    atomic_fetch_or(&gate, CLOSED);
    for (int i = 0; atomic_load(&gate) != CLOSED; i++) {
        if (i < PATIENCE)
            relax();
        else {
            if (must_stop()) atomic_store(&job.dropped, 1);
            give_way();
        }
    }
    release(&owner);
}
