/** Names of published weights. */

/** Weights that others have published, and the file in the cache that each becomes: named after what it was made of. */
export const pretrainedFileNames = { torchvision: "alexnet-owt-7be5be79.safetensors" } as const;

/** A name that may stand where a run directory or a weights file does. */
export type PretrainedName = keyof typeof pretrainedFileNames;

/** All such names. */
export const pretrainedNames = Object.keys(pretrainedFileNames) as readonly PretrainedName[];
