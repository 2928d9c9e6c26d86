/** Nodes whose slots have no known size. */

import { defineCheck } from '../check.ts';
import { countOf, namesBy } from '../phrases.ts';

const DISCOVER =
  "run GPU Feature Discovery on them (the GPU operator, or gfd.enabled=true in the device plugin's chart)";
const CORRECT =
  'correct what the labels say: one MIG profile for the whole node or the strategy mixed, and a GPU Feature Discovery that runs without errors';

export const nodeSizes = defineCheck({
  name: 'node-sizes',
  about: 'nodes whose labels do not tell how large their GPU slots are',
  needs: ['nodes'],
  run: ({ nodes }) =>
    // The labels of a node that speaks a dialect are there, and do not tell.
    [true, false].flatMap((isLabelled) =>
      namesBy(
        nodes.filter(({ facts }) => (facts.unsized !== undefined) === isLabelled),
        ({ inventory }) => inventory?.unsized,
      ).map(([why, names]) => ({
        severity: 'error' as const,
        message: `the size of GPU slots on ${countOf('node', names)} is not known (${why}): they go only to pods that declare no need, and count as no GPU`,
        fix: isLabelled ? CORRECT : DISCOVER,
        objects: names,
      })),
    ),
});
