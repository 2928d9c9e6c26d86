/** References of container images. */

export interface ImageReference {
  /** The last part of the repository: `k8s-device-plugin`. */
  readonly name: string;
  /** '' where there is none. */
  readonly tag: string;
}

/** `nvcr.io:443/nvidia/k8s-device-plugin:v0.17.1-ubi9@sha256:…` → its name and tag. */
export function imageOf(reference: string): ImageReference {
  const [withTag = ''] = reference.split('@');
  const last = withTag.slice(withTag.lastIndexOf('/') + 1);
  const colon = last.indexOf(':');
  return colon < 0 ? { name: last, tag: '' } : { name: last.slice(0, colon), tag: last.slice(colon + 1) };
}

/** `v0.17.1-ubi9` → [0, 17]; undefined for what is no version, such as `latest`. */
export function versionOf(tag: string): readonly [major: number, minor: number] | undefined {
  const [, major, minor] = /^v?(\d{1,6})\.(\d{1,6})(?:[.+-]|$)/.exec(tag) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor)];
}
