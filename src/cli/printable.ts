/** Text for a terminal: names and messages are whatever others have written. */

/** Control characters, and those that turn the direction of text or break its lines. */
const UNPRINTABLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** The text with each such character as JSON escapes it. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** The same for several lines, whose breaks stay: tables, and JSON, where those within strings are escaped already. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (character === '\n' ? character : escaped(character)));
}

function escaped(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
}
