/** One line for each step of slow work: it changes in place on a terminal, and is printed once elsewhere. */

import type { WriteStream } from 'node:tty';

export class Progress {
  readonly #out: WriteStream;
  #step = '';
  #since = 0;

  constructor(out: WriteStream) {
    this.#out = out;
  }

  begin(step: string): void {
    this.#step = step;
    this.#since = performance.now();
    this.update('');
  }

  /** What is going on within the step; shown on a terminal only. */
  update(detail: string): void {
    if (!this.#out.isTTY) return;
    const line = `… ${this.#step}${detail && `: ${detail}`}`;
    this.#out.cursorTo(0);
    this.#out.write(line.slice(0, this.#out.columns - 1));
    this.#out.clearLine(1);
  }

  /** A line of its own, that stays. */
  note(line: string): void {
    if (this.#out.isTTY) {
      this.#out.cursorTo(0);
      this.#out.clearLine(0);
    }
    this.#out.write(`${line}\n`);
  }

  end(result: string): void {
    const seconds = ((performance.now() - this.#since) / 1000).toFixed(1);
    if (this.#out.isTTY) {
      this.#out.cursorTo(0);
      this.#out.clearLine(0);
    }
    this.#out.write(`✓ ${this.#step}: ${result} (${seconds} s)\n`);
  }
}
