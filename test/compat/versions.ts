/** Versions of Kubernetes as people write them, and as its Go module has them. Pure. */

/** A minor version of Kubernetes 1, and a patch of it; without a patch, the newest. */
export interface VersionQuery {
  readonly minor: number;
  readonly patch?: number;
}

/** Reads `1.34`, `1.34.4` or `v1.34.4`; undefined for anything else. */
export function parseVersion(text: string): VersionQuery | undefined {
  const parts = /^v?1\.(0|[1-9]\d*)(?:\.(0|[1-9]\d*))?$/.exec(text);
  if (!parts) return undefined;
  const [, minor, patch] = parts;
  return { minor: Number(minor), ...(patch !== undefined && { patch: Number(patch) }) };
}

/** The newest patch of a minor version among those listed (`v1.34.4`); pre-releases are passed over. */
export function newestPatch(minor: number, listed: readonly string[]): string | undefined {
  const patches = listed.flatMap((version) => {
    const query = parseVersion(version);
    return query?.minor === minor && query.patch !== undefined ? [query.patch] : [];
  });
  return patches.length === 0 ? undefined : `v1.${minor}.${Math.max(...patches)}`;
}

/** Released minor versions among those listed, oldest first: `1.34`. */
export function minorsOf(listed: readonly string[]): string[] {
  const minors = listed.flatMap((version) => parseVersion(version)?.minor ?? []);
  return [...new Set(minors)].sort((a, b) => a - b).map((minor) => `1.${minor}`);
}

/** Orders `1.30.14` before `1.34.4`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  return (left?.minor ?? 0) - (right?.minor ?? 0) || (left?.patch ?? 0) - (right?.patch ?? 0);
}
