/* A device that blocks until something has ended for it or the coordinator has a message: it looks
 * for a while, then parks on a condition variable.
 *
 * Mirrors Engine (Wait, Deliver, Call, TakeEnded) in native/src/engine/engine.cc and `waiting` in
 * actors/port-link.ts. What is done under the engine's lock is one step; the wait's slice of time is
 * left out, so that a lost wake-up shows as a deadlock.
 *
 * Holds: the device hears of every ticket and every message without the end of a slice.
 */
#define TICKETS 3
#define MESSAGES 2

byte ended;
bool was_called;
bool is_waiting;
/* The condition variable has a waiter. */
bool is_parked;
byte signal;
/* Messages in the port. */
byte port;

#define HAS_NEWS (ended > 0 || was_called)

inline Notify() { is_parked = false }

proctype Device() {
  byte heard, read, before;
  bool sleeps;
  do
  :: heard + read < TICKETS + MESSAGES ->
    atomic {
      sleeps = !HAS_NEWS;
      if
      :: sleeps -> is_waiting = true; before = signal
      :: else -> was_called = false
      fi
    }
    if
    :: sleeps ->
      do
      :: signal != before -> break
      :: break /* It has looked long enough. */
      od;
#if MUTANT == 1
      /* Parks without a look at what came while it was looking. */
      is_parked = true;
      (!is_parked);
#endif
      do
      :: atomic { HAS_NEWS -> is_waiting = false; was_called = false; break }
      :: atomic { !HAS_NEWS -> is_parked = true }
        (!is_parked)
      od
    :: else
    fi;
    atomic { heard = heard + ended; ended = 0 }
    atomic { read = read + port; port = 0 }
  :: else -> break
  od
}

/* Ends tickets: another device, or a thread of the pool. */
proctype Finisher() {
  byte i;
  bool parked;
  for (i : 1 .. TICKETS) {
    atomic {
      ended++;
      parked = is_waiting && ended == 1
    }
    if
    :: parked ->
      signal++;
      Notify()
    :: else
    fi
  }
}

proctype Coordinator() {
  byte i;
  for (i : 1 .. MESSAGES) {
    port++;
#if MUTANT == 2
    /* Tells of the message and only then says so under the lock. */
    signal++;
    Notify();
    was_called = true
#elif MUTANT == 3
    was_called = true;
    signal++
#else
    was_called = true;
    signal++;
    Notify()
#endif
  }
}

init {
  atomic {
    run Device();
    run Finisher();
    run Coordinator()
  }
}
