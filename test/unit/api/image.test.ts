/** Names, tags and versions of images. */

import tap from 'tap';
import { imageOf, versionOf } from '#src/api/image.ts';

const IMAGES: readonly [reference: string, name: string, tag: string][] = [
  ['nvcr.io/nvidia/k8s-device-plugin:v0.17.1-ubi9', 'k8s-device-plugin', 'v0.17.1-ubi9'],
  ['localhost:5000/k8s-device-plugin', 'k8s-device-plugin', ''],
  ['localhost:5000/a/b:1@sha256:0123', 'b', '1'],
  ['b@sha256:0123', 'b', ''],
  ['', '', ''],
];
for (const [reference, name, tag] of IMAGES) {
  tap.test(`image ${reference}`, async (t) => t.strictSame(imageOf(reference), { name, tag }));
}

const TAGS: readonly [tag: string, version: readonly [number, number] | undefined][] = [
  ['v0.17.1-ubi9', [0, 17]],
  ['0.20', [0, 20]],
  ['1.0.0-beta4', [1, 0]],
  ['v0.20.0+x', [0, 20]],
  ['latest', undefined],
  ['v1', undefined],
  ['0.20x', undefined],
  ['1234567.1', undefined],
  ['', undefined],
];
for (const [tag, version] of TAGS) {
  tap.test(`tag ${JSON.stringify(tag)}`, async (t) => t.strictSame(versionOf(tag), version));
}
