/** Words for groups of objects: one finding may concern thousands. */

const NAMED = 3;

/** `node a`, `2 nodes (a, b)`, `12 nodes (a, b, c, …)`. */
export function countOf(noun: string, names: readonly string[]): string {
  if (names.length === 1) return `${noun} ${names[0]}`;
  return `${names.length} ${noun}s (${listOf(names)})`;
}

/** `a, b, c, …` */
export function listOf(names: readonly string[]): string {
  return [...names.slice(0, NAMED), ...(names.length > NAMED ? ['…'] : [])].join(', ');
}

/** The names, by what is common to them, in the order in which they came. */
export function namesBy<T extends { readonly name: string }>(
  items: readonly T[],
  keyOf: (item: T) => string | undefined,
): [key: string, names: string[]][] {
  const groups = new Map<string, string[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === undefined) continue;
    const names = groups.get(key);
    if (names) names.push(item.name);
    else groups.set(key, [item.name]);
  }
  return [...groups];
}
