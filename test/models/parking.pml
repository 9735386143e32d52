/* A device that blocks until something has ended for it or the coordinator has a message: it looks
 * for a while, then parks on a condition variable.
 *
 * Mirrors Inbox (Add, Call, Tell, BeginWait, EndWait, Park) in native/src/engine/inbox.cc; Engine (Wait,
 * Deliver, Call) in native/src/engine/engine.cc and `waiting` in actors/port-link.ts. What is done under
 * the inbox's lock is one step; the wait's slice of time is left out, so that a lost wake-up shows as a
 * deadlock.
 *
 * Holds: the device hears of every ticket and every message without the end of a slice.
 */
#define TICKETS 3
#define MESSAGES 2

byte ended;
bool was_called;
bool waits;
/* The condition variable has a waiter. */
bool is_parked;
/* Messages in the port. */
byte port;

#define HAS_NEWS (ended > 0 || was_called)

inline Notify() { is_parked = false }

proctype Device() {
  byte heard, read, count;
  do
  :: heard + read < TICKETS + MESSAGES ->
    waits = true;
    do
    :: HAS_NEWS -> break
    :: break /* It has looked long enough. */
    od;
#if MUTANT == 1
    /* Parks by what it saw before it had the lock. */
    if
    :: !HAS_NEWS -> is_parked = true; (!is_parked)
    :: else
    fi;
#endif
    do
    :: atomic { HAS_NEWS -> break }
    :: atomic { !HAS_NEWS -> is_parked = true }
      (!is_parked)
    od;
    atomic {
      count = ended;
      ended = 0;
      waits = false;
#if MUTANT == 3
      was_called = false /* Though it does not read the port now. */
#else
      if
      :: count == 0 -> was_called = false
      :: else
      fi
#endif
    }
    heard = heard + count;
    if
    :: count == 0 -> atomic { read = read + port; port = 0 }
    :: else
    fi
  :: else -> break
  od
}

/* Ends tickets: another device, or a thread of the pool. */
proctype Finisher() {
  byte i;
  bool wakes;
  for (i : 1 .. TICKETS) {
    atomic {
      wakes = waits && !HAS_NEWS;
      ended++
    }
    if
    :: wakes -> Notify()
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
    Notify();
    was_called = true
#elif MUTANT == 4
    was_called = true
#else
    was_called = true;
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
