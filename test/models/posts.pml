/* A device that blocks where no addon could be built: it looks at its port, then waits until the
 * count of posts has moved on.
 *
 * Mirrors `waiting` in actors/port-link.ts and StatusBlock in actors/status.ts.
 *
 * Holds: no message stays in the port while its device sleeps.
 */
#define MESSAGES 3

byte posts;
byte port;

proctype Coordinator() {
  byte i;
  for (i : 1 .. MESSAGES) {
    port++;
    posts++
  }
}

proctype Device() {
  byte read, before, found;
  do
  :: read < MESSAGES ->
#if MUTANT != 1
    before = posts;
#endif
    atomic { found = port; read = read + port; port = 0 }
#if MUTANT == 1
    before = posts; /* Too late: the message it counts was not seen. */
#endif
    if
    :: found == 0 -> (posts != before)
    :: else
    fi
  :: else -> break
  od
}

init {
  atomic {
    run Coordinator();
    run Device()
  }
}
