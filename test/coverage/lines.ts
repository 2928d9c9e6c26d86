/** Lines of a source that do something, and which of them have run. */

import type { Profiler } from 'node:inspector';
import { stripTypeScriptTypes } from 'node:module';
import { parseSync } from 'oxc-parser';

export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Where its code begins, in the text that V8 runs. */
  readonly offset: number;
}

/** Lines with code: none of a type, a comment, or closing brackets alone. */
export function linesOfCode(source: string): Line[] {
  // Blanks take the place of types, here as in Node.js itself, so that every offset stays.
  let text = stripTypeScriptTypes(source);
  for (const { start, end } of parseSync('source.js', text).comments) {
    text = text.slice(0, start) + text.slice(start, end).replaceAll(/\S/g, ' ') + text.slice(end);
  }
  let begin = 0;
  return text.split('\n').flatMap((content, index) => {
    const column = content.search(/[^\s()[\]{},;]/);
    const line = { number: index + 1, offset: begin + column };
    begin += content.length + 1;
    return column < 0 ? [] : [line];
  });
}

/** Those of the lines that ran in one process: the innermost range around a line says so. */
export function linesRun(lines: readonly Line[], { functions }: Profiler.ScriptCoverage): Line[] {
  const ranges = functions
    .flatMap((entry) => entry.ranges)
    .sort((a, b) => a.endOffset - a.startOffset - (b.endOffset - b.startOffset));
  return lines.filter(({ offset }) => {
    const innermost = ranges.find(({ startOffset, endOffset }) => startOffset <= offset && offset < endOffset);
    return innermost !== undefined && innermost.count > 0;
  });
}
