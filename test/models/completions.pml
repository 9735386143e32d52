/* How a device hears on its event loop of what has ended: the list of ended tickets and one bell for
 * as many as there are.
 *
 * Mirrors Engine (Submit, Deliver, TakeEnded, Detach) in native/src/engine/engine.cc; Attached and
 * Doorbell in native/src/engine_binding.cc; DirectPath (submit, look) in actors/direct-path.ts. What
 * is done under the engine's lock is one step.
 *
 * Holds: every ticket is heard of, or its device has gone; the bell is not rung once it is released.
 */
#define TICKETS 4
#define ROOM 2

byte ended;
byte heard;
bool has_rung;
bool is_attached = true;
/* Guards `has_ring`, the function that a device rings by. */
bool bell;
bool has_ring = true;
bool is_released;
/* Calls of the doorbell that the event loop has not run. */
byte rings;

inline Deliver() {
  atomic {
    mine = false;
    if
    :: is_attached ->
      ended++;
      if
      :: !has_rung -> has_rung = true; mine = true
      :: else
      fi
    :: else
    fi
  }
  if
  :: mine ->
#if MUTANT == 3
    /* Looks whether there is a bell before it has the lock of it. */
    mine = has_ring;
    atomic { !bell -> bell = true };
#else
    atomic { !bell -> bell = true };
    mine = has_ring;
#endif
    if
    :: mine -> assert(!is_released); rings++
    :: else
    fi;
    bell = false
  :: else
  fi
}

/* A thread that finishes jobs of the device: another device, or one of the pool. */
proctype Finisher() {
  bool mine;
  byte i;
  for (i : 1 .. TICKETS / 2) { Deliver() }
}

inline Look() {
  do
  :: true ->
    atomic {
      count = (ended < ROOM -> ended : ROOM);
      ended = ended - count;
#if MUTANT == 1
    }
    /* Says that it has to be rung again only after it let go of the lock. */
    has_rung = false;
    atomic {
#else
      has_rung = false;
#endif
      heard = heard + count
    }
    if
#if MUTANT == 2
    :: true -> break /* Takes what one list holds and no more. */
#else
    :: count < ROOM -> break
    :: else
#endif
    fi
  od
}

/* One that leaves may do so at any time; else it hears of everything first. */
proctype EventLoop(bool leaves) {
  byte count;
  bool has_submitted;
  do
  :: rings > 0 -> rings--; Look()
  :: !has_submitted ->
    has_submitted = true;
    has_rung = true;
    /* The lock is let go of while jobs run. */
    atomic {
      if
      :: ended == 0 -> has_rung = false
      :: else
      fi
    }
    Look()
  :: leaves || (heard == TICKETS && has_submitted) -> break
  od;
  is_attached = false;
  atomic { !bell -> bell = true };
  has_ring = false;
  bell = false;
  is_released = true
}

init {
  bool leaves;
  if
  :: leaves = true
  :: leaves = false
  fi;
  atomic {
    run Finisher();
    run Finisher();
    run EventLoop(leaves)
  }
}
