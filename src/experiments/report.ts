/** Results of an experiment as data, and the files of its output directory: index.html, results.json, and each figure as SVG and PNG. */
import { join } from "node:path";
import { writeFileDurably } from "../checkpoint/durable.ts";
import type { FigureSeries } from "../report/charts/experimentChart.ts";
import { formatDuration } from "../report/numbers.ts";
import { type ExperimentPage, renderExperiment } from "../report/pages/experimentPage.ts";
import { describeValues, formatValue } from "../report/tables/sweepTable.ts";
import { writeChart } from "../runs/chartFiles.ts";
import { type RunConfig, readRunConfig } from "../settings/runConfig.ts";
import { type ArmResult, valuesOf } from "./armResults.ts";
import { cautionsOf } from "./cautions.ts";
import { conclusionOf, describeMeasure, type FindingResult, judge } from "./findings.ts";
import { formatStatistics, statisticsOf } from "./measures.ts";
import type { ScaledExperiment } from "./scaledExperiment.ts";

/** Mean and sample standard deviation of a measure over seeds. Null: not reached. */
export interface MeasureResult {
  readonly mean: number | null;
  readonly deviation: number;
  readonly values: readonly (number | null)[];
}

/** Results of one arm. */
export interface ArmSummary {
  readonly name: string;
  /** Settings of its runs besides those of the experiment, and the random seed. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly measures: Readonly<Record<string, MeasureResult>>;
  readonly runs: readonly { readonly seed: number; readonly status: string; readonly directories: readonly string[] }[];
}

/** Points of a figure; null: not reached. */
export interface StoredSeries {
  readonly name: string;
  readonly points: readonly {
    readonly x: number | string;
    readonly y: number | null;
    readonly deviation: number;
    readonly values: readonly (number | null)[];
  }[];
}

/** Results of an experiment: the content of results.json. */
export interface ExperimentResult {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly claim: string;
  /** The result of all findings in a sentence. */
  readonly conclusion: string;
  readonly command: string;
  readonly quick: boolean;
  readonly seeds: number;
  readonly findings: readonly (Omit<FindingResult, "values"> & { readonly values: readonly (number | null)[] })[];
  readonly arms: readonly ArmSummary[];
  readonly figures: readonly {
    readonly name: string;
    readonly title: string;
    readonly series: readonly StoredSeries[];
  }[];
  /** Settings of all runs, and those that override the experiment's. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly overrides: Readonly<Record<string, unknown>>;
  readonly machine: {
    readonly cpu: string;
    readonly engine: string;
    readonly threads: number;
    readonly precision: string;
    readonly alexnet: string;
    readonly node: string;
  };
  readonly dataset: string;
}

interface Results {
  readonly experiment: ScaledExperiment;
  readonly results: readonly ArmResult[];
  readonly command: string;
  readonly quick: boolean;
}

/** Writes the files of the complete seeds. Returns the results and the path of the page. */
export async function writeResults(
  output: string,
  given: Results,
): Promise<{ readonly result: ExperimentResult; readonly page: string }> {
  const { experiment, results } = given;
  const figures = await Promise.all(
    experiment.figures.map(async ({ name, title, description, seriesOf, draw }) => {
      const series = seriesOf(results);
      const [svg, compact] = [await draw(series, "wide"), await draw(series, "compact")];
      await writeChart(output, { name, svg });
      return { name, title, series, chart: { heading: title, description, svg, compact } };
    }),
  );
  const result = await summarize(output, given, figures);
  await writeFileDurably(join(output, "results.json"), `${JSON.stringify(result, undefined, 2)}\n`);
  const page = join(output, "index.html");
  const charts = figures.map(({ chart }) => chart);
  await writeFileDurably(page, renderExperiment(pageOf(given, result, charts)));
  return { result, page };
}

async function summarize(
  output: string,
  { experiment, results, command, quick }: Results,
  figures: readonly { readonly name: string; readonly title: string; readonly series: readonly FigureSeries[] }[],
): Promise<ExperimentResult> {
  const { name, title, source, claim, base, overrides } = experiment;
  const seeds = results[0]?.seeds ?? [];
  const findings = experiment.findings.map((finding) => judge(experiment, results, finding));
  const config = (await readRunConfig(join(output, seeds[0]?.runs[0] ?? ""))) as RunConfig;
  const { engine, machine, precision, dataset } = config;
  return {
    name,
    title,
    source,
    claim,
    conclusion: conclusionOf(findings, experiment.isChanged, cautionsOf(experiment, results)),
    command,
    quick,
    seeds: seeds.length,
    findings: findings.map((finding) => ({ ...finding, values: finding.values.map(finite) })),
    arms: results.map((result) => summaryOf(experiment, result)),
    figures: figures.map((figure) => ({
      name: figure.name,
      title: figure.title,
      series: figure.series.map(storedSeries),
    })),
    settings: { ...base },
    overrides,
    machine: {
      cpu: machine.cpu,
      engine: engine.description,
      threads: engine.threads,
      precision,
      alexnet: machine.alexnet,
      node: machine.node,
    },
    dataset: dataset.name,
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function storedSeries({ name, points }: FigureSeries): StoredSeries {
  return {
    name,
    points: points.map(({ y, values, ...point }) => ({ ...point, y: finite(y), values: values.map(finite) })),
  };
}

function summaryOf({ measures, search }: ScaledExperiment, result: ArmResult): ArmSummary {
  const { arm, values, seeds } = result;
  const known = measures.flatMap((measure) => {
    const statistics = statisticsOf(valuesOf([result], { arm, measure }));
    if (!statistics) return [];
    const { mean, deviation, values: each } = statistics;
    return [[measure, { mean: finite(mean), deviation, values: each.map(finite) }] as const];
  });
  return {
    name: arm,
    settings: search && result.chosen !== undefined ? { ...values, [search.key]: result.chosen } : values,
    measures: Object.fromEntries(known),
    runs: seeds.map(({ seed, status, runs }) => ({ seed, status, directories: runs })),
  };
}

/** Content of the page. */
function pageOf(
  { experiment, results }: Results,
  result: ExperimentResult,
  charts: ExperimentPage["charts"],
): ExperimentPage {
  const { search, measures, notes } = experiment;
  const right = (heading: string) => ({ heading, align: "right" }) as const;
  const described = measures.map((name) => ({ name, ...describeMeasure(experiment, name) }));
  const { machine, settings, overrides, arms } = result;
  const seconds = results.flatMap(({ seeds }) => seeds.map((each) => each.seconds));
  return {
    ...result,
    notes,
    charts,
    armTable: {
      title: "Configurations",
      columns: [
        { heading: "Configuration", align: "left" },
        ...(search ? [right(search.key)] : []),
        ...described.map(({ title }) => right(title)),
      ],
      rows: results.map((each) => [
        each.arm,
        ...(search ? [formatValue(each.chosen)] : []),
        ...described.map(({ name, unit }) => {
          const statistics = statisticsOf(valuesOf([each], { arm: each.arm, measure: name }));
          return statistics ? formatStatistics(statistics, unit.format) : "–";
        }),
      ]),
      notes: [],
    },
    facts: [
      ["Data set", result.dataset],
      ["Seeds", String(result.seeds)],
      ["Processor", machine.cpu],
      ["Engine", `${machine.engine}, ${machine.precision}`],
      ["Training time of these networks", formatDuration(seconds.reduce((sum, each) => sum + each, 0))],
      ["Program", `alexnet ${machine.alexnet}, Node.js ${machine.node}`],
      ...(Object.keys(overrides).length > 0 ? [["Changed settings", describeValues(overrides)] as const] : []),
    ],
    settingsText: JSON.stringify(
      { base: settings, overrides, arms: arms.map(({ name, settings: own }) => ({ name, settings: own })) },
      undefined,
      2,
    ),
  };
}
