/* Views: a buffer that somebody holds a view of is not written, whoever is the master of its key.
 *
 * Mirrors Pins in actors/pins.ts; SpareBuffers in actors/spare-buffers.ts; EngineLease (recall, grant)
 * in actors/engine-lease.ts; Rounds (Take, IsHeld, Show, AddPin, DropPin) in native/src/engine/rounds.cc;
 * Engine (Submit, TakeNext, Release) in native/src/engine/engine.cc. While the store is leased the engine
 * has the key's two buffers and their pins; a recall hands both back. A buffer is two halves, so that a
 * write in the middle shows.
 *
 * Holds: what a view shows is one version, and stays as it was until its release; pins come to nothing.
 */
#define PUSHES 2
#define VIEWS 1
#define BUFFERS 4

mtype = { pushed, viewed, released };
chan post = [PUSHES + 2 * VIEWS] of { mtype, byte };
chan view = [1] of { byte };

byte low[BUFFERS];
byte high[BUFFERS];
/* Of the coordinator, and of the engine while it has the lease. */
byte pins[BUFFERS];
byte lent[BUFFERS];
byte stored;
byte spare = 1;
bool is_leased;
bool is_busy;
byte applied;

inline Write(b) {
  low[b] = low[b] + 1;
  high[b] = high[b] + 1
}

/* One lock guards what the engine decides; the job itself runs outside of it. */
proctype Writer() {
  byte i, to;
  bool direct;
  for (i : 1 .. PUSHES) {
    atomic {
      /* Views hold both: IsHeld. */
      direct = is_leased && !(lent[stored] > 0 && lent[spare] > 0);
      if
      :: direct ->
        is_busy = true;
        to = (lent[stored] > 0 -> spare : stored);
#if MUTANT == 3
        to = stored; /* Whatever views there are. */
#endif
      :: else
      fi
    }
    if
    :: direct ->
      if
      :: to != stored -> low[to] = low[stored]; high[to] = high[stored]
      :: else
      fi;
      Write(to);
      atomic {
        if
        :: to != stored -> spare = stored; stored = to
        :: else
        fi;
        applied++;
        is_busy = false
      }
    :: else ->
      post ! pushed, 0;
      (applied == i)
    fi
  }
}

proctype Reader() {
  byte i, b, seen;
  bool direct;
  for (i : 1 .. VIEWS) {
    atomic {
      direct = is_leased && !is_busy;
      if
      :: direct -> b = stored; lent[b]++
      :: else
      fi
    }
    if
    :: direct
    :: else -> post ! viewed, 0; view ? b
    fi;
    seen = low[b];
    assert(seen == high[b]);
    assert(seen == low[b]);
    assert(seen == high[b]);
    atomic {
      direct = is_leased && (b == stored || b == spare) && lent[b] > 0;
      if
      :: direct -> lent[b]--
      :: else
      fi
    }
    if
    :: direct
    :: else -> post ! released, b
    fi
  }
}

inline Recall() {
  atomic { is_leased = false };
  (!is_busy);
  atomic {
#if MUTANT != 1
    pins[stored] = pins[stored] + lent[stored];
    pins[spare] = pins[spare] + lent[spare];
#endif
    lent[stored] = 0;
    lent[spare] = 0
  }
}

inline Grant() {
  atomic {
#if MUTANT != 2
    lent[stored] = pins[stored];
    lent[spare] = pins[spare];
    pins[stored] = 0;
    pins[spare] = 0;
#endif
    is_leased = true
  }
}

/* Moves the key to a buffer that nobody holds: its other one, or one that is made. */
inline Move() {
  other = spare;
  do
  :: pins[other] == 0 && other != stored -> break
  :: else -> other = (other + 1) % BUFFERS
  od;
  low[other] = low[stored];
  high[other] = high[stored];
  spare = stored;
  stored = other
}

proctype Coordinator() {
  byte b, other;
  mtype what;
  Grant();
end:
  do
  :: post ? what, b ->
    Recall();
    if
    :: what == pushed ->
      if
      :: pins[stored] > 0 -> Move()
      :: else
      fi;
      Write(stored);
      applied++
    :: what == viewed ->
      pins[stored]++;
      view ! stored
    :: what == released ->
      assert(pins[b] > 0);
      pins[b]--
    fi;
    Grant()
  od
}

init {
  atomic {
    run Writer();
    run Reader();
    run Reader();
    run Coordinator()
  }
}
