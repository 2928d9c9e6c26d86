/** Names of our configurations in the ConfigMaps of NVIDIA's components, which are also values of node labels. */

export const CONFIG_PREFIX = 'gpu-autoscaler-';

export function isOurs(name: string): boolean {
  return /^gpu-autoscaler-[0-9a-f]{12}(-r[1-9])?$/.test(name);
}

/** The name without the number of the try. */
export function baseOf(name: string): string {
  return isOurs(name) ? name.replace(/-r[1-9]$/, '') : name;
}

/** The same text under another name than the one that was tried last: NVIDIA's components act on changes only. */
export function tryAgain(name: string): string {
  const last = Number(/-r([1-9])$/.exec(name)?.[1] ?? 0);
  return `${baseOf(name)}-r${(last % 9) + 1}`;
}
