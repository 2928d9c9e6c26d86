/** Nodes and pods as CSV in the format of the openb trace (Alibaba, cluster-trace-gpu-v2023). */

import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import type { NodeSize, PackingDemand } from '../../core/scoring/packing-node.ts';
import type { TimedPod } from '../../core/simulation/run.ts';
import { InputError } from '../input-error.ts';

export interface CsvFile {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

/** As in a spreadsheet: a whole number, perhaps nothing where 0 is meant. */
const whole = z
  .string()
  .regex(/^\d{1,15}$/, 'is not a whole number from 0 on')
  .transform(Number);

const nodeSchema = z.object({
  sn: z.string().min(1, 'is empty'),
  cpu_milli: whole,
  memory_mib: whole,
  gpu: whole.refine((count) => count <= 1024, 'is more than 1024 GPUs'),
  model: z.string(),
});

const podSchema = z
  .object({
    name: z.string().min(1, 'is empty'),
    cpu_milli: whole,
    memory_mib: whole,
    num_gpu: whole,
    gpu_milli: whole.refine((milli) => milli <= 1000, 'is more than 1000'),
    gpu_spec: z.string().optional(),
    creation_time: whole.optional(),
    deletion_time: whole.optional(),
  })
  .refine(({ num_gpu, gpu_milli }) => num_gpu === 0 || gpu_milli > 0, { path: ['gpu_milli'], message: 'is 0' })
  .refine(({ num_gpu, gpu_milli }) => num_gpu < 2 || gpu_milli === 1000, {
    path: ['gpu_milli'],
    message: 'is less than 1000, with several GPUs',
  });
type PodRow = z.infer<typeof podSchema>;

/** In the order of the file, which is the order of ties. @throws InputError */
export function readNodes(file: CsvFile): NodeSize[] {
  const seen = new Set<string>();
  return rows(file, nodeSchema).map(({ sn, cpu_milli, memory_mib, gpu, model }, i) => {
    if (seen.has(sn)) throw new InputError(`${file.name}: node ${JSON.stringify(sn)} is listed twice`);
    seen.add(sn);
    return { name: sn, createdAt: i, product: model, cpuMilli: cpu_milli, memoryMiB: memory_mib, gpus: gpu };
  });
}

/** Demands of one kind are one object. @throws InputError */
export function readPods(file: CsvFile): PackingDemand[] {
  const kinds = new Map<string, PackingDemand>();
  return rows(file, podSchema).map((row) => kindOf(row, kinds));
}

/** Pods with the times at which they came and went. @throws InputError if the file lacks them */
export function readTimedPods(file: CsvFile): TimedPod[] {
  const kinds = new Map<string, PackingDemand>();
  return rows(file, podSchema).map((row, i) => {
    const { creation_time: start, deletion_time: end } = row;
    if (start === undefined)
      throw new InputError(`${file.name}:${i + 2}: there is no creation_time, which departures need`);
    return { demand: kindOf(row, kinds), start, end: end ?? Number.POSITIVE_INFINITY };
  });
}

function kindOf(
  { cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec }: PodRow,
  kinds: Map<string, PackingDemand>,
): PackingDemand {
  const key = `${cpu_milli} ${memory_mib} ${num_gpu} ${gpu_milli} ${gpu_spec ?? ''}`;
  let demand = kinds.get(key);
  if (!demand) {
    demand = {
      cpuMilli: cpu_milli,
      memoryMiB: memory_mib,
      gpus: num_gpu,
      milli: num_gpu === 0 ? 0 : gpu_milli,
      products: gpu_spec ? new Set(gpu_spec.split('|')) : undefined,
    };
    kinds.set(key, demand);
  }
  return demand;
}

function rows<T>({ name, text }: CsvFile, schema: z.ZodType<T>): T[] {
  const [head, ...records] = parseCsv(name, text);
  if (!head) throw new InputError(`${name}: the file is empty`);
  if (records.length === 0) throw new InputError(`${name}: there are no rows after the heading`);
  const columns = head.cells;
  return records.map(({ cells, line }) => {
    const row = Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? '']));
    // An empty cell of a column that need not be there is as good as none.
    for (const column of ['gpu_spec', 'creation_time', 'deletion_time']) if (row[column] === '') delete row[column];
    const parsed = schema.safeParse(row);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const column = String(issue?.path[0] ?? '');
    const place = columns.indexOf(column);
    if (place < 0) throw new InputError(`${name}:1: there is no column ${column}; found are ${columns.join(', ')}`);
    throw new InputError(`${name}:${line}:${place + 1}: ${column} ${JSON.stringify(cells[place])} ${issue?.message}`);
  });
}

interface Record {
  readonly cells: readonly string[];
  readonly line: number;
}

function parseCsv(name: string, text: string): Record[] {
  try {
    const records = parse(text, { bom: true, info: true, skip_empty_lines: true, trim: true });
    const parsed = z
      .array(z.object({ record: z.array(z.string()), info: z.object({ lines: z.number() }) }))
      .parse(records);
    return parsed.map(({ record, info }) => ({ cells: record, line: info.lines }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new InputError(`${name}:${z.coerce.number().catch(0).parse(error.lines)}: ${error.message}`, {
      cause: error,
    });
  }
}
