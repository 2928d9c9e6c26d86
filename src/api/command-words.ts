/** Words of commands and arguments, also of scripts in them. */

/** Characters of a script that are looked at. */
const MAX_SCRIPT = 20_000;
/** Longer words are no flags. */
export const MAX_WORD = 64;

interface Commanded {
  readonly command?: readonly string[] | null | undefined;
  readonly args?: readonly string[] | null | undefined;
}

/** The words of all containers, in order; a command or an argument may be a script as a whole. */
export function commandWords(containers: readonly Commanded[]): string[] {
  return containers.flatMap(({ command, args }) => [...(command ?? []), ...(args ?? [])].flatMap(wordsOf));
}

function wordsOf(text: string): string[] {
  return /\s/.test(text) ? text.slice(0, MAX_SCRIPT).split(/[\s;&|"'\\]+/) : [text];
}

/** `--flag=value` or `--flag value`: the flag with `-` for `_`, and its value; undefined if the word is none. */
export function flagAt(
  words: readonly string[],
  i: number,
): { readonly name: string; readonly value: string } | undefined {
  const word = words[i] ?? '';
  const [name = '', own] = word.length > MAX_WORD ? [] : word.split('=');
  if (!name.startsWith('-')) return undefined;
  return { name: name.replaceAll('_', '-'), value: (own ?? words[i + 1] ?? '').replace(/^["']/, '') };
}
