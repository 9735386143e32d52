/* How a device hears of what has ended, on its event loop or in a call that blocks: the list of ended
 * tickets and one bell for as many as there are.
 *
 * Mirrors Inbox (Add, Tell, Take, EndSubmit, BeginWait, EndWait, Silence) in native/src/engine/inbox.cc;
 * Engine (Submit, Wait, Deliver, Detach) in native/src/engine/engine.cc; Attached and Doorbell in
 * native/src/engine_handles.h; DirectPath (submit, look, wait) in actors/direct-path.ts. What is done
 * under the inbox's lock is one step.
 *
 * Holds: every ticket is heard of, or its device has gone; the bell is not rung once it is released.
 */
#define TICKETS 4
#define ROOM 2

byte ended;
byte heard;
/* It looks for itself, or was rung and has not looked; it stands in a wait. */
bool looks;
bool waits;
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
      :: !waits && !looks -> looks = true; mine = true
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
    looks = false;
    atomic {
#else
      looks = false;
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
proctype EventLoop(bool leaves, blocks) {
  byte count;
  bool has_submitted;
  do
  :: rings > 0 -> rings--; Look()
  :: !has_submitted ->
    has_submitted = true;
    looks = true;
    /* Jobs run in between. */
    atomic { looks = ended > 0 }
    if
    :: blocks ->
      waits = true;
      /* Until something has ended, or the slice of time has. */
      atomic {
        count = (ended < ROOM -> ended : ROOM);
        ended = ended - count;
        waits = false;
        looks = false;
        heard = heard + count
      }
#if MUTANT != 4
      if
      :: count == ROOM -> Look()
      :: else
      fi
#endif
    :: else -> Look()
    fi
  :: leaves || (heard == TICKETS && has_submitted) -> break
  od;
  is_attached = false;
  atomic { !bell -> bell = true };
  has_ring = false;
  bell = false;
  is_released = true
}

init {
  bool leaves, blocks;
  if
  :: leaves = true
  :: leaves = false
  fi;
  if
  :: blocks = true
  :: blocks = false
  fi;
  atomic {
    run Finisher();
    run Finisher();
    run EventLoop(leaves, blocks)
  }
}
