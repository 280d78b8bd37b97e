/* What workers.c needs of the operating system: a lock, a condition, threads and a clock. */
#ifndef CNNKIT_SYSTEM_H
#define CNNKIT_SYSTEM_H

#include <stdint.h>

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef SRWLOCK Mutex;
typedef CONDITION_VARIABLE Condition;
#define MUTEX SRWLOCK_INIT
#define CONDITION CONDITION_VARIABLE_INIT

static inline void acquire(Mutex *mutex) { AcquireSRWLockExclusive(mutex); }
static inline int try_acquire(Mutex *mutex) { return TryAcquireSRWLockExclusive(mutex) != 0; }
static inline void release(Mutex *mutex) { ReleaseSRWLockExclusive(mutex); }
static inline void wait_for(Condition *condition, Mutex *mutex)
{
    SleepConditionVariableSRW(condition, mutex, INFINITE, 0);
}
static inline void wake_all(Condition *condition) { WakeAllConditionVariable(condition); }

static inline void give_way(void) { SwitchToThread(); }
static inline int64_t milliseconds(void) { return (int64_t)GetTickCount64(); }

/* as threading.get_ident() has it */
static inline unsigned long this_thread(void) { return GetCurrentThreadId(); }

typedef DWORD WINAPI Body(void *argument);
#define BODY(name) static DWORD WINAPI name(void *argument)

/* Start a thread that is never waited for; 0 where there can be no more. Ctrl-C comes on a thread
 * of the system's, never on this one. */
static inline int start_thread(Body *body, void *argument)
{
    HANDLE thread = CreateThread(NULL, 0, body, argument, 0, NULL);
    return thread && CloseHandle(thread);
}

static inline void at_fork(void (*in_child)(void)) { (void)in_child; } /* nothing forks */

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

typedef pthread_mutex_t Mutex;
typedef pthread_cond_t Condition;
#define MUTEX PTHREAD_MUTEX_INITIALIZER
#define CONDITION PTHREAD_COND_INITIALIZER

static inline void acquire(Mutex *mutex) { pthread_mutex_lock(mutex); }
static inline int try_acquire(Mutex *mutex) { return pthread_mutex_trylock(mutex) == 0; }
static inline void release(Mutex *mutex) { pthread_mutex_unlock(mutex); }
static inline void wait_for(Condition *condition, Mutex *mutex)
{
    pthread_cond_wait(condition, mutex);
}
static inline void wake_all(Condition *condition) { pthread_cond_broadcast(condition); }

static inline void give_way(void) { sched_yield(); }
static inline int64_t milliseconds(void)
{
#ifdef CLOCK_MONOTONIC_COARSE /* ticks of a few ms, for a fifth of the price */
    const clockid_t clock = CLOCK_MONOTONIC_COARSE;
#else
    const clockid_t clock = CLOCK_MONOTONIC;
#endif
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* as threading.get_ident() has it */
static inline unsigned long this_thread(void) { return (unsigned long)pthread_self(); }

typedef void *Body(void *argument);
#define BODY(name) static void *name(void *argument)

/* Start a thread that is never waited for; 0 where there can be no more. Signals are for the
 * threads that were there before. */
static inline int start_thread(Body *body, void *argument)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&thread, NULL, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed && pthread_detach(thread) == 0;
}

static inline void at_fork(void (*in_child)(void)) { pthread_atfork(NULL, NULL, in_child); }

#endif
#endif
