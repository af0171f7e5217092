/** Rules that every experiment follows, as a check that returns its complaints. */
import type { Experiment } from "../src/experiments/experiment.ts";
import { measures } from "../src/experiments/measures.ts";
import { planOf, trialsOfSeed } from "../src/experiments/trials.ts";
import { withClasses } from "../src/network/network.ts";
import { trialsOf } from "../src/tuning/sweepPlan.ts";

/** Complaints about experiments: settings that do not resolve, and names that nothing has. */
export async function experimentProblems(experiments: readonly Experiment[]): Promise<readonly string[]> {
  const files = experiments.flatMap(({ figures }) => figures.map(({ name }) => name));
  const twice = files.filter((name, i) => files.indexOf(name) !== i);
  const own = await Promise.all(
    experiments.map(async (experiment) => {
      const problems = [...unknownNames(experiment), ...(await unresolved(experiment))];
      return problems.map((problem) => `${experiment.name}: ${problem}`);
    }),
  );
  return [...twice.map((name) => `two figures are called ${name}`), ...own.flat()];
}

function unknownNames({ name, arms, evaluations = [], quick, figures, findings, ...rest }: Experiment) {
  const armNames = arms.map((arm) => arm.name);
  const measureNames = [...Object.keys(measures), ...evaluations.map((each) => each.name)];
  const used = findings.flatMap(({ of, to }) => [of, ...(to ? [to] : [])]);
  return [
    ...armNames.filter((arm, i) => armNames.indexOf(arm) !== i).map((arm) => `two arms are called ${arm}`),
    ...[...used.map(({ arm }) => arm), ...(quick.arms ?? [])]
      .filter((arm) => !armNames.includes(arm))
      .map((arm) => `no arm is called ${arm}`),
    ...[...used.map(({ measure }) => measure), ...rest.measures, ...(rest.search?.by ?? [])]
      .filter((measure) => !measureNames.includes(measure))
      .map((measure) => `no measure is called ${measure}`),
    ...(figures[0]?.name === name ? [] : ["its first figure has another name"]),
    ...(findings.some(({ above, below }) => above === undefined && below === undefined)
      ? ["a finding has no bound"]
      : []),
  ];
}

/** Resolves every trial of the full and the quick plan, with the shapes of its network. */
async function unresolved(experiment: Experiment): Promise<readonly string[]> {
  const { quick, search } = experiment;
  const scales: readonly Experiment[] = [
    experiment,
    { ...experiment, ...(search && quick.search ? { search: { ...search, values: quick.search } } : {}) },
  ];
  const problems = await Promise.all(
    scales.map(async (scale, i) => {
      const scaled = { ...scale, overrides: i === 0 ? {} : quick.settings };
      try {
        const trials = await trialsOf(planOf(scaled, trialsOfSeed(scaled, 0, new Map())));
        // Ten classes, at the network's own input.
        for (const { plan } of trials) if (plan.network) withClasses(plan.network, 10);
        return [];
      } catch (error) {
        return [error instanceof Error ? error.message : String(error)];
      }
    }),
  );
  return problems.flat();
}
