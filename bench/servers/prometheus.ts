/** Answers every query with as many series as it is told: pods of Deployments of ten, as dcgm-exporter labels them. */

import { createServer } from 'node:http';

const [count = ''] = process.argv.slice(2);

function hash(number: number): string {
  return [...String(1_000_000_000 + number)].map((digit) => '456789bcdf'[Number(digit)]).join('');
}

const result = Array.from({ length: Number(count) }, (_, i) => ({
  metric: {
    exported_namespace: `team-${i % 50}`,
    exported_pod: `inference-server-${Math.floor(i / 500) * 50 + (i % 50)}-${hash(i % 50)}-${hash(i).slice(-5)}`,
    modelName: 'NVIDIA A100-SXM4-40GB',
    namespace: 'gpu-operator',
    pod: `nvidia-dcgm-exporter-${hash(i % 5_000).slice(-5)}`,
  },
  value: [1_790_000_000.123, String(100 + (i % 1_000) / 7)],
}));
const body = JSON.stringify({ status: 'success', data: { resultType: 'vector', result } });

const server = createServer((request, response) => {
  request.resume();
  response.setHeader('content-type', 'application/json').end(body);
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as { port: number }).port }));
process.on('disconnect', () => process.exit());
