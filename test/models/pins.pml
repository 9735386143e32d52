/* Views: a buffer that somebody holds a view of is not written, whoever is the master of its key.
 *
 * Mirrors Pins in actors/pins.ts; EngineLease (recall, grant, #accessOf) in actors/engine-lease.ts;
 * UpdateRule (what moves a pinned key to another buffer) in actors/update-rule.ts; Engine (Decode,
 * Recall) in native/src/engine/engine.cc. A buffer is two halves, so that a write in the middle shows.
 *
 * Holds: what a view shows is one version, and stays as it was until its release.
 */
#define PUSHES 3
#define VIEWS 2
#define BUFFERS 3

mtype = { pushed, viewed, released };
chan post = [PUSHES + 2 * VIEWS] of { mtype, byte };
chan view = [1] of { byte };

byte low[BUFFERS];
byte high[BUFFERS];
byte pins[BUFFERS];
byte stored;
bool is_leased;
byte running;
/* What the engine was told. */
bool may_write;
/* The key has to be told of again. */
bool is_touched = true;
bool was_pinned;
byte applied;

inline Write(b) {
  low[b] = low[b] + 1;
  high[b] = high[b] + 1;
  applied++
}

proctype Writer() {
  byte i;
  bool direct;
  for (i : 1 .. PUSHES) {
    atomic {
      direct = is_leased && may_write;
      if
      :: direct -> running++
      :: else
      fi
    }
    if
    :: direct ->
      Write(stored);
      running--
    :: else ->
      post ! pushed, 0;
      (applied == i)
    fi
  }
}

proctype Reader() {
  byte i, b, seen;
  for (i : 1 .. VIEWS) {
    post ! viewed, 0;
    view ? b;
    seen = low[b];
    assert(seen == high[b]);
    assert(seen == low[b]);
    assert(seen == high[b]);
    post ! released, b
  }
}

/* Moves the key to a buffer that nobody holds. */
inline Move() {
  if
  :: stored != 0 && pins[0] == 0 -> other = 0
  :: stored != 1 && pins[1] == 0 -> other = 1
  :: stored != 2 && pins[2] == 0 -> other = 2
  fi;
  low[other] = low[stored];
  high[other] = high[stored];
  stored = other
}

proctype Coordinator() {
  byte b, other;
  mtype what;
end:
  do
  :: post ? what, b ->
    is_leased = false;
    (running == 0);
    if
    :: what == pushed ->
      is_touched = true;
#if MUTANT != 2
      if
      :: pins[stored] > 0 -> Move()
      :: else
      fi;
#endif
      Write(stored)
    :: what == viewed ->
#if MUTANT != 1
      is_touched = true;
#endif
      pins[stored]++;
      view ! stored
    :: what == released -> pins[b]--
    fi;
    if
    :: is_touched || was_pinned ->
      was_pinned = pins[stored] > 0;
#if MUTANT == 3
      may_write = true; /* Whatever views there are. */
#else
      may_write = !was_pinned;
#endif
      is_touched = false
    :: else
    fi;
    is_leased = true
  od
}

init {
  atomic {
    run Writer();
    run Reader();
    run Coordinator()
  }
}
