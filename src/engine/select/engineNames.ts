/** What `--engine` takes. `auto` takes oneDNN where it is found, otherwise the reference engine. */
export const engineNames = ["auto", "onednn", "reference"] as const;

export type EngineName = (typeof engineNames)[number];
