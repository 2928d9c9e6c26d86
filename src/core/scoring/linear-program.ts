/**
 * A linear program in the one form that we need: maximise c·x subject to A·x ≤ b, x ≥ 0, with no b
 * below 0. Nothing (x = 0) is feasible, so that the simplex method starts at once. For some dozens of
 * variables.
 */

const EPSILON = 1e-9;

/**
 * An optimal x, found by the simplex method with Bland's rule (which never cycles).
 * @param objective c, one entry for each variable
 * @param rows A; every variable must be bounded by some row
 * @param bounds b; 1 for all if absent
 */
export function maximise(
  objective: readonly number[],
  rows: readonly (readonly number[])[],
  bounds: readonly number[] = rows.map(() => 1),
): number[] {
  const variables = objective.length;
  const width = variables + rows.length + 1;
  // One row for each constraint with its slack and its bound, and the objective last.
  const tableau = rows.map((row, r) => {
    const line = new Float64Array(width);
    line.set(row);
    line[variables + r] = 1;
    line[width - 1] = bounds[r] ?? 1;
    return line;
  });
  const costs = new Float64Array(width);
  for (const [j, c] of objective.entries()) costs[j] = -c;
  const basis = rows.map((_, r) => variables + r);

  for (;;) {
    const entering = costs.findIndex((cost, j) => j < width - 1 && cost < -EPSILON);
    if (entering < 0) break;
    const leaving = leavingRow(tableau, basis, entering, width - 1);
    if (leaving < 0) throw new RangeError(`variable ${entering} is not bounded`);
    pivot(tableau, costs, leaving, entering);
    basis[leaving] = entering;
  }
  const solution = new Array<number>(variables).fill(0);
  for (const [r, variable] of basis.entries()) {
    if (variable < variables) solution[variable] = tableau[r]?.[width - 1] ?? 0;
  }
  return solution;
}

function leavingRow(tableau: readonly Float64Array[], basis: readonly number[], entering: number, rhs: number): number {
  let leaving = -1;
  let smallest = Number.POSITIVE_INFINITY;
  for (const [r, row] of tableau.entries()) {
    const factor = row[entering] ?? 0;
    if (factor <= EPSILON) continue;
    const ratio = (row[rhs] ?? 0) / factor;
    const tie = ratio <= smallest + EPSILON && (basis[r] ?? 0) < (basis[leaving] ?? 0);
    if (ratio < smallest - EPSILON || (leaving >= 0 && tie)) {
      smallest = ratio;
      leaving = r;
    }
  }
  return leaving;
}

function pivot(tableau: readonly Float64Array[], costs: Float64Array, leaving: number, entering: number): void {
  const pivotRow = tableau[leaving];
  if (!pivotRow) return;
  const factor = pivotRow[entering] ?? 1;
  for (let j = 0; j < pivotRow.length; j += 1) pivotRow[j] = (pivotRow[j] ?? 0) / factor;
  for (const row of [...tableau, costs]) {
    const multiple = row[entering] ?? 0;
    if (row === pivotRow || multiple === 0) continue;
    for (let j = 0; j < row.length; j += 1) row[j] = (row[j] ?? 0) - multiple * (pivotRow[j] ?? 0);
  }
}
