/** Work of a training step, counted from its plan: a function of network, batch, and tiles. */
export interface PlannedWork {
  /** Kernels that run, with an update of each parameter. */
  readonly kernels: number;
  /** Kernels that are compiled. */
  readonly pipelines: number;
  /** Bytes of all operands. */
  readonly bytes: number;
  /** Bytes of a step that reads and writes each tensor of a layer once. */
  readonly leastBytes: number;
  /** Fraction of arithmetic that whole tiles add to that of the formulas. */
  readonly tileWaste: number;
}
