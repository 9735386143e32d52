/** Counts checks, a line each, and says at the end how many passed. */
export class Tally {
  #passed = 0;
  #failed = 0;

  /** Notes a check; `detail` is printed behind its name, `output` below it where it failed. */
  note(passed, name, detail = '', output = '') {
    if (passed) this.#passed += 1;
    else this.#failed += 1;
    console.log(`${passed ? 'ok    ' : 'FAILED'} ${name}${detail === '' ? '' : `: ${detail}`}`);
    if (!passed && output.trim() !== '') console.log(output.trim());
  }

  /** Prints `N passed, N failed` and sets the exit code. */
  end() {
    if (this.#passed + this.#failed === 0) this.#failed = 1;
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    process.exitCode = this.#failed > 0 ? 1 : 0;
  }
}
