/* The arrival record of one key: which pushes make up a round, while the store goes back and forth
 * between engine and coordinator and one device dies.
 *
 * Mirrors Rounds (Append, IsClosable, TakeRound, Finish) in native/src/engine/rounds.cc; Engine
 * (Submit, Drain, Lease, Recall) in native/src/engine/engine.cc; Mailbox (#flush) in
 * actors/mailbox.ts; Coordinator (receive) in actors/coordinator.ts; EngineLease (recall, grant) in
 * actors/engine-lease.ts; Closing in actors/closing.ts. What is done under one lock, or
 * by the coordinator between two messages, is one step.
 *
 * Holds: round r takes push r of each live rank, once; a key has one writer at a time; the survivors
 * of a death get an answer to every push.
 */
#define RANKS 3
#define ROUNDS 2

mtype = { pushed, gone, other };
chan post = [RANKS * ROUNDS + 2] of { mtype, byte, byte };
/* Number of a push, and whether it was posted. */
chan lane[RANKS] = [ROUNDS] of { byte, bool };

bool live[RANKS];
byte posted[RANKS];
byte acked[RANKS];
byte version;
bool is_leased;
bool is_busy;
byte running;
bool is_writing;

#define HAS(r) (len(lane[r]) > 0)
#define COUNT (len(lane[0]) + len(lane[1]) + len(lane[2]))
#define LIVE (live[0] + live[1] + live[2])
#define EMPTY (COUNT == 0)
#if MUTANT == 1
/* Counts pushes, whoever made them. */
#define CLOSABLE (COUNT > 0 && COUNT >= LIVE)
#else
#define CLOSABLE \
  (COUNT > 0 && (!live[0] || HAS(0)) && (!live[1] || HAS(1)) && (!live[2] || HAS(2)))
#endif

/* Each push of the round must be the one of that round; gives the number of ranks. */
inline CheckHead(r) {
  if
  :: HAS(r) -> lane[r] ? <s, by_post>; assert(s == version)
  :: else -> assert(!live[r])
  fi
}

inline Pop(r) {
  if
  :: HAS(r) ->
    lane[r] ? s, by_post;
    acked[r]++;
    posted[r] = posted[r] - by_post
  :: else
  fi
}

inline WriteStored() {
  assert(!is_writing);
  is_writing = true;
  is_writing = false
}

inline EndRound() {
  Pop(0); Pop(1); Pop(2);
  version++
}

/* Whoever comes to the engine runs what can be run. */
inline Drain() {
  do
  :: atomic {
      is_leased && !is_busy && CLOSABLE ->
      CheckHead(0); CheckHead(1); CheckHead(2);
      is_busy = true;
      running++
    }
    WriteStored();
    d_step { is_busy = false; EndRound(); running--; s = 0; by_post = false }
  :: atomic { !(is_leased && !is_busy && CLOSABLE) -> break }
  od
}

proctype Device(byte me; bool mortal) {
  byte s, next;
  bool by_post, taken;
  do
  :: next < ROUNDS ->
    taken = false;
    if
    :: mortal -> goto dead
    :: true
    fi;
    atomic {
      if
#if MUTANT == 3
      /* Does not look whether something of its own is on its way to the coordinator. */
      :: is_leased -> lane[me] ! next, false; taken = true
#else
      :: is_leased && posted[me] == 0 -> lane[me] ! next, false; taken = true
#endif
      :: else -> posted[me]++
      fi
    }
    if
    :: taken -> Drain()
    :: else -> post ! pushed, me, next
    fi;
    next++
  :: next == ROUNDS -> break
  od;
  (acked[me] == ROUNDS);
  goto end;
dead:
  post ! gone, me, 0;
end:
  skip
}

proctype Coordinator() {
  byte s, from, number;
  bool by_post;
  mtype what;
end:
  do
  :: post ? what, from, number ->
    is_leased = false;
#if MUTANT != 2
    (running == 0);
#endif
    atomic {
      if
      :: what == pushed && live[from] -> lane[from] ! number, true
      :: what == gone -> live[from] = false
      :: else
      fi
    }
    do
    :: atomic { CLOSABLE -> CheckHead(0); CheckHead(1); CheckHead(2) }
      WriteStored();
      d_step { EndRound(); s = 0; by_post = false }
    :: atomic { !CLOSABLE -> break }
    od;
    atomic {
      if
      :: EMPTY -> is_leased = true
      :: else
      fi
    }
  od
}

/* Something that needs the coordinator: it takes the store back and gives it away again. */
proctype Interruption() { post ! other, 0, 0 }

init {
  atomic {
    live[0] = true; live[1] = true; live[2] = true;
    is_leased = true;
    run Device(0, true);
    run Device(1, false);
    run Device(2, false);
    run Coordinator();
    run Interruption()
  }
}
