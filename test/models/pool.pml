/* The pool: parked threads that are called to a site that has work.
 *
 * Mirrors Pool (Call, Serve) in native/src/engine/pool.cc. What is done under the pool's lock is one
 * step; a wait on the condition variable lets go of the lock and parks in one step.
 *
 * Holds: every call is served, whichever thread a notification wakes.
 */
#define THREADS 2
#define CALLERS 2
#define CALLS 2

byte calls;
byte served;
/* Threads that the condition variable has parked. */
byte parked;
byte woken;

inline NotifyOne() {
  atomic {
    if
    :: parked > 0 -> parked--; woken++
    :: else
    fi
  }
}

proctype Caller() {
  byte i;
#if MUTANT == 1
  for (i : 1 .. CALLS) { NotifyOne() } /* Before there is anything to find. */
#endif
  atomic { calls = calls + CALLS }
#if MUTANT != 1
  for (i : 1 .. CALLS) { NotifyOne() }
#endif
}

proctype Thread() {
end:
  do
  :: atomic { calls > 0 -> calls-- }
    served++
  :: atomic { calls == 0 -> parked++ }
end_parked:
    atomic { woken > 0 -> woken-- }
  od
}

/* Stands for a device that waits until the work is done. */
proctype Waiter() { (served == CALLERS * CALLS) }

init {
  atomic {
    run Thread();
    run Thread();
    run Caller();
    run Caller();
    run Waiter()
  }
}
