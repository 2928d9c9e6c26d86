/** The ConfigMaps that the configuration names, and which of their names are in use. */

import { Registry } from 'prom-client';
import tap from 'tap';
import { configurationSchema } from '#src/api/configuration.ts';
import { ConfigMapStoreProvider } from '#src/reconciler/config-map-store-provider.ts';
import { reconcilerMetrics } from '#src/reconciler/metrics.ts';
import { migConfig, pluginConfig } from '#src/reconciler/named-config.ts';
import { reconcilerSettingsOf } from '#src/reconciler/settings.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { ManualClock } from '../../objects/clock.ts';
import { quietState } from '../../objects/records.ts';
import { FakeApi } from './fake-api.ts';
import { MPS, mark, migName, nodeObject, PRODUCT, pluginName, SEVEN, SLICED, TRANSITION } from './make.ts';

const MAPS = '/api/v1/namespaces/gpu-operator/configmaps';
const PLUGIN = `${MAPS}/gpu-autoscaler-device-plugin`;
const HOUR = 3_600_000;

function setUp() {
  const api = new FakeApi();
  const state = quietState();
  const clock = new ManualClock();
  let settings = reconcilerSettingsOf(configurationSchema.parse({}));
  const metrics = reconcilerMetrics(new Registry(), () => ({ mpsClients: 0, virtualGpus: 0 }));
  const provider = new ConfigMapStoreProvider({
    client: api,
    lease: { isHeld: true },
    state,
    settings: () => settings,
    log: createLogger('test', 'silent'),
    metrics,
    clock,
  });
  const configure = (reconciler: object) => {
    settings = reconcilerSettingsOf(configurationSchema.parse({ reconciler }));
  };
  return { api, state, clock, metrics, provider, configure };
}

tap.test('names of both components are written, known, and have an age', async (t) => {
  const { clock, provider } = setUp();
  const names = { plugin: pluginName(SEVEN), mig: migName(SEVEN) };
  t.equal(provider.ages()('plugin', names.plugin), undefined);
  await provider.add(pluginConfig(SEVEN, PRODUCT), migConfig(SEVEN));
  clock.ms += 5_000;
  t.equal(provider.ages()('plugin', names.plugin), 5_000);
  t.equal(provider.ages()('mig', names.mig), 5_000);
  t.ok(await provider.has(names));
  t.notOk(await provider.has({ ...names, mig: migName(MPS) }));
});

tap.test('a name that somebody has removed is there no more', async (t) => {
  const { api, provider } = setUp();
  await provider.add(pluginConfig(MPS, PRODUCT), undefined);
  t.ok(await provider.has({ plugin: pluginName(MPS) }));
  api.objects.delete(PLUGIN);
  t.notOk(await provider.has({ plugin: pluginName(MPS) }));
});

tap.test('another ConfigMap in the configuration is begun anew', async (t) => {
  const { api, provider, configure } = setUp();
  await provider.add(pluginConfig(MPS, PRODUCT), undefined);
  configure({ devicePluginConfigMap: 'other' });
  t.equal(provider.ages()('plugin', pluginName(MPS)), undefined);
  await provider.add(pluginConfig(MPS, PRODUCT), undefined);
  t.match(api.get(`${MAPS}/other`), { data: { [pluginName(MPS)]: /mps/ } });
});

tap.test('names are collected that no node uses, in its labels or its annotations', async (t) => {
  const { api, state, clock, provider } = setUp();
  t.notOk(provider.mayCollect, 'nothing has been written yet');
  await provider.add(pluginConfig(MPS, PRODUCT), undefined);
  await provider.add(pluginConfig(SLICED, PRODUCT), undefined);
  t.ok(provider.mayCollect);
  state.nodes.update(nodeObject({ annotations: { [TRANSITION]: JSON.stringify(mark(MPS)) } }));
  // Once to see that nobody uses it, and once more when that has been so for long enough.
  await provider.collect();
  clock.ms += HOUR;
  await provider.collect();
  t.strictSame(Object.keys(api.get(PLUGIN)?.data ?? {}), [pluginName(MPS)]);
});

tap.test('nothing is collected while the reconciler is switched off', async (t) => {
  const { provider, configure } = setUp();
  await provider.add(pluginConfig(MPS, PRODUCT), undefined);
  configure({ enabled: false });
  t.notOk(provider.mayCollect);
});
