/** Our webhook over N nodes and M policies, by TLS; arguments: N, M. */

import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import { SYSTEM_NAMESPACE } from '#src/api/keys.ts';
import { AdmissionState } from '#src/state/admission-state.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { createRegistry } from '#src/telemetry/registry.ts';
import { webhookMetrics } from '#src/webhook/metrics.ts';
import { createWebhookServer } from '#src/webhook/server.ts';
import { createCertificate } from '../../test/cluster/certificates.ts';
import { takeList } from '../../test/fakes/listing.ts';
import { exclusiveNode, migNode, mpsNode, timeSlicingNode } from '../../test/objects/nodes.ts';
import { nodeNames } from '../fleet.ts';
import { policies } from '../policies.ts';

const [nodes = 0, count = 0] = process.argv.slice(2).map(Number);
const state = new ClusterState((why) => {
  throw new Error(why);
});
const admission = new AdmissionState(state, admissionConfigurationOf(configurationSchema.parse({}), SYSTEM_NAMESPACE));
const makers = [
  (name: string) => exclusiveNode({ name, gpus: 8 }),
  (name: string) => mpsNode({ name, gpus: 8, replicas: 8 }),
  (name: string) => timeSlicingNode({ name, gpus: 8, replicas: 4 }),
  (name: string) => migNode({ name, gpus: 8, layout: { '1g.5gb': 7 } }),
];
takeList(
  state.nodes,
  nodeNames(nodes).map((name, i) => makers[i % makers.length]?.(name) ?? {}),
);
takeList(state.policies, policies(count));
takeList(state.namespaces, [{ metadata: { name: 'default', labels: { team: 'a' } } }]);
const registry = createRegistry();
const server = createWebhookServer({
  // As in a cluster, where every decision is a line; nobody reads these.
  log: createLogger('webhook', 'info', '/dev/null'),
  registry,
  tls: await createCertificate(),
  metrics: webhookMetrics(registry),
  notReadyReason: () => undefined,
  context: () => ({ view: admission.view(), now: new Date() }),
});
const url = await server.listen({ host: '127.0.0.1', port: 0 });
process.send?.({ port: Number(new URL(url).port) });
process.on('disconnect', () => process.exit());
