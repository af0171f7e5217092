/** Values of `--engine`. `auto` is oneDNN if it is installed, otherwise the reference engine. */
export const engineNames = ["auto", "onednn", "reference"] as const;

export type EngineName = (typeof engineNames)[number];
