/** Figures of a server in the text format of Prometheus. Source: prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4. */

/** Labels of a sample. */
export type Labels = Readonly<Record<string, string>>;

/** Figures of a server. */
export interface Metrics {
  /** Counts an answer. */
  countRequest(labels: Labels): void;
  /** Records the seconds of an answered prediction, and its number of images. */
  observe(model: string, seconds: number, images: number): void;
  /** All figures; `gauges` are read now. */
  format(gauges: readonly Gauge[]): string;
}

/** A figure that is read when it is asked for. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly { readonly labels: Labels; readonly value: number }[];
}

/** Upper bounds of the histogram of seconds. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

interface Durations {
  readonly counts: number[];
  sum: number;
  count: number;
  images: number;
}

/** Creates empty figures. */
export function createMetrics(): Metrics {
  const requests = new Map<string, { readonly labels: Labels; value: number }>();
  const durations = new Map<string, Durations>();
  return {
    countRequest(labels) {
      const key = JSON.stringify(labels);
      const entry = requests.get(key) ?? { labels, value: 0 };
      entry.value++;
      requests.set(key, entry);
    },
    observe(model, seconds, images) {
      const own = durations.get(model) ?? { counts: bounds.map(() => 0), sum: 0, count: 0, images: 0 };
      durations.set(model, own);
      for (const [i, bound] of bounds.entries()) if (seconds <= bound) own.counts[i] = (own.counts[i] ?? 0) + 1;
      own.sum += seconds;
      own.count++;
      own.images += images;
    },
    format(gauges) {
      const images = [...durations].map(([model, { images: value }]) => ({ labels: { model }, value }));
      const lines = [
        ...family("alexnet_requests_total", "Answered requests.", "counter", [...requests.values()]),
        ...family("alexnet_images_total", "Classified images.", "counter", images),
        ...histogram(durations),
        ...gauges.flatMap(({ name, help, type, samples }) => family(name, help, type, samples)),
      ];
      return `${lines.join("\n")}\n`;
    },
  };
}

function family(name: string, help: string, type: string, samples: Gauge["samples"]): readonly string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels, value }) => sample(name, labels, value)),
  ];
}

function histogram(durations: ReadonlyMap<string, Durations>): readonly string[] {
  const name = "alexnet_prediction_seconds";
  const samples = [...durations].flatMap(([model, { counts, sum, count }]) => [
    ...bounds.map((bound, i) => sample(`${name}_bucket`, { model, le: String(bound) }, counts[i] ?? 0)),
    sample(`${name}_bucket`, { model, le: "+Inf" }, count),
    sample(`${name}_sum`, { model }, sum),
    sample(`${name}_count`, { model }, count),
  ]);
  return [`# HELP ${name} Seconds from a request's acceptance to its answer.`, `# TYPE ${name} histogram`, ...samples];
}

function sample(name: string, labels: Labels, value: number): string {
  const text = Object.entries(labels).map(([key, each]) => `${key}="${escapeLabel(each)}"`);
  return `${name}${text.length > 0 ? `{${text.join(",")}}` : ""} ${value}`;
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
