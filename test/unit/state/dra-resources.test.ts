/** Which extended resources DRA serves, by the DeviceClasses. */

import tap from 'tap';
import { takeList } from '../../fakes/listing.ts';
import { quietState } from '../../objects/records.ts';

function deviceClass(name: string, extendedResourceName?: string | null) {
  return { apiVersion: 'resource.k8s.io/v1', kind: 'DeviceClass', metadata: { name }, spec: { extendedResourceName } };
}

tap.test('a resource is served while a class stands for it', async (t) => {
  const { deviceClasses, delegated } = quietState();
  takeList(deviceClasses, [deviceClass('gpu.nvidia.com', 'nvidia.com/gpu'), deviceClass('mig.nvidia.com')]);
  t.equal(delegated.has('nvidia.com/gpu'), true);
  t.equal(delegated.has('nvidia.com/gpu.shared'), false);
  t.equal(delegated.classOf('nvidia.com/gpu'), 'gpu.nvidia.com');
  deviceClasses.update(deviceClass('a.example.com', 'nvidia.com/gpu'));
  t.equal(delegated.classOf('nvidia.com/gpu'), 'a.example.com', 'the first by name');
  deviceClasses.update(deviceClass('a.example.com', null));
  t.equal(delegated.classOf('nvidia.com/gpu'), 'gpu.nvidia.com');
  takeList(deviceClasses, []);
  t.equal(delegated.has('nvidia.com/gpu'), false);
  t.equal(delegated.classOf('nvidia.com/gpu'), undefined);
});

tap.test('only what is served otherwise than before is a change', async (t) => {
  const { deviceClasses, delegated } = quietState();
  deviceClasses.update(deviceClass('gpu.nvidia.com', 'nvidia.com/gpu'));
  const before = delegated.changes;
  deviceClasses.update(deviceClass('gpu.nvidia.com', 'nvidia.com/gpu'));
  t.equal(delegated.changes, before);
  deviceClasses.update(deviceClass('gpu.nvidia.com', 'example.com/gpu'));
  t.equal(delegated.changes, before + 1);
  t.equal(delegated.has('nvidia.com/gpu'), false);
});

tap.test('what is no DeviceClass is left out', async (t) => {
  const { deviceClasses, delegated } = quietState();
  for (const broken of [
    null,
    {},
    { metadata: { name: 7 } },
    { metadata: { name: 'x' }, spec: { extendedResourceName: 7 } },
  ]) {
    deviceClasses.update(broken);
  }
  t.equal(delegated.changes, 0);
});
